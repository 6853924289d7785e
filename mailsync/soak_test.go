package mailsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// soakTime is how long a bad network and a restless server are borne: some
// seconds in the CI, INTOUCH_SOAK (make soak-network: ten minutes) otherwise.
func soakTime(t testing.TB, short time.Duration) time.Duration {
	if s := os.Getenv("INTOUCH_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal("INTOUCH_SOAK:", err)
		}
		return d
	}
	return short
}

// soakSeed is the seed of this run: INTOUCH_SEED, else that of the day the
// test was written, so that the CI always sees the same faults.
func soakSeed(t testing.TB) uint64 {
	seed := uint64(20261125)
	if s := os.Getenv("INTOUCH_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal("INTOUCH_SEED:", err)
		}
		seed = n
	}
	return seed
}

// restart stops the server, does something to its files and starts it again.
func restart(t testing.TB, d *mailtest.Dovecot, meanwhile func()) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	meanwhile()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
}

// post is what lies in the mailboxes: it delivers letters and knows what must
// become of each.
type post struct {
	server *mailtest.Dovecot
	users  []string

	mu       sync.Mutex
	n        int
	captured map[string]bool     // by Message-ID: whether it is a client's
	inside   map[string][]string // user/folder → the letters, for making a folder again
	raws     map[string]string
}

var postFolders = []string{"INBOX", "Sent", "Projects"}

func newPost(server *mailtest.Dovecot, users ...string) *post {
	return &post{server: server, users: users, captured: map[string]bool{}, inside: map[string][]string{}, raws: map[string]string{}}
}

// dir is the Maildir of a folder.
func (p *post) dir(user, folder string) string {
	dir := p.server.MailDir(user)
	if folder != "INBOX" {
		dir = filepath.Join(dir, "."+folder)
	}
	return dir
}

// write puts a letter into a folder as a mail server does: whole, then moved
// in place.
func (p *post) write(t testing.TB, user, folder, id string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := p.dir(user, folder)
	p.n++
	name := fmt.Sprintf("%d.M%06dP1.test", time.Now().Unix(), p.n)
	if err := os.WriteFile(filepath.Join(dir, "tmp", name), []byte(p.raws[id]), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)); err != nil {
		t.Fatal(err)
	}
	p.inside[user+"/"+folder] = append(p.inside[user+"/"+folder], id)
}

// letter makes the next letter: of five, three are a client's, one is a
// stranger's and one comes from a colleague.
func (p *post) letter(random *rand.Rand) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.raws) + 1
	from := []string{bob, "x@acme.test", bob, "who@nowhere.test", "boris@vector.test"}[n%5]
	raw := plainLetter(n, from, anna, fmt.Sprintf("s%05d", n), strings.Repeat("text of the letter\r\n", 1+random.IntN(200)))
	id = fmt.Sprintf("%d@letters.test", n)
	p.raws[id], p.captured[id] = raw, n%5 < 3
	return id
}

// deliver brings one letter to one or two mailboxes.
func (p *post) deliver(t testing.TB, random *rand.Rand) {
	t.Helper()
	id := p.letter(random)
	for i, user := range rand.New(rand.NewPCG(random.Uint64(), 1)).Perm(len(p.users)) {
		if i == 0 || i == 1 && random.IntN(4) == 0 {
			p.write(t, p.users[user], postFolders[random.IntN(len(postFolders))], id)
		}
	}
}

