package store

import "time"

// Kind is the way a contact takes place.
type Kind string

const (
	Letter  Kind = "letter"
	Call    Kind = "call"
	Meeting Kind = "meeting"
	Visit   Kind = "visit"
	Other   Kind = "other"
)

// Direction of a contact: who turned to whom.
type Direction string

const (
	In          Direction = "in"
	Out         Direction = "out"
	NoDirection Direction = "none"
)

// Contact is one exchange with a client, past or planned. Never a person.
type Contact struct {
	ID         int64
	ExternalID string // key in another system; "" none
	UID        string // iCalendar UID
	Kind       Kind
	Direction  Direction
	State      State
	Importance Importance

	ClientID   int64 // 0: not linked
	ClientName string
	ClientText string // free text for someone not registered yet
	Persons    []PersonRef
	ManagerID  int64   // responsible
	Managers   []int64 // all who took part, the responsible one among them
	DealID     int64
	DealNumber string
	SourceID   int64

	Subject    string
	Body       string // plain text; of a letter: without quotes and signature
	When       Span
	Recurrence string // RRULE, RDATE, EXDATE lines; "" happens once
	Minutes    int    // time spent
	Estimated  bool   // Minutes is an estimate

	Thread      string // key of the first letter of the thread
	MessageKey  string // identity of the letter; "" when it is none
	Attachments []Attachment
	Signs       []Sign // what other letters say about it: answers, bounces

	Origin     Origin
	Created    time.Time
	Changed    time.Time
	Completed  time.Time // zero unless done
	PostponedT time.Time // when it was postponed; zero unless postponed
	Dismissed  bool      // a letter in that needs no answer
	Private    bool      // of a private thread, see privacy.go
	Hidden     bool      // the text was taken out for the one who looks
	Version    int64

	class, stage, xyz, attributes string // the client's

	component Component // as which a calendar program wrote it; VEVENT else
}

// PersonRef names a person who took part.
type PersonRef struct {
	ID    int64
	Name  string
	Email string // the address that took part, or the first one
}

// Attachment is what a letter carried; the bytes stay in the mailbox.
type Attachment struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"` // decoded bytes, an estimate for base64
}

// Status is the contact's status at a moment for a manager in loc.
func (c *Contact) Status(loc *time.Location, at time.Time) Status {
	return StatusAt(c.State, c.passes(), c.PostponedT, loc, at)
}

// passes is the span whose end makes the contact overdue. A repeating contact
// is not overdue because its first occurrence has passed.
func (c *Contact) passes() Span {
	if c.Recurrence != "" {
		return Span{}
	}
	return c.When
}

// ContactDraft is a new contact. Zero fields take defaults: kind other,
// importance of the client or normal, state planned, a UID of ours.
type ContactDraft struct {
	ExternalID string
	UID        string
	Kind       Kind
	Direction  Direction
	State      State
	Importance Importance
	ClientID   int64
	ClientText string
	Persons    []int64
	ManagerID  int64 // responsible; the actor when 0
	Managers   []int64
	DealID     int64
	Subject    string
	Body       string
	When       Span
	Recurrence string
	Minutes    int
}

// ContactEdit changes what is not nil.
type ContactEdit struct {
	Kind       *Kind
	State      *State
	Importance *Importance
	ClientID   *int64
	DealID     *int64
	Subject    *string
	Body       *string
	When       *Span
	Recurrence *string
	Minutes    *int
	Dismiss    *bool // a letter that needs no answer

	back *Undo // it was so before
}

// ContactQuery selects contacts of one client, deal or thread, newest first.
type ContactQuery struct {
	ClientID int64
	DealID   int64
	Thread   string
	Before   int64 // ids below this start time (unix seconds); 0: from the newest
	Limit    int   // 50 when 0, at most 500
}

// Exported is a contact with everything that `export contacts` shows.
type Exported struct {
	Contact
	Key              string // another system's, else the UID
	ClientExternalID string
	ManagerLogins    []string
	SourceName       string
	DealNumber       string
	FullText         string
	MessageID        string
	Status           Status
}
