package main

import (
	"bytes"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"intouch/caldav"
	"intouch/mailsync/mailtest"
	"intouch/store"
	"intouch/store/storetest"
)

// BenchmarkFleet measures two daemons on one PostgreSQL with many mailboxes and
// a manager for every ten: the real program, TLS to the mail servers, which are
// light ones (fleetmail_test.go) in processes of their own. It prints what each
// size costs, beside the targets of issue 9: a table, never a failure by time.
//
// INTOUCH_FLEET (100,1000,10000) are the numbers of mailboxes, INTOUCH_FLEET_SECONDS
// (60) how long idling and polls are measured, INTOUCH_FLEET_FOLDERS (2) whether INBOX
// alone or Sent, too, is followed: each folder is a connection, and one daemon alone
// must be able to hold all of them after the other's end (RLIMIT_NOFILE).
// INTOUCH_FLEET_PROFILES is a directory for the heap and processor profiles of the phases.
func BenchmarkFleet(b *testing.B) {
	number := func(name string, otherwise int) int {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				b.Fatalf("%s: %q is no number", name, text)
			}
			return n
		}
		return otherwise
	}
	sizes := []int{100, 1000, 10000}
	if text := os.Getenv("INTOUCH_FLEET"); text != "" {
		sizes = nil
		for one := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(one)
			if err != nil || n < fleetPerManager {
				b.Fatalf("INTOUCH_FLEET: %q is no number from %d", one, fleetPerManager)
			}
			sizes = append(sizes, n)
		}
	}
	program := filepath.Join(b.TempDir(), "intouchd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build intouchd: %v\n%s", err, out)
	}
	var rows []figure
	for i, size := range sizes {
		f := newFleet(b, program, size, number("INTOUCH_FLEET_FOLDERS", 2), time.Duration(number("INTOUCH_FLEET_SECONDS", 60))*time.Second)
		f.run()
		f.stop()
		for _, got := range f.figures {
			at := slices.IndexFunc(rows, func(r figure) bool { return r.name == got.name })
			if at < 0 {
				rows = append(rows, figure{name: got.name, want: got.want, values: make([]string, len(sizes))})
				at = len(rows) - 1
			}
			rows[at].values[i] = got.values[0]
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "mailboxes")
	for _, size := range sizes {
		fmt.Fprintf(w, "\t%d", size)
	}
	fmt.Fprintln(w, "\twanted")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.name, strings.Join(r.values, "\t"), r.want)
	}
	w.Flush()
	b.ReportMetric(0, "ns/op") // one operation means nothing here
}

const (
	fleetPerManager = 10     // mailboxes of a manager
	fleetServers    = 4      // mail servers
	fleetPolls      = 50_000 // in a minute, over both daemons
	fleetStorm      = 3      // letters of a storm to each tenth mailbox
)

// figure is one line of the table.
type figure struct {
	name, want string
	values     []string
}

// fleet is one size of the benchmark.
type fleet struct {
	*testing.B
	size, folders int
	window        time.Duration
	program, dir  string
	trust         []string
	cluster       *storetest.Cluster
	db            *sql.DB
	controls      []string // of the mail servers
	configs       [2]string
	listens       [2]string
	daemons       [2]*exec.Cmd
	passwords     []string // of the managers' devices
	polls         *http.Client
	others        []*exec.Cmd
	figures       []figure
	filed         int // letters expected so far
}

// note adds a figure.
func (f *fleet) note(name, want, format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	fmt.Fprintf(os.Stderr, "%s %d mailboxes: %s: %s\n", time.Now().UTC().Format(time.TimeOnly), f.size, name, text)
	f.figures = append(f.figures, figure{name, want, []string{text}})
}

func newFleet(b *testing.B, program string, size, folders int, window time.Duration) *fleet {
	b.Helper()
	f := &fleet{B: b, size: size, folders: folders, window: window, program: program, dir: b.TempDir()}
	f.polls = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: f.managers()}}
	home := filepath.Join(f.dir, "cluster")
	f.must(os.Mkdir(home, 0o755))
	for dir := home; dir != "/"; dir = filepath.Dir(dir) { // the user postgres passes through
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o011 != 0o011 {
			f.must(os.Chmod(dir, info.Mode().Perm()|0o011))
		}
	}
	cluster, err := storetest.NewCluster(home, "max_connections=100", "shared_buffers=256MB")
	f.must(err)
	f.must(cluster.Start())
	f.cluster = cluster
	f.db, err = sql.Open("pgx", f.cluster.Base+"postgres")
	f.must(err)
	_, err = f.db.Exec("CREATE DATABASE intouch")
	f.must(err)
	f.must(f.db.Close())
	f.db, err = sql.Open("pgx", f.cluster.Base+"intouch")
	f.must(err)
	f.certificate()
	hosts := f.mailServers()
	f.settings(hosts)
	return f
}

