package web

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// link is the path of a signed link of a manager to a contact.
func (h *house) link(login, subject, do string) string {
	h.t.Helper()
	m := h.manager(login)
	c, err := h.st.Contact(context.Background(), m, h.ids[subject])
	h.check(err)
	return store.LinkPath + h.st.MailKey().Sign(store.MailLink{ManagerID: m.ID, Do: do, Expires: h.now.Add(store.LinkLife),
		Target: store.AnswerTarget{Item: store.ItemKey{ID: c.ID}, Version: c.Version}})
}

func (h *house) planned(login, subject string) {
	h.t.Helper()
	c, err := h.st.PlanContact(context.Background(), store.Actor{ManagerID: h.ids[login], Origin: store.FromWeb},
		store.ContactDraft{Kind: store.Call, Subject: subject, When: store.Span{Start: h.now.Add(time.Hour), End: h.now.Add(2 * time.Hour)}})
	h.check(err)
	h.ids[subject] = c.ID
}

func TestLink(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	state := func(subject string) store.State {
		c, err := h.st.Contact(context.Background(), h.manager("boris"), h.ids[subject])
		h.check(err)
		return c.State
	}
	b := h.browser() // nobody is logged in
	h.planned("boris", hostile)
	path := h.link("boris", hostile, "done")
	for range 2 {
		a := b.get(path)
		a.has(t, "Done", "&lt;script&gt;")
		a.lacks(t, "<script>alert", "Sign out", "<nav")
		if a.code != http.StatusOK || state(hostile) != store.Planned {
			t.Fatal(a.code, state(hostile))
		}
	}
	if a := b.send("HEAD", path, nil); a.code != http.StatusOK || state(hostile) != store.Planned {
		t.Fatal(a.code, state(hostile))
	}
	if a := b.get(path); a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
		t.Error(a.header)
	}
	if a := b.post(path, url.Values{"do": {"cancel"}}); a.code != http.StatusUnprocessableEntity || state(hostile) != store.Planned {
		t.Errorf("a link for one action did another: %d %s", a.code, state(hostile))
	}
	if a := b.post(path, url.Values{"do": {"done"}}); a.code != http.StatusOK || state(hostile) != store.Done {
		t.Fatal(a.code, a.body)
	}
	for _, a := range []answer{b.post(path, url.Values{"do": {"done"}}), b.get(path)} {
		a.has(t, "has been used")
		if a.code != http.StatusGone {
			t.Error(a.code)
		}
	}

	// All actions on one page; each of its forms does what it says.
	for do, want := range map[string]store.State{"done": store.Done, "cancel": store.Cancelled, "note": store.Planned, "snooze": store.Planned} {
		h.planned("boris", "call to "+do)
		path := h.link("boris", "call to "+do, "")
		b.get(path).has(t, "Done", "by a week", "<textarea", "Lead source")
		if a := b.post(path, url.Values{"do": {do}, "value": {"+1w"}, "note": {"they agree"}}); a.code != http.StatusOK || state("call to "+do) != want {
			t.Errorf("%s: %d, %s", do, a.code, state("call to "+do))
		}
	}
	c, err := h.st.Contact(context.Background(), h.manager("boris"), h.ids["call to snooze"])
	if err != nil || !c.When.Start.Equal(h.now.Add(time.Hour+7*24*time.Hour)) {
		t.Error(c.When, err)
	}

	// What is wrong with a link is said, in the language of its manager.
	h.planned("clara", "звонок")
	path = h.link("clara", "звонок", "tomorrow")
	text := "другая тема"
	_, err = h.st.EditContact(context.Background(), store.Actor{ManagerID: h.ids["clara"], Origin: store.FromWeb}, h.ids["звонок"], 0, store.ContactEdit{Subject: &text})
	h.check(err)
	a := b.post(path, url.Values{"do": {"tomorrow"}})
	a.has(t, "Тем временем", "другая тема")
	if a.code != http.StatusConflict {
		t.Error(a.code)
	}
	fresh := regexp.MustCompile(`href="(/mail/[\w-]+)"`).FindStringSubmatch(a.body)
	if fresh == nil || b.get(fresh[1]).code != http.StatusOK {
		t.Fatal("no way on", fresh)
	}
	h.now = h.now.Add(store.LinkLife)
	if a := b.get(fresh[1]); a.code != http.StatusGone {
		t.Error("the fresh one lives longer than the mail's", a.code)
	}
	for _, bad := range []string{"/mail/x", path + "x", path[:len(path)-1], "/mail/" + strings.Repeat("A", 5000)} {
		if a := b.get(bad); a.code != http.StatusNotFound {
			t.Errorf("%.60s: %d", bad, a.code)
		}
	}
	if strings.Contains(log.String(), path[len(store.LinkPath):]) {
		t.Error("a token is in the log")
	}
	if got := LogPath(path); strings.Contains(got, path[10:20]) {
		t.Error(got)
	}
}

