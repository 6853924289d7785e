package caldav

import (
	"strings"
	"testing"
)

func TestPut_CreateChangeDelete(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "one.ics"
	r := o.must(201, "PUT", path, meeting("one", "Call Ivan", "20261124T100000Z"), ics, "If-None-Match: *")
	got := o.must(200, "GET", path, "")
	etag := got.header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) || !strings.Contains(got.body, "SUMMARY:Call Ivan") || got.header.Get("Content-Type") != "text/calendar;charset=utf-8" {
		t.Fatalf("GET: %q %v\n%s", etag, got.header, got.body)
	}
	if e := r.header.Get("ETag"); e != "" && e != etag {
		t.Errorf("PUT said ETag %s, GET %s", e, etag)
	}
	o.must(304, "GET", path, "", "If-None-Match: "+etag)
	if h := o.must(200, "HEAD", path, ""); h.body != "" || h.header.Get("ETag") != etag {
		t.Errorf("HEAD: %v", h)
	}
	o.must(412, "PUT", path, meeting("one", "again", "20261124T100000Z"), ics, "If-None-Match: *")
	o.must(204, "PUT", path, meeting("one", "Call Maria", "20261124T110000Z"), ics, "If-Match: "+etag)
	if next := o.etag(path); next == etag {
		t.Error("the ETag did not change with the title")
	}
	o.must(412, "DELETE", path, "", "If-Match: "+etag)
	o.must(204, "DELETE", path, "", "If-Match: W/"+o.etag(path))
	o.must(404, "GET", path, "")
	o.must(404, "DELETE", path, "")
}

// Two programs edit the same event: the second one is told, nothing is lost.
func TestPut_TwoClients(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "two.ics"
	etag := o.put(path, "two", "Base", "20261124T100000Z")
	o.must(204, "PUT", path, meeting("two", "First wins", "20261124T100000Z"), ics, "If-Match: "+etag)
	o.must(412, "PUT", path, meeting("two", "Second", "20261124T100000Z"), ics, "If-Match: "+etag)
	if got := o.must(200, "GET", path, ""); !strings.Contains(got.body, "First wins") {
		t.Errorf("overwritten:\n%s", got.body)
	}
}