func (f *fleet) must(err error) {
	f.Helper()
	if err != nil {
		f.stop()
		f.Fatal(err)
	}
}

func (f *fleet) managers() int { return f.size / fleetPerManager }

// certificate is what the mail servers show and the daemons trust.
func (f *fleet) certificate() {
	pair, _ := mailtest.SelfSigned(f.B)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	f.must(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		f.must(os.WriteFile(filepath.Join(f.dir, name), pem.EncodeToMemory(block), 0o600))
	}
	f.trust = []string{"SSL_CERT_FILE=" + filepath.Join(f.dir, "cert.pem")}
}

// mailServers starts them and gives their addresses.
func (f *fleet) mailServers() (hosts []string) {
	for range fleetServers {
		m := fleetMail{CertFile: filepath.Join(f.dir, "cert.pem"), KeyFile: filepath.Join(f.dir, "key.pem"), Since: time.Now().Add(-24 * time.Hour).Unix(), PerManager: fleetPerManager}
		m.Listen, m.Control = f.address(), f.address()
		hosts, f.controls = append(hosts, m.Listen), append(f.controls, "http://"+m.Control)
		text, err := json.Marshal(&m)
		f.must(err)
		f.others = append(f.others, f.start("mail", []string{fleetMailVariable + "=" + string(text)}, os.Args[0]))
	}
	return hosts
}

func (f *fleet) address() string {
	addr, err := freeAddress("127.0.0.1:0")
	f.must(err)
	return addr
}

// start begins a process whose output is added to a file of that name.
func (f *fleet) start(name string, environment []string, program string, args ...string) *exec.Cmd {
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	f.must(err)
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), environment...), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	f.must(cmd.Start())
	return cmd
}

// settings writes those of the daemons and fills the database with managers,
// clients and the passwords of devices.
func (f *fleet) settings(hosts []string) {
	var boxes, managers, clients strings.Builder
	managers.WriteString("id,name,email,login,role\n")
	for j := range f.managers() {
		fmt.Fprintf(&managers, "m%d,Manager %d,%s,m%d,\n", j, j, fleetAddress(j), j)
	}
	clients.WriteString("id,name,manager,domains\n")
	folders := `"INBOX"`
	if f.folders > 1 {
		folders = `"INBOX", "\\Sent"`
	}
	for i := range f.size {
		fmt.Fprintf(&clients, "c%d,Client %d,m%d,c%d.test\n", i, i, i/fleetPerManager, i)
		fmt.Fprintf(&boxes, "[[mailbox]]\nname = \"b%d\"\nmanager = \"m%d\"\nimap = \"imaps://%s\"\nusername = \"b%d\"\npassword = \"secret\"\nfolders = [%s]\n", i, i/fleetPerManager, hosts[i%fleetServers], i, folders)
	}
	for d := range f.configs {
		f.listens[d] = f.address()
		f.configs[d] = filepath.Join(f.dir, fmt.Sprintf("daemon%d.toml", d))
		text := fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[server]\nlisten = %q\npublic_url = \"http://crm.vector.test\"\npprof = true\n[store]\nurl = %q\n[log]\nlevel = \"warn\"\n%s", f.listens[d], f.cluster.Base+"intouch", &boxes)
		f.must(os.WriteFile(f.configs[d], []byte(text), 0o600))
	}
	for _, table := range []struct {
		kind string
		rows *strings.Builder
	}{{"managers", &managers}, {"clients", &clients}} {
		file := filepath.Join(f.dir, table.kind+".csv")
		f.must(os.WriteFile(file, []byte(table.rows.String()), 0o600))
		if out, err := exec.Command(f.program, "--config", f.configs[0], "import", table.kind, file).CombinedOutput(); err != nil {
			f.must(fmt.Errorf("import %s: %w\n%s", table.kind, err, out))
		}
	}
	st, err := store.Open(f.Context(), store.Options{URL: f.cluster.Base + "intouch"})
	f.must(err)
	defer st.Close()
	for j := range f.managers() {
		m, err := st.ManagerByLogin(f.Context(), fmt.Sprintf("m%d", j))
		f.must(err)
		_, password, err := st.AddAppPassword(f.Context(), store.Actor{}, m.ID, "phone")
		f.must(err)
		f.passwords = append(f.passwords, password)
	}
}

