package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"intouch/store"
)

// write is a PUT of an event tomorrow at 12:00 UTC for an hour.
func write(uid, title string, said store.State) *store.CalendarWrite {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return &store.CalendarWrite{Bytes: []byte("BEGIN:" + title), UID: uid, Component: store.VEvent, Title: title,
		When: store.Span{Start: start, End: start.Add(time.Hour)}, Status: said}
}

func (h *house) collection(m store.Manager, slug string) store.Collection {
	h.t.Helper()
	c, err := h.Collection(ctx, m.ID, slug)
	h.must(err)
	return c
}

// later lets the entries that stay where they were written move on.
func (h *house) later() {
	h.t.Helper()
	h.clock.t = h.clock.t.Add(2 * time.Minute)
	_, err := h.TurnStatuses(ctx)
	h.must(err)
}

func TestPutEntry(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		current, postponed := h.collection(h.anna, "current"), h.collection(h.anna, "postponed")
		w := write("uid-1", "Звонок Ромашка завтра", "")
		w.Kind = store.Call
		res, err := h.PutEntry(ctx, actor, current.ID, "x.ics", store.Condition{IfNoneMatch: true}, w)
		h.must(err)
		if !res.Created || res.Entry.Name != "x.ics" {
			h.t.Fatalf("%+v", res)
		}
		c, err := h.Contact(ctx, h.anna, res.Entry.Key.ID)
		h.must(err)
		if c.ClientName != "ООО «Ромашка»" || c.Kind != store.Call || c.State != store.Planned || c.Minutes != 60 || c.Origin != store.FromCalendar {
			h.t.Errorf("%+v", c)
		}

		// Conditions.
		put := func(col store.Collection, name string, cond store.Condition, w *store.CalendarWrite) (store.PutResult, error) {
			return h.PutEntry(ctx, actor, col.ID, name, cond, w)
		}
		if _, err := put(current, "x.ics", store.Condition{IfNoneMatch: true}, w); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("If-None-Match on what is there: %v", err)
		}
		if _, err := put(current, "x.ics", store.Condition{IfMatch: []string{"old"}}, w); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("a stale If-Match: %v", err)
		}
		if _, err := put(current, "y.ics", store.Condition{IfMatch: []string{"*"}}, w); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("If-Match on nothing: %v", err)
		}
		var conflict *store.UIDConflict
		if _, err := put(current, "y.ics", store.Condition{}, w); !errors.As(err, &conflict) || conflict.Name != "x.ics" {
			h.t.Errorf("the UID under another name: %v", err)
		}
		if _, err := put(current, "x.ics", store.Condition{}, write("uid-2", "Другой", "")); !errors.As(err, &conflict) {
			h.t.Errorf("another UID under the name: %v", err)
		}

		// TENTATIVE postpones; the entry stays where it was written for a moment.
		res, err = put(current, "x.ics", store.Condition{IfMatch: []string{res.Entry.ETag}}, write("uid-1", "Звонок Ромашка завтра", store.Postponed))
		h.must(err)
		h.expect("current, just written", h.shown(h.anna, "current"), "|postponed|postponed", "payment")
		h.later()
		h.expect("current", h.shown(h.anna, "current"), "payment")
		h.expect("postponed", h.shown(h.anna, "postponed"), "Звонок Ромашка завтра v2|postponed|postponed|ООО «Ромашка»|overlay")

		// Moving by PUT there and DELETE here: into Current plans it again.
		res, err = put(current, "x.ics", store.Condition{IfNoneMatch: true}, write("uid-1", "Звонок Ромашка завтра", store.Postponed))
		h.must(err)
		h.expect("postponed", h.shown(h.anna, "postponed"))
		h.expect("current", h.shown(h.anna, "current"), "|planned|current", "payment")
		if err := h.DeleteEntry(ctx, actor, postponed.ID, "x.ics", store.Condition{}); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("the DELETE that follows: %v", err)
		}

		// MOVE is the same verb.
		res, err = h.MoveEntry(ctx, actor, current.ID, "x.ics", postponed.ID, "z.ics", false, store.Condition{})
		h.must(err)
		h.expect("current after MOVE", h.shown(h.anna, "current"), "payment")
		h.expect("postponed after MOVE", h.shown(h.anna, "postponed"), "|postponed|postponed")

		h.must(h.DeleteEntry(ctx, actor, postponed.ID, "z.ics", store.Condition{IfMatch: []string{res.Entry.ETag}}))
		c, err = h.Contact(ctx, h.anna, c.ID)
		if h.must(err); c.State != store.Cancelled {
			h.t.Errorf("deleted in a calendar: %s", c.State)
		}
		// Put again, it comes back.
		_, err = put(current, "x.ics", store.Condition{}, write("uid-1", "Звонок Ромашка завтра", store.Planned))
		h.must(err)
		c, err = h.Contact(ctx, h.anna, c.ID)
		if h.must(err); c.State != store.Planned {
			h.t.Errorf("put again: %s", c.State)
		}
	})
}

