package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestMerge_Pages(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	kept, gone := h.ids["Ромашка"], h.ids["Evil"]
	page := fmt.Sprintf("/clients/%d/merge", kept)
	anna.get(fmt.Sprintf("/clients/%d", kept)).has(t, page, "Объединить…")
	anna.get(page+"?name=evil").has(t, fmt.Sprintf("%s?with=%d", page, gone))
	a := anna.get(fmt.Sprintf("%s?with=%d", page, gone))
	a.has(t, "Контактные лица", "важность:", "высокая", "менеджер:", "Boris Field", "600\u00a0000,00\u00a0₽")
	a.lacks(t, "<script>alert(1)", "<img src=x")
	if got := boris.post(page, url.Values{"with": {fmt.Sprint(gone)}}); got.code != http.StatusNotFound {
		t.Errorf("merged by who may not know of the client: %d", got.code)
	}
	// Boris is not responsible for Клён, but took part in nothing there either.
	if got := boris.post(fmt.Sprintf("/clients/%d/merge", h.ids["Harbour"]), url.Values{"with": {fmt.Sprint(kept)}}); got.code != http.StatusNotFound {
		t.Errorf("merged with who is not his: %d", got.code)
	}

	done := anna.post(page, url.Values{"with": {fmt.Sprint(gone)}})
	if to := done.header.Get("Location"); done.code != http.StatusSeeOther || to != fmt.Sprintf("/clients/%d?said=merged", kept) {
		t.Fatalf("%d %s", done.code, to)
	}
	if a := anna.get(fmt.Sprintf("/clients/%d", gone)); a.header.Get("Location") != fmt.Sprintf("/clients/%d", kept) {
		t.Errorf("the old page leads to %q", a.header.Get("Location"))
	}
	a = anna.get(done.header.Get("Location"))
	a.has(t, "Клиенты объединены", "Объединено", "Анна Орлова")
	a.lacks(t, "<script>alert(1)", "<img src=x")
	undo := regexp.MustCompile(`action="(/merges/\d+/undo)"`).FindStringSubmatch(a.body)
	if undo == nil {
		t.Fatal("no button to undo")
	}
	boris.get("/clients").lacks(t, "Evil")
	if got := boris.post(undo[1], url.Values{}); got.code != http.StatusForbidden {
		t.Errorf("undone by another: %d", got.code)
	}
	for range 2 { // the second time changes nothing
		if got := anna.post(undo[1], url.Values{}); got.code != http.StatusSeeOther {
			t.Fatalf("undo: %d", got.code)
		}
	}
	anna.get(fmt.Sprintf("/clients/%d", gone)).has(t, "Evil")
	if got := anna.post(page, url.Values{"with": {fmt.Sprint(kept)}}); !strings.HasSuffix(got.header.Get("Location"), "said=refused") {
		t.Errorf("merged with itself: %d %s", got.code, got.header.Get("Location"))
	}
	for _, with := range []string{"", "x", "999999"} {
		if got := anna.post(page, url.Values{"with": {with}}); got.code != http.StatusBadRequest && got.code != http.StatusNotFound {
			t.Errorf("with %q: %d", with, got.code)
		}
	}
}

func TestRegister_Pages(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	id := h.ids["Осмотр склада"]
	page := fmt.Sprintf("/contacts/%d/register", id)
	if a := boris.get(page); a.code != http.StatusNotFound {
		t.Errorf("somebody else's contact: %d", a.code)
	}
	anna.get(fmt.Sprintf("/contacts/%d", id)).has(t, page)
	anna.get(page).has(t, "Новый знакомый", `value="new" checked`)
	anna.get(page+"?name=клён").has(t, "ЗАО Клён")
	if a := anna.post(page, url.Values{"client": {"new"}, "name": {" "}}); a.code != http.StatusUnprocessableEntity {
		t.Errorf("no name: %d", a.code)
	}
	if a := anna.post(page, url.Values{"client": {"new"}, "name": {"X"}, "domain": {"gmail.com"}}); a.code != http.StatusUnprocessableEntity {
		t.Errorf("free mail: %d", a.code)
	}
	done := anna.post(page, url.Values{"client": {"new"}, "name": {"Знакомый и Ко"}})
	to := done.header.Get("Location")
	if done.code != http.StatusSeeOther || !strings.HasSuffix(to, "?said=registered") {
		t.Fatalf("%d %s", done.code, to)
	}
	a := anna.get(to)
	a.has(t, "Знакомый и Ко", "Осмотр склада", "контакты с этим текстом")
	if a := anna.get(page); a.code != http.StatusNotFound {
		t.Errorf("registered already: %d", a.code)
	}
	undo := regexp.MustCompile(`action="(/merges/\d+/undo)"`).FindStringSubmatch(a.body)
	if undo == nil {
		t.Fatal("no button to undo")
	}
	if got := anna.post(undo[1], url.Values{}); got.header.Get("Location") != "/clients?said=undone" {
		t.Errorf("undone: %d %s", got.code, got.header.Get("Location"))
	}
	anna.get(fmt.Sprintf("/contacts/%d", id)).has(t, "Новый знакомый", page)
}
