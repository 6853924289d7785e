package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"

	"intouch/oauth/oauthtest"
)

// tokenMail is an IMAP server with one mailbox that takes good tokens of a
// provider by XOAUTH2, and nothing else.
type tokenMail struct {
	imapserver.Session
	provider *oauthtest.Server
}

func (s *tokenMail) AuthenticateMechanisms() []string { return []string{"XOAUTH2"} }

func (s *tokenMail) Authenticate(string) (sasl.Server, error) { return &xoauth2Server{mail: s}, nil }

// xoauth2Server refuses as Google does: a challenge, and after its empty
// answer the NO.
type xoauth2Server struct {
	mail    *tokenMail
	refused bool
}

func (x *xoauth2Server) Next(response []byte) (challenge []byte, done bool, err error) {
	if x.refused {
		return nil, false, &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthenticationFailed, Text: "Invalid credentials"}
	}
	if len(response) == 0 {
		return nil, false, nil
	}
	user, token, _ := strings.Cut(strings.TrimPrefix(string(response), "user="), "\x01auth=Bearer ")
	if owner, ok := x.mail.provider.Good(strings.TrimRight(token, "\x01")); ok && owner == user {
		return nil, true, x.mail.Login(user, "secret")
	}
	x.refused = true
	return []byte(`{"status":"401","schemes":"Bearer"}`), false, nil
}

// startTokenMail gives the server's address. anna has one letter.
func startTokenMail(t *testing.T, provider *oauthtest.Server) string {
	t.Helper()
	mem := imapmemserver.New()
	u := imapmemserver.NewUser("anna", "secret")
	for _, f := range []string{"INBOX", "Sent"} {
		if err := u.Create(f, nil); err != nil {
			t.Fatal(err)
		}
	}
	letter := "From: olga@romashka.test\r\nTo: anna@vector.test\r\nSubject: x\r\nMessage-ID: <1@x.test>\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\r\nhello\r\n"
	if _, err := u.Append("INBOX", literal{strings.NewReader(letter)}, &imap.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	mem.AddUser(u)
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &tokenMail{mem.NewSession(), provider}, nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}}, InsecureAuth: true, Logger: log.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-served })
	return ln.Addr().String()
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// shared is a buffer that is written and read at the same time.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// talk is the built binary with somebody in front of it.
type talk struct {
	*daemon
	said *shared
	in   io.WriteCloser
}

func startTalk(t *testing.T, args ...string) *talk {
	t.Helper()
	k := &talk{daemon: &daemon{cmd: exec.Command(os.Args[0], args...)}, said: &shared{}}
	k.cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1")
	k.cmd.Stdout, k.cmd.Stderr = k.said, k.said
	in, err := k.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.in = in
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if k.cmd.ProcessState == nil {
			k.cmd.Process.Kill()
			k.cmd.Wait()
		}
	})
	return k
}

// address waits until an address is said, and gives it.
func (k *talk) address(t *testing.T) (found string) {
	t.Helper()
	eventually(t, "an address to open", func() bool {
		if m := regexp.MustCompile(`(?m)^    (http\S+/auth\?\S+)\n`).FindStringSubmatch(k.said.String()); m != nil {
			found = m[1]
		}
		return found != ""
	})
	return found
}

func (k *talk) end(t *testing.T) output {
	t.Helper()
	done := make(chan struct{})
	go func() { k.cmd.Wait(); close(done) }()
	<-done
	return output{code: k.cmd.ProcessState.ExitCode(), stderr: k.said.String()}
}

// oauthHouse is a settings file with one mailbox at a provider for tests.
type oauthHouse struct {
	t        *testing.T
	provider *oauthtest.Server
	config   string
	all      strings.Builder // all that was ever said
}

func newOAuthHouse(t *testing.T, more string) *oauthHouse {
	provider := oauthtest.New(t, "anna")
	provider.Secret("hush-hush", false)
	h := &oauthHouse{t: t, provider: provider}
	h.config = settings(t, `
[company]
domains = ["vector.test"]
[[manager]]
login = "anna"
name = "Анна"
email = "anna@vector.test"
[[mailbox]]
name = "anna"
manager = "anna"
imap = "imap+insecure://`+startTokenMail(t, provider)+`"
username = "anna"
folders = ["INBOX"]
[mailbox.oauth2]
provider = "custom"
client_id = "intouch"
client_secret = "hush-hush"
device_url = "`+provider.URL+`/device"
auth_url = "`+provider.URL+`/auth"
token_url = "`+provider.URL+`/token"
`+more)
	t.Cleanup(func() {
		for _, secret := range append(provider.Secrets(), "hush-hush") {
			if strings.Contains(h.all.String(), secret) {
				t.Errorf("%s was said:\n%s", secret, h.all.String())
			}
		}
	})
	return h
}

