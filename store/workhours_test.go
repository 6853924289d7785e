package store

import (
	"testing"
	"time"
)

func TestParseWorkHours(t *testing.T) {
	for text, want := range map[string]string{
		"09:00-18:00":                 "09:00-18:00",
		" 9:30–17:00 ":                "09:30-17:00",
		"tue-sat 10:00-19:00":         "tue-sat 10:00-19:00",
		"Sun,mon,tue,thu 08:00-14:00": "mon-tue,thu,sun 08:00-14:00",
		"вт–сб 10:00-19:00":           "tue-sat 10:00-19:00",
		"mon-fri 09:00-18:00":         "mon-fri 09:00-18:00",
		"":                            "",
		"18:00-09:00":                 "",
		"tue-sat":                     "",
		"sat-tue 09:00-18:00":         "",
		"someday 09:00-18:00":         "",
		"mon- 09:00-18:00":            "",
	} {
		w, err := ParseWorkHours(text)
		if w.String() != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", text, w, err, want)
			continue
		}
		if again, err := ParseWorkHours(w.String()); want != "" && (err != nil || again != w) {
			t.Errorf("%q does not read what it writes: %+v, %v", text, again, err)
		}
	}
}

// TestWorkHours_Works: a holiday is everybody's, a Saturday that was made a
// working day only theirs who work by the house's days.
func TestWorkHours_Works(t *testing.T) {
	calendar := NewHolidays([]Holiday{{Day: "2026-11-04"}, {Day: "2026-11-07", Working: true}}) // a Wednesday, a Saturday
	own, err := ParseWorkHours("wed-thu,sun 10:00-19:00")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[Date][2]bool{
		"2026-11-04": {false, false}, // the holiday
		"2026-11-05": {true, true},   // Thursday
		"2026-11-06": {true, false},  // Friday
		"2026-11-07": {true, false},  // the working Saturday
		"2026-11-08": {false, true},  // Sunday
	} {
		if got := [2]bool{OfficeHours.Works(day, calendar), own.Works(day, calendar)}; got != want {
			t.Errorf("%s: %v, want %v", day, got, want)
		}
	}
	at := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	// Friday noon to Sunday noon: none of Friday and Saturday, two hours of Sunday.
	if n := own.Minutes(at("2026-11-06T12:00:00Z"), at("2026-11-08T12:00:00Z"), time.UTC, calendar); n != 120 {
		t.Errorf("%d minutes", n)
	}
	if day := own.nextWorkday(at("2026-11-05T20:00:00Z"), time.UTC, calendar); day != "2026-11-08" {
		t.Errorf("after Thursday comes %s", day)
	}
}
