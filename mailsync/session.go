package mailsync

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
)

// Patience says how long a session waits for a server.
type patience struct {
	dial    time.Duration // connecting, TLS
	silence time.Duration // a pause while an answer is due
	answer  time.Duration // one whole answer
}

// session is one IMAP connection, logged in. Every wait of it is bounded, and
// the end of the context that opened it ends it. It is used by one goroutine.
type session struct {
	client *imapclient.Client
	tcp    *watchedConn
	bounds *boundedConn
	words  *otherWords
	status *statusWatch
	caps   imap.CapSet
	news   chan struct{} // the selected folder got letters
	stop   func() bool   // forgets the context
	turn   *turn         // while it is busy; nil where nobody counts
	header *imap.FetchItemBodySection
}

// A stepError says at which step of a login or a command the server failed.
type stepError struct {
	Step string
	Err  error
}

func (e *stepError) Error() string { return e.Step + ": " + e.Err.Error() }
func (e *stepError) Unwrap() error { return e.Err }

// open connects, secures and logs in. An access token that the server refuses
// is replaced once: it may have been revoked before its time. That happens on
// a new connection, since servers differ in what they allow after a failure.
func open(ctx context.Context, cfg *Config, wait patience) (*session, error) {
	if cfg.Token == nil {
		return connect(ctx, cfg, "", wait)
	}
	token, err := cfg.Token(ctx, "")
	if err != nil {
		return nil, &stepError{"token", err}
	}
	s, err := connect(ctx, cfg, token, wait)
	if !refusedToken(err) {
		return s, err
	}
	if token, err = cfg.Token(ctx, token); err != nil {
		return nil, &stepError{"token", err}
	}
	return connect(ctx, cfg, token, wait)
}

// connect opens a connection and logs in, with the token if the mailbox is one
// of those.
func connect(ctx context.Context, cfg *Config, token string, wait patience) (s *session, err error) {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, &stepError{"address", err}
	}
	dialCtx, cancel := context.WithTimeout(ctx, wait.dial)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(dialCtx, host)
	if err != nil {
		return nil, &stepError{"find host " + host, err}
	}
	// Keep-alives find a dead network below an idle connection in 50 s.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 20 * time.Second, Interval: 10 * time.Second, Count: 3}}
	var tcp net.Conn
	for _, a := range addrs {
		if tcp, err = dialer.DialContext(dialCtx, "tcp", net.JoinHostPort(a, port)); err == nil {
			break
		}
	}
	if err != nil {
		return nil, &stepError{"connect", err}
	}
	watched := &watchedConn{Conn: tcp, silence: wait.silence, answer: wait.answer}
	stop := context.AfterFunc(ctx, func() { watched.Close() })
	defer func() {
		if err != nil {
			stop()
			watched.Close()
			if cause := watched.fault(); cause != nil && !errors.Is(err, cause) {
				err = fmt.Errorf("%w (%w)", err, cause)
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		}
	}()

	came := watched.expect()
	secured, err := secure(dialCtx, watched, host, cfg)
	came()
	if err != nil {
		return nil, err
	}
	s = &session{tcp: watched, status: &statusWatch{}, news: make(chan struct{}, 1), stop: stop, header: headerSection}
	s.bounds = &boundedConn{Conn: secured, status: s.status}
	if cfg.Dropbox != "" || cfg.Replies {
		s.header = dropboxSection
	}
	s.bounds.maxLine.Store(maxLine)
	s.words = &otherWords{Conn: s.bounds}
	s.client = imapclient.New(s.words, &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{
			Mailbox: func(d *imapclient.UnilateralDataMailbox) {
				if d.NumMessages != nil {
					s.ring()
				}
			},
		},
	})
	if err := s.login(cfg, token); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// secure makes the connection what cfg.TLS demands. STARTTLS is spoken here,
// not by the library, so that the bounds can sit above TLS; whatever the
// server sent before the handshake is thrown away (RFC 9051 section 6.2.1).
func secure(ctx context.Context, conn net.Conn, host string, cfg *Config) (net.Conn, error) {
	if cfg.TLS == Insecure {
		return conn, nil
	}
	if cfg.TLS == StartTLS {
		if err := startTLS(conn); err != nil {
			return nil, err
		}
	}
	tlsConfig := &tls.Config{}
	if cfg.TLSConfig != nil {
		tlsConfig = cfg.TLSConfig.Clone()
	}
	if tlsConfig.ServerName == "" {
		tlsConfig.ServerName = host
	}
	if tlsConfig.MinVersion == 0 {
		tlsConfig.MinVersion = tls.VersionTLS12
	}
	secured := tls.Client(conn, tlsConfig)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, &stepError{"TLS handshake with " + host, err}
	}
	if cfg.TLS == StartTLS {
		// The library waits for a greeting, which came in the clear.
		return &greetedConn{Conn: secured, greeting: strings.NewReader("* OK secured\r\n")}, nil
	}
	return secured, nil
}

