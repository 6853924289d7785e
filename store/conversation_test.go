package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestConversations(t *testing.T) {
	each(t, func(h *house) {
		client := h.clients["c1"]
		mb, err := h.SaveMailbox(ctx, "anna", "anna")
		h.must(err)
		folder, err := h.OpenFolder(ctx, mb.ID, "INBOX", 7)
		h.must(err)
		var batch []store.FiledLetter
		file := func(key, subject string, hour int, references ...string) {
			batch = append(batch, store.FiledLetter{UID: uint32(len(batch) + 1), Key: key, MessageID: "<" + key + ">", Date: monday().Add(time.Duration(hour) * time.Hour), Outcome: store.Captured,
				Direction: store.In, Clients: []int64{client}, Addresses: []string{"olga@romashka.test", "anna@vector.test"}, Names: map[string]string{}, References: references,
				Subject: subject, Text: "text of " + key, FullText: "text of " + key + "\n> quoted"})
		}
		file("a", "Price", -100)
		for i := range 24 {
			file(fmt.Sprint("a", i), "Re: Price", -99+i, "a")
		}
		file("b", "Samples", -90)
		file("c", "Delivery", -50)
		file("d", "Re: Samples", -40, "b")
		_, err = h.FileLetters(ctx, folder, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: uint32(len(batch))}})
		h.must(err)
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		for _, d := range []store.ContactDraft{
			{Kind: store.Call, State: store.Done, Subject: "Call", When: store.Span{Start: monday().Add(-45 * time.Hour), End: monday().Add(-44 * time.Hour)}},
			{Kind: store.Call, Subject: "Planned", When: store.Span{Start: monday(), End: monday().Add(time.Hour)}},
			{Kind: store.Other, State: store.Done, Subject: "Undated"},
		} {
			d.ClientID = client
			_, err := h.PlanContact(ctx, anna, d)
			h.must(err)
		}
		pages := func(viewer store.Manager, limit int) string {
			var out []string
			var after store.ContactPlace
			for range 10 {
				found, next, err := h.Conversations(ctx, viewer, client, after, limit)
				h.must(err)
				for _, c := range found {
					out = append(out, fmt.Sprintf("%s %d/%d", c.Contacts[0].Subject, len(c.Contacts), c.Count))
				}
				if next.ID == 0 {
					return strings.Join(out, ", ")
				}
				after = store.ParseContactPlace(next.String())
				out = append(out, "|")
			}
			t.Fatal("pages without end")
			return ""
		}
		h.same("Anna's", pages(h.anna, 2), "Re: Samples 2/2, Call 1/1, |, Delivery 1/1, Re: Price 10/25, |, Undated 1/1")
		h.same("the head's", pages(h.boris, 10), "Re: Samples 2/2, Call 1/1, Delivery 1/1, Re: Price 10/25, Undated 1/1")
		h.same("of one who took part in nothing", pages(h.ivan, 10), "")
		found, _, err := h.Conversations(ctx, h.anna, client, store.ContactPlace{}, 1)
		h.must(err)
		text, _, err := h.FullText(ctx, h.anna, found[0].Contacts[0].ID)
		h.must(err)
		h.same("the whole letter", text, "text of d\n> quoted")
		if _, _, err := h.FullText(ctx, h.ivan, found[0].Contacts[0].ID); err == nil {
			t.Error("another manager reads the letter")
		}
		h.must(h.SetPrivate(ctx, anna, found[0].Contacts[0].ID, true))
		text, _, err = h.FullText(ctx, h.boris, found[0].Contacts[0].ID)
		h.must(err)
		h.same("a private letter", text, "")
		found, _, err = h.Conversations(ctx, h.boris, client, store.ContactPlace{}, 1)
		h.must(err)
		h.same("private letters in the list", fmt.Sprint(found[0].Contacts[0].Hidden, found[0].Contacts[0].Body == "", found[0].Contacts[1].Hidden), "true true true")
	})
}

