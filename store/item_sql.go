package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Reading contacts and deal events, alone and as Items.

const contactColumns = `c.id, c.uid, c.kind, c.direction, c.state, c.importance, c.client_id, cl.name, c.client_text,
	c.manager_id, c.deal_id, c.source_id, c.subject, c.body, c.start_at, c.end_at, c.first_day, c.last_day, c.recurrence,
	c.minutes, c.estimated, c.thread, c.message_key, c.attachments, c.origin, c.created, c.changed, c.completed, c.postponed, c.version, c.component, c.dismissed, c.private, cd.number, c.signs, cl.abc, cl.stage, c.external_id, cl.xyz, cl.attributes`

// contacts reads contacts with their managers and persons. tail is WHERE …
// ORDER BY … LIMIT … over "contacts c LEFT JOIN clients cl".
func (t *tx) contacts(tail string, args ...any) ([]Contact, error) {
	var out []Contact
	err := t.rows(`SELECT `+contactColumns+` FROM contacts c LEFT JOIN clients cl ON cl.id = c.client_id LEFT JOIN deals cd ON cd.id = c.deal_id `+tail, args, func(scan func(...any) error) error {
		var c Contact
		if err := scan(&c.ID, &c.UID, &c.Kind, &c.Direction, &c.State, &c.Importance, idInto{&c.ClientID}, textInto{&c.ClientName}, &c.ClientText,
			idInto{&c.ManagerID}, idInto{&c.DealID}, idInto{&c.SourceID}, &c.Subject, &c.Body, timeInto{&c.When.Start}, timeInto{&c.When.End},
			&c.When.First, &c.When.Last, &c.Recurrence, &c.Minutes, &c.Estimated, &c.Thread, &c.MessageKey, jsonInto{&c.Attachments},
			&c.Origin, timeInto{&c.Created}, timeInto{&c.Changed}, timeInto{&c.Completed}, timeInto{&c.PostponedT}, &c.Version, &c.component, &c.Dismissed, &c.Private, textInto{&c.DealNumber}, jsonInto{&c.Signs}, textInto{&c.class}, textInto{&c.stage}, textInto{&c.ExternalID}, textInto{&c.xyz}, textInto{&c.attributes}); err != nil {
			return err
		}
		c.When.AllDay = c.When.First != ""
		out = append(out, c)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	at, ids := contactsByID(out)
	if err := t.takersPart(at, ids); err != nil {
		return nil, err
	}
	err = t.rows(`SELECT cp.contact_id, p.id, p.name, cp.address FROM contact_persons cp JOIN persons p ON p.id = cp.person_id
		WHERE cp.contact_id IN `+t.s.dialect.ids("$1")+` ORDER BY cp.contact_id, p.id`,
		[]any{asJSON(ids)}, func(scan func(...any) error) error {
			var contact int64
			var p PersonRef
			if err := scan(&contact, &p.ID, &p.Name, &p.Email); err != nil {
				return err
			}
			at[contact].Persons = append(at[contact].Persons, p)
			return nil
		})
	return out, err
}

// takersPart reads the managers who took part in contacts.
func (t *tx) takersPart(at map[int64]*Contact, ids []int64) error {
	return t.rows(`SELECT contact_id, manager_id FROM contact_managers WHERE contact_id IN `+t.s.dialect.ids("$1")+` ORDER BY contact_id, manager_id`,
		[]any{asJSON(ids)}, func(scan func(...any) error) error {
			var contact, manager int64
			if err := scan(&contact, &manager); err != nil {
				return err
			}
			at[contact].Managers = append(at[contact].Managers, manager)
			return nil
		})
}

func contactsByID(contacts []Contact) (at map[int64]*Contact, ids []int64) {
	at, ids = make(map[int64]*Contact, len(contacts)), make([]int64, len(contacts))
	for i := range contacts {
		at[contacts[i].ID], ids[i] = &contacts[i], contacts[i].ID
	}
	return at, ids
}

// listedColumns are what a line of a list shows of a contact.
const listedColumns = `c.id, c.kind, c.state, c.importance, c.client_id, cl.name, c.client_text, c.manager_id, c.subject,
	c.start_at, c.end_at, c.first_day, c.last_day, c.recurrence, c.postponed, cl.abc, cl.stage`

func (c *Contact) intoListed() []any {
	return []any{&c.ID, &c.Kind, &c.State, &c.Importance, idInto{&c.ClientID}, textInto{&c.ClientName}, &c.ClientText, idInto{&c.ManagerID}, &c.Subject,
		timeInto{&c.When.Start}, timeInto{&c.When.End}, &c.When.First, &c.When.Last, &c.Recurrence, timeInto{&c.PostponedT}, textInto{&c.class}, textInto{&c.stage}}
}

// listedContacts calls each for contacts as Items, in no order, which are there
// only for the call, with what a line of a list shows: much less than contacts
// reads.
func (t *tx) listedContacts(tail string, args []any, each func(*Item) error) error {
	var c Contact
	into := c.intoListed()
	return t.rows(`SELECT `+listedColumns+` FROM contacts c LEFT JOIN clients cl ON cl.id = c.client_id WHERE c.id IN (SELECT c.id FROM contacts c `+tail+`)`, args, func(scan func(...any) error) error {
		c = Contact{}
		if err := scan(into...); err != nil {
			return err
		}
		c.When.AllDay = c.When.First != ""
		it := contactAsItem(&c)
		return each(&it)
	})
}

// rowContacts reads contacts, in no order, with what a row of a calendar's page
// or of a digest shows and offers, and with what f asks of them: persons and
// attachments are not read, the text only where f asks for words in it.
func (t *tx) rowContacts(f *Filter, tail string, args ...any) ([]Contact, error) {
	text := "''"
	if f.Words != "" {
		text = "c.body"
	}
	var out []Contact
	err := t.rows(`SELECT `+listedColumns+`, `+text+`, c.deal_id, cd.number, c.signs, c.message_key, c.completed, c.private, c.version, cl.xyz, cl.attributes
		FROM contacts c LEFT JOIN clients cl ON cl.id = c.client_id LEFT JOIN deals cd ON cd.id = c.deal_id WHERE c.id IN (SELECT c.id FROM contacts c `+tail+`)`, args, func(scan func(...any) error) error {
		out = append(out, Contact{})
		c := &out[len(out)-1]
		err := scan(append(c.intoListed(), &c.Body, idInto{&c.DealID}, textInto{&c.DealNumber}, jsonInto{&c.Signs}, &c.MessageKey, timeInto{&c.Completed}, &c.Private, &c.Version, textInto{&c.xyz}, textInto{&c.attributes})...)
		c.When.AllDay = c.When.First != ""
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, t.takersPart(contactsByID(out))
}

// listedEvents is listedContacts for deal events.
func (t *tx) listedEvents(tail string, args []any, each func(*Item) error) error {
	var e DealEvent
	var d Deal
	var it Item
	var clientManager int64
	into := []any{&e.ID, &e.DealID, &e.Kind, &e.Due, timeInto{&e.DueSet}, &e.DueBefore, &e.Expected, timeInto{&e.ExpectSet}, &e.Amount, &e.Known, &e.State, timeInto{&e.PostponedT},
		&d.Number, &d.Amount.Currency, idInto{&d.ManagerID}, &it.ClientID, &it.ClientName, &it.Importance, idInto{&clientManager}, &it.Class, &it.Stage}
	return t.rows(`SELECT e.id, e.deal_id, e.kind, e.due, e.due_set, e.due_before, e.expected, e.expect_set, e.amount, e.known, e.state, e.postponed,
		d.number, d.currency, d.manager_id, d.client_id, cl.name, cl.importance, cl.manager_id, cl.abc, cl.stage
		FROM deal_events e JOIN deals d ON d.id = e.deal_id JOIN clients cl ON cl.id = d.client_id `+tail, args, func(scan func(...any) error) error {
		e, d, it, clientManager = DealEvent{}, Deal{}, Item{}, 0
		if err := scan(into...); err != nil {
			return err
		}
		it.Type, it.Event, it.Deal = ItemType(e.Kind), &e, &d
		d.ID = e.DealID
		if m := cmp.Or(d.ManagerID, clientManager); m != 0 {
			it.Managers = []int64{m}
		}
		return each(&it)
	})
}

func (t *tx) contact(id int64) (Contact, error) {
	found, err := t.contacts("WHERE c.id = $1", id)
	if err != nil {
		return Contact{}, err
	}
	if len(found) == 0 {
		return Contact{}, ErrNotFound
	}
	return found[0], nil
}

// contactAsItem gives the contact as an Item; of its deal only what a list
// shows.
func contactAsItem(c *Contact) Item {
	it := Item{Type: ContactItem, Contact: c, Managers: c.Managers, ClientID: c.ClientID, ClientName: c.ClientName, Class: c.class, Stage: c.stage, Variation: c.xyz, attributes: c.attributes,
		Importance: c.Importance, When: c.When}
	if c.DealID != 0 {
		it.Deal = &Deal{ID: c.DealID, Number: c.DealNumber, ClientID: c.ClientID, ClientName: c.ClientName}
	}
	return it
}

const eventColumns = `e.id, e.uid, e.external_id, e.deal_id, e.kind, e.due, e.due_set, e.due_before, e.expected, e.expect_set, e.amount, e.covered,
	e.known, e.state, e.postponed, e.completed, e.note, e.version`

func scanEvent(scan func(...any) error, e *DealEvent, more ...any) error {
	return scan(append([]any{&e.ID, &e.UID, textInto{&e.ExternalID}, &e.DealID, &e.Kind, &e.Due, timeInto{&e.DueSet}, &e.DueBefore, &e.Expected, timeInto{&e.ExpectSet},
		&e.Amount, &e.Covered, &e.Known, &e.State, timeInto{&e.PostponedT}, timeInto{&e.Completed}, &e.Note, &e.Version}, more...)...)
}

// eventItems reads deal events as Items. tail is WHERE … over "deal_events e
// JOIN deals d JOIN clients cl".
func (t *tx) eventItems(tail string, args ...any) ([]Item, error) {
	var out []Item
	err := t.rows(`SELECT `+eventColumns+`, `+dealColumns+`, cl.importance, cl.manager_id, cl.abc, cl.stage, cl.xyz, cl.attributes
		FROM deal_events e JOIN deals d ON d.id = e.deal_id JOIN clients cl ON cl.id = d.client_id `+tail, args, func(scan func(...any) error) error {
		var e DealEvent
		var d Deal
		var it Item
		var clientManager int64
		if err := scanEvent(scan, &e, append(d.into(), &it.Importance, idInto{&clientManager}, &it.Class, &it.Stage, &it.Variation, &it.attributes)...); err != nil {
			return err
		}
		it.Type, it.Event, it.Deal, it.ClientID, it.ClientName = ItemType(e.Kind), &e, &d, d.ClientID, d.ClientName
		if m := cmp.Or(d.ManagerID, clientManager); m != 0 {
			it.Managers = []int64{m}
		}
		it.When = e.When(time.UTC)
		out = append(out, it)
		return nil
	})
	return out, err
}

// item reads one item by its key.
func (t *tx) item(k ItemKey) (Item, error) {
	if !k.Event {
		c, err := t.contact(k.ID)
		if err != nil {
			return Item{}, err
		}
		it := contactAsItem(&c)
		return it, nil
	}
	found, err := t.eventItems("WHERE e.id = $1", k.ID)
	if err != nil {
		return Item{}, err
	}
	if len(found) == 0 {
		return Item{}, ErrNotFound
	}
	return found[0], nil
}

// AgendaQuery selects items for the user calendar (rules.md section 6.1).
type AgendaQuery struct {
	Viewer   Manager   // sees only what Manager.Sees allows; statuses in its zone
	Filter   Filter    // Managers empty: the viewer's own
	From, To time.Time // by start; zero: unbounded
	Limit    int       // 500 when 0
}

// Agenda gives planned contacts and deal events, sorted by status, then time,
// with what a row of a page or a digest shows (rowContacts).
func (s *Store) Agenda(ctx context.Context, q AgendaQuery) ([]Item, error) {
	var out []Item
	if q.Limit <= 0 {
		q.Limit = 500
	}
	whose := []int64{}
	for _, id := range q.Filter.Managers {
		if q.Viewer.Sees(id) {
			whose = append(whose, id)
		}
	}
	if len(q.Filter.Managers) == 0 {
		whose = append(whose, q.Viewer.ID)
	}
	q.Filter.Managers = whose
	if len(whose) == 0 {
		return nil, nil
	}
	loc := q.Viewer.Location()
	err := s.read(ctx, func(t *tx) error {
		keep := func(it Item) {
			it.When = it.WhenIn(loc)
			it.Status = it.StatusAt(loc, t.now)
			start := it.When.Begins(loc)
			if q.Filter.Match(&it, it.Status, t.now) && (q.From.IsZero() || !start.Before(q.From)) && (q.To.IsZero() || start.Before(q.To)) {
				out = append(out, it)
			}
		}
		var c conditions
		c.contactsOf(s.dialect, whose, &q.Filter, "")
		contacts, err := t.rowContacts(&q.Filter, c.where()+" ORDER BY c.start_at DESC LIMIT 5000", c.args...)
		if err != nil {
			return err
		}
		for i := range contacts {
			contacts[i].hideFrom(q.Viewer.ID)
			keep(contactAsItem(&contacts[i]))
		}
		c = conditions{parts: []string{"d.status <> 'cancelled'"}}
		c.eventsOf(s.dialect, whose, &q.Filter, "", noDay)
		events, err := t.eventItems(c.where()+" ORDER BY e.due DESC LIMIT 5000", c.args...)
		if err != nil {
			return err
		}
		for _, it := range events {
			keep(it)
		}
		return nil
	})
	SortAgenda(out, loc)
	if len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out, err
}

// statesOf are the states of what a filter can match: what is done only where it
// asks for it.
func statesOf(f *Filter) string {
	if slices.Contains(f.Statuses, StatusDone) {
		return "('planned', 'postponed', 'done')"
	}
	return "('planned', 'postponed')"
}

// contactsOf adds that a contact c is one that the managers took part in, of a
// state that the filter can match, and that begins is true, a further condition
// on start_at that begins with AND, "" for none. They are found from indexes
// alone before anything of them is read.
func (c *conditions) contactsOf(d dialect, managers []int64, f *Filter, begins string, args ...any) {
	took, whose := "(SELECT contact_id FROM contact_managers WHERE manager_id IN "+d.ids("?"), asJSON(managers)
	switch done := slices.Contains(f.Statuses, StatusDone); {
	case !done:
		c.add("c.id IN "+took+" AND listed = 'open'"+begins+")", append([]any{whose}, args...)...)
	case f.NoLetters:
		c.add("c.id IN "+took+" AND listed IN ('open', 'done')"+begins+")", append([]any{whose}, args...)...)
	default:
		from := "c.id"
		if begins != "" {
			from = "+c.id" // a manager's letters are more than the house's of a month: SQLite does not start from them
		}
		c.add("c.id IN (SELECT c.id FROM contacts c WHERE c.state IN "+statesOf(f)+begins+" AND "+from+" IN "+took+"))", append(slices.Clone(args), whose)...)
	}
}

// eventsOf adds that a deal event e is one of a deal of the managers, of a state
// that the filter can match, and of a day from first to last. They are found from
// indexes alone.
func (c *conditions) eventsOf(d dialect, managers []int64, f *Filter, first, last Date) {
	listed := " AND o.listed_to = '" + stillListed + "'"
	var from []any
	if slices.Contains(f.Statuses, StatusDone) {
		listed, from = " AND o.listed_to >= ?", []any{string(first)}
	}
	deals, args := dealsOf(d, managers, listed, from...)
	in, days := eventsIn(f, first, last)
	c.add("e.id IN (SELECT e.id FROM deal_events e WHERE e.deal_id IN "+deals+" AND "+in+")", append(args, days...)...)
}

// eventsIn is that a deal event e is of a state that the filter can match, and of
// a day from first to last, with the arguments for each ?.
func eventsIn(f *Filter, first, last Date) (string, []any) {
	return eventDay + " >= ? AND " + eventDay + " <= ? AND e.state IN " + statesOf(f), []any{string(first), string(last)}
}

// dealsOf is a subselect of the deals that managers are responsible for,
// themselves or through the client, with its arguments for each ?; 0 among them:
// that nobody is. and is a further condition on "deals o", of these arguments.
func dealsOf(d dialect, managers []int64, and string, args ...any) (string, []any) {
	ids, nobody := asJSON(managers), ""
	if slices.Contains(managers, 0) {
		nobody = " OR oc.manager_id IS NULL"
	}
	return "(SELECT o.id FROM deals o WHERE o.manager_id IN " + d.ids("?") + and + `
		UNION ALL SELECT o.id FROM clients oc CROSS JOIN deals o WHERE o.client_id = oc.id AND (oc.manager_id IN ` + d.ids("?") + nobody + ") AND o.manager_id IS NULL" + and + ")",
		slices.Concat([]any{ids}, args, []any{ids}, args)
}

// SortAgenda sorts by status (overdue, current, postponed, done), then time,
// then importance. What has no time comes last.
func SortAgenda(items []Item, loc *time.Location) {
	type place struct {
		rank, importance int
		begins           time.Time
		item             *Item
	}
	places := make([]place, len(items))
	for i := range items {
		it := &items[i]
		places[i] = place{it.Status.Rank(), it.Importance.Rank(), noTime, it}
		if !it.When.IsZero() {
			places[i].begins = it.When.Begins(loc)
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		if d := cmp.Or(a.begins.Compare(b.begins), a.importance-b.importance); d != 0 {
			return d
		}
		k, l := a.item.Key(), b.item.Key()
		return cmp.Or(cmp.Compare(a.item.Type, b.item.Type), cmp.Compare(k.ID, l.ID))
	})
	sorted := make([]Item, len(items))
	for i, p := range places {
		sorted[i] = *p.item
	}
	copy(items, sorted)
}

// noTime is behind all times.
var noTime = time.Unix(1<<40, 0)

// MovedEvents are deal events of that manager whose day a person or the
// accounting system moved since a moment.
func (s *Store) MovedEvents(ctx context.Context, managerID int64, since time.Time) ([]Item, error) {
	var out []Item
	err := s.read(ctx, func(t *tx) (err error) {
		found, err := t.eventItems(`WHERE (e.expect_set >= $1 OR e.due_set >= $1 AND e.due_before <> '') AND e.state IN ('planned', 'postponed')
			AND COALESCE(d.manager_id, cl.manager_id) = $2 ORDER BY e.expect_set, e.due_set LIMIT 200`, since.Unix(), managerID)
		for _, it := range found {
			if it.Event.Moved() {
				out = append(out, it)
			}
		}
		return err
	})
	return out, err
}
