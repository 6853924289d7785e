package web

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestPersonList(t *testing.T) {
	h := newHouse(t, Options{})
	anna, clara := h.login("anna"), h.login("clara")
	const olga = "Ольга Петрова"
	for query, there := range map[string]bool{
		"": true, "text=ольга": true, "text=OLGA%40rom": true, "text=ромашка": true, "text=" + url.QueryEscape("%"): false, "born=12": true, "born=11": false, "born=x": true,
		"importance=high": true, "importance=low": false, "manager=anna": true, "manager=boris": false, "stage=regular": true, "stage=lost": false, "abc=none": true, "abc=A": false,
		"source=none": false, "since=2026-11-01": true, "before=2026-11-01": false, "since=2027-01-01": false,
		"attributes=" + url.QueryEscape("сегмент=horeca"): true, "attributes=" + url.QueryEscape("сегмент=x"): false,
		fmt.Sprint("client=", h.ids["Ромашка"]): true, fmt.Sprint("client=", h.ids["Клён"]): false, "after=999999": false,
	} {
		a := anna.get("/persons/list?" + query)
		if a.code != http.StatusOK {
			t.Errorf("%s: %d", query, a.code)
		}
		if strings.Contains(a.body, ">"+olga+"<") != there {
			t.Errorf("%s: the person is there: %v", query, !there)
		}
		// The files hold the same persons.
		link := regexp.MustCompile(`<a href="(/reports/persons[^"]*)">vCard`).FindStringSubmatch(a.body)
		if link == nil {
			if there {
				t.Errorf("%s: nothing to download", query)
			}
			continue
		}
		file := anna.get(html.UnescapeString(link[1]))
		if file.code != http.StatusOK || strings.Contains(file.body, "FN:"+olga) != there {
			t.Errorf("%s: vCard %d\n%s", query, file.code, clip(500, file.body))
		}
	}
	anna.get("/persons/list?since=x&before=2026-99-99&attributes=y").has(t, "сегмент", `value="x"`, `role="alert"`)
	clara.get("/persons/list").lacks(t, olga)
	if a := clara.get(fmt.Sprint("/persons/list?client=", h.ids["Ромашка"])); a.code != http.StatusNotFound {
		t.Errorf("of another manager's client: %d", a.code)
	}
}
