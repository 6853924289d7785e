package store

import (
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
	zones, hours := map[int64]*time.Location{}, map[int64]WorkHours{}
	for _, m := range managers {
		zones[m.ID], hours[m.ID] = m.Location(), s.WorkHoursOf(m)
	}
	holidays, err := s.Holidays(ctx)
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
			zone, working := zones[first.manager], hours[first.manager]
			if zone == nil { // of a letter that is no manager's
				zone, working = time.UTC, s.WorkHoursOf(Manager{})
			}
			g := group(first)
			g.Waits = append(g.Waits, working.Minutes(first.at, at, zone, holidays))
		},
		given: func(e exchanged) { group(e).Unanswered++ },
	}
	var where conditions
	where.add("c.state = 'done'")
	where.add("c.client_id IS NOT NULL")
	where.add("c.start_at >= ?", from.Unix())
	where.add("c.start_at < ?", to.AddDate(0, 0, answerDays).Unix())
	where.ids(s.dialect, "c.client_id", q.Clients)
	// All columns are in an index, in this order: nothing is sorted or looked up
	// but the manager of a client whose letter has none.
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT c.client_id, COALESCE(c.manager_id, (SELECT cl.manager_id FROM clients cl WHERE cl.id = c.client_id), 0), c.start_at,
			CASE WHEN c.kind <> 'letter' OR c.direction <> 'in' THEN 0 WHEN c.dismissed THEN 1 ELSE 2 END
			FROM contacts c`+where.where()+` ORDER BY c.start_at, c.id`, where.args, func(scan func(...any) error) error {
			var e exchanged
			var at, letter int64
			if err := scan(&e.client, &e.manager, &at, &letter); err != nil {
				return err
			}
			e.at, e.letterIn, e.dismissed = time.Unix(at, 0), letter > 0, letter == 1
			// Whoever answers, the letter is its own manager's.
			if !e.letterIn || len(q.Managers) == 0 || slices.Contains(q.Managers, e.manager) {
				r.add(e)
			}
			return nil
		})
	})
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
