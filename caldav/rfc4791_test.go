package caldav

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The calendar of RFC 4791 appendix B, by name of its resources, without the
// VCALENDAR around and the VTIMEZONE of US/Eastern. abcd8.ics is a VFREEBUSY,
// which no calendar here takes.
var appendixB = map[string]string{
	"abcd1.ics": `BEGIN:VEVENT
DTSTAMP:20060206T001102Z
DTSTART;TZID=US/Eastern:20060102T100000
DURATION:PT1H
SUMMARY:Event #1
DESCRIPTION:Go Steelers!
UID:74855313FA803DA593CD579A@example.com
END:VEVENT
`,
	"abcd2.ics": `BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
`,
	"abcd3.ics": `BEGIN:VEVENT
ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:cyrus@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:lisa@example.com
DTSTAMP:20060206T001220Z
DTSTART;TZID=US/Eastern:20060104T100000
DURATION:PT1H
LAST-MODIFIED:20060206T001330Z
ORGANIZER:mailto:cyrus@example.com
SEQUENCE:1
STATUS:TENTATIVE
SUMMARY:Event #3
UID:DC6C50A017428C5216A2F1CD@example.com
X-ABC-GUID:E1CX5Dr-0007ym-Hz@example.com
END:VEVENT
`,
	"abcd4.ics": `BEGIN:VTODO
DTSTAMP:20060205T235335Z
DUE;VALUE=DATE:20060104
STATUS:NEEDS-ACTION
SUMMARY:Task #1
UID:DDDEEB7915FA61233B861457@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
`,
	"abcd5.ics": `BEGIN:VTODO
DTSTAMP:20060205T235300Z
DUE;TZID=US/Eastern:20060106T120000
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:NEEDS-ACTION
SUMMARY:Task #2
UID:E10BA47467C5C69BB74E8720@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
`,
	"abcd6.ics": `BEGIN:VTODO
COMPLETED:20051223T122322Z
DTSTAMP:20060205T235400Z
DUE;VALUE=DATE:20051225
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:COMPLETED
SUMMARY:Task #3
UID:E10BA47467C5C69BB74E8722@example.com
END:VTODO
`,
	"abcd7.ics": `BEGIN:VTODO
DTSTAMP:20060205T235600Z
DUE;VALUE=DATE:20060101
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:CANCELLED
SUMMARY:Task #4
UID:E10BA47467C5C69BB74E8725@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
`,
	"abcd8.ics": `BEGIN:VFREEBUSY
ORGANIZER;CN="Bernard Desruisseaux":mailto:bernard@example.com
UID:76ef34-54a3d2@example.com
DTSTAMP:20050530T123421Z
DTSTART:20060101T000000Z
DTEND:20060108T000000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z
END:VFREEBUSY
`,
}

const easternZone = `BEGIN:VTIMEZONE
LAST-MODIFIED:20040110T032845Z
TZID:US/Eastern
BEGIN:DAYLIGHT
DTSTART:20000404T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
`

// bernardsWork makes the calendar of appendix B and gives its path.
func (o *office) bernardsWork() string {
	o.Helper()
	const work = annaHome + "work/"
	o.must(201, "MKCALENDAR", work, "")
	for _, name := range slices.Sorted(maps.Keys(appendixB)) {
		body := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example Corp.//CalDAV Client//EN\n"
		if strings.Contains(appendixB[name], "TZID") {
			body += easternZone
		}
		body = strings.ReplaceAll(body+appendixB[name]+"END:VCALENDAR\n", "\n", "\r\n")
		if name == "abcd8.ics" {
			if r := o.must(403, "PUT", work+name, body, ics); !strings.Contains(r.body, "<C:supported-calendar-component/>") {
				o.Errorf("VFREEBUSY: %s", r.body)
			}
			continue
		}
		o.must(201, "PUT", work+name, body, ics, "If-None-Match: *")
	}
	return work
}

