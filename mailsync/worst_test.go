package mailsync

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// perLetter is the most memory that one letter may take above idle.
const perLetter = 16 << 20

// badLetters are letters of Bob's to Anna that no sane program writes: the
// worst to read, and those whose header is not what it should be. To each what
// must become of it.
func badLetters() map[string]badLetter {
	all := map[string]badLetter{}
	n := 0
	add := func(name, raw string, captured bool) {
		outcome := store.Skipped
		if captured {
			outcome = store.Captured
		}
		all[name] = badLetter{raw, outcome}
	}
	head := func(extra ...string) string {
		n++
		return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: bad %d\r\nMessage-ID: <bad%d@letters.test>\r\nDate: %s\r\n%s",
			bob, anna, n, n, letterDay.Format(time.RFC1123Z), strings.Join(extra, ""))
	}
	worst := worstLetters()
	for _, name := range slices.Sorted(maps.Keys(worst)) {
		add(name, head()+strings.ReplaceAll(strings.TrimPrefix(worst[name], "Subject: x\n"), "\n", "\r\n"), true)
	}
	filler := strings.Repeat("X-Filler: "+strings.Repeat("f", 60)+"\r\n", 50<<20/72)
	add("a header of 50 MB", head(filler)+"\r\nbody\r\n", true)
	// Dovecot does not look so far, and finds no sender.
	all["50 MB before the sender"] = badLetter{filler + head() + "\r\nbody\r\n", ""}
	// Dovecot runs out of memory over it and closes the connection.
	all["a subject of 50 MB"] = badLetter{head("X-Other: y\r\nSubject: "+strings.Repeat("long ", 10<<20)+"\r\n") + "\r\nbody\r\n", ""}
	add("references of 5 MB", head("References:"+strings.Repeat(" <a@b.test>", 5<<20/11)+"\r\n")+"\r\nbody\r\n", true)
	var recipients strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&recipients, ",\r\n \"Recipient, No %d\" <r%d@somewhere.test>", i, i)
	}
	add("5,000 recipients", head("Cc: x@somewhere.test"+recipients.String()+"\r\n")+"\r\nbody\r\n", true)
	add("NULs", strings.Replace(head("X-Nul: \x00\x00\r\n"), "Subject: bad", "Subject: b\x00ad", 1)+"\r\nbo\x00dy\r\n\x00\r\n", true)
	add("no Date", strings.Replace(head(), "Date: ", "X-Date: ", 1)+"\r\nbody\r\n", true)
	add("a Date of nonsense", strings.Replace(head(), "Date: ", "Date: the 99th of ", 1)+"\r\nbody\r\n", true)
	add("no Message-ID", strings.Replace(head(), "Message-ID: ", "X-ID: ", 1)+"\r\nno message id\r\n", true)
	add("neither Date nor Message-ID", strings.NewReplacer("Message-ID: ", "X-ID: ", "Date: ", "X-Date: ").Replace(head())+"\r\nneither\r\n", true)
	add("no sender", strings.Replace(head(), "From: ", "X-From: ", 1)+"\r\nbody\r\n", false)
	add("nothing at all", "", false)
	add("only a line's end", "\r\n", false)
	add("no body", head(), true)
	add("broken base64", head("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n")+"\r\n"+strings.Repeat("0L/R!!==gNC40LLQtdGC\r\n", 1000), true)
	add("a charset of nonsense", head("Content-Type: text/plain; charset=x-klingon\r\n")+"\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n", true)
	add("no boundary", head("Content-Type: multipart/mixed\r\n")+"\r\n--b\r\n\r\nbody\r\n--b--\r\n", true)
	add("an empty boundary", head("Content-Type: multipart/mixed; boundary=\"\"\r\n")+"\r\n--\r\n\r\nbody\r\n----\r\n", true)
	add("a message in a message, 1,000 deep", head("Content-Type: message/rfc822\r\n")+"\r\n"+strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000)+"body\r\n", true)
	return all
}

type badLetter struct {
	raw  string
	want store.Outcome // "": that it has one
}

// costly are the letters that are known to take more than that, by the mood of
// the garbage collector 11 to 30 MB; of them only perCostly is demanded.
var costly = []string{"On wrote", "cells", "closings", "colons", "dashes", "lists", "quote lines", "rules", "tables"}

const perCostly = 40 << 20

