package store

import (
	"context"
	"time"
)

// ResponseGroups tells how long clients waited for answers to the letters of a
// period, by the manager of the letter, else of the client. zones are the
// managers' own: their working time is counted.
func (s *Store) ResponseGroups(ctx context.Context, q SaleSelection, from, to time.Time, each func(*ResponseGroup) error) error {
	type key struct{ manager, client int64 }
	groups := map[key]*ResponseGroup{}
	managers, err := s.Managers(ctx)
	if err != nil {
		return err
	}
	zones, names := map[int64]*time.Location{}, map[int64]string{}
	for _, m := range managers {
		zones[m.ID], names[m.ID] = m.Location(), m.Name
	}
	clients := map[int64]string{}
	group := func(e exchanged) *ResponseGroup {
		k := key{manager: e.manager}
		if q.PerClient {
			k.client = e.client
		}
		g := groups[k]
		if g == nil {
			g = &ResponseGroup{Manager: GroupKey{k.manager, names[k.manager]}, Client: GroupKey{ID: k.client}}
			groups[k] = g
		}
		return g
	}
	r := responses{from: from, to: to,
		answered: func(first exchanged, at time.Time) {
			zone := zones[first.manager]
			if zone == nil {
				zone = time.UTC
			}
			g := group(first)
			g.Waits = append(g.Waits, OfficeHours.Minutes(first.at, at, zone))
		},
		given: func(e exchanged) { group(e).Unanswered++ },
	}
	var where conditions
	where.add("c.state = 'done'")
	where.add("c.client_id IS NOT NULL")
	where.add("c.start_at >= ?", from.Unix())
	where.add("c.start_at < ?", to.AddDate(0, 0, answerDays).Unix())
	where.ids(s.dialect, "COALESCE(c.manager_id, cl.manager_id)", q.Managers)
	where.ids(s.dialect, "c.client_id", q.Clients)
	name := `''`
	if q.PerClient {
		name = `cl.name`
	}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT c.client_id, COALESCE(c.manager_id, cl.manager_id), c.start_at, c.kind = 'letter' AND c.direction = 'in', c.dismissed, `+name+`
			FROM contacts c JOIN clients cl ON cl.id = c.client_id`+where.where()+` ORDER BY c.client_id, c.start_at, c.id`, where.args, func(scan func(...any) error) error {
			var e exchanged
			var name string
			if err := scan(&e.client, idInto{&e.manager}, timeInto{&e.at}, &e.letterIn, &e.dismissed, &name); err != nil {
				return err
			}
			if q.PerClient {
				clients[e.client] = name
			}
			r.add(e)
			return nil
		})
	})
	if err != nil {
		return err
	}
	r.end()
	for _, g := range groups {
		g.Client.Text = clients[g.Client.ID]
		if err := each(g); err != nil {
			return err
		}
	}
	return nil
}
