package report

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

	"intouch/store"
)

// classificationReport is rules.md section 6.7: where clients stand at the end
// of the period by ABC × XYZ and stages, and what changed since its start.
var classificationReport = report{
	name:      "classification",
	about:     "clients by ABC × XYZ and by stage at the end of the period, and what changed since its beginning",
	groupings: []string{"abc", "stage", "xyz", "manager", "relation"},
	by:        []string{"abc"},
	filters:   []string{"manager", "client", "abc", "xyz", "stage"},
	options:   map[string][]string{"relation": {"improved", "worsened", "unchanged", "new"}, "compare": {"previous", "year"}},
	period:    "month",
	build:     (*run).classification,
	chart:     classificationChart,
}

var xyzClasses = []string{"X", "Y", "Z"}

func (r *run) classification() (*Table, error) {
	found, err := r.positions(r.period)
	if err != nil {
		return nil, err
	}
	if r.rows {
		return r.positionRows(found), nil
	}
	t := &Table{Columns: []Column{r.column("clients", Count), r.column("clients %", Percent)}}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	for _, class := range xyzClasses {
		t.Columns = append(t.Columns, Column{Key: class, Title: class, Type: Count, Behind: url.Values{"rows": {"1"}, "xyz": {class}}})
	}
	relations := []store.Relation{store.Improved, store.Worsened, store.Unchanged, store.New}
	for _, rel := range relations {
		column := r.column(string(rel), Count)
		column.Behind.Set("relation", string(rel))
		t.Columns = append(t.Columns, column)
	}
	leaves := leafSet{}
	periods, err := r.periods()
	if err != nil {
		return nil, err
	}
	tally := func(found []store.PositionPair, side int) {
		for _, p := range found {
			path := make([]*step, len(r.by))
			for i, g := range r.by {
				path[i] = r.positionStep(g, &p)
			}
			values := []Value{count(p.Clients), {}}
			for _, class := range xyzClasses {
				values = append(values, some(p.Clients, p.Now.XYZ == class))
			}
			for _, rel := range relations {
				values = append(values, some(p.Clients, p.Now.Since(p.Former) == rel))
			}
			l := leaves.keep(path, len(values)*len(periods))
			add(l.values[side*len(values):][:len(values)], values)
		}
	}
	tally(found, 0)
	for i, other := range periods[1:] {
		then, err := r.positions(other)
		if err != nil {
			return nil, err
		}
		tally(then, i+1)
	}
	width := len(t.Columns) * len(periods)
	if err := r.idle(func(path []*step) { leaves.keep(path, width) }); err != nil {
		return nil, err
	}
	t.Rows, t.Total = rollUp(leaves)
	r.shares(t, 0, 1)
	r.compare(t)
	if len(found) == 0 {
		t.Notes = append(t.Notes, r.t("not classified"))
	}
	return t, nil
}

// positions are those of the clients asked for, at the end of a period and
// before it.
func (r *run) positions(p Period) ([]store.PositionPair, error) {
	q := r.sales(p)
	q.PerClient = r.rows
	found, err := gather(func(each func(store.PositionPair) error) error { return r.st.Positions(r.ctx, q, each) })
	return slices.DeleteFunc(found, func(p store.PositionPair) bool { return !r.passes(&p) }), err
}

// passes reports whether a client's position is one of those asked for.
func (r *run) passes(p *store.PositionPair) bool {
	f := &r.filter
	return among(f.classes, p.Now.ABC) && among(f.xyz, p.Now.XYZ) && among(f.stages, p.Now.Stage) && among(r.Params["relation"], string(p.Now.Since(p.Former)))
}

// among reports whether a word is in the list; an empty one has all.
func among(list []string, word string) bool {
	return len(list) == 0 || slices.Contains(list, word)
}

// some counts those n, or none of them.
func some(n int64, yes bool) Value {
	if yes {
		return count(n)
	}
	return count(0)
}

// positionStep is the group of a client's position.
func (r *run) positionStep(by string, p *store.PositionPair) *step {
	switch by {
	case "abc":
		return r.step(by, store.GroupKey{Text: p.Now.ABC})
	case "xyz":
		return r.step(by, store.GroupKey{Text: p.Now.XYZ})
	case "stage":
		return r.step(by, store.GroupKey{Text: p.Now.Stage})
	case "relation":
		return r.step(by, store.GroupKey{Text: string(p.Now.Since(p.Former))})
	}
	return r.step("manager", p.Manager)
}

// positionRows are the clients, with what they were and are.
func (r *run) positionRows(found []store.PositionPair) *Table {
	t := &Table{About: []string{r.aboutRecords()}, Columns: []Column{r.column("client", Text), r.column("manager", Text), r.column("stood", Text), r.column("stands", Text), r.column("relation", Text)}}
	slices.SortFunc(found, func(a, b store.PositionPair) int {
		return cmp.Or(cmp.Compare(a.Client.Text, b.Client.Text), cmp.Compare(a.Client.ID, b.Client.ID))
	})
	for _, p := range found[:r.first(t, len(found))] {
		t.Rows = append(t.Rows, Row{Leaf: true, URL: fmt.Sprintf("/clients/%d", p.Client.ID), Values: []Value{text(p.Client.Text), text(p.Manager.Text),
			text(r.position(p.Former)), text(r.position(p.Now)), text(r.t("column." + string(p.Now.Since(p.Former))))}})
	}
	return t
}

// position is "A, постоянный, X".
func (r *run) position(p store.Position) string {
	if p.Stage == "" {
		return ""
	}
	said := r.t("stage." + p.Stage)
	if p.ABC != "" {
		said = p.ABC + ", " + said
	}
	if p.XYZ != "" {
		said += ", " + p.XYZ
	}
	return said
}
