package caldav

import (
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// stamp is a DATE or DATE-TIME value as written (RFC 5545 sections 3.3.4 and
// 3.3.5).
type stamp struct {
	year, month, day int
	hour, min, sec   int
	date             bool // a DATE
	utc              bool // ends in Z
}

// parseDateTime reads "20261123", "20261123T100000" or "20261123T100000Z".
// The form decides, not the VALUE parameter: writers forget it.
func parseDateTime(s string) (stamp, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	var t stamp
	if n := len(s); n != 8 && n != 15 && n != 16 {
		return t, false
	}
	ok := true
	number := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			ok = ok && c >= '0' && c <= '9'
			n = n*10 + int(c-'0')
		}
		return n
	}
	t.year, t.month, t.day = number(0, 4), number(4, 6), number(6, 8)
	if t.date = len(s) == 8; !t.date {
		t.hour, t.min, t.sec = number(9, 11), number(11, 13), min(number(13, 15), 59) // a leap second is not worth a refusal
		ok = ok && s[8] == 'T' && (len(s) == 15 || s[15] == 'Z')
		t.utc = len(s) == 16
	}
	if !ok || t.month < 1 || t.month > 12 || t.day < 1 || t.hour > 23 || t.min > 59 {
		return t, false
	}
	return t, time.Date(t.year, time.Month(t.month), t.day, 0, 0, 0, 0, time.UTC).Day() == t.day
}

// in is the moment that the stamp means for one whose clock is in loc; of a
// day, its begin.
func (t stamp) in(loc *time.Location) time.Time {
	if t.utc {
		loc = time.UTC
	}
	return wallTime(t.year, time.Month(t.month), t.day, t.hour, t.min, t.sec, loc).UTC()
}

func (t stamp) asDate() store.Date {
	return store.Date(time.Date(t.year, time.Month(t.month), t.day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
}

// sane bounds what a contact's time may be.
func (t stamp) sane() bool { return t.year >= 1600 && t.year <= 2400 }

// length is a DURATION: nominal days, which DST makes longer or shorter, and
// exact time (RFC 5545 section 3.3.6).
type length struct {
	days int
	time time.Duration
}

func (l length) after(t time.Time, loc *time.Location) time.Time {
	if l.days == 0 {
		return t.Add(l.time)
	}
	w := t.In(loc).AddDate(0, 0, l.days)
	return w.UTC().Add(l.time)
}

// parseDuration reads "PT15M", "-P1DT2H", "P2W"; at most some ten years.
func parseDuration(s string) (l length, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	s, minus := strings.CutPrefix(s, "-")
	s = strings.TrimPrefix(s, "+")
	s, ok = strings.CutPrefix(s, "P")
	if !ok || s == "" {
		return l, false
	}
	const most = 4000 * 24 * time.Hour
	n, digits, clock := 0, 0, false
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int(c-'0')
			if digits++; digits > 9 {
				return l, false
			}
			continue
		case c == 'T' && !clock && digits == 0:
			clock = true
			continue
		case digits == 0:
			return l, false
		case c == 'W' && !clock:
			l.days += 7 * n
		case c == 'D' && !clock:
			l.days += n
		case c == 'H' && clock:
			l.time += time.Duration(n) * time.Hour
		case c == 'M' && clock:
			l.time += time.Duration(n) * time.Minute
		case c == 'S' && clock:
			l.time += time.Duration(n) * time.Second
		default:
			return l, false
		}
		if l.days > 4000 || l.time > most {
			return l, false
		}
		n, digits = 0, 0
	}
	if digits > 0 {
		return l, false
	}
	if minus {
		l.days, l.time = -l.days, -l.time
	}
	return l, true
}

// at reads a property that holds one DATE or DATE-TIME.
func (z *zones) at(c *ical.Component, name string) (t time.Time, s stamp, ok bool) {
	p := c.Props.Get(name)
	if p == nil {
		return t, s, false
	}
	if s, ok = parseDateTime(p.Value); !ok {
		return t, s, false
	}
	return s.in(z.find(p.Params.Get(ical.PropTimezoneID))), s, true
}

// zoneAt is the zone in which the property is written.
func (z *zones) zoneAt(c *ical.Component, name string) *time.Location {
	p := c.Props.Get(name)
	if p == nil {
		return z.floating
	}
	if s, ok := parseDateTime(p.Value); ok && s.utc {
		return time.UTC
	}
	return z.find(p.Params.Get(ical.PropTimezoneID))
}

// span is when a VEVENT or VTODO takes place; of a series, its first
// occurrence. DTSTART and DTEND of different kinds are understood (clients.md
// section 13). A VTODO without any time gives a zero Span. The error is a
// *Precondition.
func (z *zones) span(c *ical.Component) (store.Span, error) {
	bad := func(name string) (store.Span, error) {
		return store.Span{}, refuse("valid-calendar-data", "%s of %s is missing or malformed", name, c.Name)
	}
	begin, bs, has := z.at(c, ical.PropDateTimeStart)
	if !has && (c.Name == ical.CompEvent || c.Props.Get(ical.PropDateTimeStart) != nil) || has && !bs.sane() {
		return bad(ical.PropDateTimeStart)
	}
	endName := ical.PropDateTimeEnd
	if c.Name == ical.CompToDo {
		endName = ical.PropDue
	}
	end, es, hasEnd := z.at(c, endName)
	if !hasEnd && c.Props.Get(endName) != nil || hasEnd && !es.sane() {
		return bad(endName)
	}
	loc := z.zoneAt(c, ical.PropDateTimeStart)
	dur, hasDur := length{}, false
	if p := c.Props.Get(ical.PropDuration); p != nil && has && !hasEnd {
		if dur, hasDur = parseDuration(p.Value); !hasDur {
			return bad(ical.PropDuration)
		}
	}
	switch {
	case !has && !hasEnd:
		return store.Span{}, nil
	case !has: // VTODO with DUE alone
		if es.date {
			return store.Days(es.asDate(), es.asDate(), z.floating), nil
		}
		return store.Span{Start: end, End: end}, nil
	case bs.date:
		first := bs.asDate()
		last := first
		switch {
		case hasEnd && es.date && c.Name == ical.CompToDo:
			last = es.asDate() // the day it is due, as people and programs read it
		case hasEnd && es.date:
			last = es.asDate().Add(-1) // exclusive
		case hasEnd:
			last = store.DateOf(end.Add(-time.Second), z.floating)
		case hasDur:
			last = first.Add(dur.days + int(dur.time/(24*time.Hour)) - 1)
		}
		return store.Days(first, last, z.floating), nil
	}
	switch {
	case hasEnd && es.date && c.Name == ical.CompToDo:
		end = es.asDate().Add(1).In(z.floating).UTC() // by the end of that day
	case hasEnd && es.date:
		end = es.asDate().In(z.floating).UTC()
	case hasDur:
		end = dur.after(begin, loc)
	case !hasEnd:
		end = begin
	}
	if end.Before(begin) {
		end = begin
	}
	return store.Span{Start: begin, End: end}, nil
}
