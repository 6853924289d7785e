package store_test

import (
	"slices"
	"testing"
	"time"

	"intouch/store"
)

// TestCleanUp_Texts: after their time the words of letters stand nowhere in the
// database, and what else is known of the letters stays.
func TestCleanUp_Texts(t *testing.T) {
	each(t, func(h *house) {
		mb, err := h.SaveMailbox(ctx, "anna", "anna")
		h.must(err)
		folder, err := h.OpenFolder(ctx, mb.ID, "INBOX", 7)
		h.must(err)
		letter := func(uid uint32, key, word string, at time.Time) store.FiledLetter {
			return store.FiledLetter{UID: uid, Key: key, MessageID: "<" + key + ">", Date: at, Outcome: store.Captured, Direction: store.In, Clients: []int64{h.clients["c1"], h.clients["c2"]},
				Addresses: []string{"olga@romashka.test", "anna@vector.test"}, Names: map[string]string{}, Subject: "subject of " + key, Text: "text " + word, FullText: "text " + word + "\n> quoted " + word}
		}
		batch := []store.FiledLetter{
			letter(1, "old", "плесень", monday().AddDate(0, -7, 0)),
			letter(2, "open", "замша", monday().AddDate(0, -7, 0)),
			letter(3, "new", "свежесть", monday().AddDate(0, -5, 0)),
		}
		_, err = h.FileLetters(ctx, folder, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: 3}})
		h.must(err)
		all, err := h.Contacts(ctx, h.anna, store.ContactQuery{ClientID: h.clients["c1"]})
		h.must(err)
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		ids := map[string]int64{}
		for _, c := range all {
			ids[c.MessageKey] = c.ID
		}
		body := "замша и велюр"
		_, err = h.EditContact(ctx, actor, ids["open"], 0, store.ContactEdit{Body: &body})
		h.must(err)
		holding := func(words ...string) []string {
			t.Helper()
			where, err := h.Holding(ctx, words...)
			h.must(err)
			return where
		}
		if got := holding("плесень", "замша"); !slices.Contains(got, "letter_texts.full_text") || !slices.Contains(got, "contacts.body") || !slices.Contains(got, "history.changes") {
			t.Fatalf("before, they stand in %q", got)
		}
		kept := holding("свежесть")

		r, err := h.CleanUp(ctx, store.Kept{TextMonths: 6})
		if err != nil || r.Texts != 4 || r.String() != "removed 4 texts of letters" {
			t.Errorf("%q %v", r, err)
		}
		if got := holding("плесень", "замша", "велюр"); len(got) > 0 {
			t.Errorf("texts are still in %q", got)
		}
		if got := holding("свежесть"); !slices.Equal(got, kept) {
			t.Errorf("of the new letter: %q, before %q", got, kept)
		}
		c, err := h.Contact(ctx, h.anna, ids["old"])
		h.must(err)
		_, at, err := h.FullText(ctx, h.anna, ids["old"])
		h.must(err)
		if c.Subject != "subject of old" || !c.When.Start.Equal(monday().AddDate(0, -7, 0)) || len(c.Persons) != 1 || !at.Equal(h.clock.t.Truncate(time.Second)) {
			t.Errorf("what is left: %+v, dropped %s", c, at)
		}
		if _, at, err := h.FullText(ctx, h.anna, ids["new"]); err != nil || !at.IsZero() {
			t.Errorf("the new one: %s %v", at, err)
		}
		for key, want := range map[string]int{"old": 0, "new": 1} {
			if places, err := h.LetterPlaces(ctx, h.anna, ids[key]); err != nil || len(places) != want {
				t.Errorf("%s may be fetched from %v, %v", key, places, err)
			}
		}
		if h, err := h.History(ctx, "contact", ids["open"], 10); err != nil || len(h) < 2 {
			t.Errorf("the history of an edited one: %+v %v", h, err)
		}

		// The mailbox is read again, from another folder and from the beginning.
		other, err := h.OpenFolder(ctx, mb.ID, "Archive", 9)
		h.must(err)
		_, err = h.FileLetters(ctx, other, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: 3}})
		h.must(err)
		if got := holding("плесень", "замша"); len(got) > 0 {
			t.Errorf("seen again, the texts are back in %q", got)
		}
		if r, err := h.CleanUp(ctx, store.Kept{TextMonths: 6}); err != nil || r.Texts != 0 {
			t.Errorf("a second time: %+v %v", r, err)
		}
	})
}
