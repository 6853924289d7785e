package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// hostile is what strangers write into names, subjects and letters.
const hostile = `<script>alert(1)</script>"><img src=x onerror=alert(2)>' javascript:alert(3)`

// noon is the moment of all tests: a Monday.
var noon = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) // 12:00 in Moscow

// house is a small company behind a real server and a real store: Anna (head,
// Russian, Moscow), Boris (manager, English, London), Clara (manager, Russian).
type house struct {
	t     testing.TB
	st    *store.Store
	srv   *httptest.Server
	now   time.Time
	ids   map[string]int64 // managers by login, clients by name, contacts by subject
	deal  int64
	event int64
}

func newHouse(t testing.TB, opt Options) *house {
	t.Helper()
	h := &house{t: t, now: noon, ids: map[string]int64{}}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{
		Render: func(*store.EntryView) []byte { return nil },
		URL:    "sqlite:" + filepath.Join(t.TempDir(), "intouch.db"), Now: func() time.Time { return h.now },
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	h.st = st
	h.people(ctx)
	h.trade(ctx)
	h.letters(ctx)
	h.plans(ctx)
	h.machine(ctx)
	if opt.Secret == nil {
		opt.Secret = []byte("a secret for the tests, 32 bytes")
	}
	opt.Log = slog.New(slog.DiscardHandler)
	h.srv = httptest.NewServer(New(st, opt))
	t.Cleanup(h.srv.Close)
	return h
}

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) people(ctx context.Context) {
	for _, row := range []store.ManagerRow{
		{ID: "m1", Name: "Анна Орлова", Login: "anna", Role: "head", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"anna@vector.test"}},
		{ID: "m2", Name: "Boris Field", Login: "boris", Role: "manager", TimeZone: "Europe/London", Language: "en", Emails: []string{"boris@vector.test"}},
		{ID: "m3", Name: "Клара Лис", Login: "clara", Role: "manager", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"clara@vector.test"}},
	} {
		m, _, err := h.st.SaveManager(ctx, store.Actor{}, row)
		h.check(err)
		h.check(h.st.SetPassword(ctx, m.ID, "secret of "+row.Login))
		h.ids[row.Login] = m.ID
	}
}

func (h *house) trade(ctx context.Context) {
	taken := func(_ store.RowChange, err error) error { return err }
	h.check(h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		return errors.Join(
			taken(im.Source(store.SourceRow{ID: "s1", Name: "Выставка", Campaign: "Осень 2026"})),
			taken(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Importance: "high", Manager: "anna", Source: "s1", Stage: "regular",
				Domains: []string{"romashka.test"}, Phones: []string{"+7 (495) 123-45-67"}, Attributes: map[string]string{"сегмент": "horeca"}})),
			taken(im.Client(store.ClientRow{ID: "c2", Name: "Harbour & Sons Ltd", Importance: "normal", Manager: "boris", Stage: "one-off",
				Domains: []string{"harbour.test"}})),
			taken(im.Client(store.ClientRow{ID: "c3", Name: "Evil " + hostile, Importance: "low", Manager: "boris", Domains: []string{"evil.test"},
				Attributes: map[string]string{hostile: hostile}})),
			taken(im.Client(store.ClientRow{ID: "c4", Name: "ЗАО Клён", Manager: "clara", Domains: []string{"klen.test"}})),
			taken(im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Ольга Петрова", Position: "закупки", Emails: []string{"olga@romashka.test"},
				Phones: []string{"+7 916 000-00-01"}, Birthday: "1985-12-03"})),
			taken(im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "Tom Harbour", Emails: []string{"tom@harbour.test"}})),
			taken(im.Person(store.PersonRow{ID: "p3", Client: "c3", Name: hostile, Position: hostile, Emails: []string{"x@evil.test"}, Phones: []string{hostile}})),
			taken(im.Deal(store.DealRow{ID: "d1", Number: "A-17", Date: "2026-11-02", Client: "c1", Manager: "anna", Amount: store.Money{Minor: 123456700, Currency: "RUB"},
				ShipDue: "2026-11-20", PayDue: "2026-11-27", Status: "в работе"})),
			taken(im.Deal(store.DealRow{ID: "d2", Number: hostile, Date: "2026-10-05", Client: "c3", Amount: store.Money{Minor: 500000, Currency: "USD"}, PayDue: "2026-11-24", Status: hostile})),
			taken(im.Deal(store.DealRow{ID: "d3", Number: "A-9", Date: "2025-03-01", Client: "c1", Manager: "anna", Amount: store.Money{Minor: 9900000, Currency: "RUB"}})),
			taken(im.Line(store.LineRow{ID: "l1", Deal: "d1", Item: "Кофе зерновой", Article: "K-01", Quantity: "120", Unit: "кг", Price: 100000, Amount: 12000000})),
			taken(im.Line(store.LineRow{ID: "l2", Deal: "d2", Item: hostile, Article: hostile, Quantity: "1", Unit: hostile, Price: 1, Amount: 1})),
			taken(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Number: "УПД-4", Date: "2026-11-19", Deal: "d1", Client: "c1", Amount: store.Money{Minor: 60000000, Currency: "RUB"}})),
		)
	}))
	anna := h.manager("anna")
	for _, text := range []string{"Ромашка", "Harbour", "Evil", "Клён"} {
		found, err := h.st.Clients(ctx, anna, text, 2)
		h.check(err)
		if len(found) != 1 {
			h.t.Fatalf("%d clients named %q", len(found), text)
		}
		h.ids[text] = found[0].ID
	}
	card, err := h.st.Client(ctx, anna, h.ids["Ромашка"])
	h.check(err)
	for _, d := range card.Deals {
		if d.Number == "A-17" {
			h.deal = d.ID
		}
	}
	deal, err := h.st.Deal(ctx, anna, h.deal)
	h.check(err)
	for _, e := range deal.Events {
		if e.Kind == store.Payment {
			h.event = e.ID
		}
	}
	evil, err := h.st.Client(ctx, anna, h.ids["Evil"])
	h.check(err)
	h.ids["evil deal"] = evil.Deals[0].ID
}

