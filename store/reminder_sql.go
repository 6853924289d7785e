package store

import (
	"context"
	"errors"
	"time"
)

// Reminders that are due. When the next one of an item is due is written in the
// transaction that writes the item (renewal.reminders), so that the minute's
// tick is a look into an index; whether it still is worth its mail is decided
// in the transaction that writes the mail.

// reminders notes for each manager of an item when the next reminder of it is
// due. What was due already and has not left yet stays due, unless the item
// moved.
func (r *renewal) reminders(it *Item, k ItemKey) error {
	t := r.t
	was := map[int64]int64{}
	err := t.rows(`SELECT manager_id, alarm FROM reminders WHERE item = $1`+t.s.dialect.forUpdate(), []any{k.String()}, func(scan func(...any) error) error {
		var manager, alarm int64
		err := scan(&manager, &alarm)
		was[manager] = alarm
		return err
	})
	if err != nil {
		return err
	}
	if it.remindable() {
		overlays, err := t.overlays(k)
		if err != nil {
			return err
		}
		for _, id := range it.Managers {
			m, err := r.manager(id)
			if err != nil {
				return err
			}
			// What rang since this transaction began may be due again: the ledger
			// knows that it was told (firstTelling).
			after := t.minuteEnds()
			alarm, had := was[id]
			if had && alarm <= after.Unix() {
				after = time.Unix(alarm-1, 0)
			}
			delete(was, id)
			a, rings := t.nextAlarm(it, m, overlays[id], after)
			if err := t.saveReminder(k, m, a, rings, had); err != nil {
				return err
			}
		}
	}
	for id := range was {
		if _, err := t.exec(`DELETE FROM reminders WHERE item = $1 AND manager_id = $2`, k.String(), id); err != nil {
			return err
		}
	}
	return nil
}

// minuteEnds is the last second of this minute: what rings in it leaves when it
// begins.
func (t *tx) minuteEnds() time.Time {
	return t.now.Truncate(time.Minute).Add(time.Minute - time.Second)
}

// remindable reports whether there may be anything to be reminded of.
func (it *Item) remindable() bool {
	state := it.State()
	return (state == Planned || state == Postponed) && !it.When.IsZero() && (it.Event == nil || it.Deal == nil || it.Deal.Status != "cancelled")
}

// saveReminder writes what is due next of an item for a manager; had: there was
// something.
func (t *tx) saveReminder(k ItemKey, m *Manager, a Alarm, rings, had bool) (err error) {
	switch rules := t.s.opt.Reminders.With(m.Reminders); {
	case rings && rules.Mail:
		at := rules.leaves(a.At, m.Location()).Unix()
		_, err = t.exec(`INSERT INTO reminders (item, manager_id, alarm, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (item, manager_id) DO UPDATE SET alarm = $3, at = $4 WHERE reminders.alarm <> $3 OR reminders.at <> $4`, k.String(), m.ID, a.At.Unix(), at)
	case had:
		_, err = t.exec(`DELETE FROM reminders WHERE item = $1 AND manager_id = $2`, k.String(), m.ID)
	}
	return err
}

// overlays are what calendar programs put for an item, by manager and component.
func (t *tx) overlays(k ItemKey) (all map[int64]map[Component][]byte, err error) {
	err = t.rows(`SELECT manager_id, component, bytes FROM overlays WHERE item = $1`, []any{k.String()}, func(scan func(...any) error) error {
		var manager int64
		var component Component
		var bytes []byte
		if err := scan(&manager, &component, &bytes); err != nil {
			return err
		}
		if all == nil {
			all = map[int64]map[Component][]byte{}
		}
		if all[manager] == nil {
			all[manager] = map[Component][]byte{}
		}
		all[manager][component] = bytes
		return nil
	})
	return all, err
}

// nextAlarm is when the manager is to be reminded of the item next after a
// moment; false: never. overlays are the manager's own. While an item is
// postponed, nothing of it rings.
func (t *tx) nextAlarm(item *Item, m *Manager, overlays map[Component][]byte, after time.Time) (Alarm, bool) {
	loc, it := m.Location(), *item
	it.When = it.WhenIn(loc)
	for range 100 {
		a, ok := t.ringsAfter(&it, m, overlays, after)
		if !ok {
			return a, false
		}
		if it.StatusAt(loc, a.At) != StatusPostponed {
			return a, true
		}
		after = a.At
	}
	return Alarm{}, false
}

