package web

import (
	"fmt"
	"net/url"
	"slices"
	"time"
	"unicode"

	"intouch/store"
)

// The user calendar as a day, a week or a month.

// layouts of the calendar, the usual first.
var layouts = []string{"list", "day", "week", "month"}

const (
	gridLimit = 2000 // contacts, and as many events
	gridLong  = 31   // days before the first in which what still reaches into it may begin
	cellLimit = 6    // entries of a day of a month
)

// grid is a stretch of days.
type grid struct {
	Layout     string
	Title      string // "23–29 ноября"
	Prev, Next string // addresses
	Today      string
	Weekdays   []string
	Weeks      [][]cell // of one day: one of one
	More       string   // a word when there is more than can be shown
}

// cell is one day.
type cell struct {
	Day     store.Date
	Name    string // as a heading: "пн, 23 ноября"
	Number  int    // of the month
	Link    string // the day by itself
	Today   bool
	Outside bool // of another month than the one shown
	Entries []entry
	More    string // "ещё 3", those that Entries does not hold
}

// entry is an item within a day. A day by itself shows its whole row.
type entry struct {
	row
	Time string // "" the whole day
}

type layoutLink struct {
	Name, Link string
	On         bool
}

// layoutLinks are the addresses of the page's layouts.
func layoutLinks(v *visit) (out []layoutLink) {
	q := v.URL.Query()
	now := q.Get("layout")
	if !slices.Contains(layouts, now) {
		now = layouts[0]
	}
	for _, name := range layouts {
		day := store.Date(q.Get("day"))
		if name == layouts[0] {
			day = ""
		}
		out = append(out, layoutLink{v.say.t("layout." + name), layoutURL(q, name, day), name == now})
	}
	return out
}

// layoutURL is the page with the same filter in that layout and at that day.
func layoutURL(q url.Values, layout string, day store.Date) string {
	to := url.Values{}
	for name, values := range q {
		to[name] = values
	}
	to.Del("said")
	to.Del("day")
	to.Del("layout")
	if layout != layouts[0] {
		to.Set("layout", layout)
		if day != "" {
			to.Set("day", string(day))
		}
	}
	return (&url.URL{Path: "/", RawQuery: to.Encode()}).String()
}

// weekday counts from Monday.
func weekday(d store.Date) int {
	t, _ := time.Parse(time.DateOnly, string(d)) // a Date is one
	return (int(t.Weekday()) + 6) % 7
}

// stretch is the first and last day of the day, the week or the weeks of the
// month that hold d.
func stretch(layout string, d store.Date) (first, last store.Date) {
	switch layout {
	case "week":
		first = d.Add(-weekday(d))
		return first, first.Add(6)
	case "month":
		first, last = monthOf(d)
		return first.Add(-weekday(first)), last.Add(6 - weekday(last))
	}
	return d, d
}

// monthOf is the first and last day of d's month.
func monthOf(d store.Date) (first, last store.Date) {
	t, _ := time.Parse(time.DateOnly, string(d))
	begins := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return store.Date(begins.Format(time.DateOnly)), store.Date(begins.AddDate(0, 1, -1).Format(time.DateOnly))
}

