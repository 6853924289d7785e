package caldav

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// Which occurrences of a series a C:calendar-data asks for: C:expand gives one
// component for each (RFC 4791 section 9.6.5), C:limit-recurrence-set leaves
// out the overrides that have nothing to do with a stretch of time (section
// 9.6.6). C:limit-freebusy-set (section 9.6.7) changes nothing, since no
// calendar here holds a VFREEBUSY.

// How much one object may become, and how much the rules of all objects of a
// report may add: short rules bring many occurrences.
const (
	maxExpanded    = 4 << 20 // octets
	maxExpandedAll = 64 << 20
	costOfFailure  = maxExpandedAll / 256 // time has gone into it
)

// errExpanded tells that there are too many occurrences, or a rule that recur
// does not work out. A part of them would pass for all.
var errExpanded = errors.New("too many occurrences")

// readWindow reads which occurrences are wanted: both bounds are required.
func (s *shape) readWindow(e *element) error {
	for _, want := range []struct {
		name string
		to   **timeRange
	}{{"expand", &s.expand}, {"limit-recurrence-set", &s.limit}, {"limit-freebusy-set", new(*timeRange)}} {
		x := e.child(nsCalDAV, want.name)
		if x == nil {
			continue
		}
		tr, err := timeRangeOf(x)
		if err != nil || tr.from.IsZero() || tr.to.IsZero() {
			return badFilter()
		}
		*want.to = tr
	}
	if s.expand != nil && s.limit != nil {
		return badFilter() // the DTD has one or the other
	}
	return nil
}

// expansion is an object that is being expanded.
type expansion struct {
	writer
	z    *zones
	cal  *ical.Calendar
	kept map[*ical.Component][]byte // what all occurrences of a component share
}

// expand gives the occurrences of an object that overlap tr, in UTC. Days stay
// days, and times without a zone, which is floating, stay without one: only
// what refers to a zone is converted.
func expand(body []byte, tr *timeRange, floating *time.Location) (out []byte, err error) {
	defer func() {
		if recover() != nil { // rrule-go
			out, err = nil, errExpanded
		}
	}()
	obj, err := parse(body)
	if err != nil {
		return nil, err
	}
	x := &expansion{
		z:    zonesOf(obj.root.Component, floating),
		cal:  &ical.Calendar{Component: obj.root.Component},
		kept: map[*ical.Component][]byte{},
	}
	for _, c := range obj.root.children {
		x.kept[c.Component] = obj.sharedBytes(c)
	}
	x.line("BEGIN:VCALENDAR")
	for _, i := range obj.root.props {
		x.asReceived(obj.lines[i].raw)
	}
	for _, c := range obj.root.children {
		if c.Name == ical.CompTimezone {
			continue
		}
		if err := x.component(c.Component, tr); err != nil {
			return nil, err
		}
	}
	x.line("END:VCALENDAR")
	return x.Bytes(), nil
}

// ofOccurrence are the properties that each occurrence gets anew or loses.
var ofOccurrence = []string{ical.PropDateTimeStart, ical.PropDateTimeEnd, ical.PropDue, ical.PropDuration, ical.PropRecurrenceID,
	ical.PropRecurrenceRule, ical.PropRecurrenceDates, ical.PropExceptionDates, "EXRULE"}

// sharedBytes are the lines of a component without ofOccurrence and without
// its BEGIN.
func (obj *object) sharedBytes(c *component) []byte {
	var w writer
	own := c.props // in order; what is not among them is a part's
	for i := c.begin + 1; i <= c.end; i++ {
		if len(own) > 0 && own[0] == i {
			own = own[1:]
			if slices.Contains(ofOccurrence, obj.lines[i].name) {
				continue
			}
		}
		w.asReceived(obj.lines[i].raw)
	}
	return w.Bytes()
}

// component writes the occurrences of one component.
func (x *expansion) component(c *ical.Component, tr *timeRange) error {
	override := c.Props.Get(ical.PropRecurrenceID) != nil
	repeats := len(c.Props[ical.PropRecurrenceRule])+len(c.Props[ical.PropRecurrenceDates]) > 0
	t := x.z.timing(c)
	if !t.start.ok { // a to-do without a beginning
		x.occurrence(c, occurrence{comp: c, t: t, end: t.end.at}, false)
		return nil
	}
	seen := map[int64]bool{}
	x.z.series(x.cal, c, t, tr.to, func(o occurrence) bool {
		if x.z.vague {
			return true
		}
		if seen[o.id.Unix()] || !o.t.overlaps(c.Name, o.start, o.end, tr.from, tr.to) {
			return false
		}
		seen[o.id.Unix()] = true
		x.occurrence(c, o, repeats && !override)
		return x.Len() > maxExpanded
	})
	if x.z.vague || x.Len() > maxExpanded {
		return errExpanded
	}
	return nil
}

