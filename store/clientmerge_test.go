package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"intouch/store/storetest"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// exports is everything that an export gives, a record a line, but for when
// and how often it was changed.
func (h *house) exports() []string {
	h.t.Helper()
	var out []string
	line := func(kind string, v any) {
		b, err := json.Marshal(v)
		h.must(err)
		out = append(out, kind+" "+string(b))
	}
	h.must(h.EachClient(ctx, func(r *store.ClientRow) error { line("client", r); return nil }))
	h.must(h.EachPerson(ctx, func(r *store.PersonRow) error { line("person", r); return nil }))
	h.must(h.EachDeal(ctx, func(r *store.DealRow) error { line("deal", r); return nil }))
	h.must(h.EachEvent(ctx, func(r *store.EventRow) error { line("event", r); return nil }))
	h.must(h.EachLine(ctx, func(r *store.LineRow) error { line("line", r); return nil }))
	h.must(h.EachDocument(ctx, func(r *store.DocumentRow) error { line("document", r); return nil }))
	h.must(h.EachContact(ctx, func(e *store.Exported) error {
		e.Version, e.Changed = 0, time.Time{}
		line("contact", e)
		return nil
	}))
	return out
}

func (h *house) sameRecords(what string, got, want []string) {
	h.t.Helper()
	if len(got) != len(want) {
		h.t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			h.t.Fatalf("%s:\n got %s\nwant %s", what, got[i], want[i])
		}
	}
}

func (h *house) client(id int64) store.ClientCard {
	h.t.Helper()
	card, err := h.Client(ctx, h.boris, id)
	h.must(err)
	return card
}

func (h *house) merge(kept, gone int64) store.Merge {
	h.t.Helper()
	m, err := h.MergeClients(ctx, store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}, kept, gone)
	h.must(err)
	return m
}

func (h *house) unmerge(id int64) store.Unmerged {
	h.t.Helper()
	u, err := h.Unmerge(ctx, store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}, id)
	h.must(err)
	return u
}

// crowd fills the house with a few clients that have all kinds of records, by
// chance, some of them the same.
func (h *house) crowd(r *rand.Rand) {
	h.t.Helper()
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	some := func(format string) (out []string) {
		for i := range 4 {
			if r.IntN(3) == 0 {
				out = append(out, fmt.Sprintf(format, i))
			}
		}
		return out
	}
	h.imports(func(im *store.Import) {
		for c := range 5 {
			id := fmt.Sprintf("x%d", c)
			h.row(im.Client(store.ClientRow{ID: id, Name: pick("Альфа", "Бета", "Гамма") + id, Importance: pick("", "high", "low"), Manager: pick("", "anna", "ivan"), Source: pick("", "s1"),
				Stage: pick("", "regular"), Domains: some("d%d.test"), Emails: some("e%d@x.test"), Phones: some("+7%d"),
				Attributes: map[string]string{pick("segment", "city"): pick("horeca", "retail"), "ИНН": pick("1", "2")}}))
			for p := range r.IntN(4) {
				h.row(im.Person(store.PersonRow{ID: fmt.Sprintf("%s.p%d", id, p), Client: id, Name: pick("Олег", "Вера"), Emails: some("p%d@x.test")}))
			}
			for d := range r.IntN(4) {
				deal := fmt.Sprintf("%s.d%d", id, d)
				h.row(im.Deal(store.DealRow{ID: deal, Number: deal, Date: "2026-11-01", Client: id, Amount: store.Money{Minor: r.Int64N(100_000)}, ShipDue: "2026-12-01", PayDue: "2026-12-05"}))
				h.row(im.Document(store.DocumentRow{ID: deal + ".s", Kind: store.ShipmentDoc, Date: "2026-11-03", Deal: deal, Amount: store.Money{Minor: r.Int64N(50_000)}}))
				h.row(im.Document(store.DocumentRow{ID: deal + ".p", Kind: store.PaymentDoc, Date: "2026-11-04", Client: id, Amount: store.Money{Minor: r.Int64N(50_000), Currency: pick("RUB", "EUR")}}))
			}
		}
	})
	list, err := h.Clients(ctx, h.boris, "", 20)
	h.must(err)
	for _, c := range list {
		h.clients[c.ExternalID] = c.ID
	}
	f := h.folder("crowd", "anna", 7)
	var letters []store.FiledLetter
	for i := range 20 {
		l := h.letter(uint32(i+1), fmt.Sprintf("k%d", i))
		l.Clients = nil
		for c := range 5 {
			if r.IntN(2) == 0 {
				l.Clients = append(l.Clients, h.clients[fmt.Sprintf("x%d", c)])
			}
		}
		l.Addresses = append(some("p%d@x.test"), pick("anna@vector.test", "ivan@vector.test"))
		if len(l.Clients) > 0 {
			letters = append(letters, l)
		}
	}
	h.file(f, letters...)
	for i := range 20 {
		c, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{Kind: store.Call, ClientID: h.clients[fmt.Sprintf("x%d", r.IntN(5))],
			Subject: fmt.Sprint("call ", i), When: store.Span{Start: monday(), End: monday().Add(time.Hour)}})
		h.must(err)
		if r.IntN(2) == 0 {
			done := store.Done
			_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, c.ID, 0, store.ContactEdit{State: &done})
			h.must(err)
		}
	}
}