func (t *tx) ringsAfter(it *Item, m *Manager, overlays map[Component][]byte, after time.Time) (first Alarm, ok bool) {
	rules := t.s.opt.Reminders.With(m.Reminders)
	offsets, loc := rules.Offsets(it), m.Location()
	series := it.Contact != nil && it.Contact.Recurrence != ""
	if t.s.opt.Alarms == nil || len(overlays) == 0 && !series { // mostly: no iCalendar is read
		for _, o := range offsets {
			if at := it.When.Ring(o, loc); at.After(after) && (!ok || at.Before(first.At)) {
				first, ok = Alarm{At: at, When: it.When}, true
			}
		}
		return first, ok
	}
	written := it.component()
	for _, component := range []Component{VEvent, VTodo} {
		overlay := overlays[component]
		if overlay == nil && component != written {
			continue
		}
		v := &EntryView{Item: it, UID: entryUID(it, component), Collection: &Collection{Kind: StatusCalendar, Component: component, ManagerID: m.ID}, Owner: m, Overlay: overlay}
		// What its program made without an alarm was never shown one of ours.
		// Of what we made, a program that put it back without took it away.
		if component == written && (overlay == nil || it.Contact != nil && it.Contact.Origin == FromCalendar) {
			v.Alarms = offsets
		}
		if a, rings := t.s.opt.Alarms(v, after); rings && (!ok || a.At.Before(first.At)) {
			first, ok = a, true
		}
	}
	return first, ok
}

// Reminder is an item that a manager is to be reminded of now.
type Reminder struct {
	Item Item      // as the manager sees it; When is that of the occurrence meant
	At   time.Time // when its alarm was meant
	// Of its client, nil and empty when it has none.
	Client  *Client
	Persons []Person    // of the contact first; at most 10
	Recent  []Contact   // last done contacts with the client, newest first; at most 3
	Balance []Money     // what the client owes, by currency
	Totals  *DealTotals // of the item's deal; nil without one
}

// RemindersDue are the managers who have reminders due.
func (s *Store) RemindersDue(ctx context.Context) (managers []Manager, err error) {
	err = s.read(ctx, func(t *tx) error {
		managers, err = t.managers(`EXISTS (SELECT 1 FROM reminders r WHERE r.manager_id = m.id AND r.at <= $1)`, t.now.Unix())
		return err
	})
	return managers, err
}

// reminded is how many reminders go into one mail at most; there may be more mails.
const reminded = 100

// Remind takes the reminders of a manager that are due, oldest first, and
// queues the mail that compose makes of those that are still worth it, in one
// transaction with the ledger's row of each: none goes twice, whatever the clock
// does, and none is lost. What was done, cancelled or
// moved meanwhile, and what has passed while nobody looked, is left out. It
// returns how many went into the mail and whether there may be more; compose is
// not called for none, and may give nil.
func (s *Store) Remind(ctx context.Context, m Manager, compose func([]Reminder) (*Mail, error)) (n int, more bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, more = 0, false
		type row struct {
			key   ItemKey
			alarm int64
			at    time.Time
		}
		var rows []row
		err := t.rows(`SELECT item, alarm, at FROM reminders WHERE manager_id = $1 AND at <= $2 ORDER BY at, item LIMIT $3`+s.dialect.skipLocked(),
			[]any{m.ID, t.now.Unix(), reminded}, func(scan func(...any) error) (err error) {
				var r row
				var item string
				if err = scan(&item, &r.alarm, timeInto{&r.at}); err != nil {
					return err
				}
				r.key, err = parseItemKey(item)
				rows = append(rows, r)
				return err
			})
		if err != nil || len(rows) == 0 {
			return err
		}
		more = len(rows) == reminded
		r := renewal{t: t, clients: map[int64]*clientContext{}}
		var due []Reminder
		for _, row := range rows {
			it, err := t.item(row.key)
			if errors.Is(err, ErrNotFound) {
				if _, err := t.exec(`DELETE FROM reminders WHERE item = $1 AND manager_id = $2`, row.key.String(), m.ID); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			overlays, err := t.overlays(row.key)
			if err != nil {
				return err
			}
			var a, next Alarm
			rings, again := false, false
			if it.remindable() {
				a, rings = t.nextAlarm(&it, &m, overlays[m.ID], time.Unix(row.alarm-1, 0))
				next, again = t.nextAlarm(&it, &m, overlays[m.ID], t.minuteEnds())
			}
			if err := t.saveReminder(row.key, &m, next, again, true); err != nil {
				return err
			}
			if !rings || a.At.After(t.minuteEnds()) || !a.useful(row.at, t.now, m.Location()) {
				continue
			}
			first, err := t.firstTelling(row.key, &m, a)
			if err != nil {
				return err
			}
			if !first {
				continue
			}
			reminder, err := r.reminder(it, &m, a)
			if err != nil {
				return err
			}
			due = append(due, reminder)
		}
		if len(due) == 0 {
			return nil
		}
		mail, err := compose(due)
		if err != nil || mail == nil {
			return err
		}
		n = len(due)
		return t.putMail(*mail)
	})
	return n, more, err
}

