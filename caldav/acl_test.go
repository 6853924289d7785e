package caldav

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestACL_Properties(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "A", "20261124T100000Z")
	ask := propfindOf("<D:acl/><D:supported-privilege-set/><D:acl-restrictions/><D:inherited-acl-set/><D:current-user-privilege-set/>")
	for path, owner := range map[string]string{
		"/dav/": "<D:authenticated/>", "/dav/principals/anna/": "<D:property><D:owner/></D:property>", annaHome: "<D:property><D:owner/></D:property>",
		annaCurrent: "<D:property><D:owner/></D:property>", annaCurrent + "a.ics": "<D:property><D:owner/></D:property>", "/dav/addressbooks/anna/persons/": "<D:property><D:owner/></D:property>",
	} {
		r := o.must(207, "PROPFIND", path, ask, "Depth: 0")
		got := o.parse(r).Responses[0].Propstats
		if len(got) != 1 || !strings.Contains(r.body, "<D:ace><D:principal>"+owner+"</D:principal><D:grant><D:privilege><D:read/></D:privilege>") ||
			!strings.Contains(r.body, "<D:privilege><C:read-free-busy/></D:privilege><D:description") {
			t.Errorf("%s: %s", path, r.body)
		}
		if r := o.must(403, "ACL", path, `<D:acl xmlns:D="DAV:"/>`); !strings.Contains(r.body, "<D:privilege><D:write-acl/></D:privilege>") {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	o.must(404, "ACL", annaCurrent+"none.ics", `<D:acl xmlns:D="DAV:"/>`)
	if dav := o.must(200, "OPTIONS", annaCurrent, "").header.Get("DAV"); !strings.Contains(dav, "access-control") {
		t.Errorf("DAV: %s", dav)
	}
}

func TestPrincipalReports(t *testing.T) {
	o := newOffice(t)
	body := func(report, inner string) string {
		return `<D:` + report + ` ` + namespaces + `>` + inner + `<D:prop><D:displayname/></D:prop></D:` + report + `>`
	}
	const me = "/dav/principals/anna/"
	owner := `<D:principal-property><D:owner/></D:principal-property>`
	for _, tt := range []struct {
		report, inner, path string
		want                []string
	}{
		{"principal-match", "<D:self/>", "/dav/principals/", []string{me}},
		{"principal-match", "<D:self/>", "/dav/", []string{me}},
		{"principal-match", "<D:self/>", annaHome, nil},
		{"principal-match", owner, me, []string{me}},
		{"principal-match", owner, "/dav/calendars/", []string{annaHome}},
		{"principal-match", owner, annaHome, []string{annaHome, annaCurrent, annaHome + "done/", annaHome + "overdue/", annaHome + "postponed/", annaHome + "todo/"}},
		{"principal-match", `<D:principal-property><C:calendar-home-set/></D:principal-property>`, annaHome, nil},
		{"acl-principal-prop-set", "", annaCurrent, []string{me}},
	} {
		m := o.parse(o.do("REPORT", tt.path, body(tt.report, tt.inner), "Depth: 0"))
		if got := slices.Sorted(maps.Keys(m.hrefs())); !slices.Equal(got, tt.want) {
			t.Errorf("%s %s on %s: got %v", tt.report, tt.inner, tt.path, got)
		}
		o.must(400, "REPORT", tt.path, body(tt.report, tt.inner), "Depth: 1")
	}
	o.must(400, "REPORT", "/dav/principals/", body("principal-match", ""))
	o.must(400, "REPORT", "/dav/principals/", body("principal-match", "<D:self/>"+owner))
	o.must(400, "REPORT", "/dav/principals/", `<D:principal-search-property-set xmlns:D="DAV:"/>`, "Depth: 1")
	o.must(404, "REPORT", annaHome+"none/", body("acl-principal-prop-set", ""))
}

// expand-property follows the hrefs of every property that has some
// (RFC 3253 section 3.8), as deep as asked.
func TestExpandProperty_Deep(t *testing.T) {
	o := newOffice(t)
	r := o.must(207, "REPORT", annaCurrent, `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="calendar-home-set" namespace="`+nsCalDAV+`">`+
		`<D:property name="displayname"/><D:property name="owner"><D:property name="principal-URL"/></D:property></D:property></D:property></D:expand-property>`)
	want := `<D:owner><D:response><D:href>/dav/principals/anna/</D:href><D:propstat><D:prop><C:calendar-home-set><D:response><D:href>/dav/calendars/anna/</D:href><D:propstat><D:prop>` +
		`<D:displayname>Анна Белова</D:displayname><D:owner><D:response><D:href>/dav/principals/anna/</D:href><D:propstat><D:prop><D:principal-URL><D:href>/dav/principals/anna/</D:href></D:principal-URL>`
	if got := strings.ReplaceAll(r.body, "\n", ""); !strings.Contains(got, want) {
		t.Errorf("got %s", got)
	}
	o.put(annaCurrent+"a.ics", "a", "A", "20261124T100000Z")
	ask := `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property></D:expand-property>`
	for path, want := range map[string]int{annaHome: 6, annaCurrent: 2, annaCurrent + "a.ics": 1} {
		m := o.parse(o.do("REPORT", path, ask, "Depth: 1"))
		if len(m.Responses) != want || !strings.Contains(m.Responses[want-1].Propstats[0].Prop.Inner, "<D:displayname>Анна Белова</D:displayname>") {
			t.Errorf("%s, depth 1: %v", path, m.hrefs())
		}
	}
	o.must(403, "REPORT", annaHome, ask, "Depth: infinity")
}

// A search goes over the place that is asked, unless it is for all principals
// (RFC 3744 section 9.4).
func TestPrincipalSearch_Where(t *testing.T) {
	o := newOffice(t)
	body := func(more string) string {
		return `<D:principal-property-search ` + namespaces + `><D:property-search><D:prop><D:displayname/></D:prop><D:match>бел</D:match></D:property-search><D:prop><D:displayname/></D:prop>` + more + `</D:principal-property-search>`
	}
	for _, tt := range []struct {
		path, more string
		want       int
	}{{"/dav/principals/", "", 1}, {"/dav/", "", 1}, {annaHome, "", 0}, {annaHome, "<D:apply-to-principal-collection-set/>", 1}} {
		if got := o.parse(o.do("REPORT", tt.path, body(tt.more), "Depth: 0")); len(got.Responses) != tt.want {
			t.Errorf("%s %s: %v", tt.path, tt.more, got.hrefs())
		}
	}
}
