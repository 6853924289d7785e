package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"intouch/autoconfig"
	"intouch/mailsync/mailtest"
)

// published stands in for what the network says of an address.
func published(t *testing.T, s *autoconfig.Settings, err error) {
	t.Helper()
	was := mailServers
	mailServers = func(context.Context, string) (*autoconfig.Settings, error) { return s, err }
	t.Cleanup(func() { mailServers = was })
}

// closedPort is a port of this machine where nobody answers.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestInit answers questions by lines of stdin, two of them wrongly first. The
// mail server does not answer in the end: the settings are written, and it is
// said.
func TestInit(t *testing.T) {
	port := closedPort(t)
	published(t, &autoconfig.Settings{
		IMAP:   &autoconfig.Server{Host: "localhost", Port: port, Username: "anna"},
		SMTP:   &autoconfig.Server{Host: "localhost", Port: port, Username: "anna", StartTLS: true},
		Source: "https://autoconfig.vector.test", Sure: true,
	}, nil)
	file := filepath.Join(t.TempDir(), "etc", "config.toml")
	got := command(t, strings.Join([]string{
		"anna", "anna.petrova@vector.test", // no address, then one
		"Anna P", "anna", // no login, then one
		"Анна \"А\" Петрова", `Vector \ Co`, "vector.test, vektor.test", "", "",
		"", "", "", // the servers and login that were found
		"correct horse", "",
	}, "\n"), "--config", file, "init")
	if got.code != exitFailed || !strings.Contains(got.stdout, "database: ok") || !strings.Contains(got.stdout, "mailbox anna: connect") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.stdout+got.stderr, "correct horse") {
		t.Error("the password is shown")
	}
	cfg, err := LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	m := cfg.Mailboxes[0]
	if cfg.Company.Name != `Vector \ Co` || len(cfg.Company.Domains) != 2 || cfg.Managers[0].Row.Name != `Анна "А" Петрова` || cfg.Managers[0].Row.Role != "head" ||
		m.Username != "anna" || m.IMAP != (Endpoint{fmt.Sprintf("localhost:%d", port), "tls"}) || cfg.SMTP.Server.Security != "starttls" {
		t.Errorf("%s", read(t, file))
	}
	if password, err := m.Password.Reveal(); err != nil || password != "correct horse" {
		t.Errorf("the password is %q, %v", password, err)
	}
	for _, f := range []string{file, filepath.Join(filepath.Dir(file), "anna.password")} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}

	before := read(t, file)
	if got := command(t, "", "--config", file, "init"); got.code != exitFailed || !strings.Contains(got.stderr, "has settings already") || read(t, file) != before {
		t.Errorf("a second time: %+v", got)
	}
}

