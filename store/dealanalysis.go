package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/govalues/decimal"
)

// LineTotal is one thing that was ordered or shipped, with its quantities as
// decimal texts.
type LineTotal struct {
	Item, Article, Unit    string
	Ordered, Shipped, Left string
	// ShippedKnown: documents say what of it was shipped. OrderedKnown: the
	// quantities of the order are numbers.
	OrderedKnown, ShippedKnown bool
}

// Of reports whether the line is of this thing: the same article, else the same
// name, in the same unit.
func (t *LineTotal) Of(l *Line) bool {
	return t.Unit == l.Unit && t.Article == l.Article && (l.Article != "" || strings.EqualFold(t.Item, l.Item))
}

// LineTotals are the lines of the deal against those of its shipments, less
// returns: things are the same by their article, else by their name. A
// shipment without lines leaves what of them was shipped unknown.
func (c *DealCard) LineTotals() []LineTotal {
	known := c.Totals.ShippedKnown
	returned, listed := map[int64]bool{}, map[int64]bool{}
	for _, l := range c.Moved {
		listed[l.DocumentID] = true
	}
	for _, d := range c.Documents {
		if d.Kind == ShipmentDoc || d.Kind == ReturnDoc {
			returned[d.ID] = d.Kind == ReturnDoc
			known = known && listed[d.ID]
		}
	}
	type sums struct {
		LineTotal
		ordered, shipped decimal.Decimal
	}
	var all []*sums
	of := map[string]*sums{}
	find := func(l *Line) *sums {
		key := cmp.Or(l.Article, "\x00"+strings.ToLower(l.Item)) + "\x00" + l.Unit // as Of compares
		s := of[key]
		if s == nil {
			s = &sums{LineTotal: LineTotal{Item: l.Item, Article: l.Article, Unit: l.Unit, OrderedKnown: true, ShippedKnown: known}}
			of[key], all = s, append(all, s)
		}
		return s
	}
	for i := range c.Lines {
		s := find(&c.Lines[i])
		s.OrderedKnown = plus(&s.ordered, c.Lines[i].Quantity, false) && s.OrderedKnown
	}
	for i := range c.Moved {
		s := find(&c.Moved[i])
		s.ShippedKnown = plus(&s.shipped, c.Moved[i].Quantity, returned[c.Moved[i].DocumentID]) && s.ShippedKnown
	}
	out := make([]LineTotal, len(all))
	for i, s := range all {
		left, err := s.ordered.Sub(s.shipped)
		if err != nil || left.IsNeg() {
			left = decimal.Zero
		}
		s.Ordered, s.Shipped, s.Left = s.ordered.Trim(0).String(), s.shipped.Trim(0).String(), left.Trim(0).String()
		out[i] = s.LineTotal
	}
	return out
}

// plus adds a quantity as it was given, or takes it away; false: it is no
// number.
func plus(to *decimal.Decimal, quantity string, less bool) bool {
	q, err := parseSum(quantity)
	if err != nil {
		return false
	}
	if less {
		q = q.Neg()
	}
	sum, err := to.Add(q)
	if err != nil {
		return false
	}
	*to = sum
	return true
}

// DealDebt is what the client owes of a deal, in minor units of its currency.
type DealDebt struct {
	// Prepayment: payments expected before the first planned shipment, and paid
	// before the first real one.
	Demanded, Received           int64
	DemandedKnown, ReceivedKnown bool
	// Debt is shipped less paid, never below 0. Overdue is what of it should
	// have been paid by now; Permitted the rest, whose day is still to come.
	Debt, Overdue, Permitted int64
	DebtKnown, OverdueKnown  bool
	// Since is the day of the first payment that is overdue; "" without one.
	Since Date
}

// Debt says what the data know of the deal's debt at a moment. Without a
// planned payment it is not known when the debt becomes overdue.
func (c *DealCard) Debt(loc *time.Location, at time.Time) DealDebt {
	t := &c.Totals
	d := DealDebt{Debt: max(t.Shipped-t.Paid, 0), DebtKnown: t.ShippedKnown && t.PaidKnown, ReceivedKnown: t.PaidKnown}
	first := func(days []Date) Date {
		if len(days) == 0 {
			return ""
		}
		return slices.Min(days)
	}
	var planned, shipped []Date
	for i := range c.Events {
		if e := &c.Events[i]; e.Kind == Shipment && e.Day() != "" {
			planned = append(planned, e.Day())
		}
	}
	for _, x := range c.Documents {
		if x.Kind == ShipmentDoc {
			shipped = append(shipped, x.Date)
		}
	}
	d.DemandedKnown = len(planned) > 0
	var due int64
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind != Payment || e.Day() == "" {
			continue
		}
		if d.DemandedKnown && e.Day() < first(planned) {
			d.Demanded += e.Amount
		}
		d.OverdueKnown = d.DebtKnown
		if e.Status(loc, at) == StatusOverdue {
			due += e.Amount - e.Covered
			if d.Since == "" || e.Day() < d.Since {
				d.Since = e.Day()
			}
		}
	}
	for _, x := range c.Documents {
		if x.Kind == PaymentDoc && x.Amount.Currency == t.Currency && (len(shipped) == 0 || x.Date < first(shipped)) {
			d.Received += x.Amount.Minor
		}
	}
	d.OverdueKnown = d.OverdueKnown || d.DebtKnown && d.Debt == 0
	d.Overdue = min(d.Debt, due)
	d.Permitted = d.Debt - d.Overdue
	return d
}
