package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"intouch/store"
)

func named(name string) store.CollectionEdit { return store.CollectionEdit{Name: &name} }

// filter makes a saved filter of that manager.
func (h *house) filter(m store.Manager, name string, f store.Filter) store.Collection {
	h.t.Helper()
	c, err := h.MakeFilter(ctx, store.Actor{ManagerID: m.ID, Origin: store.FromWeb}, f, named(name))
	h.must(err)
	return c
}

// since lists what a sync report of the calendar says, gone ones with a minus.
func (h *house) since(c store.Collection, change int64) (said []string) {
	h.t.Helper()
	h.must(h.Changes(ctx, c.ID, change, 0, nil, func(ch store.Change) error {
		sign := "+"
		if ch.Gone {
			sign = "-"
		}
		said = append(said, sign+ch.Name)
		return nil
	}))
	return said
}

func TestFilter_FollowsTheRecord(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		c := h.call("Звонок о ценах", h.clock.t.Add(time.Hour))
		vip := h.filter(h.anna, "VIP", store.Filter{Importances: []store.Importance{store.High}, Types: []store.ItemType{store.ContactItem}})
		if vip.Name != "VIP" || vip.Kind != store.FilterCalendar || vip.ReadOnly() || len(vip.Filter.Managers) != 1 {
			h.t.Errorf("%+v", vip)
		}
		none, made := "", vip.Color
		h.must(h.EditCollection(ctx, actor, vip.ID, store.CollectionEdit{Color: &none}))
		if vip = h.collection(h.anna, vip.Slug); vip.Color != made {
			h.t.Errorf("the colour was taken back: %q, made with %q", vip.Color, made)
		}
		h.expect("made after the call", h.shown(h.anna, vip.Slug), "Звонок о ценах")
		h.expect("and still in its status", h.shown(h.anna, "current"), "Звонок о ценах", "payment")

		before := h.collection(h.anna, vip.Slug)
		low := store.Low
		_, err := h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{Importance: &low})
		h.must(err)
		h.expect("of low importance", h.shown(h.anna, vip.Slug))
		if said := h.since(before, before.Change); len(said) != 1 || said[0][0] != '-' {
			h.t.Errorf("sync report: %q", said)
		}
		before = h.collection(h.anna, vip.Slug)
		high := store.High
		_, err = h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{Importance: &high})
		h.must(err)
		if said := h.since(before, before.Change); len(said) != 1 || said[0][0] != '+' {
			h.t.Errorf("sync report: %q", said)
		}

		// Another filter: words of the subject, in any case; nothing of Ivan's.
		before = h.collection(h.anna, vip.Slug)
		h.must(h.EditFilter(ctx, actor, vip.ID, store.Filter{Words: "ДОГОВОР"}, store.CollectionEdit{}))
		h.expect("no such words", h.shown(h.anna, vip.Slug))
		if said := h.since(before, before.Change); len(said) != 1 || said[0][0] != '-' {
			h.t.Errorf("sync report: %q", said)
		}
		h.must(h.EditFilter(ctx, actor, vip.ID, store.Filter{Words: "ЦЕНАХ  ромашка"}, named("Цены")))
		h.expect("the words", h.shown(h.anna, vip.Slug), "Звонок о ценах")
		if got := h.collection(h.anna, vip.Slug).Name; got != "Цены" {
			h.t.Errorf("name %q", got)
		}

		h.must(h.DeleteCalendar(ctx, actor, vip.ID))
		if _, err := h.Collection(ctx, h.anna.ID, vip.Slug); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("after deleting: %v", err)
		}
		h.expect("the contact stays", h.shown(h.anna, "current"), "Звонок о ценах", "payment")
		if err := h.DeleteCalendar(ctx, actor, h.collection(h.anna, "current").ID); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("a calendar that comes with the manager: %v", err)
		}
	})
}

