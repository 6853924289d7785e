package store

import (
	"cmp"
	"errors"
	"maps"
	"strconv"
	"strings"
)

// Records of other programs: writing, all of it by the rules of imports and
// pages.

// recordIn is one record as it stands in this transaction.
func recordIn[R any](t *tx, table string, ref Ref, records func(*tx, ...int64) ([]R, error)) (r R, err error) {
	id, err := t.find(table, ref)
	if err == nil && id == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return r, err
	}
	return one(records(t, id))
}

// FullClient is a client as it stands now, this import's rows included.
// ErrNotFound where there is none.
func (im *Import) FullClient(ref Ref) (FullClient, error) {
	return recordIn(im.t, "clients", ref, (*tx).fullClients)
}

// FullPerson is a person as it stands now.
func (im *Import) FullPerson(ref Ref) (FullPerson, error) {
	return recordIn(im.t, "persons", ref, (*tx).fullPersons)
}

// FullDeal is a deal as it stands now.
func (im *Import) FullDeal(ref Ref) (FullDeal, error) {
	return recordIn(im.t, "deals", ref, (*tx).fullDeals)
}

// FullDocument is a document as it stands now.
func (im *Import) FullDocument(ref Ref) (FullDocument, error) {
	return recordIn(im.t, "documents", ref, (*tx).fullDocuments)
}

// FullContact is a contact as it stands now.
func (im *Import) FullContact(ref Ref) (FullContact, error) {
	return recordIn(im.t, "contacts", ref, (*tx).fullContacts)
}

// Each runs fn for one of several records that are taken or refused one by one:
// when it fails, nothing of that one is written, and the import goes on.
func (im *Import) Each(fn func() error) error {
	t, outer := im.t, im.whole
	if err := t.markDeals(); err != nil { // what others marked is not to be taken back with this one
		return im.broke(err)
	}
	if _, err := t.exec("SAVEPOINT record"); err != nil {
		return im.broke(err)
	}
	sums := im.sums
	im.sums, im.whole = nil, true // and so with what a renewal would write
	marked, happened := len(t.dirty.order), len(t.news.happened)
	fault := fn()
	im.whole = outer
	if fault == nil {
		if _, err := t.exec("RELEASE SAVEPOINT record"); err != nil {
			return im.broke(err)
		}
		if im.sums == nil {
			im.sums = sums
		} else {
			maps.Copy(im.sums, sums)
		}
		_, err := im.done("", nil)
		return im.broke(err)
	}
	if _, err := t.exec("ROLLBACK TO SAVEPOINT record"); err != nil {
		return im.broke(err)
	}
	for _, k := range t.dirty.order[marked:] {
		delete(t.dirty.items, k)
	}
	for _, h := range t.news.happened[happened:] {
		delete(t.news.has, h)
	}
	t.dirty.order, t.news.happened, im.sums = t.dirty.order[:marked], t.news.happened[:happened], sums
	return fault
}

// broke notes that not a record but the transaction failed.
func (im *Import) broke(err error) error {
	im.broken = im.broken || err != nil
	return err
}

// DealWhole is Deal with its lines and events: lines make the deal's lines
// these and no others, nil keeps them; events make or change each of these. A
// fault's Field is "lines/3/item".
func (im *Import) DealWhole(row DealRow, lines []LineRow, events []EventRow) (RowChange, error) {
	t := im.t
	change, err := im.Deal(row)
	if err != nil {
		return "", err
	}
	id, err := t.saved("deals", strings.TrimSpace(clean(row.ID)))
	if err != nil {
		return "", err
	}
	moved, err := t.wholeLines("deal_id", id, lines, change == RowNew)
	if err != nil {
		return "", err
	}
	if moved {
		im.addUp(AboutDeal, id)
		if err := t.touchDeal(id); err != nil {
			return "", err
		}
	}
	for i, e := range events {
		e.Deal = row.ID
		c, err := im.Event(e)
		if err != nil {
			return "", within("events", i, err)
		}
		moved = moved || c != RowUnchanged
	}
	if change == RowUnchanged && moved {
		change = RowChanged
	}
	return im.done(change, nil)
}

// DocumentWhole is Document with its lines; nil keeps them.
func (im *Import) DocumentWhole(row DocumentRow, lines []LineRow) (RowChange, error) {
	t := im.t
	change, err := im.Document(row)
	if err != nil {
		return "", err
	}
	id, err := t.saved("documents", strings.TrimSpace(clean(row.ID)))
	if err != nil {
		return "", err
	}
	moved, err := t.wholeLines("document_id", id, lines, change == RowNew)
	if err == nil && moved {
		im.addUp(AboutDocument, id)
	}
	if err == nil && moved && change == RowUnchanged {
		change = RowChanged
		_, err = t.exec(`UPDATE documents SET changed = $1, version = version + 1 WHERE id = $2`, t.now.Unix(), id)
	}
	return change, err
}

