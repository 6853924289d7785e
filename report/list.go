package report

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// grouping is the path of a record into its groups; key tells that of a
// grouping. Days, weeks and months are those of the key "day".
func (r *run) grouping(key func(by string) store.GroupKey) []*step {
	path := make([]*step, len(r.by))
	for i, by := range r.by {
		switch by {
		case "day", "week", "month":
			path[i] = r.step(by, key("day"))
		default:
			path[i] = r.step(by, key(by))
		}
	}
	return path
}

// record is one record on its way into a listing.
type record struct {
	path   []*step // of its groups
	own    step
	values []Value
	status store.Status
	url    string
}

// listing makes the rows of a table from records as they come, each in its
// groups. With Request.Most only so many are kept, the first ones; groups and
// the total are of all.
type listing struct {
	r       *run
	t       *Table
	groups  tree[columns, *columns]     // of a comparison the figures of each period, side by side
	leaves  map[[maxBy]*step]*leafGroup // by their paths
	blocks  blocks
	first   []packed
	records int
	last    *packed // none behind it is kept
	zero    []bool  // by column: some record has a sum of nothing
	key     []byte  // these two are used again and again
	record  packing
}

// maxRowsAtOnce is how many records a list keeps as Rows: of more All makes
// them one at a time.
const maxRowsAtOnce = 2000

func (r *run) listing(t *Table) *listing {
	t.listing = true
	return &listing{r: r, t: t, leaves: map[[maxBy]*step]*leafGroup{}, zero: make([]bool, len(t.Columns))}
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
func (l *listing) addOf(n int, record *record) {
	if n == 0 {
		l.add(record)
		return
	}
	l.groups.add(record.path, l.side(n, record.values))
}

// columns are figures that simply add up.
type columns []Value

func (c *columns) add(o *columns) {
	if *c == nil { // its own sums, which it may change
		for _, v := range *o {
			v.Sums = slices.Clone(v.Sums)
			*c = append(*c, v)
		}
		return
	}
	for i := range *c {
		(*c)[i].increase(&(*o)[i])
	}
}

func (c *columns) values() []Value { return *c }

// add takes the next record.
func (l *listing) add(record *record) {
	path, self := record.path, &record.own
	if l.r.rows { // the records alone are asked for
		path = nil
	}
	l.groups.add(path, l.side(0, record.values))
	l.records++
	l.key = append(append(append(append(append(l.key[:0], self.order...), 0), self.title.Text...), 0), self.key...)
	of := l.group(path)
	if l.last != nil && l.compare(of, l.key, *l.last) > 0 {
		return
	}
	p := &l.record
	p.bytes = p.bytes[:0]
	p.literal(self.title.Text)
	p.text(string(record.status))
	p.literal(record.url)
	for i := range record.values {
		v := &record.values[i]
		p.value(v)
		l.zero[i] = l.zero[i] || len(v.Sums) == 0 && !v.Unknown && !v.None
	}
	block, at := l.blocks.put(l.key, p.bytes)
	l.first = append(l.first, packed{of, block, at})
	if most := l.r.Most; most > 0 && len(l.first) >= 2*most {
		l.cut()
		last := l.first[most-1]
		l.last = &last
	}
}

// group is the innermost group with that path.
func (l *listing) group(path []*step) *leafGroup {
	var key [maxBy]*step
	copy(key[:], path)
	of := l.leaves[key]
	if of == nil {
		of = &leafGroup{path: path}
		l.leaves[key] = of
	}
	return of
}

// compare is the order of a record and another one.
func (l *listing) compare(of *leafGroup, key []byte, other packed) int {
	if of != other.group {
		if c := comparePaths(of.path, other.group.path); c != 0 {
			return c
		}
	}
	its, _ := l.blocks.get(other)
	return bytes.Compare(key, its)
}

// cut leaves the first ones, in order.
func (l *listing) cut() {
	groups := slices.SortedFunc(maps.Values(l.leaves), func(a, b *leafGroup) int { return comparePaths(a.path, b.path) })
	for i, g := range groups {
		g.rank = i
	}
	slices.SortFunc(l.first, func(a, b packed) int {
		if a.group != b.group {
			return a.group.rank - b.group.rank
		}
		one, _ := l.blocks.get(a)
		other, _ := l.blocks.get(b)
		return bytes.Compare(one, other)
	})
	if most := l.r.Most; most > 0 && len(l.first) > most {
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
	if err := r.idleManagers(func(path []*step) { l.groups.add(path, l.side(0, t.nothing())) }); err != nil {
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
	t.long = &long{blocks: l.blocks, texts: l.record.texts, columns: len(t.Columns), seen: map[string]Value{}, zero: map[string]bool{}}
	for n, c := range t.Columns {
		if t.long.zero[c.Key] = l.zero[n]; total != nil {
			t.long.seen[c.Key] = total[n]
		}
	}
	next := 0
	// members are the records of a group, which come in the order of groups.
	members := func(steps []*step) []packed {
		from := next
		for ; next < len(l.first); next++ {
			of := l.first[next].group.path
			for i, s := range steps {
				if of[i] != s {
					return l.first[from:next]
				}
			}
		}
		return l.first[from:]
	}
	if total != nil {
		if slices.ContainsFunc(total[:len(t.Columns)], func(v Value) bool { return v.Unknown }) {
			t.Notes = append(t.Notes, r.t("not said"))
		}
		t.Total = figures(total)
	}
	if len(r.by) == 0 {
		t.members = members(nil)
	}
	path := make([]*step, len(r.by))
	l.groups.rows(nil, func(row Row, of *step) {
		row.Leaf, row.Values = false, figures(row.Values)
		if path[len(row.Path)-1] = of; len(row.Path) == len(path) {
			row.members = members(path)
		}
		t.Rows = append(t.Rows, row)
	})
	if len(l.first) <= maxRowsAtOnce {
		*t = *t.flat()
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

// recordStep is a record as a step within its groups, in that order among the
// others.
func recordStep(id int64, title, order string) step {
	return step{key: strconv.FormatInt(id, 10), title: text(title), order: order}
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
