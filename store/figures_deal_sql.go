package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// OpenDeals calls each for the selected deals, in the order in which they were
// registered. Of a deal and its events there is what OpenDeal and Next say, not
// what only their own pages show.
func (s *Store) OpenDeals(ctx context.Context, q DealSelection, each func(*OpenDeal) error) error {
	open := conditions{parts: []string{"d.open_next <> ''"}}
	s.openDealConditions(&open, &q)
	query := `SELECT d.id, d.number, d.date, d.client_id, d.amount, d.currency, d.shipment_known, d.payment_known, COALESCE(d.manager_id, cl.manager_id), COALESCE(d.source_id, cl.source_id), d.shipped, d.paid
		FROM deals d JOIN clients cl ON cl.id = d.client_id WHERE d.id IN ` + s.dialect.ids("$1") + ` ORDER BY d.id`
	return s.read(ctx, func(t *tx) error {
		from := "deals d"
		if len(q.Sources)+len(q.Importances)+len(q.Classes)+len(q.Stages) > 0 {
			from += " JOIN clients cl ON cl.id = d.client_id"
		}
		all, err := t.numbers("SELECT d.id FROM "+from+open.where(), open.args...)
		if err != nil {
			return err
		}
		slices.Sort(all)
		names := openNames{t: t, managers: map[int64]string{0: ""}, sources: map[int64]string{0: ""}, clients: map[int64]openClient{}}
		for ids := range slices.Chunk(all, openBatch) { // so many whole ones are read at a time
			deals := make([]OpenDeal, 0, len(ids))
			err := t.rows(query, []any{asJSON(ids)}, func(scan func(...any) error) error {
				deals = append(deals, OpenDeal{})
				o := &deals[len(deals)-1]
				d := &o.Deal
				var shipped, paid int64
				err := scan(&d.ID, &d.Number, &d.Date, &d.ClientID, &d.Amount.Minor, &d.Amount.Currency, &d.ShipmentKnown, &d.PaymentKnown, idInto{&o.Manager.ID}, idInto{&o.Source.ID}, &shipped, &paid)
				o.Totals = newDealTotals(d, shipped, paid)
				return err
			})
			if err != nil {
				return err
			}
			if err := names.fill(deals); err != nil {
				return err
			}
			if err := t.openEvents(deals); err != nil {
				return err
			}
			for i := range deals {
				if err := each(&deals[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// openDealConditions adds what the selection asks of open deals d and clients cl.
func (s *Store) openDealConditions(c *conditions, q *DealSelection) {
	for _, managers := range ofEach(q.Viewer, q.Managers) {
		// d.open_next <> '' finds the house's open deals, this a manager's.
		deals, of := dealsOf(s.dialect, managers, " AND o.open_next > ''")
		c.add("d.id IN "+deals, of...)
	}
	c.ids(s.dialect, "COALESCE(d.source_id, cl.source_id)", q.Sources)
	c.ids(s.dialect, "d.client_id", q.Clients)
	c.ids(s.dialect, "d.id", q.Deals)
	c.ofClient(s.dialect, q.Importances, q.Classes, q.Stages)
}

// ofEach are sets of managers, of each of which a record must be one's: the
// viewer alone, who sees no others' unless a head, and those that are asked for.
// None: it may be anybody's.
func ofEach(viewer Manager, asked []int64) (whose [][]int64) {
	if viewer.Role != RoleHead {
		whose = append(whose, []int64{viewer.ID})
	}
	if len(asked) > 0 && (viewer.Role == RoleHead || !slices.Contains(asked, viewer.ID)) {
		whose = append(whose, asked)
	}
	return whose
}

// openBatch is how many open deals are read at once.
const openBatch = 2000

// openEvents reads the events of deals that are in the order of their IDs.
func (t *tx) openEvents(deals []OpenDeal) error {
	ids, at := make([]int64, len(deals)), make(map[int64]*OpenDeal, len(deals))
	for i := range deals {
		ids[i] = deals[i].Deal.ID
		at[ids[i]] = &deals[i]
	}
	var e DealEvent
	into := []any{&e.ID, &e.DealID, &e.Kind, &e.Due, timeInto{&e.DueSet}, &e.DueBefore, &e.Expected, timeInto{&e.ExpectSet}, &e.Known, &e.State, timeInto{&e.PostponedT}, &e.Amount, &e.Covered}
	return t.rows(`SELECT e.id, e.deal_id, e.kind, e.due, e.due_set, e.due_before, e.expected, e.expect_set, e.known, e.state, e.postponed, e.amount, e.covered
		FROM deal_events e WHERE e.deal_id IN `+t.s.dialect.ids("$1")+` AND e.state IN ('planned', 'postponed')`, []any{asJSON(ids)}, func(scan func(...any) error) error {
		e = DealEvent{}
		err := scan(into...)
		if of := at[e.DealID]; of != nil {
			of.Events = append(of.Events, e)
		}
		return err
	})
}

// openNames are the names of those whom open deals belong to, each read once.
type openNames struct {
	t                 *tx
	managers, sources map[int64]string
	clients           map[int64]openClient
}

type openClient struct {
	name, class, stage string
	importance         Importance
}

// of reads the names of a table that are not there yet.
func (n *openNames) of(table string, all map[int64]string, deals []OpenDeal, id func(*OpenDeal) int64) error {
	unknown := newKeys(all, deals, id)
	if len(unknown) == 0 {
		return nil
	}
	found, err := n.t.names(table, "name", unknown)
	maps.Copy(all, found)
	return err
}

// newKeys puts into all the ids that are not there yet, and gives them.
func newKeys[V any](all map[int64]V, deals []OpenDeal, id func(*OpenDeal) int64) (unknown []int64) {
	for i := range deals {
		k := id(&deals[i])
		if _, known := all[k]; !known {
			var none V
			all[k] = none
			unknown = append(unknown, k)
		}
	}
	return unknown
}

func (n *openNames) fill(deals []OpenDeal) error {
	err := n.of("managers", n.managers, deals, func(o *OpenDeal) int64 { return o.Manager.ID })
	if err == nil {
		err = n.of("sources", n.sources, deals, func(o *OpenDeal) int64 { return o.Source.ID })
	}
	if err != nil {
		return err
	}
	unknown := newKeys(n.clients, deals, func(o *OpenDeal) int64 { return o.Deal.ClientID })
	if len(unknown) > 0 {
		err := n.t.rows(`SELECT id, name, importance, abc, stage FROM clients WHERE id IN `+n.t.s.dialect.ids("$1"), []any{asJSON(unknown)}, func(scan func(...any) error) error {
			var id int64
			var cl openClient
			err := scan(&id, &cl.name, &cl.importance, &cl.class, &cl.stage)
			n.clients[id] = cl
			return err
		})
		if err != nil {
			return err
		}
	}
	for i := range deals {
		o := &deals[i]
		cl := n.clients[o.Deal.ClientID]
		o.Deal.ClientName, o.Importance, o.Class, o.Stage = cl.name, cl.importance, cl.class, cl.stage
		o.Manager.Text, o.Source.Text = n.managers[o.Manager.ID], n.sources[o.Source.ID]
	}
	return nil
}

// ofClient adds what a client must be.
func (c *conditions) ofClient(d dialect, importances []Importance, classes, stages []string) {
	c.texts(d, "cl.importance", asTexts(importances))
	c.texts(d, "cl.abc", classes)
	c.texts(d, "cl.stage", stages)
}

// PeriodItems gives what is planned in a period, sorted by status, then time;
// what is done only where the filter asks for it. At most limit contacts and as
// many events are looked at, the earliest; more: there are others.
func (s *Store) PeriodItems(ctx context.Context, q ItemSelection, limit int) (out []Item, more bool, err error) {
	loc := q.Viewer.Location()
	contacts, events := q.conditions(s.dialect)
	err = s.read(ctx, func(t *tx) error {
		keep := func(it Item) {
			if q.selects(&it, loc, t.now) {
				out = append(out, it)
			}
		}
		if contacts.asked {
			found, err := t.rowContacts(&q.Filter, contacts.first(limit), contacts.args...)
			if err != nil {
				return err
			}
			if more, err = contacts.others(t, len(found), limit); err != nil {
				return err
			}
			for i := range found {
				found[i].hideFrom(q.Viewer.ID)
				keep(contactAsItem(&found[i]))
			}
		}
		if !events.asked {
			return nil
		}
		found, err := t.eventItems(events.first(limit+1), events.args...)
		more = more || len(found) > limit
		for _, it := range found[:min(len(found), limit)] {
			keep(it)
		}
		return err
	})
	SortAgenda(out, loc)
	return out, more, err
}

// EachPeriodItem calls each for the items that PeriodItems gives, some at a time,
// in no order. They are there only for the call, with what a line of a list shows:
// no text, no persons, no manager beside the responsible one, no attributes of the
// client. Filter has nothing that asks for these: no Words, Variations,
// Attributes, nor DoneDays; NoLetters is the query's.
func (s *Store) EachPeriodItem(ctx context.Context, q ItemSelection, limit int, each func([]Item) error) (more bool, err error) {
	loc := q.Viewer.Location()
	contacts, events := q.conditions(s.dialect)
	err = s.read(ctx, func(t *tx) error {
		var batch itemBatch
		found := 0
		keep := func(it *Item) error {
			if found++; found > limit {
				more = true
				return nil
			}
			if q.selects(it, loc, t.now) && batch.add(it) {
				return batch.give(each)
			}
			return nil
		}
		if contacts.asked {
			if err := t.listedContacts(contacts.first(limit), contacts.args, keep); err != nil {
				return err
			}
			var err error
			if more, err = contacts.others(t, found, limit); err != nil {
				return err
			}
		}
		if events.asked {
			found = 0
			if err := t.listedEvents(events.first(limit+1), events.args, keep); err != nil {
				return err
			}
		}
		return batch.give(each)
	})
	return more, err
}

// itemBatch are Items with what they point to, in memory that is used again.
type itemBatch struct {
	items    []Item
	contacts [itemsAtOnce]Contact
	events   [itemsAtOnce]DealEvent
	deals    [itemsAtOnce]Deal
}

const itemsAtOnce = 64

// add takes a copy, and reports whether no more can be taken.
func (b *itemBatch) add(it *Item) (full bool) {
	n := len(b.items)
	b.items = append(b.items, *it)
	own := &b.items[n]
	if it.Contact != nil {
		b.contacts[n] = *it.Contact
		own.Contact = &b.contacts[n]
	} else {
		b.events[n], b.deals[n] = *it.Event, *it.Deal
		own.Event, own.Deal = &b.events[n], &b.deals[n]
	}
	return n+1 == itemsAtOnce
}

// give hands them on.
func (b *itemBatch) give(each func([]Item) error) error {
	err := each(b.items)
	b.items = b.items[:0]
	return err
}

// selects places an item in time, and reports whether it begins in the period
// and passes the filter.
func (q *ItemSelection) selects(it *Item, loc *time.Location, now time.Time) bool {
	it.When = it.WhenIn(loc)
	it.Status = it.StatusAt(loc, now)
	begins := it.When.Start
	filter := q.Filter
	filter.Managers = nil
	return !begins.Before(q.From) && begins.Before(q.To) && filter.Match(it, it.Status, now)
}

// itemQuery selects contacts or deal events, if these are asked for at all.
type itemQuery struct {
	asked        bool
	where, order string
	args         []any
}

// first is the end of a statement that selects so many, the earliest.
func (q *itemQuery) first(n int) string {
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", q.where, q.order, n)
}

// others reports whether there are contacts beside the first so many, of which
// those were found: in no order, so that one too many would not be known.
func (q *itemQuery) others(t *tx, found, limit int) (more bool, err error) {
	if found == limit {
		err = t.row(`SELECT EXISTS (SELECT 1 FROM contacts c `+q.first(1)+fmt.Sprintf(" OFFSET %d)", limit), q.args, &more)
	}
	return more, err
}

// conditions are what contacts and deal events must be.
func (q *ItemSelection) conditions(d dialect) (ofContacts, ofEvents itemQuery) {
	loc := q.Viewer.Location()
	states := statesOf(&q.Filter)
	// Whole days lie in the zone of the one who looks, not where they are stored.
	begins := []any{q.From.Add(-24 * time.Hour).Unix(), q.To.Add(24 * time.Hour).Unix()}
	inPeriod := " AND start_at <> 0 AND start_at >= ? AND start_at < ?"
	first, last := DateOf(q.From, loc), DateOf(q.To.Add(-time.Second), loc)
	var contacts conditions
	if q.Filter.NoLetters {
		contacts.add("c.message_key = ''")
	}
	contacts.ids(d, "c.client_id", q.Filter.Clients)
	events := conditions{parts: []string{"d.status <> 'cancelled'"}}
	events.ids(d, "d.client_id", q.Filter.Clients)
	whose := ofEach(q.Viewer, q.Managers)
	for _, managers := range whose {
		contacts.contactsOf(d, managers, &q.Filter, inPeriod, begins...)
		events.eventsOf(d, managers, &q.Filter, first, last)
	}
	if len(whose) == 0 {
		contacts.add("c.state IN "+states+inPeriod, begins...)
		in, days := eventsIn(&q.Filter, first, last)
		events.add(in, days...)
	}
	return itemQuery{among(q.Filter.Types, ContactItem), contacts.where(), "c.start_at, c.id", contacts.args},
		itemQuery{among(q.Filter.Types, ShipmentItem) || among(q.Filter.Types, PaymentItem), events.where(), eventDay + ", e.id", events.args}
}

// PersonLines calls each for the selected persons, by client, then name.
func (s *Store) PersonLines(ctx context.Context, q PersonSelection, each func(PersonLine) error) error {
	return s.read(ctx, func(t *tx) error {
		all, err := t.selectedPersons(&q, conditions{}, 0)
		if err != nil {
			return err
		}
		var last map[int64]int64
		if !q.NoLast || !q.Before.IsZero() || !q.Since.IsZero() {
			if all, last, err = t.withContacts(&q, all); err != nil {
				return err
			}
		}
		for ids := range slices.Chunk(all, personBatch) { // so many whole ones are held at a time
			if err := t.personLines(ids, last, each); err != nil {
				return err
			}
		}
		return nil
	})
}

// LastContacts tells when the last done contact began in which each of some
// persons took part; those without one are not among them.
func (s *Store) LastContacts(ctx context.Context, persons []int64) (map[int64]time.Time, error) {
	told := make(map[int64]time.Time, len(persons))
	err := s.read(ctx, func(t *tx) error {
		last, err := t.lastContacts(persons)
		for _, id := range persons {
			if at, known := last[id]; known {
				told[id] = fromUnix(at)
			}
		}
		return err
	})
	return told, err
}

// PersonPage gives a page of what PersonLines gives, those behind the person
// with the id after (0: from the first). more: there are others.
func (s *Store) PersonPage(ctx context.Context, q PersonSelection, after int64, limit int) (out []PersonLine, more bool, err error) {
	if limit <= 0 || limit > personBatch {
		limit = personBatch
	}
	var c conditions
	if after != 0 {
		c.add(`(cl.folded, cl.id, p.name, p.id) > (SELECT a.folded, a.id, b.name, b.id FROM persons b JOIN clients a ON a.id = b.client_id WHERE b.id = ?)`, after)
	}
	err = s.read(ctx, func(t *tx) error {
		first := limit + 1
		if !q.Before.IsZero() || !q.Since.IsZero() {
			first = 0
		}
		ids, err := t.selectedPersons(&q, c, first)
		if err != nil {
			return err
		}
		var last map[int64]int64
		if first == 0 {
			if ids, last, err = t.withContacts(&q, ids); err != nil {
				return err
			}
		}
		if more = len(ids) > limit; more {
			ids = ids[:limit]
		}
		if len(ids) == 0 {
			return nil
		}
		if last == nil {
			if last, err = t.lastContacts(ids); err != nil {
				return err
			}
		}
		return t.personLines(ids, last, func(l PersonLine) error {
			out = append(out, l)
			return nil
		})
	})
	return out, more, err
}

// withContacts leaves of the persons those whose last contacts, which it gives
// too, are selected.
func (t *tx) withContacts(q *PersonSelection, all []int64) ([]int64, map[int64]int64, error) {
	last, err := t.lastContacts(all)
	if err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(all, func(id int64) bool {
		return !q.Before.IsZero() && last[id] >= q.Before.Unix() || !q.Since.IsZero() && last[id] < q.Since.Unix()
	}), last, nil
}

// selectedPersons gives at most limit of the persons who are selected by what
// is known of them and of their clients, 0 for all; c are further conditions.
func (t *tx) selectedPersons(q *PersonSelection, c conditions, limit int) (ids []int64, err error) {
	c.add("p.merged_into IS NULL")
	if err := t.seenClients(&c, q.Viewer); err != nil {
		return nil, err
	}
	d := t.s.dialect
	c.ids(d, "cl.manager_id", q.Managers)
	c.ids(d, "cl.source_id", q.Sources)
	c.ids(d, "p.client_id", q.Clients)
	c.ids(d, "p.id", q.Persons)
	c.ofClient(d, q.Importances, q.Classes, q.Stages)
	c.texts(d, "cl.xyz", q.XYZ)
	if q.Birthday > 0 {
		c.add("p.birthday <> ''")
	}
	if q.Born > 0 {
		c.add("p.birthday <> ''")
		c.add("substr(p.birthday, 6, 2) = ?", fmt.Sprintf("%02d", q.Born))
	}
	mail := "FALSE"
	if q.Text != "" {
		mail = `p.id IN (SELECT pp.person_id FROM person_points pp WHERE pp.kind = 'email' AND pp.value LIKE ` + c.arg("%"+likeEscaper.Replace(fold(q.Text))+"%") + ` ESCAPE '\')`
	}
	today := DateOf(q.At, q.Viewer.Location())
	err = t.rows(`SELECT p.id, p.birthday, p.name, cl.folded, `+mail+`, cl.attributes FROM persons p JOIN clients cl ON cl.id = p.client_id`+c.where()+` ORDER BY cl.folded, cl.id, p.name, p.id`, c.args,
		func(scan func(...any) error) error {
			var id int64
			var birthday Date
			var name, client string
			var mail bool
			var attributes []byte
			if err := scan(&id, &birthday, &name, &client, &mail, &attributes); err != nil {
				return err
			}
			if text := fold(q.Text); text != "" && !mail && !strings.Contains(client, text) && !strings.Contains(fold(name), text) {
				return nil
			}
			ok, err := q.takes(birthday, attributes, today)
			if ok {
				ids = append(ids, id)
			}
			if err == nil && len(ids) == limit && limit > 0 {
				err = errEnough
			}
			return err
		})
	if err == errEnough {
		err = nil
	}
	return ids, err
}

// personBatch is how many persons of a list are read at once.
const personBatch = 1000

// takes reports whether the selection has a person with that birthday, and with
// those attributes of the client, as JSON.
func (q *PersonSelection) takes(birthday Date, attributes []byte, today Date) (bool, error) {
	if q.Birthday > 0 && !birthdayWithin(birthday, today, q.Birthday) {
		return false, nil
	}
	if len(q.Attributes) == 0 {
		return true, nil
	}
	var has map[string]string
	if err := (jsonInto{&has}).Scan(attributes); err != nil {
		return false, err
	}
	for name, values := range q.Attributes {
		if got, ok := has[name]; !ok || !among(values, got) {
			return false, nil
		}
	}
	return true, nil
}

// lastContacts gives for each person the begin, in Unix seconds, of the last
// done contact that the person took part in; those without one are not in it.
// Of many persons it mostly is among the newest contacts of all, and these the
// index contacts_start has in order; of the others, and of a few persons, each
// one's own are read.
func (t *tx) lastContacts(persons []int64) (map[int64]int64, error) {
	last := make(map[int64]int64, len(persons))
	scan := func(scan func(...any) error) error {
		var id, at int64
		err := scan(&id, &at)
		last[id] = at
		return err
	}
	if len(persons) > personBatch {
		newest := fmt.Sprintf(`SELECT cp.person_id, MAX(c.start_at) FROM (SELECT id, start_at FROM contacts WHERE state = 'done' ORDER BY start_at DESC LIMIT %d) c
			JOIN contact_persons cp ON cp.contact_id = c.id GROUP BY cp.person_id`, 4*len(persons))
		if err := t.rows(newest, nil, scan); err != nil {
			return nil, err
		}
	}
	var others []int64
	for _, id := range persons {
		if _, known := last[id]; !known {
			others = append(others, id)
		}
	}
	for ids := range slices.Chunk(others, personBatch) {
		if err := t.rows(`SELECT cp.person_id, MAX(c.start_at) FROM contact_persons cp JOIN contacts c ON c.id = cp.contact_id WHERE cp.person_id IN `+t.s.dialect.ids("$1")+
			` AND c.state = 'done' GROUP BY cp.person_id`, []any{asJSON(ids)}, scan); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// personLines calls each for those persons, in their order.
func (t *tx) personLines(ids []int64, last map[int64]int64, each func(PersonLine) error) error {
	lines, at := make([]PersonLine, len(ids)), make(map[int64]*PersonLine, len(ids))
	for i, id := range ids {
		at[id] = &lines[i]
	}
	err := t.rows(`SELECT p.id, p.external_id, p.client_id, p.name, p.position, p.birthday, cl.name, cl.importance, cl.abc, cl.xyz, cl.stage, m.id, m.name, so.id, so.name
		FROM persons p JOIN clients cl ON cl.id = p.client_id LEFT JOIN managers m ON m.id = cl.manager_id LEFT JOIN sources so ON so.id = cl.source_id
		WHERE p.id IN `+t.s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
		var l PersonLine
		p := &l.Person
		if err := scan(&p.ID, textInto{&p.ExternalID}, &p.ClientID, &p.Name, &p.Position, &p.Birthday, &l.Client, &l.Importance, &l.Class, &l.XYZ, &l.Stage,
			idInto{&l.Manager.ID}, textInto{&l.Manager.Text}, idInto{&l.Source.ID}, textInto{&l.Source.Text}); err != nil {
			return err
		}
		l.Last = fromUnix(last[p.ID])
		*at[p.ID] = l
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.points("person_points", "person_id", ids, func(id int64, kind, value string) {
		if p := &at[id].Person; kind == "email" {
			p.Emails = append(p.Emails, value)
		} else {
			p.Phones = append(p.Phones, value)
		}
	}); err != nil {
		return err
	}
	if err := t.bounced(ids, func(id int64, address string) {
		p := &at[id].Person
		p.Bounced = append(p.Bounced, address)
	}); err != nil {
		return err
	}
	for _, l := range lines {
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}
