package mailsync

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"go.uber.org/goleak"

	"intouch/mailsync/mailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSession(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	html := "From: a@b.test\r\nTo: c@d.test\r\nSubject: x\r\nMessage-ID: <m@x>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n" +
		"--B\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat("QUJDREVG", 1000) + "\r\n--B--\r\n"
	for n := range 5 {
		deliver(t, u, "INBOX", plainLetter(n, "a@b.test", "c@d.test", "x", "text"), letterDay)
	}
	last := deliver(t, u, "INBOX", html, letterDay)

	s := login(t, boxConfig(srv.Addr, "anna"), quickPatience)
	names, err := s.resolve([]string{"inbox", `\Sent`, "Nowhere"})
	if err != nil || fmt.Sprint(names) != "[INBOX Sent ]" {
		t.Fatalf("resolve = %q, %v", names, err)
	}
	data, err := s.examine("INBOX")
	if err != nil || data.UIDValidity == 0 {
		t.Fatalf("examine = %+v, %v", data, err)
	}
	uids, all, err := s.search(3, 0, 3, upwards)
	if err != nil || fmt.Sprint(uids) != "[3 4 5]" || all != 4 {
		t.Fatalf("search above 2 = %v of %d, %v", uids, all, err)
	}
	if uids, _, err := s.search(last+1, 0, 10, upwards); err != nil || len(uids) != 0 {
		t.Fatalf("search above the last letter = %v, %v; n:* must not bring it back", uids, err)
	}
	got, rest, err := s.envelopes([]uint32{1, last, 99}, withStructure, batchHeaders)
	if err != nil || len(got) != 2 || rest != 0 {
		t.Fatalf("envelopes = %d letters, %d left, %v", len(got), rest, err)
	}
	e := got[1]
	if e.UID != last || !e.Internal.Equal(letterDay) || e.Root == nil || len(e.Root.Children) != 2 || !strings.Contains(string(e.Header), "Message-ID: <m@x>") {
		t.Errorf("envelope = %+v", e)
	}
	if pdf := e.Root.Children[1]; pdf.Type != "application/pdf" || pdf.Disposition != "attachment" || pdf.Name != "a.pdf" || fmt.Sprint(pdf.Path) != "[2]" {
		t.Errorf("part = %+v", pdf)
	}
	if got, rest, err := s.envelopes([]uint32{1, 2, 3}, withStructure, 10); err != nil || len(got) != 1 || rest != 2 {
		t.Errorf("envelopes beyond the budget = %d letters, %d left, %v", len(got), rest, err)
	}
	bodies, err := s.texts(t.Context(), []wish{{1, []*Part{{Path: []int{1}}}}, {last, []*Part{e.Root.Children[0]}}, {99, []*Part{{Path: []int{1}}}}})
	if err != nil || string(bodies[1]["1"]) != "text\r\n" || string(bodies[last]["1"]) != "hello" || bodies[99] != nil {
		t.Errorf("texts = %v, %v", bodies, err)
	}
	if raw, err := s.whole(last); err != nil || string(raw) != html {
		t.Errorf("whole = %d bytes, %v", len(raw), err)
	}
	if there, err := s.exist([]uint32{1, 99}); err != nil || fmt.Sprint(there) != "[1]" {
		t.Errorf("exist = %v, %v", there, err)
	}
}

