package mailsync

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"intouch/store"
)

// dovecot is a real server on loopback with its state in a directory of the
// test. Every user has the password "secret".
type dovecot struct {
	Dir           string
	Addr, TLSAddr string
	Pool          *x509.CertPool
}

// mailDir is where a user's Maildir lies.
func (d *dovecot) mailDir(user string) string { return filepath.Join(d.Dir, "mail", user, "Maildir") }

// own gives everything below the mail directory to the server's user.
func (d *dovecot) own(t testing.TB) {
	t.Helper()
	u, err := user.Lookup("mail")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := filepath.WalkDir(filepath.Join(d.Dir, "mail"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}); err != nil {
		t.Fatal(err)
	}
}

// startDovecot skips the test loudly where there is no Dovecot 2.3.
func startDovecot(t testing.TB) *dovecot {
	t.Helper()
	program, err := exec.LookPath("dovecot")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/dovecot"); err != nil {
			t.Skip("SKIPPED, NOT PROVED: no Dovecot here (Debian: apt-get install dovecot-imapd)")
		}
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT PROVED: Dovecot's test server needs root")
	}
	dir, err := os.MkdirTemp("", "intouch-dovecot-") // t.TempDir is closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o755))
	for _, sub := range []string{"run", "state", "mail"} {
		must(os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	cert, pool := selfSigned(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o644))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	var ports []string
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
		ln.Close()
	}
	conf, err := os.ReadFile("testdata/dovecot.conf")
	must(err)
	conf = []byte(strings.NewReplacer("@DIR@", dir, "@PORT@", ports[0], "@TLSPORT@", ports[1]).Replace(string(conf)))
	must(os.WriteFile(filepath.Join(dir, "dovecot.conf"), conf, 0o644))
	d := &dovecot{Dir: dir, Addr: "127.0.0.1:" + ports[0], TLSAddr: "127.0.0.1:" + ports[1], Pool: pool}
	d.own(t)

	cmd := exec.Command(program, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
			t.Logf("dovecot's log:\n%s%s", b, out.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", d.TLSAddr); err == nil {
			c.Close()
			return d
		}
		select {
		case <-ended:
			b, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
			t.Fatalf("dovecot ended: %s%s", out.String(), b)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("dovecot does not answer")
		}
	}
}

// config is the settings of a user's mailbox, over TLS.
func (d *dovecot) config(user string) Config {
	cfg := boxConfig(d.TLSAddr, user)
	cfg.TLS, cfg.TLSConfig = ImplicitTLS, &tls.Config{RootCAs: d.Pool}
	return cfg
}

// mailgen runs the generator of ../shared into the server's mail directory; it
// skips the test loudly where that is absent.
func (d *dovecot) mailgen(t testing.TB, args ...string) {
	t.Helper()
	source, err := filepath.Abs("../../shared/bench/mailgen")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(source, "main.go")); err != nil {
		t.Skip("SKIPPED, NOT PROVED: ../shared/bench/mailgen is not here; the letters with known answers come from it")
	}
	program := filepath.Join(t.TempDir(), "mailgen")
	if out, err := exec.Command("go", "build", "-C", source, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build mailgen: %v\n%s", err, out)
	}
	if out, err := exec.Command(program, append(args, "-out", filepath.Join(d.Dir, "mail"))...).CombinedOutput(); err != nil {
		t.Fatalf("mailgen: %v\n%s", err, out)
	}
	d.own(t)
}

// answer is a line of mailgen's truth.jsonl.
type answer struct {
	ID          int       `json:"id"`
	MessageID   string    `json:"message_id"`
	Date        time.Time `json:"date"`
	Direction   string    `json:"direction"`
	Clients     []string  `json:"clients"`
	Capture     bool      `json:"should_capture"`
	Reason      string    `json:"reason"`
	Subject     string    `json:"subject"`
	ThreadRoot  string    `json:"thread_root"`
	Body        string    `json:"body"`
	Odd         string    `json:"odd"`
	Mailboxes   []string  `json:"mailboxes"`
	Attachments []struct {
		Name string `json:"name"`
	} `json:"attachments"`
}

