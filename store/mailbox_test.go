package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"intouch/store"
)

func (h *house) folder(box string, manager string, validity uint32) store.Folder {
	h.t.Helper()
	m, err := h.SaveMailbox(ctx, box, manager)
	h.must(err)
	f, err := h.OpenFolder(ctx, m.ID, "INBOX", validity)
	h.must(err)
	return f
}

// letter from olga to anna.
func (h *house) letter(uid uint32, key string, refs ...string) store.FiledLetter {
	return store.FiledLetter{UID: uid, Key: key, MessageID: "<" + key + ">", Date: monday().Add(time.Duration(uid) * time.Minute), Outcome: store.Captured,
		Direction: store.In, Clients: []int64{h.clients["c1"]}, Addresses: []string{"olga@romashka.test", "anna@vector.test"},
		Subject: "Цены", Text: "Сколько?", FullText: "Сколько?\n> 5", References: refs, Attachments: []store.Attachment{{Name: "a.pdf", Type: "application/pdf", Size: 7}}}
}

func (h *house) exported() map[string]*store.Exported {
	h.t.Helper()
	out := map[string]*store.Exported{}
	h.must(h.EachContact(ctx, func(e *store.Exported) error {
		out[fmt.Sprint(e.MessageKey, e.ClientID)] = e
		return nil
	}))
	return out
}

func TestFileLetters(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		both := h.letter(2, "k2", "k1")
		both.Clients = append(both.Clients, h.clients["c2"])
		both.Direction = store.Out
		batch := []store.FiledLetter{h.letter(1, "k1"), both,
			{UID: 3, Key: "k3", Outcome: store.Skipped, Reason: store.Unknown, Date: monday(), FromAddress: "new@x.test", FromName: "New\x00 One"},
			{UID: 4, Key: "k4", Outcome: store.Skipped, Reason: store.Automatic, Date: monday()}}
		n, err := h.FileLetters(ctx, f, 4, batch)
		h.must(err)
		if n != (store.Filed{Captured: 2, Skipped: 2, NewContacts: 3}) {
			h.t.Errorf("%+v", n)
		}
		// The same batch again, as after a crash before the answer: nothing twice.
		n, err = h.FileLetters(ctx, f, 4, batch)
		if h.must(err); n != (store.Filed{Seen: 4}) {
			h.t.Errorf("again: %+v", n)
		}
		// The same letter in ivan's mailbox is the same contact with one more manager.
		_, err = h.FileLetters(ctx, h.folder("ivan", "ivan", 1), 9, []store.FiledLetter{h.letter(9, "k1")})
		h.must(err)
		all := h.exported()
		if len(all) != 3 {
			h.t.Fatalf("%d contacts", len(all))
		}
		first := all[fmt.Sprint("k1", h.clients["c1"])]
		if !slices.Equal(first.ManagerLogins, []string{"anna", "ivan"}) || first.ManagerID != h.anna.ID || first.FullText != "Сколько?\n> 5" ||
			first.Minutes != 5 || !first.Estimated || len(first.Persons) != 1 || first.Attachments[0].Name != "a.pdf" || first.ClientExternalID != "c1" {
			h.t.Errorf("%+v", first)
		}
		for k, e := range all {
			if e.Thread != "k1" {
				h.t.Errorf("%s is in thread %s", k, e.Thread)
			}
		}
		// A changed UIDVALIDITY starts anew and doubles nothing.
		f2 := h.folder("anna", "anna", 8)
		if f2.ID != f.ID || f2.LastUID != 0 {
			h.t.Errorf("%+v", f2)
		}
		if _, err := h.FileLetters(ctx, f, 5, nil); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("the old UIDVALIDITY: %v", err)
		}
		_, err = h.FileLetters(ctx, f2, 4, batch)
		h.must(err)
		if n := len(h.exported()); n != 3 {
			h.t.Errorf("%d contacts after a new UIDVALIDITY", n)
		}
		senders, err := h.UnknownSenders(ctx, h.anna.ID, monday().Add(-time.Hour), 10)
		h.must(err)
		if len(senders) != 1 || senders[0].Name != "New One" {
			h.t.Errorf("%+v", senders)
		}
		letters := 0
		h.must(h.EachLetter(ctx, func(l *store.SeenLetter) error {
			letters++
			if l.Outcome == store.Captured && len(l.Contacts) == 0 {
				h.t.Errorf("captured without a contact: %+v", l)
			}
			return nil
		}))
		if letters != 9 {
			h.t.Errorf("%d letters seen", letters)
		}
	})
}