func sums(list ...[]store.Money) map[string]int64 {
	out := map[string]int64{}
	for _, l := range list {
		for _, m := range l {
			out[m.Currency] += m.Minor
		}
	}
	return out
}

func TestMerge_undoneExactly(t *testing.T) {
	each(t, func(h *house) {
		r := rand.New(rand.NewPCG(5, 6))
		h.crowd(r)
		if _, err := h.Classify(ctx, store.DefaultClassification, "2026-11-22", time.UTC); err != nil {
			t.Fatal(err)
		}
		calendars := func() []string {
			return append(append(h.shown(h.anna, "current"), h.shown(h.anna, "done")...), h.shown(h.ivan, "current")...)
		}
		strip := func(entries []string) (out []string) { // a calendar counts versions
			for _, e := range entries {
				if title, rest, ok := strings.Cut(e, " v"); ok {
					_, rest, _ = strings.Cut(rest, "|")
					e = title + "|" + rest
				}
				out = append(out, e)
			}
			slices.Sort(out)
			return out
		}
		for round := range 12 {
			kept, gone := r.IntN(5), r.IntN(5)
			if kept == gone {
				continue
			}
			k, g := h.clients[fmt.Sprintf("x%d", kept)], h.clients[fmt.Sprintf("x%d", gone)]
			before, shown := h.exports(), strip(calendars())
			ck, cg := h.client(k), h.client(g)
			preview, err := h.PreviewMerge(ctx, store.Actor{}, k, g)
			h.must(err)
			m := h.merge(k, g)
			after := h.exports()
			if len(after) != len(before)-1 {
				t.Fatalf("round %d: %d records after merging, %d before", round, len(after), len(before))
			}
			card := h.client(k)
			if fmt.Sprint(sums(card.Balance)) != fmt.Sprint(sums(ck.Balance, cg.Balance)) || fmt.Sprint(sums(card.Balance)) != fmt.Sprint(sums(preview.Balance)) {
				t.Fatalf("round %d: balance %v of %v and %v, preview %v", round, card.Balance, ck.Balance, cg.Balance, preview.Balance)
			}
			if len(card.Persons) != len(ck.Persons)+len(cg.Persons) || len(card.Deals) != len(ck.Deals)+len(cg.Deals) || m.Persons != int64(len(cg.Persons)) || m.Deals != int64(len(cg.Deals)) {
				t.Fatalf("round %d: persons or deals lost: %+v", round, m)
			}
			for _, a := range cg.Client.Emails {
				if !slices.Contains(card.Client.Emails, a) {
					t.Fatalf("round %d: address %s lost", round, a)
				}
			}
			if h.client(g).Client.ID != k {
				t.Fatalf("round %d: the old number leads elsewhere", round)
			}
			cancelled := 0
			for _, line := range after {
				if strings.HasPrefix(line, "contact ") && strings.Contains(line, `"State":"cancelled"`) {
					cancelled++
				}
			}
			if cancelled != int(m.Doubles) {
				t.Fatalf("round %d: %d contacts cancelled for %d doubles", round, cancelled, m.Doubles)
			}
			h.unmerge(m.ID)
			h.sameRecords(fmt.Sprintf("round %d: exports", round), h.exports(), before)
			h.sameRecords(fmt.Sprintf("round %d: calendars", round), strip(calendars()), shown)
		}
	})
}

