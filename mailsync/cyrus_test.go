package mailsync

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"intouch/mailsync/mailtest"
	"intouch/store"
	"intouch/store/porttest"
)

// cyrusDir is where .ci/packages unpacks Debian's cyrus-imapd: the package
// itself cannot be installed beside dovecot-imapd.
func cyrusDir() string {
	if dir := os.Getenv("INTOUCH_CYRUS"); dir != "" {
		return dir
	}
	return "/var/cache/intouch/cyrus"
}

// cyrus is Debian's Cyrus IMAP server on loopback, its state in a directory of
// the test. Every user has the password "secret".
type cyrus struct {
	Addr, TLSAddr string
	Pool          *x509.CertPool
}

const cyrusSettings = `configdirectory: @DIR@/conf
proc_path: @DIR@/proc
mboxname_lockpath: @DIR@/lock
defaultpartition: default
partition-default: @DIR@/spool
cyrus_user: mail
servername: cyrus.test
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
skiplist_unsafe: yes
autocreate_quota: 0
allowplaintext: yes
munge8bit: no
reject8bit: no
tls_server_cert: @DIR@/cert.pem
tls_server_key: @DIR@/key.pem
tls_session_timeout: 0
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @DIR@/sasldb2
sasl_mech_list: PLAIN
idlesocket: @DIR@/conf/socket/idle
notifysocket: @DIR@/conf/socket/notify
lmtpsocket: @DIR@/conf/socket/lmtp
`

const cyrusServices = `START {
  recover cmd="@BIN@/ctl_cyrusdb -C @DIR@/imapd.conf -r"
}
SERVICES {
  imap cmd="@BIN@/imapd -C @DIR@/imapd.conf" listen="127.0.0.1:@PORT@" prefork=0 maxchild=200
  imaps cmd="@BIN@/imapd -s -C @DIR@/imapd.conf" listen="127.0.0.1:@TLSPORT@" prefork=0 maxchild=200
}
DAEMON {
  idled cmd="@BIN@/idled -C @DIR@/imapd.conf"
}
`

// startCyrus skips the test loudly where there is no Cyrus.
func startCyrus(t testing.TB, users ...string) *cyrus {
	t.Helper()
	root := cyrusDir()
	bin := filepath.Join(root, "usr/lib/cyrus/bin")
	if _, err := os.Stat(filepath.Join(bin, "master")); err != nil {
		t.Skip("SKIPPED, NOT PROVED: no Cyrus in " + root + " (.ci/packages unpacks it)")
	}
	passwords, err := exec.LookPath("saslpasswd2")
	if err != nil {
		if passwords, err = exec.LookPath("/usr/sbin/saslpasswd2"); err != nil {
			t.Skip("SKIPPED, NOT PROVED: no saslpasswd2 for Cyrus's users (Debian: apt-get install sasl2-bin)")
		}
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT PROVED: Cyrus's test server needs root")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "intouch-cyrus-") // t.TempDir is closed to the server's user
	must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(os.Chmod(dir, 0o755))
	for _, sub := range []string{"conf/socket", "proc", "lock", "spool"} {
		must(os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	cert, pool := mailtest.SelfSigned(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o644))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	port, tlsPort := freePort(t), freePort(t)
	fill := strings.NewReplacer("@DIR@", dir, "@BIN@", bin, "@PORT@", port, "@TLSPORT@", tlsPort)
	must(os.WriteFile(filepath.Join(dir, "imapd.conf"), []byte(fill.Replace(cyrusSettings)), 0o644))
	must(os.WriteFile(filepath.Join(dir, "cyrus.conf"), []byte(fill.Replace(cyrusServices)), 0o644))
	for _, u := range users {
		cmd := exec.Command(passwords, "-p", "-c", "-f", filepath.Join(dir, "sasldb2"), "-u", "cyrus.test", u)
		cmd.Stdin = strings.NewReader("secret")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("password of %s: %v\n%s", u, err, out)
		}
	}
	who, err := user.Lookup("mail")
	must(err)
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}))

	cmd := exec.Command(filepath.Join(bin, "master"), "-C", filepath.Join(dir, "imapd.conf"), "-M", filepath.Join(dir, "cyrus.conf"),
		"-p", filepath.Join(dir, "master.pid"), "-D")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"))
	out, err := os.Create(filepath.Join(dir, "log")) // a file: its children may outlive it by a moment
	must(err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	said := func() string {
		b, _ := os.ReadFile(out.Name())
		return string(b)
	}
	must(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it ends its children, then itself
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("cyrus said: %s", said())
		}
	})
	c := &cyrus{Addr: "127.0.0.1:" + port, TLSAddr: "127.0.0.1:" + tlsPort, Pool: pool}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", c.TLSAddr); err == nil {
			conn.Close()
			return c
		}
		select {
		case <-ended:
			t.Fatalf("cyrus ended: %s", said())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("cyrus does not answer")
		}
	}
}

