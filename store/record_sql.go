package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// page finds the numbers of the records of a table (named r in conditions) that
// come next. ErrNotFound where a client or deal is named that there is not.
func (t *tx) page(table string, q RecordQuery, c *conditions) (ids []int64, next Place, err error) {
	limit := cmp.Or(min(q.Limit, MaxRecords), 100)
	if ref := (Ref{q.ID, q.ExternalID}); !ref.IsZero() {
		id, err := t.find(table, ref)
		if err != nil {
			return nil, next, ignoreNotFound(err)
		}
		c.add("r.id = ?", id)
	}
	order := "r.id"
	switch since := !q.ChangedSince.IsZero(); {
	case since && q.After.ID != 0:
		order = "r.changed, r.id"
		c.add("(r.changed, r.id) > (?, ?)", q.After.Changed.Unix(), q.After.ID)
	case since:
		order = "r.changed, r.id"
		c.add("r.changed >= ?", q.ChangedSince.Unix())
	case q.After.ID != 0:
		c.add("r.id > ?", q.After.ID)
	}
	var last Place
	err = t.rows(`SELECT r.id, r.changed FROM `+table+` r`+c.where()+` ORDER BY `+order+` LIMIT `+strconv.Itoa(limit+1), c.args, func(scan func(...any) error) error {
		if len(ids) == limit {
			next = last // there is one more
			return nil
		}
		if err := scan(&last.ID, timeInto{&last.Changed}); err != nil {
			return err
		}
		ids = append(ids, last.ID)
		return nil
	})
	return ids, next, err
}

// find is the number of the record that a Ref names, 0 for a zero Ref: of a
// merged one, that of the one into which. ErrNotFound where there is none, or
// the two names are not of one record.
func (t *tx) find(table string, r Ref) (id int64, err error) {
	if r.IsZero() {
		return 0, nil
	}
	if r.ExternalID != "" {
		if id, err = t.saved(table, r.ExternalID); err != nil {
			return 0, err
		}
	}
	if r.ID != 0 {
		of := r.ID
		if table == "clients" {
			if of, err = t.survivor(of); err != nil {
				return 0, err
			}
		}
		if r.ExternalID != "" && of != id {
			return 0, ErrNotFound
		}
		err = t.row(`SELECT id FROM `+table+` WHERE id = $1`, []any{of}, &id)
	}
	if err == nil && id == 0 {
		err = ErrNotFound
	}
	if err == nil && table == "persons" {
		id, err = t.wholePerson(id)
	}
	return id, err
}

// wholePerson is the person into whom one was merged; the same where it was
// not.
func (t *tx) wholePerson(id int64) (int64, error) {
	for range 100 {
		var into int64
		if err := t.row(`SELECT merged_into FROM persons WHERE id = $1`, []any{id}, idInto{&into}); err != nil || into == 0 || into == id { // into itself: erased
			return id, err
		}
		id = into
	}
	return id, nil
}

// mergedPerson is the one with that key, where it was merged into that person;
// else 0.
func (t *tx) mergedPerson(externalID string, id int64) (int64, error) {
	merged, err := t.saved("persons", externalID)
	if err != nil || merged == 0 || merged == id || id == 0 {
		return 0, err
	}
	whole, err := t.wholePerson(merged)
	if whole != id {
		merged = 0
	}
	return merged, err
}

// referred is find for what another row refers to: an unknown one is a fault of
// that field.
func (t *tx) referred(table, field string, r Ref) (int64, error) {
	if r.ID == 0 && table != "persons" {
		return t.named(table, field, r.ExternalID)
	}
	id, err := t.find(table, r)
	if errors.Is(err, ErrNotFound) {
		err = invalid(field, "unknown %s %q", field, clip(cmp.Or(r.ExternalID, idText(r.ID)), 80))
	}
	return id, err
}

// refs are clients and deals as other systems know them.
func (t *tx) refs(table string, ids []int64) (map[int64]Ref, error) {
	names, err := t.names(table, "external_id", ids)
	out := map[int64]Ref{}
	for id, name := range names {
		out[id] = Ref{ID: id, ExternalID: name}
	}
	return out, err
}

