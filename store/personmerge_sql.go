package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
)

// Two persons who are one. The one that goes becomes an entry of the book
// mergedBook of the one that stays, as entries of address books are: what it
// gave is known, so merging is undone like theirs, and an import that knows
// the gone one by its key goes on as an entry's. Its row stays for that key.

const mergedBook = "persons"

// keptPerson is what else undoing the merging of a person brings back.
type keptPerson struct {
	Points   []keptPoint   `json:"points,omitempty"`
	Contacts []keptContact `json:"contacts,omitempty"` // that were its own
	Cards    []keptCard    `json:"cards,omitempty"`
	Entries  []int64       `json:"entries,omitempty"`
}

type keptPoint struct {
	Kind, Value    string
	Bounced, Heard int64
}

type keptContact struct {
	ID      int64
	Address string
}

type keptCard struct {
	Manager   int64
	Name, UID string
	Bytes     []byte
}

func (p *Person) copied() Person {
	c := *p
	c.Emails, c.Phones = slices.Clone(p.Emails), slices.Clone(p.Phones)
	return c
}

// MergePersons makes two persons of one client one: gone's addresses, phones
// and contacts become keep's, and what keep lacks. ErrNotFound: one of them is
// not there, or not for the viewer. *Invalid: they are at different clients.
func (s *Store) MergePersons(ctx context.Context, viewer Manager, actor Actor, keep, gone int64) error {
	return s.write(ctx, func(t *tx) error {
		if keep == gone {
			return invalid("person", "cannot be merged with itself")
		}
		if err := t.alone(importWork); err != nil { // which makes and merges persons, too
			return err
		}
		for _, id := range []int64{min(keep, gone), max(keep, gone)} {
			if err := t.lock("persons", id); err != nil {
				return err
			}
		}
		stays, err := t.seenPerson(viewer, keep)
		if err != nil {
			return err
		}
		goes, err := t.seenPerson(viewer, gone)
		if err != nil {
			return err
		}
		if stays.ClientID != goes.ClientID {
			return invalid("person", "%q and %q are at different clients", clip(stays.Name, 80), clip(goes.Name, 80))
		}
		return t.mergePersons(actor, stays, goes)
	})
}

// seenPerson is a person whose client the viewer may see.
func (t *tx) seenPerson(viewer Manager, id int64) (Person, error) {
	found, err := t.persons("p.id = $1", "", id)
	if err != nil {
		return Person{}, err
	}
	if len(found) == 0 {
		return Person{}, ErrNotFound
	}
	c, err := t.client(found[0].ClientID)
	if err == nil {
		err = t.seesClient(viewer, c)
	}
	return found[0], err
}

func (t *tx) mergePersons(actor Actor, keep, gone Person) error {
	said := BookPerson{Name: gone.Name, Position: gone.Position, Birthday: gone.Birthday, Emails: gone.Emails}
	for _, phone := range gone.Phones {
		said.Phones = append(said.Phones, BookPhone{Number: phone})
	}
	kept, err := t.takeApart(keep.ID, gone.ID)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE persons SET merged_into = $1, version = version + 1 WHERE id = $2`, keep.ID, gone.ID); err != nil {
		return err
	}
	e := newEntry{opt: BookOptions{Book: mergedBook}, key: strconv.FormatInt(gone.ID, 10), said: said}
	if _, err := t.mergeEntry(actor, &e, keep); err != nil {
		return err
	}
	for _, p := range kept.Points { // what is known of an address goes with it
		if _, err := t.exec(`UPDATE person_points SET bounced = $1, heard = $2 WHERE person_id = $3 AND kind = $4 AND value = $5 AND bounced = 0 AND heard = 0`,
			p.Bounced, p.Heard, keep.ID, p.Kind, p.Value); err != nil {
			return err
		}
	}
	if _, err := t.exec(`UPDATE book_entries SET kept = $1 WHERE book = $2 AND key = $3`, asJSON(kept), mergedBook, e.key); err != nil {
		return err
	}
	c := changes{}
	c.note("into", gone.Name, keep.Name)
	if err := t.remember(actor, "person", gone.ID, "merged", c); err != nil {
		return err
	}
	return t.touchPersons(keep)
}

// takeApart moves what refers to gone to keep, and gives what undoing needs.
func (t *tx) takeApart(keep, gone int64) (k keptPerson, err error) {
	err = t.rows(`DELETE FROM person_points WHERE person_id = $1 RETURNING kind, value, bounced, heard`, []any{gone}, func(scan func(...any) error) error {
		var p keptPoint
		err := scan(&p.Kind, &p.Value, &p.Bounced, &p.Heard)
		k.Points = append(k.Points, p)
		return err
	})
	if err != nil {
		return k, err
	}
	err = t.rows(`SELECT contact_id, address FROM contact_persons WHERE person_id = $1 ORDER BY contact_id`, []any{gone}, func(scan func(...any) error) error {
		var c keptContact
		err := scan(&c.ID, &c.Address)
		k.Contacts = append(k.Contacts, c)
		return err
	})
	if err != nil {
		return k, err
	}
	if _, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) SELECT contact_id, $1, address FROM contact_persons WHERE person_id = $2 ON CONFLICT DO NOTHING`, keep, gone); err != nil {
		return k, err
	}
	if _, err := t.exec(`DELETE FROM contact_persons WHERE person_id = $1`, gone); err != nil {
		return k, err
	}
	err = t.rows(`DELETE FROM cards WHERE person_id = $1 RETURNING manager_id, name, uid, bytes`, []any{gone}, func(scan func(...any) error) error {
		var c keptCard
		err := scan(&c.Manager, &c.Name, &c.UID, &c.Bytes)
		k.Cards = append(k.Cards, c)
		return err
	})
	if err != nil {
		return k, err
	}
	return k, t.rows(`UPDATE book_entries SET person_id = $1 WHERE person_id = $2 RETURNING id`, []any{keep, gone}, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		k.Entries = append(k.Entries, id)
		return err
	})
}

