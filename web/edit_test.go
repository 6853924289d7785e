package web

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

var (
	inputs   = regexp.MustCompile(`<input[^>]* name="([^"]+)"[^>]*>`)
	valueOf  = regexp.MustCompile(` value="([^"]*)"`)
	areas    = regexp.MustCompile(`(?s)<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>`)
	selects  = regexp.MustCompile(`(?s)<select name="([^"]+)">(.*?)</select>`)
	selected = regexp.MustCompile(`<option value="([^"]*)" selected>`)
)

// filled is the forms of the page as a browser would send them, but for the one
// that erases.
func (a answer) filled() url.Values {
	form := url.Values{}
	body, _, _ := strings.Cut(mainPart.FindString(a.body), `<input type="hidden" name="do" value="erase">`)
	for _, m := range inputs.FindAllStringSubmatch(body, -1) {
		value := ""
		if v := valueOf.FindStringSubmatch(m[0]); v != nil {
			value = html.UnescapeString(v[1])
		}
		if !strings.Contains(m[0], `type="radio"`) || strings.Contains(m[0], " checked") {
			form.Set(m[1], value)
		}
	}
	for _, m := range areas.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range selects.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], "")
		if on := selected.FindStringSubmatch(m[2]); on != nil {
			form.Set(m[1], html.UnescapeString(on[1]))
		}
	}
	return form
}

