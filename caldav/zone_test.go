package caldav

import (
	"testing"
	"time"

	"github.com/emersion/go-ical"
)

// TestWriteZone reads what we write back as a stranger would, from the
// VTIMEZONE alone, and compares it with the zone database, hour by hour
// around its changes.
func TestWriteZone(t *testing.T) {
	for _, name := range []string{"Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Jerusalem", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Nuuk", "Pacific/Apia"} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			w := &writer{}
			w.line("BEGIN:VCALENDAR")
			w.writeZone(loc, 2026) // and late in the century: see changeWithin
			zoneText(loc, 2096)
			w.line("END:VCALENDAR")
			cal, err := decode(w.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			read := zonesOf(cal.Component, time.UTC).described(cal.Children[0])
			if read == nil {
				t.Fatalf("not understood:\n%s", w)
			}
			from := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
			for at := from; at.Before(from.AddDate(7, 0, -4)); at = at.Add(30 * time.Minute) {
				_, want := at.In(loc).Zone()
				if _, got := at.In(read).Zone(); got != want {
					t.Fatalf("at %v: offset %d, want %d\n%s", at, got, want, w)
				}
			}
		})
	}
}

func TestWindowsZones(t *testing.T) {
	for windows, iana := range windowsZones {
		if loadZone(iana) == nil {
			t.Errorf("%s: no zone %s", windows, iana)
		}
	}
}

func TestZones(t *testing.T) {
	cal, err := decode(calendar("BEGIN:VTIMEZONE\nTZID:Lic\nX-LIC-LOCATION:Asia/Tokyo\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:Bad\nBEGIN:STANDARD\nTZOFFSETTO:+9999\nEND:STANDARD\nEND:VTIMEZONE\n" +
		"BEGIN:VTIMEZONE\nTZID:Odd\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0545\nEND:STANDARD\nEND:VTIMEZONE"))
	if err != nil {
		t.Fatal(err)
	}
	z := zonesOf(cal.Component, moscow.Location())
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for tzid, want := range map[string]int{
		"": 3 * 3600, "Europe/Berlin": 3600, "Russian Standard Time": 3 * 3600, "Lic": 9 * 3600, "Bad": 3 * 3600, "Odd": 5*3600 + 45*60,
		"/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires": -3 * 3600, "/citadel.org/20210210_1/Asia/Tokyo": 9 * 3600,
		"UTC": 0, "GMT": 0, "UTC+3": 3 * 3600, "GMT-0500": -5 * 3600, "(UTC) Dublin": 0, "(GMT+03.00) Moscow": 3 * 3600, "(UTC+12:45) Chatham": 12*3600 + 45*60,
		"../../etc/passwd": 3 * 3600, "Local": 3 * 3600, "GMT+99": 3 * 3600,
	} {
		if _, got := at.In(z.find(tzid)).Zone(); got != want {
			t.Errorf("%q: offset %d, want %d", tzid, got, want)
		}
	}
	if loc := calendarZone(cal); loc == nil || loc.String() != "Asia/Tokyo" {
		t.Errorf("calendar-timezone is %v", loc)
	}
	if calendarZone(&ical.Calendar{Component: ical.NewComponent(ical.CompCalendar)}) != nil {
		t.Error("a zone out of nothing")
	}
}
