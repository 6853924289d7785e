package store_test

import (
	"fmt"
	"strings"
	"testing"

	"intouch/store"
)

func TestOpenDealPage(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			_, err := im.Client(store.ClientRow{ID: "od1", Name: "Кофейня «Зерно»", Manager: "anna"})
			h.must(err)
			_, err = im.Client(store.ClientRow{ID: "od2", Name: "100% чай", Manager: "ivan"})
			h.must(err)
			for i, d := range []struct {
				client, ship, pay string
				shipped, paid     int64
			}{
				{"od1", "2026-12-10", "2026-12-20", 0, 0},
				{"od1", "2026-11-01", "2026-12-20", 0, 0},     // overdue
				{"od2", "2026-11-30", "2026-11-25", 0, 10000}, // paid
				{"od1", "2026-11-05", "2026-11-06", 10000, 10000},
				{"od2", "", "", 10000, 0}, // nothing is planned
				{"od1", "2026-11-20", "2026-11-29", 10000, 0},
				{"od2", "", "", 0, 0},
			} {
				id := fmt.Sprintf("od-%d", i)
				_, err := im.Deal(store.DealRow{ID: id, Client: d.client, Number: fmt.Sprint("Z-", i), Date: store.Date(fmt.Sprintf("2026-10-0%d", i+1)),
					Amount: store.Money{Minor: 10000, Currency: "RUB"}, ShipDue: store.Date(d.ship), PayDue: store.Date(d.pay)})
				h.must(err)
				for kind, sum := range map[store.DocumentKind]int64{store.ShipmentDoc: d.shipped, store.PaymentDoc: d.paid} {
					if sum != 0 {
						_, err := im.Document(store.DocumentRow{ID: id + string(kind), Kind: kind, Number: "1", Date: "2026-11-07", Client: d.client, Deal: id, Amount: store.Money{Minor: sum, Currency: "RUB"}})
						h.must(err)
					}
				}
			}
		})
		page := func(q store.DealList) (numbers string) {
			t.Helper()
			for range 10 {
				found, next, err := h.OpenDealPage(ctx, q)
				h.must(err)
				var some []string
				for _, d := range found {
					if strings.HasPrefix(d.Deal.Number, "Z-") {
						some = append(some, strings.TrimPrefix(d.Deal.Number, "Z-"))
					}
				}
				numbers += strings.Join(some, " ")
				if next.ID == 0 {
					return numbers
				}
				numbers += " | "
				q.After = store.ParseDealPlace(next.String())
			}
			t.Fatal("pages without end")
			return ""
		}
		of := func(m store.Manager) store.DealSelection { return store.DealSelection{Viewer: m} }
		client := func(m store.Manager, name string) store.DealSelection {
			found, err := h.Clients(ctx, m, name, 2)
			h.must(err)
			return store.DealSelection{Viewer: m, Clients: []int64{found[0].ID}}
		}
		h.same("Anna's, in pages", page(store.DealList{DealSelection: client(h.anna, "зерно"), Limit: 2}), "1 5 | 0")
		h.same("overdue", page(store.DealList{DealSelection: client(h.anna, "зерно"), Overdue: true}), "1")
		h.same("Ivan's", page(store.DealList{DealSelection: of(h.ivan), Text: "100% ЧАЙ", Limit: 1}), "2 | 4 | 6")
		h.same("by number", page(store.DealList{DealSelection: of(h.ivan), Text: "Z-4"}), "4")
		h.same("another manager's by number", page(store.DealList{DealSelection: of(h.ivan), Text: "Z-1"}), "")
		h.same("to ship", page(store.DealList{DealSelection: of(h.ivan), Text: "100%", Left: store.Shipment}), "2 6")
		h.same("to pay", page(store.DealList{DealSelection: of(h.ivan), Text: "100%", Left: store.Payment}), "4 6")
		// An event that is moved or done moves its deal, and so do papers.
		found, _, err := h.OpenDealPage(ctx, store.DealList{DealSelection: of(h.ivan), Text: "Z-2"})
		h.must(err)
		day := store.Date("2027-01-10")
		e := found[0].Events[0]
		_, err = h.EditEvent(ctx, store.Actor{ManagerID: h.ivan.ID}, e.ID, e.Version, store.EventEdit{Expected: &day})
		h.must(err)
		h.same("moved", page(store.DealList{DealSelection: of(h.ivan), Text: "100%"}), "2 4 6")
		found, _, err = h.OpenDealPage(ctx, store.DealList{DealSelection: of(h.ivan), Text: "100%", Limit: 1})
		h.must(err)
		h.same("its place", found[0].Next(h.ivan.Location(), h.Now()).Day(), day)
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "od-2s", Kind: store.ShipmentDoc, Number: "2", Date: "2026-11-08", Client: "od2", Deal: "od-2", Amount: store.Money{Minor: 10000, Currency: "RUB"}}))
			h.row(im.Deal(store.DealRow{ID: "od-4", Client: "od2", Number: "Z-4", Date: "2026-10-05", Amount: store.Money{Minor: 10000, Currency: "RUB"}, Status: "cancelled"}))
		})
		h.same("shipped and paid, or cancelled", page(store.DealList{DealSelection: of(h.ivan), Text: "100%"}), "6")
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "od-2r", Kind: store.ReturnDoc, Number: "3", Date: "2026-11-09", Client: "od2", Deal: "od-2", Amount: store.Money{Minor: 1, Currency: "RUB"}}))
		})
		h.same("given back", page(store.DealList{DealSelection: of(h.ivan), Text: "100%"}), "2 6")
		for _, text := range []string{"", "x", "2026-11-01.2026-10-01.0", "2026-11-01.'.1", "2026-11-01.2026-10-01.99999999999999999999"} {
			h.same("place "+text, store.ParseDealPlace(text), store.DealPlace{})
		}
	})
}
