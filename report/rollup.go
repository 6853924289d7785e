package report

import (
	"cmp"
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

// days is the step's filter that selects a stretch of days, by from and to.
const days = "days"

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

// rollUp makes rows of the innermost groups: each outer group before its
// members, with the sum of their figures, so that every total is the sum of its
// rows as shown. The second result is the total of all.
func rollUp(leaves []leaf) ([]Row, []Value) {
	slices.SortStableFunc(leaves, func(a, b leaf) int {
		for i := range min(len(a.path), len(b.path)) {
			if c := cmp.Or(strings.Compare(a.path[i].order, b.path[i].order), strings.Compare(a.path[i].title.Text, b.path[i].title.Text), strings.Compare(a.path[i].key, b.path[i].key)); c != 0 {
				return c
			}
		}
		return 0
	})
	var rows []Row
	var total []Value
	open := []int{}  // the rows of the groups that are open now
	last := []step{} // and what they are
	for _, l := range leaves {
		same := 0
		for same < len(last) && same < len(l.path) && last[same].key == l.path[same].key {
			same++
		}
		open, last = open[:min(same, len(open))], last[:min(same, len(last))]
		for depth := len(open); depth < len(l.path); depth++ {
			row := Row{Path: make([]Value, depth+1), Leaf: depth == len(l.path)-1, Link: url.Values{}}
			if row.Leaf {
				row.Status, row.URL = l.status, l.url
			}
			for i := range row.Path {
				row.Path[i] = l.path[i].title
				if row.Link != nil && !l.path[i].link(row.Link) {
					row.Link = nil
				}
			}
			rows = append(rows, row)
			open, last = append(open, len(rows)-1), append(last, l.path[depth])
		}
		for _, at := range open {
			rows[at].Values = add(rows[at].Values, l.values)
		}
		total = add(total, l.values)
	}
	return rows, total
}
