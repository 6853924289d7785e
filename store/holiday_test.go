package store_test

import (
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// The working days of a year in Russia, as the calendars of accountants have
// them; for 2027 by the public holidays alone.
func TestRussianHolidays(t *testing.T) {
	h := store.NewHolidays(store.RussianHolidays())
	for year, want := range map[int]int{2024: 248, 2025: 247, 2026: 247, 2027: 249} {
		working := 0
		for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
			if store.OfficeHours.Works(store.DateOf(d, time.UTC), h) {
				working++
			}
		}
		if working != want {
			t.Errorf("%d has %d working days, want %d", year, working, want)
		}
	}
	if !h.Knows("2026-07-01") || h.Knows("2029-07-01") || !store.NewHolidays().Knows("2029-07-01") {
		t.Error("years that are known")
	}
	if store.OfficeHours.Works("2029-07-01", h) || !store.OfficeHours.Works("2029-07-02", h) { // Sunday, Monday
		t.Error("a year that is not known has its weekdays")
	}
}

func TestParseHolidays(t *testing.T) {
	days, err := store.ParseHolidays("# own\r\n\n2026-12-30..2026-12-31 free  The shop is closed\n2026-12-26 work\n")
	want := []store.Holiday{{Day: "2026-12-30", Name: "The shop is closed"}, {Day: "2026-12-31", Name: "The shop is closed"}, {Day: "2026-12-26", Working: true}}
	if err != nil || len(days) != 3 || days[0] != want[0] || days[1] != want[1] || days[2] != want[2] {
		t.Errorf("%v, %v", days, err)
	}
	for text, want := range map[string]string{
		"2026-12-31":                                        `line 1: "" is neither "free" nor "work"`,
		"\n2026-02-30 free":                                 `line 2: "2026-02-30" is neither a day`,
		"2026-01-08..2026-01-01 free":                       "is neither a day",
		"0001-01-01..9999-12-31 free":                       "is neither a day",
		"2026-01-01 off":                                    `"off" is neither`,
		"2026-01-01..x free":                                "is neither a day",
		"BEGIN:VCALENDAR":                                   "line 1",
		"2026-01-01 free " + strings.Repeat("ж", 201):       "more than 200",
		strings.Repeat("2026-01-01..2026-12-31 free\n", 14): "line 14: more than 5000 days",
	} {
		if _, err := store.ParseHolidays(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// What was fetched is kept by its address; own files win over it, and it over
// what is shipped.
func TestStore_Holidays(t *testing.T) {
	const one, two = "https://one.test/a.ics", "https://two.test/b.ics"
	opt := store.Options{Holidays: store.HolidaySources{
		Shipped: []store.Holiday{{Day: "2026-01-01"}, {Day: "2026-05-01"}}, Addresses: []string{one, two},
		Own: []store.Holiday{{Day: "2026-06-12", Working: true}},
	}}
	storetest.Each(t, opt, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		save := func(source string, want int, days ...store.Holiday) {
			t.Helper()
			if n, err := st.SaveHolidays(ctx, source, days); err != nil || n != want {
				t.Errorf("%s: %d changed, want %d (%v)", source, n, want, err)
			}
		}
		free := func(want string) {
			t.Helper()
			h, err := st.Holidays(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, d := range h.All() {
				if !d.Working {
					got += string(d.Day[5:]) + " "
				}
			}
			if got != want {
				t.Errorf("free %q, want %q", got, want)
			}
		}
		free("01-01 05-01 ")
		save(one, 3, store.Holiday{Day: "2026-05-01", Working: true}, store.Holiday{Day: "2026-06-12"}, store.Holiday{Day: "2026-07-01", Name: "a\x00b"})
		save(one, 0, store.Holiday{Day: "2026-05-01", Working: true}, store.Holiday{Day: "2026-06-12"}, store.Holiday{Day: "2026-07-01", Name: "a\x00b"})
		free("01-01 07-01 ")
		save(two, 1, store.Holiday{Day: "2026-05-01"})
		free("01-01 05-01 07-01 ")
		save(one, 2, store.Holiday{Day: "2026-05-01", Working: true})
		free("01-01 05-01 ")
		if err := st.KeepHolidays(ctx, []string{one}); err != nil {
			t.Fatal(err)
		}
		free("01-01 ")
	})
}
