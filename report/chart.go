package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// Chart is what a picture of a report shows, before it is drawn: figures of a
// Table, never of another query. Its figures stand in the table too.
type Chart struct {
	Name   string // for machines: the report's
	Title  string
	Shape  Shape
	Labels []string // what the figures are of, in order
	Series []Series
	Notes  []string // what the picture leaves out
	Lang   store.Language

	ticks []string // short labels, of Columns
}

// Shape is how the figures are drawn.
type Shape string

const (
	Bars    Shape = "bars"    // lying, one beside the other for each series
	Stacked Shape = "stacked" // lying, series one after the other; no negative figures
	Columns Shape = "columns" // the same upright: time goes to the right
	Matrix  Shape = "matrix"  // a field for each label and series, the fuller the stronger
)

// Series are the figures of one kind, in one colour.
type Series struct {
	Title  string
	Colour Colour
	Type   Type
	NoSum  bool    // figures cannot be added up
	Values []Value // one for each label
}

// Bounds of a chart that can be read.
const (
	maxBars    = 30 // the greatest ones
	maxColumns = 60 // the last ones
	maxSeries  = 6
)

// Chart is the chart of a report: of its outermost groups, or of days, weeks or
// months where it is grouped by them. nil: there is nothing to draw.
func (t *Table) Chart() *Chart {
	at := slices.IndexFunc(reports, func(r report) bool { return r.name == t.Name })
	if at < 0 || reports[at].chart == nil || len(t.Groups) == 0 {
		return nil
	}
	c := reports[at].chart(t)
	if c == nil {
		return nil
	}
	c.Name, c.Lang = t.Name, t.Lang
	c.oneCurrency()
	c.fold()
	if !slices.ContainsFunc(c.Series, Series.drawn) {
		return nil
	}
	return c
}

// contactsChart: how many contacts, by week and kind say.
func contactsChart(t *Table) *Chart { return t.counted(t.Groups, false) }

// statusChart: how many deals or items, by status.
func statusChart(t *Table) *Chart { return t.counted(t.Groups[:len(t.Groups)-1], true) }

// managersChart: revenue and profit.
func managersChart(t *Table) *Chart { return t.bars("chart.revenue profit", "revenue", "profit") }

// sourcesChart: return on cost; where no source has a cost what was earned, and
// for sales around calls these.
func sourcesChart(t *Table) *Chart {
	if c := t.bars("chart.return", "return"); c != nil && c.Series[0].drawn() {
		return c
	}
	if c := t.bars("chart.around calls", "revenue before", "revenue after"); c != nil {
		return c
	}
	return t.bars("chart.revenue profit", "revenue", "profit")
}

// classificationChart: ABC × XYZ.
func classificationChart(t *Table) *Chart {
	if t.Groups[0].Key == "xyz" {
		return t.bars("column.clients", "clients")
	}
	c := t.bars("column.clients", append([]string{"clients"}, xyzClasses...)...)
	if c == nil {
		return nil
	}
	v := voice{t.Lang}
	c.Shape, c.Title = Matrix, t.by("column.clients", t.Groups[0].Key, "xyz")
	rest := c.Series[0] // of all clients those without a class
	rest.Title, rest.Values = v.t("none.xyz"), slices.Clone(rest.Values)
	c.Series = append(c.Series[1:], rest)
	for i := range rest.Values {
		for _, s := range c.Series[:len(xyzClasses)] {
			rest.Values[i].N -= s.Values[i].N
		}
	}
	for i := range c.Series {
		c.Series[i].Colour = palette[0]
	}
	return c
}

// by is the title "WHAT by GROUP and GROUP".
func (t *Table) by(what string, groups ...string) string {
	v := voice{t.Lang}
	said := v.t("chart." + groups[0])
	if len(groups) > 1 {
		said = v.t("chart and", said, v.t("chart."+groups[1]))
	}
	return v.t("chart by", v.t(what), said)
}

// bars are columns of the outermost groups; nil where a column is missing.
func (t *Table) bars(what string, keys ...string) *Chart {
	c := &Chart{Shape: Bars, Title: t.by(what, t.Groups[0].Key)}
	for n, key := range keys {
		at := slices.IndexFunc(t.Columns, func(col Column) bool { return col.Key == key })
		if at < 0 {
			return nil
		}
		s := Series{Title: t.Columns[at].Title, Type: t.Columns[at].Type, NoSum: t.Columns[at].NoSum, Colour: palette[n%len(palette)]}
		for i := range t.Rows {
			if row := &t.Rows[i]; len(row.Path) == 1 && !row.Aside {
				s.Values = append(s.Values, row.Values[at])
			}
		}
		c.Series = append(c.Series, s)
	}
	for i := range t.Rows {
		if row := &t.Rows[i]; len(row.Path) == 1 && !row.Aside {
			c.Labels = append(c.Labels, row.Path[0].Text)
		}
	}
	return c
}

