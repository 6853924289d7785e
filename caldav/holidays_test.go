package caldav

import (
	"fmt"
	"strings"
	"testing"
)

func TestHolidays(t *testing.T) {
	days, err := Holidays([]byte(strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20241230
DTEND;VALUE=DATE:20250103
SUMMARY:New Year\, long
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;VALUE=DATE:19990501
RRULE:FREQ=YEARLY
EXDATE;VALUE=DATE:20260501
SUMMARY:May
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;VALUE=DATE:20251101
CATEGORIES:Transfers,working
SUMMARY:A Saturday that is worked on
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART:20250601T100000Z
DTEND:20250601T110000Z
SUMMARY:A meeting
END:VEVENT
BEGIN:VEVENT
UID:5
DTSTART;VALUE=DATE:20250601
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")), "2025-01-01", "2027-12-31")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range days {
		got += fmt.Sprintf("%s %v %s\n", d.Day, d.Working, d.Name)
	}
	want := "2025-01-01 false New Year, long\n2025-01-02 false New Year, long\n2025-05-01 false May\n2027-05-01 false May\n2025-11-01 true A Saturday that is worked on\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	event := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20250101\r\n%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for body, want := range map[string]string{
		"<html>not found</html>":                            "line 1",
		fmt.Sprintf(event, "RRULE:FREQ=SOMETIMES"):          "repeats by a rule",
		fmt.Sprintf(event, "DTEND;VALUE=DATE:99991231"):     "",
		fmt.Sprintf(event, "RRULE:FREQ=DAILY\r\nSUMMARY:x"): "",
	} {
		days, err := Holidays([]byte(body), "2025-01-01", "2027-12-31")
		if want == "" && (err != nil || len(days) != 365*3) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: %d days, %v", body, len(days), err)
		}
	}
}
