package scheduler

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"intouch/mailer"
	"intouch/store"
	"intouch/store/storetest"
)

// boxes are mailboxes that fail or not, tried every five minutes.
type boxes struct {
	t     *testing.T
	c     *clock
	st    *store.Store
	ids   map[string]int64
	cause map[string]error // nil: it is read
}

func newBoxes(t *testing.T, c *clock, st *store.Store, owners map[string]string) *boxes {
	b := &boxes{t: t, c: c, st: st, ids: map[string]int64{}, cause: map[string]error{}}
	for name, owner := range owners {
		m, err := st.SaveMailbox(t.Context(), name, owner)
		if err != nil {
			t.Fatal(err)
		}
		b.ids[name] = m.ID
	}
	return b
}

// pass lets time pass, with a try of each mailbox and a tick every 5 minutes.
func (b *boxes) pass(d time.Duration, tick func()) {
	b.t.Helper()
	for end := b.c.now().Add(d); b.c.now().Before(end); {
		b.c.add(5 * time.Minute)
		for name, id := range b.ids {
			if err := b.st.MailboxOutcome(b.t.Context(), id, b.cause[name]); err != nil {
				b.t.Fatal(err)
			}
		}
		tick()
	}
}

// mails are the recipients and subjects of what was queued since the last
// call, oldest first.
func (b *boxes) mails(seen *int) string {
	b.t.Helper()
	box, err := b.st.Outbox(b.t.Context(), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for i := len(box.Recent) - 1 - *seen; i >= 0; i-- {
		out = append(out, box.Recent[i].To+": "+box.Recent[i].Subject)
	}
	*seen = len(box.Recent)
	return strings.Join(out, "\n")
}

func TestAlerts(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "boris", Role: "head"}); err != nil {
			t.Fatal(err)
		}
		b := newBoxes(t, c, st, map[string]string{"anna": "anna", "info": "", "mute": "mute"})
		one, two := newScheduler(t, st, nil), newScheduler(t, st, nil) // two daemons
		tick := func() { one.tick(t.Context(), one.jobs[alertsJob]); two.tick(t.Context(), two.jobs[alertsJob]) }
		seen := 0
		wants := func(what, want string) {
			t.Helper()
			if got := b.mails(&seen); got != want {
				t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
			}
		}
		b.pass(time.Hour, tick)
		wants("all well", "")
		b.cause["anna"] = errors.New("login: imap: NO [AUTHENTICATIONFAILED] wrong password")
		b.pass(time.Hour, tick) // the first failure is five minutes from now
		wants("not yet an hour", "")
		b.pass(10*time.Minute, tick)
		// The manager in Russian and her zone, the head in English and his.
		wants("after an hour", "boris@vector.test: Intouch: mailbox “anna” cannot be read since 23 November, 06:05\nanna@vector.test: Intouch: ящик «anna» не читается с 23 ноября, 09:05")
		b.pass(23*time.Hour, tick)
		wants("the same day", "")
		b.cause["info"], b.cause["mute"] = errors.New("connect: refused"), errors.New("token: no login is stored")
		b.pass(66*time.Minute, tick)
		wants("a day later", "boris@vector.test: Intouch: mailbox “anna” cannot be read since 23 November, 06:05\nanna@vector.test: Intouch: ящик «anna» не читается с 23 ноября, 09:05\nboris@vector.test: Intouch: 2 mailboxes cannot be read")
		// A moment in which it works does not bring another mail that day.
		b.cause["anna"] = nil
		b.pass(10*time.Minute, tick)
		b.cause["anna"] = errors.New("again")
		b.pass(2*time.Hour, tick)
		wants("flapping", "boris@vector.test: Intouch: Mailbox “anna” is read again\nanna@vector.test: Intouch: Ящик «anna» снова читается")
		clear(b.cause)
		b.pass(50*time.Hour, tick)
		// What could not be told is not told to be over.
		wants("all well again", "boris@vector.test: Intouch: 2 problems are over")

		runs, err := st.Runs(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, r := range runs {
			if r.Outcome == "failed" && r.Detail == "the manager has no e-mail address" && r.Slot == "2026-11-24 mailbox mute" {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("the ledger says %d times that one could not be told", failed)
		}
	})
}

// Who was told that it is over hears on the next day that it is not, though not
// before, and then that it is over.
func TestAlerts_ComesAndGoes(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	b := newBoxes(t, c, st, map[string]string{"anna": "anna"})
	s := newScheduler(t, st, nil)
	seen := 0
	pass := func(d time.Duration, cause error, want string) {
		t.Helper()
		b.cause["anna"] = cause
		b.pass(d, func() { s.tick(t.Context(), s.jobs[alertsJob]) })
		if got := b.mails(&seen); got != want {
			t.Errorf("at %v told %q, want %q", c.now(), got, want)
		}
	}
	const fails, reads = "anna@vector.test: Intouch: ящик «anna» не читается с ", "anna@vector.test: Intouch: Ящик «anna» снова читается"
	down := errors.New("connect: refused")
	pass(2*time.Hour, down, fails+"23 ноября, 08:05") // since 8:05 in Moscow
	pass(time.Hour, nil, reads)
	pass(12*time.Hour, down, "")                      // until 23:00
	pass(3*time.Hour, down, fails+"23 ноября, 11:05") // at midnight, not at 9:05
	pass(time.Hour, nil, reads)
	pass(3*time.Hour, nil, "")
}

