package store

import (
	"slices"
	"time"
)

// ItemType is what kind of thing stands in a calendar or agenda.
type ItemType string

const (
	ContactItem  ItemType = "contact"
	ShipmentItem ItemType = "shipment"
	PaymentItem  ItemType = "payment"
)

// Item is one line of an agenda or one entry of a calendar: a contact, or an
// event of a deal. Exactly one of Contact and Event is set; Deal is the
// event's deal, or the contact's when it has one.
type Item struct {
	Type     ItemType
	Contact  *Contact
	Event    *DealEvent
	Deal     *Deal
	Managers []int64 // whose calendars it belongs to

	ClientID   int64
	ClientName string
	Class      string // the client's ABC; "" none
	Stage      string // the client's
	Variation  string // the client's XYZ; "" none
	Importance Importance
	Status     Status // at the moment of the query, in the viewer's zone
	When       Span

	attributes string // the client's, JSON
}

// ItemKey names an item in one word: "c12" for contact 12, "e7" for event 7.
type ItemKey struct {
	Event bool
	ID    int64
}

// Key names the item.
func (it *Item) Key() ItemKey {
	if it.Event != nil {
		return ItemKey{Event: true, ID: it.Event.ID}
	}
	return ItemKey{ID: it.Contact.ID}
}

// State is the decision of people about it.
func (it *Item) State() State {
	if it.Event != nil {
		return it.Event.State
	}
	return it.Contact.State
}

// component is what the item was written as.
func (it *Item) component() Component {
	if it.Contact != nil {
		return it.Contact.component
	}
	return VEvent
}

// StatusAt is the item's status at a moment for a manager in loc.
func (it *Item) StatusAt(loc *time.Location, at time.Time) Status {
	if it.Event != nil {
		return it.Event.Status(loc, at)
	}
	return it.Contact.Status(loc, at)
}

// turns is the next moment after at when time alone changes the item's status
// for a manager in loc; zero: never.
func (it *Item) turns(loc *time.Location, at time.Time) time.Time {
	if it.Event != nil {
		if !it.Event.Known && it.Event.State == Planned {
			return time.Time{}
		}
		return StatusTurns(it.Event.State, it.Event.When(loc), it.Event.PostponedT, loc, at)
	}
	return StatusTurns(it.Contact.State, it.Contact.passes(), it.Contact.PostponedT, loc, at)
}

// WhenIn is the item's span for a manager in loc: whole days are placed in
// the zone of the one who looks.
func (it *Item) WhenIn(loc *time.Location) Span {
	if it.Event != nil {
		return it.Event.When(loc)
	}
	if w := it.Contact.When; w.AllDay {
		return Days(w.First, w.Last, loc)
	}
	return it.Contact.When
}

func among[T comparable](set []T, v T) bool { return len(set) == 0 || slices.Contains(set, v) }
