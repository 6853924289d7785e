package store

import "time"

// Records as programs of others read them: with the names by which those know
// what a record refers to.

// Ref names a record by our number, by another system's key, or by both, which
// then must agree.
type Ref struct {
	ID         int64
	ExternalID string
}

// IsZero reports whether it names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// FullClient is a client with the login of its manager and the key of its
// lead source.
type FullClient struct {
	Client
	Manager, Source string
}

// FullPerson is a person with its client.
type FullPerson struct {
	Person
	Client  Ref
	Changed time.Time
}

// FullDeal is a deal whole. ShipDue and PayDue are the days of the shipment
// and the payment that were not given one by one.
type FullDeal struct {
	Deal
	Client          Ref
	Manager, Source string
	ShipDue, PayDue Date
	Lines           []Line
	Events          []DealEvent
}

// FullDocument is a document whole.
type FullDocument struct {
	Document
	Client, Deal Ref
	Lines        []Line
	Changed      time.Time
	Version      int64
}

// FullContact is a contact with what it refers to. Texts of private threads
// are taken out.
type FullContact struct {
	Contact
	Client, Deal Ref
	Manager      string   // login
	Logins       []string // of all who took part
	Persons      []PersonOf
}

// PersonOf is a person who took part in a contact.
type PersonOf struct {
	Ref
	Name, Email string
}

// RecordQuery selects records of one kind. Zero fields select all; those that
// the kind does not have are not looked at.
type RecordQuery struct {
	After        Place     // begins behind it
	ChangedSince time.Time // then in order of their last change, else of their number
	Limit        int       // 100 when 0, at most MaxRecords

	ID           int64
	ExternalID   string
	Manager      string    // login; of clients, deals, contacts
	Client, Deal Ref       // of persons, deals, documents, contacts
	Email        string    // of clients, persons
	Domain       string    // of clients
	Importance   string    // of clients, contacts
	Stage        string    // of clients
	Number       string    // of deals, documents
	Kind         string    // of documents, contacts
	State        string    // of contacts
	Direction    string    // of contacts
	Status       string    // of deals
	From, To     Date      // both included: of deals and documents
	Start, End   time.Time // contacts that begin from Start on and before End
}

// Place is where a page of records ended.
type Place struct {
	ID      int64
	Changed time.Time // where they are in order of their last change
}

// MaxRecords is how many records one page has at most.
const MaxRecords = 500
