package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// sendCopy is a delivered mail to a client of which anna's mailbox is to have
// a copy.
func sendCopy(t *testing.T, st *store.Store, n int) string {
	t.Helper()
	raw := plainLetter(n, "Intouch <intouch@vector.test>", bob, "a report", strings.Repeat("x", n), "Auto-Submitted: auto-generated")
	mail := store.Mail{Key: fmt.Sprint(n), MessageID: fmt.Sprintf("<%d@letters.test>", n), From: "intouch@vector.test", To: "bob@freemail.test",
		Subject: "a report", Bytes: []byte(raw), CopyTo: "anna"}
	if err := st.RecordRun(t.Context(), store.Run{Job: "reports", Slot: fmt.Sprint(n), Started: st.Now(), Outcome: "queued"}, mail); err != nil {
		t.Fatal(err)
	}
	due, err := st.SentCopies(t.Context(), "anna", 0, 10)
	if err != nil || slices.ContainsFunc(due, func(c store.SentCopy) bool { return c.MessageID == mail.MessageID }) {
		t.Fatalf("a copy is due before the mail was delivered, %v", err)
	}
	mails, err := st.ClaimMails(t.Context(), 10, time.Hour)
	if err != nil || len(mails) != 1 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	if err := st.MailSent(t.Context(), mails[0].ID); err != nil {
		t.Fatal(err)
	}
	return raw
}

// storeOn is newStore at another time.
func storeOn(t *testing.T, now *time.Time) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + t.TempDir() + "/test.db", Now: func() time.Time { return *now },
		Render: func(*store.EntryView) []byte { return []byte("x") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	fillStore(t, st)
	return st
}

// inFolder reads a folder: each letter as it is, behind its flags and its time.
func inFolder(t *testing.T, cfg Config, folder string) (all []string) {
	t.Helper()
	s := login(t, cfg, patience{dial: dialTime, silence: time.Minute, answer: time.Minute})
	data, err := s.examine(folder)
	if err != nil {
		t.Fatal(err)
	}
	if data.NumMessages == 0 {
		return nil
	}
	letters, err := s.client.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		seen := ""
		for _, f := range l.Flags {
			if strings.EqualFold(string(f), string(imap.FlagSeen)) {
				seen = "seen "
			}
		}
		all = append(all, seen+l.InternalDate.UTC().Format(time.DateOnly)+" "+string(l.BodySection[0].Bytes))
	}
	return all
}

// What was sent in a manager's name comes into the Sent folder once, as it was
// sent, and is no letter to a client.
func TestSentCopy(t *testing.T) {
	srv := newMemServer(t, nil)
	srv.addUser(t, "anna", "INBOX", "Sent")
	testSentCopy(t, boxConfig(srv.Addr, "anna"))
}

func TestDovecot_SentCopy(t *testing.T) {
	testSentCopy(t, dovecotConfig(mailtest.StartDovecot(t), "anna"))
}

func testSentCopy(t *testing.T, cfg Config) {
	now := letterDay // servers take no time that is to come
	st := storeOn(t, &now)
	cfg.Manager, cfg.SentCopy = "anna", true
	onePass(t, st, cfg)
	raw := sendCopy(t, st, 1)
	due, err := st.SentCopies(t.Context(), "anna", 0, 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%d copies are due, %v", len(due), err)
	}
	want := "seen " + st.Now().Format(time.DateOnly) + " " + raw
	check := func() {
		t.Helper()
		if got := inFolder(t, cfg, "Sent"); len(got) != 1 || got[0] != want {
			t.Errorf("%q", got)
		}
		if due, err := st.SentCopies(t.Context(), "anna", 0, 10); err != nil || len(due) != 0 {
			t.Errorf("%d copies are still due, %v", len(due), err)
		}
	}
	if c := onePass(t, st, cfg); c.Err != nil {
		t.Fatal(c.Err)
	}
	check()

	// The daemon died between the server's answer and our note of it.
	m := New(st, []Config{cfg}, testOptions(t)).boxes[0]
	sess, sent, err := m.openSent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sess.Close()
	if there, err := sess.putOnce(sent, due[0]); err != nil || !there {
		t.Fatal(there, err)
	}
	check()
	if c := onePass(t, st, cfg); c.Captured != 0 || c.Skipped[store.Automatic] != 1 {
		t.Errorf("%+v", c)
	}
}

