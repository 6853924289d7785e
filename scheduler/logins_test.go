package scheduler

import (
	"errors"
	"strings"
	"testing"
	"time"

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

func TestScheduler_Logins(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "boris", Role: "head"}); err != nil {
			t.Fatal(err)
		}
		b := newBoxes(t, c, st, map[string]string{"anna": "anna", "info": "", "mute": "mute"})
		one, two := newScheduler(t, st, nil), newScheduler(t, st, nil) // two daemons
		tick := func() { one.tick(t.Context(), one.jobs[loginsJob]); two.tick(t.Context(), two.jobs[loginsJob]) }
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
		wants("flapping", "")
		clear(b.cause)
		b.pass(50*time.Hour, tick)
		wants("all well again", "")

		runs, err := st.Runs(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, r := range runs {
			if r.Outcome == "failed" && r.Detail == "the manager has no e-mail address" && r.Slot == "2026-11-24 mute" {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("the ledger says %d times that one could not be told", failed)
		}
	})
}

// The administrator of the settings is told instead of the heads, as a manager
// where the address is one's.
func TestScheduler_Logins_Admin(t *testing.T) {
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
		b.pass(70*time.Minute, func() { s.tick(t.Context(), s.jobs[loginsJob]) })
		if got := b.mails(&seen); got != want {
			t.Errorf("admin %q:\n%s\nwant\n%s", admin, got, want)
		}
	}
}

func TestScheduler_RunJob_Logins(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	b := newBoxes(t, c, st, map[string]string{"anna": "anna", "boris": "boris"})
	b.cause["anna"], b.cause["boris"] = errors.New("x"), errors.New("x")
	s := newScheduler(t, st, nil)
	if r, err := s.RunJob(t.Context(), "logins", time.Time{}, ""); err != nil || r.String() != "empty" {
		t.Error(r, err)
	}
	b.pass(70*time.Minute, func() {})
	if r, err := s.RunJob(t.Context(), "logins", time.Time{}, "anna"); err != nil || r.String() != "anna 2026-11-23 anna queued anna@vector.test" {
		t.Error(r, err)
	}
	if r, err := s.RunJob(t.Context(), "logins", time.Time{}, ""); err != nil || r.String() != "boris 2026-11-23 boris queued boris@vector.test" {
		t.Error(r, err)
	}
	if r, err := s.RunJob(t.Context(), "logins", time.Time{}, ""); err != nil || r.String() != "empty" {
		t.Error(r, err)
	}
}

func TestLoginNews_Golden(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 12, 0, 0, time.UTC) }
	box := func(name, cause string, oauth bool, last time.Time) store.FailingMailbox {
		return store.FailingMailbox{MailboxState: store.MailboxState{Mailbox: store.Mailbox{Name: name}, LastError: cause, ErrorSince: at(22, 20), LastSuccess: last}, OAuth: oauth}
	}
	for _, lang := range []store.Language{store.Russian, store.English} {
		reader := store.Manager{Login: "anna", TimeZone: "Europe/Moscow", Language: lang}
		one := loginNews{Reader: reader, At: at(23, 6), Boxes: []store.FailingMailbox{
			box("anna", `token: renew the token: the provider says invalid_grant: Token has been revoked.; run "intouchd mailbox login anna"`, true, at(22, 19))}}
		many := loginNews{Reader: reader, At: at(23, 6), Boxes: []store.FailingMailbox{
			box("anna", "login: imap: NO [AUTHENTICATIONFAILED] Invalid credentials", false, at(22, 19)),
			box("boris", "login: imap: NO (token refused: 401)", true, time.Time{}),
			box("evil \u202e\r\nBcc: x@y.test", "<script>alert(1)</script>\r\n"+strings.Repeat("long ", 300), false, time.Time{})}}
		for name, news := range map[string]loginNews{"login": one, "logins": many} {
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
