package store

import (
	"cmp"
	"slices"
	"time"
)

// DealSelection selects open deals for a report: not cancelled, and something
// is not yet shipped or not yet paid (rules.md section 4). Empty lists select
// all.
type DealSelection struct {
	Viewer      Manager // a manager sees the own ones, a head all
	Managers    []int64 // responsible: the deal's, else the client's; 0: none
	Clients     []int64
	Deals       []int64
	Sources     []int64 // the deal's, else the client's; 0: none
	Importances []Importance
	Classes     []string // ABC of the client; "" none
	Stages      []string
}

// OpenDeal is a deal with what the report of open deals says of it.
type OpenDeal struct {
	Deal       Deal
	Totals     DealTotals
	Manager    GroupKey // responsible; zero: nobody
	Source     GroupKey
	Importance Importance // of the client
	Class      string
	Stage      string
	Events     []DealEvent // planned and postponed
}

// Next is the event that people must look at first, as lists are sorted
// (rules.md section 2.1): overdue, current, postponed, then by day. nil: none
// is planned.
func (d *OpenDeal) Next(loc *time.Location, at time.Time) *DealEvent {
	if len(d.Events) == 0 {
		return nil
	}
	next := slices.MinFunc(d.Events, func(a, b DealEvent) int {
		day := func(e *DealEvent) Date { return cmp.Or(e.Day(), "9999") }
		return cmp.Or(a.Status(loc, at).Rank()-b.Status(loc, at).Rank(), cmp.Compare(day(&a), day(&b)), cmp.Compare(a.ID, b.ID))
	})
	return &next
}

// ItemSelection selects what the user calendar of rules.md section 6.1 holds:
// contacts and deal events that begin in a period. Empty lists select all.
type ItemSelection struct {
	Viewer   Manager   // a manager sees the own ones, a head all
	From, To time.Time // by start, To excluded; without a day: not selected
	Managers []int64   // whose calendars
	Filter   Filter    // the rest; Filter.Managers is not looked at
}

// PersonSelection selects persons for a list (rules.md section 6.8). Empty
// lists and zero values select all.
type PersonSelection struct {
	Viewer      Manager   // a manager sees those of the clients that Store.Client shows
	At          time.Time // from when birthdays are counted
	Managers    []int64   // responsible for the client; 0: none
	Clients     []int64
	Persons     []int64
	Sources     []int64
	Importances []Importance
	Classes     []string // ABC of the client; "" none
	XYZ         []string
	Stages      []string
	Attributes  map[string][]string // of the client: one of the values; none: any
	Text        string              // a part of the name, an address, or the client's name, in any case
	Before      time.Time           // the last contact was before it, or there was none
	Since       time.Time           // the last contact was not before it
	Birthday    int                 // in so many days from today, today included; 0: any
	Born        time.Month          // of the birthday; 0: any
	NoLast      bool                // PersonLine.Last is not told, if it selects nothing: LastContacts does for few of them
}

// PersonLine is a person with what a list of persons says of the client.
type PersonLine struct {
	Person     Person
	Client     string
	Importance Importance
	Class      string
	XYZ        string
	Stage      string
	Manager    GroupKey
	Source     GroupKey
	Last       time.Time // begin of the last done contact that the person took part in; zero: none
}

// birthdayWithin reports whether a birthday falls on one of the days from
// today on. A birthday of 29 February is on 1 March in other years.
func birthdayWithin(birthday, today Date, days int) bool {
	born, err := time.Parse("2006-01-02", string(birthday))
	if err != nil {
		return false
	}
	from := today.In(time.UTC)
	for _, year := range []int{from.Year(), from.Year() + 1} {
		day := DateOf(time.Date(year, born.Month(), born.Day(), 0, 0, 0, 0, time.UTC), time.UTC)
		if n := today.Days(day); day >= today && n < days {
			return true
		}
	}
	return false
}
