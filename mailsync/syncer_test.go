package mailsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"intouch/store"
)

// newStore opens a store in which Anna of vector.test looks after Acme
// (acme.test, and bob@freemail.test).
func newStore(t testing.TB) *store.Store {
	t.Helper()
	return newStoreAt(t, filepath.Join(t.TempDir(), "test.db"))
}

func newStoreAt(t testing.TB, file string) *store.Store {
	t.Helper()
	ctx := t.Context()
	// The letters are of letterDay: a week later it is time for what they ask.
	st, err := store.Open(ctx, store.Options{URL: "sqlite:" + file,
		Now:    func() time.Time { return letterDay.AddDate(0, 0, 7) },
		Render: func(v *store.EntryView) []byte { return []byte(v.UID + v.Item.Contact.Body) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	fillStore(t, st)
	return st
}

func fillStore(t testing.TB, st *store.Store) {
	t.Helper()
	ctx := t.Context()
	if err := st.SetCompany(ctx, []string{"vector.test"}, nil); err != nil {
		t.Fatal(err)
	}
	err := st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		for _, login := range []string{"anna", "boris"} {
			if _, err := im.Manager(store.ManagerRow{ID: login, Name: login, Login: login, Role: "manager",
				TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{login + "@vector.test"}}); err != nil {
				return err
			}
		}
		if _, err := im.Client(store.ClientRow{ID: "c1", Name: "Acme", Manager: "anna", Domains: []string{"acme.test"}}); err != nil {
			return err
		}
		_, err := im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Bob", Emails: []string{"bob@freemail.test"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func contacts(t testing.TB, st *store.Store) (all []store.Exported) {
	t.Helper()
	if err := st.EachContact(context.WithoutCancel(t.Context()), func(c *store.Exported) error {
		all = append(all, *c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func letters(t testing.TB, st *store.Store) (all []store.SeenLetter) {
	t.Helper()
	if err := st.EachLetter(context.WithoutCancel(t.Context()), func(l *store.SeenLetter) error {
		all = append(all, *l)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// subjects lists the contacts' subjects, sorted.
func subjects(t testing.TB, st *store.Store) string {
	var out []string
	for _, c := range contacts(t, st) {
		out = append(out, c.Subject)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func testOptions(t testing.TB) Options {
	return Options{Log: quiet(t), Silence: 2 * time.Second, Poll: 50 * time.Millisecond,
		retryMin: 5 * time.Millisecond, retryMax: 50 * time.Millisecond}
}

// onePass reads a mailbox once and wants no error.
func onePass(t testing.TB, st *store.Store, cfg Config) Counts {
	t.Helper()
	counts, err := New(st, []Config{cfg}, testOptions(t)).Pass(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return counts[0]
}

// eventually waits until a condition holds; the patience only bounds a test
// that fails.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to pass:", what)
		}
	}
}

const anna, bob = "Anna <anna@vector.test>", "Bob <bob@freemail.test>"

// fill delivers letters of every outcome to INBOX and Sent.
func fill(t testing.TB, u *imapmemserver.User) {
	deliver(t, u, "INBOX", plainLetter(1, "x@acme.test", anna, "by domain", "one"), letterDay)
	deliver(t, u, "INBOX", plainLetter(2, bob, anna, "by address", "two"), letterDay)
	deliver(t, u, "INBOX", plainLetter(3, "boris@vector.test", anna, "internal", "three"), letterDay)
	deliver(t, u, "INBOX", plainLetter(4, "Stranger <who@nowhere.test>", anna, "unknown", "four"), letterDay)
	deliver(t, u, "INBOX", plainLetter(5, "news@acme.test", anna, "automatic", "five", "List-Unsubscribe: <mailto:x@acme.test>", "Precedence: bulk"), letterDay)
	deliver(t, u, "Sent", plainLetter(6, anna, bob, "sent", "six"), letterDay)
}

func TestSyncer_Pass(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	fill(t, u)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"

	c := onePass(t, st, cfg)
	if c.Folders != 2 || c.Seen != 6 || c.Captured != 3 || c.NewContacts != 3 ||
		!maps.Equal(c.Skipped, map[store.Reason]int{store.Internal: 1, store.Unknown: 1, store.Automatic: 1}) {
		t.Errorf("first pass: %+v", c)
	}
	if got := subjects(t, st); got != "by address,by domain,sent" {
		t.Errorf("captured: %s", got)
	}
	for _, c := range contacts(t, st) {
		want := map[string]string{"by address": "in two", "by domain": "in one", "sent": "out six"}[c.Subject]
		if got := fmt.Sprintf("%s %s", c.Direction, c.Body); got != want || c.ClientExternalID != "c1" || !slices.Equal(c.ManagerLogins, []string{"anna"}) {
			t.Errorf("%s: %q of client %q, managers %v, want %q", c.Subject, got, c.ClientExternalID, c.ManagerLogins, want)
		}
	}
	if n := len(letters(t, st)); n != 6 {
		t.Errorf("%d outcomes recorded, want 6", n)
	}
	if c := onePass(t, st, cfg); c.Seen != 0 || c.Folders != 2 {
		t.Errorf("second pass looked at letters again: %+v", c)
	}
	deliver(t, u, "INBOX", plainLetter(7, bob, anna, "later", "seven"), letterDay)
	if c := onePass(t, st, cfg); c.Seen != 1 || c.NewContacts != 1 {
		t.Errorf("third pass: %+v, want the one new letter", c)
	}
	if _, err := New(st, []Config{cfg}, testOptions(t)).Pass(t.Context(), "nobody"); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("unknown mailbox: %v", err)
	}

	// Nothing in the mailbox has changed.
	s := login(t, cfg, quickPatience)
	if _, err := s.examine("INBOX"); err != nil {
		t.Fatal(err)
	}
	msgs, err := s.client.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true}).Collect()
	if err != nil || len(msgs) != 6 {
		t.Fatal(len(msgs), err)
	}
	for _, m := range msgs {
		if len(m.Flags) != 0 {
			t.Errorf("letter %d has flags %v", m.UID, m.Flags)
		}
	}
}

func TestSyncer_Pass_OneLetterInManyFolders(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent")
	b := srv.addUser(t, "boris", "INBOX", "Sent")
	raw := plainLetter(1, bob, "anna@vector.test, boris@vector.test", "to both", "text")
	deliver(t, a, "INBOX", raw, letterDay)
	deliver(t, b, "INBOX", raw, letterDay)
	deliver(t, b, "Sent", raw, letterDay)
	st := newStore(t)
	ca, cb := boxConfig(srv.Addr, "anna"), boxConfig(srv.Addr, "boris")
	ca.Manager, cb.Manager = "anna", "boris"
	if _, err := New(st, []Config{ca, cb}, testOptions(t)).Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	all := contacts(t, st)
	if len(all) != 1 || all[0].Body != "text" || len(all[0].ManagerLogins) != 2 {
		t.Errorf("contacts: %+v", all)
	}
	if n := len(letters(t, st)); n != 3 {
		t.Errorf("%d outcomes, want 3", n)
	}
}

func TestSyncer_Pass_ThreadWithinABatch(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "question", "q"), letterDay)
	deliver(t, u, "INBOX", plainLetter(2, "aide@elsewhere.test", anna, "Re: question", "by reference", "In-Reply-To: <1@letters.test>"), letterDay)
	deliver(t, u, "INBOX", plainLetter(3, "other@elsewhere.test", "bob@freemail.test, anna@vector.test", "Re: other", "known by Bob's address"), letterDay)
	deliver(t, u, "INBOX", plainLetter(4, "aide@elsewhere.test", anna, "Re: question", "by subject and party"), letterDay)
	deliver(t, u, "INBOX", plainLetter(5, "aide@elsewhere.test", anna, "something else", "unknown"), letterDay)
	deliver(t, u, "INBOX", plainLetter(7, "stranger@far.test", anna, "Re: question", "shares only Anna, who takes part in every thread"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	if c := onePass(t, st, cfg); c.Captured != 4 || c.Skipped[store.Unknown] != 2 {
		t.Errorf("in one batch: %+v", c)
	}
	// The same across batches.
	deliver(t, u, "INBOX", plainLetter(6, "aide@elsewhere.test", anna, "Re: question", "by reference", "References: <0@x> <2@letters.test>"), letterDay)
	deliver(t, u, "INBOX", plainLetter(8, "stranger@far.test", anna, "Re: question", "still a stranger"), letterDay)
	if c := onePass(t, st, cfg); c.Captured != 1 || c.Skipped[store.Unknown] != 1 {
		t.Errorf("in a later batch: %+v", c)
	}
}

func TestSyncer_Pass_Since(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "old", "x"), letterDay.AddDate(-1, 0, 0))
	deliver(t, u, "INBOX", plainLetter(2, bob, anna, "new", "x"), letterDay)
	deliver(t, u, "INBOX", plainLetter(3, bob, anna, "old too", "x"), letterDay.AddDate(-1, 0, 0))
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Since = letterDay.AddDate(0, -1, 0)
	onePass(t, st, cfg)
	if got, n := subjects(t, st), len(letters(t, st)); got != "new" || n != 1 {
		t.Errorf("captured %q, %d outcomes", got, n)
	}
	if c := onePass(t, st, cfg); c.Seen != 0 {
		t.Errorf("the cursor stayed behind: %+v", c)
	}
}

func TestSyncer_Pass_UIDValidityChange(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	fill(t, u)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	onePass(t, st, cfg)
	before := contacts(t, st)

	for _, f := range []string{"INBOX", "Sent"} { // made again: another UIDVALIDITY, the same letters
		if err := u.Delete(f); err != nil {
			t.Fatal(err)
		}
		if err := u.Create(f, nil); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, u)
	deliver(t, u, "INBOX", plainLetter(8, bob, anna, "really new", "eight"), letterDay)
	if c := onePass(t, st, cfg); c.Seen != 7 || c.NewContacts != 1 {
		t.Errorf("after the change: %+v", c)
	}
	after := contacts(t, st)
	if len(after) != len(before)+1 {
		t.Fatalf("%d contacts before, %d after", len(before), len(after))
	}
	for i := range before {
		if before[i].ID != after[i].ID || before[i].Body != after[i].Body {
			t.Errorf("contact %q became %q", before[i].Body, after[i].Body)
		}
	}
}

func TestSyncer_Run(t *testing.T) {
	for _, name := range []string{"idle", "poll"} {
		t.Run(name, func(t *testing.T) {
			srv := newMemServer(t, nil)
			u := srv.addUser(t, "anna", "INBOX", "Sent")
			fill(t, u)
			st := newStore(t)
			cfg := boxConfig(srv.Addr, "anna")
			if name == "poll" {
				cfg.Addr = withoutIdle(t, srv.Addr)
			}
			cfg.Manager = "anna"
			start := func() (stop func()) {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- New(st, []Config{cfg}, testOptions(t)).Run(ctx) }()
				return func() {
					cancel()
					select {
					case err := <-ended:
						if err != nil {
							t.Errorf("Run = %v", err)
						}
					case <-time.After(10 * time.Second):
						t.Fatal("Run does not end")
					}
				}
			}
			stop := start()
			eventually(t, "the first pass", func() bool { return len(letters(t, st)) == 6 })
			deliver(t, u, "INBOX", plainLetter(10, bob, anna, "news", "x"), letterDay)
			eventually(t, "a new letter in INBOX", func() bool { return len(contacts(t, st)) == 4 })
			deliver(t, u, "Sent", plainLetter(11, anna, bob, "Re: news", "x"), letterDay)
			eventually(t, "a new letter in Sent", func() bool { return len(contacts(t, st)) == 5 })
			stop()

			deliver(t, u, "INBOX", plainLetter(12, bob, anna, "while away", "x"), letterDay)
			stop = start()
			eventually(t, "what came while away", func() bool { return len(contacts(t, st)) == 6 })
			stop()
			if n := len(letters(t, st)); n != 9 {
				t.Errorf("%d outcomes, want 9", n)
			}
			states, err := st.MailboxStates(t.Context())
			if err != nil || len(states) != 1 || states[0].LastError != "" || states[0].LastSuccess.IsZero() {
				t.Errorf("state = %+v, %v", states, err)
			}
		})
	}
}

func TestSyncer_Run_OneBrokenMailboxStopsNothing(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	srv.addUser(t, "boris", "INBOX", "Sent")
	st := newStore(t)
	good, bad := boxConfig(srv.Addr, "anna"), boxConfig(srv.Addr, "boris")
	var mended atomic.Bool
	var tries atomic.Int64
	bad.Password = func() (string, error) {
		tries.Add(1)
		if mended.Load() {
			return "secret", nil
		}
		return "wrong", nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{bad, good}, testOptions(t)).Run(ctx) }()
	state := func(name string) store.MailboxState {
		states, err := st.MailboxStates(context.WithoutCancel(ctx))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(states, func(s store.MailboxState) bool { return s.Name == name })
		if i < 0 {
			return store.MailboxState{}
		}
		return states[i]
	}
	eventually(t, "the failure is noted and the login tried again", func() bool {
		return strings.Contains(state("boris").LastError, "login: imap: NO") && tries.Load() > 2
	})
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "meanwhile", "x"), letterDay)
	eventually(t, "the other mailbox goes on", func() bool { return subjects(t, st) == "meanwhile" })
	mended.Store(true)
	eventually(t, "the mended password is taken up", func() bool {
		s := state("boris")
		return s.LastError == "" && !s.LastSuccess.IsZero()
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSyncer_Pass_MissingFolderIsAnError(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "still read", "x"), letterDay)
	st := newStore(t)
	counts, err := New(st, []Config{boxConfig(srv.Addr, "anna")}, testOptions(t)).Pass(t.Context(), "anna")
	var missing *folderError
	if !errors.As(err, &missing) || missing.Folder != `\Sent` || counts[0].NewContacts != 1 {
		t.Errorf("counts %+v, error %v", counts, err)
	}
}

func TestSyncer_Pass_KeywordExcludes(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	raw := plainLetter(1, bob, anna, "private", "x")
	if _, err := u.Append("INBOX", literal{strings.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Flags: []imap.Flag{"NoCRM"}}); err != nil {
		t.Fatal(err)
	}
	deliver(t, u, "INBOX", plainLetter(2, bob, anna, "business", "x"), letterDay)
	st := newStore(t)
	if c := onePass(t, st, boxConfig(srv.Addr, "anna")); c.Skipped[store.Blocked] != 1 || subjects(t, st) != "business" {
		t.Errorf("%+v, captured %s", c, subjects(t, st))
	}
}

// TestSyncer_Run_ManyFolders: more than have a connection of their own.
func TestSyncer_Run_ManyFolders(t *testing.T) {
	srv := newMemServer(t, nil)
	names := []string{"INBOX", "Sent", "Архив", "a", "b/c", "d", "Счета & акты"}
	u := srv.addUser(t, "anna", names...)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Folders = append([]string{`\Sent`}, names...) // Sent twice
	var open atomic.Int64
	p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) {
		open.Store(max(open.Load(), int64(conn)))
		return line, false
	})
	cfg.Addr = p.Addr
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{cfg}, testOptions(t)).Run(ctx) }()
	var want []string
	for i, f := range names {
		deliver(t, u, f, plainLetter(i, bob, anna, f, "x"), letterDay)
		want = append(want, f)
	}
	slices.Sort(want)
	eventually(t, "a letter in every folder", func() bool { return subjects(t, st) == strings.Join(want, ",") })
	deliver(t, u, "Счета & акты", plainLetter(20, bob, anna, "яяя", "x"), letterDay)
	eventually(t, "news in a folder that is looked at in turn", func() bool { return strings.HasSuffix(subjects(t, st), ",яяя") })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := open.Load(); n > ownConns+1 {
		t.Errorf("%d connections for one mailbox", n)
	}
}

// TestSyncer_Pass_ConnectionsPerHost: however many mailboxes start at once.
func TestSyncer_Pass_ConnectionsPerHost(t *testing.T) {
	srv := newMemServer(t, nil)
	st := newStore(t)
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) { return line, false })
	var boxes []Config
	for i := range 20 {
		name := fmt.Sprintf("u%d", i)
		deliver(t, srv.addUser(t, name, "INBOX", "Sent"), "INBOX", plainLetter(i, bob, anna, name, "x"), letterDay)
		boxes = append(boxes, boxConfig(p.Addr, name))
	}
	opt := testOptions(t)
	opt.PerHost = 2
	if _, err := New(st, boxes, opt).Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if n := len(contacts(t, st)); n != 20 {
		t.Errorf("%d contacts, want 20", n)
	}
	if most := p.mostAtOnce(); most > 3 { // one may still be closing
		t.Errorf("%d connections at once, 2 allowed", most)
	}
}
