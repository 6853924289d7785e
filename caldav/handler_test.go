package caldav

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"intouch/store"
)

func TestWellKnown(t *testing.T) {
	o := newOffice(t)
	for _, path := range []string{"/.well-known/caldav", "/.well-known/caldav/", "/.well-known/carddav", "/.well-known/carddav/"} {
		for _, method := range []string{"PROPFIND", "GET", "OPTIONS", "REPORT"} {
			r := o.must(301, method, path, "", "as: nobody")
			if want := o.srv.URL + "/dav/"; r.header.Get("Location") != want {
				t.Errorf("%s %s: Location %q, want %q", method, path, r.header.Get("Location"), want)
			}
		}
	}
	if r := o.do("PROPFIND", "/.well-known/caldav", "", "as: nobody", "X-Forwarded-Proto: https"); !strings.HasPrefix(r.header.Get("Location"), "https://") {
		t.Errorf("behind a TLS proxy: %s", r.header.Get("Location"))
	}
}

func TestOptions(t *testing.T) {
	o := newOffice(t)
	for _, path := range []string{"/", "/dav/", annaHome, annaCurrent, annaCurrent + "x.ics", "/dav/principals/anna/"} {
		for _, as := range []string{"as: nobody", "as: anna"} {
			r := o.must(200, "OPTIONS", path, "", as)
			if dav := r.header.Get("DAV"); !strings.HasPrefix(dav, "1, 3, calendar-access") || strings.Contains(dav, "schedule") {
				t.Errorf("%s: DAV %q", path, dav)
			}
			if !strings.Contains(r.header.Get("Allow"), "PROPFIND") {
				t.Errorf("%s: Allow %q", path, r.header.Get("Allow"))
			}
		}
	}
}

func TestAuth(t *testing.T) {
	o := newOffice(t)
	for _, as := range []string{"nobody", "unknown"} {
		r := o.must(401, "PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: "+as)
		if r.header.Get("WWW-Authenticate") != `Basic realm="Intouch", charset="UTF-8"` {
			t.Errorf("%s: %q", as, r.header.Get("WWW-Authenticate"))
		}
	}
	o.must(401, "PROPFIND", "/dav/nowhere/", "", "as: nobody")
	// Empty credentials, as after Cancel in Thunderbird's dialog.
	o.must(401, "PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: nobody", "Authorization: Basic Og==")
	o.must(401, "PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: nobody", "Authorization: Bearer x")
	// A device has a password of its own, until that is revoked.
	made, own, err := o.st.AddAppPassword(t.Context(), store.Actor{}, o.anna.ID, "Pixel 9")
	if err != nil {
		t.Fatal(err)
	}
	device := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anna:"+own))
	for range 3 {
		o.must(207, "PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: nobody", device)
	}
	if err := o.st.RevokeAppPassword(t.Context(), store.Actor{}, o.anna.ID, made.ID); err != nil {
		t.Fatal(err)
	}
	o.must(401, "PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: nobody", device)
	// Guessing is slowed down, and never by 401: that would make Thunderbird
	// throw the right password away.
	for range 200 {
		r := o.do("PROPFIND", annaCurrent, tbCheck, "Depth: 0", "as: nobody", "Authorization: Basic YW5uYTp3cm9uZw==")
		if r.status == 503 {
			if r.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			return
		}
		if r.status != 401 {
			t.Fatalf("status %d", r.status)
		}
	}
	t.Error("200 wrong passwords and no pause")
}

func TestMethods_NotAllowed(t *testing.T) {
	o := newOffice(t)
	for _, tt := range [][2]string{{"POST", annaHome}, {"GET", annaCurrent}, {"LOCK", annaCurrent + "x.ics"}, {"DELETE", "/"}, {"DELETE", annaHome}, {"MKCOL", annaHome}, {"BREW", "/dav/"}, {"TRACE", annaCurrent}} {
		if r := o.must(405, tt[0], tt[1], ""); !strings.Contains(r.header.Get("Allow"), "PROPFIND") {
			t.Errorf("%s %s: Allow %q", tt[0], tt[1], r.header.Get("Allow"))
		}
	}
	if r := o.must(403, "DELETE", annaCurrent, ""); !strings.Contains(r.body, "<D:need-privileges>") {
		t.Errorf("DELETE of a calendar: %s", r.body)
	}
	o.must(404, "DELETE", annaHome+"nowhere/", "")
	o.must(403, "MKCALENDAR", annaCurrent+"inside/", "")
	o.must(405, "MKCOL", annaCurrent, "")
}

func TestHandles(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		want         bool
	}{
		{"PROPFIND", "/", true}, {"OPTIONS", "/", true}, {"PUT", "/", true}, {"GET", "/", false}, {"HEAD", "/", false}, {"POST", "/", false},
		{"GET", "/dav/", true}, {"GET", "/dav", true}, {"PROPFIND", "/dav/calendars/a/", true}, {"GET", "/.well-known/caldav", true},
		{"PROPFIND", "/.well-known/carddav/", true}, {"GET", "/davos", false}, {"PROPFIND", "/principals/", true}, {"GET", "/clients/1", false},
	} {
		if got := Handles(httptest.NewRequest(tt.method, tt.path, nil)); got != tt.want {
			t.Errorf("%s %s: %v", tt.method, tt.path, got)
		}
	}
}
