package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
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
	imap, connected := countedProxy(t, server.Addr)
	anna := "[[manager]]\nlogin = \"anna\"\nname = \"Anna\"\npassword = \"correct horse\"\n"
	before += "[log]\nlevel = \"info\"\n" + anna + "[[mailbox]]\nname = \"anna\"\nmanager = \"anna\"\nimap = \"imap+insecure://" + imap + "\"\nusername = \"anna\"\npassword = \"secret\"\nfolders = [\"INBOX\"]\n"
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
	// fixed reports whether anna's page of settings leaves her time zone to the
	// settings file.
	fixed := func() bool {
		return regexp.MustCompile(`name="time_zone"[^>]* disabled`).MatchString(pageOf(t, "http://"+listen, "anna", "correct horse", "/settings"))
	}
	if fixed() {
		t.Error("the time zone is fixed before the settings have it")
	}
	if code, _ := fetch(t, "http://"+listen+"/debug/pprof/goroutine"); code != http.StatusNotFound {
		t.Errorf("profiles without being asked for: %d", code)
	}
	// A request of which a part came, and a mailbox that waits for news.
	half, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	fmt.Fprintf(half, "GET /healthz HTTP/1.1\r\nHost: %s\r\n", listen)
	eventually(t, "the mailbox", func() bool {
		_, text := fetch(t, "http://"+listen+"/metrics")
		return strings.Contains(text, `intouch_mailbox_up{mailbox="anna"} 1`)
	})
	connections := connected()
	change("[server]\nlisten = 7\n", "settings have faults, the old ones stay")
	if strings.Contains(d.stderr.String(), "level=DEBUG") {
		t.Fatal("debug before it is asked for")
	}
	after := strings.Replace(before, "[log]\nlevel = \"info\"\n"+anna, "pprof = true\n[log]\nparts = [\"requests=debug\"]\n"+anna+"time_zone = \"Asia/Omsk\"\n[[manager]]\nlogin = \"boris\"\nname = \"Boris\"\n", 1)
	change(after, "settings read anew")
	eventually(t, "a line at debug", func() bool {
		return serves() && strings.Contains(d.stderr.String(), "level=DEBUG msg=\"request served\" part=requests")
	})
	if strings.Contains(d.stderr.String(), "level=DEBUG msg=\"step") || strings.Count(d.stderr.String(), "level=DEBUG") != strings.Count(d.stderr.String(), "part=requests") {
		t.Errorf("debug of other parts:\n%s", d.stderr.String())
	}
	if !fixed() {
		t.Error("the page of settings still offers a time zone that the settings file has by now")
	}
	if code, _ := fetch(t, "http://"+listen+"/debug/pprof/goroutine?debug=1"); code != http.StatusOK {
		t.Errorf("profiles: %d", code)
	}
	fmt.Fprint(half, "\r\n")
	if line, err := bufio.NewReader(half).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("a request that came in two parts: %q, %v", line, err)
	}
	if n := connected(); n != connections {
		t.Errorf("the mailbox was connected to %d times more", n-connections)
	}
	if got := command(t, "", "--config", settings(t, "[store]\nurl = \"sqlite:"+filepath.Join(filepath.Dir(config), "intouch.db")+"\"\n"), "manager", "list"); !strings.Contains(got.stdout, "boris") {
		t.Errorf("the new manager is not there: %+v", got)
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	if code := d.wait(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// countedProxy passes connections on to a server and counts them.
func countedProxy(t *testing.T, server string) (addr string, connected func() int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var n atomic.Int64
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer out.Close()
				go io.Copy(out, in)
				io.Copy(in, out)
			}()
		}
	}()
	return listener.Addr().String(), n.Load
}
