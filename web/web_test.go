package web

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// every page that needs a login, for one who may see it.
func (h *house) everyPage() []string {
	id := func(format, name string) string { return fmt.Sprintf(format, h.ids[name]) }
	return []string{
		"/", "/?manager=all&status=overdue&status=current&status=postponed&status=done&kind=letter&kind=call", "/clients", "/clients?name=" + url.QueryEscape(hostile),
		id("/clients/%d", "Ромашка"), id("/clients/%d", "Evil"), id("/contacts/%d", "Переговоры о поставке"), id("/contacts/%d", hostile),
		fmt.Sprintf("/deals/%d", h.deal), id("/deals/%d", "evil deal"), "/deals", "/persons/list", id("/clients/%d/edit", "Evil"), id("/clients/%d/settlements", "Evil"), id("/clients/%d/persons/new", "Evil"), "/status", "/questions", "/questions?doubles=1", "/setup", "/settings", "/changes", "/reminders", "/calendars", "/calendars/new", "/reports", "/reports/open-deals", "/reports/calendar", "/reports/persons", fmt.Sprintf("/reports/deal?deal=%%23%d", h.deal), "/contacts/new", id("/contacts/new?client=%d", "Evil"), "/nowhere",
		"/search?q=", "/search?q=A-17",
	}
}

func TestPages_BothLanguages(t *testing.T) {
	h := newHouse(t, Options{Version: "1.2.3"})
	for _, lang := range []string{"ru", "en"} {
		_, _, err := h.st.SaveManager(context.Background(), store.Actor{}, store.ManagerRow{ID: "m1", Name: "Анна Орлова", Login: "anna", Role: "head",
			TimeZone: "Europe/Moscow", Language: lang, Emails: []string{"anna@vector.test"}})
		h.check(err)
		b := h.login("anna")
		for _, path := range h.everyPage() {
			a := b.get(path)
			want := http.StatusOK
			if path == "/nowhere" {
				want = http.StatusNotFound
			}
			if a.code != want {
				t.Errorf("%s %s: %d\n%s", lang, path, a.code, main(a.body))
				continue
			}
			a.has(t, `<html lang="`+lang+`">`, `</html>`)
			for _, key := range []string{"error.", "do.", "status.", "client.", "deal.", "contact.", "filter.", "plan.", "item.", "setup.", "nav.", "calendars.", "stage.", "questions."} {
				// A text that is missing shows its key.
				for _, tail := range []string{">" + key, `"` + key} {
					if strings.Contains(a.body, tail) {
						t.Errorf("%s %s shows the key %s", lang, path, key)
					}
				}
			}
		}
	}
}

func TestCalendar_Rows(t *testing.T) {
	h := newHouse(t, Options{})
	a := h.login("anna").get("/")
	a.has(t, "Просрочено", "Текущие", "Отложено", "Напомнить об оплате", "Сегодня, пн, 23\u00a0ноября", "15:00–\u206016:00", "Высокая важность",
		"ср, 25\u00a0ноября", "25\u00a0ноября\u00a0– 26\u00a0ноября", "Новый знакомый", "ещё не клиент", "Без даты", "Подумать о скидке",
		"Оплата", "1\u00a0234\u00a0567,00\u00a0₽", "№ A-17", "закрыто 600\u00a0000,00\u00a0₽")
	a.lacks(t, "Call Tom", "Звонок Клары", "письмо А")
	order(t, a.body, "Просрочено</span>", "Напомнить об оплате", "Текущие</span>", "Переговоры о поставке", "Отложено</span>", "Вернуться к разговору")

	b := h.login("boris").get("/")
	b.has(t, "Call Tom", "Today, Mon\u00a023\u00a0Nov", "11:00–\u206012:00", "Tomorrow, Tue\u00a024\u00a0Nov", "Payment", "$5,000.00")
	b.lacks(t, "Переговоры", `name="manager"`)
}

// order fails unless the parts stand in this order.
func order(t *testing.T, body string, parts ...string) {
	t.Helper()
	at := 0
	for _, p := range parts {
		n := strings.Index(body[at:], p)
		if n < 0 {
			t.Fatalf("%q is not there after the ones before it", p)
		}
		at += n
	}
}

