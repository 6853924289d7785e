package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
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
		`intouch_http_request_duration_seconds_count{part="dav"} 2`,
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
