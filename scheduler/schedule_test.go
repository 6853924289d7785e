package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheckCron(t *testing.T) {
	for _, good := range []string{"", "0 8 * * 1-5", "*/15 9-18 * * MON-FRI", "@daily", "0 2 29 2 *"} {
		if err := CheckCron(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"x", "0 8 * *", "0 8 * * * *", "61 8 * * *", "TZ=Europe/Moscow", "CRON_TZ=", "TZ=UTC 0 8 * * *", "@every 1h", "0 0 30 2 *", "@never", " ", "0 8 * * 1-"} {
		if CheckCron(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// The slots of the days around each change of the clocks: one a day, at the
// right moment.
func TestSchedule_ClockChanges(t *testing.T) {
	cases := []struct {
		zone, expr, from string
		want             string
	}{
		{"Europe/Berlin", "30 2 * * *", "2026-03-28", "2026-03-28T02:30=01:30Z 2026-03-29T02:30=01:00Z 2026-03-30T02:30=00:30Z"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24", "2026-10-24T02:30=00:30Z 2026-10-25T02:30=00:30Z 2026-10-26T02:30=01:30Z"},
		{"America/New_York", "0 2 * * *", "2026-03-07", "2026-03-07T02:00=07:00Z 2026-03-08T02:00=07:00Z 2026-03-09T02:00=06:00Z"},
		{"America/New_York", "30 1 * * *", "2026-10-31", "2026-10-31T01:30=05:30Z 2026-11-01T01:30=05:30Z 2026-11-02T01:30=06:30Z"},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03", "2026-10-03T02:15=15:45Z 2026-10-04T02:15=15:30Z 2026-10-05T02:15=15:15Z"},
		{"America/Santiago", "0 0 * * *", "2026-09-05", "2026-09-05T00:00=04:00Z 2026-09-06T00:00=04:00Z 2026-09-07T00:00=03:00Z"},
		{"Africa/Cairo", "0 0 * * *", "2026-04-23", "2026-04-23T00:00=22:00Z 2026-04-24T00:00=22:00Z 2026-04-25T00:00=21:00Z"},
		{"Asia/Tehran", "0 8 * * *", "2026-03-21", "2026-03-21T08:00=04:30Z 2026-03-22T08:00=04:30Z 2026-03-23T08:00=04:30Z"},
		{"Europe/Moscow", "0 8 * * 1-5", "2026-11-20", "2026-11-20T08:00=05:00Z 2026-11-23T08:00=05:00Z 2026-11-24T08:00=05:00Z"},
		// The 30th of December 2011 did not happen there.
		// The four quarters that are skipped are one with the hour that follows.
		{"Europe/Berlin", "*/15 2-3 * * *", "2026-03-29", "2026-03-29T03:00=01:00Z 2026-03-29T03:15=01:15Z 2026-03-29T03:30=01:30Z"},
		{"Pacific/Apia", "0 8 * * *", "2011-12-29", "2011-12-29T08:00=18:00Z 2011-12-30T08:00=10:00Z 2011-12-31T08:00=18:00Z"},
	}
	for _, c := range cases {
		s, loc := parsed(t, c.expr), zone(t, c.zone)
		at, _ := time.ParseInLocation(time.DateOnly, c.from, loc)
		at = at.Add(-time.Minute)
		var got []string
		for range 3 {
			n, ok := s.next(loc, at)
			if !ok {
				t.Fatal("no slot")
			}
			got = append(got, n.name+"="+n.at.UTC().Format("15:04Z"))
			at = n.at
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.zone, c.expr, g, c.want)
		}
	}
}

// A whole year by the minute in many zones: each meant day once, none late.
func TestSchedule_Year(t *testing.T) {
	if testing.Short() {
		t.Skip("a year by the minute in ten zones")
	}
	s := parsed(t, "30 2 * * *")
	for _, name := range []string{"Europe/Berlin", "Europe/Moscow", "America/New_York", "America/St_Johns", "America/Santiago", "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham"} {
		loc := zone(t, name)
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
		seen := map[string]int{}
		last := ""
		for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(15 * time.Minute) {
			if n, ok := s.latest(loc, now, 20*time.Minute); ok && n.name != last {
				seen[n.name]++
				last = n.name
				if late := now.Sub(n.at); late < 0 || late >= 15*time.Minute {
					t.Errorf("%s: %s ran %v after its time", name, n.name, late)
				}
			}
		}
		if len(seen) != 365 {
			t.Errorf("%s: %d days", name, len(seen))
		}
		for n, times := range seen {
			if times != 1 {
				t.Errorf("%s: %s ran %d times", name, n, times)
			}
		}
	}
}

func TestSchedule_Latest(t *testing.T) {
	loc := zone(t, "Europe/Moscow")
	s := parsed(t, "0 8 * * 1-5")
	for now, want := range map[string]string{
		"2026-11-23 07:59": "", "2026-11-23 08:00": "2026-11-23T08:00", "2026-11-23 14:00": "2026-11-23T08:00", "2026-11-23 14:01": "", "2026-11-22 09:00": "",
	} {
		at, _ := time.ParseInLocation("2006-01-02 15:04", now, loc)
		if got, _ := s.latest(loc, at, 6*time.Hour); got.name != want {
			t.Errorf("%s: %q, want %q", now, got.name, want)
		}
	}
	if _, ok := (schedule{}).latest(loc, time.Now(), farBack); ok {
		t.Error("never has a slot")
	}
}

func parsed(t *testing.T, expr string) schedule {
	t.Helper()
	s, err := parseSchedule(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	return loc
}
