package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// grouped is how a grouping looks in SQL: the expressions that make its key,
// and where the name of a record is found.
type grouped struct {
	id, text    string // expressions over "contacts c"; "" for none
	table, name string // of the records
	client      bool   // the client's columns are needed
}

// countedPerson is the person at whom a contact is counted.
const countedPerson = "(SELECT MIN(cp.person_id) FROM contact_persons cp WHERE cp.contact_id = c.id)"

func (g Grouping) of(loc *time.Location, from, to time.Time) (grouped, bool) {
	switch g {
	case ByClient:
		return grouped{id: "c.client_id", table: "clients", name: "name"}, true
	case ByImportance:
		return grouped{text: "c.importance"}, true
	case ByState:
		return grouped{text: "c.state"}, true
	case ByKind:
		return grouped{text: "c.kind"}, true
	case ByDirection:
		return grouped{text: "c.direction"}, true
	case ByPerson:
		return grouped{id: countedPerson, table: "persons", name: "name"}, true
	case ByManager:
		return grouped{id: "c.manager_id", table: "managers", name: "name"}, true
	case BySource:
		return grouped{id: "COALESCE(c.source_id, cl.source_id)", table: "sources", name: "name", client: true}, true
	case ByDay:
		return grouped{id: localDay("c.start_at", loc, from, to)}, true
	}
	return grouped{}, false
}

func (q *ContactSelection) conditions(d dialect) conditions {
	var c conditions
	if !q.From.IsZero() {
		c.add("c.start_at >= ?", q.From.Unix())
	}
	if !q.To.IsZero() {
		c.add("c.start_at < ?", q.To.Unix())
	}
	if len(q.States) == 0 {
		c.add("c.state <> 'cancelled'")
	}
	c.texts(d, "c.state", asTexts(q.States))
	c.texts(d, "c.kind", asTexts(q.Kinds))
	c.texts(d, "c.direction", asTexts(q.Directions))
	c.texts(d, "c.importance", asTexts(q.Importances))
	c.ids(d, "c.manager_id", q.Managers)
	c.ids(d, "c.client_id", q.Clients)
	c.ids(d, "c.deal_id", q.Deals)
	c.ids(d, "COALESCE(c.source_id, cl.source_id)", q.Sources)
	c.ids(d, countedPerson, q.Counted)
	if len(q.Unregistered) > 0 {
		c.add("c.client_id IS NULL")
		c.texts(d, "c.client_text", q.Unregistered)
	}
	if len(q.Persons) > 0 {
		took := "c.id IN (SELECT contact_id FROM contact_persons WHERE person_id IN " + d.ids("?") + ")"
		if slices.Contains(q.Persons, 0) {
			took = "(" + took + " OR " + countedPerson + " IS NULL)"
		}
		c.add(took, asJSON(q.Persons))
	}
	c.own(q.Viewer, "c.manager_id")
	return c
}

// ContactGroups calls each for every group of the selected contacts. A group
// without contacts is not among them, and its Keys are there only for the call.
// Days are those of the viewer's zone.
func (s *Store) ContactGroups(ctx context.Context, q ContactSelection, by []Grouping, each func(ContactGroup) error) error {
	parts := make([]grouped, len(by))
	for i, g := range by {
		var ok bool
		if parts[i], ok = g.of(q.Viewer.Location(), q.From, q.To); !ok {
			return fmt.Errorf("contacts are not grouped by %q", g)
		}
	}
	client := slices.Index(by, ByClient)
	return s.read(ctx, func(t *tx) error {
		where, unregistered := q.conditions(s.dialect), false
		err := t.contactGroups(where, by, parts, len(q.Sources) > 0, func(g ContactGroup) error {
			if client >= 0 && g.Keys[client].ID == 0 {
				unregistered = true
				return nil
			}
			return each(g)
		})
		if err != nil || !unregistered {
			return err
		}
		// Those without a client are asked for again by whom they are with: to read
		// and compare that text of every contact would take as long as all the rest.
		where.add("c.client_id IS NULL")
		parts[client] = grouped{text: "c.client_text"}
		return t.contactGroups(where, by, parts, len(q.Sources) > 0, each)
	})
}

