package scheduler

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// ledger is what the store has of runs, oldest first: "job owner slot outcome".
func ledger(t *testing.T, st *store.Store) string {
	t.Helper()
	runs, err := st.Runs(t.Context(), 10000)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i := range runs {
		r := runs[len(runs)-1-i]
		fmt.Fprintln(&out, r.Job, r.OwnerID, r.Slot, r.Outcome)
	}
	return out.String()
}

// A panic for one manager is said and written down; the others get theirs, and
// the one who had it is asked again at the next slot.
func TestScheduler_Panic(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		c.add(4 * time.Hour) // 8 o'clock has come also in London
		s := newScheduler(t, st, nil)
		var said bytes.Buffer
		s.log = slog.New(slog.NewTextHandler(&said, nil))
		p := s.jobs["digest"]
		run, asked := p.run, 0
		p.run = func(s *Scheduler, ctx context.Context, m store.Manager, slot string, at time.Time) (store.Run, error) {
			if m.Login == "anna" {
				asked++
				panic("bad row")
			}
			return run(s, ctx, m, slot, at)
		}
		for range 3 {
			s.tick(t.Context(), p)
			c.add(time.Minute)
		}
		want := "digest 1 2026-11-23T08:00 failed\ndigest 2 2026-11-23T08:00 queued\ndigest 3 2026-11-23T08:00 empty\ndigest 4 2026-11-23T08:00 failed\n"
		if got := ledger(t, st); !sameLines(got, want) {
			t.Errorf("ledger\n%swant\n%s", got, want)
		}
		if asked != 1 || strings.Count(said.String(), "bad row") != 1 {
			t.Errorf("asked %d times; said\n%s", asked, said.String())
		}
		p.run = run
		c.add(24 * time.Hour)
		s.tick(t.Context(), p)
		if got := ledger(t, st); !strings.Contains(got, "digest 1 2026-11-24T08:00 queued") {
			t.Errorf("the next slot:\n%s", got)
		}

		// A job without slots goes on each minute, and the day has one row of it.
		p = s.jobs["statuses"]
		asked = 0
		p.due = func(*Scheduler, context.Context, time.Time, []store.Manager) ([]Result, error) {
			asked++
			panic("bad row")
		}
		for range 3 {
			s.tick(t.Context(), p)
			c.add(time.Minute)
		}
		if got := ledger(t, st); asked != 3 || strings.Count(got, "statuses") != 1 || !strings.Contains(got, "statuses 0 2026-11-24 failed") {
			t.Errorf("asked %d times; ledger\n%s", asked, got)
		}
	})
}

func sameLines(a, b string) bool {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]++
	}
	for line := range strings.Lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// Digests come on working days: not on a holiday, and on a Saturday that is
// worked on.
func TestScheduler_Holidays(t *testing.T) {
	c := &clock{t: time.Date(2025, 10, 31, 6, 0, 0, 0, time.UTC)} // a Friday, 9:00 in Moscow
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank, Holidays: store.HolidaySources{Shipped: store.RussianHolidays()}})
	if _, _, err := st.SaveManager(t.Context(), store.Actor{Origin: store.FromImport}, store.ManagerRow{Login: "anna", Name: "Анна", TimeZone: "Europe/Moscow", Emails: []string{"anna@vector.test"}}); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s, err := New(st, Options{Jobs: map[string]string{"digest": "0 8 * * *"}, PublicURL: "https://crm.vector.test", Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	next := func() (at string) {
		states, err := s.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range states {
			if j.Name == "digest" {
				at = j.Next.UTC().Format("01-02 15:04")
			}
		}
		return at
	}
	for day, want := range map[int]string{0: "11-01 05:00", 2: "11-05 05:00"} {
		was := c.t
		c.add(time.Duration(day) * 24 * time.Hour)
		if got := next(); got != want {
			t.Errorf("after %d days the next is at %s, want %s", day, got, want)
		}
		c.t = was
	}
	for range 8 {
		s.tick(t.Context(), s.jobs["digest"])
		c.add(24 * time.Hour)
	}
	want := ""
	for _, day := range []string{"11-01", "11-05", "11-06", "11-07"} { // not Sunday 2, Monday 3, Tuesday 4
		want += "digest 1 2025-" + day + "T08:00 empty\n"
	}
	if got := ledger(t, st); got != want {
		t.Errorf("ran\n%swant\n%s", got, want)
	}
	if said.Len() > 0 {
		t.Errorf("said %s", said.String())
	}
	c.t = time.Date(2030, 3, 1, 6, 0, 0, 0, time.UTC)
	for range 3 {
		s.tick(t.Context(), s.jobs["digest"])
		c.add(24 * time.Hour)
	}
	if n := strings.Count(said.String(), "no calendar of holidays knows this year"); n != 1 || !strings.Contains(said.String(), "year=2030") {
		t.Errorf("said %d times: %s", n, said.String())
	}
}
