package store

import (
	"strings"
	"time"
)

// SignKind is what a letter says about a contact beside its text.
type SignKind string

const (
	// Of a meeting: an attendee's answer to the invitation.
	SignAccepted  SignKind = "accepted"
	SignDeclined  SignKind = "declined"
	SignTentative SignKind = "tentative"
	// Of a series of meetings: one of them was moved or cancelled.
	SignMoved   SignKind = "occurrence_moved"
	SignDropped SignKind = "occurrence_cancelled"
	// Of a letter out: it came back, or is late.
	SignBounced SignKind = "bounced"
	SignDelayed SignKind = "delayed"
)

// Sign is something that other letters say about a contact: an answer to an
// invitation, a bounce. It is shown beside the contact and is no part of what
// people edit, so it does not grow the contact's version.
type Sign struct {
	Kind SignKind `json:"kind"`
	Who  string   `json:"who,omitempty"`  // address of an attendee or recipient
	What string   `json:"what,omitempty"` // a server's words
	Of   string   `json:"of,omitempty"`   // which occurrence: RFC 3339 in UTC, or a day
	To   *Span    `json:"to,omitempty"`   // where it was moved
	At   int64    `json:"at,omitempty"`   // when it was said, unix seconds
}

// maxSigns bounds the signs of one contact; the newest stay.
const maxSigns = 50

// Text is the sign as a person reads it in a list or a DESCRIPTION.
func (s Sign) Text(lang Language, loc *time.Location) string {
	text := Word(lang, "sign."+string(s.Kind))
	switch s.Kind {
	case SignMoved, SignDropped:
		text += " " + occurrenceText(s.Of, loc)
		if s.To != nil {
			text += " → " + spanShown(*s.To, loc)
		}
	default:
		if s.Who != "" {
			text += ": " + s.Who
		}
		if s.What != "" {
			text += " (" + s.What + ")"
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

const momentShown = "02.01.2006 15:04"

func occurrenceText(of string, loc *time.Location) string {
	if t, err := time.Parse(time.RFC3339, of); err == nil {
		return t.In(loc).Format(momentShown)
	}
	return dayShown(Date(of))
}

func spanShown(s Span, loc *time.Location) string {
	if s.AllDay {
		return dayShown(s.First)
	}
	return s.Start.In(loc).Format(momentShown)
}

func dayShown(d Date) string {
	if t, err := time.Parse(dateLayout, string(d)); err == nil {
		return t.Format("02.01.2006")
	}
	return string(d)
}