func (p *post) dial(t testing.TB, user string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(p.server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(user, "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// create makes the folders.
func (p *post) create(t testing.TB) {
	for _, user := range p.users {
		c := p.dial(t, user)
		if err := c.Create("Projects", nil).Wait(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		for _, folder := range postFolders {
			for _, sub := range []string{"tmp", "new"} {
				if err := os.MkdirAll(filepath.Join(p.dir(user, folder), sub), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	p.server.Own(t)
}

// makeAgain deletes a folder and makes it again with the same letters.
func (p *post) makeAgain(t testing.TB, user, folder string) {
	t.Helper()
	c := p.dial(t, user)
	defer c.Close()
	p.mu.Lock()
	ids := p.inside[user+"/"+folder]
	delete(p.inside, user+"/"+folder)
	if err := c.Delete(folder).Wait(); err != nil {
		t.Error("delete the folder:", err)
	}
	// A session of ours that still has it open may make Dovecot do it first.
	var refused *imap.Error
	if err := c.Create(folder, nil).Wait(); err != nil && !(errors.As(err, &refused) && refused.Code == imap.ResponseCodeAlreadyExists) {
		t.Error("make the folder again:", err)
	}
	p.mu.Unlock()
	for _, id := range ids {
		p.write(t, user, folder, id)
	}
}

// renumber gives a folder another UIDVALIDITY: what Dovecot knows of it is lost.
func (p *post) renumber(t testing.TB, user, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir(user, folder), "dovecot*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if base := filepath.Base(name); base == "dovecot-uidlist" || strings.HasPrefix(base, "dovecot.index") {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
}

// listing is what the server has: for each mailbox and folder its UIDVALIDITY
// and the letters' Message-IDs by UID.
type listing map[string]folderListing

type folderListing struct {
	validity uint32
	ids      map[uint32]string
}

func (p *post) list(t testing.TB) listing {
	t.Helper()
	all := listing{}
	for _, user := range p.users {
		c := p.dial(t, user)
		for _, folder := range postFolders {
			data, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
			if err != nil {
				t.Fatal(err)
			}
			f := folderListing{data.UIDValidity, map[uint32]string{}}
			if data.NumMessages > 0 {
				messages, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Envelope: true}).Collect()
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range messages {
					f.ids[uint32(m.UID)] = m.Envelope.MessageID
				}
			}
			all[user+"/"+folder] = f
		}
		c.Close()
	}
	return all
}

// audit says what is wrong: letters of the server without the right outcome,
// letters of clients that are no contact, contacts that are there twice or
// nobody's letter.
func (p *post) audit(t testing.TB, st *store.Store, server listing) (faults []string) {
	t.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	outcomes := map[string]store.SeenLetter{}
	for _, l := range letters(t, st) {
		key := fmt.Sprintf("%s/%s %d %d", l.Mailbox, l.Folder, l.UIDValidity, l.UID)
		if _, ok := outcomes[key]; ok {
			fault("two outcomes of %s", key)
		}
		outcomes[key] = l
	}
	for _, name := range slices.Sorted(maps.Keys(server)) {
		f := server[name]
		for uid, id := range f.ids {
			key := fmt.Sprintf("%s %d %d", name, f.validity, uid)
			l, ok := outcomes[key]
			switch {
			case !ok:
				fault("no outcome of %s, letter %s", key, id)
			case strings.Trim(l.MessageID, "<>") != id:
				fault("the outcome of %s is of letter %s, not %s", key, l.MessageID, id)
			case (l.Outcome == store.Captured) != p.captured[id]:
				fault("letter %s is %s %s", id, l.Outcome, l.Reason)
			}
		}
	}
	seen := map[string]int{}
	for _, c := range contacts(t, st) {
		seen[strings.Trim(c.MessageID, "<>")]++
	}
	for id, captured := range p.captured {
		if n := seen[id]; captured && n != 1 || !captured && n != 0 {
			fault("letter %s (a client's: %v) is %d contacts", id, captured, n)
		}
		delete(seen, id)
	}
	for id, n := range seen {
		fault("%d contacts of %s, which nobody sent", n, id)
	}
	return faults
}

// TestDovecot_BadNetwork follows four mailboxes over TLS through a network
// that cuts, delays, truncates, drops, corrupts and stalls, while letters come
// in, the server is restarted, folders get another UIDVALIDITY and are deleted
// and made again. Below TLS every corruption is fair: it ends the connection.
// When the network is well again, every letter on the server has its outcome
// and every client's letter is exactly one contact. `make soak-network` runs it
// for ten minutes.
func TestDovecot_BadNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	d := mailtest.StartDovecot(t)
	seed, long := soakSeed(t), soakTime(t, 12*time.Second)
	random := rand.New(rand.NewPCG(seed, 0))
	office := newPost(d, "u1", "u2", "u3", "u4")
	office.create(t)
	for range 200 {
		office.deliver(t, random)
	}
	d.Own(t)
	bad := newFaultProxy(t, d.TLSAddr, seed, 12_000, 1500*time.Millisecond,
		faultDelay, faultCut, faultTruncate, faultStall, faultDrop, faultCorrupt)
	st := newStore(t)
	var boxes []Config
	for _, user := range office.users {
		cfg := dovecotConfig(d, user)
		cfg.Addr = bad.Addr
		cfg.Folders = []string{"INBOX", `\Sent`, "Projects"}
		boxes = append(boxes, cfg)
	}
	run := followThrough(t, st, boxes, time.Second)

	began, turn := time.Now(), 0
	for time.Since(began) < long {
		office.deliver(t, random)
		restFor(time.Duration(random.IntN(60)) * time.Millisecond)
		// The four disturbances come in turn, spread over the time but at
		// least once each, and then about every ten seconds.
		if due := time.Duration(turn+1) * min(long/6, 10*time.Second); time.Since(began) < due {
			continue
		}
		user := office.users[random.IntN(len(office.users))]
		switch turn++; turn % 4 {
		case 1:
			restart(t, d, func() {})
		case 2:
			office.renumber(t, user, postFolders[random.IntN(len(postFolders))])
		case 3:
			office.makeAgain(t, user, "Projects")
		case 0:
			restart(t, d, func() { office.renumber(t, user, "INBOX") })
		}
	}
	bad.heal()
	var faults []string
	// What is on the server is asked anew each time: it numbers letters when
	// somebody looks.
	well := waitFor(60*time.Second, 300*time.Millisecond, func() bool {
		faults = office.audit(t, st, office.list(t))
		return len(faults) == 0
	})
	run.stop(t)
	t.Logf("seed %d: %d letters, %d disturbances, %v", seed, len(office.raws), turn, bad)
	if !well {
		t.Errorf("%d faults:\n%s", len(faults), strings.Join(faults[:min(len(faults), 20)], "\n"))
		t.Log(run.log())
	}
	if !bad.every() {
		t.Error("not every kind of fault happened")
	}
}

// TestDovecot_BadNetworkInTheClear is the same without TLS. A changed byte
// within a letter cannot be seen there, nor a digit that became another (a UID
// that SEARCH does not name is not asked for), and a network that does such
// things, past the checksums of TCP, cannot be told from a server that says
// them. So bytes only have their highest bit turned, which is never right
// outside of texts, and nothing is left out in between. Where it hits a letter,
// its decision, key and text may be others: only the outcomes are counted,
// exactly one for each letter; and nothing may crash or hang.
func TestDovecot_BadNetworkInTheClear(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	// Dovecot makes an address wait after refused logins, and here the network
	// spoils passwords.
	d := mailtest.StartDovecotWith(t, func(string) string {
		return "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}"
	})
	seed, long := soakSeed(t), soakTime(t, 6*time.Second)
	random := rand.New(rand.NewPCG(seed, 0))
	office := newPost(d, "u1", "u2", "u3")
	office.create(t)
	for range 200 {
		office.deliver(t, random)
	}
	d.Own(t)
	bad := newFaultProxy(t, d.Addr, seed, 8_000, 1500*time.Millisecond,
		faultDelay, faultCut, faultTruncate, faultStall, faultHighBit, faultHighBit, faultHighBit)
	st := newStore(t)
	var boxes []Config
	for _, user := range office.users {
		cfg := boxConfig(bad.Addr, user)
		cfg.Folders = []string{"INBOX", `\Sent`, "Projects"}
		boxes = append(boxes, cfg)
	}
	run := followThrough(t, st, boxes, time.Second)
	for began := time.Now(); time.Since(began) < long; {
		office.deliver(t, random)
		restFor(time.Duration(random.IntN(60)) * time.Millisecond)
	}
	bad.heal()
	run.stop(t)
	// A folder whose name was spoilt counts as missing for some minutes: a
	// start finds it at once.
	if _, err := New(st, boxes, Options{Log: slog.New(slog.DiscardHandler), retryMin: time.Millisecond}).Pass(t.Context(), ""); err != nil {
		t.Error(err)
	}
	server := office.list(t)
	outcomes := map[string]int{}
	for _, l := range letters(t, st) {
		outcomes[fmt.Sprintf("%s/%s %d %d", l.Mailbox, l.Folder, l.UIDValidity, l.UID)]++
	}
	for _, name := range slices.Sorted(maps.Keys(server)) {
		for uid := range server[name].ids {
			key := fmt.Sprintf("%s %d %d", name, server[name].validity, uid)
			if outcomes[key] != 1 {
				t.Errorf("%s has %d outcomes", key, outcomes[key])
			}
			delete(outcomes, key)
		}
	}
	for key := range outcomes {
		// Where the word UIDVALIDITY is spoilt it counts as missing: the folder
		// is read under 0, and again when it is there.
		if !strings.Contains(key, " 0 ") {
			t.Errorf("an outcome of %s, which is not on the server", key)
		}
	}
	t.Logf("seed %d: %d letters, %v", seed, len(office.raws), bad)
	if t.Failed() {
		t.Log(run.log())
	}
	if !bad.every() {
		t.Error("not every kind of fault happened")
	}
}

// following is a Syncer that runs.
type following struct {
	cancel context.CancelFunc
	ended  chan error
	mu     sync.Mutex
	text   bytes.Buffer
}

func (f *following) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(b)
}

// log is the end of what was logged.
func (f *following) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.text.Bytes()
	return string(b[max(0, len(b)-20_000):])
}

// followThrough runs a Syncer over bad connections, with little patience.
func followThrough(t testing.TB, st *store.Store, boxes []Config, silence time.Duration) *following {
	f := &following{ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	sy := New(st, boxes, Options{Log: slog.New(slog.NewTextHandler(f, nil)), Silence: silence, Poll: 50 * time.Millisecond,
		retryMin: 10 * time.Millisecond, retryMax: 200 * time.Millisecond})
	go func() { f.ended <- sy.Run(ctx) }()
	return f
}

func (f *following) stop(t testing.TB) {
	t.Helper()
	f.cancel()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Run does not end")
	}
}

func restFor(d time.Duration) { time.Sleep(d) }

func waitFor(most, every time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(most); ; restFor(every) {
		if holds() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
