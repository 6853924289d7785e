package mailsync

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// A mailbox is read from the newest letters on, of each folder first the
// newest; what is interrupted goes on where it was.
func TestSyncer_Pass_NewestFirst(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	const inbox, sent = firstLetters + 2*batchLetters, firstLetters + batchLetters
	for i := range inbox {
		deliver(t, u, "INBOX", plainLetter(i, bob, anna, fmt.Sprint("in ", i), "x"), letterDay.Add(time.Duration(i)*time.Second))
	}
	for i := range sent {
		deliver(t, u, "Sent", plainLetter(10_000+i, anna, bob, fmt.Sprint("out ", i), "x"), letterDay.Add(time.Duration(i)*time.Second))
	}
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	opt := testOptions(t)
	interrupted := func(batches int) map[string][]uint32 {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opt.Progress = func(string, int, int) {
			if batches--; batches == 0 {
				cancel()
			}
		}
		New(st, []Config{cfg}, opt).Pass(ctx, "")
		uids := map[string][]uint32{}
		for _, l := range letters(t, st) {
			uids[l.Folder] = append(uids[l.Folder], l.UID)
		}
		for _, list := range uids {
			slices.Sort(list)
		}
		return uids
	}
	got := interrupted(1)
	if list := got["INBOX"]; len(list) < firstLetters || list[0] != inbox-uint32(len(list))+1 || list[len(list)-1] != inbox || list[0] == 1 {
		t.Errorf("after the first batch INBOX has %d letters, from %d to %d", len(list), list[0], list[len(list)-1])
	}
	// Another letter came; the next pass takes it, then the newest of Sent.
	deliver(t, u, "INBOX", plainLetter(inbox, bob, anna, "new", "x"), letterDay.AddDate(0, 0, 2))
	got = interrupted(3)
	if list := got["INBOX"]; !slices.Contains(list, inbox+1) || slices.Contains(list, 1) {
		t.Errorf("INBOX has %d letters, from %d to %d", len(list), list[0], list[len(list)-1])
	}
	if list := got["Sent"]; len(list) < firstLetters || list[len(list)-1] != sent || list[0] == 1 {
		t.Errorf("Sent has %d letters, from %d to %d", len(list), list[0], list[len(list)-1])
	}
	opt.Progress = nil
	if _, err := New(st, []Config{cfg}, opt).Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if n := len(contacts(t, st)); n != inbox+1+sent {
		t.Errorf("%d contacts, want %d", n, inbox+1+sent)
	}
	if c := onePass(t, st, cfg); c.Seen != 0 || c.Folders != 2 {
		t.Errorf("nothing is left, yet %+v", c)
	}
}

