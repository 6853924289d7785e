package mailer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"intouch/mailer/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is go-smtp's server in process: it takes mails, refuses later@ for now
// and gone@ for good.
type sink struct {
	Config
	mu     sync.Mutex
	taken  map[string][]string // recipient → mails
	logins int
}

type sinkSession struct {
	*sink
	to string
	in bool
}

func (s *sinkSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }
func (s *sinkSession) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "intouch" || password != "right" {
			return smtp.ErrAuthFailed
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.logins++
		s.in = true
		return nil
	}
	if mech == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "later@"):
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "mailbox busy"}
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.to = to
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bytes.Contains(b, []byte("spam")) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "content refused"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[s.to] = append(s.taken[s.to], string(b))
	return nil
}
func (s *sinkSession) Reset()        { s.to = "" }
func (s *sinkSession) Logout() error { return nil }

// loginServer asks for name and password in words of its own.
type loginServer struct {
	check func(user, password string) error
	user  *string
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	switch {
	case l.user == nil && response == nil:
		return []byte("Имя:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Пароль:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}

// certificate for 127.0.0.1, with the roots that trust it.
func certificate() (tls.Certificate, *tls.Config) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], &tls.Config{RootCAs: roots}
}

func startSink(t *testing.T, security Security, change func(*smtp.Server)) *sink {
	t.Helper()
	cert, client := certificate()
	s := &sink{taken: map[string][]string{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }))
	server.Domain = "127.0.0.1"
	server.AllowInsecureAuth = security == Insecure
	server.ErrorLog = quiet{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Config = Config{Addr: ln.Addr().String(), Security: security, Username: "intouch", LocalName: "crm.vector.test", TLS: client,
		Password: func() (string, error) { return "right", nil }}
	switch security {
	case TLS:
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	case StartTLS:
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if change != nil {
		change(server)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	// Both: a Close that comes before Serve knows the listener leaves it open.
	t.Cleanup(func() { server.Close(); ln.Close(); <-done })
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func TestSession_Send(t *testing.T) {
	for _, security := range []Security{TLS, StartTLS, Insecure} {
		t.Run(string(security), func(t *testing.T) {
			s := startSink(t, security, nil)
			session, err := s.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close(t.Context())
			msg, _ := Compose(sample())
			var got []string
			for _, mail := range []struct {
				to  string
				msg []byte
			}{
				{"anna@vector.test", msg}, {"later@vector.test", msg}, {"gone@vector.test", msg}, {"boris@vector.test", msg},
				{"anna@vector.test", []byte("Subject: spam\r\n\r\n")}, {"no address", msg}, {"anna@vector.test", msg},
			} {
				err := session.Send(t.Context(), "intouch@vector.test", mail.to, mail.msg)
				var r *Refused
				switch {
				case err == nil:
					got = append(got, "taken")
				case errors.As(err, &r):
					got = append(got, fmt.Sprintf("%s %d %s %v", r.Stage, r.Code, r.Enhanced, r.ThisMail()))
				default:
					got = append(got, err.Error())
				}
			}
			want := "taken; RCPT 450 4.2.0 false; RCPT 550 5.1.1 true; taken; DATA 554 5.7.1 true; RCPT 553 5.1.3 true; taken"
			if s := strings.Join(got, "; "); s != want {
				t.Errorf("got  %s\nwant %s", s, want)
			}
			if session.Broken() {
				t.Error("refusals broke the session")
			}
			if len(s.taken["anna@vector.test"]) != 2 || len(s.taken["boris@vector.test"]) != 1 || len(s.taken) != 2 || s.logins != 1 {
				t.Errorf("the server has %d mailboxes after %d logins", len(s.taken), s.logins)
			}
			if s.taken["boris@vector.test"][0] != string(msg) { // dots and line ends came through
				t.Error("the server got other bytes")
			}
		})
	}
}

func TestConfig_CheckLogin(t *testing.T) {
	cases := []struct {
		name     string
		security Security
		server   func(*smtp.Server)
		client   func(*Config)
		want     string // in the error; "" for none
	}{
		{"right", TLS, nil, nil, ""},
		{"LOGIN only", TLS, func(s *smtp.Server) {
			s.Backend = smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
				return onlyLogin{&sinkSession{sink: &sink{}}}, nil
			})
		}, nil, ""},
		{"wrong password", StartTLS, nil, func(c *Config) { c.Password = func() (string, error) { return "wrong", nil } }, "AUTH refused: 535"},
		{"no password", TLS, nil, func(c *Config) { c.Password = func() (string, error) { return "", errors.New("file is gone") } }, "password: file is gone"},
		{"stranger's certificate", TLS, nil, func(c *Config) { c.TLS = nil }, "establish TLS: "},
		{"stranger's certificate after STARTTLS", StartTLS, nil, func(c *Config) { c.TLS = nil }, "certificate"},
		{"STARTTLS missing", Insecure, nil, func(c *Config) { c.Security = StartTLS }, "STARTTLS"},
		{"no AUTH", Insecure, func(s *smtp.Server) { s.AllowInsecureAuth = false }, nil, "neither PLAIN nor LOGIN"},
		{"unknown security", Insecure, nil, func(c *Config) { c.Security = "" }, "none of tls, starttls, insecure"},
		{"TLS to a plain port", Insecure, nil, func(c *Config) { c.Security = TLS }, "establish TLS"},
		{"no port", TLS, nil, func(c *Config) { c.Addr = "127.0.0.1" }, "missing port"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startSink(t, c.security, c.server)
			cfg := s.Config
			if c.client != nil {
				c.client(&cfg)
			}
			err := cfg.CheckLogin(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "right") {
				t.Error("the error shows the password")
			}
		})
	}
}

type onlyLogin struct{ *sinkSession }

func (onlyLogin) AuthMechanisms() []string { return []string{sasl.Login} }

// A server that follows a script: what it hears it answers line by line, and
// then hangs, closes, or goes on for ever.
func scripted(t *testing.T, script map[string]string) Config {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { play(conn, script, stop) })
		}
	})
	t.Cleanup(func() { close(stop); ln.Close(); wg.Wait() })
	return Config{Addr: ln.Addr().String(), Security: Insecure, Timeout: 150 * time.Millisecond, DataTimeout: 150 * time.Millisecond}
}

