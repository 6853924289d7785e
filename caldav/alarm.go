package caldav

import (
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// Alarms that calendar programs set, and what they noted when somebody closed
// the popup: ACKNOWLEDGED (RFC 9074 section 6.1), and Thunderbird's own
// X-MOZ-LASTACK and X-MOZ-SNOOZE-TIME.

const (
	maxAlarmsRead = 20  // of one component
	maxRepeat     = 100 // of one alarm
	// ahead is how far occurrences of a series are followed. A year holds one
	// of nearly every series, and what repeats more rarely is found later,
	// when anything about it changes.
	ahead = 400 * 24 * time.Hour
	// longAhead is how far from its occurrence an alarm of a series is looked
	// for: occurrences that are long past are passed over, and when an alarm was
	// found none that come long after it are looked at.
	longAhead = 60 * 24 * time.Hour
)

// NextAlarm is the store.AlarmReader.
func NextAlarm(v *store.EntryView, after time.Time) (first store.Alarm, ok bool) {
	defer func() {
		if recover() != nil { // what go-ical and rrule-go make of a stranger's object
			first, ok = store.Alarm{}, false
		}
	}()
	e := newEntry(v, "")
	body := e.write()
	if len(v.Overlay) > 0 {
		if b := e.merge(v.Overlay); b != nil {
			body = b
		}
	}
	cal, err := decode(body)
	if err != nil {
		return first, false
	}
	main, _, err := check(cal, v.Collection.Component)
	if err != nil {
		return first, false
	}
	x := &ringing{zones: zonesOf(cal.Component, e.loc), main: main, after: after, defaults: v.Alarms, loc: e.loc}
	x.lastAck, _, _ = x.at(main, "X-MOZ-LASTACK")
	long := after.Add(-longAhead)
	for _, c := range cal.Children {
		if c.Name == main.Name {
			x.series(cal, c, x.timing(c), after.Add(ahead), func(o occurrence) bool {
				if o.end.After(long) || c.Props.Get(ical.PropRecurrenceRule) == nil {
					x.occurrence(o)
				}
				return x.ok && o.start.After(x.first.At.Add(longAhead))
			})
		}
	}
	return x.first, x.ok
}

// ringing looks for the first alarm after a moment.
type ringing struct {
	*zones
	main     *ical.Component
	loc      *time.Location
	after    time.Time
	lastAck  time.Time
	defaults []time.Duration

	first store.Alarm
	ok    bool
}

// occurrence looks at the alarms of one occurrence, or of what happens once.
func (x *ringing) occurrence(o occurrence) {
	if strings.EqualFold(strings.TrimSpace(text(o.comp, ical.PropStatus)), "CANCELLED") {
		return
	}
	days := o.t.start.stamp.date
	if !o.t.start.ok { // a VTODO that is only due
		if !o.t.end.ok {
			return
		}
		o.start, o.end, days = o.t.end.at, o.t.end.at, o.t.end.stamp.date
	}
	when := store.Span{Start: o.start.UTC(), End: o.end.UTC()}
	if days {
		last := o.end
		if o.comp.Name == ical.CompEvent { // ends before its DTEND
			last = last.Add(-time.Second)
		}
		first := store.DateOf(o.start, x.loc)
		when = store.Days(first, store.DateOf(last, x.loc), x.loc)
	}
	alarms, own := 0, false
	for _, a := range o.comp.Children {
		if a.Name != ical.CompAlarm || alarms == maxAlarmsRead {
			continue
		}
		alarms, own = alarms+1, true
		x.alarm(a, when, o)
	}
	if !own {
		for _, offset := range x.defaults {
			x.rings(when.Ring(offset, x.loc), when, o)
		}
	}
	if snoozed, ok := x.snoozed(o); ok {
		x.rings(snoozed, when, o)
	}
}

// snoozed is until when Thunderbird's user put an occurrence off. Of a series
// each has its own, named by its RECURRENCE-ID in microseconds.
func (x *ringing) snoozed(o occurrence) (time.Time, bool) {
	at, _, ok := x.at(o.comp, "X-MOZ-SNOOZE-TIME")
	if !ok {
		at, _, ok = x.at(x.main, "X-MOZ-SNOOZE-TIME-"+strconv.FormatInt(o.id.UnixMicro(), 10))
	}
	return at, ok
}

// alarm looks at one VALARM: from its start or end, or at a moment, and again.
func (x *ringing) alarm(a *ical.Component, when store.Span, o occurrence) {
	trigger := a.Props.Get(ical.PropTrigger)
	if trigger == nil || strings.EqualFold(strings.TrimSpace(text(a, ical.PropAction)), "NONE") { // Apple's for no alarm
		return
	}
	var at time.Time
	if s, ok := parseDateTime(trigger.Value); ok {
		at = s.in(x.loc)
	} else if before, ok := parseDuration(trigger.Value); !ok {
		return
	} else if strings.EqualFold(trigger.Params.Get("RELATED"), "END") {
		at = before.after(o.end, o.t.loc)
	} else {
		at = before.after(o.start, o.t.loc)
	}
	repeat, every := 0, length{}
	if p := a.Props.Get(ical.PropRepeat); p != nil {
		if n, err := p.Int(); err == nil {
			repeat = max(0, min(n, maxRepeat))
		}
		if p := a.Props.Get(ical.PropDuration); p != nil {
			every, _ = parseDuration(p.Value)
		}
	}
	acknowledged, _, _ := x.at(a, "ACKNOWLEDGED")
	for range repeat + 1 {
		if at.After(acknowledged) {
			x.rings(at, when, o)
		}
		next := every.after(at, time.UTC)
		if !next.After(at) {
			return
		}
		at = next
	}
}

// rings takes an alarm that is the first after the moment so far, and that
// nobody has closed.
func (x *ringing) rings(at time.Time, when store.Span, o occurrence) {
	ack := x.lastAck
	if own, _, ok := x.at(o.comp, "X-MOZ-LASTACK"); ok {
		ack = own
	}
	if !at.After(x.after) || !at.After(ack) {
		return
	}
	// A moment is meant for each occurrence of a series: it belongs to the one
	// that comes then.
	again := x.ok && at.Equal(x.first.At) && x.first.When.Ends(x.loc).Before(at)
	if !x.ok || at.Before(x.first.At) || again {
		x.first, x.ok = store.Alarm{At: at.UTC(), When: when}, true
	}
}
