package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// said is the word of the notice that an answer leads to.
func (a answer) said(t testing.TB) (word, token string) {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.code != http.StatusSeeOther {
		t.Fatalf("no way back: %d %s", a.code, main(a.body))
	}
	word, token, _ = strings.Cut(u.Query().Get("said"), ".")
	return word, token
}

func TestUndo(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	anna, boris := h.login("anna"), h.login("boris")
	head := h.manager("anna")
	read := func(subject string) store.Contact {
		c, err := h.st.Contact(ctx, head, h.ids[subject])
		h.check(err)
		c.Version, c.Changed = 0, time.Time{}
		return c
	}
	act := func(subject string, form url.Values) answer {
		c, err := h.st.Contact(ctx, head, h.ids[subject])
		h.check(err)
		form.Set("version", fmt.Sprint(c.Version))
		form.Set("back", "/?group=type")
		return anna.post(here(c.ID), form)
	}
	send := func(b *browser, token string) string {
		word, _ := b.post("/undo", url.Values{"undo": {token}, "back": {"/?group=type"}}).said(t)
		return word
	}
	for _, subject := range []string{"Напомнить об оплате", "Осмотр склада", "Вернуться к разговору", "Подумать о скидке"} {
		for _, form := range []url.Values{
			{"do": {"done"}}, {"do": {"postpone"}}, {"do": {"plan"}}, {"do": {"cancel"}}, {"do": {"tomorrow"}},
			{"do": {"snooze"}, "value": {"+2w"}}, {"do": {"high"}}, {"do": {"normal"}}, {"do": {"low"}},
		} {
			before := read(subject)
			h.now = h.now.Add(time.Minute)
			a := act(subject, form)
			word, token := a.said(t)
			if token == "" {
				if !reflect.DeepEqual(read(subject), before) {
					t.Errorf("%s %v: changed (%s) and cannot be undone", subject, form, word)
				}
				continue
			}
			anna.get(a.header.Get("Location")).has(t, `action="/undo"`, token, "Вернуть как было", `name="back" value="/?group=type"`)
			h.now = h.now.Add(time.Minute)
			if word := send(anna, token); word != "undone" {
				t.Errorf("%s %v: %s", subject, form, word)
			}
			if after := read(subject); !reflect.DeepEqual(after, before) {
				t.Errorf("%s %v:\n got %+v\nwant %+v", subject, form, after, before)
			}
			if word := send(anna, token); word != "undostale" {
				t.Errorf("twice: %s", word)
			}
		}
	}
	anna.get(here(h.ids["Осмотр склада"])).has(t, "возвращено как было")

	_, token := act("Напомнить об оплате", url.Values{"do": {"done"}}).said(t)
	for name, bad := range map[string]string{"empty": "", "cut": token[:20], "other text": "e30." + token[strings.IndexByte(token, '.')+1:], "no sum": strings.SplitN(token, ".", 2)[0]} {
		if word := send(anna, bad); word != "undolate" {
			t.Errorf("%s: %s", name, word)
		}
		anna.get("/?said=done."+url.QueryEscape(bad)).lacks(t, `action="/undo"`)
	}
	if word := send(boris, token); word != "undolate" {
		t.Errorf("another manager's: %s", word)
	}
	boris.get("/?said=done."+token).lacks(t, `action="/undo"`)
	act("Напомнить об оплате", url.Values{"do": {"plan"}})
	if word := send(anna, token); word != "undostale" {
		t.Errorf("changed since: %s", word)
	}
	_, token = act("Напомнить об оплате", url.Values{"do": {"done"}}).said(t)
	h.now = h.now.Add(undoLife + time.Minute)
	if word := send(anna, token); word != "undolate" || read("Напомнить об оплате").State != store.Done {
		t.Errorf("too late: %s", word)
	}
}

// Each word that a deal's event offers moves it, and undoing brings back where
// a manager had moved it before.
func TestUndo_event(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	anna := h.login("anna")
	read := func() store.DealEvent {
		card, err := h.st.Deal(ctx, h.manager("anna"), h.deal)
		h.check(err)
		for _, e := range card.Events {
			if e.ID == h.event {
				return e
			}
		}
		t.Fatal("no such event")
		return store.DealEvent{}
	}
	path := fmt.Sprintf("/deals/%d/events/%d", h.deal, h.event)
	for _, moved := range []string{"", "2026-12-24"} {
		if day := store.Date(moved); day != "" {
			_, err := h.st.EditEvent(ctx, store.Actor{ManagerID: h.ids["anna"]}, h.event, 0, store.EventEdit{Expected: &day})
			h.check(err)
		}
		for form, want := range map[string]string{"done": "done", "postpone": "postponed", "tomorrow": "moved", "+30m": "refused", "+2d": "moved", "+1m": "moved", "month": "moved", "never": "refused"} {
			before := read()
			do := url.Values{"do": {form}, "version": {fmt.Sprint(before.Version)}}
			if strings.HasPrefix(form, "+") || form == "month" || form == "never" {
				do["do"], do["value"] = []string{"snooze"}, []string{form}
			}
			word, token := anna.post(path, do).said(t)
			if word != want {
				t.Errorf("%s: %s", form, word)
			}
			if word == "refused" {
				continue
			}
			if after := read(); after.Version == before.Version {
				t.Errorf("%s changed nothing", form)
			}
			if word, _ := anna.post("/undo", url.Values{"undo": {token}}).said(t); word != "undone" {
				t.Errorf("%s: undo says %s", form, word)
			}
			after := read()
			after.Version = before.Version
			if after != before {
				t.Errorf("%s:\n got %+v\nwant %+v", form, after, before)
			}
		}
	}
}