func play(conn net.Conn, script map[string]string, stop chan struct{}) {
	defer conn.Close()
	say := func(stage string) (goOn bool) {
		switch answer := script[stage]; answer {
		case "hang":
			<-stop
			return false
		case "close":
			return false
		case "flood":
			for {
				if _, err := io.WriteString(conn, "250-and another thing\r\n"); err != nil {
					return false
				}
			}
		case "drip":
			for {
				if _, err := io.WriteString(conn, "2"); err != nil {
					return false
				}
				select {
				case <-stop:
					return false
				case <-time.After(20 * time.Millisecond):
				}
			}
		default:
			_, err := io.WriteString(conn, answer)
			return err == nil
		}
	}
	if !say("greeting") {
		return
	}
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(strings.Fields(line + " x")[0])
		if !say(verb) {
			return
		}
		if verb == "DATA" && strings.HasPrefix(script["DATA"], "354") {
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			if !say("dot") {
				return
			}
		}
		if verb == "QUIT" {
			return
		}
	}
}

func polite() map[string]string {
	return map[string]string{"greeting": "220 hello\r\n", "EHLO": "250-me\r\n250 SIZE 1000\r\n", "MAIL": "250 ok\r\n", "RCPT": "250 ok\r\n",
		"DATA": "354 go on\r\n", "dot": "250 taken\r\n", "RSET": "250 ok\r\n", "QUIT": "221 bye\r\n"}
}

