package store_test

import (
	"fmt"
	"maps"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// TestRenewAll: a new version of the program, or a new public address, renders
// every entry once. Only an entry that then looks different gets a new ETag,
// and only its calendar a new change number; a second start does nothing.
func TestRenewAll(t *testing.T) {
	const planned = 510 // more than one batch
	var rendered atomic.Int64
	seal := "" // what a new version shows in meetings
	render := func(v *store.EntryView) []byte {
		rendered.Add(1)
		b := plain(v)
		if v.Item.Contact != nil && v.Item.Contact.Kind == store.Meeting {
			b = append(b, seal...)
		}
		return b
	}
	c := &clock{t: monday()}
	storetest.Each(t, store.Options{Render: render, Now: c.now}, func(t *testing.T, s *store.Store) {
		seal = ""
		h := &house{Store: s, t: t, clock: c}
		h.fill()
		for i := range planned {
			kind := store.Call
			if i == planned-1 {
				kind = store.Meeting
			}
			start := monday().Add(time.Hour)
			_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{
				Kind: kind, ClientID: h.clients["c1"], ManagerID: h.anna.ID, Subject: fmt.Sprint("plan ", i), When: store.Span{Start: start, End: start.Add(time.Hour)}})
			h.must(err)
		}
		// etags by calendar and name, and the change number of each calendar.
		look := func() (etags map[string]string, changes map[string]int64) {
			etags, changes = map[string]string{}, map[string]int64{}
			for _, m := range []store.Manager{h.anna, h.boris} {
				cols, err := h.Collections(ctx, m.ID)
				h.must(err)
				for _, col := range cols {
					at := m.Login + "/" + col.Slug
					changes[at] = col.Change
					h.must(h.Entries(ctx, col.ID, time.Time{}, time.Time{}, store.EntryDetails, nil, func(e *store.Entry) error {
						etags[at+"/"+e.Name] = e.ETag
						return nil
					}))
				}
			}
			return etags, changes
		}
		renew := func(mark string) int64 {
			before := rendered.Load()
			h.must(h.RenewAll(ctx, mark))
			return rendered.Load() - before
		}
		etags, changes := look()
		entries := int64(len(etags))
		if entries < 2*planned {
			t.Fatalf("only %d entries", entries)
		}

		if n := renew("v1 http://a"); n < entries {
			t.Errorf("the first start rendered %d of %d entries", n, entries)
		}
		if n := renew("v1 http://a"); n != 0 {
			t.Errorf("a second start rendered %d entries again", n)
		}
		sameTags, sameChanges := look()
		if !maps.Equal(sameTags, etags) || !maps.Equal(sameChanges, changes) {
			t.Error("what looks the same has another ETag or change number")
		}

		seal = "|sealed"
		n := renew("v2 http://a")
		if n < entries || n >= 2*entries {
			t.Errorf("a new version rendered %d times %d entries", n, entries)
		}
		// The meeting stands in anna's Current and To do, and in the head's
		// calendar of anna: each has one new ETag and one new change number.
		newTags, newChanges := look()
		changed := map[string]int64{}
		for at, etag := range newTags {
			if etags[at] != etag {
				changed[path.Dir(at)]++
			}
		}
		if len(newTags) != len(etags) || len(changed) != 3 {
			t.Errorf("%d entries became %d; new ETags in %v", len(etags), len(newTags), changed)
		}
		for at, number := range newChanges {
			if number-changes[at] != changed[at] || changed[at] > 1 {
				t.Errorf("%s: %d new ETags, the change number grew by %d", at, changed[at], number-changes[at])
			}
		}
		if n := renew("v2 http://a"); n != 0 {
			t.Errorf("the start after it rendered %d entries again", n)
		}
	})
}

// When a payment becomes overdue, the deal's other entries say so at the same
// turn: a call about the deal, planned for later.
func TestTurnStatuses_DebtOfTheDeal(t *testing.T) {
	c := &clock{t: monday()}
	render := func(v *store.EntryView) []byte {
		said := string(plain(v))
		if v.Debt != nil {
			said += fmt.Sprintf("|debt %d overdue %d since %s", v.Debt.Debt, v.Debt.Overdue, v.Debt.Since)
		}
		return []byte(said)
	}
	storetest.Each(t, store.Options{Render: render, Now: c.now}, func(t *testing.T, s *store.Store) {
		c.t = monday()
		h := &house{Store: s, t: t, clock: c}
		h.fill()
		deal, err := h.RecordNamed(ctx, "deal", 0, "d1")
		h.must(err)
		begin := time.Date(2026, 12, 10, 9, 0, 0, 0, time.UTC)
		_, err = h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{Kind: store.Call, State: store.Planned, Importance: store.Normal,
			ClientID: h.clients["c1"], DealID: deal.ID, Subject: "О деле", When: store.Span{Start: begin, End: begin.Add(time.Hour)}})
		h.must(err)
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Number: "1", Date: "2026-11-20", Deal: "d1", Amount: store.Money{Minor: 100_000, Currency: "RUB"}}))
		})
		about := func() string {
			for _, said := range h.shown(h.anna, "current") {
				if _, debt, ok := strings.Cut(said, "|debt "); ok && strings.HasPrefix(said, "О деле") {
					return debt
				}
			}
			return ""
		}
		if got := about(); got != "100000 overdue 0 since " {
			t.Fatalf("before the day: %q", got)
		}
		current, err := h.Collection(ctx, h.anna.ID, "current")
		h.must(err)
		c.t = time.Date(2026, 11, 30, 21, 0, 0, 0, time.UTC) // the 30th is over in Moscow
		_, err = h.TurnStatuses(ctx)
		h.must(err)
		if got := about(); got != "100000 overdue 100000 since 2026-11-30" {
			t.Errorf("after it: %q", got)
		}
		after, err := h.Collection(ctx, h.anna.ID, "current")
		h.must(err)
		if after.Change == current.Change {
			t.Error("the calendar did not change")
		}
	})
}
