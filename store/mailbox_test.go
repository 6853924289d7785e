package store_test

import (
	"errors"
	"fmt"
	"maps"
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
		n, err := h.FileLetters(ctx, f, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: 4}})
		h.must(err)
		if n != (store.Filed{Captured: 2, Skipped: 2, NewContacts: 3}) {
			h.t.Errorf("%+v", n)
		}
		// The same batch again, as after a crash before the answer: nothing twice.
		n, err = h.FileLetters(ctx, f, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: 4}})
		if h.must(err); n != (store.Filed{Seen: 4}) {
			h.t.Errorf("again: %+v", n)
		}
		// The same letter in ivan's mailbox is the same contact with one more manager.
		_, err = h.FileLetters(ctx, h.folder("ivan", "ivan", 1), store.Batch{Letters: []store.FiledLetter{h.letter(9, "k1")}, Read: store.Cursor{First: 1, Last: 9}})
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
		if f2.ID != f.ID || f2.Last != 0 {
			h.t.Errorf("%+v", f2)
		}
		if _, err := h.FileLetters(ctx, f, store.Batch{Letters: nil, Read: store.Cursor{First: 1, Last: 5}}); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("the old UIDVALIDITY: %v", err)
		}
		_, err = h.FileLetters(ctx, f2, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: 4}})
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
			_, err := h.FileLetters(ctx, f, store.Batch{Letters: letters})
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
		_, err := h.FileLetters(ctx, h.folder("anna", "anna", 7), store.Batch{Letters: []store.FiledLetter{h.letter(1, "k1")}, Read: store.Cursor{First: 1, Last: 1}})
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
		// Somebody asks for it while it is on its way.
		if n, err := h.RetryMails(ctx, []int64{got[1].ID}); err != nil || n != 0 {
			h.t.Errorf("%d mails in flight queued anew, %v", n, err)
		}
		if more, err := h.ClaimMails(ctx, 10, time.Minute); err != nil || len(more) != 0 {
			h.t.Errorf("sent twice: %v %v", more, err)
		}
		h.must(h.MailSent(ctx, got[0].ID))
		h.clock.t = h.clock.t.Add(2 * time.Minute) // the lease is over
		again, err := h.ClaimMails(ctx, 10, time.Minute)
		h.must(err)
		if len(again) != 1 || again[0].ID != got[1].ID || again[0].Tries != 2 || string(again[0].Bytes) != "x" {
			h.t.Fatalf("%+v", again)
		}
		h.must(h.MailRetry(ctx, again[0].ID, time.Hour, "450 later"))
		if next, err := h.NextMail(ctx); err != nil || !next.Equal(h.clock.t.Add(time.Hour)) {
			h.t.Error(next, err)
		}
		if n, err := h.RetryMails(ctx, []int64{again[0].ID}); err != nil || n != 1 {
			h.t.Errorf("%d mails that wait queued anew, %v", n, err)
		}
		h.must(h.MailRetry(ctx, again[0].ID, time.Hour, "450 later"))
		h.must(h.MailFailed(ctx, again[0].ID, "550 no"))
		sum, err := h.Outbox(ctx, 10)
		h.must(err)
		if sum.Sent != 1 || sum.Failed != 1 || sum.Queued != 0 || len(sum.Recent) != 2 || sum.Recent[0].LastError != "550 no" {
			h.t.Errorf("%+v", sum)
		}
	})
}

