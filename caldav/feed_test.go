package caldav

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

// makeFeed gives one of Anna's calendars a feed; it returns its path.
func (o *office) makeFeed(slug string) string {
	o.Helper()
	ctx := context.Background()
	col, err := o.st.Collection(ctx, o.anna.ID, slug)
	if err != nil {
		o.Fatal(err)
	}
	secret, err := o.st.MakeFeed(ctx, store.Actor{ManagerID: o.anna.ID}, col.ID)
	if err != nil {
		o.Fatal(err)
	}
	return FeedPath(secret)
}

// What an overlay holds that no feed may tell: alarms, guests, private words,
// and a zone of its own.
const feedOverlay = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n" +
	"BEGIN:VTIMEZONE\r\nTZID:/example.com/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" +
	"BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20261120T100000Z\r\nDTSTART;TZID=/example.com/Berlin:20261125T100000\r\nDTEND;TZID=/example.com/Berlin:20261125T110000\r\n" +
	"SUMMARY:Doctor\r\nLOCATION:Room 5\r\n%sATTENDEE:mailto:guest@client.test\r\nX-MOZ-LASTACK:20261120T100000Z\r\n" +
	"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:ring\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestFeed_Text(t *testing.T) {
	o := newOffice(t)
	o.must(201, "MKCALENDAR", annaWork, mkcalendar(`<D:displayname>Work; mine</D:displayname><A:calendar-color>#FF0000</A:calendar-color>`))
	o.must(201, "PUT", annaWork+"a.ics", meeting("a", "Call Ivan", "20261124T100000Z"), ics)
	o.must(201, "PUT", annaWork+"b.ics", fmt.Sprintf(feedOverlay, "b", ""), ics)
	o.must(201, "PUT", annaWork+"c.ics", fmt.Sprintf(feedOverlay, "c", "CLASS:PRIVATE\r\n"), ics)
	path := o.makeFeed("work")

	r := o.must(200, "GET", path, "", "as: nobody")
	if got := r.header.Get("Content-Type"); got != "text/calendar; charset=utf-8" {
		t.Errorf("type %q", got)
	}
	if _, err := parse([]byte(r.body)); err != nil {
		t.Errorf("no calendar: %v", err)
	}
	const golden = "testdata/feed.ics"
	if *update {
		if err := os.WriteFile(golden, []byte(r.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), r.body); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"VALARM", "ATTENDEE", "X-MOZ-"} {
		if strings.Contains(r.body, secret) {
			t.Errorf("tells %s", secret)
		}
	}
	if n := strings.Count(r.body, "Doctor"); n != 1 {
		t.Errorf("%d times the words of the two, one is private", n)
	}
	for _, once := range []string{"TZID:/example.com/Berlin\r\n", "TZID:Europe/Moscow\r\n"} {
		if n := strings.Count(r.body, once); n != 1 {
			t.Errorf("%d times %q", n, once)
		}
	}
}

