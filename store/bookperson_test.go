package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"intouch/store"
)

// book takes entries and gives what became of them.
func (h *house) book(opt store.BookOptions, entries ...store.BookPerson) (out []store.RowChange) {
	h.t.Helper()
	if opt.Book == "" {
		opt.Book = "vcard"
	}
	h.imports(func(im *store.Import) {
		for _, e := range entries {
			c, err := im.BookPerson(opt, e)
			h.must(err)
			out = append(out, c)
		}
	})
	return out
}

// personsOf are the persons of a client, as a boss sees them.
func (h *house) personsOf(client string) []store.Person {
	h.t.Helper()
	card, err := h.Client(ctx, h.boris, h.clients[client])
	h.must(err)
	return card.Persons
}

func (h *house) same(what string, got, want any) {
	h.t.Helper()
	if g, w := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); g != w {
		h.t.Fatalf("%s: got %s, want %s", what, g, w)
	}
}

func TestImport_BookPerson(t *testing.T) {
	t.Run("whose person it is", func(t *testing.T) {
		each(t, func(h *house) {
			entries := []store.BookPerson{
				{Key: "domain", Name: "Пётр Иванов", Emails: []string{"Petr@Romashka.test"}},
				{Key: "company", Name: "Hans Muster", Company: `"Northland Energy"`, Emails: []string{"hans@gmail.com"}},
				{Key: "nobody", Name: "Сантехник", Phones: []store.BookPhone{{Number: "+7 900 000-00-01", Type: "cell"}}},
				{Key: "two", Name: "Посредник", Emails: []string{"olga@romashka.test", "info@northland.test"}},
				{Key: "ours", Name: "Анна", Emails: []string{"anna@vector.test"}},
			}
			h.same("first", h.book(store.BookOptions{}, entries...), []store.RowChange{store.RowNew, store.RowNew, store.RowOffered, store.RowOffered, store.RowOurs})
			h.same("again", h.book(store.BookOptions{}, entries...), []store.RowChange{store.RowUnchanged, store.RowUnchanged, store.RowUnchanged, store.RowUnchanged, store.RowOurs})
			names := []string{}
			for _, p := range append(h.personsOf("c1"), h.personsOf("c2")...) {
				names = append(names, p.Name)
			}
			h.same("persons", names, []string{"Ольга", "Пётр Иванов", "Hans Muster"})
		})
	})
	t.Run("make clients", func(t *testing.T) {
		each(t, func(h *house) {
			opt := store.BookOptions{MakeClients: true, ManagerID: h.anna.ID}
			h.same("taken", h.book(opt,
				store.BookPerson{Name: "Олег", Company: "ООО Лютик", Emails: []string{"oleg@lutik.test"}},
				store.BookPerson{Name: "Яна", Emails: []string{"yana@lutik.test"}},
				store.BookPerson{Name: "Мама"},
			), []store.RowChange{store.RowNew, store.RowNew, store.RowOffered})
			list, err := h.Clients(ctx, h.anna, "лютик", 5)
			h.must(err)
			if len(list) != 1 || list[0].ManagerID != h.anna.ID || !slices.Equal(list[0].Domains, []string{"lutik.test"}) {
				h.t.Fatalf("clients: %+v", list)
			}
		})
	})
	t.Run("a typed value stays", func(t *testing.T) {
		each(t, func(h *house) {
			entry := store.BookPerson{Key: "k", Name: "Пётр Иванов", Position: "Менеджер", Emails: []string{"petr@romashka.test"}, Phones: []store.BookPhone{{Number: "8 916 000-00-01"}, {Number: "+7 916 000-00-02"}}}
			h.book(store.BookOptions{}, entry)
			card := h.personsOf("c1")[1]
			h.imports(func(im *store.Import) { // as by hand: another position, a phone less, one more
				h.row(im.Person(store.PersonRow{Client: "c1", Name: "Пётр Иванов", Position: "Директор", Emails: card.Emails, Phones: []string{"8 916 000-00-01", "+7 916 000-00-03"}}))
			})
			h.same("again", h.book(store.BookOptions{}, entry), []store.RowChange{store.RowUnchanged})
			entry.Name, entry.Position, entry.Birthday = "Пётр Петрович Иванов", "Старший менеджер", "1980-05-01"
			entry.Phones = []store.BookPhone{{Number: "+79160000002"}, {Number: "+7 916 000-00-04"}} // the first has gone
			h.same("changed", h.book(store.BookOptions{}, entry), []store.RowChange{store.RowChanged})
			p := h.personsOf("c1")[1]
			h.same("name", p.Name, "Пётр Петрович Иванов")
			h.same("position", p.Position, "Директор")
			h.same("birthday", p.Birthday, "1980-05-01")
			h.same("phones", p.Phones, []string{"+7 916 000-00-03", "+7 916 000-00-04"})
		})
	})
	t.Run("doubles", func(t *testing.T) {
		each(t, func(h *house) {
			f := h.follow(h.anna, store.OwnBook)
			f.sync()
			h.same("olga", h.book(store.BookOptions{},
				store.BookPerson{Key: "1", Name: "Ольга Петрова", Position: "Закупки", Emails: []string{"olga@gmail.com", "o.petrova@romashka.test"}}), []store.RowChange{store.RowChanged})
			p := h.personsOf("c1")[0]
			h.same("name", p.Name, "Ольга") // somebody typed it
			h.same("position", p.Position, "Закупки")
			h.same("emails", p.Emails, []string{"olga@romashka.test", "olga@gmail.com", "o.petrova@romashka.test"})
			h.same("card", f.sync(), []string{"person-1.vcf"})
			rows, err := h.History(ctx, "person", p.ID, 10)
			h.must(err)
			if rows[0].Verb != "merged" || rows[0].Changes["entry"][1] != "vcard: Ольга Петрова" {
				h.t.Fatalf("history: %+v", rows)
			}
			h.same("others", h.book(store.BookOptions{},
				store.BookPerson{Key: "2", Name: "Игорь", Emails: []string{"olga@romashka.test"}},                                                // her address under another name
				store.BookPerson{Key: "3", Name: "Олег Кузнецов", Emails: []string{"oleg@romashka.test", "info@romashka.test"}},                  //
				store.BookPerson{Key: "4", Name: "Пётр Кузнецов", Emails: []string{"petr@romashka.test", "info@romashka.test"}},                  // shares a role's
				store.BookPerson{Key: "5", Name: "Кузнецов О.", Emails: []string{"kuz@romashka.test"}, Phones: []store.BookPhone{{Number: "1"}}}, // an initial
				store.BookPerson{Key: "6", Name: "Oleg Kuznetsov", Emails: []string{"ok@romashka.test"}},                                         // one name, other addresses
			), []store.RowChange{store.RowOffered, store.RowNew, store.RowNew, store.RowOffered, store.RowOffered})
		})
	})
}

