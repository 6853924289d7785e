package store

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// DealList selects a page of open deals.
type DealList struct {
	DealSelection
	Text    string    // a part of the client's name in any case, or the deal's number
	Left    EventKind // of what something is left; "" either
	Overdue bool      // only those of which an event is overdue for the viewer
	After   DealPlace // begins behind it
	Limit   int       // 50 when 0, at most 500
}

// DealPlace is where a page of open deals ended. Those come first that people
// must look at first: by the day of their next event, then by their own.
type DealPlace struct {
	Next Date // noDay where no event has a day
	Date Date
	ID   int64
}

// noDay is the last one that ParseDate takes.
const noDay Date = "2200-12-31"

// String is the place as ParseDealPlace reads it; "" for none.
func (p DealPlace) String() string {
	if p.ID == 0 {
		return ""
	}
	return string(p.Next) + "." + string(p.Date) + "." + strconv.FormatInt(p.ID, 10)
}

// ParseDealPlace reads a place; what is none is the beginning.
func ParseDealPlace(text string) (p DealPlace) {
	next, rest, _ := strings.Cut(text, ".")
	date, id, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return DealPlace{}
	}
	for _, day := range []string{next, date} {
		if _, err := ParseDate(day); err != nil {
			return DealPlace{}
		}
	}
	return DealPlace{Next: Date(next), Date: Date(date), ID: n}
}

// place is where the deal stands in a list.
func (d *OpenDeal) place() DealPlace {
	p := DealPlace{Next: noDay, Date: d.Deal.Date, ID: d.Deal.ID}
	for i := range d.Events {
		if day := d.Events[i].Day(); day != "" {
			p.Next = min(p.Next, day)
		}
	}
	return p
}

// overdue reports whether one of its events is, at that moment.
func (d *OpenDeal) overdue(loc *time.Location, at time.Time) bool {
	return slices.ContainsFunc(d.Events, func(e DealEvent) bool { return e.Status(loc, at) == StatusOverdue })
}
