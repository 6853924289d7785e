package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
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
