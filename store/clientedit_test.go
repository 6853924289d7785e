package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"intouch/store"
)

func TestEditClient(t *testing.T) {
	each(t, func(h *house) {
		anna, ivan, boris := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.Actor{ManagerID: h.ivan.ID, Origin: store.FromWeb}, store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}
		id := h.clients["c1"]
		client := func() store.Client {
			card, err := h.Client(ctx, h.boris, id)
			h.must(err)
			return card.Client
		}
		_, err := h.PlanContact(ctx, anna, store.ContactDraft{Kind: store.Call, Subject: "Звонок", ClientID: id, When: store.Span{Start: h.Now(), End: h.Now()}})
		h.must(err)
		before := h.shown(h.anna, "current")

		c := client()
		e := c.Edit()
		h.must(h.EditClient(ctx, anna, id, c.Version, e))
		h.same("an edit that says nothing new", client().Version, c.Version)

		e.Name, e.Importance, e.Stage = " ООО «Ромашка Плюс» ", store.Low, "regular"
		e.Domains, e.Emails, e.Phones = []string{"@Romashka.test", "плюс.рф"}, []string{"Info@Romashka.test"}, []string{"+7 495 1", " "}
		e.Attributes = map[string]string{" segment ": "horeca", "empty": ""}
		h.must(h.EditClient(ctx, anna, id, c.Version, e))
		now := client()
		h.same("edited", fmt.Sprint(now.Name, now.Importance, now.Stage, now.Domains, now.Emails, now.Phones, now.Attributes, now.Version-c.Version),
			"ООО «Ромашка Плюс»lowregular[romashka.test xn--k1ahh5c.xn--p1ai] [info@romashka.test] [+7 495 1] map[segment:horeca] 1")
		if after := h.shown(h.anna, "current"); slices.Equal(before, after) || !strings.Contains(strings.Join(after, "\n"), "Ромашка Плюс") {
			t.Errorf("the calendar still shows %q", after)
		}

		// What is emptied goes, what was given by a file too.
		e = now.Edit()
		e.Stage, e.SourceID, e.Domains, e.Emails, e.Phones, e.Attributes = "", 0, nil, nil, nil, nil
		h.must(h.EditClient(ctx, anna, id, now.Version, e))
		now = client()
		h.same("emptied", fmt.Sprint(now.Stage, now.StageGiven(), now.SourceID, now.Domains, now.Emails, now.Phones, now.Attributes), "false 0 [] [] [] map[]")

		// Who may, and what is wrong.
		e = now.Edit()
		e.Name = "Other"
		h.same("of another version", errors.Is(h.EditClient(ctx, anna, id, now.Version-1, e), store.ErrStale), true)
		h.same("by a manager who does not know it", errors.Is(h.EditClient(ctx, ivan, id, now.Version, e), store.ErrNotFound), true)
		e.ManagerID = h.ivan.ID
		h.same("given away by its manager", errors.Is(h.EditClient(ctx, anna, id, now.Version, e), store.ErrForbidden), true)
		for field, wrong := range map[string]func(*store.ClientEdit){
			"name":       func(e *store.ClientEdit) { e.Name = "  " },
			"importance": func(e *store.ClientEdit) { e.Importance = "huge" },
			"stage":      func(e *store.ClientEdit) { e.Stage = "gone" },
			"emails":     func(e *store.ClientEdit) { e.Emails = []string{"nobody"} },
			"domains":    func(e *store.ClientEdit) { e.Domains = []string{"a b"} },
			"phones":     func(e *store.ClientEdit) { e.Phones = make([]string, 201) },
			"attributes": func(e *store.ClientEdit) { e.Attributes = map[string]string{" ": "x"} },
			"manager":    func(e *store.ClientEdit) { e.ManagerID = 999 },
			"source":     func(e *store.ClientEdit) { e.SourceID = 999 },
		} {
			e := now.Edit()
			wrong(&e)
			var bad *store.Invalid
			if err := h.EditClient(ctx, boris, id, now.Version, e); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("a wrong %s: %v", field, err)
			}
		}
		h.must(h.EditClient(ctx, boris, id, now.Version, e))
		h.same("given by a head", client().ManagerID, h.ivan.ID)
		log, err := h.ClientHistory(ctx, id, 100)
		h.must(err)
		h.same("the log", fmt.Sprint(log[0].ManagerID == h.boris.ID, log[0].Changes["name"], log[0].Changes["manager"]),
			fmt.Sprint(true, [2]string{"ООО «Ромашка Плюс»", "Other"}, [2]string{fmt.Sprint(h.anna.ID), fmt.Sprint(h.ivan.ID)}))
	})
}

