package scheduler

import (
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// A reply is acted on when it is filed, once, and answered once: short where
// all was understood, with what would be understood where not.
func TestReplies(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		house(t, st)
		s := newScheduler(t, st, nil)
		s.opt.Replies = Replies{Address: "intouch@vector.test", Plus: true}
		if _, err := s.RunJob(t.Context(), "digest", time.Time{}, "anna"); err != nil {
			t.Fatal(err)
		}
		sent := func() []store.OutboxMail {
			mails, err := st.ClaimMails(t.Context(), 10, time.Hour)
			for _, m := range mails {
				if err == nil {
					err = st.MailSent(t.Context(), m.ID)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			return mails
		}
		digest := sent()[0]
		box, err := st.SaveMailbox(t.Context(), "replies", "")
		if err != nil {
			t.Fatal(err)
		}
		folder, err := st.OpenFolder(t.Context(), box.ID, "INBOX", 1)
		if err != nil {
			t.Fatal(err)
		}
		uid := uint32(0)
		file := func(r store.MailReply) {
			uid++
			_, err := st.FileLetters(t.Context(), folder, store.Batch{Read: store.Cursor{First: 1, Last: uid},
				Letters: []store.FiledLetter{{UID: uid, Key: r.Key, Date: st.Now(), Outcome: store.Skipped, Reason: store.Internal, Reply: &r}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		reply := func(key, text string) store.MailReply {
			return store.MailReply{Key: key, MessageID: "<" + key + ">", From: "anna@vector.test", Subject: "Re: " + digest.Subject, Sent: st.Now(), Text: text, Tokens: store.ReplyTokens(digest.MessageID)}
		}
		answer := func() (head, text string) {
			t.Helper()
			if _, err := s.RunJob(t.Context(), repliesJob, time.Time{}, ""); err != nil {
				t.Fatal(err)
			}
			mails := sent()
			if len(mails) == 0 {
				return "", ""
			}
			h, text, _ := parts(t, mails[0].Bytes)
			if len(mails) > 1 || mails[0].To != "anna@vector.test" || h.Get("Auto-Submitted") != "auto-replied" || h.Get("In-Reply-To") == "" || !strings.Contains(h.Get("References"), digest.MessageID) {
				t.Errorf("%d mails, %v", len(mails), h)
			}
			return h.Get("Reply-To"), text
		}

		file(reply("r0@vector.test", ""))
		if _, text := answer(); !strings.Contains(text, "в ответе нет текста") || !strings.Contains(text, "Понимаются") {
			t.Errorf("answer:\n%s", text)
		}
		file(reply("r1@vector.test", "1 +2d\nа дальше что?"))
		back, text := answer()
		if !strings.Contains(text, "перенесено: 25") || !strings.Contains(text, "заметка добавлена") || strings.Contains(text, "Понимаются") {
			t.Errorf("answer:\n%s", text)
		}
		if tokens := store.ReplyTokens(back); len(tokens) != 1 || !strings.Contains(digest.MessageID, tokens[0]) {
			t.Errorf("the answer to our answer goes to %q", back)
		}
		file(reply("r1@vector.test", "1 +2d")) // the same letter a second time, in another place
		if _, text := answer(); text != "" {
			t.Errorf("answered twice:\n%s", text)
		}
		// Its own moving does not make the mail stale for its reader.
		file(reply("r2@vector.test", "1 done"))
		if _, text := answer(); !strings.Contains(text, "отмечено как сделанное") || strings.Contains(text, "Понимаются") {
			t.Errorf("answer:\n%s", text)
		}

		// Nobody's: another's address, a foreign token. One that wants no
		// automatic response is obeyed in silence.
		stranger := reply("r3@vector.test", "1 cancel")
		stranger.From = "mallory@evil.test"
		file(stranger)
		other := reply("r4@vector.test", "1 cancel")
		other.Tokens = []string{strings.Repeat("0", 32)}
		file(other)
		quiet := reply("r5@vector.test", "1: x")
		quiet.Quiet = true
		file(quiet)
		if _, text := answer(); text != "" {
			t.Errorf("answered:\n%s", text)
		}

		// Too late; and then the day's answers are used up.
		c.add(store.LinkLife)
		file(reply("r6@vector.test", "1 done"))
		if _, text := answer(); !strings.Contains(text, "30 дней") {
			t.Errorf("answer:\n%s", text)
		}
		answered := 0
		for i := range 40 {
			file(reply("many"+string(rune('a'+i))+"@vector.test", "x"))
			if _, text := answer(); text != "" {
				answered++
			}
		}
		if answered >= 30 || answered < 20 {
			t.Errorf("%d answers in a day", answered)
		}

		// What a reply did is known as long as its mail's numbers are, which
		// go when another mail has some.
		c.add(2*store.LinkLife + time.Hour)
		if r, err := st.CleanUp(t.Context(), store.Kept{}); err != nil || r.Replies != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		anna, err := st.ManagerByLogin(t.Context(), "anna")
		if err != nil {
			t.Fatal(err)
		}
		err = st.RecordRun(t.Context(), store.Run{Job: "digest", OwnerID: anna.ID, Slot: "later", Started: st.Now(), Outcome: "queued"}, store.Mail{Key: "later", From: "intouch@vector.test",
			To: "anna@vector.test", Subject: "later", Bytes: []byte("x"), ManagerID: anna.ID, Kind: store.DigestMail, ReplyToken: strings.Repeat("1", 32), Targets: []store.AnswerTarget{{Sender: "who@start.test"}}})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := st.CleanUp(t.Context(), store.Kept{}); err != nil || r.String() != "removed 45 replies" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
