package caldav

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What takes time and what does not, as one merged list.
func TestFreeBusy(t *testing.T) {
	a := &agenda{timeRange: timeRange{utc(10, 0, 0), utc(12, 0, 0)}}
	for _, lines := range []string{
		"DTSTART:20261110T100000Z\nDURATION:PT1H",
		"DTSTART:20261110T103000Z\nDURATION:PT1H", // overlaps
		"DTSTART:20261110T113000Z\nDURATION:PT1H", // touches
		"DTSTART:20261110T120000Z\nDURATION:PT3H\nSTATUS:TENTATIVE",
		"DTSTART:20261110T133000Z\nDURATION:PT30M\nSTATUS:CONFIRMED",
		"DTSTART:20261110T160000Z\nDURATION:PT1H\nSTATUS:CANCELLED",
		"DTSTART:20261110T160000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT",
		"DTSTART:20261110T160000Z",                                           // takes no time
		"DTSTART:20261109T230000Z\nDURATION:PT2H",                            // begins before
		"DTSTART;VALUE=DATE:20261112\nTRANSP:OPAQUE",                         // in Berlin it has begun
		"DTSTART:20261101T200000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=10", // 10 November is the last
	} {
		berlin, _ := time.LoadLocation("Europe/Berlin")
		if err := a.add(vcalendar(vevent(lines)), berlin); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(string(a.write(utc(1, 0, 0)))) {
		if l, ok := strings.CutPrefix(strings.TrimSpace(line), "FREEBUSY;FBTYPE="); ok {
			got = append(got, strings.ReplaceAll(l, "202611", ""))
		}
	}
	want := []string{
		"BUSY:10T000000Z/10T010000Z", "BUSY:10T100000Z/10T123000Z", "BUSY:10T133000Z/10T140000Z", "BUSY:10T200000Z/10T210000Z", "BUSY:11T230000Z/12T000000Z",
		"BUSY-TENTATIVE:10T123000Z/10T133000Z", "BUSY-TENTATIVE:10T140000Z/10T150000Z",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestFreeBusy_Report(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "Secret", "20261124T100000Z")
	query := freeBusyQuery("20261124T000000Z", "20261125T000000Z")
	busy := "FREEBUSY;FBTYPE=BUSY:20261124T100000Z/20261124T110000Z\r\n"
	for _, tt := range []struct {
		path, depth string
		want        int
	}{
		{annaCurrent, "0", 1}, {annaCurrent, "1", 1}, {annaCurrent, "infinity", 1},
		{annaHome, "0", 0}, {annaHome, "1", 1}, {annaHome, "infinity", 1},
		{annaHome + "overdue/", "1", 0}, {annaHome + "todo/", "1", 0},
	} {
		r := o.must(200, "REPORT", tt.path, query, "Depth: "+tt.depth)
		if strings.Count(r.body, busy) != tt.want || strings.Contains(r.body, "Secret") {
			t.Errorf("%s, depth %s:\n%s", tt.path, tt.depth, r.body)
		}
	}
	// The head sees when a manager of the team is busy, in that calendar only.
	if r := o.must(200, "REPORT", "/dav/calendars/boris/team-anna/", query, "as: boris"); !strings.Contains(r.body, busy) {
		t.Errorf("team: %s", r.body)
	}
	if r := o.must(200, "REPORT", "/dav/calendars/boris/", query, "as: boris", "Depth: 1"); strings.Contains(r.body, "FREEBUSY;") {
		t.Errorf("home of the head: %s", r.body)
	}
	o.must(404, "REPORT", annaHome, query, "as: boris")
	o.must(403, "REPORT", annaCurrent+"a.ics", query)
	o.must(400, "REPORT", annaCurrent, report("free-busy-query", ""))
	for _, bad := range []string{freeBusyQuery("20261124", "20261125"), freeBusyQuery("20261124T000000Z", ""), freeBusyQuery("20261125T000000Z", "20261124T000000Z")} {
		o.must(403, "REPORT", annaCurrent, bad)
	}
	p := o.must(207, "PROPFIND", annaHome, propfindOf("<D:supported-report-set/><D:current-user-privilege-set/>"), "Depth: 0")
	if !strings.Contains(p.body, "<C:free-busy-query/>") || !strings.Contains(p.body, "<C:read-free-busy/>") {
		t.Errorf("home: %s", p.body)
	}
}

// Too many occurrences are an error, not an endless answer.
func TestFreeBusy_TooMany(t *testing.T) {
	o := newOffice(t)
	for i := range 8 {
		n := string(rune('a' + i))
		o.put(annaCurrent+n+".ics", n, "Hourly", "20260101T000000Z", "RRULE:FREQ=HOURLY;COUNT=9000")
	}
	if r := o.must(403, "REPORT", annaCurrent, freeBusyQuery("20260101T000000Z", "20300101T000000Z")); !strings.Contains(r.body, "<D:number-of-matches-within-limits/>") {
		t.Errorf("got %s", r.body)
	}
}
