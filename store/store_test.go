package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// clock is the time that a test's store sees.
type clock struct {
	t    time.Time
	tick func() // at each look, where it is set
}

func (c *clock) now() time.Time {
	if c.tick != nil {
		c.tick()
	}
	return c.t
}

// monday is 2026-11-23 10:00 in Moscow.
func monday() time.Time { return time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC) }

// plain renders an entry as text that shows what calendars must follow.
func plain(v *store.EntryView) []byte {
	var b strings.Builder
	it := v.Item
	title := ""
	if it.Contact != nil {
		title = it.Contact.Subject + " v" + fmt.Sprint(v.Version)
		if it.Contact.Hidden {
			title += " hidden"
		}
	} else {
		title = fmt.Sprintf("%s %d/%d %s", it.Event.Kind, it.Event.Covered, it.Event.Amount, it.Event.Day())
	}
	fmt.Fprintf(&b, "%s|%s|%s|%s", v.UID, title, it.State(), it.Status)
	if v.Client != nil {
		fmt.Fprintf(&b, "|%s", v.Client.Name)
		for _, c := range v.Recent {
			fmt.Fprintf(&b, "|%s", c.Subject)
		}
	}
	if v.Overlay != nil {
		fmt.Fprintf(&b, "|overlay %d", len(v.Overlay))
	}
	return []byte(b.String())
}

// house is a store with a head (boris), two managers (anna, ivan) and clients.
type house struct {
	*store.Store
	t                 *testing.T
	clock             *clock
	anna, ivan, boris store.Manager
	clients           map[string]int64
}

var ctx = context.Background()

func each(t *testing.T, fn func(*house)) {
	c := &clock{t: monday()}
	storetest.Each(t, store.Options{Render: plain, Now: c.now}, func(t *testing.T, s *store.Store) {
		c.t = monday()
		h := &house{Store: s, t: t, clock: c}
		h.fill()
		fn(h)
		if !t.Failed() {
			h.sameListed()
		}
	})
}

// sameListed: whatever was done, contact_managers says of a contact what the
// contact does.
func (h *house) sameListed() {
	h.t.Helper()
	n, err := h.Count(ctx, `SELECT COUNT(*) FROM contact_managers cm JOIN contacts c ON c.id = cm.contact_id
		WHERE COALESCE(cm.client_id, 0) <> COALESCE(c.client_id, 0) OR cm.start_at <> c.start_at OR COALESCE(cm.listed, '') <> CASE
			WHEN c.state IN ('planned', 'postponed') THEN 'open' WHEN c.state = 'done' AND c.message_key = '' THEN 'done' ELSE '' END`)
	h.must(err)
	h.same("rows of contact_managers that differ from their contact", n, 0)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) fill() {
	h.t.Helper()
	add := func(row store.ManagerRow) store.Manager {
		m, _, err := h.SaveManager(ctx, store.Actor{}, row)
		h.must(err)
		return m
	}
	h.anna = add(store.ManagerRow{ID: "m1", Login: "anna", Name: "Анна", TimeZone: "Europe/Moscow", Emails: []string{"Anna@Vector.test"}})
	h.ivan = add(store.ManagerRow{ID: "m2", Login: "ivan", Name: "Ivan", TimeZone: "Asia/Vladivostok", Language: "en", Emails: []string{"ivan@vector.test"}})
	h.boris = add(store.ManagerRow{ID: "m3", Login: "boris", Name: "Борис", Role: "head", TimeZone: "Europe/Moscow", Emails: []string{"boris@vector.test"}})
	h.must(h.SetCompany(ctx, []string{"vector.test"}, []string{"spam.test"}))
	h.imports(func(im *store.Import) {
		h.row(im.Source(store.SourceRow{ID: "s1", Name: "Выставка", Cost: store.Money{Minor: 100, Currency: "RUB"}}))
		h.row(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Manager: "anna", Importance: "high", Domains: []string{"romashka.test"}, Source: "s1"}))
		h.row(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy GmbH", Manager: "ivan", Emails: []string{"info@northland.test"}}))
		h.row(im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Ольга", Emails: []string{"olga@romashka.test", "olga@gmail.com"}}))
		h.row(im.Deal(store.DealRow{ID: "d1", Number: "1045", Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: 100_000}, ShipDue: "2026-11-20", PayDue: "2026-11-30"}))
	})
	h.clients = map[string]int64{}
	list, err := h.Clients(ctx, h.boris, "", 10)
	h.must(err)
	for _, c := range list {
		h.clients[c.ExternalID] = c.ID
	}
}

