package web

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

var appPasswordShape = regexp.MustCompile(`([a-z2-9]{4}-){5}[a-z2-9]{4}`)

func TestDevices(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	anna.get("/setup").has(t, "Пароли для устройств", `action="/setup/devices#devices"`)
	made := anna.post("/setup/devices", url.Values{"name": {hostile}})
	password := appPasswordShape.FindString(made.body)
	if made.code != http.StatusOK || password == "" || made.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %q\n%s", made.code, password, main(made.body))
	}
	made.lacks(t, hostile)
	anna.get("/setup").lacks(t, password)
	if _, err := h.st.CheckDevice(t.Context(), "anna", password, "192.0.2.1"); err != nil {
		t.Error(err)
	}
	if a := h.browser().post("/login", url.Values{"login": {"anna"}, "password": {password}}); a.code != http.StatusForbidden {
		t.Errorf("it opens the pages: %d", a.code)
	}
	a := anna.post("/setup/devices", url.Values{"name": {hostile}})
	if a.code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `aria-invalid="true"`) || !strings.Contains(a.body, "Нужно название") {
		t.Errorf("a name that is taken: %d\n%s", a.code, main(a.body))
	}
	if a := anna.post("/setup/devices", url.Values{"name": {"iPhone"}, "do": {"profile"}}); a.code != http.StatusNotFound {
		t.Errorf("a profile without https: %d", a.code)
	}
	list, err := h.st.AppPasswords(t.Context(), h.ids["anna"])
	h.check(err)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	revoke := fmt.Sprintf("/setup/devices/%d/revoke", list[0].ID)
	if a := boris.post(revoke, url.Values{}); a.code != http.StatusNotFound {
		t.Errorf("another's was revoked: %d", a.code)
	}
	anna.get("/setup").has(t, "с адреса 192.0.2.1", revoke)
	if a := anna.post(revoke, url.Values{}); a.code != http.StatusSeeOther || a.header.Get("Location") != "/setup?said=device#devices" {
		t.Errorf("%d %s", a.code, a.header.Get("Location"))
	}
	if _, err := h.st.CheckDevice(t.Context(), "anna", password, "192.0.2.1"); !errors.Is(err, store.ErrBadLogin) {
		t.Errorf("after revoking: %v", err)
	}
	anna.get("/setup").lacks(t, revoke)
}

func TestDevices_Profile(t *testing.T) {
	h := newHouse(t, Options{PublicURL: "https://crm.vector.test"})
	b := h.browser()
	a := b.post("/login", url.Values{"login": {"boris"}, "password": {"secret of boris"}})
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	b.header.Set("Cookie", cookie) // the jar keeps it from http
	profile := b.post("/setup/devices", url.Values{"name": {"iPad"}, "do": {"profile"}})
	password := appPasswordShape.FindString(profile.body)
	if profile.code != http.StatusOK || profile.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d", profile.code)
	}
	profile.has(t, "<key>CalDAVPassword</key><string>"+password+"<", "<key>CardDAVPassword</key><string>"+password+"<")
	if _, err := h.st.CheckDevice(t.Context(), "boris", password, "192.0.2.1"); err != nil {
		t.Errorf("%q: %v", password, err)
	}
	for dec := xml.NewDecoder(strings.NewReader(profile.body)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