// names reads one text column of the rows with those numbers. 0 is no row.
func (t *tx) names(table, column string, ids []int64) (map[int64]string, error) {
	out := map[int64]string{}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) == 1 && ids[0] == 0 {
		return out, nil
	}
	err := t.rows(`SELECT id, `+column+` FROM `+table+` WHERE id IN `+t.s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, textInto{&name})
		out[id] = name
		return err
	})
	return out, err
}

// each gives one number of every record.
func each[R any](records []R, number func(*R) int64) []int64 {
	ids := make([]int64, len(records))
	for i := range records {
		ids[i] = number(&records[i])
	}
	return ids
}

// inOrder puts records into the order of their numbers; a vanished one is left
// out.
func inOrder[R any](ids []int64, records []R, number func(*R) int64) []R {
	at := make(map[int64]int, len(records))
	for i := range records {
		at[number(&records[i])] = i
	}
	sorted := make([]R, 0, len(records))
	for _, id := range ids {
		if i, there := at[id]; there {
			sorted = append(sorted, records[i])
		}
	}
	return sorted
}

func one[R any](records []R, err error) (r R, _ error) {
	if err == nil && len(records) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return r, err
	}
	return records[0], nil
}

// Records: reading.

func (t *tx) fullClients(ids ...int64) ([]FullClient, error) {
	found, err := t.clients("WHERE cl.id IN "+t.s.dialect.ids("$1"), asJSON(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	managers, err := t.names("managers", "login", each(found, func(c *Client) int64 { return c.ManagerID }))
	if err != nil {
		return nil, err
	}
	sources, err := t.names("sources", "external_id", each(found, func(c *Client) int64 { return c.SourceID }))
	out := make([]FullClient, len(found))
	for i, c := range found {
		out[i] = FullClient{c, managers[c.ManagerID], sources[c.SourceID]}
	}
	return inOrder(ids, out, func(r *FullClient) int64 { return r.ID }), err
}

func (t *tx) fullPersons(ids ...int64) ([]FullPerson, error) {
	found, err := t.persons("p.id IN "+t.s.dialect.ids("$1"), "", asJSON(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	clients, err := t.refs("clients", each(found, func(p *Person) int64 { return p.ClientID }))
	if err != nil {
		return nil, err
	}
	changed := map[int64]int64{}
	err = t.rows(`SELECT id, changed FROM persons WHERE id IN `+t.s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
		var id, at int64
		err := scan(&id, &at)
		changed[id] = at
		return err
	})
	out := make([]FullPerson, len(found))
	for i, p := range found {
		out[i] = FullPerson{p, clients[p.ClientID], fromUnix(changed[p.ID])}
	}
	return inOrder(ids, out, func(r *FullPerson) int64 { return r.ID }), err
}

func (t *tx) fullDeals(ids ...int64) ([]FullDeal, error) {
	if err := t.markDeals(); err != nil {
		return nil, err
	}
	in := t.s.dialect.ids("$1")
	found, err := t.deals("WHERE d.id IN "+in, asJSON(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	clients, err := t.refs("clients", each(found, func(d *Deal) int64 { return d.ClientID }))
	if err != nil {
		return nil, err
	}
	managers, err := t.names("managers", "login", each(found, func(d *Deal) int64 { return d.ManagerID }))
	if err != nil {
		return nil, err
	}
	sources, err := t.names("sources", "external_id", each(found, func(d *Deal) int64 { return d.SourceID }))
	if err != nil {
		return nil, err
	}
	out, at := make([]FullDeal, len(found)), map[int64]*FullDeal{}
	for i, d := range found {
		out[i] = FullDeal{Deal: d, Client: clients[d.ClientID], Manager: managers[d.ManagerID], Source: sources[d.SourceID]}
		at[d.ID] = &out[i]
	}
	lines, err := t.lines("deal_id IN "+in, asJSON(ids))
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		at[l.DealID].Lines = append(at[l.DealID].Lines, l)
	}
	err = t.rows(`SELECT `+eventColumns+` FROM deal_events e WHERE e.deal_id IN `+in+` ORDER BY e.id`, []any{asJSON(ids)}, func(scan func(...any) error) error {
		var e DealEvent
		if err := scanEvent(scan, &e); err != nil {
			return err
		}
		d := at[e.DealID]
		d.Events = append(d.Events, e)
		switch {
		case e.ExternalID != "":
		case e.Kind == Shipment:
			d.ShipDue = e.Due
		default:
			d.PayDue = e.Due
		}
		return nil
	})
	return inOrder(ids, out, func(r *FullDeal) int64 { return r.ID }), err
}

func (t *tx) fullDocuments(ids ...int64) ([]FullDocument, error) {
	in := t.s.dialect.ids("$1")
	found, err := t.documents("id IN "+in, asJSON(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	clients, err := t.refs("clients", each(found, func(d *Document) int64 { return d.ClientID }))
	if err != nil {
		return nil, err
	}
	deals, err := t.refs("deals", each(found, func(d *Document) int64 { return d.DealID }))
	if err != nil {
		return nil, err
	}
	out, at := make([]FullDocument, len(found)), map[int64]*FullDocument{}
	for i, d := range found {
		out[i] = FullDocument{Document: d, Client: clients[d.ClientID], Deal: deals[d.DealID]}
		at[d.ID] = &out[i]
	}
	lines, err := t.lines("document_id IN "+in, asJSON(ids))
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		at[l.DocumentID].Lines = append(at[l.DocumentID].Lines, l)
	}
	err = t.rows(`SELECT id, changed, version FROM documents WHERE id IN `+in, []any{asJSON(ids)}, func(scan func(...any) error) error {
		var id, changed, version int64
		err := scan(&id, &changed, &version)
		at[id].Changed, at[id].Version = fromUnix(changed), version
		return err
	})
	return inOrder(ids, out, func(r *FullDocument) int64 { return r.ID }), err
}

func (t *tx) fullContacts(ids ...int64) ([]FullContact, error) {
	found, err := t.contacts("WHERE c.id IN "+t.s.dialect.ids("$1"), asJSON(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	clients, err := t.refs("clients", each(found, func(c *Contact) int64 { return c.ClientID }))
	if err != nil {
		return nil, err
	}
	deals, err := t.refs("deals", each(found, func(c *Contact) int64 { return c.DealID }))
	if err != nil {
		return nil, err
	}
	var people, persons []int64
	for _, c := range found {
		people = append(append(people, c.ManagerID), c.Managers...)
		for _, p := range c.Persons {
			persons = append(persons, p.ID)
		}
	}
	logins, err := t.names("managers", "login", people)
	if err != nil {
		return nil, err
	}
	keys, err := t.names("persons", "external_id", persons)
	out := make([]FullContact, len(found))
	for i, c := range found {
		c.hideFrom(0)
		r := FullContact{Contact: c, Client: clients[c.ClientID], Deal: deals[c.DealID], Manager: logins[c.ManagerID]}
		for _, m := range c.Managers {
			r.Logins = append(r.Logins, logins[m])
		}
		for _, p := range c.Persons {
			r.Persons = append(r.Persons, PersonOf{Ref{p.ID, keys[p.ID]}, p.Name, p.Email})
		}
		out[i] = r
	}
	return inOrder(ids, out, func(r *FullContact) int64 { return r.ID }), err
}

// FullClients is a page of clients, and where the next begins; a zero Place:
// there is none.
func (s *Store) FullClients(ctx context.Context, q RecordQuery) (out []FullClient, next Place, err error) {
	c := &conditions{}
	c.text("r.manager_id = (SELECT id FROM managers WHERE login = ?)", strings.ToLower(q.Manager))
	c.text("r.importance = ?", q.Importance)
	c.text("r.stage = ?", q.Stage)
	c.text("r.id IN (SELECT client_id FROM client_points WHERE kind = 'email' AND value = ?)", q.Email)
	c.text("r.id IN (SELECT client_id FROM client_points WHERE kind = 'domain' AND value = ?)", q.Domain)
	next, err = pageOf(s, ctx, "clients", q, c, &out, (*tx).fullClients)
	return out, next, err
}

// FullPersons is a page of persons.
func (s *Store) FullPersons(ctx context.Context, q RecordQuery) (out []FullPerson, next Place, err error) {
	c := &conditions{parts: []string{"r.merged_into IS NULL"}}
	c.text("r.id IN (SELECT person_id FROM person_points WHERE kind = 'email' AND value = ?)", q.Email)
	next, err = pageOf(s, ctx, "persons", q, c, &out, (*tx).fullPersons)
	return out, next, err
}

// FullDeals is a page of deals. Manager is the deal's own, or the client's
// of a deal that has none.
func (s *Store) FullDeals(ctx context.Context, q RecordQuery) (out []FullDeal, next Place, err error) {
	c := &conditions{}
	c.text("COALESCE(r.manager_id, (SELECT manager_id FROM clients WHERE id = r.client_id)) = (SELECT id FROM managers WHERE login = ?)", strings.ToLower(q.Manager))
	c.text("r.number = ?", q.Number)
	c.text("r.status = ?", q.Status)
	c.text("r.date >= ?", string(q.From))
	c.text("r.date <= ?", string(q.To))
	next, err = pageOf(s, ctx, "deals", q, c, &out, (*tx).fullDeals)
	return out, next, err
}

// FullDocuments is a page of documents.
func (s *Store) FullDocuments(ctx context.Context, q RecordQuery) (out []FullDocument, next Place, err error) {
	c := &conditions{}
	c.text("r.kind = ?", q.Kind)
	c.text("r.number = ?", q.Number)
	c.text("r.date >= ?", string(q.From))
	c.text("r.date <= ?", string(q.To))
	next, err = pageOf(s, ctx, "documents", q, c, &out, (*tx).fullDocuments)
	return out, next, err
}

// FullContacts is a page of contacts, cancelled ones too. Manager is who took
// part.
func (s *Store) FullContacts(ctx context.Context, q RecordQuery) (out []FullContact, next Place, err error) {
	c := &conditions{}
	c.text("r.id IN (SELECT cm.contact_id FROM contact_managers cm JOIN managers m ON m.id = cm.manager_id WHERE m.login = ?)", strings.ToLower(q.Manager))
	c.text("r.kind = ?", q.Kind)
	c.text("r.state = ?", q.State)
	c.text("r.direction = ?", q.Direction)
	c.text("r.importance = ?", q.Importance)
	if !q.Start.IsZero() {
		c.add("r.start_at >= ?", q.Start.Unix())
	}
	if !q.End.IsZero() {
		c.add("r.start_at > 0 AND r.start_at < ?", q.End.Unix())
	}
	next, err = pageOf(s, ctx, "contacts", q, c, &out, (*tx).fullContacts)
	return out, next, err
}

func pageOf[R any](s *Store, ctx context.Context, table string, q RecordQuery, c *conditions, out *[]R, records func(*tx, ...int64) ([]R, error)) (next Place, err error) {
	err = s.read(ctx, func(t *tx) error {
		for _, of := range []struct {
			table, column string
			ref           Ref
		}{{"clients", "client_id", q.Client}, {"deals", "deal_id", q.Deal}} {
			if of.ref.IsZero() {
				continue
			}
			id, err := t.find(of.table, of.ref)
			if errors.Is(err, ErrNotFound) {
				return nil // nothing is of what there is not
			} else if err != nil {
				return err
			}
			c.add("r."+of.column+" = ?", id)
		}
		var ids []int64
		if ids, next, err = t.page(table, q, c); err != nil || len(ids) == 0 {
			return err
		}
		*out, err = records(t, ids...)
		return err
	})
	return next, err
}
