package web

import (
	"net/http"
	"net/url"
	"testing"

	"intouch/store"
)

func TestSettings(t *testing.T) {
	h := newHouse(t, Options{})
	b := h.login("clara")
	b.get("/settings").has(t, "Мои настройки", "Клара Лис", "clara@vector.test", `value="Europe/Moscow"`, "09:00-18:00", "Завершить все остальные входы")
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"language": {"de"}, "time_zone": {"Europe/Moscow"}}, "Такого языка у Intouch нет"},
		{url.Values{"language": {"ru"}, "time_zone": {"Mars/Base"}}, "Такого часового пояса нет"},
		{url.Values{"language": {"ru"}, "time_zone": {"Local"}}, "Такого часового пояса нет"},
		{url.Values{"language": {"ru"}, "time_zone": {""}}, "Такого часового пояса нет"},
		{url.Values{"language": {"ru"}, "time_zone": {"UTC"}, "work_hours": {hostile}}, "Не похоже на рабочее время"},
	} {
		a := b.post("/settings", c.form)
		if a.code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", c.form, a.code)
		}
		a.has(t, c.want)
		a.lacks(t, hostile)
	}
	if m := h.manager("clara"); m.Language != "ru" || m.TimeZone != "Europe/Moscow" || m.WorkHours != (store.WorkHours{}) {
		t.Errorf("%+v", m)
	}
	form := url.Values{"language": {"en"}, "time_zone": {"Asia/Omsk"}, "work_hours": {"вт-сб 10:00-19:00"}, "role": {"head"}, "name": {"Anna"}, "login": {"anna"}}
	if a := b.post("/settings", form); a.code != http.StatusSeeOther {
		t.Errorf("%d\n%s", a.code, main(a.body))
	}
	m := h.manager("clara")
	if m.Language != "en" || m.TimeZone != "Asia/Omsk" || m.WorkHours.String() != "tue-sat 10:00-19:00" || m.Role != store.RoleManager || m.Name != "Клара Лис" || len(m.Emails) != 1 {
		t.Errorf("%+v", m)
	}
	b.get("/settings").has(t, "My settings", `value="tue-sat 10:00-19:00"`)
	form.Set("work_hours", "")
	b.post("/settings", form)
	if m := h.manager("clara"); m.WorkHours != (store.WorkHours{}) {
		t.Errorf("%s", m.WorkHours)
	}

	fixed := newHouse(t, Options{Fixed: func(login string) map[string]bool {
		return map[string]bool{"time_zone": login == "clara", "password": login == "clara"}
	}})
	b = fixed.login("clara")
	page := b.get("/settings")
	page.has(t, "в файле настроек", "Пароль задан в файле настроек", `autocomplete="off" disabled`)
	page.lacks(t, `name="old"`)
	if a := b.post("/settings/password", form); a.code != http.StatusForbidden {
		t.Errorf("a password that the settings file has: %d", a.code)
	}
	b.post("/settings", form)
	if m := fixed.manager("clara"); m.TimeZone != "Europe/Moscow" || m.Language != "en" {
		t.Errorf("%+v", m)
	}
}

func TestPassword_Change(t *testing.T) {
	h := newHouse(t, Options{})
	here, there := h.login("clara"), h.login("clara")
	for _, c := range []struct {
		old, fresh, again string
		code              int
		want              string
	}{
		{"wrong", "a better secret", "a better secret", http.StatusForbidden, "Нынешний пароль другой"},
		{"secret of clara", "short", "short", http.StatusUnprocessableEntity, "от 8 знаков"},
		{"secret of clara", "a better secret", "another one", http.StatusUnprocessableEntity, "не совпадают"},
	} {
		a := here.post("/settings/password", url.Values{"old": {c.old}, "new": {c.fresh}, "again": {c.again}})
		if a.code != c.code {
			t.Errorf("%+v: %d", c, a.code)
		}
		a.has(t, c.want)
		a.lacks(t, c.fresh)
	}
	if a := there.get("/settings"); a.code != http.StatusOK {
		t.Fatalf("%d", a.code)
	}
	if a := here.post("/settings/password", url.Values{"old": {"secret of clara"}, "new": {"a better secret"}, "again": {"a better secret"}}); a.code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", a.code, main(a.body))
	}
	if a := here.get("/settings?said=password"); a.code != http.StatusOK {
		t.Errorf("this session ended: %d", a.code)
	}
	if a := there.get("/settings"); a.code != http.StatusSeeOther {
		t.Errorf("the other session goes on: %d", a.code)
	}
	if a := h.browser().post("/login", url.Values{"login": {"clara"}, "password": {"a better secret"}}); a.code != http.StatusSeeOther {
		t.Errorf("the new password: %d", a.code)
	}
}

func TestSessions_End(t *testing.T) {
	h := newHouse(t, Options{})
	here, there, anna := h.login("clara"), h.login("clara"), h.login("anna")
	before := here.c.Jar.Cookies(&url.URL{Scheme: "http", Host: h.srv.Listener.Addr().String()})[0].Value
	if a := here.post("/settings/sessions", url.Values{}); a.code != http.StatusSeeOther {
		t.Fatalf("%d", a.code)
	}
	if after := here.c.Jar.Cookies(&url.URL{Scheme: "http", Host: h.srv.Listener.Addr().String()})[0].Value; after == before {
		t.Error("the cookie is the same")
	}
	for name, c := range map[string]struct {
		b    *browser
		want int
	}{"this": {here, http.StatusOK}, "the other": {there, http.StatusSeeOther}, "another's": {anna, http.StatusOK}} {
		if a := c.b.get("/settings"); a.code != c.want {
			t.Errorf("%s session: %d", name, a.code)
		}
	}
	rows, err := h.st.History(t.Context(), "manager", h.ids["clara"], 1)
	h.check(err)
	if len(rows) != 1 || len(rows[0].Changes) != 1 {
		t.Errorf("%+v", rows)
	}
}