// A letter decided unknown is noted for what it answers, and recalled when
// that is captured, in whatever mailbox; decided anew it keeps one outcome.
func TestRecalls(t *testing.T) {
	each(t, func(h *house) {
		f, g := h.folder("anna", "anna", 7), h.folder("ivan", "ivan", 3)
		unknown := func(uid uint32, key, subject string, refs ...string) store.FiledLetter {
			return store.FiledLetter{UID: uid, Key: key, Date: monday(), Outcome: store.Skipped, Reason: store.Unknown, Subject: subject, References: refs}
		}
		file := func(f store.Folder, recalled []uint32, letters ...store.FiledLetter) store.Filed {
			h.t.Helper()
			n, err := h.FileLetters(ctx, f, store.Batch{Letters: letters, Recalled: recalled})
			h.must(err)
			return n
		}
		recalls := func(f store.Folder) []uint32 {
			h.t.Helper()
			uids, err := h.Recalls(ctx, f, 100)
			h.must(err)
			return uids
		}
		file(g, nil, unknown(5, "a1", "Re: x", "k1"), unknown(6, "a2", "RE: Цены"), unknown(7, "a3", "Цены"), unknown(8, "a4", "Re: y", "k9"))
		if got := recalls(g); got != nil {
			h.t.Errorf("nothing was captured, yet %v", got)
		}
		file(f, nil, h.letter(1, "k1"))
		if got := recalls(g); !slices.Equal(got, []uint32{5, 6}) {
			h.t.Errorf("after k1 of subject Цены: %v", got)
		}
		// One belongs to the client, the other still does not, the third is gone.
		now := h.letter(5, "a1", "k1")
		now.Subject = "Re: x"
		if n := file(g, []uint32{5, 6, 77}, now, unknown(6, "a2", "RE: Цены")); n.Captured != 1 || n.NewContacts != 1 {
			h.t.Errorf("%+v", n)
		}
		if got := recalls(g); got != nil {
			h.t.Errorf("still recalled: %v", got)
		}
		outcomes := map[uint32]store.Outcome{}
		h.must(h.EachLetter(ctx, func(l *store.SeenLetter) error {
			if l.Mailbox == "ivan" {
				outcomes[l.UID] = l.Outcome
			}
			return nil
		}))
		if len(outcomes) != 4 || outcomes[5] != store.Captured || outcomes[6] != store.Skipped {
			h.t.Errorf("%v", outcomes)
		}
		// Without being recalled an outcome stays.
		if n := file(g, nil, h.letter(6, "a2")); n != (store.Filed{Seen: 1}) {
			h.t.Errorf("%+v", n)
		}
		// What answers a letter that is captured already is recalled at once:
		// another daemon may have filed it since this one looked.
		file(g, nil, unknown(9, "a5", "Re: z", "k1"))
		if got := recalls(g); !slices.Equal(got, []uint32{9}) {
			h.t.Errorf("an answer to what is captured: %v", got)
		}
	})
}

// Past letters are looked up once for each address that became somebody's.
func TestFolderNews(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		news := func() store.News {
			h.t.Helper()
			n, err := h.FolderNews(ctx, f)
			h.must(err)
			return n
		}
		if n := news(); n.UpTo != 0 || n.Recalls {
			h.t.Errorf("a new folder knows everybody: %+v", n)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p7", Client: "c2", Name: "Max", Emails: []string{"max@northland.test", "MAX@x.test"}}))
		})
		n := news()
		if !slices.Equal(n.Addresses, []string{"max@northland.test", "max@x.test"}) || n.Many {
			h.t.Errorf("%+v", n)
		}
		_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{h.letter(1, "k1"),
			{UID: 2, Key: "k2", Date: monday(), Outcome: store.Skipped, Reason: store.Unknown},
			{UID: 3, Key: "k3", Date: monday(), Outcome: store.Skipped, Reason: store.Automatic}}})
		h.must(err)
		h.must(h.Recall(ctx, f, []uint32{2, 3, 4}, n.UpTo))
		if uids, err := h.Recalls(ctx, f, 10); err != nil || !slices.Equal(uids, []uint32{2}) {
			h.t.Errorf("recalled %v, %v", uids, err)
		}
		if n := news(); n.UpTo != 0 || !n.Recalls {
			h.t.Errorf("%+v", n)
		}
		// The same again registers nothing; many are not named one by one.
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p7", Client: "c2", Name: "Maxim", Emails: []string{"max@northland.test"}}))
		})
		if n := news(); n.UpTo != 0 {
			h.t.Errorf("%+v", n)
		}
		h.imports(func(im *store.Import) {
			for i := range 60 {
				h.row(im.Person(store.PersonRow{ID: fmt.Sprint("q", i), Client: "c2", Name: "Q", Emails: []string{fmt.Sprintf("q%d@x.test", i)}}))
			}
		})
		n = news()
		if !n.Many || n.Addresses != nil {
			h.t.Errorf("%+v", n)
		}
		h.must(h.Recall(ctx, f, nil, n.UpTo))
		if uids, err := h.Recalls(ctx, f, 10); err != nil || !slices.Equal(uids, []uint32{1, 2}) {
			h.t.Errorf("recalled %v, %v", uids, err)
		}
		if last, err := h.LastRegistration(ctx); err != nil || last != n.UpTo {
			h.t.Errorf("%d, %v", last, err)
		}
	})
}

