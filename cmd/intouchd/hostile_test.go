package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/store"
	"intouch/store/storetest"
)

// TestBombs sends whoever may send anything what costs a careless reader its
// memory or its time.
func TestBombs(t *testing.T) {
	h := newSweepHouse(t)
	session := h.signIn("clara")
	_, writes, err := h.st.AddIntegration(t.Context(), "writes", []store.Scope{store.ScopeWrite})
	h.must(err)
	calendar := func(body string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:bomb\r\nDTSTAMP:20261126T090000Z\r\nDTSTART:20261126T090000Z\r\n" + body + "END:VEVENT\r\nEND:VCALENDAR\r\n"
	}
	const entities = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e SYSTEM "file:///etc/passwd">]>`
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	place := caldav.CalendarPath("clara", "current") + "bomb.ics"
	served := []string{"iCalendar rule", "expansion of the rule", "query"} // as they are, within their bounds
	for _, c := range []struct {
		name, as, method, path, kind, body string
	}{
		{"XML entities", "device", "PROPFIND", "/dav/", "application/xml", entities + `<propfind xmlns="DAV:"><prop><x>&d;&e;</x></prop></propfind>`},
		{"XML depth", "device", "PROPFIND", "/dav/", "application/xml", `<propfind xmlns="DAV:">` + deep("<a>", "</a>", 500_000) + `</propfind>`},
		{"XML attributes", "device", "REPORT", "/dav/", "application/xml", `<propfind xmlns="DAV:" ` + strings.Repeat(`a="b" `, 500_000) + `/>`},
		{"XML length", "device", "PROPFIND", "/dav/", "application/xml", strings.Repeat(" ", 40<<20)},
		{"iCalendar length", "device", "PUT", place, "text/calendar", calendar("DESCRIPTION:" + strings.Repeat("x", 40<<20) + "\r\n")},
		{"iCalendar lines", "device", "PUT", place, "text/calendar", calendar(strings.Repeat("X-A:b\r\n", 2_000_000))},
		{"iCalendar depth", "device", "PUT", place, "text/calendar", deep("BEGIN:VCALENDAR\r\n", "END:VCALENDAR\r\n", 100_000)},
		{"iCalendar lines that fit", "device", "PUT", place, "text/calendar", calendar(strings.Repeat("X-A:b\r\n", 20_000))},
		{"iCalendar depth that fits", "device", "PUT", place, "text/calendar", deep("BEGIN:VEVENT\r\n", "END:VEVENT\r\n", 5_000)},
		{"iCalendar rule", "device", "PUT", place, "text/calendar", calendar("RRULE:FREQ=SECONDLY;BYSECOND=1,2,3;BYHOUR=3;BYMONTHDAY=30;BYMONTH=2\r\n")},
		{"expansion of the rule", "device", "REPORT", caldav.CalendarPath("clara", "current"), "application/xml", `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data><C:expand start="20261101T000000Z" end="20361101T000000Z"/></C:calendar-data></prop>` +
			`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20261101T000000Z" end="20361101T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`},
		{"form", "clara", "POST", "/contacts", "application/x-www-form-urlencoded", "subject=" + strings.Repeat("x", 40<<20)},
		{"form fields", "clara", "POST", "/contacts", "application/x-www-form-urlencoded", strings.Repeat("a=b&", 5_000_000)},
		{"login", "nobody", "POST", "/login", "application/x-www-form-urlencoded", "login=clara&password=" + strings.Repeat("x", 40<<20)},
		{"JSON depth", "token", "POST", "/api/v1/clients", "application/json", deep("[", "]", 2_000_000)},
		{"JSON depth that fits", "token", "POST", "/api/v1/clients", "application/json", deep("[", "]", 20_000)},
		{"JSON length", "token", "POST", "/api/v1/clients", "application/json", `{"name":"` + strings.Repeat("x", 40<<20) + `"}`},
		{"path", "nobody", "GET", "/clients/" + strings.Repeat("9", 50_000), "", ""},
		{"query", "clara", "GET", "/clients?" + strings.Repeat("text=a&", 8_000), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, h.srv.URL+c.path, strings.NewReader(c.body))
			h.must(err)
			r.Header.Set("Content-Type", c.kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			switch c.as {
			case "device":
				r.SetBasicAuth("clara", h.device)
			case "clara":
				r.AddCookie(session)
			case "token":
				r.Header.Set("Authorization", "Bearer "+writes)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			w, err := http.DefaultTransport.RoundTrip(r)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err == nil { // else the connection was cut while we were still sending
				w.Body.Close()
				if w.StatusCode < 300 != slices.Contains(served, c.name) && w.StatusCode != http.StatusSeeOther || w.StatusCode >= 500 {
					t.Errorf("answered %s", w.Status)
				}
			}
			if took > 10*time.Second {
				t.Errorf("kept it busy for %v", took)
			}
			if got := int64(after.TotalAlloc - before.TotalAlloc); got > 256<<20 {
				t.Errorf("cost %d MB", got>>20)
			}
		})
	}
	r, _ := http.NewRequest("GET", h.srv.URL+"/healthz", nil)
	if w := h.do(r); w.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", w.Status)
	}
}

// What strangers send cannot forge a line of the log, nor turn a terminal that
// shows it.
func TestLog_Injection(t *testing.T) {
	const forged = "x\r\ntime=2026-11-26T09:00:00Z level=ERROR msg=forged \x1b[2J\x1b]0;title\x07 \u009b31m\u202e"
	control := regexp.MustCompile("[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f\u202e]")
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := newLog(Log{Level: -4, Format: format}, &out)
		st := storetest.SQLite(t, store.Options{Log: log})
		st.CheckLogin(t.Context(), forged, "password", forged)
		h := guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(forged) }), Server{}, log)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = "/" + forged
		r.Header.Set("User-Agent", forged)
		h.ServeHTTP(httptest.NewRecorder(), r)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		begin := map[string]string{"text": "time=", "json": `{"time":`}[format]
		if len(lines) < 3 {
			t.Fatalf("%s: %d lines", format, len(lines))
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, begin) || strings.HasPrefix(line, "time=2026-11-26T09:00:00Z level=ERROR msg=forged") {
				t.Errorf("%s: forged: %q", format, line)
			}
			if bad := control.FindString(line); bad != "" {
				t.Errorf("%s: %q stands in %q", format, bad, line)
			}
		}
	}
}

// No command takes a secret as an argument, where "ps" shows it to everybody on
// the machine: only the name of a file, or of a variable, or standard input.
func TestCommands_NoSecretArguments(t *testing.T) {
	secret := regexp.MustCompile(`(?i)password|secret|token`)
	seen := 0
	var look func(*cobra.Command)
	look = func(c *cobra.Command) {
		seen++
		c.Flags().VisitAll(func(f *pflag.Flag) {
			where := strings.HasSuffix(f.Name, "-file") || strings.HasSuffix(f.Name, "-env")
			if secret.MatchString(f.Name) && !where && f.Value.Type() == "string" {
				t.Errorf("%s --%s %s", c.CommandPath(), f.Name, f.Value.Type())
			}
		})
		if words := regexp.MustCompile(`[A-Z]+`).FindAllString(c.Use, -1); secret.MatchString(fmt.Sprint(words)) {
			t.Errorf("%s takes %q", c.CommandPath(), c.Use)
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look((&program{}).rootCommand())
	if seen < 30 {
		t.Errorf("only %d commands", seen)
	}
}

// Who has a copy of the database has nothing that opens anything.
func TestSecrets_AtRest(t *testing.T) {
	h := newSweepHouse(t)
	home, err := h.st.Collections(t.Context(), h.manager("anna").ID)
	h.must(err)
	feed := ""
	for _, c := range home {
		if feed == "" && c.Component.Holds(store.VEvent) {
			feed, err = h.st.MakeFeed(t.Context(), store.Actor{ManagerID: h.manager("anna").ID, Origin: store.FromWeb}, c.ID)
			h.must(err)
		}
	}
	session := h.signIn("anna")
	h.ask("1c", nil, "GET", sweptPlace{oncArea, "GET", exchange.OneCPath + "?type=sale&mode=init"}).Body.Close()
	_, err = h.st.SaveMailbox(t.Context(), "box", "anna")
	h.must(err)
	h.must(h.st.SaveToken(t.Context(), "box", "issuer", store.Token{Refresh: "refresh-in-the-clear", Access: "access-in-the-clear"}))
	var all []byte
	for _, end := range []string{"", "-wal"} {
		part, err := os.ReadFile(h.file + end)
		h.must(err)
		all = append(all, part...)
	}
	if !bytes.Contains(all, []byte(foreign)) {
		t.Fatal("the copy does not have what was stored")
	}
	for what, secret := range map[string]string{
		"a password": "a password for the test", "an app password": strings.ReplaceAll(h.device, "-", ""), "an app password as shown": h.device,
		"a program's token": h.token, "1C's token": h.onec, "1C's session": h.cookie.Value, "a feed": feed, "a session": session.Value,
		"a refresh token": "refresh-in-the-clear", "an access token": "access-in-the-clear",
	} {
		if len(secret) < 10 || bytes.Contains(all, []byte(secret)) {
			t.Errorf("%s stands in the database: %q", what, secret)
		}
	}
}
