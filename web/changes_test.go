package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"intouch/store"
)

func TestChanges(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	if a := boris.get("/changes"); a.code != http.StatusNotFound {
		t.Errorf("for a manager: %d", a.code)
	}
	if a := boris.get("/status"); strings.Contains(a.body, "/changes") {
		t.Error("a manager is led there")
	}
	anna.get("/status").has(t, `href="/changes"`)
	boris.post("/settings", url.Values{"language": {"en"}, "time_zone": {"Europe/Paris"}})
	all := anna.get("/changes")
	all.has(t, "Boris Field (веб-страница)", "часовой пояс", "Europe/London", "Europe/Paris", "Evil &lt;", fmt.Sprintf(`href="/clients/%d"`, h.ids["Ромашка"]))
	all.lacks(t, hostile)

	anna.get("/changes?kind=manager&manager="+fmt.Sprint(h.ids["boris"])).has(t, "Europe/Paris")
	anna.get("/changes?kind=client&manager="+fmt.Sprint(h.ids["boris"])).lacks(t, "Europe/Paris")
	for _, query := range []string{"client=" + url.QueryEscape("Ромашка"), fmt.Sprintf("client_id=%d", h.ids["Ромашка"])} {
		one := anna.get("/changes?" + query)
		one.has(t, "ООО «Ромашка»")
		one.lacks(t, "Europe/Paris", "Harbour")
	}
	if a := anna.get("/changes?client=nobody"); a.code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Клиента с таким названием нет") {
		t.Errorf("%d", a.code)
	}
	for _, query := range []string{"kind=x&manager=-1&before=x&client_id=9999999999999999999999", "before=1"} {
		if a := anna.get("/changes?" + query); a.code != http.StatusOK {
			t.Errorf("%s: %d", query, a.code)
		}
	}

	// Pages: each change once, the newest first.
	for n := range 150 {
		zone := []string{"Europe/Paris", "Europe/London"}[n%2]
		_, _, err := h.st.SaveManager(t.Context(), store.Actor{ManagerID: h.ids["clara"], Origin: store.FromWeb}, store.ManagerRow{Login: "clara", TimeZone: zone})
		h.check(err)
	}
	seen, path := 0, "/changes?kind=manager&manager="+fmt.Sprint(h.ids["clara"])
	for range 5 {
		page := anna.get(path).body
		seen += strings.Count(page, `<span class="when">`)
		_, rest, more := strings.Cut(page, `rel="next"`)
		if !more || rest == "" {
			break
		}
		before := page[:strings.Index(page, `" rel="next"`)]
		path = strings.ReplaceAll(before[strings.LastIndex(before, `"`)+1:], "&amp;", "&")
	}
	if seen != 150 {
		t.Errorf("%d of 150 changes", seen)
	}
}
