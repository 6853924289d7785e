package mailtest

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
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

	"intouch/store/porttest"
)

//go:embed dovecot.conf
var dovecotConf string

// Dovecot is a real server on loopback. Every user has the password "secret".
type Dovecot struct {
	Mail          string // where the users' directories lie
	Addr, TLSAddr string
	CertFile      string // of the TLS port, for those who take their roots from a file
	Pool          *x509.CertPool
	Dir           string // with its settings, state and log

	program string
	ended   chan struct{} // of the process that was started last
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
		if err == nil {
			err = os.Chown(path, uid, gid)
		}
		if path != d.Mail && errors.Is(err, fs.ErrNotExist) {
			return nil // a lock or a letter that the server took away meanwhile
		}
		return err
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
	t.Cleanup(func() { // sessions outlive their master by a moment, and write
		for end := time.Now().Add(5 * time.Second); os.RemoveAll(dir) != nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		}
	})
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
		port, err := porttest.Find()
		must(err)
		ports = append(ports, strconv.Itoa(port))
	}
	conf := strings.NewReplacer("@DIR@", dir, "@PORT@", ports[0], "@TLSPORT@", ports[1]).Replace(dovecotConf)
	must(os.WriteFile(filepath.Join(dir, "dovecot.conf"), []byte(conf+more(dir)), 0o644))
	d := &Dovecot{Mail: filepath.Join(dir, "mail"), Addr: "127.0.0.1:" + ports[0], TLSAddr: "127.0.0.1:" + ports[1],
		CertFile: filepath.Join(dir, "cert.pem"), Pool: pool, Dir: dir, program: program, ended: make(chan struct{})}
	close(d.ended)
	d.Own(t)

	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
			t.Logf("dovecot's log:\n%s", b[max(0, len(b)-8000):])
		}
	})
	must(d.Start())
	return d
}

// Start starts the server, also again after Stop, and waits until it answers.
func (d *Dovecot) Start() error {
	deadline := time.Now().Add(20 * time.Second)
	for ; ; time.Sleep(20 * time.Millisecond) {
		var out bytes.Buffer
		cmd := exec.Command(d.program, "-F", "-c", d.conf())
		cmd.Stdout, cmd.Stderr = &out, &out
		// A test binary that dies takes its server along.
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		if err := cmd.Start(); err != nil {
			return err
		}
		d.ended = make(chan struct{})
		go func(ended chan struct{}) { cmd.Wait(); close(ended) }(d.ended)
		for {
			if c, err := net.Dial("tcp", d.TLSAddr); err == nil {
				c.Close()
				return nil
			}
			select {
			case <-d.ended: // the one before still holds the ports
			case <-time.After(10 * time.Millisecond):
				if time.Now().Before(deadline) {
					continue
				}
			}
			break
		}
		if time.Now().After(deadline) {
			d.Stop()
			b, _ := os.ReadFile(filepath.Join(d.Dir, "dovecot.log"))
			return fmt.Errorf("dovecot does not answer: %s%s", out.String(), b[max(0, len(b)-4000):])
		}
	}
}

// Stop ends the server and the sessions of its clients.
func (d *Dovecot) Stop() error {
	select {
	case <-d.ended:
		return nil
	default:
	}
	if out, err := exec.Command(d.program, "-c", d.conf(), "stop").CombinedOutput(); err != nil {
		select {
		case <-d.ended:
		case <-time.After(time.Second):
			return fmt.Errorf("stop dovecot: %w: %s", err, out)
		}
	}
	<-d.ended
	return nil
}

func (d *Dovecot) conf() string { return filepath.Join(d.Dir, "dovecot.conf") }
