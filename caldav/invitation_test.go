package caldav

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// sayInvitation shows an invitation as text.
func sayInvitation(in store.Invitation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "method: %s\nuid: %s\norganizer: %s\nattendees: %s\nwhole: %v, %s\n", in.Method, in.UID, in.Organizer, strings.Join(in.Attendees, " "), in.Whole, sayRevision(in.Revision))
	fmt.Fprintf(&b, "when: %s\ntitle: %s\nrecurrence: %s, ends %s\n", sayInvitationSpan(in.When), in.Title, strings.ReplaceAll(in.Recurrence, "\n", " | "), in.Ends.Format(time.RFC3339))
	for _, o := range in.Occurrences {
		fmt.Fprintf(&b, "occurrence: %s cancelled=%v %s, %s\n", o.Of, o.Cancelled, sayInvitationSpan(o.When), sayRevision(o.Revision))
	}
	for _, a := range in.Answers {
		fmt.Fprintf(&b, "answer: %s %s %s\n", a.Address, a.Kind, a.Stamp.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "\n%s\n", in.Body)
	return b.String()
}

func sayRevision(r store.Revision) string {
	return fmt.Sprintf("revision %d of %s", r.Sequence, r.Stamp.Format(time.RFC3339))
}

func sayInvitationSpan(s store.Span) string {
	switch {
	case s.IsZero():
		return "-"
	case s.AllDay:
		return fmt.Sprintf("days %s – %s", s.First, s.Last)
	}
	return s.Start.Format(time.RFC3339) + " – " + s.End.Format(time.RFC3339)
}

// TestReadInvitation_Files reads testdata/invitation; each .ics has a .want.
// The objects are written after what Google Calendar, Outlook, Exchange and
// Yandex Calendar mail. UPDATE_GOLDEN=1 writes them anew.
func TestReadInvitation_Files(t *testing.T) {
	files, err := filepath.Glob("testdata/invitation/*.ics")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	read := NewInvitationReader(moscow.Location())
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			in, err := read(raw)
			got := sayInvitation(in)
			if err != nil {
				got = err.Error() + "\n"
			}
			golden := strings.TrimSuffix(name, ".ics") + ".want"
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

func TestReadInvitation_Refused(t *testing.T) {
	read := NewInvitationReader(nil)
	for name, body := range map[string]string{
		"nothing":             "",
		"no calendar":         "Hello",
		"no method":           "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20261202T150000Z\nEND:VEVENT\nEND:VCALENDAR",
		"published":           "BEGIN:VCALENDAR\nMETHOD:PUBLISH\nBEGIN:VEVENT\nUID:1\nDTSTART:20261202T150000Z\nEND:VEVENT\nEND:VCALENDAR",
		"a task":              "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VTODO\nUID:1\nDTSTART:20261202T150000Z\nEND:VTODO\nEND:VCALENDAR",
		"no UID":              "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nDTSTART:20261202T150000Z\nEND:VEVENT\nEND:VCALENDAR",
		"no time":             "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR",
		"an answer of nobody": "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR",
		"too large":           "BEGIN:VCALENDAR\n" + strings.Repeat("X-A:b\n", 100_000),
		"too deep":            "BEGIN:VCALENDAR\nMETHOD:REQUEST\n" + strings.Repeat("BEGIN:VEVENT\n", 100),
	} {
		if in, err := read([]byte(body)); err == nil {
			t.Errorf("%s: %+v", name, in)
		}
	}
	counter := "BEGIN:VCALENDAR\nMETHOD:COUNTER\nBEGIN:VEVENT\nUID:1\nDTSTART:20261202T150000Z\nEND:VEVENT\nEND:VCALENDAR"
	if _, err := read([]byte(counter)); !errors.Is(err, ErrNoInvitation) {
		t.Errorf("COUNTER: %v", err)
	}
	// What has no time need not have one to be cancelled.
	in, err := read([]byte("BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VEVENT\nUID:1\nSEQUENCE:3\nEND:VEVENT\nEND:VCALENDAR"))
	if err != nil || !in.Whole || in.Revision.Sequence != 3 {
		t.Errorf("CANCEL without a time: %+v, %v", in, err)
	}
	// A REQUEST may cancel by its STATUS.
	in, err = read([]byte("BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nDTSTART:20261202T150000Z\nSTATUS:CANCELLED\nEND:VEVENT\nEND:VCALENDAR"))
	if err != nil || in.Method != store.InvitationCancel {
		t.Errorf("STATUS:CANCELLED: %+v, %v", in, err)
	}
}

// FuzzReadInvitation: whatever a letter carries, reading it does not panic and
// gives no more than the bounds allow.
func FuzzReadInvitation(f *testing.F) {
	files, _ := filepath.Glob("testdata/invitation/*.ics")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	read := NewInvitationReader(moscow.Location())
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := read(raw)
		if err != nil {
			return
		}
		if in.UID == "" || len(in.UID) > 1000 || len(in.Title) > maxTitle || len(in.Body) > maxInvitationText || len(in.Recurrence) > maxRecurrence ||
			len(in.Attendees) > maxAttendees || len(in.Occurrences) > maxInvitationChanges || len(in.Answers) > maxInvitationAnswers || in.Revision.Sequence < 0 {
			t.Errorf("out of bounds: %+v", in)
		}
		if in.When.End.Before(in.When.Start) {
			t.Errorf("ends before it starts: %+v", in.When)
		}
	})
}
