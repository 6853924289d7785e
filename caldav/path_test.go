package caldav

import "testing"

func TestParsePath(t *testing.T) {
	for _, tt := range []struct {
		path string
		want place
		ok   bool
	}{
		{"/", place{}, true},
		{"/dav", place{}, true},
		{"/dav/", place{}, true},
		{"/principals/", place{}, true},
		{"/dav/principals", place{kind: principalsKind}, true},
		{"/dav/principals/anna", place{kind: principalKind, login: "anna"}, true},
		{"/dav/calendars/anna/", place{kind: homeKind, login: "anna"}, true},
		{"/dav/calendars/anna%40vector.test/current", place{kind: calendarKind, login: "anna@vector.test", slug: "current"}, true},
		{"/dav/calendars/anna@vector.test/current/a%2Bb.ics", place{kind: entryKind, login: "anna@vector.test", slug: "current", name: "a+b.ics"}, true},
		{"/dav/calendars/anna/current/a+b.ics", place{kind: entryKind, login: "anna", slug: "current", name: "a+b.ics"}, true},
		{"/dav/calendars/anna/current/a%2540b.ics", place{kind: entryKind, login: "anna", slug: "current", name: "a%40b.ics"}, true},
		{"/dav/calendars/anna/current/%D1%8F.ics/", place{kind: entryKind, login: "anna", slug: "current", name: "я.ics"}, true},
		{"/dav/addressbooks/anna/persons/", place{kind: bookKind, login: "anna", slug: "persons"}, true},
		{"/dav/calendars/anna/../boris/", place{}, false},
		{"/dav/calendars/anna/%2e%2e/boris/", place{}, false},
		{"/dav/calendars/anna/current/a%2Fb.ics", place{}, false},
		{"/dav/calendars/anna/current/a%5Cb.ics", place{}, false},
		{"/dav/calendars/anna//current/", place{}, false},
		{"/dav/calendars/anna/current/a%00.ics", place{}, false},
		{"/dav/calendars/anna/current/%ff.ics", place{}, false},
		{"/dav/calendars/anna/current/a/b.ics", place{}, false},
		{"/dav/unknown/", place{}, false},
		{"/davos/", place{}, false},
		{"/dav/calendars/anna/%zz", place{}, false},
	} {
		got, ok := parsePath(tt.path)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: got %+v %v, want %+v %v", tt.path, got, ok, tt.want, tt.ok)
		}
		if !ok {
			continue
		}
		if again, ok := parsePath(got.path()); !ok || again != got {
			t.Errorf("%s: its own path %s leads to %+v", tt.path, got.path(), again)
		}
	}
}

func TestParseHref(t *testing.T) {
	want := place{kind: entryKind, login: "anna", slug: "current", name: "x.ics"}
	for href, host := range map[string]string{
		"/dav/calendars/anna/current/x.ics":                        "",
		" /dav/calendars/anna/current/x.ics ":                      "",
		"http://crm.vector.test/dav/calendars/anna/current/x.ics":  "crm.vector.test",
		"https://crm.vector.test/dav/calendars/anna/current/x.ics": "crm.vector.test",
		"/dav/calendars/anna/current/x.ics?a=b":                    "",
	} {
		if got, h, ok := parseHref(href); !ok || got != want || h != host {
			t.Errorf("%s: got %+v %q %v", href, got, h, ok)
		}
	}
	for _, href := range []string{"", "x.ics", "//evil.test/dav/calendars/anna/current/x.ics", "ftp://a/dav/", "http://%zz/"} {
		if got, _, ok := parseHref(href); ok {
			t.Errorf("%q: taken as %+v", href, got)
		}
	}
}

func TestEtagsOf(t *testing.T) {
	for in, want := range map[string][]string{
		`"a"`:            {"a"},
		`W/"a", "b,c"`:   {"a", "b,c"},
		`*`:              {"*"},
		`nothing`:        {"nothing"},
		`"open`:          {"open"},
		` , "a" ,, "b" `: {"a", "b"},
		``:               nil,
	} {
		got := etagsOf([]string{in})
		if len(got) != len(want) {
			t.Errorf("%s: got %q", in, got)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: got %q", in, got)
			}
		}
	}
}
