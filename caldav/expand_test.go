package caldav

import (
	"strings"
	"testing"
	"time"
)

func expandQuery(window string) string {
	return report("calendar-query", `<D:prop><C:calendar-data>`+window+`</C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`)
}

func window(kind, start, end string) string {
	return `<C:` + kind + ` start="` + start + `" end="` + end + `"/>`
}

// A series gives its occurrences, with the one that is excluded left out
// (RFC 4791 section 7.8.3), in a query, a multiget and a sync report.
func TestExpand(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"r.ics", "r", "Daily", "20261124T100000Z", "RRULE:FREQ=DAILY;COUNT=10", "EXDATE:20261126T100000Z")
	w := window("expand", "20261125T000000Z", "20261128T000000Z")
	for _, body := range []string{
		expandQuery(w),
		report("calendar-multiget", `<D:prop><C:calendar-data>`+w+`</C:calendar-data></D:prop><D:href>`+annaCurrent+`r.ics</D:href>`),
		`<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><C:calendar-data>` + w + `</C:calendar-data></D:prop></D:sync-collection>`,
	} {
		m := o.parse(o.do("REPORT", annaCurrent, body, "Depth: 1"))
		got := m.Responses[0].Propstats[0].Prop.Data
		if strings.Count(got, "BEGIN:VEVENT") != 2 || strings.Contains(got, "RRULE") || strings.Contains(got, "EXDATE") || strings.Contains(got, "VTIMEZONE") {
			t.Errorf("got\n%s", got)
		}
		for _, want := range []string{"RECURRENCE-ID:20261125T100000Z", "DTSTART:20261125T100000Z", "RECURRENCE-ID:20261127T100000Z"} {
			if !strings.Contains(got, want+"\r\n") {
				t.Errorf("no %s in\n%s", want, got)
			}
		}
	}
}

func TestExpand_Refused(t *testing.T) {
	o := newOffice(t)
	for _, kind := range []string{"expand", "limit-recurrence-set", "limit-freebusy-set"} {
		for _, w := range []string{
			window(kind, "20261125", "20261128T000000Z"),
			window(kind, "20261125T000000Z", ""),
			window(kind, "20261125T000000Z", "20261125T000000Z"),
			window(kind, "20261125T000000", "20261128T000000"),
			"<C:" + kind + "/>",
		} {
			if r := o.must(403, "REPORT", annaCurrent, expandQuery(w), "Depth: 1"); !strings.Contains(r.body, "<C:valid-filter/>") {
				t.Errorf("%s: %s", w, r.body)
			}
		}
	}
	both := window("expand", "20261125T000000Z", "20261128T000000Z") + window("limit-recurrence-set", "20261125T000000Z", "20261128T000000Z")
	o.must(403, "REPORT", annaCurrent, expandQuery(both), "Depth: 1")
}

// What becomes too much is an error of that object alone.
func TestExpand_TooMany(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"one.ics", "one", "One", "20261124T100000Z")
	o.put(annaCurrent+"wild.ics", "wild", "Wild", "20261124T100000Z", "RRULE:FREQ=SECONDLY")
	o.put(annaCurrent+"long.ics", "long", "Long", "20261124T100000Z", "RRULE:FREQ=HOURLY")
	r := o.do("REPORT", annaCurrent, expandQuery(window("expand", "20260101T000000Z", "20990101T000000Z")), "Depth: 1")
	for _, resp := range o.parse(r).Responses {
		name := strings.TrimPrefix(resp.Href, annaCurrent)
		if fits := name == "one.ics"; fits != (resp.Status == "") || !fits && resp.Status != "HTTP/1.1 507 Insufficient Storage" {
			t.Errorf("%s: %q", name, resp.Status)
		}
	}
	if n := strings.Count(r.body, "<D:number-of-matches-within-limits/>"); n != 2 {
		t.Errorf("%d preconditions in\n%s", n, r.body)
	}
}

