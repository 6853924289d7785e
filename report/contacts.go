package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// contactsReport is rules.md section 6.4: number, time spent and content of
// contacts.
var contactsReport = report{
	name:      "contacts",
	about:     "number, time spent and content of contacts",
	groupings: []string{"client", "importance", "state", "kind", "direction", "person", "manager", "source", "day", "week", "month"},
	by:        []string{"manager", "kind"},
	filters:   []string{"client", "importance", "state", "kind", "direction", "person", "counted", "manager", "source", "deal", "unregistered"},
	options:   map[string][]string{"compare": {"previous", "year"}},
	period:    "month",
	build:     (*run).contacts,
	chart:     contactsChart,
}

func (r *run) contactSelection(p Period) store.ContactSelection {
	q := store.ContactSelection{Viewer: r.Viewer, Managers: r.filter.managers, Clients: r.filter.clients, Persons: r.filter.persons, Counted: r.filter.counted, Unregistered: r.filter.unregistered, Sources: r.filter.sources,
		Deals: r.filter.deals, Kinds: r.filter.kinds, Directions: r.filter.directions, States: r.filter.states, Importances: r.filter.importances}
	q.From, q.To = p.Bounds(r.loc)
	return q
}

func (r *run) contacts() (*Table, error) {
	if r.rows {
		return r.contactRows()
	}
	t := &Table{}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	t.Columns = []Column{r.column("contacts", Count), r.column("contacts %", Percent), r.column("minutes", Minutes), r.column("minutes %", Percent)}
	periods, err := r.periods()
	if err != nil {
		return nil, err
	}
	leaves := leafSet{}
	err = r.together(func(ctx context.Context) error {
		for i, p := range periods {
			if err := r.contactLeaves(ctx, leaves, p, i, len(periods)); err != nil {
				return err
			}
		}
		return nil
	}, r.readClients)
	if err != nil {
		return nil, err
	}
	width := len(t.Columns) * len(periods)
	if err := r.idle(func(path []*step) { leaves.keep(path, width) }); err != nil {
		return nil, err
	}
	t.Rows, t.Total = rollUp(leaves)
	r.shares(t, 0, 1)
	r.shares(t, 2, 3)
	r.compare(t)
	if len(t.Total) > 0 && t.Total[2].Estimated {
		t.Notes = append(t.Notes, r.t("estimate"))
	}
	if slices.Contains(r.by, "person") {
		t.Notes = append(t.Notes, r.t("one person"))
	}
	return t, nil
}

// shares fills a column with what each row of another one is of the total.
func (r *run) shares(t *Table, of, into int) {
	if t.Total == nil {
		return
	}
	whole := t.Total[of].N
	for i := range t.Rows {
		t.Rows[i].Values[into] = share(t.Rows[i].Values[of].N, whole)
	}
	t.Total[into] = share(whole, whole)
}

// contactLeaves adds the figures of the n-th of all periods to the innermost
// groups.
func (r *run) contactLeaves(ctx context.Context, leaves leafSet, p Period, n, all int) error {
	by := make([]store.Grouping, len(r.by))
	for i, g := range r.by {
		by[i] = store.Grouping(g)
		if g == "week" || g == "month" {
			by[i] = store.ByDay
		}
	}
	path := make([]*step, len(r.by))
	return r.st.ContactGroups(ctx, r.contactSelection(p), by, func(g store.ContactGroup) error {
		for i, by := range r.by {
			path[i] = r.step(by, g.Keys[i])
		}
		figures := []Value{count(g.Contacts), {}, minutes(g.Minutes, g.Estimated), {}}
		l := leaves.keep(path, len(figures)*all)
		add(l.values[n*len(figures):][:len(figures)], figures)
		return nil
	})
}

// groupDays are the first and last day that a group has of the period.
func (r *run) groupDays(by, first string) string {
	p := Period{store.Date(first), store.Date(first)}
	switch by {
	case "week":
		p.To = p.From.Add(6)
	case "month":
		p.To = monthsLater(p.From, 1).Add(-1)
	}
	return string(max(p.From, r.period.From)) + " " + string(min(p.To, r.period.To))
}

// step is a group's key as a row shows it, with the filter that selects it. It
// is made once: the same manager is in the path of many rows.
func (r *run) step(by string, k store.GroupKey) *step {
	if by == "week" || by == "month" {
		k.Text = string(groupDay(by, store.Date(k.Text)))
	}
	at := grouped{by, k}
	if k.ID != 0 {
		at.key.Text = "" // the same record has the same name
	}
	s := r.steps[at]
	if s == nil {
		if r.steps == nil {
			r.steps = map[grouped]*step{}
		}
		made := r.makeStep(by, k)
		s = &made
		r.steps[at] = s
	}
	return s
}

// grouped is a key of a grouping.
type grouped struct {
	by  string
	key store.GroupKey
}

