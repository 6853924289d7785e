package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestStatus_StuckMail(t *testing.T) {
	h := newHouse(t, Options{})
	mails, err := h.st.ClaimMails(t.Context(), 10, time.Minute)
	h.check(err)
	h.check(h.st.MailFailed(t.Context(), mails[0].ID, "550 no such user"))
	anna, clara := h.login("anna"), h.login("clara")
	path := fmt.Sprintf("/status/mails/%d", mails[0].ID)
	anna.get("/status").has(t, path, "550 no such user", "Отправить ещё раз")
	if a := clara.post(path, url.Values{"do": {"retry"}}); a.code != http.StatusNotFound {
		t.Errorf("a manager: %d", a.code)
	}
	if a := anna.post(path, url.Values{"do": {"burn"}}); a.code != http.StatusBadRequest {
		t.Errorf("no such deed: %d", a.code)
	}
	for _, c := range []struct{ do, said, state string }{
		{"retry", "mailretried", "queued"}, {"drop", "maildropped", "dropped"}, {"retry", "stale", "dropped"},
	} {
		if a := anna.post(path, url.Values{"do": {c.do}}); a.header.Get("Location") != "/status?said="+c.said+"#outbox" {
			t.Errorf("%s: %d %s", c.do, a.code, a.header.Get("Location"))
		}
		if m, err := h.st.OutboxMail(t.Context(), mails[0].ID); err != nil || string(m.State) != c.state {
			t.Errorf("%s: %s %v", c.do, m.State, err)
		}
	}
	anna.get("/status").lacks(t, path)
}