// within tells in which of several rows a fault is.
func within(field string, i int, err error) error {
	var bad *Invalid
	if errors.As(err, &bad) {
		return invalid(field+"/"+strconv.Itoa(i)+"/"+bad.Field, "%s", bad.Reason)
	}
	return err
}

// wholeLines checks the lines of a deal or document, whose keys must be nobody
// else's, and makes them these and no others.
func (t *tx) wholeLines(column string, owner int64, rows []LineRow, fresh bool) (bool, error) {
	if rows == nil {
		return false, nil
	}
	place, keys := map[string]int{}, []string{}
	for i := range rows {
		l := &rows[i]
		l.ID = strings.TrimSpace(clean(l.ID))
		if err := firstFault(required("id", l.ID, 200), required("item", strings.TrimSpace(clean(l.Item)), 1000)); err != nil {
			return false, within("lines", i, err)
		}
		if l.Price < 0 || l.Amount < 0 || l.Cost < 0 {
			return false, within("lines", i, invalid("amount", "is negative"))
		}
		if _, twice := place[l.ID]; twice {
			return false, within("lines", i, invalid("id", "%q stands twice", clip(l.ID, 80)))
		}
		place[l.ID], keys = i, append(keys, l.ID)
	}
	var taken string
	err := t.row(`SELECT external_id FROM lines WHERE external_id IN `+t.s.dialect.texts("$1")+` AND COALESCE(`+column+`, 0) <> $2 LIMIT 1`, []any{asJSON(keys), owner}, &taken)
	if err == nil {
		return false, within("lines", place[taken], invalid("id", "%q is a line of another deal or document", clip(taken, 80)))
	} else if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	return t.setLines(column, owner, rows, fresh)
}

// Contact makes a contact. What it refers to must exist and belong together; a
// zero ManagerID is the client's manager.
func (im *Import) Contact(d ContactDraft) (Contact, error) {
	t := im.t
	if d.DealID != 0 {
		deal, err := t.deal(d.DealID)
		if err != nil {
			return Contact{}, err
		}
		if d.ClientID = cmp.Or(d.ClientID, deal.ClientID); d.ClientID != deal.ClientID {
			return Contact{}, invalid("deal", "is of another client")
		}
	}
	if d.ClientID == 0 && strings.TrimSpace(d.ClientText) == "" {
		return Contact{}, invalid("client", "is missing, and so is a text for someone not registered yet")
	}
	if d.ManagerID == 0 && d.ClientID != 0 {
		client, err := t.client(d.ClientID)
		if err != nil {
			return Contact{}, err
		}
		d.ManagerID = client.ManagerID
	}
	if d.ManagerID == 0 && im.actor.ManagerID == 0 {
		return Contact{}, invalid("manager", "is missing, and the client has none")
	}
	if len(d.Persons) > 0 {
		found, err := t.persons("p.id IN "+t.s.dialect.ids("$1"), "", asJSON(d.Persons))
		if err != nil {
			return Contact{}, err
		}
		for _, p := range found {
			if p.ClientID != d.ClientID {
				return Contact{}, invalid("persons", "%q is of another client", clip(p.Name, 80))
			}
		}
	}
	c, err := t.planContact(im.actor, d)
	if errors.Is(err, ErrConflict) {
		err = invalid("id", "belongs to another contact")
	}
	if err != nil {
		return c, err
	}
	_, err = im.done("", nil)
	return c, err
}

// EditContact changes a contact and reports whether there was anything to
// change.
func (im *Import) EditContact(id int64, e ContactEdit) (RowChange, error) {
	t := im.t
	old, err := t.contact(id)
	if err != nil {
		return "", err
	}
	if e.DealID != nil && *e.DealID != 0 {
		deal, err := t.deal(*e.DealID)
		if err != nil {
			return "", err
		}
		client := old.ClientID
		if e.ClientID != nil {
			client = *e.ClientID
		}
		if client != deal.ClientID {
			return "", invalid("deal", "is of another client")
		}
	}
	if err := t.editContact(im.actor, old, e); err != nil {
		return "", err
	}
	now, err := t.contact(id)
	if err != nil || now.Version == old.Version {
		return RowUnchanged, err
	}
	return im.done(RowChanged, nil)
}

// Find is the number of the record that a Ref names among clients, persons or
// deals; an unknown one is a fault of that field.
func (im *Import) Find(kind, field string, ref Ref) (int64, error) {
	return im.t.referred(kind, field, ref)
}

// ManagerNamed is the number of the manager with that login or key; an unknown
// one is a fault of the field "manager".
func (im *Import) ManagerNamed(name string) (int64, error) { return im.t.managerNamed(name) }
