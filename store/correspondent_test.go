package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"intouch/store"
)

// captured files letters of one client with these parties, "address Name".
func (h *house) captured(f store.Folder, uid *uint32, client string, parties ...string) {
	h.t.Helper()
	*uid++
	l := h.letter(*uid, fmt.Sprintf("h%d@x", *uid))
	l.Clients, l.Addresses, l.Names = []int64{h.clients[client]}, []string{"anna@vector.test"}, map[string]string{}
	for _, p := range parties {
		address, name, _ := strings.Cut(p, " ")
		l.Addresses, l.Names[address] = append(l.Addresses, address), name
	}
	_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}, Read: store.Cursor{First: 1, Last: *uid}})
	h.must(err)
}

func (h *house) offersOf(client string) (out []string) {
	h.t.Helper()
	offers, err := h.ClientOffers(ctx, h.boris, h.clients[client])
	h.must(err)
	for _, o := range offers {
		out = append(out, fmt.Sprintf("%s <%s> %d %s", o.Person.Name, o.Person.Emails[0], o.Counted.Letters, o.Why))
	}
	return out
}

func (h *house) offerOf(client, address string) store.Offer {
	h.t.Helper()
	offers, err := h.ClientOffers(ctx, h.boris, h.clients[client])
	h.must(err)
	for _, o := range offers {
		if o.Person.Emails[0] == address {
			return o
		}
	}
	h.t.Fatalf("%s is not offered", address)
	return store.Offer{}
}

func TestCorrespondents(t *testing.T) {
	each(t, func(h *house) {
		f, uid := h.folder("anna", "anna", 7), uint32(0)
		h.captured(f, &uid, "c1", "petr@romashka.test Петр", "olga@romashka.test Ольга", "petr@gmail.com petr@gmail.com", "boris@vector.test Борис", "info@vector.test Info")
		h.captured(f, &uid, "c1", "petr@romashka.test \"Пётр Иванов\"", "no-reply@romashka.test Robot", "bounce-12=x@list.test X")
		h.captured(f, &uid, "c1", "petr@romashka.test Пётр Иванов", "info@northland.test Northland", "x@spam.test")
		h.same("offers", h.offersOf("c1"), []string{"Пётр Иванов <petr@romashka.test> 3 correspondent", "x@spam.test <x@spam.test> 1 correspondent", "petr@gmail.com <petr@gmail.com> 1 correspondent"})
		if o := h.offerOf("c1", "petr@romashka.test"); !o.Counted.Last.Equal(monday().Add(3*60e9)) || o.Client.ID != h.clients["c1"] || o.Book != store.MailBook {
			t.Errorf("offer %+v", o)
		}
		crowd := []string{}
		for i := range 21 {
			crowd = append(crowd, fmt.Sprintf("p%d@romashka.test P", i))
		}
		h.captured(f, &uid, "c1", crowd...)
		h.same("a circular is no acquaintance", len(h.offersOf("c1")), 3)

		// The letter again, in another mailbox, is one letter.
		l := h.letter(1, "h1@x")
		l.Addresses = append(l.Addresses, "petr@romashka.test")
		_, err := h.FileLetters(ctx, h.folder("ivan", "ivan", 7), store.Batch{Letters: []store.FiledLetter{l}, Read: store.Cursor{First: 1, Last: 1}})
		h.must(err)
		if o := h.offerOf("c1", "petr@romashka.test"); o.Counted.Letters != 3 {
			t.Errorf("in two mailboxes: %d letters", o.Counted.Letters)
		}
		// With two clients it is theirs whose domain it has, or nobody's.
		uid++
		both := h.letter(uid, "both@x")
		both.Clients, both.Addresses = []int64{h.clients["c2"], h.clients["c1"]}, []string{"anna@vector.test", "new@romashka.test", "who@else.test"}
		_, err = h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{both}, Read: store.Cursor{First: 1, Last: uid}})
		h.must(err)
		h.same("of several clients", len(h.offersOf("c2")), 0)

		// Somebody typed the person: it is offered no more, nor counted.
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p9", Client: "c1", Name: "Пётр", Emails: []string{"petr@romashka.test"}}))
		})
		h.captured(f, &uid, "c1", "petr@romashka.test Пётр Иванов")
		h.same("known meanwhile", h.offersOf("c1"), []string{"x@spam.test <x@spam.test> 1 correspondent", "petr@gmail.com <petr@gmail.com> 1 correspondent"})

		if err := h.RefuseOffer(ctx, h.ivan, h.offerOf("c1", "x@spam.test").ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another manager's client: %v", err)
		}
		h.must(h.RefuseOffer(ctx, h.anna, h.offerOf("c1", "x@spam.test").ID))
		h.captured(f, &uid, "c1", "x@spam.test Мистер Икс", "petr@gmail.com Пётр Второй")
		h.same("refused once", h.offersOf("c1"), []string{"Пётр Второй <petr@gmail.com> 2 correspondent"})

		n, err := h.DecideCorrespondents(ctx, h.anna, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, h.clients["c1"], true)
		h.must(err)
		h.same("all of a client", n, 1)
		h.same("then", len(h.offersOf("c1")), 0)
		names := []string{}
		for _, p := range h.personsOf("c1") {
			names = append(names, p.Name)
		}
		h.same("persons", names, []string{"Ольга", "Пётр", "Пётр Второй"})
		h.captured(f, &uid, "c1", "petr@gmail.com Кто-то", "again@romashka.test A", "more@romashka.test B")
		n, err = h.DecideCorrespondents(ctx, h.anna, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, h.clients["c1"], false)
		h.must(err)
		h.same("refused together", fmt.Sprint(n, len(h.offersOf("c1"))), "2 0")

		// A letter that turns out to be excluded takes with it who is in no other.
		h.captured(f, &uid, "c1", "secret@gmail.com Secret")
		h.same("before", h.offersOf("c1"), []string{"Secret <secret@gmail.com> 1 correspondent"})
		l = h.letter(uid, fmt.Sprintf("h%d@x", uid))
		l.Outcome, l.Reason, l.Excluded = store.Skipped, store.Blocked, true
		_, err = h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}, Recalled: []uint32{uid}})
		h.must(err)
		h.same("excluded", len(h.offersOf("c1")), 0)

		// By another address, who is there by name is offered as that person.
		h.captured(f, &uid, "c1", "second@gmail.com Пётр Второй")
		h.same("a second address", h.offersOf("c1"), []string{"Пётр Второй <second@gmail.com> 1 double"})
	})
}

