// Package smtptest gives tests the other side of outgoing mail: Postfix from
// Debian with settings, queue and ports of its own, and a server in process
// that misbehaves as it is told.
package smtptest

import (
	"errors"
	"fmt"
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

// Postfix is a running instance. It takes mail for everybody and throws it
// away, defers what is for later@, and refuses what is for gone@.
type Postfix struct {
	Plain, StartTLS, TLS string // addresses of its ports
	Kept                 string // the Maildir of all mail for vector.test, which is not thrown away

	dir, home string
	log       string
	master    *exec.Cmd
	said      strings.Builder
}

// StartPostfix starts one. Debian does not install Postfix beside Exim, so
// that .ci/packages unpacks it. Where it is missing the test is skipped,
// loudly; with INTOUCH_REQUIRE=all it fails. Without a certificate (PEM files)
// there are no ports with TLS.
func StartPostfix(t testing.TB, certFile, keyFile string) *Postfix {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("INTOUCH_REQUIRE") == "all" {
			t.Fatal(what)
		}
		t.Skip("SKIPPED WITHOUT POSTFIX: " + what)
	}
	home := os.Getenv("INTOUCH_POSTFIX")
	if home == "" {
		home = "/var/cache/intouch/postfix"
	}
	if _, err := os.Stat(home + "/usr/lib/postfix/sbin/master"); err != nil {
		missing("Postfix is not unpacked (.ci/packages)")
	}
	owner, err := user.Lookup("Debian-exim") // one that owns nothing else
	if err != nil || os.Getuid() != 0 {
		missing("Postfix needs root, to become a user of its own")
	}
	uid, _ := strconv.Atoi(owner.Uid)
	dir, err := os.MkdirTemp("", "intouch-postfix-") // its user cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	err = os.Chmod(dir, 0o755)
	for _, d := range []string{"data", "queue", "queue/pid"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	for _, d := range strings.Fields("data queue/active queue/bounce queue/corrupt queue/defer queue/deferred queue/flush queue/hold queue/incoming queue/private queue/saved queue/trace queue/public queue/maildrop") {
		path := filepath.Join(dir, d)
		err = errors.Join(err, os.MkdirAll(path, 0o711), os.Chown(path, uid, -1))
	}
	p := &Postfix{Plain: porttest.Addr(t), StartTLS: porttest.Addr(t), TLS: porttest.Addr(t), Kept: dir + "/kept", dir: dir, home: home, log: dir + "/mail.log"}
	ports := p.Plain + " inet n - n - - smtpd\n"
	if certFile != "" {
		ports += p.StartTLS + " inet n - n - - smtpd -o smtpd_tls_security_level=encrypt\n" + p.TLS + " inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt\n"
	}
	err = errors.Join(err, os.Mkdir(p.Kept, 0o700), os.Chown(p.Kept, uid, -1))
	fill := strings.NewReplacer("HOME", home, "DIR", dir, "CERT", certFile, "KEY", keyFile, "OWNER", strconv.Itoa(uid))
	err = errors.Join(err, os.WriteFile(dir+"/main.cf", []byte(fill.Replace(mainCf)), 0o644), os.WriteFile(dir+"/master.cf", []byte(ports+masterCf), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(p.log)
			t.Logf("Postfix says:\n%s\n%s", p.said.String(), log[max(0, len(log)-4000):])
		}
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// Start starts the server, also again after Stop, and waits until it answers.
func (p *Postfix) Start() error {
	p.master = exec.Command(p.home+"/usr/lib/postfix/sbin/master", "-c", p.dir, "-d")
	p.master.Env = append(os.Environ(), "LD_LIBRARY_PATH="+p.home+"/usr/lib/postfix")
	p.master.Stdout, p.master.Stderr = &p.said, &p.said
	p.master.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // its own end when it is gone
	if err := p.master.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", p.Plain, time.Second)
		if err == nil {
			conn.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("Postfix does not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Stop ends the server.
func (p *Postfix) Stop() {
	syscall.Kill(p.master.Process.Pid, syscall.SIGTERM) // it ends its own
	p.master.Wait()
}

// Taken counts the mails that it has taken, each with its Message-ID.
func (p *Postfix) Taken(t testing.TB) map[string]int {
	t.Helper()
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for line := range strings.Lines(string(log)) {
		if _, id, ok := strings.Cut(line, " message-id="); ok && strings.Contains(line, "/cleanup[") {
			ids[strings.TrimSpace(id)]++
		}
	}
	return ids
}

const mainCf = `
compatibility_level = 3.6
daemon_directory = HOME/usr/lib/postfix/sbin
command_directory = HOME/usr/sbin
shlib_directory = HOME/usr/lib/postfix
meta_directory = DIR
queue_directory = DIR/queue
data_directory = DIR/data
mail_owner = Debian-exim
setgid_group = mail
default_privs = nobody
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH=HOME/usr/lib/postfix
export_environment = TZ LANG=C LD_LIBRARY_PATH=HOME/usr/lib/postfix
maillog_file = DIR/mail.log
maillog_file_prefixes = DIR
myhostname = mx.vector.test
mydestination =
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
default_transport = discard:
virtual_mailbox_domains = vector.test
virtual_mailbox_base = DIR
virtual_mailbox_maps = static:kept/
virtual_uid_maps = static:OWNER
virtual_gid_maps = static:OWNER
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ {later@vector.test = 450 4.2.0 come back later}, {gone@vector.test = 550 5.1.1 no such user} }
message_size_limit = 1000000
smtpd_tls_cert_file = CERT
smtpd_tls_key_file = KEY
`

const masterCf = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`
