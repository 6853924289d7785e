package mailer

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"intouch/store/porttest"
)

// Exim from Debian takes our mails over TLS after a login, defers, refuses,
// and hands them on by LMTP to a sink in process, where the bytes are looked
// at. It is a throw-away instance: settings, queue, log and ports of its own.
// (OpenSMTPD has fixed places for its queue, and in a mount namespace of its
// own Debian 12's failed each TLS handshake with "EVP lib", openssl s_client's
// too.)
func TestExim(t *testing.T) {
	program, err := exec.LookPath("exim4")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/exim4"); err != nil {
			missing(t, "Exim is not installed (apt-get install exim4-daemon-light)")
		}
	}
	owner, err := user.Lookup("Debian-exim")
	if err != nil || os.Getuid() != 0 {
		missing(t, "Exim needs root, to become its own user")
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	dir, err := os.MkdirTemp("", "intouch-exim-") // Exim's user cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/spool", 0o750), os.Chown(dir+"/spool", uid, gid)); err != nil {
		t.Fatal(err)
	}
	cert, client := certificate()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chown(path, 0, gid), os.Chmod(path, 0o640)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lmtp := startLMTP(t)
	starttls, implicit := porttest.Addr(t), porttest.Addr(t)
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	config := write("exim.conf", []byte(strings.NewReplacer(
		"DIR", dir, "STARTTLS", port(starttls), "IMPLICIT", port(implicit), "LMTP", port(lmtp.addr),
		"CERT", write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})),
		"KEY", write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	).Replace(eximConfig)))

	var log bytes.Buffer
	daemon := exec.Command(program, "-C", config, "-bdf", "-q1m", "-oP", dir+"/spool/pid")
	daemon.Stdout, daemon.Stderr = &log, &log
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-daemon.Process.Pid, syscall.SIGTERM)
		daemon.Wait()
		if t.Failed() {
			main, _ := os.ReadFile(dir + "/spool/mainlog")
			panics, _ := os.ReadFile(dir + "/spool/paniclog")
			t.Logf("Exim says:\n%s\n%s\n%s", log.String(), main, panics)
		}
	})
	for _, addr := range []string{starttls, implicit} {
		waitFor(t, addr)
	}
	server := func(addr string, s Security) Config {
		return Config{Addr: addr, Security: s, Username: "intouch", TLS: client, Password: func() (string, error) { return "right", nil }}
	}
	for _, cfg := range []Config{server(starttls, StartTLS), server(implicit, TLS)} {
		if err := cfg.CheckLogin(t.Context()); err != nil {
			t.Fatalf("%s: %v", cfg.Security, err)
		}
	}
	stranger := server(starttls, StartTLS)
	stranger.TLS = nil
	if err := stranger.CheckLogin(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	wrong := server(implicit, TLS)
	wrong.Password = func() (string, error) { return "wrong", nil }
	var r *Refused
	if err := wrong.CheckLogin(t.Context()); !errors.As(err, &r) || r.Stage != StageAuth || !r.Permanent {
		t.Errorf("wrong password: %v", err)
	}

	msg, err := Compose(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{server(starttls, StartTLS), server(implicit, TLS)} {
		s, err := cfg.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for to, want := range map[string]string{
			"anna." + string(cfg.Security) + "@vector.test": "", "later@vector.test": "RCPT refused: 451 4.7.1", "gone@elsewhere.test": "RCPT refused: 550",
		} {
			err := s.Send(t.Context(), "intouch@vector.test", to, msg)
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("%s, to %s: %v, want %q", cfg.Security, to, err, want)
			}
		}
		s.Close(t.Context())
	}

	want, _ := mail.ReadMessage(bytes.NewReader(msg))
	wantBody, _ := io.ReadAll(want.Body)
	for range 2 {
		got := lmtp.next(t)
		m, err := mail.ReadMessage(strings.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(m.Body)
		if !bytes.Equal(bytes.TrimRight(body, "\r\n"), bytes.TrimRight(wantBody, "\r\n")) {
			t.Errorf("the body came as\n%s", body)
		}
		for _, name := range []string{"Subject", "From", "To", "Message-Id", "Date", "Auto-Submitted", "Content-Type"} {
			if m.Header.Get(name) != want.Header.Get(name) {
				t.Errorf("%s came as %q", name, m.Header.Get(name))
			}
		}
	}
}

// PLAIN is offered on the STARTTLS port alone, LOGIN on the other.
const eximConfig = `
primary_hostname = mx.vector.test
spool_directory = DIR/spool
log_file_path = DIR/spool/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = STARTTLS : IMPLICIT
tls_on_connect_ports = IMPLICIT
tls_advertise_hosts = *
tls_certificate = CERT
tls_privatekey = KEY
host_lookup =
rfc1413_hosts =
deliver_drop_privilege
message_size_limit = 5M
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt

begin acl
mail:
  deny   !authenticated = *
         message = 5.7.0 authentication required
  accept
rcpt:
  defer  local_parts = later
         message = 4.7.1 come back later
  deny   !domains = vector.test
         message = 5.7.1 relaying denied
  accept

begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = lmtp

begin transports
lmtp:
  driver = smtp
  protocol = lmtp
  port = LMTP
  allow_localhost
  hosts_avoid_tls = *

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${if and{{def:tls_in_cipher}{eq{$received_port}{STARTTLS}}}}
  server_condition = ${if and{{eq{$auth2}{intouch}}{eq{$auth3}{right}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_advertise_condition = ${if eq{$received_port}{IMPLICIT}}
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{intouch}}{eq{$auth2}{right}}}}
  server_set_id = $auth1
`

// missing skips, loudly, or fails where everything is required.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("INTOUCH_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip("SKIPPED WITHOUT A REAL MAIL SERVER: " + what)
}

func waitFor(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lmtpSink takes what the server delivers.
type lmtpSink struct {
	addr  string
	mails chan string
}

func (l *lmtpSink) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-l.mails:
		return m
	case <-time.After(30 * time.Second):
		t.Fatal("the server delivered nothing")
	}
	return ""
}

func startLMTP(t *testing.T) *lmtpSink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink := &lmtpSink{addr: ln.Addr().String(), mails: make(chan string, 10)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return lmtpSession{sink}, nil }))
	server.LMTP = true
	server.ErrorLog = quiet{}
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(ln) })
	t.Cleanup(func() { server.Close(); ln.Close(); wg.Wait() })
	return sink
}

type lmtpSession struct{ *lmtpSink }

func (lmtpSession) AuthMechanisms() []string             { return nil }
func (lmtpSession) Auth(string) (sasl.Server, error)     { return nil, smtp.ErrAuthUnsupported }
func (lmtpSession) Mail(string, *smtp.MailOptions) error { return nil }
func (lmtpSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (lmtpSession) Reset()                               {}
func (lmtpSession) Logout() error                        { return nil }
func (l lmtpSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil {
		l.mails <- string(b)
	}
	return err
}
