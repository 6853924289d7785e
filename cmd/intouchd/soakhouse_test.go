package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"intouch/mailer/smtptest"
	"intouch/mailsync/mailtest"
	"intouch/store/porttest"
	"intouch/store/storetest"
)

// soakHouse is everything that a soak runs: daemons, the servers around them,
// and between them cables that can be cut.
type soakHouse struct {
	*testing.T
	sqlite  bool
	seed    uint64
	dir     string // of settings, logs and, with a small disk of its own, the database
	disk    string // where the database lies; a file system of limited size
	direct  string // settings for the commands that check: past the cables
	url     string // of its database, past the cables
	dovecot *mailtest.Dovecot
	postfix *smtptest.Postfix
	cluster *storetest.Cluster // nil: SQLite
	admin   *sql.DB            // of the cluster, not of the house's database
	db      *sql.DB            // the house's database, past the cables
	daemons []*soakDaemon
	cables  map[string]*cable // imap, smtp, database, http 0 …
	token   string            // of 1C
	faults  tally
	load    tally
	busy    map[string]*sync.Mutex // by what a fault is about: two faults of one thing would undo each other
	clocks  atomic.Bool            // clocks go wrong in this round
	wrong   windows                // when they were
	steady  atomic.Bool            // the first daemon is not killed any more, so that its memory can be watched
}

// tally counts by name.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (t *tally) add(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = map[string]int{}
	}
	t.count[name] += n
}

func (t *tally) of(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[name]
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(t.count), "map["), "]")
}

// cable is a TCP connection's way to a server.
type cable struct {
	addr string
	to   string
	down atomic.Bool // nobody gets through

	mu   sync.Mutex
	open map[net.Conn]bool
}

func newCable(t testing.TB, to string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: ln.Addr().String(), to: to, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			if c.down.Load() {
				client.Close()
				continue
			}
			wg.Go(func() { c.carry(&wg, client) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		c.cut(func() bool { return true })
		wg.Wait()
	})
	return c
}

func (c *cable) carry(wg *sync.WaitGroup, client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil { // it is being restarted
		client.Close()
		return
	}
	c.mu.Lock()
	c.open[client] = true
	c.mu.Unlock()
	wg.Go(func() {
		io.Copy(server, client)
		server.Close()
		client.Close()
	})
	io.Copy(client, server)
	server.Close()
	client.Close()
	c.mu.Lock()
	delete(c.open, client)
	c.mu.Unlock()
}

// cut ends the connections that which picks, wherever their talk was.
func (c *cable) cut(which func() bool) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if which() {
			conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
			conn.Close()
			n++
		}
	}
	return n
}

// soakDaemon is one `intouchd serve` that is killed and started again.
type soakDaemon struct {
	name     string
	binary   string
	config   string
	listen   string
	clock    string // a file with how far its clock is off; "" for a binary whose clock is the machine's
	log      string
	trust    string
	sync     *slowSync // nil: it writes no file of its own
	cmd      *exec.Cmd
	ended    chan struct{}
	startups int
}

func (d *soakDaemon) start() error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd = exec.Command(d.binary, "serve", "--config", d.config)
	d.cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1", "INTOUCHD_CLOCK="+d.clock, "SSL_CERT_FILE="+d.trust)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := (*exec.Cmd).Start
	if d.sync != nil {
		start = d.sync.start
	}
	if err := start(d.cmd); err != nil {
		return err
	}
	d.startups++
	d.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { cmd.Wait(); close(ended) }(d.cmd, d.ended)
	return nil
}

// stop ends it with a signal and waits.
func (d *soakDaemon) stop(how syscall.Signal) error {
	d.cmd.Process.Signal(how)
	select {
	case <-d.ended:
		return nil
	case <-time.After(30 * time.Second): // it promises 10 s
		d.cmd.Process.Signal(syscall.SIGKILL)
		<-d.ended
		return fmt.Errorf("%s did not end 30 s after %v", d.name, how)
	}
}

// alive starts a daemon that ended by itself, as systemd does: its database was
// away when it started.
func (d *soakDaemon) alive() (started bool, err error) {
	select {
	case <-d.ended:
		return true, d.start()
	default:
		return false, nil
	}
}