func TestSession_WaitHearsOfNews(t *testing.T) {
	for _, name := range []string{"idle", "poll"} {
		t.Run(name, func(t *testing.T) {
			srv := newMemServer(t, nil)
			u := srv.addUser(t, "anna", "INBOX")
			addr := srv.Addr
			if name == "poll" {
				addr = withoutIdle(t, addr)
			}
			s := login(t, boxConfig(addr, "anna"), patience{dial: 5 * time.Second, silence: 5 * time.Second, answer: 5 * time.Second})
			if _, err := s.examine("INBOX"); err != nil {
				t.Fatal(err)
			}
			if err := s.wait(t.Context(), 10*time.Millisecond, 10*time.Millisecond); err != nil {
				t.Fatal("renewal:", err)
			}
			go func() { deliver(t, u, "INBOX", plainLetter(1, "a@b.test", "c@d.test", "x", "y"), letterDay) }()
			for try := 0; ; try++ {
				if uids, _, err := s.search(1, 0, 10, upwards); err != nil {
					t.Fatal(err)
				} else if len(uids) == 1 {
					break
				} else if try > 500 {
					t.Fatal("the letter never showed")
				}
				// Renewed soon: the server in process forgets to announce
				// what came just before IDLE.
				if err := s.wait(t.Context(), 100*time.Millisecond, 10*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestOpen_TLS(t *testing.T) {
	cert, pool := mailtest.SelfSigned(t)
	srv := newMemServer(t, &tls.Config{Certificates: []tls.Certificate{cert}}, imap.CapIMAP4rev1, imap.CapIdle)
	srv.addUser(t, "anna", "INBOX")
	cfg := boxConfig(srv.Addr, "anna")
	cfg.TLS = StartTLS
	cfg.TLSConfig = &tls.Config{RootCAs: pool}
	s := login(t, cfg, quickPatience)
	if _, err := s.examine("INBOX"); err != nil {
		t.Fatal(err)
	}

	cfg.TLSConfig = nil // the system's roots do not know it
	var step *stepError
	if _, err := open(t.Context(), &cfg, quickPatience); !errors.As(err, &step) || !strings.HasPrefix(step.Step, "TLS handshake with ") {
		t.Errorf("unknown certificate: %v", err)
	}
	plain := newMemServer(t, nil, imap.CapIMAP4rev1)
	cfg.Addr = plain.Addr
	if _, err := open(t.Context(), &cfg, quickPatience); !errors.As(err, &step) || step.Step != "STARTTLS" {
		t.Errorf("server without STARTTLS: %v", err)
	}
}

func TestCheckLogin(t *testing.T) {
	srv := newMemServer(t, nil)
	srv.addUser(t, "anna", "INBOX")
	ok := boxConfig(srv.Addr, "anna")
	ok.Folders = []string{"INBOX"}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // of the error; "" none
	}{
		"fine":           {func(*Config) {}, ""},
		"missing folder": {func(c *Config) { c.Folders = []string{"INBOX", `\Sent`} }, `folder \Sent: the server has no such folder`},
		"wrong password": {func(c *Config) { c.Password = func() (string, error) { return "x", nil } }, "login: imap: NO"},
		"no secret file": {func(c *Config) { c.Password = func() (string, error) { return "", io.EOF } }, "read the password: EOF"},
		"nobody listens": {func(c *Config) { c.Addr = gone.Addr().String() }, "connect: "},
		"unknown host":   {func(c *Config) { c.Addr = "imap.invalid:993" }, "find host imap.invalid: "},
		"no port":        {func(c *Config) { c.Addr = "imap.invalid" }, "address: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := ok
			c.change(&cfg)
			err := CheckLogin(t.Context(), cfg)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("CheckLogin = %v, want %q", err, c.want)
			}
		})
	}
}

// scripted is a server that answers each command by a function: nil closes
// the connection.
func scripted(t *testing.T, greeting string, answer func(tag, command string) []string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, greeting)
			r := bufio.NewReader(c)
			silent := false
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					break
				}
				if silent {
					continue
				}
				tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
				lines := answer(tag, command)
				if lines == nil {
					break
				}
				for _, l := range lines {
					fmt.Fprint(c, l)
					// The library may ask for capabilities meanwhile: an answer to
					// that would be the rest of the line that never ends.
					silent = !strings.HasSuffix(l, "\n")
				}
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// TestSession_BadServers: each ends with an error that says which command and
// what came, in bounded time and memory.
func TestSession_BadServers(t *testing.T) {
	const hello = "* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n"
	fine := func(tag, command string) []string {
		switch verb, _, _ := strings.Cut(command, " "); verb {
		case "LOGIN", "CAPABILITY":
			return []string{"* CAPABILITY IMAP4rev1 IDLE\r\n", tag + " OK done\r\n"}
		case "EXAMINE":
			return []string{"* 3 EXISTS\r\n", "* OK [UIDVALIDITY 1] ok\r\n", "* OK [UIDNEXT 4] ok\r\n", tag + " OK [READ-ONLY] done\r\n"}
		}
		return nil
	}
	on := func(verb string, lines ...string) func(tag, command string) []string {
		return func(tag, command string) []string {
			if strings.HasPrefix(command, verb) {
				out := []string{}
				for _, l := range lines {
					out = append(out, strings.ReplaceAll(l, "$", tag))
				}
				return out
			}
			return fine(tag, command)
		}
	}
	closes := func(verb string) func(tag, command string) []string {
		return func(tag, command string) []string {
			if strings.HasPrefix(command, verb) {
				return nil
			}
			return fine(tag, command)
		}
	}
	// The tag of its ESEARCH is another's, which the library drops silently.
	strange := func(tag, command string) []string {
		switch {
		case strings.HasPrefix(command, "LOGIN"), strings.HasPrefix(command, "CAPABILITY"):
			return []string{"* CAPABILITY IMAP4rev1 IDLE ESEARCH\r\n", tag + " OK done\r\n"}
		case strings.HasPrefix(command, "UID SEARCH RETURN"):
			return []string{"* ESEARCH (TAG \"X\") UID ALL 1:3\r\n", tag + " OK done\r\n"}
		case strings.HasPrefix(command, "UID SEARCH"):
			return []string{"* SEARCH 1 2 3\r\n", tag + " OK done\r\n"}
		case strings.HasPrefix(command, "UID FETCH"):
			return []string{}
		}
		return fine(tag, command)
	}
	section := "BODY[HEADER.FIELDS (" + strings.ToUpper(strings.Join(HeaderFields, " ")) + ")]<0>"
	for name, c := range map[string]struct {
		greeting string
		answer   func(tag, command string) []string
		want     string
	}{
		"no greeting":          {"", fine, "greeting: the server has fallen silent"},
		"bye":                  {"* BYE too many connections\r\n", fine, "too many connections"},
		"rubbish greeting":     {"HTTP/1.1 400 Bad Request\r\n\r\n", fine, "greeting: "},
		"no answer to login":   {hello, on("LOGIN"), "login: the server has fallen silent"},
		"closes on login":      {hello, closes("LOGIN"), "login: the server closed the connection"},
		"refuses login":        {hello, on("LOGIN", "$ NO no such user\r\n"), "login: imap: NO no such user"},
		"no answer to examine": {hello, on("EXAMINE"), "examine folder INBOX: the server has fallen silent"},
		"drips":                {hello, on("EXAMINE", "* 3 EXI"), "examine folder INBOX: the server has fallen silent"},
		"bad examine":          {hello, on("EXAMINE", "$ BAD what\r\n"), "examine folder INBOX: imap: BAD what"},
		// The library closes the connection, and its own question for capabilities may fail of that first.
		"unknown response":      {hello, on("EXAMINE", "* XYZZY 1\r\n", "$ OK\r\n"), "examine folder INBOX: "},
		"search closes":         {hello, closes("UID SEARCH"), "search: the server closed the connection"},
		"search lies":           {hello, on("UID SEARCH", "* ESEARCH (TAG \"$\") UID ALL 1:4294967295\r\n", "$ OK\r\n"), "search: the server names 4294967295 letters of 3"},
		"search spoilt":         {strings.Replace(hello, "IDLE", "IDLE ESEARCH", 1), on("UID SEARCH", "* ESEARCH (TAG \"$\") UID COUNT 3 A\xccL 1:3\r\n", "$ OK\r\n"), "search: the server counts 3 letters and names none"},
		"search of another":     {strings.Replace(hello, "IDLE", "IDLE ESEARCH", 1), strange, "fetch headers: the server has fallen silent"},
		"closes in literal":     {hello, on("UID FETCH", "* 1 FETCH (UID 1 "+section+" {100}\r\nFrom:"), "fetch headers: the server has fallen silent"},
		"huge literal":          {hello, on("UID FETCH", "* 1 FETCH (UID 1 "+section+" {200000000}\r\nFrom:"), "fetch headers: the server announced a literal"},
		"endless line":          {hello, on("UID FETCH", "* 1 FETCH (UID 1 X"+strings.Repeat("x", 2<<20)), "fetch headers: the server sent a line of more than"},
		"structure with no end": {hello, on("UID FETCH", "* 1 FETCH (UID 1 BODYSTRUCTURE "+strings.Repeat("(", 2000)+"\r\n"), "fetch headers: "},
	} {
		t.Run(name, func(t *testing.T) {
			answer := c.answer
			if !strings.HasPrefix(name, "search") {
				answer = func(tag, command string) []string {
					if strings.HasPrefix(command, "UID SEARCH") {
						return []string{"* SEARCH 1 2 3\r\n", tag + " OK done\r\n"}
					}
					return c.answer(tag, command)
				}
			}
			cfg := boxConfig(scripted(t, c.greeting, answer), "anna")
			err := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				s, err := open(ctx, &cfg, quickPatience)
				if err != nil {
					return err
				}
				defer s.Close()
				if _, err := s.examine("INBOX"); err != nil {
					return err
				}
				uids, _, err := s.search(1, 0, 100, upwards)
				if err != nil {
					return err
				}
				_, _, err = s.envelopes(uids, withStructure, batchHeaders)
				return err
			}()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestBoundedConn_Scan(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		ok bool
	}{
		"literal":         {"* 1 FETCH (BODY[1] {5}\r\n12345 BODY[2] {9999999999}\r\n)\r\n", false},
		"inside literal":  {"* 1 FETCH (BODY[1] {20}\r\n{9999999999}\r\n123456)\r\n", true},
		"too large":       {"* 1 FETCH (BODY[1] {9999999999}\r\n", false},
		"largest":         {fmt.Sprintf("* 1 FETCH (BODY[1] {%d}\r\n", maxLiteral), true},
		"brace in text":   {"* OK a {b} c\r\n", true},
		"digits in quote": {"* LIST () \"/\" \"a{12}b\"\r\n", true},
		"long lines":      {strings.Repeat("* OK "+strings.Repeat("x", 1000)+"\r\n", 2000), true},
		"one long line":   {"* OK " + strings.Repeat("x", maxLine), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 7, len(c.in)} {
				b := &boundedConn{}
				b.maxLine.Store(maxLine)
				var err error
				for in := c.in; in != "" && err == nil; in = in[min(step, len(in)):] {
					err = b.scan([]byte(in[:min(step, len(in))]))
				}
				if (err == nil) != c.ok {
					t.Errorf("in steps of %d: %v", step, err)
				}
			}
		})
	}
}
