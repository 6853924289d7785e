package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// follower is an address-book program: it learns a book by its log only.
type follower struct {
	h        *house
	of       store.Manager
	book     string
	change   int64
	cards    map[string]string // name → tag
	rendered int               // in the last sync
}

func (h *house) follow(of store.Manager, book string) *follower {
	return &follower{h: h, of: of, book: book, change: store.FromStart, cards: map[string]string{}}
}

// cardTag is all that a card can show.
func cardTag(c *store.Card) string {
	return fmt.Sprintf("%+q", []any{c.ID, c.Version, c.Name, c.Position, c.Emails, c.Phones, c.Birthday, c.UID, string(c.Overlay),
		c.Client.Name, c.Client.Importance, c.Client.ABC, c.Client.XYZ, c.Client.Stage, c.Balance, c.Last, c.Next})
}

// sync gives the names of what changed, sorted, "-" before what has gone.
func (f *follower) sync() (said []string) {
	f.h.t.Helper()
	f.rendered = 0
	b, err := f.h.Book(ctx, f.of, f.book, func(c *store.Card) string { f.rendered++; return cardTag(c) })
	f.h.must(err)
	f.h.must(f.h.BookChanges(ctx, b.ID, f.change, func(c store.BookChange) error {
		if c.ETag == "" {
			delete(f.cards, c.File)
			said = append(said, "-"+c.File)
		} else {
			f.cards[c.File] = c.ETag
			said = append(said, c.File)
		}
		return nil
	}))
	f.change = b.Change
	slices.Sort(said)
	now := map[string]string{}
	f.h.must(f.h.Cards(ctx, f.of, f.book, func(c *store.Card) error {
		now[c.File] = cardTag(c)
		return nil
	}))
	if !maps.Equal(now, f.cards) {
		f.h.t.Fatalf("%s of %s: the program has %v, there is %v", f.book, f.of.Login, f.cards, now)
	}
	return said
}