func (h *house) imports(fn func(*store.Import)) {
	h.t.Helper()
	h.must(h.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error { fn(im); return nil }))
}

func (h *house) row(_ store.RowChange, err error) {
	h.t.Helper()
	h.must(err)
}

// shown lists a calendar: "title|state|status…" without the UID, by name.
func (h *house) shown(m store.Manager, slug string) []string {
	h.t.Helper()
	col, err := h.Collection(ctx, m.ID, slug)
	h.must(err)
	var out []string
	h.must(h.Entries(ctx, col.ID, time.Time{}, time.Time{}, store.EntryDetails|store.EntryBytes, nil, func(e *store.Entry) error {
		_, text, _ := strings.Cut(string(e.Bytes), "|")
		out = append(out, text)
		return nil
	}))
	return out
}

func (h *house) expect(what string, got []string, want ...string) {
	h.t.Helper()
	if len(got) != len(want) {
		h.t.Fatalf("%s: got %q, want %q", what, got, want)
	}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || strings.Contains(g, w)
		}
		if !found {
			h.t.Fatalf("%s: got %q, want one with %q", what, got, w)
		}
	}
}

// call plans a call of anna's with client c1.
func (h *house) call(subject string, start time.Time) store.Contact {
	h.t.Helper()
	c, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{
		Kind: store.Call, ClientID: h.clients["c1"], Subject: subject, When: store.Span{Start: start, End: start.Add(30 * time.Minute)}})
	h.must(err)
	return c
}

func TestOpen(t *testing.T) {
	t.Run("ErrAddress", func(t *testing.T) {
		if _, err := store.Open(ctx, store.Options{URL: "mysql://x"}); err == nil {
			t.Fatal("opened mysql")
		}
	})
	t.Run("Again", func(t *testing.T) {
		url := "sqlite:" + t.TempDir() + "/a b.db" // a path with a blank
		for range 2 {
			s, err := store.Open(ctx, store.Options{URL: url, Render: plain})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
	})
	t.Run("SecretNotInError", func(t *testing.T) {
		_, err := store.Open(ctx, store.Options{URL: "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1"})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Fatal(err)
		}
	})
}

func TestManager(t *testing.T) {
	each(t, func(h *house) {
		m, err := h.ManagerByLogin(ctx, "ANNA")
		h.must(err)
		if m.Email() != "anna@vector.test" || m.Language != store.Russian {
			h.t.Errorf("%+v", m)
		}
		_, change, err := h.SaveManager(ctx, store.Actor{}, store.ManagerRow{ID: "m1", Login: "anna", Name: "Анна"})
		if h.must(err); change != store.RowUnchanged {
			h.t.Errorf("the same row again is %s", change)
		}
		var bad *store.Invalid
		for _, row := range []store.ManagerRow{
			{Login: "x", TimeZone: "Mars/Olympus"}, {Login: "x y"}, {Login: "x", Role: "king"}, {Login: "x", Emails: []string{"anna@vector.test"}}, {Login: "x", Emails: []string{"no"}},
		} {
			if _, _, err := h.SaveManager(ctx, store.Actor{}, row); !errors.As(err, &bad) {
				h.t.Errorf("%+v: %v", row, err)
			}
		}
		if _, err := h.ManagerByLogin(ctx, "x"); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("a refused manager was written: %v", err)
		}
		cols, err := h.Collections(ctx, h.boris.ID)
		h.must(err)
		names, orders := []string{}, map[int]bool{}
		for _, c := range cols {
			names = append(names, c.Name)
			orders[c.Order] = true
		}
		if len(orders) != len(cols) {
			h.t.Errorf("%d calendars share %d orders", len(cols), len(orders))
		}
		if got, want := strings.Join(names, ","), "Просрочено,Текущие,Отложено,Сделано,Задачи,Анна,Ivan"; got != want {
			h.t.Errorf("calendars of a head: %s, want %s", got, want)
		}
	})
}