func TestPut_Refused(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "x.ics"
	o.put(annaCurrent+"held.ics", "held", "Held", "20261124T100000Z")
	todo := strings.ReplaceAll(strings.Replace(meeting("t", "T", "20261124T100000Z"), "DURATION:PT1H\r\n", "", 1), "VEVENT", "VTODO")
	for _, tt := range []struct {
		name, path, body string
		status           int
		want             string
		headers          []string
	}{
		{"no calendar at all", path, "hello", 403, "<C:valid-calendar-data/>", []string{ics}},
		{"empty", path, "", 403, "<C:valid-calendar-data/>", []string{ics}},
		{"a property without a colon", path, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nATTENDEE;CN=foo\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", 403, "<C:valid-calendar-data/>", []string{ics}},
		{"no UID", path, strings.Replace(meeting("x", "X", "20261124T100000Z"), "UID:x\r\n", "", 1), 403, "<C:valid-calendar-object-resource/>", []string{ics}},
		{"METHOD", path, strings.Replace(meeting("x", "X", "20261124T100000Z"), "VERSION", "METHOD:REQUEST\r\nVERSION", 1), 403, "<C:valid-calendar-object-resource/>", []string{ics}},
		{"a task among events", path, todo, 403, "<C:supported-calendar-component/>", []string{ics}},
		{"an event among tasks", annaHome + "todo/x.ics", meeting("x", "X", "20261124T100000Z"), 403, "<C:supported-calendar-component/>", []string{ics}},
		{"another type", path, meeting("x", "X", "20261124T100000Z"), 403, "<C:supported-calendar-data/>", []string{"Content-Type: text/plain"}},
		{"UID held by another name", path, meeting("held", "X", "20261124T100000Z"), 403, "<C:no-uid-conflict><D:href>" + annaCurrent + "held.ics</D:href></C:no-uid-conflict>", []string{ics}},
		{"too large", path, meeting("x", strings.Repeat("x", maxRequest), "20261124T100000Z"), 403, "<C:max-resource-size/>", []string{ics}},
		{"no such calendar", annaHome + "nowhere/x.ics", meeting("x", "X", "20261124T100000Z"), 409, "", []string{ics}},
		{"somebody else's calendar", "/dav/calendars/boris/current/x.ics", meeting("x", "X", "20261124T100000Z"), 404, "", []string{ics}},
		{"a collection", annaCurrent, meeting("x", "X", "20261124T100000Z"), 405, "", []string{ics}},
		{"Thunderbird's probe of /", "/", "", 405, "", []string{"If-Match: nothing"}},
		{"Thunderbird's probe of /dav/", "/dav/", "", 405, "", []string{"If-Match: nothing"}},
		{"a team calendar", "/dav/calendars/boris/team-anna/x.ics", meeting("x", "X", "20261124T100000Z"), 403, "<D:need-privileges>", []string{ics, "as: boris"}},
		{"encoded slash", annaCurrent + "a%2Fb.ics", meeting("x", "X", "20261124T100000Z"), 409, "", []string{ics}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := o.must(207, "PROPFIND", annaHome, propfindOf("<CS:getctag/>"), "Depth: 1").body
			r := o.do("PUT", tt.path, tt.body, tt.headers...)
			if r.status != tt.status || !strings.Contains(r.body, tt.want) {
				t.Errorf("got %d, want %d %s\n%s", r.status, tt.status, tt.want, r.body)
			}
			if tt.status == 405 && r.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if after := o.must(207, "PROPFIND", annaHome, propfindOf("<CS:getctag/>"), "Depth: 1").body; after != before {
				t.Error("something changed")
			}
		})
	}
}

func TestMove_IsAVerb(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "m.ics"
	o.put(path, "m", "Call Ivan", "20261124T100000Z")
	token := o.parse(o.do("REPORT", annaHome+"current/", syncReport("", 0))).Token
	r := o.must(201, "MOVE", path, "", "Destination: "+o.srv.URL+annaHome+"postponed/m.ics")
	if want := o.srv.URL + annaHome + "postponed/m.ics"; r.header.Get("Location") != want {
		t.Errorf("Location %q, want %q", r.header.Get("Location"), want)
	}
	o.must(404, "GET", path, "")
	if got := o.must(200, "GET", annaHome+"postponed/m.ics", ""); !strings.Contains(got.body, "STATUS:TENTATIVE") {
		t.Errorf("not postponed:\n%s", got.body)
	}
	if got := o.parse(o.do("REPORT", annaCurrent, syncReport(token, 0))).hrefs(); got[path] != "HTTP/1.1 404 Not Found" {
		t.Errorf("the old calendar's report: %v", got)
	}
	o.must(201, "MOVE", annaHome+"postponed/m.ics", "", "Destination: "+path, "Overwrite: F")
	o.must(200, "GET", path, "")
	o.put(annaCurrent+"other.ics", "other", "Other", "20261124T100000Z")
	o.must(412, "MOVE", path, "", "Destination: "+annaCurrent+"other.ics", "Overwrite: F")
	o.must(403, "MOVE", path, "", "Destination: "+annaHome+"todo/m.ics")
	o.must(403, "MOVE", path, "", "Destination: /dav/calendars/boris/current/m.ics")
	o.must(403, "MOVE", path, "", "Destination: http://evil.test"+annaCurrent+"n.ics")
	o.must(409, "MOVE", path, "", "Destination: "+annaHome+"nowhere/m.ics")
	o.must(400, "MOVE", path, "")
	o.must(403, "COPY", path, "", "Destination: "+annaHome+"done/m.ics")
}

