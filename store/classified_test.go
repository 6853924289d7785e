package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// sale brings a document of a client in.
func (h *house) sale(kind store.DocumentKind, client, day string, rubles int64) {
	h.t.Helper()
	h.imports(func(im *store.Import) {
		h.row(im.Document(store.DocumentRow{ID: fmt.Sprint(kind, client, day), Kind: kind, Date: store.Date(day), Client: client, Amount: store.Money{Minor: rubles * 100}}))
	})
}

func (h *house) classify(day store.Date) store.ClassReport {
	h.t.Helper()
	report, err := h.Classify(ctx, store.DefaultClassification, day, time.UTC)
	h.must(err)
	return report
}

// stands is what a client shows: "A regular Z".
func (h *house) stands(client string) string {
	h.t.Helper()
	card, err := h.Client(ctx, h.boris, h.clients[client])
	h.must(err)
	return strings.TrimSpace(card.Client.ABC + " " + card.Client.Stage + " " + card.Client.XYZ)
}

// was is a client's dated history, the oldest first.
func (h *house) was(client string) (out []string) {
	h.t.Helper()
	card, err := h.Client(ctx, h.boris, h.clients[client])
	h.must(err)
	for _, r := range card.Classes {
		text := fmt.Sprintf("%s %s %s%s %d %s", r.Day, r.Stage, r.ABC, r.XYZ, r.Amount.Minor/100, r.Since(r.Former))
		out = append([]string{text}, out...)
	}
	return out
}

func TestClassify(t *testing.T) {
	each(t, func(h *house) {
		for _, day := range []string{"2026-06-10", "2026-09-10", "2026-10-10", "2026-11-10"} {
			h.sale(store.ShipmentDoc, "c1", day, 800)
		}
		h.sale(store.ShipmentDoc, "c2", "2026-11-05", 1000)
		h.sale(store.ReturnDoc, "c2", "2026-11-06", 400)
		h.sale(store.InvoiceDoc, "c2", "2026-11-07", 99_000) // no sale
		h.sale(store.ShipmentDoc, "c2", "2026-11-24", 5000)  // later than the day

		report := h.classify("2026-11-23")
		h.same("c1", h.stands("c1"), "A regular Z") // 3200 of 3800
		h.same("c2", h.stands("c2"), "B one-off")   // 600, begins at 84 %
		if !report.Current || report.Clients != 2 || report.Changed != 2 || report.Counts["A"] != 1 || report.Counts["regular"] != 1 {
			h.t.Errorf("%+v", report)
		}
		if again := h.classify("2026-11-23"); again.String() != report.String() {
			h.t.Errorf("again: %s, first %s", again.String(), report.String())
		}
		h.same("history", strings.Join(h.was("c1"), "; "), "2026-11-23 regular AZ 3200 new")

		// Years later everything is lost, and nothing has a class.
		h.clock.t = time.Date(2028, 1, 1, 12, 0, 0, 0, time.UTC)
		h.classify("2028-01-01")
		h.same("c1 lost", h.stands("c1"), "lost")
		// A past day gives what was true then, and does not touch the present.
		if past := h.classify("2026-08-01"); past.Current {
			h.t.Error("a past day became the current one")
		}
		h.same("c1 still lost", h.stands("c1"), "lost")
		h.same("history of c1", strings.Join(h.was("c1"), "; "),
			"2026-08-01 one-off A 800 new; 2026-11-23 regular AZ 3200 improved; 2028-01-01 lost  0 worsened")
		// c2 was registered in November and had bought nothing until August.
		h.same("history of c2", strings.Join(h.was("c2"), "; "),
			"2026-11-23 one-off B 600 new; 2028-01-01 lost  0 worsened")

		_, err := h.Classify(ctx, store.Classification{}, "2026-11-23", time.UTC)
		if bad, ok := err.(*store.Invalid); !ok || bad.Field != "measure" {
			h.t.Errorf("without settings: %v", err)
		}
	})
}

// A day that is classified later than the ones after it leaves what was true
// on those: also where the history had no row of them.
func TestClassify_Between(t *testing.T) {
	each(t, func(h *house) {
		h.sale(store.ShipmentDoc, "c1", "2026-10-01", 100)
		h.clock.t = time.Date(2027, 7, 1, 12, 0, 0, 0, time.UTC)
		h.classify("2026-10-05")
		h.sale(store.ShipmentDoc, "c1", "2027-06-20", 100)
		h.classify("2027-07-01") // one-off again, so that there is no new row
		h.same("before", strings.Join(h.was("c1"), "; "), "2026-10-05 one-off A 100 new")
		h.classify("2027-03-01")
		h.same("with the gap", strings.Join(h.was("c1"), "; "),
			"2026-10-05 one-off A 100 new; 2027-03-01 lost  100 worsened; 2027-07-01 one-off A 100 improved")
		h.same("now", h.stands("c1"), "A one-off")
		h.classify("2027-03-01")
		if rows := h.was("c1"); len(rows) != 3 {
			h.t.Errorf("again: %q", rows)
		}
	})
}

