package caldav

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// free-busy-query (RFC 4791 section 7.10): when the manager is taken, without
// saying by what.

// Bounds of one answer: hourly for six years, or as many single meetings; and
// what may be gone over to find them, for series begin long before.
const (
	maxBusy    = 50_000
	maxVisited = 5_000_000
)

// period is [from, to).
type period struct{ from, to time.Time }

// agenda is the busy time within a range, by FBTYPE (RFC 5545 section 3.2.9).
type agenda struct {
	timeRange
	busy, tentative []period
	visited         int
}

// freeBusy answers free-busy-query of a calendar, whatever the depth, and of a
// home from depth 1 on. In a home those calendars count that hold its owner's
// own contacts: saved filters show them once more, and others' beside them.
func (c *call) freeBusy(root *element) error {
	e := root.child(nsCalDAV, "time-range")
	if e == nil {
		return status(http.StatusBadRequest)
	}
	tr, err := timeRangeOf(e)
	if err != nil {
		return err
	}
	if tr.from.IsZero() || tr.to.IsZero() {
		return badFilter()
	}
	var cols []store.Collection
	switch {
	case c.place.kind == calendarKind:
		col, err := c.calendar()
		if err != nil {
			return err
		}
		cols = append(cols, col)
	case c.depth("0") != "0":
		all, err := c.st.Collections(c.ctx, c.manager.ID)
		if err != nil {
			return err
		}
		cols = slices.DeleteFunc(all, func(col store.Collection) bool {
			return col.Kind == store.TeamCalendar || col.Kind == store.FilterCalendar
		})
	}
	a := &agenda{timeRange: *tr}
	for i := range cols {
		if !slices.Contains(cols[i].Component.Each(), store.VEvent) {
			continue
		}
		floating := c.floating(nil, &cols[i])
		err := c.st.Entries(c.ctx, cols[i].ID, tr.from, tr.to, store.EntryBytes,
			func(store.Collection) error { return nil },
			func(e *store.Entry) error { return a.add(e.Bytes, floating) })
		if err != nil {
			return err
		}
	}
	body := a.write(c.st.Now())
	c.w.Header().Set("Content-Type", contentType(entryKind))
	c.w.Write(body) // an error: the client has gone
	return nil
}

// add takes in an object; one that cannot be read takes no time.
func (a *agenda) add(body []byte, floating *time.Location) (err error) {
	cal, err := decode(body)
	if err != nil {
		return nil
	}
	defer func() {
		if recover() != nil { // rrule-go
			err = nil
		}
	}()
	z := zonesOf(cal.Component, floating)
	for _, comp := range cal.Children {
		t := z.timing(comp)
		if comp.Name != ical.CompEvent || !t.start.ok {
			continue
		}
		if z.series(cal, comp, t, a.to, a.take) {
			return violated(http.StatusForbidden, nsDAV, "number-of-matches-within-limits")
		}
	}
	return nil
}

// take takes in one occurrence, and reports true when there are too many.
func (a *agenda) take(o occurrence) bool {
	if a.visited++; a.visited > maxVisited {
		return true
	}
	to := &a.busy
	switch strings.ToUpper(text(o.comp, ical.PropStatus)) {
	case "CANCELLED":
		return false
	case "TENTATIVE":
		to = &a.tentative
	}
	if strings.EqualFold(text(o.comp, ical.PropTransparency), "TRANSPARENT") {
		return false
	}
	p := period{o.start, o.end}
	if p.from.Before(a.from) {
		p.from = a.from
	}
	if p.to.After(a.to) {
		p.to = a.to
	}
	if p.from.Before(p.to) {
		*to = append(*to, p)
	}
	return len(a.busy)+len(a.tentative) > maxBusy
}

// write makes the VFREEBUSY. Time that is both counts as busy.
func (a *agenda) write(now time.Time) []byte {
	var w writer
	w.line("BEGIN:VCALENDAR")
	w.line("VERSION:2.0")
	w.line("PRODID:" + prodID)
	w.line("BEGIN:VFREEBUSY")
	w.line("DTSTAMP:" + now.UTC().Format(utcTime))
	w.line("DTSTART:" + a.from.Format(utcTime))
	w.line("DTEND:" + a.to.Format(utcTime))
	busy := merged(a.busy)
	for _, list := range []struct {
		kind    string
		periods []period
	}{{"BUSY", busy}, {"BUSY-TENTATIVE", without(merged(a.tentative), busy)}} {
		for _, p := range list.periods {
			w.line("FREEBUSY;FBTYPE=" + list.kind + ":" + p.from.UTC().Format(utcTime) + "/" + p.to.UTC().Format(utcTime))
		}
	}
	w.line("END:VFREEBUSY")
	w.line("END:VCALENDAR")
	return w.Bytes()
}

// merged sorts periods and joins those that touch.
func merged(list []period) []period {
	slices.SortFunc(list, func(x, y period) int { return x.from.Compare(y.from) })
	out := list[:0]
	for _, p := range list {
		if n := len(out); n > 0 && !p.from.After(out[n-1].to) {
			if p.to.After(out[n-1].to) {
				out[n-1].to = p.to
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

// without cuts the periods of taken out of list, both merged.
func without(list, taken []period) (out []period) {
	for _, p := range list {
		for len(taken) > 0 && !taken[0].to.After(p.from) {
			taken = taken[1:]
		}
		for _, t := range taken {
			if !t.from.Before(p.to) {
				break
			}
			if p.from.Before(t.from) {
				out = append(out, period{p.from, t.from})
			}
			p.from = t.to
		}
		if p.from.Before(p.to) {
			out = append(out, p)
		}
	}
	return out
}