// counted are the numbers of the first column by one of the groups, or by time
// where there is such a group, in series by another one that has few values, or
// by the status of the rows.
func (t *Table) counted(groups []Column, byStatus bool) *Chart {
	v := voice{t.Lang}
	c := &Chart{Shape: Stacked}
	isTime := func(g Column) bool { return g.Key == "day" || g.Key == "week" || g.Key == "month" }
	axis := slices.IndexFunc(groups, isTime)
	if axis >= 0 {
		c.Shape = Columns
	} else if axis = 0; len(groups) == 0 {
		axis = -1
	}
	inner, by := -1, "status" // the group that makes the series; of the status it is none
	if !byStatus {
		by = ""
		for i, g := range groups {
			if i != axis && v.few(g.Key) != nil {
				inner, by = i, g.Key
				break
			}
		}
	}
	c.Series = []Series{{Title: t.Columns[0].Title, Type: Count, Colour: palette[0]}}
	if by != "" {
		c.Series = v.few(by)
	}
	find := func(row *Row) int {
		switch {
		case by == "":
			return 0
		case byStatus:
			at := slices.Index(allStatuses, row.Status)
			if at < 0 {
				at = len(allStatuses)
			}
			return at
		}
		return slices.IndexFunc(c.Series, func(s Series) bool { return s.Title == row.Path[inner].Text })
	}

	var marks []mark
	at := -1
	if axis < 0 {
		marks, at = []mark{{title: t.Columns[0].Title}}, 0
	}
	for row := range t.All() {
		if axis == 0 && len(row.Path) == 1 && !row.Aside && c.Shape != Columns {
			marks = append(marks, mark{title: row.Path[0].Text})
			at = len(marks) - 1
		}
		if !row.Leaf || row.Aside || len(row.Path) <= max(axis, inner) {
			continue // a group that nothing fell into ends early
		}
		if c.Shape == Columns {
			of := row.Path[axis]
			day := of.firstDay()
			if at = slices.IndexFunc(marks, func(m mark) bool { return m.day == day }); at < 0 {
				marks = append(marks, mark{title: of.Text, day: day})
				at = len(marks) - 1
			}
		}
		if n := find(row); n >= 0 && at >= 0 {
			marks[at].counts[n] += row.Values[0].N
		}
	}
	if c.Shape == Columns {
		marks = c.along(v, groups[axis].Key, marks)
	}
	for _, m := range marks {
		c.Labels = append(c.Labels, m.title)
		for n := range c.Series {
			c.Series[n].Values = append(c.Series[n].Values, count(m.counts[n]))
		}
	}
	c.Series = slices.DeleteFunc(c.Series, func(s Series) bool { return len(c.Series) > 1 && !s.drawn() })
	what := "column." + t.Columns[0].Key
	switch {
	case axis < 0 || by == "" || groups[axis].Key == by:
		c.Title = t.by(what, cmp.Or(by, keyOf(groups, axis)))
	default:
		c.Title = t.by(what, groups[axis].Key, by)
	}
	return c
}

func keyOf(groups []Column, at int) string {
	if at < 0 {
		return ""
	}
	return groups[at].Key
}

// mark is a label with its counts on their way into a Chart.
type mark struct {
	title  string
	day    store.Date
	counts [maxSeries]int64
}

// few are the series of a grouping that has few values, in their order and
// colours; nil of others.
func (v voice) few(by string) []Series {
	switch by {
	case "kind", "direction", "state", "importance", "type", "abc", "xyz", "stage", "status":
	default:
		return nil
	}
	var all []Series
	for i, choice := range v.field(by).Choices {
		s := Series{Title: choice.Label, Type: Count, Colour: palette[i%len(palette)]}
		switch {
		case choice.Value == "none":
			s.Colour = noColour
		case by == "status":
			s.Colour = Colour(choice.Value)
		}
		all = append(all, s)
	}
	return all
}

// along puts marks of days, weeks or months in order, with those between them
// of which there is nothing.
func (c *Chart) along(v voice, by string, marks []mark) []mark {
	if len(marks) == 0 {
		return nil
	}
	slices.SortFunc(marks, func(a, b mark) int { return cmp.Compare(orLast(a.day), orLast(b.day)) })
	var all []mark
	for _, m := range marks {
		for len(all) > 0 && m.day != "" {
			next := nextDay(by, all[len(all)-1].day)
			if next >= m.day || next == "" {
				break
			}
			all = append(all, mark{title: v.dayTitle(by, next), day: next})
		}
		all = append(all, m)
	}
	if len(all) > maxColumns {
		all = all[len(all)-maxColumns:]
		c.Notes = append(c.Notes, v.t("chart begins", all[0].title))
	}
	first, last := all[0].day, lastDated(all)
	years := len(first) > 4 && len(last) > 4 && first[:4] != last[:4]
	for _, m := range all {
		c.ticks = append(c.ticks, v.tick(by, m.day, years))
	}
	return all
}

// lastDated is the last day of marks; what has none stands behind.
func lastDated(all []mark) store.Date {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].day != "" {
			return all[i].day
		}
	}
	return ""
}

// nextDay is the first day of the day, week or month after that of d.
func nextDay(by string, d store.Date) store.Date {
	switch by {
	case "week":
		return d.Add(7)
	case "month":
		return monthsLater(d, 1)
	}
	return d.Add(1)
}