// wants runs a command to its end and looks for its exit code and a text.
func (h *oauthHouse) wants(code int, says string, args ...string) {
	h.t.Helper()
	h.ends(startTalk(h.t, append([]string{"--config", h.config}, args...)...), code, says)
}

func (h *oauthHouse) ends(k *talk, code int, says string) {
	h.t.Helper()
	got := k.end(h.t)
	h.all.WriteString(got.stderr)
	if got.code != code || !strings.Contains(got.stderr, says) {
		h.t.Errorf("%v: exit %d, want %d and %q; it said:\n%s", k.cmd.Args[1:], got.code, code, says, got.stderr)
	}
}

const runLogin = `run "intouchd mailbox login anna"`

// TestMailboxLogin is the life of a login: none yet, by device code, an access
// token that is revoked, a rotated refresh token, the whole login revoked, a
// new one by browser, and one pasted.
func TestMailboxLogin(t *testing.T) {
	h := newOAuthHouse(t, "")
	h.wants(exitFailed, "mailbox anna: token: no login is stored: "+runLogin, "check", "--online")
	h.wants(exitFailed, "no login is stored: "+runLogin, "sync")

	h.provider.Pending("access_denied")
	h.wants(exitFailed, "the consent was refused", "mailbox", "login", "anna")
	h.provider.Pending("authorization_pending")
	h.wants(exitDone, "anna: the mail server takes it", "mailbox", "login", "anna")
	if said := h.all.String(); !strings.Contains(said, "WDJB-MJHT") || !strings.Contains(said, "/activate\n") {
		t.Errorf("the code was not shown:\n%s", said)
	}
	h.wants(exitDone, "mailbox anna: ok", "check", "--online")
	h.wants(exitDone, "complete", "sync")
	if n, _ := h.provider.Renewals(); n != 0 {
		t.Errorf("%d renewals of a fresh token", n)
	}
	for want := 1; want <= 2; want++ { // the second with the rotated one
		h.provider.RevokeAccess()
		h.wants(exitDone, "complete", "sync")
		if n, refused := h.provider.Renewals(); n != want || refused != 0 {
			t.Errorf("after %d revocations: %d renewals, %d refused", want, n, refused)
		}
	}
	// Two processes at once: one renews.
	h.provider.RevokeAccess()
	first, second := startTalk(t, "--config", h.config, "sync"), startTalk(t, "--config", h.config, "sync")
	h.ends(first, exitDone, "complete")
	h.ends(second, exitDone, "complete")
	if n, refused := h.provider.Renewals(); n != 3 || refused != 0 {
		t.Errorf("after two processes: %d renewals, %d refused", n, refused)
	}

	h.provider.Revoke()
	h.wants(exitFailed, "the provider says invalid_grant: Token (hidden) has been expired or revoked.; "+runLogin, "check", "--online")
	h.wants(exitFailed, runLogin, "sync")

	k := startTalk(t, "--config", h.config, "mailbox", "login", "anna", "--flow", "browser")
	resp, err := http.Get(k.address(t))
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(page), "You can close this window") {
		t.Errorf("the browser ends at %s", page)
	}
	h.ends(k, exitDone, "anna: the mail server takes it")
	h.wants(exitDone, "complete", "sync")

	h.provider.Revoke()
	k = startTalk(t, "--config", h.config, "mailbox", "login", "anna", "--paste")
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if resp, err = stay.Get(k.address(t)); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	io.WriteString(k.in, resp.Header.Get("Location")+"\n")
	h.ends(k, exitDone, "anna: the mail server takes it")
	h.wants(exitDone, "complete", "sync")
	h.wants(exitDone, "", "export", "letters")

	k = startTalk(t, "--config", h.config, "mailbox", "login", "anna", "--paste")
	k.in.Close()
	h.ends(k, exitFailed, "read the address")
	k = startTalk(t, "--config", h.config, "mailbox", "login", "anna", "--flow", "browser")
	k.address(t)
	k.cmd.Process.Signal(syscall.SIGINT)
	h.ends(k, exitFailed, "canceled")
}