func TestStore_Offers(t *testing.T) {
	each(t, func(h *house) {
		by := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		unknown := store.BookPerson{Key: "u", Name: "Лидия Лютикова", Company: "Лютик", Emails: []string{"lidia@lutik.test"}}
		double := store.BookPerson{Key: "d", Name: "Игорь", Position: "Склад", Emails: []string{"olga@romashka.test", "igor@romashka.test"}}
		nobody := store.BookPerson{Key: "n", Name: "Мама"}
		h.book(store.BookOptions{ManagerID: h.ivan.ID}, unknown, nobody)
		h.book(store.BookOptions{}, double)
		offers := func(m store.Manager) []store.Offer {
			h.t.Helper()
			out, err := h.Offers(ctx, m, 0, 10)
			h.must(err)
			return out
		}
		why := func(m store.Manager) (out []string) {
			for _, o := range offers(m) {
				out = append(out, string(o.Why)+" "+o.Person.Name+"/"+o.Client.Name+"/"+o.Double.Name)
			}
			return out
		}
		h.same("ivan's book", why(h.ivan), []string{"unknown-client Лидия Лютикова//", "unknown-client Мама//"})
		h.same("anna's client", why(h.anna), []string{"double Игорь/ООО «Ромашка»/Ольга"})
		h.same("all", len(offers(h.boris)), 3)
		lidia, mama, igor := offers(h.boris)[0].ID, offers(h.boris)[1].ID, offers(h.boris)[2].ID

		if _, err := h.AcceptOffer(ctx, h.anna, by, lidia, store.Acceptance{ClientID: h.clients["c1"]}); !errors.Is(err, store.ErrNotFound) {
			h.t.Fatalf("another's offer: %v", err)
		}
		var invalid *store.Invalid
		if _, err := h.AcceptOffer(ctx, h.boris, by, lidia, store.Acceptance{}); !errors.As(err, &invalid) || invalid.Field != "client" {
			h.t.Fatalf("without a client: %v", err)
		}
		if _, err := h.AcceptOffer(ctx, h.ivan, by, lidia, store.Acceptance{ClientID: h.clients["c1"]}); !errors.Is(err, store.ErrNotFound) {
			h.t.Fatalf("a client that ivan does not see: %v", err)
		}
		p, err := h.AcceptOffer(ctx, h.boris, by, lidia, store.Acceptance{NewClient: "ООО «Лютик»"})
		h.must(err)
		c, err := h.Client(ctx, h.anna, p.ClientID)
		h.must(err)
		h.same("client", c.Client.Name+" "+c.Client.Domains[0]+" "+c.Persons[0].Name, "ООО «Лютик» lutik.test Лидия Лютикова")
		h.must(h.RefuseOffer(ctx, h.ivan, mama))
		if err := h.RefuseOffer(ctx, h.ivan, mama); !errors.Is(err, store.ErrNotFound) {
			h.t.Fatalf("refused twice: %v", err)
		}
		_, err = h.AcceptOffer(ctx, h.anna, by, igor, store.Acceptance{Into: h.personsOf("c1")[0].ID})
		h.must(err)
		h.same("olga", h.personsOf("c1")[0].Name+h.personsOf("c1")[0].Position, "ОльгаСклад")
		h.same("again", h.book(store.BookOptions{}, unknown, double, nobody), []store.RowChange{store.RowUnchanged, store.RowUnchanged, store.RowUnchanged})
		h.same("left", len(offers(h.boris)), 0)

		merged, err := h.MergedPersons(ctx, h.anna, 10)
		h.must(err)
		h.same("trace", fmt.Sprint(len(merged), merged[0].Book, merged[0].Said.Name, merged[0].Into.Name, merged[0].By), "1vcardИгорьОльгаАнна")
		if err := h.UnmergePerson(ctx, h.ivan, by, merged[0].ID); !errors.Is(err, store.ErrNotFound) {
			h.t.Fatalf("another's client: %v", err)
		}
		h.must(h.UnmergePerson(ctx, h.anna, by, merged[0].ID))
		h.same("olga", fmt.Sprint(h.personsOf("c1")[0]), fmt.Sprint(store.Person{ID: 1, ExternalID: "p1", ClientID: h.clients["c1"], Name: "Ольга", Emails: []string{"olga@romashka.test", "olga@gmail.com"}, Version: 3}))
		h.same("again", h.book(store.BookOptions{}, double), []store.RowChange{store.RowUnchanged})
		h.same("why", why(h.anna), []string{"undone Игорь/ООО «Ромашка»/Ольга"})
	})
}

