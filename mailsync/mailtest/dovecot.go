package mailtest

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed dovecot.conf
var dovecotConf string

// Dovecot is a real server on loopback. Every user has the password "secret".
type Dovecot struct {
	Mail          string // where the users' directories lie
	Addr, TLSAddr string
	CertFile      string // of the TLS port, for those who take their roots from a file
	Pool          *x509.CertPool
}

// MailDir is where a user's Maildir lies.
func (d *Dovecot) MailDir(user string) string { return filepath.Join(d.Mail, user, "Maildir") }

// Own gives everything below the mail directory to the server's user.
func (d *Dovecot) Own(t testing.TB) {
	t.Helper()
	u, err := user.Lookup("mail")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := filepath.WalkDir(d.Mail, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}); err != nil {
		t.Fatal(err)
	}
}

// StartDovecot starts a server of Dovecot 2.3 that ends with the test.
func StartDovecot(t testing.TB) *Dovecot {
	t.Helper()
	return StartDovecotWith(t, func(string) string { return "" })
}

// StartDovecotWith adds settings, which may name files in the server's
// directory.
func StartDovecotWith(t testing.TB, more func(dir string) string) *Dovecot {
	t.Helper()
	program, err := exec.LookPath("dovecot")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/dovecot"); err != nil {
			Missing(t, "no Dovecot here (Debian: apt-get install dovecot-imapd)")
		}
	}
	if os.Getuid() != 0 {
		Missing(t, "Dovecot's test server needs root")
	}
	dir, err := os.MkdirTemp("", "intouch-dovecot-") // t.TempDir is closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o755))
	for _, sub := range []string{"run", "state", "mail"} {
		must(os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	cert, pool := SelfSigned(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o644))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	var ports []string
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
		ln.Close()
	}
	conf := strings.NewReplacer("@DIR@", dir, "@PORT@", ports[0], "@TLSPORT@", ports[1]).Replace(dovecotConf)
	must(os.WriteFile(filepath.Join(dir, "dovecot.conf"), []byte(conf+more(dir)), 0o644))
	d := &Dovecot{Mail: filepath.Join(dir, "mail"), Addr: "127.0.0.1:" + ports[0], TLSAddr: "127.0.0.1:" + ports[1],
		CertFile: filepath.Join(dir, "cert.pem"), Pool: pool}
	d.Own(t)

	cmd := exec.Command(program, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A test binary that dies takes its server along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	must(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
			t.Logf("dovecot's log:\n%s%s", b, out.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", d.TLSAddr); err == nil {
			c.Close()
			return d
		}
		select {
		case <-ended:
			b, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
			t.Fatalf("dovecot ended: %s%s", out.String(), b)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("dovecot does not answer")
		}
	}
}
