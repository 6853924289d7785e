package store

import (
	"context"
	"strconv"
)

// ChangeLog is the log of changes, newest first, or a part of it: of one
// manager, of one kind of record, of one client with all that is its. Zero
// fields do not narrow it.
type ChangeLog struct {
	ManagerID int64  // who made them
	What      string // one of ChangeKinds
	ClientID  int64
	Before    int64 // only rows before that one, for the next page
}

// ChangeKinds are the kinds of record that the log of changes has.
var ChangeKinds = []string{"client", "person", "contact", "deal", "event", "manager", "question"}

// LoggedChange is a row of the log with the name of what was changed.
type LoggedChange struct {
	HistoryRow
	Row    int64  // its place in the log
	Name   string // of the record; "" where that is gone
	DealID int64  // of an event
}

// LoggedChanges reads a page of the log of changes for a head; ErrForbidden for
// others. The text of private letters is not in it.
func (s *Store) LoggedChanges(ctx context.Context, viewer Manager, log ChangeLog, limit int) (out []LoggedChange, err error) {
	if viewer.Role != RoleHead {
		return nil, ErrForbidden
	}
	var c conditions
	if log.Before > 0 {
		c.add("h.id < ?", log.Before)
	}
	if log.ManagerID > 0 {
		c.add("h.manager_id = ?", log.ManagerID)
	}
	c.text("h.what = ?", log.What)
	if log.ClientID > 0 {
		c.add(`h.id IN (SELECT x.id FROM history x WHERE x.what = 'client' AND x.what_id = ?
			UNION ALL SELECT x.id FROM persons o JOIN history x ON x.what = 'person' AND x.what_id = o.id WHERE o.client_id = ?
			UNION ALL SELECT x.id FROM contacts o JOIN history x ON x.what = 'contact' AND x.what_id = o.id WHERE o.client_id = ?
			UNION ALL SELECT x.id FROM deals o JOIN history x ON x.what = 'deal' AND x.what_id = o.id WHERE o.client_id = ?
			UNION ALL SELECT x.id FROM deals o JOIN deal_events e ON e.deal_id = o.id JOIN history x ON x.what = 'event' AND x.what_id = e.id WHERE o.client_id = ?)`,
			log.ClientID, log.ClientID, log.ClientID, log.ClientID, log.ClientID)
	}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT h.id, h.at, h.what, h.what_id, h.manager_id, i.name, h.origin, h.verb, h.changes,
			COALESCE(cl.name, p.name, ct.subject, d.number, m.name), ct.private, e.deal_id
			FROM history h LEFT JOIN integrations i ON i.id = h.integration_id
			LEFT JOIN clients cl ON h.what = 'client' AND cl.id = h.what_id
			LEFT JOIN persons p ON h.what = 'person' AND p.id = h.what_id
			LEFT JOIN contacts ct ON h.what = 'contact' AND ct.id = h.what_id
			LEFT JOIN deal_events e ON h.what = 'event' AND e.id = h.what_id
			LEFT JOIN deals d ON h.what IN ('deal', 'event') AND d.id = CASE h.what WHEN 'deal' THEN h.what_id ELSE e.deal_id END
			LEFT JOIN managers m ON h.what = 'manager' AND m.id = h.what_id`+c.where()+` ORDER BY h.id DESC LIMIT `+strconv.Itoa(limit), c.args, func(scan func(...any) error) error {
			var h LoggedChange
			var private *bool
			err := scan(&h.Row, timeInto{&h.At}, &h.What, &h.ID, idInto{&h.ManagerID}, textInto{&h.Integration}, &h.Origin, &h.Verb, jsonInto{&h.Changes}, textInto{&h.Name}, &private, idInto{&h.DealID})
			if private != nil && *private {
				h.HideText()
			}
			out = append(out, h)
			return err
		})
	})
	return out, err
}
