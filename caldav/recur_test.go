package caldav

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
)

func day(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	panic(s)
}

func firstNamed(t testing.TB, cal *ical.Calendar, name string) *ical.Component {
	t.Helper()
	for _, c := range cal.Children {
		if c.Name == name {
			return c
		}
		for _, sub := range c.Children {
			if sub.Name == name {
				return sub
			}
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

func TestOverlaps(t *testing.T) {
	const meeting = "DTSTART:20261124T100000Z\nDTEND:20261124T110000Z"
	berlin, _ := time.LoadLocation("Europe/Berlin")
	series := func(rule string, more ...string) []byte {
		return event("DTSTART;TZID=Europe/Berlin:20261001T090000\nDTEND;TZID=Europe/Berlin:20261001T100000\nRRULE:"+rule, strings.Join(more, "\n"))
	}
	moved := func(rangeParam string) []byte {
		return calendar("BEGIN:VEVENT\nUID:u1\nDTSTART:20261001T090000Z\nDTEND:20261001T100000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n" +
			"BEGIN:VEVENT\nUID:u1\nRECURRENCE-ID" + rangeParam + ":20261010T090000Z\nDTSTART:20261010T150000Z\nDTEND:20261010T170000Z\nEND:VEVENT")
	}
	alarm := func(trigger string) []byte { return event(meeting, "BEGIN:VALARM\n"+trigger+"\nEND:VALARM") }
	for _, tt := range []struct {
		name, comp string
		body       []byte
		from, to   string
		want       bool
	}{
		{"in it", "VEVENT", event(meeting), "2026-11-24T10:30", "2026-11-24T10:40", true},
		{"before", "VEVENT", event(meeting), "2026-11-24T09:00", "2026-11-24T10:00", false},
		{"after", "VEVENT", event(meeting), "2026-11-24T11:00", "2026-11-24T12:00", false},
		{"open begin", "VEVENT", event(meeting), "", "2026-11-24T10:01", true},
		{"open end", "VEVENT", event(meeting), "2026-11-24T11:00", "", false},
		{"no length, at the bound", "VEVENT", event("DTSTART:20261124T100000Z"), "2026-11-24T10:00", "2026-11-24T11:00", true},
		{"no length, at the end", "VEVENT", event("DTSTART:20261124T100000Z"), "2026-11-24T09:00", "2026-11-24T10:00", false},
		{"day, in the floating zone", "VEVENT", event("DTSTART;VALUE=DATE:20261124"), "2026-11-23T23:00", "2026-11-23T23:30", true},
		{"day, past in the floating zone", "VEVENT", event("DTSTART;VALUE=DATE:20261124"), "2026-11-24T23:00", "2026-11-24T23:30", false},
		{"floating time", "VEVENT", event("DTSTART:20261124T100000\nDURATION:PT1H"), "2026-11-24T09:00", "2026-11-24T09:30", true},

		{"weekly", "VEVENT", series("FREQ=WEEKLY"), "2026-11-19", "2026-11-20", true},
		{"weekly, another day", "VEVENT", series("FREQ=WEEKLY"), "2026-11-20", "2026-11-21", false},
		{"keeps its clock over DST", "VEVENT", series("FREQ=DAILY"), "2026-11-19T08:00", "2026-11-19T08:01", true},
		{"keeps its clock over DST: not the old offset", "VEVENT", series("FREQ=DAILY"), "2026-11-19T07:00", "2026-11-19T08:00", false},
		{"count", "VEVENT", series("FREQ=DAILY;COUNT=3"), "2026-10-03", "2026-10-04", true},
		{"after count", "VEVENT", series("FREQ=DAILY;COUNT=3"), "2026-10-04", "2026-10-05", false},
		{"until", "VEVENT", series("FREQ=DAILY;UNTIL=20261010"), "2026-10-10", "2026-10-11", true},
		{"after until", "VEVENT", series("FREQ=DAILY;UNTIL=20261010"), "2026-10-11", "2026-10-12", false},
		{"last Friday", "VEVENT", series("FREQ=MONTHLY;BYDAY=-1FR"), "2026-11-27", "2026-11-28", true},
		{"last workday", "VEVENT", series("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"), "2026-11-30", "2026-12-01", true},
		{"exception", "VEVENT", series("FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20261112T090000,20261119T090000"), "2026-11-19", "2026-11-20", false},
		{"exception in UTC", "VEVENT", series("FREQ=WEEKLY", "EXDATE:20261119T080000Z"), "2026-11-19", "2026-11-20", false},
		{"exception of a day", "VEVENT", series("FREQ=WEEKLY", "EXDATE;VALUE=DATE:20261119"), "2026-11-19", "2026-11-20", false},
		{"first one excepted", "VEVENT", series("FREQ=WEEKLY", "EXDATE:20261001T070000Z"), "2026-10-01", "2026-10-02", false},
		{"extra date", "VEVENT", event(meeting, "RDATE:20261126T100000Z"), "2026-11-26", "2026-11-27", true},
		{"extra period", "VEVENT", event(meeting, "RDATE;VALUE=PERIOD:20261126T100000Z/PT5H"), "2026-11-26T14:00", "2026-11-26T14:30", true},
		{"moved away", "VEVENT", moved(""), "2026-10-10T09:00", "2026-10-10T10:00", false},
		{"the next one stays", "VEVENT", moved(""), "2026-10-11T09:00", "2026-10-11T10:00", true},
		{"this and future", "VEVENT", moved(";RANGE=THISANDFUTURE"), "2026-10-11T16:00", "2026-10-11T16:30", true},
		{"this and future moved away", "VEVENT", moved(";RANGE=THISANDFUTURE"), "2026-10-11T09:00", "2026-10-11T10:00", false},
		{"this and future: not the past", "VEVENT", moved(";RANGE=THISANDFUTURE"), "2026-10-09T09:00", "2026-10-09T10:00", true},
		{"every second is taken whole", "VEVENT", series("FREQ=SECONDLY"), "2036-01-01", "2036-01-02", true},
		{"every second until", "VEVENT", series("FREQ=SECONDLY;UNTIL=20261003"), "2036-01-01", "2036-01-02", false},
		{"never", "VEVENT", series("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "2026-11-01", "2026-12-01", false},
		{"a loop without end in rrule-go", "VEVENT", series("FREQ=HOURLY;INTERVAL=24;BYHOUR=5"), "2026-11-01", "2026-12-01", true},
		{"a zone whose rule panics in rrule-go", "VEVENT", calendar("BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=1;BYDAY=-53MO\nEND:STANDARD\nEND:VTIMEZONE\n" +
			"BEGIN:VEVENT\nUID:u1\nDTSTART;TZID=Z:20261124T100000\nDURATION:PT1H\nEND:VEVENT"), "2026-11-24T09:00", "2026-11-24T09:30", true},
		{"malformed rule", "VEVENT", series("FREQ=SOMETIMES"), "2026-11-01", "2026-12-01", true},
		{"huge interval", "VEVENT", series("FREQ=YEARLY;INTERVAL=9223372036854775807"), "2026-11-01", "2026-12-01", true},
		{"easter out of the year", "VEVENT", series("FREQ=YEARLY;BYEASTER=400"), "2026-11-01", "2026-12-01", true},
		{"daily since long ago", "VEVENT", event("DTSTART:19900101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"), "2026-11-24T09:30", "2026-11-24T10:00", true},

		{"todo: start and due", "VTODO", todo("DTSTART:20261124T100000Z\nDUE:20261124T110000Z"), "2026-11-24T10:30", "2026-11-24T12:00", true},
		{"todo: due in it", "VTODO", todo("DUE:20261124T110000Z"), "2026-11-24T10:00", "2026-11-24T11:00", true},
		{"todo: due before", "VTODO", todo("DUE:20261124T110000Z"), "2026-11-24T11:00", "2026-11-24T12:00", false},
		{"todo: duration", "VTODO", todo("DTSTART:20261124T100000Z\nDURATION:PT1H"), "2026-11-24T11:00", "2026-11-24T12:00", true},
		{"todo: completed", "VTODO", todo("COMPLETED:20261124T110000Z"), "2026-11-24T11:00", "2026-11-24T12:00", true},
		{"todo: completed before", "VTODO", todo("COMPLETED:20261124T110000Z"), "2026-11-24T12:00", "2026-11-24T13:00", false},
		{"todo: created", "VTODO", todo("CREATED:20261124T110000Z"), "2027-01-01", "2027-01-02", true},
		{"todo: no time", "VTODO", todo("SUMMARY:x"), "2027-01-01", "2027-01-02", true},
		{"todo: repeats", "VTODO", todo("DTSTART:20261001T100000Z\nDUE:20261001T110000Z\nRRULE:FREQ=DAILY"), "2026-11-24T10:30", "2026-11-24T10:31", true},

		{"alarm", "VALARM", alarm("TRIGGER:-PT15M"), "2026-11-24T09:40", "2026-11-24T09:50", true},
		{"alarm: not then", "VALARM", alarm("TRIGGER:-PT15M"), "2026-11-24T10:00", "2026-11-24T11:00", false},
		{"alarm from the end", "VALARM", alarm("TRIGGER;RELATED=END:PT15M"), "2026-11-24T11:10", "2026-11-24T11:20", true},
		{"alarm at a time", "VALARM", alarm("TRIGGER;VALUE=DATE-TIME:20261120T100000Z"), "2026-11-20", "2026-11-21", true},
		{"alarm repeats", "VALARM", alarm("TRIGGER:-PT60M\nREPEAT:4\nDURATION:PT10M"), "2026-11-24T09:35", "2026-11-24T09:45", true},
		{"alarm without trigger", "VALARM", alarm("ACTION:DISPLAY"), "2026-11-24", "2026-11-25", false},
		{"journal", "VJOURNAL", calendar("BEGIN:VJOURNAL\nUID:u1\nDTSTART;VALUE=DATE:20261124\nEND:VJOURNAL"), "2026-11-24", "2026-11-25", true},
		{"free-busy", "VFREEBUSY", calendar("BEGIN:VFREEBUSY\nUID:u1\nDTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nEND:VFREEBUSY"), "2026-11-24", "2026-11-25", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cal, err := decode(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if got := overlaps(cal, firstNamed(t, cal, tt.comp), day(tt.from), day(tt.to), berlin); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func FuzzOverlaps(f *testing.F) {
	for _, rule := range []string{"FREQ=DAILY", "FREQ=MONTHLY;BYDAY=-53MO;COUNT=3", "FREQ=YEARLY;BYWEEKNO=53,-53;BYYEARDAY=366", "FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "FREQ=WEEKLY;BYSETPOS=-366;WKST=SU;UNTIL=2026"} {
		f.Add(rule, "20261001T090000", "20261126T100000Z/PT5H")
	}
	f.Fuzz(func(t *testing.T, rule, start, extra string) {
		cal, err := decode(event("DTSTART:"+start, "DURATION:PT1H", "RRULE:"+rule, "RDATE:"+extra, "EXDATE:"+extra))
		if err == nil {
			overlaps(cal, cal.Children[0], day("2026-11-01"), day("2026-12-01"), moscow.Location())
		}
	})
}
