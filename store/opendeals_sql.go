package store

import (
	"context"
	"fmt"
	"slices"
)

// stillListed is a deal's listed_to while one of its events is planned or
// postponed: behind all days.
const stillListed = "open"

// dealPlace is what of a deal is written whenever it, its documents or its events
// change: shipped and paid are what its documents of its currency add up to;
// open_next is the day of the next event of an open deal, noDay where none has a
// day, "" when the deal is not open; listed_to is the day up to which a calendar
// lists its events, or stillListed, "" where it has none.
var dealPlace = `(shipped, paid, open_next, listed_to) = (SELECT papers.shipped, papers.paid,
	CASE WHEN deals.status <> 'cancelled' AND (deals.amount > papers.shipped OR deals.amount > papers.paid) THEN COALESCE(days.next, '` + string(noDay) + `') ELSE '' END,
	CASE WHEN days.waiting = 1 THEN '` + stillListed + `' ELSE COALESCE(days.last, '') END
	FROM (SELECT CAST(COALESCE(SUM(CASE x.kind WHEN 'shipment' THEN x.amount WHEN 'return' THEN -x.amount ELSE 0 END), 0) AS BIGINT) AS shipped,
			CAST(COALESCE(SUM(CASE x.kind WHEN 'payment' THEN x.amount ELSE 0 END), 0) AS BIGINT) AS paid
			FROM documents x WHERE x.deal_id = deals.id AND x.currency = deals.currency) papers
		CROSS JOIN (SELECT MIN(CASE WHEN e.state IN ('planned', 'postponed') AND ` + eventDay + ` <> '' THEN ` + eventDay + ` END) AS next,
			MAX(CASE WHEN e.state IN ('planned', 'postponed') THEN 1 ELSE 0 END) AS waiting, MAX(` + eventDay + `) AS last
			FROM deal_events e WHERE e.deal_id = deals.id) days)`

// placeDeal writes where a deal stands among the others. The deal is
// locked first: an UPDATE that had to wait would count the documents of before.
func (t *tx) placeDeal(id int64) error {
	if err := t.lockAll("deals", id); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE deals SET `+dealPlace+` WHERE id = $1`, id)
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
		c.add("d.amount > d.shipped")
	} else if q.Left == Payment {
		c.add("d.amount > d.paid")
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
	out = inOrder(ids, out, func(o *OpenDeal) int64 { return o.Deal.ID })
	if more && len(out) > 0 {
		next = out[len(out)-1].place()
	}
	if q.Overdue { // some events are postponed, which is not overdue whatever their day
		out = slices.DeleteFunc(out, func(d OpenDeal) bool { return !d.overdue(loc, s.now()) })
	}
	return out, next, err
}