// TestInit_yes asks nothing, and keeps the database that a file names already.
func TestInit_yes(t *testing.T) {
	published(t, nil, autoconfig.ErrNotFound)
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	head := "# The package's.\nlanguage = \"en\"\n[store]\nurl = \"sqlite:kept.db\"\n"
	if err := os.WriteFile(file, []byte(head), 0o640); err != nil {
		t.Fatal(err)
	}
	imap := fmt.Sprintf("imap+insecure://127.0.0.1:%d", closedPort(t))
	got := command(t, "correct horse\n", "--config", file, "init", "--yes", "--email", "anna@gmail.com", "--imap", imap)
	if got.code != exitFailed || !strings.Contains(got.stdout, "database: ok") {
		t.Errorf("%+v", got)
	}
	cfg, err := LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(read(t, file), head) || cfg.StoreURL != "sqlite:"+filepath.Join(dir, "kept.db") {
		t.Errorf("%s", read(t, file))
	}
	if len(cfg.Company.Domains) != 0 {
		t.Errorf("a provider's domain became our own: %v", cfg.Company.Domains)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestInit_stateDir: where a file says where the daemon keeps things, there
// goes the database.
func TestInit_stateDir(t *testing.T) {
	file := settings(t, "state_dir = \"state\"\n[server]\nlisten = \"127.0.0.1:8081\"\n")
	published(t, nil, autoconfig.ErrNotFound)
	command(t, "secret\n", "--config", file, "init", "--yes", "--email", "anna@vector.test", "--imap", fmt.Sprintf("imap+insecure://127.0.0.1:%d", closedPort(t)))
	cfg, err := LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "sqlite:" + filepath.Join(filepath.Dir(file), "state", "intouch.db"); cfg.StoreURL != want || cfg.Server.Listen != "127.0.0.1:8081" {
		t.Errorf("%s, want %s", cfg.StoreURL, want)
	}
}

// TestInit_refused: where something is missing or in the way, nothing is
// written and nothing overwritten.
func TestInit_refused(t *testing.T) {
	elsewhere := &autoconfig.Settings{IMAP: &autoconfig.Server{Host: "imap.elsewhere.test", Port: 993, Username: "anna"}, Source: "SRV records of vector.test"}
	yes := []string{"--yes", "--email", "anna@vector.test", "--imap", "imap+insecure://127.0.0.1:1"}
	for name, c := range map[string]struct {
		found *autoconfig.Settings
		stdin string
		files map[string]string
		args  []string
		code  int
		want  string
	}{
		"no address":        {args: []string{"--yes"}, code: exitUsage, want: "--email"},
		"no server found":   {args: yes[:3], stdin: "secret\n", code: exitUsage, want: "give --imap"},
		"nobody vouches":    {found: elsewhere, args: yes[:3], stdin: "secret\n", code: exitUsage, want: "imap.elsewhere.test"},
		"stdin ends":        {stdin: "anna@vector.test\n", code: exitUsage, want: "stdin ended at the question"},
		"no password":       {args: yes, code: exitUsage, want: "there is no password"},
		"wrong three times": {stdin: "a\nb\nc\n", code: exitUsage, want: "no good answer"},
		"a wrong flag":      {args: append(yes, "--time-zone", "Moscow"), stdin: "secret\n", code: exitUsage, want: "time zone"},
		"a wrong setting":   {args: append(yes, "--since", "2026-02-30"), stdin: "secret\n", code: exitUsage, want: "since"},
		"a control":         {args: append(yes, "--company", "a\nb"), stdin: "secret\n", code: exitUsage, want: "no line of text"},
		"a password there":  {args: yes, stdin: "secret\n", files: map[string]string{"anna.password": "older\n"}, code: exitFailed, want: "not overwritten"},
		"no TOML there":     {args: yes, stdin: "secret\n", files: map[string]string{"config.toml": "[store\n"}, code: exitFailed, want: "is no TOML"},
		"settings there":    {args: yes, stdin: "secret\n", files: map[string]string{"config.toml": "[company]\nname = \"Vector\"\n"}, code: exitFailed, want: "has settings already"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.found != nil {
				published(t, c.found, nil)
			} else {
				published(t, nil, autoconfig.ErrNotFound)
			}
			dir := t.TempDir()
			for f, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := command(t, c.stdin, append([]string{"--config", filepath.Join(dir, "config.toml"), "init"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.want) {
				t.Errorf("%+v", got)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != len(c.files) {
				t.Errorf("left behind: %v, %v", left, err)
			}
			for f, text := range c.files {
				if read(t, filepath.Join(dir, f)) != text {
					t.Errorf("%s has changed", f)
				}
			}
		})
	}
}

// terminal makes a pseudo-terminal: what a person types and reads, and what
// the program has for its stdin.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestInterop_Init answers on a terminal, with a real mail server: everything
// works at the end, and the password was not on the screen.
func TestInterop_Init(t *testing.T) {
	imap := mailtest.StartDovecot(t)
	imap.Own(t)
	person, stdin := terminal(t)
	file := filepath.Join(t.TempDir(), "config.toml")
	cmd := exec.Command(os.Args[0], "--config", file, "init", "--imap", "imaps://"+imap.TLSAddr, "--smtp", "none")
	cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1", "SSL_CERT_FILE="+imap.CertFile)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdin, stdin
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	screen := &said{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	for _, dialogue := range [][2]string{
		{"E-mail address", "olga@vector.test"}, {"Login for pages", ""}, {"Name", "Ольга"}, {"Company", "Vector"},
		{"Domains", ""}, {"Time zone", ""}, {"Language", "en"}, {"Login at the mail server", "olga"}, {"Password", "secret"},
	} {
		eventually(t, "the question "+dialogue[0], func() bool { return strings.Contains(screen.String(), dialogue[0]) })
		time.Sleep(20 * time.Millisecond) // until the echo is off
		fmt.Fprintf(person, "%s\n", dialogue[1])
	}
	err := cmd.Wait()
	eventually(t, "the end on the screen", func() bool { return strings.Contains(screen.String(), "intouchd serve") || err != nil })
	if err != nil || !strings.Contains(screen.String(), "mailbox olga: ok") || strings.Contains(screen.String(), "secret") {
		t.Errorf("%v; the screen:\n%s", err, screen)
	}
	if got := command(t, "", "--config", file, "check"); got.code != exitDone {
		t.Errorf("%+v", got)
	}
}