// freePort is a port of loopback that nobody had a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	port, err := porttest.Find()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// config is the settings of a user's mailbox, over TLS.
func (c *cyrus) config(user string) Config {
	cfg := boxConfig(c.TLSAddr, user)
	cfg.TLS, cfg.TLSConfig = ImplicitTLS, &tls.Config{RootCAs: c.Pool}
	return cfg
}

// fill puts letters into a user's folders by APPEND. Sent has its special use
// but another name than on Dovecot.
func (c *cyrus) fill(t testing.TB, user string, letters []mailFile) {
	t.Helper()
	client, err := imapclient.DialInsecure(c.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Login(user, "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := client.Create(cyrusSent, &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrSent}}).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		folder := l.Folder
		if folder == "Sent" {
			folder = cyrusSent
		}
		cmd := client.Append(folder, int64(len(l.Raw)), &imap.AppendOptions{Time: l.Received})
		if _, err := cmd.Write(l.Raw); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.Wait(); err != nil {
			t.Fatalf("append %s to %s of %s: %v", l.Name, folder, user, err)
		}
	}
	if err := client.Logout().Wait(); err != nil {
		t.Fatal(err)
	}
}

const cyrusSent = "Исходящие"

// mailFile is a letter of a Maildir, in the wire's form.
type mailFile struct {
	Folder   string // INBOX, Sent
	Name     string
	Received time.Time
	Raw      []byte
}

// maildir reads a Maildir++ with the folder Sent, in the order of the names,
// in which Dovecot numbers the letters.
func maildir(t testing.TB, dir string) (all []mailFile) {
	t.Helper()
	for _, folder := range []string{"INBOX", "Sent"} {
		sub := map[string]string{"INBOX": "cur", "Sent": ".Sent/cur"}[folder]
		names, err := filepath.Glob(filepath.Join(dir, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, mailFile{folder, filepath.Base(name), info.ModTime(), bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))})
		}
	}
	return all
}

