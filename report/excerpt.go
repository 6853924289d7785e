package report

import (
	"context"
	"slices"
	"strings"

	"intouch/store"
)

// What a mail shows of a report where the page has all of it.

// Asked is what a request asks for as people say it, a line each: the period,
// the groupings, the filters. It computes nothing; errors are those of Run.
func Asked(ctx context.Context, st *store.Store, req Request) ([]string, error) {
	r, err := newRun(ctx, st, req)
	if err != nil {
		return nil, err
	}
	var lines []string
	if !r.all {
		days := r.days(r.period)
		name := r.Params.Get("period")
		if r.Params.Get("from") == "" && name == "" {
			name = r.report.period
		}
		if word := r.t("period." + name); slices.Contains(periodWords, name) {
			days = word
		}
		lines = append(lines, days)
	}
	if r.Params.Get("by") != "" {
		var by []string
		for _, g := range r.by {
			by = append(by, r.t("by."+g))
		}
		lines = append(lines, r.t("grouped", strings.Join(by, ", ")))
	}
	for _, name := range optionNames(r.report.options) {
		for _, value := range r.Params[name] {
			word := r.t("option." + value)
			if word == "option."+value {
				word = value
			}
			lines = append(lines, r.t("option."+name)+": "+word)
		}
	}
	if r.rows {
		lines = append(lines, r.aboutRecords())
	}
	return append(lines, r.selected()...), nil
}

// Only is the table with those of its columns alone, in the order of the table.
func (t *Table) Only(keys ...string) *Table {
	of := func(values []Value) []Value {
		var out []Value
		for i, c := range t.Columns {
			if i < len(values) && slices.Contains(keys, c.Key) {
				out = append(out, values[i])
			}
		}
		return out
	}
	out := *t
	out.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return !slices.Contains(keys, c.Key) })
	out.Rows = slices.Clone(t.Rows)
	for i := range out.Rows {
		out.Rows[i].Values = of(out.Rows[i].Values)
	}
	out.Total = of(t.Total)
	return &out
}

// Whole is the table with its sums without minor units, rounded: for where
// there is little room.
func (t *Table) Whole() *Table {
	t = t.flat()
	out := *t
	of := func(values []Value) []Value {
		values = slices.Clone(values)
		for i, v := range values {
			if t.Columns[i].Type != Sum || v.None || v.Said || len(v.Sums) == 0 {
				continue
			}
			var parts []string
			for _, m := range v.Sums {
				parts = append(parts, m.Whole(t.Lang))
			}
			if v.Unknown { // of some of the rows
				parts = append(parts, voice{t.Lang}.t("unknown"))
			}
			values[i].Text, values[i].Said = strings.Join(parts, " + "), true
		}
		return values
	}
	out.Rows = slices.Clone(t.Rows)
	for i := range out.Rows {
		out.Rows[i].Values = of(out.Rows[i].Values)
	}
	out.Total = of(t.Total)
	return &out
}

// Summary is the table of its groups, without the records in them.
func (t *Table) Summary() *Table {
	out := *t
	out.Rows, out.long, out.members = nil, nil, nil
	for _, row := range t.Rows {
		if row.members = nil; !row.Leaf {
			out.Rows = append(out.Rows, row)
		}
	}
	if n := len(t.Groups) - 1; n > 0 {
		out.Groups = t.Groups[:n] // the innermost names the records
	}
	return &out
}

// First is the table with at most n rows of itself and of each section. A note
// says that it is not all.
func (t *Table) First(n int) *Table {
	out := *t
	if all := t.Len(); all > n {
		v := voice{t.Lang}
		out.Rows, out.long, out.members = slices.Collect(t.firstRows(n)), nil, nil
		out.Notes = append(slices.Clone(t.Notes), v.t("shown first", v.number(int64(n)), v.number(int64(all))))
	}
	out.Sections = slices.Clone(t.Sections)
	for i := range out.Sections {
		out.Sections[i] = *t.Sections[i].First(n)
	}
	return &out
}

// Turned is a wide and low table with its columns as rows, so that it fits a
// mail: the indicators of a few managers, say. Any other comes back as it is.
// Its figures lead nowhere.
func (t *Table) Turned() *Table {
	const wide, low = 9, 8
	n := len(t.Rows)
	if t.Total != nil {
		n++
	}
	if len(t.Groups) != 1 || len(t.Columns) < wide || n > low || n == 0 || slices.ContainsFunc(t.Columns, func(c Column) bool { return !c.Type.numeric() }) {
		return t
	}
	out := *t
	out.Columns, out.Rows, out.Total = nil, make([]Row, len(t.Columns)), nil
	for i, c := range t.Columns {
		out.Rows[i] = Row{Leaf: true, Path: []Value{text(c.Title)}}
	}
	add := func(title string, values []Value) {
		out.Columns = append(out.Columns, Column{Key: title, Title: title, Type: Amount})
		for i, v := range values {
			out.Rows[i].Values = append(out.Rows[i].Values, Value{Text: t.Said(i, v), Said: true})
		}
	}
	for i := range t.Rows {
		title := ""
		if path := t.Rows[i].Path; len(path) > 0 {
			title = path[len(path)-1].Text
		}
		add(title, t.Rows[i].Values)
	}
	if t.Total != nil {
		add(voice{t.Lang}.t("total"), t.Total)
	}
	out.Groups = []Column{{Key: "indicator", Title: voice{t.Lang}.t("indicator"), Type: Text}}
	return &out
}

// Empty reports whether there is nothing in the table: its rows are at most
// those that nothing fell into.
func (t *Table) Empty() bool {
	for row := range t.All() {
		for n, v := range row.Values {
			if !t.Columns[n].Type.numeric() && !v.None || v.some() {
				return false
			}
		}
	}
	return !slices.ContainsFunc(t.Sections, func(s Table) bool { return !s.Empty() })
}

// Said is the value of a column as people read it.
func (t *Table) Said(column int, v Value) string {
	return voice{t.Lang}.show(t.Columns[column].Type, v, t.Zone)
}

// Cell is the value of a row in the column of that key, as people read it.
func (t *Table) Cell(row *Row, key string) string {
	for i, c := range t.Columns {
		if c.Key == key && i < len(row.Values) {
			return t.Said(i, row.Values[i])
		}
	}
	return ""
}

// Zero reports whether the value says nothing: no number, or that there is
// none.
func (v Value) Zero() bool {
	return !v.Unknown && v.N == 0 && (v.Text == "" || len(v.Sums) > 0) && !slices.ContainsFunc(v.Sums, func(m store.Money) bool { return m.Minor != 0 })
}
