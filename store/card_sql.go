package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// bookClients is the condition on clients cl, from whose persons a book of the
// manager is made.
func bookClients(viewer Manager, book string) (where string, args []any) {
	if book == AllBook && viewer.Role == RoleHead {
		return "TRUE", nil
	}
	return "cl.manager_id = $1", []any{viewer.ID}
}

// Cards of a manager's address book: persons in their order, then own cards.
func (s *Store) Cards(ctx context.Context, viewer Manager, book string, each func(*Card) error) error {
	return s.stream(ctx, func(t *tx) error {
		if err := t.personCards(viewer, book, nil, each); err != nil || book != OwnBook {
			return err
		}
		return t.ownCards(viewer, each)
	})
}

// personCards are the cards of a book that are of persons, of all its clients
// or, unless nil, of some.
func (t *tx) personCards(viewer Manager, book string, some []int64, each func(*Card) error) error {
	where, args := bookClients(viewer, book)
	if some != nil {
		where += fmt.Sprintf(" AND cl.id IN %s", t.s.dialect.ids(fmt.Sprintf("$%d", len(args)+1)))
		args = append(args, asJSON(some))
	}
	clients, err := t.cardClients(viewer, where, args...)
	if err != nil {
		return err
	}
	put := map[int64]string{} // person → file
	err = t.rows(`SELECT person_id, name FROM cards WHERE manager_id = $1 AND person_id IS NOT NULL`, []any{viewer.ID}, func(scan func(...any) error) error {
		var id int64
		var file string
		err := scan(&id, &file)
		put[id] = file
		return err
	})
	if err != nil {
		return err
	}
	found, err := t.persons(`p.client_id IN (SELECT cl.id FROM clients cl WHERE `+where+`)`, "", args...)
	if err != nil {
		return err
	}
	// Bytes are read one by one: photos of a whole book are too much at once.
	for i := range found {
		card := clients[found[i].ClientID].with(found[i])
		if file := put[card.ID]; file != "" {
			if err := t.overlay(viewer.ID, file, &card); err != nil {
				return err
			}
		}
		if err := each(&card); err != nil {
			return err
		}
	}
	return nil
}

// ownCards are the manager's own cards, in their order.
func (t *tx) ownCards(viewer Manager, each func(*Card) error) error {
	var own []string
	err := t.rows(`SELECT name FROM cards WHERE manager_id = $1 AND person_id IS NULL ORDER BY id`, []any{viewer.ID}, func(scan func(...any) error) error {
		var file string
		err := scan(&file)
		own = append(own, file)
		return err
	})
	if err != nil {
		return err
	}
	for _, file := range own {
		var card Card
		if err := t.overlay(viewer.ID, file, &card); err != nil {
			return err
		}
		if err := each(&card); err != nil {
			return err
		}
	}
	return nil
}

