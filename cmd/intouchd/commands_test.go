package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"intouch/store/storetest"
)

// TestMain lets a test run this very binary as intouchd, so that signals and
// exit codes are the real ones.
func TestMain(m *testing.M) {
	if program := os.Getenv(slowSyncVariable); program != "" {
		becomeSlow(program)
	}
	if ahead, err := time.ParseDuration(os.Getenv("INTOUCHD_AHEAD")); err == nil {
		clock = func() time.Time { return time.Now().Add(ahead) }
	}
	if file := os.Getenv("INTOUCHD_CLOCK"); file != "" {
		followClock(file)
	}
	if text := os.Getenv(fleetMailVariable); text != "" {
		runFleetMail(text)
	}
	if os.Getenv("INTOUCHD_RUN_MAIN") != "" {
		main()
	}
	os.Exit(storetest.Main(m))
}

// followClock sets the host's clock as far off as a file says, whenever it changes.
func followClock(file string) {
	var off atomic.Int64
	hostClock = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	go func() {
		for ; ; time.Sleep(100 * time.Millisecond) {
			text, err := os.ReadFile(file)
			if d, bad := time.ParseDuration(string(text)); err == nil && bad == nil {
				off.Store(int64(d))
			}
		}
	}()
}

// output of one command.
type output struct {
	code           int
	stdout, stderr string
}

// command runs one command line in the process.
func command(t testing.TB, stdin string, args ...string) output {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(args, strings.NewReader(stdin), &out, &errs)
	return output{code, out.String(), errs.String()}
}

// settings writes a settings file into a fresh directory.
func settings(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wired is the daemon of these settings, not yet serving.
func wired(t testing.TB, text string) *app {
	t.Helper()
	cfg, err := LoadConfig(settings(t, text))
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.stop)
	return a
}

func TestRun_usage(t *testing.T) {
	t.Setenv("INTOUCH_CONFIG", "")
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "no command"},
		{[]string{"dance"}, `"dance"`},
		{[]string{"check", "--fast"}, "--fast"},
		{[]string{"check", "now"}, "now"},
		{[]string{"manager"}, "add, list"},
		{[]string{"manager", "remove"}, `"remove"`},
		{[]string{"--config", "/nonexistent/config.toml", "check"}, "no such file"},
		{[]string{"demo", "--listen", "0.0.0.0:8080"}, "loopback"},
		{[]string{"demo", "--for", "soon"}, "soon"},
		{[]string{"import", "managers"}, "import"},
		{[]string{"export", "everything"}, "everything"},
	} {
		got := command(t, "", c.args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("intouchd %s: exit %d, stdout %q, stderr %q; want exit 2 and %q", strings.Join(c.args, " "), got.code, got.stdout, got.stderr, c.says)
		}
	}
	if _, err := os.Stat("demo-data"); err == nil {
		t.Error("a demo that was refused has made its directory")
	}
}

func TestVersion(t *testing.T) {
	got := command(t, "", "version")
	if got.code != exitDone || !strings.HasPrefix(got.stdout, "intouchd ") || got.stderr != "" {
		t.Errorf("%+v", got)
	}
}

func TestCheck(t *testing.T) {
	if got := command(t, "", "--config", "testdata/faulty.toml", "check"); got.code != exitUsage || got.stdout != "" {
		t.Errorf("faulty: exit %d, stdout %q", got.code, got.stdout)
	} else {
		golden(t, "faulty.golden", got.stderr)
	}
	file := settings(t, "[company]\nname = \"V\"\n")
	if got := command(t, "", "--config", file, "check"); got.code != exitDone {
		t.Errorf("in order: %+v", got)
	}
	t.Setenv("INTOUCH_CONFIG", file)
	if got := command(t, "", "check"); got.code != exitDone || !strings.Contains(got.stderr, file) {
		t.Errorf("from the environment: %+v", got)
	}
}