func TestCountCorrespondents(t *testing.T) {
	each(t, func(h *house) {
		f, uid := h.folder("anna", "anna", 7), uint32(0)
		for range 5 {
			h.captured(f, &uid, "c1", "petr@romashka.test Пётр Иванов", "olga@romashka.test Ольга")
		}
		before := h.offersOf("c1")
		h.must(h.CountCorrespondents(ctx))
		h.same("what was counted is not counted again", h.offersOf("c1"), before)
		h.must(h.Exec(ctx, `DELETE FROM correspondents`, `DELETE FROM book_entries`, `UPDATE settings SET value = '[0,' || (SELECT MAX(id) FROM contacts) || ']' WHERE name = 'correspondents'`))
		h.same("as an older version left it", len(h.offersOf("c1")), 0)
		h.must(h.CountCorrespondents(ctx))
		h.must(h.CountCorrespondents(ctx))
		h.same("counted", h.offersOf("c1"), []string{"petr@romashka.test <petr@romashka.test> 5 correspondent"})
		h.captured(f, &uid, "c1", "petr@romashka.test Пётр Иванов")
		h.same("and on", h.offersOf("c1"), []string{"Пётр Иванов <petr@romashka.test> 6 correspondent"})
	})
}

func TestAcceptSender(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		var letters []store.FiledLetter
		for i, from := range []string{"new@startup.test", "spam@startup.test", "late@gmail.com"} {
			letters = append(letters, store.FiledLetter{UID: uint32(i + 1), Key: from, Date: monday(), Outcome: store.Skipped, Reason: store.Unknown, Subject: "Hello", FromAddress: from, FromName: "New One"})
		}
		_, err := h.FileLetters(ctx, f, store.Batch{Letters: letters, Read: store.Cursor{First: 1, Last: 3}})
		h.must(err)
		unknown := func() (out []string) {
			h.t.Helper()
			list, err := h.UnknownSenders(ctx, h.anna.ID, monday().AddDate(0, 0, -1), 10)
			h.must(err)
			for _, s := range list {
				out = append(out, s.Address)
			}
			return out
		}
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		h.same("at first", unknown(), []string{"late@gmail.com", "new@startup.test", "spam@startup.test"})
		if err := h.RefuseSender(ctx, h.ivan, "spam@startup.test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("who wrote to somebody else: %v", err)
		}
		if _, err := h.AcceptSender(ctx, h.anna, actor, "nobody@startup.test", store.Acceptance{NewClient: "X"}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		var invalid *store.Invalid
		if _, err := h.AcceptSender(ctx, h.anna, actor, "new@startup.test", store.Acceptance{}); !errors.As(err, &invalid) {
			t.Errorf("no client: %v", err)
		}
		h.must(h.RefuseSender(ctx, h.anna, "spam@startup.test"))
		p, err := h.AcceptSender(ctx, h.anna, actor, "new@startup.test", store.Acceptance{NewClient: "Startup Ltd"})
		h.must(err)
		if p.Name != "New One" || p.ClientID == 0 || p.ClientID == h.clients["c1"] {
			t.Errorf("person %+v", p)
		}
		p, err = h.AcceptSender(ctx, h.anna, actor, "late@gmail.com", store.Acceptance{ClientID: h.clients["c1"]})
		h.must(err)
		if p.ClientID != h.clients["c1"] {
			t.Errorf("person %+v", p)
		}
		h.same("then", unknown(), []string(nil))
		offers, err := h.Offers(ctx, h.boris, 0, 10)
		h.must(err)
		h.same("nothing is left open", len(offers), 0)
	})
}