// As Thunderbird and iOS move: PUT into the other calendar, then DELETE in
// the old one.
func TestMove_PutThenDelete(t *testing.T) {
	o := newOffice(t)
	etag := o.put(annaCurrent+"pd.ics", "pd", "Call Ivan", "20261124T100000Z")
	o.must(201, "PUT", annaHome+"done/pd.ics", meeting("pd", "Call Ivan", "20261124T100000Z"), ics, "If-None-Match: *")
	if r := o.do("DELETE", annaCurrent+"pd.ics", "", "If-Match: "+etag); r.status != 204 && r.status != 404 {
		t.Errorf("DELETE of the old one: %d", r.status)
	}
	got := o.must(200, "GET", annaHome+"done/pd.ics", "")
	if strings.Contains(got.body, "STATUS:CANCELLED") {
		t.Errorf("the DELETE cancelled what was moved:\n%s", got.body)
	}
}

// 20 MB and deep nests are refused at once, by whom they come from
// notwithstanding.
func TestRequest_TooMuch(t *testing.T) {
	o := newOffice(t)
	o.must(413, "PROPFIND", "/dav/", strings.Repeat("<a>", 20<<20/3), "Depth: 0")
	o.must(400, "PROPFIND", "/dav/", strings.Repeat("<a>", 10_000)+strings.Repeat("</a>", 10_000), "Depth: 0")
	o.must(400, "REPORT", annaCurrent, strings.Repeat("<a>", 10_000), "Depth: 1")
	o.must(401, "PROPFIND", "/dav/", strings.Repeat("<a>", 1000), "Depth: 0", "as: nobody")
}

// POST makes a member under a name that the server chooses (RFC 5995).
func TestPost_AddMember(t *testing.T) {
	o := newOffice(t)
	ask := propfindOf("<D:add-member/>")
	m := o.must(207, "PROPFIND", annaCurrent, ask, "Depth: 0").body
	if !strings.Contains(m, "<D:add-member><D:href>"+annaCurrent+"</D:href></D:add-member>") {
		t.Errorf("the property:\n%s", m)
	}
	body := meeting("p", "Call Ivan", "20261124T100000Z")
	r := o.must(201, "POST", annaCurrent, body, ics)
	path, ok := strings.CutPrefix(r.header.Get("Location"), o.srv.URL)
	if !ok || !strings.HasPrefix(path, annaCurrent) {
		t.Fatalf("Location %q", r.header.Get("Location"))
	}
	if got := o.must(200, "GET", path, ""); !strings.Contains(got.body, "Call Ivan") {
		t.Errorf("got\n%s", got.body)
	}
	if r := o.must(403, "POST", annaCurrent, body, ics); !strings.Contains(r.body, "no-uid-conflict") || !strings.Contains(r.body, path) || r.header.Get("Location") != "" {
		t.Errorf("again: %v\n%s", r.header, r.body)
	}
	o.must(403, "POST", annaCurrent, "no calendar", ics)
	// What a page of another site can send by a browser that knows the login.
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "text/plain; x=text/calendar"} {
		if r := o.must(403, "POST", annaCurrent, meeting("csrf", "x", "20261124T100000Z"), "Content-Type: "+kind); !strings.Contains(r.body, "supported-calendar-data") {
			t.Errorf("type %q: %s", kind, r.body)
		}
	}
	o.must(404, "POST", annaHome+"nothing/", body, ics)
	o.must(405, "POST", annaHome, body, ics)
	o.must(201, "MKCALENDAR", annaWork, "")
	kept := o.must(201, "POST", annaWork, meeting("q", "Dentist", "20261124T100000Z"), ics)
	if kept.header.Get("ETag") == "" {
		t.Error("the bytes are kept, but no ETag says so")
	}
	const team = "/dav/calendars/boris/team-anna/"
	if r := o.do("POST", team, meeting("r", "x", "20261124T100000Z"), ics, "as: boris"); r.status != 403 || !strings.Contains(r.body, "need-privileges") {
		t.Errorf("into a read-only calendar: %d %s", r.status, r.body)
	}
}
