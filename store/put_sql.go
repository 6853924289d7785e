package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
)

// PutResult of a calendar write.
type PutResult struct {
	Entry   Entry
	Created bool
}

// UIDConflict says that another entry of the collection has the UID
// (RFC 4791 section 5.3.2.1, no-uid-conflict).
type UIDConflict struct{ Name string }

func (e *UIDConflict) Error() string        { return "another entry has this UID: " + e.Name }
func (e *UIDConflict) Is(target error) bool { return target == ErrConflict }

// PutEntry applies a PUT: makes a contact, or changes the contact or event of
// the entry of that name. A UID that another calendar of the home holds is a
// move from there. ErrStale when the condition does not hold, ErrConflict
// (*UIDConflict) when another entry of the collection has the UID,
// ErrForbidden, *Invalid.
func (s *Store) PutEntry(ctx context.Context, actor Actor, collectionID int64, name string, cond Condition, w *CalendarWrite) (res PutResult, err error) {
	if len(name) > 255 || name == "" {
		return res, invalid("name", "the name of the resource is empty or longer than 255 bytes")
	}
	if w.UID == "" || len(w.UID) > 1000 {
		return res, invalid("UID", "is empty or longer than 1000 bytes")
	}
	err = s.writeAgain(ctx, func(t *tx) error {
		res = PutResult{}
		if err := t.lockEntry(name, collectionID); err != nil {
			return err
		}
		col, err := t.collection("k.id = $1", collectionID)
		if err != nil {
			return err
		}
		if !col.Component.Holds(w.Component) {
			return invalid("component", "%s in a calendar of %s", w.Component, col.Component)
		}
		col.Component = w.Component
		old, err := t.entry(collectionID, name)
		switch {
		case errors.Is(err, ErrNotFound):
			if !cond.holds(nil) {
				return ErrStale
			}
		case err != nil:
			return err
		case !cond.holds(&old):
			return ErrStale
		}
		exists := err == nil
		if err := t.uidFree(collectionID, name, w.UID, old.uid); err != nil {
			return err
		}
		var k ItemKey
		moved := false
		switch {
		case exists:
			k = old.Key
			err = t.applyWrite(actor, col, k, false, w)
		default:
			k, err = t.itemByUID(actor, col, w.UID)
			if errors.Is(err, ErrNotFound) {
				if !col.takes(ContactItem) {
					return ErrForbidden
				}
				k, err = t.writeNew(actor, col, w)
				res.Created = true
			} else if err == nil {
				res.Created, moved = true, true
				err = t.applyWrite(actor, col, k, true, w)
			}
		}
		if err != nil {
			return err
		}
		if !exists {
			if err := t.labelFor(col, k); err != nil {
				return err
			}
		}
		if res.Entry, err = t.settle(actor, col, k, name, w); err != nil || !moved {
			return err
		}
		_, err = t.exec(`UPDATE entries SET moved = TRUE WHERE collection_id = $1 AND name = $2`, collectionID, name)
		return err
	})
	return res, err
}

// lockEntry locks collections for a write to the entry of that name in the
// first of them; ErrNotFound where one is not there. Before it the record that
// the entry shows, and with it the other calendars of the same people, by their
// ids: in that order lock who edits the record and then renews its entries.
func (t *tx) lockEntry(name string, collectionIDs ...int64) error {
	if t.s.dialect.forUpdate() == "" {
		for _, id := range collectionIDs {
			if err := t.lock("collections", id); err != nil {
				return err
			}
		}
		return nil
	}
	e, err := t.entry(collectionIDs[0], name)
	if ignoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		table := "contacts"
		if e.Key.Event {
			table = "deal_events"
		}
		if err := ignoreNotFound(t.lock(table, e.Key.ID)); err != nil {
			return err
		}
	}
	locked, err := t.numbers(`SELECT id FROM collections WHERE manager_id IN (SELECT manager_id FROM collections WHERE id IN `+t.s.dialect.ids("$1")+`) ORDER BY id`+t.s.dialect.forUpdate(), asJSON(collectionIDs))
	if err != nil {
		return err
	}
	for _, id := range collectionIDs {
		if !slices.Contains(locked, id) {
			return ErrNotFound
		}
	}
	return nil
}

