package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// TestErase: somebody who stands everywhere is gone from every column of every
// table, what was theirs still counts, and nothing brings them back.
func TestErase(t *testing.T) {
	each(t, func(h *house) {
		const name, address, other, phone = "Фёкла Жужелицына", "fekla@romashka.test", "zhuzha@freemail.test", "+7 916 555-33-10"
		words := []string{"Жужелиц", "fekla@", "zhuzha@", "555-33-10", "9165553310", "сургуч", "плесень", "Хранительница", "1987-03"}
		row := store.PersonRow{ID: "p9", Client: "c1", Name: name, Position: "Хранительница ключей", Birthday: "1987-03-14", Emails: []string{address, other}, Phones: []string{phone}}
		book := store.BookPerson{Key: "vcard-9", Name: name, Emails: []string{address}, Phones: []store.BookPhone{{Number: phone}}}
		into := func() {
			h.t.Helper()
			h.imports(func(im *store.Import) {
				h.row(im.BookPerson(store.BookOptions{Book: "anna.vcf", ClientID: h.clients["c1"]}, book))
			})
		}
		h.imports(func(im *store.Import) { h.row(im.Person(row)) })
		into()
		mb, err := h.SaveMailbox(ctx, "anna", "anna")
		h.must(err)
		folder, err := h.OpenFolder(ctx, mb.ID, "INBOX", 7)
		h.must(err)
		letters := []store.FiledLetter{
			{UID: 1, Key: "k1@x", MessageID: "<k1@x>", Date: monday().AddDate(0, 0, -3), Outcome: store.Captured, Direction: store.In, Clients: []int64{h.clients["c1"]},
				Addresses: []string{address, "anna@vector.test"}, Names: map[string]string{address: name}, Subject: "Фёкла: цены", Text: "про сургуч", FullText: "про сургуч\n> плесень"},
			{UID: 2, Key: "k2@x", MessageID: "<k2@x>", Date: monday().AddDate(0, 0, -2), Outcome: store.Captured, Direction: store.In, Clients: []int64{h.clients["c2"]},
				Addresses: []string{"info@northland.test", "boris@vector.test"}, Names: map[string]string{}, Subject: "Fwd: " + name, Text: "пишите на " + address + ", тел. 8 (916) 555-33-10, или Ольге (Жужелицына Фёкла)", FullText: "пишите на " + address},
			{UID: 3, Key: "k3@x", MessageID: "<k3@x>", Date: monday().AddDate(0, 0, -1), Outcome: store.Skipped, Reason: store.Unknown, FromAddress: other, FromName: name, Subject: "от " + name},
		}
		_, err = h.FileLetters(ctx, folder, store.Batch{Letters: letters, Read: store.Cursor{First: 1, Last: 3}})
		h.must(err)
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		_, err = h.PlanContact(ctx, anna, store.ContactDraft{Kind: store.Call, ClientID: h.clients["c1"], Subject: "Позвонить: " + name, Body: "её телефон " + phone,
			When: store.Span{Start: monday().Add(time.Hour), End: monday().Add(2 * time.Hour)}})
		h.must(err)
		_, err = h.PlanContact(ctx, anna, store.ContactDraft{Kind: store.Call, ClientID: h.clients["c1"], Subject: "Фёкла Иванова, другая", When: store.Span{Start: monday().Add(3 * time.Hour), End: monday().Add(4 * time.Hour)}})
		h.must(err)
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c7", Name: "ООО «Рога Копыта»", Emails: []string{"office@roga.test"}, Phones: []string{"+7 495 111-22-33"}}))
			h.row(im.Person(store.PersonRow{ID: "p7", Client: "c7", Name: "Рога Копыта", Emails: []string{"office@roga.test", "pyotr@roga.test"}, Phones: []string{"8 495 1112233"}}))
		})
		id := int64(0)
		sub, err := h.FindSubject(ctx, address)
		h.must(err)
		if len(sub.Persons) == 0 || !slices.Contains(sub.Emails, other) || !slices.Contains(sub.Names, name) {
			t.Fatalf("%+v", sub)
		}
		id = sub.Persons[0]
		before, err := h.Holding(ctx, words...)
		h.must(err)
		for _, where := range []string{"persons.name", "persons.position", "persons.birthday", "person_points.value", "contacts.subject", "contacts.body", "letter_texts.full_text", "letter_texts.parties", "history.changes",
			"senders.name", "book_entries.said", "entries.bytes"} {
			if !slices.Contains(before, where) {
				t.Errorf("the test puts nothing into %s: %q", where, before)
			}
		}

		exported := map[string]int{}
		texts := ""
		h.must(h.EachAbout(ctx, nil, &sub, func(c store.SubjectContact) error {
			texts += c.Subject + c.Text + c.Whole
			return nil
		}, func(r store.SubjectRecord) error {
			exported[r.Table]++
			return nil
		}))
		for _, where := range before {
			table, _, _ := strings.Cut(where, ".")
			if exported[table] == 0 && !strings.HasPrefix(table, "search_") {
				t.Errorf("%s is about her, and not in the export: %v", where, exported)
			}
		}
		for _, w := range []string{"сургуч", "плесень"} {
			if !strings.Contains(texts, w) {
				t.Errorf("no %q in the exported contacts: %s", w, texts)
			}
		}

		// A private thread stays private to a head who took no part.
		all, err := h.Contacts(ctx, h.anna, store.ContactQuery{ClientID: h.clients["c1"], Limit: 100})
		h.must(err)
		for _, c := range all {
			if c.MessageKey == "k1@x" {
				h.must(h.SetPrivate(ctx, anna, c.ID, true))
			}
		}
		for viewer, want := range map[*store.Manager]bool{&h.boris: false, &h.anna: true, nil: true} {
			var out strings.Builder
			h.must(h.WriteAbout(ctx, &out, viewer, &sub))
			if got := strings.Contains(out.String(), "сургуч"); got != want || !strings.Contains(out.String(), "Хранительница ключей") {
				t.Errorf("%v is given a private text: %v", viewer, got)
			}
		}

		figures := func() int {
			all, err := h.Contacts(ctx, h.anna, store.ContactQuery{ClientID: h.clients["c1"], Limit: 100})
			h.must(err)
			persons := 0
			for _, c := range all {
				persons += len(c.Persons)
			}
			return 1000*len(all) + persons
		}
		was := figures()
		e, err := h.Erase(ctx, anna, address, func(n int64) string { return store.ErasedAs(store.English, n) })
		h.must(err)
		if where, err := h.Holding(ctx, "erasing"); err != nil || len(where) > 0 {
			t.Errorf("an erasure has not ended: %q %v", where, err)
		}
		if e.Contacts == 0 || e.Rows == 0 || e.Subject.Persons[0] != id {
			t.Errorf("%+v", e)
		}
		gone := func(when string) {
			h.t.Helper()
			if where, err := h.Holding(ctx, words...); err != nil || len(where) > 0 {
				t.Errorf("%s: still in %q, %v", when, where, err)
			}
			if found, err := h.Search(ctx, h.boris, "Жужелицына", 10, true); err != nil || len(found.Persons)+len(found.Contacts)+len(found.Clients) > 0 {
				t.Errorf("%s: found %+v %v", when, found, err)
			}
		}
		gone("erased")
		if now := figures(); now != was {
			t.Errorf("what counts: %d, before %d", now, was)
		}
		if where, err := h.Holding(ctx, "Фёкла Иванова", "Ольге"); err != nil || len(where) == 0 {
			t.Errorf("others went, too: %q %v", where, err)
		}
		if rows, err := h.History(ctx, "person", id, 10); err != nil || rows[0].Verb != "erased" || rows[0].ManagerID != h.anna.ID {
			t.Errorf("the history does not say who erased: %+v %v", rows, err)
		}
		if _, _, err := h.PersonAt(ctx, h.boris, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("she has a page: %v", err)
		}

		// What others still have.
		err = h.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
			_, err := im.Person(row)
			return err
		})
		if !errors.Is(err, store.ErrErased) {
			t.Errorf("an import: %v", err)
		}
		into()
		archive, err := h.OpenFolder(ctx, mb.ID, "Archive", 3)
		h.must(err)
		old := letters[0]
		old.UID, old.Key, old.MessageID = 9, "k9@x", "<k9@x>"
		old.NewPerson = &store.NewPerson{ClientID: h.clients["c1"], Name: name, Address: address}
		_, err = h.FileLetters(ctx, archive, store.Batch{Letters: append(letters, old), Read: store.Cursor{First: 1, Last: 9}})
		h.must(err)
		gone("after all was read again")

		if _, err := h.Erase(ctx, anna, "anna@vector.test", func(int64) string { return "" }); !errors.Is(err, store.ErrOneOfUs) {
			t.Errorf("one of us: %v", err)
		}
		if _, err := h.Erase(ctx, anna, "#99999", func(int64) string { return "" }); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		// What is the company's is not the person's.
		company, err := h.Holding(ctx, "рога копыта", "office@roga.test", "111-22-33")
		h.must(err)
		e, err = h.Erase(ctx, anna, "pyotr@roga.test", func(n int64) string { return store.ErasedAs(store.Russian, n) })
		h.must(err)
		if len(e.Subject.Names)+len(e.Subject.Phones) > 0 || !slices.Equal(e.Subject.Emails, []string{"pyotr@roga.test"}) {
			t.Errorf("%+v", e.Subject)
		}
		if left, err := h.Holding(ctx, "рога копыта", "office@roga.test", "111-22-33"); err != nil || !slices.Contains(left, "clients.name") || len(left) >= len(company) {
			t.Errorf("of the company: %q, before %q, %v", left, company, err)
		}
		if _, err := h.Erase(ctx, anna, "office@roga.test", func(int64) string { return "" }); err == nil {
			t.Error("a company's address is erased")
		}

		// One that was cut off behind its first transaction is ended by the clean-up.
		h.call("Перезвонить: Кочерыжкин Пафнутий", monday().Add(time.Hour))
		h.must(h.Exec(ctx, `INSERT INTO settings (name, value) VALUES ('erasing', '{"Subject":{"persons":[],"names":["Пафнутий Кочерыжкин"],"emails":[],"phones":[]},"As":"X"}')`))
		_, err = h.CleanUp(ctx, store.Kept{})
		h.must(err)
		if where, err := h.Holding(ctx, "Кочерыжкин", "erasing"); err != nil || len(where) > 0 {
			t.Errorf("an erasure that was cut off: %q %v", where, err)
		}

		// Somebody adds her again, knowing what for.
		h.must(h.EditPerson(ctx, anna, h.clients["c1"], 0, 0, store.PersonEdit{Name: name, Emails: []string{address}}))
		if again, err := h.FindSubject(ctx, address); err != nil || len(again.Persons) != 1 || again.Persons[0] == id {
			t.Errorf("added by hand: %+v %v", again, err)
		}
	})
}
