package store

import (
	"slices"
	"strings"
	"time"
)

// Component is the iCalendar component that a collection holds.
type Component string

const (
	VEvent Component = "VEVENT"
	VTodo  Component = "VTODO"
	// EventsAndTodos is a label calendar that holds both kinds.
	EventsAndTodos Component = "VEVENT,VTODO"
)

// Holds reports whether a collection of this component takes one of that kind.
func (c Component) Holds(one Component) bool { return slices.Contains(c.Each(), one) }

// Each lists the components one by one.
func (c Component) Each() (list []Component) {
	for s := range strings.SplitSeq(string(c), ",") {
		list = append(list, Component(s))
	}
	return list
}

// CollectionKind says where a calendar comes from and what a move into it
// means.
type CollectionKind string

const (
	// StatusCalendar shows one status; moving into it is a verb.
	StatusCalendar CollectionKind = "status"
	// TodoList shows what is planned as VTODO.
	TodoList CollectionKind = "todo"
	// TeamCalendar shows a head what one manager of the team has planned.
	TeamCalendar CollectionKind = "team"
	// FilterCalendar is somebody's own saved filter. What is put into it is
	// given what the filter asks for, where that is one answer.
	FilterCalendar CollectionKind = "filter"
	// LabelCalendar was made in a calendar program. What is put into it stays
	// in it whatever its date, client or status, and out of the owner's status
	// calendars and To do list.
	LabelCalendar CollectionKind = "label"
)

// Collection is a calendar: a saved filter under a name and a colour, in the
// home of one manager.
type Collection struct {
	ID          int64
	ManagerID   int64  // in whose home it stands
	Slug        string // last segment of its path: "current"
	Kind        CollectionKind
	Filter      Filter
	Component   Component
	Name        string // as shown: the owner's own name, else the default in the owner's language
	Color       string // #RRGGBB
	Order       int
	Description string
	TimeZone    string            // VTIMEZONE text that a client set; ""
	Props       map[string]string // dead properties: "namespace name" → inner XML
	Change      int64             // change number, grows with every change of an entry
	Epoch       int64             // differs when the database was restored or the collection made anew; part of the sync token
	Oldest      int64             // tokens with a smaller change number can no longer be answered
}

// CollectionEdit is a PROPPATCH: what is nil stays; an empty name, colour,
// description returns to the default.
type CollectionEdit struct {
	Name, Color, Description, TimeZone *string
	Order                              *int
	// Props: nil value removes the dead property.
	Props map[string]*string
}

// Entry is one resource of a collection as it is served.
type Entry struct {
	Name    string // last path segment, "x.ics", decoded
	ETag    string // without quotes
	Bytes   []byte // iCalendar; nil where only names were asked for
	Size    int64
	Changed time.Time
	Key     ItemKey
	// Begins is when the entry's one occurrence begins, a whole day in its
	// owner's zone; zero where it repeats or has no time.
	Begins time.Time
	// Exact: the bytes are those that a client put, so PUT may answer with
	// a strong ETag (RFC 4791 section 5.3.4).
	Exact bool
	// former are earlier ETags of the entry, since which the record itself has
	// not changed: only what we show beside it (last contacts, a deal's sums).
	former []string
	uid    string
}

// Change is one line of a sync report (RFC 6578).
type Change struct {
	Name   string
	ETag   string
	Gone   bool // the entry left the collection
	Number int64
}

// EntryView is all that a Renderer may show of an item in one collection.
type EntryView struct {
	Item       *Item // Status as the owner of the collection sees it
	UID        string
	Collection *Collection
	Owner      *Manager  // of the collection: language, zone
	Client     *Client   // nil when not linked
	Persons    []Person  // of the contact, else of the client; at most 10
	Recent     []Contact // last done contacts with the client; at most 3
	Totals     *DealTotals
	Debt       *DealDebt // of the deal, in the owner's zone at the moment of rendering
	// Overlay is what a calendar program of this manager last put for the
	// item, byte for byte: alarms, acknowledgements and properties that we
	// do not model are taken from it. Nil when none did.
	Overlay []byte
	// Alarms are when it rings that has no alarm of its own: the clock's time
	// after its start, mostly negative (Span.Ring).
	Alarms  []time.Duration
	Changed time.Time // LAST-MODIFIED
	Version int64     // SEQUENCE
}