// One report gives so much and no more, and single events are not counted.
func TestExpand_Budget(t *testing.T) {
	s := &shape{whole: true, expand: &timeRange{utc(1, 0, 0), utc(1, 0, 0).AddDate(30, 0, 0)}, floating: time.UTC, left: maxExpandedAll}
	daily := vcalendar(vevent("DTSTART:20261101T100000Z\nDESCRIPTION:" + strings.Repeat("x", 200) + "\nRRULE:FREQ=DAILY"))
	single := vcalendar(vevent("DTSTART:20261101T100000Z"))
	total := 0
	for range 100 {
		body, err := s.of(daily)
		if err != nil {
			break
		}
		total += len(body)
	}
	if total < maxExpandedAll || total > maxExpandedAll+maxExpanded+100*len(daily) {
		t.Errorf("%d octets", total)
	}
	s.left = maxExpandedAll
	for range 1000 {
		if _, err := s.of(single); err != nil {
			t.Fatal(err)
		}
	}
	if s.left != maxExpandedAll {
		t.Errorf("%d octets for single events", maxExpandedAll-s.left)
	}
}

// vcalendar is an object of components that are given without their UID and
// line ends.
func vcalendar(comps ...string) []byte {
	s := "BEGIN:VCALENDAR\nVERSION:2.0\n" + strings.Join(comps, "") + "END:VCALENDAR\n"
	return []byte(strings.ReplaceAll(s, "\n", "\r\n"))
}

func vevent(lines string) string { return "BEGIN:VEVENT\nUID:x\n" + lines + "\nEND:VEVENT\n" }

// instance is a vevent as expand writes it, with its times first.
func instance(times, more string) string {
	return "BEGIN:VEVENT\n" + times + "\nUID:x\n" + more + "END:VEVENT\n"
}

func TestExpand_Objects(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	zone := "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19961027T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"
	for _, tt := range []struct {
		name     string
		comps    []string
		from, to int // days of November 2026
		want     []string
	}{
		{"this and future", []string{
			vevent("DTSTART:20261101T100000Z\nDURATION:PT1H\nSUMMARY:A\nRRULE:FREQ=DAILY"),
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261103T100000Z\nDTSTART:20261103T120000Z\nDURATION:PT1H\nSUMMARY:B"),
		}, 2, 5, []string{
			instance("RECURRENCE-ID:20261102T100000Z\nDTSTART:20261102T100000Z\nDURATION:PT1H", "SUMMARY:A\n"),
			instance("RECURRENCE-ID:20261104T100000Z\nDTSTART:20261104T120000Z\nDURATION:PT1H", "SUMMARY:B\n"),
			instance("RECURRENCE-ID:20261103T100000Z\nDTSTART:20261103T120000Z\nDURATION:PT1H", "SUMMARY:B\n"),
		}},
		{"zone, moved override, RDATE period", []string{
			zone,
			vevent("DTSTART;TZID=Europe/Berlin:20261101T100000\nDTEND;TZID=Europe/Berlin:20261101T110000\nRRULE:FREQ=DAILY;COUNT=3\nRDATE;TZID=Europe/Berlin;VALUE=PERIOD:20261103T150000/PT30M\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDURATION:PT1M\nREPEAT:2\nEND:VALARM"),
			vevent("RECURRENCE-ID;TZID=Europe/Berlin:20261102T100000\nDTSTART;TZID=Europe/Berlin:20261120T100000\nDTEND;TZID=Europe/Berlin:20261120T110000"),
		}, 2, 5, []string{
			instance("RECURRENCE-ID:20261103T140000Z\nDTSTART:20261103T140000Z\nDTEND:20261103T143000Z", "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDURATION:PT1M\nREPEAT:2\nEND:VALARM\n"),
			instance("RECURRENCE-ID:20261103T090000Z\nDTSTART:20261103T090000Z\nDTEND:20261103T100000Z", "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDURATION:PT1M\nREPEAT:2\nEND:VALARM\n"),
		}},
		{"days", []string{
			vevent("DTSTART;VALUE=DATE:20261101\nDTEND;VALUE=DATE:20261103\nRRULE:FREQ=DAILY;INTERVAL=7"),
		}, 8, 10, []string{
			instance("RECURRENCE-ID;VALUE=DATE:20261108\nDTSTART;VALUE=DATE:20261108\nDTEND;VALUE=DATE:20261110", ""),
		}},
		{"floating", []string{
			vevent("DTSTART:20261101T003000\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=2"),
		}, 1, 2, []string{ // 0:30 in Berlin is the day before in UTC
			instance("RECURRENCE-ID:20261101T003000\nDTSTART:20261101T003000\nDURATION:P1D", ""),
			instance("RECURRENCE-ID:20261102T003000\nDTSTART:20261102T003000\nDURATION:P1D", ""),
		}},
		{"days of a zone become moments", []string{
			vevent("DTSTART;TZID=Europe/Berlin:20261101T100000\nDURATION:P1DT1H"),
		}, 1, 2, []string{
			instance("DTSTART:20261101T090000Z\nDTEND:20261102T100000Z", ""),
		}},
		{"a single one outside", []string{vevent("DTSTART:20261101T100000Z\nDURATION:PT1H")}, 2, 3, nil},
		{"to-do", []string{
			"BEGIN:VTODO\nUID:x\nDTSTART:20261101T100000Z\nDUE:20261101T120000Z\nRRULE:FREQ=DAILY\nEND:VTODO\n",
			"BEGIN:VTODO\nUID:y\nDUE;TZID=Europe/Berlin:20261101T120000\nEND:VTODO\n",
		}, 2, 3, []string{
			"BEGIN:VTODO\nRECURRENCE-ID:20261102T100000Z\nDTSTART:20261102T100000Z\nDUE:20261102T120000Z\nUID:x\nEND:VTODO\n",
			"BEGIN:VTODO\nDUE:20261101T110000Z\nUID:y\nEND:VTODO\n",
		}},
	} {
		got, err := expand(vcalendar(tt.comps...), &timeRange{utc(tt.from, 0, 0), utc(tt.to, 0, 0)}, berlin)
		if want := string(vcalendar(tt.want...)); err != nil || string(got) != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, got, want)
		}
	}
}

