package store

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"strings"
)

// Saved filters: calendars that people make on the page or the command line
// (design.md, "a calendar is a saved filter").

// MakeFilter makes a filter calendar in the actor's home and fills it. *Invalid
// where the name or the filter is not right, ErrForbidden for a manager who
// asks for the contacts of others.
func (s *Store) MakeFilter(ctx context.Context, actor Actor, f Filter, e CollectionEdit) (made Collection, err error) {
	slug := "filter-" + strings.ToLower(rand.Text()[:8]) // never one that a program still knows from a deleted calendar
	err = s.write(ctx, func(t *tx) error {
		if err := t.lock("managers", actor.ManagerID); err != nil {
			return err
		}
		var n int
		if err := t.row(`SELECT COUNT(*) FROM collections WHERE manager_id = $1 AND kind = $2`, []any{actor.ManagerID, string(FilterCalendar)}, &n); err != nil {
			return err
		}
		if n >= maxFilters {
			return invalid("calendar", "there are %d saved filters already", n)
		}
		if e.Name == nil {
			return invalid("name", "is empty")
		}
		if _, err := t.exec(`INSERT INTO collections (manager_id, slug, kind, filter, component, epoch, position, color)
			VALUES ($1, $2, $3, '{}', $4, $5, $6, $7)`,
			actor.ManagerID, slug, string(FilterCalendar), string(VEvent), mathrand.Int64N(1<<53), filterOrder, filterColor); err != nil {
			return err
		}
		c, err := t.collection("k.manager_id = $1 AND k.slug = $2", actor.ManagerID, slug)
		if err != nil {
			return err
		}
		if err := t.saveFilter(c, f, e); err != nil {
			return err
		}
		made, err = t.collection("k.id = $1", c.ID)
		return err
	})
	if err == nil {
		_, err = s.fillFilters(ctx)
	}
	return made, err
}

// EditFilter gives a filter calendar another filter, name and colour: what no
// longer matches leaves it, as sync reports then say. ErrNotFound where the
// actor has no such filter; else as MakeFilter.
func (s *Store) EditFilter(ctx context.Context, actor Actor, id int64, f Filter, e CollectionEdit) error {
	err := s.write(ctx, func(t *tx) error {
		c, err := t.collection("k.id = $1 AND k.manager_id = $2 AND k.kind = $3", id, actor.ManagerID, string(FilterCalendar))
		if err != nil {
			return err
		}
		return t.saveFilter(c, f, e)
	})
	if err == nil {
		_, err = s.fillFilters(ctx)
	}
	return err
}

// saveFilter keeps a filter, and marks it to be filled where it is another one.
func (t *tx) saveFilter(c Collection, f Filter, e CollectionEdit) error {
	owner, err := t.manager("m.id = $1", c.ManagerID)
	if err != nil {
		return err
	}
	if f, err = f.savedFor(owner); err != nil {
		return err
	}
	for _, id := range f.Managers {
		if _, err := t.manager("m.id = $1", id); errors.Is(err, ErrNotFound) {
			return invalid("manager", "there is no manager %d", id)
		} else if err != nil {
			return err
		}
	}
	if e.Name != nil && (strings.TrimSpace(clean(*e.Name)) == "" || len(*e.Name) > maxFilterNames) {
		return invalid("name", "is empty or longer than %d bytes", maxFilterNames)
	}
	if e.Color != nil && !hexColor.MatchString(*e.Color) {
		return invalid("color", "%q is no colour like #6A1B9A", clip(*e.Color, 40))
	}
	if err := t.editCollection(c, e); err != nil {
		return err
	}
	was, is := asJSON(c.Filter), asJSON(f)
	if was == is {
		return nil
	}
	var shows any // NULL: those of several managers
	if one := f.showsOne(); one != 0 {
		shows = one
	}
	if _, err := t.exec(`UPDATE collections SET filter = $1, shows = $2 WHERE id = $3`, is, shows, c.ID); err != nil {
		return err
	}
	return t.refill("id = $1", c.ID)
}

