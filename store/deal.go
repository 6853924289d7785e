package store

import "time"

// Deal is a customer order (сделка, заказ).
type Deal struct {
	ID         int64
	ExternalID string
	Number     string
	Date       Date
	ClientID   int64
	ClientName string
	ManagerID  int64 // 0: the client's
	Amount     Money
	Cost       int64 // minor units of Amount.Currency
	CostKnown  bool
	Status     string // as the accounting system says; "cancelled" ends it
	SourceID   int64
	// Whether the accounting system says what has been shipped and paid. Where
	// it does not, no documents are not "nothing" (rules.md section 4).
	ShipmentKnown, PaymentKnown bool

	Created time.Time
	Changed time.Time
	Version int64
}

// EventKind is what is expected of a deal.
type EventKind string

const (
	Shipment EventKind = "shipment"
	Payment  EventKind = "payment"
)

// DealEvent is a planned or past shipment or payment of a deal.
type DealEvent struct {
	ID         int64
	UID        string
	ExternalID string
	DealID     int64
	Kind       EventKind
	Due        Date // what the order says
	DueSet     time.Time
	DueBefore  Date // what the order said until DueSet; "" it never changed
	Expected   Date // where a manager moved it; "" nowhere
	ExpectSet  time.Time
	Amount     int64 // minor units of the deal's currency
	Covered    int64 // by documents of its kind, in order of date
	Known      bool  // false: the exchange does not say whether it happened
	State      State // planned, postponed, done, cancelled
	PostponedT time.Time
	Completed  time.Time
	Note       string
	Version    int64
}

// Day is when the event is expected: the later change of due and expected
// wins (rules.md section 4).
func (e *DealEvent) Day() Date {
	if e.Expected != "" && !e.ExpectSet.Before(e.DueSet) {
		return e.Expected
	}
	return e.Due
}

// Moved reports whether a manager or the accounting system has moved it.
func (e *DealEvent) Moved() bool { from := e.MovedFrom(); return from != "" && from != e.Day() }

// MovedFrom is the day from which it was moved: of a manager's move what the
// order says, else what the order said before; "" when it never was.
func (e *DealEvent) MovedFrom() Date {
	if e.Day() != e.Due {
		return e.Due
	}
	return e.DueBefore
}

// Partly reports whether documents cover some of it, but not all.
func (e *DealEvent) Partly() bool { return e.Covered > 0 && e.Covered < e.Amount }

// When is the event's day as a Span. Without a day it is zero.
func (e *DealEvent) When(loc *time.Location) Span {
	if d := e.Day(); d != "" {
		return Days(d, d, loc)
	}
	return Span{}
}

// Status of the event at a moment. An event of which nobody knows whether it
// happened is never overdue (rules.md section 4, "unknown is not false").
func (e *DealEvent) Status(loc *time.Location, at time.Time) Status {
	if e.State == Planned { // most are, and that is told without placing the day in time
		if d := e.Day(); d != "" && e.Known && DateOf(at, loc) > d {
			return StatusOverdue
		}
		return StatusCurrent
	}
	st := StatusAt(e.State, e.When(loc), e.PostponedT, loc, at)
	if st == StatusOverdue && !e.Known {
		return StatusCurrent
	}
	return st
}

// DocumentKind is what really happened.
type DocumentKind string

const (
	InvoiceDoc  DocumentKind = "invoice"
	ShipmentDoc DocumentKind = "shipment"
	PaymentDoc  DocumentKind = "payment"
	ReturnDoc   DocumentKind = "return"
)

// Document of the accounting system.
type Document struct {
	ID         int64
	ExternalID string
	Kind       DocumentKind
	Number     string
	Date       Date
	DealID     int64 // 0: of no deal
	ClientID   int64
	Amount     Money
	Cost       int64 // minor units; of a shipment or return
	CostKnown  bool
	Tax        int64 // minor units; the part of Amount that is tax
	TaxKnown   bool
}

// Movement is how the document moves what the client owes us.
func (d *Document) Movement() Money {
	switch d.Kind {
	case ShipmentDoc:
		return d.Amount
	case PaymentDoc, ReturnDoc:
		return Money{-d.Amount.Minor, d.Amount.Currency}
	}
	return Money{Currency: d.Amount.Currency}
}

// Line is one row of a deal or document.
type Line struct {
	ID         int64
	ExternalID string
	DealID     int64 // one of DealID and DocumentID
	DocumentID int64
	Item       string
	Article    string
	Quantity   string // decimal text, as given
	Unit       string
	Price      int64 // minor units
	Amount     int64
	Cost       int64
}

// Settlement is one movement of debt. Positive: the client owes us more.
type Settlement struct {
	Date       Date
	DocumentID int64
	DealID     int64
	Amount     Money
}

// DealTotals is the sum of a deal's documents against its order.
type DealTotals struct {
	Ordered, Shipped, LeftToShip int64
	ToPay, Paid, LeftToPay       int64
	Currency                     string
	// Whether it is known: the accounting system says so, or documents do.
	ShippedKnown, PaidKnown bool
}

// newDealTotals is what is left of a deal when documents of its currency say
// that so much was shipped, less returns, and paid.
func newDealTotals(d *Deal, shipped, paid int64) DealTotals {
	ordered := d.Amount.Minor
	return DealTotals{Ordered: ordered, Shipped: shipped, LeftToShip: max(ordered-shipped, 0), ToPay: ordered, Paid: paid, LeftToPay: max(ordered-paid, 0),
		Currency: d.Amount.Currency, ShippedKnown: d.ShipmentKnown || shipped != 0, PaidKnown: d.PaymentKnown || paid != 0}
}

// DealCard is everything that a deal's page shows.
type DealCard struct {
	Deal      Deal
	Client    Client
	Events    []DealEvent
	Lines     []Line
	Documents []Document
	Moved     []Line // of its shipments and returns
	Totals    DealTotals
	Open      bool // not cancelled, and something is left to ship or pay
	Others    []Deal
	Balance   []Money // of the client, one per currency
	Notes     []PaperNote
}

// PaperNote is a paper of the accounting system that is no Document of ours.
type PaperNote struct {
	At    time.Time // when it came
	Title string    // what it is called there
	Text  string    // number, day and sum
}

// ClientCard is everything that a client's page shows, its contacts apart.
type ClientCard struct {
	Client  Client
	Manager Manager
	Source  Source
	Persons []Person
	Deals   []Deal
	Planned []Item
	Balance []Money
	Classes []ClassRow // its dated history, newest first
}

// EventEdit changes what is not nil of a deal's event.
type EventEdit struct {
	Expected *Date
	State    *State
	Note     *string

	back *Undo // it was so before
}

// coverEvents shares the documented sum of one kind among that kind's events
// in order of their day, and sets Covered, State and Completed (rules.md
// section 4). docs is Σ documents of the kind less returns; last is the date
// of the newest of them. It returns the events that changed.
func coverEvents(events []DealEvent, docs int64, last time.Time) []DealEvent {
	var changed []DealEvent
	for _, e := range events {
		old := e
		e.Covered = min(max(docs, 0), e.Amount)
		docs -= e.Covered
		full := e.Amount > 0 && e.Covered == e.Amount
		switch {
		case full && e.State != Done && e.State != Cancelled:
			e.State, e.Completed = Done, last
		case !full && old.State == Done && e.Amount > 0:
			e.State, e.Completed = Planned, time.Time{}
		}
		if e.Covered != old.Covered || e.State != old.State {
			changed = append(changed, e)
		}
	}
	return changed
}
