package report

import (
	"fmt"
	"slices"
	"strings"

	"intouch/store"
)

// grouping is the path of a record into its groups; keys are by the name of
// the grouping. Days, weeks and months are those of the key "day".
func (r *run) grouping(keys map[string]store.GroupKey) []step {
	path := make([]step, len(r.by), len(r.by)+1)
	for i, by := range r.by {
		switch by {
		case "day", "week", "month":
			path[i] = r.step(by, keys["day"])
			path[i].filter, path[i].value = by, path[i].key
			if path[i].key == "" {
				path[i].value, path[i].order = "none", "9999"
			}
		default:
			path[i] = r.step(by, keys[by])
		}
	}
	return path
}

// list makes the rows of a table from records, each in its groups. Only
// figures are added up, not the texts and days of its columns.
func (r *run) list(t *Table, record string, records []leaf) {
	if r.rows {
		r.by = nil // the records alone are asked for
		for i := range records {
			records[i].path = records[i].path[len(records[i].path)-1:]
		}
	}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	t.Groups = append(t.Groups, r.group(record))
	t.Rows, t.Total = rollUp(records)
	unknown := false
	blank := func(values []Value) {
		for n, c := range t.Columns {
			if c.NoSum || !slices.Contains([]Type{Count, Minutes, Sum}, c.Type) {
				values[n] = none()
			}
		}
	}
	for i := range t.Rows {
		row := &t.Rows[i]
		if !row.Leaf {
			blank(row.Values)
			continue
		}
		row.Link = nil // it is a record itself
		unknown = unknown || slices.ContainsFunc(row.Values, func(v Value) bool { return v.Unknown })
	}
	if t.Total != nil {
		blank(t.Total)
	}
	if unknown {
		t.Notes = append(t.Notes, r.t("not said"))
	}
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
