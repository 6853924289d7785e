package mailsync

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"intouch/store"
)

// Nothing is decided before all of an excluding folder is known, its past too.
func TestSyncer_Pass_ExcludedPast(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent", "Private")
	private := plainLetter(1, bob, "anna@vector.test", "private", "x")
	deliver(t, a, "INBOX", private, letterDay)
	deliver(t, a, "Private", private, letterDay)
	for i := range firstLetters {
		deliver(t, a, "Private", plainLetter(10+i, bob, anna, fmt.Sprint("p", i), "x"), letterDay)
	}
	st := newStore(t)
	ca := boxConfig(srv.Addr, "anna")
	ca.Manager, ca.Exclude = "anna", []string{"Private"}
	onePass(t, st, ca)
	if got := subjects(t, st); got != "" {
		t.Errorf("captured %q", got)
	}
}

// register makes or changes a client.
func registerClient(t *testing.T, st *store.Store, row store.ClientRow) {
	t.Helper()
	if err := st.Import(t.Context(), store.Actor{}, false, func(im *store.Import) error { _, err := im.Client(row); return err }); err != nil {
		t.Fatal(err)
	}
}

// Whose letter was forwarded stands in no header that a server could search.
func TestDropbox_StrangerRegisteredLater(t *testing.T) {
	h := newDropbox(t)
	fwd := strings.ReplaceAll(gmailForward, "bob@freemail.test", "lead@nowhere.test")
	deliver(t, h.crm, "INBOX", h.letter(anna, "crm@vector.test", "Fwd: Prices", fwd), letterDay)
	h.pass("crm")
	registerClient(t, h.st, store.ClientRow{ID: "c9", Name: "Lead", Manager: "anna", Emails: []string{"lead@nowhere.test"}})
	h.pass("crm")
	if len(h.shown()) != 1 {
		t.Errorf("shown %q", h.shown())
	}
}