func (d *dovecot) answers(t testing.TB) (all []answer) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Dir, "mail", "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(b)); dec.More(); {
		var l answer
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// importPeople imports mailgen's managers, clients and persons.
func (d *dovecot) importPeople(t testing.TB, st *store.Store) (managers []string) {
	t.Helper()
	table := func(name string) (rows []map[string]string) {
		f, err := os.Open(filepath.Join(d.Dir, "mail", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range all[1:] {
			row := map[string]string{}
			for i, v := range line {
				row[all[0][i]] = v
			}
			rows = append(rows, row)
		}
		return rows
	}
	domains := map[string]bool{}
	for _, r := range table("managers.csv") {
		domains[r["domain"]] = true
	}
	if err := st.SetCompany(t.Context(), slices.Sorted(maps.Keys(domains)), nil); err != nil {
		t.Fatal(err)
	}
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for _, r := range table("import/managers.csv") {
			managers = append(managers, r["login"])
			if _, err := im.Manager(store.ManagerRow{ID: r["id"], Name: r["name"], Login: r["login"], Role: r["role"],
				TimeZone: r["time_zone"], Language: r["language"], Emails: strings.Fields(r["email"])}); err != nil {
				return err
			}
		}
		for _, r := range table("import/clients.csv") {
			if _, err := im.Client(store.ClientRow{ID: r["id"], Name: r["name"], Importance: r["importance"], Manager: r["manager"],
				Domains: strings.Fields(r["domains"]), Emails: strings.Fields(r["emails"])}); err != nil {
				return err
			}
		}
		for _, r := range table("import/persons.csv") {
			if _, err := im.Person(store.PersonRow{ID: r["id"], Client: r["client"], Name: r["name"], Emails: strings.Fields(r["emails"])}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return managers
}

// emptyStore is a store without anybody in it.
func emptyStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// TestDovecot_MailgenTruth holds 2,000 letters (INTOUCH_TRUTH_LETTERS, with
// INTOUCH_TRUTH_SEED) in twelve managers' mailboxes against the answers of their
// generator.
func TestDovecot_MailgenTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	d := startDovecot(t)
	n, seed := cmp.Or(os.Getenv("INTOUCH_TRUTH_LETTERS"), "2000"), cmp.Or(os.Getenv("INTOUCH_TRUTH_SEED"), "20261123")
	d.mailgen(t, "-n", n, "-seed", seed, "-per-manager")
	st := emptyStore(t)
	managers := d.importPeople(t, st)
	var boxes []Config
	for _, m := range managers {
		cfg := d.config(m)
		cfg.Manager = m
		boxes = append(boxes, cfg)
	}
	began := time.Now()
	counts, err := New(st, boxes, Options{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}).Pass(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range counts {
		seen += c.Seen
	}
	t.Logf("%d letters in %d mailboxes in %v: %.0f a second", seen, len(boxes), time.Since(began).Round(time.Millisecond), float64(seen)/time.Since(began).Seconds())

	all := d.answers(t)
	compareOutcomes(t, st, all)
	compareContacts(t, st, all)
}

// outcomesOf translates the generator's reasons into ours (bench/README.md):
// the outcomes that are right. It names a letter's kind, we name the first rule
// that applies: a colleague's answer to an invitation is internal before it is
// automatic, a stranger's robot automatic before it is unknown.
func outcomesOf(l *answer) []string {
	switch l.Reason {
	case "internal_only":
		return []string{"skipped internal"}
	case "no_client_address":
		return []string{"skipped unknown", "skipped automatic"}
	case "calendar_reply":
		return []string{"skipped automatic", "skipped internal"}
	case "bulk_list", "auto_reply", "auto_generated", "bounce":
		return []string{"skipped automatic"}
	}
	return []string{"captured "}
}

func compareOutcomes(t *testing.T, st *store.Store, all []answer) {
	t.Helper()
	// Which letter an outcome belongs to: by mailbox, folder and Message-ID,
	// or date where there is none.
	want := map[string][]*answer{}
	n := 0
	for i := range all {
		for _, box := range all[i].Mailboxes {
			key := letterKey(box, all[i].MessageID, all[i].Date, all[i].Odd)
			want[key] = append(want[key], &all[i])
			n++
		}
	}
	wrong, seen := 0, 0
	for _, l := range letters(t, st) {
		seen++
		odd := ""
		if l.MessageID == "" {
			odd = "no-message-id"
		}
		key := letterKey(l.Mailbox+":"+l.Folder, l.MessageID, l.Date, odd)
		got := string(l.Outcome) + " " + string(l.Reason)
		i := slices.IndexFunc(want[key], func(w *answer) bool { return slices.Contains(outcomesOf(w), got) })
		if i < 0 {
			if wrong++; wrong < 20 {
				t.Errorf("%s uid %d is %q, of %d letters with that key", key, l.UID, got, len(want[key]))
			}
			continue
		}
		want[key] = slices.Delete(want[key], i, i+1)
	}
	if seen != n || wrong > 0 {
		t.Errorf("%d outcomes for %d letters, %d of them wrong", seen, n, wrong)
	}
	t.Logf("outcomes: %d of %d right", seen-wrong, n)
}

func letterKey(box, messageID string, date time.Time, odd string) string {
	if odd == "no-message-id" {
		return box + " " + date.UTC().Format(time.RFC3339)
	}
	return box + " " + strings.Trim(messageID, "<>")
}

func compareContacts(t *testing.T, st *store.Store, all []answer) {
	t.Helper()
	type wanted struct {
		*answer
		client string
	}
	want := map[string]wanted{}
	key := func(client, messageID string, date time.Time, odd string) string {
		return letterKey(client, messageID, date, odd)
	}
	for i := range all {
		l := &all[i]
		if !l.Capture || len(l.Mailboxes) == 0 {
			continue
		}
		for _, c := range l.Clients {
			want[key(c, l.MessageID, l.Date, l.Odd)] = wanted{l, c}
		}
	}
	expected := len(want)
	var bodies, subjects, directions, names, threads, surplus int
	shown := 0
	show := func(format string, args ...any) {
		if shown++; shown <= 15 {
			t.Logf(format, args...)
		}
	}
	for _, c := range contacts(t, st) {
		odd := ""
		if c.MessageID == "" {
			odd = "no-message-id"
		}
		k := key(c.ClientExternalID, c.MessageID, c.When.Start, odd)
		w, ok := want[k]
		if !ok {
			surplus++
			show("surplus contact %s: %q", k, c.Subject)
			continue
		}
		delete(want, k)
		if oneSpace(c.Body) == oneSpace(w.Body) {
			bodies++
		} else {
			show("text of %d (%s) is\n%q\nnot\n%q", w.ID, w.Odd, oneSpace(c.Body), oneSpace(w.Body))
		}
		const most = 1000 // bytes of a subject that are kept
		if oneSpace(c.Subject) == oneSpace(w.Subject) || len(c.Subject) > most-utf8.UTFMax && strings.HasPrefix(oneSpace(w.Subject), oneSpace(c.Subject)) {
			subjects++
		} else {
			show("subject of %d is %q, not %q", w.ID, c.Subject, w.Subject)
		}
		if string(c.Direction) == w.Direction {
			directions++
		} else {
			show("direction of %d is %q, not %q", w.ID, c.Direction, w.Direction)
		}
		if root := strings.Trim(w.ThreadRoot, "<>"); c.Thread == root || strings.HasPrefix(c.Thread, "hash:") && root == "" {
			threads++
		} else {
			show("thread of %d (%s, %q) is %q, not %q", w.ID, w.Odd, c.Subject, c.Thread, root)
		}
		var have, ought []string
		for _, a := range c.Attachments {
			have = append(have, a.Name)
		}
		for _, a := range w.Attachments {
			ought = append(ought, a.Name)
		}
		if slices.Equal(have, ought) {
			names++
		} else {
			show("attachments of %d are %q, not %q", w.ID, have, ought)
		}
	}
	for k, w := range want {
		show("missing contact %s: letter %d %s %s", k, w.ID, w.Reason, w.Odd)
	}
	percent := func(n int) float64 { return 100 * float64(n) / float64(expected) }
	t.Logf("contacts: %d expected, %d missing, %d surplus; text %.2f %%, subject %.2f %%, direction %.2f %%, thread %.2f %%, attachments' names %.2f %%",
		expected, len(want), surplus, percent(bodies), percent(subjects), percent(directions), percent(threads), percent(names))
	if len(want) > 0 || surplus > 0 {
		t.Errorf("%d contacts are missing, %d surplus", len(want), surplus)
	}
	if percent(bodies) < 99 {
		t.Errorf("the text of %.2f %% agrees, 99 %% wanted", percent(bodies))
	}
	if directions != expected || subjects != expected || threads != expected || names != expected {
		t.Errorf("of %d contacts %d have the direction, %d the subject, %d the thread, %d the attachments", expected, directions, subjects, threads, names)
	}
}

// oneSpace collapses white space: wrapping and format=flowed differ.
func oneSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestDovecot_Follow: news in INBOX and Sent, over STARTTLS, with the names
// and the special use that a real server gives.
func TestDovecot_Follow(t *testing.T) {
	d := startDovecot(t)
	st := newStore(t)
	cfg := d.config("anna")
	cfg.Addr, cfg.TLS, cfg.Manager = d.Addr, StartTLS, "anna"
	if err := CheckLogin(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{cfg}, Options{Log: quiet(t)}).Run(ctx) }()
	put := func(n int, dir, from, to string) {
		name := filepath.Join(d.mailDir("anna"), dir, "new", fmt.Sprintf("%d.M%dP1.test", letterDay.Unix()+int64(n), n))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(plainLetter(n, from, to, fmt.Sprintf("s%d", n), "text")), 0o644); err != nil {
			t.Fatal(err)
		}
		d.own(t)
	}
	eventually(t, "the first pass", func() bool {
		states, err := st.MailboxStates(context.WithoutCancel(ctx))
		return err == nil && len(states) == 1 && !states[0].LastSuccess.IsZero()
	})
	put(1, "", bob, anna)
	eventually(t, "a letter in INBOX", func() bool { return subjects(t, st) == "s1" })
	put(2, ".Sent", anna, bob)
	eventually(t, "a letter in Sent", func() bool { return subjects(t, st) == "s1,s2" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkFirstPass reads one INBOX of 5,000 letters (INTOUCH_LETTERS) from
// Dovecot over TLS, decides, parses and files it in SQLite.
func BenchmarkFirstPass(b *testing.B) {
	n := "5000"
	if s := os.Getenv("INTOUCH_LETTERS"); s != "" {
		n = s
	}
	d := startDovecot(b)
	d.mailgen(b, "-n", n, "-seed", "1")
	if err := os.Mkdir(filepath.Join(d.Dir, "mail", "bench"), 0o755); err != nil {
		b.Fatal(err)
	}
	for _, sub := range []string{"cur", "new", "tmp"} { // one account: cur, new and tmp lie directly in the output
		if err := os.MkdirAll(d.mailDir("bench"), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(filepath.Join(d.Dir, "mail", "Maildir", sub), filepath.Join(d.mailDir("bench"), sub)); err != nil {
			b.Fatal(err)
		}
	}
	d.own(b)
	letters := 0
	for range b.N {
		b.StopTimer()
		st := emptyStore(b)
		d.importPeople(b, st)
		sy := New(st, []Config{d.config("bench")}, Options{Log: slog.New(slog.DiscardHandler)})
		b.StartTimer()
		counts, err := sy.Pass(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		letters += counts[0].Seen
	}
	b.ReportMetric(float64(letters)/b.Elapsed().Seconds(), "letters/s")
}