func TestFilter_Head(t *testing.T) {
	each(t, func(h *house) {
		h.call("Звонок о ценах", h.clock.t.Add(time.Hour))
		head := store.Actor{ManagerID: h.boris.ID}
		team := h.filter(h.boris, "All payments", store.Filter{Types: []store.ItemType{store.PaymentItem}})
		if !team.ReadOnly() {
			h.t.Error("a head writes into the team's calendars")
		}
		h.expect("everybody's payments", h.shown(h.boris, team.Slug), "payment")
		h.must(h.EditFilter(ctx, head, team.ID, store.Filter{Managers: []int64{h.anna.ID, h.ivan.ID}, Kinds: []store.Kind{store.Call}, Types: []store.ItemType{store.ContactItem}}, store.CollectionEdit{}))
		h.expect("two managers' calls", h.shown(h.boris, team.Slug), "Звонок о ценах")

		for _, managers := range [][]int64{{h.boris.ID}, {h.anna.ID, h.boris.ID}} {
			if _, err := h.MakeFilter(ctx, store.Actor{ManagerID: h.anna.ID}, store.Filter{Managers: managers}, named("x")); !errors.Is(err, store.ErrForbidden) {
				h.t.Errorf("a manager asks for %v: %v", managers, err)
			}
		}
		// No longer a head: the next tick takes away what others planned.
		_, _, err := h.SaveManager(ctx, store.Actor{}, store.ManagerRow{ID: "m3", Login: "boris", Name: "Борис", Role: "manager", TimeZone: "Europe/Moscow"})
		h.must(err)
		_, err = h.TurnStatuses(ctx)
		h.must(err)
		h.expect("no head any more", h.shown(h.boris, team.Slug))
		h.expect("nor in the calendars of the team", h.shown(h.boris, "team-anna"))
		h.call("Ещё звонок", h.clock.t.Add(2*time.Hour))
		h.expect("not what is planned later either", h.shown(h.boris, "team-anna"))
		_, _, err = h.SaveManager(ctx, store.Actor{}, store.ManagerRow{ID: "m3", Login: "boris", Name: "Борис", Role: "head", TimeZone: "Europe/Moscow"})
		h.must(err)
		_, err = h.TurnStatuses(ctx)
		h.must(err)
		h.expect("a head again", h.shown(h.boris, "team-anna"), "Ещё звонок", "Звонок о ценах", "payment", "shipment")
	})
}

func TestFilter_ClassAndStage(t *testing.T) {
	f := store.Filter{Classes: []string{"A"}, Stages: []string{"regular"}}
	for _, c := range []struct {
		class, stage string
		want         bool
	}{{"A", "regular", true}, {"B", "regular", false}, {"A", "lost", false}, {"", "", false}} {
		it := store.Item{Type: store.ContactItem, Contact: &store.Contact{}, Class: c.class, Stage: c.stage}
		if got := f.Match(&it, store.StatusCurrent, monday()); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// What a calendar program writes into a filter stays there where it can, and
// is in the calendar of its status where it cannot.
func TestFilter_Written(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		vip := h.filter(h.anna, "VIP", store.Filter{Importances: []store.Importance{store.High}, Kinds: []store.Kind{store.Meeting},
			Types: []store.ItemType{store.ContactItem}})
		res, err := h.PutEntry(ctx, actor, vip.ID, "new.ics", store.Condition{IfNoneMatch: true}, write("uid-1", "Обед", ""))
		h.must(err)
		c, err := h.Contact(ctx, h.anna, res.Entry.Key.ID)
		h.must(err)
		if c.Importance != store.High || c.Kind != store.Meeting || c.State != store.Planned {
			h.t.Errorf("%+v", c)
		}
		h.later()
		h.expect("two minutes later", h.shown(h.anna, vip.Slug), "Обед")

		words := h.filter(h.anna, "Words", store.Filter{Words: "договор"})
		_, err = h.PutEntry(ctx, actor, words.ID, "lunch.ics", store.Condition{}, write("uid-2", "Ужин", ""))
		h.must(err)
		h.expect("just written", h.shown(h.anna, words.Slug), "Ужин")
		h.later()
		h.expect("does not say the word", h.shown(h.anna, words.Slug))
		h.expect("is in its status", h.shown(h.anna, "current"), "Обед", "Ужин", "payment")

		// A contact is no payment, so a filter of payments takes none; its
		// payments can be moved in it.
		payments := h.filter(h.anna, "Payments", store.Filter{Types: []store.ItemType{store.PaymentItem}})
		for _, uid := range []string{"uid-2", "uid-3"} {
			if _, err := h.PutEntry(ctx, actor, payments.ID, "x.ics", store.Condition{}, write(uid, "Ужин", "")); !errors.Is(err, store.ErrForbidden) {
				h.t.Errorf("%s among payments: %v", uid, err)
			}
		}
		if _, err := h.MoveEntry(ctx, actor, h.collection(h.anna, "current").ID, "uid-2.ics", payments.ID, "uid-2.ics", true, store.Condition{}); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("moved among payments: %v", err)
		}
		h.expect("only payments", h.shown(h.anna, payments.Slug), "payment")

		// Thunderbird's move: PUT there, DELETE here.
		res, err = h.PutEntry(ctx, actor, vip.ID, "dinner.ics", store.Condition{}, write("uid-2", "Ужин", ""))
		h.must(err)
		current := h.collection(h.anna, "current")
		h.must(h.DeleteEntry(ctx, actor, current.ID, "uid-2.ics", store.Condition{IfMatch: []string{"of before"}}))
		c, err = h.Contact(ctx, h.anna, res.Entry.Key.ID)
		h.must(err)
		if c.State != store.Planned || c.Importance != store.High {
			h.t.Errorf("moved: %+v", c)
		}
		h.expect("the filter", h.shown(h.anna, vip.Slug), "Обед", "Ужин")
		h.expect("and the status", h.shown(h.anna, "current"), "Обед", "Ужин", "payment")
		// Later a delete is a delete.
		h.later()
		h.must(h.DeleteEntry(ctx, actor, vip.ID, "dinner.ics", store.Condition{}))
		h.expect("cancelled", h.shown(h.anna, "current"), "Обед", "payment")

		// MOVE out: the verb of the calendar it goes to.
		postponed := h.collection(h.anna, "postponed")
		_, err = h.MoveEntry(ctx, actor, vip.ID, "new.ics", postponed.ID, "new.ics", true, store.Condition{})
		h.must(err)
		h.expect("postponed", h.shown(h.anna, "postponed"), "Обед")
		h.expect("and still important", h.shown(h.anna, vip.Slug), "Обед")
	})
}

