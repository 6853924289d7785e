package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
)

// contactNamed gives the one contact of a manager with that subject.
func contactNamed(t *testing.T, config, login, subject string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, c := range exported(t, config, "contacts") {
		if managers, _ := c["managers"].([]any); c["subject"] == subject && len(managers) == 1 && managers[0] == login {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d contacts of %s with the subject %q, want one", len(found), login, subject)
	}
	return found[0]
}

// expectContact holds a contact against what it must be, given by export's
// names.
func expectContact(t *testing.T, config, login, subject string, want map[string]any) {
	t.Helper()
	got := contactNamed(t, config, login, subject)
	for key, value := range want {
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("%q: %s is %v, want %v", subject, key, got[key], value)
		}
	}
}

// peer finds a program to test against, or says what is missing.
func peer(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		mailtest.Missing(t, program+" is not here (Debian: apt-get install "+debian+")")
	}
	return path
}

// peerRun runs such a program with dir for its home, says yes to what it asks,
// and gives what it prints.
func peerRun(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir)
	cmd.Stdin = strings.NewReader(strings.Repeat("y\n", 100))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestVdirsyncer: files on a disk are a calendar. What is written, moved and
// deleted there happens to the contacts, and a sync without news writes nothing.
func TestVdirsyncer(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	program := peer(t, "vdirsyncer", "vdirsyncer")
	demo := startDemo(t)
	dir := t.TempDir()
	// Letters keep arriving in the demo and show in events of their client, so
	// a file and its event may both have changed: the file wins then.
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, `[general]
status_path = %[1]q

[pair calendars]
a = "files"
b = "intouch"
collections = ["from b"]
conflict_resolution = "a wins"
metadata = ["displayname", "color"]

[storage files]
type = "filesystem"
path = %[2]q
fileext = ".ics"

[storage intouch]
type = "caldav"
url = %[3]q
username = "anna"
password = %[4]q

[pair book]
a = "cards"
b = "persons"
collections = ["from b"]

[storage cards]
type = "filesystem"
path = %[5]q
fileext = ".vcf"

[storage persons]
type = "carddav"
url = %[6]q
username = "anna"
password = %[4]q
`, filepath.Join(dir, "status"), filepath.Join(dir, "vdir"), demo.info["caldav"], demo.info["password"], filepath.Join(dir, "cards"), demo.info["carddav"]), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		return peerRun(t, dir, program, append([]string{"-c", config}, args...)...)
	}
	run("discover")
	run("sync")
	run("metasync")

	// Every calendar and the address book came, as large as they are.
	for _, calendar := range []string{"overdue", "current", "postponed", "done", "todo"} {
		if names, _ := filepath.Glob(filepath.Join(dir, "vdir", calendar, "*.ics")); len(names) == 0 {
			t.Errorf("the calendar %s is empty", calendar)
		}
	}
	if colour, err := os.ReadFile(filepath.Join(dir, "vdir", "overdue", "color")); err != nil || !strings.HasPrefix(string(colour), "#") {
		t.Errorf("the colour of Overdue: %q, %v", colour, err)
	}
	hers, persons := map[any]bool{}, 0
	for _, c := range exported(t, demo.config, "clients") {
		hers[c["id"]] = c["manager"] == "anna"
	}
	for _, p := range exported(t, demo.config, "persons") {
		if hers[p["client"]] {
			persons++
		}
	}
	if cards, _ := filepath.Glob(filepath.Join(dir, "cards", "*", "*.vcf")); len(cards) != persons || persons == 0 {
		t.Errorf("%d cards of %d persons", len(cards), persons)
	}

	// Planned by the demo for anna: a visit tomorrow, a call the day after, a
	// meeting in five days.
	const moved, kept, dropped, written = "Осмотр кофемашин", "Поздравить с открытием", "Договор на будущий год", "Звонок ООО «Северный ветер» о поставке"
	eventFile := func(title string) string {
		t.Helper()
		names, _ := filepath.Glob(filepath.Join(dir, "vdir", "current", "*.ics"))
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && strings.Contains(unfolded(text), title) {
				return name
			}
		}
		t.Fatalf("no event %q among %d", title, len(names))
		return ""
	}
	before := contactNamed(t, demo.config, "anna", kept)
	text, err := os.ReadFile(eventFile(moved))
	if err != nil {
		t.Fatal(err)
	}
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().In(moscow).AddDate(0, 0, 6)
	start := time.Date(day.Year(), day.Month(), day.Day(), 15, 40, 0, 0, moscow)
	const wall = "20060102T150405"
	change := func(line, value string) {
		re := regexp.MustCompile(`(?m)^(` + line + `)[;:].*\r?$`)
		if !re.Match(text) {
			t.Fatalf("no %s in\n%s", line, text)
		}
		text = re.ReplaceAll(text, []byte("${1}:"+value+"\r"))
	}
	change("DTSTART", start.UTC().Format(wall+"Z"))
	change("DTEND", start.Add(90*time.Minute).UTC().Format(wall+"Z"))
	draft := strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//intouch//interop test//EN
