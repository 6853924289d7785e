package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// decides is the condition on book_entries e that a manager decides about it:
// it is of their book, or of a client whom they are responsible for, or they
// are a head, who decides about all. Its parameters are those of whose.
const decides = `($1 OR e.manager_id = $2 OR e.client_id IN (SELECT cl.id FROM clients cl WHERE cl.manager_id = $2))`

// whose are $1 and $2 of a condition: whether the viewer is a head, and who.
func whose(viewer Manager) []any { return []any{viewer.Role == RoleHead, viewer.ID} }

// Offers are the entries that a manager may decide about, by number, beginning
// after one; 500 at most.
func (s *Store) Offers(ctx context.Context, viewer Manager, after int64, limit int) (out []Offer, err error) {
	if limit <= 0 || limit > 500 {
		limit = 500
	}
	err = s.read(ctx, func(t *tx) error {
		found, err := t.bookEntries(`WHERE e.state = 'offered' AND `+decides+` AND e.id > $3 ORDER BY e.id LIMIT $4`, append(whose(viewer), after, limit)...)
		if err != nil {
			return err
		}
		for _, e := range found {
			o, err := t.offer(e)
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return nil
	})
	return out, err
}

func (t *tx) offer(e bookEntry) (o Offer, err error) {
	o = Offer{ID: e.id, Book: e.book, Why: e.why, Said: e.said, Person: e.said.person()}
	if e.clientID != 0 {
		if o.Client, err = t.client(e.clientID); err != nil {
			return o, err
		}
	}
	if e.doubleID != 0 {
		found, err := t.persons("p.id = $1", "", e.doubleID)
		if err != nil {
			return o, err
		}
		if len(found) > 0 { // else merged meanwhile
			o.Double = found[0]
		}
	}
	if e.book == MailBook {
		o.Counted, err = t.counted(e.key)
	}
	return o, err
}

// offered is the entry of an offer that the viewer may decide about, locked.
func (t *tx) offered(viewer Manager, id int64) (bookEntry, error) {
	if err := t.alone(importWork); err != nil { // which decides about the same entries
		return bookEntry{}, err
	}
	if err := t.lock("book_entries", id); err != nil {
		return bookEntry{}, err
	}
	return t.bookEntry("e.state = 'offered' AND "+decides+" AND e.id = $3", append(whose(viewer), id)...)
}

// AcceptOffer takes what was offered. ErrNotFound: it is not there, not for
// the viewer, or decided already; or the person or client is not. *Invalid:
// no client is known, or the new one's name cannot be one.
func (s *Store) AcceptOffer(ctx context.Context, viewer Manager, actor Actor, id int64, as Acceptance) (p Person, err error) {
	err = s.write(ctx, func(t *tx) error {
		p, err = t.acceptOffer(viewer, actor, id, as)
		return err
	})
	return p, err
}

func (t *tx) acceptOffer(viewer Manager, actor Actor, id int64, as Acceptance) (p Person, err error) {
	e, err := t.offered(viewer, id)
	if err != nil {
		return p, err
	}
	n := newEntry{opt: BookOptions{Book: e.book, ManagerID: e.managing}, key: e.key, said: e.said, by: actor.ManagerID}
	if as.Into != 0 {
		if err := t.lock("persons", as.Into); err != nil {
			return p, err
		}
		if p, err = t.seenPerson(viewer, as.Into); err != nil {
			return p, err
		}
		_, err = t.mergeEntry(actor, &n, p)
		return p, err
	}
	p = e.said.person()
	im := &Import{t: t, actor: actor}
	if as.ClientKey != "" {
		if as.ClientID, err = t.named("clients", "client", as.ClientKey); err != nil {
			return p, err
		}
	}
	switch {
	case as.ClientID != 0:
		c, err := t.client(as.ClientID)
		if err == nil {
			err = t.seesClient(viewer, c)
		}
		if err != nil {
			return p, err
		}
		p.ClientID = c.ID
	case as.NewClient != "":
		if coreName(as.NewClient) == "" {
			return p, invalid("client", "%q is no name", clip(as.NewClient, 80))
		}
		said := e.said
		said.Company = as.NewClient
		n.opt.ManagerID = cmp.Or(actor.ManagerID, e.managing)
		if p.ClientID, err = im.makeClient(n.opt, &said, &p); err != nil {
			return p, err
		}
		n.opt.ManagerID = e.managing
	case e.clientID != 0:
		p.ClientID = e.clientID
	default:
		return p, invalid("client", "is not known: name one")
	}
	if _, err := t.writePerson(actor, &Person{}, &p); err != nil {
		return p, err
	}
	n.gave, n.personID = given{p.Name, p.Position, p.Birthday, p.Emails, p.Phones}, p.ID
	if _, err := t.saveEntry(&n); err != nil || e.doubleID == 0 {
		return p, err
	}
	return p, t.apart(e.doubleID, p.ID)
}

// RefuseOffer notes that an entry is nobody at a client; the same entry is not
// offered again. ErrNotFound as AcceptOffer.
func (s *Store) RefuseOffer(ctx context.Context, viewer Manager, id int64) error {
	return s.write(ctx, func(t *tx) error { return t.refuseOffer(viewer, id) })
}

func (t *tx) refuseOffer(viewer Manager, id int64) error {
	if _, err := t.offered(viewer, id); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE book_entries SET state = 'refused', changed = $1 WHERE id = $2`, t.now.Unix(), id)
	return err
}

// PlaceOffers looks again whose persons the entries are that were offered
// because that could not be told: their clients may have been entered since.
// taken is how many were taken.
func (s *Store) PlaceOffers(ctx context.Context, viewer Manager, actor Actor) (taken int, err error) {
	const page = 200
	for after := int64(0); ; {
		n, took := 0, 0
		err := s.Import(ctx, actor, false, func(im *Import) error {
			found, err := im.t.bookEntries(`WHERE e.state = 'offered' AND e.why IN ('unknown-client', 'several-clients') AND `+decides+` AND e.id > $3 ORDER BY e.id LIMIT $4`,
				append(whose(viewer), after, page)...)
			for _, e := range found {
				n, after = n+1, e.id
				c, err := im.BookPerson(BookOptions{Book: e.book, ManagerID: e.managing}, e.said)
				if err != nil {
					return err
				}
				if c == RowNew || c == RowChanged {
					took++
				}
			}
			return err
		})
		if err != nil {
			return taken, err
		}
		if taken += took; n < page {
			return taken, nil
		}
	}
}

// Doubles are pairs of persons of one client who may be one, of the clients
// that the viewer is responsible for, a head of all; limit ends the search. Of
// clients with more than 300 persons only those who share an address.
func (s *Store) Doubles(ctx context.Context, viewer Manager, limit int) (out []Double, err error) {
	err = s.read(ctx, func(t *tx) error {
		apart := map[[2]int64]bool{}
		err := t.rows(`SELECT one, other FROM persons_apart`, nil, func(scan func(...any) error) error {
			var pair [2]int64
			err := scan(&pair[0], &pair[1])
			apart[pair] = true
			return err
		})
		if err != nil {
			return err
		}
		var crowded []int64
		for after := int64(0); len(out) < limit; {
			page, last, more, err := t.doublePage(viewer, after)
			if err != nil {
				return err
			}
			crowded = append(crowded, more...)
			if last == 0 {
				break
			}
			after = last
			for from := 0; from < len(page); {
				to := from + 1
				for to < len(page) && page[to].ClientID == page[from].ClientID {
					to++
				}
				if out, err = t.pairs(out, page[from:to], apart, limit); err != nil {
					return err
				}
				from = to
			}
		}
		for _, id := range crowded {
			shared, err := t.persons(`p.client_id = $1 AND p.id IN (SELECT a.person_id FROM person_points a JOIN person_points b ON b.kind = a.kind AND b.value = a.value AND b.person_id <> a.person_id
				JOIN persons o ON o.id = b.person_id WHERE a.kind = 'email' AND o.client_id = $1)`, "LIMIT $2", id, maxNear)
			if err != nil {
				return err
			}
			if out, err = t.pairs(out, shared, apart, limit); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// doublePage gives the persons of the next clients that have several, sorted
// by client, the last client of them, 0 at the end, and clients of too many.
func (t *tx) doublePage(viewer Manager, after int64) (page []Person, last int64, crowded []int64, err error) {
	var ids []int64
	err = t.rows(`SELECT p.client_id, COUNT(*) FROM persons p JOIN clients cl ON cl.id = p.client_id WHERE p.merged_into IS NULL AND ($1 OR cl.manager_id = $2) AND p.client_id > $3
		GROUP BY p.client_id HAVING COUNT(*) > 1 ORDER BY p.client_id LIMIT 100`, append(whose(viewer), after), func(scan func(...any) error) error {
		var n int
		if err := scan(&last, &n); err != nil {
			return err
		}
		if n > maxNear {
			crowded = append(crowded, last)
		} else {
			ids = append(ids, last)
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, last, crowded, err
	}
	page, err = t.persons(`p.client_id IN `+t.s.dialect.ids("$1"), "", asJSON(ids))
	slices.SortStableFunc(page, func(a, b Person) int { return cmp.Compare(a.ClientID, b.ClientID) })
	return page, last, crowded, err
}

// pairs adds those of the persons of one client who may be one.
func (t *tx) pairs(out []Double, of []Person, apart map[[2]int64]bool, limit int) ([]Double, error) {
	for i := range of {
		for j := i + 1; j < len(of) && len(out) < limit; j++ {
			like := alikePersons(&of[i], &of[j])
			if like == different || apart[[2]int64{of[i].ID, of[j].ID}] {
				continue
			}
			c, err := t.client(of[i].ClientID)
			if err != nil {
				return out, err
			}
			out = append(out, Double{One: of[i], Other: of[j], Client: c, Certain: like == certain})
		}
	}
	return out, nil
}

// MergedPersons are what was merged into persons whose clients the viewer is
// responsible for, a head all; the newest first.
func (s *Store) MergedPersons(ctx context.Context, viewer Manager, limit int) (out []Merged, err error) {
	err = s.read(ctx, func(t *tx) error {
		found, err := t.bookEntries(`JOIN persons p ON p.id = e.person_id JOIN clients cl ON cl.id = p.client_id WHERE e.merged > 0 AND ($1 OR cl.manager_id = $2)
			ORDER BY e.merged DESC, e.id DESC LIMIT $3`, append(whose(viewer), limit)...)
		if err != nil {
			return err
		}
		for _, e := range found {
			m := Merged{ID: e.id, Book: e.book, Said: e.said, At: fromUnix(e.merged)}
			into, err := t.persons("p.id = $1", "", e.personID)
			if err != nil {
				return err
			}
			if len(into) == 0 {
				return errors.New("an entry belongs to a person that was merged")
			}
			m.Into = into[0]
			if m.Client, err = t.client(m.Into.ClientID); err != nil {
				return err
			}
			if e.by != 0 {
				by, err := t.manager("m.id = $1", e.by)
				if err != nil {
					return err
				}
				m.By = by.Name
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}
