package store

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Twins: a letter, or a meeting from an invitation, that two clients have is
// one contact for each. When the clients become one, the one's contact is
// cancelled and lets go of its letter, and who took part in it joins the twin.

// twin is what a contact said before its twin became the one.
type twin struct {
	Twin      int64
	Key       string // of the letter
	State     State
	Completed int64
	Postponed int64
	Deal      bool // the twin had no deal and got this one's
}

// joinTwins makes one of what both clients have.
func (t *tx) joinTwins(merge, kept, gone int64) error {
	var order []int64
	twins, deals := map[int64]twin{}, map[int64]int64{} // by the contact that goes
	collect := func(scan func(...any) error) error {
		var id, deal, twinsDeal int64
		var w twin
		err := scan(&id, &w.Twin, &w.Key, &w.State, &w.Completed, &w.Postponed, idInto{&deal}, idInto{&twinsDeal})
		w.Deal = deal != 0 && twinsDeal == 0
		order, twins[id], deals[id] = append(order, id), w, deal
		return err
	}
	const columns = `g.id, k.id, g.message_key, g.state, g.completed, g.postponed, g.deal_id, k.deal_id`
	err := t.rows(`SELECT `+columns+` FROM contacts g JOIN contacts k ON k.message_key = g.message_key AND k.client_id = $1
		WHERE g.client_id = $2 AND g.message_key <> '' ORDER BY g.id`, []any{kept, gone}, collect)
	if err != nil {
		return err
	}
	err = t.rows(`SELECT `+columns+` FROM invitations gi JOIN invitations ki ON ki.uid = gi.uid AND ki.client_id = $1
		JOIN contacts g ON g.id = gi.contact_id JOIN contacts k ON k.id = ki.contact_id
		WHERE gi.client_id = $2 AND g.client_id = $2 AND k.client_id = $1 AND g.state IN ('planned', 'postponed') AND k.state IN ('planned', 'postponed') ORDER BY g.id`,
		[]any{kept, gone}, collect)
	if err != nil || len(order) == 0 {
		return err
	}
	stay := []int64{}
	for _, id := range order {
		w := twins[id]
		stay = append(stay, w.Twin)
		if err := t.noteRow(merge, "twins", idText(id), w); err != nil {
			return err
		}
		if w.Deal {
			if _, err := t.exec(`UPDATE contacts SET deal_id = $1 WHERE id = $2`, deals[id], w.Twin); err != nil {
				return err
			}
		}
	}
	if _, err := t.exec(`UPDATE contacts SET message_key = '', state = 'cancelled', completed = 0, postponed = 0, changed = $1 WHERE id IN `+t.s.dialect.ids("$2"),
		t.now.Unix(), asJSON(order)); err != nil {
		return err
	}
	if err := t.relist(t.s.dialect.ids("$1"), asJSON(order)); err != nil {
		return err
	}
	if err := t.joinMembers(merge, twins, order, stay); err != nil {
		return err
	}
	return t.twinsChanged(order, stay)
}

// twinsChanged marks what shows twins, and counts the change of those that
// stay; the others' is counted as they move.
func (t *tx) twinsChanged(gone, stay []int64) error {
	if _, err := t.exec(`UPDATE contacts SET changed = $1, version = version + 1 WHERE id IN `+t.s.dialect.ids("$2"), t.now.Unix(), asJSON(stay)); err != nil {
		return err
	}
	return t.touchAll(false, `SELECT id FROM contacts c WHERE id IN `+t.s.dialect.ids("$1")+` AND (state IN ('planned', 'postponed')
		OR EXISTS (SELECT 1 FROM entries e WHERE e.item = 'c' || c.id AND NOT e.gone) OR EXISTS (SELECT 1 FROM labels l WHERE l.item = 'c' || c.id))`,
		asJSON(append(append([]int64{}, gone...), stay...)))
}