func TestClassify_Measures(t *testing.T) {
	each(t, func(h *house) {
		doc := func(id, client string, amount int64, cost *store.Money, currency string) {
			h.imports(func(im *store.Import) {
				h.row(im.Document(store.DocumentRow{ID: id, Kind: store.ShipmentDoc, Date: "2026-11-02", Client: client, Amount: store.Money{Minor: amount, Currency: currency}, Cost: cost}))
			})
		}
		doc("1", "c1", 100_00, &store.Money{Minor: 99_00}, "RUB")
		doc("2", "c2", 50_00, &store.Money{Minor: 10_00}, "RUB")
		doc("3", "c2", 10_000_00, nil, "RUB")
		doc("4", "c1", 10_000_00, nil, "XTS") // a currency that nobody gives rates for

		c := store.DefaultClassification
		c.Measure = store.ByProfit // 1 and 40
		report, err := h.Classify(ctx, c, "2026-11-20", time.UTC)
		h.must(err)
		h.same("profit of c1", h.stands("c1"), "C one-off")
		h.same("profit of c2", h.stands("c2"), "A one-off")
		if report.NoCost != 1 || report.NoRate["XTS"] != 1 {
			h.t.Errorf("%+v", report)
		}
		c.Measure = store.ByNumber
		report, err = h.Classify(ctx, c, "2026-11-21", time.UTC) // 2 and 2: the first registered comes first
		h.must(err)
		h.same("number of c1", h.stands("c1"), "A one-off")
		h.same("number of c2", h.stands("c2"), "A one-off") // begins at 50 %
		if report.NoRate != nil {
			h.t.Errorf("numbers need no rates: %+v", report)
		}
	})
}

// Other currencies count at the rate of the document's day, those without one
// are told apart.
func TestClassify_Rates(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			h.row(im.Rate(store.RateRow{Date: "2026-10-01", Currency: "EUR", Rate: "100"}))
			h.row(im.Rate(store.RateRow{Date: "2026-11-10", Currency: "EUR", Rate: "90"}))
			for i, day := range []store.Date{"2026-09-30", "2026-11-09", "2026-11-10"} { // no rate yet, 100, 90
				h.row(im.Document(store.DocumentRow{ID: fmt.Sprint("e", i), Kind: store.ShipmentDoc, Date: day, Client: "c1", Amount: store.Money{Minor: 10_00, Currency: "EUR"}}))
			}
		})
		report := h.classify("2026-11-23")
		h.same("the sum", strings.Join(h.was("c1"), "; "), "2026-11-23 regular AZ 1900 new")
		if report.NoRate["EUR"] != 1 || !strings.Contains(report.String(), "1 documents in EUR were not added") {
			h.t.Errorf("%+v", report)
		}
	})
}

// What an import says of a stage is shown until documents tell.
func TestClassify_GivenStage(t *testing.T) {
	each(t, func(h *house) {
		give := func(stage string) {
			h.imports(func(im *store.Import) {
				h.row(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy GmbH", Stage: stage}))
			})
		}
		h.classify("2026-11-23")
		h.same("no document, nothing given", h.stands("c2"), "potential")
		give("regular")
		h.same("given", h.stands("c2"), "regular")
		h.classify("2026-11-24")
		h.same("given, no document", h.stands("c2"), "regular")
		h.sale(store.ShipmentDoc, "c2", "2026-11-25", 10)
		h.classify("2026-11-25")
		h.same("a document", h.stands("c2"), "A one-off")
		give("lost")
		h.same("the documents win", h.stands("c2"), "A one-off")
	})
}

// Calendars that show clients of a class follow the class, and so do cards.
func TestClassify_Renews(t *testing.T) {
	each(t, func(h *house) {
		h.call("О ценах", h.clock.t.Add(time.Hour))
		best := h.filter(h.anna, "Лучшие", store.Filter{Classes: []string{"A"}, Types: []store.ItemType{store.ContactItem}})
		h.expect("before", h.shown(h.anna, best.Slug))
		book := h.follow(h.anna, "persons")
		h.sale(store.ShipmentDoc, "c1", "2026-11-20", 10)
		book.sync()
		h.classify("2026-11-23")
		h.expect("after", h.shown(h.anna, best.Slug), "О ценах")
		if changed := book.sync(); len(changed) == 0 {
			h.t.Error("the cards of the client's persons were not marked")
		}
	})
}

// A client that is merged leaves its past under its number; the next day
// counts the documents of both, and after parting each has its own again.
func TestClassify_Merged(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}
		h.sale(store.ShipmentDoc, "c1", "2026-11-20", 10)
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Stage: "lost"}))
		})
		h.sale(store.ShipmentDoc, "c2", "2026-11-20", 10)
		h.sale(store.ShipmentDoc, "c2", "2026-11-21", 10)
		h.classify("2026-11-23")
		m, err := h.MergeClients(ctx, actor, h.clients["c2"], h.clients["c1"])
		h.must(err)
		if len(m.Conflicts) > 0 && m.Conflicts[0].Field == "stage" {
			h.t.Errorf("what is computed is no conflict: %+v", m.Conflicts)
		}
		h.classify("2026-11-24")
		h.same("together", h.stands("c2"), "A regular Z")
		_, err = h.Unmerge(ctx, actor, m.ID)
		h.must(err)
		h.classify("2026-11-25")
		h.same("parted", h.stands("c2")+", "+h.stands("c1"), "A one-off, A one-off")
		h.same("the past of the one", strings.Join(h.was("c1"), "; "), "2026-11-23 one-off A 10 new")
	})
}
