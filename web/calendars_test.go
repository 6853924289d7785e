package web

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

func feedPath(secret string) string { return "/feed/" + secret + ".ics" }

// collectionNamed is a manager's calendar of that name.
func (h *house) collectionNamed(login, name string) store.Collection {
	h.t.Helper()
	all, err := h.st.Collections(context.Background(), h.manager(login).ID)
	h.check(err)
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	h.t.Fatalf("%s has no calendar %q", login, name)
	return store.Collection{}
}

func TestCalendars_Filter(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	// From the calendar page, with what is chosen there.
	anna.get("/").has(t, `formaction="/calendars/new"`)
	page := anna.get("/calendars/new?manager=all&status=overdue&importance=high&client=" + url.QueryEscape("Ромашка"))
	page.has(t, `name="status" value="overdue" checked`, `name="importance" value="high" checked`, fmt.Sprintf(`name="client_id" value="%d" checked`, h.ids["Ромашка"]))
	page.lacks(t, `name="status" value="done" checked`, `name="manager" value="1" checked`)

	form := url.Values{"name": {"VIP"}, "color": {"#112233"}, "importance": {"high"}, "words": {"оплате"}, "do": {"save"}}
	if a := anna.post("/calendars", form); a.code != http.StatusSeeOther || a.header.Get("Location") != "/calendars?said=saved" {
		t.Fatalf("%d %v\n%s", a.code, a.header, main(a.body))
	}
	c := h.collectionNamed("anna", "VIP")
	if c.Color != "#112233" || c.Filter.Words != "оплате" || len(c.Filter.Importances) != 1 || len(c.Filter.Managers) != 0 || !c.Filter.NoLetters {
		t.Errorf("%+v", c)
	}
	path := fmt.Sprintf("/calendars/%d", c.ID)
	anna.get("/calendars?said=saved").has(t, "VIP", path, `fill="#112233"`, "Сохранено.")
	anna.get(path).has(t, `value="VIP"`, `value="#112233"`, `value="high" checked`, "Удалить фильтр")

	// Several clients of one text are offered, not taken.
	form.Set("client", "о")
	if a := anna.post(path, form); a.code != http.StatusUnprocessableEntity || strings.Count(a.body, `name="client_id"`) < 2 {
		t.Errorf("several clients: %d\n%s", a.code, main(a.body))
	}
	form.Set("client", "нет такого")
	anna.post(path, form).has(t, "Такого клиента нет.")
	form.Del("client")
	form.Set("name", " ")
	anna.post(path, form).has(t, "Нужно название.")
	form.Set("name", "Оплаты")
	form.Set("client_id", fmt.Sprint(h.ids["Ромашка"]))
	if a := anna.post(path, form); a.code != http.StatusSeeOther {
		t.Errorf("change: %d\n%s", a.code, main(a.body))
	}
	if c = h.collectionNamed("anna", "Оплаты"); len(c.Filter.Clients) != 1 {
		t.Errorf("%+v", c.Filter)
	}

	// Not somebody else's; not what comes with the manager.
	clara := h.login("clara")
	for _, a := range []answer{clara.get(path), clara.post(path, url.Values{"do": {"delete"}}), anna.get("/calendars/999999"), anna.get("/calendars/x"),
		anna.get(fmt.Sprintf("/calendars/%d", h.collectionNamed("anna", "Текущие").ID))} {
		if a.code != http.StatusNotFound {
			t.Errorf("%d", a.code)
		}
	}
	if a := anna.post(fmt.Sprintf("/calendars/%d", h.collectionNamed("anna", "Текущие").ID), url.Values{"do": {"delete"}}); a.code != http.StatusForbidden {
		t.Errorf("deleting Current: %d", a.code)
	}
	if a := clara.post("/calendars", url.Values{"name": {"x"}, "manager": {fmt.Sprint(h.manager("anna").ID)}}); a.code != http.StatusForbidden {
		t.Errorf("a manager asks for the head's: %d", a.code)
	}
	if a := anna.post(path, url.Values{"do": {"delete"}}); a.header.Get("Location") != "/calendars?said=deleted" {
		t.Errorf("delete: %d %v", a.code, a.header)
	}
	if a := anna.get(path); a.code != http.StatusNotFound {
		t.Errorf("after deleting: %d", a.code)
	}
}

