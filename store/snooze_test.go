package store

import (
	"testing"
	"time"
)

func TestSpan_Snooze(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := at("2026-11-23 12:00") // a Monday
	for _, c := range []struct {
		start string // of a span of 45 minutes; "" none; a day: whole day
		word  Snooze
		want  string
	}{
		{"2026-11-23 15:00", "+30m", "2026-11-23 15:30"},
		{"2026-11-20 10:00", "+30m", "2026-11-23 12:30"}, // what has passed counts from now
		{"2026-11-20 10:00", "+1h", "2026-11-23 13:00"},
		{"2026-11-23 15:00", "+2h", "2026-11-23 17:00"},
		{"2026-11-20 10:00", "tomorrow", "2026-11-24 10:00"},
		{"2026-11-30 10:00", "tomorrow", "2026-11-24 10:00"},
		{"2026-11-20 10:00", "+2d", "2026-11-25 10:00"},
		{"2026-11-25 10:00", "+2d", "2026-11-27 10:00"},
		{"2026-11-23 15:00", "monday", "2026-11-30 15:00"},
		{"2026-11-25 10:00", "+1w", "2026-12-02 10:00"},
		{"2026-11-25 10:00", "+2w", "2026-12-09 10:00"},
		{"2026-11-23 15:00", "month", "2026-12-01 15:00"},
		{"2027-01-31 10:00", "+1m", "2027-02-28 10:00"},
		{"2027-03-07 02:30", "+1w", "2027-03-14 02:30"},
		{"2027-03-14 02:30", "+2w", "2027-03-28 03:00"}, // that night clocks skip 02:30
		{"2026-11-23", "tomorrow", "2026-11-24"},
		{"2026-11-20", "+1w", "2026-11-30"},
		{"2026-11-23", "+1h", "no"},
		{"", "monday", "2026-11-30"},
		{"2026-11-23 15:00", "someday", "no"},
	} {
		var s Span
		switch len(c.start) {
		case 10:
			s = Days(Date(c.start), Date(c.start), berlin)
		case 16:
			s = Span{Start: at(c.start).UTC(), End: at(c.start).Add(45 * time.Minute).UTC()}
		}
		got, ok := s.Snooze(c.word, now, berlin)
		text := got.Start.In(berlin).Format("2006-01-02 15:04")
		if got.AllDay {
			text = string(got.First)
		}
		if !ok {
			text = "no"
		}
		if text != c.want {
			t.Errorf("%q %s: %s, want %s", c.start, c.word, text, c.want)
		}
		if ok && !s.AllDay && !s.IsZero() && got.End.Sub(got.Start) != 45*time.Minute {
			t.Errorf("%q %s: lasts %v", c.start, c.word, got.End.Sub(got.Start))
		}
	}
	if s, ok := (Span{}).Snooze("+1h", now, berlin); !ok || !s.Start.Equal(now.Add(time.Hour)) || s.End.Sub(s.Start) != 30*time.Minute {
		t.Errorf("without a time: %v %v", s, ok)
	}
	for day := range 7 {
		got, _ := Span{}.Snooze("monday", now.AddDate(0, 0, day), berlin)
		if want := Date("2026-11-30"); got.First != want {
			t.Errorf("monday as seen %d days after one: %s, want %s", day, got.First, want)
		}
	}
	three := Days("2026-11-20", "2026-11-22", berlin)
	if got, _ := three.Snooze("tomorrow", now, berlin); got.First != "2026-11-24" || got.Last != "2026-11-26" {
		t.Errorf("three days to %s – %s", got.First, got.Last)
	}
}
