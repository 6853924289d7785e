package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"intouch/store"
)

func TestDeals_Page(t *testing.T) {
	h := newHouse(t, Options{})
	anna, clara := h.login("anna"), h.login("clara")
	link := fmt.Sprintf(`href="/deals/%d"`, h.deal)
	anna.get("/deals").has(t, link, "ООО «Ромашка»", "осталось 634\u00a0567,00\u00a0₽", "Оплата", `aria-current="page">Сделки`)
	for query, there := range map[string]bool{
		"left=shipment": true, "left=payment": true, "left=nonsense": true, "text=ромашка": true, "text=A-17": true, "text=a-99": false, "importance=low": false,
		"manager=anna": true, "manager=boris": false, "manager=none": false, "after=2200-12-30.2200-12-31.1": false, "after=x.y.z": true,
		"text=" + url.QueryEscape("%_"): false,
	} {
		a := anna.get("/deals?" + query)
		if a.code != http.StatusOK {
			t.Errorf("%s: %d", query, a.code)
		}
		if there {
			a.has(t, link)
		} else {
			a.lacks(t, link)
		}
	}
	a := clara.get("/deals")
	a.lacks(t, link, `name="manager"`)
}

func TestDeal_Timeline(t *testing.T) {
	h := newHouse(t, Options{})
	a := h.login("anna").get(fmt.Sprintf("/deals/%d", h.deal))
	// The payment that is expected, the paper that came, the meeting.
	a.has(t, `<svg class="timeline"`, `<circle class="expected st-current"`, `<circle class="real st-done"`, "<title>сегодня</title>", "Отгрузка УПД-4", "Встреча: Переговоры о поставке")
	// What each document moves, and what is then owed.
	a.has(t, "&#43;600\u00a0000,00\u00a0₽", "Остаток по сделке")
}

func TestDealLines(t *testing.T) {
	card := &store.DealCard{
		Deal: store.Deal{Amount: store.Money{Minor: 100, Currency: "RUB"}}, Totals: store.DealTotals{ShippedKnown: true},
		Lines:     []store.Line{{Item: "Beans", Article: "B1", Quantity: "10", Unit: "kg"}, {Item: "Cups", Quantity: "5"}, {Item: "Beans, once more", Article: "B1", Quantity: "2", Unit: "kg"}, {Item: "Spoons", Quantity: "some"}},
		Documents: []store.Document{{ID: 1, Kind: store.ShipmentDoc}, {ID: 2, Kind: store.ReturnDoc}},
		Moved:     []store.Line{{DocumentID: 1, Item: "beans", Article: "B1", Quantity: "7.5", Unit: "kg"}, {DocumentID: 1, Item: "CUPS", Quantity: "5"}, {DocumentID: 2, Item: "Beans", Article: "B1", Quantity: "1", Unit: "kg"}},
	}
	say := voice{lang: store.English}
	got := func() (out []string) {
		for _, l := range dealLines(say, card) {
			out = append(out, strings.ReplaceAll(l.Quantity+"/"+l.Shipped+"/"+l.Left, "\u00a0", " "))
		}
		return out
	}
	if rows := got(); !slices.Equal(rows, []string{"10 kg/6.5 kg/5.5 kg", "5/5/0", "2 kg//", "some/0/unknown"}) {
		t.Errorf("lines %q", rows)
	}
	card.Moved = card.Moved[2:] // the shipment does not say what of it was shipped
	if rows := got(); !slices.Equal(rows, []string{"10 kg/unknown/unknown", "5/unknown/unknown", "2 kg//", "some/unknown/unknown"}) {
		t.Errorf("lines of a shipment without lines %q", rows)
	}
}
