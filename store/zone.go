package store

import (
	"fmt"
	"time"
	_ "time/tzdata" // a machine without zone files still knows every zone
)

// Date is a calendar day without a zone, "2026-11-23". "" is no day.
type Date string

const dateLayout = "2006-01-02"

// DateOf is the day of t in loc.
func DateOf(t time.Time, loc *time.Location) Date { return Date(t.In(loc).Format(dateLayout)) }

// ParseDate reads an ISO day.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2200 {
		return "", fmt.Errorf("%q is not a day like 2026-11-23", s)
	}
	return Date(s), nil
}

// In is the first moment of the day in loc. A midnight that DST skips gives
// the first moment that exists.
func (d Date) In(loc *time.Location) time.Time { return d.begins(0, loc) }

// begins is d.Add(n).In(loc).
func (d Date) begins(n int, loc *time.Location) time.Time {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return time.Time{}
	}
	t = t.AddDate(0, 0, n)
	return WallTime(t.Year(), t.Month(), t.Day(), 0, 0, loc)
}

// Add is the day n days later.
func (d Date) Add(n int) Date {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return ""
	}
	return Date(t.AddDate(0, 0, n).Format(dateLayout))
}

// Days is the number of days from d to e.
func (d Date) Days(e Date) int {
	a, err1 := time.Parse(dateLayout, string(d))
	b, err2 := time.Parse(dateLayout, string(e))
	if err1 != nil || err2 != nil {
		return 0
	}
	return int(b.Sub(a) / (24 * time.Hour))
}

// WallTime is the moment when clocks in loc show the given time. A time that
// the clocks skip (DST) moves forward to the first one that exists
// (rules.md section 2.2); of a time that occurs twice it is the first.
func WallTime(year int, month time.Month, day, hour, min int, loc *time.Location) time.Time {
	t := time.Date(year, month, day, hour, min, 0, 0, loc)
	want := time.Date(year, month, day, hour, min, 0, 0, time.UTC)
	if shown := wall(t); shown.Equal(want) {
		// time.Date does not say which of two it takes; look one hour back.
		if offset(t.Add(-2*time.Hour)) == offset(t) {
			return t
		}
		for _, back := range []time.Duration{2 * time.Hour, time.Hour, 30 * time.Minute} {
			if earlier := t.Add(-back); wall(earlier).Equal(want) {
				return earlier
			}
		}
		return t
	}
	// In a gap: its end is the first moment after want on the clock.
	lo, hi := t.Add(-26*time.Hour), t.Add(26*time.Hour)
	for hi.Sub(lo) > time.Second {
		mid := lo.Add(hi.Sub(lo) / 2).Truncate(time.Second)
		if !mid.After(lo) {
			break
		}
		if wall(mid).Before(want) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// wall is what the clocks show at t, as if it were UTC.
func wall(t time.Time) time.Time {
	return t.UTC().Add(time.Duration(offset(t)) * time.Second)
}

// offset is that of the clocks at t, in seconds east of UTC.
func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

// Span is when something happens: a stretch of time, or whole days.
type Span struct {
	Start, End  time.Time // UTC; of whole days: as seen in the owner's zone
	AllDay      bool
	First, Last Date // whole days, both included
}

// Days makes a Span of whole days, placed in loc.
func Days(first, last Date, loc *time.Location) Span {
	if last < first {
		last = first
	}
	return Span{Start: first.In(loc).UTC(), End: last.begins(1, loc).UTC(), AllDay: true, First: first, Last: last}
}

// Ends is the moment after which the span has passed for one who looks from loc.
func (s Span) Ends(loc *time.Location) time.Time {
	if s.AllDay {
		return s.Last.begins(1, loc)
	}
	return s.End
}

// Begins is the moment when it starts for one who looks from loc.
func (s Span) Begins(loc *time.Location) time.Time {
	if s.AllDay {
		return s.First.In(loc)
	}
	return s.Start
}

// IsZero reports whether no time was given.
func (s Span) IsZero() bool { return s.Start.IsZero() && s.First == "" }

// Move puts the span's start at t and keeps its length; whole days move to
// the day of t in loc.
func (s Span) Move(t time.Time, loc *time.Location) Span {
	if s.AllDay {
		first := DateOf(t, loc)
		return Days(first, first.Add(s.First.Days(s.Last)), loc)
	}
	return Span{Start: t.UTC(), End: t.UTC().Add(s.End.Sub(s.Start))}
}