// tick is a day, week or month in a few letters: "23.11", "23 Nov", "ноя".
func (v voice) tick(by string, d store.Date, years bool) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return "—"
	}
	switch {
	case by == "month":
		name := string([]rune(store.MonthName(v.lang, t.Month()))[:3])
		if years {
			return name + t.Format(" 06")
		}
		return name
	case v.lang == store.Russian && years:
		return t.Format("02.01.06")
	case v.lang == store.Russian:
		return t.Format("02.01")
	case years:
		return t.Format("2 Jan 06")
	}
	return t.Format("2 Jan")
}

// oneCurrency leaves of sums those in the currency that most are in: without a
// rate two cannot be compared.
func (c *Chart) oneCurrency() {
	found := map[string]int{}
	for _, s := range c.Series {
		for _, v := range s.Values {
			for _, m := range v.Sums {
				found[m.Currency]++
			}
		}
	}
	if len(found) < 2 {
		return
	}
	most := ""
	for currency, n := range found {
		if n > found[most] || n == found[most] && currency < most {
			most = currency
		}
	}
	for i := range c.Series {
		for j, v := range c.Series[i].Values {
			c.Series[i].Values[j].Said = false
			c.Series[i].Values[j].Sums = slices.DeleteFunc(slices.Clone(v.Sums), func(m store.Money) bool { return m.Currency != most })
		}
	}
	c.Notes = append(c.Notes, voice{c.Lang}.t("chart currency", most))
}

// fold keeps the greatest of too many labels, and says what the others come to
// where their figures add up.
func (c *Chart) fold() {
	if c.Shape == Columns || len(c.Labels) <= maxBars {
		return
	}
	size := func(i int) float64 {
		all := 0.0
		for _, s := range c.Series {
			n, _ := s.number(i)
			all += max(n, -n)
		}
		return all
	}
	order := make([]int, len(c.Labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size(b), size(a)) })
	kept, left := order[:maxBars], order[maxBars:]
	var parts []string
	for n := range c.Series {
		s := &c.Series[n]
		rest := Value{}
		for _, i := range left {
			rest = rest.plus(s.Values[i])
		}
		if !s.NoSum {
			parts = append(parts, s.Title+" "+c.show(&Series{Type: s.Type, Values: []Value{rest}}, 0))
		}
		s.Values = pick(s.Values, kept)
	}
	c.Labels = pick(c.Labels, kept)
	v := voice{c.Lang}
	note := v.t("chart greatest", v.number(maxBars), v.number(int64(len(order))))
	if len(parts) > 0 { // drawn, the sum of the others would dwarf these
		note += " " + v.t("chart others", strings.Join(parts, ", "))
	}
	c.Notes = append(c.Notes, note)
}

// pick are the elements of a list at those places.
func pick[T any](list []T, at []int) []T {
	out := make([]T, len(at))
	for n, i := range at {
		out[n] = list[i]
	}
	return out
}

// number is a figure as a length; false: it is not known, or there is none.
func (s Series) number(i int) (float64, bool) {
	v := s.Values[i]
	switch {
	case v.Unknown || v.None || v.Said && len(v.Sums) == 0: // sums may be said without minor units (Whole)
		return 0, false
	case s.Type != Sum:
		return float64(v.N), true
	case len(v.Sums) == 0:
		return 0, true
	}
	return float64(v.Sums[0].Minor), true
}

// drawn reports whether there is anything to see of the series.
func (s Series) drawn() bool {
	for i := range s.Values {
		if n, ok := s.number(i); ok && n != 0 {
			return true
		}
	}
	return false
}

// show is a figure as people read it.
func (c *Chart) show(s *Series, i int) string {
	text := voice{c.Lang}.show(s.Type, s.Values[i], time.UTC)
	switch {
	case text == "":
		return "—"
	case s.Type == Percent && !s.Values[i].Unknown:
		return text + "\u00a0%"
	}
	return text
}

// total is the sum of a label's figures.
func (c *Chart) total(i int) Value {
	all := Value{}
	for _, s := range c.Series {
		all = all.plus(s.Values[i])
	}
	return all
}

// maxAlt is how long a picture's words may be, in runes: the table beside it
// has all figures.
const maxAlt = 1000

// Alt is the chart in words, for those who listen to it.
func (c *Chart) Alt() string {
	var b strings.Builder
	for i, label := range c.Labels {
		var parts []string
		for n := range c.Series {
			s := &c.Series[n]
			if v, ok := s.number(i); ok && v == 0 && len(c.Series) > 1 {
				continue
			}
			if len(c.Series) == 1 {
				parts = append(parts, c.show(s, i))
			} else {
				parts = append(parts, oneLine(s.Title)+" "+c.show(s, i))
			}
		}
		if len(parts) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", oneLine(label), strings.Join(parts, ", "))
	}
	said := []rune(b.String())
	if len(said) > maxAlt {
		return string(said[:maxAlt]) + "…"
	}
	return string(said)
}
