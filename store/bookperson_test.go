package store_test

import (
	"fmt"
	"slices"
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
				store.BookPerson{Key: "5", Name: "Кузнецов О.", Emails: []string{"kuz@romashka.test"}, Phones: []store.BookPhone{{Number: "1"}}}, //
				store.BookPerson{Key: "6", Name: "Oleg Kuznetsov", Emails: []string{"ok@romashka.test"}},                                         // one name, other addresses
			), []store.RowChange{store.RowOffered, store.RowNew, store.RowNew, store.RowNew, store.RowOffered})
		})
	})
}