func TestCalendar_Filter(t *testing.T) {
	h := newHouse(t, Options{})
	anna, boris := h.login("anna"), h.login("boris")
	const remind, talk, visit, back, payment = "Напомнить об оплате", "Переговоры о поставке", "Осмотр склада", "Вернуться к разговору", `class="kind">Оплата<`
	for _, c := range []struct {
		query string
		has   []string
		lacks []string
	}{
		{"status=overdue", []string{remind}, []string{talk, back, payment}},
		{"status=overdue&status=postponed", []string{remind, back}, []string{talk}},
		{"type=payment", []string{payment}, []string{remind, talk}},
		{"type=contact&importance=high", []string{remind, talk}, []string{visit, payment}}, // the client's importance is high
		{"importance=low", []string{visit}, []string{remind, talk}},
		{"kind=meeting&type=contact", []string{talk}, []string{remind, visit, payment}},
		{"from=2026-11-24&to=2026-11-25", []string{visit}, []string{remind, talk, payment}},
		{"to=2026-11-22", []string{remind, back}, []string{talk, visit}},
		{"client=ромашка", []string{remind, talk, payment}, []string{visit}},
		{"client=нет+такого", []string{"Такого клиента нет."}, []string{remind, talk}},
		{"client=" + url.QueryEscape("%_"), []string{"Такого клиента нет."}, []string{remind}},
		{"manager=all", []string{remind, "Call Tom", "Звонок Клары", "Boris Field"}, nil},
		{fmt.Sprintf("manager=%d", h.ids["clara"]), []string{"Звонок Клары", "Календарь: Клара Лис"}, []string{remind, "Call Tom"}},
		{"status=done", []string{"По этому фильтру ничего нет."}, []string{remind, "письмо А"}},
		{"status=done&kind=letter", []string{"Поставка, письмо А"}, []string{remind}},
		{"from=nonsense&status=overdue", []string{remind, "Нужна дата вида"}, nil},
		{"from=2026-12-01&to=2026-11-01", []string{"Начало периода позже конца."}, nil},
		{"from=2026-02-31&to=9999-99-99&status=x&type=%00&kind=%ff&importance='&manager=-1&manager=zz", []string{remind}, nil},
		{"status=%F0%28%8C%28&client=%F0%28", nil, nil},
	} {
		a := anna.get("/?" + c.query)
		if a.code != http.StatusOK {
			t.Errorf("%s: %d", c.query, a.code)
		}
		t.Run(c.query, func(t *testing.T) { a.has(t, c.has...); a.lacks(t, c.lacks...) })
	}
	t.Run("others of a manager who is no head", func(t *testing.T) {
		for _, q := range []string{"manager=all", fmt.Sprintf("manager=%d", h.ids["anna"])} {
			a := boris.get("/?" + q)
			a.has(t, "Call Tom")
			a.lacks(t, remind, "Звонок Клары")
		}
	})
}

