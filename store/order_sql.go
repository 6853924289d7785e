package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// RowOlder is the outcome of a row whose newer state came already.
const RowOlder RowChange = "older"

// TaxNumbers calls fn for each client whose attributes hold an INN.
func (s *Store) TaxNumbers(ctx context.Context, fn func(TaxNumber)) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT id, attributes FROM clients WHERE attributes LIKE '%"`+AttributeINN+`"%' ORDER BY id`, nil, func(scan func(...any) error) error {
			var id int64
			var attributes map[string]string
			if err := scan(&id, jsonInto{&attributes}); err != nil {
				return err
			}
			if inn := strings.TrimSpace(attributes[AttributeINN]); inn != "" {
				fn(TaxNumber{id, inn, strings.TrimSpace(attributes[AttributeKPP])})
			}
			return nil
		})
	})
}

// outdated reports whether a newer state of the record came already.
func (t *tx) outdated(record string, v Version) (bool, error) {
	var number, formed int64
	err := t.row(`SELECT number, formed FROM exchanged WHERE record = $1`, []any{record}, &number, &formed)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	last := Version{Number: number}
	if formed != 0 {
		last.Formed = time.Unix(formed, 0)
	}
	return v.before(last), err
}

// exchanged notes which state of the record was taken.
func (t *tx) exchanged(record string, v Version) error {
	if v.Number == 0 && v.Formed.IsZero() {
		return nil
	}
	formed := int64(0)
	if !v.Formed.IsZero() {
		formed = v.Formed.Unix()
	}
	_, err := t.exec(`INSERT INTO exchanged (record, number, formed) VALUES ($1, $2, $3) ON CONFLICT (record) DO UPDATE SET
		number = CASE WHEN excluded.number = 0 THEN exchanged.number ELSE excluded.number END,
		formed = CASE WHEN excluded.formed = 0 THEN exchanged.formed ELSE excluded.formed END`, record, v.Number, formed)
	return err
}

// newest runs put unless a newer state of the record came already.
func (im *Import) newest(record string, v Version, put func() (RowChange, error)) (RowChange, error) {
	old, err := im.t.outdated(record, v)
	if err != nil {
		return "", err
	}
	if old {
		return RowOlder, nil
	}
	change, err := put()
	if err != nil {
		return "", err
	}
	return im.done(change, im.t.exchanged(record, v))
}

// Partner makes or changes a client of an accounting system and its persons.
// Addresses and phones are added to those that are there. It gives the key
// under which the client is kept, which is that of Found if it has one.
func (im *Import) Partner(row PartnerRow) (key string, change RowChange, err error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := required("id", row.ID, 200); err != nil {
		return "", "", err
	}
	t := im.t
	id, err := t.saved("clients", row.ID)
	if err != nil {
		return "", "", err
	}
	old := Client{ExternalID: row.ID}
	if id = cmp.Or(id, row.Found); id != 0 {
		if old, err = t.client(id); err != nil {
			return "", "", err
		}
	}
	record := "client " + row.ID
	older, err := t.outdated(record, row.Version)
	if err != nil {
		return "", "", err
	}
	if change, err = im.partner(row, id, old, older); err == nil && !older {
		err = t.exchanged(record, row.Version)
	}
	change, err = im.done(change, err)
	return cmp.Or(old.ExternalID, row.ID), change, err
}

// partner writes a client that has the ID, 0 for a new one, and is old now.
// An older state of it only fills what is lacking: orders tell more or less of
// their clients.
func (im *Import) partner(row PartnerRow, id int64, old Client, older bool) (RowChange, error) {
	t := im.t
	client := row.ClientRow
	if id != 0 {
		client.Emails, client.Phones = together(old.Emails, client.Emails), together(old.Phones, client.Phones)
		if old.ExternalID == "" {
			if _, err := t.exec(`UPDATE clients SET external_id = $1 WHERE id = $2`, row.ID, id); err != nil {
				return "", err
			}
		}
		if older || old.ExternalID != row.ID {
			client.ID, client.Name = cmp.Or(old.ExternalID, row.ID), old.Name
			filled := map[string]string{}
			for k, v := range client.Attributes {
				filled[k] = cmp.Or(old.Attributes[k], v)
			}
			client.Attributes = filled
		}
	}
	change, err := im.Client(client)
	if err != nil {
		return "", err
	}
	if id == 0 && len(row.Persons) > 0 {
		if id, err = t.saved("clients", client.ID); err != nil {
			return "", err
		}
	}
	for _, p := range row.Persons {
		c, err := im.partnersPerson(id, p)
		if err != nil {
			return "", err
		}
		if change == RowUnchanged && c != RowUnchanged {
			change = RowChanged
		}
	}
	return change, nil
}

// partnersPerson makes or completes a person of a client: one with this key,
// else one of the client's without a key who has the name.
func (im *Import) partnersPerson(client int64, row PersonRow) (RowChange, error) {
	t := im.t
	p := Person{ExternalID: row.ID, ClientID: client, Name: strings.TrimSpace(clean(row.Name)), Position: clip(strings.TrimSpace(clean(row.Position)), 500), Phones: tidy(row.Phones, 60)}
	if err := firstFault(required("person", row.ID, 200), required("person", p.Name, 500)); err != nil {
		return "", err
	}
	var err error
	if p.Emails, err = addresses("emails", row.Emails); err != nil {
		return "", err
	}
	found, err := t.persons("p.external_id = $1 OR p.client_id = $2 AND p.external_id IS NULL AND p.name = $3", "", row.ID, client, p.Name)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		id, err := t.saved("persons", row.ID) // one that was merged
		if err != nil {
			return "", err
		}
		return t.savePerson(im.actor, id, &p)
	}
	old := found[0]
	if i := slices.IndexFunc(found, func(one Person) bool { return one.ExternalID == row.ID }); i >= 0 {
		old = found[i]
	}
	// What a manager typed stays; an import adds.
	p.ClientID, p.Position = old.ClientID, cmp.Or(old.Position, p.Position)
	p.Emails, p.Phones = together(old.Emails, p.Emails), together(old.Phones, p.Phones)
	return t.savePerson(im.actor, old.ID, &p)
}

// together is what is there and then what is new; nil where nothing is said.
func together(old, new []string) []string {
	if new == nil {
		return nil
	}
	out := slices.Clone(old)
	for _, one := range new {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// Order makes or changes a deal whole: its lines are those of the row, and no
// others. An order that is cancelled and unknown here makes no deal, but an
// older state of it that comes later makes none either.
func (im *Import) Order(row OrderRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := required("id", row.ID, 200); err != nil {
		return "", err
	}
	for _, l := range row.Lines {
		if err := firstFault(required("line", l.ID, 200), required("item", strings.TrimSpace(clean(l.Item)), 1000)); err != nil {
			return "", err
		}
		if l.Price < 0 || l.Amount < 0 {
			return "", invalid("line", "%q has a negative sum", clip(l.Item, 80))
		}
	}
	return im.newest("order "+row.ID, row.Version, func() (RowChange, error) {
		change, err := im.order(row)
		if err != nil || change == RowUnchanged {
			return change, err
		}
		if _, err := im.t.forgetKept(AboutDeal, row.ID); err != nil {
			return "", err
		}
		given := Given{}
		if im.given != nil {
			given = *im.given
		}
		more, err := im.noteSums(AboutDeal, row.ID, row.Amount, row.Made, given)
		im.differing += more
		return change, err
	})
}

func (im *Import) order(row OrderRow) (RowChange, error) {
	t := im.t
	client, err := t.named("clients", "client", row.Client)
	if err != nil {
		return "", err
	}
	if row.Status == string(Cancelled) && (client == 0 || row.Date == "") {
		id, err := t.saved("deals", row.ID)
		if err != nil || id == 0 {
			return RowUnchanged, err
		}
		old, err := t.deal(id)
		if err != nil {
			return "", err
		}
		client, row.DealRow = old.ClientID, DealRow{ID: row.ID, Number: old.Number, Date: old.Date, Amount: old.Amount, Status: row.Status}
		row.Lines = nil
	}
	known := map[EventKind]bool{Payment: row.PaymentKnown, Shipment: row.ShipmentKnown}
	change, err := im.deal(row.DealRow, client, known)
	if err != nil || row.Lines == nil {
		return change, err
	}
	id, err := t.saved("deals", row.ID)
	if err != nil {
		return "", err
	}
	moved, err := t.setLines("deal_id", id, row.Lines, change == RowNew)
	if err != nil {
		return "", err
	}
	if change == RowUnchanged && moved {
		change, err = RowChanged, t.touchDeal(id)
	}
	return change, err
}

// setLines makes the lines of a deal or a document (column deal_id or
// document_id) these and no others; fresh means that it has none yet. It reports
// whether anything changed.
func (t *tx) setLines(column string, owner int64, rows []LineRow, fresh bool) (bool, error) {
	old := map[string]Line{}
	if !fresh {
		found, err := t.lines(column+" = $1", owner)
		if err != nil {
			return false, err
		}
		for _, l := range found {
			old[cmp.Or(l.ExternalID, idText(l.ID))] = l
		}
	}
	changed := false
	for _, row := range rows {
		l := Line{ExternalID: row.ID, Item: strings.TrimSpace(clean(row.Item)), Article: clip(clean(row.Article), 200),
			Quantity: clip(clean(row.Quantity), 40), Unit: clip(clean(row.Unit), 40), Price: row.Price, Amount: row.Amount}
		if column == "deal_id" {
			l.DealID = owner
		} else {
			l.DocumentID = owner
		}
		was, there := old[row.ID]
		delete(old, row.ID)
		l.ID, l.Cost = was.ID, cmp.Or(row.Cost, was.Cost)
		switch {
		case there && l == was:
			continue
		case there:
			if _, err := t.exec(`DELETE FROM lines WHERE id = $1`, was.ID); err != nil {
				return false, err
			}
		}
		if _, err := t.exec(`INSERT INTO lines (external_id, `+column+`, item, article, quantity, unit, price, amount, cost) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			l.ExternalID, owner, l.Item, l.Article, l.Quantity, l.Unit, l.Price, l.Amount, l.Cost); err != nil {
			return false, err
		}
		changed = true
	}
	for _, l := range old {
		if _, err := t.exec(`DELETE FROM lines WHERE id = $1`, l.ID); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// NewestDocument is Document, unless a newer state of the document came.
func (im *Import) NewestDocument(row DocumentRow, v Version) (RowChange, error) {
	return im.newest("document "+strings.TrimSpace(clean(row.ID)), v, func() (RowChange, error) { return im.Document(row) })
}

// Withdraw takes back a document that the accounting system has marked as
// deleted or not posted, unless a newer state of it came. An unknown one is
// no fault.
func (im *Import) Withdraw(externalID string, v Version) (RowChange, error) {
	externalID = strings.TrimSpace(clean(externalID))
	if err := required("id", externalID, 200); err != nil {
		return "", err
	}
	return im.newest("document "+externalID, v, func() (RowChange, error) {
		t := im.t
		waited, err := t.dropQuestions(`kind = $1 AND key = $2`, string(AboutDocument), externalID)
		if err != nil {
			return "", err
		}
		found, err := t.documents("external_id = $1", externalID)
		switch {
		case err != nil:
			return "", err
		case len(found) == 0 && waited:
			return RowChanged, nil
		case len(found) == 0:
			return RowUnchanged, nil
		}
		d := found[0]
		for _, query := range []string{`DELETE FROM settlements WHERE document_id = $1`, `DELETE FROM lines WHERE document_id = $1`, `DELETE FROM documents WHERE id = $1`} {
			if _, err := t.exec(query, d.ID); err != nil {
				return "", err
			}
		}
		if d.DealID == 0 {
			return RowChanged, nil
		}
		c := changes{}
		c.note(string(d.Kind), d.Number+" "+string(d.Date)+" "+d.Amount.Plain()+" "+d.Amount.Currency, "")
		if err := t.remember(im.actor, "deal", d.DealID, "changed", c); err != nil {
			return "", err
		}
		return RowChanged, t.cover(d.DealID)
	})
}

// Note keeps in the history of a deal or client what a paper says that is no
// record of ours. The same note twice stays one.
func (im *Import) Note(row NoteRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := firstFault(required("id", row.ID, 200), required("title", row.Title, 200)); err != nil {
		return "", err
	}
	return im.keep(AboutNote, row.ID, row, func() (RowChange, error) {
		t := im.t
		what := AboutDeal
		id, err := t.named("deals", "deal", row.Deal)
		if err == nil && id == 0 {
			what = AboutClient
			id, err = t.named("clients", "client", row.Client)
		}
		if err != nil {
			return "", err
		}
		if id == 0 {
			return "", invalid("client", "is missing, and so is the deal")
		}
		c := changes{}
		c.note(clip(clean(row.Title), 200), "", clean(row.Text))
		var one int
		err = t.row(`SELECT 1 FROM history WHERE what = $1 AND what_id = $2 AND verb = 'paper' AND changes = $3 LIMIT 1`, []any{string(what), id, asJSON(c)}, &one)
		if err == nil {
			return RowUnchanged, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", err
		}
		return RowNew, t.remember(im.actor, string(what), id, "paper", c)
	})
}

// paperNotes are the newest hundred notes of a deal or client.
func (t *tx) paperNotes(what QuestionKind, id int64) ([]PaperNote, error) {
	var out []PaperNote
	err := t.rows(`SELECT at, changes FROM history WHERE what = $1 AND what_id = $2 AND verb = 'paper' ORDER BY id DESC LIMIT 100`, []any{string(what), id},
		func(scan func(...any) error) error {
			var at time.Time
			var c changes
			if err := scan(timeInto{&at}, jsonInto{&c}); err != nil {
				return err
			}
			for title, text := range c {
				out = append(out, PaperNote{at, title, text[1]})
			}
			return nil
		})
	return out, err
}
