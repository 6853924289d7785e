package mailsync

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// BenchmarkPeers measures, in one run on one machine, what the daemon takes to
// read a mailbox beside what others take for the same letters from the same
// Dovecot: a bare socket that reads and discards every body (the wire's limit),
// imapbench's proto (the simplest capture), and mbsync. The daemon is the real
// program as a process of its own, so its processor time and memory are its
// own, too; everybody talks in the clear to loopback and writes to the same
// disk. It prints a table with the targets of issue 3.
//
// INTOUCH_BENCH_LETTERS (20,000) and INTOUCH_BENCH_RUNS (3; the median is
// taken, of mbsync with fsync one run) say how much; INTOUCH_BENCH_ONLY names
// parts, comma-separated, of pass, latency, idle, many, silence.
func BenchmarkPeers(b *testing.B) {
	began := load()
	p := newPeers(b)
	only := os.Getenv("INTOUCH_BENCH_ONLY")
	for _, part := range []struct {
		name string
		do   func()
	}{{"pass", p.firstPass}, {"latency", p.latency}, {"idle", p.idle}, {"many", p.startMany}, {"silence", p.silence}} {
		if only == "" || slices.Contains(strings.Split(only, ","), part.name) {
			part.do()
		}
	}
	p.table.note("load of the machine: " + began + "; in the end " + load())
	fmt.Printf("\n%s\n", p.table.String()) // b.Log shows ten lines
	b.ReportMetric(0, "ns/op")             // one operation means nothing here
}

// load is the machine's average of one, five and fifteen minutes: on a busy one
// only the ratios mean something, and those little.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// peers is what the parts of the benchmark share.
type peers struct {
	b       *testing.B
	letters int
	runs    int
	server  *mailtest.Dovecot
	program string // intouchd, built as `make build` does
	domains []string
	newest  []string // keys of the newest captured letters, as the store knows them
	table   benchTable
}

// dovecotForMany lets thousands of connections in, a login process serving
// many of them, and keeps Dovecot's own limit of ten for one user and address.
const dovecotForMany = `mail_max_userip_connections = 10
default_process_limit = 4096
default_client_limit = 12000
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 4000
}
service imap {
  process_limit = 4096
}
`

func newPeers(b *testing.B) *peers {
	p := &peers{b: b, letters: envNumber(b, "INTOUCH_BENCH_LETTERS", 20_000), runs: envNumber(b, "INTOUCH_BENCH_RUNS", 3)}
	p.server = mailtest.StartDovecotWith(b, func(string) string { return dovecotForMany })
	mailtest.Mailgen(b, p.server.Mail, "-n", strconv.Itoa(p.letters), "-seed", "1")
	mail := filepath.Join(p.server.Dir, "mail")
	if err := os.MkdirAll(filepath.Join(mail, "bench"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(filepath.Join(mail, "Maildir"), p.server.MailDir("bench")); err != nil {
		b.Fatal(err)
	}
	p.server.Own(b)
	p.program = filepath.Join(b.TempDir(), "intouchd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", p.program, "../cmd/intouchd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build intouchd: %v\n%s", err, out)
	}
	domains := map[string]bool{}
	for _, row := range mailtest.Table(b, mail, "managers.csv") {
		domains[row["domain"]] = true
	}
	p.domains = slices.Sorted(maps.Keys(domains))

	// The newest hundred captured letters: those with the highest UIDs, which
	// follow the order of the files' names.
	capture := map[string]bool{}
	for _, a := range mailtest.Answers(b, p.server.Mail) {
		if a.Capture && a.MessageID != "" {
			capture[strings.Trim(a.MessageID, "<>")] = true
		}
	}
	files := maildirNames(b, p.server.MailDir("bench"))
	for _, name := range slices.Backward(files) {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if h := ReadHeader(raw, time.Time{}); capture[strings.Trim(h.MessageID, "<>")] {
			if p.newest = append(p.newest, h.Key); len(p.newest) == 100 {
				break
			}
		}
	}
	p.table.title = fmt.Sprintf("%d letters of mailgen, seed 1; Dovecot 2.3 on loopback in the clear, its index warm; medians of %d", p.letters, p.runs)
	return p
}

func envNumber(b *testing.B, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		b.Fatalf("%s=%s is no number", name, s)
	}
	return n
}

