package web

import (
	"context"
	"fmt"
	"testing"
	"time"

	"intouch/store"
)

// TestSigns_Shown: what letters say beside their text stands where people look,
// in their language, and does nothing there.
func TestSigns_Shown(t *testing.T) {
	h := newHouse(t, Options{})
	ctx := context.Background()
	box, err := h.st.SaveMailbox(ctx, "signs", "anna")
	h.check(err)
	folder, err := h.st.OpenFolder(ctx, box.ID, "INBOX", 1)
	h.check(err)
	start := noon.AddDate(0, 0, 2)
	letter := func(uid uint32, key string, direction store.Direction) store.FiledLetter {
		return store.FiledLetter{UID: uid, Key: key, Date: noon.Add(-time.Hour), Outcome: store.Captured, Direction: direction, Clients: []int64{h.ids["Ромашка"]},
			Addresses: []string{"olga@romashka.test", "anna@vector.test"}, Subject: "Письмо " + key}
	}
	skipped := func(uid uint32) store.FiledLetter {
		return store.FiledLetter{UID: uid, Key: fmt.Sprint("skipped", uid), Date: noon, Outcome: store.Skipped, Reason: store.Automatic}
	}
	invitation, reply, bounce, away := letter(1, "invitation", store.In), skipped(3), skipped(4), skipped(5)
	invitation.Invitation = &store.Invitation{Method: store.InvitationRequest, UID: "1@romashka.test", Whole: true, Title: "Встреча о поставке", Body: "Переговорная 3",
		When: store.Span{Start: start, End: start.Add(time.Hour)}}
	reply.Invitation = &store.Invitation{Method: store.InvitationReply, UID: "1@romashka.test", Answers: []store.Answer{{Address: "olga@romashka.test", Kind: store.SignDeclined, Stamp: noon}}}
	bounce.Bounce = &store.Bounce{Key: "offer", Recipients: []store.Undelivered{{Address: "olga@romashka.test", Status: "5.1.1", Reason: "5.1.1 " + hostile, Failed: true}}}
	away.FromAddress, away.Away = "olga@romashka.test", "2026-12-15"
	_, err = h.st.FileLetters(ctx, folder, store.Batch{Letters: []store.FiledLetter{invitation, letter(2, "offer", store.Out), reply, bounce, away}})
	h.check(err)

	anna := h.login("anna")
	client := anna.get(fmt.Sprintf("/clients/%d", h.ids["Ромашка"]))
	client.has(t, "Встреча о поставке", "Приглашение отклонено: olga@romashka.test", "Не доставлено: olga@romashka.test (5.1.1 &lt;script&gt;", "почта возвращается", "отсутствует до 15\u00a0декабря")
	client.lacks(t, "<script>alert")
	h.check(h.st.EachContact(ctx, func(c *store.Exported) error {
		page := func() answer { return anna.get(fmt.Sprintf("/contacts/%d", c.ID)) }
		switch {
		case c.Kind == store.Meeting && c.Subject == "Встреча о поставке":
			page().has(t, "Переговорная 3", "По письмам", "Приглашение отклонено: olga@romashka.test", "отмечено по письму", "приглашение отклонено")
		case c.MessageKey == "offer":
			p := page()
			p.has(t, "Не доставлено: olga@romashka.test", "не доставлено")
			p.lacks(t, "<script>alert")
		}
		return nil
	}))
	for _, s := range []store.Sign{
		{Kind: store.SignAccepted, Who: "a@x.test"}, {Kind: store.SignTentative, Who: "a@x.test"}, {Kind: store.SignDelayed, What: "4.4.1"},
		{Kind: store.SignMoved, Of: "2026-12-08T10:00:00Z", To: &store.Span{AllDay: true, First: "2026-12-09", Last: "2026-12-09"}}, {Kind: store.SignDropped, Of: "2026-12-08"},
	} {
		for _, lang := range []store.Language{store.Russian, store.English} {
			if text := s.Text(lang, time.UTC); text == "" || text[:4] == "sign" {
				t.Errorf("%+v in %s: %q", s, lang, text)
			}
		}
		if _, ok := texts["field."+string(s.Kind)]; !ok {
			t.Errorf("the history has no words for %s", s.Kind)
		}
	}
}
