package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestParseDropWord(t *testing.T) {
	moscow, _ := time.LoadLocation("Europe/Moscow")
	sent := time.Date(2026, 1, 30, 22, 30, 0, 0, time.UTC) // Saturday the 31st in Moscow
	for text, want := range map[string]string{
		"3d": "plan 2026-02-03", "1D": "plan 2026-02-01", "2w": "plan 2026-02-14", "1m": "plan 2026-02-28", "12m": "plan 2027-01-31",
		"tomorrow": "plan 2026-02-01", "monday": "plan 2026-02-02", "month": "plan 2026-02-01",
		"done": "done", "call": "call", "src-expo": "source expo", "src-Expo_2026": "source expo-2026",
		"0d": "", "99999d": "", "37m": "", "3": "", "3y": "", "src-": "", "src---": "", "d3": "", "-3d": "", strings.Repeat("x", 500): "",
	} {
		w := store.ParseDropWord(text)
		got := string(w.Verb)
		switch w.Verb {
		case store.DropPlan:
			got += " " + string(w.Day(sent, moscow))
		case store.DropSource:
			got += " " + w.Source
		}
		if got != want || len(w.Text) > 60 {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for in, want := range map[string]string{"Expo 2026": "expo-2026", "  A & B ": "a-b", "EXPO": "expo", "Выставка №1": "выставка-№1", "...": ""} {
		if got := store.SourceSlug(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// dropped is a letter that anna sent to olga, with the dropbox in copy.
func (h *house) dropped(uid uint32, key string, words ...string) store.FiledLetter {
	l := h.letter(uid, key)
	l.Direction = store.Out
	l.Dropbox = &store.Dropped{Key: key, MessageID: "<" + key + ">", ManagerID: h.anna.ID, Sent: l.Date, Subject: "Цены"}
	for _, w := range words {
		l.Dropbox.Words = append(l.Dropbox.Words, store.ParseDropWord(w))
	}
	return l
}

// planned lists what is no letter: "planned call Цены 2026-11-26 client".
func (h *house) planned() (out []string) {
	h.t.Helper()
	h.must(h.EachContact(ctx, func(e *store.Exported) error {
		if e.Kind != store.Letter {
			out = append(out, fmt.Sprint(e.State, " ", e.Kind, " ", e.Subject, " ", e.When.First, " ", e.ClientName+e.ClientText, " ", e.ManagerLogins, " ", len(e.Persons)))
		}
		return nil
	}))
	slices.Sort(out)
	return out
}

func TestFileLetters_Dropbox(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("crm", "", 7)
		file := func(l store.FiledLetter) {
			h.t.Helper()
			_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}})
			h.must(err)
		}
		want := []string{"planned call Цены 2026-11-26 ООО «Ромашка» [anna] 1"}
		file(h.dropped(1, "k1", "3d", "call", "what"))
		h.expect("planned", h.planned(), want...)
		file(h.dropped(1, "k1", "3d", "call")) // the same place
		file(h.dropped(2, "k1", "3d", "call")) // delivered again
		h.expect("not twice", h.planned(), want...)
		first := h.exported()[fmt.Sprint("k1", h.clients["c1"])]
		history, err := h.History(ctx, "contact", first.ID, 10)
		h.must(err)
		if len(history) != 2 || history[0].Verb != "dropbox" || history[0].Changes["unknown_word"] != [2]string{"", "what"} || history[0].ManagerID != h.anna.ID {
			h.t.Errorf("history %+v", history)
		}

		// Source by external id, by name; an unknown one is noted.
		file(h.dropped(3, "k3", "src-s1", "src-nowhere"))
		if e := h.exported()[fmt.Sprint("k3", h.clients["c1"])]; e.SourceName != "Выставка" {
			h.t.Errorf("source %q", e.SourceName)
		}
		h.imports(func(im *store.Import) { h.row(im.Source(store.SourceRow{ID: "s2", Name: "Web Site"})) })
		file(h.dropped(4, "k4", "src-web-site"))
		card, err := h.Client(ctx, h.boris, h.clients["c1"])
		h.must(err)
		if card.Source.Name != "Web Site" {
			h.t.Errorf("the client's source is %q", card.Source.Name)
		}

		// Done completes the nearest of anna's own, before what is planned anew.
		plan := func(who store.Manager, subject string, days int) {
			h.t.Helper()
			at := monday().AddDate(0, 0, days)
			_, err := h.PlanContact(ctx, store.Actor{ManagerID: who.ID}, store.ContactDraft{ClientID: h.clients["c1"], Subject: subject, When: store.Span{Start: at, End: at}})
			h.must(err)
		}
		plan(h.ivan, "Ivan's, nearer", 0)
		plan(h.anna, "far", 20)
		plan(h.anna, "near", -1)
		file(h.dropped(5, "k5", "1w", "done"))
		all := strings.Join(h.planned(), "\n")
		for _, want := range []string{"done other near", "planned other Ivan's, nearer", "planned other far", "planned other Цены 2026-11-30"} {
			if !strings.Contains(all, want) {
				h.t.Errorf("%q is not among\n%s", want, all)
			}
		}
		before := len(h.planned())

		// Old letters act no more, and what has nothing to do says so.
		old := h.dropped(6, "k6", "3d", "done")
		old.Date = monday().AddDate(0, 0, -40)
		old.Dropbox.Sent = old.Date
		file(old)
		if n := len(h.planned()); n != before {
			h.t.Errorf("an old letter planned something: %q", h.planned())
		}
		// A client of another's: nothing of hers is open there.
		other := h.dropped(7, "k7", "done")
		other.Clients = []int64{h.clients["c2"]}
		file(other)
		history, err = h.History(ctx, "contact", h.exported()[fmt.Sprint("k7", h.clients["c2"])].ID, 10)
		h.must(err)
		if history[0].Changes["idle_word"] != [2]string{"", "done"} {
			h.t.Errorf("history %+v", history)
		}
	})
}