func TestMerge_chain(t *testing.T) {
	each(t, func(h *house) {
		h.crowd(rand.New(rand.NewPCG(1, 2)))
		before := h.exports()
		a, b, c := h.clients["x0"], h.clients["x1"], h.clients["x2"]
		first := h.merge(b, a)
		second := h.merge(c, b)
		if got := h.client(a).Client.ID; got != c {
			t.Errorf("the first number leads to %d", got)
		}
		var bad *store.Invalid
		if _, err := h.Unmerge(ctx, store.Actor{}, first.ID); !errors.As(err, &bad) || !strings.Contains(err.Error(), fmt.Sprint("undo ", second.ID)) {
			t.Fatalf("undoing the older merge first: %v", err)
		}
		if _, err := h.MergeClients(ctx, store.Actor{}, c, a); !errors.As(err, &bad) {
			t.Fatalf("merging what is merged: %v", err)
		}
		if _, err := h.MergeClients(ctx, store.Actor{}, c, c); !errors.As(err, &bad) {
			t.Fatalf("merging with itself: %v", err)
		}
		h.unmerge(second.ID)
		h.unmerge(first.ID)
		h.sameRecords("exports", h.exports(), before)
		if _, err := h.Unmerge(ctx, store.Actor{}, first.ID); !errors.As(err, &bad) {
			t.Fatalf("undoing twice: %v", err)
		}
		// Both into one, undone in the wrong order and in the right one.
		first, second = h.merge(c, a), h.merge(c, b)
		if _, err := h.Unmerge(ctx, store.Actor{}, first.ID); !errors.As(err, &bad) {
			t.Fatalf("undoing the older merge into one: %v", err)
		}
		h.unmerge(second.ID)
		h.unmerge(first.ID)
		h.sameRecords("exports", h.exports(), before)
	})
}

// The newest client goes, and another is made: on SQLite it would get the same
// number.
func TestMerge_numbersAreNotGivenAgain(t *testing.T) {
	each(t, func(h *house) {
		m := h.merge(h.clients["c1"], h.clients["c2"])
		h.imports(func(im *store.Import) { h.row(im.Client(store.ClientRow{ID: "c3", Name: "New"})) })
		h.unmerge(m.ID)
		if c := h.client(h.clients["c2"]).Client; c.ExternalID != "c2" {
			t.Errorf("%+v", c)
		}
	})
}

func TestMerge_importByEitherKey(t *testing.T) {
	each(t, func(h *house) {
		h.merge(h.clients["c1"], h.clients["c2"])
		rows := func(im *store.Import) (out []store.RowChange) {
			add := func(c store.RowChange, err error) { h.row(c, err); out = append(out, c) }
			add(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Domains: []string{"romashka.test"}, Emails: []string{"office@romashka.test"}, Attributes: map[string]string{"city": "Псков"}}))
			add(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy AG", Importance: "low", Manager: "ivan", Emails: []string{"info@northland.test", "ag@northland.test"}, Attributes: map[string]string{"city": "Kiel", "fax": "1"}}))
			add(im.Deal(store.DealRow{ID: "d9", Number: "9", Date: "2026-11-01", Client: "c2", Amount: store.Money{Minor: 1}}))
			add(im.Person(store.PersonRow{ID: "p9", Client: "c2", Name: "Jan"}))
			return out
		}
		h.imports(func(im *store.Import) { rows(im) })
		h.imports(func(im *store.Import) {
			for _, change := range rows(im) {
				if change != store.RowUnchanged {
					t.Errorf("the same rows again: %s", change)
				}
			}
		})
		card := h.client(h.clients["c1"])
		c := card.Client
		if c.ExternalID != "c1" || c.Name != "ООО «Ромашка»" || c.Importance != store.High || c.ManagerID != h.anna.ID {
			t.Errorf("what stays: %+v", c)
		}
		if slices.Sort(c.Emails); !slices.Equal(c.Emails, []string{"ag@northland.test", "info@northland.test", "office@romashka.test"}) {
			t.Errorf("addresses: %q", c.Emails)
		}
		if c.Attributes["city"] != "Псков" || c.Attributes["fax"] != "1" {
			t.Errorf("attributes: %q", c.Attributes)
		}
		if len(card.Deals) != 2 || len(card.Persons) != 2 {
			t.Errorf("deals %v, persons %v", card.Deals, card.Persons)
		}
		// An order of the accounting system names the merged client, too.
		h.imports(func(im *store.Import) {
			_, _, err := im.Partner(store.PartnerRow{ClientRow: store.ClientRow{ID: "c2", Name: "Northland"}})
			h.must(err)
			h.row(im.Order(store.OrderRow{DealRow: store.DealRow{ID: "d10", Number: "10", Date: "2026-11-02", Client: "c2", Amount: store.Money{Minor: 5}}}))
		})
		if card := h.client(h.clients["c1"]); len(card.Deals) != 3 || card.Client.Name != "ООО «Ромашка»" {
			t.Errorf("after an order: %+v", card.Client)
		}
	})
}