func maildirNames(b testing.TB, dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	if err != nil || len(names) == 0 {
		b.Fatal("no letters in ", dir, err)
	}
	slices.Sort(names)
	return names
}

// usage is what a process cost.
type usage struct {
	wall, cpu time.Duration
	peak      float64 // MB resident
}

// measured runs a command to its end.
func (p *peers) measured(cmd *exec.Cmd) usage {
	p.b.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		p.b.Fatal(err)
	}
	peak := watchPeak(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		p.b.Fatalf("%s: %v\n%.2000s", strings.Join(cmd.Args, " "), err, out.String())
	}
	wall := time.Since(began)
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{wall, time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), peak()}
}

// watchPeak looks at the most memory that a process had resident until it
// ended; the function tells, in MB. (The kernel's ru_maxrss will not do: it
// counts the memory of this process, from which the other was started.)
func watchPeak(pid int) func() float64 {
	ended, peak := make(chan struct{}), make(chan float64)
	go func() {
		most := 0
		for {
			most = max(most, memory(pid, "VmHWM:"))
			select {
			case <-ended:
				peak <- float64(most) / 1024
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() float64 { close(ended); return <-peak }
}

// memory is a line of the process's status, in KB; 0 when it has ended.
func memory(pid int, what string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), what)
	if !ok {
		return 0
	}
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb
}

// median of the runs, by wall time.
func median(all []usage) usage {
	slices.SortFunc(all, func(a, b usage) int { return int(a.wall - b.wall) })
	return all[len(all)/2]
}

// bareSocket reads an answer's lines and literals and discards them: nobody
// can read IMAP with less.
type bareSocket struct {
	b testing.TB
	c net.Conn
	r *bufio.Reader
}

func newBareSocket(b testing.TB, addr, user string) *bareSocket {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	s := &bareSocket{b, c, bufio.NewReaderSize(c, 64<<10)}
	s.line("* OK")
	s.command("LOGIN " + user + " secret")
	return s
}

func (s *bareSocket) close() { s.c.Close() }

// line reads up to a line that begins so.
func (s *bareSocket) line(begin string) {
	for {
		l, err := s.r.ReadSlice('\n')
		if err != nil {
			s.b.Error("bare socket:", err)
			return
		}
		if bytes.HasPrefix(l, []byte(begin)) {
			return
		}
	}
}

// command sends one and discards its answer; it counts the untagged responses.
func (s *bareSocket) command(text string) (untagged int) {
	fmt.Fprintf(s.c, "a %s\r\n", text)
	fresh := true // at the beginning of a response
	for {
		l, err := s.r.ReadSlice('\n')
		if err != nil {
			s.b.Fatalf("bare socket, %s: %v", text, err)
		}
		if fresh && bytes.HasPrefix(l, []byte("a ")) {
			if !bytes.HasPrefix(l, []byte("a OK")) {
				s.b.Fatalf("bare socket, %s: %s", text, l)
			}
			return untagged
		}
		if fresh {
			untagged++
		}
		l = bytes.TrimRight(l, "\r\n")
		fresh = true
		if i := bytes.LastIndexByte(l, '{'); i >= 0 && l[len(l)-1] == '}' {
			if n, err := strconv.Atoi(string(l[i+1 : len(l)-1])); err == nil {
				if _, err := s.r.Discard(n); err != nil {
					s.b.Fatal(err)
				}
				fresh = false
			}
		}
	}
}

// firstPass: everybody reads the mailbox of 20,000 letters.
func (p *peers) firstPass() {
	b, n := p.b, float64(p.letters)
	bare := func(what string) usage {
		s := newBareSocket(b, p.server.Addr, "bench")
		defer s.close()
		s.command("EXAMINE INBOX")
		var before, after syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		began := time.Now()
		if got := s.command("FETCH 1:* (" + what + ")"); got != p.letters {
			b.Errorf("the bare socket read %d letters", got)
		}
		wall := time.Since(began)
		syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		return usage{wall: wall, cpu: time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())}
	}
	// Dovecot's index, and the machine's cache of the files.
	bare("UID RFC822.SIZE INTERNALDATE FLAGS BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (" + strings.Join(HeaderFields, " ") + ")]")
	bare("UID BODY.PEEK[]")

	var raws, ours, protos, quick []usage
	quickDir, slowDir := "", b.TempDir()
	proto, mbsync := p.buildProto(), p.findMbsync()
	for range p.runs { // in turn, so that the machine's moods meet all
		raws = append(raws, bare("UID BODY.PEEK[]"))
		ours = append(ours, p.sync(p.newDaemon(p.benchBox())))
		if proto != nil {
			protos = append(protos, p.measured(proto()))
		}
		if mbsync != "" {
			quickDir = b.TempDir()
			quick = append(quick, p.measured(p.mbsync(mbsync, quickDir, false)))
		}
	}
	var slow usage
	if mbsync != "" {
		slow = p.measured(p.mbsync(mbsync, slowDir, true))
	}
	wire, we := median(raws), median(ours)
	t := &p.table
	t.line("who reads it", "letters/s", "CPU ms a letter", "peak MB")
	show := func(name string, u usage) {
		peak := "–"
		if u.peak > 0 {
			peak = fmt.Sprintf("%.1f", u.peak)
		}
		t.line(name, fmt.Sprintf("%.0f", n/u.wall.Seconds()), fmt.Sprintf("%.3f", u.cpu.Seconds()*1000/n), peak)
	}
	show("bare socket, discards every body", wire)
	show("intouchd sync", we)
	if len(protos) > 0 {
		show("imapbench's proto", median(protos))
	}
	if mbsync != "" {
		show("mbsync, its default (fsync)", slow)
		show("mbsync, no fsync", median(quick))
	}
	t.gap()

	t.line("first pass", "is", "reach")
	speed := func(u usage) float64 { return u.wall.Seconds() / we.wall.Seconds() }
	t.check("against the bare socket", speed(wire), "×", 0.4, true)
	if len(protos) > 0 {
		t.check("against proto", speed(median(protos)), "×", 2, true)
	}
	if mbsync != "" {
		t.check("against mbsync, its default", speed(slow), "×", 10, true)
		t.line("against mbsync, no fsync", figure(speed(median(quick)))+" ×")
		var again, againQuick, nothing []usage
		d := p.newDaemon(p.benchBox())
		p.sync(d)
		for range p.runs {
			again = append(again, p.measured(p.mbsync(mbsync, slowDir, true)))
			againQuick = append(againQuick, p.measured(p.mbsync(mbsync, quickDir, false)))
			nothing = append(nothing, p.sync(d))
		}
		t.note(fmt.Sprintf("nothing changed: intouchd %.0f ms, mbsync %.0f ms, without fsync %.0f ms",
			ms(median(nothing).wall), ms(median(again).wall), ms(median(againQuick).wall)))
		t.check("nothing changed, against mbsync", median(nothing).wall.Seconds()/median(again).wall.Seconds(), "×", 0.3, false)
		t.check("nothing changed, against mbsync without fsync", median(nothing).wall.Seconds()/median(againQuick).wall.Seconds(), "×", 0.3, false)
	}
	t.check("processor time a letter", we.cpu.Seconds()*1000/n, "ms", 0.15, false)
	t.check("memory, whole first pass", we.peak, "MB", 64, false)
	t.check("newest 100 letters stored", p.newestStored().Seconds(), "s", 1, false)
	t.gap()
	b.ReportMetric(n/we.wall.Seconds(), "letters/s")
	b.ReportMetric(we.cpu.Seconds()*1000/n, "CPU-ms/letter")
	b.ReportMetric(we.peak, "peak-MB")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// buildProto builds imapbench's proto against our server; nil, with a word,
// where ../shared is not.
func (p *peers) buildProto() func() *exec.Cmd {
	source := "../../shared/bench/imapbench/proto"
	if _, err := os.Stat(source); err != nil {
		p.table.note("NOT MEASURED: proto; ../shared/bench/imapbench is not here")
		return nil
	}
	dir := p.b.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		p.b.Fatal(err)
	}
	// It knows one server only.
	text, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		p.b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), bytes.ReplaceAll(text, []byte("127.0.0.1:10143"), []byte(p.server.Addr)), 0o600); err != nil {
		p.b.Fatal(err)
	}
	program := filepath.Join(dir, "proto.exe")
	if out, err := exec.Command("go", "build", "-C", dir, "-o", program, ".").CombinedOutput(); err != nil {
		p.b.Fatalf("build proto: %v\n%s", err, out)
	}
	return func() *exec.Cmd { return exec.Command(program, "-db", filepath.Join(dir, "proto.db")) }
}

