package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestThunderbird: a real Thunderbird on a private display discovers the demo's
// calendars and cards as the head's, reads, writes, moves and deletes, and
// meets conflicts (../shared/thunderbird/README.md).
func TestThunderbird(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	harness, err := filepath.Abs("../../../shared/thunderbird/probe.py")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(harness); err != nil {
		t.Skip("SKIPPED, NOT PROVED: ../shared/thunderbird is not here; Thunderbird is driven by it")
	}
	for program, debian := range map[string]string{"thunderbird": "thunderbird", "Xvfb": "xvfb", "import": "imagemagick"} {
		peer(t, program, debian)
	}
	t.Parallel() // it mostly waits
	demo := startDemo(t)
	dir := t.TempDir()
	expect, out := filepath.Join(dir, "expect.json"), filepath.Join(dir, "probe")
	if err := os.WriteFile(expect, []byte(thunderbirdExpects), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("/usr/bin/python3", harness, "--url", demo.info["caldav"], "--user", demo.info["login"],
		"--password", demo.info["password"], "--expect-file", expect, "--out", out, "-v").CombinedOutput()
	if err != nil {
		trace, _ := os.ReadFile(filepath.Join(out, "trace.txt"))
		t.Errorf("the probe: %v\n%s\nThe last requests:\n%s", err, said, trace[max(0, len(trace)-8000):])
	}

	var report struct {
		Steps []struct{ Name, Status, Error string } `json:"steps"`
	}
	text, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("the probe's report: %v", err)
	}
	count := map[string]int{}
	for _, s := range report.Steps {
		count[s.Status]++
		switch {
		case s.Status == "fail":
			t.Errorf("%s: %s", s.Name, s.Error)
		case s.Status == "skip" && s.Name != "carddav.write" && s.Name != "carddav.sync": // the address book is read-only
			t.Errorf("%s was skipped", s.Name)
		}
	}
	t.Logf("%d steps passed, %d failed, %d skipped", count["pass"], count["fail"], count["skip"])
	demo.end(t)
}

// thunderbirdExpects: the head's calendars with their colours, her team's
// read-only, none of them found a second time as a file.
const thunderbirdExpects = `{
"syncCollection": true, "noIcsProvider": true, "calendarsExact": true,
"calendars": {
  "Просрочено": {"color": "#C62828", "readOnly": false, "minItems": 1},
  "Текущие": {"color": "#212121", "readOnly": false, "minItems": 1},
  "Отложено": {"color": "#9E9E9E", "readOnly": false, "minItems": 1},
  "Сделано": {"color": "#2E7D32", "readOnly": false, "minItems": 1},
  "Задачи": {"readOnly": false, "minItems": 1, "supportsEvents": false, "supportsTasks": true},
  "Анна Петрова": {"readOnly": true, "minItems": 1},
  "Дмитрий Волков": {"readOnly": true, "minItems": 1},
  "Мария Козлова": {"readOnly": true, "minItems": 1},
  "James Carter": {"readOnly": true, "minItems": 1}
}}`