// What was changed or added since stays with the client that stayed.
func TestUnmerge_whatCameSinceStays(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		planned, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{Kind: store.Call, ClientID: c2, Subject: "before", When: store.Span{Start: monday(), End: monday().Add(time.Hour)}})
		h.must(err)
		m := h.merge(c1, c2)
		h.expect("calendar", h.shown(h.ivan, "current"), "before v2|planned|current|ООО «Ромашка»")
		// A form that was open meanwhile, and a letter decided before.
		since, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{Kind: store.Call, ClientID: c2, Subject: "since", When: store.Span{Start: monday(), End: monday()}})
		h.must(err)
		l := h.letter(1, "late")
		l.Clients = []int64{c2, c1}
		h.file(h.folder("anna", "anna", 7), l)
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "pay", Kind: store.PaymentDoc, Date: "2026-11-20", Deal: "d1", Amount: store.Money{Minor: 70}}))
		})
		h.unmerge(m.ID)
		of := func(id int64) (out []string) {
			found, err := h.Contacts(ctx, h.boris, store.ContactQuery{ClientID: id})
			h.must(err)
			for _, c := range found {
				out = append(out, c.Subject)
			}
			slices.Sort(out)
			return out
		}
		if got := of(c2); !slices.Equal(got, []string{"before"}) {
			t.Errorf("gone and back: %q", got)
		}
		if got := of(c1); !slices.Equal(got, []string{"since", "Цены"}) {
			t.Errorf("stayed: %q", got)
		}
		if since.ClientID != c1 || planned.ClientID != c2 {
			t.Errorf("planned with %d, then %d", planned.ClientID, since.ClientID)
		}
		history, err := h.History(ctx, "client", c1, 10)
		h.must(err)
		if len(history) < 2 || history[0].Verb != "unmerged" || history[1].Verb != "merged" || history[1].Changes["importance"] != [2]string{"normal", "high"} {
			t.Errorf("history: %+v", history)
		}
	})
}

func TestMerge_who(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		for _, m := range []store.Manager{h.anna, h.ivan} {
			if _, err := h.MergeClients(ctx, store.Actor{ManagerID: m.ID}, c1, c2); !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrForbidden) {
				t.Errorf("%s: %v", m.Login, err)
			}
		}
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy GmbH", Manager: "anna"}))
		})
		m, err := h.MergeClients(ctx, store.Actor{ManagerID: h.anna.ID}, c1, c2)
		h.must(err)
		if _, err := h.Unmerge(ctx, store.Actor{ManagerID: h.ivan.ID}, m.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("undone by somebody else: %v", err)
		}
	})
}

func TestMerge_savedFilter(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		name := "Northland"
		f, err := h.MakeFilter(ctx, store.Actor{ManagerID: h.ivan.ID}, store.Filter{Managers: []int64{h.ivan.ID}, Clients: []int64{c2}}, store.CollectionEdit{Name: &name})
		h.must(err)
		_, err = h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{Kind: store.Call, ClientID: c2, Subject: "call", When: store.Span{Start: monday(), End: monday()}})
		h.must(err)
		m := h.merge(c1, c2)
		h.expect("filter", h.shown(h.ivan, f.Slug), "call")
		h.unmerge(m.ID)
		h.expect("filter", h.shown(h.ivan, f.Slug), "Northland Energy GmbH")
		col, err := h.Collection(ctx, h.ivan.ID, f.Slug)
		h.must(err)
		if !slices.Equal(col.Filter.Clients, []int64{c2}) {
			t.Errorf("filter: %+v", col.Filter)
		}
	})
}

