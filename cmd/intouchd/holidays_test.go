package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// A calendar that does not answer, answers rubbish, or too much, stays as it
// was, and the others are fetched.
func TestHolidayFetch(t *testing.T) {
	const calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:%s\r\nSUMMARY:Founding day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	year := time.Now().Year()
	answer := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/good.ics":
			fmt.Fprintf(w, calendar, fmt.Sprintf("%d0703", year))
		case answer == "":
			http.Error(w, "gone", http.StatusGone)
		default:
			_, _ = w.Write([]byte(answer))
		}
	}))
	defer srv.Close()
	good, other := srv.URL+"/good.ics", srv.URL+"/other.ics"
	st := storetest.SQLite(t, store.Options{Holidays: store.HolidaySources{Addresses: []string{good, other}}})
	fetch := holidayFetch(st, []string{other, good})
	step := func(body, said, failed string, want ...string) {
		t.Helper()
		answer = body
		got, err := fetch(t.Context())
		if !strings.Contains(got, said) || said == "" && got != "" {
			t.Errorf("said %q, want %q", got, said)
		}
		if failed == "" && err != nil || failed != "" && (err == nil || !strings.Contains(err.Error(), failed)) {
			t.Errorf("failed with %v, want %q", err, failed)
		}
		h, err := st.Holidays(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var days []string
		for _, d := range h.All() {
			days = append(days, string(d.Day[5:]))
		}
		if strings.Join(days, " ") != strings.Join(want, " ") {
			t.Errorf("%.20q: %q, want %q", body, days, want)
		}
	}
	step(fmt.Sprintf(calendar, fmt.Sprintf("%d0501", year)), "1 days changed", "", "05-01", "07-03")
	step("", "", "): it answered 410 Gone", "05-01", "07-03")
	step("<html>moved</html>", "", "line 1", "05-01", "07-03")
	step(fmt.Sprintf(calendar, "19990501"), "", "no whole days", "05-01", "07-03")
	step(strings.Repeat("x", maxHolidayFile+1), "", "larger than", "05-01", "07-03")
	step(fmt.Sprintf(calendar, fmt.Sprintf("%d0502", year)), "2 days changed", "", "05-02", "07-03")
	srv.Close()
	if _, err := fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "calendar 1 (") || !strings.Contains(err.Error(), "calendar 2 (") || strings.Contains(err.Error(), ".ics") {
		t.Error(err)
	}
	if holidayFetch(st, nil) != nil {
		t.Error("there is nothing to fetch")
	}
}

// A calendar's server cannot send us to what listens here.
func TestHolidayFetch_Redirect(t *testing.T) {
	asked := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	hops := 0
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/round" {
			hops++
			http.Redirect(w, r, "/round", http.StatusFound)
			return
		}
		http.Redirect(w, r, inside.URL+"/latest/meta-data", http.StatusFound)
	}))
	defer outside.Close()
	for path, says := range map[string]string{"/away": "without TLS", "/round": "without end"} {
		address := outside.URL + path
		st := storetest.SQLite(t, store.Options{Holidays: store.HolidaySources{Addresses: []string{address}}})
		if _, err := holidayFetch(st, []string{address})(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if asked || hops > 5 {
		t.Errorf("what listens here was asked: %v; %d hops", asked, hops)
	}
}
