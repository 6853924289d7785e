package store

import "time"

// Offer is an entry of an address book that nobody has decided about: it is
// not lost, and not taken.
type Offer struct {
	ID      int64
	Book    string
	Why     OfferReason
	Said    BookPerson
	Person  Person // what of it would be taken; no ID
	Client  Client // that was found; its ID is 0 for none
	Double  Person // who it may be; its ID is 0 for nobody
	Changed time.Time
	Counted Counted // of the book "mail": in how many letters
}

// Acceptance says as whom an offer is taken.
type Acceptance struct {
	Into      int64  // the person it is, 0: a new one
	ClientID  int64  // of the new one; 0: the client that was found
	ClientKey string // in place of ClientID the client's key in other systems
	NewClient string // the name of a client to be made for it
}

// Double is two persons of one client who may be one.
type Double struct {
	One, Other Person // One has been there longer
	Client     Client
	Certain    bool // they share an address or phone, and a name
}

// Merged is the trace of an entry or a person that was made part of a person.
type Merged struct {
	ID     int64  // for UnmergePerson
	Book   string // where the entry came from, "persons" for a person
	Said   BookPerson
	Into   Person
	At     time.Time
	By     string // the manager's name, "" the program
	Client Client
}