func TestUnanswered(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		file := func(letters ...store.FiledLetter) {
			h.t.Helper()
			_, err := h.FileLetters(ctx, f, 0, letters)
			h.must(err)
		}
		keys := func() (out []string) {
			h.t.Helper()
			list, err := h.UnansweredLetters(ctx, h.anna.ID, 10)
			h.must(err)
			for _, u := range list {
				out = append(out, u.Contact.MessageKey)
			}
			return out
		}
		h.clock.t = monday().Add(time.Hour)
		file(h.letter(1, "q1"), h.letter(2, "q2"))
		h.expect("two questions", keys(), "q1", "q2")
		answer := h.letter(3, "a1", "q1")
		answer.Direction = store.Out
		// An answer is a done contact with the client later than both.
		file(answer)
		h.expect("answered", keys())
		file(h.letter(4, "q3"))
		h.expect("a new one", keys(), "q3")
		dismiss := true
		_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, h.exported()[fmt.Sprint("q3", h.clients["c1"])].ID, 0, store.ContactEdit{Dismiss: &dismiss})
		h.must(err)
		h.expect("dismissed", keys())
	})
}

func TestParties(t *testing.T) {
	each(t, func(h *house) {
		p, err := h.Parties(ctx)
		h.must(err)
		c1, c2 := h.clients["c1"], h.clients["c2"]
		if p.OwnAddrs["anna@vector.test"] != h.anna.ID || !p.OwnHosts["vector.test"] || !p.Blocked["spam.test"] || !p.FreeMail["gmail.com"] ||
			!slices.Equal(p.ByAddr["olga@gmail.com"], []int64{c1}) || !slices.Equal(p.ByAddr["info@northland.test"], []int64{c2}) || !slices.Equal(p.ByDomain["romashka.test"], []int64{c1}) {
			h.t.Errorf("%+v", p)
		}
		v, err := h.PartiesVersion(ctx)
		if h.must(err); v != p.Version {
			h.t.Errorf("version %d, snapshot %d", v, p.Version)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "Max", Emails: []string{"max@northland.test"}}))
		})
		if v2, _ := h.PartiesVersion(ctx); v2 == v {
			h.t.Error("a new person did not change the directory's version")
		}
	})
}

func TestThreadBySubject(t *testing.T) {
	each(t, func(h *house) {
		_, err := h.FileLetters(ctx, h.folder("anna", "anna", 7), 1, []store.FiledLetter{h.letter(1, "k1")})
		h.must(err)
		find := func(subject, address string, after time.Duration) []int64 {
			ids, err := h.ThreadBySubject(ctx, subject, []string{address}, monday().Add(after))
			h.must(err)
			return ids
		}
		if ids := find("RE: Отв: цены", "olga@romashka.test", time.Hour); !slices.Equal(ids, []int64{h.clients["c1"]}) {
			h.t.Errorf("%v", ids)
		}
		if ids := find("Re: Цены", "stranger@x.test", time.Hour); len(ids) != 0 {
			h.t.Errorf("without a shared party: %v", ids)
		}
		if ids := find("Re: Цены", "olga@romashka.test", 31*24*time.Hour); len(ids) != 0 {
			h.t.Errorf("after 31 days: %v", ids)
		}
	})
}

func TestOutbox(t *testing.T) {
	each(t, func(h *house) {
		run := store.Run{Job: "digest", OwnerID: h.anna.ID, Slot: "2026-11-23T08:00", Started: monday(), Outcome: "sent"}
		mail := func(key string) store.Mail {
			return store.Mail{Key: key, MessageID: "<" + key + "@x>", From: "a@x.test", To: "b@x.test", Subject: "S", Bytes: []byte("x")}
		}
		h.must(h.RecordRun(ctx, run, mail("1"), mail("2")))
		if err := h.RecordRun(ctx, run, mail("3")); !errors.Is(err, store.ErrAlreadyRan) {
			h.t.Errorf("the slot again: %v", err)
		}
		if ran, err := h.Ran(ctx, "digest", h.anna.ID, run.Slot); err != nil || !ran {
			h.t.Error(ran, err)
		}
		got, err := h.ClaimMails(ctx, 10, time.Minute)
		h.must(err)
		if len(got) != 2 || got[0].Tries != 1 {
			h.t.Fatalf("%+v", got)
		}
		if more, err := h.ClaimMails(ctx, 10, time.Minute); err != nil || len(more) != 0 {
			h.t.Errorf("claimed twice: %v %v", more, err)
		}
		h.must(h.MailSent(ctx, got[0].ID))
		h.clock.t = h.clock.t.Add(2 * time.Minute) // the lease is over
		again, err := h.ClaimMails(ctx, 10, time.Minute)
		h.must(err)
		if len(again) != 1 || again[0].ID != got[1].ID || again[0].Tries != 2 || string(again[0].Bytes) != "x" {
			h.t.Fatalf("%+v", again)
		}
		h.must(h.MailRetry(ctx, again[0].ID, h.clock.t.Add(time.Hour), "450 later"))
		if next, err := h.NextMail(ctx); err != nil || !next.Equal(h.clock.t.Add(time.Hour)) {
			h.t.Error(next, err)
		}
		h.must(h.MailFailed(ctx, again[0].ID, "550 no"))
		sum, err := h.Outbox(ctx, 10)
		h.must(err)
		if sum.Sent != 1 || sum.Failed != 1 || sum.Queued != 0 || len(sum.Recent) != 2 || sum.Recent[0].LastError != "550 no" {
			h.t.Errorf("%+v", sum)
		}
	})
}
