package store

import (
	"context"
	"fmt"
	"slices"
)

// OpenDealPage gives a page of open deals; next is where it ended, zero when
// it is the last one.
func (s *Store) OpenDealPage(ctx context.Context, q DealList) (out []OpenDeal, next DealPlace, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 500)
	c := conditions{parts: []string{"d.status <> 'cancelled'"}}
	s.openDealConditions(&c, &q.DealSelection)
	sum := func(kinds string) string {
		return `(SELECT COALESCE(SUM(CASE x.kind ` + kinds + ` ELSE 0 END), 0) FROM documents x WHERE x.deal_id = d.id AND x.currency = d.currency)`
	}
	left := map[EventKind]string{
		Shipment: "d.amount > " + sum("WHEN 'shipment' THEN x.amount WHEN 'return' THEN -x.amount"),
		Payment:  "d.amount > " + sum("WHEN 'payment' THEN x.amount"),
	}
	if condition, ok := left[q.Left]; ok {
		c.add(condition)
	} else {
		c.add("(" + left[Shipment] + " OR " + left[Payment] + ")")
	}
	if text := fold(clip(q.Text, 200)); text != "" {
		c.add(`(cl.folded LIKE ? ESCAPE '\' OR d.number = ?)`, "%"+likeEscaper.Replace(text)+"%", clip(q.Text, 200))
	}
	loc := q.Viewer.Location()
	if q.Overdue {
		c.add(`EXISTS (SELECT 1 FROM deal_events e WHERE e.deal_id = d.id AND e.state IN ('planned', 'postponed') AND e.known AND `+eventDay+` <> '' AND `+eventDay+` < ?)`,
			string(DateOf(s.now(), loc)))
	}
	from := `SELECT d.id AS id, d.date AS date, COALESCE((SELECT MIN(` + eventDay + `) FROM deal_events e WHERE e.deal_id = d.id AND e.state IN ('planned', 'postponed') AND ` +
		eventDay + ` <> ''), '` + string(noDay) + `') AS next FROM deals d JOIN clients cl ON cl.id = d.client_id` + c.where()
	var place conditions
	place.args = c.args
	if q.After.ID != 0 {
		place.add("(o.next, o.date, o.id) > (?, ?, ?)", string(q.After.Next), string(q.After.Date), q.After.ID)
	}
	var ids []int64
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT o.id FROM (`+from+`) o`+place.where()+fmt.Sprintf(" ORDER BY o.next, o.date, o.id LIMIT %d", limit+1), place.args, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
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