// Whatever refers to clients must have its place in merging.
func TestMerge_knowsTheSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intouch.db")
	st, err := store.Open(ctx, store.Options{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'client_id'
		UNION SELECT m.name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table' AND k."table" = 'clients'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		if n++; !slices.Contains(store.MergedTables(), table) {
			t.Errorf("table %s refers to clients: say in store/mergerow_sql.go what merging does with it", table)
		}
	}
	if n < 8 {
		t.Errorf("only %d tables refer to clients", n)
	}
}

func TestRegister(t *testing.T) {
	each(t, func(h *house) {
		plan := func(text string, m store.Manager) store.Contact {
			c, err := h.PlanContact(ctx, store.Actor{ManagerID: m.ID, Origin: store.FromWeb}, store.ContactDraft{Kind: store.Call, ClientText: text, Subject: "call " + text, Importance: store.High, When: store.Span{Start: monday(), End: monday().Add(time.Hour)}})
			h.must(err)
			return c
		}
		one, other := plan("ООО «Василёк»", h.anna), plan("василек", h.anna)
		plan("Василёк", h.ivan) // not anna's
		plan("Лютик", h.anna)
		l := h.letter(1, "free")
		l.Clients, l.ClientText, l.Outsiders = nil, "hello@vasilek.test", []string{"hello@vasilek.test"}
		h.file(h.folder("anna", "anna", 7), l)
		before := h.exports()
		offer, err := h.RegisterOffer(ctx, h.anna, one.ID)
		h.must(err)
		if len(offer.Alike) != 1 || offer.Alike[0].ID != other.ID {
			t.Fatalf("alike: %+v", offer.Alike)
		}
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		reg := store.Registration{Alike: true, Domain: "vasilek.test", Key: "v1"}
		dry, err := h.PreviewRegister(ctx, anna, one.ID, reg)
		h.must(err)
		if dry.Contacts != 3 || !dry.Made {
			t.Errorf("preview: %+v", dry)
		}
		h.sameRecords("exports after a preview", h.exports(), before)
		last, err := h.LastRegistration(ctx)
		h.must(err)
		m, err := h.Register(ctx, anna, one.ID, reg)
		h.must(err)
		card := h.client(m.ClientID)
		if card.Client.Name != "ООО «Василёк»" || card.Client.ManagerID != h.anna.ID || !slices.Equal(card.Client.Domains, []string{"vasilek.test"}) || m.Contacts != 3 {
			t.Errorf("%+v, %+v", card.Client, m)
		}
		if now, err := h.LastRegistration(ctx); err != nil || now == last {
			t.Errorf("past letters are not asked for: %d, %v", now, err)
		}
		found, err := h.Contacts(ctx, h.anna, store.ContactQuery{ClientID: m.ClientID})
		h.must(err)
		if len(found) != 3 || found[0].ClientText != "" {
			t.Errorf("contacts: %+v", found)
		}
		h.expect("calendar", h.shown(h.anna, "current"), "call ООО «Василёк» v2|planned|current|ООО «Василёк»|Цены", "call василек v2|planned|current|ООО «Василёк»|Цены", "Лютик", "payment")
		var bad *store.Invalid
		if _, err := h.Register(ctx, anna, one.ID, reg); !errors.As(err, &bad) {
			t.Errorf("registered twice: %v", err)
		}
		if u := h.unmerge(m.ID); u.Stays {
			t.Error("the client that was made stays")
		}
		h.sameRecords("exports", h.exports(), before)
		if _, err := h.Client(ctx, h.boris, m.ClientID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the client that was made: %v", err)
		}
		// To a client that is there, and one that gets more before the undoing.
		m, err = h.Register(ctx, anna, one.ID, store.Registration{ClientID: h.clients["c1"], Address: "new@vasilek.test"})
		h.must(err)
		h.unmerge(m.ID)
		h.sameRecords("exports", h.exports(), before)
		m, err = h.Register(ctx, anna, one.ID, store.Registration{Name: "Василёк и Ко"})
		h.must(err)
		_, err = h.PlanContact(ctx, anna, store.ContactDraft{ClientID: m.ClientID, Subject: "more", When: store.Span{Start: monday(), End: monday()}})
		h.must(err)
		if u := h.unmerge(m.ID); !u.Stays {
			t.Error("the client went with what it got since")
		}
		for _, r := range []store.Registration{{Domain: "gmail.com"}, {Domain: "no domain"}, {Address: "nobody"}, {Key: "c1"}} {
			if _, err := h.Register(ctx, anna, one.ID, r); !errors.As(err, &bad) {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if _, err := h.Register(ctx, store.Actor{ManagerID: h.ivan.ID}, one.ID, store.Registration{}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by somebody else: %v", err)
		}
	})
}

// Filing, edits and imports go on while clients are merged and parted: all is
// there in the end, and nothing is anybody's who is gone.
func TestMerge_meanwhile(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		f := h.folder("anna", "anna", 7)
		const rounds = 30
		var work sync.WaitGroup
		work.Go(func() {
			for i := range rounds {
				l := h.letter(uint32(i+1), fmt.Sprint("m", i))
				l.Clients = []int64{c2}
				if _, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}}); err != nil {
					t.Errorf("file: %v", err)
				}
			}
		})
		work.Go(func() {
			for i := range rounds {
				c, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{ClientText: "nobody yet", Subject: fmt.Sprint("s", i), When: store.Span{Start: monday(), End: monday()}})
				if err != nil {
					t.Errorf("plan: %v", err)
				}
				done := store.Done
				if _, err := h.EditContact(ctx, store.Actor{ManagerID: h.ivan.ID}, c.ID, 0, store.ContactEdit{State: &done}); err != nil {
					t.Errorf("edit: %v", err)
				}
			}
		})
		work.Go(func() { // with the one that comes and goes
			for i := range rounds {
				if _, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{ClientID: c2, Subject: fmt.Sprint("p", i), When: store.Span{Start: monday(), End: monday()}}); err != nil {
					t.Errorf("plan with the client: %v", err)
				}
			}
		})
		work.Go(func() {
			for range 6 {
				m, err := h.MergeClients(ctx, store.Actor{}, c1, c2)
				if err != nil {
					t.Errorf("merge: %v", err)
					return
				}
				if _, err := h.Unmerge(ctx, store.Actor{}, m.ID); err != nil {
					t.Errorf("unmerge: %v", err)
					return
				}
			}
		})
		work.Wait()
		letters := 0
		for _, e := range h.exported() {
			if e.MessageKey != "" && (e.ClientID == c1 || e.ClientID == c2) {
				letters++
			}
		}
		if letters != rounds {
			t.Errorf("%d letters of %d", letters, rounds)
		}
		planned := 0
		for _, id := range []int64{c1, c2} {
			found, err := h.Contacts(ctx, h.boris, store.ContactQuery{ClientID: id, Limit: 500})
			h.must(err)
			for _, c := range found {
				if strings.HasPrefix(c.Subject, "p") {
					planned++
				}
			}
		}
		if planned != rounds {
			t.Errorf("%d contacts planned of %d", planned, rounds)
		}
	})
}

