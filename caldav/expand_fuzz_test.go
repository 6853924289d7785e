package caldav

import (
	"bytes"
	"testing"
	"time"
)

// FuzzExpand: whatever object a stranger put, expanding it ends soon, and
// gives an object without rules and zones, or an error. What expands overlaps,
// and takes no more time than it has in a free-busy answer.
func FuzzExpand(f *testing.F) {
	f.Add(readFile(f, "overlay.put.ics"), int64(1_764_000_000), int64(86_400*30))
	f.Add(vcalendar(vevent("DTSTART;TZID=Europe/Berlin:20261101T100000\nDTEND:20261101T110000\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1\nRDATE;VALUE=PERIOD:20261103T150000/PT30M\nEXDATE:20261102"),
		vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261103T100000Z\nDTSTART;VALUE=DATE:20261104\nDURATION:P1DT1H")), int64(1_762_000_000), int64(86_400*60))
	f.Add(vcalendar("BEGIN:VTODO\nDUE:20261101T100000\nDURATION:-PT1H\nRRULE:FREQ=HOURLY;INTERVAL=7\nEND:VTODO\n", "BEGIN:VJOURNAL\nDTSTART:20261101\nRRULE:FREQ=YEARLY;BYWEEKNO=53;BYHOUR=1,2,3\nEND:VJOURNAL\n"), int64(1_762_000_000), int64(1<<33))
	f.Fuzz(func(t *testing.T, body []byte, from, length int64) {
		const latest = 253_370_000_000 // in the year 9998
		tr := &timeRange{from: time.Unix(from%latest, 0).UTC()}
		if tr.from.Year() < 1 || length <= 0 {
			return
		}
		tr.to = tr.from.Add(time.Duration(length%latest) * time.Second)
		if !tr.from.Before(tr.to) || tr.to.Year() > 9998 {
			return
		}
		begun := time.Now()
		got, err := expand(body, tr, moscow.Location())
		if took := time.Since(begun); took > 5*time.Second {
			t.Fatalf("%s for %q", took, body)
		}
		if _, err := limitOverrides(body, tr, moscow.Location()); err != nil && got != nil {
			t.Fatalf("one reads it, the other says %v", err)
		}
		a := &agenda{timeRange: *tr}
		if err := a.add(body, moscow.Location()); err == nil {
			if _, err := parse(a.write(tr.from)); err != nil {
				t.Fatalf("free-busy: %v", err)
			}
		}
		if err != nil {
			return
		}
		obj, err := parse(got)
		if err != nil {
			if len(got) > maxObject || bytes.Count(got, []byte("\n")) > maxLines {
				return // larger than what may be put
			}
			t.Fatalf("%v\n%q\n%q", err, body, got)
		}
		for _, c := range obj.root.Children {
			for _, name := range []string{"RRULE", "RDATE", "EXDATE", "EXRULE"} {
				if len(c.Props[name]) > 0 {
					t.Fatalf("%s in %q", name, got)
				}
			}
			if c.Name == "VTIMEZONE" {
				t.Fatalf("a zone in %q", got)
			}
		}
	})
}

// FuzzFilter: a filter that is taken can be held against any object, within
// moments.
func FuzzFilter(f *testing.F) {
	object := readFile(f, "overlay.put.ics")
	for _, s := range []string{
		`<C:comp-filter name="VEVENT"><C:time-range start="20261101T000000Z"/><C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes" match-type="equals">a</C:text-match></C:prop-filter></C:comp-filter>`,
		`<C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter><C:prop-filter name="X"><C:param-filter name="Y"><C:is-not-defined/></C:param-filter></C:prop-filter>`,
		`<C:comp-filter name="VEVENT"><C:comp-filter name="VALARM"><C:time-range end="20261101T000000Z"/></C:comp-filter></C:comp-filter>`,
	} {
		f.Add([]byte(s), object)
	}
	f.Fuzz(func(t *testing.T, inner, object []byte) {
		root, err := parseXML([]byte(`<C:filter xmlns:C="` + nsCalDAV + `"><C:comp-filter name="VCALENDAR">` + string(inner) + `</C:comp-filter></C:filter>`))
		if err != nil || root == nil {
			return
		}
		filter, err := filterOf(root)
		if err != nil {
			return
		}
		begun := time.Now()
		filter.span()
		filter.needsBytes("VEVENT")
		filter.matchBytes(object, moscow.Location())
		if took := time.Since(begun); took > 5*time.Second {
			t.Fatalf("%s: %q against %q", took, inner, object)
		}
	})
}