// touchPersons marks all that shows persons: beside their client what was done
// with them.
func (t *tx) touchPersons(persons ...Person) error {
	for _, p := range persons {
		if err := t.touchClient(p.ClientID); err != nil {
			return err
		}
		if err := t.touchAll(false, `SELECT c.id FROM contacts c JOIN contact_persons cp ON cp.contact_id = c.id
			WHERE cp.person_id = $1 AND c.state = 'done' AND c.completed > $2 AND c.message_key = ''`, p.ID, t.now.AddDate(0, 0, -doneDays).Unix()); err != nil {
			return err
		}
	}
	return nil
}

// saveMerged takes what an import says of a person that was merged: as an
// entry of the one into whom.
func (t *tx) saveMerged(actor Actor, id int64, p *Person) (RowChange, error) {
	e, err := t.bookEntry("e.book = $1 AND e.key = $2", mergedBook, strconv.FormatInt(id, 10))
	if err != nil {
		return "", err
	}
	said := e.said
	said.Name = p.Name
	if p.Position != "" {
		said.Position = p.Position
	}
	if p.Birthday != "" {
		said.Birthday = p.Birthday
	}
	if p.Emails != nil {
		said.Emails = p.Emails
	}
	if p.Phones != nil {
		said.Phones = nil
		for _, phone := range p.Phones {
			said.Phones = append(said.Phones, BookPhone{Number: phone})
		}
	}
	if asJSON(said) == asJSON(e.said) {
		return RowUnchanged, nil
	}
	return t.resay(actor, e, said)
}

// UnmergePerson undoes what made an entry or a person part of another person, by the
// number of a Merged. What it gave is taken away where it still stands. The
// entry of an address book is then offered; a person is there again. The two
// count as two from now on. ErrNotFound: no such, or not for the viewer.
// *Invalid: the person was merged on, and that must be undone first.
func (s *Store) UnmergePerson(ctx context.Context, viewer Manager, actor Actor, id int64) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.alone(importWork); err != nil { // which makes and merges persons, too
			return err
		}
		if err := t.lock("book_entries", id); err != nil {
			return err
		}
		e, err := t.bookEntry("e.id = $1 AND e.state = 'taken' AND e.merged > 0", id)
		if err != nil {
			return err
		}
		keep, err := t.seenPerson(viewer, e.personID)
		if err != nil {
			return err
		}
		later, err := t.bookEntries("WHERE e.book = $1 AND e.person_id = $2", mergedBook, keep.ID)
		if err != nil {
			return err
		}
		for _, l := range later {
			if slices.Contains(l.kept.Entries, e.id) { // what this one gave went on with that person
				return invalid("person", "was merged on, together with %q: undo that first", clip(l.said.person().Name, 80))
			}
		}
		rest := keep.copied()
		others, err := t.othersSay(e)
		if err != nil {
			return err
		}
		e.takeBack(&rest, others)
		if _, err := t.writePerson(actor, &keep, &rest); err != nil {
			return err
		}
		c := changes{}
		c.note("entry", e.book+": "+e.said.person().Name, "")
		if err := t.remember(actor, "person", keep.ID, "unmerged", c); err != nil {
			return err
		}
		if e.book != mergedBook {
			_, err := t.exec(`UPDATE book_entries SET state = 'offered', why = $1, person_id = NULL, merged = 0, client_id = $2, double_id = $3, gave = '{}', changed = $4 WHERE id = $5`,
				string(Undone), keep.ClientID, keep.ID, t.now.Unix(), id)
			return err
		}
		return t.bringBack(actor, e, keep)
	})
}

