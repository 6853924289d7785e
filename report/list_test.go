package report

import (
	"bytes"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"intouch/store"
)

// A bounded list has the groups and totals of all records, and the first ones
// of them in the same order.
func TestListBounded(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		ask := func(name, params string, most int) *Table {
			q, err := url.ParseQuery(params)
			if err != nil {
				t.Fatal(err)
			}
			table, err := Run(t.Context(), o.Store, Request{Name: name, Viewer: o.olga, Now: now, Currency: "RUB", Params: q, Most: most})
			if err != nil {
				t.Fatal(err)
			}
			return table
		}
		for _, report := range []string{"open-deals by=client", "open-deals by=manager,status", "open-deals rows=1", "persons by=client", "calendar by=day"} {
			name, params, _ := strings.Cut(report, " ")
			all := ask(name, params, 0)
			records := 0
			for _, r := range all.Rows {
				if r.Leaf {
					records++
				}
			}
			if records < 3 || all.Left != 0 {
				t.Fatalf("%s: %d records, %d left", report, records, all.Left)
			}
			for most := 1; most <= records+1; most++ {
				var want []Row
				kept := 0
				for _, r := range all.Rows {
					if !r.Leaf || kept < most {
						want = append(want, r)
					}
					if r.Leaf {
						kept++
					}
				}
				got := ask(name, params, most)
				if !reflect.DeepEqual(got.Rows, want) || !reflect.DeepEqual(got.Total, all.Total) || got.Left != max(records-most, 0) {
					t.Errorf("%s, at most %d: %d rows, %d left, total %v; want %d rows, total %v", report, most, len(got.Rows), got.Left, got.Total, len(want), all.Total)
				}
			}
		}
	})
}

// A page shows the first records and the outermost groups, and says how many
// rows it leaves out; a file of its own has all.
func TestHTMLBounded(t *testing.T) {
	table := &Table{Lang: store.English, Groups: []Column{{Title: "Manager"}, {Title: "Client"}}, Columns: []Column{{Title: "Deals", Type: Count}}, Total: []Value{count(9999)}}
	for m := range 3 {
		table.Rows = append(table.Rows, Row{Path: []Value{text(fmt.Sprintf("manager %d.", m))}, Values: []Value{count(1)}})
		for c := range PageRows - 300 {
			table.Rows = append(table.Rows, Row{Path: []Value{text(""), text(fmt.Sprintf("client %d.%d.", m, c))}, Values: []Value{count(1)}, Leaf: true})
		}
		table.Rows = append(table.Rows, Row{Path: []Value{text(fmt.Sprintf("share of %d.", m))}, Values: []Value{count(1)}, Aside: true})
	}
	for _, c := range []struct {
		as      HTML
		clients int
		note    string
	}{{Page, PageRows, "rows left out: 1,100."}, {Mail, PageRows, "rows left out: 1,100."}, {Document, 3 * (PageRows - 300), ""}} {
		var buf bytes.Buffer
		if err := table.WriteHTML(&buf, HTMLOptions{For: c.as}); err != nil {
			t.Fatal(err)
		}
		out := buf.String()
		for text, want := range map[string]int{"client ": c.clients, "manager ": 3, "share of ": 3, "9,999": 1} {
			if got := strings.Count(out, text); got != want {
				t.Errorf("%s: %d times %q, want %d", c.as, got, text, want)
			}
		}
		if c.as == Page { // the last page has what is left, and all groups
			var last bytes.Buffer
			if err := table.WriteHTML(&last, HTMLOptions{For: Page, Skip: 2 * PageRows}); err != nil {
				t.Fatal(err)
			}
			if clients, groups := strings.Count(last.String(), "client "), strings.Count(last.String(), "manager "); clients != 100 || groups != 3 || strings.Contains(last.String(), "left out") ||
				!strings.Contains(last.String(), "client 2.699.") {
				t.Errorf("the last page has %d clients and %d managers", clients, groups)
			}
			if !table.HasMore(2*PageRows) || table.HasMore(3*PageRows) {
				t.Error("which page is the last one")
			}
		}
		if !strings.Contains(out, c.note) || c.note == "" && strings.Contains(out, "left out") {
			t.Errorf("%s: no %q", c.as, c.note)
		}
	}
}