var soakManagers = []string{"anna", "boris", "vera", "gleb"}

// smallDisk mounts a file system of so many MB, so that it can be filled.
func smallDisk(t *testing.T, dir string, mb int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", mb)); err != nil {
		t.Logf("no small disk, so none is filled: %v", err)
		return
	}
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); syscall.Unmount(dir, 0) != nil; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%s is still mounted", dir)
				return
			}
		}
	})
}

// newSoakHouse starts everything: two daemons on a PostgreSQL, or one on
// SQLite. built is the program as it is built for a release.
func newSoakHouse(t *testing.T, seed uint64, sqlite bool, built string) *soakHouse {
	h := &soakHouse{T: t, sqlite: sqlite, seed: seed, cables: map[string]*cable{}, busy: map[string]*sync.Mutex{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.dir, err = os.MkdirTemp("", "intouch-soak-") // postgres cannot enter t.TempDir
	must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemons' logs are in %s", h.dir)
			return
		}
		os.RemoveAll(h.dir)
	})
	must(os.Chmod(h.dir, 0o755))
	h.disk = filepath.Join(h.dir, "disk")
	smallDisk(t, h.disk, 1024)

	h.dovecot = mailtest.StartDovecot(t)
	for _, m := range soakManagers {
		for _, sub := range []string{"cur", "new", "tmp"} {
			must(os.MkdirAll(filepath.Join(h.dovecot.MailDir(m), sub), 0o755))
		}
	}
	h.dovecot.Own(t)
	h.postfix = smtptest.StartPostfix(t, "", "")
	h.cables["imap"] = newCable(t, h.dovecot.TLSAddr)
	h.cables["smtp"] = newCable(t, h.postfix.Plain)

	h.url = "sqlite:" + filepath.Join(h.disk, "intouch.db")
	through := h.url
	count := 1
	if !sqlite {
		count = 2
		// commit_delay, which is what makes commits slow, counts with fsync alone.
		h.cluster, err = storetest.NewCluster(h.disk, "fsync=on", "max_wal_size=128MB", "min_wal_size=32MB", "commit_siblings=0")
		if err != nil {
			mailtest.Missing(t, err.Error())
		}
		h.cluster.Log = filepath.Join(h.dir, "postgres.log")
		must(h.cluster.Start())
		t.Cleanup(func() { h.cluster.Stop(syscall.SIGQUIT) })
		h.admin, err = sql.Open("pgx", h.cluster.Base+"postgres")
		must(err)
		t.Cleanup(func() { h.admin.Close() })
		_, err = h.admin.Exec("CREATE DATABASE soak")
		must(err)
		h.url = h.cluster.Base + "soak"
		server := strings.TrimSuffix(h.cluster.Base[strings.Index(h.cluster.Base, "@")+1:], "/")
		h.cables["database"] = newCable(t, server)
		through = strings.Replace(h.url, server, h.cables["database"].addr, 1)
		h.db, err = sql.Open("pgx", h.url)
	} else {
		h.db, err = sql.Open("sqlite", "file:"+filepath.Join(h.disk, "intouch.db")+"?_pragma=busy_timeout(30000)")
	}
	must(err)
	t.Cleanup(func() { h.db.Close() })

	h.direct = filepath.Join(h.dir, "direct.toml")
	must(os.WriteFile(h.direct, []byte(h.settings(h.url, porttest.Addr(t), h.dovecot.TLSAddr, h.postfix.Plain)), 0o600))
	for i := range count {
		d := &soakDaemon{name: fmt.Sprint("daemon", i), binary: built, listen: porttest.Addr(t), trust: h.dovecot.CertFile}
		if sqlite {
			d.sync = &slowSync{}
		}
		d.config, d.log = filepath.Join(h.dir, d.name+".toml"), filepath.Join(h.dir, d.name+".log")
		if i == count-1 { // this very binary, whose clock can be set
			d.binary, d.clock = os.Args[0], filepath.Join(h.dir, d.name+".clock")
			must(os.WriteFile(d.clock, []byte("0s"), 0o600))
		}
		must(os.WriteFile(d.config, []byte(h.settings(through, d.listen, h.cables["imap"].addr, h.cables["smtp"].addr)), 0o600))
		h.cables[fmt.Sprint("http ", i)] = newCable(t, d.listen)
		h.daemons = append(h.daemons, d)
	}
	var clients, persons strings.Builder
	clients.WriteString("id,name,manager,domains\n")
	persons.WriteString("id,client,name,emails\n")
	for i := range soakClients {
		fmt.Fprintf(&clients, "c%[1]d,Client %[1]d,%[2]s,client%[1]d.test\n", i, soakManagers[i%len(soakManagers)])
		fmt.Fprintf(&persons, "p%[1]d,c%[1]d,Person %[1]d,person@client%[1]d.test\n", i)
	}
	for _, file := range [][2]string{{"clients", clients.String()}, {"persons", persons.String()}} {
		name := write(t, h.dir, file[0]+".csv", file[1])
		if got := command(t, "", "--config", h.direct, "import", file[0], name); got.code != exitDone {
			t.Fatalf("import %s: %+v", file[0], got)
		}
	}
	got := command(t, "", "--config", h.direct, "integration", "add", "1c", "--scope", "exchange")
	if got.code != exitDone {
		t.Fatalf("integration add: %+v", got)
	}
	h.token = strings.TrimSpace(got.stdout)
	for _, d := range h.daemons {
		must(d.start())
	}
	t.Cleanup(func() {
		for _, d := range h.daemons {
			d.stop(syscall.SIGKILL)
			if t.Failed() {
				log, _ := os.ReadFile(d.log)
				t.Logf("%s, started %d times, says at the end:\n%s", d.name, d.startups, log[max(0, len(log)-4000):])
			}
		}
	})
	h.awaitDaemons()
	return h
}

