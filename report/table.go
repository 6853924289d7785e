package report

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// Table is a computed report before it is rendered: rows that are grouped by
// Groups, and figures in Columns.
type Table struct {
	Name    string
	Title   string
	About   []string // the period, filters and who looks, a line each
	Groups  []Column // what the rows are grouped by, outermost first
	Columns []Column
	Rows    []Row   // a group's row comes before its members; see All
	Total   []Value // one for each column; nil: there is nothing to total
	Notes   []string
	// Sections are tables that belong to it, each with its title: the lines and
	// the documents of a deal.
	Sections []Table
	Left     int // how many records are not among the rows
	// People are the persons of the rows, where a request asks for them.
	People []store.PersonLine
	Lang   store.Language
	Zone   *time.Location // of moments
	// partial: it lists only the first of its records, so that they have no total.
	partial bool
	// listing: its innermost rows are the records of its own period, so that only
	// groups and the total have figures of others.
	listing bool
	// Of a long list the records are not among Rows: All gives them. members are
	// those outside of any group.
	long    *long
	members []packed
}

// Column is one kind of figure or text.
type Column struct {
	Key   string // for machines: "contacts"
	Title string
	Type  Type
	// NoSum: the total of the column is not the sum of its rows: an average, say.
	NoSum bool
	// Behind asks the same report for the records behind the column's figures,
	// beside what a row selects; nil: there are none.
	Behind url.Values
}

// adds reports whether the total of the column is the sum of its rows.
func (c *Column) adds() bool {
	return !c.NoSum && (c.Type == Count || c.Type == Minutes || c.Type == Sum)
}

// Type says how the values of a column are written, and whether they add up.
type Type string

const (
	Text    Type = "text"
	Count   Type = "count"    // N is a number of things
	Minutes Type = "minutes"  // N is minutes
	Sum     Type = "money"    // Sums, minor units
	Percent Type = "percent"  // N is hundredths of a percent
	Day     Type = "day"      // Text is an ISO day
	Moment  Type = "moment"   // N is seconds of UTC
	Amount  Type = "quantity" // Text is a decimal number, as given
)

// numeric reports whether values of the type stand to the right.
func (t Type) numeric() bool {
	return t == Count || t == Minutes || t == Sum || t == Percent || t == Amount
}

// Row is a group with the figures of all its members, or one member (Leaf).
type Row struct {
	Path   []Value // of the groups that it lies in, its own last; of a leaf one for each group
	Leaf   bool
	Values []Value // one for each column
	Status store.Status
	// Aside: no group of its own, but the average of the team.
	Aside bool
	URL   string // of the record that the row is, a path of the pages; "" for none
	// steps are the groups of Path, which select the records behind the row; none:
	// there are none.
	steps []*step
	// members are the packed records of the group.
	members []packed
}

// selects selects the records behind the row, as parameters of a request; nil:
// nothing does.
func (r *Row) selects() url.Values {
	if len(r.steps) == 0 {
		return nil
	}
	all := url.Values{}
	for _, s := range r.steps {
		switch s.filter {
		case "":
			return nil
		case days:
			from, last, _ := strings.Cut(s.value, " ")
			all.Set("from", from)
			all.Set("to", last)
		default:
			all.Set(s.filter, s.value)
		}
	}
	return all
}

// Depth is how far a text rendering moves the row to the right.
func (r *Row) Depth() int {
	if r.Leaf && len(r.Path) > 0 {
		return len(r.Path) - 1
	}
	return max(len(r.Path)-1, 0)
}

// Value is one cell. Which field holds it is the column's Type. There may be
// half a million: it is kept small.
type Value struct {
	Text string
	N    int64
	Sums []store.Money // one for each currency, sorted by its code; those with a rate are in one
	// Unknown: the data do not say. None: there is nothing to say, as the
	// margin of no sales.
	Unknown, None bool
	Estimated     bool // some of it is an estimate
	Said          bool // Text is what is shown, whatever the column's type
	// FirstDay is that of a group of days, as 20261125; Text is its name.
	FirstDay int32
}

// dayGroup is the name of a group of days that begins with d; "" none.
func dayGroup(name string, d store.Date) Value {
	n, _ := strconv.ParseInt(strings.ReplaceAll(string(d), "-", ""), 10, 32)
	return Value{Text: name, FirstDay: int32(n)}
}

// firstDay is the first day of a group of days; "" none.
func (v Value) firstDay() store.Date {
	if v.FirstDay == 0 {
		return ""
	}
	return store.Date(fmt.Sprintf("%04d-%02d-%02d", v.FirstDay/10000, v.FirstDay/100%100, v.FirstDay%100))
}

