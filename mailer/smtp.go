package mailer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"intouch/oauth"
)

// Security of the connection.
type Security string

const (
	TLS      Security = "tls"      // from the first byte (RFC 8314 section 3.3)
	StartTLS Security = "starttls" // required: without it nothing is sent
	Insecure Security = "insecure" // none; only to loopback
)

// Config says how to reach the mail server.
type Config struct {
	Addr     string // host:port
	Security Security
	Username string                 // "" sends without login
	Password func() (string, error) // asked at each login, so that a new one is taken without a restart
	// Token, where it is set, gives an access token to log in with instead of
	// a password (OAUTHBEARER, RFC 7628, or XOAUTH2). refused is one that the
	// server did not take; then a new one is wanted.
	Token     func(ctx context.Context, refused string) (string, error)
	LocalName string      // for EHLO; the machine's name when empty
	TLS       *tls.Config // nil: the system's roots; ServerName is the host of Addr when empty

	// Lockstep has each command wait for the answer to the one before, also
	// where the server says that it need not (see Session.Doubtful).
	Lockstep bool

	// Timeout is how long one command may take, 1 minute when 0; DataTimeout
	// how long the server may think after the final dot, 10 minutes when 0: it
	// may already have taken the mail, and giving up early makes it send
	// doubles (RFC 5321 section 4.5.3.2.6).
	Timeout     time.Duration
	DataTimeout time.Duration
}

// longestReply bounds what the server may say during one step, TLS records
// included.
const longestReply = 256 << 10

// Session is one connection to the server, logged in, for several mails one
// after the other. It is not safe for concurrent use.
type Session struct {
	client   *smtp.Client // greets and logs in
	transfer *transfer    // hands over
	conn     *bounded
	cfg      Config
	token    string
	used     bool // a mail was refused half-way: RSET first
	broken   bool
}

// Dial connects, secures the connection and logs in. A *Refused tells at
// which stage the server said no.
func (c Config) Dial(ctx context.Context) (*Session, error) {
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.DataTimeout = cmp.Or(c.DataTimeout, 10*time.Minute)
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if c.Token == nil || c.Username == "" {
		return c.dial(ctx, host, "")
	}
	token, err := c.token(ctx, "")
	if err != nil {
		return nil, err
	}
	s, err := c.dial(ctx, host, token)
	var refused *Refused
	if errors.As(err, &refused) && refused.Stage == StageAuth && refused.Permanent {
		// It may have been taken back before its time.
		if token, err = c.token(ctx, token); err == nil {
			s, err = c.dial(ctx, host, token)
		}
	}
	return s, err
}

func (c Config) token(ctx context.Context, refused string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	token, err := c.Token(ctx, refused)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

func (c Config) dial(ctx context.Context, host, token string) (*Session, error) {
	raw, err := (&net.Dialer{Timeout: min(c.Timeout, 30*time.Second)}).DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &Session{conn: &bounded{Conn: raw}, cfg: c, token: token}
	if err := s.open(ctx, host); err != nil {
		raw.Close()
		return nil, err
	}
	return s, nil
}

// CheckLogin connects and logs in, and sends nothing: for `check --online`.
func (c Config) CheckLogin(ctx context.Context) error {
	s, err := c.Dial(ctx)
	if err != nil {
		return err
	}
	s.Close(ctx)
	return nil
}

func (s *Session) open(ctx context.Context, host string) error {
	return s.within(ctx, 4*s.cfg.Timeout, func(ctx context.Context) error {
		tlsConfig := s.cfg.TLS.Clone()
		if tlsConfig == nil {
			tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		tlsConfig.ServerName = cmp.Or(tlsConfig.ServerName, host)
		carrier, err := s.secure(ctx, tlsConfig)
		if err != nil {
			return err
		}
		if err := s.greet(carrier); err != nil {
			return err
		}
		s.transfer = &transfer{conn: carrier, text: textproto.NewConn(carrier), cfg: &s.cfg}
		return s.login()
	})
}

// secure gives the connection that mails go over.
func (s *Session) secure(ctx context.Context, tlsConfig *tls.Config) (net.Conn, error) {
	switch s.cfg.Security {
	case TLS:
		secured := tls.Client(s.conn, tlsConfig)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("establish TLS: %w", err)
		}
		return secured, nil
	case StartTLS:
		return s.startTLS(ctx, tlsConfig)
	case Insecure:
		if a, ok := s.conn.RemoteAddr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			return nil, errors.New("connect: a connection without TLS is only for loopback")
		}
		return s.conn, nil
	}
	return nil, fmt.Errorf("connect: %q is none of tls, starttls, insecure", s.cfg.Security)
}