func TestMailboxLogin_usage(t *testing.T) {
	h := newOAuthHouse(t, `
[[mailbox]]
name = "pass"
shared = true
imap = "imaps://imap.vector.test"
username = "x"
password = "y"
[[mailbox]]
name = "google"
shared = true
imap = "imaps://imap.gmail.com"
username = "x"
oauth2 = { provider = "google", client_id = "x" }
[[mailbox]]
name = "half"
manager = "nobody"
imap = "imaps://imap.vector.test"
username = "x"
oauth2 = { provider = "custom", client_id = "x", device_url = "https://x.test/d", token_url = "https://x.test/t" }
`)
	for _, c := range []struct{ args, says string }{
		{"", "give login"},
		{"logout", `"logout"`},
		{"login", "accepts 1 arg"},
		{"login nobody", `no mailbox "nobody"`},
		{"login pass", "has a password"},
		{"login anna --flow pigeon", `"pigeon"`},
		{"login anna --flow device --paste", "--paste"},
		{"login anna --port 70000", "70000"},
		{"login half --flow browser", "no auth_url"},
		{"login half", `no manager "nobody"`},
	} {
		got := command(t, "", append([]string{"--config", h.config, "mailbox"}, strings.Fields(c.args)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.says) {
			t.Errorf("mailbox %s: %+v, want exit 2 and %q", c.args, got, c.says)
		}
	}
	cfg, err := LoadConfig(h.config)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"device", "", "browser", "device"} {
		if m := &cfg.Mailboxes[i]; m.OAuth != nil {
			var how loginFlow
			if err := how.check(m); err != nil || how.flow != want {
				t.Errorf("%s: %q, want %q; %v", m.Name, how.flow, want, err)
			}
		}
	}
}

// TestJob_alerts: a mailbox that has been failing for an hour is told once.
func TestJob_alerts(t *testing.T) {
	h := newOAuthHouse(t, "")
	h.wants(exitFailed, runLogin, "sync")
	h.wants(exitDone, "empty", "job", "alerts")
	db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(h.config), "intouch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE mailboxes SET error_since = error_since - 3600`); err != nil {
		t.Fatal(err)
	}
	h.wants(exitDone, "queued  anna@vector.test", "job", "alerts")
	h.wants(exitDone, "empty", "job", "alerts")
	var mail []byte
	if err := db.QueryRow(`SELECT bytes FROM outbox`).Scan(&mail); err != nil || !bytes.Contains(mail, []byte("Subject: ")) {
		t.Errorf("%s, %v", mail, err)
	}
}

// TestServe_oauth: the daemon shows a mailbox without a login, takes a login
// up that comes while it runs, and renews what is revoked.
func TestServe_oauth(t *testing.T) {
	addr, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newOAuthHouse(t, "[server]\nlisten = \""+addr+"\"\n")
	d := startTalk(t, "--config", h.config, "serve")
	ready := func(want func(MailboxPart) bool) func() bool {
		return func() bool {
			var r Readiness
			code, body := fetch(t, "http://"+addr+"/readyz")
			return code == http.StatusOK && json.Unmarshal([]byte(body), &r) == nil && len(r.Mailboxes) == 1 && want(r.Mailboxes[0])
		}
	}
	eventually(t, "the missing login in /readyz", ready(func(m MailboxPart) bool {
		return !m.OK && strings.Contains(m.Error, runLogin) && m.ErrorSince != nil && m.LastSuccess == nil
	}))
	h.wants(exitDone, "anna: the mail server takes it", "mailbox", "login", "anna")
	eventually(t, "the mailbox in /readyz", ready(func(m MailboxPart) bool { return m.OK && m.LastSuccess != nil && m.Letters == 1 }))
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.ends(d, exitDone, "stopping")
	// Nothing of it lies beside the database either.
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(h.config), "*"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, secret := range h.provider.Secrets() {
			if !strings.Contains(filepath.Base(f), "intouch.db") && bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s has %s", f, secret)
			}
		}
	}
}
