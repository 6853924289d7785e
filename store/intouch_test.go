package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// rules plans what the rules ask for now.
func (h *house) rules(k store.KeepInTouch) store.PlannedReport {
	h.t.Helper()
	report, err := h.PlanByRules(ctx, k, store.DateOf(h.clock.t, time.UTC), func(m store.Manager, p store.Prompt) (string, string) {
		return fmt.Sprintf("%s %s: %s, %s%s %d %d %s>%s", m.Login, m.Language, p.Rule, p.Client, p.Person, p.Days, p.Age, p.From, p.To), ""
	})
	h.must(err)
	return report
}

// byRule lists the contacts that rules planned: state, day, subject.
func (h *house) byRule() (out []string) {
	h.t.Helper()
	h.must(h.EachContact(ctx, func(e *store.Exported) error {
		switch e.Origin {
		case store.FromCadence, store.FromBirthday, store.FromWorsening:
			out = append(out, fmt.Sprintf("%s %s %s %s", e.State, e.When.First, e.Kind, e.Subject))
		}
		return nil
	}))
	return out
}

func (h *house) pass(days int) { h.clock.t = h.clock.t.AddDate(0, 0, days) }

// talked notes a call with a client that took place days ago.
func (h *house) talked(client string, days int) {
	h.t.Helper()
	at := h.clock.t.AddDate(0, 0, -days)
	_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{
		Kind: store.Call, State: store.Done, ClientID: h.clients[client], Subject: "Звонок", When: store.Span{Start: at, End: at.Add(time.Minute)}})
	h.must(err)
}

func TestPlanByRules_Cadence(t *testing.T) {
	each(t, func(h *house) {
		k := store.KeepInTouch{Cadences: []store.Cadence{{Importance: store.High, Days: 14}}, PerDay: 5}
		h.talked("c1", 14)
		h.talked("c2", 100) // normal: no cadence
		h.rules(k)
		h.expect("14 days are not longer", h.byRule())
		h.pass(1) // Tuesday
		if r := h.rules(k); r.Cadence != 1 || r.String() != "planned: 1 to keep in touch" {
			h.t.Errorf("%+v %s", r, r.String())
		}
		h.expect("longer", h.byRule(), "planned 2026-11-25 call anna ru: cadence, ООО «Ромашка» 15")
		h.expect("in the calendar", h.shown(h.anna, "current"), "cadence, ООО «Ромашка»", "payment")
		h.rules(k)
		h.pass(1)
		h.rules(k)
		h.expect("not a second one while it is open", h.byRule(), "planned")

		// The manager does not want it: not again before a whole cadence.
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		var id int64
		h.must(h.EachContact(ctx, func(e *store.Exported) error {
			if e.State == store.Planned {
				id = e.ID
			}
			return nil
		}))
		cancelled, done := store.Cancelled, store.Done
		_, err := h.EditContact(ctx, actor, id, 0, store.ContactEdit{State: &cancelled})
		h.must(err)
		h.rules(k)
		h.pass(14)
		h.rules(k)
		h.expect("cancelled", h.byRule(), "cancelled")
		h.pass(1)
		h.rules(k)
		h.expect("a cadence later", h.byRule(), "cancelled", "planned 2026-12-11")

		// What is done is the last contact.
		h.must(h.EachContact(ctx, func(e *store.Exported) error {
			if e.State == store.Planned {
				id = e.ID
			}
			return nil
		}))
		h.pass(1)
		_, err = h.EditContact(ctx, actor, id, 0, store.ContactEdit{State: &done})
		h.must(err)
		h.pass(14)
		h.rules(k)
		h.expect("done", h.byRule(), "cancelled", "done")
	})
}

// A planned contact of the manager's own is enough; a postponed one, too.
func TestPlanByRules_CadenceOpen(t *testing.T) {
	each(t, func(h *house) {
		k := store.KeepInTouch{Cadences: []store.Cadence{{Days: 1}}, PerDay: 5}
		c := h.call("О ценах", h.clock.t.AddDate(0, 1, 0))
		postponed := store.Postponed
		_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, c.ID, 0, store.ContactEdit{State: &postponed})
		h.must(err)
		h.rules(k)
		h.expect("only the other client", h.byRule(), "planned 2026-11-24 call ivan en: cadence, Northland Energy GmbH -1")
	})
}