// TestCyrus_SameExportFromEveryServer reads the same mailboxes of mailgen from
// Dovecot, from Cyrus and from the server in memory (the demo's): what `export
// contacts` shows is the truth, and the same from each, to the byte. Only an
// attachment's size, which the server tells, may differ by a line's end: where
// the closing boundary is missing, they disagree whether it belongs to the part.
func TestCyrus_SameExportFromEveryServer(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	d := mailtest.StartDovecot(t)
	mailtest.Mailgen(t, d.Mail, "-n", "600", "-seed", "20261125", "-odd", "0.06", "-per-manager")
	d.Own(t)
	all := mailtest.Answers(t, d.Mail)
	logins := importPeople(t, d.Mail, emptyStore(t))
	boxes := map[string][]mailFile{}
	for _, login := range logins {
		boxes[login] = maildir(t, d.MailDir(login))
	}
	c := startCyrus(t, logins...)
	mem := newMemServer(t, nil)
	for _, login := range logins {
		u := mem.addUser(t, login, "INBOX", "Sent")
		for _, l := range boxes[login] {
			deliver(t, u, l.Folder, string(l.Raw), l.Received)
		}
		c.fill(t, login, boxes[login])
	}

	exports := map[string]map[string]exported{}
	for name, config := range map[string]func(string) Config{
		"Dovecot":   func(login string) Config { return dovecotConfig(d, login) },
		"Cyrus":     c.config,
		"in memory": func(login string) Config { return boxConfig(mem.Addr, login) },
	} {
		t.Run(name, func(t *testing.T) {
			st := emptyStore(t)
			importPeople(t, d.Mail, st)
			var cfgs []Config
			for _, login := range logins {
				cfg := config(login)
				cfg.Manager = login
				cfgs = append(cfgs, cfg)
			}
			log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			// One after the other: of a letter in two mailboxes the one that
			// is read first decides who is responsible.
			sy := New(st, cfgs, Options{Log: log})
			for _, login := range logins {
				if _, err := sy.Pass(t.Context(), login); err != nil {
					t.Fatal(err)
				}
			}
			compareOutcomes(t, st, asFolder(all, map[string]string{"Cyrus": cyrusSent}[name]))
			compareContacts(t, st, all)
			exports[name] = exportOf(t, st)
		})
	}
	want := exports["Dovecot"]
	for _, name := range []string{"Cyrus", "in memory"} {
		got, shown := exports[name], 0
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if !got[key].equal(want[key]) {
				if shown++; shown <= 5 {
					t.Errorf("%s and Dovecot differ about %s:\n%s%v\n%v", name, key, differingLines(got[key].text, want[key].text), got[key].sizes, want[key].sizes)
				}
			}
		}
		if shown > 0 || len(got) != len(want) {
			t.Errorf("%s: %d contacts differ; %d contacts, Dovecot %d", name, shown, len(got), len(want))
		}
	}
}

// asFolder gives the folder Sent of the answers another name.
func asFolder(all []mailtest.Answer, sent string) []mailtest.Answer {
	if sent == "" {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].Mailboxes = slices.Clone(all[i].Mailboxes)
		for j, box := range all[i].Mailboxes {
			if login, ok := strings.CutSuffix(box, ":Sent"); ok {
				all[i].Mailboxes[j] = login + ":" + sent
			}
		}
	}
	return all
}

// exported is a contact of an export; the sizes of its attachments stand apart.
type exported struct {
	text  string
	sizes []int64
}

func (a exported) equal(b exported) bool {
	return a.text == b.text && slices.EqualFunc(a.sizes, b.sizes, func(x, y int64) bool { return max(x, y)-min(x, y) <= 2 })
}

// exportOf is what `export contacts` shows of each contact by its letter and
// client, without what each database gives anew: numbers, names, times of
// writing.
func exportOf(t testing.TB, st *store.Store) map[string]exported {
	t.Helper()
	out := map[string]exported{}
	for _, c := range contacts(t, st) {
		c.ID, c.UID, c.Key, c.Version, c.Created, c.Changed = 0, "", "", 0, time.Time{}, time.Time{}
		slices.Sort(c.ManagerLogins) // in the order in which the mailboxes were read
		slices.Sort(c.Managers)
		var sizes []int64
		for i := range c.Attachments {
			sizes = append(sizes, c.Attachments[i].Size)
			c.Attachments[i].Size = 0
		}
		text, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		key := c.MessageKey + " " + c.ClientExternalID
		if out[key].text != "" {
			t.Errorf("two contacts of letter %s", key)
		}
		out[key] = exported{string(text), sizes}
	}
	return out
}

func differingLines(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out strings.Builder
	for i := range max(len(la), len(lb)) {
		var x, y string
		if i < len(la) {
			x = la[i]
		}
		if i < len(lb) {
			y = lb[i]
		}
		if x != y {
			fmt.Fprintf(&out, "%.300s\n%.300s\n", x, y)
		}
	}
	return out.String()
}
