// Package storetest opens throw-away stores for tests: SQLite in the test's
// directory, and PostgreSQL in a cluster of its own on a free port, started at
// first use and stopped with the test binary (call Main from TestMain).
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/porttest"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// Each runs fn on a fresh store of each engine. Where PostgreSQL is not
// installed its run is skipped, loudly; with INTOUCH_REQUIRE=all it fails.
func Each(t *testing.T, opt store.Options, fn func(*testing.T, *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t, opt)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t, opt)) })
}

// SQLite opens a fresh store in the test's directory.
func SQLite(t testing.TB, opt store.Options) *store.Store {
	opt.URL = "sqlite:" + filepath.Join(t.TempDir(), "intouch.db")
	return open(t, opt)
}

// Postgres opens a fresh database in the throw-away cluster.
func Postgres(t testing.TB, opt store.Options) *store.Store {
	opt.URL = PostgresURL(t)
	return open(t, opt)
}

func open(t testing.TB, opt store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var (
	cluster  = sync.OnceValues(startCluster)
	stop     func()
	database atomic.Int64
)

// Main runs the tests of a package and stops the cluster that they used.
func Main(m *testing.M) int {
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	return m.Run()
}

// PostgresURL makes an empty database and gives its address.
func PostgresURL(t testing.TB) string { return postgresFrom(t, "template1") }

// PostgresCopy copies the database at that address, to which nobody may be
// connected, and gives the address of the copy.
func PostgresCopy(t testing.TB, url string) string {
	return postgresFrom(t, path.Base(url))
}

func postgresFrom(t testing.TB, template string) string {
	t.Helper()
	base, err := cluster()
	if err != nil {
		if os.Getenv("INTOUCH_REQUIRE") == "all" {
			t.Fatalf("PostgreSQL is required: %v", err)
		}
		t.Skipf("SKIPPED WITHOUT POSTGRESQL: %v", err)
	}
	name := fmt.Sprintf("t%d", database.Add(1))
	db, err := sql.Open("pgx", base+"postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	return base + name
}

// startCluster starts the cluster that the tests of a package share.
func startCluster() (string, error) {
	dir, err := os.MkdirTemp("", "intouch-postgres-")
	if err != nil {
		return "", err
	}
	c, err := NewCluster(dir, "fsync=off")
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	stop = func() {
		c.Stop(syscall.SIGQUIT)
		os.RemoveAll(dir)
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	return c.Base, nil
}

// Cluster is a PostgreSQL of its own, for those who stop it or fill its disk.
type Cluster struct {
	Base string // postgres://…:PORT/, to which the name of a database is added
	Log  string // a file that the server's log is added to; "" is none

	program, dir string
	args         []string
	attr         *syscall.SysProcAttr
	serve        *exec.Cmd
	ended        chan struct{}
}

// NewCluster makes one, with further settings like "fsync=off", in a directory
// that exists and becomes that of the user postgres. Start starts it.
func NewCluster(dir string, settings ...string) (*Cluster, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	server, err := program("postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // postgres refuses root
		u, err := user.Lookup("postgres")
		if err != nil {
			u, err = user.Lookup("nobody")
		}
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	run := exec.Command(initdb, "-D", data, "-U", "intouch", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	run.SysProcAttr, run.Dir = &syscall.SysProcAttr{Credential: attr.Credential}, dir
	if out, err := run.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := porttest.Find()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Base: fmt.Sprintf("postgres://intouch@127.0.0.1:%d/", port), program: server, dir: dir, attr: attr,
		args: []string{"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"}}
	for _, s := range settings {
		c.args = append(c.args, "-c", s)
	}
	return c, nil
}

// Start starts the server, also again after Stop, and waits until it answers.
func (c *Cluster) Start() error {
	c.serve = exec.Command(c.program, c.args...)
	c.serve.SysProcAttr, c.serve.Dir = c.attr, c.dir
	if c.Log != "" {
		log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		c.serve.Stderr = log
	}
	if err := c.serve.Start(); err != nil {
		return err
	}
	c.ended = make(chan struct{})
	go func(serve *exec.Cmd, ended chan struct{}) { serve.Wait(); close(ended) }(c.serve, c.ended)
	db, err := sql.Open("pgx", c.Base+"postgres")
	if err != nil {
		return err
	}
	defer db.Close()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := db.Ping()
		if err == nil {
			return nil
		}
		if c.Ended() || time.Now().After(end) {
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// Ended reports whether the server is gone: it gives up when it cannot recover
// from a crash.
func (c *Cluster) Ended() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Stop ends the server: SIGINT as an administrator does, SIGQUIT as a crash
// would, with recovery at the next start.
func (c *Cluster) Stop(how syscall.Signal) {
	c.serve.Process.Signal(how)
	<-c.ended
}

// Signal sends a signal to all its processes: SIGSTOP is a disk that hangs,
// until SIGCONT.
func (c *Cluster) Signal(s syscall.Signal) error { return syscall.Kill(-c.serve.Process.Pid, s) }

// program finds a PostgreSQL program, in the PATH or where Debian puts it.
func program(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return "", errors.New(name + " is not installed (Debian: apt-get install postgresql)")
}
