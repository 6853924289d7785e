package store

import (
	"context"
	"math/rand/v2"
)

// Label calendars: made in a calendar program (MKCALENDAR), and what is put
// into one stays in it (design.md, "a calendar is a saved filter").

const (
	maxLabels  = 100 // label calendars of one manager
	labelOrder = 500 // behind those that come with the manager
	labelColor = "#607D8B"
)

// MakeLabel makes a label calendar in the actor's home. ErrConflict where the
// home has one of that slug, *Invalid.
func (s *Store) MakeLabel(ctx context.Context, actor Actor, slug string, component Component, e CollectionEdit) error {
	if slug == "" || len(slug) > 200 {
		return invalid("name", "the name of the calendar is empty or longer than 200 bytes")
	}
	return s.write(ctx, func(t *tx) error {
		var n int
		if err := t.row(`SELECT COUNT(*) FROM collections WHERE manager_id = $1 AND kind = $2`, []any{actor.ManagerID, string(LabelCalendar)}, &n); err != nil {
			return err
		}
		if n >= maxLabels {
			return invalid("calendar", "there are %d calendars of your own already", n)
		}
		made, err := t.exec(`INSERT INTO collections (manager_id, slug, kind, shows, filter, component, epoch, position, color)
			VALUES ($1, $2, $3, $1, $4, $5, $6, $7, $8) ON CONFLICT (manager_id, slug) DO NOTHING`,
			actor.ManagerID, slug, string(LabelCalendar), asJSON(Filter{Managers: []int64{actor.ManagerID}}), string(component), rand.Int64N(1<<53), labelOrder, labelColor)
		if err != nil {
			return err
		}
		if made == 0 {
			return ErrConflict
		}
		c, err := t.collection("k.manager_id = $1 AND k.slug = $2", actor.ManagerID, slug)
		if err != nil {
			return err
		}
		return t.editCollection(c, e)
	})
}

// DeleteCalendar deletes a calendar that people made. Of a saved filter the
// filter goes and nothing else. What was in a label calendar loses the label:
// what has a client, or is a deal's, goes back to the status calendars; the
// rest is cancelled, and its history stays. ErrForbidden for other calendars.
func (s *Store) DeleteCalendar(ctx context.Context, actor Actor, id int64) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.lock("collections", id); err != nil {
			return err
		}
		c, err := t.collection("k.id = $1", id)
		if err != nil {
			return err
		}
		if c.ManagerID != actor.ManagerID || c.Kind != LabelCalendar && c.Kind != FilterCalendar {
			return ErrForbidden
		}
		items, err := t.itemKeys(`SELECT item FROM labels WHERE collection_id = $1 ORDER BY item`, id) // a filter has none
		if err != nil {
			return err
		}
		for _, k := range items {
			it, err := t.item(k)
			if err != nil {
				return err
			}
			if it.ClientID == 0 && it.State() != Done {
				err = t.remove(actor, id, k)
			} else {
				t.touch(k)
				_, err = t.unlabel(id, k)
			}
			if err != nil {
				return err
			}
		}
		if err := t.renew(); err != nil {
			return err
		}
		for _, table := range []string{"entries", "feeds"} {
			if _, err := t.exec(`DELETE FROM `+table+` WHERE collection_id = $1`, id); err != nil {
				return err
			}
		}
		_, err = t.exec(`DELETE FROM collections WHERE id = $1`, id)
		return err
	})
}

// labelFor notes that an item was put into a collection. A label calendar
// labels it; a status calendar or To do list is a verb, which takes the
// owner's labels off.
func (t *tx) labelFor(c Collection, k ItemKey) error {
	var err error
	switch c.Kind {
	case LabelCalendar:
		_, err = t.exec(`INSERT INTO labels (item, collection_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, k.String(), c.ID)
	case StatusCalendar, TodoList:
		_, err = t.exec(`DELETE FROM labels WHERE item = $1 AND collection_id IN (SELECT id FROM collections WHERE manager_id = $2)`, k.String(), c.ManagerID)
	}
	return err
}

// unlabel takes one label off; it reports whether there was one.
func (t *tx) unlabel(collectionID int64, k ItemKey) (bool, error) {
	n, err := t.exec(`DELETE FROM labels WHERE item = $1 AND collection_id = $2`, k.String(), collectionID)
	return n > 0, err
}

// labels are the label calendars that an item was put into.
func (t *tx) labels(k ItemKey) ([]int64, error) {
	return t.numbers(`SELECT collection_id FROM labels WHERE item = $1`, k.String())
}

// itemKeys reads item keys.
func (t *tx) itemKeys(query string, args ...any) (keys []ItemKey, err error) {
	err = t.rows(query, args, func(scan func(...any) error) error {
		var item string
		if err := scan(&item); err != nil {
			return err
		}
		k, err := parseItemKey(item)
		keys = append(keys, k)
		return err
	})
	return keys, err
}
