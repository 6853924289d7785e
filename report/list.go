package report

import (
	"fmt"
	"slices"
	"strings"

	"intouch/store"
)

// grouping is the path of a record into its groups; key tells that of a
// grouping. Days, weeks and months are those of the key "day".
func (r *run) grouping(key func(by string) store.GroupKey) []step {
	path := make([]step, len(r.by), len(r.by)+1)
	for i, by := range r.by {
		switch by {
		case "day", "week", "month":
			path[i] = r.step(by, key("day"))
			path[i].filter, path[i].value = by, path[i].key
			if path[i].key == "" {
				path[i].value, path[i].order = "none", "9999"
			}
		default:
			path[i] = r.step(by, key(by))
		}
	}
	return path
}

// listing makes the rows of a table from records as they come, each in its
// groups. With Request.Most only so many are kept, the first ones; groups and
// the total are of all.
type listing struct {
	r       *run
	t       *Table
	groups  tree[columns, *columns] // of a comparison the figures of each period, side by side
	first   []leaf
	records int
}

func (r *run) listing(t *Table) *listing {
	t.listing = true
	return &listing{r: r, t: t}
}

// side are values of the n-th period of a comparison, among those of the others.
func (l *listing) side(n int, values []Value) *columns {
	periods := 1 + len(l.r.comparisons())
	if periods == 1 {
		return (*columns)(&values)
	}
	all := make(columns, periods*len(values))
	copy(all[n*len(values):], values)
	return &all
}

// addOf takes a record of the n-th period: of another one than the report's own
// only its groups have figures.
func (l *listing) addOf(n int, record leaf) {
	if n == 0 {
		l.add(record)
		return
	}
	l.groups.add(record.path[:len(record.path)-1], l.side(n, record.values))
}

// columns are figures that simply add up.
type columns []Value

func (c *columns) add(o *columns)  { *c = add(*c, *o) }
func (c *columns) values() []Value { return *c }

// add takes the next record; its own step is the last one of its path.
func (l *listing) add(record leaf) {
	own := len(record.path) - 1
	if l.r.rows { // the records alone are asked for
		record.path, own = record.path[own:], 0
	}
	l.groups.add(record.path[:own], l.side(0, record.values))
	l.first = append(l.first, record)
	if l.records++; l.r.Most > 0 && len(l.first) >= 2*l.r.Most {
		l.cut()
	}
}

// cut leaves the first ones, in order.
func (l *listing) cut() {
	slices.SortStableFunc(l.first, func(a, b leaf) int { return comparePaths(a.path, b.path) })
	if most := l.r.Most; most > 0 && len(l.first) > most {
		clear(l.first[most:])
		l.first = l.first[:most]
	}
}

// rows ends the listing of records of a kind. Only figures are added up, not
// the texts and days of the columns.
func (l *listing) rows(kind string) error {
	r, t := l.r, l.t
	if r.rows {
		r.by = nil
	}
	total := slices.Clone(l.groups.values())
	if err := r.idleManagers(func(path []step) { l.groups.add(path, l.side(0, t.nothing())) }); err != nil {
		return err
	}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	t.Groups = append(t.Groups, r.group(kind))
	l.cut()
	t.Left = l.records - len(l.first)
	figures := func(values []Value) []Value {
		for n, c := range t.Columns {
			if !c.adds() {
				values[n] = none()
			}
		}
		return values
	}
	unknown, next := false, 0
	// members adds the records of a group, which come in the order of groups.
	members := func(path []Value, keys []string) {
		for ; next < len(l.first); next++ {
			one := &l.first[next]
			for i, key := range keys {
				if one.path[i].key != key {
					return
				}
			}
			own := one.path[len(one.path)-1]
			t.Rows = append(t.Rows, Row{Leaf: true, Path: append(slices.Clone(path), own.title), Values: one.values, Status: one.status, URL: one.url})
			unknown = unknown || slices.ContainsFunc(one.values, func(v Value) bool { return v.Unknown })
			*one = leaf{} // what the row does not need
		}
	}
	if total != nil {
		t.Total = figures(total)
	}
	if len(r.by) == 0 {
		members(nil, nil)
	}
	keys := make([]string, len(r.by))
	l.groups.rows(nil, func(row Row, key string) {
		row.Leaf, row.Values = false, figures(row.Values)
		t.Rows = append(t.Rows, row)
		if keys[len(row.Path)-1] = key; len(row.Path) == len(keys) {
			members(row.Path, keys)
		}
	})
	if unknown {
		t.Notes = append(t.Notes, r.t("not said"))
	}
	return nil
}

// nothing is a value for each column that adds nothing.
func (t *Table) nothing() []Value {
	all := make([]Value, len(t.Columns))
	for n, c := range t.Columns {
		all[n].None = !c.Type.numeric()
	}
	return all
}

// recordStep is a record as the innermost step of its path, in that order
// among the others.
func recordStep(id int64, title, order string) step {
	return step{key: fmt.Sprint(id), title: text(title), order: order}
}

// statusWord is the status as a word, and the row's colour.
func (r *run) statusWord(s store.Status) Value {
	if s == "" {
		return none()
	}
	return text(store.Word(r.lang, "status."+string(s)))
}

// inLines are values of one cell.
func inLines(list []string) Value { return text(strings.Join(list, ", ")) }
