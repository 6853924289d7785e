package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intouch/store"
)

// Whole years of all jobs with slots, in ten zones, with a daemon that is down
// for three days in July, against a table that is worked out another way: a
// slot is due at the first moment whose clock shows its time or a later one.
func TestScheduler_Years(t *testing.T) {
	if testing.Short() {
		t.Skip("years of jobs in ten zones")
	}
	for year, zones := range map[int][]string{
		2026: {"Europe/Moscow", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Santiago", "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", "Africa/Cairo", "Asia/Kathmandu"},
		2011: {"Europe/Moscow", "Europe/London", "Pacific/Apia", "Pacific/Chatham", "America/Sao_Paulo", "Asia/Tehran", "Asia/Amman", "Africa/Windhoek", "Atlantic/Azores", "America/Asuncion"},
	} {
		t.Run(fmt.Sprint(year), func(t *testing.T) {
			path := "sqlite:" + t.TempDir() + "/intouch.db"
			synctest.Test(t, func(t *testing.T) { testYear(t, path, year, zones) })
		})
	}
}

func testYear(t *testing.T, path string, year int, zones []string) {
	st, err := store.Open(t.Context(), store.Options{URL: path, Log: logTo(t), Render: blank, Holidays: store.HolidaySources{Shipped: store.RussianHolidays()}})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	clocks := map[int64]*time.Location{0: zone(t, zones[0])}
	for i, name := range zones {
		m, _, err := st.SaveManager(t.Context(), store.Actor{Origin: store.FromImport}, store.ManagerRow{Login: fmt.Sprintf("m%d", i), Name: name, TimeZone: name, Role: "head"})
		if err != nil {
			t.Fatal(err)
		}
		clocks[m.ID] = zone(t, name)
	}
	first := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(1, 0, 0)
	time.Sleep(time.Until(first)) // a bubble begins in the year 2000

	// All at times that changes of the clocks skip or repeat somewhere.
	meant := map[string]string{"digest": "02:30", "nightly": "00:00", "classify": "23:30", "birthdays": "00:30", "keep-in-touch": "01:00", "backups": "02:00", "holidays": "03:00", "clean-up": "01:30", "audit": "02:45", "addressbooks": "02:15"}
	crons := map[string]string{}
	for job, at := range meant {
		crons[job] = fmt.Sprintf("%s %s * * *", strings.TrimPrefix(at[3:], "0"), strings.TrimPrefix(at[:2], "0"))
	}
	s, err := New(st, Options{Jobs: crons, TimeZone: zones[0], PublicURL: "https://crm.vector.test", Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string][]time.Time{} // "job owner slot"
	var timed []*timed
	for _, p := range s.jobs {
		if p.run == nil {
			continue
		}
		if _, ok := meant[p.name]; !ok {
			t.Errorf("job %s has slots and is not in the table", p.name)
		}
		p.lacks = nil
		p.run = func(s *Scheduler, ctx context.Context, m store.Manager, slot string, at time.Time) (store.Run, error) {
			key := fmt.Sprintln(p.name, m.ID, slot)
			ran[key] = append(ran[key], time.Now())
			return s.record(ctx, store.Run{Job: p.name, OwnerID: m.ID, Slot: slot, Started: at, Outcome: "done"})
		}
		timed = append(timed, p)
	}

	var ticks []time.Time
	for time.Now().Before(last) {
		ticks = append(ticks, time.Now())
		for _, p := range timed {
			s.tick(t.Context(), p)
		}
		time.Sleep(step(time.Now(), clocks))
		if now := time.Now(); now.Month() == time.July && now.Day() == 10 && now.Hour() == 12 {
			time.Sleep(72*time.Hour + 45*time.Minute)
			for _, p := range timed { // what a new process does not know
				p.ran = map[int64]string{}
			}
		}
	}

	late, runs := 0, 0
	for _, p := range timed {
		for id, loc := range clocks {
			if (p.of == theHouse) != (id == 0) {
				continue
			}
			var slots []string
			var moments []time.Time
			for day := first.AddDate(0, 0, -2); day.Before(last.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
				slots = append(slots, day.Format("2006-01-02T")+meant[p.name])
				moments = append(moments, reached(slots[len(slots)-1], day, loc))
			}
			for i, slot := range slots[:len(slots)-1] {
				tick, found := slices.BinarySearchFunc(ticks, moments[i], time.Time.Compare)
				want := tick < len(ticks) && (found || tick > 0 || ticks[0].Sub(moments[i]) <= p.late)
				want = want && ticks[tick].Sub(moments[i]) <= p.late && moments[i+1].After(ticks[tick])
				if day, _ := time.Parse("2006-01-02T15:04", slot); p.workdays && want {
					want = working(day)
				}
				got := ran[fmt.Sprintln(p.name, id, slot)]
				switch {
				case want && (len(got) != 1 || !got[0].Equal(ticks[tick])):
					t.Errorf("%s of %s at %s (%s): ran %v, due %s", p.name, loc, slot, moments[i], got, ticks[tick])
				case !want && len(got) != 0:
					t.Errorf("%s of %s at %s ran %v", p.name, loc, slot, got)
				case want:
					runs++
					if got[0].Sub(moments[i]) > time.Hour {
						late++
					}
				}
				delete(ran, fmt.Sprintln(p.name, id, slot))
			}
		}
	}
	if len(ran) > 0 {
		t.Errorf("%d runs that no table has: %.500v", len(ran), ran)
	}
	if late == 0 || runs < 365*20 {
		t.Errorf("%d runs, %d made up: the pause was not seen", runs, late)
	}
	t.Logf("%d ticks, %d runs, %d of them made up", len(ticks), runs, late)
}

// working is a working day in Russia, from the decree for 2026, or in a year of
// which nothing is known.
func working(day time.Time) bool {
	const free = " 01-01 01-02 01-05 01-06 01-07 01-08 01-09 02-23 03-09 05-01 05-11 06-12 11-04 12-31 "
	if day.Format(time.DateOnly) == "2027-01-01" || day.Year() == 2026 && strings.Contains(free, day.Format(" 01-02 ")) {
		return false
	}
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// step is a quarter of an hour where the clocks of one of the zones change
// within a day, else an hour.
func step(now time.Time, clocks map[int64]*time.Location) time.Duration {
	for _, loc := range clocks {
		_, before := now.Add(-26 * time.Hour).In(loc).Zone()
		_, after := now.Add(26 * time.Hour).In(loc).Zone()
		if before != after {
			return 15 * time.Minute
		}
	}
	return time.Hour - time.Duration(now.Minute()%60)*time.Minute
}

// reached is the first quarter of an hour at which the clock in loc shows that
// time or a later one.
func reached(slot string, day time.Time, loc *time.Location) time.Time {
	at := day.Add(-26 * time.Hour)
	for at.In(loc).Format("2006-01-02T15:04") < slot {
		at = at.Add(15 * time.Minute)
	}
	return at
}
