package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
	"intouch/store"
	"intouch/store/storetest"
)

// TestInterop_Fleet: two daemons on one PostgreSQL share the mailboxes. One is
// killed; the letters that come into its mailboxes are filed by the other
// within a minute, each once.
func TestInterop_Fleet(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	url := storetest.PostgresURL(t)
	server := mailtest.StartDovecot(t)
	mailtest.Mailgen(t, server.Mail, "-n", "300", "-seed", "20261126", "-per-manager")
	flood := filepath.Join(server.Mail, "flood")
	mailtest.Mailgen(t, flood, "-n", "200", "-seed", "20261127")
	server.Own(t)
	t.Parallel() // it waits for a lease to end

	text, err := os.ReadFile(mailHouse(t, server, "[[manager]]\nlogin = \"olga\"\nname = \"Olga\"\nemail = \"olga@vector.test\"\nrole = \"head\"\npassword = \"correct horse\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var configs, listens [2]string
	for i := range configs {
		if listens[i], err = freeAddress("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		configs[i] = settings(t, strings.Replace(string(text), `url = "sqlite:intouch.db"`, fmt.Sprintf("url = %q\n[server]\nlisten = %q", url, listens[i]), 1))
	}
	for _, kind := range []string{"managers", "clients", "persons"} {
		if got := command(t, "", "--config", configs[0], "import", kind, filepath.Join(server.Mail, "import", kind+".csv")); got.code != exitDone {
			t.Fatalf("import %s: %+v", kind, got)
		}
	}
	st, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	// held tells who follows which mailboxes.
	held := func() map[string][]string {
		states, err := st.MailboxStates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]string{}
		for _, s := range states {
			out[s.Daemon] = append(out[s.Daemon], s.Name)
		}
		return out
	}
	trust := []string{"SSL_CERT_FILE=" + server.CertFile}
	first := startDaemonIn(t, trust, "serve", "--config", configs[0])
	eventually(t, "one daemon that holds all mailboxes", func() bool { h := held(); return len(h) == 1 && len(h[""]) == 0 })
	var firstName string
	for name := range held() {
		firstName = name
	}
	second := startDaemonIn(t, trust, "serve", "--config", configs[1])
	eventually(t, "two daemons that share the mailboxes", func() bool {
		h := held()
		mine, all := len(h[firstName]), 0
		for _, names := range h {
			all += len(names)
		}
		return len(h) == 2 && len(h[""]) == 0 && mine <= (all+1)/2
	})
	// Who is logged in with one is with the other; cookies know no ports.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	for i, ask := range []func(base string) (*http.Response, error){
		func(base string) (*http.Response, error) {
			return browser.PostForm(base+"/login", neturl.Values{"login": {"olga"}, "password": {"correct horse"}, "next": {"/status"}})
		},
		func(base string) (*http.Response, error) { return browser.Get(base + "/status") },
	} {
		resp, err := ask("http://" + listens[i])
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/status" {
			t.Errorf("daemon %d: %s at %s", i+1, resp.Status, resp.Request.URL)
		}
	}

	letters := int64(0)
	for _, a := range mailtest.Answers(t, server.Mail) {
		letters += int64(len(a.Mailboxes))
	}
	eventually(t, "all letters", func() bool { return filed(t, st) == letters })

	orphan := held()[firstName][0]
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.cmd.Wait()
	killed := time.Now()
	came := pour(t, filepath.Join(flood, "Maildir", "cur"), filepath.Join(server.MailDir(orphan), "cur"))
	eventually(t, "the letters of the killed daemon's mailbox", func() bool { return filed(t, st) == letters+came })
	t.Logf("%d letters that came into a killed daemon's mailbox were filed after %v", came, time.Since(killed).Round(time.Second))
	if h := held(); len(h) != 1 || len(h[firstName]) != 0 {
		t.Errorf("after the takeover the mailboxes are held so: %v", h)
	}
	contactKeys(t, exported(t, configs[1], "contacts")) // none twice

	second.end(t)
	if h := held(); len(h[""]) == 0 || len(h) != 1 {
		t.Errorf("who left still holds mailboxes: %v", h)
	}
}
