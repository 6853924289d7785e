package mailsync

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// memServer is an IMAP server in process.
type memServer struct {
	Addr string
	mem  *imapmemserver.Server
	mu   sync.Mutex
	user map[string]*imapmemserver.User
}

// newMemServer starts a server on loopback; without IDLE when caps lack it.
func newMemServer(t testing.TB, tlsConfig *tls.Config, caps ...imap.Cap) *memServer {
	t.Helper()
	if len(caps) == 0 {
		caps = []imap.Cap{imap.CapIMAP4rev1, imap.CapIdle, imap.CapUIDPlus, imap.CapESearch}
	}
	set := imap.CapSet{}
	for _, c := range caps {
		set[c] = struct{}{}
	}
	m := &memServer{mem: imapmemserver.New(), user: map[string]*imapmemserver.User{}}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return m.mem.NewSession(), nil, nil
		},
		Caps: set, InsecureAuth: true, TLSConfig: tlsConfig,
		Logger: log.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Addr = ln.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return m
}

// addUser makes a user with password "secret" and folders.
func (m *memServer) addUser(t testing.TB, name string, folders ...string) *imapmemserver.User {
	t.Helper()
	u := imapmemserver.NewUser(name, "secret")
	for _, f := range folders {
		if err := u.Create(f, nil); err != nil {
			t.Fatal(err)
		}
	}
	m.mem.AddUser(u)
	m.mu.Lock()
	m.user[name] = u
	m.mu.Unlock()
	return u
}

type literal struct {
	*strings.Reader
	size int64
}

func (l literal) Size() int64 { return l.size }

// deliver puts a letter into a folder.
func deliver(t testing.TB, u *imapmemserver.User, folder, raw string, at time.Time) uint32 {
	t.Helper()
	data, err := u.Append(folder, literal{strings.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return uint32(data.UID)
}

var letterDay = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// plainLetter is a small letter with a Message-ID of its number.
func plainLetter(n int, from, to, subject, body string, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%d@letters.test>\r\n", from, to, subject, n)
	fmt.Fprintf(&b, "Date: %s\r\n", letterDay.Add(time.Duration(n)*time.Minute).Format(time.RFC1123Z))
	for _, e := range extra {
		b.WriteString(e + "\r\n")
	}
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", body)
	return b.String()
}

// boxConfig is the settings of a mailbox of that user.
func boxConfig(addr, user string) Config {
	return Config{Name: user, Addr: addr, TLS: Insecure, Username: user,
		Password: func() (string, error) { return "secret", nil }}
}

// quickPatience is for tests whose servers misbehave.
var quickPatience = patience{dial: 5 * time.Second, silence: time.Second, answer: 5 * time.Second}

// login opens a session that the test closes.
func login(t testing.TB, cfg Config, wait patience) *session {
	t.Helper()
	s, err := open(t.Context(), &cfg, wait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// proxy stands between client and server and lets a test bend what passes. It
// counts connections.
type proxy struct {
	Addr string
	mu   sync.Mutex
	n    int // connections so far
	now  int // open ones
	most int // at once
}

// newProxy passes everything through except what bend changes: it is given
// each line from the server with the connection's number and returns what the
// client gets; end ends the connection after that.
func newProxy(t testing.TB, server string, bend func(conn int, line string) (out string, end bool)) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Addr: ln.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	track := func(c net.Conn) {
		mu.Lock()
		open[c] = true
		mu.Unlock()
	}
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			track(client)
			track(up)
			p.mu.Lock()
			p.n++
			n := p.n
			p.now++
			p.most = max(p.most, p.now)
			p.mu.Unlock()
			wg.Go(func() {
				io.Copy(up, client)
				up.Close()
				p.mu.Lock()
				p.now--
				p.mu.Unlock()
			})
			wg.Go(func() {
				defer client.Close()
				defer up.Close()
				r := bufio.NewReader(up)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					out, end := bend(n, line)
					io.WriteString(client, out)
					if end {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return p
}

// withoutIdle hides that a server has IDLE.
func withoutIdle(t testing.TB, server string) string {
	return newProxy(t, server, func(_ int, line string) (string, bool) {
		return strings.Replace(line, " IDLE", "", 1), false
	}).Addr
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *proxy) mostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// quiet is a log that goes to the test's output.
func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