// contactGroups reads the groups that parts say for by. The client's columns
// are joined if a part or clients says so.
func (t *tx) contactGroups(where conditions, by []Grouping, parts []grouped, clients bool, each func(ContactGroup) error) error {
	var keys, names, joins, order []string
	var g ContactGroup
	of, found := make([]GroupKey, len(by)), make([]string, len(by))
	var into []any
	for i, part := range parts {
		clients = clients || part.client
		key := func(as, expression string, dest any) {
			if expression != "" {
				as = fmt.Sprintf("%s%d", as, i)
				keys, names, into = append(keys, expression+" AS "+as), append(names, "g."+as), append(into, dest)
				if by[i] == ByClient || by[i] == ByPerson {
					order = slices.Insert(order, 0, as) // there are most of them: to sort by these first takes less
				} else {
					order = append(order, as)
				}
			}
		}
		key("k", part.id, idInto{&of[i].ID})
		key("t", part.text, textInto{&of[i].Text})
		if part.table != "" {
			joins = append(joins, fmt.Sprintf(" LEFT JOIN %s n%d ON n%d.id = g.k%d", part.table, i, i, i))
			names, into = append(names, fmt.Sprintf("n%d.%s", i, part.name)), append(into, textInto{&found[i]})
		}
	}
	into = append(into, &g.Contacts, &g.Minutes, &g.Estimated)
	from := " FROM contacts c"
	if clients {
		from += " LEFT JOIN clients cl ON cl.id = c.client_id"
	}
	inner := "SELECT " + strings.Join(append(keys, "COUNT(*) AS contacts", "CAST(COALESCE(SUM(CASE WHEN c.state = 'done' THEN c.minutes ELSE 0 END), 0) AS BIGINT) AS minutes",
		"CAST(COALESCE(SUM(CASE WHEN c.state = 'done' AND c.estimated THEN c.minutes ELSE 0 END), 0) AS BIGINT) AS estimated"), ", ") + from + where.where()
	if len(order) > 0 {
		inner += " GROUP BY " + strings.Join(order, ", ")
	}
	query := "SELECT " + strings.Join(append(names, "g.contacts", "g.minutes", "g.estimated"), ", ") + " FROM (" + inner + ") g" + strings.Join(joins, "")
	return t.rows(query, where.args, func(scan func(...any) error) error {
		clear(of)
		clear(found)
		g.Keys = of
		if err := scan(into...); err != nil {
			return err
		}
		if g.Contacts == 0 {
			return nil // of no contacts at all, a total is a row too
		}
		for i := range by {
			switch {
			case by[i] == ByDay:
				g.Keys[i] = GroupKey{Text: string(dayFrom1970(g.Keys[i].ID))}
			case found[i] != "":
				g.Keys[i].Text = found[i]
			}
		}
		return each(g)
	})
}

// SelectedContacts calls each for the contacts behind a figure, newest first, at
// most limit of them.
func (s *Store) SelectedContacts(ctx context.Context, q ContactSelection, limit int, each func(*Contact) error) error {
	where := q.conditions(s.dialect)
	return s.contactRows(ctx, q.Viewer, &where, limit, each)
}

// RecordNamed finds a manager, client, person, source or deal by its number,
// or where that is 0 by the key that another system gave it (a manager by the
// login); ErrNotFound. Text is its name.
func (s *Store) RecordNamed(ctx context.Context, kind string, id int64, key string) (k GroupKey, err error) {
	of := map[string]struct{ table, key, name string }{
		"manager": {"managers", "login", "name"}, "client": {"clients", "external_id", "name"}, "person": {"persons", "external_id", "name"},
		"source": {"sources", "external_id", "name"}, "deal": {"deals", "external_id", "number"},
	}
	table, ok := of[kind]
	if !ok {
		return k, fmt.Errorf("records of kind %q have no names", kind)
	}
	query, args := `id = $1`, []any{id}
	if id == 0 {
		query, args = table.key+` = $1`, []any{key}
	}
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT id, `+table.name+` FROM `+table.table+` WHERE `+query, args, &k.ID, &k.Text)
	})
	return k, err
}
