package store_test

import (
	"errors"
	"slices"
	"testing"

	"intouch/store"
)

// TestBook puts cards on both engines: what they say of their client, whose
// they become, and the book's log.
func TestBook(t *testing.T) {
	each(t, func(h *house) {
		if _, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID}, store.ContactDraft{
			ClientID: h.clients["c1"], Subject: "Call", When: store.Span{Start: monday(), End: monday()},
		}); err != nil {
			h.t.Fatal(err)
		}
		all := func() (cards []store.Card) {
			if err := h.Cards(ctx, h.anna, store.OwnBook, func(c *store.Card) error {
				cards = append(cards, *c)
				return nil
			}); err != nil {
				h.t.Fatal(err)
			}
			return cards
		}
		at := slices.IndexFunc(all(), func(c store.Card) bool { return c.ClientID == h.clients["c1"] })
		if at < 0 {
			h.t.Fatalf("no person of c1 among %+v", all())
		}
		person := all()[at]
		if person.Client.Name == "" || person.Next != store.DateOf(monday(), h.anna.Location()) {
			h.t.Errorf("client %+v, next contact %q", person.Client, person.Next)
		}
		if one, err := h.Card(ctx, h.anna, store.OwnBook, person.File); err != nil || one.UID != person.UID || one.Next != person.Next {
			h.t.Errorf("alone: %+v, %v", one, err)
		}
		tag := func(c *store.Card) string { return c.Name + string(c.Overlay) }
		log := func(after int64) (now int64, names []string) {
			b, err := h.Book(ctx, h.anna, store.OwnBook, tag)
			if err != nil {
				h.t.Fatal(err)
			}
			if err := h.BookChanges(ctx, b.ID, after, func(c store.BookChange) error {
				name := c.File
				if c.ETag == "" {
					name = "-" + name
				}
				names = append(names, name)
				return nil
			}); err != nil {
				h.t.Fatal(err)
			}
			return b.Change, names
		}
		now, first := log(0)
		if len(first) != len(all()) {
			h.t.Errorf("the log begins with %v", first)
		}
		if again, none := log(now); again != now || none != nil {
			h.t.Errorf("nothing happened: %d after %d, %v", again, now, none)
		}
		allow := func(*store.Card) error { return nil }
		put := func(file string, w store.CardWrite) (store.Card, bool) {
			h.t.Helper()
			card, created, err := h.PutCard(ctx, h.anna, store.OwnBook, file, allow, tag, &w)
			if err != nil {
				h.t.Fatal(err)
			}
			return card, created
		}
		if card, created := put("own.vcf", store.CardWrite{UID: "own", Name: "Plumber", Bytes: []byte("1")}); !created || card.ID != 0 {
			h.t.Errorf("own card: %+v, %v", card, created)
		}
		if card, created := put("new.vcf", store.CardWrite{UID: "new", Name: "New", Company: person.Client.Name, Bytes: []byte("1")}); !created || card.ClientID != h.clients["c1"] || card.File != "new.vcf" {
			h.t.Errorf("person: %+v, %v", card, created)
		}
		if card, created := put(person.File, store.CardWrite{UID: person.UID, Name: person.Name, Phones: []string{"+7 1"}, Bytes: []byte("1")}); created || !slices.Equal(card.Phones, []string{"+7 1"}) {
			h.t.Errorf("changed: %+v, %v", card, created)
		}
		next, names := log(now)
		slices.Sort(names)
		want := []string{"new.vcf", "own.vcf", person.File}
		if slices.Sort(want); !slices.Equal(names, want) {
			h.t.Errorf("the log has %v, want %v", names, want)
		}
		if err := h.DeleteCard(ctx, h.anna, store.OwnBook, "new.vcf", allow); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("a person was deleted: %v", err)
		}
		if err := h.DeleteCard(ctx, h.anna, store.OwnBook, "own.vcf", allow); err != nil {
			h.t.Error(err)
		}
		if _, names := log(next); !slices.Equal(names, []string{"-own.vcf"}) {
			h.t.Errorf("after a deletion: %v", names)
		}
		var conflict *store.UIDConflict
		if _, _, err := h.PutCard(ctx, h.anna, store.OwnBook, "x.vcf", allow, tag, &store.CardWrite{UID: "new", Name: "X", Bytes: []byte("1")}); !errors.As(err, &conflict) || conflict.Name != "new.vcf" {
			h.t.Errorf("the UID of another card: %v", err)
		}
	})
}
