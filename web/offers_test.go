package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"intouch/store"
)

// write files letters of a client, with these parties, "address Name".
func (h *house) write(client string, letters ...[2]string) {
	h.t.Helper()
	box, err := h.st.SaveMailbox(h.t.Context(), "more", "anna")
	h.check(err)
	folder, err := h.st.OpenFolder(h.t.Context(), box.ID, "INBOX", 1)
	h.check(err)
	batch := store.Batch{Read: store.Cursor{First: 1, Last: uint32(len(letters))}}
	for i, l := range letters {
		one := letter(uint32(i+1), noon.Add(-time.Duration(i)*time.Hour), h.ids[client], l[0], "anna@vector.test", "Привет", "?")
		one.Key, one.Names = fmt.Sprint("more", i), map[string]string{l[0]: l[1]}
		batch.Letters = append(batch.Letters, one)
	}
	_, err = h.st.FileLetters(h.t.Context(), folder, batch)
	h.check(err)
}

func TestOffers_Pages(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	h.write("Ромашка", [2]string{"new@romashka.test", hostile}, [2]string{"new@romashka.test", hostile}, [2]string{"second@romashka.test", "Второй"}, [2]string{"third@romashka.test", "Третий"}, [2]string{"fourth@romashka.test", "Четвёртый"})
	page := fmt.Sprintf("/clients/%d", h.ids["Ромашка"])
	a := anna.get(page)
	a.has(t, "Возможные контактные лица", "second@romashka.test", "2 письма", "Записать всех")
	a.lacks(t, "<script>alert(1)")
	action := func(address string) string {
		t.Helper()
		m := regexp.MustCompile(`(?s)` + regexp.QuoteMeta(address) + `.*?action="(/persons/offers/\d+)"`).FindStringSubmatch(anna.get(page).body)
		if m == nil {
			t.Fatalf("%s is not offered", address)
		}
		return m[1]
	}
	back := url.Values{"back": {page}}
	with := func(do string) url.Values { return url.Values{"back": back["back"], "do": {do}} }
	first := action("new@romashka.test")
	if got := boris.post(first, with("accept")); got.header.Get("Location") != page+"?said=decided" {
		t.Errorf("decided by another: %d %s", got.code, got.header.Get("Location"))
	}
	if got := anna.post(first, with("refuse")); got.header.Get("Location") != page+"?said=saved" {
		t.Errorf("refused: %d %s", got.code, got.header.Get("Location"))
	}
	anna.post(action("second@romashka.test"), with("accept"))
	a = anna.get(page)
	a.lacks(t, "new@romashka.test")
	a.has(t, "mailto:second@romashka.test", "third@romashka.test")
	anna.get("/persons").has(t, "third@romashka.test", "из переписки", "1 письмо")
	for _, bad := range []string{"", "into"} {
		if got := anna.post(page+"/offers", with(bad)); got.code != http.StatusBadRequest {
			t.Errorf("all %q: %d", bad, got.code)
		}
	}
	boris.post(page+"/offers", with("refuse")) // decides nothing: they are not his
	if got := anna.post(page+"/offers", with("accept")); got.header.Get("Location") != page+"?said=saved" {
		t.Errorf("all: %d %s", got.code, got.header.Get("Location"))
	}
	a = anna.get(page)
	a.lacks(t, "Возможные контактные лица")
	a.has(t, "mailto:third@romashka.test", "mailto:fourth@romashka.test")
}

func TestSender_Pages(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	box, err := h.st.SaveMailbox(t.Context(), "more", "anna")
	h.check(err)
	folder, err := h.st.OpenFolder(t.Context(), box.ID, "INBOX", 1)
	h.check(err)
	batch := store.Batch{Read: store.Cursor{First: 1, Last: 3}}
	for i, from := range []string{"who+1@start.test", "spam@start.test", "buyer@start.test"} {
		batch.Letters = append(batch.Letters, store.FiledLetter{UID: uint32(i + 1), Key: from, Date: noon, Outcome: store.Skipped, Reason: store.Unknown, FromAddress: from, FromName: hostile, Subject: hostile})
	}
	_, err = h.st.FileLetters(t.Context(), folder, batch)
	h.check(err)
	status := anna.get("/status")
	status.has(t, "/senders?address=who%2B1%40start.test", "spam@start.test")
	anna.get("/senders?address=who%2B1%40start.test").has(t, "who&#43;1@start.test", "Новый клиент")
	anna.get("/senders?address=who%2B1%40start.test&name=ромаш").has(t, "Ромашка", "checked")
	if got := anna.get("/senders?address=x"); got.code != http.StatusNotFound {
		t.Errorf("no address: %d", got.code)
	}
	if got := boris.post("/senders", url.Values{"address": {"spam@start.test"}, "do": {"refuse"}, "back": {"/status"}}); got.header.Get("Location") != "/status?said=decided" {
		t.Errorf("refused by another: %d %s", got.code, got.header.Get("Location"))
	}
	if got := anna.post("/senders", url.Values{"address": {"spam@start.test"}, "do": {"refuse"}, "back": {"/status"}}); got.header.Get("Location") != "/status?said=saved" {
		t.Errorf("refused: %d %s", got.code, got.header.Get("Location"))
	}
	if got := anna.post("/senders", url.Values{"address": {"who+1@start.test"}, "do": {"accept"}, "client": {"new"}}); got.code != http.StatusUnprocessableEntity {
		t.Errorf("without a name: %d", got.code)
	}
	if got := boris.post("/senders", url.Values{"address": {"new@stranger.test"}, "do": {"accept"}, "client": {fmt.Sprint(h.ids["Ромашка"])}}); got.code != http.StatusNotFound {
		t.Errorf("somebody else's client: %d", got.code)
	}
	got := anna.post("/senders", url.Values{"address": {"who+1@start.test"}, "do": {"accept"}, "client": {"new"}, "name": {"Старт"}})
	anna.get(got.header.Get("Location")).has(t, "Старт", "mailto:who&#43;1@start.test", "Теперь это лицо клиента")
	got = anna.post("/senders", url.Values{"address": {"buyer@start.test"}, "do": {"accept"}, "client": {fmt.Sprint(h.ids["Ромашка"])}})
	anna.get(got.header.Get("Location")).has(t, "Ромашка", "mailto:buyer@start.test")
	status = anna.get("/status")
	status.lacks(t, "who+1@start.test", "spam@start.test", "buyer@start.test")
}