// uidFree reports *UIDConflict where the collection has the UID under another
// name, or the name holds another one; held is "" where it holds none.
func (t *tx) uidFree(collectionID int64, name, uid, held string) error {
	var other string
	err := t.row(`SELECT name FROM entries WHERE collection_id = $1 AND uid = $2 AND NOT gone AND name <> $3`, []any{collectionID, uid, name}, &other)
	if err == nil {
		return &UIDConflict{other}
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if held != "" && held != uid {
		return &UIDConflict{name}
	}
	return nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// settle keeps the client's bytes, renews the item's entries and gives the
// one that was written, which stays where it is for a moment.
func (t *tx) settle(actor Actor, col Collection, k ItemKey, name string, w *CalendarWrite) (Entry, error) {
	if w != nil {
		var kept []byte
		err := t.row(`SELECT bytes FROM overlays WHERE item = $1 AND manager_id = $2 AND component = $3`, []any{k.String(), actor.ManagerID, string(col.Component)}, &kept)
		if ignoreNotFound(err) != nil {
			return Entry{}, err
		}
		if err != nil || !bytes.Equal(kept, w.Bytes) {
			if _, err := t.exec(`INSERT INTO overlays (item, manager_id, component, bytes) VALUES ($1, $2, $3, $4)
				ON CONFLICT (item, manager_id, component) DO UPDATE SET bytes = $4`, k.String(), actor.ManagerID, string(col.Component), w.Bytes); err != nil {
				return Entry{}, err
			}
		}
	}
	if _, err := t.exec(`UPDATE entries SET stays = 0 WHERE item = $1 AND collection_id <> $2
		AND collection_id IN (SELECT id FROM collections WHERE manager_id = $3)`, k.String(), col.ID, col.ManagerID); err != nil {
		return Entry{}, err
	}
	t.touch(k)
	if t.dirty.put == nil {
		t.dirty.put = map[putKey]putAt{}
	}
	t.dirty.put[putKey{col.ID, k}] = putAt{name, t.now.Add(lingering)}
	if err := t.renew(); err != nil {
		return Entry{}, err
	}
	e, err := t.entry(col.ID, name)
	e.Exact = err == nil && w != nil && bytes.Equal(e.Bytes, w.Bytes)
	return e, err
}

// itemByUID finds the item that the manager knows under a UID.
func (t *tx) itemByUID(actor Actor, col Collection, uid string) (ItemKey, error) {
	for _, u := range []string{uid, bareUID(uid)} {
		var id int64
		err := t.row(`SELECT c.id FROM contacts c JOIN contact_managers cm ON cm.contact_id = c.id
			WHERE c.uid = $1 AND cm.manager_id IN ($2, $3) ORDER BY c.id LIMIT 1`, []any{u, actor.ManagerID, col.shows(actor)}, &id)
		if err == nil {
			return ItemKey{ID: id}, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return ItemKey{}, err
		}
		found, err := t.eventItems("WHERE e.uid = $1", u)
		if err != nil {
			return ItemKey{}, err
		}
		if len(found) == 1 && t.mayEdit(actor, &found[0]) == nil {
			return found[0].Key(), nil
		}
	}
	return t.invitedItem(actor, col, uid)
}

// shows is the manager to whom what is written into the calendar belongs.
func (c *Collection) shows(actor Actor) int64 {
	if len(c.Filter.Managers) == 1 {
		return c.Filter.Managers[0]
	}
	return actor.ManagerID
}

// writeNew makes a contact of what was written into a calendar.
func (t *tx) writeNew(actor Actor, col Collection, w *CalendarWrite) (ItemKey, error) {
	c := Contact{
		UID: w.UID, Kind: w.Kind, Direction: NoDirection, Importance: w.Importance, ManagerID: col.shows(actor),
		Subject: clip(strings.TrimSpace(clean(w.Title)), maxSubject), Body: clip(clean(w.Note), maxBody),
		When: w.When, Recurrence: w.Recurrence, Origin: FromCalendar,
	}
	if c.Kind == "" {
		c.Kind = Other
	}
	c.Managers = []int64{c.ManagerID}
	client, persons, err := t.findClient(c.Subject, w.Attendees)
	if err != nil {
		return ItemKey{}, err
	}
	if client != 0 {
		c.ClientID = client
		c.Persons = persons
	}
	if c.Importance == "" {
		c.Importance = Normal
	}
	col.adopt(&c.Kind, &c.Importance, &c.ClientID)
	if !c.When.AllDay {
		c.Minutes = int(c.When.End.Sub(c.When.Start).Minutes())
	}
	c.setState(stateAfter("", true, &col, w.Status, w.Component), t.now)
	if err := t.insertContact(&c, w.Component); err != nil {
		return ItemKey{}, err
	}
	return ItemKey{ID: c.ID}, t.remember(actor, "contact", c.ID, "created", nil)
}

// applyWrite changes the item as the write says. moved: the entry is new in
// this calendar.
func (t *tx) applyWrite(actor Actor, col Collection, k ItemKey, moved bool, w *CalendarWrite) error {
	it, err := t.item(k)
	if err != nil {
		return err
	}
	if moved && !col.takes(it.Type) {
		return ErrForbidden
	}
	if it.Event != nil {
		return t.applyEvent(actor, col, it, moved, w)
	}
	c := *it.Contact
	state := stateAfter(c.State, moved, &col, w.Status, w.Component)
	title := clip(TrimClient(w.Title, c.ClientName), maxSubject)
	note := clip(w.Note, maxBody)
	e := ContactEdit{State: &state, Subject: &title, Body: &note}
	if c.hidesFrom(actor.ManagerID) {
		e.Body = nil // the program was never shown the text: what it sends is not an edit of it
	}
	if w.Component == c.component || w.Component == VEvent { // a VTODO's due date alone says less than a VEVENT's span
		e.When, e.Recurrence = &w.When, &w.Recurrence
	} else if moved := dueMoved(c, w); moved != nil {
		e.When = moved
	}
	switch normal := Normal; {
	case w.Importance != "":
		e.Importance = &w.Importance
	case !moved: // what matters more or less is shown with PRIORITY, which was taken away
		e.Importance = &normal
	}
	if c.ClientID == 0 {
		client, persons, err := t.findClient(title, w.Attendees)
		if err != nil {
			return err
		}
		if client != 0 {
			e.ClientID = &client
			for _, p := range persons {
				if _, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, c.ID, p.ID, p.Email); err != nil {
					return err
				}
			}
		}
	}
	if moved {
		e = col.adopting(c, e)
	}
	err = t.editContact(actor, c, e)
	return err
}

// dueMoved is where a changed due time of a VTODO moves a contact that was
// written as VEVENT; nil: the due time is as rendered.
func dueMoved(c Contact, w *CalendarWrite) *Span {
	if w.When.IsZero() || c.When.IsZero() {
		return nil
	}
	if c.When.AllDay || w.When.AllDay {
		if c.When.AllDay == w.When.AllDay && c.When.Last == w.When.Last {
			return nil
		}
		return &w.When
	}
	if w.When.End.Equal(c.When.End) {
		return nil
	}
	moved := Span{Start: w.When.End.Add(-c.When.End.Sub(c.When.Start)), End: w.When.End}
	return &moved
}

// findClient finds whom an event is about: by an attendee's address, then by
// a client's name in the title (design.md).
func (t *tx) findClient(title string, attendees []string) (int64, []PersonRef, error) {
	var refs []PersonRef
	client := int64(0)
	if len(attendees) > 200 {
		attendees = attendees[:200]
	}
	if len(attendees) > 0 {
		err := t.rows(`SELECT p.id, p.name, p.client_id, pp.value FROM person_points pp JOIN persons p ON p.id = pp.person_id
			WHERE pp.kind = 'email' AND pp.value IN `+t.s.dialect.texts("$1")+` ORDER BY p.id`, []any{asJSON(attendees)}, func(scan func(...any) error) error {
			var p PersonRef
			var of int64
			if err := scan(&p.ID, &p.Name, &of, &p.Email); err != nil {
				return err
			}
			if client == 0 {
				client = of
			}
			if of == client {
				refs = append(refs, p)
			}
			return nil
		})
		if err != nil || client != 0 {
			return client, refs, err
		}
		err = t.row(`SELECT client_id FROM client_points WHERE kind = 'email' AND value IN `+t.s.dialect.texts("$1")+` ORDER BY client_id LIMIT 1`, []any{asJSON(attendees)}, &client)
		if ignoreNotFound(err) != nil || client != 0 {
			return client, nil, err
		}
	}
	named, err := t.clientsNamed(title)
	if err != nil || len(named) != 1 { // two clients of one name: a person must say which
		return 0, nil, err
	}
	return named[0], nil, nil
}

// clientsNamed are the clients whose name, without its legal form, stands in a
// title: all of the longest such name.
func (t *tx) clientsNamed(title string) (ids []int64, err error) {
	candidates := nameCandidates(title)
	if len(candidates) == 0 {
		return nil, nil
	}
	length := 0
	err = t.rows(`SELECT id, core FROM clients WHERE core IN `+t.s.dialect.texts("$1")+` ORDER BY id`, []any{asJSON(candidates)}, func(scan func(...any) error) error {
		var id int64
		var core string
		if err := scan(&id, &core); err != nil {
			return err
		}
		if len(core) > length {
			ids, length = nil, len(core)
		}
		if len(core) == length {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// legalForms say nothing about who a company is.
var legalForms = []string{"ооо", "оао", "зао", "пао", "ао", "ип", "чп", "тоо", "нко", "llc", "ltd", "inc", "gmbh", "corp", "co", "company", "plc", "ag", "bv", "srl", "oy", "ab"}

// coreName is a client's name as people write it in a title: folded, without
// legal form, quotes and punctuation.
func coreName(name string) string { return strings.Join(coreWords(name), " ") }

func coreWords(s string) []string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(legalForms, w) })
}

// nameCandidates are the runs of up to six words of a title that may be a
// client's name.
func nameCandidates(title string) []string {
	words := coreWords(clip(title, 400))
	if len(words) > 40 {
		words = words[:40]
	}
	var out []string
	for i := range words {
		for n := 1; n <= 6 && i+n <= len(words); n++ {
			if c := strings.Join(words[i:i+n], " "); len(c) >= 3 && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// setState is a person's decision about an item.
func (t *tx) setState(actor Actor, k ItemKey, state State) error {
	it, err := t.item(k)
	if err != nil {
		return err
	}
	t.touch(k)
	if it.Event != nil {
		_, err = t.editEvent(actor, it, EventEdit{State: &state})
	} else {
		err = t.editContact(actor, *it.Contact, ContactEdit{State: &state})
	}
	return err
}

// DeleteEntry cancels the contact or event of that entry; one that stands in
// another label calendar of the home too only leaves this one, and one that was
// just moved to where it does not belong stays. ErrNotFound, ErrStale.
func (s *Store) DeleteEntry(ctx context.Context, actor Actor, collectionID int64, name string, cond Condition) error {
	missing := false
	err := s.writeAgain(ctx, func(t *tx) error {
		if err := t.lockEntry(name, collectionID); err != nil {
			return err
		}
		e, err := t.entry(collectionID, name)
		if missing = errors.Is(err, ErrNotFound); missing {
			return t.endMove(collectionID, name)
		}
		if err != nil {
			return err
		}
		if half, err := t.secondHalf(collectionID, e); half || err != nil {
			return err
		}
		if !cond.holds(&e) {
			return ErrStale
		}
		return t.remove(actor, collectionID, e.Key)
	})
	if err == nil && missing {
		err = ErrNotFound
	}
	return err
}

// secondHalf reports whether deleting the entry is the second half of a move,
// and ends the move: Thunderbird and iOS move by a PUT there and a DELETE here.
// Nothing is cancelled then. What still belongs here, since it is not overdue
// and was moved into Overdue, or since a saved filter shows it beside another
// calendar, comes back as changed.
func (t *tx) secondHalf(collectionID int64, e Entry) (bool, error) {
	half := false
	err := t.row(`SELECT EXISTS (SELECT 1 FROM entries n JOIN collections k ON k.id = n.collection_id
		JOIN entries this ON this.item = n.item AND this.uid = n.uid JOIN collections home ON home.id = this.collection_id AND home.manager_id = k.manager_id
		WHERE this.collection_id = $1 AND this.name = $2 AND n.collection_id <> $1 AND NOT n.gone AND n.moved AND n.stays > $3)`,
		[]any{collectionID, e.Name, t.now.Unix()}, &half)
	if err != nil || !half {
		return false, err
	}
	if err := t.endMove(collectionID, e.Name); err != nil {
		return false, err
	}
	t.touch(e.Key)
	return true, t.leave(Collection{ID: collectionID}, e)
}

// endMove notes that the move whose second half is a DELETE of that entry, or
// of its tombstone, is complete: the next DELETE is one.
func (t *tx) endMove(collectionID int64, name string) error {
	_, err := t.exec(`UPDATE entries SET moved = FALSE WHERE item = (SELECT item FROM entries WHERE collection_id = $1 AND name = $2) AND moved AND collection_id IN
		(SELECT k.id FROM collections k JOIN collections this ON this.manager_id = k.manager_id WHERE this.id = $1)`, collectionID, name)
	return err
}

// remove takes an item out of one collection by cancelling it, or by its label
// alone where the owner keeps it under another one too.
func (t *tx) remove(actor Actor, collectionID int64, k ItemKey) error {
	if _, err := t.exec(`UPDATE entries SET stays = 0 WHERE item = $1`, k.String()); err != nil {
		return err
	}
	labelled, err := t.unlabel(collectionID, k)
	if err != nil {
		return err
	}
	if labelled {
		more := false
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM labels l JOIN collections k ON k.id = l.collection_id JOIN collections this ON this.manager_id = k.manager_id
			WHERE l.item = $1 AND this.id = $2)`, []any{k.String(), collectionID}, &more); err != nil {
			return err
		}
		if more {
			t.touch(k)
			return nil
		}
	}
	return t.setState(actor, k, Cancelled)
}

// MoveEntry moves an entry into another collection of the same home: the verb
// of that collection applies. overwrite false: ErrConflict where the name is
// taken.
func (s *Store) MoveEntry(ctx context.Context, actor Actor, fromID int64, name string, toID int64, toName string, overwrite bool, cond Condition) (PutResult, error) {
	return s.transfer(ctx, actor, fromID, name, toID, toName, overwrite, cond, false)
}

// CopyEntry puts an entry of a label calendar into another label calendar too:
// it is one contact with two labels. ErrForbidden for other calendars, where
// one contact would become two.
func (s *Store) CopyEntry(ctx context.Context, actor Actor, fromID int64, name string, toID int64, toName string, overwrite bool, cond Condition) (PutResult, error) {
	return s.transfer(ctx, actor, fromID, name, toID, toName, overwrite, cond, true)
}

func (s *Store) transfer(ctx context.Context, actor Actor, fromID int64, name string, toID int64, toName string, overwrite bool, cond Condition, keep bool) (res PutResult, err error) {
	if len(toName) > 255 || toName == "" {
		return res, invalid("name", "the name of the resource is empty or longer than 255 bytes")
	}
	err = s.writeAgain(ctx, func(t *tx) error {
		res = PutResult{}
		if err := t.lockEntry(name, fromID, toID); err != nil {
			return err
		}
		e, err := t.entry(fromID, name)
		if err != nil {
			return err
		}
		if !cond.holds(&e) {
			return ErrStale
		}
		from, to, it, err := t.transferred(e, fromID, toID, keep)
		if err != nil {
			return err
		}
		if err := t.makeRoom(actor, e.Key, to, toName, keep || fromID != toID, overwrite, &res); err != nil {
			return err
		}
		if !keep {
			if err := t.putInto(actor, it, &to); err != nil {
				return err
			}
			if err := t.leave(from, e); err != nil {
				return err
			}
		}
		if err := t.labelFor(to, e.Key); err != nil {
			return err
		}
		res.Entry, err = t.settle(actor, to, e.Key, toName, nil)
		return err
	})
	return res, err
}

// putInto does what moving an item into a calendar means.
func (t *tx) putInto(actor Actor, it Item, to *Collection) error {
	state := stateAfter(it.State(), true, to, "", to.Component)
	if it.Event != nil {
		return t.setState(actor, it.Key(), state)
	}
	t.touch(it.Key())
	err := t.editContact(actor, *it.Contact, to.adopting(*it.Contact, ContactEdit{State: &state}))
	return err
}

// transferred finds between which collections an entry goes, and whether it
// may; to holds the entry's component alone.
func (t *tx) transferred(e Entry, fromID, toID int64, keep bool) (from, to Collection, it Item, err error) {
	if from, err = t.collection("k.id = $1", fromID); err != nil {
		return from, to, it, err
	}
	if to, err = t.collection("k.id = $1", toID); err != nil {
		return from, to, it, err
	}
	if it, err = t.item(e.Key); err != nil {
		return from, to, it, err
	}
	component := from.Component
	if component == EventsAndTodos {
		component = it.component()
	}
	if !to.Component.Holds(component) || from.ManagerID != to.ManagerID || !to.takes(it.Type) {
		return from, to, it, ErrForbidden
	}
	if keep && (from.Kind != LabelCalendar || to.Kind != LabelCalendar) {
		return from, to, it, ErrForbidden
	}
	to.Component = component
	return from, to, it, nil
}

// makeRoom removes what stands where an entry goes (Overwrite: T, RFC 4918
// section 9.9.3). elsewhere: the item may stand in that collection under
// another name, which is a *UIDConflict.
func (t *tx) makeRoom(actor Actor, k ItemKey, to Collection, name string, elsewhere, overwrite bool, res *PutResult) error {
	if elsewhere {
		var held string
		err := t.row(`SELECT name FROM entries WHERE collection_id = $1 AND item = $2 AND NOT gone AND name <> $3`, []any{to.ID, k.String(), name}, &held)
		if err == nil {
			return &UIDConflict{held}
		}
		if ignoreNotFound(err) != nil {
			return err
		}
	}
	there, err := t.entry(to.ID, name)
	if errors.Is(err, ErrNotFound) {
		res.Created = true
		return nil
	}
	if err != nil {
		return err
	}
	if !overwrite {
		return ErrConflict
	}
	if there.Key == k {
		return nil
	}
	if err := t.remove(actor, to.ID, there.Key); err != nil {
		return err
	}
	return t.renew()
}

// leave takes an entry off its old place at once, also where it would linger.
func (t *tx) leave(from Collection, e Entry) error {
	if _, err := t.unlabel(from.ID, e.Key); err != nil {
		return err
	}
	number, err := t.nextChange(from.ID)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE entries SET gone = TRUE, change = $1, turns = 0, stays = 0, bytes = NULL, size = 0, changed = $2 WHERE collection_id = $3 AND name = $4`,
		number, t.now.Unix(), from.ID, e.Name)
	return err
}
