package store

import "time"

// InvitationMethod is the method of an iTIP message (RFC 5546) that means
// something to us.
type InvitationMethod string

const (
	InvitationRequest InvitationMethod = "REQUEST"
	InvitationCancel  InvitationMethod = "CANCEL"
	InvitationReply   InvitationMethod = "REPLY"
)

// Invitation is what one iTIP message says of one meeting, read by caldav and
// carried in a letter.
type Invitation struct {
	Method    InvitationMethod
	UID       string
	Organizer string   // address, "" unknown
	Attendees []string // addresses
	// Whole: it speaks of the meeting itself. False: only of Occurrences.
	Whole      bool
	Revision   Revision
	Title      string
	Body       string // place and description
	When       Span
	Recurrence string // RRULE, RDATE, EXDATE lines; "" happens once
	// Ends is when the last meeting of a series is over; zero: it never ends,
	// or nobody can tell.
	Ends time.Time
	// Occurrences of a series that were moved or cancelled one by one.
	Occurrences []Occurrence
	// Answers of a REPLY.
	Answers []Answer
}

// Revision orders the messages about one meeting: by SEQUENCE, then by DTSTAMP
// (RFC 5546 section 2.1.5).
type Revision struct {
	Sequence int64
	Stamp    time.Time
}

// newer reports whether r comes after o; of one revision it is none.
func (r Revision) newer(o Revision) bool {
	if r.Sequence != o.Sequence {
		return r.Sequence > o.Sequence
	}
	return r.Stamp.After(o.Stamp)
}

// noRevision comes before every other.
var noRevision = Revision{Sequence: -1}

// Occurrence is a single meeting of a series with a time of its own.
type Occurrence struct {
	Of        string // RECURRENCE-ID: RFC 3339 in UTC, or a day
	Revision  Revision
	Cancelled bool
	When      Span // where it was moved
}

// Answer is what an attendee says to an invitation (PARTSTAT).
type Answer struct {
	Address string
	Kind    SignKind // SignAccepted, SignDeclined, SignTentative
	Stamp   time.Time
}

// Bounds of what one message may say.
const (
	maxUID         = 1000
	maxOccurrences = 100
	maxAnswers     = 5 // a REPLY has one (RFC 5546 section 3.2.3)
	maxSequence    = 1<<31 - 1
)

// longPast is how long a meeting may be over when its invitation is first
// read, to be planned all the same: the manager says whether it took place. An
// older one, found when a mailbox is read for the first time, is taken for
// done. Else the first day would begin with years of overdue meetings.
const longPast = 30 * 24 * time.Hour