func TestPutEntry_dealEvent(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		overdue := h.collection(h.anna, "overdue")
		var entry store.Entry
		h.must(h.Entries(ctx, overdue.ID, time.Time{}, time.Time{}, store.EntryDetails|store.EntryBytes, nil, func(e *store.Entry) error { entry = *e; return nil }))
		uid := string(entry.Bytes[:len(entry.Bytes)])
		uid = uid[:len("00000000000000000000000000000000@intouch")]
		w := write(uid, "Отгрузка", store.Planned)
		w.When = store.Span{AllDay: true, First: "2026-12-01", Last: "2026-12-01", Start: monday(), End: monday()}
		_, err := h.PutEntry(ctx, actor, overdue.ID, entry.Name, store.Condition{IfMatch: []string{entry.ETag}}, w)
		h.must(err)
		h.later()
		h.expect("overdue", h.shown(h.anna, "overdue"))
		h.expect("current", h.shown(h.anna, "current"), "shipment 0/100000 2026-12-01|planned|current", "payment")
		moved, err := h.MovedEvents(ctx, h.anna.ID, monday().Add(-time.Hour))
		h.must(err)
		if len(moved) != 1 || moved[0].Event.Due != "2026-11-20" || !moved[0].Event.Moved() {
			h.t.Errorf("moved: %+v", moved)
		}
		// The accounting system's later change wins.
		h.clock.t = h.clock.t.Add(time.Hour)
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d1", Number: "1045", Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: 100_000}, ShipDue: "2026-12-05", PayDue: "2026-11-30"}))
		})
		h.expect("current", h.shown(h.anna, "current"), "shipment 0/100000 2026-12-05", "payment")
		moved, err = h.MovedEvents(ctx, h.anna.ID, monday().Add(30*time.Minute))
		h.must(err)
		if len(moved) != 1 || moved[0].Event.MovedFrom() != "2026-11-20" || moved[0].Event.Day() != "2026-12-05" {
			h.t.Errorf("moved by the accounting system: %+v", moved)
		}
	})
}

func TestPutEntry_todo(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		todo := h.collection(h.anna, "todo")
		c := h.call("Договор", monday().Add(time.Hour))
		uid, name := "todo-"+c.UID, "todo-"+c.UID[:32]+"_intouch.ics"
		w := &store.CalendarWrite{Bytes: []byte("x"), UID: uid, Component: store.VTodo, Title: "Договор — ООО «Ромашка»", When: c.When, Status: store.Done}
		w.When.Start = w.When.End
		_, err := h.PutEntry(ctx, actor, todo.ID, name, store.Condition{IfMatch: []string{"*"}}, w)
		h.must(err)
		got, err := h.Contact(ctx, h.anna, c.ID)
		h.must(err)
		if got.State != store.Done || got.Subject != "Договор" || got.When != c.When {
			h.t.Errorf("ticked: %+v", got)
		}
		h.expect("todo, just ticked", h.shown(h.anna, "todo"), "done|done", "shipment", "payment")
		w.Status = store.Planned
		_, err = h.PutEntry(ctx, actor, todo.ID, name, store.Condition{}, w)
		h.must(err)
		h.expect("current after unticking", h.shown(h.anna, "current"), "Договор", "payment")
	})
}