// TestRefusedLogins are in the log: who and from where, never with what, and
// bounded. The settings' comparison is no login.
func TestRefusedLogins(t *testing.T) {
	var log bytes.Buffer
	c := &clock{t: monday()}
	storetest.Each(t, store.Options{Render: plain, Now: c.now, Log: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *store.Store) {
		c.t = monday()
		h := &house{Store: s, t: t, clock: c}
		h.fill()
		log.Reset()
		if fits, err := h.PasswordFits(ctx, h.anna.ID, "battery staple"); fits || err != nil || log.Len() > 0 {
			t.Error(fits, err, log.String())
		}
		for range 100 {
			_, _ = h.CheckLogin(ctx, "anna\nlevel=INFO", "battery staple", "192.0.2.7")
		}
		lines := strings.Count(log.String(), "\n")
		for _, want := range []string{"192.0.2.7", "wrong login or password", "too many failures"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
		if lines == 0 || lines > 30 || strings.Contains(log.String(), "staple") || strings.Contains(log.String(), "\nlevel") {
			t.Errorf("%d lines:\n%s", lines, log.String())
		}
		h.clock.t = h.clock.t.Add(time.Minute)
		if _, err := h.CheckLogin(ctx, strings.Repeat("x", 5000), "y", "192.0.2.8"); err == nil || !strings.Contains(log.String(), "left_out=70") || log.Len() > 20_000 {
			t.Errorf("%v\n%s", err, log.String())
		}
	})
}

func TestLogin(t *testing.T) {
	each(t, func(h *house) {
		login := func(password, from string) error {
			_, err := h.CheckLogin(ctx, "anna", password, from)
			return err
		}
		if err := login("", "10.0.0.1"); !errors.Is(err, store.ErrBadLogin) {
			h.t.Fatalf("without a password set: %v", err)
		}
		if err := h.SetPassword(ctx, h.anna.ID, "short"); err == nil {
			h.t.Error("a short password was taken")
		}
		h.must(h.SetPassword(ctx, h.anna.ID, "correct horse"))
		h.must(login("correct horse", "10.0.0.1"))
		for range 9 { // one failure has been counted above
			if err := login("wrong", "10.0.0.2"); !errors.Is(err, store.ErrBadLogin) {
				h.t.Fatal(err)
			}
		}
		login("wrong", "10.0.0.2")
		if err := login("wrong", "10.0.0.2"); !errors.Is(err, store.ErrTooManyLogins) {
			h.t.Errorf("the eleventh failure: %v", err)
		}
		h.must(login("correct horse", "10.0.0.1")) // the owner is not locked out
		h.clock.t = h.clock.t.Add(time.Hour)
		h.must(login("correct horse", "10.0.0.2")) // the window has passed
		h.must(h.SetPassword(ctx, h.anna.ID, "another one"))
		if err := login("correct horse", "10.0.0.1"); !errors.Is(err, store.ErrBadLogin) {
			h.t.Errorf("the old password after a change: %v", err)
		}
	})
}

func TestContact_Plan(t *testing.T) {
	each(t, func(h *house) {
		h.call("Договор", monday().Add(time.Hour))
		h.expect("current", h.shown(h.anna, "current"), "Договор v1|planned|current|ООО «Ромашка»", "payment 0/100000 2026-11-30")
		h.expect("overdue", h.shown(h.anna, "overdue"), "shipment 0/100000 2026-11-20|planned|overdue")
		h.expect("the head's calendar of anna", h.shown(h.boris, "team-anna"), "Договор", "payment", "shipment")
		h.expect("todo", h.shown(h.anna, "todo"), "Договор", "payment", "shipment")
		h.expect("ivan's", h.shown(h.ivan, "current"))

		var bad *store.Invalid
		_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID}, store.ContactDraft{Kind: "party"})
		if !errors.As(err, &bad) || bad.Field != "kind" {
			h.t.Error(err)
		}
		_, err = h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID}, store.ContactDraft{When: store.Span{Start: monday(), End: monday().Add(-1)}})
		if !errors.As(err, &bad) || bad.Field != "end" {
			h.t.Error(err)
		}
	})
}

func TestContact_Edit(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		c := h.call("Договор", monday().Add(time.Hour))
		done, postponed := store.Done, store.Postponed
		if _, err := h.EditContact(ctx, actor, c.ID, c.Version+1, store.ContactEdit{State: &done}); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("a stale version: %v", err)
		}
		if _, err := h.EditContact(ctx, store.Actor{ManagerID: h.ivan.ID}, c.ID, 0, store.ContactEdit{State: &done}); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("another manager's contact: %v", err)
		}
		c, err := h.EditContact(ctx, actor, c.ID, c.Version, store.ContactEdit{State: &postponed})
		h.must(err)
		h.expect("postponed", h.shown(h.anna, "postponed"), "Договор v2|postponed|postponed")
		c, err = h.EditContact(ctx, actor, c.ID, c.Version, store.ContactEdit{State: &done})
		h.must(err)
		if !c.Completed.Equal(monday()) || !c.PostponedT.IsZero() {
			h.t.Errorf("completed %v, postponed %v", c.Completed, c.PostponedT)
		}
		h.expect("done", h.shown(h.anna, "done"), "Договор v3|done")
		before := c.Version
		c, err = h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{State: &done})
		if h.must(err); c.Version != before {
			h.t.Error("an edit that changes nothing made a version")
		}
		rows, err := h.History(ctx, "contact", c.ID, 10)
		h.must(err)
		verbs := ""
		for _, r := range rows {
			verbs += r.Verb + " "
		}
		if verbs != "done postponed created " || rows[0].Changes["state"] != [2]string{"postponed", "done"} {
			h.t.Errorf("history %q %+v", verbs, rows[0])
		}
	})
}

