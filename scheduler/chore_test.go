package scheduler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// TestScheduler_Books: once a slot, also after a restart; runs that found
// nothing do not fill the ledger; who asks by hand always gets one.
func TestScheduler_Books(t *testing.T) {
	for engine, open := range map[string]func(testing.TB, store.Options) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			c := morningClock()
			testBooks(t, c, open(t, store.Options{Render: blank, Now: c.now}))
		})
	}
}

func testBooks(t *testing.T, c *clock, st *store.Store) {
	asked, said, failure := 0, "", error(nil)
	fresh := func() *Scheduler {
		s, err := New(st, Options{TimeZone: "Europe/Moscow", PublicURL: "http://127.0.0.1", Log: logTo(t),
			Books: func(context.Context) (string, error) {
				asked++
				return said, failure
			}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := fresh()
	ledger := func(step string, times int, want string) {
		t.Helper()
		runs, err := st.Runs(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range runs {
			got += fmt.Sprintf("%s %s %q; ", r.Slot, r.Outcome, r.Detail)
		}
		if got != want || asked != times {
			t.Errorf("%s: asked %d times, want %d; ledger\n%s, want\n%s", step, asked, times, got, want)
		}
	}
	s.tick(t.Context(), s.jobs["addressbooks"])
	s.tick(t.Context(), s.jobs["addressbooks"])
	restarted := fresh()
	restarted.tick(t.Context(), restarted.jobs["addressbooks"])
	ledger("the first slot", 1, `2026-11-23T08:00 empty ""; `)
	c.add(15 * time.Minute)
	s.tick(t.Context(), s.jobs["addressbooks"])
	ledger("nothing again", 2, `2026-11-23T08:15 empty ""; `)
	c.add(15 * time.Minute)
	said = "office: 1 new"
	s.tick(t.Context(), s.jobs["addressbooks"])
	c.add(15 * time.Minute)
	said, failure = "office: 1 changed", errors.New("home: the server does not answer")
	s.tick(t.Context(), s.jobs["addressbooks"])
	ledger("something", 4, `2026-11-23T08:45 failed "office: 1 changed; home: the server does not answer"; 2026-11-23T08:30 done "office: 1 new"; `)
	c.add(time.Second)
	said, failure = "", nil
	if report, err := s.RunJob(t.Context(), "addressbooks", time.Time{}, ""); err != nil || report.Results[0].Outcome != "empty" {
		t.Errorf("by hand: %+v, %v", report, err)
	}
	ledger("by hand", 5, `2026-11-23 empty ""; 2026-11-23T08:45 failed "office: 1 changed; home: the server does not answer"; 2026-11-23T08:30 done "office: 1 new"; `)

	cut, cancel := context.WithCancel(t.Context())
	cancel()
	c.add(15 * time.Minute)
	s.tick(cut, s.jobs["addressbooks"])
	ledger("interrupted", 5, `2026-11-23 empty ""; 2026-11-23T08:45 failed "office: 1 changed; home: the server does not answer"; 2026-11-23T08:30 done "office: 1 new"; `)
}
