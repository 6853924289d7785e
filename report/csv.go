package report

import (
	"encoding/csv"
	"encoding/json"
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
	for i := range t.Rows {
		row := &t.Rows[i]
		if !row.Leaf {
			continue
		}
		var line []string
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
		seen := Value{}
		for i := range t.Rows {
			seen = seen.plus(t.Rows[i].Values[n])
		}
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
// spreadsheet: such a text begins with an apostrophe then.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// WriteJSON writes the table for programs:
//
//	report, title, about   what it is
//	groups, columns        [{key, title, type}]
//	rows                   [{level, leaf, path, values, status, unknown, link, url}]
//	total                  as values
//	notes                  texts
//	sections               tables of the same form; report names what it has
//
// values has one member for each column that has a value: a number for count
// and minutes, a number with at most two decimals for percent, [{minor,
// currency}] for money, an ISO day, an RFC 3339 moment, else a text. unknown
// lists the columns of which the data do not say; estimated those with an
// estimate in them.
func (t *Table) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(t.json())
}

// jsonTable is a table as WriteJSON documents it.
type jsonTable struct {
	Report   string       `json:"report"`
	Title    string       `json:"title"`
	About    []string     `json:"about"`
	Groups   []jsonColumn `json:"groups"`
	Columns  []jsonColumn `json:"columns"`
	Rows     []jsonRow    `json:"rows"`
	Total    *jsonRow     `json:"total,omitempty"`
	Notes    []string     `json:"notes"`
	Sections []jsonTable  `json:"sections,omitempty"`
}

type jsonColumn struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	Type  Type   `json:"type"`
}

type jsonRow struct {
	Level     int                 `json:"level"`
	Leaf      bool                `json:"leaf"`
	Path      []string            `json:"path"`
	Values    map[string]any      `json:"values"`
	Unknown   []string            `json:"unknown,omitempty"`
	Estimated []string            `json:"estimated,omitempty"`
	Status    store.Status        `json:"status,omitempty"`
	Link      map[string][]string `json:"link,omitempty"`
	URL       string              `json:"url,omitempty"`
}

func (t *Table) json() jsonTable {
	columns := func(all []Column) []jsonColumn {
		out := make([]jsonColumn, len(all))
		for i, c := range all {
			out[i] = jsonColumn{c.Key, c.Title, c.Type}
		}
		return out
	}
	rowOf := func(r *Row) jsonRow {
		out := jsonRow{Level: len(r.Path), Leaf: r.Leaf, Path: make([]string, len(r.Path)), Values: map[string]any{}, Status: r.Status, Link: r.Link, URL: r.URL}
		for i, step := range r.Path {
			out.Path[i] = step.Text
		}
		for i, v := range r.Values {
			c := t.Columns[i]
			switch {
			case v.Unknown && len(v.Sums) == 0:
				out.Unknown = append(out.Unknown, c.Key)
			case !v.None:
				if v.Unknown { // of some of the rows
					out.Unknown = append(out.Unknown, c.Key)
				}
				out.Values[c.Key] = jsonValue(c.Type, v)
			}
			if v.Estimated {
				out.Estimated = append(out.Estimated, c.Key)
			}
		}
		return out
	}
	all := jsonTable{Report: t.Name, Title: t.Title, About: append([]string{}, t.About...), Groups: columns(t.Groups), Columns: columns(t.Columns),
		Rows: make([]jsonRow, len(t.Rows)), Notes: append([]string{}, t.Notes...)}
	for i := range t.Rows {
		all.Rows[i] = rowOf(&t.Rows[i])
	}
	if t.Total != nil {
		total := rowOf(&Row{Values: t.Total})
		all.Total = &total
	}
	for i := range t.Sections {
		all.Sections = append(all.Sections, t.Sections[i].json())
	}
	return all
}

func jsonValue(kind Type, v Value) any {
	switch kind {
	case Count, Minutes:
		return v.N
	case Percent:
		return json.Number(store.Money{Minor: v.N}.Plain())
	case Sum:
		type money struct {
			Minor    int64  `json:"minor"`
			Currency string `json:"currency"`
		}
		out := make([]money, len(v.Sums))
		for i, m := range v.Sums {
			out[i] = money{m.Minor, m.Currency}
		}
		return out
	case Moment:
		return time.Unix(v.N, 0).UTC().Format(time.RFC3339)
	}
	return v.Text
}
