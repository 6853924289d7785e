package mailsync

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intouch/store"
)

func sayBounce(b *store.Bounce) string {
	if b == nil {
		return "nothing\n"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "letter: %s\n", b.Key)
	for _, u := range b.Recipients {
		fmt.Fprintf(&s, "%s status=%s failed=%v dead=%v: %s\n", u.Address, u.Status, u.Failed, u.Dead(), u.Reason)
	}
	return s.String()
}

// TestReadBounce_Files reads the reports in testdata/bounce, written after
// what Postfix, Exim, Exchange, Gmail, Yandex, Mail.ru, qmail and sendmail
// send; each .eml has a .want. The parts are picked as over IMAP.
// UPDATE_GOLDEN=1 writes them anew.
func TestReadBounce_Files(t *testing.T) {
	files, err := filepath.Glob("testdata/bounce/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			l := ReadMessage(raw, received)
			d := Decide(l.Header, testParties(), nil)
			parts := ExtraParts(l.Header, d, testParties(), l.Root)
			bodies := map[string][]byte{}
			for _, p := range parts {
				body := l.bodies[p.Section()]
				bodies[p.Section()] = body[:min(int64(len(body)), p.Limit)]
			}
			f := store.FiledLetter{Outcome: d.Outcome, Reason: d.Reason}
			SignReader{}.Read(&f, l.Header, testParties(), l.Root, bodies)
			got := fmt.Sprintf("%s, %s\nfetch: %s\n%s", d.Reason, l.Header.Automatic(), sections(parts), sayBounce(f.Bounce))
			golden := strings.TrimSuffix(name, ".eml") + ".want"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\n--- want\n%s", got, want)
			}
		})
	}
}