func (h *house) letters(ctx context.Context) {
	for _, box := range []string{"anna", "boris"} {
		mb, err := h.st.SaveMailbox(ctx, box, box)
		h.check(err)
		folder, err := h.st.OpenFolder(ctx, mb.ID, "INBOX", 7)
		h.check(err)
		var batch []store.FiledLetter
		if box == "anna" {
			for i := range 35 {
				batch = append(batch, letter(uint32(i+1), noon.AddDate(0, 0, -i-1), h.ids["Ромашка"], "olga@romashka.test", "anna@vector.test",
					"Поставка, письмо "+string(rune('А'+i%30)), "Здравствуйте!\n\nПрайс здесь: https://romashka.test/price?a=1&b=2.\nОльга"))
			}
			batch[0].Attachments = []store.Attachment{{Name: "Прайс.pdf", Type: "application/pdf", Size: 245000}}
			h.check(h.st.MailboxOutcome(ctx, mb.ID, nil))
		} else {
			batch = append(batch, letter(1, noon.Add(-time.Hour), h.ids["Evil"], "x@evil.test", "boris@vector.test", hostile, hostile+" https://evil.test/\"onmouseover=\"alert(4) http://user:pw@evil.test/"))
			batch[0].Attachments = []store.Attachment{{Name: hostile, Type: hostile, Size: 1}}
			batch = append(batch, store.FiledLetter{UID: 2, Key: "u@x", MessageID: "<u@x>", Date: noon.Add(-2 * time.Hour), Outcome: store.Skipped, Reason: store.Unknown,
				FromAddress: "new@stranger.test", FromName: hostile, Subject: hostile})
			h.check(h.st.MailboxOutcome(ctx, mb.ID, errors.New("dial imap.vector.test: connection refused "+hostile)))
		}
		_, err = h.st.FileLetters(ctx, folder, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: uint32(len(batch))}})
		h.check(err)
	}
}

func letter(uid uint32, at time.Time, client int64, from, to, subject, text string) store.FiledLetter {
	key := from + at.Format(time.RFC3339)
	return store.FiledLetter{UID: uid, Key: key, MessageID: "<" + key + ">", Date: at, Outcome: store.Captured, Direction: store.In,
		Clients: []int64{client}, Addresses: []string{from, to}, Names: map[string]string{}, Subject: subject, Text: text, FullText: text}
}