// A sender becomes a client by a link, or is nobody.
func TestLink_Sender(t *testing.T) {
	h := newHouse(t, Options{})
	b, anna := h.browser(), h.manager("anna")
	const address = "who+1@start.test"
	box, err := h.st.SaveMailbox(t.Context(), "more", "anna")
	h.check(err)
	folder, err := h.st.OpenFolder(t.Context(), box.ID, "INBOX", 1)
	h.check(err)
	_, err = h.st.FileLetters(t.Context(), folder, store.Batch{Read: store.Cursor{First: 1, Last: 1}, Letters: []store.FiledLetter{
		{UID: 1, Key: "k", Date: noon, Outcome: store.Skipped, Reason: store.Unknown, FromAddress: address, FromName: hostile, Subject: hostile}}})
	h.check(err)
	sign := func(address string) string {
		return store.LinkPath + h.st.MailKey().Sign(store.MailLink{ManagerID: anna.ID, Target: store.AnswerTarget{Sender: address}, Do: "client", Expires: h.now.Add(time.Hour)})
	}
	path := sign(address)
	b.get(path).has(t, "who&#43;1@start.test", "Сделать клиентом")
	b.post(path, url.Values{"do": {"client"}, "name": {"ООО «Новые»"}}).has(t, "Теперь это клиент")
	found, err := h.st.Clients(context.Background(), anna, "Новые", 5)
	if err != nil || len(found) != 1 {
		t.Error(found, err)
	}
	if a := b.get(sign(address)); a.code != http.StatusGone {
		t.Error(a.code)
	}
}

// RFC 8058: a POST without cookie, Origin or Referer turns the mail off.
func TestLink_OneClick(t *testing.T) {
	h := newHouse(t, Options{PublicURL: "https://crm.vector.test"})
	boris := h.manager("boris")
	off := func() bool {
		kinds, err := h.st.Unsubscribed(context.Background(), boris.ID)
		h.check(err)
		return !kinds[store.DigestMail].IsZero()
	}
	path := store.LinkPath + h.st.MailKey().Sign(store.MailLink{ManagerID: boris.ID, Stop: store.DigestMail, Expires: h.now.Add(store.StopLife)})
	b := h.browser()
	b.get(path).has(t, "morning digest", "Stop sending")
	if off() {
		t.Fatal("GET turned it off")
	}
	resp, err := http.Post(h.srv.URL+path, "application/x-www-form-urlencoded", strings.NewReader("List-Unsubscribe=One-Click"))
	h.check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !off() {
		t.Fatal(resp.Status)
	}
	b.get(path).has(t, "No longer sent")
	b.post(path, url.Values{"do": {"on"}}).has(t, "Sent again")
	if off() {
		t.Error("still off")
	}

	h2 := newHouse(t, Options{})
	in := h2.login("boris")
	in.get("/setup").has(t, "morning digest", "reminders")
	in.post("/setup/mails", url.Values{"kind": {"reminder"}, "do": {"off"}})
	in.get("/setup").has(t, "turned off since")
	in.get("/reminders").has(t, `<option value="off" selected>`)
	in.post("/setup/mails", url.Values{"kind": {"reminder"}, "do": {"on"}})
	in.get("/setup").lacks(t, "turned off since")
	in.get("/reminders").has(t, `<option value="" selected>`)
	in.post("/reminders", url.Values{"mail": {"off"}})
	in.get("/setup").has(t, "turned off since")
	in.post("/reminders", url.Values{"mail": {"on"}})
	in.get("/setup").lacks(t, "turned off since")
	if a := in.post("/setup/mails", url.Values{"kind": {"all"}, "do": {"off"}}); a.code != http.StatusBadRequest {
		t.Error(a.code)
	}
}
