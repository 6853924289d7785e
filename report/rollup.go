package report

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"intouch/store"
)

// leaf is one innermost group on its way into a Table.
type leaf struct {
	path   []step
	values []Value
	status store.Status // of a record
	url    string
}

// step names a group within its outer one.
type step struct {
	key   string // what makes it this group
	title Value
	order string // groups are sorted by it, then by their title
	// filter and value select the records of the group in a request; "" where
	// no filter does. The filter days has a Period as value.
	filter, value string
}

// compare is the order of groups within their outer one.
func (s *step) compare(o *step) int {
	return cmp.Or(strings.Compare(s.order, o.order), strings.Compare(s.title.Text, o.title.Text), strings.Compare(s.key, o.key))
}

func comparePaths(a, b []step) int {
	for i := range min(len(a), len(b)) {
		if c := a[i].compare(&b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// days is the step's filter that selects a stretch of days, by from and to.
const days = "days"

// link selects the group with that path, as Row.Link says.
func link(path []step) string {
	to := url.Values{}
	for i := range path {
		if !path[i].link(to) {
			return ""
		}
	}
	return to.Encode()
}

// link adds to a request what selects the group; false where nothing does.
func (s *step) link(to url.Values) bool {
	switch s.filter {
	case "":
		return false
	case days:
		from, last, _ := strings.Cut(s.value, " ")
		to.Set("from", from)
		to.Set("to", last)
	default:
		to.Set(s.filter, s.value)
	}
	return true
}

// keepLeaf gives the innermost group of a path with so many values, and makes it
// where there is none.
func keepLeaf(leaves map[string]*leaf, path []step, values int) *leaf {
	var key strings.Builder
	for _, s := range path {
		fmt.Fprintf(&key, "%q", s.key)
	}
	l := leaves[key.String()]
	if l == nil {
		l = &leaf{path: path, values: make([]Value, values)}
		leaves[key.String()] = l
	}
	return l
}

// inOrder are the groups in no order of chance.
func inOrder(leaves map[string]*leaf) []leaf {
	all := make([]leaf, 0, len(leaves))
	for _, key := range slices.Sorted(maps.Keys(leaves)) {
		all = append(all, *leaves[key])
	}
	return all
}

// rollUp makes rows of the innermost groups: each outer group before its
// members, with the sum of their figures, so that every total is the sum of its
// rows as shown. The second result is the total of all. The leaves are used up.
func rollUp(leaves []leaf) ([]Row, []Value) {
	slices.SortStableFunc(leaves, func(a, b leaf) int { return comparePaths(a.path, b.path) })
	var rows []Row
	var total []Value
	open := []int{}  // the rows of the groups that are open now
	last := []step{} // and what they are
	for i, l := range leaves {
		leaves[i] = leaf{} // its row has it now
		same := 0
		for same < len(last) && same < len(l.path) && last[same].key == l.path[same].key {
			same++
		}
		open, last = open[:min(same, len(open))], last[:min(same, len(last))]
		for depth := len(open); depth < len(l.path); depth++ {
			row := Row{Path: make([]Value, depth+1), Leaf: depth == len(l.path)-1, Link: link(l.path[:depth+1])}
			if row.Leaf {
				row.Status, row.URL = l.status, l.url
			}
			for i := range row.Path {
				row.Path[i] = l.path[i].title
			}
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
	step  step
	sum   F
	inner map[string]*tree[F, P]
}

// add adds figures to the groups on a path. Where they are zero the groups are
// made all the same: nobody vanishes.
func (t *tree[F, P]) add(path []step, f *F) {
	P(&t.sum).add(f)
	if len(path) == 0 {
		return
	}
	inner := t.inner[path[0].key]
	if inner == nil {
		inner = &tree[F, P]{step: path[0]}
		if t.inner == nil {
			t.inner = map[string]*tree[F, P]{}
		}
		t.inner[path[0].key] = inner
	}
	inner.add(path[1:], f)
}

func (t *tree[F, P]) values() []Value { return P(&t.sum).values() }

// rows gives the groups below that path, each before its inner ones; those
// without any are leaves. With each comes what makes it this group. The tree is
// used up.
func (t *tree[F, P]) rows(path []step, each func(row Row, key string)) {
	order := slices.SortedFunc(maps.Values(t.inner), func(a, b *tree[F, P]) int { return a.step.compare(&b.step) })
	for i, inner := range order {
		order[i] = nil // of many groups the figures and the rows together would be a lot
		delete(t.inner, inner.step.key)
		path := append(path, inner.step)
		row := Row{Path: make([]Value, len(path)), Values: inner.values(), Leaf: len(inner.inner) == 0, Link: link(path)}
		for i := range path {
			row.Path[i] = path[i].title
		}
		each(row, inner.step.key)
		inner.rows(path, each)
	}
}
