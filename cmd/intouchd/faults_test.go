package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// signer signs the certificates of a test's servers.
type signer struct {
	file string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	a := &signer{file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	pair := a.sign(t, a.cert)
	a.key, a.cert = pair.PrivateKey.(*ecdsa.PrivateKey), pair.Leaf
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a certificate; its own where there is no key yet.
func (a *signer) sign(t testing.TB, c *x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server makes the certificate of a server on loopback, whose days begin so many
// days from now; another's where other is true.
func (a *signer) server(t testing.TB, days int, other bool) *tls.Certificate {
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"other.test"},
		NotBefore: time.Now().AddDate(0, 0, days), NotAfter: time.Now().AddDate(0, 0, days+2)}
	if !other {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	return a.sign(t, c)
}

// cloak puts TLS in front of a server that has none.
type cloak struct {
	addr string
	cert atomic.Pointer[tls.Certificate]

	mu   sync.Mutex
	open []net.Conn
}

// newCloak listens before the server at addr; hello says what is exchanged
// before TLS begins, nil nothing.
func newCloak(t testing.TB, addr string, cert *tls.Certificate, hello func(net.Conn) error) *cloak {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cloak{addr: ln.Addr().String()}
	c.cert.Store(cert)
	settings := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.cert.Load(), nil }}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if hello != nil && hello(conn) != nil {
					return
				}
				secured := tls.Server(conn, settings)
				if secured.Handshake() != nil {
					return
				}
				server, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				c.mu.Lock()
				c.open = append(c.open, conn, server)
				c.mu.Unlock()
				go func() { io.Copy(server, secured); server.Close() }()
				io.Copy(secured, server)
			}()
		}
	}()
	t.Cleanup(func() { ln.Close(); c.drop() })
	return c
}

// wear has the server show another certificate from now on, to everybody.
func (c *cloak) wear(cert *tls.Certificate) {
	c.cert.Store(cert)
	c.drop()
}

func (c *cloak) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}

// sslRequest answers PostgreSQL's question whether TLS may begin.
func sslRequest(conn net.Conn) error {
	if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
		return err
	}
	_, err := conn.Write([]byte("S"))
	return err
}

