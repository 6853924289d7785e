package store

import (
	"regexp"
	"strconv"
	"time"
)

// Snooze is a word that moves an item to a later time (rules.md section 2.2).
// People who type words may count: "+3d", "+45m", "+6w" and "+2m" (months up
// to 12, minutes from 15 on) are understood as well as those that are offered.
type Snooze string

// Snoozes are all words, in the order in which they are offered.
var Snoozes = []Snooze{"+30m", "+1h", "+2h", "tomorrow", "+2d", "monday", "+1w", "+2w", "month", "+1m"}

// Snooze moves the span by the word as seen at now in loc, keeping its length.
// What has passed already is counted from now, else the snoozed item would be
// overdue again at once; days keep the clock time. False: an unknown word, or
// minutes and hours for whole days, which have none.
func (s Span) Snooze(word Snooze, now time.Time, loc *time.Location) (Span, bool) {
	base := s.Begins(loc)
	if s.IsZero() || base.Before(now) {
		base = now
	}
	n, unit := word.step()
	minutes := map[byte]time.Duration{'i': time.Minute, 'h': time.Hour}[unit] * time.Duration(n)
	if minutes > 0 {
		if s.AllDay {
			return s, false
		}
		start := base.Add(minutes).UTC().Truncate(time.Minute)
		if s.IsZero() {
			return Span{Start: start, End: start.Add(30 * time.Minute)}, true
		}
		return s.Move(start, loc), true
	}

	today, from := now.In(loc), base.In(loc)
	var day time.Time // its date counts, read as UTC
	switch {
	case word == "tomorrow":
		day = laterDay(today, 0, 1)
	case word == "monday":
		day = laterDay(today, 0, 1+(7-int(today.Weekday()))%7) // Sunday is 0
	case word == "month":
		day = time.Date(today.Year(), today.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	case unit == 'd':
		day = laterDay(from, 0, n)
	case unit == 'w':
		day = laterDay(from, 0, 7*n)
	case unit == 'm':
		day = laterDay(from, n, 0)
	default:
		return s, false
	}
	if s.AllDay || s.IsZero() {
		first := Date(day.Format(dateLayout))
		return Days(first, first.Add(s.First.Days(s.Last)), loc), true
	}
	clock := s.Start.In(loc)
	return s.Move(WallTime(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), loc), loc), true
}

var snoozeStep = regexp.MustCompile(`^\+([1-9][0-9]{0,2})([mhdw])$`)

// step is the count of a counting word and its unit: 'i' minutes, 'h', 'd',
// 'w', 'm' months; 0 and 0 for the others.
func (word Snooze) step() (n int, unit byte) {
	m := snoozeStep.FindStringSubmatch(string(word))
	if m == nil {
		return 0, 0
	}
	n, _ = strconv.Atoi(m[1]) // three digits
	switch unit = m[2][0]; {
	case unit == 'm' && n >= 15:
		unit = 'i'
	case unit == 'm' && n > 12:
		return 0, 0 // months or minutes: nobody knows
	}
	return n, unit
}

// laterDay is t's day, months and days later; the 31st of a month that has none
// is its last day.
func laterDay(t time.Time, months, days int) time.Time {
	d := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := d.AddDate(0, 1, -1).Day()
	return d.AddDate(0, 0, min(t.Day(), last)-1+days)
}