func (p *peers) findMbsync() string {
	name, err := exec.LookPath("mbsync")
	if err != nil {
		p.table.note("NOT MEASURED: mbsync (make bench-packages, or apt-get install isync)")
		return ""
	}
	return name
}

// mbsync pulls the mailbox into dir.
func (p *peers) mbsync(program, dir string, fsync bool) *exec.Cmd {
	host, port, _ := net.SplitHostPort(p.server.Addr)
	word := map[bool]string{true: "yes", false: "no"}[fsync]
	rc := filepath.Join(dir, "rc")
	conf := fmt.Sprintf("FSync %s\n\nIMAPStore r\nHost %s\nPort %s\nUser bench\nPass secret\nSSLType None\nAuthMechs LOGIN\n\n"+
		"MaildirStore l\nPath %[4]s/\nInbox %[4]s/INBOX\n\nChannel c\nFar :r:INBOX\nNear :l:INBOX\nCreate Near\nSync Pull\nSyncState *\n", word, host, port, dir)
	if err := os.WriteFile(rc, []byte(conf), 0o600); err != nil {
		p.b.Fatal(err)
	}
	return exec.Command(program, "-q", "-c", rc, "c")
}

// daemon is the real intouchd with a database and settings of its own.
type daemon struct {
	p      *peers
	dir    string
	config string
	env    []string
}