// stop ends what runs.
func (f *fleet) stop() {
	for _, cmd := range append(f.others, f.daemons[:]...) {
		if cmd != nil && cmd.ProcessState == nil && cmd.Process != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	f.others, f.daemons = nil, [2]*exec.Cmd{}
	if f.db != nil {
		f.db.Close()
	}
	if f.cluster != nil {
		f.cluster.Stop(syscall.SIGQUIT)
		f.cluster = nil
	}
}

// run measures the phases.
func (f *fleet) run() {
	f.note("machine", "", "%d CPUs, load %s", runtime.NumCPU(), machineLoad())
	f.filed = f.size * (fleetInbox + fleetSent*(f.folders-1))
	began := time.Now()
	f.note("start, all mailboxes new: DAV and pages served after", "2 s", "%.1f s", f.startBoth().Seconds())
	f.await("all letters of the first pass", f.lettersFiled)
	f.note("first pass, letters/s", "", "%.0f", float64(f.filed)/time.Since(began).Seconds())
	f.await("all folders followed", f.followed)
	f.note("all folders followed after", "", "%.0f s", time.Since(began).Seconds())

	time.Sleep(10 * time.Second)
	f.phase("idle", func() { time.Sleep(f.window) })
	f.phase("polls", func() { f.poll(f.window) })

	var tenth []int
	for i := range f.size {
		if i%10 == 0 {
			tenth = append(tenth, i)
		}
	}
	f.phase("storm", func() {
		began = time.Now()
		f.storm(tenth, fleetStorm)
		f.await("all letters of the storm", f.lettersFiled)
		f.note("storm: letters/s until all are contacts", "", "%.0f (%d in %.1f s)", float64(len(tenth)*fleetStorm)/time.Since(began).Seconds(), len(tenth)*fleetStorm, time.Since(began).Seconds())
	})

	if need := f.size*f.folders + 1000; need > descriptors() {
		f.note("killed: the other one has all mailboxes after", "60 s", "not tried: %d descriptors", descriptors())
	} else {
		f.must(f.daemons[0].Process.Kill())
		f.daemons[0].Wait()
		began = time.Now()
		f.storm(tenth[:max(1, len(tenth)/10)], 1)
		f.await("one that holds all mailboxes", func() bool { return f.owners() == 1 })
		f.note("killed: the other one has all mailboxes after", "60 s", "%.0f s", time.Since(began).Seconds())
		f.await("the letters that came meanwhile", f.lettersFiled)
		f.note("killed: letters that came meanwhile are filed after", "60 s", "%.0f s", time.Since(began).Seconds())
		f.await("all folders followed by one", f.followed)
		f.note("killed: all folders followed after", "", "%.0f s", time.Since(began).Seconds())
		f.note("killed: memory of the one left, MB", "", "%d", f.resident(f.daemons[1])>>20)
	}
	began = time.Now()
	for _, d := range f.daemons {
		if d.ProcessState == nil {
			f.must(d.Process.Signal(syscall.SIGTERM))
		}
	}
	for _, d := range f.daemons {
		if d.ProcessState == nil {
			d.Wait()
		}
	}
	f.note("stopping both", "", "%.1f s", time.Since(began).Seconds())
	began = time.Now()
	f.note("restart: DAV and pages served after", "2 s", "%.1f s", f.startBoth().Seconds())
	f.await("all folders followed again", f.followed)
	f.note("restart: all folders followed after", "", "%.0f s", time.Since(began).Seconds())
}

func machineLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// descriptors is how many a process may have; Go raises the soft limit itself.
func descriptors() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(limit.Max)
}

// startBoth starts the daemons that do not run, and tells how long it took
// until both serve pages and calendars.
func (f *fleet) startBoth() time.Duration {
	began := time.Now()
	for d := range f.daemons {
		f.daemons[d] = f.start(fmt.Sprint("daemon", d), f.trust, f.program, "serve", "--config", f.configs[d])
	}
	for d := range f.daemons {
		f.await("pages and calendars", func() bool {
			resp, err := f.polls.Get("http://" + f.listens[d] + "/login")
			if err != nil {
				return false
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK && f.propfind(d, 0, true) == nil
		})
	}
	return time.Since(began)
}

// await waits for up to twenty minutes; whoever waits in vain is told what the
// daemons last said.
func (f *fleet) await(what string, done func() bool) {
	f.Helper()
	for end := time.Now().Add(20 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			for d := range f.daemons {
				text, _ := os.ReadFile(filepath.Join(f.dir, fmt.Sprintf("daemon%d.log", d)))
				f.Logf("daemon %d: …%s", d, text[max(0, len(text)-3000):])
			}
			f.must(fmt.Errorf("%s: not after 20 minutes", what))
		}
	}
}

