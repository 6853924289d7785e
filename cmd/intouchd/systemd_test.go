package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is the service manager's end of sd_notify: the states that come.
func manager(t *testing.T) (address string, states chan string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // a socket's path has 108 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	address = filepath.Join(dir, "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	states = make(chan string, 1000)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			states <- string(b[:n])
		}
	}()
	return address, states
}

func next(t *testing.T, states chan string) string {
	t.Helper()
	select {
	case s := <-states:
		return s
	case <-time.After(time.Minute):
		t.Fatal("the service manager is told nothing")
		return ""
	}
}

// TestReady asks a daemon that runs, and one that does not.
func TestReady(t *testing.T) {
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listen)
	config := settings(t, "[server]\nlisten = \":"+port+"\"\nbehind_proxy = true\npublic_url = \"https://crm.vector.test\"\n")
	if got := command(t, "", "--config", config, "ready"); got.code != exitFailed || !strings.Contains(got.stderr, "refused") {
		t.Errorf("without a daemon: %+v", got)
	}
	startDaemonIn(t, nil, "serve", "--config", config)
	eventually(t, "the daemon ready", func() bool {
		got := command(t, "", "--config", config, "ready")
		return got.code == exitDone && strings.Contains(got.stdout, `"ready": true`)
	})
}

// TestServe_systemd starts the daemon as systemd does: on a socket that is open
// already, with a watchdog, and listening to what it is told.
func TestServe_systemd(t *testing.T) {
	address, states := manager(t)
	socket, file := given(t, "127.0.0.1:0")

	d := &daemon{stdout: &said{}, stderr: &said{}}
	// LISTEN_PID and WATCHDOG_PID are the daemon's own, which the shell becomes.
	d.cmd = exec.Command("sh", "-c", `export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$0" "$@"`, os.Args[0], "serve", "--config", settings(t, "[server]\nlisten = \"127.0.0.1:1\"\n"))
	d.cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1", "NOTIFY_SOCKET="+address, "LISTEN_FDS=1", "WATCHDOG_USEC=300000")
	d.cmd.ExtraFiles = []*os.File{file}
	d.cmd.Stdout, d.cmd.Stderr = d.stdout, d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.cmd.Process.Kill() })

	if s := next(t, states); s != "READY=1" {
		t.Errorf("told first: %q; stderr:\n%s", s, d.stderr)
	}
	answer, err := http.Get("http://" + socket.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	for range 3 {
		if s := next(t, states); s != "WATCHDOG=1" {
			t.Errorf("told while it lives: %q", s)
		}
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	var s string
	for s = next(t, states); s == "WATCHDOG=1"; s = next(t, states) {
	}
	if s != "STOPPING=1" {
		t.Errorf("told at the end: %q", s)
	}
	if code := d.wait(t); code != exitDone {
		t.Errorf("exit code %d; stderr:\n%s", code, d.stderr)
	}
}

// TestFeedWatchdog_hangs: a daemon that does not answer is not said to live.
func TestFeedWatchdog_hangs(t *testing.T) {
	address, states := manager(t)
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(t.Context())
	done, hangs := make(chan struct{}), make(chan struct{})
	asked := 0
	go func() {
		defer close(done)
		feedWatchdog(ctx, func(context.Context) {
			if asked++; asked == 3 {
				close(hangs)
			}
			if asked >= 3 {
				<-ctx.Done()
			}
		}, slog.New(slog.DiscardHandler))
	}()
	<-hangs
	for range 2 {
		next(t, states)
	}
	select {
	case s := <-states:
		t.Errorf("told %q while it hangs", s)
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	<-done
}

// given is a socket that is open already, and what a daemon inherits of it.
func given(t *testing.T, address string) (net.Listener, *os.File) {
	t.Helper()
	socket, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	file, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return socket, file
}

// TestListen_given refuses sockets of the service manager that the settings
// would not allow.
func TestListen_given(t *testing.T) {
	for _, c := range []struct {
		name, address string
		count         string
		want          string
	}{
		{"in the clear", "0.0.0.0:0", "1", "in the clear"},
		{"two", "127.0.0.1:0", "2", "passed 2 sockets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, file := given(t, c.address)
			cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$; exec "$0" "$@"`, os.Args[0], "serve", "--config", settings(t, ""))
			cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1", "LISTEN_FDS="+c.count)
			cmd.ExtraFiles = []*os.File{file, file}
			said, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(said), c.want) {
				t.Errorf("%v:\n%s", err, said)
			}
		})
	}
}

// TestServe_reload: SIGHUP takes what may change while the daemon runs, and
// faulty settings change nothing; in all of it the daemon serves.
func TestServe_reload(t *testing.T) {
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := "[server]\nlisten = \"" + listen + "\"\n"
	server := mailtest.StartDovecot(t)
	imap := countingProxy(t, server.StartTLSAddr)
	anna := "[[manager]]\nlogin = \"anna\"\nname = \"Anna\"\npassword = \"correct horse\"\n"
	before += "[log]\nlevel = \"info\"\n" + anna + "[[mailbox]]\nname = \"anna\"\nmanager = \"anna\"\nimap = \"imap+insecure://" + imap.addr + "\"\nusername = \"anna\"\npassword = \"" + mailtest.Password + "\"\nfolders = [\"INBOX\"]\n"
	config := settings(t, before)
	d := startDaemonIn(t, nil, "serve", "--config", config)
	serves := func() bool {
		code, _ := fetch(t, "http://"+listen+"/healthz")
		return code == http.StatusOK
	}
	change := func(text, said string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.cmd.Process.Signal(syscall.SIGHUP)
		eventually(t, said, func() bool { return strings.Contains(d.stderr.String(), said) })
		if !serves() {
			t.Errorf("after %q it does not serve", said)
		}
	}
	eventually(t, "the daemon", serves)
	change("[server]\nlisten = 7\n", "settings have faults, the old ones stay")
	if strings.Contains(d.stderr.String(), "level=DEBUG") {
		t.Fatal("debug before it is asked for")
	}
	change(before+"[log]\nlevel = \"debug\"\n[[manager]]\nlogin = \"anna\"\nname = \"Anna\"\n", "settings read anew")
	eventually(t, "a line at debug", func() bool { return serves() && strings.Contains(d.stderr.String(), "level=DEBUG") })
	if got := command(t, "", "--config", settings(t, "[store]\nurl = \"sqlite:"+filepath.Join(filepath.Dir(config), "intouch.db")+"\"\n"), "manager", "list"); !strings.Contains(got.stdout, "anna") {
		t.Errorf("the new manager is not there: %+v", got)
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	if code := d.wait(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
