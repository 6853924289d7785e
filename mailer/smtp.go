package mailer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
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
// after the other. It is not safe for concurrent use. Its commands wait for
// each other's answers, since go-smtp's client knows no PIPELINING (RFC 2920):
// on one connection Postfix takes 1,000 digests of 64 kB in 2.6 s, and who is
// far from the server has several connections at once.
type Session struct {
	client *smtp.Client
	conn   *bounded
	cfg    Config
	token  string
	used   bool // a mail was refused half-way: RSET first
	broken bool
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
		switch s.cfg.Security {
		case TLS:
			secured := tls.Client(s.conn, tlsConfig)
			if err := secured.HandshakeContext(ctx); err != nil {
				return fmt.Errorf("establish TLS: %w", err)
			}
			s.client = smtp.NewClient(secured)
		case StartTLS:
			// Says EHLO localhost before TLS, our name after it: go-smtp gives
			// no way to set the name before.
			client, err := smtp.NewClientStartTLS(s.conn, tlsConfig)
			if err != nil {
				return refusal(StageHello, err)
			}
			s.client = client
		case Insecure:
			if a, ok := s.conn.RemoteAddr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
				return errors.New("connect: a connection without TLS is only for loopback")
			}
			s.client = smtp.NewClient(s.conn)
		default:
			return fmt.Errorf("connect: %q is none of tls, starttls, insecure", s.cfg.Security)
		}
		s.client.CommandTimeout = s.cfg.Timeout
		s.client.SubmissionTimeout = s.cfg.DataTimeout
		if err := s.client.Hello(s.localName()); err != nil {
			return refusal(StageHello, err)
		}
		return s.login()
	})
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
		if ok, _ := s.client.Extension("SMTPUTF8"); beyond && !ok {
			return &Refused{Code: 550, Enhanced: "5.6.7", Permanent: true, Stage: StageRcpt,
				Text: OneLine(fmt.Sprintf("from %s to %s: the mail server takes no addresses beyond ASCII (it lacks SMTPUTF8)", from, to), 300)}
		}
		s.used = true
		if err := s.client.Mail(from, &smtp.MailOptions{Size: int64(len(msg)), UTF8: beyond}); err != nil {
			return refusal(StageMail, err)
		}
		if err := s.client.Rcpt(to, nil); err != nil {
			return refusal(StageRcpt, err)
		}
		w, err := s.client.Data()
		if err != nil {
			return refusal(StageData, err)
		}
		if _, err := w.Write(msg); err != nil {
			return refusal(StageData, err)
		}
		if err := w.Close(); err != nil {
			return refusal(StageData, err)
		}
		s.used = false
		return nil
	})
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Broken reports whether the connection is over, also after a *Refused
// (421 announces that the server closes it, RFC 5321 section 3.8).
func (s *Session) Broken() bool { return s.broken }

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