func TestCalendar_Buttons(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	anna, viewer := h.login("anna"), h.manager("anna")
	id := h.ids["Напомнить об оплате"]
	path := fmt.Sprintf("/contacts/%d", id)
	read := func() store.Contact {
		t.Helper()
		c, err := h.st.Contact(ctx, viewer, id)
		h.check(err)
		return c
	}
	press := func(form url.Values) string {
		t.Helper()
		if form.Get("version") == "" {
			form.Set("version", fmt.Sprint(read().Version))
		}
		a := anna.post(path, form)
		if a.code != http.StatusSeeOther {
			t.Fatalf("%v: %d\n%s", form, a.code, main(a.body))
		}
		return a.header.Get("Location")
	}

	if to := press(url.Values{"do": {"tomorrow"}, "back": {"/?status=overdue"}}); !strings.HasPrefix(to, "/?said=moved.") || !strings.HasSuffix(to, "&status=overdue") {
		t.Errorf("leads to %s", to)
	}
	if got, want := read().When.Start, time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("tomorrow is %v", got)
	}
	if to := press(url.Values{"do": {"done"}, "version": {"1"}}); !strings.HasSuffix(to, "said=stale") || read().State != store.Planned {
		t.Errorf("an old version: %s, %s", to, read().State)
	}
	for _, c := range []struct {
		do, value string
		ok        func(store.Contact) bool
	}{
		{"postpone", "", func(c store.Contact) bool { return c.State == store.Postponed }},
		{"plan", "", func(c store.Contact) bool { return c.State == store.Planned }},
		{"importance", "low", func(c store.Contact) bool { return c.Importance == store.Low }},
		{"importance", "huge", func(c store.Contact) bool { return c.Importance == store.Low }},
		{"snooze", "+1w", func(c store.Contact) bool { return c.When.Start.Day() == 1 && c.When.Start.Month() == 12 }},
		{"snooze", "never", func(c store.Contact) bool { return c.When.Start.Month() == 12 }},
		{"explode", "", func(c store.Contact) bool { return c.State == store.Planned }},
		{"done", "", func(c store.Contact) bool { return c.State == store.Done }},
		{"plan", "", func(c store.Contact) bool { return c.State == store.Planned }},
		{"cancel", "", func(c store.Contact) bool { return c.State == store.Cancelled }},
	} {
		press(url.Values{"do": {c.do}, "value": {c.value}})
		if got := read(); !c.ok(got) {
			t.Errorf("%s %s: %s %s %v", c.do, c.value, got.State, got.Importance, got.When)
		}
	}
	anna.get(path).has(t, "История изменений", "перенесено", "отложено", "Анна Орлова (веб-страница)")

	events := fmt.Sprintf("/deals/%d/events/%d", h.deal, h.event)
	deal, err := h.st.Deal(ctx, viewer, h.deal)
	h.check(err)
	var version int64
	for _, e := range deal.Events {
		if e.ID == h.event {
			version = e.Version
		}
	}
	if a := anna.post(events, url.Values{"do": {"tomorrow"}, "version": {fmt.Sprint(version)}}); a.code != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), "said=moved.") {
		t.Errorf("event to tomorrow: %d %s", a.code, a.header.Get("Location"))
	}
	anna.get(fmt.Sprintf("/deals/%d?said=moved", h.deal)).has(t, "перенесено с 27\u00a0ноября", "вт, 24\u00a0ноября", "Перенесено.")
	if a := anna.post(fmt.Sprintf("/deals/%d/events/%d", h.ids["evil deal"], h.event), url.Values{"do": {"done"}}); a.code != http.StatusNotFound {
		t.Errorf("event under another deal: %d", a.code)
	}
}

func TestPlan(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	a := anna.post("/contacts", url.Values{"kind": {"call"}, "subject": {"Спросить про отзыв"}, "client": {"ромашка"}, "day": {"2026-11-24"}, "time": {"10:00"},
		"minutes": {"45"}, "importance": {"high"}, "back": {"/"}})
	if a.code != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/?said=added.") {
		t.Fatalf("%d %s\n%s", a.code, a.header.Get("Location"), main(a.body))
	}
	anna.get("/?said=added").has(t, "Контакт запланирован.", "Спросить про отзыв", "10:00–\u206010:45", "Завтра, вт, 24\u00a0ноября")

	bad := anna.post("/contacts", url.Values{"kind": {"call"}, "subject": {"  "}, "client": {"о"}, "day": {"завтра"}, "time": {"25:99"}, "minutes": {"много"}, "body": {"не потерять"}})
	if bad.code != http.StatusUnprocessableEntity {
		t.Errorf("bad form: %d", bad.code)
	}
	bad.has(t, "Напишите, о чём контакт.", "Нужна дата.", "Нужно время вида", "Нужно число", "не потерять", `value="25:99"`)

	many := anna.post("/contacts", url.Values{"subject": {"x"}, "client": {"o"}, "day": {"2026-11-24"}}) // Harbour & Sons, Evil onerror
	if many.code != http.StatusUnprocessableEntity {
		t.Errorf("ambiguous client: %d", many.code)
	}
	many.has(t, "Кто из них?")
	if a := h.login("clara").post("/contacts", url.Values{"subject": {"x"}, "client_id": {fmt.Sprint(h.ids["Harbour"])}, "day": {"2026-11-24"}}); a.code != http.StatusNotFound {
		t.Errorf("plan for another manager's client: %d", a.code)
	}
	if a := anna.post("/contacts", url.Values{"subject": {strings.Repeat("x", 100<<10)}}); a.code != http.StatusRequestEntityTooLarge {
		t.Errorf("large form: %d", a.code)
	}
}