// refill marks calendars to be filled anew: what is in them is looked at by
// turnEntries, all else by fillFilters.
func (t *tx) refill(where string, arg any) error {
	if _, err := t.exec(`UPDATE collections SET filling = '' WHERE `+where, arg); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE entries SET turns = 1 WHERE NOT gone AND collection_id IN (SELECT id FROM collections WHERE `+where+`)`, arg)
	return err
}

// fillBatch is how many items one transaction looks at, so that no filter
// holds the writer for long.
const fillBatch = 500

// fillFilters looks at all items that may belong into a calendar that is marked
// to be filled, and then again at what is in it; it returns how many it renewed. A
// daemon that dies meanwhile leaves the rest to the next tick.
func (s *Store) fillFilters(ctx context.Context) (int, error) {
	for any := false; ; any = true {
		filling := false
		err := s.write(ctx, func(t *tx) error {
			found, err := t.collections("k.filling IS NOT NULL")
			if err != nil || len(found) == 0 {
				return err
			}
			filling = true
			return t.fill(found[0])
		})
		if err != nil {
			return 0, err
		}
		if !filling && any {
			return s.turnEntries(ctx)
		}
		if !filling {
			return 0, nil
		}
	}
}

// fill marks the next items for one calendar: contacts by id, then events.
func (t *tx) fill(c Collection) error {
	if err := t.lock("collections", c.ID); err != nil {
		return err
	}
	var last string
	if err := t.row(`SELECT COALESCE(filling, '') FROM collections WHERE id = $1`, []any{c.ID}, &last); err != nil {
		return err
	}
	at := ItemKey{}
	if last != "" {
		var err error
		if at, err = parseItemKey(last); err != nil {
			return err
		}
	}
	old := t.now.AddDate(0, 0, -c.Filter.DoneDays).Unix()
	managers, everybody := asJSON(append([]int64{}, c.Filter.Managers...)), len(c.Filter.Managers) == 0
	among := t.s.dialect.ids("$5")
	var keys []ItemKey
	read := func(event bool, query string) error {
		return t.rows(query, []any{at.ID, old, fillBatch, everybody, managers}, func(scan func(...any) error) error {
			k := ItemKey{Event: event}
			err := scan(&k.ID)
			keys = append(keys, k)
			return err
		})
	}
	if !at.Event {
		letters := ""
		if c.Filter.NoLetters {
			letters = " AND c.message_key = ''"
		}
		if err := read(false, `SELECT c.id FROM contacts c WHERE c.id > $1
			AND (c.state IN ('planned', 'postponed') OR c.state = 'done' AND c.completed > $2`+letters+`)
			AND ($4 OR EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id IN `+among+`))
			ORDER BY c.id LIMIT $3`); err != nil {
			return err
		}
		if len(keys) < fillBatch { // then the events
			at = ItemKey{Event: true}
		}
	}
	if at.Event && len(keys) == 0 {
		if err := read(true, `SELECT e.id FROM deal_events e JOIN deals d ON d.id = e.deal_id JOIN clients cl ON cl.id = d.client_id WHERE e.id > $1
			AND (e.state IN ('planned', 'postponed') OR e.state = 'done' AND e.completed > $2)
			AND ($4 OR COALESCE(d.manager_id, cl.manager_id) IN `+among+`)
			ORDER BY e.id LIMIT $3`); err != nil {
			return err
		}
		if len(keys) == 0 {
			_, err := t.exec(`UPDATE collections SET filling = NULL WHERE id = $1`, c.ID)
			return err
		}
	}
	t.touch(keys...)
	if n := len(keys); n > 0 && keys[n-1].Event == at.Event {
		at = keys[n-1]
	}
	_, err := t.exec(`UPDATE collections SET filling = $1 WHERE id = $2`, at.String(), c.ID)
	return err
}
