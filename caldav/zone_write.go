package caldav

import (
	"fmt"
	"time"
)

// yearsAhead is how many years after the first one the observances of a
// written VTIMEZONE cover one by one, where they follow no yearly rule.
const yearsAhead = 6

// observance is one STANDARD or DAYLIGHT block: the local times at which
// clocks go from one offset to another.
type observance struct {
	dst      bool
	name     string
	from, to int
	onsets   []time.Time // local, before the change, as if they were UTC
}

// writeZone writes the VTIMEZONE of loc, right from the year before first to
// some years after it; where the changes follow a yearly rule, for ever. The
// text depends on nothing but the zone and the year.
func (w *writer) writeZone(loc *time.Location, first int) {
	w.line("BEGIN:VTIMEZONE")
	w.line("TZID:" + loc.String())
	from := time.Date(first-1, 1, 1, 0, 0, 0, 0, loc)
	for _, o := range observances(loc, from, from.AddDate(yearsAhead+1, 0, 0)) {
		kind := "STANDARD"
		if o.dst {
			kind = "DAYLIGHT"
		}
		w.line("BEGIN:" + kind)
		w.line("DTSTART:" + o.onsets[0].Format(localTime))
		if rule := yearlyRule(o.onsets, yearsAhead); rule != "" {
			w.line("RRULE:" + rule)
		} else {
			for _, t := range o.onsets[1:] {
				w.line("RDATE:" + t.Format(localTime))
			}
		}
		w.line("TZOFFSETFROM:" + formatOffset(o.from))
		w.line("TZOFFSETTO:" + formatOffset(o.to))
		w.line("TZNAME:" + o.name)
		w.line("END:" + kind)
	}
	w.line("END:VTIMEZONE")
}

const localTime = "20060102T150405"

// observances lists the changes of loc between two moments, the offset at the
// first one before them.
func observances(loc *time.Location, from, to time.Time) []*observance {
	at := from
	name, off := at.Zone()
	list := []*observance{{dst: at.IsDST(), name: name, from: off, to: off, onsets: []time.Time{wall(at, off)}}}
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || !end.Before(to) {
			return list
		}
		before := off
		at = end
		name, off = at.Zone()
		o := &observance{dst: at.IsDST(), name: name, from: before, to: off}
		known := false
		for _, old := range list[1:] {
			if old.dst == o.dst && old.name == o.name && old.from == o.from && old.to == o.to {
				o, known = old, true
				break
			}
		}
		if !known {
			list = append(list, o)
		}
		o.onsets = append(o.onsets, wall(at, before))
	}
}

// wall is what a clock at that offset shows, as if it were UTC.
func wall(t time.Time, off int) time.Time {
	return t.UTC().Add(time.Duration(off) * time.Second)
}

// yearlyRule is the RRULE that the onsets follow: every year, the n-th or
// last weekday of one month at one time; "" when they follow none.
func yearlyRule(onsets []time.Time, least int) string {
	if len(onsets) < least {
		return ""
	}
	a := onsets[0]
	nth, last := true, true
	for i, t := range onsets {
		if t.Year() != a.Year()+i || t.Month() != a.Month() || t.Weekday() != a.Weekday() || t.Format("150405") != a.Format("150405") {
			return ""
		}
		nth = nth && (t.Day()-1)/7 == (a.Day()-1)/7
		last = last && t.AddDate(0, 0, 7).Month() != t.Month()
	}
	day := [...]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}[a.Weekday()]
	switch {
	case last:
		return fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=-1%s", int(a.Month()), day)
	case nth:
		return fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=%d%s", int(a.Month()), (a.Day()-1)/7+1, day)
	}
	return ""
}