// Without a folder for it a copy waits, and is given up in the end.
func TestSentCopy_NoFolder(t *testing.T) {
	srv := newMemServer(t, nil)
	srv.addUser(t, "anna", "INBOX")
	now := letterDay
	st := storeOn(t, &now)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager, cfg.SentCopy, cfg.Folders = "anna", true, []string{"INBOX"}
	sendCopy(t, st, 1)
	for _, left := range []int{1, 0} {
		if _, err := New(st, []Config{cfg}, testOptions(t)).Pass(t.Context(), ""); err == nil || !strings.Contains(err.Error(), `\Sent: the server has no such folder`) {
			t.Errorf("%v", err)
		}
		if due, err := st.SentCopies(t.Context(), "anna", 0, 10); err != nil || len(due) != left {
			t.Errorf("%d copies are due, %v", len(due), err)
		}
		now = now.Add(store.GiveUp)
	}
}

// A copy is no letter to a client either where all that lies in Sent is
// captured; what the manager sent is.
func TestSentCopy_Included(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager, cfg.Include = "anna", []string{`\Sent`}
	const auto = "Auto-Submitted: auto-generated"
	deliver(t, u, "Sent", strings.Replace(plainLetter(1, "Intouch <intouch@vector.test>", bob, "copy", "x", auto), "<1@letters.test>", "<intouch.0123456789abcdef0123456789abcdef@vector.test>", 1), letterDay)
	deliver(t, u, "Sent", plainLetter(2, anna, bob, "own", "x", auto), letterDay)
	st := newStore(t)
	onePass(t, st, cfg)
	if got := subjects(t, st); got != "own" {
		t.Errorf("captured: %s", got)
	}
}

// A copy that the server refuses, or dies of, waits, says why, and holds up no
// other; it is given up in the end, and only it.
func TestSentCopy_Refused(t *testing.T) {
	for name, c := range map[string]struct{ answer, says string }{
		"full":    {"TAG NO [OVERQUOTA] Quota exceeded\r\n", "append to Sent: imap: NO [OVERQUOTA] Quota exceeded"},
		"closes":  {"", "append to Sent: the server closed the connection"},
		"rubbish": {"* 1 FETCH )\r\n", "append to Sent: in response-data"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex // the server has a goroutine of its own
			appends, got := 0, ""
			seen := func() (int, string) {
				mu.Lock()
				defer mu.Unlock()
				return appends, got
			}
			addr := scripted(t, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n", func(tag, command string) []string {
				reply := "* SEARCH\r\nTAG OK done\r\n"
				switch verb, rest, _ := strings.Cut(command, " "); verb {
				case "AUTHENTICATE", "CAPABILITY":
					reply = "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"
				case "LIST":
					reply = "* LIST () \"/\" Sent\r\nTAG OK done\r\n"
				case "EXAMINE":
					reply = "* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\nTAG OK [READ-ONLY] done\r\n"
				case "APPEND":
					mu.Lock()
					appends++
					got = rest
					mu.Unlock()
					if reply = c.answer; reply == "" {
						return nil
					}
				}
				return []string{strings.ReplaceAll(reply, "TAG", tag)}
			})
			now := letterDay
			st := storeOn(t, &now)
			sendCopy(t, st, 1)
			now = now.Add(time.Hour)
			sendCopy(t, st, 2)
			cfg := boxConfig(addr, "anna")
			cfg.Manager, cfg.SentCopy = "anna", true
			m := New(st, []Config{cfg}, testOptions(t)).boxes[0]
			for pass, left := range []int{2, 1, 0} {
				err := m.copyDue(t.Context())
				_, got := seen()
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(got, `"Sent" (\Seen) "20-Nov-2026 `) {
					t.Errorf("pass %d: %v, after %q", pass, err, got)
				}
				if due, err := st.SentCopies(t.Context(), "anna", 0, 10); err != nil || len(due) != left {
					t.Errorf("pass %d: %d copies are due, %v", pass, len(due), err)
				}
				now = letterDay.Add(store.GiveUp).Add(time.Duration(pass) * time.Hour)
			}
			if appends, _ := seen(); appends != 5 {
				t.Errorf("%d copies were tried, want 2, 2 and 1", appends)
			}
		})
	}
}
