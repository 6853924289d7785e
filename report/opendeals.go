package report

import (
	"cmp"
	"fmt"

	"intouch/store"
)

// openDealsReport is rules.md section 6.2: what is left to ship and to pay of
// open deals, and their next event.
var openDealsReport = report{
	name:      "open-deals",
	about:     "current deals: what is left to ship and to pay, and what comes next",
	groupings: []string{"manager", "client", "status", "importance", "abc", "stage", "source", "type", "day", "week", "month"},
	by:        []string{"manager"},
	filters:   []string{"manager", "client", "status", "importance", "abc", "stage", "source", "type", "day", "week", "month"},
	build:     (*run).openDeals,
	chart:     statusChart,
}

func (r *run) openDeals() (*Table, error) {
	f := &r.filter
	t := &Table{Columns: []Column{r.column("deals", Count), r.column("date", Day), r.column("client", Text), r.column("manager", Text), r.column("sum", Sum),
		r.column("shipped", Sum), r.column("left to ship", Sum), r.column("paid", Sum), r.column("left to pay", Sum),
		r.column("next", Text), r.column("next day", Day), r.column("moved from", Day), r.column("status", Text)}}
	all := r.listing(t)
	err := r.st.OpenDeals(r.ctx, store.DealSelection{Viewer: r.Viewer, Managers: f.managers, Clients: f.clients, Sources: f.sources,
		Importances: f.importances, Classes: f.classes, Stages: f.stages}, func(d *store.OpenDeal) error {
		next, status, day, kind := d.Next(r.loc, r.Now), store.Status(""), store.Date(""), store.ItemType("")
		if next != nil {
			status, day, kind = next.Status(r.loc, r.Now), next.Day(), store.ItemType(next.Kind)
		}
		if !passes(f.statuses, status) || !passes(f.types, kind) || !f.on(day) {
			return nil
		}
		path := r.grouping(func(by string) store.GroupKey {
			switch by {
			case "manager":
				return d.Manager
			case "client":
				return store.GroupKey{ID: d.Deal.ClientID, Text: d.Deal.ClientName}
			case "source":
				return d.Source
			case "status":
				return store.GroupKey{Text: string(status)}
			case "type":
				return store.GroupKey{Text: string(kind)}
			case "day":
				return store.GroupKey{Text: string(day)}
			case "importance":
				return store.GroupKey{Text: string(d.Importance)}
			case "abc":
				return store.GroupKey{Text: d.Class}
			}
			return store.GroupKey{Text: d.Stage}
		})
		order := fmt.Sprintf("%d %s %s", status.Rank(), orLast(day), d.Deal.Date)
		all.add(&record{path: path, own: recordStep(d.Deal.ID, r.t("deal no", d.Deal.Number), order),
			values: append(r.dealFigures(d), r.nextEvent(next)...), status: status, url: fmt.Sprintf("/deals/%d", d.Deal.ID)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := all.rows("deal"); err != nil {
		return nil, err
	}
	return t, r.noteRates(t)
}

// dealFigures are the first columns of an open deal.
func (r *run) dealFigures(d *store.OpenDeal) []Value {
	s, currency := d.Totals, d.Totals.Currency
	all := make([]Value, 0, 13) // and those of nextEvent
	return append(all, count(1), day(d.Deal.Date), text(d.Deal.ClientName), text(d.Manager.Text), r.inHouse(s.Ordered, currency, true),
		r.inHouse(s.Shipped, currency, s.ShippedKnown), r.inHouse(s.LeftToShip, currency, s.ShippedKnown),
		r.inHouse(s.Paid, currency, s.PaidKnown), r.inHouse(s.LeftToPay, currency, s.PaidKnown))
}

// inHouse is a sum at today's rate; nothing is shown as zero.
func (r *run) inHouse(minor int64, currency string, known bool) Value {
	switch {
	case !known:
		return unknown()
	case minor == 0:
		return amount(0, cmp.Or(r.Currency, currency), true)
	}
	return r.sum(store.Money{Minor: minor, Currency: currency}, r.today)
}

// nextEvent is what comes next: which, when, moved from when, its status.
func (r *run) nextEvent(e *store.DealEvent) []Value {
	if e == nil {
		return []Value{text(r.t("none.type")), none(), none(), none()}
	}
	moved := store.Date("")
	if e.Moved() {
		moved = e.MovedFrom()
	}
	return []Value{text(store.Word(r.lang, "type."+string(e.Kind))), day(e.Day()), day(moved), r.statusWord(e.Status(r.loc, r.Now))}
}

// orLast sorts what has no day behind what has one.
func orLast(d store.Date) store.Date {
	if d == "" {
		return "9999"
	}
	return d
}