// The original of a forward, read to the minute, is the letter that is there.
func TestFileLetters_Approximate(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("crm", "", 7)
		_, err := h.FileLetters(ctx, h.folder("ivan", "ivan", 1), store.Batch{Letters: []store.FiledLetter{h.letter(1, "k1")}})
		h.must(err)
		for i, c := range []struct {
			subject string
			seconds int
			same    bool
		}{{"RE: Цены", -40, true}, {"Цены", 600, false}, {"Другое", 0, false}} {
			l := h.dropped(uint32(10+i), fmt.Sprint("hash:", i))
			l.MessageID, l.Subject, l.Direction = "", c.subject, store.In
			l.Dropbox.Approximate, l.Dropbox.MessageID, l.Dropbox.Key = true, "<w@x>", fmt.Sprint("w", i)
			l.Date = h.letter(1, "k1").Date.Add(time.Duration(c.seconds) * time.Second)
			before := len(h.exported())
			_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}})
			h.must(err)
			if same := len(h.exported()) == before; same != c.same {
				h.t.Errorf("%s after %d s: same %v", c.subject, c.seconds, same)
			}
		}
		e := h.exported()[fmt.Sprint("k1", h.clients["c1"])]
		if !slices.Equal(e.ManagerLogins, []string{"anna", "ivan"}) {
			h.t.Errorf("managers %v", e.ManagerLogins)
		}
		h.must(h.EachLetter(ctx, func(l *store.SeenLetter) error {
			if l.Mailbox == "crm" && (l.MessageID != "<w@x>" || len(l.Contacts) != 1) {
				h.t.Errorf("%+v", l)
			}
			return nil
		}))
	})
}

