package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestStretch(t *testing.T) {
	for _, c := range []struct {
		layout, day, first, last string
	}{
		{"day", "2026-11-25", "2026-11-25", "2026-11-25"},
		{"week", "2026-11-23", "2026-11-23", "2026-11-29"}, // a Monday
		{"week", "2026-11-29", "2026-11-23", "2026-11-29"}, // a Sunday
		{"month", "2026-11-25", "2026-10-26", "2026-12-06"},
		{"month", "2027-02-28", "2027-02-01", "2027-02-28"}, // four whole weeks
		{"month", "2028-02-29", "2028-01-31", "2028-03-05"},
		{"week", "2027-01-01", "2026-12-28", "2027-01-03"},
	} {
		first, last := stretch(c.layout, store.Date(c.day))
		if string(first) != c.first || string(last) != c.last {
			t.Errorf("%s of %s: %s to %s, want %s to %s", c.layout, c.day, first, last, c.first, c.last)
		}
	}
}

// TestLayOut: what takes several days stands in each of them, whole days come
// before hours, a night belongs to the day that it begins in and to the next,
// also where the clocks go back (New York, 1 November 2026, 25 hours).
func TestLayOut(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, newYork)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	item := func(subject string, when store.Span) store.Item {
		return store.Item{Type: store.ContactItem, Contact: &store.Contact{Subject: subject, Kind: store.Call, State: store.Planned, When: when}}
	}
	hour := func(subject, from, to string) store.Item {
		return item(subject, store.Span{Start: at(from), End: at(to)})
	}
	items := []store.Item{
		hour("late", "2026-10-31 23:30", "2026-11-01 00:30"),
		hour("noon", "2026-11-01 12:00", "2026-11-01 13:00"),
		item("fair", store.Days("2026-10-30", "2026-11-01", newYork)),
		hour("to midnight", "2026-10-29 22:00", "2026-10-30 00:00"),
		hour("other week", "2026-11-02 00:00", "2026-11-02 01:00"),
	}
	say := voice{lang: store.English, loc: newYork, now: at("2026-11-01 09:00")}
	show := func(g *grid) string {
		var out strings.Builder
		for _, week := range g.Weeks {
			for _, c := range week {
				if len(c.Entries) == 0 {
					continue
				}
				fmt.Fprintf(&out, "%s:", c.Day)
				for _, e := range c.Entries {
					fmt.Fprintf(&out, " [%s]", strings.TrimSpace(e.Time+" "+e.Title))
				}
				if c.More != "" {
					fmt.Fprintf(&out, " (%s)", c.More)
				}
				out.WriteString("\n")
			}
		}
		return out.String()
	}
	g := layOut(say, &calendarForm{Layout: "week", Day: "2026-11-01"}, items, nil, "/")
	if got, want := show(g), `2026-10-29: [22:00 to midnight]
2026-10-30: [fair]
2026-10-31: [fair] [23:30 late]
2026-11-01: [fair] [late] [12:00 noon]
`; got != want {
		t.Errorf("the week is\n%swant\n%s", got, want)
	}
	if c := g.Weeks[0][6]; !c.Today || g.Weeks[0][5].Today {
		t.Errorf("today is not Sunday: %+v", c)
	}

	var many []store.Item
	for i := range 9 {
		many = append(many, hour(fmt.Sprint("n", i), fmt.Sprintf("2026-11-10 %02d:00", 10+i), fmt.Sprintf("2026-11-10 %02d:30", 10+i)))
	}
	g = layOut(say, &calendarForm{Layout: "month", Day: "2026-11-25"}, many, nil, "/")
	if got := show(g); got != "2026-11-10: [10:00 n0] [11:00 n1] [12:00 n2] [13:00 n3] [14:00 n4] (4 more)\n" {
		t.Errorf("a full day of the month is %s", got)
	}
	if len(g.Weeks) != 6 || !g.Weeks[0][0].Outside || g.Weeks[0][6].Outside || g.Title != "November 2026" {
		t.Errorf("%d weeks of %q", len(g.Weeks), g.Title)
	}
}
