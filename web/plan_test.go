package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"intouch/store"
)

func TestPlanLine(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	err := h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for id, name := range map[string]string{"k1": "ООО «Вектор Плюс»", "k2": "ИП Вектор Плюс", "k3": "Северный ветер"} {
			if _, err := im.Client(store.ClientRow{ID: id, Name: name, Importance: "normal", Manager: "anna"}); err != nil {
				return err
			}
		}
		return nil
	})
	h.check(err)
	anna, boris := h.login("anna"), h.login("boris")
	plan := func(b *browser, line string, client int64) answer {
		form := url.Values{"line": {line}, "back": {"/?group=type"}}
		if client != 0 {
			form.Set("client_id", fmt.Sprint(client))
		}
		return b.post("/plan", form)
	}

	for line, want := range map[string][]string{
		"звонок Ромашка завтра 10:00 !":                  {"Звонок: Звонок · ООО «Ромашка» · вт, 24", "10:00", "· Высокая важность"},
		"meeting Ромашка 25.11 12:00-13:30 about prices": {"Встреча: about prices · ООО «Ромашка» · ср, 25", "12:00–"},
		"купить бумагу +2d":                              {"Контакт: купить бумагу · ср, 25"},
	} {
		a := plan(anna, line, 0)
		if word, token := a.said(t); word != "added" || token == "" {
			t.Errorf("%s: %s", line, word)
		}
		page := anna.get(a.header.Get("Location"))
		page.body = strings.NewReplacer("\u00a0", " ", "\u2060", "").Replace(page.body)
		page.has(t, want...)
		page.has(t, `action="/undo"`)
	}

	// What is doubtful is asked, with what was understood and typed.
	for line, want := range map[string][]string{
		"звонок Ромашка":                  {`value="звонок Ромашка"`, "Проверьте, когда", `value="ООО «Ромашка»" readonly`, `<option value="call" selected>`, `name="day" type="date" value=""`},
		"встреча Вектор Плюс завтра 9:00": {"Кто из них?", "ИП Вектор Плюс", "ООО «Вектор Плюс»", "Никто из них", `value="2026-11-24"`, `value="09:00"`, `<option value="meeting" selected>`},
		"письмо северному завтра":         {`<option value="letter" selected>`},
		"визит к Ромашке завтра":          {"Кто из них?", "ООО «Ромашка»"},
		"  ":                     {"Напишите, что запланировать"},
		strings.Repeat("д", 600): {"Слишком длинно", strings.Repeat("д", 600)},
	} {
		a := plan(anna, line, 0)
		if line == "письмо северному завтра" { // no client of that word: planned as it stands
			if word, _ := a.said(t); word != "added" {
				t.Errorf("%s: %s", line, word)
			}
			continue
		}
		if a.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", line, a.code, a.header.Get("Location"))
		}
		a.has(t, want...)
	}

	// On a client's page the client is known, and a name within the line too.
	a := plan(anna, "call tomorrow 11:00", h.ids["Ромашка"])
	anna.get(a.header.Get("Location")).has(t, "Звонок: Звонок · ООО «Ромашка»")
	anna.get(fmt.Sprintf("/clients/%d", h.ids["Ромашка"])).has(t, `action="/plan"`, fmt.Sprintf(`name="client_id" value="%d"`, h.ids["Ромашка"]))

	// Undoing what was planned cancels it: nothing is deleted.
	_, token := a.said(t)
	if word, _ := anna.post("/undo", url.Values{"undo": {token}}).said(t); word != "undone" {
		t.Errorf("undo: %s", word)
	}
	anna.get(fmt.Sprintf("/clients/%d", h.ids["Ромашка"])).lacks(t, "Звонок: Звонок")

	// Others' clients are nobody's hint.
	if a := plan(boris, "call tomorrow 11:00", h.ids["Ромашка"]); a.code != http.StatusNotFound {
		t.Errorf("another manager's client: %d", a.code)
	}
	a = plan(boris, "call Ромашка tomorrow 11:00", 0)
	boris.get(a.header.Get("Location")).has(t, "Call: Ромашка ·")
	evil := plan(boris, hostile+" tomorrow", 0)
	boris.get(evil.header.Get("Location")).lacks(t, "<script>alert", "<img")
	plan(boris, hostile, 0).lacks(t, "<script>alert", "<img")
}

// The whole form asks which client is meant with their names to choose from,
// and "none of them" is believed.
func TestPlan_which(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	err := h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for id, name := range map[string]string{"k1": "Вектор Север", "k2": "Вектор Юг"} {
			if _, err := im.Client(store.ClientRow{ID: id, Name: name, Importance: "normal", Manager: "anna"}); err != nil {
				return err
			}
		}
		return nil
	})
	h.check(err)
	anna := h.login("anna")
	form := url.Values{"kind": {"call"}, "subject": {"прайс"}, "client": {"Вектор"}, "day": {"2026-11-25"}, "importance": {"low"}, "body": {"набросок"}}
	a := anna.post("/contacts", form)
	if a.code != http.StatusUnprocessableEntity {
		t.Fatalf("two clients alike: %d", a.code)
	}
	a.has(t, "Кто из них?", "Вектор Север", "Вектор Юг", `value="прайс"`, "набросок")
	form.Set("client_id", "0")
	a = anna.post("/contacts", form)
	if word, _ := a.said(t); word != "added" {
		t.Errorf("none of them: %s", word)
	}
	anna.get(a.header.Get("Location")).has(t, "Звонок: прайс · Вектор · ")
}
