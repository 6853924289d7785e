package caldav

import (
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// Holidays reads a calendar of holidays: the days of its events that are whole
// days, series included, from first to last. They are free, or worked on where
// CATEGORIES of the event say WORKING. Events with a time of day and cancelled
// ones are passed over. Errors say what is wrong with it.
func Holidays(body []byte, first, last store.Date) (out []store.Holiday, err error) {
	defer func() {
		if recover() != nil { // rrule-go
			out, err = nil, errExpanded
		}
	}()
	cal, err := decode(body)
	if err != nil {
		return nil, err
	}
	z := zonesOf(cal.Component, time.UTC)
	from, to := first.In(time.UTC), last.Add(1).In(time.UTC)
	known := map[store.Date]bool{}
	for _, c := range cal.Children {
		t := z.timing(c)
		if c.Name != ical.CompEvent || !t.start.ok || !t.start.stamp.date || strings.EqualFold(text(c, ical.PropStatus), "CANCELLED") {
			continue
		}
		full := false
		z.series(cal, c, t, to, func(o occurrence) bool {
			if z.vague {
				return true
			}
			end := o.end
			if o.start.Before(from) {
				o.start = from
			}
			if end.After(to) {
				end = to
			}
			for at := o.start; at.Before(end); at = at.AddDate(0, 0, 1) {
				day := store.DateOf(at, time.UTC)
				if known[day] {
					continue
				}
				if full = len(out) == store.MaxHolidays; full {
					return true
				}
				known[day] = true
				out = append(out, store.Holiday{Day: day, Working: worked(o.comp), Name: text(o.comp, ical.PropSummary)})
			}
			return false
		})
		if z.vague {
			return nil, fmt.Errorf("the event %q repeats by a rule that is not understood", fitText(text(c, ical.PropSummary)))
		}
		if full {
			return nil, fmt.Errorf("more than %d days", store.MaxHolidays)
		}
	}
	return out, nil
}

func worked(c *ical.Component) bool {
	for _, p := range c.Props[ical.PropCategories] {
		for _, category := range textList(p.Value) {
			if strings.EqualFold(strings.TrimSpace(category), "WORKING") {
				return true
			}
		}
	}
	return false
}