func TestStore_MergePersons(t *testing.T) {
	each(t, func(h *house) {
		by := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		rows := func() (out []store.RowChange) {
			h.imports(func(im *store.Import) {
				for _, row := range []store.PersonRow{
					{ID: "p2", Client: "c1", Name: "Ольга Сергеевна", Position: "Закупки", Emails: []string{"olga@romashka.test"}, Phones: []string{"+7 495 000-00-01"}},
					{ID: "p3", Client: "c1", Name: "Ольга", Emails: []string{"olga2@romashka.test"}},
					{ID: "p4", Client: "c2", Name: "Ольга", Emails: []string{"olga@gmail.com"}},
				} {
					c, err := im.Person(row)
					h.must(err)
					out = append(out, c)
				}
			})
			return out
		}
		rows()
		plan, err := h.PlanContact(ctx, by, store.ContactDraft{Kind: store.Call, ClientID: h.clients["c1"], Persons: []int64{2}, Subject: "Звонок", When: store.Span{Start: monday(), End: monday()}})
		h.must(err)
		doubles, err := h.Doubles(ctx, h.anna, 10)
		h.must(err)
		var pairs []string
		for _, d := range doubles {
			pairs = append(pairs, fmt.Sprint(d.One.ID, d.Other.ID, d.Certain))
		}
		h.same("doubles", pairs, []string{"1 2 true"})
		if none, err := h.Doubles(ctx, h.ivan, 10); err != nil || len(none) > 0 {
			h.t.Fatal(none, err)
		}
		var invalid *store.Invalid
		if err := h.MergePersons(ctx, h.boris, by, 1, 4); !errors.As(err, &invalid) {
			h.t.Fatalf("of two clients: %v", err)
		}
		if err := h.MergePersons(ctx, h.ivan, by, 1, 2); !errors.Is(err, store.ErrNotFound) {
			h.t.Fatalf("another's client: %v", err)
		}
		// A program has a card of the one that goes.
		allow := func(*store.Card) error { return nil }
		_, _, err = h.PutCard(ctx, h.anna, store.OwnBook, "person-2.vcf", allow, cardTag, &store.CardWrite{UID: "person-2@intouch", Name: "Ольга Сергеевна", Position: "Закупки",
			Emails: []string{"olga@romashka.test"}, Phones: []string{"+7 495 000-00-01"}, Bytes: []byte("photo")})
		h.must(err)
		f := h.follow(h.anna, store.OwnBook)
		f.sync()
		state := func() string {
			persons := h.personsOf("c1")
			for i := range persons {
				persons[i].Version = 0
			}
			card, err := h.Card(ctx, h.anna, store.OwnBook, "person-2.vcf")
			h.must(err)
			return fmt.Sprint(persons, slices.Sorted(maps.Keys(f.cards)), card.UID, string(card.Overlay))
		}
		before := state()

		h.must(h.MergePersons(ctx, h.anna, by, 1, 2))
		persons := h.personsOf("c1")
		h.same("persons", len(persons), 2)
		h.same("olga", []any{persons[0].Name, persons[0].Position, persons[0].Emails, persons[0].Phones}, []any{"Ольга", "Закупки", []string{"olga@romashka.test", "olga@gmail.com"}, []string{"+7 495 000-00-01"}})
		h.same("cards", f.sync(), []string{"-person-2.vcf", "person-1.vcf"})
		view, err := h.Contact(ctx, h.anna, plan.ID)
		h.must(err)
		h.same("the contact's person", view.Persons[0].ID, int64(1))
		h.same("import again", rows(), []store.RowChange{store.RowUnchanged, store.RowUnchanged, store.RowUnchanged})
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p2", Client: "c1", Name: "Ольга Сергеевна", Position: "Директор", Emails: []string{"olga@romashka.test", "os@romashka.test"}}))
		})
		h.same("what its import says now", h.personsOf("c1")[0].Position+h.personsOf("c1")[0].Emails[2], "Директорos@romashka.test")
		rows()

		merged, err := h.MergedPersons(ctx, h.anna, 10)
		h.must(err)
		h.same("trace", merged[0].Book+merged[0].Said.Name, "personsОльга Сергеевна")
		h.must(h.UnmergePerson(ctx, h.anna, by, merged[0].ID))
		f.sync()
		if after := state(); before != after {
			h.t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		view, err = h.Contact(ctx, h.anna, plan.ID)
		h.must(err)
		h.same("the contact's person", view.Persons[0].ID, int64(2))
		if doubles, err = h.Doubles(ctx, h.anna, 10); err != nil || len(doubles) > 0 {
			h.t.Fatalf("doubles after undoing: %v, %v", doubles, err)
		}
	})
}

