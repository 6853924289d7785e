package store

import "time"

// State is what people decided about a contact or a deal event.
type State string

const (
	Planned   State = "planned"
	Postponed State = "postponed"
	Done      State = "done"
	Cancelled State = "cancelled"
)

// Status is what a State means at a moment (rules.md section 2.1).
type Status string

const (
	StatusOverdue   Status = "overdue"
	StatusCurrent   Status = "current"
	StatusPostponed Status = "postponed"
	StatusDone      Status = "done"
	StatusCancelled Status = "cancelled"
)

// Color is the status's colour as #RRGGBB.
func (s Status) Color() string {
	switch s {
	case StatusOverdue:
		return "#C62828"
	case StatusPostponed:
		return "#9E9E9E"
	case StatusDone:
		return "#2E7D32"
	}
	return "#212121"
}

// Rank orders lists: overdue, current, postponed, done, cancelled.
func (s Status) Rank() int {
	switch s {
	case StatusOverdue:
		return 0
	case StatusCurrent:
		return 1
	case StatusPostponed:
		return 2
	case StatusDone:
		return 3
	}
	return 4
}

// StatusAt applies the table of rules.md section 2.1 at the moment at, for a
// manager in loc. A postponed item that has a new date (its span lies after
// the moment it was postponed) becomes current on that day.
func StatusAt(state State, when Span, postponed time.Time, loc *time.Location, at time.Time) Status {
	switch state {
	case Done:
		return StatusDone
	case Cancelled:
		return StatusCancelled
	case Postponed:
		day := comesBack(when, postponed, loc)
		if day.IsZero() || at.Before(day) {
			return StatusPostponed
		}
	}
	if when.IsZero() || at.Before(when.Ends(loc)) {
		return StatusCurrent
	}
	return StatusOverdue
}

// StatusTurns is the next moment after at when StatusAt gives something else;
// zero when only an edit can change it.
func StatusTurns(state State, when Span, postponed time.Time, loc *time.Location, at time.Time) time.Time {
	switch state {
	case Done, Cancelled:
		return time.Time{}
	case Postponed:
		day := comesBack(when, postponed, loc)
		if day.IsZero() {
			return time.Time{}
		}
		if at.Before(day) {
			return day
		}
	}
	if when.IsZero() {
		return time.Time{}
	}
	if ends := when.Ends(loc); at.Before(ends) {
		return ends
	}
	return time.Time{}
}

// comesBack is the start of the day on which a postponed item with a new date
// becomes current; zero when it has none.
func comesBack(when Span, postponed time.Time, loc *time.Location) time.Time {
	if when.IsZero() || postponed.IsZero() {
		return time.Time{}
	}
	day := DateOf(when.Begins(loc), loc)
	if day <= DateOf(postponed, loc) {
		return time.Time{}
	}
	return day.In(loc)
}

// Importance is how much an item or a client matters.
type Importance string

const (
	High   Importance = "high"
	Normal Importance = "normal"
	Low    Importance = "low"
)

// Importances are all of them, the highest first.
var Importances = []Importance{High, Normal, Low}

// Rank is 0 for high, 1 for normal, 2 for low.
func (i Importance) Rank() int {
	switch i {
	case High:
		return 0
	case Low:
		return 2
	}
	return 1
}