// Each manager gets so many a day, those who wait longest first; clients of
// nobody are named.
func TestPlanByRules_PerDay(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for i := range 7 {
				h.row(im.Client(store.ClientRow{ID: fmt.Sprint("x", i), Name: fmt.Sprint("Клиент ", i), Manager: []string{"anna", ""}[i/5], Importance: "low"}))
			}
		})
		list, err := h.Clients(ctx, h.boris, "", 100)
		h.must(err)
		for _, c := range list {
			h.clients[c.ExternalID] = c.ID
		}
		for i := range 4 {
			h.talked(fmt.Sprint("x", i), 30+i) // x4: never
		}
		k := store.KeepInTouch{Cadences: []store.Cadence{{Importance: store.Low, Days: 7}}, PerDay: 2}
		r := h.rules(k)
		h.expect("the first day", h.byRule(), "Клиент 3 33", "Клиент 2 32")
		h.same("report", r.String(), "planned: 2 to keep in touch; 3 clients wait for another day; 2 clients to call have no manager: Клиент 5, Клиент 6")
		h.rules(k)
		h.expect("the same day", h.byRule(), "Клиент 3", "Клиент 2")
		h.pass(1)
		h.rules(k)
		h.pass(1)
		h.rules(k)
		h.expect("in the end", h.byRule(), "Клиент 3", "Клиент 2", "Клиент 1", "Клиент 0", "Клиент 4 -1")
	})
}

func TestPlanByRules_Birthday(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Ольга", Birthday: "1980-11-28"}))
			h.row(im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "John", Birthday: "1990-11-30"}))
		})
		k := store.KeepInTouch{BirthdayDays: 5, PerDay: 0}
		h.rules(k)
		h.rules(k)
		h.expect("five days ahead", h.byRule(), "planned 2026-11-28 call anna ru: birthday, ООО «Ромашка»Ольга 0 46")
		h.pass(4)
		h.rules(k)
		h.expect("the other", h.byRule(), "Ольга", "planned 2026-11-30 call ivan en: birthday, Northland Energy GmbHJohn 0 36")
		h.pass(361)
		h.rules(k)
		h.expect("once a year", h.byRule(), "Ольга 0 46", "John", "planned 2027-11-28 call anna ru: birthday, ООО «Ромашка»Ольга 0 47")
	})
}

func TestPlanByRules_Worsened(t *testing.T) {
	each(t, func(h *house) {
		h.sale(store.ShipmentDoc, "c1", "2026-08-25", 10)
		h.sale(store.ShipmentDoc, "c2", "2026-11-20", 10)
		k := store.KeepInTouch{Worsened: true, PerDay: 3}
		h.classify("2026-11-23")
		h.rules(k)
		h.expect("nothing was worse", h.byRule())
		h.pass(2)
		h.classify("2026-11-25")
		h.rules(k)
		h.expect("lost", h.byRule(), "planned 2026-11-26 call anna ru: worsened, ООО «Ромашка» 0 0 one-off>lost")
		h.classify("2026-11-25")
		h.rules(k)
		h.pass(1)
		h.classify("2026-11-26")
		h.rules(k)
		if all := h.byRule(); len(all) != 1 {
			h.t.Errorf("more than one call: %s", strings.Join(all, "; "))
		}
	})
}

// Without room on the day the call waits, unless the client comes back.
func TestPlanByRules_WorsenedWaits(t *testing.T) {
	each(t, func(h *house) {
		h.sale(store.ShipmentDoc, "c1", "2026-08-25", 10)
		h.sale(store.ShipmentDoc, "c2", "2026-08-25", 10)
		h.classify("2026-11-23")
		h.pass(2)
		h.classify("2026-11-25")
		if r := h.rules(store.KeepInTouch{Worsened: true}); r.Waiting != 2 {
			h.t.Errorf("%+v", r)
		}
		h.pass(1)
		h.sale(store.ShipmentDoc, "c2", "2026-11-26", 10)
		h.classify("2026-11-26")
		h.rules(store.KeepInTouch{Worsened: true, PerDay: 1})
		h.expect("the one that is still lost", h.byRule(), "call anna ru: worsened, ООО «Ромашка»")
	})
}