func TestEditClient_Form(t *testing.T) {
	h := newHouse(t, Options{})
	anna, clara := h.login("anna"), h.login("clara")
	client := fmt.Sprintf("/clients/%d", h.ids["Ромашка"])
	anna.get(client).has(t, client+"/edit")
	page := anna.get(client + "/edit")
	page.has(t, "ООО «Ромашка»", "сегмент = horeca", "7 (495) 123-45-67<")
	form := page.filled()

	save := func(b *browser, path string, form url.Values, change map[string]string, want int) answer {
		t.Helper()
		sent := maps.Clone(form)
		for k, v := range change {
			sent[k] = []string{v}
		}
		a := b.post(path, sent)
		if a.code != want {
			t.Fatalf("%v: %d %s\n%s", change, a.code, a.header.Get("Location"), main(a.body))
		}
		return a
	}
	// What is wrong stands beside its field, and what was typed stays.
	bad := save(anna, client+"/edit", form, map[string]string{"name": " ", "emails": "info@romashka.test\n" + hostile, "domains": "два слова", "attributes": "сегмент"}, http.StatusUnprocessableEntity)
	bad.has(t, "Напишите название", "не адрес почты", "не домен", "нужно название, знак равенства", ">сегмент</textarea>", "два слова</textarea>")
	bad.lacks(t, hostile, "<script>")

	save(anna, client+"/edit", form, map[string]string{"name": "ООО «Ромашка Плюс»", "importance": "low", "stage": "regular", "phones": "8 800 1\r\n\r\n8 800 2",
		"emails": "a@romashka.test, b@romashka.test", "attributes": `путь = C:\\temp` + "\n" + `a\=b = 1\n2`}, http.StatusSeeOther)
	now := anna.get(client)
	now.has(t, "ООО «Ромашка Плюс»", "8 800 1", "8 800 2", "b@romashka.test", `C:\temp`, "a=b", "1\n2", "Журнал изменений", "название:", "<ins dir=\"auto\">ООО «Ромашка Плюс»</ins>")
	now.lacks(t, "horeca</dd>")
	anna.get(client+"/edit").has(t, `путь = C:\\temp`, `a\=b = 1\n2`)

	// The first form was shown before that: both versions are shown, and
	// nothing is saved until somebody has chosen.
	clash := save(anna, client+"/edit", form, map[string]string{"phones": "8 900", "importance": "low"}, http.StatusConflict)
	clash.has(t, "Запись изменили, пока вы её правили", "Анна Орлова", "8 800 1\n8 800 2", "8 900", `name="take.name" value="theirs" checked`, `name="take.phones" value="mine" checked`)
	clash.lacks(t, "take.importance", "take.domains")
	anna.get(client).has(t, "8 800 2")
	save(anna, client+"/edit", clash.filled(), nil, http.StatusSeeOther)
	merged := anna.get(client)
	merged.has(t, "ООО «Ромашка Плюс»", "8 900", "b@romashka.test")
	merged.lacks(t, `tel:88002`)

	// A form whose version is old, but says what is stored, saves nothing twice.
	old := anna.get(client + "/edit").filled()
	old.Set("version", "1")
	save(anna, client+"/edit", old, nil, http.StatusSeeOther)

	// The client was merged with another while its form was open: the values of
	// both are shown, on the form of the one that stayed, and none is lost even
	// where both happen to be of one version.
	var twin int64
	h.check(h.st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) (err error) {
		_, twin, err = im.SaveClient(0, store.ClientRow{ID: "twin", Name: "Ромашка-опт", Manager: "anna"})
		return err
	}))
	gone := fmt.Sprintf("/clients/%d/edit", twin)
	open := anna.get(gone).filled()
	_, err := h.st.MergeClients(t.Context(), store.Actor{ManagerID: h.manager("anna").ID, Origin: store.FromWeb}, h.ids["Ромашка"], twin)
	h.check(err)
	if a := anna.get(gone); a.code != http.StatusSeeOther || a.header.Get("Location") != client+"/edit" {
		t.Errorf("the form of a merged client: %d %s", a.code, a.header.Get("Location"))
	}
	open.Set("version", anna.get(client+"/edit").filled().Get("version"))
	both := save(anna, gone, open, map[string]string{"name": "Ромашка оптом"}, http.StatusConflict)
	both.has(t, "ООО «Ромашка Плюс»", "Ромашка оптом", `action="`+client+`/edit"`)
	anna.get(client).has(t, "ООО «Ромашка Плюс»")

	// Others.
	for _, path := range []string{client + "/edit", client + "/persons/new", fmt.Sprintf("/persons/%d", h.person(t))} {
		if a := clara.get(path); a.code != http.StatusNotFound {
			t.Errorf("%s for another manager: %d", path, a.code)
		}
	}
	save(clara, client+"/edit", form, nil, http.StatusNotFound)
	save(clara, client+"/source", url.Values{"source": {"1"}, "from": {"0"}}, nil, http.StatusNotFound)
	mine := fmt.Sprintf("/clients/%d/edit", h.ids["Клён"])
	own := clara.get(mine)
	own.lacks(t, `name="manager"`)
	save(clara, mine, own.filled(), map[string]string{"manager": "1", "name": "Клён и Ко"}, http.StatusSeeOther)
	if a := clara.get(mine); a.code != http.StatusOK {
		t.Errorf("given away: %d", a.code)
	}
}

// person is one of Ромашка's.
func (h *house) person(t *testing.T) int64 {
	card, err := h.st.Client(t.Context(), h.manager("anna"), h.ids["Ромашка"])
	h.check(err)
	return card.Persons[0].ID
}

func TestEditPerson_Form(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	client, path := fmt.Sprintf("/clients/%d", h.ids["Ромашка"]), fmt.Sprintf("/persons/%d", h.person(t))
	anna.get(client).has(t, `href="`+path+`"`)
	form := anna.get(path).filled()
	form.Set("position", "директор")
	form.Set("birthday", "2030-01-01")
	a := anna.post(path, form)
	a.has(t, "Нужен прошедший день", `value="директор"`)
	form.Set("birthday", "")
	if a := anna.post(path, form); a.code != http.StatusSeeOther || a.header.Get("Location") != client+"?said=saved" {
		t.Errorf("%d %s", a.code, a.header.Get("Location"))
	}
	page := anna.get(client)
	page.has(t, "директор", "должность:", "Ольга Петрова")
	page.lacks(t, "3\u00a0декабря\u00a01985</span>")
	form.Set("position", "бухгалтер")
	a = anna.post(path, form)
	if a.code != http.StatusConflict {
		t.Errorf("an old version: %d", a.code)
	}
	a.has(t, `value="mine" checked`, "бухгалтер", "директор")

	form = anna.get(client + "/persons/new").filled()
	form.Set("name", hostile)
	form.Set("emails", "new@romashka.test")
	if a := anna.post(client+"/persons", form); a.code != http.StatusSeeOther {
		t.Errorf("a new person: %d\n%s", a.code, main(a.body))
	}
	page = anna.get(client)
	page.has(t, "new@romashka.test")
	page.lacks(t, hostile, "<script>")
}