// startTLS reads the greeting and asks for TLS.
func startTLS(conn net.Conn) error {
	r := bufio.NewReaderSize(io.LimitReader(conn, 16<<10), 4<<10)
	line, err := r.ReadString('\n')
	if err != nil {
		return &stepError{"greeting", err}
	}
	if !strings.HasPrefix(strings.ToUpper(line), "* OK") {
		return &stepError{"greeting", fmt.Errorf("the server said %q", said(line))}
	}
	if _, err := io.WriteString(conn, "S1 STARTTLS\r\n"); err != nil {
		return &stepError{"STARTTLS", err}
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return &stepError{"STARTTLS", err}
		}
		if rest, tagged := strings.CutPrefix(line, "S1 "); tagged {
			if !strings.HasPrefix(strings.ToUpper(rest), "OK") {
				return &stepError{"STARTTLS", fmt.Errorf("the server said %q", said(rest))}
			}
			if r.Buffered() > 0 {
				return &stepError{"STARTTLS", errors.New("the server sent more before the handshake")}
			}
			return nil
		}
	}
}

// said shortens what a server said, for an error.
func said(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// greetedConn gives the library a greeting.
type greetedConn struct {
	net.Conn
	greeting *strings.Reader
}

func (c *greetedConn) Read(b []byte) (int, error) {
	if c.greeting.Len() > 0 {
		return c.greeting.Read(b)
	}
	return c.Conn.Read(b)
}

func (s *session) login(cfg *Config, token string) error {
	if err := s.do("greeting", s.greeting); err != nil {
		return err
	}
	if s.client.State() == imap.ConnStateNotAuthenticated {
		err := error(nil)
		if cfg.Token != nil {
			err = s.bearer(cfg, token)
		} else {
			err = s.password(cfg)
		}
		if err != nil {
			return err
		}
	}
	return s.do("capability", func() error {
		s.caps = s.client.Caps()
		if s.caps == nil {
			return errors.New("the server did not say what it can")
		}
		return nil
	})
}

// greeting waits for the greeting, and prefers what a refusing server said to
// the bare fact that it then closed: with both at hand WaitGreeting takes
// either by chance (select), so it is asked until chance had its due.
func (s *session) greeting() (err error) {
	for range 32 {
		var refused *imap.Error
		if err = s.client.WaitGreeting(); err == nil || errors.As(err, &refused) {
			return err
		}
	}
	return err
}

// password logs in with name and password.
func (s *session) password(cfg *Config) error {
	password, err := cfg.Password()
	if err != nil {
		return &stepError{"read the password", err}
	}
	return s.do("login", func() error {
		caps := s.client.Caps()
		if caps.Has(imap.AuthCap(sasl.Plain)) && caps.Has(imap.CapSASLIR) {
			return s.client.Authenticate(sasl.NewPlainClient("", cfg.Username, password))
		}
		if caps.Has(imap.CapLoginDisabled) {
			return errors.New("the server offers no login with a password on this connection")
		}
		return s.client.Login(cfg.Username, password).Wait()
	})
}

// do runs one command while its answer is due, and names it in its error.
func (s *session) do(step string, command func() error) error {
	came := s.tcp.expect()
	err := command()
	came()
	if err == nil {
		return nil
	}
	return &stepError{step, s.reason(err)}
}

// reason prefers what happened to the connection to what the library made of
// it.
func (s *session) reason(err error) error {
	if fault := s.bounds.fault(); fault != nil {
		return fault
	}
	if fault := s.tcp.fault(); fault != nil {
		if errors.Is(fault, io.EOF) {
			return errClosed
		}
		return fault
	}
	return err
}

// errClosed: the server closed the connection.
var errClosed = errors.New("the server closed the connection")

// networkFault reports whether the connection ended by the network or the
// server, not because of what a response said.
func (s *session) networkFault() bool { return s.tcp.fault() != nil }

// ring notes that the folder has news; it never blocks.
func (s *session) ring() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *session) forgetNews() {
	select {
	case <-s.news:
	default:
	}
}