// The examples of RFC 4791 section 7.8, with the answers that it gives.
func TestRFC4791_CalendarQuery(t *testing.T) {
	o := newOffice(t)
	work := o.bernardsWork()
	inEvents := func(s string) string {
		return `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">` + s + `</C:comp-filter></C:comp-filter></C:filter>`
	}
	inTodos := func(s string) string {
		return `<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO">` + s + `</C:comp-filter></C:comp-filter></C:filter>`
	}
	const all = `<D:prop><D:getetag/><C:calendar-data/></D:prop>`
	for _, tt := range []struct {
		section, body string
		want          string
		check         func(data map[string]string)
	}{
		{"7.8.1 partial retrieval by time range", `<D:prop><D:getetag/><C:calendar-data>
			<C:comp name="VCALENDAR"><C:prop name="VERSION"/>
			<C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/><C:prop name="DTSTART"/><C:prop name="DTEND"/><C:prop name="DURATION"/>
			<C:prop name="RRULE"/><C:prop name="RDATE"/><C:prop name="EXRULE"/><C:prop name="EXDATE"/><C:prop name="RECURRENCE-ID"/></C:comp>
			<C:comp name="VTIMEZONE"/></C:comp></C:calendar-data></D:prop>` +
			inEvents(`<C:time-range start="20060104T000000Z" end="20060105T000000Z"/>`), "abcd2 abcd3",
			func(data map[string]string) {
				if d := data["abcd3"]; strings.Contains(d, "ATTENDEE") || strings.Contains(d, "PRODID") || strings.Contains(d, "DTSTAMP:") ||
					!strings.Contains(d, "TZNAME:EST") || !strings.Contains(d, "SUMMARY:Event #3") || !strings.Contains(d, "VERSION:2.0") {
					t.Errorf("7.8.1:\n%s", d)
				}
			}},
		{"7.8.2 limit-recurrence-set", `<D:prop><C:calendar-data><C:limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/></C:calendar-data></D:prop>` +
			inEvents(`<C:time-range start="20060103T000000Z" end="20060105T000000Z"/>`), "abcd2 abcd3",
			func(data map[string]string) {
				if d := data["abcd2"]; strings.Count(d, "BEGIN:VEVENT") != 2 || !strings.Contains(d, "SUMMARY:Event #2 bis\r\n") || !strings.Contains(d, "COUNT=5") {
					t.Errorf("7.8.2:\n%s", d)
				}
			}},
		{"7.8.3 expand", `<D:prop><C:calendar-data><C:expand start="20060103T000000Z" end="20060105T000000Z"/></C:calendar-data></D:prop>` +
			inEvents(`<C:time-range start="20060103T000000Z" end="20060105T000000Z"/>`), "abcd2 abcd3",
			func(data map[string]string) {
				d := data["abcd2"]
				for _, want := range []string{
					"RECURRENCE-ID:20060103T170000Z\r\nDTSTART:20060103T170000Z\r\nDURATION:PT1H\r\n",
					"RECURRENCE-ID:20060104T170000Z\r\nDTSTART:20060104T190000Z\r\nDURATION:PT1H\r\n",
					"SUMMARY:Event #2 bis\r\n",
				} {
					if !strings.Contains(d, want) || strings.Count(d, "BEGIN:VEVENT") != 2 {
						t.Errorf("7.8.3: no %s in\n%s", want, d)
					}
				}
				if d := data["abcd3"]; !strings.Contains(d, "DTSTART:20060104T150000Z\r\n") || strings.Contains(d, "TZID") || strings.Contains(d, "RECURRENCE-ID") {
					t.Errorf("7.8.3:\n%s", d)
				}
			}},
		{"7.8.4 limit-freebusy-set", `<D:prop><C:calendar-data><C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/></C:calendar-data></D:prop>
			<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VFREEBUSY"><C:time-range start="20060102T000000Z" end="20060103T000000Z"/></C:comp-filter></C:comp-filter></C:filter>`, "", nil},
		{"7.8.5 alarms", all + inTodos(`<C:comp-filter name="VALARM"><C:time-range start="20060106T100000Z" end="20060107T100000Z"/></C:comp-filter>`), "abcd5", nil},
		{"7.8.6 UID", all + inEvents(`<C:prop-filter name="UID"><C:text-match collation="i;octet">DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter>`), "abcd3", nil},
		{"7.8.7 PARTSTAT", all + inEvents(`<C:prop-filter name="ATTENDEE"><C:text-match collation="i;ascii-casemap">mailto:lisa@example.com</C:text-match>
			<C:param-filter name="PARTSTAT"><C:text-match collation="i;ascii-casemap">NEEDS-ACTION</C:text-match></C:param-filter></C:prop-filter>`), "abcd3", nil},
		{"7.8.8 events only", all + inEvents(""), "abcd1 abcd2 abcd3", nil},
		{"7.8.9 pending to-dos", all + inTodos(`<C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter>
			<C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>`), "abcd4 abcd5", nil},
		// The RFC shows a server that refuses properties it does not know.
		{"7.8.10 X-ABC-GUID", all + inEvents(`<C:prop-filter name="X-ABC-GUID"><C:text-match>ABC</C:text-match></C:prop-filter>`), "", nil},
	} {
		m := o.parse(o.do("REPORT", work, report("calendar-query", tt.body), "Depth: 1"))
		data := map[string]string{}
		for _, r := range m.Responses {
			data[strings.TrimSuffix(strings.TrimPrefix(r.Href, work), ".ics")] = r.Propstats[0].Prop.Data
		}
		if got := strings.Join(slices.Sorted(maps.Keys(data)), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.section, got, tt.want)
			continue
		}
		if tt.check != nil {
			tt.check(data)
		}
	}
}

