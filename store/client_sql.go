package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

const clientColumns = `cl.id, cl.external_id, cl.name, cl.importance, cl.abc, cl.stage, cl.xyz, cl.manager_id, cl.source_id, cl.attributes, cl.created, cl.changed, cl.version, cl.given_stage, cl.stage_found`

func (t *tx) clients(tail string, args ...any) ([]Client, error) {
	var out []Client
	err := t.rows(`SELECT `+clientColumns+` FROM clients cl `+tail, args, func(scan func(...any) error) error {
		var c Client
		if err := scan(&c.ID, textInto{&c.ExternalID}, &c.Name, &c.Importance, &c.ABC, &c.Stage, &c.XYZ, idInto{&c.ManagerID}, idInto{&c.SourceID},
			jsonInto{&c.Attributes}, timeInto{&c.Created}, timeInto{&c.Changed}, &c.Version, &c.givenStage, &c.stageFound); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	at, ids := map[int64]*Client{}, []int64{}
	for i := range out {
		at[out[i].ID] = &out[i]
		ids = append(ids, out[i].ID)
	}
	err = t.points("client_points", "client_id", ids, func(id int64, kind, value string) {
		c := at[id]
		switch kind {
		case "domain":
			c.Domains = append(c.Domains, value)
		case "email":
			c.Emails = append(c.Emails, value)
		case "phone":
			c.Phones = append(c.Phones, value)
		}
	})
	return out, err
}

// points reads domains, addresses and phones of clients or persons.
func (t *tx) points(table, owner string, ids []int64, each func(id int64, kind, value string)) error {
	return t.rows(`SELECT `+owner+`, kind, value FROM `+table+` WHERE `+owner+` IN `+t.s.dialect.ids("$1")+` ORDER BY `+owner+`, kind, position`,
		[]any{asJSON(ids)}, func(scan func(...any) error) error {
			var id int64
			var kind, value string
			if err := scan(&id, &kind, &value); err != nil {
				return err
			}
			each(id, kind, value)
			return nil
		})
}

// setPoints replaces the domains, addresses and phones of a client or person,
// and registers the new ones, so that their past letters are looked up. What
// stays keeps what is known of it (bounces). Of a record that was just made
// nothing is looked for: that was a tenth of an import.
func (t *tx) setPoints(table, owner string, id int64, made bool, points map[string][]string) error {
	// The directory's version is a lock, too: numbers of registrations become
	// visible in their order, or a folder would pass over one.
	if err := t.directoryChanged(); err != nil {
		return err
	}
	before := map[string][]string{}
	if !made {
		err := t.points(table, owner, []int64{id}, func(_ int64, kind, value string) { before[kind] = append(before[kind], value) })
		if err != nil {
			return err
		}
	}
	for _, kind := range []string{"domain", "email"} {
		if err := t.register(kind, points[kind], before[kind]); err != nil {
			return err
		}
	}
	for _, kind := range []string{"domain", "email", "phone"} {
		values := points[kind]
		if values == nil {
			values = []string{}
		}
		if len(before[kind]) > 0 {
			if _, err := t.exec(`DELETE FROM `+table+` WHERE `+owner+` = $1 AND kind = $2 AND value NOT IN `+t.s.dialect.texts("$3"), id, kind, asJSON(values)); err != nil {
				return err
			}
		}
		for i, v := range values {
			if slices.Index(values, v) < i {
				continue
			}
			if _, err := t.exec(`INSERT INTO `+table+` (`+owner+`, kind, value, position) VALUES ($1, $2, $3, $4)
				ON CONFLICT (`+owner+`, kind, value) DO UPDATE SET position = $4`, id, kind, v, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// client by its number, or the one that it was merged with.
func (t *tx) client(id int64) (Client, error) {
	found, err := t.clients("WHERE cl.id = $1", id)
	if err != nil || len(found) > 0 {
		return append(found, Client{})[0], err
	}
	into, err := t.survivor(id)
	if err != nil || into == id {
		return Client{}, cmp.Or(err, ErrNotFound)
	}
	return t.client(into)
}

func (t *tx) persons(where, tail string, args ...any) ([]Person, error) {
	var out []Person
	err := t.rows(`SELECT p.id, p.external_id, p.client_id, p.name, p.position, p.birthday, p.away_until, p.version FROM persons p WHERE p.merged_into IS NULL AND (`+where+`) ORDER BY p.id `+tail,
		args, func(scan func(...any) error) error {
			var p Person
			if err := scan(&p.ID, textInto{&p.ExternalID}, &p.ClientID, &p.Name, &p.Position, &p.Birthday, &p.Away, &p.Version); err != nil {
				return err
			}
			out = append(out, p)
			return nil
		})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	at, ids := map[int64]*Person{}, []int64{}
	for i := range out {
		at[out[i].ID] = &out[i]
		ids = append(ids, out[i].ID)
	}
	err = t.points("person_points", "person_id", ids, func(id int64, kind, value string) {
		if kind == "email" {
			at[id].Emails = append(at[id].Emails, value)
		} else {
			at[id].Phones = append(at[id].Phones, value)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, t.bounced(ids, func(id int64, address string) { at[id].Bounced = append(at[id].Bounced, address) })
}

// seesClient is the condition that a manager may know of a client: is
// responsible, took part in one of its contacts or deals, or is a head.
func (t *tx) seesClient(viewer Manager, c Client) error {
	if viewer.Role == RoleHead || c.ManagerID == viewer.ID {
		return nil
	}
	var one int
	return t.row(`SELECT 1 FROM clients cl WHERE cl.id = $1 AND `+clientSeenBy("$2"), []any{c.ID, viewer.ID}, &one)
}

// clientSeenBy is the condition of seesClient on "clients cl", for the manager
// that the parameter names.
func clientSeenBy(param string) string {
	return strings.ReplaceAll(`(cl.manager_id = {me}
		OR EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.manager_id = {me} AND cm.client_id = cl.id)
		OR EXISTS (SELECT 1 FROM deals d WHERE d.manager_id = {me} AND d.client_id = cl.id))`, "{me}", param)
}

// fewClients is how many clients a manager may know of so that a list begins
// with them: of more the first of all are soon found in the list's order.
const fewClients = 1000

// seenClients adds the condition of seesClient on "clients cl" of a list.
func (t *tx) seenClients(c *conditions, viewer Manager) error {
	if viewer.Role == RoleHead {
		return nil
	}
	ids, err := t.numbers(`SELECT id FROM clients WHERE manager_id = $1 LIMIT $2`, viewer.ID, fewClients)
	for _, table := range []string{"contact_managers", "deals"} {
		if err != nil {
			return err
		}
		var more []int64
		// From one client to the next: it may have thousands of contacts.
		more, err = t.numbers(`WITH RECURSIVE took (id) AS (SELECT CAST(0 AS BIGINT) UNION ALL
			SELECT (SELECT MIN(client_id) FROM `+table+` WHERE manager_id = $1 AND client_id > took.id) FROM took WHERE took.id IS NOT NULL)
			SELECT id FROM took WHERE id > 0 LIMIT $2`, viewer.ID, fewClients)
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	if ids = append([]int64{}, slices.Compact(ids)...); len(ids) < fewClients {
		c.add("cl.id IN "+t.s.dialect.ids("?"), asJSON(ids))
	} else {
		c.add(clientSeenBy(c.arg(viewer.ID)))
	}
	return err
}

// classesShown is how much of a client's history its page shows.
const classesShown = 12

// Client's page, of the one that it was merged with where it was; ErrNotFound
// where the viewer neither is responsible nor took
// part in one of its contacts or deals nor is a head.
func (s *Store) Client(ctx context.Context, viewer Manager, id int64) (card ClientCard, err error) {
	err = s.read(ctx, func(t *tx) error {
		if card.Client, err = t.client(id); err != nil {
			return err
		}
		id := card.Client.ID // perhaps of the one it was merged with
		if err := t.seesClient(viewer, card.Client); err != nil {
			return err
		}
		if card.Client.ManagerID != 0 {
			if card.Manager, err = t.manager("m.id = $1", card.Client.ManagerID); err != nil {
				return err
			}
		}
		if card.Client.SourceID != 0 {
			if card.Source, err = t.source("id = $1", card.Client.SourceID); err != nil {
				return err
			}
		}
		if card.Persons, err = t.persons("p.client_id = $1", "LIMIT 200", id); err != nil {
			return err
		}
		if card.Deals, err = t.deals("WHERE d.client_id = $1 ORDER BY d.date DESC, d.id DESC LIMIT 200", id); err != nil {
			return err
		}
		loc := viewer.Location()
		// From the open ones: in the order of time all contacts of the client were read.
		contacts, err := t.contacts(`WHERE c.id IN (SELECT id FROM contacts WHERE client_id = $1 AND state IN ('planned', 'postponed')) ORDER BY c.start_at LIMIT 200`, id)
		if err != nil {
			return err
		}
		for i := range contacts {
			card.Planned = append(card.Planned, contactAsItem(&contacts[i]))
		}
		events, err := t.eventItems(`WHERE d.client_id = $1 AND d.status <> 'cancelled' AND e.state IN ('planned', 'postponed') ORDER BY e.due LIMIT 200`, id)
		if err != nil {
			return err
		}
		card.Planned = append(card.Planned, events...)
		for i := range card.Planned {
			it := &card.Planned[i]
			it.When, it.Status = it.WhenIn(loc), it.StatusAt(loc, t.now)
		}
		SortAgenda(card.Planned, loc)
		if card.Balance, err = t.balance(id); err != nil {
			return err
		}
		card.Classes, err = t.classHistory(id, classesShown)
		return err
	})
	if err != nil {
		return ClientCard{}, err
	}
	return card, nil
}

// Clients whose name contains text (case-insensitive), by name.
func (s *Store) Clients(ctx context.Context, viewer Manager, text string, limit int) (out []Client, err error) {
	if limit <= 0 || limit > 500 {
		limit = 500
	}
	err = s.read(ctx, func(t *tx) error {
		ids, err := t.selected(viewer, Selection{Name: text}, time.UTC, 0, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		out, err = t.clients(`WHERE cl.id IN `+t.s.dialect.ids("$1")+` ORDER BY cl.folded, cl.id`, asJSON(ids))
		return err
	})
	return out, err
}

func (t *tx) source(where string, args ...any) (Source, error) {
	var s Source
	err := t.row(`SELECT id, external_id, name, campaign, medium, from_date, to_date, cost, currency FROM sources WHERE `+where, args,
		&s.ID, &s.ExternalID, &s.Name, &s.Campaign, &s.Medium, &s.From, &s.To, &s.Cost.Minor, &s.Cost.Currency)
	return s, err
}

// balance is what the client owes us, one sum per currency.
func (t *tx) balance(clientID int64) ([]Money, error) {
	var out []Money
	err := t.rows(`SELECT currency, CAST(SUM(amount) AS BIGINT) FROM settlements WHERE client_id = $1 GROUP BY currency ORDER BY currency`,
		[]any{clientID}, func(scan func(...any) error) error {
			var m Money
			if err := scan(&m.Currency, &m.Minor); err != nil {
				return err
			}
			out = append(out, m)
			return nil
		})
	return out, err
}
