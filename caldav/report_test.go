package caldav

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func syncReport(token string, limit int) string {
	l := ""
	if limit > 0 {
		l = fmt.Sprintf("<limit><nresults>%d</nresults></limit>", limit)
	}
	// Thunderbird's body (clients.md section 4).
	return `<?xml version="1.0" encoding="UTF-8"?>
<sync-collection xmlns="DAV:"><sync-token>` + token + `</sync-token><sync-level>1</sync-level>` + l + `<prop><getcontenttype/><getetag/></prop></sync-collection>`
}

func TestSync(t *testing.T) {
	o := newOffice(t)
	a := o.put(annaCurrent+"a.ics", "a", "A", "20261124T100000Z")
	b := o.put(annaCurrent+"b.ics", "b", "B", "20261124T110000Z")
	first := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0), "Depth: 1"))
	if got := first.hrefs(); len(got) != 2 || got[annaCurrent+"a.ics"] != a || got[annaCurrent+"b.ics"] != b {
		t.Fatalf("first report: %v", got)
	}
	if !strings.HasPrefix(first.Responses[0].Propstats[0].Prop.Inner, "<D:getcontenttype>text/calendar") {
		t.Errorf("content type: %s", first.Responses[0].Propstats[0].Prop.Inner)
	}
	if got := o.parse(o.do("REPORT", annaCurrent, syncReport(first.Token, 0))); len(got.Responses) != 0 || got.Token != first.Token {
		t.Errorf("nothing changed, but %v", got.hrefs())
	}
	o.must(204, "DELETE", annaCurrent+"a.ics", "")
	o.must(204, "PUT", annaCurrent+"b.ics", meeting("b", "B changed", "20261124T110000Z"), ics)
	second := o.parse(o.do("REPORT", annaCurrent, syncReport(first.Token, 0), "Depth: 0"))
	if got := second.hrefs(); len(got) != 2 || got[annaCurrent+"a.ics"] != "HTTP/1.1 404 Not Found" || got[annaCurrent+"b.ics"] != o.etag(annaCurrent+"b.ics") {
		t.Errorf("second report: %v", got)
	}
	if got := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).hrefs(); len(got) != 1 {
		t.Errorf("an empty token lists deletions: %v", got)
	}
	if p := o.must(207, "PROPFIND", annaCurrent, propfindOf("<D:sync-token/>"), "Depth: 0"); !strings.Contains(p.body, ">"+second.Token+"<") {
		t.Errorf("the property differs from the report's %s:\n%s", second.Token, p.body)
	}
}

func TestSync_Pages(t *testing.T) {
	o := newOffice(t)
	for i := range 7 {
		o.put(fmt.Sprintf("%s%d.ics", annaCurrent, i), fmt.Sprint("u", i), "T", "20261124T100000Z")
	}
	seen, token, pages := map[string]string{}, "", 0
	for {
		m := o.parse(o.do("REPORT", annaCurrent, syncReport(token, 3)))
		pages++
		more := false
		for href, v := range m.hrefs() {
			if href == annaCurrent {
				more = v == "HTTP/1.1 507 Insufficient Storage"
				continue
			}
			seen[href] = v
		}
		if m.Token == token || pages > 5 {
			t.Fatalf("no progress: %s", m.Token)
		}
		token = m.Token
		if !more {
			break
		}
	}
	if pages != 3 || len(seen) != 7 {
		t.Errorf("%d pages, %d entries", pages, len(seen))
	}
}