// Section 7.9.1.
func TestRFC4791_Multiget(t *testing.T) {
	o := newOffice(t)
	work := o.bernardsWork()
	m := o.parse(o.do("REPORT", work, report("calendar-multiget", `<D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>`+work+`abcd1.ics</D:href><D:href>`+work+`mtg1.ics</D:href>`)))
	if got := m.hrefs(); len(got) != 2 || got[work+"abcd1.ics"] != o.etag(work+"abcd1.ics") || got[work+"mtg1.ics"] != "HTTP/1.1 404 Not Found" {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(m.Responses[0].Propstats[0].Prop.Data+m.Responses[len(m.Responses)-1].Href, "SUMMARY:Event #1") {
		t.Errorf("got %+v", m)
	}
}

func freeBusyQuery(start, end string) string {
	return report("free-busy-query", `<C:time-range start="`+start+`" end="`+end+`"/>`)
}

// Section 7.10.1. Its answer leaves out the occurrence of 5 January that
// appendix B has.
func TestRFC4791_FreeBusy(t *testing.T) {
	o := newOffice(t)
	work := o.bernardsWork()
	for _, place := range []string{work, annaHome} {
		r := o.must(200, "REPORT", place, freeBusyQuery("20060104T140000Z", "20060105T220000Z"), "Depth: 1")
		want := "BEGIN:VFREEBUSY\r\nDTSTAMP:20261123T090000Z\r\nDTSTART:20060104T140000Z\r\nDTEND:20060105T220000Z\r\n" +
			"FREEBUSY;FBTYPE=BUSY:20060104T190000Z/20060104T200000Z\r\nFREEBUSY;FBTYPE=BUSY:20060105T170000Z/20060105T180000Z\r\n" +
			"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
		if !strings.HasSuffix(r.body, want) || !strings.HasPrefix(r.header.Get("Content-Type"), "text/calendar") {
			t.Errorf("%s: %s\n%s", place, r.header.Get("Content-Type"), r.body)
		}
	}
}
