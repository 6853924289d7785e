package caldav

import (
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
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

// writtenZones keeps what writeZone has written: a nightly import renders
// thousands of entries of one zone and year.
var (
	writtenZones sync.Map // zoneYear → string
	zonesWritten atomic.Int32
)

type zoneYear struct {
	name string
	year int
}

const maxWrittenZones = 500

// writeZone writes the VTIMEZONE of loc, right from the year before first to
// some years after it; where the changes follow a yearly rule, for ever. The
// text depends on nothing but the zone and the year.
func (w *writer) writeZone(loc *time.Location, first int) {
	key := zoneYear{loc.String(), first}
	if text, ok := writtenZones.Load(key); ok {
		w.WriteString(text.(string))
		return
	}
	text := zoneText(loc, first)
	if zonesWritten.Add(1) <= maxWrittenZones {
		writtenZones.Store(key, text)
	}
	w.WriteString(text)
}

func zoneText(loc *time.Location, first int) string {
	w := &writer{}
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
	return w.String()
}

const localTime = "20060102T150405"

// observances lists the changes of loc between two moments, the offset at the
// first one before them.
func observances(loc *time.Location, from, to time.Time) []*observance {
	name, off := from.Zone()
	list := []*observance{{dst: from.IsDST(), name: name, from: off, to: off, onsets: []time.Time{wall(from, off)}}}
	for day := from; day.Before(to); day = day.Add(24 * time.Hour) {
		at, changes := changeWithin(day, 24*time.Hour)
		if !changes {
			continue
		}
		before := off
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
	return list
}

// changeWithin is the second after t, at most d later, in which t's zone
// changes its offset. (time.Time.ZoneBounds would say it at once, but late in
// the century it gives ends that are not after the time asked for.)
func changeWithin(t time.Time, d time.Duration) (time.Time, bool) {
	_, off := t.Zone()
	same := func(t time.Time) bool { _, o := t.Zone(); return o == off }
	if same(t.Add(d)) {
		return t, false
	}
	n := sort.Search(int(d/time.Second), func(i int) bool { return !same(t.Add(time.Duration(i) * time.Second)) })
	return t.Add(time.Duration(n) * time.Second), true
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