// cardClients are cards without a person: what they say of each client.
func (t *tx) cardClients(viewer Manager, where string, args ...any) (map[int64]*Card, error) {
	clients := map[int64]*Card{}
	loc := viewer.Location()
	day := func(at *int64) Date {
		if at == nil {
			return ""
		}
		return DateOf(time.Unix(*at, 0), loc)
	}
	err := t.rows(`SELECT cl.id, cl.name, cl.importance, cl.abc, cl.xyz, cl.stage, COALESCE(cl.manager_id, 0),
		(SELECT c.start_at FROM contacts c WHERE c.client_id = cl.id AND c.state = 'done' AND NOT c.private ORDER BY c.start_at DESC LIMIT 1),
		(SELECT MIN(c.start_at) FROM contacts c WHERE c.client_id = cl.id AND c.state IN ('planned', 'postponed') AND c.start_at > 0 AND c.recurrence = '')
		FROM clients cl WHERE `+where, args, func(scan func(...any) error) error {
		c := &Card{}
		var last, next *int64
		cl := &c.Client
		if err := scan(&cl.ID, &cl.Name, &cl.Importance, &cl.ABC, &cl.XYZ, &cl.Stage, &cl.ManagerID, &last, &next); err != nil {
			return err
		}
		c.Last, c.Next = day(last), day(next)
		clients[cl.ID] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return clients, t.rows(`SELECT s.client_id, s.currency, CAST(SUM(s.amount) AS BIGINT) FROM settlements s JOIN clients cl ON cl.id = s.client_id
		WHERE `+where+` GROUP BY s.client_id, s.currency ORDER BY s.client_id, s.currency`, args, func(scan func(...any) error) error {
		var id int64
		var m Money
		if err := scan(&id, &m.Currency, &m.Minor); err != nil {
			return err
		}
		clients[id].Balance = append(clients[id].Balance, m)
		return nil
	})
}

// with is the card of a person at the client of c.
func (c *Card) with(p Person) Card {
	card := *c
	card.Person, card.File, card.UID = p, personFile(p.ID), personUID(p.ID)
	return card
}

// overlay fills in what a program of the manager put at that address.
func (t *tx) overlay(managerID int64, file string, card *Card) error {
	card.File = file
	return t.row(`SELECT uid, bytes FROM cards WHERE manager_id = $1 AND name = $2`, []any{managerID, file}, &card.UID, &card.Overlay)
}

// cardPerson is the person whose card stands at that address, 0 for an own
// card; put is whether a program has put it. ErrNotFound: nothing is there.
func (t *tx) cardPerson(managerID int64, file string) (id int64, put bool, err error) {
	err = t.row(`SELECT COALESCE(person_id, 0) FROM cards WHERE manager_id = $1 AND name = $2`, []any{managerID, file}, &id)
	if err == nil || ignoreNotFound(err) != nil {
		return id, err == nil, err
	}
	id, ok := personOf(file)
	if !ok {
		return 0, false, ErrNotFound
	}
	var elsewhere string // a program made this person, and named the card
	err = t.row(`SELECT name FROM cards WHERE manager_id = $1 AND person_id = $2`, []any{managerID, id}, &elsewhere)
	if err == nil {
		return 0, false, ErrNotFound
	}
	return id, false, ignoreNotFound(err)
}

// card of a manager's address book, or ErrNotFound.
func (t *tx) card(viewer Manager, book, file string) (card Card, err error) {
	id, put, err := t.cardPerson(viewer.ID, file)
	if err != nil {
		return card, err
	}
	if id == 0 {
		if book != OwnBook {
			return card, ErrNotFound
		}
		return card, t.overlay(viewer.ID, file, &card)
	}
	found, err := t.persons("p.id = $1", "", id)
	if err != nil {
		return card, err
	}
	if len(found) == 0 {
		return card, ErrNotFound
	}
	where, args := bookClients(viewer, book)
	clients, err := t.cardClients(viewer, fmt.Sprintf("%s AND cl.id = $%d", where, len(args)+1), append(args, found[0].ClientID)...)
	if err != nil {
		return card, err
	}
	of, ok := clients[found[0].ClientID]
	if !ok {
		return card, ErrNotFound
	}
	card = of.with(found[0])
	if put {
		err = t.overlay(viewer.ID, file, &card)
	}
	return card, err
}

// Card of a manager's address book, or ErrNotFound.
func (s *Store) Card(ctx context.Context, viewer Manager, book, file string) (card Card, err error) {
	err = s.read(ctx, func(t *tx) error {
		card, err = t.card(viewer, book, file)
		return err
	})
	return card, err
}

// PutCard takes what a program put at an address of the manager's book, and
// keeps its bytes. A person becomes what the card says. Where nothing stands
// yet, the card is a new person of the client that it names, and one of the
// manager's own where it names none. check is asked within the transaction,
// with nil where nothing stands, whether that may be written over; etag is for
// the book's log, as in Book.
//
// ErrFull: a new card where the manager has 10,000. ErrForbidden: a new one
// under an address that is another book's or a person's, or one of the
// manager's own in AllBook. *UIDConflict: the UID stands elsewhere, or another
// one here (RFC 6352 section 6.3.2.1).
func (s *Store) PutCard(ctx context.Context, viewer Manager, book, file string, check func(*Card) error, etag func(*Card) string, w *CardWrite) (card Card, created bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		old, err := t.checkedCard(viewer, book, file, check)
		if err != nil {
			return err
		}
		created = old == nil
		if created {
			// Of nobody, or of a card that this book does not have.
			_, reserved := personOf(file)
			if _, _, err := t.cardPerson(viewer.ID, file); reserved || err == nil {
				return ErrForbidden
			} else if ignoreNotFound(err) != nil {
				return err
			}
			var kept int
			if err := t.row(`SELECT COUNT(*) FROM cards WHERE manager_id = $1`, []any{viewer.ID}, &kept); err != nil {
				return err
			}
			if kept >= maxCards {
				return ErrFull
			}
		}
		if !created && old.UID != w.UID {
			return &UIDConflict{file}
		}
		if err := t.freeUID(viewer, book, file, w.UID); err != nil {
			return err
		}
		var p Person
		if created {
			old = &Card{}
			if p.ClientID, err = t.cardClient(viewer, book, w); err != nil {
				return err
			}
			if p.ClientID == 0 && book != OwnBook {
				return ErrForbidden
			}
		} else {
			p = old.Person
		}
		if p.ClientID != 0 {
			if p, err = w.person(&p); err != nil {
				return err
			}
			if _, err := t.writePerson(Actor{ManagerID: viewer.ID, Origin: FromCalendar}, &old.Person, &p); err != nil {
				return err
			}
		}
		if !bytes.Equal(old.Overlay, w.Bytes) {
			if _, err := t.exec(`INSERT INTO cards (manager_id, person_id, name, uid, bytes) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (manager_id, name) DO UPDATE SET bytes = $5`, viewer.ID, ref(p.ID), file, w.UID, w.Bytes); err != nil {
				return err
			}
			t.touchCards(p.ClientID)
		}
		if card, err = t.card(viewer, book, file); err != nil || card.ID != 0 {
			return err
		}
		return t.logOwnCard(viewer.ID, file, etag(&card))
	})
	return card, created, err
}