// The administrator of the settings is told instead of the heads, as a manager
// where the address is one's.
func TestAlerts_Admin(t *testing.T) {
	for admin, want := range map[string]string{
		"Root@vector.test":  "anna@vector.test: Intouch: ящик «anna» не читается с 23 ноября, 08:05\nRoot@vector.test: Intouch: 2 mailboxes cannot be read",
		"boris@vector.test": "boris@vector.test: Intouch: 2 mailboxes cannot be read\nanna@vector.test: Intouch: ящик «anna» не читается с 23 ноября, 08:05",
		"anna@vector.test":  "anna@vector.test: Intouch: 2 ящика не читаются",
		"":                  "boris@vector.test: Intouch: 2 mailboxes cannot be read\nanna@vector.test: Intouch: ящик «anna» не читается с 23 ноября, 08:05",
	} {
		c := morningClock()
		st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
		house(t, st)
		if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "boris", Role: "head"}); err != nil {
			t.Fatal(err)
		}
		b := newBoxes(t, c, st, map[string]string{"anna": "anna", "info": ""})
		b.cause["anna"], b.cause["info"] = errors.New("x"), errors.New("y")
		s := newScheduler(t, st, nil)
		s.opt.Admin, s.opt.Language, s.opt.TimeZone = admin, store.English, "Asia/Yekaterinburg"
		seen := 0
		b.pass(70*time.Minute, func() { s.tick(t.Context(), s.jobs[alertsJob]) })
		if got := b.mails(&seen); got != want {
			t.Errorf("admin %q:\n%s\nwant\n%s", admin, got, want)
		}
	}
}

func TestAlerts_ByHand(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	b := newBoxes(t, c, st, map[string]string{"anna": "anna", "boris": "boris"})
	b.cause["anna"], b.cause["boris"] = errors.New("x"), errors.New("x")
	s := newScheduler(t, st, nil)
	if r, err := s.RunJob(t.Context(), "alerts", time.Time{}, ""); err != nil || r.String() != "empty" {
		t.Error(r, err)
	}
	b.pass(70*time.Minute, func() {})
	if r, err := s.RunJob(t.Context(), "alerts", time.Time{}, "anna"); err != nil || r.String() != "anna 2026-11-23 mailbox anna queued anna@vector.test" {
		t.Error(r, err)
	}
	if r, err := s.RunJob(t.Context(), "alerts", time.Time{}, ""); err != nil || r.String() != "boris 2026-11-23 mailbox boris queued boris@vector.test" {
		t.Error(r, err)
	}
	if r, err := s.RunJob(t.Context(), "alerts", time.Time{}, ""); err != nil || r.String() != "empty" {
		t.Error(r, err)
	}
}

func TestAlert_Golden(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 12, 0, 0, time.UTC) }
	box := func(name, cause string, oauth bool, last time.Time) problem {
		return problem{kind: failingMailbox, name: name, since: at(22, 20), cause: cause,
			box: &store.FailingMailbox{MailboxState: store.MailboxState{LastSuccess: last}, OAuth: oauth}}
	}
	evil := "<script>alert(1)</script>\r\n" + strings.Repeat("long ", 300)
	for _, lang := range []store.Language{store.Russian, store.English} {
		for name, news := range map[string]alert{
			"alert": {Problems: []problem{
				box("anna", `token: renew the token: the provider says invalid_grant: Token has been revoked.; run "intouchd mailbox login anna"`, true, at(22, 19))}},
			"alerts": {Problems: []problem{
				box("anna", "login: imap: NO [AUTHENTICATIONFAILED] Invalid credentials", false, at(22, 19)),
				box("boris", "login: imap: NO (token refused: 401)", true, time.Time{}),
				box("evil \u202e\r\nBcc: x@y.test", evil, false, time.Time{})}},
			"problems": {Problems: []problem{
				box("anna", "connect: refused", false, at(22, 19)),
				{kind: stuckOutbox, since: at(22, 21), count: 12, cause: "connect: dial tcp: i/o timeout"},
				{kind: refusedMail, name: "gone@vector.test", since: at(22, 22), subject: "Сводка \u202e\r\nBcc: x@y.test", cause: evil},
				{kind: fullDisk, since: at(23, 6), free: 700 << 20},
				{kind: failedBackup, since: at(23, 1), cause: "no space left on device"}},
				Over: []problem{{kind: failingMailbox, name: "info", since: at(22, 9)}}},
			"over": {Over: []problem{{kind: stuckOutbox, since: at(22, 9)}}},
		} {
			news.Reader, news.At = store.Manager{Login: "anna", TimeZone: "Europe/Moscow", Language: lang}, at(23, 6)
			p := news.page("https://crm.vector.test")
			html, err := p.html()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+"."+string(lang)+".txt", "Subject: "+p.Subject+"\n\n"+p.text())
			golden(t, name+"."+string(lang)+".html", html)
			for _, bad := range []string{"<script>alert", "\u202e", "ZgotmplZ", "\r"} {
				if strings.Contains(html, bad) {
					t.Errorf("%s: the page has %q", name, bad)
				}
			}
		}
	}
}