// Of what is private a feed tells only that the time is taken: also where the
// class is one that we do not know (RFC 5545 section 3.8.1.3), and where a
// moved occurrence of a private series does not say it again.
func TestFeed_Private(t *testing.T) {
	o := newOffice(t)
	series := meeting("s", "Doctor", "20261124T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "CLASS:PRIVATE")
	moved := meeting("s", "Doctor again", "20261125T120000Z", "RECURRENCE-ID:20261125T100000Z")
	moved = moved[strings.Index(moved, "BEGIN:VEVENT"):]
	series = series[:strings.Index(series, "END:VCALENDAR")] + moved
	o.must(201, "MKCALENDAR", annaWork, "")
	o.must(201, "PUT", annaWork+"s.ics", series, ics)
	o.must(201, "PUT", annaWork+"x.ics", meeting("x", "Doctor elsewhere", "20261124T100000Z", "CLASS:X-SECRET"), ics)
	o.must(201, "PUT", annaWork+"p.ics", meeting("p", "Call Ivan", "20261124T100000Z", "CLASS:Public"), ics)
	r := o.must(200, "GET", o.makeFeed("work"), "", "as: nobody")
	if strings.Contains(r.body, "Doctor") || strings.Count(r.body, "BEGIN:VEVENT") != 4 || !strings.Contains(r.body, "Call Ivan") {
		t.Error(r.body[strings.Index(r.body, "BEGIN:VEVENT"):])
	}
}

func TestFeed_Conditions(t *testing.T) {
	o := newOffice(t)
	o.must(201, "PUT", annaHome+"current/a.ics", meeting("a", "Call Ivan", "20261124T100000Z"), ics)
	path := o.makeFeed("current")
	r := o.must(200, "GET", path, "", "as: nobody")
	tag := r.header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) || r.header.Get("Last-Modified") != "" {
		t.Errorf("headers within the second of a change: %v", r.header)
	}
	r = o.must(304, "GET", path, "", "as: nobody", "If-None-Match: "+tag)
	if r.body != "" || r.header.Get("ETag") != tag {
		t.Errorf("304: %v %q", r.header, r.body)
	}
	r = o.must(200, "HEAD", path, "", "as: nobody")
	if r.header.Get("ETag") != tag || r.body != "" {
		t.Errorf("HEAD: %v", r.header)
	}
	o.now = o.now.Add(time.Minute)
	r = o.must(200, "GET", path, "", "as: nobody")
	modified := r.header.Get("Last-Modified")
	o.must(304, "GET", path, "", "as: nobody", "If-Modified-Since: "+modified)
	o.must(200, "GET", path, "", "as: nobody", "If-Modified-Since: "+modified, `If-None-Match: "other"`)

	o.must(201, "PUT", annaHome+"current/b.ics", meeting("b", "Call Olga", "20261124T120000Z"), ics)
	r = o.must(200, "GET", path, "", "as: nobody", "If-None-Match: "+tag, "If-Modified-Since: "+modified)
	if !strings.Contains(r.body, "Call Olga") {
		t.Errorf("not the new one:\n%s", r.body)
	}
	// A new name is another feed too.
	tag = r.header.Get("ETag")
	o.must(207, "PROPPATCH", annaHome+"current/", `<D:propertyupdate `+namespaces+`><D:set><D:prop><D:displayname>Now</D:displayname></D:prop></D:set></D:propertyupdate>`)
	r = o.must(200, "GET", path, "", "as: nobody", "If-None-Match: "+tag)
	if !strings.Contains(r.body, "X-WR-CALNAME:Now\r\n") {
		t.Errorf("not the new name:\n%s", r.body[:400])
	}

	// Compressed, when asked for.
	req, _ := http.NewRequest("GET", o.srv.URL+path, nil)
	req.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	zip, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(zip); err != nil || string(b) != r.body || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %v %v", err, res.Header)
	}
}

func TestFeed_Secret(t *testing.T) {
	o := newOffice(t)
	ctx, anna := context.Background(), store.Actor{ManagerID: o.anna.ID}
	col, err := o.st.Collection(ctx, o.anna.ID, "current")
	if err != nil {
		t.Fatal(err)
	}
	path := o.makeFeed("current")
	for _, wrong := range []string{"/feed/", "/feed/.ics", "/feed/" + strings.Repeat("A", 26) + ".ics", strings.ToLower(path), strings.TrimSuffix(path, ".ics"), path + "/", "/feed/../dav/", "/feed/%00.ics",
		"/feed/" + strings.Repeat("A", 5000) + ".ics"} {
		o.must(404, "GET", wrong, "", "as: nobody")
	}
	o.must(405, "PUT", path, "x", "as: nobody")
	o.must(405, "PROPFIND", path, "", "as: nobody")
	if got := LogPath(path); strings.Contains(got, path[6:20]) {
		t.Errorf("the log tells %q", got)
	}

	// Another manager can neither make nor take it.
	if _, err := o.st.MakeFeed(ctx, store.Actor{ManagerID: o.head.ID}, col.ID); err == nil {
		t.Error("a feed of somebody else's calendar")
	}
	if err := o.st.RevokeFeed(ctx, store.Actor{ManagerID: o.head.ID}, col.ID); err == nil {
		t.Error("revoked by somebody else")
	}
	// Made anew, the old address is no more; revoked, none is.
	again := o.makeFeed("current")
	o.must(404, "GET", path, "", "as: nobody")
	o.must(200, "GET", again, "", "as: nobody")
	feeds, err := o.st.Feeds(ctx, o.anna.ID)
	if err != nil || len(feeds) != 1 || !feeds[col.ID].Used.Equal(o.now) {
		t.Errorf("%+v %v", feeds, err)
	}
	if err := o.st.RevokeFeed(ctx, anna, col.ID); err != nil {
		t.Fatal(err)
	}
	o.must(404, "GET", again, "", "as: nobody")
	o.must(404, "GET", again, "", "as: nobody", "If-None-Match: *")

	todo, err := o.st.Collection(ctx, o.anna.ID, "todo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.st.MakeFeed(ctx, anna, todo.ID); err == nil {
		t.Error("a feed of tasks")
	}
}

func TestFeed_TooOften(t *testing.T) {
	o := newOffice(t)
	path := o.makeFeed("current")
	var r reply
	for range 31 {
		r = o.do("GET", path, "", "as: nobody")
	}
	if r.status != 429 || r.header.Get("Retry-After") == "" {
		t.Errorf("the 31st at once: %d %v", r.status, r.header)
	}
	o.must(200, "HEAD", path, "", "as: nobody")
	o.now = o.now.Add(time.Minute)
	o.must(200, "GET", path, "", "as: nobody")
}