// TestDovecot_BadLetters: each of them lies between two good letters of a
// mailbox of its own, and a process of its own reads it over IMAP. Every letter
// gets one outcome, the bad one that which it must get; and what the process
// takes above idle is bounded.
func TestDovecot_BadLetters(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	d := mailtest.StartDovecot(t)
	all := badLetters()
	names := slices.Sorted(maps.Keys(all))
	put := func(user string, n int, raw string) {
		dir := filepath.Join(d.MailDir(user), "cur")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.M%06dP1.test:2,", letterDay.Unix()+int64(n), n)), []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	boxes := []string{"idle"}
	for i := range 500 {
		put("idle", i, plainLetter(5000+i, bob, anna, "idle", strings.Repeat("some text\r\n", 100)))
	}
	for i, name := range names {
		user := fmt.Sprintf("bad%02d", i)
		put(user, 1, plainLetter(1000+2*i, bob, anna, "before", "good"))
		put(user, 2, all[name].raw)
		put(user, 3, plainLetter(1001+2*i, bob, anna, "after", "good"))
		boxes = append(boxes, user)
	}
	d.Own(t)
	results := readInChild(t, d.Addr, boxes)
	for i, name := range names {
		r := results[boxes[i+1]]
		t.Logf("%-40s %5.1f MB, %4d ms: %v", name, float64(r.Peak)/(1<<20), r.Took.Milliseconds(), r.Outcomes)
		if r.Err != "" {
			t.Errorf("%s: %s", name, r.Err)
		}
		want := all[name].want
		if len(r.Outcomes) != 3 || r.Outcomes[0] != store.Captured || r.Outcomes[2] != store.Captured || want != "" && r.Outcomes[1] != want {
			t.Errorf("%s: outcomes %v, want the middle one %s", name, r.Outcomes, want)
		}
		limit := int64(perLetter)
		if slices.Contains(costly, name) {
			limit = perCostly
		}
		if r.Peak > limit {
			t.Errorf("%s: %.1f MB above idle", name, float64(r.Peak)/(1<<20))
		}
	}
}

// TestFault_ServerDiesOverALetter: whenever it is to give one certain letter,
// whatever of it, the server's process ends, as Dovecot's does over a subject of
// 50 MB. A daemon that follows the mailbox gets past it.
func TestFault_ServerDiesOverALetter(t *testing.T) {
	srv, want := many(t, 30, nil)
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		if strings.Contains(line, " FETCH (UID 11 ") {
			return "", true
		}
		return line, false
	})
	st := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{boxConfig(p.Addr, "anna")}, testOptions(t)).Run(ctx) }()
	eventually(t, "an outcome of each letter", func() bool { return len(letters(t, st)) == 30 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := subjects(t, st); got != strings.Replace(want, "s011,", "", 1) {
		t.Errorf("captured %s", got)
	}
	// So does one pass.
	st = newStore(t)
	if _, err := New(st, []Config{boxConfig(p.Addr, "anna")}, testOptions(t)).Pass(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if n := len(letters(t, st)); n != 30 {
		t.Errorf("a pass gave %d letters of 30 an outcome", n)
	}
}

// childResult is what a child found in one mailbox.
type childResult struct {
	Err      string
	Outcomes []store.Outcome // of INBOX by UID
	Peak     int64           // bytes resident above idle, at most
	Took     time.Duration
}

// readInChild reads mailboxes one after the other in a process of its own, in
// which nothing else takes memory.
func readInChild(t *testing.T, addr string, users []string) map[string]childResult {
	t.Helper()
	out := filepath.Join(t.TempDir(), "result.json")
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "INTOUCH_CHILD="+addr, "INTOUCH_CHILD_USERS="+strings.Join(users, ","), "INTOUCH_CHILD_OUT="+out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the child: %v\n%.5000s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var results map[string]childResult
	if err := json.Unmarshal(b, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// TestChild is the process of readInChild; in a run of its own it does nothing.
func TestChild(t *testing.T) {
	addr := os.Getenv("INTOUCH_CHILD")
	if addr == "" {
		return
	}
	st := newStore(t)
	results := map[string]childResult{}
	for _, user := range strings.Split(os.Getenv("INTOUCH_CHILD_USERS"), ",") {
		debug.FreeOSMemory()
		idle := resetPeak(t)
		began := time.Now()
		opt := testOptions(t)
		opt.Silence, opt.Log = 20*time.Second, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- New(st, []Config{boxConfig(addr, user)}, opt).Run(ctx) }()
		var r childResult
		waitFor(30*time.Second, 10*time.Millisecond, func() bool {
			r.Outcomes = nil
			if states, err := st.MailboxStates(ctx); err != nil {
				t.Fatal(err)
			} else if !slices.ContainsFunc(states, func(s store.MailboxState) bool { return s.Name == user && !s.LastSuccess.IsZero() }) {
				return false
			}
			r.Took = time.Since(began)
			for _, l := range letters(t, st) {
				if l.Mailbox == user && l.Folder == "INBOX" {
					r.Outcomes = append(r.Outcomes, l.Outcome)
				}
			}
			return true
		})
		r.Peak = procMemory(t, "VmHWM:") - idle
		cancel()
		if err := <-ended; err != nil {
			r.Err = err.Error()
		}
		results[user] = r
	}
	b, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("INTOUCH_CHILD_OUT"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// resetPeak forgets the peak of this process's memory and gives what is
// resident now, in bytes.
func resetPeak(t testing.TB) int64 {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("SKIPPED, NOT PROVED: the peak of memory cannot be measured here: ", err)
	}
	return procMemory(t, "VmRSS:")
}

// procMemory is a line of this process's status, in bytes.
func procMemory(t testing.TB, what string) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), what)
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
