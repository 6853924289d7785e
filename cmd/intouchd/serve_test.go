package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
)

// TestInterop_Serve is a daemon's day: most mailboxes work, the password of one
// is wrong, the server of another is gone, and no mail can be sent. All
// else serves, and the faults are shown where they are looked for. When the mail
// server comes back the mails go out; SIGTERM ends the daemon though thousands
// of letters have just come in.
func TestInterop_Serve(t *testing.T) {
	imap := mailtest.StartDovecot(t)
	mailtest.Mailgen(t, imap.Mail, "-n", "300", "-seed", "20261125", "-per-manager")
	flood := filepath.Join(imap.Mail, "flood")
	mailtest.Mailgen(t, flood, "-n", "6000", "-seed", "20261125")
	imap.Own(t)
	t.Parallel() // it waits for minutes

	var addr [3]string
	for i := range addr {
		var err error
		if addr[i], err = freeAddress("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	listen, smtp, nowhere := addr[0], addr[1], addr[2]
	config := mailHouse(t, imap, fmt.Sprintf(`
[server]
listen = %q
[jobs]
digest = "* * * * *"
[smtp]
url = "smtp+insecure://%s"
from = "Intouch <intouch@vector.test>"
[[manager]]
login = "olga"
name = "Ольга"
email = "olga@vector.test"
role = "head"
password = "correct horse"
[[mailbox]]
name = "wrong"
manager = "olga"
imap = "imaps://%s"
username = "olga"
password = "battery staple"
[[mailbox]]
name = "nowhere"
manager = "olga"
imap = "imap+insecure://%s"
username = "olga"
password = "battery staple"
`, listen, smtp, imap.TLSAddr, nowhere))
	// Something to tell in a digest: the letters are of another year.
	due := time.Now().AddDate(0, 0, -3).Format(time.DateOnly)
	deals := filepath.Join(t.TempDir(), "deals.csv")
	if err := os.WriteFile(deals, []byte("id,number,date,client,amount,pay_due\nd1,17,"+due+",c0001,1000,"+due+"\nd2,18,"+due+",c0002,2000,"+due+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "", "--config", config, "import", "deals", deals); got.code != exitDone {
		t.Fatalf("import deals: %+v", got)
	}
	d := startDaemonIn(t, []string{"SSL_CERT_FILE=" + imap.CertFile}, "serve", "--config", config)
	base := "http://" + listen
	look := func() (r Readiness) {
		code, body := fetch(t, base+"/readyz")
		if code == http.StatusOK {
			if err := json.Unmarshal([]byte(body), &r); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	broken := func(r Readiness) map[string]string {
		faults := map[string]string{}
		for _, m := range r.Mailboxes {
			if m.Error != "" {
				faults[m.Name] = m.Error
			}
		}
		return faults
	}

	var ready Readiness
	eventually(t, "the mailboxes read, two of them broken", func() bool {
		ready = look()
		for _, m := range ready.Mailboxes {
			if !m.OK && m.Error == "" {
				return false
			}
		}
		return len(broken(ready)) == 2
	})
	if !ready.Ready || !ready.Store.OK {
		t.Errorf("%+v", ready)
	}
	faults := broken(ready)
	if !strings.Contains(faults["wrong"], "login") || !strings.Contains(faults["nowhere"], "refused") {
		t.Errorf("the faults: %q", faults)
	}
	for _, m := range ready.Mailboxes {
		if m.OK && m.Captured == 0 {
			t.Errorf("mailbox %s: nothing captured of %d letters", m.Name, m.Letters)
		}
	}
	within(t, 3*time.Minute, "the fault of the mail server, after the next minute's digest", func() bool { ready = look(); return ready.Outbox.Error != "" })
	if ready.Outbox.OK || ready.Outbox.Queued == 0 || ready.Outbox.Sent != 0 {
		t.Errorf("%+v", ready.Outbox)
	}
	faults["outbox"] = ready.Outbox.Error
	page := statusPage(t, base, "olga", "correct horse")
	for part, fault := range faults {
		if !strings.Contains(page, fault) {
			t.Errorf("the status page does not show the fault of %s, %q:\n%s", part, fault, page)
		}
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/login": http.StatusOK, "/dav/": http.StatusUnauthorized} {
		if code, _ := fetch(t, base+path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}

	if !testing.Short() { // the next try comes after a minute
		office := openSMTP(t, imap, smtp)
		within(t, 4*time.Minute, "the mails delivered", func() bool {
			ready = look()
			n := int64(len(office.delivered()))
			return n > 0 && n == ready.Outbox.Sent && ready.Outbox.Queued == 0
		})
		if ready.Outbox.Failed != 0 || !ready.Outbox.OK || ready.Outbox.Error != "" {
			t.Errorf("%+v", ready.Outbox)
		}
		if page := statusPage(t, base, "olga", "correct horse"); strings.Contains(page, faults["outbox"]) || !strings.Contains(page, faults["wrong"]) {
			t.Errorf("the status page afterwards:\n%s", page)
		}
	}

	letters := func(r Readiness) (n int64) {
		for _, m := range r.Mailboxes {
			n += m.Letters
		}
		return n
	}
	before := letters(look())
	came := pour(t, filepath.Join(flood, "Maildir", "cur"), filepath.Join(imap.MailDir("m001"), "cur"))
	eventually(t, "the first of the new letters", func() bool { return letters(look()) > before })
	signalled := time.Now()
	d.end(t)
	if took := time.Since(signalled); took > 15*time.Second { // 10 s are promised
		t.Errorf("SIGTERM took %v", took)
	}
	after := int64(len(exported(t, config, "letters")))
	if after <= before || after >= before+came {
		t.Errorf("%d letters before, %d came, %d are filed: the pass was not in flight", before, came, after)
	}
	t.Logf("%d mails delivered; %d of %d letters filed when the daemon ended, %v after SIGTERM", ready.Outbox.Sent, after-before, came, time.Since(signalled).Round(time.Millisecond))
	for _, secret := range []string{"correct horse", "battery staple"} {
		if strings.Contains(d.stderr.String(), secret) {
			t.Errorf("the log shows the password %q", secret)
		}
	}
}

// openSMTP opens the demo's mail server for everybody of the house.
func openSMTP(t *testing.T, imap *mailtest.Dovecot, addr string) *postOffice {
	t.Helper()
	people := map[string][]string{"olga": {"olga@vector.test"}}
	for _, m := range mailtest.Table(t, imap.Mail, "managers.csv") {
		people[m["manager_id"]] = []string{m["email"]}
	}
	office, err := openPostOffice(t.TempDir(), people, "secret", "", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { office.Close() })
	if office.smtpAddr != addr {
		t.Fatalf("the mail server got %s, not %s", office.smtpAddr, addr)
	}
	return office
}

// statusPage is the text of the page that shows a head how the daemon is.
func statusPage(t *testing.T, base, login, password string) string {
	t.Helper()
	return pageOf(t, base, login, password, "/status")
}

// pageOf is the text of a page after a login.
func pageOf(t *testing.T, base, login, password, path string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	resp, err := client.PostForm(base+"/login", url.Values{"login": {login}, "password": {password}, "next": {path}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Request.URL.Path != path {
		t.Fatalf("login as %s: %s at %s, %v", login, resp.Status, resp.Request.URL, err)
	}
	return html.UnescapeString(string(body))
}

// pour moves all letters of a directory at once into a mailbox.
func pour(t *testing.T, from, to string) (n int64) {
	t.Helper()
	names, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range names {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