// TestCheck_online names each part that does not answer, and goes on.
func TestCheck_online(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	file := settings(t, `
[[mailbox]]
name = "anna"
manager = "anna"
imap = "imap+insecure://`+closed+`"
username = "anna"
password = "does-not-matter"
[smtp]
url = "smtp+insecure://`+closed+`"
from = "a@vector.test"
`)
	got := command(t, "", "--config", file, "check", "--online")
	if got.code != exitFailed {
		t.Errorf("exit %d, want 1", got.code)
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `no manager "anna"`) ||
		!strings.HasPrefix(lines[1], "mailbox anna: ") || !strings.Contains(lines[1], "refused") ||
		!strings.HasPrefix(lines[2], "smtp ") || !strings.Contains(lines[2], "refused") {
		t.Errorf("got:\n%s", got.stdout)
	}
	if strings.Contains(got.stdout+got.stderr, "does-not-matter") {
		t.Error("the password is shown")
	}
}

func TestManager(t *testing.T) {
	file := settings(t, "")
	do := func(stdin string, args ...string) output {
		return command(t, stdin, append([]string{"--config", file, "manager"}, args...)...)
	}
	if got := do("correct horse\n", "add", "anna", "--name", "Анна", "--email", "anna@vector.test", "--role", "head"); got.code != exitDone {
		t.Fatalf("add: %+v", got)
	}
	if got := do("short\n", "password", "anna"); got.code != exitUsage || !strings.Contains(got.stderr, "8 characters") {
		t.Errorf("short password: %+v", got)
	}
	if got := do("another one\n", "password", "anna"); got.code != exitDone {
		t.Errorf("password: %+v", got)
	}
	if got := do("", "password", "boris"); got.code != exitUsage || !strings.Contains(got.stderr, `"boris"`) {
		t.Errorf("unknown: %+v", got)
	}
	if got := do("", "add", "boris", "--time-zone", "Mars/Base"); got.code != exitUsage || !strings.Contains(got.stderr, "Mars/Base") {
		t.Errorf("bad zone: %+v", got)
	}
	// What is not said stays, the role among it.
	if got := do("", "add", "anna", "--language", "en"); got.code != exitDone {
		t.Errorf("change: %+v", got)
	}
	if got := do("", "list"); got.code != exitDone || !strings.Contains(got.stdout, "anna   head  Анна  anna@vector.test  Europe/Moscow  en") {
		t.Errorf("list: %+v", got)
	}
	if got := do("", "calendars", "anna"); got.code != exitDone || !strings.Contains(got.stdout, "http://127.0.0.1:8080/dav/calendars/anna/current/") {
		t.Errorf("calendars: %+v", got)
	}
}

// daemon is this binary running as intouchd.
type daemon struct {
	cmd    *exec.Cmd
	stderr *said
	stdout *said
}

// said is what a program has written so far. It may be read while the program
// still runs.
type said struct {
	mu   sync.Mutex
	text []byte
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

func startDaemon(t testing.TB, args ...string) *daemon {
	t.Helper()
	return startDaemonIn(t, nil, args...)
}

// startDaemonIn adds settings like "SSL_CERT_FILE=…" to the environment.
func startDaemonIn(t testing.TB, environment []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(os.Args[0], args...), stdout: &said{}, stderr: &said{}}
	d.cmd.Env = append(append(os.Environ(), "INTOUCHD_RUN_MAIN=1"), environment...)
	d.cmd.Stdout, d.cmd.Stderr = d.stdout, d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			d.cmd.Process.Kill()
			d.cmd.Wait()
		}
	})
	return d
}

// wait gives the exit code; a daemon that hangs fails the test.
func (d *daemon) wait(t *testing.T) int {
	t.Helper()
	done := make(chan struct{})
	go func() { d.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		d.cmd.Process.Kill()
		<-done
		t.Fatalf("did not end; stderr:\n%s", d.stderr)
	}
	return d.cmd.ProcessState.ExitCode()
}

// eventually tries until it works; the slowest machine gets a minute.
func eventually(t testing.TB, what string, try func() bool) {
	t.Helper()
	within(t, time.Minute, what, try)
}

