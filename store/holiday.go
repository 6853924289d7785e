package store

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Holiday is a day that is not what its weekday says: free, or a weekend's day
// that is worked on.
type Holiday struct {
	Day     Date
	Working bool
	Name    string // at most 200 runes
}

// MaxHolidays is how many days one calendar of holidays may have.
const MaxHolidays = 5000

//go:embed holidays.txt
var russianHolidays string

// RussianHolidays are those that holidays.txt knows.
func RussianHolidays() []Holiday {
	days, err := ParseHolidays(russianHolidays)
	if err != nil {
		panic(err) // a test reads it
	}
	return days
}

// ParseHolidays reads lines like "2026-12-31 free New Year's Eve" and
// "2026-01-01..2026-01-08 free", "work" for a weekend's day that is worked on.
// Empty lines and those with # are passed over. Errors name the line.
func ParseHolidays(text string) (out []Holiday, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		days, err := parseHoliday(line)
		if err == nil && len(out)+len(days) > MaxHolidays {
			err = fmt.Errorf("more than %d days", MaxHolidays)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, days...)
	}
	return out, nil
}

func parseHoliday(line string) (out []Holiday, err error) {
	span, rest, _ := strings.Cut(line, " ")
	kind, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if kind != "free" && kind != "work" {
		return nil, fmt.Errorf(`%q is neither "free" nor "work"`, clip(kind, 40))
	}
	if name = strings.TrimSpace(name); utf8.RuneCountInString(name) > 200 {
		return nil, errors.New("the name has more than 200 characters")
	}
	begin, end, isSpan := strings.Cut(span, "..")
	first, err := ParseDate(begin)
	last := first
	if err == nil && isSpan {
		last, err = ParseDate(end)
	}
	if err != nil || last < first || first.Days(last) > 366 {
		return nil, fmt.Errorf("%q is neither a day like 2026-12-31 nor a span like 2026-01-01..2026-01-08", clip(span, 40))
	}
	for d := first; d <= last; d = d.Add(1) {
		out = append(out, Holiday{Day: d, Working: kind == "work", Name: name})
	}
	return out, nil
}

// HolidaySources are where Holidays come from; a later one wins.
type HolidaySources struct {
	Shipped   []Holiday
	Addresses []string // whose days SaveHolidays noted
	Own       []Holiday
}

// Holidays say which days are worked on. The zero value knows the weekdays
// alone: Monday to Friday.
type Holidays struct {
	days  map[Date]Holiday
	years map[string]bool
}

// NewHolidays takes calendars in the order given: of two that know a day, the
// later one wins.
func NewHolidays(calendars ...[]Holiday) *Holidays {
	h := &Holidays{days: map[Date]Holiday{}, years: map[string]bool{}}
	for _, c := range calendars {
		for _, d := range c {
			if len(d.Day) == len(dateLayout) {
				h.days[d.Day] = d
				h.years[string(d.Day[:4])] = true
			}
		}
	}
	return h
}

// works reports whether the house works on a day; nil knows weekends alone.
func (h *Holidays) works(d Date, weekday time.Weekday) bool {
	if h != nil {
		if day, ok := h.days[d]; ok {
			return day.Working
		}
	}
	return weekday != time.Saturday && weekday != time.Sunday
}

// free reports whether the calendar says that nobody works.
func (h *Holidays) free(d Date) bool {
	if h == nil {
		return false
	}
	day, ok := h.days[d]
	return ok && !day.Working
}

// Knows reports whether a calendar has any day of the year of d; so it does
// where there is no calendar at all.
func (h *Holidays) Knows(d Date) bool {
	return len(h.days) == 0 || len(d) >= 4 && h.years[string(d[:4])]
}

// All lists the days, in order.
func (h *Holidays) All() []Holiday {
	var out []Holiday
	for _, d := range h.days {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Holiday) int { return cmp.Compare(a.Day, b.Day) })
	return out
}
