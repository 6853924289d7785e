package store

import (
	"testing"
	"time"
)

func TestNextBirthday(t *testing.T) {
	for _, c := range []struct {
		born, from, want Date
		age              int
	}{
		{"1980-05-01", "2026-04-28", "2026-05-01", 46},
		{"1980-05-01", "2026-05-01", "2026-05-01", 46}, // today
		{"1980-05-01", "2026-05-02", "2027-05-01", 47},
		{"1980-01-02", "2026-12-30", "2027-01-02", 47}, // over the new year
		{"1996-02-29", "2027-02-20", "2027-02-28", 31}, // no leap year
		{"1996-02-29", "2028-02-20", "2028-02-29", 32},
		{"1996-02-29", "2027-03-01", "2028-02-29", 32},
		{"--05-01", "2026-04-28", "2026-05-01", 0}, // of unknown year
		{"--02-29", "2027-02-20", "2027-02-28", 0},
		{"2027-05-01", "2026-04-28", "", 0}, // not born yet
		{"", "2026-04-28", "", 0},
		{"1 May", "2026-04-28", "", 0},
	} {
		if got, age := nextBirthday(c.born, c.from); got != c.want || age != c.age {
			t.Errorf("born %s, on %s: %s of %d, want %s of %d", c.born, c.from, got, age, c.want, c.age)
		}
	}
}

func TestNextWorkday(t *testing.T) {
	moscow, _ := time.LoadLocation("Europe/Moscow")
	for at, want := range map[string]Date{
		"2026-11-23T20:30:00Z": "2026-11-24", // Monday 23:30
		"2026-11-23T21:30:00Z": "2026-11-25", // Tuesday 0:30 there
		"2026-11-27T10:00:00Z": "2026-11-30", // Friday
		"2026-11-28T10:00:00Z": "2026-11-30",
		"2026-12-30T10:00:00Z": "2027-01-11", // New Year
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := OfficeHours.nextWorkday(now, moscow, NewHolidays(RussianHolidays())); got != want {
			t.Errorf("after %s: %s, want %s", at, got, want)
		}
	}
}

func TestKeepInTouch_days(t *testing.T) {
	k := KeepInTouch{Cadences: []Cadence{{Class: "A", Importance: High, Days: 7}, {Class: "A", Days: 14}, {Stage: StageLost, Days: 90}, {Days: 60}}}
	for _, c := range []struct {
		importance   Importance
		class, stage string
		want         int
	}{
		{High, "A", StageRegular, 7}, {Low, "A", StageRegular, 14}, {High, "", StageLost, 90}, {High, "B", StageOneOff, 60},
	} {
		if got := k.days(c.importance, c.class, c.stage); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if k.Cadences = k.Cadences[:3]; k.days(Normal, "C", StageOneOff) != 0 {
		t.Error("a client that no rule fits has a cadence")
	}
}
