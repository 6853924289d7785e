package report

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"intouch/store"
)

func TestAsked(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		for query, want := range map[string]string{
			"contacts?": "Этот месяц",
			"contacts?period=last-month&by=kind,week": "Прошлый месяц|По: Вид, Неделя",
			"contacts?period=2026-10&kind=call":       "октябрь 2026|Вид: Звонок",
			"contacts?from=2026-11-01&to=2026-11-02":  "1 ноября 2026 – 2 ноября 2026",
			"contacts?compare=year&rows=1":            "Этот месяц|Сравнить с: годом назад|Записи за этими числами",
			"managers?rows=deals":                     "Этот месяц|Записи за показателем «Сделки»",
			"open-deals?":                             "",
			"open-deals?by=nothing":                   "unknown grouping",
		} {
			name, params, _ := strings.Cut(query, "?")
			q, _ := url.ParseQuery(params)
			lines, err := Asked(t.Context(), o.Store, Request{Name: name, Viewer: o.olga, Now: now, Params: q})
			got := strings.ReplaceAll(strings.Join(lines, "|"), "\u00a0", " ")
			var wrong *Invalid
			if errors.As(err, &wrong) {
				got = wrong.Text[:min(len(wrong.Text), len(want))]
			} else if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

// What a mail shows has the same figures as the whole table.
func TestExcerpts(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		whole := o.table(t, o.olga, "managers", "")
		few := whole.Only("deals", "call")
		if len(few.Columns) != 2 || few.Columns[0].Key != "call" || len(few.Total) != 2 || len(few.Rows) != len(whole.Rows) {
			t.Fatalf("%+v", few.Columns)
		}
		for _, name := range []string{"Анна", "Иван", "Ольга"} {
			if got, want := cell(t, few, name, "deals").N, cell(t, whole, name, "deals").N; got != want {
				t.Errorf("%s: %d deals, want %d", name, got, want)
			}
		}
		round := whole.Whole()
		at := slices.IndexFunc(whole.Columns, func(c Column) bool { return c.Key == "average deal" })
		if got := round.Cell(&round.Rows[0], "average deal"); got != "633\u00a0₽" || whole.Cell(&whole.Rows[0], "average deal") != "633,33\u00a0₽" {
			t.Errorf("rounded %q of %+v", got, whole.Rows[0].Values[at])
		}

		turned := whole.Turned()
		if len(turned.Rows) != len(whole.Columns) || len(turned.Columns) != len(whole.Rows)+1 {
			t.Fatalf("turned to %d × %d", len(turned.Rows), len(turned.Columns))
		}
		for i, c := range whole.Columns {
			for n := range whole.Rows {
				if got, want := turned.Said(n, turned.Rows[i].Values[n]), whole.Cell(&whole.Rows[n], c.Key); got != want {
					t.Errorf("%s of row %d: %q, want %q", c.Key, n, got, want)
				}
			}
		}
		var page, text bytes.Buffer
		if err := errors.Join(turned.WriteHTML(&page, HTMLOptions{For: Mail}), turned.WriteText(&text)); err != nil || !strings.Contains(page.String(), "Сумма сделок") || !strings.Contains(text.String(), "Показатель") {
			t.Errorf("%v\n%s\n%s", err, page.String(), text.String())
		}

		deals := o.table(t, o.olga, "open-deals", "")
		groups := deals.Summary()
		if len(groups.Rows) == 0 || len(groups.Rows) >= len(deals.Rows) || len(groups.Groups) != 1 || slices.ContainsFunc(groups.Rows, func(r Row) bool { return r.Leaf }) {
			t.Errorf("summary %+v", groups)
		}
		if turned := deals.Turned(); turned != deals {
			t.Error("a list of records was turned")
		}
		first := deals.First(1)
		if len(first.Rows) != 1 || len(first.Notes) != len(deals.Notes)+1 || !strings.Contains(first.Notes[len(first.Notes)-1], fmt.Sprint(len(deals.Rows))) {
			t.Errorf("first %+v", first)
		}
		if all := deals.First(len(deals.Rows)); len(all.Notes) != len(deals.Notes) {
			t.Error("a whole table is said to be cut")
		}
		if nothing := o.table(t, o.olga, "open-deals", "stage=lost"); !nothing.Empty() || deals.Empty() {
			t.Error("what is empty")
		}
	})
}

// Nobody who cannot open the pages gets a link to them.
func TestHTML_Unlinked(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		deals := o.table(t, o.olga, "open-deals", "")
		for unlinked, want := range map[bool]bool{false: true, true: false} {
			var b bytes.Buffer
			if err := deals.WriteHTML(&b, HTMLOptions{For: Mail, Base: "https://crm.vector.test", Request: url.Values{}, Unlinked: unlinked}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(b.String(), "href="); got != want {
				t.Errorf("unlinked %v: links %v", unlinked, got)
			}
		}
	})
}

func TestValue_Zero(t *testing.T) {
	for want, all := range map[bool][]Value{
		true:  {{}, none(), count(0), sums(store.Money{Currency: "RUB"}), {Sums: []store.Money{{Currency: "RUB"}}, Text: "0 ₽", Said: true}},
		false: {count(1), unknown(), text("x"), sums(store.Money{Minor: -1, Currency: "RUB"})},
	} {
		for _, v := range all {
			if v.Zero() != want {
				t.Errorf("%+v: %v", v, !want)
			}
		}
	}
}