func TestClient_Sources(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	client := fmt.Sprintf("/clients/%d", h.ids["Ромашка"])
	page := anna.get(client)
	page.has(t, "Выставка (Осень 2026)", "первый", `action="`+client+`/source"`)
	form := page.filled()
	from := regexp.MustCompile(`<option value="(\d+)">с контакта`).FindStringSubmatch(page.body)
	if from == nil {
		t.Fatal("no contact to choose")
	}
	if a := anna.post(client+"/source", url.Values{"source": form["source"], "from": {from[1]}}); a.header.Get("Location") != client+"?said=saved" {
		t.Errorf("%d %s", a.code, a.header.Get("Location"))
	}
	anna.get(client).has(t, `<a href="/contacts/`+from[1]+`">`)
	for _, wrong := range []url.Values{{"source": {"999"}, "from": {"0"}}, {"source": form["source"], "from": {"999"}}} {
		if a := anna.post(client+"/source", wrong); a.header.Get("Location") != client+"?said=refused" {
			t.Errorf("%v: %d %s", wrong, a.code, a.header.Get("Location"))
		}
	}
	if a := anna.post(client+"/source", url.Values{"source": {"x"}}); a.code != http.StatusBadRequest {
		t.Errorf("no form: %d", a.code)
	}
}

// TestErasePerson: a head gives out and erases a person, a manager does
// neither, and nothing happens by a slip.
func TestErasePerson(t *testing.T) {
	h := newHouse(t, Options{})
	card, err := h.st.Client(t.Context(), h.manager("anna"), h.ids["Ромашка"])
	h.check(err)
	p := card.Persons[0]
	at := fmt.Sprintf("/persons/%d", p.ID)
	anna, boris := h.login("anna"), h.login("boris")
	anna.get(at).has(t, at+"/about.json", `name="do" value="erase"`)
	got := anna.get(at + "/about.json")
	got.has(t, p.Name, p.Emails[0], `"table": "person_points"`)
	if got.code != http.StatusOK || got.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d %v", got.code, got.header)
	}
	sure := url.Values{"do": {"erase"}, "sure": {"yes"}}
	for _, got := range []answer{boris.get(at + "/about.json"), boris.post(at, sure)} {
		if got.code != http.StatusNotFound && got.code != http.StatusForbidden {
			t.Errorf("a manager: %d", got.code)
		}
		got.lacks(t, p.Emails[0])
	}
	if got := anna.post(at, url.Values{"do": {"erase"}}); got.code != http.StatusBadRequest {
		t.Errorf("without the tick: %d", got.code)
	}
	anna.get(at+"/about.json").has(t, p.Emails[0])
	if got := anna.post(at, sure); got.code != http.StatusSeeOther || !strings.Contains(got.header.Get("Location"), "said=erased") {
		t.Errorf("%d %v", got.code, got.header)
	}
	if got := anna.get(at); got.code != http.StatusNotFound {
		t.Errorf("the page of somebody erased: %d", got.code)
	}
	if where, err := h.st.FindSubject(t.Context(), p.Emails[0]); err != nil || len(where.Persons) > 0 {
		t.Errorf("%+v %v", where, err)
	}
}