// occurrence writes one occurrence of c, with its RECURRENCE-ID where numbered
// says so or c has one.
func (x *expansion) occurrence(c *ical.Component, o occurrence, numbered bool) {
	x.line("BEGIN:" + c.Name)
	if at, _, ok := x.z.at(c, ical.PropRecurrenceID); ok {
		x.moment(ical.PropRecurrenceID, at, c, ical.PropRecurrenceID)
	} else if numbered {
		x.moment(ical.PropRecurrenceID, o.id, c, ical.PropDateTimeStart)
	}
	if o.t.start.ok {
		x.moment(ical.PropDateTimeStart, o.start, o.comp, ical.PropDateTimeStart)
	}
	x.end(o)
	x.Write(x.kept[o.comp])
}

// end writes DTEND, DUE or DURATION.
func (x *expansion) end(o occurrence) {
	name := ical.PropDateTimeEnd
	if o.comp.Name == ical.CompToDo {
		name = ical.PropDue
	}
	switch {
	case o.t.end.ok:
		x.moment(name, o.end, o.comp, name)
	case !o.t.start.ok:
	case !o.end.Equal(o.t.endOf(o.start)): // a period of RDATE
		x.moment(name, o.end, o.comp, ical.PropDateTimeStart)
	case o.t.hasLength:
		// A DURATION of days means something else from a start in UTC.
		if layout, _ := x.form(o.comp, ical.PropDateTimeStart); layout == inUTC && o.t.length.days != 0 {
			x.moment(name, o.end, o.comp, ical.PropDateTimeStart)
		} else {
			x.line(ical.PropDuration + ":" + o.comp.Props.Get(ical.PropDuration).Value)
		}
	}
}

// The forms of RFC 5545 sections 3.3.4 and 3.3.5.
const (
	asDay  = ";VALUE=DATE:20060102"
	noZone = ":20060102T150405"
	inUTC  = ":20060102T150405Z"
)

// form is how a property's times are written, and in which zone.
func (x *expansion) form(c *ical.Component, like string) (layout string, loc *time.Location) {
	p := c.Props.Get(like)
	s, _ := parseDateTime(p.Value)
	loc = x.z.zoneAt(c, like)
	switch {
	case s.date:
		return asDay, loc
	case !s.utc && p.Params.Get(ical.PropTimezoneID) == "":
		return noZone, loc
	}
	return inUTC, time.UTC
}

// moment writes a property in the form of another one of c.
func (x *expansion) moment(name string, at time.Time, c *ical.Component, like string) {
	layout, loc := x.form(c, like)
	x.line(name + at.In(loc).Format(layout))
}

// limitOverrides leaves out the overrides that, moved or not, do not overlap
// tr. One with RANGE=THISANDFUTURE says something about all that comes later.
func limitOverrides(body []byte, tr *timeRange, floating *time.Location) ([]byte, error) {
	obj, err := parse(body)
	if err != nil {
		return nil, err
	}
	z := zonesOf(obj.root.Component, floating)
	type series struct{ name, uid string }
	masters := map[series]timing{}
	for _, c := range obj.root.children {
		if c.Props.Get(ical.PropRecurrenceID) == nil {
			masters[series{c.Name, uidOf(c.Component)}] = z.timing(c.Component)
		}
	}
	kept := func(c *component) bool {
		id, _, ok := z.at(c.Component, ical.PropRecurrenceID)
		t := z.timing(c.Component)
		if !ok || !t.start.ok || t.overlaps(c.Name, t.start.at, t.endOf(t.start.at), tr.from, tr.to) {
			return true
		}
		if strings.EqualFold(c.Props.Get(ical.PropRecurrenceID).Params.Get("RANGE"), "THISANDFUTURE") && id.Before(tr.to) {
			return true
		}
		master, ok := masters[series{c.Name, uidOf(c.Component)}]
		return ok && master.start.ok && master.overlaps(c.Name, id, master.endOf(id), tr.from, tr.to)
	}
	var w writer
	next := 0
	for _, c := range obj.root.children {
		if !kept(c) {
			obj.writeLines(&w, next, c.begin)
			next = c.end + 1
		}
	}
	obj.writeLines(&w, next, len(obj.lines))
	return w.Bytes(), nil
}

func (obj *object) writeLines(w *writer, from, to int) {
	for _, l := range obj.lines[from:to] {
		w.asReceived(l.raw)
	}
}