// TestStore_UnmergePerson undoes merging that went on, in its order only.
func TestStore_UnmergePerson(t *testing.T) {
	each(t, func(h *house) {
		by := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		h.imports(func(im *store.Import) {
			for _, id := range []string{"p2", "p3"} {
				h.row(im.Person(store.PersonRow{ID: id, Client: "c1", Name: "Ольга " + id, Emails: []string{id + "@romashka.test"}}))
			}
		})
		before := fmt.Sprint(emailsOf(h.personsOf("c1")))
		h.must(h.MergePersons(ctx, h.anna, by, 2, 3))
		h.must(h.MergePersons(ctx, h.anna, by, 1, 2))
		h.same("one", emailsOf(h.personsOf("c1")), [][]string{{"olga@romashka.test", "olga@gmail.com", "p2@romashka.test", "p3@romashka.test"}})
		merged, err := h.MergedPersons(ctx, h.anna, 10)
		h.must(err)
		last, first := merged[0].ID, merged[1].ID
		var invalid *store.Invalid
		if err := h.UnmergePerson(ctx, h.anna, by, first); !errors.As(err, &invalid) {
			h.t.Fatalf("the first before the last: %v", err)
		}
		h.must(h.UnmergePerson(ctx, h.anna, by, last))
		h.must(h.UnmergePerson(ctx, h.anna, by, first))
		h.same("three", fmt.Sprint(emailsOf(h.personsOf("c1"))), before)
	})
}