// takeBack takes from a person what an entry gave and nobody else says.
func (e *bookEntry) takeBack(p *Person, others []string) {
	gone := func(gave []string) func(string) bool {
		return func(v string) bool { return slices.Contains(gave, v) && !slices.Contains(others, v) }
	}
	p.Emails, p.Phones = slices.DeleteFunc(p.Emails, gone(e.gave.Emails)), slices.DeleteFunc(p.Phones, gone(e.gave.Phones))
	if p.Position == e.gave.Position {
		p.Position = ""
	}
	if p.Birthday == e.gave.Birthday {
		p.Birthday = ""
	}
	if p.Name == e.gave.Name && len(p.Emails) > 0 { // before, an address stood for the name
		p.Name = p.Emails[0]
	}
}

// bringBack makes a person that was merged one again.
func (t *tx) bringBack(actor Actor, e bookEntry, keep Person) error {
	gone, err := strconv.ParseInt(e.key, 10, 64)
	if err != nil {
		return err
	}
	points := map[string][]string{"email": e.said.person().Emails, "phone": e.said.person().Phones}
	if _, err := t.exec(`UPDATE persons SET merged_into = NULL, client_id = $1, version = version + 1 WHERE id = $2`, keep.ClientID, gone); err != nil {
		return err
	}
	if err := t.setPoints("person_points", "person_id", gone, false, points); err != nil {
		return err
	}
	for _, p := range e.kept.Points {
		if _, err := t.exec(`UPDATE person_points SET bounced = $1, heard = $2 WHERE person_id = $3 AND kind = $4 AND value = $5`, p.Bounced, p.Heard, gone, p.Kind, p.Value); err != nil {
			return err
		}
	}
	for _, c := range e.kept.Contacts {
		// One that keep took part in by an address of its own stays with both.
		if !slices.Contains(keep.Emails, c.Address) || slices.Contains(e.gave.Emails, c.Address) {
			if _, err := t.exec(`DELETE FROM contact_persons WHERE contact_id = $1 AND person_id = $2 AND address = $3`, c.ID, keep.ID, c.Address); err != nil {
				return err
			}
		}
		if _, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, c.ID, gone, c.Address); err != nil {
			return err
		}
	}
	for _, c := range e.kept.Cards {
		if _, err := t.exec(`INSERT INTO cards (manager_id, person_id, name, uid, bytes) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, c.Manager, gone, c.Name, c.UID, c.Bytes); err != nil {
			return err
		}
	}
	if _, err := t.exec(`UPDATE book_entries SET person_id = $1 WHERE person_id = $2 AND id IN `+t.s.dialect.ids("$3"), gone, keep.ID, asJSON(append([]int64{}, e.kept.Entries...))); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM book_entries WHERE id = $1`, e.id); err != nil {
		return err
	}
	if err := t.apart(gone, keep.ID); err != nil {
		return err
	}
	if err := t.remember(actor, "person", gone, "unmerged", changes{}); err != nil {
		return err
	}
	return t.touchPersons(keep, Person{ID: gone, ClientID: keep.ClientID})
}

func (t *tx) apart(a, b int64) error {
	_, err := t.exec(`INSERT INTO persons_apart (one, other) VALUES ($1, $2) ON CONFLICT DO NOTHING`, min(a, b), max(a, b))
	return err
}

// KeepApart notes that two persons are two, so that they are not shown as
// doubles again. ErrNotFound: one is not there, or not for the viewer.
func (s *Store) KeepApart(ctx context.Context, viewer Manager, a, b int64) error {
	return s.write(ctx, func(t *tx) error {
		if a == b {
			return invalid("person", "is one")
		}
		_, err := t.seenPerson(viewer, a)
		_, other := t.seenPerson(viewer, b)
		if err = errors.Join(err, other); err != nil {
			return err
		}
		return t.apart(a, b)
	})
}