const soakClients = 12

func (h *soakHouse) settings(database, listen, imap, smtp string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
time_zone = "UTC"
language = "en"
[company]
domains = ["vector.test"]
[server]
listen = %q
public_url = "http://crm.vector.test"
[store]
url = %q
[smtp]
url = "smtp+insecure://%s"
from = "Intouch <intouch@vector.test>"
[jobs]
digest = "* * * * *"
[reminders]
normal = "1m"
quiet = "none"
[exchange]
file_limit_mb = 1
`, listen, database, smtp)
	for _, m := range soakManagers {
		fmt.Fprintf(&b, "[[manager]]\nlogin = %[1]q\nname = %[1]q\nemail = \"%[1]s@vector.test\"\npassword = \"correct horse\"\n", m)
		fmt.Fprintf(&b, "[[mailbox]]\nname = %[1]q\nmanager = %[1]q\nimap = \"imaps://%[2]s\"\nusername = %[1]q\npassword = \"secret\"\nfolders = [\"INBOX\"]\nsince = \"2024-01-01\"\n", m, imap)
	}
	return b.String()
}

// awaitDaemons waits until all of them answer, and starts those that ended.
func (h *soakHouse) awaitDaemons() {
	h.Helper()
	for _, d := range h.daemons {
		within(h.T, 2*time.Minute, d.name+" serves", func() bool {
			if _, err := d.alive(); err != nil {
				h.Fatal(err)
			}
			code, _ := fetch(h.T, "http://"+d.listen+"/readyz")
			return code == http.StatusOK
		})
	}
}

// revive starts a daemon that ended by itself, unless a fault is about it.
func (h *soakHouse) revive(d *soakDaemon) error {
	if !h.busy[d.name].TryLock() {
		return nil
	}
	defer h.busy[d.name].Unlock()
	started, err := d.alive()
	if started {
		h.load.add("daemons started anew", 1)
	}
	return err
}

// soakFault is one thing that goes wrong for a while, and is mended.
type soakFault struct {
	name   string
	about  string // what is busy with it meanwhile
	weight int
	do     func(r *rand.Rand) error
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

// faultsOf are all that can be done to this house.
func (h *soakHouse) faultsOf() (kinds []soakFault) {
	add := func(name, about string, weight int, do func(*rand.Rand) error) {
		kinds = append(kinds, soakFault{name, about, weight, do})
	}
	for i, d := range h.daemons {
		steadfast := i == 0 && len(h.daemons) > 1 // once its memory is watched
		add("kill", d.name, 10, func(r *rand.Rand) error {
			if steadfast && h.steady.Load() {
				return errNotNow
			}
			if err := d.stop(syscall.SIGKILL); err != nil {
				return err
			}
			time.Sleep(between(r, 0, 500*time.Millisecond))
			return d.start()
		})
		add("terminate", d.name, 1, func(*rand.Rand) error {
			if steadfast && h.steady.Load() {
				return errNotNow
			}
			return errors.Join(d.stop(syscall.SIGTERM), d.start())
		})
		add("freeze", d.name, 1, func(r *rand.Rand) error {
			long := between(r, time.Second, 4*time.Second)
			if r.IntN(12) == 0 {
				long = 40 * time.Second // more than a lease lasts
				h.faults.add("freeze beyond a lease", 1)
			}
			d.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(long)
			d.cmd.Process.Signal(syscall.SIGCONT)
			return nil
		})
		if d.clock != "" {
			add("clock", d.name+" clock", 2, func(r *rand.Rand) error {
				if !h.clocks.Load() {
					return errNotNow
				}
				off, long := between(r, -5*time.Minute, 5*time.Minute), between(r, time.Second, 5*time.Second)
				now := time.Now()
				h.wrong.add(now, now.Add(long+5*time.Second))
				if err := os.WriteFile(d.clock, []byte(off.String()), 0o600); err != nil {
					return err
				}
				time.Sleep(long)
				return os.WriteFile(d.clock, []byte("0s"), 0o600)
			})
		}
	}
	for name, c := range h.cables {
		add("cut", "", 8, func(r *rand.Rand) error {
			if name == "smtp" {
				h.faults.add("smtp cut", 1)
			}
			n := c.cut(func() bool { return r.IntN(2) == 0 })
			h.faults.add("connections cut", n)
			return nil
		})
		add("refuse "+name, name, 1, func(r *rand.Rand) error {
			c.down.Store(true)
			h.faults.add("connections cut", c.cut(func() bool { return true }))
			time.Sleep(between(r, 200*time.Millisecond, 3*time.Second))
			c.down.Store(false)
			return nil
		})
	}
	add("restart Dovecot", "dovecot", 2, func(*rand.Rand) error { return errors.Join(h.dovecot.Stop(), h.dovecot.Start()) })
	add("restart Postfix", "postfix", 1, func(*rand.Rand) error { h.postfix.Stop(); return h.postfix.Start() })
	if h.full() {
		add("disk full", "database", 2, h.fillDisk)
	}
	if h.sqlite {
		add("slow fsync", "fsync", 2, func(r *rand.Rand) error {
			s := h.daemons[0].sync
			before := s.slowed.Load()
			s.delay.Store(int64(between(r, 20*time.Millisecond, time.Second)))
			time.Sleep(between(r, 500*time.Millisecond, 4*time.Second))
			s.delay.Store(0)
			h.faults.add("fsync slowed", int(s.slowed.Load()-before))
			return nil
		})
		add("database locked", "database", 2, func(r *rand.Rand) error {
			tx, err := h.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.Exec(`UPDATE settled SET at = at`); err != nil {
				return nil // somebody else holds it
			}
			time.Sleep(between(r, 500*time.Millisecond, 7*time.Second))
			return nil
		})
		return kinds
	}
	add("restart PostgreSQL", "database", 2, func(r *rand.Rand) error {
		h.cluster.Stop([]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}[r.IntN(2)])
		return h.cluster.Start()
	})
	add("hang PostgreSQL", "database", 1, func(r *rand.Rand) error {
		if err := h.cluster.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(between(r, 200*time.Millisecond, 3*time.Second))
		return h.cluster.Signal(syscall.SIGCONT)
	})
	add("terminate backends", "", 3, func(*rand.Rand) error { return h.ask(endBackends) })
	for name, way := range map[string][2]string{
		"read-only database": {"ALTER DATABASE soak SET default_transaction_read_only = on", "ALTER DATABASE soak RESET default_transaction_read_only"},
		"closed database":    {"ALTER DATABASE soak ALLOW_CONNECTIONS false", "ALTER DATABASE soak ALLOW_CONNECTIONS true"},
		"slow commits":       {"ALTER DATABASE soak SET commit_delay = 100000", "ALTER DATABASE soak RESET commit_delay"},
	} {
		add(name, "database", 1, func(r *rand.Rand) error {
			if err := errors.Join(h.ask(way[0]), h.ask(endBackends)); err != nil {
				return err
			}
			time.Sleep(between(r, 500*time.Millisecond, 4*time.Second))
			return errors.Join(h.ask(way[1]), h.ask(endBackends))
		})
	}
	return kinds
}

// windows are times in which something was wrong.
type windows struct {
	mu  sync.Mutex
	all [][2]time.Time
}

func (w *windows) add(from, to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, [2]time.Time{from, to})
}

// touch reports whether any of them meets the time between two moments.
func (w *windows) touch(from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.all, func(x [2]time.Time) bool { return !x[1].Before(from) && !x[0].After(to) })
}

// errNotNow is a fault that is not done this time.
var errNotNow = errors.New("not now")

const endBackends = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'soak'`

// ask has the cluster do something, however restless it is.
func (h *soakHouse) ask(query string) (err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err = h.admin.Exec(query); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", query, err)
}

// full reports whether the database's disk can be filled.
func (h *soakHouse) full() bool {
	var s syscall.Statfs_t
	return syscall.Statfs(h.disk, &s) == nil && s.Type == 0x01021994 && s.Blocks*uint64(s.Bsize) < 2<<30
}

// fillDisk leaves nothing of the database's disk for a while.
func (h *soakHouse) fillDisk(r *rand.Rand) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(h.disk, &s); err != nil {
		return err
	}
	name := filepath.Join(h.disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for left := int64(s.Bavail) * s.Bsize; left >= 4096; {
		if syscall.Fallocate(int(f.Fd()), 0, 0, left) == nil {
			break
		}
		left -= 64 << 10
	}
	time.Sleep(between(r, 500*time.Millisecond, 4*time.Second))
	if err := os.Remove(name); err != nil {
		return err
	}
	f.Close()
	if h.cluster != nil { // without room for its log it gives up, and is started by whoever made room
		for range 20 {
			time.Sleep(50 * time.Millisecond)
			if h.cluster.Ended() {
				h.faults.add("PostgreSQL gave up", 1)
				return h.cluster.Start()
			}
		}
	}
	return nil
}

// lane does one fault after the other until the end; which, and how long they
// last, comes from the seed.
func (h *soakHouse) lane(r *rand.Rand, end time.Time, kinds []soakFault) error {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	for time.Now().Before(end) {
		time.Sleep(between(r, 100*time.Millisecond, 900*time.Millisecond))
		n := r.IntN(all)
		var kind soakFault
		for _, kind = range kinds {
			if n -= kind.weight; n < 0 {
				break
			}
		}
		own := rand.New(rand.NewPCG(r.Uint64(), 1)) // so that what is left out changes nothing of the rest
		if kind.about != "" {
			if !h.busy[kind.about].TryLock() {
				continue
			}
		}
		err := kind.do(own)
		if kind.about != "" {
			h.busy[kind.about].Unlock()
		}
		if errors.Is(err, errNotNow) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		h.faults.add(kind.name, 1)
	}
	return nil
}

// sample of a daemon's memory, from /metrics.
type sample struct {
	at                        time.Time
	pid                       int
	heap, resident, goroutine int64
}

func (h *soakHouse) measure(d *soakDaemon) (s sample, ok bool) {
	ctx := http.Client{Timeout: 5 * time.Second}
	resp, err := ctx.Get("http://" + d.listen + "/metrics")
	if err != nil {
		return s, false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return s, false
	}
	s.at, s.pid = time.Now(), d.cmd.Process.Pid
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "go_memstats_heap_alloc_bytes":
			s.heap = int64(n)
		case "process_resident_memory_bytes":
			s.resident = int64(n)
		case "go_goroutines":
			s.goroutine = int64(n)
		}
	}
	return s, s.goroutine > 0
}