// wellKnown are the names under which servers without SPECIAL-USE (RFC 6154)
// keep a folder, most usual first.
var wellKnown = map[imap.MailboxAttr][]string{
	imap.MailboxAttrSent: {"Sent", "Sent Items", "Sent Messages", "Sent Mail", "[Gmail]/Sent Mail",
		"Отправленные", "[Gmail]/Отправленные", "INBOX.Sent", "INBOX/Sent", "INBOX.Sent Items", "INBOX.Sent Messages"},
	imap.MailboxAttrArchive: {"Archive", "Archives", "Архив", "INBOX.Archive"},
	imap.MailboxAttrAll:     {"[Gmail]/All Mail", "[Gmail]/Вся почта"},
}

// resolve finds the folders' names on the server for names and special uses,
// in the order wanted; "" where there is none.
func (s *session) resolve(wanted []string) ([]string, error) {
	var list []*imap.ListData
	err := s.do("list the folders", func() (err error) {
		var opt *imap.ListOptions
		if s.caps.Has(imap.CapSpecialUse) && (s.caps.Has(imap.CapListExtended) || s.caps.Has(imap.CapIMAP4rev2)) {
			opt = &imap.ListOptions{ReturnSpecialUse: true}
		}
		list, err = s.list(opt)
		return err
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(wanted))
	for i, want := range wanted {
		names[i] = resolveFolder(list, want)
	}
	return names, nil
}

// maxFolders bounds what is read of a LIST.
const maxFolders = 100_000

func (s *session) list(opt *imap.ListOptions) (list []*imap.ListData, err error) {
	cmd := s.client.List("", "*", opt)
	for d := cmd.Next(); d != nil; d = cmd.Next() {
		if len(list) < maxFolders {
			list = append(list, d)
		}
	}
	return list, cmd.Close()
}

func resolveFolder(list []*imap.ListData, want string) string {
	usable := func(d *imap.ListData) bool {
		return !slices.ContainsFunc(d.Attrs, func(a imap.MailboxAttr) bool {
			return strings.EqualFold(string(a), string(imap.MailboxAttrNoSelect)) || strings.EqualFold(string(a), string(imap.MailboxAttrNonExistent))
		})
	}
	byName := func(name string) string {
		for _, d := range list {
			if d.Mailbox == name && usable(d) {
				return d.Mailbox
			}
		}
		for _, d := range list {
			if strings.EqualFold(d.Mailbox, name) && usable(d) {
				return d.Mailbox
			}
		}
		return ""
	}
	if !strings.HasPrefix(want, `\`) {
		return byName(want)
	}
	for _, d := range list {
		if usable(d) && slices.ContainsFunc(d.Attrs, func(a imap.MailboxAttr) bool { return strings.EqualFold(string(a), want) }) {
			return d.Mailbox
		}
	}
	for use, names := range wellKnown {
		if !strings.EqualFold(string(use), want) {
			continue
		}
		for _, name := range names {
			if found := byName(name); found != "" {
				return found
			}
		}
	}
	return ""
}

// examine opens a folder read-only.
func (s *session) examine(name string) (data *imap.SelectData, err error) {
	s.forgetNews() // of the folder before
	err = s.do("examine folder "+name, func() (err error) {
		data, err = s.client.Select(name, &imap.SelectOptions{ReadOnly: true, CondStore: s.caps.Has(imap.CapCondStore)}).Wait()
		return err
	})
	return data, err
}

// wait returns when the folder has news, or after the time given: by IDLE
// (RFC 2177) where the server has it, which then has also shown that it is
// alive, else after asking by NOOP.
func (s *session) wait(ctx context.Context, renew, poll time.Duration) error {
	if !s.canIdle() {
		if err := s.sleep(ctx, poll); err != nil {
			return err
		}
		return s.do("noop", s.client.Noop().Wait)
	}
	var idle *imapclient.IdleCommand
	err := s.do("idle", func() (err error) {
		idle, err = s.client.Idle()
		return err
	})
	if err != nil {
		return err
	}
	timer := time.NewTimer(renew)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.client.Closed():
	case <-timer.C:
	case <-s.news:
		s.ring() // they are still to be read
	}
	err = s.do("end idle", func() error {
		if err := idle.Close(); err != nil {
			return err
		}
		return idle.Wait()
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// sleep waits without asking the server, or until there are news.
func (s *session) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.client.Closed():
		return &stepError{"wait", s.reason(errClosed)}
	case <-s.news:
		s.ring() // they are still to be read
	case <-timer.C:
	}
	return nil
}

func (s *session) canIdle() bool {
	return s.caps.Has(imap.CapIdle) || s.caps.Has(imap.CapIMAP4rev2)
}

// Close ends the connection at once. What the server thinks of it does not
// matter: nothing of ours depends on an orderly LOGOUT.
func (s *session) Close() {
	s.stop()
	s.tcp.Close()
	s.client.Close()
	if s.turn != nil {
		s.turn.end()
	}
}
