package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"intouch/store"
)

// sent is a letter of anna to olga, written n minutes after monday.
func (h *house) sent(n uint32, key string) store.FiledLetter {
	l := h.letter(n, key)
	l.Direction = store.Out
	return l
}

// returned is a report of letter key, n minutes after monday.
func returned(n uint32, key string, who ...store.Undelivered) store.FiledLetter {
	return store.FiledLetter{UID: n, Key: fmt.Sprint("bounce", n), Date: monday().Add(time.Duration(n) * time.Minute), Outcome: store.Skipped, Reason: store.Automatic,
		Bounce: &store.Bounce{Key: key, Recipients: who}}
}

// heard is a letter of olga, n minutes after monday.
func (h *house) heard(n uint32) store.FiledLetter {
	l := h.letter(n, fmt.Sprint("heard", n))
	l.FromAddress = "olga@romashka.test"
	return l
}

func (h *house) olga() store.Person {
	h.t.Helper()
	card, err := h.Client(ctx, h.anna, h.clients["c1"])
	h.must(err)
	return card.Persons[0]
}

func TestBounce(t *testing.T) {
	gone := store.Undelivered{Address: "Olga@Romashka.test", Status: "5.1.1", Reason: "550 5.1.1 no such user", Failed: true}
	full, late, stranger := gone, gone, gone
	full.Status, full.Reason = "5.2.2", "552 5.2.2 mailbox full"
	late.Status, late.Reason, late.Failed = "4.4.1", "connection timed out", false
	stranger.Address = "who@elsewhere.test"
	sign := func(kind store.SignKind, what string) string {
		return fmt.Sprintf("%s olga@romashka.test %s", kind, what)
	}
	for _, c := range []struct {
		name    string
		signs   []string
		bounced bool
		letters func(h *house) []store.FiledLetter
	}{
		{"for good", []string{sign("bounced", gone.Reason)}, true, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", gone)}
		}},
		{"mailbox full", []string{sign("bounced", full.Reason)}, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", full)}
		}},
		{"late", []string{sign("delayed", "4.4.1 "+late.Reason)}, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", late)}
		}},
		{"late, then for good", []string{sign("bounced", gone.Reason)}, true, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", late), returned(3, "k", gone)}
		}},
		{"heard of since", []string{sign("bounced", gone.Reason)}, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", gone), h.heard(3)}
		}},
		{"heard of before", []string{sign("bounced", gone.Reason)}, true, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.heard(1), h.sent(2, "k"), returned(3, "k", gone)}
		}},
		{"somebody else's address", []string{"bounced who@elsewhere.test " + gone.Reason}, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "k", stranger)}
		}},
		{"a report of a letter in is forged", nil, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.letter(1, "k"), returned(2, "k", gone)}
		}},
		{"of a letter that nobody has", nil, false, func(h *house) []store.FiledLetter {
			return []store.FiledLetter{h.sent(1, "k"), returned(2, "other", gone)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Newest first and oldest first end the same.
			for _, backwards := range []bool{false, true} {
				each(t, func(h *house) {
					letters := c.letters(h)
					if backwards {
						slices.Reverse(letters)
						h.batch(h.folder("anna", "anna", 1), letters...)
					} else {
						h.file(h.folder("anna", "anna", 1), letters...)
					}
					h.batch(h.folder("again", "anna", 1), letters...)
					e := h.exported()[fmt.Sprint("k", h.clients["c1"])]
					var got []string
					for _, s := range e.Signs {
						got = append(got, fmt.Sprint(s.Kind, " ", s.Who, " ", s.What))
					}
					if !slices.Equal(got, c.signs) {
						h.t.Errorf("backwards %v: %q", backwards, got)
					}
					if p := h.olga(); (len(p.Bounced) > 0) != c.bounced || c.bounced && p.Bounced[0] != "olga@romashka.test" {
						h.t.Errorf("backwards %v: bounced %v", backwards, p.Bounced)
					}
				})
			}
		})
	}
}

// An import of the same person with one more address keeps the mark.
func TestBounce_Import(t *testing.T) {
	each(t, func(h *house) {
		gone := store.Undelivered{Address: "olga@romashka.test", Status: "5.1.1", Failed: true}
		h.file(h.folder("anna", "anna", 1), h.sent(1, "k"), returned(2, "k", gone))
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Ольга", Emails: []string{"new@romashka.test", "olga@romashka.test"}}))
		})
		p := h.olga()
		if !slices.Equal(p.Emails, []string{"new@romashka.test", "olga@romashka.test"}) || !slices.Equal(p.Bounced, []string{"olga@romashka.test"}) {
			h.t.Errorf("%+v", p)
		}
		h.must(h.EachPerson(ctx, func(r *store.PersonRow) error {
			if !slices.Equal(r.Bounced, p.Bounced) {
				h.t.Errorf("exported %+v", r)
			}
			return nil
		}))
	})
}

func TestUndelivered_Dead(t *testing.T) {
	for status, want := range map[string]bool{"5.1.1": true, "5.0.0": true, "5.2.1": true, "5.4.1": true, "": true,
		"5.2.2": false, "5.2.3": false, "5.3.4": false, "5.6.1": false, "5.7.1": false, "4.4.1": false, "2.0.0": false} {
		if got := (store.Undelivered{Status: status, Failed: true}).Dead(); got != want {
			t.Errorf("%q: %v", status, got)
		}
		if (store.Undelivered{Status: status}).Dead() {
			t.Errorf("%q: dead while it is still being tried", status)
		}
	}
}

func TestAway(t *testing.T) {
	each(t, func(h *house) {
		reply := func(n uint32, from string, until store.Date) store.FiledLetter {
			return store.FiledLetter{UID: n, Key: fmt.Sprint("away", n), Date: monday().Add(time.Duration(n) * time.Minute), Outcome: store.Skipped, Reason: store.Automatic,
				FromAddress: from, Away: until}
		}
		f := h.folder("anna", "anna", 1)
		h.file(f, reply(5, "olga@romashka.test", "2026-12-15"), reply(4, "olga@romashka.test", "2026-11-30"), reply(6, "who@elsewhere.test", "2026-12-31"), reply(7, "olga@gmail.com", "nonsense"))
		if p := h.olga(); p.Away != "2026-12-15" {
			h.t.Errorf("%+v", p)
		}
		h.file(f, reply(8, "olga@gmail.com", "2026-12-01"))
		if p := h.olga(); p.Away != "2026-12-01" {
			h.t.Errorf("a later one: %+v", p)
		}
	})
}