func TestEditPerson(t *testing.T) {
	each(t, func(h *house) {
		anna, ivan := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.Actor{ManagerID: h.ivan.ID, Origin: store.FromWeb}
		id := h.clients["c1"]
		persons := func() []store.Person {
			card, err := h.Client(ctx, h.boris, id)
			h.must(err)
			return card.Persons
		}
		p := persons()[0]
		h.must(h.EditPerson(ctx, anna, id, p.ID, p.Version, store.PersonEdit{Name: "Ольга Петрова", Position: "закупки", Emails: []string{"OLGA@romashka.test"}, Birthday: "1985-12-03"}))
		now := persons()[0]
		h.same("edited", fmt.Sprint(now.Name, now.Position, now.Emails, now.Phones, now.Birthday, now.ExternalID), "Ольга Петровазакупки[olga@romashka.test] []1985-12-03p1")
		card, err := h.Card(ctx, h.anna, store.OwnBook, fmt.Sprintf("person-%d.vcf", p.ID))
		h.must(err)
		h.same("the address book", card.Name, "Ольга Петрова")
		h.same("stale", errors.Is(h.EditPerson(ctx, anna, id, p.ID, p.Version, now.Edit()), store.ErrStale), true)
		h.same("another manager's", errors.Is(h.EditPerson(ctx, ivan, id, p.ID, now.Version, now.Edit()), store.ErrNotFound), true)
		h.same("of another client", errors.Is(h.EditPerson(ctx, ivan, h.clients["c2"], p.ID, now.Version, now.Edit()), store.ErrNotFound), true)
		h.must(h.EditPerson(ctx, anna, id, 0, 0, store.PersonEdit{Name: "Пётр", Phones: []string{"+7 1"}}))
		all := persons()
		h.same("a new one", fmt.Sprint(len(all), all[1].Name, all[1].Phones), "2Пётр[+7 1]")
		var bad *store.Invalid
		h.same("no name", errors.As(h.EditPerson(ctx, anna, id, 0, 0, store.PersonEdit{Emails: []string{"x@y.test"}}), &bad) && bad.Field == "name", true)
		log, err := h.ClientHistory(ctx, id, 2)
		h.must(err)
		h.same("the client's log", fmt.Sprint(log[0].What, log[0].ID == all[1].ID, log[1].What, log[1].ID == p.ID), "persontruepersontrue")
	})
}

func TestSetSource(t *testing.T) {
	each(t, func(h *house) {
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		id := h.clients["c1"]
		h.imports(func(im *store.Import) { h.row(im.Source(store.SourceRow{ID: "s2", Name: "Сайт"})) })
		sources, err := h.Sources(ctx)
		h.must(err)
		first, site := sources[0].ID, sources[1].ID
		c, err := h.PlanContact(ctx, anna, store.ContactDraft{Kind: store.Call, State: store.Done, Subject: "Звонок", ClientID: id, When: store.Span{Start: h.Now(), End: h.Now()}})
		h.must(err)
		other, err := h.PlanContact(ctx, store.Actor{ManagerID: h.ivan.ID}, store.ContactDraft{Kind: store.Call, Subject: "X", ClientID: h.clients["c2"]})
		h.must(err)
		h.must(h.SetSource(ctx, anna, id, c.ID, site))
		uses, err := h.ClientSources(ctx, id, 10)
		h.must(err)
		h.same("uses", fmt.Sprint(len(uses), uses[0].Source, uses[0].ContactID == c.ID, uses[0].At.Equal(h.Now())), "1Сайтtrue true")
		h.must(h.SetSource(ctx, anna, id, 0, site))
		card, err := h.Client(ctx, h.anna, id)
		h.must(err)
		h.same("the first one", card.Client.SourceID, site)
		var bad *store.Invalid
		h.same("another client's contact", errors.As(h.SetSource(ctx, anna, id, other.ID, first), &bad) && bad.Field == "contact", true)
		h.same("no such source", errors.As(h.SetSource(ctx, anna, id, c.ID, 999), &bad) && bad.Field == "source", true)
		h.same("another manager's client", errors.Is(h.SetSource(ctx, anna, h.clients["c2"], 0, site), store.ErrNotFound), true)
	})
}