// Each kind of trouble is told the administrator once a day, and once that it
// is over.
func TestAlerts_Kinds(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		p := newPost()
		addr, stop := p.start(t, "127.0.0.1:0")
		stop() // the server is away
		s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
		s.opt.Admin, s.opt.Language = "root@vector.test", store.English
		seen := map[int64]bool{}
		wants := func(what, want string) {
			t.Helper()
			if _, err := s.RunJob(t.Context(), "alerts", time.Time{}, ""); err != nil {
				t.Error(err)
			}
			mails, err := st.OutboxMails(t.Context(), "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range mails {
				if strings.HasPrefix(m.Key, "alerts/") && !seen[m.ID] {
					seen[m.ID] = true
					got = append(got, m.To+": "+m.Subject)
				}
			}
			if got := strings.Join(got, "\n"); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		deliver := func() { s.RunJob(t.Context(), "outbox", time.Time{}, "") }
		backup := func(outcome string) {
			if err := st.RecordRun(t.Context(), store.Run{Job: "backups", Slot: c.now().Format(time.RFC3339), Started: c.now(), Outcome: outcome, Detail: "no space"}); err != nil {
				t.Fatal(err)
			}
		}

		wants("nothing is wrong", "")
		enqueue(t, st, "anna@vector.test")
		enqueue(t, st, "gone@vector.test")
		deliver()
		wants("just written", "")
		c.add(time.Hour + time.Minute)
		deliver()
		wants("an hour later", "root@vector.test: Intouch: Outgoing mail is stuck: 2 letters waiting")
		c.add(10 * time.Hour)
		wants("the same day", "")
		c.add(14 * time.Hour)
		wants("the next day", "root@vector.test: Intouch: Outgoing mail is stuck: 3 letters waiting")
		_, stop = p.start(t, addr)
		defer stop()
		c.add(3 * time.Hour)
		deliver()
		wants("the server is back, and refuses one", "root@vector.test: Intouch: Mail to gone@vector.test was not delivered")
		c.add(time.Minute)
		wants("and no more", "")
		if p.taken["root@vector.test"] != 2 {
			t.Errorf("the administrator got %d mails", p.taken["root@vector.test"])
		}
		backup("failed")
		wants("a backup failed", "root@vector.test: Intouch: The backup failed")
		c.add(time.Hour)
		backup("done")
		wants("a backup was made", "root@vector.test: Intouch: The backup was made again")
		wants("said once", "")
	})
}

// Who sent what was refused is told too, once, and nobody else who could not do
// anything about it.
func TestAlerts_Sender(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "maria", Role: "manager", Emails: []string{"maria@vector.test"}}); err != nil {
		t.Fatal(err)
	}
	anna, err := st.ManagerByLogin(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	p := newPost()
	addr, stop := p.start(t, "127.0.0.1:0")
	defer stop()
	s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
	s.opt.Admin, s.opt.Language = "root@vector.test", store.English
	run := func(job string) {
		t.Helper()
		if _, err := s.RunJob(t.Context(), job, time.Time{}, ""); err != nil {
			t.Fatal(err)
		}
	}
	boris, err := st.ManagerByLogin(t.Context(), "boris")
	if err != nil {
		t.Fatal(err)
	}
	for i, who := range []store.Manager{anna, boris} { // Boris's is the newer one
		key := fmt.Sprint("x", i)
		if err := st.RecordRun(t.Context(), store.Run{Job: "reports", OwnerID: who.ID, Slot: key, Started: st.Now(), Outcome: "queued"},
			store.Mail{Key: key, MessageID: "<" + key + "@vector.test>", From: "intouch@vector.test", To: "gone@vector.test", Subject: "report of " + who.Login, Bytes: []byte("Subject: report\r\n\r\nx\r\n")}); err != nil {
			t.Fatal(err)
		}
	}
	run("outbox")
	for range 2 {
		run("alerts")
		c.add(time.Minute)
	}
	told, err := st.ClaimMails(t.Context(), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range told {
		for _, who := range []store.Manager{anna, boris} {
			if got, want := bytes.Contains(m.Bytes, []byte("report of "+who.Login)), strings.HasPrefix(m.To, who.Login+"@"); got != want {
				t.Errorf("the subject of %s is read by %s: %v\n%s", who.Login, m.To, got, m.Bytes)
			}
		}
	}
	run("outbox")
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := map[string]int{"root@vector.test": 1, "anna@vector.test": 1, "boris@vector.test": 1}; !maps.Equal(p.taken, want) {
		t.Errorf("told %v, want %v", p.taken, want)
	}
}
