package mailsync

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"intouch/store"
)

// mboxOf writes letters as an mboxrd.
func mboxOf(letters ...string) string {
	var b strings.Builder
	for _, l := range letters {
		b.WriteString("From - Mon Nov 23 10:15:00 2026\n")
		for line := range strings.Lines(strings.ReplaceAll(l, "\r\n", "\n")) {
			if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
				b.WriteByte('>')
			}
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func importMbox(t testing.TB, st *store.Store, opt ArchiveOptions, text string) ArchiveSummary {
	t.Helper()
	opt.Manager, opt.Folder, opt.Log = "anna", "old.mbox", quiet(t)
	sum, err := ImportMbox(t.Context(), st, opt, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func withoutID(raw string) string {
	i := strings.Index(raw, "Message-ID:")
	return raw[:i] + raw[i+strings.Index(raw[i:], "\n")+1:]
}

// archiveLetters are of every outcome; one has no Message-ID, and a text that
// an mbox quotes.
func archiveLetters() []string {
	return []string{
		plainLetter(1, bob, anna, "by address", "one"),
		plainLetter(2, anna, "x@acme.test", "by domain", "two"),
		plainLetter(3, "boris@vector.test", anna, "internal", "three"),
		plainLetter(4, "lead@later.test", anna, "unknown", "four"),
		plainLetter(5, "news@acme.test", anna, "automatic", "five", "Precedence: bulk"),
		withoutID(plainLetter(6, bob, anna, "nameless", "begin\r\nFrom here on\r\n>From there")),
		plainLetter(7, "aide@elsewhere.test", anna, "Re: by address", "seven", "In-Reply-To: <1@letters.test>"),
		plainLetter(8, bob, anna, "kept out", "eight", "X-Mozilla-Keys: nocrm $label1"),
		plainLetter(9, bob, anna, "deleted", "nine", "X-Mozilla-Status: 0009"),
	}
}

func TestImportMbox(t *testing.T) {
	st := newStore(t)
	text := mboxOf(archiveLetters()...)
	want := ArchiveSummary{Letters: 9, Captured: 4, NewContacts: 4, Deleted: 1,
		Skipped: map[store.Reason]int{store.Internal: 1, store.Unknown: 1, store.Automatic: 1, store.Blocked: 1}}
	check := func(what string, got, want ArchiveSummary) {
		t.Helper()
		for reason, n := range got.Skipped {
			if n == 0 {
				delete(got.Skipped, reason)
			}
		}
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b && !(maps.Equal(got.Skipped, want.Skipped) && strings.Split(a, "Skipped")[0] == strings.Split(b, "Skipped")[0]) {
			t.Errorf("%s:\n%s, want\n%s", what, a, b)
		}
	}
	check("dry", importMbox(t, st, ArchiveOptions{DryRun: true}, text), want)
	if n := len(letters(t, st)); n != 0 {
		t.Fatalf("a dry run recorded %d letters", n)
	}
	check("once", importMbox(t, st, ArchiveOptions{}, text), want)
	all := subjects(t, st)
	if all != "Re: by address,by address,by domain,nameless" {
		t.Errorf("captured %s", all)
	}
	seen := letters(t, st)
	if len(seen) != 8 || seen[0].Mailbox != "mbox:anna" || seen[0].Folder != "old.mbox" || seen[7].UID != 8 {
		t.Errorf("recorded %+v", seen)
	}
	again := ArchiveSummary{Letters: 9, Deleted: 1, Known: 8, Skipped: map[store.Reason]int{}}
	check("twice", importMbox(t, st, ArchiveOptions{}, text), again)

	// The file was compacted and has grown: all positions have changed.
	rest := append(archiveLetters()[2:], plainLetter(10, bob, anna, "new", "ten"))
	if s := importMbox(t, st, ArchiveOptions{}, mboxOf(rest...)); s.Captured != 1 || s.Known != 6 {
		t.Errorf("compacted: %+v", s)
	}
	// The unknown sender is a client by now.
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c2", Name: "Later", Domains: []string{"later.test"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := importMbox(t, st, ArchiveOptions{}, text); s.Captured != 1 || s.NewContacts != 1 || s.Known != 7 {
		t.Errorf("after the client came: %+v", s)
	}
	if n := len(letters(t, st)); n != 9 {
		t.Errorf("%d letters recorded, want 9", n)
	}
	// The archive is no mailbox to be watched.
	if states, err := st.MailboxStates(t.Context()); err != nil || len(states) != 0 {
		t.Errorf("%+v, %v", states, err)
	}
}

// TestImportMbox_AndIMAP: whichever comes first, a letter is one contact.
func TestImportMbox_AndIMAP(t *testing.T) {
	for _, first := range []string{"mbox", "imap"} {
		srv := newMemServer(t, nil)
		u := srv.addUser(t, "boris", "INBOX", "Sent")
		for _, l := range archiveLetters()[:7] {
			deliver(t, u, "INBOX", l, letterDay)
		}
		st := newStore(t)
		cfg := boxConfig(srv.Addr, "boris")
		cfg.Manager = "boris"
		if first == "imap" {
			onePass(t, st, cfg)
		}
		importMbox(t, st, ArchiveOptions{}, mboxOf(archiveLetters()...))
		if first == "mbox" {
			onePass(t, st, cfg)
		}
		all := contacts(t, st)
		if len(all) != 4 {
			t.Errorf("%s first: %s", first, subjects(t, st))
		}
		for _, c := range all {
			if len(c.ManagerLogins) != 2 {
				t.Errorf("%s first: %s has managers %v", first, c.Subject, c.ManagerLogins)
			}
			if c.Subject == "nameless" && c.Body != "begin\nFrom here on\nFrom there" && c.Body != "begin\nFrom here on" {
				t.Errorf("%s first: %q", first, c.Body)
			}
		}
	}
}

// A long archive goes in several transactions, and threads go on across them.
func TestImportMbox_Batches(t *testing.T) {
	st := newStore(t)
	var all []string
	for i := range archiveBatch + 50 {
		all = append(all, plainLetter(i, bob, anna, fmt.Sprint("letter ", i), "x"))
	}
	all = append(all, plainLetter(99999, "aide@elsewhere.test", anna, "Re: letter 3", "x", "In-Reply-To: <3@letters.test>"))
	said := 0
	sum := importMbox(t, st, ArchiveOptions{Progress: func(n int, b int64) { said = n }}, mboxOf(all...))
	if sum.Captured != archiveBatch+51 || said != sum.Letters {
		t.Errorf("%+v, progress %d", sum, said)
	}
}