// Whatever the server does and wherever: an error in bounded time, a refusal
// only where it refused, and no delivery reported that was none.
func TestSession_Rude(t *testing.T) {
	stages := []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"}
	for _, stage := range stages {
		for _, answer := range []string{"hang", "close", "drip", "flood", "rubbish\r\n", "\x00\xff\x00\xff\r\n", "999 what\r\n", "199 no\r\n", "354 now\r\n", "451 later\r\n", "554 never\r\n", "421 closing\r\n"} {
			if answer == "354 now\r\n" && stage == "DATA" {
				continue // that is right
			}
			rude := func(t *testing.T, script map[string]string) {
				t.Parallel()
				script[stage] = answer
				cfg := scripted(t, script)
				err := deliver(t, cfg)
				if err == nil {
					t.Fatal("delivered")
				}
				var r *Refused
				refused := errors.As(err, &r)
				if want := strings.HasPrefix(answer, "4") || strings.HasPrefix(answer, "5"); refused != want {
					t.Errorf("refused is %v: %v", refused, err)
				}
				if refused && (r.Permanent != (answer[0] == '5') || r.ThisMail() != (answer[0] == '5' && stage != "greeting" && stage != "EHLO" && stage != "MAIL")) {
					t.Errorf("%+v", r)
				}
				if len(err.Error()) > 600 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
			}
			t.Run(stage+"/"+strings.TrimSpace(answer), func(t *testing.T) { rude(t, polite()) })
			t.Run(stage+"/pipelined/"+strings.TrimSpace(answer), func(t *testing.T) { rude(t, pipelining()) })
		}
	}
}

// pipelining is polite, and takes commands together.
func pipelining() map[string]string {
	script := polite()
	script["EHLO"] = "250-me\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
	return script
}

// A server that asks for the text of a mail that it refused gets none, and no
// empty mail goes out; the next mail does, where that is sure.
func TestSession_RefusedYetAskedFor(t *testing.T) {
	const text = "Subject: x\r\n\r\nx\r\n"
	for stage, goesOn := range map[string]bool{"RCPT": true, "MAIL": false} {
		script := pipelining()
		script[stage], script["dot"] = "550 5.7.1 no\r\n", "554 5.5.1 no recipients\r\n"
		s, err := scripted(t, script).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		for range 2 {
			var r *Refused
			if err := s.Send(t.Context(), "a@b.test", "c@d.test", []byte(text)); !errors.As(err, &r) || string(r.Stage) != stage || r.Enhanced != "5.7.1" || r.Text != "no" {
				t.Fatalf("%s: %v", stage, err)
			}
			if s.Broken() == goesOn {
				t.Fatalf("%s: broken is %v", stage, s.Broken())
			}
			if !goesOn {
				break
			}
		}
	}
}

// A server that announces PIPELINING and does not know it: what it lost is
// neither delivered nor refused, and gets through command by command. One that
// answers the text before it has it has not taken it.
func TestSession_FalsePipelining(t *testing.T) {
	const text = "Subject: x\r\n\r\nx\r\n"
	for name, c := range map[string]struct {
		stage, answer string
		says          string
		doubtful      bool
	}{
		"drops":     {"MAIL", "", "RCPT: read tcp", true},
		"chokes":    {"RCPT", "503 5.5.1 bad sequence\r\n", "RCPT: the server answered commands that went out together with 503 bad sequence", true},
		"premature": {"DATA", "354 go on\r\n250 taken\r\n", "DATA: the server answered before it was asked", false},
		"surplus":   {"RCPT", "250 ok\r\n250 ok\r\n", "DATA: the server answered 250 out of turn", true},
	} {
		t.Run(name, func(t *testing.T) {
			script := pipelining()
			script[c.stage] = c.answer
			cfg := scripted(t, script)
			if name == "drops" { // all that came with the first command
				cfg.Addr = smtptest.Dropping(t)
			}
			s, err := cfg.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var refused *Refused
			err = s.Send(t.Context(), "a@b.test", "c@d.test", []byte(text))
			if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) || !s.Broken() || s.Doubtful() != c.doubtful {
				t.Errorf("%v; broken %v, doubtful %v", err, s.Broken(), s.Doubtful())
			}
			s.Close(t.Context())
			if name != "drops" {
				return
			}
			cfg.Lockstep = true
			if s, err = cfg.Dial(t.Context()); err == nil {
				err = s.Send(t.Context(), "a@b.test", "c@d.test", []byte(text))
				s.Close(t.Context())
			}
			if err != nil {
				t.Errorf("one by one: %v", err)
			}
		})
	}
}