func TestFilter_Bounds(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID}
		var bad *store.Invalid
		for name, f := range map[string]store.Filter{
			"status":  {Statuses: []store.Status{"cancelled"}},
			"kind":    {Kinds: []store.Kind{"telepathy"}},
			"class":   {Classes: []string{"Z"}},
			"words":   {Words: fmt.Sprintf("%0300d", 1)},
			"days":    {DoneDays: 5000},
			"clients": {Clients: numbers(101)},
		} {
			if _, err := h.MakeFilter(ctx, actor, f, named("x")); !errors.As(err, &bad) {
				h.t.Errorf("%s: %v", name, err)
			}
		}
		red := "red"
		for name, e := range map[string]store.CollectionEdit{"no name": {}, "empty name": named(" \x00"), "colour": {Name: named("x").Name, Color: &red}} {
			if _, err := h.MakeFilter(ctx, actor, store.Filter{}, e); !errors.As(err, &bad) {
				h.t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := h.MakeFilter(ctx, store.Actor{ManagerID: h.boris.ID}, store.Filter{Managers: []int64{999}}, named("x")); !errors.As(err, &bad) {
			h.t.Errorf("an unknown manager: %v", err)
		}
		for i := range 50 {
			h.filter(h.anna, fmt.Sprint(i), store.Filter{})
		}
		if _, err := h.MakeFilter(ctx, actor, store.Filter{}, named("one more")); !errors.As(err, &bad) {
			h.t.Errorf("the 51st: %v", err)
		}
		first := h.collection(h.ivan, "current")
		if err := h.EditFilter(ctx, actor, first.ID, store.Filter{}, named("mine")); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("somebody else's calendar: %v", err)
		}
	})
}

func numbers(n int) (ids []int64) {
	for i := range n {
		ids = append(ids, int64(i+1))
	}
	return ids
}

// More than one transaction looks at.
func TestFilter_Batches(t *testing.T) {
	each(t, func(h *house) {
		const many = 520
		for i := range many {
			h.call(fmt.Sprint("call ", i), h.clock.t.Add(time.Hour))
		}
		all := h.filter(h.anna, "All", store.Filter{})
		if got := len(h.shown(h.anna, all.Slug)); got != many+2 { // and the deal's shipment and payment
			h.t.Errorf("%d entries", got)
		}
		h.must(h.EditFilter(ctx, store.Actor{ManagerID: h.anna.ID}, all.ID, store.Filter{Types: []store.ItemType{store.PaymentItem}}, store.CollectionEdit{}))
		h.expect("only payments", h.shown(h.anna, all.Slug), "payment")
	})
}
