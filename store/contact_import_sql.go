package store

import (
	"cmp"
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"strings"
)

// PutContact makes or changes a contact by ID. The row that was taken last changes
// nothing when it comes again, so that what a manager has done with the contact
// meanwhile stays.
func (im *Import) PutContact(row ContactRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := required("key", row.ID, 200); err != nil {
		return "", err
	}
	return im.keep(AboutContact, row.ID, row, func() (RowChange, error) { return im.putContact(row) })
}

func (im *Import) putContact(row ContactRow) (RowChange, error) {
	t := im.t
	draft, source, err := im.contactDraft(row)
	if err != nil {
		return "", err
	}
	id, err := t.saved("contacts", row.ID)
	if err != nil {
		return "", err
	}
	record, state := "contact "+row.ID, Version{Number: rowHash(row)}
	if id != 0 {
		var last int64
		err := t.row(`SELECT number FROM exchanged WHERE record = $1`, []any{record}, &last)
		if ignoreNotFound(err) != nil {
			return "", err
		}
		if last == state.Number {
			return RowUnchanged, nil
		}
	}
	if id == 0 {
		// One of ours that comes back from an export, under its UID.
		uid, _, _ := strings.Cut(row.ID, "/")
		var one int
		err := t.row(`SELECT 1 FROM contacts WHERE external_id IS NULL AND uid IN ($1, $2) LIMIT 1`, []any{row.ID, uid}, &one)
		if err == nil {
			return RowUnchanged, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", err
		}
	}
	change := RowNew
	if id == 0 {
		c, err := t.planContact(im.actor, draft)
		if err != nil {
			return "", err
		}
		id = c.ID
	} else {
		change = RowChanged
		old, err := t.contact(id)
		if err != nil {
			return "", err
		}
		edit := ContactEdit{Kind: &draft.Kind, State: &draft.State, ClientID: &draft.ClientID, DealID: &draft.DealID, Subject: &draft.Subject, Body: &draft.Body, When: &draft.When}
		if draft.Importance != "" {
			edit.Importance = &draft.Importance
		}
		if draft.Minutes != 0 {
			edit.Minutes = &draft.Minutes
		}
		if err := t.editContact(im.actor, old, edit); err != nil {
			return "", err
		}
		for _, m := range draft.Managers {
			if _, err := t.addManager(id, m); err != nil {
				return "", err
			}
		}
		for _, p := range draft.Persons {
			if _, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, '') ON CONFLICT DO NOTHING`, id, p); err != nil {
				return "", err
			}
		}
	}
	// What a draft or an edit does not say.
	if _, err := t.exec(`UPDATE contacts SET external_id = $1, direction = $2, source_id = $3, estimated = $4, client_text = $5 WHERE id = $6`,
		row.ID, string(cmp.Or(draft.Direction, NoDirection)), ref(source), row.Estimated, draft.ClientText, id); err != nil {
		return "", err
	}
	if draft.State == Done && draft.When.End.After(draft.When.Start) && draft.When.End.Before(t.now) {
		if _, err := t.exec(`UPDATE contacts SET completed = $1 WHERE id = $2`, draft.When.End.Unix(), id); err != nil {
			return "", err
		}
	}
	t.touch(ItemKey{ID: id})
	return im.done(change, t.exchanged(record, state))
}

// rowHash tells rows apart; never 0, which says nothing.
func rowHash(row any) int64 {
	h := fnv.New64a()
	h.Write([]byte(asJSON(row)))
	return int64(h.Sum64()&math.MaxInt64) | 1
}

// contactDraft finds what a row refers to.
func (im *Import) contactDraft(row ContactRow) (d ContactDraft, source int64, err error) {
	t := im.t
	d = ContactDraft{Kind: row.Kind, Direction: row.Direction, State: cmp.Or(row.State, Planned), Importance: row.Importance,
		ClientText: clip(clean(row.ClientText), maxSubject), Subject: clip(strings.TrimSpace(clean(row.Subject)), maxSubject), Body: clean(row.Text),
		When: row.When, Minutes: row.Minutes}
	if d.ClientID, err = t.named("clients", "client", row.Client); err != nil {
		return d, 0, err
	}
	if d.ClientID != 0 {
		d.ClientText = ""
	}
	if d.DealID, err = t.dealNamed(row.Deal, d.ClientID); err != nil {
		return d, 0, err
	}
	for _, name := range row.Managers {
		m, err := t.managerNamed(name)
		if err != nil {
			return d, 0, err
		}
		if !slices.Contains(d.Managers, m) {
			d.Managers = append(d.Managers, m)
		}
	}
	if len(d.Managers) > 0 {
		d.ManagerID = d.Managers[0]
	}
	for _, address := range row.Persons {
		address, err := Address(address)
		if err != nil {
			return d, 0, invalid("persons", "%v", err)
		}
		var person int64
		err = t.row(`SELECT p.id FROM persons p JOIN person_points pp ON pp.person_id = p.id WHERE pp.kind = 'email' AND pp.value = $1
			ORDER BY CASE WHEN p.client_id = $2 THEN 0 ELSE 1 END, p.id LIMIT 1`, []any{address, d.ClientID}, &person)
		if ignoreNotFound(err) != nil {
			return d, 0, err
		}
		if person != 0 && !slices.Contains(d.Persons, person) {
			d.Persons = append(d.Persons, person)
		}
	}
	if row.Source != "" {
		err := t.row(`SELECT id FROM sources WHERE external_id = $1 OR name = $1 ORDER BY CASE WHEN external_id = $1 THEN 0 ELSE 1 END, id LIMIT 1`, []any{row.Source}, &source)
		if errors.Is(err, ErrNotFound) {
			return d, 0, invalid("source", "unknown source %q", clip(row.Source, 80))
		}
		if err != nil {
			return d, 0, err
		}
	}
	return d, source, nil
}

// dealNamed finds a deal by its key, else by its number, of this client before
// others.
func (t *tx) dealNamed(name string, client int64) (int64, error) {
	id, err := t.named("deals", "deal", name)
	var lack *Lacking
	if !errors.As(err, &lack) {
		return id, err
	}
	of := t.row(`SELECT id FROM deals WHERE number = $1 ORDER BY CASE WHEN client_id = $2 THEN 0 ELSE 1 END, id DESC LIMIT 1`, []any{name, client}, &id)
	if errors.Is(of, ErrNotFound) {
		return 0, err
	}
	return id, of
}