// A first listing in pages goes on although the tombstones of the changes that
// it is among have been dropped, and misses nothing of what happens meanwhile.
func TestSync_PagesOutliveTombstones(t *testing.T) {
	o := newOffice(t)
	for i := range 5 {
		o.put(fmt.Sprintf("%s%d.ics", annaCurrent, i), fmt.Sprint("u", i), "T", "20280124T100000Z")
	}
	old := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	o.must(204, "DELETE", annaCurrent+"4.ics", "")
	o.now = o.now.AddDate(0, 0, 70)
	for range 2 { // what turns comes first, tombstones go in a quiet minute
		if _, err := o.st.TurnStatuses(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	o.must(403, "REPORT", annaCurrent, syncReport(old, 0))
	held, token := map[string]string{}, ""
	sync := func(limit int) (more bool) {
		m := o.parse(o.do("REPORT", annaCurrent, syncReport(token, limit)))
		token = m.Token
		for href, v := range m.hrefs() {
			switch {
			case href == annaCurrent:
				more = true
			case v == "HTTP/1.1 404 Not Found":
				delete(held, href)
			default:
				held[href] = v
			}
		}
		return more
	}
	for page := 0; sync(1); page++ {
		if page > 20 {
			t.Fatalf("no end of pages: %s", token)
		}
		if page == 1 { // one that was listed goes, one comes
			for href := range held {
				o.must(204, "DELETE", href, "")
				break
			}
			o.put(annaCurrent+"late.ics", "late", "T", "20280124T100000Z")
		}
	}
	sync(0)
	want := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).hrefs()
	if diff := cmp.Diff(want, held); diff != "" {
		t.Errorf("pages and listing differ (-listing +pages):\n%s", diff)
	}
}

// Time alone moves an entry from one calendar to another, and both sync
// reports say so.
func TestSync_StatusTurns(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "a.ics"
	o.put(path, "a", "A", "20261123T100000Z")
	from := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	to := o.parse(o.do("REPORT", annaHome+"overdue/", syncReport("", 0))).Token
	head := o.parse(o.do("REPORT", "/dav/calendars/boris/team-anna/", syncReport("", 0), "as: boris"))
	if len(head.Responses) != 1 {
		t.Errorf("the head sees %v", head.hrefs())
	}
	o.now = o.now.Add(3 * time.Hour)
	if _, err := o.st.TurnStatuses(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := o.parse(o.do("REPORT", annaCurrent, syncReport(from, 0))).hrefs(); len(got) != 1 || got[path] != "HTTP/1.1 404 Not Found" {
		t.Errorf("left: %v", got)
	}
	if got := o.parse(o.do("REPORT", annaHome+"overdue/", syncReport(to, 0))).hrefs(); len(got) != 1 || got[annaHome+"overdue/a.ics"] == "" {
		t.Errorf("came: %v", got)
	}
}

func TestSync_BadTokens(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "A", "20261124T100000Z")
	token := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	other := o.parse(o.do("REPORT", annaHome+"todo/", syncReport("", 0))).Token
	parts := strings.Split(token, ":")
	future := strings.Join(append(parts[:len(parts)-1:len(parts)-1], "999999"), ":")
	for _, bad := range []string{"garbage", "urn:intouch:sync:1:2", other, future, token + "0:1", "urn:intouch:sync:-1:-1:-1", "http://other.test/1"} {
		r := o.must(403, "REPORT", annaCurrent, syncReport(bad, 0))
		if !strings.Contains(r.body, "><D:valid-sync-token/></D:error>") {
			t.Errorf("%s: %s", bad, r.body)
		}
	}
	o.must(400, "REPORT", annaCurrent, `<sync-collection xmlns="DAV:"><prop/></sync-collection>`)
	o.must(207, "REPORT", annaCurrent, `<sync-collection xmlns="DAV:"><sync-token/><prop/></sync-collection>`, "Depth: 1")
}

func TestMultiget(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a@b+c.ics", "a", "A; <b> & ☃", "20261124T100000Z")
	o.put(annaCurrent+"b.ics", "b", "B", "20261124T110000Z")
	m := o.parse(o.do("REPORT", annaCurrent, report("calendar-multiget", `<D:prop><D:getetag/><C:calendar-data/></D:prop>`+
		`<D:href>`+annaCurrent+`a%40b%2Bc.ics</D:href><D:href>`+o.srv.URL+annaCurrent+`b.ics</D:href><D:href>`+annaCurrent+`gone.ics</D:href><D:href>/elsewhere</D:href>`), "Depth: 1"))
	got := m.hrefs()
	if len(got) != 4 || got[annaCurrent+"gone.ics"] != "HTTP/1.1 404 Not Found" || got["/elsewhere"] != "HTTP/1.1 404 Not Found" {
		t.Fatalf("got %v", got)
	}
	for _, r := range m.Responses {
		if len(r.Propstats) == 0 {
			continue
		}
		whole := o.must(200, "GET", r.Href, "")
		if r.Propstats[0].Prop.Data != whole.body || whole.header.Get("ETag") != r.Propstats[0].Prop.ETag {
			t.Errorf("%s: the report's bytes differ from GET's:\n%q\n%q", r.Href, r.Propstats[0].Prop.Data, whole.body)
		}
	}
	many := strings.Repeat("<D:href>"+annaCurrent+"none.ics</D:href>", 3000)
	if got := o.parse(o.do("REPORT", annaCurrent, report("calendar-multiget", `<D:prop><D:getetag/></D:prop>`+many))); len(got.Responses) != 1 {
		t.Errorf("3,000 times the same href: %d responses", len(got.Responses))
	}
}

func query(filter string) string {
	return report("calendar-query", `<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR">`+filter+`</C:comp-filter></C:filter>`)
}

// Entries that begin well within the time asked are not read, long ones have
// an index of their own.
func TestCalendarQuery_LongAndShort(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"call.ics", "call", "Call", "20261124T100000Z")
	o.must(201, "PUT", annaCurrent+"stand.ics", strings.Replace(meeting("stand", "Exhibition", "20261101T100000Z"), "DURATION:PT1H", "DURATION:P19D", 1), ics)
	o.must(201, "PUT", annaCurrent+"day.ics", strings.Replace(meeting("day", "Inventory", "20261130"), "DTSTART:20261130\r\nDURATION:PT1H", "DTSTART;VALUE=DATE:20261130", 1), ics)
	for _, tt := range []struct{ from, to, want string }{
		{"20261101T000000Z", "20261201T000000Z", "call day stand"},
		{"20261001T000000Z", "20261101T000000Z", ""},
		{"20261201T000000Z", "20270101T000000Z", ""},
		{"20261115T000000Z", "20261116T000000Z", "stand"}, // its middle
		{"20261120T000000Z", "20261201T000000Z", "call day stand"},
		{"20261130T120000Z", "20261130T130000Z", "day"},
		{"20261124T103000Z", "20261124T104000Z", "call"},
	} {
		t.Run(tt.from, func(t *testing.T) {
			m := o.parse(o.do("REPORT", annaCurrent, query(fmt.Sprintf(`<C:comp-filter name="VEVENT"><C:time-range start="%s" end="%s"/></C:comp-filter>`, tt.from, tt.to))))
			var got []string
			for _, r := range m.Responses {
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(r.Href, annaCurrent), ".ics"))
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCalendarQuery(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"nov.ics", "nov", "Звонок Ивану", "20261124T100000Z", "LOCATION:Room 7\\, north", "CATEGORIES:Customer,Calls")
	o.put(annaCurrent+"dec.ics", "dec", "Visit", "20261215T100000Z", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:x@y.test")
	o.put(annaCurrent+"rep.ics", "rep", "Weekly", "20261125T100000Z", "RRULE:FREQ=WEEKLY;COUNT=10")
	for _, tt := range []struct{ name, filter, want string }{
		{"all", ``, "dec nov rep"},
		{"component", `<C:comp-filter name="VEVENT"/>`, "dec nov rep"},
		{"no tasks here", `<C:comp-filter name="VTODO"/>`, ""},
		{"no tasks, said otherwise", `<C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter>`, "dec nov rep"},
		{"a day", `<C:comp-filter name="VEVENT"><C:time-range start="20261124T000000Z" end="20261125T000000Z"/></C:comp-filter>`, "nov"},
		{"touching is not overlapping", `<C:comp-filter name="VEVENT"><C:time-range start="20261124T110000Z" end="20261124T120000Z"/></C:comp-filter>`, ""},
		{"from", `<C:comp-filter name="VEVENT"><C:time-range start="20261214T000000Z"/></C:comp-filter>`, "dec rep"},
		{"until", `<C:comp-filter name="VEVENT"><C:time-range end="20261125T000000Z"/></C:comp-filter>`, "nov"},
		{"an occurrence", `<C:comp-filter name="VEVENT"><C:time-range start="20261209T000000Z" end="20261210T000000Z"/></C:comp-filter>`, "rep"},
		{"between occurrences", `<C:comp-filter name="VEVENT"><C:time-range start="20261210T000000Z" end="20261211T000000Z"/></C:comp-filter>`, ""},
		{"title, ASCII case", `<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>vISIT</C:text-match></C:prop-filter></C:comp-filter>`, "dec"},
		{"title, octets", `<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;octet">visit</C:text-match></C:prop-filter></C:comp-filter>`, ""},
		{"title, Unicode case", `<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;unicode-casemap">ЗВОНОК</C:text-match></C:prop-filter></C:comp-filter>`, "nov"},
		{"negated", `<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes">visit</C:text-match></C:prop-filter></C:comp-filter>`, "nov rep"},
		{"escaped text", `<C:comp-filter name="VEVENT"><C:prop-filter name="LOCATION"><C:text-match>7, n</C:text-match></C:prop-filter></C:comp-filter>`, "nov"},
		{"no location", `<C:comp-filter name="VEVENT"><C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter></C:comp-filter>`, "dec rep"},
		{"repeating", `<C:comp-filter name="VEVENT"><C:prop-filter name="RRULE"/></C:comp-filter>`, "rep"},
		{"parameter", `<C:comp-filter name="VEVENT"><C:prop-filter name="ATTENDEE"><C:param-filter name="PARTSTAT"><C:text-match>accepted</C:text-match></C:param-filter></C:prop-filter></C:comp-filter>`, "dec"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := o.parse(o.do("REPORT", annaCurrent, query(tt.filter))) // no Depth: acts as 1
			var got []string
			for _, r := range m.Responses {
				got = append(got, strings.TrimSuffix(strings.TrimPrefix(r.Href, annaCurrent), ".ics"))
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := o.parse(o.do("REPORT", annaCurrent, query(""), "Depth: 0")); len(got.Responses) != 0 {
		t.Errorf("Depth 0: %v", got.hrefs())
	}
	for filter, want := range map[string]string{
		`<C:comp-filter name="VEVENT"><C:time-range start="20261124"/></C:comp-filter>`: "valid-filter",
		`<C:comp-filter name="VEVENT"><C:time-range/></C:comp-filter>`:                  "valid-filter",
		`<C:comp-filter/>`: "valid-filter",
		`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;klingon">x</C:text-match></C:prop-filter></C:comp-filter>`: "supported-collation",
		`<C:comp-filter name="VEVENT"><C:bogus/></C:comp-filter>`: "supported-filter",
	} {
		if r := o.must(403, "REPORT", annaCurrent, query(filter)); !strings.Contains(r.body, "<C:"+want+"/></D:error>") {
			t.Errorf("%s: %s", filter, r.body)
		}
	}
}

func TestCalendarQuery_Partial(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"p.ics", "p", "Call Ivan", "20261124T100000Z", "LOCATION:Room", "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "END:VALARM")
	m := o.parse(o.do("REPORT", annaCurrent, report("calendar-query", `<D:prop><C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/><C:prop name="LOCATION" novalue="yes"/></C:comp></C:comp></C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`)))
	got := m.Responses[0].Propstats[0].Prop.Data
	for _, line := range strings.Split(strings.TrimSpace(got), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if !strings.Contains("BEGIN END VERSION SUMMARY UID LOCATION", name) || name == "LOCATION" && line != "LOCATION:" {
			t.Errorf("line %q was not asked for in\n%s", line, got)
		}
	}
	if !strings.Contains(got, "SUMMARY:Call Ivan") || strings.Contains(got, "VALARM") {
		t.Errorf("got\n%s", got)
	}
}

func TestReport_Others(t *testing.T) {
	o := newOffice(t)
	for _, body := range []string{
		`<x:what xmlns:x="urn:x"/>`,
	} {
		if r := o.must(403, "REPORT", annaCurrent, body, "Depth: 1"); !strings.Contains(r.body, "<D:supported-report/></D:error>") {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	o.must(403, "REPORT", annaHome, syncReport("", 0), "Depth: 1")
	o.must(400, "REPORT", annaCurrent, "")
	search := func(match string) string {
		return `<D:principal-property-search ` + namespaces + `><D:property-search><D:prop><D:displayname/></D:prop><D:match>` + match + `</D:match></D:property-search><D:prop><C:calendar-home-set/></D:prop></D:principal-property-search>`
	}
	if r := o.must(207, "REPORT", "/dav/principals/", search("белова")); !strings.Contains(r.body, annaHome) {
		t.Errorf("search by name: %s", r.body)
	}
	if r := o.must(207, "REPORT", "/dav/principals/", search("boris")); strings.Contains(r.body, "boris") {
		t.Errorf("others are found: %s", r.body)
	}
	r := o.must(207, "REPORT", annaCurrent, `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property><D:property name='bad name'/></D:expand-property>`)
	if !strings.Contains(r.body, "<D:owner><D:response><D:href>/dav/principals/anna/</D:href><D:propstat><D:prop><D:displayname>Анна Белова</D:displayname>") {
		t.Errorf("expand-property: %s", r.body)
	}
}

// The two reports are for calendar object resources too (RFC 4791 section 7),
// and a multiget reaches into all calendars from their home.
func TestReport_Places(t *testing.T) {
	o := newOffice(t)
	a, todo := annaCurrent+"a.ics", annaHome+"todo/"
	o.put(a, "a", "A", "20261124T100000Z")
	o.put(annaCurrent+"b.ics", "b", "B", "20261124T100000Z")
	o.must(201, "MKCALENDAR", annaHome+"label/", "")
	c := annaHome + "label/c.ics"
	o.put(c, "c", "C", "20261124T100000Z")
	multiget := func(hrefs ...string) string {
		s := "<D:prop><D:getetag/></D:prop>"
		for _, h := range hrefs {
			s += "<D:href>" + h + "</D:href>"
		}
		return report("calendar-multiget", s)
	}
	query := func(day string) string {
		return report("calendar-query", `<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+
			`<C:time-range start="202611`+day+`T000000Z" end="202611`+day+`T230000Z"/></C:comp-filter></C:comp-filter></C:filter>`)
	}
	const gone = "HTTP/1.1 404 Not Found"
	for _, tt := range []struct {
		path, body string
		want       map[string]string
	}{
		{a, query("24"), map[string]string{a: o.etag(a)}},
		{a, query("25"), map[string]string{}},
		{a, multiget(a), map[string]string{a: o.etag(a)}},
		{a, multiget(annaCurrent + "b.ics"), map[string]string{annaCurrent + "b.ics": gone}},
		{annaHome, multiget(a, c, annaHome+"none/x.ics", "/dav/calendars/boris/current/a.ics", todo), map[string]string{
			a: o.etag(a), c: o.etag(c), annaHome + "none/x.ics": gone, "/dav/calendars/boris/current/a.ics": gone, todo: gone}},
	} {
		if got := o.parse(o.do("REPORT", tt.path, tt.body)).hrefs(); !maps.Equal(got, tt.want) {
			t.Errorf("%s %s: got %v", tt.path, tt.body, got)
		}
	}
	o.must(404, "REPORT", annaCurrent+"none.ics", query("24"))
	o.must(404, "REPORT", annaCurrent+"none.ics", multiget(a))
	for depth, want := range map[string]int{"0": 0, "1": 0, "infinity": 3} {
		if got := o.parse(o.do("REPORT", annaHome, query("24"), "Depth: "+depth)).hrefs(); len(got) != want {
			t.Errorf("home, depth %s: %v", depth, got)
		}
	}
	limited := strings.Replace(query("24"), "</C:calendar-query>", "<C:limit><C:nresults>2</C:nresults></C:limit></C:calendar-query>", 1)
	if got := o.parse(o.do("REPORT", annaHome, limited, "Depth: infinity")).hrefs(); len(got) != 3 || got[annaHome] != "HTTP/1.1 507 Insufficient Storage" {
		t.Errorf("home, limited: %v", got)
	}
}

// C:timezone must hold a zone (RFC 4791 section 7.8, valid-calendar-data).
func TestReport_Timezone(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "A", "20261124T003000")
	query := func(zone string) string {
		return report("calendar-query", `<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+
			`<C:time-range start="20261124T080000Z" end="20261124T090000Z"/></C:comp-filter></C:comp-filter></C:filter><C:timezone>`+zone+`</C:timezone>`)
	}
	zone := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VTIMEZONE\nTZID:Far\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0800\nTZOFFSETTO:-0800\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n"
	if got := o.parse(o.do("REPORT", annaCurrent, query(zone), "Depth: 1")).hrefs(); len(got) != 1 {
		t.Errorf("half past midnight eight hours west of Greenwich: %v", got)
	}
	for _, bad := range []string{"", "Europe/Berlin", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR", strings.Replace(zone, "TZOFFSETTO:-0800\n", "", 1)} {
		if r := o.must(403, "REPORT", annaCurrent, query(bad), "Depth: 1"); !strings.Contains(r.body, "<C:valid-calendar-data/>") {
			t.Errorf("%q: %s", bad, r.body)
		}
	}
}

// Filters that say nothing or contradict themselves (RFC 4791 sections 9.7 and
// 9.9).
func TestReport_BadFilters(t *testing.T) {
	o := newOffice(t)
	const day = `<C:time-range start="20261124T000000Z" end="20261125T000000Z"/>`
	event := func(s string) string { return `<C:comp-filter name="VEVENT">` + s + `</C:comp-filter>` }
	for filter, want := range map[string]string{
		day:                                 "valid-filter",
		`<C:comp-filter name="VCALENDAR"/>`: "valid-filter",
		`<C:comp-filter name="VTIMEZONE">` + day + `</C:comp-filter>`: "valid-filter",
		`<C:comp-filter/>`:                               "valid-filter",
		event(`<C:time-range/>`):                         "valid-filter",
		event(`<C:time-range start="20261124T000000"/>`): "valid-filter",
		event(`<C:time-range start="20261125T000000Z" end="20261124T000000Z"/>`):                                                                     "valid-filter",
		event(`<C:is-not-defined/>` + day):                                                                                                           "valid-filter",
		event(`<C:prop-filter/>`):                                                                                                                    "valid-filter",
		event(`<C:prop-filter name="DTSTART">` + day + `<C:text-match>x</C:text-match></C:prop-filter>`):                                             "valid-filter",
		event(`<C:prop-filter name="X"><C:is-not-defined/><C:text-match>x</C:text-match></C:prop-filter>`):                                           "valid-filter",
		event(`<C:prop-filter name="X"><C:param-filter name="Y"><C:is-not-defined/><C:text-match>x</C:text-match></C:param-filter></C:prop-filter>`): "valid-filter",
		event(`<C:prop-filter name="X"><C:text-match collation="i;nothing">x</C:text-match></C:prop-filter>`):                                        "supported-collation",
		event(`<C:sounds-like/>`): "supported-filter",
	} {
		r := o.must(403, "REPORT", annaCurrent, report("calendar-query", `<D:prop/><C:filter><C:comp-filter name="VCALENDAR">`+filter+`</C:comp-filter></C:filter>`), "Depth: 1")
		if !strings.Contains(r.body, "<C:"+want+"/>") {
			t.Errorf("%s: %s", filter, r.body)
		}
	}
	o.must(400, "REPORT", annaCurrent, expandQuery(`<C:comp name="VEVENT"/>`), "Depth: 1")
}

// sync-level as in RFC 6578 section 6.3, and a property that only some have
// (section 3.8).
func TestSync_Level(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "A", "20261124T100000Z")
	for level, want := range map[string]int{"1": 207, "infinite": 207, "2": 400, "": 400} {
		body := `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>` + level + `</D:sync-level><D:prop><D:getetag/><R:bigbox xmlns:R="urn:ns.example.com:boxschema"/></D:prop></D:sync-collection>`
		r := o.must(want, "REPORT", annaCurrent, body)
		if want == 207 {
			m := o.parse(r)
			if len(m.Responses) != 1 || len(m.Responses[0].Propstats) != 2 || m.Responses[0].Propstats[1].Status != "HTTP/1.1 404 Not Found" || m.Token == "" {
				t.Errorf("%s: %s", level, r.body)
			}
		}
	}
}