func text(s string) Value             { return Value{Text: s} }
func count(n int64) Value             { return Value{N: n} }
func none() Value                     { return Value{None: true} }
func unknown() Value                  { return Value{Unknown: true} }
func day(d store.Date) Value          { return Value{Text: string(d), None: d == ""} }
func sums(all ...store.Money) Value   { return Value{}.plus(Value{Sums: all}) }
func share(part, whole int64) Value   { return Value{N: percent(part, whole)} }
func minutes(n, estimate int64) Value { return Value{N: n, Estimated: estimate > 0} }

func quantity(s string, known bool) Value { return Value{Text: s, Unknown: !known} }

// amount is a sum that is unknown where the data do not say.
func amount(minor int64, currency string, known bool) Value {
	if !known {
		return unknown()
	}
	return sums(store.Money{Minor: minor, Currency: currency})
}

// percent is part / whole · 100 in hundredths, rounded half away from zero; a
// zero whole gives 0 (rules.md section 6).
func percent(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	// In floating point where the exact product would overflow: sums above
	// 9·10¹⁴ minor units.
	const exact = 1 << 49
	if part > exact || part < -exact {
		return int64(float64(part)/float64(whole)*10000 + 0.5)
	}
	n, d := part*10000, whole
	if d < 0 {
		n, d = -n, -d
	}
	if n < 0 {
		return -((-n + d/2) / d)
	}
	return (n + d/2) / d
}

// plus adds two figures of the same column. What is unknown makes the sum
// unknown.
func (v Value) plus(w Value) Value {
	out := Value{N: v.N + w.N, Unknown: v.Unknown || w.Unknown, None: v.None && w.None, Estimated: v.Estimated || w.Estimated}
	switch { // sums are never changed in place, so that values may share them
	case len(w.Sums) == 0:
		out.Sums = v.Sums
		return out
	case len(v.Sums) == 0:
		out.Sums = w.Sums
		return out
	}
	out.Sums = slices.Clone(v.Sums)
	for _, m := range w.Sums {
		at := slices.IndexFunc(out.Sums, func(have store.Money) bool { return have.Currency == m.Currency })
		if at < 0 {
			out.Sums = append(out.Sums, m)
			continue
		}
		out.Sums[at].Minor += m.Minor
	}
	slices.SortFunc(out.Sums, func(a, b store.Money) int {
		if a.Currency < b.Currency {
			return -1
		}
		return 1
	})
	return out
}

// increase adds to a figure whose sums nobody else has.
func (v *Value) increase(w *Value) {
	v.Text, v.Said, v.FirstDay = "", false, 0
	v.N += w.N
	v.Unknown, v.None, v.Estimated = v.Unknown || w.Unknown, v.None && w.None, v.Estimated || w.Estimated
	if len(v.Sums) == 1 && len(w.Sums) == 1 && v.Sums[0].Currency == w.Sums[0].Currency {
		v.Sums[0].Minor += w.Sums[0].Minor
	} else if len(w.Sums) > 0 {
		v.Sums = slices.Clone(Value{Sums: v.Sums}.plus(Value{Sums: w.Sums}).Sums)
	}
}

// minus takes a figure of the same column away.
func (v Value) minus(w Value) Value {
	w.N = -w.N
	return v.plus(w.each(func(minor int64) int64 { return -minor }))
}

// unsure is the sum with something unknown in it; where that is all, there is
// no sum of zero.
func (v Value) unsure() Value {
	v.Unknown = true
	v.Sums = slices.DeleteFunc(slices.Clone(v.Sums), func(m store.Money) bool { return m.Minor == 0 })
	return v
}

// some reports whether there is something in the figure: not zero, or unknown.
func (v Value) some() bool {
	return v.N != 0 || v.Unknown || slices.ContainsFunc(v.Sums, func(m store.Money) bool { return m.Minor != 0 })
}

// sole is the figure as one number; false where it is several sums, or not
// known.
func (v Value) sole(kind Type) (int64, bool) {
	switch {
	case v.Unknown || v.None || len(v.Sums) > 1:
		return 0, false
	case kind != Sum:
		return v.N, true
	case len(v.Sums) == 0:
		return 0, true
	}
	return v.Sums[0].Minor, true
}

// each changes the sums of every currency.
func (v Value) each(change func(minor int64) int64) Value {
	v.Sums = slices.Clone(v.Sums)
	for i := range v.Sums {
		v.Sums[i].Minor = change(v.Sums[i].Minor)
	}
	return v
}

// add adds the figures of one row to those of another, column by column.
func add(to, from []Value) []Value {
	if to == nil {
		return slices.Clone(from)
	}
	for i := range to {
		to[i] = to[i].plus(from[i])
	}
	return to
}
