package store

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
)

// doneDays is how long the Done calendar shows what was done.
const doneDays = 90

func sortedKeys[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }

// defaultCalendar is one of those that every manager starts with.
type defaultCalendar struct {
	slug      string
	kind      CollectionKind
	component Component
	filter    Filter
	word      string // its name, by Word
	color     string
	order     int
}

// defaultsOf lists a manager's default calendars (design.md, "a calendar is a
// saved filter"); team are the others, of whom a head gets one calendar each.
func defaultsOf(m Manager, team []Manager) []defaultCalendar {
	own := []int64{m.ID}
	open := []Status{StatusOverdue, StatusCurrent, StatusPostponed}
	list := []defaultCalendar{
		{"overdue", StatusCalendar, VEvent, Filter{Managers: own, Statuses: []Status{StatusOverdue}}, "status.overdue", StatusOverdue.Color(), 1},
		{"current", StatusCalendar, VEvent, Filter{Managers: own, Statuses: []Status{StatusCurrent}}, "status.current", StatusCurrent.Color(), 2},
		{"postponed", StatusCalendar, VEvent, Filter{Managers: own, Statuses: []Status{StatusPostponed}}, "status.postponed", StatusPostponed.Color(), 3},
		{"done", StatusCalendar, VEvent, Filter{Managers: own, Statuses: []Status{StatusDone}, DoneDays: doneDays, NoLetters: true}, "status.done", StatusDone.Color(), 4},
		{"todo", TodoList, VTodo, Filter{Managers: own, Statuses: open}, "todo", StatusCurrent.Color(), 5},
	}
	if m.Role == RoleHead {
		for _, o := range team {
			if o.ID != m.ID {
				list = append(list, defaultCalendar{"team-" + o.Login, TeamCalendar, VEvent, Filter{Managers: []int64{o.ID}, Statuses: open}, "",
					teamColors[int(o.ID)%len(teamColors)], 10 + int(o.ID)}) // of its own, whoever joins later
			}
		}
	}
	return list
}

// defaultColor is what a calendar has whose owner has not chosen, or has taken
// the choice back.
func (c *Collection) defaultColor() string {
	switch {
	case c.Kind == TeamCalendar && len(c.Filter.Managers) == 1:
		return teamColors[int(c.Filter.Managers[0])%len(teamColors)]
	case c.Kind == StatusCalendar && len(c.Filter.Statuses) == 1:
		return c.Filter.Statuses[0].Color()
	case c.Kind == LabelCalendar:
		return labelColor
	case c.Kind == FilterCalendar:
		return filterColor
	}
	return StatusCurrent.Color()
}

// teamColors tell a head's team calendars apart; none is a status's colour.
var teamColors = []string{"#1565C0", "#6A1B9A", "#00838F", "#EF6C00", "#4E342E", "#283593", "#AD1457", "#558B2F"}

// defaultCalendars makes the default calendars that are missing: the manager's
// own, and those of the manager that heads have. The others have theirs; to
// look through them again and again would make a thousand managers cost a
// million.
func (t *tx) defaultCalendars(managerID int64) error {
	changed, err := t.manager("m.id = $1", managerID)
	if err != nil {
		return err
	}
	var team []Manager
	if changed.Role == RoleHead {
		if team, err = t.managers("TRUE"); err != nil {
			return err
		}
	}
	if err := t.makeCalendars(changed, defaultsOf(changed, team)); err != nil {
		return err
	}
	heads, err := t.managers("m.role = $1 AND m.id <> $2", string(RoleHead), managerID)
	if err != nil {
		return err
	}
	for _, h := range heads {
		of := slices.DeleteFunc(defaultsOf(h, []Manager{changed}), func(d defaultCalendar) bool { return d.kind != TeamCalendar })
		if err := t.makeCalendars(h, of); err != nil {
			return err
		}
	}
	return nil
}

