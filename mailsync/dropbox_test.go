package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"intouch/store"
)

func TestPlusWords(t *testing.T) {
	h := ReadHeader([]byte(strings.Join([]string{"From: anna@vector.test", "To: CRM+3D@Vector.test, crm@vector.test, other+1d@vector.test",
		"Cc: crm+src-Expo-2026+done@vector.test", "Bcc: crm+3d@vector.test"}, "\r\n")+"\r\n\r\n"), received)
	raw := strings.Join([]string{
		"Delivered-To: crm+monday@vector.test", "X-Original-To: <crm+2w@vector.test>", "Envelope-to: crm+1m@vector.test",
		"Received: from a (b) by mx.vector.test with ESMTP id 1 for <crm+tomorrow@vector.test>; Fri, 20 Nov 2026 12:00:00 +0300",
		"Received: from x by y for crm+call@vector.test;", "Received: by z for <crm+9999999d@vector.test>"}, "\r\n") + "\r\n\r\n"
	var got []string
	for _, w := range plusWords(h, readTrace([]byte(raw)), "crm@vector.test") {
		got = append(got, fmt.Sprintf("%s %q", w.Text, w.Verb))
	}
	want := `3d "plan", src-expo-2026 "source", done "done", monday "plan", 2w "plan", 1m "plan", tomorrow "plan", call "call", 9999999d ""`
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// dropboxHouse is a store with a lead source and a shared mailbox that is a
// dropbox, beside Anna's.
type dropboxHouse struct {
	t    testing.TB
	st   *store.Store
	srv  *memServer
	crm  *imapmemserver.User
	anna *imapmemserver.User
	n    int
	opt  Options
}

func newDropbox(t testing.TB) *dropboxHouse {
	h := &dropboxHouse{t: t, st: newStore(t), srv: newMemServer(t, nil), n: 100, opt: testOptions(t)}
	h.crm, h.anna = h.srv.addUser(t, "crm", "INBOX", "Sent", "Archive"), h.srv.addUser(t, "anna", "INBOX", "Sent")
	h.opt.Rules = Rules{Own: []string{"crm@vector.test"}, AuthservID: "mx.vector.test"}
	err := h.st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		_, err := im.Source(store.SourceRow{ID: "EXPO", Name: "Осенняя выставка"})
		if err == nil {
			_, err = im.Source(store.SourceRow{ID: "7", Name: "Web site"})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *dropboxHouse) boxes() []Config {
	crm, anna := boxConfig(h.srv.Addr, "crm"), boxConfig(h.srv.Addr, "anna")
	crm.Dropbox, crm.Folders = "crm@vector.test", []string{"INBOX", "Archive"}
	anna.Manager = "anna"
	return []Config{crm, anna}
}

// pass reads the mailboxes once, or the one of that name.
func (h *dropboxHouse) pass(name string) []Counts {
	h.t.Helper()
	counts, err := New(h.st, h.boxes(), h.opt).Pass(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return counts
}

// letter is a new letter; extra are further header lines.
func (h *dropboxHouse) letter(from, to, subject, body string, extra ...string) string {
	h.n++
	return plainLetter(h.n, from, to, subject, body, extra...)
}

// shown are the contacts in short: "done letter out Acme anna,boris subject".
func (h *dropboxHouse) shown() []string {
	h.t.Helper()
	var out []string
	for _, c := range contacts(h.t, h.st) {
		who := c.ClientName
		if c.ClientID == 0 {
			who = c.ClientText
		}
		when := ""
		if c.When.AllDay {
			when = " " + string(c.When.First)
		}
		source := ""
		if c.SourceName != "" {
			source = " from " + c.SourceName
		}
		out = append(out, fmt.Sprintf("%s %s %s|%s|%s|%s|%s%s%s", c.State, c.Kind, c.Direction, who, strings.Join(c.ManagerLogins, ","), c.Subject,
			strings.ReplaceAll(c.Body, "\n", " "), when, source))
	}
	slices.Sort(out)
	return out
}

func (h *dropboxHouse) expect(what string, want ...string) {
	h.t.Helper()
	slices.Sort(want)
	if got := h.shown(); !slices.Equal(got, want) {
		h.t.Errorf("%s: got\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestDropbox_BCC(t *testing.T) {
	h := newDropbox(t)
	// Boris writes to Anna's client, with the dropbox in a blind copy.
	raw := h.letter("Boris <boris@vector.test>", bob, "Offer", "40 pallets", "Delivered-To: crm+3d@vector.test")
	deliver(t, h.crm, "INBOX", raw, letterDay)
	h.pass("crm")
	want := []string{"done letter out|Acme|boris|Offer|40 pallets", "planned other none|Acme|boris|Offer| 2026-11-23"}
	h.expect("once", want...)
	for _, c := range contacts(t, h.st) {
		if m, _ := h.st.ManagerByLogin(t.Context(), "boris"); c.ManagerID != m.ID {
			t.Errorf("%s %s: responsible is %d", c.State, c.Subject, c.ManagerID)
		}
	}

	// Delivered once more, to another folder too, and its mailbox re-synced.
	deliver(t, h.crm, "INBOX", raw, letterDay)
	deliver(t, h.crm, "Archive", raw, letterDay)
	h.pass("crm")
	h.expect("redelivered", want...)
	if err := h.crm.Delete("INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := h.crm.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	deliver(t, h.crm, "INBOX", raw, letterDay)
	h.pass("crm")
	h.expect("re-synced", want...)
	// A second copy for another word acts by that word alone.
	deliver(t, h.crm, "INBOX", strings.Replace(raw, "crm+3d@", "crm+done@", 1), letterDay)
	h.pass("crm")
	want[1] = strings.Replace(want[1], "planned", "done", 1)
	h.expect("another word of the letter", want...)
}

// The same letter lies in the sender's Sent folder, read before or after.
func TestDropbox_BCCAndSent(t *testing.T) {
	for _, first := range []string{"crm", "anna"} {
		h := newDropbox(t)
		raw := h.letter(anna, bob, "Offer", "40 pallets")
		deliver(t, h.crm, "INBOX", "X-Original-To: crm+tomorrow+call@vector.test\r\n"+raw, letterDay)
		deliver(t, h.anna, "Sent", "Bcc: crm+tomorrow+call@vector.test\r\n"+raw, letterDay)
		h.pass(first)
		h.pass("")
		h.expect(first+" first", "done letter out|Acme|anna|Offer|40 pallets", "planned call out|Acme|anna|Offer| 2026-11-21")
	}
}

const gmailForward = "please keep\r\n\r\n---------- Forwarded message ---------\r\nFrom: Bob <bob@freemail.test>\r\nDate: Thu, Nov 19, 2026 at 10:15 AM\r\nSubject: Prices\r\nTo: Anna <anna@vector.test>\r\n\r\nWhat would 40 pallets cost?\r\n"

func TestDropbox_Forward(t *testing.T) {
	h := newDropbox(t)
	deliver(t, h.crm, "INBOX", h.letter(anna, "crm+1w+src-expo+frobnicate@vector.test", "Fwd: Prices", gmailForward), letterDay)
	h.pass("crm")
	want := []string{"done letter in|Acme|anna|Prices|What would 40 pallets cost? from Осенняя выставка", "planned other none|Acme|anna|Prices|please keep 2026-11-27"}
	h.expect("inline", want...)
	for _, c := range contacts(t, h.st) {
		rows, err := h.st.History(t.Context(), "contact", c.ID, 10)
		if err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprint(rows)
		if c.State == store.Done && (!strings.Contains(said, "frobnicate") || !strings.Contains(said, "please keep") || c.When.Start.Format("01-02 15:04") != "11-19 07:15") {
			t.Errorf("history %s, at %s", said, c.When.Start)
		}
	}
	card, err := h.st.Clients(t.Context(), store.Manager{Role: store.RoleHead}, "acme", 1)
	if err != nil || card[0].SourceID == 0 {
		t.Errorf("the client's source: %+v, %v", card, err)
	}
	// Forwarded by Boris as well: the same letter, one more manager.
	deliver(t, h.crm, "INBOX", h.letter("boris@vector.test", "crm@vector.test", "Fwd: Prices", gmailForward), letterDay)
	h.pass("crm")
	want[0] = strings.Replace(want[0], "|anna|", "|anna,boris|", 1)
	h.expect("forwarded by a colleague", want...)
	for _, l := range letters(t, h.st) {
		if l.Outcome != store.Captured || len(l.Contacts) != 1 || !strings.HasSuffix(l.MessageID, "@letters.test>") {
			t.Errorf("%+v", l)
		}
	}
}

// attached is a letter that forwards another as an attachment.
func attached(n int, from, to, original string) string {
	head := plainLetter(n, from, to, "Fwd: something", "")
	head = head[:strings.Index(head, "MIME-Version")]
	return head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee\r\n--b\r\n" +
		"Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=x.eml\r\n\r\n" + original + "\r\n--b--\r\n"
}

func TestDropbox_ForwardAsAttachment(t *testing.T) {
	h := newDropbox(t)
	original := plainLetter(1, "New <new@acme.test>", "boris@vector.test", "Question", "How much?")
	deliver(t, h.crm, "INBOX", attached(2, anna, "crm@vector.test", original), letterDay)
	h.pass("crm")
	h.expect("forwarded", "done letter in|Acme|anna,boris|Question|How much?")
	// The original comes over IMAP as well: its Message-ID tells that it is known.
	deliver(t, h.anna, "INBOX", original, letterDay)
	h.pass("anna")
	h.expect("and read over IMAP", "done letter in|Acme|anna,boris|Question|How much?")
	if got := contacts(t, h.st)[0].MessageID; got != "<1@letters.test>" {
		t.Errorf("message id %s", got)
	}
}

func TestDropbox_ForwardOfAStranger(t *testing.T) {
	h := newDropbox(t)
	fwd := strings.ReplaceAll(gmailForward, "bob@freemail.test", "lead@nowhere.test")
	deliver(t, h.crm, "INBOX", h.letter(anna, "crm+2d@vector.test", "Fwd: Prices", fwd), letterDay)
	if c := h.pass("crm"); c[0].Skipped[store.Unknown] != 1 {
		t.Errorf("%+v", c)
	}
	h.expect("planned without a client", "planned other none|Bob <lead@nowhere.test>|anna|Prices|please keep 2026-11-22")
	m, _ := h.st.ManagerByLogin(t.Context(), "anna")
	senders, err := h.st.UnknownSenders(t.Context(), m.ID, letterDay.AddDate(-1, 0, 0), 10)
	if err != nil || len(senders) != 1 || senders[0].Address != "lead@nowhere.test" {
		t.Errorf("offered: %+v, %v", senders, err)
	}
}

func TestDropbox_WhoIsObeyed(t *testing.T) {
	const words = "crm+3d+done@vector.test"
	for _, c := range []struct {
		name, from string
		extra      []string
		obeyed     bool
		outcome    string
	}{
		{"a manager", anna, nil, true, "captured "},
		{"a manager, by a tagged address", "anna+phone@vector.test", nil, true, "captured "},
		{"somebody else of ours", "robot@vector.test", nil, false, "captured "},
		{"a client", bob, nil, false, "captured "},
		{"a stranger", "x@nowhere.test", nil, false, "captured "}, // Bob is in copy
		{"passed", anna, []string{"Authentication-Results: mx.vector.test; spf=pass; dkim=pass; dmarc=pass"}, true, "captured "},
		{"failed", anna, []string{"Authentication-Results: mx.vector.test; dmarc=fail (p=reject) header.from=vector.test"}, false, "skipped unknown"},
		{"failed, with a forged pass below", anna, []string{"Authentication-Results: mx.vector.test; spf=fail", "Authentication-Results: mx.vector.test; spf=pass; dmarc=pass"}, false, "skipped unknown"},
		{"failed, with another server's pass above", anna, []string{"Authentication-Results: mx.evil.test; dmarc=pass", "Authentication-Results: mx.vector.test; dkim=fail"}, false, "skipped unknown"},
		{"another server's failure", anna, []string{"Authentication-Results: mx.evil.test; dmarc=fail"}, true, "captured "},
		{"automatic", anna, []string{"Auto-Submitted: auto-replied"}, false, "skipped automatic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newDropbox(t)
			raw := h.letter(c.from, words+", "+bob, "Hello", "x")
			deliver(t, h.crm, "INBOX", strings.Join(append(c.extra, raw), "\r\n"), letterDay)
			h.pass("crm")
			planned := slices.ContainsFunc(h.shown(), func(s string) bool { return strings.HasPrefix(s, "planned") })
			l := letters(t, h.st)[0]
			if got := fmt.Sprint(l.Outcome, " ", l.Reason); planned != c.obeyed || got != c.outcome {
				t.Errorf("obeyed %v, %s: %v", planned, got, h.shown())
			}
		})
	}
}

// A forged forward brings nothing in.
func TestDropbox_ForgedForward(t *testing.T) {
	h := newDropbox(t)
	raw := "Authentication-Results: mx.vector.test; dmarc=fail\r\n" + h.letter(anna, "crm+3d@vector.test", "Fwd: Prices", gmailForward)
	deliver(t, h.crm, "INBOX", raw, letterDay)
	h.pass("crm")
	h.expect("nothing")
}

func TestDropbox_NotesAmongUs(t *testing.T) {
	h := newDropbox(t)
	deliver(t, h.anna, "INBOX", h.letter(bob, anna, "Prices", "How much?"), letterDay) // 101
	h.pass("anna")
	// An answer to a colleague about the thread, and a note to oneself.
	deliver(t, h.crm, "INBOX", h.letter("boris@vector.test", "anna@vector.test, crm+monday@vector.test", "Re: Prices", "call him", "In-Reply-To: <101@letters.test>"), letterDay)
	deliver(t, h.crm, "INBOX", h.letter(anna, "crm+1m+call@vector.test", "Buy stamps", "x"), letterDay)
	if c := h.pass("crm"); c[0].Skipped[store.Internal] != 2 {
		t.Errorf("%+v", c)
	}
	h.expect("planned", "done letter in|Acme|anna|Prices|How much?", "planned other none|Acme|boris|Prices| 2026-11-23", "planned call out||anna|Buy stamps| 2026-12-20")
}

// Words of letters that are older than a month are left alone.
func TestDropbox_OldLetters(t *testing.T) {
	h := newDropbox(t)
	h.n = -60 * 24 * 60 // minutes from letterDay
	deliver(t, h.crm, "INBOX", h.letter(anna, "crm+3d@vector.test, "+bob, "Long ago", "x"), letterDay.AddDate(0, 0, -60))
	h.pass("crm")
	h.expect("captured only", "done letter out|Acme|anna|Long ago|x")
}
