package caldav

import (
	"errors"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// Invitations that come by mail (iTIP, RFC 5546, in text/calendar parts, RFC
// 6047). REQUEST, CANCEL and REPLY mean something; PUBLISH, ADD, REFRESH,
// COUNTER and DECLINECOUNTER are read as none. Tasks, journals and free-busy
// are none either.

const (
	maxInvitation        = 512 << 10 // octets
	maxInvitationText    = 16 << 10  // octets of place and description
	maxInvitationChanges = 100       // occurrences of one message
	maxInvitationAnswers = 5
)

// ErrNoInvitation: it is no message that plans, cancels or answers a meeting.
var ErrNoInvitation = errors.New("no invitation")

// NewInvitationReader gives the function that reads text/calendar parts of
// letters. Times without a zone are taken in floating. It reads by the rules of
// ReadWrite, but a letter cannot be sent back: a line that does not parse is
// left out.
func NewInvitationReader(floating *time.Location) func(raw []byte) (store.Invitation, error) {
	if floating == nil {
		floating = time.UTC
	}
	return func(raw []byte) (store.Invitation, error) { return readInvitation(raw, floating) }
}

func readInvitation(raw []byte, floating *time.Location) (store.Invitation, error) {
	if len(raw) > maxInvitation {
		return store.Invitation{}, refuse("valid-calendar-data", "%d octets, more than %d", len(raw), maxInvitation)
	}
	raw = clean(raw)
	cal, err := decode(raw)
	if err != nil {
		if cal, err = decode(withoutBadLines(raw)); err != nil {
			return store.Invitation{}, err
		}
	}
	in := store.Invitation{Method: store.InvitationMethod(strings.ToUpper(strings.TrimSpace(text(cal.Component, ical.PropMethod))))}
	switch in.Method {
	case store.InvitationRequest, store.InvitationCancel, store.InvitationReply:
	default:
		return store.Invitation{}, ErrNoInvitation
	}
	z := zonesOf(cal.Component, floating)
	for _, c := range cal.Children {
		if c.Name != ical.CompEvent {
			continue
		}
		uid := uidOf(c)
		switch {
		case uid == "" || len(uid) > 1000:
			continue
		case in.UID == "":
			in.UID = uid
		case in.UID != uid: // RFC 5546 section 3.2: one UID; the first counts
			continue
		}
		z.invitationEvent(&in, cal, c)
	}
	if in.UID == "" || !in.Whole && len(in.Occurrences) == 0 && len(in.Answers) == 0 {
		return store.Invitation{}, ErrNoInvitation
	}
	return in, nil
}

// invitationEvent adds what one VEVENT says.
func (z *zones) invitationEvent(in *store.Invitation, cal *ical.Calendar, c *ical.Component) {
	rev := store.Revision{}
	if p := c.Props.Get(ical.PropSequence); p != nil {
		if n, err := p.Int(); err == nil {
			rev.Sequence = int64(max(n, 0))
		}
	}
	if at, s, ok := z.at(c, ical.PropDateTimeStamp); ok && s.sane() {
		rev.Stamp = at
	}
	if in.Method == store.InvitationReply {
		in.Answers = append(in.Answers, answersOf(c, rev.Stamp, maxInvitationAnswers-len(in.Answers))...)
		return
	}
	if p := c.Props.Get(ical.PropOrganizer); p != nil && in.Organizer == "" {
		in.Organizer, _ = mailAddress(p.Value)
	}
	cancelled := in.Method == store.InvitationCancel || stateOf(c) == store.Cancelled
	when, err := z.invitationSpan(c)
	if c.Props.Get(ical.PropRecurrenceID) != nil {
		if of := z.occurrence(c); of != "" && len(in.Occurrences) < maxInvitationChanges && (err == nil || cancelled) {
			in.Occurrences = append(in.Occurrences, store.Occurrence{Of: of, Revision: rev, Cancelled: cancelled, When: when})
		}
		return
	}
	// A CANCEL need not say when (RFC 5546 section 3.2.5).
	if in.Whole || err != nil && !cancelled {
		return
	}
	in.Whole, in.Revision, in.When = true, rev, when
	if cancelled {
		in.Method = store.InvitationCancel
	}
	in.Title, _ = titleOf(c)
	in.Body = invitationText(c)
	in.Recurrence = z.recurrence(c, 0)
	in.Ends = z.seriesEnd(cal, c)
	in.Attendees = attendeesOf(c)
}

// seriesEnd is when the last occurrence of a series is over; zero when it has
// no end, or takes too long to find.
func (z *zones) seriesEnd(cal *ical.Calendar, c *ical.Component) (end time.Time) {
	for _, p := range c.Props.Values(ical.PropRecurrenceRule) {
		if rule := strings.ToUpper(p.Value); !strings.Contains(rule, "UNTIL=") && !strings.Contains(rule, "COUNT=") {
			return time.Time{}
		}
	}
	defer func() {
		if recover() != nil { // rrule-go, on rules that it does not understand
			end = time.Time{}
		}
	}()
	if z.occurs(cal, c, z.timing(c), distantFuture, func(_, until time.Time) bool {
		if until.After(end) {
			end = until
		}
		return false
	}) || end.Year() > 2200 {
		return time.Time{}
	}
	return end
}

// invitationSpan is when the meeting takes place. Exchange writes whole days as
// midnights and says so.
func (z *zones) invitationSpan(c *ical.Component) (store.Span, error) {
	when, err := z.span(c)
	if err != nil || when.AllDay || !strings.EqualFold(strings.TrimSpace(text(c, "X-MICROSOFT-CDO-ALLDAYEVENT")), "TRUE") {
		return when, err
	}
	loc := z.zoneAt(c, ical.PropDateTimeStart)
	first, last := store.DateOf(when.Start, loc), store.DateOf(when.End.Add(-time.Second), loc)
	return store.Days(first, last, z.floating), nil
}

// occurrence is RECURRENCE-ID as store.Occurrence.Of has it; "" when it cannot
// be read.
func (z *zones) occurrence(c *ical.Component) string {
	at, s, ok := z.at(c, ical.PropRecurrenceID)
	switch {
	case !ok || !s.sane():
		return ""
	case s.date:
		return string(s.asDate())
	}
	return at.UTC().Format(time.RFC3339)
}

// invitationText is the place, then the description.
func invitationText(c *ical.Component) string {
	place, note := oneLine(text(c, ical.PropLocation)), strings.TrimSpace(noteOf(text(c, ical.PropDescription)))
	if place != "" && note != "" && !strings.Contains(note, place) {
		place += "\n\n"
	} else if note != "" {
		place = ""
	}
	return clip(place+note, maxInvitationText)
}

// answersOf are the attendees of a REPLY with their answers.
func answersOf(c *ical.Component, stamp time.Time, limit int) (out []store.Answer) {
	kinds := map[string]store.SignKind{"ACCEPTED": store.SignAccepted, "DECLINED": store.SignDeclined, "TENTATIVE": store.SignTentative}
	for _, p := range c.Props.Values(ical.PropAttendee) {
		kind := kinds[strings.ToUpper(p.Params.Get("PARTSTAT"))]
		if kind == "" || len(out) >= limit {
			continue
		}
		for _, s := range []string{p.Value, p.Params.Get("EMAIL")} {
			if a, ok := mailAddress(s); ok {
				out = append(out, store.Answer{Address: a, Kind: kind, Stamp: stamp})
				break
			}
		}
	}
	return out
}

// withoutBadLines leaves out the lines that do not parse.
func withoutBadLines(body []byte) []byte {
	w := &writer{}
	for n := 0; len(body) > 0 && n < maxLines; n++ {
		var raw []byte
		raw, body = cutLine(body)
		if _, err := parseLine(raw); err == nil {
			w.asReceived(raw)
		}
	}
	return w.Bytes()
}
