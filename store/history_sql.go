package store

import (
	"context"
	"strconv"
)

// changes collects what differs, for one row of history.
type changes map[string][2]string

func (c changes) note(field, old, new string) {
	if old != new {
		c[field] = [2]string{clip(old, 500), clip(new, 500)}
	}
}

// remember writes one row of history, from which webhooks are told and the
// index of words is renewed.
func (t *tx) remember(actor Actor, what string, id int64, verb string, c changes) error {
	if err := t.happens(actor, what, id, verb, c); err != nil {
		return err
	}
	t.indexWords(what, id, c)
	if c == nil {
		c = changes{}
	}
	_, err := t.exec(`INSERT INTO history (at, what, what_id, manager_id, integration_id, origin, verb, changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.now.Unix(), what, id, ref(actor.ManagerID), ref(actor.IntegrationID), string(actor.Origin), verb, asJSON(c))
	return err
}

// History of a contact, client, deal, event or manager, newest first.
func (s *Store) History(ctx context.Context, what string, id int64, limit int) (out []HistoryRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.history(`h.what = $1 AND h.what_id = $2`, limit, what, id)
		return err
	})
	return out, err
}

// ClientHistory is that of a client and of its persons, newest first.
func (s *Store) ClientHistory(ctx context.Context, id int64, limit int) (out []HistoryRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.history(`h.what = 'client' AND h.what_id = $1 OR h.what = 'person' AND h.what_id IN (SELECT id FROM persons WHERE client_id = $1)`, limit, id)
		return err
	})
	return out, err
}

func (t *tx) history(where string, limit int, args ...any) (out []HistoryRow, err error) {
	err = t.rows(`SELECT h.at, h.what, h.what_id, h.manager_id, i.name, h.origin, h.verb, h.changes FROM history h LEFT JOIN integrations i ON i.id = h.integration_id
		WHERE `+where+` ORDER BY h.id DESC LIMIT `+strconv.Itoa(limit), args, func(scan func(...any) error) error {
		var h HistoryRow
		err := scan(timeInto{&h.At}, &h.What, &h.ID, idInto{&h.ManagerID}, textInto{&h.Integration}, &h.Origin, &h.Verb, jsonInto{&h.Changes})
		out = append(out, h)
		return err
	})
	return out, err
}
