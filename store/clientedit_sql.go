package store

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// EditClient makes a client what a person typed. ErrStale: it is no longer of
// that version, or was merged with another; ErrForbidden: the manager may not change it, or gives it to
// another without being a head; *Invalid: which field is wrong.
func (s *Store) EditClient(ctx context.Context, actor Actor, id, version int64, e ClientEdit) error {
	return s.write(ctx, func(t *tx) error {
		old, err := t.changeable(actor, id)
		if err != nil {
			return err
		}
		if old.ID != id || old.Version != version {
			return ErrStale
		}
		c, err := e.of(&old)
		if err != nil {
			return err
		}
		if c.ManagerID != old.ManagerID {
			if err := t.mayGive(actor); err != nil {
				return err
			}
			if c.ManagerID != 0 {
				if _, err := t.manager("m.id = $1", c.ManagerID); err != nil {
					return faultOf("manager", err)
				}
			}
		}
		if c.SourceID != 0 && c.SourceID != old.SourceID {
			if _, err := t.source("id = $1", c.SourceID); err != nil {
				return faultOf("source", err)
			}
		}
		_, err = t.writeClient(actor, &old, &c)
		return err
	})
}

// faultOf makes what is not there a fault of that field.
func faultOf(field string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return invalid(field, "there is none with that number")
	}
	return err
}

// changeable is the client with that number, locked, for a manager who may
// change it, or the one that it was merged with. It waits for imports, which write whole clients and persons.
func (t *tx) changeable(actor Actor, id int64) (Client, error) {
	if err := t.alone(importWork); err != nil {
		return Client{}, err
	}
	err := t.lock("clients", id)
	if errors.Is(err, ErrNotFound) {
		into, err := t.survivor(id)
		if err != nil || into == id {
			return Client{}, cmp.Or(err, ErrNotFound)
		}
		return t.changeable(actor, into)
	}
	if err != nil {
		return Client{}, err
	}
	c, err := t.client(id)
	if err != nil {
		return c, err
	}
	return c, t.mayChange(actor, c)
}

// mayGive lets through who may make another manager responsible.
func (t *tx) mayGive(actor Actor) error {
	m, err := t.manager("m.id = $1", actor.ManagerID)
	if err == nil && m.Role != RoleHead {
		err = ErrForbidden
	}
	return err
}

// PersonAt is a person and the client, for a manager who may know of it.
func (s *Store) PersonAt(ctx context.Context, viewer Manager, id int64) (p Person, c Client, err error) {
	err = s.read(ctx, func(t *tx) error {
		if p, err = one(t.persons("p.id = $1", "", id)); err != nil {
			return err
		}
		if c, err = t.client(p.ClientID); err != nil {
			return err
		}
		return t.seesClient(viewer, c)
	})
	return p, c, err
}

// EditPerson makes a person what somebody typed; errors as of EditClient. An
// id of 0 makes a new one of that client, of whom there is no version.
func (s *Store) EditPerson(ctx context.Context, actor Actor, clientID, id, version int64, e PersonEdit) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.changeable(actor, clientID)
		if err != nil {
			return err
		}
		old := Person{ClientID: c.ID}
		if id != 0 {
			err := t.lock("persons", id)
			if err != nil {
				return err
			}
			if old, err = one(t.persons("p.id = $1", "", id)); err != nil {
				return err
			}
			if old.ClientID != c.ID {
				return ErrNotFound
			}
			if old.Version != version {
				return ErrStale
			}
		}
		p, err := e.of(&old)
		if err != nil {
			return err
		}
		_, err = t.writePerson(actor, &old, &p)
		return err
	})
}

// SourceUse is a lead source by which a client came to us, again perhaps.
type SourceUse struct {
	Source    string
	ContactID int64
	At        time.Time // begin of the contact, from when it counts
}

// ClientSources are the contacts of a client that name a lead source, oldest
// first: each counts from its day until the next one (rules.md section 6.5).
func (s *Store) ClientSources(ctx context.Context, clientID int64, limit int) (out []SourceUse, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT so.name, c.id, c.start_at FROM contacts c JOIN sources so ON so.id = c.source_id WHERE c.client_id = $1 AND c.source_id IS NOT NULL
			ORDER BY c.start_at, c.id LIMIT $2`, []any{clientID, limit}, func(scan func(...any) error) error {
			var u SourceUse
			err := scan(&u.Source, &u.ContactID, timeInto{&u.At})
			out = append(out, u)
			return err
		})
	})
	return out, err
}

// SetSource notes by which lead source a client came: with a contact of it from
// that contact on, without one as the client's first.
func (s *Store) SetSource(ctx context.Context, actor Actor, clientID, contactID, sourceID int64) error {
	return s.write(ctx, func(t *tx) error {
		client, err := t.changeable(actor, clientID)
		if err != nil {
			return err
		}
		source, err := t.source("id = $1", sourceID)
		if err != nil {
			return faultOf("source", err)
		}
		if contactID == 0 {
			return t.setSource(actor, nil, []int64{client.ID}, source.ID, nil)
		}
		c, err := t.contact(contactID)
		if err == nil && c.ClientID != client.ID {
			err = ErrNotFound
		}
		if err != nil {
			return faultOf("contact", err)
		}
		names := map[int64]string{source.ID: source.Name}
		if c.SourceID != 0 {
			before, err := t.source("id = $1", c.SourceID)
			if err != nil {
				return err
			}
			names[before.ID] = before.Name
		}
		return t.setSource(actor, []int64{contactID}, nil, source.ID, names)
	})
}