// told is the outcome of a reminder in the ledger, which has too many of them to
// list them among the runs.
const told = "told"

// firstTelling writes an alarm of an item into the ledger; false: its manager
// was reminded of it already, while a clock was ahead that was put back since.
func (t *tx) firstTelling(k ItemKey, m *Manager, a Alarm) (bool, error) {
	slot := k.String() + " at " + a.When.Begins(m.Location()).UTC().Format(time.RFC3339) + ", alarm " + a.At.UTC().Format(time.RFC3339)
	n, err := t.exec(`INSERT INTO runs (job, owner_id, slot, started, finished, outcome, detail) VALUES ('reminders', $1, $2, $3, $3, $4, '') ON CONFLICT (job, owner_id, slot) DO NOTHING`,
		m.ID, slot, t.now.Unix(), told)
	return n > 0, err
}

// reminder is the item with what the mail says of it.
func (r *renewal) reminder(it Item, m *Manager, a Alarm) (Reminder, error) {
	if c := it.Contact; c != nil {
		if c.Private {
			c.hideFrom(m.ID)
		}
		if c.DealID != 0 {
			d, err := r.t.deal(c.DealID)
			if err != nil {
				return Reminder{}, err
			}
			it.Deal = &d
		}
	}
	it.Status = it.StatusAt(m.Location(), r.t.now)
	it.When = a.When
	out := Reminder{Item: it, At: a.At}
	if it.ClientID != 0 {
		cc, err := r.clientContext(it.ClientID)
		if err != nil {
			return out, err
		}
		out.Client, out.Persons, out.Recent = &cc.client, cc.persons, cc.recent
		if out.Balance, err = r.t.balance(it.ClientID); err != nil {
			return out, err
		}
		if it.Contact != nil && len(it.Contact.Persons) > 0 {
			out.Persons = involved(cc.persons, it.Contact.Persons)
		}
	}
	if it.Deal != nil {
		totals, err := r.t.dealTotals(it.Deal)
		if err != nil {
			return out, err
		}
		out.Totals = &totals
	}
	return out, nil
}

// SetReminders changes what a manager wants otherwise than the settings say: by
// key of ReminderKeys, as Reminders.Set takes it; "" takes back what was wanted.
// The manager's calendars then show other alarms, and what is due is worked out
// anew. *Invalid names the key that is wrong; nothing is changed then.
func (s *Store) SetReminders(ctx context.Context, actor Actor, managerID int64, own map[string]string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.lock("managers", managerID); err != nil {
			return err
		}
		m, err := t.manager("m.id = $1", managerID)
		if err != nil {
			return err
		}
		c, want := changes{}, map[string]string{}
		for key, value := range m.Reminders {
			want[key] = value
		}
		for key, value := range own {
			var r Reminders
			if value == "" {
				delete(want, key)
			} else if err := r.Set(key, value); err != nil {
				return err
			} else {
				want[key] = r.Get(key)
			}
			c.note("reminders."+key, m.Reminders[key], want[key])
		}
		if _, err := t.unsubscribe(m.ID, ReminderMail, want["mail"] == "off"); err != nil {
			return err
		}
		if len(c) == 0 {
			return nil
		}
		if _, err := t.exec(`UPDATE managers SET reminders = $1, version = version + 1 WHERE id = $2`, asJSON(want), m.ID); err != nil {
			return err
		}
		if err := t.remember(actor, "manager", m.ID, "changed", c); err != nil {
			return err
		}
		return t.refreshManager(m.ID)
	})
}

// RemindersOf are the reminders that a manager gets: what the settings say, and
// what the manager wants otherwise.
func (s *Store) RemindersOf(m Manager) Reminders { return s.opt.Reminders.With(m.Reminders) }
