package report

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/xuri/excelize/v2"

	"intouch/store"
)

// longList lists so many records of three clients, in no order.
func longList(t *testing.T, records int, grouped bool) *Table {
	t.Helper()
	r := &run{Request: Request{Currency: "RUB"}, lang: store.English, report: &openDealsReport, rows: !grouped}
	if grouped {
		r.by = []string{"client"}
	}
	table := &Table{Name: "open-deals", Lang: r.lang, Columns: []Column{r.column("deals", Count), r.column("date", Day), r.column("sum", Sum), r.column("paid", Sum), r.column("status", Text)}}
	table.Columns[2].NoSum = true
	all := r.listing(table)
	for i := range records {
		n := i * 7919 % records
		path := r.grouping(func(string) store.GroupKey {
			return store.GroupKey{ID: int64(1 + n%3), Text: fmt.Sprintf("Client %d", n%3)}
		})
		sum, paid := sums(store.Money{Minor: int64(n), Currency: "RUB"}, store.Money{Minor: 5, Currency: "USD"}), Value{}
		if n%100 == 0 {
			sum = none()
		} else if n%100 == 1 {
			paid = unknown()
		}
		status := r.statusWord(store.StatusCurrent)
		status.Estimated, status.FirstDay = n%2 == 0, int32(n)
		all.add(&record{path: path, own: recordStep(int64(n), fmt.Sprintf("№ %d\n", n), fmt.Sprintf("%05d", n)), status: store.StatusCurrent, url: fmt.Sprintf("/deals/%d", n),
			values: []Value{count(1), day("2026-11-25"), sum, paid, status}})
	}
	if err := all.rows("deal"); err != nil {
		t.Fatal(err)
	}
	table.zeros("RUB")
	return table
}

// Letters that are taken for plain are one wide, however they stand together.
func TestPlainWidth(t *testing.T) {
	plain := 0
	for r := rune(0); r < 0x30000; r++ {
		if n, ok := plainWidth(string(r)); ok {
			plain++
			if both := string([]rune{r, 'я', r}); n != 1 || terminal.StringWidth(string(r)) != 1 || terminal.StringWidth(both) != 3 {
				t.Errorf("%q is not one wide", r)
			}
		}
	}
	if plain < 300 {
		t.Errorf("%d letters are plain", plain)
	}
	for _, s := range []string{"日本", "\x1b[31m", "e\u0301", "👩‍🚀", "\u202e"} {
		if _, ok := plainWidth("я" + s); ok {
			t.Errorf("%q is taken for plain", s)
		}
	}
}

// A long list is written as the same one with all its rows at hand.
func TestLongList(t *testing.T) {
	const records = 2 * maxRowsAtOnce
	if short := longList(t, maxRowsAtOnce, true); short.long != nil || len(short.Rows) != maxRowsAtOnce+3 {
		t.Errorf("a short list has %d rows", len(short.Rows))
	}
	for _, grouped := range []bool{true, false} {
		list := longList(t, records, grouped)
		flat := list.flat()
		rows := records
		if grouped {
			rows += 3
		}
		if list.long == nil || len(list.Rows) > 3 || list.Len() != rows || len(flat.Rows) != rows || flat.long != nil {
			t.Fatalf("%d rows, %d with the records, %d at hand", len(list.Rows), list.Len(), len(flat.Rows))
		}
		n, before := 0, ""
		for _, row := range flat.Rows {
			if !row.Leaf {
				before = ""
				continue
			}
			if n++; row.URL <= before && len(row.URL) == len(before) {
				t.Fatalf("%s comes after %s", row.URL, before)
			}
			before = row.URL
			var i int
			if _, err := fmt.Sscanf(row.URL, "/deals/%d", &i); err != nil || row.Path[len(row.Path)-1].Text != fmt.Sprintf("№ %d\n", i) || row.Status != store.StatusCurrent ||
				row.Values[0].N != 1 || row.Values[1].Text != "2026-11-25" || i%100 > 0 && row.Values[2].Sums[0].Minor != int64(i) || i%100 == 0 && !row.Values[2].None ||
				row.Values[3].Unknown != (i%100 == 1) || i%100 != 1 && len(row.Values[3].Sums) != 1 || row.Values[4].Estimated != (i%2 == 0) || row.Values[4].FirstDay != int32(i) {
				t.Fatalf("row of %d: %+v", i, row)
			}
		}
		for name, write := range map[string]func(*Table, *bytes.Buffer) error{
			"text": func(t *Table, b *bytes.Buffer) error { return t.WriteText(b) },
			"csv":  func(t *Table, b *bytes.Buffer) error { return t.WriteCSV(b, false) },
			"json": func(t *Table, b *bytes.Buffer) error { return t.WriteJSON(b) },
			"html": func(t *Table, b *bytes.Buffer) error { return t.WriteHTML(b, HTMLOptions{For: Document}) },
			"page": func(t *Table, b *bytes.Buffer) error { return t.WriteHTML(b, HTMLOptions{For: Page}) },
			"mail": func(t *Table, b *bytes.Buffer) error { return t.First(100).WriteHTML(b, HTMLOptions{For: Mail}) },
			"groups": func(t *Table, b *bytes.Buffer) error {
				return t.Summary().Whole().Only("deals", "paid").WriteText(b)
			},
			"xlsx": func(t *Table, b *bytes.Buffer) error {
				var file bytes.Buffer
				if err := t.WriteXLSX(&file); err != nil {
					return err
				}
				f, err := excelize.OpenReader(&file)
				if err != nil {
					return err
				}
				defer f.Close()
				cells, err := f.GetRows(mainSheet)
				formula, _ := f.GetCellFormula(mainSheet, fmt.Sprintf("C%d", len(cells)))
				fmt.Fprintf(b, "%q %s", cells, formula)
				return err
			},
		} {
			var got, want bytes.Buffer
			if err := write(list, &got); err != nil {
				t.Fatal(err)
			}
			if err := write(flat, &want); err != nil {
				t.Fatal(err)
			}
			if got.Len() == 0 || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s, grouped %t: differs from the table with all rows:\n%.2000s\nand\n%.2000s", name, grouped, got.String(), want.String())
			}
		}
		if !reflect.DeepEqual(list.Total, flat.Total) || list.Total[0].N != records || !list.Total[3].Unknown {
			t.Errorf("total %v", list.Total)
		}
	}
}