func (f *fleet) count(query string) (n int) {
	f.must(f.db.QueryRow(query).Scan(&n))
	return n
}

func (f *fleet) lettersFiled() bool {
	time.Sleep(100 * time.Millisecond) // counting is work, too
	return f.count(`SELECT COUNT(*) FROM letters`) >= f.filed
}

func (f *fleet) owners() int {
	time.Sleep(100 * time.Millisecond)
	return f.count(`SELECT COUNT(DISTINCT lease_owner) FROM mailboxes`)
}

// followed reports whether all folders wait for news, but for those whose IDLE
// is being renewed.
func (f *fleet) followed() bool {
	time.Sleep(100 * time.Millisecond)
	idling := 0
	for _, control := range f.controls {
		resp, err := http.Get(control + "/state")
		f.must(err)
		var state struct{ Open, Idling int }
		err = json.NewDecoder(resp.Body).Decode(&state)
		resp.Body.Close()
		f.must(err)
		idling += state.Idling
	}
	return idling >= f.size*f.folders*99/100
}

// storm brings letters to mailboxes.
func (f *fleet) storm(boxes []int, letters int) {
	of := make([][]string, fleetServers)
	for _, box := range boxes {
		of[box%fleetServers] = append(of[box%fleetServers], strconv.Itoa(box))
	}
	f.filed += len(boxes) * letters
	for i, names := range of {
		if len(names) == 0 {
			continue
		}
		resp, err := http.PostForm(f.controls[i]+"/storm", url.Values{"boxes": {strings.Join(names, ",")}, "letters": {strconv.Itoa(letters)}})
		f.must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			f.must(fmt.Errorf("storm: %s", resp.Status))
		}
	}
}

