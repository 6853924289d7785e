package caldav

import (
	"fmt"
	"strings"
	"testing"
)

func propertyUpdate(set, remove string) string {
	body := `<D:propertyupdate ` + namespaces + ` xmlns:X="urn:x">`
	if set != "" {
		body += `<D:set><D:prop>` + set + `</D:prop></D:set>`
	}
	if remove != "" {
		body += `<D:remove><D:prop>` + remove + `</D:prop></D:remove>`
	}
	return body + `</D:propertyupdate>`
}

// What a program leaves on a resource is found there again, by its manager
// alone, and an event takes it along wherever it goes.
func TestDeadProperties(t *testing.T) {
	o := newOffice(t)
	const event = annaCurrent + "a.ics"
	etag := o.put(event, "a", "Call", "20261124T100000Z")
	ask := propfindOf(`<X:note xmlns:X="urn:x"/>`)
	for _, path := range []string{"/dav/principals/anna/", annaHome, annaCurrent, event, "/dav/addressbooks/anna/", annaBook} {
		if r := o.must(207, "PROPPATCH", path, propertyUpdate(`<X:note>a<X:b c="d"/>ж</X:note>`, "")); strings.Count(r.body, "HTTP/1.1 ") != 1 || !strings.Contains(r.body, "200 OK") {
			t.Errorf("%s:\n%s", path, r.body)
		}
		for what, body := range map[string]string{"by name": ask, "allprop": ""} {
			if r := o.must(207, "PROPFIND", path, body, "Depth: 0"); !strings.Contains(r.body, `c="d"`) || !strings.Contains(r.body, "ж") {
				t.Errorf("%s %s:\n%s", path, what, r.body)
			}
		}
		if r := o.must(207, "PROPFIND", path, `<propfind xmlns="DAV:"><propname/></propfind>`, "Depth: 0"); !strings.Contains(r.body, "note") {
			t.Errorf("%s propname:\n%s", path, r.body)
		}
		if r := o.must(207, "PROPPATCH", path, propertyUpdate(`<X:two>2</X:two><D:resourcetype/>`, "")); !strings.Contains(r.body, "424 Failed") || !strings.Contains(r.body, "cannot-modify-protected-property") {
			t.Errorf("%s with a live one:\n%s", path, r.body)
		}
		if r := o.must(207, "PROPFIND", path, propfindOf(`<X:two xmlns:X="urn:x"/>`), "Depth: 0"); !strings.Contains(r.body, "404 Not Found") {
			t.Errorf("%s: half of it was done:\n%s", path, r.body)
		}
	}
	if r := o.must(207, "PROPFIND", "/dav/principals/boris/", ask, "Depth: 0", "as: boris"); strings.Contains(r.body, `c="d"`) {
		t.Errorf("boris sees anna's:\n%s", r.body)
	}
	if got := o.etag(event); got != etag {
		t.Errorf("the ETag changed: %s, %s", etag, got)
	}
	// In a listing, in reports, and after a move.
	for _, r := range []reply{
		o.do("PROPFIND", annaCurrent, ask, "Depth: 1"),
		o.do("REPORT", annaCurrent, report("calendar-multiget", `<D:prop><X:note xmlns:X="urn:x"/></D:prop><D:href>`+event+`</D:href>`)),
		o.do("REPORT", annaCurrent, strings.Replace(syncReport("", 0), "<prop>", "<prop>"+`<X:note xmlns:X="urn:x"/>`, 1)),
	} {
		m := o.parse(r)
		if last := m.Responses[len(m.Responses)-1]; last.Href != event || !strings.Contains(last.Propstats[0].Prop.Inner, `c="d"`) {
			t.Errorf("in a listing:\n%s", r.body)
		}
	}
	o.must(201, "MOVE", event, "", "Destination: "+annaHome+"postponed/b.ics")
	if r := o.must(207, "PROPFIND", annaHome+"postponed/b.ics", ask, "Depth: 0"); !strings.Contains(r.body, `c="d"`) {
		t.Errorf("after a move:\n%s", r.body)
	}
	o.must(207, "PROPPATCH", annaHome, propertyUpdate("", `<X:note/>`))
	if r := o.must(207, "PROPFIND", annaHome, ask, "Depth: 0"); !strings.Contains(r.body, "404 Not Found") {
		t.Errorf("removed:\n%s", r.body)
	}
	// What belongs to nobody keeps nothing.
	if r := o.must(207, "PROPPATCH", "/dav/", propertyUpdate(`<X:note>1</X:note>`, "")); !strings.Contains(r.body, "403 Forbidden") {
		t.Errorf("the root keeps it:\n%s", r.body)
	}
}

func TestDeadProperties_Bounds(t *testing.T) {
	o := newOffice(t)
	const event = annaCurrent + "a.ics"
	o.put(event, "a", "Call", "20261124T100000Z")
	large := strings.Repeat("x", 15<<10)
	if r := o.must(207, "PROPPATCH", event, propertyUpdate(`<X:n>`+large+large+`</X:n>`, "")); !strings.Contains(r.body, "403 Forbidden") {
		t.Errorf("one of 30 KB:\n%s", r.body)
	}
	var many strings.Builder
	for i := range maxDeadCount + 1 {
		fmt.Fprintf(&many, "<X:n%d/>", i)
	}
	if r := o.must(207, "PROPPATCH", event, propertyUpdate(many.String(), "")); !strings.Contains(r.body, "403 Forbidden") {
		t.Errorf("too many:\n%s", r.body)
	}
	// With as many as may be, one is changed, and one makes room for another.
	full := strings.TrimSuffix(many.String(), fmt.Sprintf("<X:n%d/>", maxDeadCount))
	for _, c := range []struct {
		set, remove string
		fits        bool
	}{{full, "", true}, {"<X:n5>changed</X:n5>", "", true}, {"<X:more/>", "", false}, {"<X:more/>", "<X:n5/>", true}} {
		body := strings.Replace(propertyUpdate(c.set, ""), "<D:set>", "<D:remove><D:prop>"+c.remove+"</D:prop></D:remove><D:set>", 1)
		if r := o.must(207, "PROPPATCH", event, body); strings.Contains(r.body, "403 Forbidden") == c.fits {
			t.Errorf("set %.40s, remove %q:\n%.400s", c.set, c.remove, r.body)
		}
	}
	o.must(207, "PROPPATCH", event, propertyUpdate("", full+"<X:more/>"))
	for i := range 4 {
		o.must(207, "PROPPATCH", event, propertyUpdate(fmt.Sprintf(`<X:n%d>%s</X:n%d>`, i, large, i), ""))
	}
	r := o.must(207, "PROPPATCH", event, propertyUpdate(`<X:n9>`+large+`</X:n9>`, ""))
	if !strings.Contains(r.body, "507 Insufficient Storage") {
		t.Errorf("75 KB on one resource:\n%s", r.body)
	}
	if r := o.must(207, "PROPFIND", event, propfindOf(`<X:n9 xmlns:X="urn:x"/>`), "Depth: 0"); strings.Contains(r.body, "xxx") {
		t.Error("it was kept although it was refused")
	}
}
