package caldav

import (
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// office is a server for two managers on a database of its own: Anna, and
// Boris, who is her head.
type office struct {
	file string // the database
	testing.TB
	st   *store.Store
	srv  *httptest.Server
	anna store.Manager
	head store.Manager
	now  time.Time
}

const password = "correct horse"

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{TB: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), file: filepath.Join(t.TempDir(), "test.db")}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{
		URL:    "sqlite:" + o.file,
		Render: NewRenderer("https://crm.vector.test"),
		Alarms: NextAlarm,
		Now:    func() time.Time { return o.now },
		Log:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	o.st = st
	for _, row := range []store.ManagerRow{
		{ID: "m1", Login: "anna", Name: "Анна Белова", Emails: []string{"anna@vector.test"}, Role: "manager", TimeZone: "Europe/Moscow", Language: "ru"},
		{ID: "m2", Login: "boris", Name: "Boris Head", Emails: []string{"boris@vector.test"}, Role: "head", TimeZone: "Europe/Berlin", Language: "en"},
	} {
		m, _, err := st.SaveManager(ctx, store.Actor{}, row)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.SetPassword(ctx, m.ID, password); err != nil {
			t.Fatal(err)
		}
		if m.Login == "anna" {
			o.anna = m
		} else {
			o.head = m
		}
	}
	h := New(st, Options{PublicURL: "https://crm.vector.test", Log: slog.New(slog.DiscardHandler)})
	o.srv = httptest.NewServer(h)
	t.Cleanup(o.srv.Close)
	return o
}

// reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request as Anna. Headers are "Name: value"; "as: boris" and
// "as: nobody" change who asks.
func (o *office) do(method, path, body string, headers ...string) reply {
	o.Helper()
	r, err := http.NewRequest(method, o.srv.URL+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	login := "anna"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "as" {
			login = value
			continue
		}
		r.Header.Add(name, value)
	}
	if login != "nobody" {
		r.SetBasicAuth(login, password)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// must is do with a status that is expected.
func (o *office) must(want int, method, path, body string, headers ...string) reply {
	o.Helper()
	r := o.do(method, path, body, headers...)
	if r.status != want {
		o.Fatalf("%s %s: status %d, want %d\n%s", method, path, r.status, want, r.body)
	}
	return r
}

// multistatus is a 207 body, for looking into.
type multistatus struct {
	XMLName   xml.Name `xml:"DAV: multistatus"`
	Token     string   `xml:"DAV: sync-token"`
	Responses []struct {
		Href      string `xml:"DAV: href"`
		Status    string `xml:"DAV: status"`
		Propstats []struct {
			Prop struct {
				Inner string `xml:",innerxml"`
				ETag  string `xml:"DAV: getetag"`
				Data  string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
				Name  string `xml:"DAV: displayname"`
			} `xml:"DAV: prop"`
			Status string `xml:"DAV: status"`
		} `xml:"DAV: propstat"`
	} `xml:"DAV: response"`
}

func (o *office) parse(r reply) multistatus {
	o.Helper()
	if r.status != 207 {
		o.Fatalf("status %d\n%s", r.status, r.body)
	}
	var m multistatus
	if err := xml.Unmarshal([]byte(r.body), &m); err != nil {
		o.Fatalf("%v\n%s", err, r.body)
	}
	for _, resp := range m.Responses {
		if len(resp.Propstats) > 0 && resp.Status != "" {
			o.Errorf("%s: both status and propstat", resp.Href)
		}
		if len(resp.Propstats) > 1 && resp.Propstats[0].Status != "HTTP/1.1 200 OK" {
			o.Errorf("%s: first propstat is %q", resp.Href, resp.Propstats[0].Status)
		}
	}
	return m
}

// hrefs maps the hrefs of a multistatus to the ETag, or to the status where
// there is none.
func (m multistatus) hrefs() map[string]string {
	out := map[string]string{}
	for _, r := range m.Responses {
		out[r.Href] = r.Status
		if len(r.Propstats) > 0 {
			out[r.Href] = r.Propstats[0].Prop.ETag
		}
	}
	return out
}

// golden holds a text against testdata/name.
func golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

const (
	annaHome    = "/dav/calendars/anna/"
	annaCurrent = annaHome + "current/"
)

// meeting is a VEVENT as a program would put it.
func meeting(uid, title, start string, lines ...string) string {
	extra := ""
	for _, l := range lines {
		extra += l + "\r\n"
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:" + uid +
		"\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:" + start + "\r\nDURATION:PT1H\r\nSUMMARY:" + title + "\r\n" + extra +
		"END:VEVENT\r\nEND:VCALENDAR\r\n"
}

const ics = "Content-Type: text/calendar; charset=utf-8"

// put stores a meeting and gives its ETag.
func (o *office) put(path, uid, title, start string, lines ...string) string {
	o.Helper()
	o.must(201, "PUT", path, meeting(uid, title, start, lines...), ics, "If-None-Match: *")
	return o.etag(path)
}

func (o *office) etag(path string) string {
	o.Helper()
	return o.must(200, "GET", path, "").header.Get("ETag")
}

func report(kind, inner string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><C:%s xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">%s</C:%s>`, kind, inner, kind)
}