// What a mail needs comes in two writes where the server says PIPELINING, and
// command by command where it does not (RFC 2920 section 3.1).
func TestSession_Pipelining(t *testing.T) {
	for _, can := range []bool{true, false} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan []string, 1)
		go func() {
			var all []string
			defer func() { heard <- all }()
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(conn, "220 hello\r\n")
			ehlo := "250 me\r\n"
			if can {
				ehlo = "250-me\r\n250 PIPELINING\r\n"
			}
			answers := []string{ehlo, "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", "250 taken\r\n", "221 bye\r\n"}
			if can {
				answers = []string{ehlo, "250 ok\r\n250 ok\r\n354 go on\r\n", "250 taken\r\n", "221 bye\r\n"}
			}
			buf := make([]byte, 4096)
			for _, answer := range answers {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				all = append(all, string(buf[:n]))
				io.WriteString(conn, answer)
			}
		}()
		cfg := Config{Addr: ln.Addr().String(), Security: Insecure, LocalName: "me.test", Timeout: 5 * time.Second, DataTimeout: 5 * time.Second}
		if err := deliver(t, cfg); err != nil {
			t.Error(err)
		}
		ln.Close()
		const mail, rcpt, data = "MAIL FROM:<intouch@vector.test>\r\n", "RCPT TO:<anna@vector.test>\r\n", "DATA\r\n"
		want := []string{"EHLO me.test\r\n", mail, rcpt, data, "Subject: x\r\n\r\nx\r\n.\r\n", "QUIT\r\n"}
		if can {
			want = []string{"EHLO me.test\r\n", mail + rcpt + data, "Subject: x\r\n\r\nx\r\n.\r\n", "QUIT\r\n"}
		}
		if got := <-heard; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
}

func deliver(t *testing.T, cfg Config) error {
	s, err := cfg.Dial(t.Context())
	if err != nil {
		return err
	}
	defer s.Close(t.Context())
	return s.Send(t.Context(), "intouch@vector.test", "anna@vector.test", []byte("Subject: x\r\n\r\nx\r\n"))
}

func TestSession_Size(t *testing.T) {
	cfg := scripted(t, polite())
	s, err := cfg.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	var r *Refused
	if err := s.Send(t.Context(), "a@b.test", "c@d.test", make([]byte, 1001)); !errors.As(err, &r) || !r.ThisMail() {
		t.Errorf("got %v", err)
	}
	if err := s.Send(t.Context(), "a@b.test", "c@d.test", []byte("Subject: x\r\n\r\n")); err != nil {
		t.Errorf("the next mail: %v", err)
	}
}

// A server that lacks SMTPUTF8 is not tried with an address that needs it, and
// the other mails go out. One that only says that it has it refuses by itself.
func TestSession_BeyondASCII(t *testing.T) {
	for name, c := range map[string]struct{ hello, mail, want string }{
		"lacks it": {"250-me\r\n250 SIZE 1000\r\n", "250 ok\r\n", "RCPT refused: 550 5.6.7"},
		"lies":     {"250-me\r\n250 SMTPUTF8\r\n", "555 5.5.4 what is SMTPUTF8?\r\n", "MAIL refused: 555 5.5.4"},
	} {
		script := polite()
		script["EHLO"], script["MAIL"] = c.hello, c.mail
		s, err := scripted(t, script).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), "a@b.test", "борис@d.test", []byte("Subject: x\r\n\r\n")); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Send(t.Context(), "a@b.test", "c@d.test", []byte("Subject: x\r\n\r\n")); name == "lacks it" && err != nil {
			t.Errorf("the next mail: %v", err)
		}
		s.Close(t.Context())
	}
}

