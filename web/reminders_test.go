package web

import (
	"net/http"
	"net/url"
	"testing"
)

func TestReminders(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	anna.get("/reminders").has(t, `name="high" value="" maxlength="200" placeholder="1ч 15м"`, `placeholder="21:00-07:00"`, "как у всех (присылать)")

	a := anna.post("/reminders", url.Values{"mail": {"off"}, "high": {"2д 30мин"}, "quiet": {"нет"}})
	if a.code != http.StatusSeeOther || a.header.Get("Location") != "/reminders?said=saved" {
		t.Fatalf("%d %v\n%s", a.code, a.header, main(a.body))
	}
	m := h.manager("anna")
	if of := h.st.RemindersOf(m); of.Mail || of.Get("high") != "2d 30m" || of.Get("quiet") != "none" || of.Get("normal") != "15m" || len(m.Reminders) != 3 {
		t.Errorf("%+v", m.Reminders)
	}
	anna.get("/reminders").has(t, `name="high" value="2д 30м"`, `<option value="off" selected>`)

	// What is wrong is said beside the field, and nothing is saved.
	a = anna.post("/reminders", url.Values{"mail": {"on"}, "high": {`soon"><script>`}, "quiet": {"22:00-06:00"}})
	if a.code != http.StatusUnprocessableEntity {
		t.Errorf("%d", a.code)
	}
	a.has(t, "Так не понять:", `value="soon&#34;&gt;&lt;script&gt;"`, `value="22:00-06:00"`)
	if m := h.manager("anna"); m.Reminders["mail"] != "off" {
		t.Errorf("%+v", m.Reminders)
	}

	if a := anna.post("/reminders", url.Values{}); a.code != http.StatusSeeOther || len(h.manager("anna").Reminders) != 0 {
		t.Errorf("%d %v", a.code, h.manager("anna").Reminders)
	}
}