// limit-recurrence-set keeps the series as it is, and those overrides that
// overlap now or would have without the override.
func TestLimitRecurrenceSet(t *testing.T) {
	master := vevent("DTSTART:20261101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY")
	override := func(id, start int, param string) string {
		return vevent("RECURRENCE-ID" + param + ":" + utc(id, 10, 0).Format(utcTime) + "\nDTSTART:" + utc(start, 12, 0).Format(utcTime) + "\nDURATION:PT1H")
	}
	future := ";RANGE=THISANDFUTURE"
	all := []string{master, override(2, 2, ""), override(3, 20, ""), override(4, 10, ""), override(5, 5, future), override(21, 10, ""), override(22, 22, future)}
	got, err := limitOverrides(vcalendar(all...), &timeRange{utc(10, 0, 0), utc(11, 0, 0)}, time.UTC)
	if want := string(vcalendar(master, all[3], all[4], all[5])); err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	got, err = limitOverrides(vcalendar(all...), &timeRange{utc(3, 0, 0), utc(4, 0, 0)}, time.UTC)
	if want := string(vcalendar(master, all[2])); err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	o := newOffice(t)
	o.must(201, "PUT", annaCurrent+"x.ics", strings.ReplaceAll(meeting("x", "X", "20261124T100000Z", "RRULE:FREQ=DAILY"), "END:VCALENDAR",
		"BEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID:20261125T100000Z\r\nDTSTART:20261125T120000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\nEND:VCALENDAR"), ics)
	for day, want := range map[string]bool{"25": true, "26": false} {
		m := o.parse(o.do("REPORT", annaCurrent, expandQuery(window("limit-recurrence-set", "202611"+day+"T000000Z", "202611"+day+"T230000Z")), "Depth: 1"))
		if data := m.Responses[0].Propstats[0].Prop.Data; strings.Contains(data, "SUMMARY:Moved") != want || !strings.Contains(data, "RRULE:FREQ=DAILY") {
			t.Errorf("%s:\n%s", day, data)
		}
	}
}