func TestCalendars_Feed(t *testing.T) {
	h := newHouse(t, Options{FeedPath: feedPath})
	anna := h.login("anna")
	path := fmt.Sprintf("/calendars/%d", h.collectionNamed("anna", "Текущие").ID)
	a := anna.post(path, url.Values{"do": {"feed"}})
	secret := regexp.MustCompile(`http://[^<]*/feed/([A-Z2-7]{26})\.ics`).FindStringSubmatch(a.body)
	if a.code != http.StatusOK || secret == nil || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d\n%s", a.code, main(a.body))
	}
	list := anna.get("/calendars")
	list.has(t, "ещё не прочитана", "Отозвать")
	list.lacks(t, secret[1])
	if _, err := h.st.Feed(context.Background(), secret[1]); err != nil {
		t.Error(err)
	}
	anna.get("/calendars").has(t, "прочитана: ")
	if a := h.login("clara").post(path, url.Values{"do": {"revoke"}}); a.code != http.StatusNotFound {
		t.Errorf("revoked by somebody else: %d", a.code)
	}
	if a := anna.post(path, url.Values{"do": {"revoke"}}); a.header.Get("Location") != "/calendars?said=revoked" {
		t.Errorf("%d %v", a.code, a.header)
	}
	if _, err := h.st.Feed(context.Background(), secret[1]); err == nil {
		t.Error("the revoked feed is read")
	}
	if a := anna.post(fmt.Sprintf("/calendars/%d", h.collectionNamed("anna", "Задачи").ID), url.Values{"do": {"feed"}}); a.code != http.StatusNotFound {
		t.Errorf("a feed of tasks: %d", a.code)
	}
	h.login("anna").post(path, url.Values{"do": {"dance"}}).has(t, "Форму не удалось прочитать")
}

func TestProfile(t *testing.T) {
	u, err := url.Parse("https://crm.vector.test:8443/in")
	if err != nil {
		t.Fatal(err)
	}
	one := profileText(voice{lang: store.English}, u, "o<lga", "", "/dav/principals/o%3Clga/")
	if one != profileText(voice{lang: store.English}, u, "o<lga", "", "/dav/principals/o%3Clga/") {
		t.Error("identifiers change")
	}
	for _, want := range []string{"<key>CalDAVHostName</key><string>crm.vector.test</string>", "<key>CardDAVPort</key><integer>8443</integer>", "<key>CalDAVUseSSL</key><true/>",
		"<key>CardDAVUsername</key><string>o&lt;lga</string>", "<key>CalDAVPrincipalURL</key><string>/in/dav/principals/o%3Clga/</string>",
		"<key>PayloadType</key><string>Configuration</string>"} {
		if !strings.Contains(one, want) {
			t.Errorf("no %s in\n%s", want, one)
		}
	}
	if strings.Contains(strings.ToLower(one), "password") {
		t.Error("speaks of a password")
	}
	uuids := map[string]bool{}
	for _, m := range regexp.MustCompile(`PayloadUUID</key><string>([0-9A-F-]{36})<`).FindAllString(one, -1) {
		uuids[m] = true
	}
	if len(uuids) != 3 {
		t.Errorf("%d different identifiers", len(uuids))
	}
	dec := xml.NewDecoder(strings.NewReader(one))
	for {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}

	h := newHouse(t, Options{}) // without https
	if a := h.login("anna").get("/setup/intouch.mobileconfig"); a.code != http.StatusNotFound {
		t.Errorf("over http: %d", a.code)
	}
}