func TestClients_Select(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	anna.get("/clients?attributes=%D0%A1%D0%95%D0%93%D0%9C%D0%95%D0%9D%D0%A2%3DHoreca&stage=regular").has(t, "ООО «Ромашка»", "<details open>", `value="СЕГМЕНТ=Horeca"`)
	anna.get("/clients?stage=lost").lacks(t, "ООО «Ромашка»")
	anna.get("/clients?before=1990-01-01&name=ромашка").lacks(t, "ООО «Ромашка»</a>") // was in touch since
	for _, q := range []string{"attributes=horeca", "before=yesterday"} {
		if a := anna.get("/clients?" + q); a.code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `class="error"`) {
			t.Errorf("%s: %d", q, a.code)
		}
	}
}

func TestClient_Page(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	path := fmt.Sprintf("/clients/%d", h.ids["Ромашка"])
	a := anna.get(path)
	a.has(t, "ООО «Ромашка»", "постоянный", "Выставка (Осень 2026)", "tel:&#43;74951234567", "сегмент", "horeca", "Ольга Петрова", "закупки",
		"день рождения 3\u00a0декабря\u00a01985", "600\u00a0000,00\u00a0₽", "должен нам", "№ A-17", "Напомнить об оплате", "входящее", "оценка", "Прайс.pdf", "240 КБ",
		`<a href="https://romashka.test/price?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank">https://romashka.test/price?a=1&amp;b=2</a>.`)
	first := strings.Count(a.body, `<li class="contact `)
	next := regexp.MustCompile(`<a href="([^"#]+)#contacts" rel="next">`).FindStringSubmatch(a.body)
	if next == nil {
		t.Fatal("no second page")
	}
	b := anna.get(next[1])
	second := strings.Count(b.body, `<li class="contact `)
	if first < 20 || first+second != 35 {
		t.Errorf("%d and %d letters on the two pages", first, second)
	}
	b.lacks(t, `rel="next"`)
	for _, q := range []string{"?before=x", "?before=-5", "?before=99999999999999999999"} {
		if a := anna.get(path + q); a.code != http.StatusOK {
			t.Errorf("%s: %d", q, a.code)
		}
	}
}

func TestDeal_Page(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	anna.get(fmt.Sprintf("/deals/%d", h.deal)).has(t, "Заказ № A-17", "2\u00a0ноября", "в работе", "открыта", "1\u00a0234\u00a0567,00\u00a0₽", "600\u00a0000,00\u00a0₽",
		"634\u00a0567,00\u00a0₽", "Кофе зерновой", "120\u00a0кг", "УПД-4", "Переговоры о поставке", "Другие сделки", "№ A-9", "1\u00a0марта\u00a02025")
}

func TestStatus_Page(t *testing.T) {
	h := newHouse(t, Options{Version: "1.2.3"})
	a := h.login("anna").get("/status")
	a.has(t, "1.2.3", "anna", "boris", "ошибка с пн, 23\u00a0ноября, 12:00", "connection refused", "утренняя сводка", "ночной отчёт", "<td>пн, 23\u00a0ноября</td>", "Сводка на 23 ноября", "в очереди", "new@stranger.test")
	a.lacks(t, "Обмен с 1С") // nothing came
	sendFrom1C(t, h.st)
	h.login("anna").get("/status").has(t, "Обмен с 1С", "orders.xml", "бухгалтерия", "ждёт загрузки")
	b := h.login("boris").get("/status")
	b.has(t, "connection refused", "new@stranger.test")
	b.lacks(t, "morning digest", "Сводка", "Outgoing mail", "orders.xml")
	c := h.login("clara").get("/status")
	c.has(t, "К вам не подключён ни один почтовый ящик.")
	c.lacks(t, "connection refused", "new@stranger.test")
}

