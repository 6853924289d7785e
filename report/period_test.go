package report

import (
	"testing"
	"time"

	"intouch/store"
)

func TestParsePeriod(t *testing.T) {
	const wednesday = store.Date("2026-11-25")
	for name, want := range map[string]Period{
		"today": {"2026-11-25", "2026-11-25"}, "yesterday": {"2026-11-24", "2026-11-24"}, "week": {"2026-11-23", "2026-11-29"}, "last-week": {"2026-11-16", "2026-11-22"},
		"month": {"2026-11-01", "2026-11-30"}, "last-month": {"2026-10-01", "2026-10-31"}, "quarter": {"2026-10-01", "2026-12-31"}, "last-quarter": {"2026-07-01", "2026-09-30"},
		"year": {"2026-01-01", "2026-12-31"}, "last-year": {"2025-01-01", "2025-12-31"}, "2024-02": {"2024-02-01", "2024-02-29"}, "2026-q1": {"2026-01-01", "2026-03-31"}, "2025": {"2025-01-01", "2025-12-31"},
	} {
		if got, err := ParsePeriod(name, wednesday); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", name, got, err, want)
		}
	}
	if got, err := ParsePeriod("last-month", "2026-01-31"); err != nil || got != (Period{"2025-12-01", "2025-12-31"}) {
		t.Errorf("over the new year: %v %v", got, err)
	}
	if got, err := ParsePeriod("week", "2026-11-29"); err != nil || got.From != "2026-11-23" {
		t.Errorf("a Sunday belongs to the week before: %v %v", got, err)
	}
	for _, bad := range []string{"", "2026-", "2026-13", "2026-Q5", "2026-1", "20261", "0000", "soon", "2026-Q"} {
		if got, err := ParsePeriod(bad, wednesday); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestPeriod_Before(t *testing.T) {
	for _, c := range []struct{ period, previous, year Period }{
		{Period{"2026-11-01", "2026-11-30"}, Period{"2026-10-01", "2026-10-31"}, Period{"2025-11-01", "2025-11-30"}},
		{Period{"2026-01-01", "2026-03-31"}, Period{"2025-10-01", "2025-12-31"}, Period{"2025-01-01", "2025-03-31"}},
		{Period{"2025-02-01", "2025-02-28"}, Period{"2025-01-01", "2025-01-31"}, Period{"2024-02-01", "2024-02-29"}},
		{Period{"2026-11-02", "2026-11-08"}, Period{"2026-10-26", "2026-11-01"}, Period{"2025-11-02", "2025-11-08"}},
		{Period{"2024-02-29", "2024-02-29"}, Period{"2024-02-28", "2024-02-28"}, Period{"2023-02-28", "2023-02-28"}},
	} {
		if got := c.period.Previous(); got != c.previous {
			t.Errorf("before %v: %v, want %v", c.period, got, c.previous)
		}
		if got := c.period.YearBefore(); got != c.year {
			t.Errorf("a year before %v: %v, want %v", c.period, got, c.year)
		}
	}
}

// A day of 23 hours is a whole one.
func TestPeriod_Bounds(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from, to := Period{"2026-03-29", "2026-03-29"}.Bounds(berlin)
	if to.Sub(from) != 23*time.Hour || from.UTC().Format(time.RFC3339) != "2026-03-28T23:00:00Z" {
		t.Errorf("%v %v", from.UTC(), to.UTC())
	}
}