// within is for what takes its time by design.
func within(t testing.TB, limit time.Duration, what string, try func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !try() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// propfind is the status of a PROPFIND; no login sends none.
func propfind(t *testing.T, url, login, password string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PROPFIND", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Depth", "0")
	if login != "" {
		req.SetBasicAuth(login, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// TestDemo is the stranger's way: everything starts, letters become contacts,
// a digest is delivered, other commands work beside it, it ends, and a second
// start doubles nothing.
func TestDemo(t *testing.T) {
	first := startDemo(t)
	dir, config, info := first.dir, first.config, first.info
	for _, key := range []string{"page", "caldav", "carddav", "login", "password", "imap", "smtp"} {
		if info[key] == "" {
			t.Errorf("demo.json has no %s", key)
		}
	}
	var ready Readiness
	eventually(t, "all mailboxes read", func() bool {
		code, body := fetch(t, strings.TrimSuffix(info["page"], "/")+"/readyz")
		if code != http.StatusOK || json.Unmarshal([]byte(body), &ready) != nil || len(ready.Mailboxes) != 6 { // the one of replies too
			return false
		}
		for _, m := range ready.Mailboxes {
			if !m.OK || m.Captured == 0 && m.Name != repliesMailbox {
				return false
			}
		}
		return true
	})
	eventually(t, "the digests of all managers, and the head's nightly one", func() bool {
		mails, _ := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
		return len(mails) >= len(demoManagers)+1
	})
	if got := command(t, "", "--config", config, "job", "nightly"); got.code != exitDone || !strings.Contains(got.stdout, info["login"]) || !strings.Contains(got.stdout, "already ran") {
		t.Errorf("nightly after the demo's: %+v", got)
	}
	if got := command(t, "", "--config", config, "report", "saved", "list"); !strings.Contains(got.stdout, "status=overdue") {
		t.Errorf("saved reports: %+v", got)
	}
	if got := command(t, "", "--config", config, "check", "--online"); got.code != exitDone {
		t.Errorf("check --online beside the demo: %+v", got)
	}
	each := command(t, "", "--config", config, "manager", "calendars", info["login"])
	if strings.Count(each.stdout, "\n") < 7 || !strings.Contains(each.stdout, "/dav/addressbooks/") {
		t.Errorf("calendars: %+v", each)
	}
	setup := pageOf(t, strings.TrimSuffix(info["page"], "/"), info["login"], info["password"], "/setup")
	for line := range strings.Lines(each.stdout) {
		addr := strings.Fields(line)[0]
		if code := propfind(t, addr, "", ""); code != http.StatusUnauthorized {
			t.Errorf("%s without login: %d", addr, code)
		}
		if code := propfind(t, addr, info["login"], info["password"]); code != http.StatusMultiStatus {
			t.Errorf("%s: %d", addr, code)
		}
		if !strings.Contains(setup, addr+"<") {
			t.Errorf("the set-up page does not show %s", addr)
		}
	}
	if got := command(t, "", "--config", config, "sync", "--json"); got.code != exitDone || strings.Count(got.stdout, "\n") != 6 {
		t.Errorf("sync beside the demo: %+v", got)
	}
	if second := startDaemon(t, "serve", "--config", config); second.wait(t) != exitFailed || !strings.Contains(second.stderr.String(), "another intouchd") {
		t.Errorf("serve beside the demo: exit %d, %s", second.cmd.ProcessState.ExitCode(), second.stderr)
	}
	first.end(t)

	contacts, letters := exported(t, config, "contacts"), exported(t, config, "letters")
	doubles := map[string]bool{}
	for _, c := range contacts {
		id, _ := c["message_id"].(string)
		if key := id + "|" + c["client_name"].(string); id != "" && doubles[key] {
			t.Errorf("letter %s is two contacts", id)
		} else {
			doubles[key] = true
		}
	}
	again := startDaemon(t, "demo", "--data", dir, "--listen", "127.0.0.1:0", "--for", "4s")
	if code := again.wait(t); code != exitDone {
		t.Errorf("second start: exit %d\n%s", code, again.stderr)
	}
	// New letters may have come in meanwhile; the old ones must be the same.
	if got := exported(t, config, "contacts"); len(got) < len(contacts) || len(got) > len(contacts)+5 {
		t.Errorf("%d contacts, then %d", len(contacts), len(got))
	}
	if got := exported(t, config, "letters"); len(got) < len(letters) || len(got) > len(letters)+5 {
		t.Errorf("%d letters, then %d", len(letters), len(got))
	}
	if _, err := os.Stat(filepath.Join(dir, "demo.json")); err == nil {
		t.Error("demo.json is still there, though nothing answers any more")
	}
}

// runningDemo is a demo that answers, with what its demo.json says.
type runningDemo struct {
	*daemon
	dir, config string
	info        map[string]string
}

func startDemo(t testing.TB) *runningDemo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	d := &runningDemo{daemon: startDaemon(t, "demo", "--data", dir, "--listen", "127.0.0.1:0"), dir: dir, config: filepath.Join(dir, "config.toml")}
	eventually(t, "demo.json", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "demo.json"))
		return err == nil && json.Unmarshal(text, &d.info) == nil
	})
	return d
}

