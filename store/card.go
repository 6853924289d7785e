package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Card is what one manager's address-book programs see: a person, or a card of
// the manager's own, of somebody who is at no client; that one has no ID.
type Card struct {
	Person
	Client Client // its name, importance, class and stage
	// Balance is what the client owes us, by currency.
	Balance []Money
	// Last is the day of the last contact with the client, Next that of the
	// first planned one outside of a series, in the viewer's zone; "" none.
	Last, Next Date

	UID  string
	File string // last part of its address
	// Overlay is what a program of this manager last put, nil for nothing.
	Overlay []byte
}

// CardWrite is a card as a program put it: the person whole, and the bytes.
type CardWrite struct {
	UID      string
	Name     string
	Position string
	Emails   []string
	Phones   []string
	Birthday Date
	Company  string // its ORG, which only says whose a new card is
	Group    bool   // a list of cards, which is nobody
	Bytes    []byte
}

// A manager's address books, by the last part of their addresses.
const (
	OwnBook = "persons" // persons of the clients that one is responsible for, and one's own cards
	AllBook = "all"     // a head's: everybody's persons
)

// BooksOf are the names of a manager's address books.
func BooksOf(m *Manager) []string {
	if m.Role == RoleHead {
		return []string{OwnBook, AllBook}
	}
	return []string{OwnBook}
}

// Book is the state of an address book: Change grows when a card comes,
// changes or goes.
type Book struct {
	ID     int64
	Name   string // OwnBook or AllBook
	Change int64
	Oldest int64 // earlier changes may have been forgotten
	Epoch  int64 // differs when the book was made anew

	seen  int64  // the marks of cards that its log has
	shown string // what else they were rendered for
}

// BookChange is the last change of one card of a book.
type BookChange struct {
	File   string
	ETag   string // "" when the card has gone
	Number int64

	client int64 // whose person it is, 0: an own card
}

// maxCards is how many cards the programs of one manager may keep.
const maxCards = 10_000

// personFile is where the card of a person stands until a program names it.
func personFile(id int64) string { return fmt.Sprintf("person-%d.vcf", id) }

func personUID(id int64) string { return fmt.Sprintf("person-%d@intouch", id) }

// personOf is the person whose card such a file is.
func personOf(file string) (id int64, ok bool) {
	digits, found := strings.CutPrefix(strings.TrimSuffix(file, ".vcf"), "person-")
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, found && err == nil && id > 0 && file == personFile(id)
}

// Phone is the form in which phones are kept.
func Phone(s string) string { return clip(strings.TrimSpace(clean(s)), 60) }

// PersonText is the form in which names and positions of persons are kept.
func PersonText(s string) string { return clip(strings.TrimSpace(clean(s)), 500) }

// person is old as the card says it.
func (w *CardWrite) person(old *Person) (Person, error) {
	e := PersonEdit{w.Name, w.Position, w.Emails, w.Phones, w.Birthday}
	return e.of(old)
}
