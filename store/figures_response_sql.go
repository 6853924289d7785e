package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ResponseGroups tells how long clients waited for answers to the letters of a
// period, by the manager of the letter, else of the client. The
// manager's own working time is counted.
func (s *Store) ResponseGroups(ctx context.Context, q SaleSelection, from, to time.Time, each func(*ResponseGroup) error) error {
	groups := map[Owner]*ResponseGroup{}
	managers, err := s.Managers(ctx)
	if err != nil {
		return err
	}
	wait, err := s.waits(ctx, managers)
	if err != nil {
		return err
	}
	group := func(e exchanged) *ResponseGroup {
		of := Owner{Manager: e.manager}
		if q.PerClient {
			of.Client = e.client
		}
		g := groups[of]
		if g == nil {
			g = &ResponseGroup{Owner: of}
			groups[of] = g
		}
		return g
	}
	r := responses{from: from, to: to, waiting: map[int64][]exchanged{},
		answered: func(first exchanged, at time.Time) {
			if !among(q.Managers, first.manager) {
				return
			}
			g := group(first)
			g.Waits = append(g.Waits, wait(first, at))
		},
		given: func(e exchanged) {
			if among(q.Managers, e.manager) {
				group(e).Unanswered++
			}
		},
	}
	err = s.exchanged(ctx, q, from, to, false, r.add)
	if err != nil {
		return err
	}
	r.end()
	for _, g := range groups {
		if err := each(g); err != nil {
			return err
		}
	}
	return nil
}

// waits gives how many working minutes a letter waited until a moment.
func (s *Store) waits(ctx context.Context, managers []Manager) (func(letter exchanged, until time.Time) int64, error) {
	holidays, err := s.Holidays(ctx)
	zones, hours := map[int64]*time.Location{}, map[int64]WorkHours{}
	for _, m := range managers {
		zones[m.ID], hours[m.ID] = m.Location(), s.WorkHoursOf(m)
	}
	return func(letter exchanged, until time.Time) int64 {
		zone, working := zones[letter.manager], hours[letter.manager]
		if zone == nil { // of a letter that is no manager's
			zone, working = time.UTC, s.WorkHoursOf(Manager{})
		}
		return working.Minutes(letter.at, until, zone, holidays)
	}, err
}

// exchanged calls each for the done contacts with clients from the period's
// begin until its letters are answered or given up, in order of time. They are
// of all managers: a letter to one may be answered by another, and of those
// that wait only the first is measured, whoever's it is. Their numbers are known
// only if numbered.
func (s *Store) exchanged(ctx context.Context, q SaleSelection, from, to time.Time, numbered bool, each func(exchanged)) error {
	var where conditions
	where.add("c.state || '' = 'done'") // SQLite would not see the order of the index behind a state that it knows
	where.add("c.client_id IS NOT NULL")
	where.add("c.start_at >= ?", from.Unix())
	where.add("c.start_at < ?", to.AddDate(0, 0, answerDays).Unix())
	where.ids(s.dialect, "c.client_id", q.Clients)
	// All columns are in the index contacts_start, in this order: nothing is sorted
	// or looked up but the manager of a client whose letter has none, and on
	// PostgreSQL the number.
	id := "0"
	if numbered {
		id = "c.id"
	}
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT `+id+`, c.client_id, COALESCE(c.manager_id, (SELECT cl.manager_id FROM clients cl WHERE cl.id = c.client_id), 0), c.start_at,
			CASE WHEN c.kind <> 'letter' OR c.direction <> 'in' THEN 0 WHEN c.dismissed THEN 1 ELSE 2 END
			FROM contacts c`+where.where()+` ORDER BY c.start_at, c.state, c.kind, c.direction, c.client_id, c.manager_id`, where.args, func(scan func(...any) error) error {
			var e exchanged
			var at, letter int64
			if err := scan(&e.id, &e.client, &e.manager, &at, &letter); err != nil {
				return err
			}
			e.at, e.letterIn, e.dismissed = time.Unix(at, 0), letter > 0, letter == 1
			each(e)
			return nil
		})
	})
}

// LetterWait is a letter of a client whose answer is measured, or that nobody
// answered.
type LetterWait struct {
	ContactID int64
	At        time.Time
	Client    GroupKey
	Manager   int64
	Answered  time.Time // zero: nobody did within answerDays
	Minutes   int64     // of working time until then
}

// LetterWaits gives the letters behind the figures of ResponseGroups, oldest
// first: the answered ones that are measured, or those that are unanswered. At
// most limit of them; more: there are others.
func (s *Store) LetterWaits(ctx context.Context, q SaleSelection, from, to time.Time, answered bool, limit int) (out []LetterWait, more bool, err error) {
	managers, err := s.Managers(ctx)
	if err != nil {
		return nil, false, err
	}
	wait, err := s.waits(ctx, managers)
	if err != nil {
		return nil, false, err
	}
	keep := func(e exchanged, at time.Time) {
		w := LetterWait{ContactID: e.id, At: e.at, Client: GroupKey{ID: e.client}, Manager: e.manager, Answered: at}
		if !at.IsZero() {
			w.Minutes = wait(e, at)
		}
		out = append(out, w)
	}
	r := responses{from: from, to: to, waiting: map[int64][]exchanged{}, answered: func(e exchanged, at time.Time) {
		if answered && among(q.Managers, e.manager) {
			keep(e, at)
		}
	}, given: func(e exchanged) {
		if !answered && among(q.Managers, e.manager) {
			keep(e, time.Time{})
		}
	}}
	if err := s.exchanged(ctx, q, from, to, true, r.add); err != nil {
		return nil, false, err
	}
	r.end()
	slices.SortFunc(out, func(a, b LetterWait) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ContactID, b.ContactID)) })
	if more = len(out) > limit; more {
		out = out[:limit]
	}
	var ids []int64
	for i := range out {
		ids = append(ids, out[i].Client.ID)
	}
	names, err := s.ClientNames(ctx, ids)
	for i := range out {
		out[i].Client.Text = names[out[i].Client.ID]
	}
	return out, more, err
}