// greet reads the greeting and says who we are.
func (s *Session) greet(conn net.Conn) error {
	s.client = smtp.NewClient(conn)
	s.client.CommandTimeout = s.cfg.Timeout
	s.client.SubmissionTimeout = s.cfg.DataTimeout
	if err := s.client.Hello(s.localName()); err != nil {
		return refusal(StageHello, err)
	}
	return nil
}

// startTLS turns to TLS (RFC 3207). What the server said before is forgotten
// (section 4.2): also what it may have sent ahead.
func (s *Session) startTLS(ctx context.Context, tlsConfig *tls.Config) (net.Conn, error) {
	if err := s.greet(s.conn); err != nil {
		return nil, err
	}
	if ok, _ := s.client.Extension("STARTTLS"); !ok {
		return nil, fmt.Errorf("%s: the server doesn't support STARTTLS", StageHello)
	}
	plain := &transfer{conn: s.conn, text: textproto.NewConn(s.conn), cfg: &s.cfg}
	if err := plain.write([]command{{line: "STARTTLS"}}); err != nil {
		return nil, fmt.Errorf("%s: %w", StageHello, err)
	}
	if err := plain.answer(StageHello, 220, s.cfg.Timeout); err != nil {
		return nil, err
	}
	secured := tls.Client(s.conn, tlsConfig)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("establish TLS: %w", err)
	}
	return &greeted{Conn: secured, greeting: strings.NewReader("220 secured\r\n")}, nil
}

// greeted begins with a greeting, for which go-smtp's client waits: after
// STARTTLS servers give none.
type greeted struct {
	net.Conn
	greeting *strings.Reader
}

func (g *greeted) Read(b []byte) (int, error) {
	if g.greeting.Len() > 0 {
		return g.greeting.Read(b)
	}
	return g.Conn.Read(b)
}

// localName is a host name for EHLO, or the address in brackets where the
// machine has no name that could be one (RFC 5321 section 4.1.4).
func (s *Session) localName() string {
	if s.cfg.LocalName != "" {
		return s.cfg.LocalName
	}
	if name, err := os.Hostname(); err == nil && CheckAddress("x@"+name) == nil {
		return name
	}
	if a, ok := s.conn.LocalAddr().(*net.TCPAddr); ok && a.IP.To4() != nil {
		return "[" + a.IP.String() + "]"
	}
	return "localhost"
}

func (s *Session) login() error {
	if s.cfg.Username == "" {
		return nil
	}
	if s.cfg.Token != nil {
		return s.bearer()
	}
	password := ""
	if s.cfg.Password != nil {
		var err error
		if password, err = s.cfg.Password(); err != nil {
			return fmt.Errorf("password: %w", err)
		}
	}
	var mechanism sasl.Client
	switch {
	case s.client.SupportsAuth(sasl.Plain):
		mechanism = sasl.NewPlainClient("", s.cfg.Username, password)
	case s.client.SupportsAuth(sasl.Login):
		mechanism = &loginMechanism{answers: []string{s.cfg.Username, password}}
	default:
		return errors.New("AUTH: the server offers neither PLAIN nor LOGIN")
	}
	if err := s.client.Auth(mechanism); err != nil {
		return refusal(StageAuth, err)
	}
	return nil
}

// bearer logs in with the session's access token.
func (s *Session) bearer() error {
	m, err := oauth.NewBearer(s.cfg.Username, s.token, s.cfg.Addr, s.client.SupportsAuth)
	if err != nil {
		return fmt.Errorf("AUTH: %w", err)
	}
	if err = s.client.Auth(m); err == nil {
		return nil
	}
	if reply := (*smtp.SMTPError)(nil); errors.As(err, &reply) {
		reply.Message = m.Hide(reply.Message)
	}
	err = refusal(StageAuth, err)
	var refused *Refused
	if errors.As(err, &refused) {
		refused.Text = m.Explain(refused.Text)
	}
	return err
}

// loginMechanism is AUTH LOGIN: name and password, each when asked. go-sasl's
// own insists on the words of the question, which servers translate.
type loginMechanism struct{ answers []string }

func (l *loginMechanism) Start() (string, []byte, error) { return sasl.Login, nil, nil }

