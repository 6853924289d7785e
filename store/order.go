package store

import "time"

// Version says which state of a record another system sends. A larger Number
// is newer; where one of two states has none, the file formed later is.
type Version struct {
	Number int64     // 0: not said
	Formed time.Time // of the file; zero: not said
}

// before reports whether v is certainly older than what came already.
func (v Version) before(last Version) bool {
	if v.Number != 0 && last.Number != 0 && v.Number != last.Number {
		return v.Number < last.Number
	}
	return !v.Formed.IsZero() && !last.Formed.IsZero() && v.Formed.Before(last.Formed)
}

// PartnerRow is a client as an accounting system knows it, with its persons.
// The keys of persons' clients are filled in.
type PartnerRow struct {
	ClientRow
	Version Version
	// Found is the client that has this one's tax number under another key:
	// its ID, 0 for none. What it lacks is filled, what it has stays.
	Found   int64
	Persons []PersonRow
}

// OrderRow is a whole order of an accounting system. A cancelled one may lack
// everything but its ID.
type OrderRow struct {
	DealRow
	Version Version
	Lines   []LineRow // all of them; nil: not said
	// What the lines make with taxes and discounts, where that is another sum
	// than Amount; nil: they add up.
	Made *Money
	// Whether the system says what has been paid and shipped. What it does not
	// say is unknown, not false (rules.md section 4).
	PaymentKnown, ShipmentKnown bool
}

// TaxNumber is a client's INN and KPP as its attributes say them.
type TaxNumber struct {
	ClientID int64
	INN, KPP string
}

// Attributes of clients that hold tax numbers.
const (
	AttributeINN = "ИНН"
	AttributeKPP = "КПП"
)
