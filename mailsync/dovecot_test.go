package mailsync

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// dovecotConfig is the settings of a user's mailbox, over TLS.
func dovecotConfig(d *mailtest.Dovecot, user string) Config {
	cfg := boxConfig(d.TLSAddr, user)
	cfg.TLS, cfg.TLSConfig = ImplicitTLS, &tls.Config{RootCAs: d.Pool}
	return cfg
}

// importPeople imports mailgen's managers, clients and persons.
func importPeople(t testing.TB, dir string, st *store.Store) (managers []string) {
	t.Helper()
	domains := map[string]bool{}
	for _, r := range mailtest.Table(t, dir, "managers.csv") {
		domains[r["domain"]] = true
	}
	if err := st.SetCompany(t.Context(), slices.Sorted(maps.Keys(domains)), nil); err != nil {
		t.Fatal(err)
	}
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for _, r := range mailtest.Table(t, dir, "import/managers.csv") {
			managers = append(managers, r["login"])
			if _, err := im.Manager(store.ManagerRow{ID: r["id"], Name: r["name"], Login: r["login"], Role: r["role"],
				TimeZone: r["time_zone"], Language: r["language"], Emails: strings.Fields(r["email"])}); err != nil {
				return err
			}
		}
		for _, r := range mailtest.Table(t, dir, "import/clients.csv") {
			if _, err := im.Client(store.ClientRow{ID: r["id"], Name: r["name"], Importance: r["importance"], Manager: r["manager"],
				Domains: strings.Fields(r["domains"]), Emails: strings.Fields(r["emails"])}); err != nil {
				return err
			}
		}
		for _, r := range mailtest.Table(t, dir, "import/persons.csv") {
			if _, err := im.Person(store.PersonRow{ID: r["id"], Client: r["client"], Name: r["name"], Emails: strings.Fields(r["emails"])}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return managers
}

// emptyStore is a store without anybody in it.
func emptyStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// TestDovecot_MailgenTruth holds 2,000 letters (INTOUCH_TRUTH_LETTERS, with
// INTOUCH_TRUTH_SEED) in twelve managers' mailboxes against the answers of their
// generator.
func TestDovecot_MailgenTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	d := mailtest.StartDovecot(t)
	n, seed := cmp.Or(os.Getenv("INTOUCH_TRUTH_LETTERS"), "2000"), cmp.Or(os.Getenv("INTOUCH_TRUTH_SEED"), "20261123")
	mailtest.Mailgen(t, d.Mail, "-n", n, "-seed", seed, "-per-manager")
	d.Own(t)
	st := emptyStore(t)
	managers := importPeople(t, d.Mail, st)
	var boxes []Config
	for _, m := range managers {
		cfg := dovecotConfig(d, m)
		cfg.Manager = m
		boxes = append(boxes, cfg)
	}
	began := time.Now()
	counts, err := New(st, boxes, Options{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}).Pass(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range counts {
		seen += c.Seen
	}
	t.Logf("%d letters in %d mailboxes in %v: %.0f a second", seen, len(boxes), time.Since(began).Round(time.Millisecond), float64(seen)/time.Since(began).Seconds())

	all := mailtest.Answers(t, d.Mail)
	compareOutcomes(t, st, all)
	compareContacts(t, st, all)
}

// outcomesOf translates the generator's reasons into ours (bench/README.md):
// the outcomes that are right. It names a letter's kind, we name the first rule
// that applies: a colleague's answer to an invitation is internal before it is
// automatic, a stranger's robot automatic before it is unknown.
func outcomesOf(l *mailtest.Answer) []string {
	switch l.Reason {
	case "internal_only":
		return []string{"skipped internal"}
	case "no_client_address":
		return []string{"skipped unknown", "skipped automatic"}
	case "calendar_reply":
		return []string{"skipped automatic", "skipped internal"}
	case "bulk_list", "auto_reply", "auto_generated", "bounce":
		return []string{"skipped automatic"}
	}
	return []string{"captured "}
}

func compareOutcomes(t *testing.T, st *store.Store, all []mailtest.Answer) {
	t.Helper()
	// Which letter an outcome belongs to: by mailbox, folder and Message-ID,
	// or date where there is none.
	want := map[string][]*mailtest.Answer{}
	n := 0
	for i := range all {
		for _, box := range all[i].Mailboxes {
			key := all[i].Key(box)
			want[key] = append(want[key], &all[i])
			n++
		}
	}
	wrong, seen := 0, 0
	for _, l := range letters(t, st) {
		seen++
		key := mailtest.Key(l.Mailbox+":"+l.Folder, l.MessageID, l.Date)
		got := string(l.Outcome) + " " + string(l.Reason)
		i := slices.IndexFunc(want[key], func(w *mailtest.Answer) bool { return slices.Contains(outcomesOf(w), got) })
		if i < 0 {
			if wrong++; wrong < 20 {
				t.Errorf("%s uid %d is %q, of %d letters with that key", key, l.UID, got, len(want[key]))
			}
			continue
		}
		want[key] = slices.Delete(want[key], i, i+1)
	}
	if seen != n || wrong > 0 {
		t.Errorf("%d outcomes for %d letters, %d of them wrong", seen, n, wrong)
	}
	t.Logf("outcomes: %d of %d right", seen-wrong, n)
}

func compareContacts(t *testing.T, st *store.Store, all []mailtest.Answer) {
	t.Helper()
	want := mailtest.Contacts(all)
	expected := len(want)
	var bodies, subjects, directions, names, threads, surplus int
	shown := 0
	show := func(format string, args ...any) {
		if shown++; shown <= 15 {
			t.Logf(format, args...)
		}
	}
	for _, c := range contacts(t, st) {
		k := mailtest.Key(c.ClientExternalID, c.MessageID, c.When.Start)
		w, ok := want[k]
		if !ok {
			surplus++
			show("surplus contact %s: %q", k, c.Subject)
			continue
		}
		delete(want, k)
		if oneSpace(c.Body) == oneSpace(w.Body) {
			bodies++
		} else {
			show("text of %d (%s) is\n%q\nnot\n%q", w.ID, w.Odd, oneSpace(c.Body), oneSpace(w.Body))
		}
		const most = 1000 // bytes of a subject that are kept
		if oneSpace(c.Subject) == oneSpace(w.Subject) || len(c.Subject) > most-utf8.UTFMax && strings.HasPrefix(oneSpace(w.Subject), oneSpace(c.Subject)) {
			subjects++
		} else {
			show("subject of %d is %q, not %q", w.ID, c.Subject, w.Subject)
		}
		if string(c.Direction) == w.Direction {
			directions++
		} else {
			show("direction of %d is %q, not %q", w.ID, c.Direction, w.Direction)
		}
		if root := strings.Trim(w.ThreadRoot, "<>"); c.Thread == root || strings.HasPrefix(c.Thread, "hash:") && root == "" {
			threads++
		} else {
			show("thread of %d (%s, %q) is %q, not %q", w.ID, w.Odd, c.Subject, c.Thread, root)
		}
		var have, ought []string
		for _, a := range c.Attachments {
			have = append(have, a.Name)
		}
		for _, a := range w.Attachments {
			ought = append(ought, a.Name)
		}
		if slices.Equal(have, ought) {
			names++
		} else {
			show("attachments of %d are %q, not %q", w.ID, have, ought)
		}
	}
	for k, w := range want {
		show("missing contact %s: letter %d %s %s", k, w.ID, w.Reason, w.Odd)
	}
	percent := func(n int) float64 { return 100 * float64(n) / float64(expected) }
	t.Logf("contacts: %d expected, %d missing, %d surplus; text %.2f %%, subject %.2f %%, direction %.2f %%, thread %.2f %%, attachments' names %.2f %%",
		expected, len(want), surplus, percent(bodies), percent(subjects), percent(directions), percent(threads), percent(names))
	if len(want) > 0 || surplus > 0 {
		t.Errorf("%d contacts are missing, %d surplus", len(want), surplus)
	}
	if percent(bodies) < 99 {
		t.Errorf("the text of %.2f %% agrees, 99 %% wanted", percent(bodies))
	}
	if directions != expected || subjects != expected || threads != expected || names != expected {
		t.Errorf("of %d contacts %d have the direction, %d the subject, %d the thread, %d the attachments", expected, directions, subjects, threads, names)
	}
}

// oneSpace collapses white space: wrapping and format=flowed differ.
func oneSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestDovecot_Follow: news in INBOX and Sent, over STARTTLS, with the names
// and the special use that a real server gives.
func TestDovecot_Follow(t *testing.T) {
	d := mailtest.StartDovecot(t)
	st := newStore(t)
	cfg := dovecotConfig(d, "anna")
	cfg.Addr, cfg.TLS, cfg.Manager = d.Addr, StartTLS, "anna"
	if err := CheckLogin(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{cfg}, Options{Log: quiet(t)}).Run(ctx) }()
	put := func(n int, dir, from, to string) {
		name := filepath.Join(d.MailDir("anna"), dir, "new", fmt.Sprintf("%d.M%dP1.test", letterDay.Unix()+int64(n), n))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(plainLetter(n, from, to, fmt.Sprintf("s%d", n), "text")), 0o644); err != nil {
			t.Fatal(err)
		}
		d.Own(t)
	}
	eventually(t, "the first pass", func() bool {
		states, err := st.MailboxStates(context.WithoutCancel(ctx))
		return err == nil && len(states) == 1 && !states[0].LastSuccess.IsZero()
	})
	put(1, "", bob, anna)
	eventually(t, "a letter in INBOX", func() bool { return subjects(t, st) == "s1" })
	put(2, ".Sent", anna, bob)
	eventually(t, "a letter in Sent", func() bool { return subjects(t, st) == "s1,s2" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDovecot_Notify: of folders that have no connection of their own a server
// with NOTIFY tells, whatever their names.
func TestDovecot_Notify(t *testing.T) {
	d := mailtest.StartDovecot(t)
	st := newStore(t)
	p := newProxy(t, d.Addr, func(_ int, line string) (string, bool) { return line, false })
	cfg := boxConfig(p.Addr, "anna")
	cfg.Manager, cfg.Folders = "anna", []string{"INBOX", "a", "b", "c", "Отправленные & \"другие\"", "f"}
	other := login(t, boxConfig(d.Addr, "anna"), patience{dial: time.Minute, silence: time.Minute, answer: time.Minute})
	for _, name := range cfg.Folders[1:] {
		if err := other.client.Create(name, nil).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	put := func(folder string) {
		t.Helper()
		n++
		raw := plainLetter(n, bob, anna, fmt.Sprint(n), "text")
		cmd := other.client.Append(folder, int64(len(raw)), nil)
		if _, err := cmd.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range cfg.Folders {
		put(name)
	}
	opt := testOptions(t)
	opt.Silence, opt.Poll = time.Minute, time.Hour // nothing is asked for meanwhile
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{cfg}, opt).Run(ctx) }()
	eventually(t, "the first pass, and a connection for each of four folders and one for the others", func() bool {
		return len(contacts(t, st)) == n && p.connections() == 5
	})
	for _, name := range []string{"f", cfg.Folders[4], "INBOX", cfg.Folders[4]} {
		put(name)
		eventually(t, fmt.Sprintf("letter %d in %q", n, name), func() bool { return len(contacts(t, st)) == n })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkFirstPass reads one INBOX of 5,000 letters (INTOUCH_LETTERS) from
// Dovecot over TLS, decides, parses and files it in SQLite.
func BenchmarkFirstPass(b *testing.B) {
	n := "5000"
	if s := os.Getenv("INTOUCH_LETTERS"); s != "" {
		n = s
	}
	d := mailtest.StartDovecot(b)
	mailtest.Mailgen(b, d.Mail, "-n", n, "-seed", "1")
	if err := os.Mkdir(filepath.Join(d.Mail, "bench"), 0o755); err != nil {
		b.Fatal(err)
	}
	for _, sub := range []string{"cur", "new", "tmp"} { // one account: cur, new and tmp lie directly in the output
		if err := os.MkdirAll(d.MailDir("bench"), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(filepath.Join(d.Mail, "Maildir", sub), filepath.Join(d.MailDir("bench"), sub)); err != nil {
			b.Fatal(err)
		}
	}
	d.Own(b)
	letters := 0
	for range b.N {
		b.StopTimer()
		st := emptyStore(b)
		importPeople(b, d.Mail, st)
		sy := New(st, []Config{dovecotConfig(d, "bench")}, Options{Log: slog.New(slog.DiscardHandler)})
		b.StartTimer()
		counts, err := sy.Pass(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		letters += counts[0].Seen
	}
	b.ReportMetric(float64(letters)/b.Elapsed().Seconds(), "letters/s")
}
