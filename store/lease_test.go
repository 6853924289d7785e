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
