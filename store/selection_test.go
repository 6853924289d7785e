package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestParseSelection(t *testing.T) {
	got, err := store.ParseSelection(`abc=a, abc = B,stage=lost, xyz=none, importance=High, manager=Anna, last-contact-before=30d,
		attribute segment=horeca, attribute segment="кафе, бары", attribute Город = Пермь, name="ООО ""Ромашка"""`, "2026-11-25")
	want := store.Selection{Name: `ООО "Ромашка"`, Classes: []string{"A", "B"}, Stages: []string{"lost"}, Variations: []string{"none"},
		Importances: []store.Importance{store.High}, Managers: []string{"anna"}, LastContactBefore: "2026-10-26",
		Attributes: store.Attributes{"segment": {"horeca", "кафе, бары"}, "Город": {"Пермь"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v, want\n%+v", err, got, want)
	}
	if got, err := store.ParseSelection(" , ", "2026-11-25"); err != nil || !reflect.DeepEqual(got, store.Selection{}) {
		t.Errorf("nothing: %+v %v", got, err)
	}
	for text, says := range map[string]string{
		"abc=D":                           `abc: "D" is none of [A B C]`,
		"abc":                             `"abc" is not like KEY=VALUE`,
		"abc=":                            `"abc" is not like KEY=VALUE`,
		"=A":                              `is not like KEY=VALUE`,
		"colour=red":                      `"colour" is no condition`,
		"importance=none":                 `importance: "none" is none of`,
		"last-contact-before=yesterday":   `neither a day like`,
		"last-contact-before=2026-13-01":  `neither a day like`,
		`name="open`:                      `a quote is not closed`,
		"attribute =x":                    `"attribute" is no condition`,
		strings.Repeat("x", 5000):         `longer than 4000 bytes`,
		strings.Repeat("abc=A,", 60):      `more than 50 conditions`,
		"name=" + strings.Repeat("y", 10): "",
	} {
		_, err := store.ParseSelection(text, "2026-11-25")
		var bad *store.Invalid
		switch {
		case says == "" && err != nil, says != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), says)):
			t.Errorf("%.40q: %v, want %q", text, err, says)
		}
	}
}

// What String writes, ParseAttributes reads.
func TestAttributes_String(t *testing.T) {
	for _, a := range []store.Attributes{
		{"segment": {"a", "b"}, "Город": {"Пермь"}},
		{`a "b", c`: {`=x`, ` y `, "\"", "1,2"}, "d=e": {"f"}},
	} {
		// What is trimmed at the ends of names and values is no part of them.
		trimmed := store.Attributes{}
		for name, values := range a {
			for _, v := range values {
				trimmed[name] = append(trimmed[name], strings.TrimSpace(v))
			}
		}
		back, err := store.ParseAttributes(a.String())
		if err != nil || back.String() != trimmed.String() {
			t.Errorf("%s gave %s, %v", a, back, err)
		}
	}
}

func TestSelectClients(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for i := range 6 {
				h.row(im.Client(store.ClientRow{ID: fmt.Sprint("x", i), Name: fmt.Sprint("Кафе ", i), Manager: []string{"anna", "ivan", ""}[i%3], Importance: []string{"high", "low"}[i%2],
					Stage: []string{"regular", "lost"}[i/3], Attributes: map[string]string{"Сегмент": []string{"HoReCa", "опт"}[i%2], "город": "Пермь"}}))
			}
		})
		list, err := h.Clients(ctx, h.boris, "кафе", 100)
		h.must(err)
		for _, c := range list {
			h.clients[c.ExternalID] = c.ID
		}
		h.talked("x0", 3)
		h.talked("x1", 40)
		pick := func(who store.Manager, where string) (names []string) {
			h.t.Helper()
			sel, err := store.ParseSelection(where, "2026-11-23")
			h.must(err)
			var after int64
			for range 20 { // pages of two
				page, more, err := h.SelectClients(ctx, who, sel, time.UTC, after, 2)
				h.must(err)
				for _, c := range page {
					names = append(names, c.Name+" "+c.Manager)
					after = c.ID
				}
				if !more {
					return names
				}
			}
			h.t.Fatal("the pages do not end")
			return nil
		}
		is := func(where string, want ...string) {
			h.t.Helper()
			h.expect(where, pick(h.boris, where), want...)
		}
		is("name=КАФЕ", "Кафе 0 anna", "Кафе 1 ivan", "Кафе 2 ", "Кафе 3 anna", "Кафе 4 ivan", "Кафе 5 ")
		is("stage=lost, name=кафе", "Кафе 3", "Кафе 4", "Кафе 5")
		is("stage=lost,stage=regular,importance=high", "Кафе 0", "Кафе 2", "Кафе 4")
		is("attribute сегмент=horeca", "Кафе 0", "Кафе 2", "Кафе 4")
		is("attribute сегмент=horeca, attribute сегмент=опт, attribute ГОРОД=пермь, manager=none", "Кафе 2", "Кафе 5")
		is("attribute сегмент=нет")
		is("manager=ivan,manager=none,name=кафе", "Кафе 1", "Кафе 2", "Кафе 4", "Кафе 5")
		is("last-contact-before=2026-11-01,name=кафе", "Кафе 1", "Кафе 2", "Кафе 3", "Кафе 4", "Кафе 5")
		is("abc=none,xyz=none,stage=none", "Northland", "Ромашка")
		h.expect("anna sees her own and those that she talked with", pick(h.anna, "name=кафе"), "Кафе 0", "Кафе 1", "Кафе 3")
		_, _, err = h.SelectClients(ctx, h.boris, store.Selection{Managers: []string{"nobody"}}, time.UTC, 0, 5)
		if bad := new(store.Invalid); !errors.As(err, &bad) || bad.Field != "manager" {
			h.t.Errorf("an unknown manager: %v", err)
		}
		page, _, err := h.SelectClients(ctx, h.boris, store.Selection{Name: "кафе 1"}, time.UTC, 0, 5)
		h.must(err)
		if len(page) != 1 || !page[0].LastContact.Equal(h.clock.t.AddDate(0, 0, -40)) {
			h.t.Errorf("%+v", page)
		}
	})
}

// A calendar of an attribute follows the client.
func TestFilter_Attributes(t *testing.T) {
	each(t, func(h *house) {
		h.call("О меню", h.clock.t.Add(time.Hour))
		say := func(segment string) {
			h.imports(func(im *store.Import) {
				h.row(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Attributes: map[string]string{"segment": segment}}))
			})
		}
		say("Кафе")
		cafes := h.filter(h.anna, "Кафе", store.Filter{Attributes: store.Attributes{"Segment": {"бар", "кафе"}}, Types: []store.ItemType{store.ContactItem}})
		h.expect("a café", h.shown(h.anna, cafes.Slug), "О меню")
		say("опт")
		h.expect("no more", h.shown(h.anna, cafes.Slug))
		say("бар")
		h.expect("a bar", h.shown(h.anna, cafes.Slug), "О меню")
		_, err := h.MakeFilter(ctx, store.Actor{ManagerID: h.anna.ID}, store.Filter{Attributes: store.Attributes{"": {"x"}}}, named("x"))
		if bad := new(store.Invalid); !errors.As(err, &bad) || bad.Field != "attribute" {
			h.t.Errorf("without a name: %v", err)
		}
	})
}
