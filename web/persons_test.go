package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

func TestPersons_Page(t *testing.T) {
	h := newHouse(t, Options{})
	boris, clara := h.login("boris"), h.login("clara")
	boris.get("/clients").has(t, `href="/persons"`)
	boris.get("/persons").has(t, "Nothing is left to decide", "/persons?doubles=1")

	take := func(opt store.BookOptions, entries ...store.BookPerson) {
		t.Helper()
		opt.Book = "vcard"
		h.check(h.st.Import(context.Background(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
			for _, e := range entries {
				if _, err := im.BookPerson(opt, e); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	take(store.BookOptions{ManagerID: h.ids["boris"]},
		store.BookPerson{Key: "1", Name: "Lidia " + hostile, Company: "Lutik " + hostile, Emails: []string{"lidia@lutik.test"}},
		store.BookPerson{Key: "2", Name: "Mom", Phones: []store.BookPhone{{Number: "+7 900 000-00-01"}}})
	page := boris.get("/persons")
	page.has(t, "Lidia", "client unknown", "lidia@lutik.test", "7 900 000-00-01")
	page.lacks(t, "<script>alert(1)", "<img src=x")
	clara.get("/persons").lacks(t, "Lidia")
	forms := regexp.MustCompile(`action="(/persons/offers/\d+)"`).FindAllStringSubmatch(page.body, -1)
	if len(forms) != 2 {
		t.Fatalf("%d forms", len(forms))
	}
	lidia, mom := forms[0][1], forms[1][1]
	said := func(c *browser, path string, form url.Values, want string) {
		t.Helper()
		a := c.post(path, form)
		if to := a.header.Get("Location"); a.code != http.StatusSeeOther || !strings.HasSuffix(to, "said="+want) {
			t.Errorf("%s %v: %d %s, want %s", path, form, a.code, to, want)
		}
	}
	said(clara, lidia, url.Values{"do": {"refuse"}}, "decided")
	said(boris, lidia, url.Values{"do": {"client"}, "client": {"nobody"}}, "noclient")
	said(boris, lidia, url.Values{"do": {"accept"}}, "refused") // no client is known
	said(boris, lidia, url.Values{"do": {"new"}, "client": {"Lutik"}}, "saved")
	said(boris, lidia, url.Values{"do": {"new"}, "client": {"Lutik"}}, "decided")
	said(boris, mom, url.Values{"do": {"refuse"}}, "saved")
	for _, form := range []url.Values{{}, {"do": {"x"}}, {"do": {"into"}, "into": {"x"}}} {
		if a := boris.post(mom, form); a.code != http.StatusBadRequest {
			t.Errorf("%v: %d", form, a.code)
		}
	}
	boris.get("/clients").has(t, "Lutik")

	// One name with another address, and one address with another name.
	take(store.BookOptions{}, store.BookPerson{Key: "3", Name: "Lidia " + hostile, Emails: []string{"l2@lutik.test"}}, store.BookPerson{Key: "4", Name: "Igor", Emails: []string{"lidia@lutik.test"}})
	page = boris.get("/persons")
	page.has(t, "may be there already", "The same person", "Another person")
	page.lacks(t, "<script>alert(1)")
	forms = regexp.MustCompile(`action="(/persons/offers/\d+)"`).FindAllStringSubmatch(page.body, -1)
	into := regexp.MustCompile(`name="into" value="(\d+)"`).FindStringSubmatch(page.body)
	if len(forms) != 2 || into == nil {
		t.Fatal(page.body)
	}
	said(boris, forms[1][1], url.Values{"do": {"into"}, "into": {into[1]}}, "saved")
	said(boris, forms[0][1], url.Values{"do": {"accept"}}, "saved")
	page = boris.get("/persons")
	page.has(t, "Merged", "Igor", "Boris Field")
	undo := regexp.MustCompile(`action="(/persons/merged/\d+/undo)"`).FindStringSubmatch(page.body)
	said(clara, undo[1], nil, "decided")
	said(boris, undo[1], nil, "saved")
	said(boris, undo[1], nil, "decided")

	// Twice by other ways than a book.
	h.check(h.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "two", Name: "Two", Manager: "boris"})
		for i := range 2 {
			if err == nil {
				_, err = im.Person(store.PersonRow{ID: fmt.Sprint("two", i), Client: "two", Name: "Ola Nur", Emails: []string{fmt.Sprintf("ola%d@two.test", i)}})
			}
		}
		return err
	}))
	page = boris.get("/persons?doubles=1")
	page.has(t, "ola0@two.test", "ola1@two.test", "perhaps one person")
	pair := regexp.MustCompile(`name="keep" value="(\d+)"><input type="hidden" name="other" value="(\d+)"`).FindStringSubmatch(page.body)
	if pair == nil {
		t.Fatal(page.body)
	}
	both := url.Values{"do": {"merge"}, "keep": {pair[1]}, "other": {pair[2]}}
	said(clara, "/persons/join", both, "decided")
	said(boris, "/persons/join", both, "saved")
	said(boris, "/persons/join", both, "decided")
	boris.get("/persons?doubles=1").has(t, "There are no doubles")
	said(boris, "/persons/again", nil, "saved")
}