func TestPrivateThread(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{h.letter(1, "k1"), h.letter(2, "k2")}})
		h.must(err)
		id := h.exported()[fmt.Sprint("k1", h.clients["c1"])].ID
		if err := h.SetPrivate(ctx, store.Actor{ManagerID: h.boris.ID}, id, true); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("a head who took no part: %v", err)
		}
		h.must(h.SetPrivate(ctx, store.Actor{ManagerID: h.anna.ID}, id, true))
		reply := h.letter(3, "k3", "k1")
		_, err = h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{reply}})
		h.must(err)
		for viewer, want := range map[string]string{"anna": "Сколько?||Сколько?", "boris": "||Сколько?"} {
			m := map[string]store.Manager{"anna": h.anna, "boris": h.boris}[viewer]
			all := h.exported()
			var got []string
			for _, k := range []string{"k1", "k3", "k2"} {
				c, err := h.Contact(ctx, m, all[fmt.Sprint(k, h.clients["c1"])].ID)
				h.must(err)
				if c.Hidden != (c.Private && viewer == "boris") || c.Hidden && len(c.Attachments) > 0 {
					h.t.Errorf("%s: %+v", viewer, c)
				}
				got = append(got, c.Body)
			}
			if strings.Join(got, "|") != want {
				h.t.Errorf("%s sees %q", viewer, got)
			}
		}
		if e := h.exported()[fmt.Sprint("k1", h.clients["c1"])]; e.Body+e.FullText != "" {
			h.t.Errorf("exported %q", e.Body+e.FullText)
		}
		// In calendars too: a head who drags the event does not wipe the text.
		planned := store.Planned
		_, err = h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, id, 0, store.ContactEdit{State: &planned})
		h.must(err)
		team, err := h.Collection(ctx, h.boris.ID, "team-anna")
		h.must(err)
		var entry store.Entry
		h.must(h.Entries(ctx, team.ID, time.Time{}, time.Time{}, store.EntryDetails|store.EntryBytes, nil, func(e *store.Entry) error {
			if strings.Contains(string(e.Bytes), "Цены v3 hidden|") {
				entry = *e
			}
			return nil
		}))
		c, err := h.Contact(ctx, h.anna, id)
		h.must(err)
		_, err = h.PutEntry(ctx, store.Actor{ManagerID: h.boris.ID, Origin: store.FromCalendar}, team.ID, entry.Name, store.Condition{},
			&store.CalendarWrite{Bytes: []byte("x"), UID: c.UID, Component: store.VEvent, Title: "Цены!", When: c.When, Status: store.Planned})
		h.must(err)
		if c, err = h.Contact(ctx, h.anna, id); err != nil || c.Body != "Сколько?" || c.Subject != "Цены!" {
			h.t.Errorf("after the head's edit: %q %q, %v", c.Subject, c.Body, err)
		}
		h.must(h.SetPrivate(ctx, store.Actor{ManagerID: h.anna.ID}, id, false))
		if e := h.exported()[fmt.Sprint("k1", h.clients["c1"])]; e.Body != "Сколько?" {
			h.t.Errorf("opened again: %q", e.Body)
		}
	})
}

func TestUnlinkedLetters(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		alone := func(uid uint32, key, address string) store.FiledLetter {
			l := h.letter(uid, key)
			l.Clients, l.ClientText, l.Addresses, l.Outsiders = nil, "Lea <"+address+">", []string{address, "anna@vector.test"}, []string{address}
			return l
		}
		n, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{alone(1, "k1", "lea+x@lead.test"), alone(2, "k1", "lea+x@lead.test"), alone(3, "k3", "who@shop.test"), alone(4, "k4", "a@gmail.com")}})
		h.must(err)
		if n.NewContacts != 3 {
			h.t.Fatalf("%+v", n)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p9", Client: "c2", Name: "Lea", Emails: []string{"lea@lead.test"}}))
			h.row(im.Client(store.ClientRow{ID: "c3", Name: "Shop", Domains: []string{"shop.test", "gmail.com"}}))
		})
		got := []string{}
		h.must(h.EachContact(ctx, func(e *store.Exported) error {
			got = append(got, fmt.Sprint(e.MessageKey, " ", e.ClientExternalID, " ", e.ClientText))
			return nil
		}))
		slices.Sort(got)
		if want := []string{"k1 c2 ", "k3 c3 ", "k4  Lea <a@gmail.com>"}; !slices.Equal(got, want) {
			h.t.Errorf("got %q, want %q", got, want)
		}
		// A letter that is known with a client joins it, and one without gets it.
		l := h.letter(5, "k4")
		l.Clients = []int64{h.clients["c1"]}
		_, err = h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l, alone(6, "k4", "a@gmail.com")}})
		h.must(err)
		if all := h.exported(); len(all) != 3 || all[fmt.Sprint("k4", h.clients["c1"])] == nil {
			h.t.Errorf("%d contacts", len(all))
		}
	})
}