// A client with 10,000 contacts, half of which the other one has too.
func TestMerge_big(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c := &clock{t: monday()}
	h := &house{Store: storetest.SQLite(t, store.Options{Render: plain, Now: c.now}), t: t, clock: c}
	h.fill()
	f := h.folder("anna", "anna", 7)
	for from := 0; from < 10_000; from += 500 {
		var letters []store.FiledLetter
		for i := range 500 {
			l := h.letter(uint32(from+i+1), fmt.Sprintf("b%d", from+i))
			if l.Clients = []int64{h.clients["c2"]}; i%2 == 0 {
				l.Clients = append(l.Clients, h.clients["c1"])
			}
			letters = append(letters, l)
		}
		h.batch(f, letters...)
	}
	start := time.Now()
	m := h.merge(h.clients["c1"], h.clients["c2"])
	merged := time.Since(start)
	h.unmerge(m.ID)
	t.Logf("%d contacts, %d doubles: merged in %v, undone in %v", m.Contacts, m.Doubles, merged.Round(time.Millisecond), (time.Since(start) - merged).Round(time.Millisecond))
	if m.Contacts != 10_000 || m.Doubles != 5_000 {
		t.Errorf("%+v", m)
	}
	if merged > 20*time.Second {
		t.Errorf("took %v", merged)
	}
}

