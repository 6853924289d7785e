package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// Period is a stretch of whole days, both included, in the zone of the one who
// looks.
type Period struct{ From, To store.Date }

// Bounds are the moments between which the period lies: from the first moment
// of its first day up to the first after its last.
func (p Period) Bounds(loc *time.Location) (from, to time.Time) {
	return p.From.In(loc), p.To.Add(1).In(loc)
}

// Days is the number of days.
func (p Period) Days() int { return p.From.Days(p.To) + 1 }

// Previous is the period of the same length before it: of whole months as many
// months, else as many days.
func (p Period) Previous() Period {
	if n := p.months(); n > 0 {
		return Period{monthsLater(p.From, -n), p.From.Add(-1)}
	}
	return Period{p.From.Add(-p.Days()), p.From.Add(-1)}
}

// YearBefore is the same period of the year before: of whole months the same
// months, else the same dates (29 February becomes 28).
func (p Period) YearBefore() Period {
	if p.months() > 0 {
		return Period{monthsLater(p.From, -12), monthsLater(p.To.Add(1), -12).Add(-1)}
	}
	return Period{yearBefore(p.From), yearBefore(p.To)}
}

// months is how many whole months the period is; 0 when it is none.
func (p Period) months() int {
	after := p.To.Add(1)
	if !strings.HasSuffix(string(p.From), "-01") || !strings.HasSuffix(string(after), "-01") {
		return 0
	}
	a, _ := time.Parse("2006-01-02", string(p.From))
	b, _ := time.Parse("2006-01-02", string(after))
	return (b.Year()-a.Year())*12 + int(b.Month()-a.Month())
}

func monthsLater(d store.Date, n int) store.Date {
	t, _ := time.Parse("2006-01-02", string(d))
	return store.Date(t.AddDate(0, n, 0).Format("2006-01-02"))
}

func yearBefore(d store.Date) store.Date {
	t, _ := time.Parse("2006-01-02", string(d))
	day := t.Day()
	if t.Month() == time.February && day == 29 {
		day = 28
	}
	return store.Date(time.Date(t.Year()-1, t.Month(), day, 0, 0, 0, 0, time.UTC).Format("2006-01-02"))
}

// periodWords are the names of periods that ParsePeriod knows beside months
// ("2026-10"), quarters ("2026-Q3") and years ("2026").
var periodWords = []string{"today", "yesterday", "week", "last-week", "month", "last-month", "quarter", "last-quarter", "year", "last-year"}

// ParsePeriod reads the name of a period, seen from today. A running week,
// month, quarter or year is whole: what is planned for its rest belongs to it.
func ParsePeriod(name string, today store.Date) (Period, error) {
	t, err := time.Parse("2006-01-02", string(today))
	if err != nil {
		return Period{}, err
	}
	whole := func(year int, month time.Month, months int) Period {
		first := store.Date(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Format("2006-01-02"))
		return Period{first, monthsLater(first, months).Add(-1)}
	}
	monday := today.Add(-(int(t.Weekday()) + 6) % 7)
	quarter := (t.Month()-1)/3*3 + 1
	switch name {
	case "today":
		return Period{today, today}, nil
	case "yesterday":
		return Period{today.Add(-1), today.Add(-1)}, nil
	case "week":
		return Period{monday, monday.Add(6)}, nil
	case "last-week":
		return Period{monday.Add(-7), monday.Add(-1)}, nil
	case "month":
		return whole(t.Year(), t.Month(), 1), nil
	case "last-month":
		return whole(t.Year(), t.Month()-1, 1), nil
	case "quarter":
		return whole(t.Year(), quarter, 3), nil
	case "last-quarter":
		return whole(t.Year(), quarter-3, 3), nil
	case "year":
		return whole(t.Year(), 1, 12), nil
	case "last-year":
		return whole(t.Year()-1, 1, 12), nil
	}
	year, rest, _ := strings.Cut(name, "-")
	if y, err := strconv.Atoi(year); err == nil && len(year) == 4 && y >= 1900 && y <= 2200 {
		if rest == "" && len(name) == 4 {
			return whole(y, 1, 12), nil
		}
		if q, ok := strings.CutPrefix(strings.ToUpper(rest), "Q"); ok && len(q) == 1 && q >= "1" && q <= "4" {
			return whole(y, time.Month(q[0]-'1')*3+1, 3), nil
		}
		if m, err := strconv.Atoi(rest); err == nil && len(rest) == 2 && m >= 1 && m <= 12 {
			return whole(y, time.Month(m), 1), nil
		}
	}
	return Period{}, fmt.Errorf("unknown period %q: it is one of %s, or like 2026-10, 2026-Q3, 2026", name, strings.Join(periodWords, ", "))
}
