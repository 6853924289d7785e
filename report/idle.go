package report

import (
	"context"
	"slices"

	"intouch/store"
)

// idle calls each for the groups that keep a row though nothing falls into
// them (rules.md section 6.6): all managers or lead sources where the rows are
// grouped by these first, and all clients where only these stand before them.
// The groups within are not known then, so a path may end early.
func (r *run) idle(each func(path []*step)) error {
	if r.chosen() {
		return nil
	}
	if err := r.idleManagers(each); err != nil {
		return err
	}
	depth := r.clientDepth()
	if depth > 0 && r.by[0] != "manager" && len(r.filter.clients) == 0 {
		all, err := r.st.Sources(r.ctx)
		if err != nil {
			return err
		}
		for _, s := range all {
			if r.ofSource(s.ID) {
				each(r.sourcePath(s, r.by[:depth]))
			}
		}
	}
	if err := r.readClients(r.ctx); err != nil || len(r.clients) == 0 {
		return err
	}
	sources, err := r.sourcesByID()
	if err != nil {
		return err
	}
	managers, err := r.managerNames()
	if err != nil {
		return err
	}
	for _, l := range r.clients {
		if !r.ofSource(l.Source) {
			continue
		}
		path := make([]*step, depth+1)
		for i, by := range r.by[:depth] {
			if by == "manager" {
				path[i] = r.step(by, store.GroupKey{ID: l.Manager, Text: managers[l.Manager]})
			} else {
				path[i] = r.sourceStep(by, sources[l.Source])
			}
		}
		path[depth] = r.step("client", l.Client)
		each(path)
	}
	return nil
}

// clientDepth is how many groups come first of which each client has one: the
// client, where it is next, can be placed without a record.
func (r *run) clientDepth() (depth int) {
	for depth < len(r.by) && slices.Contains([]string{"manager", "source", "campaign"}, r.by[depth]) {
		depth++
	}
	return depth
}

// readClients reads the clients that idle gives a row, if it does so: once, and
// where the figures are read together with them.
func (r *run) readClients(ctx context.Context) (err error) {
	if depth := r.clientDepth(); r.asked || r.chosen() || depth == len(r.by) || r.by[depth] != "client" {
		return nil
	}
	r.asked = true
	q := store.SaleSelection{Managers: r.filter.managers, Clients: r.filter.clients}
	if r.Viewer.Role != store.RoleHead {
		q.Managers = []int64{r.Viewer.ID}
	}
	r.clients, err = gather(func(each func(store.ClientLine) error) error { return r.st.ClientLines(ctx, q, each) })
	return err
}

// idleManagers calls each for all managers, where the rows are grouped by them
// first.
func (r *run) idleManagers(each func(path []*step)) error {
	if len(r.by) == 0 || r.by[0] != "manager" || len(r.filter.clients) > 0 || r.chosen() {
		return nil
	}
	all := []store.Manager{r.Viewer}
	if r.Viewer.Role == store.RoleHead {
		var err error
		if all, err = r.st.Managers(r.ctx); err != nil {
			return err
		}
	}
	for _, m := range all {
		if passes(r.filter.managers, m.ID) {
			each([]*step{r.step("manager", store.GroupKey{ID: m.ID, Text: m.Name})})
		}
	}
	return nil
}

// chosen reports whether the records are selected by something that a manager,
// source or client without any has no part in.
func (r *run) chosen() bool {
	f := &r.filter
	return len(f.persons)+len(f.counted)+len(f.deals)+len(f.unregistered) > 0
}

// ofSource reports whether the filter selects a lead source; 0: none.
func (r *run) ofSource(id int64) bool { return passes(r.filter.sources, id) }

// sourcesByID are all lead sources.
func (r *run) sourcesByID() (map[int64]store.Source, error) {
	all, err := r.st.Sources(r.ctx)
	byID := make(map[int64]store.Source, len(all))
	for _, s := range all {
		byID[s.ID] = s
	}
	return byID, err
}

// sourcePath are the groups of a lead source by campaign and source.
func (r *run) sourcePath(s store.Source, by []string) []*step {
	path := make([]*step, len(by))
	for i, g := range by {
		path[i] = r.sourceStep(g, s)
	}
	return path
}

// sourceStep is the group of a lead source by campaign or source.
func (r *run) sourceStep(by string, s store.Source) *step {
	if by == "campaign" {
		return r.step(by, store.GroupKey{Text: s.Campaign})
	}
	return r.step(by, store.GroupKey{ID: s.ID, Text: s.Name})
}
