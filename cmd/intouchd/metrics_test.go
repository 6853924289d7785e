package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"intouch/scheduler"
	"intouch/store"
	"intouch/store/storetest"
)

// TestMetrics reads /metrics of a daemon after a few requests, and holds the
// alert rules and the dashboard to the names that are there.
func TestMetrics(t *testing.T) {
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listen)
	imap := closedPort(t)
	config := settings(t, "[server]\nlisten = \"127.0.0.1:"+port+"\"\n[[manager]]\nlogin = \"anna\"\nname = \"Anna\"\n"+
		"[[mailbox]]\nname = \"an\\\"na\"\nmanager = \"anna\"\nimap = \"imap+insecure://127.0.0.1:"+strconv.Itoa(imap)+"\"\nusername = \"anna\"\npassword = \"secret\"\n")
	startDaemonIn(t, nil, "serve", "--config", config)
	base := "http://" + listen
	var text string
	eventually(t, "a failed mailbox and a first round of the jobs", func() bool {
		text = ""
		r, err := http.Get(base + "/metrics")
		if err != nil {
			return false
		}
		r.Body.Close()
		_, text = fetch(t, base+"/metrics")
		return strings.Contains(text, `intouch_mailbox_up{mailbox="an\"na"} 0`) && strings.Contains(text, "intouch_job_next_start_timestamp_seconds{")
	})
	fetch(t, base+"/login")
	for _, method := range []string{"PROPFIND", "EVIL"} {
		r, err := http.NewRequest(method, base+"/dav/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	_, text = fetch(t, base+"/metrics")
	for _, want := range []string{
		`intouch_database_up 1`,
		`intouch_part_up{part="mail"} 1`,
		`intouch_http_requests_total{method="GET",part="pages",status="200"} 1`,
		`intouch_http_requests_total{method="PROPFIND",part="dav",status="401"} 1`,
		`intouch_http_requests_total{method="other",part="dav",`,
		`intouch_http_request_duration_seconds_count{method="PROPFIND",part="dav"} 1`,
		`intouch_outbox_oldest_queued_seconds 0`,
		`intouch_mailbox_letters{mailbox="an\"na",outcome="captured"} 0`,
		`process_resident_memory_bytes`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text, "EVIL") {
		t.Error("a stranger's method became a label")
	}

	// Through a proxy nobody reads it.
	r, err := http.NewRequest("GET", base+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("through a proxy: %s", answer.Status)
	}

	known := map[string]bool{}
	for _, d := range recordsCollected {
		known[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(text, -1) {
		known[m[1]] = true
	}
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		used := regexp.MustCompile(`\b(intouch|process|go)_[a-z_]+`).FindAllString(string(b), -1)
		for _, u := range used {
			if !known[u] && !known[strings.TrimSuffix(u, "_bucket")] {
				t.Errorf("%s uses %s, which is not there", name, u)
			}
		}
		if len(used) < 5 {
			t.Errorf("%s uses only %v", name, used)
		}
	}
}

// TestMeasures_lint: what Prometheus is told follows its conventions: help,
// units, names.
func TestMeasures_lint(t *testing.T) {
	st := storetest.SQLite(t, store.Options{})
	for i := range mailboxSeries + 1 {
		box, err := st.SaveMailbox(t.Context(), fmt.Sprintf("box%d", i), "")
		if err == nil && i > 0 {
			err = st.MailboxOutcome(t.Context(), box.ID, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tallies := []scheduler.Tally{{Job: "digest", Outcomes: map[string]int64{"queued": 3}, LastSuccess: st.Now()}}
	m := newMeasures(st, func() []Part { return []Part{{Name: "mail", OK: true}} }, func() []scheduler.Tally { return tallies }, st.Now, discard())
	m.requests.WithLabelValues("dav", "PROPFIND", "207").Inc()
	m.duration.WithLabelValues("dav", "PROPFIND").Observe(1)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.RemoteAddr = "127.0.0.1:5"
	m.handler().ServeHTTP(w, r)
	text := w.Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`intouch_mailboxes{state="ok"} 500`,
		`intouch_mailboxes{state="waiting"} 1`,
		`intouch_mailbox_lag_seconds{quantile="1"} `,
		`intouch_mailbox_lag_seconds_count 500`,
		`intouch_job_outcomes_total{job="digest",outcome="queued"} 3`,
		`intouch_database_connections{pool="writer",state="idle"} `,
		`intouch_database_faults_total{fault="full"} 0`,
		`intouch_database_writable 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text, "intouch_mailbox_up{") {
		t.Error("a series for each of many mailboxes")
	}
	if regexp.MustCompile(`(?m)^intouch_database_size_bytes 0$`).MatchString(text) || !strings.Contains(text, "intouch_database_size_bytes ") {
		t.Error("the database's size is not told")
	}
}