func emailsOf(persons []store.Person) (out [][]string) {
	for _, p := range persons {
		out = append(out, p.Emails)
	}
	return out
}

// TestStore_AcceptOffer_Concurrent: a manager accepts what an import takes at
// the same moment, because its client has been entered. One person comes of it.
func TestStore_AcceptOffer_Concurrent(t *testing.T) {
	each(t, func(h *house) {
		by := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		for i := range 10 {
			domain := fmt.Sprintf("lutik%d.test", i)
			entry := store.BookPerson{Key: domain, Name: "Лидия", Emails: []string{"lidia@" + domain}}
			h.book(store.BookOptions{}, entry)
			offers, err := h.Offers(ctx, h.boris, 0, 1)
			h.must(err)
			h.imports(func(im *store.Import) {
				h.row(im.Client(store.ClientRow{ID: domain, Name: domain, Domains: []string{domain}}))
			})
			var both sync.WaitGroup
			var accepted, imported error
			both.Go(func() {
				_, accepted = h.AcceptOffer(ctx, h.boris, by, offers[0].ID, store.Acceptance{ClientKey: domain})
			})
			both.Go(func() {
				imported = h.Import(ctx, by, false, func(im *store.Import) error {
					_, err := im.BookPerson(store.BookOptions{Book: "vcard"}, entry)
					return err
				})
			})
			both.Wait()
			h.must(imported)
			if accepted != nil && !errors.Is(accepted, store.ErrNotFound) { // the import was faster
				h.t.Fatal(accepted)
			}
			list, err := h.Clients(ctx, h.boris, domain, 1)
			h.must(err)
			card, err := h.Client(ctx, h.boris, list[0].ID)
			h.must(err)
			h.same("persons", len(card.Persons), 1)
		}
	})
}
