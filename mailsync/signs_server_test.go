package mailsync

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intouch/store"
)

// renderedStore is newStore with a renderer, as meetings need it.
func renderedStore(t testing.TB) *store.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signs.db")
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + file,
		Render: func(v *store.EntryView) []byte { return fmt.Append(nil, v.UID, v.Version) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	fillStore(t, st)
	return st
}

// invitationWith is an invitation whose boundary is named.
func invitationWith(boundary, method string, sequence int) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: Meeting\r\nMessage-ID: <m%d-%s@freemail.test>\r\nDate: %s\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%[6]s\r\nContent-Type: text/plain\r\n\r\nMeet\r\n"+
		"--%[6]s\r\nContent-Type: text/calendar; method=%[4]s\r\n\r\n%[4]s %[3]d\r\n--%[6]s--\r\n", bob, anna, sequence, method, letterDay.Format("Mon, 02 Jan 2006 15:04:05 -0700"), boundary)
}

// readPlainInvitation reads "METHOD sequence": iCalendar is not mailsync's.
func readPlainInvitation(raw []byte) (store.Invitation, error) {
	in := store.Invitation{UID: "1@freemail.test", Whole: true, Title: "Meeting"}
	_, err := fmt.Sscan(string(raw), &in.Method, &in.Revision.Sequence)
	in.When = store.Span{Start: letterDay.AddDate(70, 0, int(in.Revision.Sequence)), End: letterDay.AddDate(70, 0, int(in.Revision.Sequence))}
	return in, err
}

// TestSigns_OverIMAP reads an invitation, its update and bounces, once with
// their structure and once where the server's cannot be parsed and the letters
// are read whole.
func TestSigns_OverIMAP(t *testing.T) {
	report, err := os.ReadFile("testdata/bounce/postfix.eml")
	if err != nil {
		t.Fatal(err)
	}
	bounce := strings.ReplaceAll(strings.ReplaceAll(string(report), "\n", "\r\n"), "8F2A1C0031.1764000005/mx.vector.test", "POISON")
	bounce = strings.ReplaceAll(strings.ReplaceAll(bounce, "olga@romashka.test", "bob@freemail.test"), "Olga@Romashka.test", "bob@freemail.test")
	for _, poisoned := range []bool{false, true} {
		t.Run(fmt.Sprint("poisoned ", poisoned), func(t *testing.T) {
			srv := newMemServer(t, nil)
			u := srv.addUser(t, "anna", "INBOX", "Sent")
			deliver(t, u, "INBOX", invitationWith("POISON", "REQUEST", 2), letterDay)
			deliver(t, u, "INBOX", invitationWith("POISON", "REQUEST", 1), letterDay)
			deliver(t, u, "INBOX", bounce, letterDay.AddDate(0, 0, 4))
			deliver(t, u, "Sent", strings.Replace(plainLetter(9, anna, bob, "offer", "Hello"), "<9@letters.test>", "<offer-1@vector.test>", 1), letterDay)
			addr := srv.Addr
			if poisoned {
				addr = newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
					return strings.NewReplacer(`"boundary" "POISON"`, `"boundary" NIL`).Replace(line), false
				}).Addr
			}
			st := renderedStore(t)
			opt := testOptions(t)
			opt.Signs.ReadInvitation = readPlainInvitation
			counts, err := New(st, []Config{boxConfig(addr, "anna")}, opt).Pass(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if c := counts[0]; c.Captured != 3 || c.Skipped[store.Automatic] != 1 {
				t.Errorf("%+v", c)
			}
			meetings := 0
			for _, c := range contacts(t, st) {
				switch {
				case c.Kind == store.Meeting:
					meetings++
					if c.State != store.Planned || c.When.Start.Day() != letterDay.Day()+2 {
						t.Errorf("the meeting: %s %s", c.State, c.When.Start)
					}
				case c.Subject == "offer":
					if len(c.Signs) != 2 || c.Signs[0].Kind != store.SignBounced || c.Signs[0].Who != "bob@freemail.test" {
						t.Errorf("the offer: %+v", c.Signs)
					}
				}
			}
			if meetings != 1 {
				t.Errorf("%d meetings", meetings)
			}
			if err := st.EachPerson(t.Context(), func(p *store.PersonRow) error {
				if len(p.Bounced) != 1 {
					t.Errorf("the person: %+v", p)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSigns_RegisteredLater: the invitation of somebody who becomes a client
// later makes its meeting then.
func TestSigns_RegisteredLater(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	raw := strings.ReplaceAll(invitationWith("b", "REQUEST", 1), bob, "New <new@late.test>")
	deliver(t, u, "INBOX", raw, letterDay)
	st := renderedStore(t)
	opt := testOptions(t)
	opt.Signs.ReadInvitation = readPlainInvitation
	pass := func() (meetings int) {
		t.Helper()
		if _, err := New(st, []Config{boxConfig(srv.Addr, "anna")}, opt).Pass(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		for _, c := range contacts(t, st) {
			if c.Kind == store.Meeting && c.ClientExternalID == "late" {
				meetings++
			}
		}
		return meetings
	}
	if n := pass(); n != 0 {
		t.Errorf("%d meetings with a stranger", n)
	}
	if err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "late", Name: "Late", Manager: "anna", Domains: []string{"late.test"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n := pass(); n != 1 {
			t.Errorf("%d meetings", n)
		}
	}
}