func TestTurnStatuses(t *testing.T) {
	each(t, func(h *house) {
		h.call("Скоро", monday().Add(10*time.Minute)) // until 10:40 Moscow
		turn := func(at time.Time) {
			h.t.Helper()
			h.clock.t = at
			_, err := h.TurnStatuses(ctx)
			h.must(err)
		}
		turn(monday().Add(39 * time.Minute))
		h.expect("current at 10:39", h.shown(h.anna, "current"), "Скоро", "payment")
		turn(monday().Add(40 * time.Minute))
		h.expect("overdue at 10:40", h.shown(h.anna, "overdue"), "Скоро v1|planned|overdue", "shipment")
		h.expect("current at 10:40", h.shown(h.anna, "current"), "payment")

		// The payment of the 30th is overdue when the day is over in Moscow.
		turn(time.Date(2026, 11, 30, 20, 59, 59, 0, time.UTC))
		h.expect("current on the day", h.shown(h.anna, "current"), "payment")
		turn(time.Date(2026, 11, 30, 21, 0, 0, 0, time.UTC))
		h.expect("current after it", h.shown(h.anna, "current"))
		if n, err := h.TurnStatuses(ctx); err != nil || n != 0 {
			h.t.Errorf("nothing is due: %d, %v", n, err)
		}
	})
}

func TestStatusAt_postponedComesBack(t *testing.T) {
	moscow, _ := time.LoadLocation("Europe/Moscow")
	start := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	when := store.Span{Start: start, End: start.Add(time.Hour)}
	for at, want := range map[string]store.Status{
		"2026-11-24T20:59:59Z": store.StatusPostponed, // 23:59:59 in Moscow
		"2026-11-24T21:00:00Z": store.StatusCurrent,
		"2026-11-25T10:00:00Z": store.StatusOverdue,
	} {
		m, _ := time.Parse(time.RFC3339, at)
		if got := store.StatusAt(store.Postponed, when, monday(), moscow, m); got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	if got := store.StatusAt(store.Postponed, store.Span{Start: monday(), End: monday()}, monday(), moscow, start); got != store.StatusPostponed {
		t.Errorf("postponed to no new day: %s", got)
	}
}

func TestWallTime(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	beirut, _ := time.LoadLocation("Asia/Beirut")
	for _, c := range []struct {
		y       int
		mo      time.Month
		d, h, m int
		loc     *time.Location
		want    string
	}{
		{2026, 3, 29, 2, 30, berlin, "2026-03-29T01:00:00Z"},  // skipped: first moment that exists
		{2026, 10, 25, 2, 30, berlin, "2026-10-25T00:30:00Z"}, // twice: the first
		{2026, 7, 1, 12, 0, berlin, "2026-07-01T10:00:00Z"},
		{2026, 3, 29, 0, 0, beirut, "2026-03-28T22:00:00Z"}, // midnight is skipped
	} {
		if got := store.WallTime(c.y, c.mo, c.d, c.h, c.m, c.loc).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%v %d-%d-%d %d:%d: %s, want %s", c.loc, c.y, c.mo, c.d, c.h, c.m, got, c.want)
		}
	}
}

func TestMoney(t *testing.T) {
	for in, want := range map[string]int64{"1234.56": 123456, "1 234,56": 123456, "1\u00a0234": 123400, "-7": -700, "0,5": 50, "10.500": 1050} {
		if m, err := store.ParseMoney(in, "RUB"); err != nil || m.Minor != want {
			t.Errorf("%q: %d, %v", in, m.Minor, err)
		}
	}
	for _, in := range []string{"", "abc", "1.234", "1e400", "1,2,3", "99999999999999999999"} {
		if m, err := store.ParseMoney(in, "RUB"); err == nil {
			t.Errorf("%q was taken as %d", in, m.Minor)
		}
	}
	m := store.Money{Minor: 123456700, Currency: "RUB"}
	if got := m.Format(store.Russian); got != "1\u00a0234\u00a0567,00\u00a0₽" {
		t.Errorf("%q", got)
	}
	if got := (store.Money{Minor: -123456, Currency: "USD"}).Format(store.English); got != "−$1,234.56" {
		t.Errorf("%q", got)
	}
}
