package web

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

// route is a pattern of the pages: "POST /clients/{id}/edit".
type route struct{ method, path string }

// routes are all that New registers by session, read from the source so that a
// new one cannot be forgotten. Links in mails have a secret of their own.
func routes(t *testing.T) (all []route) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?:page|open)\("(GET|POST) (/[^"]*)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			all = append(all, route{m[1], m[2]})
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d routes were found", len(all))
	}
	return all
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// A form from another site does nothing, whatever the page.
func TestRoutes_CSRF(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	before, err := h.st.LoggedChanges(t.Context(), h.manager("anna"), store.ChangeLog{}, 1)
	h.check(err)
	for _, r := range routes(t) {
		if r.method != http.MethodPost {
			continue
		}
		path := wildcard.ReplaceAllString(r.path, "1")
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": nil, "Origin": {"https://evil.test"}}, {"Sec-Fetch-Site": nil, "Origin": {"null"}}} {
			anna.header = header
			if a := anna.post(path, url.Values{"do": {"off"}, "name": {"x"}}); a.code != http.StatusForbidden {
				t.Errorf("POST %s with %v: %d", path, header, a.code)
			}
		}
	}
	anna.header = http.Header{}
	after, err := h.st.LoggedChanges(t.Context(), h.manager("anna"), store.ChangeLog{}, 1)
	h.check(err)
	if before[0].Row != after[0].Row {
		t.Errorf("something was changed: %+v", after[0])
	}
	if a := anna.get("/"); a.code != http.StatusOK {
		t.Errorf("signed out: %d", a.code)
	}
}

// Who is not signed in is led to the login, whatever the page.
func TestRoutes_Nobody(t *testing.T) {
	h := newHouse(t, Options{})
	b := h.browser()
	for _, r := range routes(t) {
		path := wildcard.ReplaceAllString(r.path, "1")
		if r.path == "/{$}" {
			path = "/"
		}
		var form url.Values
		if r.method == http.MethodPost {
			form = url.Values{}
		}
		switch {
		case path == "/login", path == "/logout":
			continue
		}
		if a := b.send(r.method, path, form); a.code != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/login") {
			t.Errorf("%s %s: %d %s", r.method, path, a.code, a.header.Get("Location"))
		}
	}
}

// What belongs to another manager is not there, whatever the page: the answer
// is that to an id that nothing has.
func TestRoutes_Others(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := t.Context()
	anna := store.Actor{ManagerID: h.ids["anna"], Origin: store.FromWeb}
	device, _, err := h.st.AddAppPassword(ctx, anna, h.ids["anna"], "Pixel 9")
	h.check(err)
	name := "Её фильтр"
	filter, err := h.st.MakeFilter(ctx, anna, store.Filter{}, store.CollectionEdit{Name: &name})
	h.check(err)
	report, err := h.st.SaveReport(ctx, anna, h.ids["anna"], 0, store.SavedReportEdit{Name: "Её отчёт", Report: "open-deals", Params: url.Values{}})
	h.check(err)
	card, err := h.st.Client(ctx, h.manager("anna"), h.ids["Ромашка"])
	h.check(err)
	deal, err := h.st.Deal(ctx, h.manager("anna"), h.deal)
	h.check(err)
	// An id of Anna's behind each prefix; where she has none, 1 may be anything.
	others := map[string]int64{
		"/clients/": h.ids["Ромашка"], "/contacts/": h.ids["Переговоры о поставке"], "/deals/": h.deal, "/persons/": card.Persons[0].ID,
		"/setup/devices/": device.ID, "/calendars/": filter.ID, "/reports/saved/": report.ID,
	}
	clara := h.login("clara")
	before, err := h.st.LoggedChanges(ctx, h.manager("anna"), store.ChangeLog{}, 1)
	h.check(err)
	swept := 0
	for _, r := range routes(t) {
		if !strings.Contains(r.path, "{id}") {
			continue
		}
		prefix := r.path[:strings.Index(r.path, "{id}")]
		id, ok := others[prefix]
		if !ok {
			id = 1
		}
		at := func(id int64) answer {
			path := strings.ReplaceAll(r.path, "{id}", fmt.Sprint(id))
			path = strings.ReplaceAll(path, "{event}", fmt.Sprint(deal.Events[0].ID))
			if r.method == http.MethodGet {
				return clara.get(path)
			}
			form := url.Values{"version": {"1"}, "name": {"taken"}, "subject": {"taken"}, "state": {"done"}, "source": {"1"}, "from": {"0"}, "into": {"1"}, "with": {fmt.Sprint(h.ids["Клён"])}, "do": {"done"}}
			if strings.HasSuffix(prefix, "/offers/") || strings.HasSuffix(r.path, "/offers") {
				form.Set("do", "refuse")
			}
			return clara.post(path, form)
		}
		theirs, none := at(id), at(987654321)
		if said := "said=decided"; theirs.code == http.StatusSeeOther && none.code == http.StatusSeeOther && strings.Contains(theirs.header.Get("Location"), said) && strings.Contains(none.header.Get("Location"), said) {
			// What several people decide about: somebody else was quicker.
		} else if r.path == "/questions/{id}" && theirs.code == http.StatusForbidden && none.code == http.StatusForbidden {
			// For heads only, whatever the id.
		} else if theirs.code != http.StatusNotFound || none.code != http.StatusNotFound {
			t.Errorf("%s %s: %d for another's, %d for nobody's", r.method, r.path, theirs.code, none.code)
		}
		swept++
	}
	if swept < 20 {
		t.Errorf("only %d routes have an id", swept)
	}
	after, err := h.st.LoggedChanges(ctx, h.manager("anna"), store.ChangeLog{}, 1)
	h.check(err)
	if before[0].Row != after[0].Row {
		t.Errorf("something was changed: %+v", after[0])
	}
}