func TestChanges(t *testing.T) {
	each(t, func(h *house) {
		col := h.collection(h.anna, "current")
		list := func(since int64) (out []string) {
			h.t.Helper()
			h.must(h.Changes(ctx, col.ID, since, 0, nil, func(c store.Change) error {
				out = append(out, fmt.Sprintf("%v", c.Gone))
				return nil
			}))
			return out
		}
		token := func() int64 { return h.collection(h.anna, "current").Change }
		h.expect("all", list(store.FromStart), "false")
		t0 := token()
		c := h.call("Договор", monday().Add(time.Hour))
		h.expect("one new", list(t0), "false")
		t1 := token()
		h.expect("none", list(t1))
		cancelled := store.Cancelled
		_, err := h.EditContact(ctx, store.Actor{}, c.ID, 0, store.ContactEdit{State: &cancelled})
		h.must(err)
		h.expect("gone", list(t1), "true")
		h.expect("all after it", list(store.FromStart), "false")
		h.expect("all since it was empty", list(0), "false", "true")
		for _, bad := range []int64{store.FromStart - 1, token() + 1} {
			err := h.Changes(ctx, col.ID, bad, 0, nil, func(store.Change) error { return nil })
			if !errors.Is(err, store.ErrStale) {
				h.t.Errorf("token %d: %v", bad, err)
			}
		}
		// Tombstones are forgotten, and with them the old tokens.
		h.clock.t = h.clock.t.AddDate(0, 0, 70)
		_, err = h.TurnStatuses(ctx)
		h.must(err)
		_, err = h.TurnStatuses(ctx)
		h.must(err)
		if err := h.Changes(ctx, col.ID, t1, 0, nil, func(store.Change) error { return nil }); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("an old token: %v", err)
		}
	})
}

func TestEditCollection(t *testing.T) {
	each(t, func(h *house) {
		col := h.collection(h.anna, "current")
		name, color, empty, prop := "Моё", "#112233", "", "<a/>"
		h.must(h.EditCollection(ctx, store.Actor{ManagerID: h.anna.ID}, col.ID, store.CollectionEdit{Name: &name, Color: &color, Props: map[string]*string{"urn:x y": &prop}}))
		got := h.collection(h.anna, "current")
		if got.Name != name || got.Color != color || got.Props["urn:x y"] != prop {
			h.t.Errorf("%+v", got)
		}
		h.must(h.EditCollection(ctx, store.Actor{ManagerID: h.anna.ID}, col.ID, store.CollectionEdit{Name: &empty, Props: map[string]*string{"urn:x y": nil}}))
		got = h.collection(h.anna, "current")
		if got.Name != "Текущие" || len(got.Props) != 0 {
			h.t.Errorf("%+v", got)
		}
		if err := h.EditCollection(ctx, store.Actor{ManagerID: h.ivan.ID}, col.ID, store.CollectionEdit{Name: &name}); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("another manager's calendar: %v", err)
		}
	})
}

// What an entry shows of a client must change its ETag when it changes.
func TestRenew_clientChanges(t *testing.T) {
	each(t, func(h *house) {
		h.call("Договор", monday().Add(time.Hour))
		before := h.collection(h.anna, "current").Change
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Manager: "anna", Importance: "high", Domains: []string{"romashka.test"}}))
		})
		if now := h.collection(h.anna, "current").Change; now != before {
			h.t.Errorf("the same row again changed the calendar: %d → %d", before, now)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c1", Name: "АО «Ромашка»", Manager: "anna", Domains: []string{"romashka.test"}}))
		})
		h.expect("current", h.shown(h.anna, "current"), "Договор v1|planned|current|АО «Ромашка»", "payment")
	})
}

// A client's letter that comes while a manager has the event open changes the
// entry's ETag ("last contacts"), but must not make the edit a conflict.
func TestPutEntry_letterMeanwhile(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		current := h.collection(h.anna, "current")
		res, err := h.PutEntry(ctx, actor, current.ID, "x.ics", store.Condition{}, write("uid-1", "Звонок Ромашка", ""))
		h.must(err)
		seen := res.Entry.ETag
		_, err = h.FileLetters(ctx, h.folder("anna", "anna", 7), store.Batch{Letters: []store.FiledLetter{h.letter(1, "k1")}, Read: store.Cursor{First: 1, Last: 1}})
		h.must(err)
		e, err := h.Entry(ctx, current.ID, "x.ics")
		if h.must(err); e.ETag == seen {
			h.t.Fatal("the entry shows a new letter under the old ETag")
		}
		_, err = h.PutEntry(ctx, actor, current.ID, "x.ics", store.Condition{IfMatch: []string{seen}}, write("uid-1", "Звонок Ромашка, позже", ""))
		h.must(err)
		// The edit itself is one: what was seen before it is stale.
		for _, old := range []string{seen, e.ETag} {
			_, err = h.PutEntry(ctx, actor, current.ID, "x.ics", store.Condition{IfMatch: []string{old}}, write("uid-1", "Третий", ""))
			if !errors.Is(err, store.ErrStale) {
				h.t.Errorf("an ETag of before the edit: %v", err)
			}
		}
	})
}
