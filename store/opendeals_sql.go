package store

import (
	"context"
	"fmt"
	"slices"
)

// The kinds of documents that add to what was shipped of a deal, and to what
// was paid.
const (
	shippedKinds = "WHEN 'shipment' THEN x.amount WHEN 'return' THEN -x.amount"
	paidKinds    = "WHEN 'payment' THEN x.amount"
)

// documentSum is what a deal's documents of its currency add up to.
func documentSum(deal, kinds string) string {
	return `(SELECT COALESCE(SUM(CASE x.kind ` + kinds + ` ELSE 0 END), 0) FROM documents x WHERE x.deal_id = ` + deal + `.id AND x.currency = ` + deal + `.currency)`
}

// openNext is the day that deals.open_next keeps: of the next event of an open
// deal, noDay where none has a day, "" when the deal is not open. It is written
// whenever a deal, its documents or its events change.
var openNext = `CASE WHEN status = 'cancelled' THEN ''
	WHEN amount > ` + documentSum("deals", shippedKinds) + ` OR amount > ` + documentSum("deals", paidKinds) + `
	THEN COALESCE((SELECT MIN(` + eventDay + `) FROM deal_events e WHERE e.deal_id = deals.id AND e.state IN ('planned', 'postponed') AND ` + eventDay + ` <> ''), '` + string(noDay) + `')
	ELSE '' END`

// listedTo is the day that deals.listed_to keeps: up to which a calendar lists
// events of the deal, stillListed while one is planned or postponed, "" where it
// has none. It is written with openNext.
var listedTo = `COALESCE((SELECT CASE WHEN MAX(CASE WHEN e.state IN ('planned', 'postponed') THEN 1 ELSE 0 END) = 1 THEN '` + stillListed + `'
	ELSE MAX(` + eventDay + `) END FROM deal_events e WHERE e.deal_id = deals.id), '')`

// stillListed is behind all days.
const stillListed = "open"

// setPlace is what places a deal among the others.
var setPlace = "open_next = " + openNext + ", listed_to = " + listedTo

// placeDeal writes where a deal stands among the others. The deal is
// locked first: an UPDATE that had to wait would count the documents of before.
func (t *tx) placeDeal(id int64) error {
	if err := t.lockAll("deals", id); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE deals SET `+setPlace+` WHERE id = $1`, id)
	return err
}

// OpenDealPage gives a page of open deals; next is where it ended, zero when
// it is the last one.
func (s *Store) OpenDealPage(ctx context.Context, q DealList) (out []OpenDeal, next DealPlace, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 500)
	c := conditions{parts: []string{"d.open_next <> ''"}}
	s.openDealConditions(&c, &q.DealSelection)
	if q.Left == Shipment {
		c.add("d.amount > " + documentSum("d", shippedKinds))
	} else if q.Left == Payment {
		c.add("d.amount > " + documentSum("d", paidKinds))
	}
	if text := fold(clip(q.Text, 200)); text != "" {
		c.add(`(cl.folded LIKE ? ESCAPE '\' OR d.number = ?)`, "%"+likeEscaper.Replace(text)+"%", clip(q.Text, 200))
	}
	loc := q.Viewer.Location()
	if q.Overdue {
		c.add("d.open_next < ?", string(DateOf(s.now(), loc)))
		c.add(`EXISTS (SELECT 1 FROM deal_events e WHERE e.deal_id = d.id AND e.state IN ('planned', 'postponed') AND e.known AND `+eventDay+` <> '' AND `+eventDay+` < ?)`,
			string(DateOf(s.now(), loc)))
	}
	if q.After.ID != 0 {
		c.add("(d.open_next, d.date, d.id) > (?, ?, ?)", string(q.After.Next), string(q.After.Date), q.After.ID)
	}
	var ids []int64
	err = s.read(ctx, func(t *tx) (err error) {
		ids, err = t.numbers(`SELECT d.id FROM deals d JOIN clients cl ON cl.id = d.client_id`+c.where()+fmt.Sprintf(" ORDER BY d.open_next, d.date, d.id LIMIT %d", limit+1), c.args...)
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, next, err
	}
	more := len(ids) > limit
	ids = ids[:min(limit, len(ids))]
	err = s.OpenDeals(ctx, DealSelection{Viewer: q.Viewer, Deals: ids}, func(d *OpenDeal) error {
		out = append(out, *d)
		return nil
	})
	slices.SortFunc(out, func(a, b OpenDeal) int { return slices.Index(ids, a.Deal.ID) - slices.Index(ids, b.Deal.ID) })
	if more && len(out) > 0 {
		next = out[len(out)-1].place()
	}
	if q.Overdue { // some events are postponed, which is not overdue whatever their day
		out = slices.DeleteFunc(out, func(d OpenDeal) bool { return !d.overdue(loc, s.now()) })
	}
	return out, next, err
}
