package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// TestEntryCache: while four read the same entries again and again, what is
// read after a write is what the write answered, and what was deleted is gone;
// so it is for a second process on the same database.
func TestEntryCache(t *testing.T) {
	each(t, func(h *house) {
		t := h.t
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		col := h.collection(h.anna, "current")
		const entries = 12
		var names []string
		for i := range entries {
			names = append(names, fmt.Sprintf("u%02d.ics", i))
		}
		start := h.clock.t.Add(24 * time.Hour).Truncate(time.Second)
		put := func(name string, version int) string {
			w := &store.CalendarWrite{Bytes: fmt.Append(nil, "BEGIN", version), UID: name, Component: store.VEvent, Title: fmt.Sprint(name, " ", version),
				When: store.Span{Start: start, End: start.Add(time.Hour)}}
			res, err := h.PutEntry(ctx, actor, col.ID, name, store.Condition{}, w)
			if err != nil {
				t.Fatal(err)
			}
			return res.Entry.ETag
		}
		want := map[string]string{}
		read := func() (map[string]string, error) {
			got := map[string]string{}
			err := h.EntriesNamed(ctx, col.ID, names, store.EntryBytes, func(e *store.Entry) error {
				if len(e.Bytes) == 0 {
					return errors.New("an entry without bytes")
				}
				got[e.Name] = e.ETag
				return nil
			})
			return got, err
		}
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := read(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		defer readers.Wait()
		defer close(stop)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 150 {
			name := names[r.IntN(entries)]
			if _, there := want[name]; there && r.IntN(4) == 0 {
				if err := h.DeleteEntry(ctx, actor, col.ID, name, store.Condition{}); err != nil {
					t.Fatal(err)
				}
				delete(want, name)
			} else {
				want[name] = put(name, i)
			}
			got, err := read()
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if got[n] != want[n] {
					t.Fatalf("write %d: %s is read as %q, and was written as %q", i, n, got[n], want[n])
				}
			}
			e, err := h.Entry(ctx, col.ID, name)
			if _, there := want[name]; there != (err == nil) || e.ETag != want[name] {
				t.Fatalf("write %d: %s by itself is %q (%v), want %q", i, name, e.ETag, err, want[name])
			}
		}
	})
}
