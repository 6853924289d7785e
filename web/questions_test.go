package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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
	if a := boris.get("/questions"); a.code != http.StatusForbidden {
		t.Errorf("a manager sees the questions: %d", a.code)
	}
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