// invitationParts are structures of invitations as mail programs build them.
func TestExtraParts_Invitation(t *testing.T) {
	leaf := func(path int, typ, name, disposition string) *Part {
		return &Part{Path: []int{path}, Type: typ, Name: name, Disposition: disposition, Size: 900}
	}
	multi := func(typ string, parts ...*Part) *Part { return &Part{Type: "multipart/" + typ, Children: parts} }
	large := leaf(2, "text/calendar", "", "")
	large.Size = maxCalendar + 1
	for _, c := range []struct {
		name, want string
		root       *Part
	}{
		{"Google: beside the text, and once more as a file", "3", multi("mixed", multi("alternative", leaf(1, "text/plain", "", ""), leaf(2, "text/html", "", ""), leaf(3, "text/calendar", "", "")), leaf(4, "application/ics", "invite.ics", "attachment"))},
		{"Exchange: beside the text", "3", multi("alternative", leaf(1, "text/plain", "", ""), leaf(2, "text/html", "", ""), leaf(3, "text/calendar", "", ""))},
		{"Yandex: a file", "2", multi("mixed", leaf(1, "text/html", "", ""), leaf(2, "text/calendar", "invite.ics", "attachment"))},
		{"a file without a type", "2", multi("mixed", leaf(1, "text/plain", "", ""), leaf(2, "application/octet-stream", "Invite.ICS", "attachment"))},
		{"the letter itself", "1", leaf(1, "text/calendar", "", "")},
		{"of another letter", "", multi("mixed", leaf(1, "text/plain", "", ""), &Part{Path: []int{2}, Type: "message/rfc822", Children: []*Part{leaf(3, "text/calendar", "", "")}})},
		{"too large", "", multi("mixed", leaf(1, "text/plain", "", ""), large)},
		{"none", "", multi("mixed", leaf(1, "text/plain", "", ""), leaf(2, "application/pdf", "a.pdf", "attachment"))},
		{"unknown structure", "", nil},
	} {
		h := header("From: petr@romashka.test", "To: anna@vector.test")
		if got := sections(ExtraParts(h, Decision{Outcome: store.Captured}, testParties(), c.root)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := sections(ExtraParts(h, Decision{Outcome: store.Skipped, Reason: store.Unknown}, testParties(), c.root)); got != "" {
			t.Errorf("%s, unknown: %q", c.name, got)
		}
	}
}

// Nothing but what is named crosses the wire of letters that are not captured.
func TestExtraParts_Skipped(t *testing.T) {
	root := &Part{Type: "multipart/alternative", Children: []*Part{{Path: []int{1}, Type: "text/plain", Size: 500}, {Path: []int{2}, Type: "text/calendar", Params: map[string]string{"method": "REPLY"}, Size: 500}}}
	plain := &Part{Path: []int{1}, Type: "text/plain", Size: 500}
	for _, c := range []struct {
		name, want string
		root       *Part
		lines      []string
	}{
		{"a client's answer", "2", root, []string{"From: petr@romashka.test", "To: anna@vector.test"}},
		{"our answer", "2", root, []string{"From: anna@vector.test", "To: petr@romashka.test"}},
		{"a stranger's answer", "", root, []string{"From: x@stranger.test", "To: anna@vector.test"}},
		{"an answer among us", "", root, []string{"From: vector.office@gmail.com", "To: anna@vector.test"}},
		{"auto-reply of somebody known", "1", plain, []string{"From: petr@romashka.test", "To: anna@vector.test", "Auto-Submitted: auto-replied", "Precedence: bulk"}},
		{"auto-reply by a subject", "1", plain, []string{"From: petr@romashka.test", "To: anna@vector.test", "Subject: =?utf-8?B?0JDQstGC0L7QvtGC0LLQtdGCOiDQodGH0ZHRgg==?="}},
		{"auto-reply of somebody at a client", "", plain, []string{"From: new@romashka.test", "To: anna@vector.test", "Auto-Submitted: auto-replied"}},
		{"a newsletter of somebody known", "", plain, []string{"From: petr@romashka.test", "To: anna@vector.test", "List-Id: <x.romashka.test>"}},
		{"blocked", "", plain, []string{"From: petr@romashka.test", "To: anna@vector.test", "Cc: lawyer@law.test", "Auto-Submitted: auto-replied"}},
	} {
		h := header(c.lines...)
		h.Inspect(c.root)
		d := Decide(h, testParties(), nil)
		if got := sections(ExtraParts(h, d, testParties(), c.root)); got != c.want {
			t.Errorf("%s: %q, want %q (%s %s)", c.name, got, c.want, d.Reason, d.Detail)
		}
	}
}

// A letter in does not move a meeting to which we invited.
func TestSignReader_Organizer(t *testing.T) {
	for _, c := range []struct {
		organizer string
		direction store.Direction
		want      bool
	}{
		{"petr@romashka.test", store.In, true}, {"", store.In, true}, {"anna@vector.test", store.In, false},
		{"anna@vector.test", store.Out, true}, {"petr@romashka.test", store.Out, true},
	} {
		r := SignReader{ReadInvitation: func([]byte) (store.Invitation, error) {
			return store.Invitation{Method: store.InvitationCancel, UID: "1", Organizer: c.organizer}, nil
		}}
		f := store.FiledLetter{Outcome: store.Captured, Direction: c.direction}
		root := &Part{Path: []int{1}, Type: "text/calendar"}
		r.Read(&f, header("From: x@y.test"), testParties(), root, map[string][]byte{"1": []byte("x")})
		if (f.Invitation != nil) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

func TestCalendarBytes(t *testing.T) {
	for _, c := range []struct{ encoding, charset, body, want string }{
		{"base64", "utf-8", "0JLRgdGC0YDQtdGH0LA=", "Встреча"},
		{"quoted-printable", "UTF-8", "=D0=92=D1=81=\r\n=D1=82", "Вст"},
		{"8bit", "windows-1251", "\xc2\xf1\xf2\xf0\xe5\xf7\xe0", "Встреча"},
		{"7bit", "", "SUMMARY:\xd0\r\n \x92", "SUMMARY:\xd0\r\n \x92"}, // folded within a character
	} {
		if got := string(calendarBytes(&Part{Encoding: c.encoding, Params: map[string]string{"charset": c.charset}}, []byte(c.body))); got != c.want {
			t.Errorf("%s %s: %q", c.encoding, c.charset, got)
		}
	}
}

func FuzzReadBounce(f *testing.F) {
	files, _ := filepath.Glob("testdata/bounce/*.eml")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := ReadMessage(raw, received)
		ExtraParts(l.Header, Decision{Outcome: store.Skipped, Reason: store.Automatic}, testParties(), l.Root)
		b := ReadBounce(l.Header, l.Root, l.bodies)
		if b == nil {
			return
		}
		checkClean(t, "key", b.Key, maxKey)
		if b.Key == "" || len(b.Recipients) == 0 || len(b.Recipients) > maxBounced {
			t.Errorf("%+v", b)
		}
		for _, u := range b.Recipients {
			checkClean(t, "reason", u.Reason, 300)
			checkClean(t, "address", u.Address, 400)
			if len(u.Status) > 9 {
				t.Errorf("status %q", u.Status)
			}
		}
	})
}