// TestBook_TellsEveryChange changes one by one what a card shows.
func TestBook_TellsEveryChange(t *testing.T) {
	each(t, func(h *house) {
		own, all, ivans := h.follow(h.anna, store.OwnBook), h.follow(h.boris, store.AllBook), h.follow(h.ivan, store.OwnBook)
		for _, f := range []*follower{own, all, ivans} {
			f.sync()
		}
		actor := store.Actor{ManagerID: h.anna.ID}
		client := func(row store.ClientRow) func() {
			row.ID, row.Name = "c1", "ООО «Ромашка»"
			return func() { h.imports(func(im *store.Import) { h.row(im.Client(row)) }) }
		}
		person := func(row store.PersonRow) func() {
			row.ID, row.Client, row.Name = "p1", "c1", "Ольга"
			return func() { h.imports(func(im *store.Import) { h.row(im.Person(row)) }) }
		}
		document := func(client string, amount int64) func() {
			row := store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Number: "1", Date: "2026-11-02", Client: client, Amount: store.Money{Minor: amount, Currency: "RUB"}}
			return func() { h.imports(func(im *store.Import) { h.row(im.Document(row)) }) }
		}
		var contact store.Contact
		edit := func(e store.ContactEdit) func() {
			return func() {
				h.t.Helper()
				_, err := h.EditContact(ctx, actor, contact.ID, 0, e)
				h.must(err)
			}
		}
		moved := store.Span{Start: monday().Add(72 * time.Hour), End: monday().Add(73 * time.Hour)}
		done, planned, cancelled := store.Done, store.Planned, store.Cancelled
		c1, c2 := h.clients["c1"], h.clients["c2"]
		files := h.folder("anna", "anna", 7)
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "Jane"}))
		})
		own.sync()
		all.sync()
		janes := ivans.sync()
		if len(janes) != 1 {
			h.t.Fatalf("a new person: %v", janes)
		}
		photo := func(manager store.Manager, book, bytes string) func() {
			return func() {
				h.t.Helper()
				var at store.Card
				h.must(h.Cards(ctx, manager, book, func(c *store.Card) error {
					if c.ClientID == c1 {
						at = *c
					}
					return nil
				}))
				_, _, err := h.PutCard(ctx, manager, book, at.File, func(*store.Card) error { return nil }, cardTag, &store.CardWrite{
					UID: at.UID, Name: at.Name, Position: at.Position, Emails: at.Emails, Phones: at.Phones, Birthday: at.Birthday, Bytes: []byte(bytes)})
				h.must(err)
			}
		}
		const both, ownOnly, allOnly = "anna boris", "anna", "boris"
		for _, step := range []struct {
			name string
			do   func()
			told string // whose programs
		}{
			{"position", person(store.PersonRow{Position: "Director"}), both},
			{"phone", person(store.PersonRow{Phones: []string{"+7 1"}}), both},
			{"address", person(store.PersonRow{Emails: []string{"o@romashka.test"}}), both},
			{"address back", person(store.PersonRow{Emails: []string{"olga@romashka.test"}}), both},
			{"birthday", person(store.PersonRow{Birthday: "1980-05-01"}), both},
			{"stage", client(store.ClientRow{Stage: "regular"}), both},
			{"importance", client(store.ClientRow{Importance: "low"}), both},
			{"client's attributes, on no card", client(store.ClientRow{Attributes: map[string]string{"a": "b"}}), ""},
			{"balance", document("c1", 100), both},
			{"balance grows", document("c1", 200), both},
			{"balance goes to another", document("c2", 200), "anna boris ivan"},
			{"balance comes back", document("c1", 200), "anna boris ivan"},
			{"planned", func() {
				var err error
				contact, err = h.PlanContact(ctx, actor, store.ContactDraft{ClientID: c1, Subject: "Call", When: store.Span{Start: monday(), End: monday()}})
				h.must(err)
			}, both},
			{"moved", edit(store.ContactEdit{When: &moved}), both},
			{"to another client", edit(store.ContactEdit{ClientID: &c2}), "anna boris ivan"},
			{"back", edit(store.ContactEdit{ClientID: &c1}), "anna boris ivan"},
			{"a series has no next contact", edit(store.ContactEdit{Recurrence: new("RRULE:FREQ=WEEKLY")}), both},
			{"no series", edit(store.ContactEdit{Recurrence: new("")}), both},
			{"done", edit(store.ContactEdit{State: &done}), both},
			{"not done", edit(store.ContactEdit{State: &planned}), both},
			{"cancelled", edit(store.ContactEdit{State: &cancelled}), both},
			{"letter", func() { h.file(files, h.letter(1, "k1")) }, both},
			{"private", func() {
				h.must(h.SetPrivate(ctx, actor, h.exported()[fmt.Sprint("k1", c1)].ID, true))
			}, both},
			{"a letter of the same day, private too", func() { h.file(files, h.letter(2, "k2", "k1")) }, ""},
			{"open", func() {
				h.must(h.SetPrivate(ctx, actor, h.exported()[fmt.Sprint("k1", c1)].ID, false))
			}, both},
			{"photo of one manager's", photo(h.anna, store.OwnBook, "photo"), ownOnly},
			{"photo of a head's", photo(h.boris, store.AllBook, "photo 2"), allOnly},
			{"nothing", client(store.ClientRow{}), ""},
			{"client's manager", client(store.ClientRow{Manager: "ivan"}), "anna ivan"},
			{"manager back", client(store.ClientRow{Manager: "anna"}), "anna ivan"},
			{"time zone", func() {
				_, _, err := h.SaveManager(ctx, store.Actor{}, store.ManagerRow{ID: "m1", Login: "anna", Name: "Анна", TimeZone: "Pacific/Honolulu"})
				h.must(err)
				own.of, err = h.ManagerByLogin(ctx, "anna")
				h.must(err)
			}, ownOnly},
		} {
			h.clock.t = h.clock.t.Add(time.Second)
			step.do()
			told := ""
			for _, f := range []*follower{own, all, ivans} {
				if said := f.sync(); said != nil {
					told += " " + f.of.Login
				}
				if again := f.sync(); again != nil {
					h.t.Errorf("%s: %s is told twice: %v", step.name, f.of.Login, again)
				}
			}
			if told != "" {
				told = told[1:]
			}
			if told != step.told {
				h.t.Errorf("%s: told %q, want %q", step.name, told, step.told)
			}
		}
	})
}

