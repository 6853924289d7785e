package web

import (
	"fmt"
	"strings"
	"testing"
)

func TestReports_Pages(t *testing.T) {
	h := newHouse(t, Options{Currency: "RUB"})
	anna := h.login("anna")
	anna.get("/reports").has(t, `href="/reports/open-deals"`, `href="/reports/persons"`, "Текущие сделки")
	for _, name := range []string{"calendar", "open-deals", "deal", "contacts", "sources", "managers", "classification", "persons"} {
		if a := anna.get("/reports/" + name); a.code != 200 {
			t.Errorf("%s: %d", name, a.code)
		}
	}
	deals := anna.get("/reports/open-deals?by=client&by=&by=status")
	deals.has(t, "634\u00a0567,00\u00a0₽", "rows=1", "format=xlsx")
	deals.has(t, `role="img"`, "Сделки по клиентам и статусам", "format=png")
	deals.lacks(t, "format=vcard", "style=")
	for format, begins := range map[string]string{"png": "\x89PNG", "svg": "<svg "} {
		if a := anna.get("/reports/open-deals?format=" + format); a.code != 200 || !strings.HasPrefix(a.body, begins) || !strings.HasPrefix(a.header.Get("Content-Type"), "image/") {
			t.Errorf("%s: %d %v", format, a.code, a.header)
		}
	}
	anna.get("/reports/persons").lacks(t, "format=png", "<svg")
	anna.get(fmt.Sprintf("/reports/deal?deal=%%23%d", h.deal)).has(t, "Анализ сделки № A-17", "Кофе зерновой", "УПД-4")
	if a := anna.get("/reports/open-deals?by=nothing"); a.code != 400 || !strings.Contains(a.body, "unknown grouping") {
		t.Errorf("unknown grouping: %d", a.code)
	}
	for _, path := range []string{"/reports/nothing", "/reports/open-deals?format=vcard", "/reports/persons?format=pdf", "/reports/persons?format=png", "/reports/contacts?page=0", "/reports/contacts?page=1001", "/reports/contacts?page=x"} {
		if a := anna.get(path); a.code != 404 {
			t.Errorf("%s: %d", path, a.code)
		}
	}
	deals.lacks(t, `rel="next"`, `rel="prev"`)
	anna.get("/reports/open-deals?by=client&page=2").has(t, `href="?by=client&amp;page=1" rel="prev"`)
	file := anna.get("/reports/persons?format=vcard")
	if got := file.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="persons-`) || !strings.HasSuffix(got, `.vcf"`) || !strings.Contains(file.body, "BEGIN:VCARD") {
		t.Errorf("%s\n%s", got, file.body)
	}
}
