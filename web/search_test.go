package web

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	page := anna.get("/search?q=" + url.QueryEscape("ромаш"))
	page.has(t, "Ромашка", `value="ромаш"`, "<h2>Клиенты</h2>")
	anna.get("/search?q="+url.QueryEscape("нетакого")).has(t, "Ничего не найдено", "Ищутся")
	anna.get("/search").has(t, "Ищутся")
	for _, text := range []string{hostile, `"><b>`, "\x00\xff", strings.Repeat("ж", 3000)} {
		a := anna.get("/search?q=" + url.QueryEscape(text)).withoutScript(t)
		if a.code != 200 {
			t.Errorf("%.20q: %d", text, a.code)
		}
		a.lacks(t, "<script", "<img", `"><b>`)
	}

	list := anna.get("/search/suggestions?q=" + url.QueryEscape("ромаш"))
	var groups []struct {
		Kind string
		Rows []struct{ Link, Title, Detail string }
	}
	if err := json.Unmarshal([]byte(list.body), &groups); err != nil {
		t.Fatalf("%v: %s", err, list.body)
	}
	if len(groups) == 0 || groups[0].Kind != "Клиенты" || !strings.Contains(groups[0].Rows[0].Title, "Ромашка") {
		t.Errorf("%+v", groups)
	}
	anna.get(groups[0].Rows[0].Link).has(t, "Ромашка")
	if a := anna.get("/search/suggestions"); strings.TrimSpace(a.body) != "[]" {
		t.Errorf("nothing typed: %s", a.body)
	}
	if a := h.browser().get("/search/suggestions?q=ромаш"); a.code != 303 {
		t.Errorf("not signed in: %d", a.code)
	}

	// What a manager may not know of is not found.
	clara := h.login("clara")
	for _, text := range []string{"Harbour", "harbour.test", "ромаш", "A-17", "Call"} {
		clara.get("/search?q="+url.QueryEscape(text)).lacks(t, `class="found"`)
		if a := clara.get("/search/suggestions?q=" + url.QueryEscape(text)); a.body != "[]\n" {
			t.Errorf("%s: %s", text, a.body)
		}
		anna.get("/search?q="+url.QueryEscape(text)).has(t, `class="found"`)
	}
}