func TestClientDocuments(t *testing.T) {
	each(t, func(h *house) {
		client := h.clients["c1"]
		h.imports(func(im *store.Import) {
			for i, d := range []store.DocumentRow{
				{Kind: store.InvoiceDoc, Deal: "d1", Amount: store.Money{Minor: 100_000, Currency: "RUB"}},
				{Kind: store.PaymentDoc, Deal: "d1", Amount: store.Money{Minor: 30_000, Currency: "RUB"}},
				{Kind: store.ShipmentDoc, Deal: "d1", Amount: store.Money{Minor: 100_000, Currency: "RUB"}},
				{Kind: store.ShipmentDoc, Amount: store.Money{Minor: 500, Currency: "EUR"}},
				{Kind: store.ReturnDoc, Deal: "d1", Amount: store.Money{Minor: 10_000, Currency: "RUB"}},
			} {
				d.ID, d.Number, d.Client, d.Date = fmt.Sprint("cd", i), fmt.Sprint(i), "c1", store.Date(fmt.Sprintf("2026-11-0%d", 1+i/2))
				h.row(im.Document(d))
			}
		})
		var out []string
		var after store.DocumentPlace
		for range 5 {
			found, next, err := h.ClientDocuments(ctx, h.anna, client, after, 2)
			h.must(err)
			for _, d := range found {
				s := d.Number + " " + d.Deal
				if d.Moved {
					s += fmt.Sprintf(" %+d=%d", d.Movement().Minor, d.After.Minor)
				}
				out = append(out, s)
			}
			if after = store.ParseDocumentPlace(next.String()); after.ID == 0 {
				break
			}
		}
		h.same("documents", strings.Join(out, ", "), "4 1045 -10000=60000, 3  +500=500, 2 1045 +100000=70000, 1 1045 -30000=-30000, 0 1045")
		owed, err := h.DealBalances(ctx, client, 10)
		h.must(err)
		h.same("by deal", fmt.Sprint(len(owed), owed[0].Deal, owed[0].Sum.Minor, owed[1].Deal, owed[1].Sum), "2104560000{500 EUR}")
		if _, _, err := h.ClientDocuments(ctx, h.ivan, client, store.DocumentPlace{}, 2); err == nil {
			t.Error("another manager reads them")
		}
	})
}

func TestPersonPage(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for i, name := range []string{"Борис", "Анна", "Вера", "анна-мария"} {
				h.row(im.Person(store.PersonRow{ID: fmt.Sprint("pp", i), Client: "c1", Name: name, Birthday: store.Date(fmt.Sprintf("1980-0%d-29", i+1))}))
			}
		})
		names := func(q store.PersonSelection, limit int) string {
			var out []string
			var after int64
			for range 10 {
				found, more, err := h.PersonPage(ctx, q, after, limit)
				h.must(err)
				for _, l := range found {
					out = append(out, l.Person.Name)
				}
				if !more {
					return strings.Join(out, " ")
				}
				after = found[len(found)-1].Person.ID
				out = append(out, "|")
			}
			t.Fatal("pages without end")
			return ""
		}
		of := func(m store.Manager) store.PersonSelection { return store.PersonSelection{Viewer: m, At: h.Now()} }
		h.same("the head's", strings.Count(names(of(h.boris), 2), "|"), 2)
		h.same("of one who sees no such client", names(of(h.ivan), 2), "")
		q := of(h.anna)
		q.Text = "АННА"
		h.same("by a part of the name", names(q, 1), "Анна | анна-мария")
		q.Text = "olga@ROMASHKA"
		h.same("by address", names(q, 1), "Ольга")
		q.Text, q.Born = "", 3
		h.same("by month", names(q, 1), "Вера")
		q.Born, q.Before = 0, h.Now()
		q.Text = "вера"
		h.same("without contacts", names(q, 1), "Вера")
		q.Since = h.Now().AddDate(-1, 0, 0)
		h.same("with contacts", names(q, 1), "")
		var all []string
		h.must(h.PersonLines(ctx, store.PersonSelection{Viewer: h.anna, At: h.Now(), Text: "анна"}, func(l store.PersonLine) error {
			all = append(all, l.Person.Name)
			return nil
		}))
		h.same("as a report gives them", strings.Join(all, " "), "Анна анна-мария")
	})
}
