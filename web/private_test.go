package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"intouch/store"
)

// TestContact_Private: who took part makes a thread private, and a head who did
// not no longer reads it.
func TestContact_Private(t *testing.T) {
	h := newHouse(t, Options{})
	boris, anna := h.login("boris"), h.login("anna")
	found, err := h.st.Contacts(t.Context(), h.manager("anna"), store.ContactQuery{ClientID: h.ids["Evil"]})
	h.check(err)
	path := ""
	for _, c := range found {
		if c.MessageKey != "" {
			path = fmt.Sprintf("/contacts/%d", c.ID)
		}
	}
	const said = "https://evil.test/"
	anna.get(path).has(t, said)
	anna.get(path).lacks(t, `value="private"`) // a head sees it, but took no part
	if a := anna.post(path, url.Values{"do": {"private"}}); a.code != http.StatusSeeOther || a.header.Get("Location") == "" {
		t.Errorf("%d", a.code)
	}
	anna.get(path).has(t, said)

	boris.get(path).has(t, said, `value="private"`)
	if a := boris.post(path, url.Values{"do": {"private"}}); a.code != http.StatusSeeOther {
		t.Errorf("%d %s", a.code, a.body)
	}
	boris.get(path).has(t, said, `value="open"`, "A private thread: you and the others")
	anna.get(path).lacks(t, said, `class="files"`)
	anna.get(path).has(t, "Личная переписка: текст видят только те", "переписка стала личной")
	anna.get(fmt.Sprintf("/clients/%d", h.ids["Evil"])).lacks(t, said)
	if a := boris.post(path, url.Values{"do": {"open"}}); a.code != http.StatusSeeOther {
		t.Errorf("%d", a.code)
	}
	anna.get(path).has(t, said)
}