// TestBook_RendersFew changes one client of many.
func TestBook_RendersFew(t *testing.T) {
	each(t, func(h *house) {
		const many = 200
		name := func(i int) string { return fmt.Sprintf("x%d", i) }
		h.imports(func(im *store.Import) {
			for i := range many {
				h.row(im.Client(store.ClientRow{ID: name(i), Name: "Client " + name(i), Manager: "anna"}))
				h.row(im.Person(store.PersonRow{ID: name(i), Client: name(i), Name: "Person"}))
			}
		})
		f := h.follow(h.anna, store.OwnBook)
		if f.sync(); f.rendered < many {
			h.t.Fatalf("%d cards rendered at first", f.rendered)
		}
		h.imports(func(im *store.Import) { h.row(im.Client(store.ClientRow{ID: "x7", Stage: "lost", Name: "Client x7"})) })
		if said := f.sync(); len(said) != 1 || f.rendered != 2 { // to look, and to write down
			h.t.Errorf("after one change %v, %d cards rendered", said, f.rendered)
		}
		h.imports(func(im *store.Import) { h.row(im.Client(store.ClientRow{ID: "y", Name: "Elsewhere", Manager: "ivan"})) })
		if said := f.sync(); said != nil || f.rendered != 0 {
			h.t.Errorf("after a change elsewhere %v, %d cards rendered", said, f.rendered)
		}
		// What changes on no card is not compared for ever.
		h.imports(func(im *store.Import) {
			for i := range many {
				h.row(im.Client(store.ClientRow{ID: name(i), Name: "Client " + name(i), Attributes: map[string]string{"a": "b"}}))
			}
		})
		f.sync()
		if f.sync(); f.rendered != 0 {
			h.t.Errorf("%d cards are rendered again and again", f.rendered)
		}
	})
}

// TestBook_Forgets drops the tombstones of cards when it drops those of
// entries.
func TestBook_Forgets(t *testing.T) {
	each(t, func(h *house) {
		f := h.follow(h.anna, store.OwnBook)
		f.sync()
		allow := func(*store.Card) error { return nil }
		_, _, err := h.PutCard(ctx, h.anna, store.OwnBook, "own.vcf", allow, cardTag, &store.CardWrite{UID: "own", Name: "Plumber", Bytes: []byte("1")})
		h.must(err)
		f.sync()
		before := f.change
		h.must(h.DeleteCard(ctx, h.anna, store.OwnBook, "own.vcf", allow))
		f.sync()
		turn := func() error {
			_, err := h.TurnStatuses(ctx)
			h.must(err)
			b, err := h.Book(ctx, h.anna, store.OwnBook, cardTag)
			h.must(err)
			return h.BookChanges(ctx, b.ID, before, func(store.BookChange) error { return nil })
		}
		h.clock.t = h.clock.t.AddDate(0, 0, 59)
		if err := turn(); err != nil {
			h.t.Errorf("after 59 days: %v", err)
		}
		h.clock.t = h.clock.t.AddDate(0, 0, 2)
		if err := turn(); !errors.Is(err, store.ErrStale) {
			h.t.Errorf("after 61 days: %v", err)
		}
		f.sync() // whose token is younger
		if again := h.follow(h.anna, store.OwnBook); len(again.sync()) == 0 {
			h.t.Error("the book is empty to a new program")
		}
	})
}