func TestBlockList(t *testing.T) {
	each(t, func(h *house) {
		for value, want := range map[string]bool{"Lawyer@Law.test": true, "spam.test": false} {
			if added, err := h.Block(ctx, value); err != nil || added != want {
				h.t.Errorf("%s: %v, %v", value, added, err)
			}
		}
		before, err := h.PartiesVersion(ctx)
		h.must(err)
		p, err := h.Parties(ctx)
		h.must(err)
		if !p.Blocked["lawyer@law.test"] || !p.Blocked["spam.test"] || p.Zones[h.ivan.ID] != "Asia/Vladivostok" {
			h.t.Errorf("%+v %+v", p.Blocked, p.Zones)
		}
		// The settings change: what was added by hand stays.
		h.must(h.SetCompany(ctx, []string{"vector.test"}, []string{"other.test"}))
		list, err := h.BlockList(ctx)
		h.must(err)
		if want := []store.BlockedValue{{Value: "lawyer@law.test"}, {Value: "other.test", Settings: true}}; !slices.Equal(list, want) {
			h.t.Errorf("%+v", list)
		}
		if err := h.Unblock(ctx, "other.test"); !errors.Is(err, store.ErrForbidden) {
			h.t.Error(err)
		}
		h.must(h.Unblock(ctx, "lawyer@LAW.test"))
		if err := h.Unblock(ctx, "lawyer@law.test"); !errors.Is(err, store.ErrNotFound) {
			h.t.Error(err)
		}
		if after, _ := h.PartiesVersion(ctx); after == before {
			h.t.Error("the directory's version did not change")
		}
	})
}

func TestFileArchive(t *testing.T) {
	each(t, func(h *house) {
		a := store.Archive{Manager: "Anna", Folder: "old"}
		unknown := store.FiledLetter{Key: "u", Date: monday(), Outcome: store.Skipped, Reason: store.Unknown, FromAddress: "x@y.test"}
		n, err := h.FileArchive(ctx, a, true, []store.FiledLetter{h.letter(0, "k1"), unknown})
		h.must(err)
		if n.Captured != 1 || n.Reasons[store.Unknown] != 1 || len(h.exported()) != 0 {
			h.t.Errorf("dry: %+v", n)
		}
		for try, want := range []store.Filed{{Captured: 1, Skipped: 1, NewContacts: 1}, {Seen: 2}} {
			n, err := h.FileArchive(ctx, a, false, []store.FiledLetter{h.letter(0, "k1"), unknown})
			if h.must(err); n.Filed != want {
				h.t.Errorf("try %d: %+v", try, n)
			}
		}
		now := h.letter(0, "u")
		n, err = h.FileArchive(ctx, a, false, []store.FiledLetter{now, now})
		if h.must(err); n.Filed != (store.Filed{Captured: 1, NewContacts: 1, Seen: 1}) {
			h.t.Errorf("captured at last: %+v", n)
		}
		var uids []uint32
		h.must(h.EachLetter(ctx, func(l *store.SeenLetter) error { uids = append(uids, l.UID); return nil }))
		if !slices.Equal(uids, []uint32{1, 2}) {
			h.t.Errorf("uids %v", uids)
		}
		if _, err := h.FileArchive(ctx, store.Archive{Manager: "nobody"}, false, nil); !errors.Is(err, store.ErrNotFound) {
			h.t.Error(err)
		}
	})
}
