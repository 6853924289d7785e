package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"intouch/store"
)

// WriteCSV writes the innermost rows for a spreadsheet or a program: one column
// for each grouping, then the figures; sums with a point and their currency in
// a column of its own, days as ISO, moments as RFC 3339. Totals are left out,
// since whoever adds up the column would count them twice. excel: semicolons, a
// byte order mark and decimal commas, as Excel in Russian opens it. Sections
// follow, each after an empty line and a line with its title.
func (t *Table) WriteCSV(w io.Writer, excel bool) error {
	out := csv.NewWriter(w)
	if excel {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
		out.Comma, out.UseCRLF = ';', true
	}
	if err := t.writeCSV(out, excel); err != nil {
		return err
	}
	for i := range t.Sections {
		section := &t.Sections[i]
		if err := out.WriteAll([][]string{{""}, {safe(section.Title)}}); err != nil {
			return err
		}
		if err := section.writeCSV(out, excel); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) writeCSV(out *csv.Writer, excel bool) error {
	v, currencies := voice{t.Lang}, t.currencies()
	var head []string
	for _, g := range t.Groups {
		head = append(head, g.Title)
	}
	for _, c := range t.Columns {
		if c.Type != Sum {
			head = append(head, c.Title)
			continue
		}
		for _, currency := range currencies[c.Key] {
			head = append(head, inCurrency(c.Title, currency))
		}
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for row := range t.All() {
		if !row.Leaf {
			continue
		}
		line := make([]string, 0, len(head))
		for g := range t.Groups {
			line = append(line, safe(pathText(row, g)))
		}
		for n, value := range row.Values {
			c := t.Columns[n]
			if c.Type != Sum {
				line = append(line, t.csvCell(c.Type, value, excel))
				continue
			}
			for _, currency := range currencies[c.Key] {
				line = append(line, csvSum(value, currency, v.t("unknown"), excel))
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func pathText(row *Row, group int) string {
	if group < len(row.Path) {
		return row.Path[group].Text
	}
	return ""
}

// currencies are those that occur in each column of sums.
func (t *Table) currencies() map[string][]string {
	found := map[string][]string{}
	for n, c := range t.Columns {
		if c.Type != Sum {
			continue
		}
		seen := t.seen(n)
		for _, m := range seen.Sums {
			found[c.Key] = append(found[c.Key], m.Currency)
		}
		if len(seen.Sums) == 0 && seen.Unknown {
			found[c.Key] = []string{""} // a column that says so
		}
	}
	return found
}

func (t *Table) csvCell(kind Type, v Value, excel bool) string {
	switch {
	case v.None:
		return ""
	case v.Unknown:
		return voice{t.Lang}.t("unknown")
	}
	switch kind {
	case Count, Minutes:
		return fmt.Sprint(v.N)
	case Percent:
		return decimal(store.Money{Minor: v.N}.Plain(), excel)
	case Moment:
		if v.N == 0 {
			return ""
		}
		if excel {
			return time.Unix(v.N, 0).In(t.Zone).Format("2006-01-02 15:04")
		}
		return time.Unix(v.N, 0).UTC().Format(time.RFC3339)
	case Amount:
		return decimal(v.Text, excel)
	case Day:
		return v.Text
	}
	return safe(v.Text)
}

// inCurrency is the title of a column of sums.
func inCurrency(title, currency string) string {
	if currency == "" {
		return title
	}
	return title + ", " + currency
}

func csvSum(v Value, currency, unknown string, excel bool) string {
	for _, m := range v.Sums {
		if m.Currency == currency && v.Unknown { // of some of the records
			return decimal(m.Plain(), excel) + " + " + unknown
		}
		if m.Currency == currency {
			return decimal(m.Plain(), excel)
		}
	}
	if v.Unknown {
		return unknown
	}
	return ""
}

func decimal(s string, comma bool) string {
	if comma {
		return strings.Replace(s, ".", ",", 1)
	}
	return s
}

// safe keeps a stranger's text from being taken for a formula by a
// spreadsheet: such a text begins with an apostrophe then. The signs count in
// their wide forms too, which some programs read alike, and behind spaces, which
// some leave out.
func safe(s string) string {
	if strings.IndexAny(strings.TrimLeft(s, " \u00a0\ufeff"), "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + s
	}
	return s
}
