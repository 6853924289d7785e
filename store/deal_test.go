package store_test

import (
	"errors"
	"testing"

	"intouch/store"
)

func TestDeal(t *testing.T) {
	each(t, func(h *house) {
		rub := func(n int64) store.Money { return store.Money{Minor: n} }
		h.imports(func(im *store.Import) {
			h.row(im.Event(store.EventRow{ID: "e1", Deal: "d1", Kind: store.Shipment, Due: "2026-11-25", Amount: 60_000}))
			h.row(im.Event(store.EventRow{ID: "e2", Deal: "d1", Kind: store.Shipment, Due: "2026-12-25", Amount: 40_000}))
		})
		h.expect("events one by one stand for the deal's date", h.shown(h.anna, "overdue"))
		h.expect("current", h.shown(h.anna, "current"), "shipment 0/60000 2026-11-25", "shipment 0/40000 2026-12-25", "payment 0/100000")
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Date: "2026-11-22", Deal: "d1", Amount: rub(70_000)}))
			h.row(im.Document(store.DocumentRow{ID: "x2", Kind: store.PaymentDoc, Date: "2026-11-23", Deal: "d1", Amount: rub(30_000)}))
			h.row(im.Line(store.LineRow{ID: "l1", Deal: "d1", Item: "Насос", Quantity: "2", Amount: 100_000}))
		})
		h.expect("documents fill events in order of date", h.shown(h.anna, "current"), "shipment 10000/40000 2026-12-25", "payment 30000/100000")
		h.expect("done", h.shown(h.anna, "done"), "shipment 60000/60000 2026-11-25|done|done")

		list, err := h.Client(ctx, h.anna, h.clients["c1"])
		h.must(err)
		if len(list.Balance) != 1 || list.Balance[0] != (store.Money{Minor: 40_000, Currency: "RUB"}) {
			h.t.Errorf("balance %v", list.Balance)
		}
		card, err := h.Deal(ctx, h.anna, list.Deals[0].ID)
		h.must(err)
		if card.Totals != (store.DealTotals{Ordered: 100_000, Shipped: 70_000, LeftToShip: 30_000, ToPay: 100_000, Paid: 30_000, LeftToPay: 70_000, Currency: "RUB", ShippedKnown: true, PaidKnown: true}) ||
			!card.Open || len(card.Events) != 3 || len(card.Documents) != 2 || len(card.Lines) != 1 {
			h.t.Errorf("%+v", card)
		}
		if _, err := h.Deal(ctx, h.ivan, card.Deal.ID); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("another manager's deal: %v", err)
		}
		f, err := h.ContactFigures(ctx, h.anna.ID, "2026-11-23", "2026-11-23")
		if h.must(err); len(f.Shipments) != 0 || len(f.Payments) != 1 || f.Payments[0].Minor != 30_000 {
			h.t.Errorf("figures of the day: %+v", f)
		}
		// A return takes back what a shipment had covered.
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "x3", Kind: store.ReturnDoc, Date: "2026-11-23", Deal: "d1", Amount: rub(20_000)}))
		})
		h.expect("after a return", h.shown(h.anna, "current"), "shipment 50000/60000", "shipment 0/40000", "payment")
		// Cancelled by the accounting system.
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d1", Number: "1045", Date: "2026-11-01", Client: "c1", Amount: rub(100_000), Status: "cancelled"}))
		})
		h.expect("cancelled", h.shown(h.anna, "current"))
	})
}

func TestImport_refused(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for what, err := range map[string]error{
				"client":   second(im.Deal(store.DealRow{ID: "d9", Date: "2026-11-01", Client: "nobody"})),
				"amount":   second(im.Deal(store.DealRow{ID: "d9", Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: -1}})),
				"deal":     second(im.Document(store.DocumentRow{ID: "x9", Kind: store.PaymentDoc, Date: "2026-11-01", Deal: "nothing"})),
				"domains":  second(im.Client(store.ClientRow{ID: "c9", Name: "X", Domains: []string{"not a domain"}})),
				"emails":   second(im.Person(store.PersonRow{ID: "p9", Client: "c1", Name: "X", Emails: []string{"nobody"}})),
				"id":       second(im.Client(store.ClientRow{Name: "X"})),
				"kind":     second(im.Event(store.EventRow{ID: "e9", Deal: "d1", Kind: "party", Due: "2026-11-01"})),
				"currency": nil,
			} {
				var bad *store.Invalid
				if what != "currency" && (!errors.As(err, &bad) || bad.Field != what) {
					h.t.Errorf("%s: %v", what, err)
				}
			}
			// Good rows beside them are taken.
			h.row(im.Client(store.ClientRow{ID: "c3", Name: "Good"}))
		})
		if list, err := h.Clients(ctx, h.boris, "GOOD", 10); err != nil || len(list) != 1 {
			h.t.Errorf("%v %v", list, err)
		}
		// A dry run writes nothing.
		h.must(h.Import(ctx, store.Actor{}, true, func(im *store.Import) error {
			h.row(im.Client(store.ClientRow{ID: "c4", Name: "Dry"}))
			return nil
		}))
		if list, _ := h.Clients(ctx, h.boris, "dry", 10); len(list) != 0 {
			h.t.Error("a dry run wrote a client")
		}
	})
}

func second[T any](_ T, err error) error { return err }