// Renderer makes the iCalendar bytes of an entry. The same view always gives
// the same bytes: the ETag is their hash, so a call that changes nothing
// changes no calendar. It never fails: what cannot be shown is left out.
type Renderer func(*EntryView) []byte

// CalendarWrite is what a calendar program put, read by caldav: what it means
// and the bytes it came as.
type CalendarWrite struct {
	Bytes      []byte
	UID        string
	Component  Component
	Title      string
	Note       string // DESCRIPTION without the block that we render
	When       Span   // of a VTODO: its due time
	Recurrence string // RRULE, RDATE, EXDATE, overrides: text, "" happens once
	Importance Importance
	// Status is what STATUS, COMPLETED and PERCENT-COMPLETE say: Planned
	// (CONFIRMED, NEEDS-ACTION), Postponed (TENTATIVE), Cancelled, Done
	// (a completed VTODO), "" for nothing said.
	Status State
	// Kind guessed from words and categories; "" for no guess.
	Kind      Kind
	Attendees []string // e-mail addresses, normalised
}

// Condition is If-Match and If-None-Match of a write (RFC 9110 section 13).
type Condition struct {
	IfMatch     []string // ETags without quotes; "*" for any; nil: no condition
	IfNoneMatch bool     // If-None-Match: *
}

// holds reports whether the condition lets a write through; e is nil where
// there is no entry. An ETag since which only the text that we show beside the
// record has changed matches too: a client's letter that comes in while a
// manager has the event open must not make the edit a conflict, and the edit
// loses nothing of ours.
func (c Condition) holds(e *Entry) bool {
	if c.IfNoneMatch && e != nil {
		return false
	}
	if c.IfMatch == nil {
		return true
	}
	return e != nil && slices.ContainsFunc(c.IfMatch, func(m string) bool {
		return m == "*" || m == e.ETag || slices.Contains(e.former, m)
	})
}

// lingering is how long an entry stays in the calendar where a calendar
// program just wrote it, although the write made it belong to another one.
// Thunderbird fetches the address that it wrote to right after the PUT, and
// takes a 404 there for a failed save (clients.md section 3). The minute's
// tick then moves it, within the two minutes that rules.md section 2.1 gives.
const lingering = 75 * time.Second

// tombstones is how long a collection remembers what left it; older sync
// tokens get valid-sync-token and a full listing.
const tombstones = 60 * 24 * time.Hour

// stateAfter is the meaning of a calendar write for a contact's state
// (design.md, "moving an event between calendars is a verb"). cur is "" for a
// new contact; moved reports that the entry is new in this collection.
func stateAfter(cur State, moved bool, col *Collection, said State, comp Component) State {
	if said == Cancelled {
		return Cancelled
	}
	if said == Done && comp == VTodo {
		return Done
	}
	if moved && (col.Kind == StatusCalendar || col.Kind == FilterCalendar) && len(col.Filter.Statuses) == 1 {
		switch col.Filter.Statuses[0] {
		case StatusPostponed:
			return Postponed
		case StatusDone:
			return Done
		}
		if cur == "" && said == Postponed {
			return Postponed
		}
		return Planned
	}
	if col.Kind == LabelCalendar && cur == Cancelled && said == "" {
		return Planned // put there again, or STATUS:CANCELLED taken away
	}
	switch {
	case cur == "":
		if said == Postponed {
			return Postponed
		}
		return Planned
	case cur == Done && comp == VEvent:
		return Done // a VEVENT has no word for done: CONFIRMED says nothing
	case said == Postponed:
		return Postponed
	case said == "" && !moved && cur == Postponed && comp == VEvent:
		return Planned // it was shown TENTATIVE, and took that away
	case said == Planned && (cur == Done || cur == Cancelled || cur == Postponed && comp == VEvent):
		return Planned // unticked, or CONFIRMED
	}
	return cur
}
