package web

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"intouch/store"
)

// A head sees what imports kept apart, with its row, and drops it; nobody else.
func TestQuestions(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	h.check(h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		im.Given(store.Given{File: "a<b>.csv", Line: 7, Text: func() string { return `{"id":"<script>"}` }})
		change, err := im.Document(store.DocumentRow{ID: "<script>", Kind: store.PaymentDoc, Date: "2026-11-20", Deal: "nowhere", Amount: store.Money{Minor: 100, Currency: "RUB"}})
		if change != store.RowKept {
			t.Errorf("%s, want kept", change)
		}
		return err
	}))
	anna, boris := h.login("anna"), h.login("boris")
	anna.get("/status").has(t, `<a href="/questions">Открытых вопросов по загрузкам: 3</a>`)
	anna.get("/questions").has(t, "Документ &lt;script&gt;", "нет сделки «nowhere»", "a&lt;b&gt;.csv:7", `{&#34;id&#34;:&#34;&lt;script&gt;&#34;}`)
	all, err := h.st.Questions(ctx, 0, 0)
	h.check(err)
	path := fmt.Sprintf("/questions/%d", all[2].ID) // two are of the house's own deals
	boris.get("/questions").lacks(t, "nowhere", path)
	if a := boris.post(path, url.Values{}); a.code != http.StatusForbidden {
		t.Errorf("a manager drops a question: %d", a.code)
	}
	for _, said := range []string{"dropped", "stale"} {
		if a := anna.post(path, url.Values{}); a.code != http.StatusSeeOther || a.header.Get("Location") != "/questions?said="+said {
			t.Errorf("drop: %d %s, want %s", a.code, a.header.Get("Location"), said)
		}
	}
	if left, err := h.st.Questions(ctx, 0, 0); err != nil || len(left) != 2 || left[1].ID != all[1].ID {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// What waits for somebody is asked of those whose it is, and one click answers
// it for good.
func TestInbox(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	h.check(h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for _, row := range []store.ClientRow{{ID: "v1", Name: "ООО Вега", Manager: "boris"}, {ID: "v2", Name: "ИП Вега", Manager: "boris"}, {ID: "n1", Name: "Новый знакомый и Ко", Manager: "anna"}} {
			if _, err := im.Client(row); err != nil {
				return err
			}
		}
		return nil
	}))
	client := func(key string) (id int64) {
		found, err := h.st.Clients(ctx, h.manager("anna"), key, 1)
		h.check(err)
		return found[0].ID
	}
	_, err := h.st.PlanContact(ctx, store.Actor{ManagerID: h.ids["boris"], Origin: store.FromWeb},
		store.ContactDraft{Kind: store.Call, Subject: "First call", ClientID: client("ООО Вега"), State: store.Done, When: store.Span{Start: noon.Add(-2e12 * 3), End: noon.Add(-1e12 * 3)}})
	h.check(err)
	anna, boris, clara := h.login("anna"), h.login("boris"), h.login("clara")

	// Anna's visit to somebody new: a head sees it, Clara does not.
	visit := fmt.Sprintf(`action="/contacts/%d/client"`, h.ids["Осмотр склада"])
	page := anna.get("/questions")
	page.has(t, `id="unlinked"`, visit, "Осмотр склада", "Это Новый знакомый и Ко")
	clara.get("/questions").lacks(t, "Осмотр склада", "ИП Вега")
	link := func(b *browser, form url.Values) string {
		word, _ := b.post(fmt.Sprintf("/contacts/%d/client", h.ids["Осмотр склада"]), form).said(t)
		return word
	}
	id := func(n int64) []string { return []string{fmt.Sprint(n)} }
	if a := clara.post(fmt.Sprintf("/contacts/%d/client", h.ids["Осмотр склада"]), url.Values{"client_id": id(h.ids["Клён"])}); a.code != http.StatusNotFound {
		t.Errorf("another manager's contact: %d", a.code)
	}
	if word := link(anna, url.Values{"client": {"нет такого"}}); word != "noclient" {
		t.Errorf("no such client: %s", word)
	}
	if word := link(anna, url.Values{"client_id": id(client("Новый знакомый и Ко"))}); word != "linked" {
		t.Errorf("link: %s", word)
	}
	if word := link(anna, url.Values{"client_id": id(client("Новый знакомый и Ко"))}); word != "stale" {
		t.Errorf("linked twice: %s", word)
	}
	anna.get("/questions").lacks(t, visit)

	settle := func(b *browser, form url.Values) string {
		word, _ := b.post("/questions/settle", form).said(t)
		return word
	}
	// Two clients of one name, until somebody says that they are two.
	one, other := client("ООО Вега"), client("ИП Вега")
	alike := fmt.Sprintf(`href="/clients/%d/merge?with=%d"`, min(one, other), max(one, other))
	apart := url.Values{"what": {"clients"}, "one": id(other), "other": id(one)}
	boris.get("/questions").has(t, alike, "Clients alike")
	if word := settle(clara, apart); word != "decided" {
		t.Errorf("another manager's clients: %s", word)
	}
	boris.get("/questions").has(t, alike)
	if word := settle(boris, apart); word != "left" {
		t.Errorf("not the same: %s", word)
	}
	boris.get("/questions").lacks(t, alike)
	anna.get("/questions").lacks(t, alike)

	// The first contact with a client who came from nobody knows where.
	first := fmt.Sprintf(`action="/clients/%d/source"`, one)
	boris.get("/questions").has(t, first, "First call")
	clara.get("/questions").lacks(t, first)
	if word := settle(boris, url.Values{"what": {"source"}, "one": id(one)}); word != "left" {
		t.Errorf("nobody knows: %s", word)
	}
	boris.get("/questions").lacks(t, first)

	for _, bad := range []url.Values{{}, {"what": {"source"}, "one": {"x"}}, {"what": {"clients"}, "one": id(one), "other": {"y"}}} {
		if a := boris.post("/questions/settle", bad); a.code != http.StatusBadRequest {
			t.Errorf("%v: %d", bad, a.code)
		}
	}
	if word := settle(boris, url.Values{"what": {"everything"}, "one": id(one)}); word != "refused" {
		t.Errorf("a question that there is not: %s", word)
	}
	if word := settle(boris, url.Values{"what": {"clients"}, "one": id(one), "other": id(one)}); word != "decided" {
		t.Errorf("a client beside itself: %s", word)
	}
}

// A sender becomes a client, or nobody's, by one button; the head of each page
// counts what is open.
func TestInbox_senders(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	page := anna.get("/questions")
	forms := regexp.MustCompile(`name="address" value="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(forms) == 0 {
		t.Fatal("no unknown senders in the house\n" + main(page.body))
	}
	address := html.UnescapeString(forms[0][1])
	count := func() string {
		m := regexp.MustCompile(`open questions: </span>(\d+)|открытых вопросов: </span>(\d+)`).FindStringSubmatch(anna.get("/setup").body)
		if m == nil {
			return "0"
		}
		return cmp.Or(m[1], m[2])
	}
	before := count()
	if word, _ := anna.post("/senders", url.Values{"address": {address}, "do": {"refuse"}, "back": {"/questions#senders"}}).said(t); word != "saved" {
		t.Errorf("refused: %s", word)
	}
	anna.get("/questions").lacks(t, `name="address" value="`+forms[0][1]+`"`)
	if after := count(); after == before {
		t.Errorf("%s open questions before and %s after", before, after)
	}
}
