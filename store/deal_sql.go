package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

const dealColumns = `d.id, d.external_id, d.number, d.date, d.client_id, cl.name, d.manager_id, d.amount, d.currency, d.cost, d.cost IS NOT NULL,
	d.status, d.source_id, d.shipment_known, d.payment_known, d.created, d.changed, d.version`

// into is where a row of dealColumns is scanned to.
func (d *Deal) into() []any {
	return []any{&d.ID, textInto{&d.ExternalID}, &d.Number, &d.Date, &d.ClientID, &d.ClientName, idInto{&d.ManagerID}, &d.Amount.Minor, &d.Amount.Currency,
		idInto{&d.Cost}, &d.CostKnown, &d.Status, idInto{&d.SourceID}, &d.ShipmentKnown, &d.PaymentKnown, timeInto{&d.Created}, timeInto{&d.Changed}, &d.Version}
}

func (t *tx) deals(tail string, args ...any) ([]Deal, error) {
	var out []Deal
	err := t.rows(`SELECT `+dealColumns+` FROM deals d JOIN clients cl ON cl.id = d.client_id `+tail, args, func(scan func(...any) error) error {
		var d Deal
		if err := scan(d.into()...); err != nil {
			return err
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

func (t *tx) deal(id int64) (Deal, error) {
	found, err := t.deals("WHERE d.id = $1", id)
	if err != nil {
		return Deal{}, err
	}
	if len(found) == 0 {
		return Deal{}, ErrNotFound
	}
	return found[0], nil
}

// documented is what documents of a deal say of one kind, in its currency: the
// sum less returns, and the newest date. Sums in other currencies count at the
// rate of their day; one without a rate does not.
func (t *tx) documented(d *Deal, kind EventKind) (sum int64, last Date, err error) {
	less := ""
	if kind == Shipment {
		less = string(ReturnDoc)
	}
	foreign := 0
	err = t.row(`SELECT CAST(COALESCE(SUM(CASE WHEN currency <> $4 THEN 0 WHEN kind = $2 THEN amount ELSE -amount END), 0) AS BIGINT),
		COALESCE(MAX(CASE WHEN kind = $2 THEN date END), ''), COUNT(CASE WHEN currency <> $4 THEN 1 END)
		FROM documents WHERE deal_id = $1 AND kind IN ($2, $3)`, []any{d.ID, string(kind), less, d.Amount.Currency}, &sum, &last, &foreign)
	if err != nil || foreign == 0 {
		return sum, last, err
	}
	docs, err := t.documents(`deal_id = $1 AND kind IN ($2, $3) AND currency <> $4`, d.ID, string(kind), less, d.Amount.Currency)
	for _, doc := range docs {
		m, err := t.convert(doc.Amount, d.Amount.Currency, doc.Date)
		var lack *Lacking
		switch {
		case errors.As(err, &lack):
		case err != nil:
			return 0, "", err
		case doc.Kind == ReturnDoc:
			sum -= m.Minor
		default:
			sum += m.Minor
		}
	}
	return sum, last, err
}

func (t *tx) dealTotals(d *Deal) (DealTotals, error) {
	shipped, _, err := t.documented(d, Shipment)
	if err != nil {
		return DealTotals{}, err
	}
	paid, _, err := t.documented(d, Payment)
	return newDealTotals(d, shipped, paid), err
}

// Deal's page; ErrNotFound where the viewer may not know of it.
func (s *Store) Deal(ctx context.Context, viewer Manager, id int64) (card DealCard, err error) {
	err = s.read(ctx, func(t *tx) error {
		if card.Deal, err = t.deal(id); err != nil {
			return err
		}
		if card.Client, err = t.client(card.Deal.ClientID); err != nil {
			return err
		}
		if card.Deal.ManagerID != viewer.ID {
			if err := t.seesClient(viewer, card.Client); err != nil {
				return err
			}
		}
		items, err := t.eventItems("WHERE e.deal_id = $1 AND e.state <> 'cancelled' ORDER BY e.due, e.id", id)
		if err != nil {
			return err
		}
		for _, it := range items {
			card.Events = append(card.Events, *it.Event)
		}
		if card.Lines, err = t.lines("deal_id = $1", id); err != nil {
			return err
		}
		if card.Documents, err = t.documents("deal_id = $1 ORDER BY date, id", id); err != nil {
			return err
		}
		if card.Notes, err = t.paperNotes(AboutDeal, id); err != nil {
			return err
		}
		if card.Moved, err = t.lines("document_id IN (SELECT id FROM documents WHERE deal_id = $1 AND kind IN ('shipment', 'return'))", id); err != nil {
			return err
		}
		if card.Totals, err = t.dealTotals(&card.Deal); err != nil {
			return err
		}
		card.Open = card.Deal.Status != "cancelled" && (card.Totals.LeftToShip > 0 || card.Totals.LeftToPay > 0)
		if card.Others, err = t.deals("WHERE d.client_id = $1 AND d.id <> $2 ORDER BY d.date DESC, d.id DESC LIMIT 100", card.Client.ID, id); err != nil {
			return err
		}
		card.Balance, err = t.balance(card.Client.ID)
		return err
	})
	if err != nil {
		return DealCard{}, err
	}
	return card, nil
}

func (t *tx) lines(where string, args ...any) ([]Line, error) {
	var out []Line
	err := t.rows(`SELECT id, external_id, deal_id, document_id, item, article, quantity, unit, price, amount, cost FROM lines WHERE `+where+` ORDER BY id`, args,
		func(scan func(...any) error) error {
			var l Line
			if err := scan(&l.ID, textInto{&l.ExternalID}, idInto{&l.DealID}, idInto{&l.DocumentID}, &l.Item, &l.Article, &l.Quantity, &l.Unit, &l.Price, &l.Amount, &l.Cost); err != nil {
				return err
			}
			out = append(out, l)
			return nil
		})
	return out, err
}

func (t *tx) documents(tail string, args ...any) ([]Document, error) {
	var out []Document
	err := t.rows(`SELECT id, external_id, kind, number, date, deal_id, client_id, amount, currency, cost, cost IS NOT NULL, tax, tax IS NOT NULL FROM documents WHERE `+tail, args,
		func(scan func(...any) error) error {
			var d Document
			if err := scan(&d.ID, textInto{&d.ExternalID}, &d.Kind, &d.Number, &d.Date, idInto{&d.DealID}, &d.ClientID, &d.Amount.Minor, &d.Amount.Currency,
				idInto{&d.Cost}, &d.CostKnown, idInto{&d.Tax}, &d.TaxKnown); err != nil {
				return err
			}
			out = append(out, d)
			return nil
		})
	return out, err
}

// cover shares the deal's documents among its events (rules.md section 4).
func (t *tx) cover(dealID int64) error {
	d, err := t.deal(dealID)
	if err != nil {
		return err
	}
	for _, kind := range []EventKind{Shipment, Payment} {
		items, err := t.eventItems("WHERE e.deal_id = $1 AND e.kind = $2 AND e.state <> 'cancelled'", dealID, string(kind))
		if err != nil {
			return err
		}
		if len(items) == 0 {
			continue
		}
		events := make([]DealEvent, len(items))
		for i, it := range items {
			events[i] = *it.Event
		}
		slices.SortStableFunc(events, func(a, b DealEvent) int { return cmp.Or(cmp.Compare(a.Day(), b.Day()), cmp.Compare(a.ID, b.ID)) })
		sum, last, err := t.documented(&d, kind)
		if err != nil {
			return err
		}
		for _, e := range coverEvents(events, sum, last.In(time.UTC)) {
			if _, err := t.exec(`UPDATE deal_events SET covered = $1, state = $2, completed = $3, changed = $4, version = version + 1 WHERE id = $5`,
				e.Covered, string(e.State), unix(e.Completed), t.now.Unix(), e.ID); err != nil {
				return err
			}
			if err := t.happens(Actor{}, "deal", dealID, "changed", nil); err != nil {
				return err
			}
		}
	}
	return t.touchDeal(dealID)
}

// EditEvent changes a deal's event; version 0 means whatever it is now, else
// ErrStale when it differs.
func (s *Store) EditEvent(ctx context.Context, actor Actor, id, version int64, e EventEdit) (out DealEvent, err error) {
	err = s.writeAgain(ctx, func(t *tx) error {
		if err := t.lock("deal_events", id); err != nil {
			return err
		}
		it, err := t.item(ItemKey{Event: true, ID: id})
		if err != nil {
			return err
		}
		if err := t.mayEdit(actor, &it); err != nil {
			return err
		}
		if version != 0 && version != it.Event.Version {
			return ErrStale
		}
		out, err = t.editEvent(actor, it, e)
		return err
	})
	return out, err
}

// editEvent writes what the edit changes. A new date is kept as expected
// beside due: the event belongs to the accounting system (design.md).
func (t *tx) editEvent(actor Actor, it Item, edit EventEdit) (DealEvent, error) {
	old, e := *it.Event, *it.Event
	if edit.Expected != nil && *edit.Expected != e.Day() {
		if _, err := ParseDate(string(*edit.Expected)); err != nil {
			return e, invalid("expected", "%v", err)
		}
		if e.Expected, e.ExpectSet = *edit.Expected, t.now; e.Expected == e.Due {
			e.Expected, e.ExpectSet = "", time.Time{} // moved back: nothing is moved
		}
	}
	if edit.Note != nil {
		e.Note = clip(clean(*edit.Note), maxBody)
	}
	if edit.State != nil && *edit.State != e.State {
		e.State, e.Completed, e.PostponedT = *edit.State, time.Time{}, time.Time{}
		switch e.State {
		case Done:
			e.Completed = t.now
		case Postponed:
			e.PostponedT = t.now
		case Planned, Cancelled:
		default:
			return e, invalid("state", "%q is none of planned, postponed, done, cancelled", clip(string(e.State), 40))
		}
	}
	if edit.back != nil {
		e.Expected, e.ExpectSet, e.Completed, e.PostponedT = edit.back.Expected, edit.back.ExpectSet, edit.back.Completed, edit.back.PostponedT
	}
	d := changes{}
	d.note("state", string(old.State), string(e.State))
	d.note("expected", string(old.Day()), string(e.Day()))
	d.note("note", old.Note, e.Note)
	if len(d) == 0 {
		return old, nil
	}
	_, err := t.exec(`UPDATE deal_events SET expected = $1, expect_set = $2, note = $3, state = $4, completed = $5, postponed = $6, changed = $7, version = version + 1 WHERE id = $8`,
		string(e.Expected), unix(e.ExpectSet), e.Note, string(e.State), unix(e.Completed), unix(e.PostponedT), t.now.Unix(), e.ID)
	if err != nil {
		return e, err
	}
	if err := t.placeDeal(e.DealID); err != nil {
		return e, err
	}
	verb := editVerb(old.State, e.State, d)
	if _, ok := d["expected"]; ok && old.State == e.State {
		verb = "moved"
	}
	if edit.back != nil {
		verb = "undone"
	}
	if err := t.remember(actor, "event", e.ID, verb, d); err != nil {
		return e, err
	}
	t.touch(it.Key())
	e.Version++
	return e, nil
}

// applyEvent is a calendar write on a deal's event: a new date, a new state, a
// note. The rest is the accounting system's and is rendered again.
func (t *tx) applyEvent(actor Actor, col Collection, it Item, moved bool, w *CalendarWrite) error {
	state := stateAfter(it.Event.State, moved, &col, w.Status, w.Component)
	note := w.Note
	e := EventEdit{State: &state, Note: &note}
	if !w.When.IsZero() {
		loc := time.UTC
		if m, err := t.manager("m.id = $1", actor.ManagerID); err == nil {
			loc = m.Location()
		}
		day := DateOf(w.When.Begins(loc), loc)
		if w.Component == VTodo && w.When.AllDay {
			day = w.When.Last
		}
		e.Expected = &day
	}
	_, err := t.editEvent(actor, it, e)
	return err
}