// grid reads and lays out the days that were asked for.
func (s *server) grid(v *visit, form *calendarForm, names map[int64]string) (*grid, error) {
	first, last := stretch(form.Layout, form.Day)
	filter := form.Filter
	filter.DoneDays = 0 // the days shown are the bound
	var items []store.Item
	more := false
	for _, part := range []struct {
		types []store.ItemType
		from  store.Date
	}{
		{[]store.ItemType{store.ContactItem}, first.Add(-gridLong)},
		{[]store.ItemType{store.ShipmentItem, store.PaymentItem}, first}, // of one day each
	} {
		q := store.ItemSelection{Viewer: v.who, Managers: filter.Managers, Filter: filter, From: part.from.In(v.say.loc).UTC(), To: last.Add(1).In(v.say.loc).UTC()}
		q.Filter.Types = slices.DeleteFunc(part.types, func(t store.ItemType) bool { return len(filter.Types) > 0 && !slices.Contains(filter.Types, t) })
		if len(q.Filter.Types) == 0 {
			continue
		}
		found, others, err := s.st.PeriodItems(v.ctx, q, gridLimit)
		if err != nil {
			return nil, err
		}
		items, more = append(items, found...), more || others
	}
	g := layOut(v.say, form, items, names, v.here())
	q := v.URL.Query()
	before, after := first.Add(-1), last.Add(1)
	if form.Layout == "month" {
		begins, ends := monthOf(form.Day)
		before, after = begins.Add(-1), ends.Add(1)
	}
	g.Prev, g.Next, g.Today = layoutURL(q, form.Layout, before), layoutURL(q, form.Layout, after), layoutURL(q, form.Layout, "")
	for i := range g.Weeks {
		for j := range g.Weeks[i] {
			g.Weeks[i][j].Link = layoutURL(q, "day", g.Weeks[i][j].Day)
		}
	}
	if more {
		g.More = v.say.t("calendar.limit", gridLimit)
	}
	return g, nil
}

// layOut puts items, in any order, into the days of the form's layout. An item
// of several days stands in each of them.
func layOut(say voice, form *calendarForm, items []store.Item, names map[int64]string, back string) *grid {
	first, last := stretch(form.Layout, form.Day)
	g := &grid{Layout: form.Layout, Title: say.day(form.Day)}
	begins, ends := first, last
	switch form.Layout {
	case "week":
		g.Title = say.date(first) + "\u00a0– " + say.date(last)
	case "month":
		t, _ := time.Parse(time.DateOnly, string(form.Day))
		name := []rune(store.MonthName(say.lang, t.Month()))
		g.Title = fmt.Sprintf("%c%s %d", unicode.ToUpper(name[0]), string(name[1:]), t.Year())
		begins, ends = monthOf(form.Day)
	}
	if form.Layout != "day" {
		for i := range 7 {
			g.Weekdays = append(g.Weekdays, weekdays[say.lang.Index()][(i+1)%7])
		}
	}
	type placed struct {
		*store.Item
		when  store.Span
		first bool // of its days
	}
	all := make([]placed, len(items))
	for i := range items {
		all[i] = placed{Item: &items[i], when: items[i].WhenIn(say.loc)}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		if a.when.AllDay != b.when.AllDay {
			if a.when.AllDay {
				return -1
			}
			return 1
		}
		return a.when.Start.Compare(b.when.Start)
	})
	days := map[store.Date][]placed{}
	for _, it := range all {
		from := store.DateOf(it.when.Start, say.loc)
		to := from
		if it.when.End.After(it.when.Start) {
			to = store.DateOf(it.when.End.Add(-time.Second), say.loc)
		}
		for d := max(from, first); d <= min(to, last); d = d.Add(1) {
			it.first = d == from
			days[d] = append(days[d], it)
		}
	}
	// Of a full day of a month only some become rows.
	entries := func(some []placed) (list []entry) {
		for _, it := range some {
			e := entry{row: itemRow(say, it.Item, names, back)}
			e.Left = say.hours(it.when)
			if it.Event != nil && form.Layout != "day" {
				e.Title = e.What + " " + e.Title // a sum alone says little
			}
			if !it.when.AllDay && it.first {
				e.Time = say.clock(it.when.Start)
			}
			list = append(list, e)
		}
		return list
	}
	for d := first; d <= last; d = d.Add(1) {
		if weekday(d) == 0 || len(g.Weeks) == 0 {
			g.Weeks = append(g.Weeks, nil)
		}
		t, _ := time.Parse(time.DateOnly, string(d))
		c := cell{Day: d, Name: say.day(d), Number: t.Day(), Today: d == say.today(), Outside: d < begins || d > ends}
		shown := days[d]
		if form.Layout == "month" && len(shown) > cellLimit {
			c.More = say.t("calendar.more", len(shown)-cellLimit+1)
			shown = shown[:cellLimit-1]
		}
		c.Entries = entries(shown)
		week := &g.Weeks[len(g.Weeks)-1]
		*week = append(*week, c)
	}
	return g
}
