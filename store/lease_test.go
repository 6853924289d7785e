package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// Mailboxes are shared out among the daemons that are alive, evenly; what one
// held that is gone is taken over, and its late writes are refused.
func TestStore_HoldMailboxes(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		var names []string
		for i := range 7 {
			names = append(names, fmt.Sprintf("box%d", i))
		}
		hold := func(daemon string) map[string]store.Lease {
			t.Helper()
			held, err := st.HoldMailboxes(t.Context(), daemon, names)
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]store.Lease{}
			for _, l := range held {
				out[l.Mailbox] = l
			}
			return out
		}
		file := func(ctx context.Context) error {
			box, err := st.SaveMailbox(ctx, "box0", "")
			if err != nil {
				t.Fatal(err)
			}
			return st.MailboxOutcome(ctx, box.ID, nil)
		}
		a := hold("a")
		if len(a) != 7 {
			t.Fatalf("one daemon holds %d of 7", len(a))
		}
		if b := hold("b"); len(b) != 0 {
			t.Errorf("the second took %d that the first holds", len(b))
		}
		if a = hold("a"); len(a) != 4 || a["box0"].Token != 1 {
			t.Errorf("the first keeps %v", a)
		}
		if b := hold("b"); len(b) != 3 {
			t.Errorf("the second gets %d", len(b))
		}
		now = now.Add(store.LeaseLife / 2)
		hold("b")
		mine := store.WithLease(t.Context(), a["box0"])
		if err := file(mine); err != nil {
			t.Error(err)
		}

		// The first is stopped for a while.
		now = now.Add(store.LeaseLife/2 + 2*time.Second)
		b := hold("b")
		if len(b) != 7 || b["box0"].Token != 2 {
			t.Errorf("of a dead daemon's the other has %v", b)
		}
		if err := file(mine); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a late write: %v", err)
		}
		if _, err := st.OpenFolder(mine, 1, "INBOX", 1); !errors.Is(err, store.ErrFenced) {
			t.Errorf("a late write: %v", err)
		}
		if err := file(store.WithLease(t.Context(), b["box0"])); err != nil {
			t.Error(err)
		}
		if err := file(t.Context()); err != nil { // a command that runs once
			t.Error(err)
		}

		// It comes back, and then leaves as it should.
		if a = hold("a"); len(a) != 0 {
			t.Errorf("back: %v", a)
		}
		hold("b")
		if a = hold("a"); len(a) != 3 {
			t.Errorf("back, then: %v", a)
		}
		if err := st.LeaveMailboxes(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if a = hold("a"); len(a) != 7 {
			t.Errorf("after the other left: %d", len(a))
		}
	})
}

