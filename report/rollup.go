package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// leaf is one innermost group on its way into a Table.
type leaf struct {
	path   []*step
	values []Value
}

// step names a group within its outer one. Within a report the same group has
// the same step everywhere: run.step makes them.
type step struct {
	key   string // what makes it this group
	title Value
	order string // groups are sorted by it, then by their title
	// filter and value select the records of the group in a request; "" where
	// no filter does. The filter days has a Period as value.
	filter, value string
	rank          int // its place while paths are sorted, else 0
}

// compare is the order of groups within their outer one.
func (s *step) compare(o *step) int {
	if c := strings.Compare(s.order, o.order); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(s.title.Text, o.title.Text), strings.Compare(s.key, o.key))
}

// comparePaths is the order of groups with those paths; an outer one comes
// before its members.
func comparePaths(a, b []*step) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue // most often the same manager
		}
		if c := a[i].compare(b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// days is the step's filter that selects a stretch of days, by from and to.
const days = "days"

// leafSet are the innermost groups by their paths.
type leafSet map[[maxBy]*step]*leaf

// keep gives the innermost group of a path with so many values, and makes it
// where there is none.
func (all leafSet) keep(path []*step, values int) *leaf {
	var key [maxBy]*step
	copy(key[:], path)
	l := all[key]
	if l == nil {
		l = &leaf{path: slices.Clone(path), values: make([]Value, values)}
		all[key] = l
	}
	return l
}

// inOrder are the groups, each outer one before its members. The leaves are
// used up.
func (all leafSet) inOrder() []*leaf {
	// A manager is in many paths: each step is compared by its name only to find
	// its place.
	var steps []*step
	for path := range all {
		for _, s := range path {
			if s != nil && s.rank == 0 {
				s.rank = 1
				steps = append(steps, s)
			}
		}
	}
	slices.SortFunc(steps, (*step).compare)
	for i, s := range steps {
		s.rank = i + 1
	}
	list := slices.SortedFunc(maps.Values(all), func(a, b *leaf) int {
		for i := range min(len(a.path), len(b.path)) {
			if c := a.path[i].rank - b.path[i].rank; c != 0 {
				return c
			}
		}
		return len(a.path) - len(b.path)
	})
	for _, s := range steps {
		s.rank = 0
	}
	clear(all)
	return list
}

// rollUp makes rows of the innermost groups: each outer group before its
// members, with the sum of their figures, so that every total is the sum of its
// rows as shown. The second result is the total of all. The leaves are used up.
func rollUp(found leafSet) ([]Row, []Value) {
	leaves := found.inOrder()
	rows := make([]Row, 0, len(leaves)+len(leaves)/2) // and the groups around them
	var total []Value
	open := []int{}   // the rows of the groups that are open now
	last := []*step{} // and what they are
	for i, l := range leaves {
		leaves[i] = nil // its row has it now
		same := 0
		for same < len(last) && same < len(l.path) && last[same] == l.path[same] {
			same++
		}
		open, last = open[:min(same, len(open))], last[:min(same, len(last))]
		titles := make([]Value, len(l.path)) // of all the groups that open now
		for i, s := range l.path {
			titles[i] = s.title
		}
		for depth := len(open); depth < len(l.path); depth++ {
			row := Row{Path: titles[: depth+1 : depth+1], Leaf: depth == len(l.path)-1, steps: l.path[:depth+1]}
			if depth > 0 {
				rows[open[depth-1]].Leaf = false // a group without figures of its own has come before
			}
			rows = append(rows, row)
			open, last = append(open, len(rows)-1), append(last, l.path[depth])
		}
		for i, at := range open {
			if row := &rows[at]; row.Values == nil && i == len(open)-1 {
				row.Values = l.values
			} else {
				row.Values = add(row.Values, l.values)
			}
		}
		total = add(total, l.values)
	}
	return rows, total
}

// figures are what the groups of a tree have: they add up, and become the
// values of a row. What is an average is worked out of the sums, so that a
// group's is not an average of averages (rules.md section 6).
type figures[F any] interface {
	*F
	add(*F)
	values() []Value
}

// tree is a group with its inner ones, for reports whose values do not simply
// add up as rollUp's do.
type tree[F any, P figures[F]] struct {
	step  *step
	sum   F
	inner map[*step]*tree[F, P]
}

// add adds figures to the groups on a path. Where they are zero the groups are
// made all the same: nobody vanishes.
func (t *tree[F, P]) add(path []*step, f *F) {
	P(&t.sum).add(f)
	if len(path) == 0 {
		return
	}
	t.in(path[0]).add(path[1:], f)
}

// give is add for figures that nobody else has: the innermost group keeps them
// where it has none yet, for of many groups a copy would be a lot.
func (t *tree[F, P]) give(path []*step, f *F) {
	own := len(path) - 1
	at := t
	for _, s := range path[:own] {
		P(&at.sum).add(f)
		at = at.in(s)
	}
	P(&at.sum).add(f)
	if at.inner[path[own]] == nil {
		at.in(path[own]).sum = *f
	} else {
		P(&at.in(path[own]).sum).add(f)
	}
}

// in is the inner group of a step.
func (t *tree[F, P]) in(s *step) *tree[F, P] {
	inner := t.inner[s]
	if inner == nil {
		inner = &tree[F, P]{step: s}
		if t.inner == nil {
			t.inner = map[*step]*tree[F, P]{}
		}
		t.inner[s] = inner
	}
	return inner
}

func (t *tree[F, P]) values() []Value { return P(&t.sum).values() }

// rows gives the groups below that path, each before its inner ones; those
// without any are leaves. With each comes what makes it this group. The tree is
// used up.
func (t *tree[F, P]) rows(path []*step, each func(row Row, of *step)) {
	order := slices.SortedFunc(maps.Values(t.inner), func(a, b *tree[F, P]) int { return a.step.compare(b.step) })
	for i, inner := range order {
		order[i] = nil // of many groups the figures and the rows together would be a lot
		delete(t.inner, inner.step)
		path := append(path, inner.step)
		row := Row{Path: make([]Value, len(path)), Values: inner.values(), Leaf: len(inner.inner) == 0, steps: slices.Clone(path)}
		for i := range path {
			row.Path[i] = path[i].title
		}
		each(row, inner.step)
		inner.rows(path, each)
	}
}