// Heads see the jobs and ask for a run; the daemon hears of it once.
func TestStatus_Jobs(t *testing.T) {
	h := newHouse(t, Options{})
	at := h.st.Now().Add(-time.Hour)
	h.check(h.st.SaveJobs(t.Context(), []store.JobState{
		{Name: "digest", Schedule: "0 8 * * 1-5", Owners: 3, Next: at.Add(20 * time.Hour), Panics: 2,
			Last: store.Run{Started: at, Finished: at.Add(4 * time.Second), Outcome: "failed", Detail: "<b>1 failed</b>"}},
		{Name: "statuses", Schedule: store.EachMinute},
		{Name: "outbox", Schedule: store.Always},
		{Name: "addressbooks", Schedule: store.Never},
	}))
	anna := h.login("anna")
	anna.get("/status").has(t, "<code>0 8 * * 1-5</code>", "3 менеджера", "&lt;b&gt;1 failed&lt;/b&gt;; внутренних ошибок за всё время: 2", "4 с", "каждую минуту", "постоянно", "отключено", `action="/status/jobs/digest"`)
	if a := anna.post("/status/jobs/digest", url.Values{}); a.code != http.StatusSeeOther || a.header.Get("Location") != "/status?said=asked" {
		t.Error(a.code, a.header.Get("Location"))
	}
	anna.get("/status?said=asked").has(t, "ждёт выполнения", "в течение минуты")
	if names, err := h.st.TakeAsked(t.Context()); err != nil || !slices.Equal(names, []string{"digest"}) {
		t.Error("asked:", names, err)
	}
	anna.get("/status").lacks(t, "ждёт выполнения")
	if names, err := h.st.TakeAsked(t.Context()); err != nil || len(names) != 0 {
		t.Error("asked again:", names, err)
	}
	if a := anna.post("/status/jobs/coffee", url.Values{}); a.code != http.StatusNotFound {
		t.Error("unknown:", a.code)
	}
	boris := h.login("boris")
	boris.get("/status").lacks(t, "/status/jobs/")
	if a := boris.post("/status/jobs/digest", url.Values{}); a.code != http.StatusForbidden {
		t.Error("a manager may:", a.code)
	}
	anna.header.Set("Sec-Fetch-Site", "cross-site")
	if a := anna.post("/status/jobs/digest", url.Values{}); a.code != http.StatusForbidden {
		t.Error("another site may:", a.code)
	}
	if names, err := h.st.TakeAsked(t.Context()); err != nil || len(names) != 0 {
		t.Error("asked:", names, err)
	}
}

// sendFrom1C leaves a file that waits for its import.
func sendFrom1C(t *testing.T, st *store.Store) {
	t.Helper()
	in, _, err := st.AddIntegration(t.Context(), "бухгалтерия", []store.Scope{store.ScopeExchange})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.BeginExchange(t.Context(), in.ID, "key"); err != nil {
		t.Fatal(err)
	}
	p, err := st.BeginExchangePart(t.Context(), store.ExchangeSession{Key: "key", IntegrationID: in.ID}, "orders.xml", 1, 1000)
	if err == nil {
		err = st.AddExchangeChunk(t.Context(), p, []byte("x"), 1000)
	}
	if err == nil {
		_, err = st.EndExchangePart(t.Context(), p, "hash", true, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetup_Page(t *testing.T) {
	h := newHouse(t, Options{PublicURL: "https://crm.vector.test/"})
	b := h.browser()
	a := b.post("/login", url.Values{"login": {"boris"}, "password": {"secret of boris"}})
	var cookie *http.Cookie
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		cookie = c
	}
	if cookie == nil || cookie.Name != "__Host-intouch" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookie %v", cookie)
	}
	b.header.Set("Cookie", cookie.Name+"="+cookie.Value) // the jar keeps it from http
	page := b.get("/setup")
	page.has(t, "https://crm.vector.test/dav/", "<code>boris</code>", "Server: crm.vector.test. User name: boris.", "DAVx⁵")
	page.has(t, "_caldavs._tcp", "_carddavs._tcp", "0 1 443 crm.vector.test.", "path=/dav/", `href="/setup/intouch.mobileconfig"`, `href="/calendars"`)
	page.lacks(t, "not encrypted", "Google Calendar") // without FeedPath there are no feeds
	profile := b.get("/setup/intouch.mobileconfig")
	if got := profile.header.Get("Content-Type"); profile.code != http.StatusOK || got != "application/x-apple-aspen-config" {
		t.Errorf("profile: %d %q", profile.code, got)
	}
	profile.has(t, "<string>boris</string>", "<string>crm.vector.test</string>")
}

func TestOthers_NotFound(t *testing.T) {
	h := newHouse(t, Options{})
	clara := h.login("clara")
	for _, path := range []string{
		fmt.Sprintf("/clients/%d", h.ids["Ромашка"]), fmt.Sprintf("/contacts/%d", h.ids["Напомнить об оплате"]), fmt.Sprintf("/deals/%d", h.deal),
		fmt.Sprintf("/contacts/new?client=%d", h.ids["Ромашка"]), "/clients/999999", "/clients/0", "/clients/-1", "/clients/x", "/contacts/99999999999999999999", "/deals/1.5",
	} {
		if a := clara.get(path); a.code != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.code)
		}
	}
	for _, path := range []string{fmt.Sprintf("/contacts/%d", h.ids["Напомнить об оплате"]), fmt.Sprintf("/deals/%d/events/%d", h.deal, h.event)} {
		if a := clara.post(path, url.Values{"do": {"done"}, "version": {"1"}}); a.code != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, a.code)
		}
	}
	list := clara.get("/clients")
	list.has(t, "ЗАО Клён")
	list.lacks(t, "Ромашка", "Harbour")
}