// Who is registered later brings in the past letters of the mailboxes, and
// nothing else is read again.
func TestSyncer_Pass_RegisteredLater(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, "Kim <kim@new.test>", anna, "first", "hello from Kim"), letterDay)
	deliver(t, u, "INBOX", plainLetter(2, bob, anna, "known", "x"), letterDay)
	deliver(t, u, "INBOX", plainLetter(3, "sales@new.test", anna, "from the domain", "x"), letterDay)
	deliver(t, u, "INBOX", plainLetter(4, "other@far.test", anna, "nobody", "x"), letterDay)
	deliver(t, u, "INBOX", plainLetter(5, "kim@new.test.example", anna, "looks alike", "x"), letterDay)
	deliver(t, u, "Sent", plainLetter(6, anna, "kim@new.test", "answer", "x"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	if c := onePass(t, st, cfg); c.Captured != 1 {
		t.Fatalf("%+v", c)
	}
	register := func(rows ...store.ClientRow) {
		t.Helper()
		if err := st.Import(t.Context(), store.Actor{}, false, func(im *store.Import) error {
			for _, row := range rows {
				if _, err := im.Client(row); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	register(store.ClientRow{ID: "c2", Name: "New", Manager: "anna", Emails: []string{"kim@new.test"}})
	if c := onePass(t, st, cfg); c.Seen != 0 || c.Recalled != 2 || c.NewContacts != 2 {
		t.Errorf("after the address: %+v", c)
	}
	if got := subjects(t, st); got != "answer,first,known" {
		t.Errorf("captured %q", got)
	}
	for _, c := range contacts(t, st) {
		if c.Subject == "first" && c.Body != "hello from Kim" {
			t.Errorf("the text of the past letter is %q", c.Body)
		}
	}
	// A domain, and more at once than are looked up one by one.
	rows := []store.ClientRow{{ID: "c3", Name: "New too", Manager: "anna", Domains: []string{"new.test"}}}
	for i := range 40 {
		rows = append(rows, store.ClientRow{ID: fmt.Sprint("m", i), Name: fmt.Sprint("Many ", i), Manager: "anna", Emails: []string{fmt.Sprintf("m%d@many.test", i)}})
	}
	register(rows...)
	onePass(t, st, cfg)
	if got := subjects(t, st); got != "answer,first,from the domain,known" {
		t.Errorf("after the domain: %q", got)
	}
	if c := onePass(t, st, cfg); c.Seen != 0 || c.Recalled != 0 {
		t.Errorf("looked up again: %+v", c)
	}
	for _, l := range letters(t, st) {
		if len(l.Contacts) > 1 {
			t.Errorf("letter %d has contacts %v", l.UID, l.Contacts)
		}
	}

	// While mailboxes are followed it takes seconds.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	opt := testOptions(t)
	opt.Silence = time.Minute // IDLE is not renewed meanwhile: it is nudged
	sy := New(st, []Config{cfg}, opt)
	go func() { ended <- sy.Run(ctx) }()
	eventually(t, "the mailbox is followed", func() bool {
		states, err := st.MailboxStates(t.Context())
		return err == nil && !states[0].LastSuccess.IsZero()
	})
	register(store.ClientRow{ID: "c9", Name: "Far", Manager: "anna", Emails: []string{"other@far.test"}})
	eventually(t, "the past letter of a new client", func() bool { return subjects(t, st) == "answer,first,from the domain,known,nobody" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What answers a letter of a client belongs to that client, though letters are
// read newest first, and INBOX before Sent.
func TestSyncer_Pass_AnswersBeforeWhatTheyAnswer(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	day := func(n int) time.Time { return letterDay.AddDate(0, 0, n) }
	date := func(n int) string { return "Date: " + day(n).Format(time.RFC1123Z) }
	deliver(t, u, "Sent", plainLetter(1, anna, bob, "offer", "x", date(1)), day(1))
	deliver(t, u, "INBOX", plainLetter(2, "aide@else.test", anna, "Re: offer", "to the letter in Sent", date(2), "In-Reply-To: <1@letters.test>"), day(2))
	for i := range batchLetters {
		deliver(t, u, "INBOX", plainLetter(100+i, "noise@far.test", anna, "noise", "x", date(3)), day(3))
	}
	deliver(t, u, "INBOX", plainLetter(3, "third@far.test", anna, "Re: offer", "to the answer", date(4), "In-Reply-To: <2@letters.test>"), day(4))
	deliver(t, u, "INBOX", plainLetter(4, "aide@else.test", anna, "RE: Offer", "by subject and party", date(5)), day(5))
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	onePass(t, st, cfg)
	if got := subjects(t, st); got != "RE: Offer,Re: offer,Re: offer,offer" {
		t.Errorf("captured %q", got)
	}
	for _, c := range contacts(t, st) {
		if c.Thread != "1@letters.test" {
			t.Errorf("%q of %v is in thread %q", c.Subject, c.When.Start, c.Thread)
		}
	}
}

// Clients that are registered one after the other are looked up together, not
// each of them in every mailbox.
func TestSyncer_Run_RegisteredInARow(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX")
	deliver(t, u, "INBOX", plainLetter(1, "Kim <kim@new.test>", anna, "first", "hello from Kim"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager, cfg.Folders = "anna", []string{"INBOX"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var lines lineCounter
	go func() {
		ended <- New(st, []Config{cfg}, Options{Log: slog.New(slog.NewTextHandler(&lines, nil))}).Run(ctx)
	}()
	eventually(t, "the first pass", func() bool {
		states, err := st.MailboxStates(context.WithoutCancel(ctx))
		return err == nil && len(states) == 1 && !states[0].LastSuccess.IsZero()
	})
	before := lines.count("looked up the past letters")
	for i := range 12 {
		if err := st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
			address := fmt.Sprintf("somebody@firm%d.test", i)
			if i == 11 {
				address = "kim@new.test"
			}
			_, err := im.Client(store.ClientRow{ID: fmt.Sprint("row", i), Name: "New", Manager: "anna", Emails: []string{address}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	eventually(t, "the letter of the last one", func() bool { return subjects(t, st) == "first" })
	// Once, where the machine keeps up with the pace; a slow one pauses between
	// two clients for longer than a program would.
	if n := lines.count("looked up the past letters") - before; n < 1 || n > 4 {
		t.Errorf("looked up %d times for 12 clients", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A letter that another process wants decided anew is looked at without a
// change in this one, and without its folder being asked for by itself.
func TestSyncer_Run_RecalledElsewhere(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "first", "hello"), letterDay)
	file := filepath.Join(t.TempDir(), "intouch.db")
	st, other := newStoreAt(t, file), newStoreAt(t, file)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	opt := testOptions(t)
	opt.Silence = 300 * time.Millisecond
	go func() { ended <- New(st, []Config{cfg}, opt).Run(ctx) }()
	eventually(t, "the first pass", func() bool { return subjects(t, st) == "first" })
	states, err := other.MailboxStates(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := other.OpenFolder(ctx, states[0].ID, "INBOX", letters(t, other)[0].UIDValidity)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RecallMissing(ctx, inbox, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	if ids, err := other.RecalledMailboxes(ctx); err != nil || !slices.Equal(ids, []int64{states[0].ID}) {
		t.Errorf("recalled in %v, %v", ids, err)
	}
	eventually(t, "the letter to be decided anew", func() bool {
		ids, err := other.RecalledMailboxes(ctx)
		return err == nil && len(ids) == 0
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// lineCounter counts lines of a log.
type lineCounter struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *lineCounter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *lineCounter) count(words string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.text.String(), words)
}