// Programs that follow a book or a calendar by its log learn of a merge.
func TestMerge_programsAreTold(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		h.imports(func(im *store.Import) {
			h.row(im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "Jane"}))
			h.row(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Date: "2026-11-02", Client: "c2", Amount: store.Money{Minor: 5}}))
		})
		_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{Kind: store.Call, ClientID: c2, Subject: "call", When: store.Span{Start: monday(), End: monday().Add(time.Hour)}})
		h.must(err)
		books := map[string]*follower{"anna's": h.follow(h.anna, store.OwnBook), "ivan's": h.follow(h.ivan, store.OwnBook), "all": h.follow(h.boris, store.AllBook)}
		tags := func() string {
			col, err := h.Collection(ctx, h.ivan.ID, "current")
			h.must(err)
			out := ""
			h.must(h.Entries(ctx, col.ID, time.Time{}, time.Time{}, store.EntryDetails, nil, func(e *store.Entry) error {
				out += e.Name + " " + e.ETag + "\n"
				return nil
			}))
			return out
		}
		told := func(what string, want map[string]int) {
			t.Helper()
			for name, f := range books {
				if said := f.sync(); len(said) != want[name] { // sync itself compares the book with what the log told
					t.Errorf("%s: the book %s told %q", what, name, said)
				}
			}
		}
		for _, f := range books {
			f.sync()
		}
		before := tags()
		m := h.merge(c1, c2)
		told("merged", map[string]int{"anna's": 2, "ivan's": 1, "all": 2})
		merged := tags()
		if merged == before || merged == "" {
			t.Errorf("the ETag of ivan's call stays %s", merged)
		}
		h.unmerge(m.ID)
		told("undone", map[string]int{"anna's": 2, "ivan's": 1, "all": 2})
		if tags() == merged {
			t.Errorf("the ETag of ivan's call stays %s after undoing", merged)
		}
	})
}

// A meeting to which both were invited is one while they are, and follows its
// organizer.
func TestUnmerge_invitations(t *testing.T) {
	each(t, func(h *house) {
		c1, c2 := h.clients["c1"], h.clients["c2"]
		f := h.folder("anna", "anna", 7)
		invite := func(uid uint32, key, meeting string, clients ...int64) {
			l := h.letter(uid, key)
			l.Clients = clients
			l.Invitation = &store.Invitation{UID: meeting, Method: store.InvitationRequest, Whole: true, Title: "Meet " + meeting,
				When: store.Span{Start: monday().Add(24 * time.Hour), End: monday().Add(25 * time.Hour)}, Revision: store.Revision{Sequence: 1, Stamp: monday()}}
			h.file(f, l)
		}
		invite(1, "both", "m1@x", c1, c2)
		invite(2, "one", "m2@x", c2)
		before := h.exports()
		open := func(client int64) (n int) {
			found, err := h.Contacts(ctx, h.boris, store.ContactQuery{ClientID: client})
			h.must(err)
			for _, c := range found {
				if c.State == store.Planned {
					n++
				}
			}
			return n
		}
		if open(c1) != 1 || open(c2) != 2 {
			t.Fatalf("planned before: %d and %d", open(c1), open(c2))
		}
		m := h.merge(c1, c2)
		if open(c1) != 2 {
			t.Errorf("planned after merging: %d", open(c1))
		}
		h.unmerge(m.ID)
		h.sameRecords("exports", h.exports(), before)
		// The organizer moves the one and cancels the other while they are one.
		m = h.merge(c1, c2)
		l := h.letter(3, "cancel")
		l.Invitation = &store.Invitation{UID: "m2@x", Method: store.InvitationCancel, Whole: true, Revision: store.Revision{Sequence: 2, Stamp: monday().Add(time.Hour)}}
		h.file(f, l)
		if open(c1) != 1 {
			t.Errorf("planned after the organizer cancelled one: %d", open(c1))
		}
		h.unmerge(m.ID)
		if open(c1) != 1 || open(c2) != 1 {
			t.Errorf("planned at last: %d and %d", open(c1), open(c2))
		}
	})
}