// DeleteCard removes an own card; ErrForbidden for that of a person.
func (s *Store) DeleteCard(ctx context.Context, viewer Manager, book, file string, check func(*Card) error) error {
	return s.write(ctx, func(t *tx) error {
		old, err := t.checkedCard(viewer, book, file, check)
		if err != nil {
			return err
		}
		if old == nil {
			return ErrNotFound
		}
		if old.ID != 0 {
			return ErrForbidden
		}
		if _, err = t.exec(`DELETE FROM cards WHERE manager_id = $1 AND name = $2`, viewer.ID, file); err != nil {
			return err
		}
		return t.logOwnCard(viewer.ID, file, "")
	})
}

// cardClient is the client of the manager's book that a new card names by its
// organisation or addresses, 0 for none, for several, and where the client has
// such a person already: then it stays with the manager.
func (t *tx) cardClient(viewer Manager, book string, w *CardWrite) (int64, error) {
	if w.Group {
		return 0, nil
	}
	points := slices.Clone(w.Emails)
	free := FreeMail()
	for _, email := range w.Emails {
		if _, domain, _ := strings.Cut(email, "@"); !free[domain] {
			points = append(points, domain)
		}
	}
	core := ""
	if w.Company != "" {
		core = clip(coreName(w.Company), 500)
	}
	where, args := bookClients(viewer, book)
	n := len(args)
	list := t.s.dialect.texts(fmt.Sprintf("$%d", n+1))
	args = append(args, asJSON(append([]string{}, points...)), core, PersonText(w.Name))
	rest := fmt.Sprintf(`(cl.core <> '' AND cl.core = $%d OR cl.id IN (SELECT cp.client_id FROM client_points cp WHERE cp.kind IN ('email', 'domain') AND cp.value IN %s)
		OR cl.id IN (SELECT p.client_id FROM persons p JOIN person_points pp ON pp.person_id = p.id WHERE pp.kind = 'email' AND pp.value IN %s))`, n+2, list, list)
	known := fmt.Sprintf(`EXISTS (SELECT 1 FROM persons p LEFT JOIN person_points pp ON pp.person_id = p.id AND pp.kind = 'email'
		WHERE p.client_id = cl.id AND (p.name = $%d OR pp.value IN %s))`, n+3, list)
	var found []int64
	err := t.rows(`SELECT cl.id, `+known+` FROM clients cl WHERE `+where+` AND `+rest+` LIMIT 2`, args, func(scan func(...any) error) error {
		var id int64
		var has bool
		if err := scan(&id, &has); err != nil {
			return err
		}
		if has {
			id = 0
		}
		found = append(found, id)
		return nil
	})
	if err != nil || len(found) != 1 {
		return 0, err
	}
	return found[0], nil
}

// checkedCard is the card of that address, nil for none, when check lets it
// be written over.
func (t *tx) checkedCard(viewer Manager, book, file string, check func(*Card) error) (*Card, error) {
	if err := t.lock("managers", viewer.ID); err != nil { // one program at a time
		return nil, err
	}
	id, _, err := t.cardPerson(viewer.ID, file)
	if err == nil && id != 0 {
		err = t.lock("persons", id)
	}
	if ignoreNotFound(err) != nil {
		return nil, err
	}
	old, err := t.card(viewer, book, file)
	switch {
	case err == nil:
		return &old, check(&old)
	case ignoreNotFound(err) != nil:
		return nil, err
	}
	return nil, check(nil)
}

// freeUID is a *UIDConflict where a UID stands under another address of the
// book, or among what the manager's programs put in any book.
func (t *tx) freeUID(viewer Manager, book, file, uid string) error {
	var held string
	err := t.row(`SELECT name FROM cards WHERE manager_id = $1 AND uid = $2 AND name <> $3`, []any{viewer.ID, uid, file}, &held)
	if err == nil {
		return &UIDConflict{held}
	}
	if ignoreNotFound(err) != nil {
		return err
	}
	if of := strings.TrimSuffix(uid, "@intouch") + ".vcf"; of != file {
		if id, ok := personOf(of); ok && uid == personUID(id) {
			if _, err := t.card(viewer, book, of); err == nil {
				return &UIDConflict{of}
			} else {
				return ignoreNotFound(err)
			}
		}
	}
	return nil
}