func (h *house) plans(ctx context.Context) {
	plan := func(login string, d store.ContactDraft) {
		c, err := h.st.PlanContact(ctx, store.Actor{ManagerID: h.ids[login], Origin: store.FromWeb}, d)
		h.check(err)
		h.ids[d.Subject] = c.ID
	}
	at := func(t time.Time) store.Span { return store.Span{Start: t, End: t.Add(time.Hour)} }
	moscow := h.manager("anna").Location()
	plan("anna", store.ContactDraft{Kind: store.Call, Subject: "Напомнить об оплате", ClientID: h.ids["Ромашка"], When: at(noon.AddDate(0, 0, -3)), Importance: store.High})
	plan("anna", store.ContactDraft{Kind: store.Meeting, Subject: "Переговоры о поставке", ClientID: h.ids["Ромашка"], DealID: h.deal, When: at(noon.Add(3 * time.Hour)), Body: "Взять образцы"})
	plan("anna", store.ContactDraft{Kind: store.Visit, Subject: "Осмотр склада", ClientText: "Новый знакомый", When: store.Days("2026-11-25", "2026-11-26", moscow), Importance: store.Low})
	plan("anna", store.ContactDraft{Kind: store.Call, Subject: "Вернуться к разговору", ClientID: h.ids["Ромашка"], State: store.Postponed, When: at(noon.AddDate(0, 0, -1))})
	plan("anna", store.ContactDraft{Kind: store.Other, Subject: "Подумать о скидке"})
	plan("boris", store.ContactDraft{Kind: store.Call, Subject: "Call Tom", ClientID: h.ids["Harbour"], When: at(noon.Add(2 * time.Hour))})
	plan("boris", store.ContactDraft{Kind: store.Call, Subject: hostile, Body: hostile, ClientID: h.ids["Evil"], ClientText: hostile, When: at(noon.Add(4 * time.Hour))})
	plan("clara", store.ContactDraft{Kind: store.Call, Subject: "Звонок Клары", ClientID: h.ids["Клён"], When: at(noon.Add(time.Hour))})
}

func (h *house) machine(ctx context.Context) {
	h.check(h.st.RecordRun(ctx, store.Run{Job: "digest", OwnerID: h.ids["anna"], Slot: "2026-11-23", Started: noon.Add(-4 * time.Hour), Finished: noon.Add(-4 * time.Hour), Outcome: "sent"},
		store.Mail{Key: "digest/anna/2026-11-23", MessageID: "<d@x>", From: "intouch@vector.test", To: "anna@vector.test", Subject: "Сводка на 23 ноября", Bytes: []byte("x")}))
	h.check(h.st.RecordRun(ctx, store.Run{Job: "nightly", Slot: "2026-11-23", Started: noon.Add(-9 * time.Hour), Finished: noon.Add(-9 * time.Hour), Outcome: "failed", Detail: hostile}))
}

func (h *house) manager(login string) store.Manager {
	h.t.Helper()
	m, err := h.st.ManagerByLogin(context.Background(), login)
	h.check(err)
	return m
}

// browser is a person with cookies, who follows no redirect.
type browser struct {
	h      *house
	c      *http.Client
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	h.check(err)
	return &browser{h: h, header: http.Header{}, c: &http.Client{Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// login gives the browser of a manager who has logged in.
func (h *house) login(name string) *browser {
	h.t.Helper()
	b := h.browser()
	r := b.post("/login", url.Values{"login": {name}, "password": {"secret of " + name}})
	if r.code != http.StatusSeeOther {
		h.t.Fatalf("login of %s: %d", name, r.code)
	}
	return b
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (b *browser) get(path string) answer { return b.send("GET", path, nil) }

func (b *browser) post(path string, form url.Values) answer { return b.send("POST", path, form) }

func (b *browser) send(method, path string, form url.Values) answer {
	b.h.t.Helper()
	req, err := http.NewRequest(method, b.h.srv.URL+path, strings.NewReader(form.Encode()))
	b.h.check(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for k, v := range b.header {
		req.Header[k] = v
	}
	res, err := b.c.Do(req)
	b.h.check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	b.h.check(err)
	return answer{res.StatusCode, res.Header, string(body)}
}

func (a answer) has(t testing.TB, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(a.body, p) {
			t.Errorf("page lacks %q\n%s", p, main(a.body))
		}
	}
}

func (a answer) lacks(t testing.TB, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(a.body, p) {
			t.Errorf("page has %q", p)
		}
	}
}

var ownScript = regexp.MustCompile(`<script src="/static/app\.js\?[0-9a-f]{10}" defer></script>\n`)

// without our own script, to look for others'.
func (a answer) withoutScript(t testing.TB) answer {
	t.Helper()
	if n := len(ownScript.FindAllString(a.body, -1)); n != 1 {
		t.Errorf("page loads our script %d times", n)
	}
	a.body = ownScript.ReplaceAllString(a.body, "")
	return a
}

var mainPart = regexp.MustCompile(`(?s)<main.*</main>`)

// main is the page without what surrounds it, for messages.
func main(body string) string {
	if m := mainPart.FindString(body); m != "" {
		return clip(6000, m)
	}
	return clip(6000, body)
}