// makeCalendars makes those of a manager's default calendars that are missing.
func (t *tx) makeCalendars(m Manager, defaults []defaultCalendar) error {
	for _, d := range defaults {
		n, err := t.exec(`INSERT INTO collections (manager_id, slug, kind, shows, filter, component, epoch, position, color)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (manager_id, slug) DO NOTHING`,
			m.ID, d.slug, string(d.kind), d.filter.Managers[0], asJSON(d.filter), string(d.component), rand.Int64N(1<<53), d.order, d.color)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.refreshManager(d.filter.Managers[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectionQuery reads calendars by order.
func collectionQuery(where string) string {
	return `SELECT k.id, k.manager_id, k.slug, k.kind, k.filter, k.component, k.name, k.color, k.position, k.description,
		k.time_zone, k.props, k.change, k.epoch, k.oldest, o.language, shown.name
		FROM collections k JOIN managers o ON o.id = k.manager_id LEFT JOIN managers shown ON shown.id = k.shows
		WHERE ` + where + ` ORDER BY k.position, k.id`
}

// collectionRows are calendars as they are read.
type collectionRows []Collection

// take reads a row of collectionQuery. Names are the owner's own, else the
// default in the owner's language.
func (all *collectionRows) take(scan func(...any) error) error {
	*all = append(*all, Collection{})
	c := &(*all)[len(*all)-1]
	var lang Language
	var shown string
	if err := scan(&c.ID, &c.ManagerID, &c.Slug, &c.Kind, jsonInto{&c.Filter}, &c.Component, textInto{&c.Name}, textInto{&c.Color}, &c.Order,
		textInto{&c.Description}, &c.TimeZone, jsonInto{&c.Props}, &c.Change, &c.Epoch, &c.Oldest, &lang, textInto{&shown}); err != nil {
		return err
	}
	if c.Color == "" {
		c.Color = c.defaultColor()
	}
	if c.Name == "" {
		switch c.Kind {
		case StatusCalendar:
			c.Name = Word(lang, "status."+c.Slug)
		case TodoList:
			c.Name = Word(lang, "todo")
		case TeamCalendar:
			c.Name = shown
		default: // a label that its maker gave no name
			c.Name = c.Slug
		}
	}
	return nil
}

func (t *tx) collections(where string, args ...any) ([]Collection, error) {
	var all collectionRows
	err := t.rows(collectionQuery(where), args, all.take)
	return all, err
}

// Collections of a manager's home, by order.
func (s *Store) Collections(ctx context.Context, managerID int64) ([]Collection, error) {
	var all collectionRows
	err := s.glances(ctx, collectionQuery("k.manager_id = $1"), []any{managerID}, all.take)
	return all, err
}

// Collection by its slug in a manager's home; ErrNotFound.
func (s *Store) Collection(ctx context.Context, managerID int64, slug string) (c Collection, err error) {
	now, known := s.Generation(ctx)
	key := collectionKey{managerID, slug}
	if known {
		if c, ok := s.remembered.collection(now, key); ok {
			return c, nil
		}
		defer func() {
			if err == nil {
				s.remembered.put(now, key, c)
			}
		}()
	}
	var found collectionRows
	if err := s.glances(ctx, collectionQuery("k.manager_id = $1 AND k.slug = $2"), []any{managerID, slug}, found.take); err != nil {
		return c, err
	}
	return found.one()
}

func (t *tx) collection(where string, args ...any) (Collection, error) {
	found, err := t.collections(where, args...)
	if err != nil {
		return Collection{}, err
	}
	return collectionRows(found).one()
}

func (all collectionRows) one() (Collection, error) {
	if len(all) == 0 {
		return Collection{}, ErrNotFound
	}
	return all[0], nil
}

// maxProps bounds the dead properties that one collection keeps, in bytes.
const maxProps = 64 << 10

// EditCollection keeps what a PROPPATCH sets.
func (s *Store) EditCollection(ctx context.Context, actor Actor, id int64, e CollectionEdit) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.collection("k.id = $1", id)
		if err != nil {
			return err
		}
		if c.ManagerID != actor.ManagerID {
			return ErrForbidden
		}
		return t.editCollection(c, e)
	})
}

func (t *tx) editCollection(c Collection, e CollectionEdit) error {
	set := func(column string, v *string, most int) error {
		if v == nil {
			return nil
		}
		if len(*v) > most {
			return invalid(column, "longer than %d bytes", most)
		}
		var value any // NULL returns to the default
		if *v != "" || column == "time_zone" {
			value = clean(*v)
		}
		_, err := t.exec(`UPDATE collections SET `+column+` = $1 WHERE id = $2`, value, c.ID)
		return err
	}
	if err := set("name", e.Name, 500); err != nil {
		return err
	}
	if err := set("color", e.Color, 40); err != nil {
		return err
	}
	if err := set("description", e.Description, 10_000); err != nil {
		return err
	}
	if err := set("time_zone", e.TimeZone, 64<<10); err != nil {
		return err
	}
	if e.Order != nil {
		if _, err := t.exec(`UPDATE collections SET position = $1 WHERE id = $2`, *e.Order, c.ID); err != nil {
			return err
		}
	}
	if len(e.Props) == 0 {
		return nil
	}
	props := maps.Clone(c.Props)
	if props == nil {
		props = map[string]string{}
	}
	size := 0
	for name, v := range e.Props {
		if v == nil {
			delete(props, name)
		} else {
			props[name] = clean(*v)
		}
	}
	for name, v := range props {
		size += len(name) + len(v)
	}
	if size > maxProps {
		return invalid("property", "the properties of this calendar are larger than %d bytes together", maxProps)
	}
	_, err := t.exec(`UPDATE collections SET props = $1 WHERE id = $2`, asJSON(props), c.ID)
	return err
}