// joinMembers lets the managers and persons of contacts join their twins.
func (t *tx) joinMembers(merge int64, twins map[int64]twin, gone, stay []int64) error {
	of := asJSON(append(append([]int64{}, gone...), stay...))
	type member struct{ contact, id int64 }
	has, joins := map[member]bool{}, []member{}
	err := t.rows(`SELECT contact_id, manager_id FROM contact_managers WHERE contact_id IN `+t.s.dialect.ids("$1")+` ORDER BY contact_id, manager_id`, []any{of},
		func(scan func(...any) error) error {
			var m member
			err := scan(&m.contact, &m.id)
			if w, goes := twins[m.contact]; goes {
				joins = append(joins, member{w.Twin, m.id})
			} else {
				has[m] = true
			}
			return err
		})
	for _, m := range joins {
		if err == nil && !has[m] {
			err = t.joinManager(merge, m.contact, m.id)
		}
	}
	if err != nil {
		return err
	}
	clear(has)
	joins = joins[:0]
	addresses := map[member]string{}
	err = t.rows(`SELECT contact_id, person_id, address FROM contact_persons WHERE contact_id IN `+t.s.dialect.ids("$1")+` ORDER BY contact_id, person_id`, []any{of},
		func(scan func(...any) error) error {
			var m member
			var address string
			err := scan(&m.contact, &m.id, &address)
			if w, goes := twins[m.contact]; goes {
				m.contact = w.Twin
				joins, addresses[m] = append(joins, m), address
			} else {
				has[m] = true
			}
			return err
		})
	for _, m := range joins {
		if err == nil && !has[m] {
			err = t.joinPerson(merge, m.contact, PersonRef{ID: m.id, Email: addresses[m]})
		}
	}
	return err
}

// joinManager adds a manager to a contact, and notes that the merge did it.
func (t *tx) joinManager(merge, contact, manager int64) error {
	n, err := t.addManager(contact, manager)
	if err != nil || n == 0 {
		return err
	}
	return t.noteRow(merge, "contact_managers", idText(contact)+" "+idText(manager), nil)
}

// joinPerson is joinManager for a person.
func (t *tx) joinPerson(merge, contact int64, p PersonRef) error {
	n, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, contact, p.ID, p.Email)
	if err != nil || n == 0 {
		return err
	}
	return t.noteRow(merge, "contact_persons", idText(contact)+" "+idText(p.ID), nil)
}

// partTwins makes two again of what joinTwins made one. What somebody has
// planned anew since stays what it is.
func (t *tx) partTwins(merge int64) error {
	var back, stay []int64
	err := t.merged(merge, "twins", func(row string, was []byte) error {
		var w twin
		if err := json.Unmarshal(was, &w); err != nil {
			return err
		}
		id := number(row)
		back, stay = append(back, id), append(stay, w.Twin)
		if _, err := t.exec(`UPDATE contacts SET message_key = $1, state = $2, completed = $3, postponed = $4, changed = $5 WHERE id = $6 AND state = 'cancelled'`,
			w.Key, string(w.State), w.Completed, w.Postponed, t.now.Unix(), id); err != nil {
			return err
		}
		if !w.Deal {
			return nil
		}
		_, err := t.exec(`UPDATE contacts SET deal_id = NULL WHERE id = $1 AND deal_id = (SELECT deal_id FROM contacts WHERE id = $2)`, w.Twin, id)
		return err
	})
	if err != nil || len(back) == 0 {
		return err
	}
	if err := t.relist(t.s.dialect.ids("$1"), asJSON(back)); err != nil {
		return err
	}
	if err := t.partMembers(merge); err != nil {
		return err
	}
	return t.twinsChanged(back, stay)
}

// partMembers takes out of contacts who joined them by the merge.
func (t *tx) partMembers(merge int64) error {
	for _, m := range []struct{ table, column string }{{"contact_managers", "manager_id"}, {"contact_persons", "person_id"}} {
		err := t.merged(merge, m.table, func(row string, _ []byte) error {
			contact, one, _ := strings.Cut(row, " ")
			_, err := t.exec(`DELETE FROM `+m.table+` WHERE contact_id = $1 AND `+m.column+` = $2`, number(contact), number(one))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", m.table, err)
		}
	}
	return nil
}