// The search for past letters finds what the rules would: plus-tags, and with
// parent domains what lies below.
func TestSyncer_Pass_RegisteredLaterTagged(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, a, "INBOX", plainLetter(1, "kim+shop@new.test", anna, "tagged", "x"), letterDay)
	deliver(t, a, "INBOX", plainLetter(2, "bo@mail.far.test", anna, "below", "x"), letterDay)
	st := newStore(t)
	ca := boxConfig(srv.Addr, "anna")
	ca.Manager = "anna"
	opt := testOptions(t)
	opt.Rules.ParentDomains = true
	pass := func() {
		if _, err := New(st, []Config{ca}, opt).Pass(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	registerClient(t, st, store.ClientRow{ID: "c8", Name: "New", Manager: "anna", Emails: []string{"kim@new.test"}})
	registerClient(t, st, store.ClientRow{ID: "c9", Name: "Far", Manager: "anna", Domains: []string{"far.test"}})
	pass()
	if got := subjects(t, st); got != "below,tagged" {
		t.Errorf("captured %q", got)
	}
}

// Of two authors nobody knows of which one the server spoke, and a failure of
// our server counts in whichever of its fields it stands.
func TestDropbox_Forged(t *testing.T) {
	h := newDropbox(t)
	for i, fields := range [][]string{
		{"Authentication-Results: mx.vector.test; dkim=none", "Authentication-Results: mx.vector.test; dmarc=fail header.from=vector.test"},
		{"Authentication-Results: mx.vector.test; dmarc=pass header.from=evil.test; spf=fail smtp.mailfrom=vector.test", "From: x@evil.test"},
		{"Authentication-Results: mx.vector.test; dmarc=pass header.from=evil.test; spf=fail smtp.mailfrom=vector.test"},
	} {
		deliver(t, h.crm, "INBOX", h.letter(anna, fmt.Sprintf("crm+%dd@vector.test", i+2), "Fwd: Prices", gmailForward, fields...), letterDay)
		h.pass("crm")
		if got := h.shown(); len(got) != 0 {
			t.Errorf("%q: obeyed, %q", fields, got)
		}
	}
}

// Without a UIDVALIDITY a UID means another letter at the next connection.
func TestSyncer_ZeroValidity(t *testing.T) {
	st := newStore(t)
	ctx := t.Context()
	m, err := st.SaveMailbox(ctx, "anna", "anna")
	if err != nil {
		t.Fatal(err)
	}
	f, err := st.OpenFolder(ctx, m.ID, "INBOX", 0)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := st.Parties(ctx)
	c := p.ByDomain["acme.test"]
	file := func(key string) store.Filed {
		n, err := st.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{{UID: 1, Key: key, MessageID: "<" + key + ">", Date: letterDay, Outcome: store.Captured, Direction: store.In, Clients: c, Subject: key, Addresses: []string{"x@acme.test"}}}, Read: store.Cursor{First: 1, Last: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, key := range []string{"a@x", "a@x", "b@x"} {
		file(key)
	}
	if got := subjects(t, st); got != "a@x,b@x" {
		t.Errorf("captured %q", got)
	}
}

// While a server gives no letters though it takes logins, letters may be given
// up; the audit names them, and reads them when they can be had again.
func TestSyncer_Audit_GivenUp(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent")
	for i := range 3 {
		deliver(t, a, "INBOX", plainLetter(1+i, bob, anna, fmt.Sprint("letter ", i), "x"), letterDay)
	}
	var up atomic.Bool
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		if !up.Load() && strings.HasPrefix(line, "* ") && strings.Contains(line, " FETCH (") {
			return "", true
		}
		return line, false
	})
	st := newStore(t)
	cfg := boxConfig(p.Addr, "anna")
	cfg.Manager = "anna"
	opt := testOptions(t)
	opt.retryMin, opt.retryMax = 1, 2
	sy := New(st, []Config{cfg}, opt)
	for range 40 {
		if sy.Pass(t.Context(), ""); len(letters(t, st)) > 0 {
			break
		}
	}
	if len(letters(t, st)) == 0 {
		t.Fatal("nothing was given up")
	}
	up.Store(true)
	if _, err := sy.Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if as, err := sy.Audit(t.Context(), "", false); err != nil || len(as[0].Missing) == 0 {
		t.Errorf("%+v, %v", as, err)
	}
	if as, err := sy.Audit(t.Context(), "", true); err != nil || len(as[0].Missing) != 0 || as[0].Repaired == 0 {
		t.Errorf("repaired: %+v, %v", as, err)
	}
	if got := subjects(t, st); got != "letter 0,letter 1,letter 2" {
		t.Errorf("captured %q", got)
	}
}

// A panic over a letter ends neither the daemon nor the mailbox.
func TestSyncer_Panic(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, a, "INBOX", plainLetter(1, bob, anna, "before", "x"), letterDay)
	deliver(t, a, "INBOX", strings.Replace(plainLetter(2, bob, anna, "bad", "x"), "text/plain", "text/calendar", 1), letterDay)
	deliver(t, a, "INBOX", plainLetter(3, bob, anna, "after", "x"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	opt := testOptions(t)
	opt.Signs.ReadInvitation = func([]byte) (store.Invitation, error) { panic("library") }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- New(st, []Config{cfg}, opt).Run(ctx) }()
	eventually(t, "all letters", func() bool { return subjects(t, st) == "after,bad,before" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What a batch of structures holds is bounded, whatever strangers put in them.
func TestSession_EnvelopesBounded(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent")
	many := strings.Repeat("--b\r\nContent-Type: text/plain; name=a.txt\r\n\r\nx\r\n", 900)
	for i := range 20 {
		raw := plainLetter(1+i, "stranger@far.test", anna, "x", "x")
		head := raw[:strings.Index(raw, "MIME-Version")] + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		deliver(t, a, "INBOX", head+"--b\r\nContent-Type: text/plain; x="+strings.Repeat("x", 300_000)+"\r\n\r\nsee\r\n"+many+"--b--\r\n", letterDay)
	}
	s := login(t, boxConfig(srv.Addr, "anna"), patience{dial: dialTime, silence: dialTime, answer: answerTime})
	if _, err := s.examine("INBOX"); err != nil {
		t.Fatal(err)
	}
	uids, _, err := s.search(1, 0, 1000, upwards)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for len(uids) > 0 {
		got, rest, err := s.envelopes(uids, withStructure, batchHeaders)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range got {
			n += len(e.Header) + e.Root.weight()
		}
		held = max(held, n)
		uids = uids[len(uids)-rest:]
	}
	if held == 0 || held > 2*batchHeaders {
		t.Errorf("%d bytes are held at once", held)
	}
}