// box is one mailbox of a daemon's settings.
type box struct{ name, url, user string }

func (p *peers) benchBox() box { return box{"bench", "imap+insecure://" + p.server.Addr, "bench"} }

func (p *peers) newDaemon(boxes ...box) *daemon {
	dir := p.b.TempDir()
	d := &daemon{p: p, dir: dir, config: filepath.Join(dir, "config.toml")}
	st := d.store()
	importPeople(p.b, p.server.Mail, st)
	st.Close()
	var conf strings.Builder
	fmt.Fprintf(&conf, "[company]\nname = \"Bench\"\ndomains = [\"%s\"]\n[server]\nlisten = \"127.0.0.1:0\"\n[jobs]\ndigest = \"\"\nnightly = \"\"\n",
		strings.Join(p.domains, `", "`))
	for _, x := range boxes {
		fmt.Fprintf(&conf, "[[mailbox]]\nname = %q\nshared = true\nimap = %q\nusername = %q\npassword = \"secret\"\n", x.name, x.url, x.user)
		if x.user == "bench" {
			conf.WriteString("folders = [\"INBOX\"]\n") // what the others read
		}
	}
	if err := os.WriteFile(d.config, []byte(conf.String()), 0o600); err != nil {
		p.b.Fatal(err)
	}
	return d
}

// store opens the daemon's database, to look on.
func (d *daemon) store() *store.Store {
	st, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(d.dir, "intouch.db")})
	if err != nil {
		d.p.b.Fatal(err)
	}
	return st
}

func (d *daemon) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.p.program, append([]string{"--config", d.config}, args...)...)
	cmd.Env = append(os.Environ(), d.env...)
	return cmd
}

// sync is one pass.
func (p *peers) sync(d *daemon) usage { return p.measured(d.command("sync")) }

