package scheduler

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// parts reads a mail: its header, its text and its page.
func parts(t *testing.T, raw []byte) (h mail.Header, text, html string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var bodies [2]string
	for i := range bodies {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	return m.Header, bodies[0], bodies[1]
}

var linkToken = regexp.MustCompile(`https://crm\.vector\.test/mail/([A-Za-z0-9_-]+)`)

// A digest's rows carry numbers and links that are signed for its manager and
// these items; an answer finds its way back; the mail can be turned off.
func TestDigest_CanBeAnswered(t *testing.T) {
	storetest.Each(t, store.Options{Now: morningClock().now, Render: blank}, func(t *testing.T, st *store.Store) {
		house(t, st)
		s := newScheduler(t, st, nil)
		s.opt.PublicURL, s.opt.Replies = "https://crm.vector.test", Replies{Address: "intouch@vector.test", Plus: true}
		if _, err := s.RunJob(t.Context(), "digest", time.Time{}, "anna"); err != nil {
			t.Fatal(err)
		}
		mails, err := st.ClaimMails(t.Context(), 10, time.Minute)
		if err != nil || len(mails) != 1 {
			t.Fatal(mails, err)
		}
		h, text, html := parts(t, mails[0].Bytes)
		token := st.MailKey().ReplyToken(mails[0].Key)
		if h.Get("Reply-To") != "intouch+"+token+"@vector.test" || !strings.Contains(h.Get("Message-ID"), token) {
			t.Errorf("%v", h)
		}
		if !strings.Contains(text, "\n1. ") || !strings.Contains(text, "«1 готово, 3 +2d»") && !strings.Contains(text, "«готово»") {
			t.Errorf("text:\n%s", text)
		}
		anna, err := st.ManagerByLogin(t.Context(), "anna")
		if err != nil {
			t.Fatal(err)
		}
		did := map[string]int{}
		for _, m := range linkToken.FindAllStringSubmatch(html, -1) {
			l, err := st.MailKey().Read(m[1], st.Now())
			if err != nil || l.ManagerID != anna.ID {
				t.Fatal(l, err)
			}
			if l.Stop == "" && (l.Target.Item.ID == 0 || l.Target.Version == 0) {
				t.Errorf("link %+v", l)
			}
			did[l.Do+string(l.Stop)]++
		}
		if did["done"] == 0 || did["tomorrow"] == 0 || did["+1w"] == 0 || did[""] == 0 || did["digest"] != 1 {
			t.Errorf("links %v", did)
		}

		// Turned off: recorded, nothing is queued.
		if err := st.Unsubscribe(t.Context(), anna.ID, store.DigestMail, true); err != nil {
			t.Fatal(err)
		}
		r, err := s.RunJob(t.Context(), "digest", st.Now().Add(24*time.Hour), "anna")
		if err != nil || r.Results[0].Outcome != "off" {
			t.Error(r, err)
		}
		// Also of a job that did not ask.
		m := store.Mail{Key: "x", MessageID: "<x@y>", From: "a@vector.test", To: "b@vector.test", Subject: "x", Bytes: []byte("x"), ManagerID: anna.ID, Kind: store.DigestMail}
		if err := st.RecordRun(t.Context(), store.Run{Job: "x", Slot: "x"}, m); err != nil {
			t.Fatal(err)
		}
		if box, err := st.Outbox(t.Context(), 10); err != nil || box.Queued != 1 {
			t.Errorf("%+v %v", box, err)
		}
	})
}