// phase measures what goes on meanwhile costs.
func (f *fleet) phase(name string, do func()) {
	var before, after [2]time.Duration
	for d, cmd := range f.daemons {
		before[d] = processorTime(cmd.Process.Pid)
	}
	database, transactions, began := f.databaseTime(), f.transactions(), time.Now()
	var profiles sync.WaitGroup
	if dir := os.Getenv("INTOUCH_FLEET_PROFILES"); dir != "" {
		profiles.Go(func() {
			f.profile(filepath.Join(dir, fmt.Sprintf("%s-%d.cpu", name, f.size)), "profile?seconds=20")
		})
	}
	do()
	took := time.Since(began)
	profiles.Wait()
	if dir := os.Getenv("INTOUCH_FLEET_PROFILES"); dir != "" {
		f.profile(filepath.Join(dir, fmt.Sprintf("%s-%d.heap", name, f.size)), "heap")
		f.profile(filepath.Join(dir, fmt.Sprintf("%s-%d.goroutines", name, f.size)), "goroutine")
	}
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / took.Seconds() }
	var memory int64
	used := 0.0
	for d, cmd := range f.daemons {
		after[d] = processorTime(cmd.Process.Pid)
		used += share(after[d] - before[d])
		memory += f.resident(cmd)
	}
	wanted := ""
	if name == "idle" {
		wanted = "1200"
	}
	f.note(name+": memory of both daemons, MB", wanted, "%d (%.0f KB a mailbox)", memory>>20, float64(memory)/1024/float64(f.size))
	f.note(name+": CPU of both daemons, % of one", "", "%.1f", used)
	f.note(name+": CPU of PostgreSQL, % of one", "", "%.1f", share(f.databaseTime()-database))
	f.note(name+": transactions/s", "", "%.0f", float64(f.transactions()-transactions)/took.Seconds())
	f.note(name+": connections to PostgreSQL", "", "%d", f.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`))
	f.note(name+": goroutines of both", "", "%d", f.goroutines())
	f.note(name+": load of the machine", "", "%s", machineLoad())
}

// profile writes one of the first daemon's.
func (f *fleet) profile(file, what string) {
	resp, err := http.Get("http://" + f.listens[0] + "/debug/pprof/" + what)
	if err != nil {
		f.Log(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		f.Log(err)
	}
}

func (f *fleet) goroutines() (sum int) {
	for _, listen := range f.listens {
		resp, err := http.Get("http://" + listen + "/metrics")
		f.must(err)
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		f.must(err)
		for line := range strings.Lines(string(text)) {
			if value, is := strings.CutPrefix(line, "go_goroutines "); is {
				n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				f.must(err)
				sum += int(n)
			}
		}
	}
	return sum
}

func (f *fleet) transactions() int {
	return f.count(`SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`)
}

// databaseTime is the processor time that PostgreSQL has used, of processes
// that ended, too.
func (f *fleet) databaseTime() (sum time.Duration) {
	backend := f.count(`SELECT pg_backend_pid()`)
	stat := processStat(backend)
	if stat == nil {
		return 0
	}
	postmaster, err := strconv.Atoi(stat[1])
	f.must(err)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if stat := processStat(pid); stat != nil && (pid == postmaster || stat[1] == strconv.Itoa(postmaster)) {
			sum += ticks(stat[11]) + ticks(stat[12])
			if pid == postmaster {
				sum += ticks(stat[13]) + ticks(stat[14]) // of children that ended
			}
		}
	}
	return sum
}

// processStat are the fields of proc(5)'s stat from the state on; nil: it is gone.
func processStat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

func ticks(text string) time.Duration {
	n, _ := strconv.Atoi(text)
	return time.Duration(n) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

func processorTime(pid int) time.Duration {
	stat := processStat(pid)
	if stat == nil {
		return 0
	}
	return ticks(stat[11]) + ticks(stat[12])
}

// resident is the memory that a process has, in bytes.
func (f *fleet) resident(cmd *exec.Cmd) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", cmd.Process.Pid))
	f.must(err)
	n, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	f.must(err)
	return n * int64(os.Getpagesize())
}

// poll asks at an even pace, whatever the answers take: the time of each counts
// from the moment when it was due, so that waiting behind others is seen.
func (f *fleet) poll(window time.Duration) {
	every := time.Minute / fleetPolls
	due := make(chan int, fleetPolls*int(window/time.Second+1)/60)
	began := time.Now()
	var mu sync.Mutex
	var took []time.Duration
	failed := map[string]int{}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := range due {
				err := f.propfind(i%2, i/2%f.managers(), i%4 < 2)
				late := time.Since(began.Add(time.Duration(i) * every))
				mu.Lock()
				took = append(took, late)
				if err != nil {
					failed[err.Error()]++
				}
				mu.Unlock()
			}
		})
	}
	for i := 0; time.Since(began) < window; i++ {
		if wait := time.Until(began.Add(time.Duration(i) * every)); wait > 0 {
			time.Sleep(wait)
		}
		due <- i
	}
	close(due)
	all.Wait()
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Microseconds()) / 1000
	}
	f.note("polls/min", strconv.Itoa(fleetPolls), "%.0f", float64(len(took))/time.Since(began).Minutes())
	f.note("polls: p50, ms", "", "%.1f", at(.5))
	f.note("polls: p99, ms", "50", "%.1f", at(.99))
	f.note("polls: slowest, ms", "", "%.0f", at(1))
	if len(failed) > 0 {
		f.note("polls: failed", "0", "%v", failed)
	}
}

// propfind is a poll of a manager's device: of the home with the tokens of all
// calendars, as DAVx5 and iOS do, or of one calendar's, as Thunderbird.
func (f *fleet) propfind(daemon, manager int, home bool) error {
	login := fmt.Sprintf("m%d", manager)
	path, depth, kind := caldav.CalendarPath(login, "current"), "0", "calendar"
	if home {
		path, depth, kind = strings.TrimSuffix(path, "current/"), "1", "home"
	}
	req, err := http.NewRequest("PROPFIND", "http://"+f.listens[daemon]+path, strings.NewReader(
		`<?xml version="1.0"?><propfind xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"><prop><resourcetype/><displayname/><CS:getctag/><sync-token/></prop></propfind>`))
	if err != nil {
		return err
	}
	req.Header.Set("Depth", depth)
	req.Header.Set("Content-Type", "application/xml")
	req.SetBasicAuth(login, f.passwords[manager])
	resp, err := f.polls.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusMultiStatus || !bytes.Contains(text, []byte("sync-token>")) {
		return fmt.Errorf("%s: %s", kind, resp.Status)
	}
	return nil
}