// Threads are the same in whatever order their letters come.
func TestThreads_AnyOrder(t *testing.T) {
	// Two threads, the second held together by its subject alone.
	type letter struct {
		key, subject string
		refs         []string
	}
	all := []letter{{"a", "Цены", nil}, {"b", "Re: Цены", []string{"a"}}, {"c", "Re: Цены", []string{"b"}}, {"d", "HA: Цены", []string{"a", "b", "c"}},
		{"e", "Договор", nil}, {"f", "Re: договор", nil}, {"g", "Fwd: Re: Договор", nil}, {"h", "Re: Договор", []string{"f"}}}
	orders := map[string]func(i int) int{
		"oldest first": func(i int) int { return i },
		"newest first": func(i int) int { return len(all) - 1 - i },
		"halves":       func(i int) int { return (i + len(all)/2) % len(all) },
		"inside out":   func(i int) int { return (i*3 + 2) % len(all) },
	}
	for name, order := range orders {
		for _, size := range []int{1, 3, len(all)} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				each(t, func(h *house) {
					f := h.folder("anna", "anna", 7)
					var batch []store.FiledLetter
					for i := range all {
						n := order(i)
						l := h.letter(uint32(n+1), all[n].key, all[n].refs...)
						l.Subject = all[n].subject
						if batch = append(batch, l); len(batch) < size && i < len(all)-1 {
							continue
						}
						_, err := h.FileLetters(ctx, f, store.Batch{Letters: batch})
						h.must(err)
						batch = nil
					}
					for _, e := range h.exported() {
						if want := map[bool]string{true: "a", false: "e"}[e.MessageKey < "e"]; e.Thread != want {
							h.t.Errorf("%s is in thread %s, want %s", e.MessageKey, e.Thread, want)
						}
					}
				})
			})
		}
	}
}

// A mailbox whose manager is misspelt in the settings keeps its owner.
func TestKeepMailbox(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("box", "anna", 7)
		id, err := h.KeepMailbox(ctx, "box")
		h.must(err)
		states, err := h.MailboxStates(ctx)
		h.must(err)
		if id != f.MailboxID || len(states) != 1 || states[0].ManagerLogin != "anna" {
			h.t.Errorf("%d, %+v", id, states)
		}
		if id, err := h.KeepMailbox(ctx, "new"); err != nil || id == 0 || id == f.MailboxID {
			h.t.Error(id, err)
		}
	})
}

// TestSaveMailboxes: the mailboxes of the settings get their managers, shared
// ones none, and one whose manager nobody knows has no row yet.
func TestSaveMailboxes(t *testing.T) {
	each(t, func(h *house) {
		h.must(h.SaveMailboxes(ctx, map[string]string{"anna's": "Anna", "shared": "", "nobody's": "nobody", "O'Neill \"x\"": "anna"}))
		h.must(h.SaveMailboxes(ctx, map[string]string{"anna's": "", "shared": "anna"}))
		states, err := h.MailboxStates(ctx)
		h.must(err)
		got := map[string]string{}
		for _, s := range states {
			got[s.Name] = s.ManagerLogin
		}
		if want := map[string]string{"anna's": "", "shared": "anna", "O'Neill \"x\"": "anna"}; !maps.Equal(got, want) {
			t.Errorf("mailboxes and their managers: %q, want %q", got, want)
		}
	})
}