// TestBook_OfHead: a head's two books, and who has which.
func TestBook_OfHead(t *testing.T) {
	each(t, func(h *house) {
		all, own := h.follow(h.boris, store.AllBook), h.follow(h.boris, store.OwnBook)
		if a, o := all.sync(), own.sync(); len(a) == 0 || o != nil {
			h.t.Errorf("all %v, own %v", a, o)
		}
		allow := func(*store.Card) error { return nil }
		put := func(book, file string, w store.CardWrite) error {
			w.UID, w.Bytes = file, []byte(file)
			_, _, err := h.PutCard(ctx, h.boris, book, file, allow, cardTag, &w)
			return err
		}
		if err := put(store.AllBook, "nobody.vcf", store.CardWrite{Name: "Plumber"}); !errors.Is(err, store.ErrForbidden) {
			h.t.Errorf("an own card among everybody's: %v", err)
		}
		h.must(put(store.AllBook, "new.vcf", store.CardWrite{Name: "New", Company: "Northland Energy GmbH"}))
		h.must(put(store.OwnBook, "own.vcf", store.CardWrite{Name: "Plumber"}))
		if a, o := all.sync(), own.sync(); !slices.Equal(a, []string{"new.vcf"}) || !slices.Equal(o, []string{"own.vcf"}) {
			h.t.Errorf("after one card in each: %v, %v", a, o)
		}
		for book, file := range map[string]string{store.AllBook: "own.vcf", store.OwnBook: "new.vcf"} {
			if _, err := h.Card(ctx, h.boris, book, file); !errors.Is(err, store.ErrNotFound) {
				h.t.Errorf("%s in %s: %v", file, book, err)
			}
			if err := put(book, file, store.CardWrite{Name: "X", Company: "ООО «Ромашка»"}); !errors.Is(err, store.ErrForbidden) {
				h.t.Errorf("%s put in %s: %v", file, book, err)
			}
			if err := h.DeleteCard(ctx, h.boris, book, file, func(c *store.Card) error {
				if c == nil {
					return store.ErrNotFound
				}
				return nil
			}); !errors.Is(err, store.ErrNotFound) {
				h.t.Errorf("%s deleted in %s: %v", file, book, err)
			}
		}
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy GmbH", Manager: "boris"}))
		})
		if a, o := all.sync(), own.sync(); a != nil || !slices.Equal(o, []string{"new.vcf"}) {
			h.t.Errorf("the client has come: %v, %v", a, o)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy GmbH", Manager: "ivan"}))
		})
		if a, o := all.sync(), own.sync(); a != nil || !slices.Equal(o, []string{"-new.vcf"}) {
			h.t.Errorf("the client has gone: %v, %v", a, o)
		}
		if _, err := h.Book(ctx, h.anna, store.AllBook, cardTag); !errors.Is(err, store.ErrNotFound) {
			h.t.Errorf("who is no head has everybody's: %v", err)
		}
	})
}

// TestBook_MissesNothing: a book is asked for while others write, and in the
// end has all that they wrote.
func TestBook_MissesNothing(t *testing.T) {
	each(t, func(h *house) {
		const writers, writes = 3, 25
		h.imports(func(im *store.Import) {
			for i := range writers {
				name := fmt.Sprint("w", i)
				h.row(im.Client(store.ClientRow{ID: name, Name: name, Manager: "anna"}))
				h.row(im.Person(store.PersonRow{ID: name, Client: name, Name: name}))
			}
		})
		f := h.follow(h.boris, store.AllBook)
		f.sync()
		var writing sync.WaitGroup
		failed := make(chan error, writers)
		for i := range writers {
			writing.Go(func() {
				for n := range writes {
					if err := h.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
						_, err := im.Person(store.PersonRow{ID: fmt.Sprint("w", i), Client: fmt.Sprint("w", i), Name: fmt.Sprint("Name ", n)})
						return err
					}); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		ended := make(chan struct{})
		go func() { writing.Wait(); close(ended) }()
		for polling := true; polling; {
			select {
			case <-ended:
				polling = false
			default:
			}
			if _, err := h.Book(ctx, h.boris, store.AllBook, cardTag); err != nil {
				h.t.Fatal(err)
			}
		}
		select {
		case err := <-failed:
			h.t.Fatal(err)
		default:
		}
		f.sync() // and compare with what is there
	})
}