// Daemons whose settings name different mailboxes leave none alone: each set of
// mailboxes is shared out among those that have it.
func TestStore_HoldMailboxes_differentSettings(t *testing.T) {
	storetest.Each(t, store.Options{}, func(t *testing.T, st *store.Store) {
		names := func(from, to int) (out []string) {
			for i := from; i < to; i++ {
				out = append(out, fmt.Sprintf("box%02d", i))
			}
			return out
		}
		settings := map[string][]string{"a": names(0, 10), "b": names(0, 20), "c": names(15, 30), "d": names(40, 45)}
		held := map[string][]store.Lease{}
		for range 4 {
			for daemon, boxes := range settings {
				var err error
				if held[daemon], err = st.HoldMailboxes(t.Context(), daemon, boxes); err != nil {
					t.Fatal(err)
				}
			}
		}
		owners := map[string]string{}
		for daemon, leases := range held {
			for _, l := range leases {
				if other := owners[l.Mailbox]; other != "" {
					t.Errorf("%s is held by %s and %s", l.Mailbox, other, daemon)
				}
				owners[l.Mailbox] = daemon
			}
		}
		if len(owners) != 35 {
			t.Errorf("%d of 35 mailboxes are followed", len(owners))
		}
		// 0-9 by a and b, 10-14 by b, 15-19 by b and c, 20-29 by c, 40-44 by d.
		if a, b, c, d := len(held["a"]), len(held["b"]), len(held["c"]), len(held["d"]); a != 5 || d != 5 || b < 12 || b > 13 || b+c != 25 {
			t.Errorf("shares: %d, %d, %d, %d", a, b, c, d)
		}
		// One of them is restarted with other settings.
		if err := st.LeaveMailboxes(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		b, err := st.HoldMailboxes(t.Context(), "b", settings["b"])
		if err != nil || len(b) != 15 {
			t.Errorf("after the other left, b holds %d: %v", len(b), err)
		}
	})
}

// A daemon whose host's clock is an hour ahead, or jumps there, takes nothing
// from another that is alive, and works by the database's time.
func TestStore_HoldMailboxes_wrongClock(t *testing.T) {
	url := storetest.PostgresURL(t)
	open := func() *store.Store {
		st, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	right, wrong := open(), open()
	names := []string{"one", "two", "three", "four"}
	hold := func(st *store.Store, daemon string) int {
		t.Helper()
		held, err := st.HoldMailboxes(t.Context(), daemon, names)
		if err != nil {
			t.Fatal(err)
		}
		return len(held)
	}
	if n := hold(right, "right"); n != 4 {
		t.Fatalf("the first holds %d of 4", n)
	}
	for _, off := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour} {
		wrong.SetHostClock(func() time.Duration { return off })
		if n := hold(wrong, "wrong"); n > 2 {
			t.Errorf("%v off: it holds %d of 4", off, n)
		}
		if d := time.Since(wrong.Now()).Abs(); d > 5*time.Second {
			t.Errorf("%v off: its time is wrong by %v", off, d)
		}
		if n := hold(right, "right"); n != 2 {
			t.Errorf("%v off: the other keeps %d of 4", off, n)
		}
		if n := hold(wrong, "wrong"); n != 2 {
			t.Errorf("%v off: it gets %d of 4", off, n)
		}
	}
	// Any write looks at the clock when the last look is long ago.
	wrong.SetHostClock(func() time.Duration { return 48 * time.Hour })
	if _, err := wrong.SaveMailbox(t.Context(), "one", ""); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(wrong.Now()).Abs(); d > 5*time.Second {
		t.Errorf("after a write its time is wrong by %v", d)
	}
}

// Whatever somebody did to the leases by hand, or a clock that was ahead, a
// daemon that is alive soon has its mailboxes again, under a token that fences
// what was begun under the old one.
func TestStore_HoldMailboxes_broken(t *testing.T) {
	var now time.Time
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
		// hold lets the daemon say for a minute that it is alive.
		hold := func() (held []store.Lease) {
			t.Helper()
			for end := now.Add(2 * store.LeaseLife); now.Before(end); now = now.Add(store.LeaseBeat) {
				var err error
				if held, err = st.HoldMailboxes(t.Context(), "me", []string{"box"}); err != nil {
					t.Fatal(err)
				}
			}
			return held
		}
		far := now.AddDate(10, 0, 0).Unix()
		for _, c := range []struct {
			what    string
			queries []string
			fenced  bool // what was begun before may not be written
		}{
			{"a daemon that nobody knows", []string{`UPDATE mailboxes SET lease_owner = 'nobody'`}, true},
			{"a daemon with a time far ahead", []string{`UPDATE mailboxes SET lease_owner = 'ahead'`,
				fmt.Sprintf(`INSERT INTO daemons (id, until, mailboxes, mailboxes_hash) VALUES ('ahead', %d, '["box"]', 'x')`, far)}, true},
			{"another token", []string{`UPDATE mailboxes SET lease_token = lease_token + 7`}, true},
			{"all daemons deleted", []string{`DELETE FROM daemons`}, false},
			{"the mailbox deleted", []string{`DELETE FROM mailboxes`}, true},
		} {
			before := hold()
			if len(before) != 1 {
				t.Fatalf("before %s: %v", c.what, before)
			}
			if err := st.Exec(t.Context(), c.queries...); err != nil {
				t.Fatal(err)
			}
			if held := hold(); len(held) != 1 {
				t.Errorf("%s: the mailbox is nobody's", c.what)
			}
			box, err := st.SaveMailbox(t.Context(), "box", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := st.MailboxOutcome(store.WithLease(t.Context(), before[0]), box.ID, nil); errors.Is(err, store.ErrFenced) != c.fenced {
				t.Errorf("%s: a write that began before: %v", c.what, err)
			}
		}
	})
}

// A job that a clock that was ahead holds for years is done all the same.
func TestStore_HoldJob_ahead(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		hold := func(want bool) {
			t.Helper()
			if held, err := st.HoldJob(t.Context(), "audit", time.Minute, false); err != nil || held != want {
				t.Errorf("held: %v, %v", held, err)
			}
		}
		right := now
		now = now.AddDate(1, 0, 0)
		hold(true)
		now = right
		hold(true)
		hold(false)
	})
}