// end stops the daemon as its operator would.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.wait(t); code != exitDone {
		t.Errorf("after SIGTERM: exit %d\n%s", code, d.stderr)
	}
}

func exported(t *testing.T, config, kind string) []map[string]any {
	t.Helper()
	got := command(t, "", "--config", config, "export", kind)
	if got.code != exitDone {
		t.Fatalf("export %s: %+v", kind, got)
	}
	var rows []map[string]any
	for line := range strings.Lines(got.stdout) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("export %s: %v", kind, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestServe_unknownManager: a mailbox of somebody who does not exist stops
// nothing, is told, and is taken up when he does.
func TestServe_unknownManager(t *testing.T) {
	addr, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := settings(t, `
[server]
listen = "`+addr+`"
[[mailbox]]
name = "anna"
manager = "anna"
imap = "imap+insecure://`+dead+`"
username = "anna"
password = "x"
`)
	d := startDaemon(t, "serve", "--config", config)
	says := func(text string) func() bool {
		return func() bool {
			var ready Readiness
			code, body := fetch(t, "http://"+addr+"/readyz")
			return code == http.StatusOK && json.Unmarshal([]byte(body), &ready) == nil && len(ready.Mailboxes) == 1 && strings.Contains(ready.Mailboxes[0].Error, text)
		}
	}
	eventually(t, "the unknown manager in /readyz", says(`no manager "anna"`))
	if got := command(t, "", "--config", config, "sync"); got.code != exitFailed || !strings.Contains(got.stderr, `no manager "anna"`) {
		t.Errorf("sync: %+v", got)
	}
	if got := command(t, "correct horse\n", "--config", config, "manager", "add", "anna", "--name", "Anna", "--email", "anna@vector.test"); got.code != exitDone {
		t.Fatalf("add: %+v", got)
	}
	eventually(t, "the mailbox is tried", says("refused"))
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.wait(t); code != exitDone {
		t.Errorf("exit %d, %s", code, d.stderr)
	}
}

// What the settings do not say of a manager is the manager's own.
func TestManager_OwnSettings(t *testing.T) {
	config := settings(t, "language = \"ru\"\ntime_zone = \"Europe/Moscow\"\n[[manager]]\nlogin = \"anna\"\nname = \"Анна\"\nemail = \"anna@vector.test\"\ntime_zone = \"Asia/Omsk\"\n")
	do := func(args ...string) output { return command(t, "", append([]string{"--config", config}, args...)...) }
	if got := do("manager", "list"); !strings.Contains(got.stdout, "Asia/Omsk") || !strings.Contains(got.stdout, "ru") {
		t.Fatalf("%+v", got)
	}
	if got := do("manager", "add", "anna", "--language", "en", "--time-zone", "Europe/Paris"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := do("manager", "list"); !strings.Contains(got.stdout, "Asia/Omsk") || !strings.Contains(got.stdout, "en") {
		t.Errorf("%+v", got)
	}
}
