package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
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

// Two daemons on one database: each slot is done once, a job of the house by
// one of them alone, and one that died holds up the other for its lease only.
func TestScheduler_TwoDaemons(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		c.add(4 * time.Hour) // 8 o'clock has come also in London
		var asked, running atomic.Int32
		daemons := make([]*Scheduler, 4)
		for i := range daemons {
			s, err := New(st, Options{PublicURL: "https://crm.vector.test", TimeZone: "Europe/Moscow", Log: logTo(t),
				Books: func(context.Context) (string, error) {
					asked.Add(1)
					if running.Add(1) > 1 {
						t.Error("two at once")
					}
					time.Sleep(20 * time.Millisecond)
					running.Add(-1)
					return "1 new", nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			daemons[i] = s
		}
		all := func(job string) {
			var work sync.WaitGroup
			for _, s := range daemons {
				work.Go(func() { s.tick(t.Context(), s.jobs[job]) })
			}
			work.Wait()
		}
		for range 3 {
			all("addressbooks")
			all("digest")
			c.add(15 * time.Minute)
		}
		if asked.Load() != 3 {
			t.Errorf("the address books were read %d times for 3 slots", asked.Load())
		}
		out, err := st.Outbox(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := ledger(t, st); strings.Count(got, "queued") != int(out.Queued) || out.Queued != 2 {
			t.Errorf("%d mails; ledger\n%s", out.Queued, got)
		}

		// A daemon that died within the job.
		if held, err := st.HoldJob(t.Context(), "addressbooks", jobLease, false); !held || err != nil {
			t.Fatal(held, err)
		}
		if _, err := daemons[0].RunJob(t.Context(), "addressbooks", time.Time{}, ""); !errors.Is(err, errRunning) {
			t.Error(err)
		}
		all("addressbooks")
		if asked.Load() != 3 {
			t.Error("it ran while another held it")
		}
		c.add(jobLease)
		all("addressbooks")
		if asked.Load() != 4 {
			t.Errorf("asked %d times: the lease has not ended", asked.Load())
		}
	})
}
