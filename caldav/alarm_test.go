package caldav

import (
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// alarmView is a contact of anna's (Moscow) upon what her program put.
func alarmView(t *testing.T, put string, defaults ...time.Duration) *store.EntryView {
	t.Helper()
	w, err := ReadWrite([]byte(crlf(put)), store.EventsAndTodos, moscow)
	if err != nil {
		t.Fatal(err)
	}
	col := *current
	col.Component = w.Component
	c := store.Contact{UID: w.UID, Kind: store.Meeting, State: store.Planned, Subject: w.Title, When: w.When, Recurrence: w.Recurrence, Importance: store.Normal, Created: written, Changed: written}
	return &store.EntryView{UID: w.UID, Collection: &col, Owner: moscow, Overlay: w.Bytes, Alarms: defaults, Changed: written,
		Item: &store.Item{Type: store.ContactItem, Contact: &c, Importance: store.Normal, When: w.When, Status: store.StatusCurrent}}
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\r\n") + "\r\n"
}

func TestNextAlarm(t *testing.T) {
	object := func(component, lines string, alarms ...string) string {
		s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:" + component + "\nUID:u1\nDTSTAMP:20261101T000000Z\nSUMMARY:s\n" + lines + "\n"
		for _, a := range alarms {
			s += "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:d\n" + a + "\nEND:VALARM\n"
		}
		return s + "END:" + component + "\nEND:VCALENDAR"
	}
	const (
		meeting = "DTSTART:20261124T070000Z\nDTEND:20261124T080000Z" // 10:00 in Moscow
		day     = "DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261126"
		daily   = "DTSTART:20261124T070000Z\nDTEND:20261124T080000Z\nRRULE:FREQ=DAILY;COUNT=4"
	)
	override := func(s, more string) string {
		return strings.Replace(s, "END:VCALENDAR", "BEGIN:VEVENT\nUID:u1\nDTSTAMP:20261101T000000Z\nSUMMARY:s\n"+more+"\nEND:VEVENT\nEND:VCALENDAR", 1)
	}
	for _, c := range []struct {
		name, put string
		defaults  []time.Duration
		after     string // UTC
		want      string // when, and the beginning of what; "" never
	}{
		{name: "from the start", put: object("VEVENT", meeting, "TRIGGER:-PT15M"), want: "24 06:45 of 24 07:00"},
		{name: "from the end", put: object("VEVENT", meeting, "TRIGGER;RELATED=END:-PT5M"), want: "24 07:55 of 24 07:00"},
		{name: "after the end", put: object("VEVENT", meeting, "TRIGGER;RELATED=END:PT10M"), want: "24 08:10 of 24 07:00"},
		{name: "at a moment", put: object("VEVENT", meeting, "TRIGGER;VALUE=DATE-TIME:20261123T120000Z"), want: "23 12:00 of 24 07:00"},
		{name: "the first of several", put: object("VEVENT", meeting, "TRIGGER:-PT15M", "TRIGGER:-P1D"), want: "23 07:00 of 24 07:00"},
		{name: "the next of several", put: object("VEVENT", meeting, "TRIGGER:-PT15M", "TRIGGER:-P1D"), after: "2026-11-23T07:00:00Z", want: "24 06:45 of 24 07:00"},
		{name: "passed", put: object("VEVENT", meeting, "TRIGGER:-PT15M"), after: "2026-11-24T06:45:00Z"},
		{name: "again", put: object("VEVENT", meeting, "TRIGGER:-PT15M\nREPEAT:2\nDURATION:PT5M"), after: "2026-11-24T06:46:00Z", want: "24 06:50 of 24 07:00"},
		{name: "none by Apple", put: object("VEVENT", meeting, "ACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z"), defaults: []time.Duration{-time.Hour}},
		{name: "a trigger that is none", put: object("VEVENT", meeting, "TRIGGER:soon", "TRIGGER:-PT1M"), want: "24 06:59 of 24 07:00"},
		{name: "without one: by default", put: object("VEVENT", meeting), defaults: []time.Duration{-15 * time.Minute}, want: "24 06:45 of 24 07:00"},
		{name: "its own wins over the default", put: object("VEVENT", meeting, "TRIGGER:-PT3H"), defaults: []time.Duration{-4 * time.Hour}, want: "24 04:00 of 24 07:00"},
		{name: "whole days, in the morning of the first", put: object("VEVENT", day, "TRIGGER:PT9H"), want: "24 06:00 of 23 21:00"},
		{name: "whole days, the day before", put: object("VEVENT", day, "TRIGGER:-PT15H"), want: "23 06:00 of 23 21:00"},
		{name: "a task that is due", put: object("VTODO", "DUE:20261124T070000Z", "TRIGGER;RELATED=END:-PT30M"), want: "24 06:30 of 24 07:00"},
		{name: "a task that is due, from no start", put: object("VTODO", "DUE:20261124T070000Z", "TRIGGER:-PT30M"), want: "24 06:30 of 24 07:00"},
		{name: "a task due on a day", put: object("VTODO", "DUE;VALUE=DATE:20261124", "TRIGGER;RELATED=END:PT9H"), want: "24 06:00 of 23 21:00"},
		{name: "acknowledged", put: object("VEVENT", meeting, "TRIGGER:-PT15M\nACKNOWLEDGED:20261124T064530Z")},
		{name: "acknowledged before it rang", put: object("VEVENT", meeting, "TRIGGER:-PT15M\nACKNOWLEDGED:20261120T000000Z"), want: "24 06:45 of 24 07:00"},
		{name: "one of two acknowledged", put: object("VEVENT", meeting, "TRIGGER:-PT15M", "TRIGGER:-P1D\nACKNOWLEDGED:20261124T064530Z"), want: "24 06:45 of 24 07:00"},
		{name: "snoozed (RFC 9074)", put: object("VEVENT", meeting, "UID:a1\nTRIGGER:-PT15M\nACKNOWLEDGED:20261124T064530Z", "RELATED-TO;RELTYPE=SNOOZE:a1\nTRIGGER;VALUE=DATE-TIME:20261124T065500Z"), want: "24 06:55 of 24 07:00"},
		{name: "closed in Thunderbird", put: object("VEVENT", meeting+"\nX-MOZ-LASTACK:20261124T064500Z", "TRIGGER:-PT15M")},
		{name: "snoozed in Thunderbird", put: object("VEVENT", meeting+"\nX-MOZ-LASTACK:20261124T064501Z\nX-MOZ-SNOOZE-TIME:20261124T065501Z", "TRIGGER:-PT15M"), want: "24 06:55 of 24 07:00"},
		{name: "each of a series", put: object("VEVENT", daily, "TRIGGER:-PT15M"), after: "2026-11-25T07:00:00Z", want: "26 06:45 of 26 07:00"},
		{name: "a series is over", put: object("VEVENT", daily, "TRIGGER:-PT15M"), after: "2026-11-27T07:00:00Z"},
		{name: "without one that was taken out", put: object("VEVENT", daily+"\nEXDATE:20261125T070000Z", "TRIGGER:-PT15M"), after: "2026-11-24T07:00:00Z", want: "26 06:45 of 26 07:00"},
		{name: "a series by default", put: object("VEVENT", daily), defaults: []time.Duration{-15 * time.Minute}, after: "2026-11-24T07:00:00Z", want: "25 06:45 of 25 07:00"},
		{name: "one was moved", put: override(object("VEVENT", daily, "TRIGGER:-PT15M"), "RECURRENCE-ID:20261125T070000Z\nDTSTART:20261125T120000Z\nDTEND:20261125T130000Z\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT1H\nEND:VALARM"),
			after: "2026-11-24T07:00:00Z", want: "25 11:00 of 25 12:00"},
		{name: "one was cancelled", put: override(object("VEVENT", daily, "TRIGGER:-PT15M"), "RECURRENCE-ID:20261125T070000Z\nDTSTART:20261125T070000Z\nDTEND:20261125T080000Z\nSTATUS:CANCELLED\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nEND:VALARM"),
			after: "2026-11-24T07:00:00Z", want: "26 06:45 of 26 07:00"},
		{name: "one of a series snoozed", put: object("VEVENT", daily+"\nX-MOZ-LASTACK:20261125T064501Z\nX-MOZ-SNOOZE-TIME-1795590000000000:20261125T065501Z", "TRIGGER:-PT15M"),
			after: "2026-11-25T06:46:00Z", want: "25 06:55 of 25 07:00"},
		{name: "a moment in a series", put: object("VEVENT", daily, "TRIGGER;VALUE=DATE-TIME:20261126T063000Z"), after: "2026-11-25T06:46:00Z", want: "26 06:30 of 26 07:00"},
		{name: "a rule that never ends", put: object("VEVENT", "DTSTART:20061124T070000Z\nDTEND:20061124T080000Z\nRRULE:FREQ=DAILY", "TRIGGER:-PT15M"), want: "21 06:45 of 21 07:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			if c.after != "" {
				after, _ = time.Parse(time.RFC3339, c.after)
			}
			got := ""
			if a, ok := NextAlarm(alarmView(t, c.put, c.defaults...), after); ok {
				got = a.At.Format("02 15:04") + " of " + a.When.Begins(moscow.Location()).UTC().Format("02 15:04")
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What was moved on a page rings at its new time, whatever the program wrote.
func TestNextAlarm_Moved(t *testing.T) {
	v := alarmView(t, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u1\nDTSTAMP:20261101T000000Z\nSUMMARY:s\nDTSTART:20261124T070000Z\nDTEND:20261124T080000Z\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR")
	v.Item.When = v.Item.When.Move(v.Item.When.Start.Add(26*time.Hour), time.UTC)
	a, ok := NextAlarm(v, written)
	if want := time.Date(2026, 11, 25, 8, 50, 0, 0, time.UTC); !ok || !a.At.Equal(want) || !a.When.Start.Equal(want.Add(10*time.Minute)) {
		t.Errorf("got %v, %v, want %v", a, ok, want)
	}
}

func FuzzNextAlarm(f *testing.F) {
	f.Add([]byte(crlf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u1\nDTSTAMP:20261101T000000Z\nDTSTART:20261124T070000Z\nRRULE:FREQ=DAILY\nBEGIN:VALARM\nTRIGGER:-PT10M\nREPEAT:9\nDURATION:PT1S\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR")))
	f.Fuzz(func(t *testing.T, body []byte) {
		v := contactView(moscow, current, store.Contact{Kind: store.Call, Subject: "s", When: at(7, 0, 30), Recurrence: "RRULE:FREQ=WEEKLY"}, nil)
		v.Overlay = body
		if a, ok := NextAlarm(v, written); ok && !a.At.After(written) {
			t.Errorf("%v is not after %v", a.At, written)
		}
	})
}

// What a program puts is what the mail follows: its own alarm, until somebody
// closes it there.
func TestAlarm_Reminds(t *testing.T) {
	o := newOffice(t)
	put := func(more string) {
		t.Helper()
		body := crlf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u1\nDTSTAMP:20261101T000000Z\nSUMMARY:Разговор\nDTSTART:20261123T100000Z\nDTEND:20261123T110000Z\n" + more + "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:d\nTRIGGER:-PT30M\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR")
		if r := o.do("PUT", "/dav/calendars/anna/current/u1.ics", body, "Content-Type: text/calendar"); r.status/100 != 2 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	reminded := func() (out string) {
		t.Helper()
		_, _, err := o.st.Remind(t.Context(), o.anna, func(list []store.Reminder) (*store.Mail, error) {
			for _, r := range list {
				out += r.Item.Contact.Subject + r.At.Format(" 15:04 ")
			}
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	put("")
	o.now = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	if got := reminded(); got != "Разговор 09:30 " {
		t.Errorf("its own alarm: %q", got)
	}
	put("X-MOZ-LASTACK:20261123T093001Z\nX-MOZ-SNOOZE-TIME:20261123T094001Z\n")
	o.now = o.now.Add(10 * time.Minute)
	if got := reminded(); got != "Разговор 09:40 " {
		t.Errorf("snoozed: %q", got)
	}
	put("X-MOZ-LASTACK:20261123T094501Z\nX-MOZ-SNOOZE-TIME:20261123T095001Z\n")
	put("X-MOZ-LASTACK:20261123T094901Z\n")
	o.now = o.now.Add(15 * time.Minute)
	if got := reminded(); got != "" {
		t.Errorf("closed: %q", got)
	}
}

func BenchmarkNextAlarm_Series(b *testing.B) {
	v := contactView(moscow, current, store.Contact{Kind: store.Call, Subject: "s", When: store.Span{Start: time.Date(2006, 1, 1, 7, 0, 0, 0, time.UTC), End: time.Date(2006, 1, 1, 8, 0, 0, 0, time.UTC)}, Recurrence: "RRULE:FREQ=DAILY"}, nil)
	for b.Loop() {
		if _, ok := NextAlarm(v, written); !ok {
			b.Fatal("none")
		}
	}
}
