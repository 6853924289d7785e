package store

import "context"

// changes collects what differs, for one row of history.
type changes map[string][2]string

func (c changes) note(field, old, new string) {
	if old != new {
		c[field] = [2]string{clip(old, 500), clip(new, 500)}
	}
}

// remember writes one row of history, from which webhooks are told.
func (t *tx) remember(actor Actor, what string, id int64, verb string, c changes) error {
	if err := t.happens(actor, what, id, verb, c); err != nil {
		return err
	}
	if c == nil {
		c = changes{}
	}
	_, err := t.exec(`INSERT INTO history (at, what, what_id, manager_id, integration_id, origin, verb, changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.now.Unix(), what, id, ref(actor.ManagerID), ref(actor.IntegrationID), string(actor.Origin), verb, asJSON(c))
	return err
}

// History of a contact, client, deal, event or manager, newest first.
func (s *Store) History(ctx context.Context, what string, id int64, limit int) ([]HistoryRow, error) {
	var out []HistoryRow
	err := s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT h.at, h.manager_id, i.name, h.origin, h.verb, h.changes FROM history h LEFT JOIN integrations i ON i.id = h.integration_id
			WHERE h.what = $1 AND h.what_id = $2 ORDER BY h.id DESC LIMIT $3`,
			[]any{what, id, limit}, func(scan func(...any) error) error {
				var h HistoryRow
				if err := scan(timeInto{&h.At}, idInto{&h.ManagerID}, textInto{&h.Integration}, &h.Origin, &h.Verb, jsonInto{&h.Changes}); err != nil {
					return err
				}
				out = append(out, h)
				return nil
			})
	})
	return out, err
}