func (r *run) makeStep(by string, k store.GroupKey) step {
	word := func(title string, rank int) step {
		return step{key: k.Text, title: text(title), order: fmt.Sprintf("%02d", rank), filter: by, value: k.Text}
	}
	none := func() step {
		return step{title: text(r.t("none." + by)), order: "2", filter: by, value: "none"} // comes last
	}
	switch by {
	case "importance":
		return word(store.Word(r.lang, "importance."+k.Text), slices.Index(allImportances, store.Importance(k.Text)))
	case "state":
		return word(r.t("state."+k.Text), slices.Index(allStates, store.State(k.Text)))
	case "status", "type", "abc", "xyz", "stage":
		if k.Text == "" {
			return none()
		}
	}
	switch by {
	case "status":
		return word(store.Word(r.lang, "status."+k.Text), slices.Index(allStatuses, store.Status(k.Text)))
	case "type":
		return word(store.Word(r.lang, "type."+k.Text), slices.Index(allTypes, store.ItemType(k.Text)))
	case "kind":
		return word(store.Word(r.lang, "kind."+k.Text), slices.Index(allKinds, store.Kind(k.Text)))
	case "direction":
		return word(r.t("direction."+k.Text), slices.Index(allDirections, store.Direction(k.Text)))
	case "abc", "xyz":
		return word(k.Text, 0)
	case "stage":
		return word(store.Word(r.lang, "stage."+k.Text), slices.Index(allStages, k.Text))
	case "day", "week", "month":
		d := store.Date(k.Text)
		s := step{key: k.Text, title: dayGroup(voice{r.lang}.dayTitle(by, d), d), order: k.Text, filter: days, value: r.groupDays(by, k.Text)}
		if slices.Contains(r.report.filters, by) {
			s.filter, s.value, s.order = by, cmp.Or(k.Text, "none"), cmp.Or(k.Text, "9999")
		}
		return s
	case "relation":
		order := map[string]string{"improved": "0", "worsened": "1", "unchanged": "2", "new": "3"}[k.Text]
		return step{key: k.Text, title: text(r.t("column." + k.Text)), order: order, filter: by, value: k.Text}
	}
	id := strconv.FormatInt(k.ID, 10)
	s := step{key: id + " " + k.Text, title: text(k.Text), order: "0" + strings.ToLower(k.Text), filter: by, value: "#" + id}
	if by == "person" {
		s.filter = "counted"
	}
	if k.ID != 0 {
		return s
	}
	s.value = "none"
	if k.Text == "" {
		s.title, s.order = text(r.t("none."+by)), "2" // what has none comes last
	} else if s.order = "1" + s.order; by == "campaign" {
		s.value = k.Text
	}
	if by == "client" && slices.Contains(r.report.filters, "unregistered") {
		s.filter, s.value = "unregistered", cmp.Or(k.Text, "none")
	}
	if k.Text == "none" {
		s.filter = "" // no filter tells it from none
	}
	return s
}

// groupDay is the first day of the day's week or month.
func groupDay(by string, d store.Date) store.Date {
	t, err := time.Parse("2006-01-02", string(d))
	switch {
	case err != nil:
		return ""
	case by == "week":
		return d.Add(-(int(t.Weekday()) + 6) % 7)
	case by == "month":
		return d[:len(d)-2] + "01"
	}
	return d
}

// dayTitle is a day, week or month by its first day.
func (v voice) dayTitle(by string, d store.Date) string {
	switch {
	case d == "":
		return v.t("none.day")
	case by == "week":
		return v.t("week of", v.date(d))
	case by == "month":
		return v.month(d)
	}
	return v.date(d)
}

// contactRows are the contacts themselves.
func (r *run) contactRows() (*Table, error) {
	return r.contactTable(func(limit int, each func(*store.Contact) error) error {
		return r.st.SelectedContacts(r.ctx, r.contactSelection(r.period), limit, each)
	})
}

// contactTable lists contacts as they are read.
func (r *run) contactTable(read func(limit int, each func(*store.Contact) error) error) (*Table, error) {
	t := &Table{About: []string{r.aboutRecords()}, Columns: []Column{
		r.column("when", Moment), r.column("kind", Text), r.column("direction", Text), r.column("client", Text), r.column("manager", Text),
		r.column("subject", Text), r.column("text", Text), r.column("state", Text), r.column("minutes", Minutes)}}
	names, err := r.managerNames()
	if err != nil {
		return nil, err
	}
	err = read(r.limit()+1, func(c *store.Contact) error {
		if len(t.Rows) == r.limit() {
			r.first(t, len(t.Rows)+1)
			return nil
		}
		client := c.ClientName
		if client == "" {
			client = c.ClientText
		}
		spent := none() // before it is done
		if c.State == store.Done {
			spent = Value{N: int64(c.Minutes), Estimated: c.Estimated}
		}
		t.Rows = append(t.Rows, Row{Leaf: true, Status: c.Status(r.loc, r.Now), URL: fmt.Sprintf("/contacts/%d", c.ID), Values: []Value{
			{N: c.When.Begins(r.loc).Unix()}, text(store.Word(r.lang, "kind."+string(c.Kind))), text(r.t("direction." + string(c.Direction))), text(client),
			text(names[c.ManagerID]), text(c.Subject), text(firstLine(c.Body)), text(r.t("state." + string(c.State))), spent}})
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.totals()
	return t, nil
}

// firstLine is the beginning of a text, for a list.
func firstLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 120 {
		return string(runes[:119]) + "…"
	}
	return s
}
