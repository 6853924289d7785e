package report

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"sync"

	"intouch/store"
)

// calendarReport is rules.md section 6.1: planned contacts and deal events.
var calendarReport = report{
	name:      "calendar",
	about:     "planned contacts and deal events; done ones too with --status done",
	groupings: []string{"type", "client", "importance", "status", "manager", "abc", "stage", "day", "week", "month"},
	by:        []string{"status"},
	filters:   []string{"type", "kind", "client", "importance", "status", "manager", "abc", "stage", "day", "week", "month", "unregistered"},
	options:   map[string][]string{"compare": {"previous", "year"}},
	period:    "month",
	build:     (*run).calendar,
	chart:     statusChart,
}

// maxItems bounds the contacts, and the events, of one calendar.
const maxItems = 20_000

func (r *run) calendar() (*Table, error) {
	t := &Table{Columns: []Column{r.column("items", Count), r.column("day", Day), r.column("time", Text), r.column("type", Text), r.column("client", Text),
		r.column("manager", Text), r.column("importance", Text), r.column("sum", Sum), r.column("moved from", Day), r.column("status", Text)}}
	t.Columns[7].NoSum = true // shipments and payments are not added up
	names, err := r.managerNames()
	if err != nil {
		return nil, err
	}
	periods, err := r.periods()
	if err != nil {
		return nil, err
	}
	all := r.listing(t)
	for n, p := range periods {
		more, err := r.calendarOf(p, names, func(item *record) { all.addOf(n, item) })
		if err != nil {
			return nil, err
		}
		if more {
			t.Notes = append(t.Notes, r.t("only first", voice{r.lang}.number(maxItems)))
		}
	}
	if err := all.rows("what"); err != nil {
		return nil, err
	}
	r.compare(t)
	return t, nil
}

// calendarOf gives each item of a period, in its groups; more: there are others.
func (r *run) calendarOf(p Period, names map[int64]string, each func(*record)) (more bool, err error) {
	f := &r.filter
	q := store.ItemSelection{Viewer: r.Viewer, Managers: f.managers, Filter: store.Filter{Statuses: f.statuses, Importances: f.importances, Clients: f.clients}}
	q.From, q.To = p.Bounds(r.loc)
	// Contacts and events are read side by side, and listed one at a time.
	var one sync.Mutex
	var item record
	var reads []func(context.Context) error
	for _, types := range [][]store.ItemType{{store.ContactItem}, {store.ShipmentItem, store.PaymentItem}} {
		q := q
		q.Filter.Types = slices.DeleteFunc(types, func(t store.ItemType) bool { return !passes(f.types, t) })
		if len(q.Filter.Types) == 0 {
			continue
		}
		reads = append(reads, func(ctx context.Context) error {
			others, err := r.st.EachPeriodItem(ctx, q, maxItems, func(items []store.Item) error {
				one.Lock()
				defer one.Unlock()
				for i := range items {
					if r.calendarItem(&item, &items[i], names) {
						each(&item)
					}
				}
				return nil
			})
			one.Lock()
			defer one.Unlock()
			more = more || others
			return err
		})
	}
	err = r.together(reads...)
	return more, err
}

// calendarItem makes the record of an item in its groups, using again what the
// last one had; false: the request does not select it.
func (r *run) calendarItem(into *record, it *store.Item, names map[int64]string) bool {
	f := &r.filter
	class, kind := it.Class, ""
	if it.Contact != nil {
		kind = string(it.Contact.Kind)
	}
	on, clock := it.When.First, ""
	if !it.When.AllDay {
		on, clock = store.DateOf(it.When.Start, r.loc), it.When.Start.In(r.loc).Format("15:04")
	}
	if !passes(f.classes, class) || !passes(f.stages, it.Stage) || len(f.kinds) > 0 && !passes(f.kinds, store.Kind(kind)) || !f.on(on) {
		return false
	}
	manager := itemManager(it)
	client := store.GroupKey{ID: it.ClientID, Text: it.ClientName}
	if it.Contact != nil && it.ClientID == 0 {
		client.Text = it.Contact.ClientText
	}
	if len(f.unregistered) > 0 && (it.ClientID != 0 || !passes(f.unregistered, client.Text)) {
		return false
	}
	path := r.grouping(func(by string) store.GroupKey {
		switch by {
		case "type":
			return store.GroupKey{Text: string(it.Type)}
		case "client":
			return client
		case "importance":
			return store.GroupKey{Text: string(it.Importance)}
		case "status":
			return store.GroupKey{Text: string(it.Status)}
		case "manager":
			return store.GroupKey{ID: manager, Text: names[manager]}
		case "abc":
			return store.GroupKey{Text: class}
		case "day":
			return store.GroupKey{Text: string(on)}
		}
		return store.GroupKey{Text: it.Stage}
	})
	what, sum, moved, url := r.itemTitle(it)
	order := append(make([]byte, 0, 16), byte(it.Status.Rank()))
	order = append(binary.BigEndian.AppendUint64(order, uint64(it.When.Start.Unix())^1<<63), byte(it.Importance.Rank()))
	into.path, into.own, into.status, into.url = path, recordStep(it.Key().ID, what, string(order)), it.Status, url
	into.own.key += string(it.Type)
	into.values = append(into.values[:0], count(1), day(on), text(clock), text(store.Word(r.lang, itemWord(it))), text(client.Text), text(names[manager]),
		text(store.Word(r.lang, "importance."+string(it.Importance))), sum, day(moved), r.statusWord(it.Status))
	return true
}

// itemTitle is what a row of the calendar says: a contact's subject or the
// deal, the sum of an event, the day from which it was moved, and its page.
func (r *run) itemTitle(it *store.Item) (title string, sum Value, moved store.Date, url string) {
	sum = none()
	if e := it.Event; e != nil {
		if e.Moved() {
			moved = e.MovedFrom()
		}
		return r.t("deal no", it.Deal.Number), amount(e.Amount, it.Deal.Amount.Currency, true), moved, "/deals/" + strconv.FormatInt(e.DealID, 10)
	}
	title = firstLine(it.Contact.Subject)
	if title == "" {
		title = r.t("none.subject")
	}
	return title, sum, "", "/contacts/" + strconv.FormatInt(it.Contact.ID, 10)
}

// itemWord is the key of the word for what an item is.
func itemWord(it *store.Item) string {
	if it.Contact != nil {
		return "kind." + string(it.Contact.Kind)
	}
	return "type." + string(it.Type)
}

// itemManager is the responsible one.
func itemManager(it *store.Item) int64 {
	if it.Contact != nil {
		return it.Contact.ManagerID
	}
	if len(it.Managers) > 0 {
		return it.Managers[0]
	}
	return 0
}

// managerNames are the names of all managers.
func (r *run) managerNames() (map[int64]string, error) {
	managers, err := r.st.Managers(r.ctx)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, m := range managers {
		names[m.ID] = m.Name
	}
	return names, nil
}