BEGIN:VEVENT
UID:written-on-a-disk@vdir.test
DTSTAMP:20261124T090000Z
SUMMARY:`+written+`
DTSTART:`+start.Add(3*time.Hour).UTC().Format(wall+"Z")+`
DTEND:`+start.Add(3*time.Hour+20*time.Minute).UTC().Format(wall+"Z")+`
PRIORITY:1
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")
	for name, content := range map[string]string{eventFile(moved): string(text), filepath.Join(dir, "vdir", "current", "written.ics"): draft} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(eventFile(dropped)); err != nil {
		t.Fatal(err)
	}
	run("sync")

	rfc := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	expectContact(t, demo.config, "anna", moved, map[string]any{
		"start": rfc(start), "end": rfc(start.Add(90 * time.Minute)), "minutes": 90.0, "kind": "visit", "state": "planned", "status": "current"})
	expectContact(t, demo.config, "anna", written, map[string]any{
		"start": rfc(start.Add(3 * time.Hour)), "minutes": 20.0, "kind": "call", "state": "planned", "importance": "high",
		"client_name": "ООО «Северный ветер»", "origin": "calendar"})
	expectContact(t, demo.config, "anna", dropped, map[string]any{"state": "cancelled"})
	expectContact(t, demo.config, "anna", kept, before)

	// A letter may arrive at any time and change an event; a sync without news
	// comes soon, and then neither side is written.
	var last string
	eventually(t, "a sync that changes nothing", func() bool {
		last = run("sync")
		return !strings.Contains(last, "Copying") && !strings.Contains(last, "Deleting")
	})
	if strings.Count(last, "Syncing ") < 6 {
		t.Errorf("a sync says:\n%s", last)
	}
	demo.end(t)
}

// TestKhal: an event that khal writes becomes a contact, comes back to khal
// with its client, and what the page makes of it is seen there.
func TestKhal(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	khal, vdirsyncer := peer(t, "khal", "khal"), peer(t, "vdirsyncer", "vdirsyncer")
	demo := startDemo(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vdirsyncer.conf": fmt.Sprintf(`[general]
status_path = %[1]q
[pair calendars]
a = "files"
b = "intouch"
collections = ["current"]
conflict_resolution = "a wins"
[storage files]
type = "filesystem"
path = %[2]q
fileext = ".ics"
[storage intouch]
type = "caldav"
url = %[3]q
username = "anna"
password = %[4]q
`, filepath.Join(dir, "status"), filepath.Join(dir, "vdir"), demo.info["caldav"], demo.info["password"]),
		"khal.conf": fmt.Sprintf(`[calendars]
[[current]]
path = %[1]s/vdir/current
[locale]
timeformat = %%H:%%M
dateformat = %%Y-%%m-%%d
longdateformat = %%Y-%%m-%%d
datetimeformat = %%Y-%%m-%%d %%H:%%M
longdatetimeformat = %%Y-%%m-%%d %%H:%%M
local_timezone = Europe/Moscow
default_timezone = Europe/Moscow
[sqlite]
path = %[1]s/khal.db
`, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sync := func(what string) { peerRun(t, dir, vdirsyncer, "-c", filepath.Join(dir, "vdirsyncer.conf"), what) }
	run := func(args ...string) string {
		t.Helper()
		return peerRun(t, dir, khal, append([]string{"-c", filepath.Join(dir, "khal.conf")}, args...)...)
	}
	sync("discover")
	sync("sync")
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().In(moscow).AddDate(0, 0, 9)
	date := day.Format(time.DateOnly)
	const title = "Звонок «Северный ветер» о ремонте"
	run("new", "-a", "current", date, "15:00", "16:30", title, "::", "взять прайс")
	sync("sync") // there
	sync("sync") // and what became of it back
	start := time.Date(day.Year(), day.Month(), day.Day(), 15, 0, 0, 0, moscow)
	expectContact(t, demo.config, "anna", title, map[string]any{
		"start": start.UTC().Format(time.RFC3339), "minutes": 90.0, "kind": "call", "state": "planned", "status": "current",
		"client_name": "ООО «Северный ветер»", "origin": "calendar", "text": "взять прайс"})
	shown := run("list", "--format", "{start-time} {end-time} {title} {categories}", date, "1d")
	for _, want := range []string{"15:00 16:30 " + title, "ООО «Северный ветер»", "Calls"} {
		if !strings.Contains(shown, want) {
			t.Errorf("khal does not show %q:\n%s", want, shown)
		}
	}
	demo.end(t)
}

// unfolded joins the folded lines of iCalendar (RFC 5545 section 3.1).
func unfolded(text []byte) string {
	return strings.NewReplacer("\r\n ", "", "\r\n\t", "").Replace(string(text))
}

// TestPythonCaldav: Debian's python3-caldav finds, searches, moves, completes
// and deletes; testdata/caldav_peer.py checks what the library sees, this test
// what became of the contacts.
func TestPythonCaldav(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	// Debian's own interpreter: another one in the PATH has not its packages.
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import caldav").Run(); err != nil {
		mailtest.Missing(t, "python3-caldav is not here (Debian: apt-get install python3-caldav)")
	}
	demo := startDemo(t)
	expectFromPeer(t, demo, exec.Command(python, "testdata/caldav_peer.py", demo.info["caldav"], "james", demo.info["password"]))
	demo.end(t)
}

// expectFromPeer runs a program that drives the demo as James and prints what
// must have become of his contacts, and looks whether it did.
func expectFromPeer(t *testing.T, demo *runningDemo, cmd *exec.Cmd) {
	t.Helper()
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, said.String())
	}
	var want map[string]map[string]any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if len(want) < 5 {
		t.Errorf("only %d contacts to look at: %s", len(want), out)
	}
	for subject, fields := range want {
		expectContact(t, demo.config, "james", subject, fields)
	}
}