// Servers that promise what they do not keep.
func TestSession_Lies(t *testing.T) {
	for name, c := range map[string]struct {
		change func(script map[string]string, cfg *Config)
		want   string
	}{
		"AUTH that it does not know": {func(s map[string]string, c *Config) {
			s["EHLO"], s["AUTH"] = "250-me\r\n250 AUTH PLAIN\r\n", "502 what?\r\n"
			c.Username = "x"
		}, "AUTH refused: 502"},
		"a challenge that is rubbish": {func(s map[string]string, c *Config) {
			s["EHLO"], s["AUTH"] = "250-me\r\n250 AUTH LOGIN\r\n", "334 %%%\r\n"
			c.Username = "x"
		}, "AUTH"},
		"STARTTLS without TLS": {func(s map[string]string, c *Config) {
			s["EHLO"], s["STARTTLS"] = "250-me\r\n250 STARTTLS\r\n", "220 go\r\nrubbish rubbish rubbish\r\n"
			c.Security = StartTLS
		}, ""},
		"STARTTLS, refused then": {func(s map[string]string, c *Config) {
			s["EHLO"], s["STARTTLS"] = "250-me\r\n250 STARTTLS\r\n", "454 not now\r\n"
			c.Security = StartTLS
		}, "454"},
		"any size, refused after all": {func(s map[string]string, c *Config) {
			s["EHLO"], s["dot"] = "250-me\r\n250 SIZE 0\r\n", "552 5.3.4 too big\r\n"
		}, "DATA refused: 552"},
		"a size that is no number": {func(s map[string]string, c *Config) { s["EHLO"] = "250-me\r\n250 SIZE huge\r\n" }, "delivered"},
		"words of its own": {func(s map[string]string, c *Config) {
			s["EHLO"] = "250-me\r\n250-PIPELINING CHUNKING\r\n250 \x00\xff\r\n"
		}, "delivered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := polite()
			var change Config
			c.change(script, &change)
			cfg := scripted(t, script)
			cfg.Username = change.Username
			if change.Security != "" {
				cfg.Security = change.Security
			}
			err := deliver(t, cfg)
			if c.want == "delivered" && err != nil || c.want != "delivered" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// Cancelling ends a delivery wherever it hangs.
func TestSession_Cancel(t *testing.T) {
	for _, stage := range []string{"greeting", "EHLO", "MAIL", "dot"} {
		script := polite()
		script[stage] = "hang"
		cfg := scripted(t, script)
		cfg.Timeout, cfg.DataTimeout = time.Hour, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Millisecond, cancel)
		s, err := cfg.Dial(ctx)
		if err == nil {
			err = s.Send(ctx, "a@b.test", "c@d.test", []byte("Subject: x\r\n\r\n"))
			s.Close(t.Context())
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", stage, err)
		}
	}
}

// A server that stops reading in the middle of the text: go-smtp itself sets
// no deadline there.
func TestSession_StopsReading(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		script := polite()
		io.WriteString(conn, script["greeting"])
		for _, verb := range []string{"EHLO", "MAIL", "RCPT", "DATA"} {
			in.ReadString('\n')
			io.WriteString(conn, strings.ReplaceAll(script[verb], "SIZE 1000", "HELP"))
		}
		<-stop
	}()
	defer func() { close(stop); ln.Close(); <-done }()
	cfg := Config{Addr: ln.Addr().String(), Security: Insecure, Timeout: 50 * time.Millisecond, DataTimeout: 50 * time.Millisecond}
	s, err := cfg.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if err := s.Send(t.Context(), "a@b.test", "c@d.test", bytes.Repeat([]byte("line\r\n"), 5<<20)); err == nil || !s.Broken() {
		t.Errorf("got %v", err)
	}
}