func TestHostileText_IsInert(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	for _, path := range append(h.everyPage(), fmt.Sprintf("/?said=%s", url.QueryEscape(hostile)), "/?client="+url.QueryEscape(hostile)) {
		a := anna.get(path).withoutScript(t)
		a.lacks(t, "<script", "<img", `onmouseover="alert`, `href="javascript:`, `href="http://user:pw@`)
	}
	evil := anna.get(fmt.Sprintf("/clients/%d", h.ids["Evil"]))
	evil.has(t, "&lt;script&gt;alert(1)&lt;/script&gt;", `<a href="https://evil.test/" rel="noopener`)
	b := h.browser()
	b.header.Set("Accept-Language", "en")
	b.post("/login", url.Values{"login": {hostile}, "password": {"x"}, "next": {hostile}}).withoutScript(t).lacks(t, "<script", "<img")
	b.get("/login?next="+url.QueryEscape(`/"><script>`)).withoutScript(t).lacks(t, "<script")
}

func TestHeaders(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	for _, path := range append(h.everyPage(), "/login", "/static/style.css", "/static/app.js", "/static/none.css") {
		a := anna.get(path)
		if path == "/login" {
			a = h.browser().get(path)
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q lacks %s", path, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, a.header)
		}
		if cache := a.header.Get("Cache-Control"); !strings.HasPrefix(path, "/static/") && cache != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, cache)
		}
		if strings.HasPrefix(path, "/static/") {
			continue
		}
		// One request, the style, is waited for before anything is painted; what
		// the policy would refuse must not be in the page.
		if n := strings.Count(a.body, `rel="stylesheet"`); n != 1 {
			t.Errorf("%s: %d style sheets", path, n)
		}
		a.withoutScript(t).lacks(t, " style=", "<style", "<script", " onclick")
	}
	if a := anna.get("/static/"); a.code != http.StatusNotFound {
		t.Errorf("listing of assets: %d", a.code)
	}
}

func TestErrors(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	a := anna.get("/nowhere")
	a.has(t, "Страница не найдена", a.header.Get("X-Request-Id"))
	if a.code != http.StatusNotFound || a.header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v", a.code, a.header)
	}
	for _, c := range []struct{ method, path, allow string }{
		{"DELETE", "/clients", "GET"}, {"PUT", "/login", "GET, POST"}, {"GET", "/logout", "POST"}, {"POST", "/status", "GET"},
	} {
		a := anna.send(c.method, c.path, url.Values{})
		if a.code != http.StatusMethodNotAllowed || a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, a.code, a.header.Get("Allow"))
		}
	}
	h.st.Close()
	broken := h.browser().get("/")
	if broken.code != http.StatusSeeOther {
		t.Errorf("nobody logged in: %d", broken.code)
	}
	a = anna.get("/")
	if a.code != http.StatusInternalServerError {
		t.Errorf("closed database: %d", a.code)
	}
	a.has(t, a.header.Get("X-Request-Id"))
	a.lacks(t, "sql", "database is closed")
}

func TestCompression(t *testing.T) {
	h := newHouse(t, Options{})
	anna := h.login("anna")
	anna.header.Set("Accept-Encoding", "gzip") // then the client does not unpack
	for _, path := range []string{"/", "/clients", "/static/style.css", "/static/app.js"} {
		a := anna.get(path)
		if a.header.Get("Content-Encoding") != "gzip" || !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %v", path, a.header)
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(z)
		if err != nil || len(whole) < 2*len(a.body) {
			t.Errorf("%s: %d bytes of %d, %v", path, len(a.body), len(whole), err)
		}
	}
	anna.header.Set("Accept-Encoding", "identity")
	anna.get("/clients").has(t, "</html>")
}
