package store

import (
	"strconv"
	"strings"
)

// Conversation is what a client's page shows as one: the letters of a thread,
// or one other contact.
type Conversation struct {
	Contacts []Contact // newest first, at most conversationShown
	Count    int       // how many there are
}

// conversationShown is how many letters of a thread a list shows.
const conversationShown = 10

// ContactPlace is where a page of contacts ended, newest first.
type ContactPlace struct {
	Start int64 // Unix seconds, 0 without a day
	ID    int64
}

// String is the place as ParseContactPlace reads it; "" for none.
func (p ContactPlace) String() string {
	if p.ID == 0 {
		return ""
	}
	return strconv.FormatInt(p.Start, 10) + "." + strconv.FormatInt(p.ID, 10)
}

// ParseContactPlace reads a place; what is none is the beginning.
func ParseContactPlace(text string) ContactPlace {
	start, id, _ := strings.Cut(text, ".")
	at, err1 := strconv.ParseInt(start, 10, 64)
	n, err2 := strconv.ParseInt(id, 10, 64)
	if err1 != nil || err2 != nil || n <= 0 {
		return ContactPlace{}
	}
	return ContactPlace{Start: at, ID: n}
}

// ClientDocument is a document with the deal's number, and what the client owed
// after it.
type ClientDocument struct {
	Document
	Deal  string
	After Money
	Moved bool // it moved the debt
}

// DocumentPlace is where a page of documents ended, newest first.
type DocumentPlace struct {
	Date Date
	ID   int64
}

// String is the place as ParseDocumentPlace reads it; "" for none.
func (p DocumentPlace) String() string {
	if p.ID == 0 {
		return ""
	}
	return string(p.Date) + "." + strconv.FormatInt(p.ID, 10)
}

// ParseDocumentPlace reads a place; what is none is the beginning.
func ParseDocumentPlace(text string) DocumentPlace {
	date, id, _ := strings.Cut(text, ".")
	day, err1 := ParseDate(date)
	n, err2 := strconv.ParseInt(id, 10, 64)
	if err1 != nil || err2 != nil || n <= 0 {
		return DocumentPlace{}
	}
	return DocumentPlace{Date: day, ID: n}
}

// DealBalance is what is owed of a deal; of none where Deal is "".
type DealBalance struct {
	DealID int64
	Deal   string // number
	Sum    Money
}