func (l *loginMechanism) Next([]byte) ([]byte, error) {
	if len(l.answers) == 0 {
		return nil, errors.New("the server asked a third question")
	}
	answer := l.answers[0]
	l.answers = l.answers[1:]
	return []byte(answer), nil
}

// Send hands one mail to the server: nil means that it has answered for it.
// A *Refused leaves the session usable for the next mail unless Broken; after
// any other error it is over, and what became of the mail is unknown.
func (s *Session) Send(ctx context.Context, from, to string, msg []byte) error {
	if err := errors.Join(CheckAddress(from), CheckAddress(to)); err != nil {
		return &Refused{Code: 553, Enhanced: "5.1.3", Text: err.Error(), Permanent: true, Stage: StageRcpt}
	}
	if s.broken {
		return errors.New("the connection is closed")
	}
	return s.within(ctx, 5*s.cfg.Timeout+s.cfg.DataTimeout, func(context.Context) error {
		if s.used { // after a mail that was taken, the server is ready anyway
			if err := s.client.Reset(); err != nil {
				s.broken = true
				return refusal(StageReset, err)
			}
		}
		if limit, ok := s.client.MaxMessageSize(); ok && limit > 0 && len(msg) > limit {
			return &Refused{Code: 552, Enhanced: "5.3.4", Permanent: true, Stage: StageMail,
				Text: fmt.Sprintf("the mail has %d bytes, the server takes %d", len(msg), limit)}
		}
		beyond := !ascii(from) || !ascii(to)
		if beyond && !s.extends("SMTPUTF8") {
			return &Refused{Code: 550, Enhanced: "5.6.7", Permanent: true, Stage: StageRcpt,
				Text: OneLine(fmt.Sprintf("from %s to %s: the mail server takes no addresses beyond ASCII (it lacks SMTPUTF8)", from, to), 300)}
		}
		s.used = true
		err := s.transfer.send(s.commands(from, to, len(msg), beyond), msg, s.extends("PIPELINING") && !s.cfg.Lockstep)
		s.broken = s.broken || s.transfer.over
		if err != nil {
			return err
		}
		s.used = false
		return nil
	})
}

// commands of one mail, of so many bytes.
func (s *Session) commands(from, to string, size int, beyond bool) []command {
	mail := "MAIL FROM:<" + from + ">"
	if s.extends("8BITMIME") {
		mail += " BODY=8BITMIME"
	}
	if s.extends("SIZE") {
		mail += " SIZE=" + strconv.Itoa(size)
	}
	if beyond {
		mail += " SMTPUTF8"
	}
	return []command{{StageMail, mail, 250}, {StageRcpt, "RCPT TO:<" + to + ">", 25}, {StageData, "DATA", 354}}
}

// extends reports whether the server has an extension.
func (s *Session) extends(name string) bool {
	ok, _ := s.client.Extension(name)
	return ok
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Broken reports whether the connection is over, also after a *Refused
// (421 announces that the server closes it, RFC 5321 section 3.8).
func (s *Session) Broken() bool { return s.broken }

// Doubtful reports whether the server lost its way, or was lost, over commands
// that went out together: it may announce PIPELINING and not know it. A next
// session with Lockstep does without.
func (s *Session) Doubtful() bool { return s.transfer.doubtful }

// Close says goodbye, for at most five seconds, and closes the connection.
func (s *Session) Close(ctx context.Context) {
	if !s.broken {
		s.within(ctx, 5*time.Second, func(context.Context) error { return s.client.Quit() })
	}
	s.conn.Close()
}

// within runs one step under a time limit of its own. go-smtp knows deadlines
// per command but no context, and none while the text is written: here the
// connection is closed when the context ends or the whole step takes too
// long, wherever it hangs.
func (s *Session) within(ctx context.Context, limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the server took longer than %v", limit))
	defer cancel()
	s.conn.left.Store(longestReply)
	stop := context.AfterFunc(ctx, func() { s.conn.Conn.Close() })
	err := step(ctx)
	if !stop() {
		s.broken = true
		if err != nil {
			// The closed connection is our doing: tell why.
			return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		return nil
	}
	var refused *Refused
	if err != nil && (!errors.As(err, &refused) || refused.Code == 421) {
		s.broken = true
	}
	return err
}

// bounded is a connection from which one step reads only so much: a reply of
// endless lines would else be kept whole in memory.
type bounded struct {
	net.Conn
	left atomic.Int64
}

func (b *bounded) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, errors.New("the server says too much")
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.Conn.Read(p)
	b.left.Add(-int64(n))
	return n, err
}
