package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
	"intouch/store"
	"intouch/store/storetest"
)

// TestInterop_Move moves a house of letters from SQLite to PostgreSQL with the
// real program, which is killed again and again. What serve then shows is what
// it showed before: calendar programs see nothing changed, passwords are good,
// and no letter is filed twice.
func TestInterop_Move(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	url := storetest.PostgresURL(t)
	server := mailtest.StartDovecot(t)
	mailtest.Mailgen(t, server.Mail, "-n", "400", "-seed", "20261126", "-per-manager")
	later := filepath.Join(server.Mail, "later")
	mailtest.Mailgen(t, later, "-n", "50", "-seed", "20261128")
	server.Own(t)
	trust := []string{"SSL_CERT_FILE=" + server.CertFile}
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := mailHouse(t, server, fmt.Sprintf("[server]\nlisten = %q", listen))
	text, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	after := settings(t, strings.Replace(string(text), `url = "sqlite:intouch.db"`, fmt.Sprintf("url = %q", url), 1))
	from := "sqlite:" + filepath.Join(filepath.Dir(before), "intouch.db")
	login := exported(t, before, "managers")[0]["login"].(string)
	for _, args := range [][]string{{"manager", "password", login}, {"manager", "app-password", "add", login, "Pixel 9"}} {
		if got := command(t, "correct horse\n", append([]string{"--config", before}, args...)...); got.code != exitDone {
			t.Fatalf("%v: %+v", args, got)
		}
	}
	device := strings.TrimSpace(command(t, "", "--config", before, "manager", "app-password", "add", login, "Laptop").stdout)

	// dav asks for what programs compare.
	const tokens = `<propfind xmlns="DAV:" xmlns:c="http://calendarserver.org/ns/"><prop><sync-token/><c:getctag/><getetag/></prop></propfind>`
	dav := func(method, path, depth, body, password string, want int) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+listen+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(login, password)
		r.Header.Set("Depth", depth)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%s %s: %s %v", method, path, res.Status, err)
		}
		return string(answer)
	}
	home := "/dav/calendars/" + login + "/"
	calendars := func() (answers []string) {
		t.Helper()
		for _, slug := range append([]string{""}, defaultSlugs...) {
			path := home
			if slug != "" {
				path += slug + "/"
			}
			answers = append(answers, dav("PROPFIND", path, "1", tokens, "correct horse", http.StatusMultiStatus))
		}
		return answers
	}
	serving := func() bool {
		res, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}

	letters := int64(0)
	for _, a := range mailtest.Answers(t, server.Mail) {
		letters += int64(len(a.Mailboxes))
	}
	old := startDaemonIn(t, trust, "serve", "--config", before)
	eventually(t, "the daemon serves", serving)
	st, err := store.Open(t.Context(), store.Options{URL: from})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all letters", func() bool { return filed(t, st) == letters })
	st.Close()
	for i := range 20 {
		day := time.Now().AddDate(0, 0, 2+i).UTC()
		dav("PUT", fmt.Sprintf("%scurrent/plan%d.ics", home, i), "0", strings.ReplaceAll(fmt.Sprintf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//move//EN\nBEGIN:VEVENT\nUID:plan%d\nDTSTAMP:20261101T000000Z\nSUMMARY:Встреча %d\nDTSTART:%s\nX-OWN:kept\nEND:VEVENT\nEND:VCALENDAR\n",
			i, i, day.Format(utcTime)), "\n", "\r\n"), "correct horse", http.StatusCreated)
	}
	shown := calendars()
	if got := command(t, "", "move", from, url); got.code != exitFailed || !strings.Contains(got.stderr, "stop it first") {
		t.Errorf("a move beside a daemon: %+v", got)
	}
	old.end(t)

	kills := 0
	for wait := 100 * time.Millisecond; ; wait += 30 * time.Millisecond {
		d := startDaemonIn(t, nil, "--config", after, "move", from)
		done := make(chan error, 1)
		go func() { done <- d.cmd.Wait() }()
		var over bool
		select {
		case err := <-done:
			if over = true; err != nil {
				t.Fatalf("move: %v\n%s", err, d.stderr)
			}
			t.Logf("%d times killed; then: %s", kills, d.stderr)
		case <-time.After(wait):
			d.cmd.Process.Kill()
			<-done
		}
		if over {
			break
		}
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		half := false
		err = db.QueryRow(`SELECT to_regclass('moving') IS NOT NULL`).Scan(&half)
		db.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !half {
			continue // it had not begun
		}
		kills++
		if got := command(t, "", "--config", after, "export", "clients"); got.code != exitFailed || !strings.Contains(got.stderr, "intouchd move") {
			t.Fatalf("half of an installation is exported: %+v", got)
		}
	}
	if kills < 3 {
		t.Errorf("it was killed only %d times in the middle", kills)
	}

	if got := command(t, "", "--config", after, "move", from); got.code != exitDone || !strings.Contains(got.stderr, "moved before") {
		t.Errorf("a move that has ended, once more: %+v", got)
	}
	compareExports(t, before, after)
	if d := startDaemonIn(t, trust, "serve", "--config", before); d.wait(t) != exitFailed || !strings.Contains(d.stderr.String(), "was moved") {
		t.Errorf("what was left behind is served: %s", d.stderr)
	}
	now := startDaemonIn(t, trust, "serve", "--config", after)
	eventually(t, "the daemon serves from PostgreSQL", serving)
	if got := calendars(); !slices.Equal(got, shown) {
		t.Errorf("calendar programs see a change:\n%v\n%v", shown, got)
	}
	dav("PROPFIND", home, "0", tokens, device, http.StatusMultiStatus)
	asked := 0
	for i, slug := range defaultSlugs {
		token := regexp.MustCompile(`<(?:\w+:)?sync-token>([^<]+)<`).FindStringSubmatch(shown[i+1])
		if token == nil {
			continue
		}
		asked++
		answer := dav("REPORT", home+slug+"/", "0", `<sync-collection xmlns="DAV:"><sync-token>`+token[1]+`</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`, "correct horse", http.StatusMultiStatus)
		if strings.Contains(answer, "response>") {
			t.Errorf("%s: since the move there is something new: %s", slug, answer)
		}
	}
	if asked == 0 || !strings.Contains(strings.Join(shown, ""), ".ics") {
		t.Errorf("there were no calendars to compare: %d, %s", asked, shown)
	}

	if st, err = store.Open(t.Context(), store.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	came := pour(t, filepath.Join(later, "Maildir", "cur"), filepath.Join(server.MailDir(login), "cur"))
	eventually(t, "new letters, and none of the old again", func() bool { return filed(t, st) == letters+came })
	contactKeys(t, exported(t, after, "contacts"))
	now.end(t)
}

// TestMove_usage: what is no address, and a password for everybody to see.
func TestMove_usage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "accepts between 1 and 2"},
		{[]string{"sqlite:"}, "path of a file"},
		{[]string{"mysql://db.vector.test/intouch", "sqlite:a.db"}, "begin with"},
		{[]string{"sqlite:a.db", "sqlite:a.db"}, "the same database"},
		{[]string{"sqlite:a.db", "postgres://intouch:hunter2@db.vector.test/intouch"}, "PGPASSWORD"},
		{[]string{"sqlite:a.db", "postgres://db.vector.test/intouch?password=hunter2"}, "PGPASSWORD"},
	} {
		got := command(t, "", append([]string{"move"}, c.args...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.says) || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("move %v: %+v; want exit 2 and %q", c.args, got, c.says)
		}
	}
	dir := filepath.Join(t.TempDir(), "none")
	if got := command(t, "", "move", "sqlite:"+filepath.Join(dir, "a.db"), "sqlite:"+filepath.Join(dir, "b.db")); got.code != exitFailed || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("a source that is not there: %+v", got)
	} else if _, err := os.Stat(dir); err == nil {
		t.Error("its directory was made")
	}
}
