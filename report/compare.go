package report

import (
	"slices"
	"strings"
)

// sides are the figures of a group in the report's period, and in each of
// those that it is compared with.
type sides[F any, P figures[F]] []F

func (s *sides[F, P]) add(o *sides[F, P]) {
	for i := range *o {
		if i == len(*s) {
			*s = append(*s, *new(F))
		}
		P(&(*s)[i]).add(&(*o)[i])
	}
}

// values are those of all sides, one side after the other.
func (s *sides[F, P]) values() []Value {
	if len(*s) == 1 {
		return P(&(*s)[0]).values()
	}
	var all []Value
	for i := range *s {
		all = append(all, P(&(*s)[i]).values()...)
	}
	return all
}

// side makes the sides of figures of the n-th one of all. The figures are the
// side's then.
func side[F any, P figures[F]](n, all int, f *F) *sides[F, P] {
	s := make(sides[F, P], all)
	s[n] = *f
	return &s
}

// compare makes columns of a table whose rows have the values of the report's
// own period first, then as many of each period that it is compared with: each
// column is followed by its share of the total where that is asked for, and of
// each other period by its figure, the change since then, and the change in per
// cent of what it was.
func (r *run) compare(t *Table) {
	others, relative := r.comparisons(), slices.Contains(r.Params["relative"], "yes")
	if len(others) == 0 && !relative {
		return // of many rows the same values once more would be a lot
	}
	own := len(t.Columns)
	columns, total := t.Columns, t.Total
	t.Columns = nil
	for _, c := range columns {
		t.Columns = append(t.Columns, c)
		noSum := c.NoSum || t.listing
		if relative && c.adds() {
			t.Columns = append(t.Columns, Column{Key: c.Key + " %", Title: c.Title + ", %", Type: Percent, Behind: c.Behind})
		}
		for _, other := range others {
			if !t.compares(&c) {
				break
			}
			t.Columns = append(t.Columns, Column{Key: c.Key + " " + other.name, Title: c.Title + ": " + other.title, Type: c.Type, NoSum: noSum, Behind: other.behind(c.Behind)},
				Column{Key: c.Key + " " + other.name + " change", Title: c.Title + ": " + r.t("change"), Type: c.Type, NoSum: noSum},
				Column{Key: c.Key + " " + other.name + " change %", Title: c.Title + ": " + r.t("change %"), Type: Percent, NoSum: true})
		}
	}
	spread := func(values []Value) []Value {
		out := make([]Value, 0, len(t.Columns))
		for n, c := range columns {
			now := values[n]
			out = append(out, now)
			if relative && c.adds() {
				whole := now // of no total at all: what there is
				if total != nil {
					whole = total[n]
				}
				out = append(out, ratio(c.Type, now, whole))
			}
			for i := range others {
				if !t.compares(&c) {
					break
				}
				then := none()
				if at := (i+1)*own + n; at < len(values) {
					then = values[at]
				}
				change := now.minus(then)
				change.None = now.None || then.None
				out = append(out, then, change, ratio(c.Type, change, then))
			}
		}
		return out
	}
	for i := range t.Rows {
		t.Rows[i].Values = spread(t.Rows[i].Values)
	}
	if t.long != nil {
		t.long.finish = append(t.long.finish, spread)
	}
	if total != nil {
		t.Total = spread(total)
	}
	for _, other := range others {
		t.About = append(t.About, other.title+": "+r.days(other.Period))
	}
}

// compares reports whether a column has a figure to compare: no share of the
// total, and in a listing nothing that only records have.
func (t *Table) compares(c *Column) bool {
	return !strings.HasSuffix(c.Key, " %") && (!t.listing || c.adds())
}

// ratio is a figure in per cent of another one; where these cannot be divided
// there is none.
func ratio(kind Type, part, whole Value) Value {
	p, known := part.sole(kind)
	w, also := whole.sole(kind)
	switch {
	case part.Unknown || whole.Unknown:
		return unknown()
	case !known || !also || len(part.Sums) == 1 && len(whole.Sums) == 1 && part.Sums[0].Currency != whole.Sums[0].Currency:
		return none()
	case w < 0:
		p, w = -p, -w
	}
	return share(p, w)
}