// newestStored is how long after its start the daemon has the newest hundred
// captured letters, most of them contacts with somebody.
func (p *peers) newestStored() time.Duration {
	d := p.newDaemon(p.benchBox())
	st := d.store()
	defer st.Close()
	cmd := d.command("sync")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		p.b.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	for {
		found, err := st.LetterKeys(context.Background(), p.newest)
		if err != nil {
			p.b.Fatal(err)
		}
		if len(found) == len(p.newest) {
			return time.Since(began)
		}
		if time.Since(began) > 10*time.Minute {
			p.b.Errorf("of the newest %d letters %d are stored", len(p.newest), len(found))
			return time.Since(began)
		}
		restFor(10 * time.Millisecond)
	}
}

// serving is a daemon that follows its mailboxes.
type serving struct {
	*daemon
	cmd *exec.Cmd
	log *os.File
}

func (p *peers) serve(d *daemon) *serving {
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		p.b.Fatal(err)
	}
	s := &serving{d, d.command("serve"), log}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		p.b.Fatal(err)
	}
	return s
}

func (s *serving) stop() {
	defer s.log.Close()
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// said counts the lines of the log that hold a text.
func (s *serving) said(text string) int {
	b, _ := os.ReadFile(s.log.Name())
	n := 0
	for line := range bytes.Lines(b) {
		if bytes.Contains(line, []byte(text)) {
			n++
		}
	}
	return n
}

// allRead waits until every mailbox was read to its end.
func (s *serving) allRead(st *store.Store, boxes int) time.Duration {
	began := time.Now()
	for {
		states, err := st.MailboxStates(context.Background())
		if err != nil {
			s.p.b.Fatal(err)
		}
		read := 0
		for _, x := range states {
			if !x.LastSuccess.IsZero() && x.LastError == "" {
				read++
			}
		}
		if read == boxes {
			return time.Since(began)
		}
		if time.Since(began) > 5*time.Minute {
			b, _ := os.ReadFile(s.log.Name())
			s.p.b.Fatalf("%d of %d mailboxes read\n%.3000s", read, boxes, b)
		}
		restFor(50 * time.Millisecond)
	}
}

// latency: letters come one at a time; a bare socket in IDLE sees EXISTS, and
// the daemon makes a contact of it.
func (p *peers) latency() {
	b := p.b
	d := p.newDaemon(box{"late", "imap+insecure://" + p.server.Addr, "late"})
	st := d.store()
	defer st.Close()
	s := p.serve(d)
	defer s.stop()
	s.allRead(st, 1)
	restFor(time.Second) // until its further connection waits, too
	var client string
	if err := st.EachPerson(context.Background(), func(r *store.PersonRow) error {
		if client == "" && len(r.Emails) > 0 {
			client = r.Emails[0]
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	watch, bring := newBareSocket(b, p.server.Addr, "late"), newBareSocket(b, p.server.Addr, "late")
	defer watch.close()
	defer bring.close()
	watch.command("SELECT INBOX")
	var seen, stored, later []float64
	for n := range 40 {
		raw := plainLetter(1_000_000+n, client, "somebody@"+p.domains[0], fmt.Sprintf("letter %d", n), strings.Repeat("some text\r\n", 300))
		key := ReadHeader([]byte(raw), time.Time{}).Key
		fmt.Fprint(watch.c, "i IDLE\r\n")
		watch.line("+ ")
		restFor(50 * time.Millisecond)
		exists := make(chan time.Time, 1)
		go func() {
			for {
				l, err := watch.r.ReadSlice('\n')
				if err != nil || bytes.HasSuffix(bytes.TrimSpace(l), []byte("EXISTS")) {
					exists <- time.Now()
					return
				}
			}
		}()
		began := time.Now()
		fmt.Fprintf(bring.c, "p APPEND INBOX {%d}\r\n", len(raw))
		bring.line("+ ")
		fmt.Fprintf(bring.c, "%s\r\n", raw)
		bring.line("p OK")
		for {
			found, err := st.LetterKeys(context.Background(), []string{key})
			if err != nil {
				b.Fatal(err)
			}
			if len(found) > 0 {
				break
			}
			if time.Since(began) > time.Minute {
				b.Fatal("the letter never became a contact")
			}
			restFor(time.Millisecond)
		}
		here := time.Now()
		there := <-exists
		fmt.Fprint(watch.c, "DONE\r\n")
		watch.line("i OK")
		seen, stored = append(seen, ms(there.Sub(began))), append(stored, ms(here.Sub(began)))
		later = append(later, ms(here.Sub(there)))
	}
	t := &p.table
	t.line("a new letter, ms after APPEND began", "median", "p95")
	t.line("bare socket in IDLE sees EXISTS", percentile(seen, 0.5), percentile(seen, 0.95))
	t.line("the contact is stored", percentile(stored, 0.5), percentile(stored, 0.95))
	t.line("the contact after that EXISTS, letter by letter", percentile(later, 0.5), percentile(later, 0.95))
	t.check("contact stored after EXISTS, p95 against p95", at(stored, 0.95)-at(seen, 0.95), "ms", 15, false)
	t.gap()
}

func at(all []float64, share float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[min(len(all)-1, int(share*float64(len(all))))]
}

func percentile(all []float64, share float64) string { return fmt.Sprintf("%.1f", at(all, share)) }

// idle: a thousand mailboxes of which each waits for news in INBOX and in
// Sent. Above 128 sessions of one system user Dovecot runs out of inotify
// instances and does not show what waiting costs, so they lie on the server in
// memory, which runs in this process, not in the daemon's.
func (p *peers) idle() {
	const many, few = 1000, 10
	t := &p.table
	t.line("waiting mailboxes (two folders each)", "MB resident", "KB a mailbox", "reach")
	for _, secure := range []bool{false, true} {
		scheme, env := "imap+insecure://", []string(nil)
		var tlsConfig *tls.Config
		if secure {
			cert, _ := mailtest.SelfSigned(p.b)
			tlsConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			file := filepath.Join(p.b.TempDir(), "ca.pem")
			if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
				p.b.Fatal(err)
			}
			if _, err := x509.ParseCertificate(cert.Certificate[0]); err != nil {
				p.b.Fatal(err)
			}
			scheme, env = "imap://", []string{"SSL_CERT_FILE=" + file}
		}
		srv := newMemServer(p.b, tlsConfig, imap.CapIMAP4rev1, imap.CapIdle)
		var boxes []box
		for i := range many {
			name := fmt.Sprintf("u%04d", i+1)
			u := srv.addUser(p.b, name, "INBOX", "Sent")
			deliver(p.b, u, "INBOX", plainLetter(i, bob, anna, name, "text"), letterDay)
			boxes = append(boxes, box{name, scheme + srv.Addr, name})
		}
		resident := map[int]int{}
		for _, n := range []int{few, many} {
			d := p.newDaemon(boxes[:n]...)
			d.env = env
			st := d.store()
			s := p.serve(d)
			s.allRead(st, n)
			st.Close()
			// The runtime gives memory back bit by bit; a mailbox waits for
			// hours.
			least := memory(s.cmd.Process.Pid, "VmRSS:")
			for range 60 {
				restFor(time.Second)
				least = min(least, memory(s.cmd.Process.Pid, "VmRSS:"))
			}
			resident[n] = least
			s.stop()
		}
		each := float64(resident[many]-resident[few]) / (many - few)
		name, reach := "1,000 in the clear", 48.0
		if secure {
			name, reach = "1,000 over TLS", 72
		}
		t.line(name, fmt.Sprintf("%.1f", float64(resident[many])/1024), fmt.Sprintf("%.1f", each), verdict(each, "KB", reach, false))
		if secure {
			t.check("1,000 TLS mailboxes, resident", float64(resident[many])/1024, "MB", 110, false)
		}
	}
	t.gap()
}

// startMany: 500 mailboxes of 20 letters each, on Dovecot, at once.
func (p *peers) startMany() {
	const many, each = 500, 20
	files := maildirNames(p.b, p.server.MailDir("bench"))
	var boxes []box
	for i := range many {
		user := fmt.Sprintf("u%04d", i+1)
		cur := filepath.Join(p.server.MailDir(user), "cur")
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(p.server.MailDir(user), sub), 0o755); err != nil {
				p.b.Fatal(err)
			}
		}
		for k := range each {
			name := files[(i*each+k)%len(files)]
			if err := os.Link(name, filepath.Join(cur, filepath.Base(name))); err != nil && !errors.Is(err, os.ErrExist) {
				p.b.Fatal(err)
			}
		}
		boxes = append(boxes, box{user, "imap+insecure://" + p.server.Addr, user})
	}
	p.server.Own(p.b)
	d := p.newDaemon(boxes...)
	st := d.store()
	defer st.Close()
	s := p.serve(d)
	took := s.allRead(st, many)
	restFor(5 * time.Second) // for the further connections, which might be refused
	failures := s.said("mailbox failed")
	peak := memory(s.cmd.Process.Pid, "VmHWM:")
	s.stop()
	states, err := st.MailboxStates(context.Background())
	if err != nil {
		p.b.Fatal(err)
	}
	letters := int64(0)
	for _, x := range states {
		letters += int64(x.Letters)
	}
	refused := 0
	if log, err := os.Open(filepath.Join(p.server.Dir, "dovecot.log")); err == nil {
		b, _ := io.ReadAll(log)
		log.Close()
		refused = bytes.Count(b, []byte("Maximum number of connections")) + bytes.Count(b, []byte("client_limit")) + bytes.Count(b, []byte("process_limit"))
	}
	t := &p.table
	t.check(fmt.Sprintf("%d mailboxes starting at once, %d letters in all", many, letters), took.Seconds(), "s", 30, false)
	t.check("connections that were refused or failed", float64(refused+failures), "", 0, false)
	t.note(fmt.Sprintf("with all of them the daemon's peak was %d MB", peak/1024))
}

// silence: a server hears IDLE and never speaks again.
func (p *peers) silence() {
	srv := newMemServer(p.b, nil)
	srv.addUser(p.b, "quiet", "INBOX", "Sent")
	silent := make(chan time.Time, 1)
	dead := false
	var mu sync.Mutex
	addr := newProxy(p.b, srv.Addr, func(_ int, line string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		if dead {
			return "", false
		}
		if strings.HasPrefix(line, "+ ") {
			dead = true
			silent <- time.Now()
		}
		return line, false
	}).Addr
	s := p.serve(p.newDaemon(box{"quiet", "imap+insecure://" + addr, "quiet"}))
	defer s.stop()
	began := <-silent
	noticed := waitFor(2*time.Minute, 50*time.Millisecond, func() bool { return s.said("mailbox failed") > 0 })
	if !noticed {
		p.b.Error("the daemon did not notice that its server is silent")
	}
	p.table.check("a server that falls silent is noticed in", time.Since(began).Seconds(), "s", 60, false)
}

// benchTable is the table in the end.
type benchTable struct {
	title string
	rows  [][]string
	notes []string
}

func (t *benchTable) line(cells ...string) { t.rows = append(t.rows, cells) }
func (t *benchTable) gap()                 { t.rows = append(t.rows, nil) }
func (t *benchTable) note(s string)        { t.notes = append(t.notes, s) }

// check is a line with a target of issue 3.
func (t *benchTable) check(name string, is float64, unit string, reach float64, more bool) {
	t.line(name, strings.TrimSpace(figure(is)+" "+unit), verdict(is, unit, reach, more))
}

func verdict(is float64, unit string, reach float64, more bool) string {
	sign, good := "≤", is <= reach
	if more {
		sign, good = "≥", is >= reach
	}
	text := strings.TrimSpace(sign + " " + figure(reach) + " " + unit)
	if !good {
		text += "   MISSED"
	}
	return text
}

func figure(f float64) string {
	switch {
	case f == float64(int64(f)):
		return strconv.FormatInt(int64(f), 10)
	case f < 10:
		return strconv.FormatFloat(f, 'f', 3, 64)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

func (t *benchTable) String() string {
	var out strings.Builder
	fmt.Fprintln(&out, t.title)
	for _, row := range t.rows {
		for i, cell := range row {
			if i == 0 {
				out.WriteString(cell + strings.Repeat(" ", max(1, 52-len([]rune(cell)))))
				continue
			}
			out.WriteString(cell + strings.Repeat(" ", max(1, 18-len([]rune(cell)))))
		}
		out.WriteByte('\n')
	}
	for _, n := range t.notes {
		fmt.Fprintln(&out, n)
	}
	return out.String()
}