// TestServe_Faults: certificates that have ended, have not begun or are
// another's, of the mail servers and the database, and leases that somebody
// broke by hand, are each said with the host and the reason; when they are
// mended, everything goes on by itself.
func TestServe_Faults(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	plain := storetest.PostgresURL(t)
	t.Parallel() // it waits for leases to end and for mails to be tried again
	office, err := openPostOffice(t.TempDir(), map[string][]string{"anna": {"anna@vector.test"}}, "secret", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { office.Close() })
	ca := newSigner(t)
	good := ca.server(t, -1, false)
	address, err := neturl.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	imap, smtp, database := newCloak(t, office.imapAddr, good, nil), newCloak(t, office.smtpAddr, good, nil), newCloak(t, address.Host, good, sslRequest)
	address.Host = database.addr
	address.RawQuery = neturl.Values{"sslmode": {"verify-full"}, "sslrootcert": {ca.file}}.Encode()
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := settings(t, fmt.Sprintf(`[company]
domains = ["vector.test"]
[server]
listen = %q
[store]
url = %q
[smtp]
url = "smtps://%s"
from = "Intouch <intouch@vector.test>"
[[manager]]
login = "anna"
name = "Anna"
email = "anna@vector.test"
[[mailbox]]
name = "anna"
manager = "anna"
imap = "imaps://%s"
username = "anna"
password = "secret"
folders = ["INBOX"]
`, listen, address, smtp.addr, imap.addr))
	d := startDaemonIn(t, []string{"SSL_CERT_FILE=" + ca.file}, "serve", "--config", config)
	defer func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", d.stderr)
		}
	}()
	eventually(t, "the daemon serves", func() bool { code, _ := fetch(t, "http://"+listen+"/readyz"); return code == 200 })
	st, err := store.Open(t.Context(), store.Options{URL: plain})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	db, err := sql.Open("pgx", plain)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	letters := 0
	reads := func(after string) {
		t.Helper()
		letters++
		if err := office.Put("anna", "INBOX", fmt.Appendf(nil, "From: olga@romashka.test\r\nTo: anna@vector.test\r\nSubject: x\r\nMessage-ID: <%03d@x.test>\r\n\r\nhello\r\n", letters)); err != nil {
			t.Fatal(err)
		}
		within(t, 3*time.Minute, "a letter is filed after "+after, func() bool {
			var n int
			err := db.QueryRow(`SELECT COUNT(*) FROM letters WHERE message_id LIKE $1 OR message_key LIKE $1`, fmt.Sprintf("%%%03d@x.test%%", letters)).Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			return n == 1
		})
	}
	// says waits for a line of the log, written since it had that length, with all
	// these words.
	says := func(since int, words ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("the log says %q in one line", words), func() bool {
			for line := range strings.Lines(d.stderr.String()[since:]) {
				missing := false
				for _, w := range words {
					missing = missing || !strings.Contains(line, w)
				}
				if !missing {
					return true
				}
			}
			return false
		})
	}
	mail := func(key string) {
		t.Helper()
		if err := st.RecordRun(t.Context(), store.Run{Job: "test", Slot: key}, store.Mail{Key: key, MessageID: "<" + key + "@vector.test>", From: "intouch@vector.test", To: "anna@vector.test",
			Bytes: []byte("From: intouch@vector.test\r\nTo: anna@vector.test\r\nSubject: x\r\nMessage-ID: <" + key + "@vector.test>\r\n\r\nx\r\n")}); err != nil {
			t.Fatal(err)
		}
	}
	sent := func(n int64) {
		t.Helper()
		within(t, 3*time.Minute, "mails are sent", func() bool {
			box, err := st.Outbox(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			return box.Sent == n
		})
	}
	reads("the start")
	mail("first")
	sent(1)

	since := len(d.stderr.String())
	smtp.wear(ca.server(t, -10, false))
	mail("second")
	for reason, cert := range map[string]*tls.Certificate{
		"has expired or is not yet valid: current time": ca.server(t, -10, false),
		"is before": ca.server(t, 10, false),
		"127.0.0.1": ca.server(t, -1, true),
	} {
		before := len(d.stderr.String())
		imap.wear(cert)
		says(before, "mailbox failed", "TLS handshake with 127.0.0.1", "x509", reason)
		if states, err := st.MailboxStates(t.Context()); err != nil || len(states) != 1 || !strings.Contains(states[0].LastError, "x509") {
			t.Errorf("what the manager is told: %+v %v", states, err)
		}
	}
	says(since, "mail server trouble", smtp.addr, "has expired")
	imap.wear(good)
	smtp.wear(good)
	reads("the certificate is renewed")

	before := len(d.stderr.String())
	database.wear(ca.server(t, -10, false))
	says(before, "the database takes no writes", database.addr, "has expired")
	before = len(d.stderr.String())
	database.wear(good)
	says(before, "the database takes writes again")
	reads("the database's certificate is renewed")

	for _, broken := range []struct {
		what    string
		queries []string
		says    string
	}{
		{"the token was changed", []string{`UPDATE mailboxes SET lease_token = lease_token + 7`}, "lease was changed by somebody else"},
		{"a daemon that nobody knows holds it", []string{`UPDATE mailboxes SET lease_owner = 'nobody', lease_token = lease_token + 1`}, "lease was changed by somebody else"},
		{"a daemon with a time far ahead holds it", []string{
			`INSERT INTO daemons (id, until, mailboxes, mailboxes_hash) VALUES ('ahead', 4000000000, '["anna"]', 'x')`,
			`UPDATE mailboxes SET lease_owner = 'ahead', lease_token = lease_token + 1`}, "left to another daemon"},
		{"the daemons were deleted", []string{`DELETE FROM daemons`}, ""},
		{"the mailbox was deleted", []string{`DELETE FROM letters`, `DELETE FROM folders`, `DELETE FROM mailboxes`}, "lease was changed by somebody else"},
	} {
		before := len(d.stderr.String())
		for _, q := range broken.queries {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		if broken.says != "" {
			says(before, broken.says, "anna")
		}
		reads(broken.what)
	}
	sent(2)
}
