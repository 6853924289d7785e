package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	probeThunderbird(t, harness, demo, "--expect-file", expectFile(t))

	// Every step again on a calendar that was made in a program, where what is
	// put keeps its bytes.
	const label = "Работа"
	davRequest(t, demo, "MKCALENDAR", "/dav/calendars/olga/work/", `<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>`+label+
		`</D:displayname></D:prop></D:set></C:mkcalendar>`, http.StatusCreated)
	probeThunderbird(t, harness, demo, "--calendar", label, "--skip", "carddav", "--skip", "views")
	demo.end(t)
}

// expectFile is thunderbirdExpects on the disk.
func expectFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "expect.json")
	if err := os.WriteFile(name, []byte(thunderbirdExpects), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// davRequest asks the demo as its head.
func davRequest(t *testing.T, demo *runningDemo, method, path, body string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(demo.info["page"], "/")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(demo.info["login"], demo.info["password"])
	r.Header.Set("Content-Type", "application/xml")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

// probeThunderbird runs the harness; every step that is not asked to be left
// out must pass.
func probeThunderbird(t *testing.T, harness string, demo *runningDemo, more ...string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "probe")
	args := append([]string{harness, "--url", demo.info["caldav"], "--user", demo.info["login"], "--password", demo.info["password"], "--out", out, "-v"}, more...)
	said, err := exec.Command("/usr/bin/python3", args...).CombinedOutput()
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
	var left []string
	if slices.Contains(more, "--calendar") {
		left = []string{"carddav.list", "carddav.write", "carddav.sync", "views", "views.tasks", "views.addressbook", "expect"}
	}
	count := map[string]int{}
	for _, s := range report.Steps {
		count[s.Status]++
		switch {
		case s.Status == "fail":
			t.Errorf("%s: %s", s.Name, s.Error)
		case s.Status == "skip" && !slices.Contains(left, s.Name):
			t.Errorf("%s was skipped", s.Name)
		}
	}
	t.Logf("%d steps passed, %d failed, %d skipped", count["pass"], count["fail"], count["skip"])
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

// TestThunderbird_AddressBook: a real Thunderbird writes address books, which
// are imported where they lie: while it runs, and after it has ended.
func TestThunderbird_AddressBook(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	harness, err := filepath.Abs("../../../shared/thunderbird")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(harness); err != nil {
		t.Skip("SKIPPED, NOT PROVED: ../shared/thunderbird is not here; Thunderbird is driven by it")
	}
	for program, debian := range map[string]string{"thunderbird": "thunderbird", "Xvfb": "xvfb"} {
		peer(t, program, debian)
	}
	t.Parallel() // it mostly waits
	dir := t.TempDir()
	work, running := filepath.Join(dir, "work"), filepath.Join(dir, "running")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "python3", "testdata/thunderbird_book.py", harness, work, running).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config := write(t, dir, "config.toml", "[store]\nurl = \"sqlite:"+filepath.Join(dir, "t.db")+"\"\n")
	clients := write(t, dir, "clients.csv", "id,name,domains\nc1,Ромашка,romashka.test\n")
	for _, s := range []struct{ args, want string }{
		{"import clients " + clients, "1 new"},
		{"import thunderbird " + running, "2 new, 0 changed, 0 unchanged, 1 offered, 0 refused"},
		{"import thunderbird " + filepath.Join(work, "profile"), "0 new, 0 changed, 3 unchanged, 0 offered, 0 refused"},
		{"export persons", `"name":"Иванов Пётр Сергеевич","position":"Главный бухгалтер","emails":["p.ivanov@romashka.test","petr@example.com"],"phones":["+7 (495) 000-00-31","8-916-000-00-32"],"birthday":"1975-01-30"`},
	} {
		got := command(t, "", append(strings.Fields(s.args), "--config", config)...)
		if got.code != 0 || !strings.Contains(got.stdout, s.want) {
			t.Errorf("%s: exit code %d\n%s%s\nwant %s", s.args, got.code, got.stdout, got.stderr, s.want)
		}
	}
}
