package caldav

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"pgregory.net/rapid"

	"intouch/store"
)

// FuzzReadWrite: whatever a stranger puts, reading it does not panic, and what
// it was read as is served again: well formed, with its alarms and unknown
// properties, meaning the same, and settled after one round.
func FuzzReadWrite(f *testing.F) {
	for _, b := range [][]byte{
		readFile(f, "overlay.put.ics"), readFile(f, "call-ru.ics"), readFile(f, "todo-done.ics"), readFile(f, "shipment-ru.ics"),
		event("DTSTART;TZID=\"(UTC+05:30) X\":20261124T100000\nDURATION:P1W\nRRULE:FREQ=DAILY\nX-A;B=c,\"d;e\":f"),
		todo("DTSTART;VALUE=DATE:20261124\nDUE:20261124T100000\nSTATUS:IN-PROCESS\nDESCRIPTION;ALTREP=\"x\":a\\n— Intouch —\\nb"),
		event("DTSTART:20261124T100000Z\nSUMMARY:!a\\\\\\,\\;\nATTENDEE;CN=foo:mailto:a@b\n folded\n\t again"),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, component := range []store.Component{store.VEvent, store.VTodo} {
			w, err := ReadWrite(body, component, moscow)
			if err != nil {
				continue
			}
			for _, client := range []*store.Client{nil, romashka} {
				b := render(stored(w, moscow, client))
				if _, err := parse(b); err != nil {
					t.Fatalf("does not lint: %v\n%q\n%q", err, body, b)
				}
				if lost := lostLines(w.Bytes, b); lost != "" {
					t.Fatalf("lost %s\n%q\n%q", lost, body, b)
				}
				again, err := ReadWrite(b, component, moscow)
				if err != nil {
					t.Fatalf("not read again: %v\n%q", err, b)
				}
				if again.UID != w.UID || !reflect.DeepEqual(again.When, w.When) || again.Recurrence != w.Recurrence {
					t.Fatalf("means something else:\n%+v\n%+v", w, again)
				}
				// A person's own category may read like one of ours: then the
				// second round takes it for ours.
				b2 := render(stored(again, moscow, client))
				if again, err = ReadWrite(b2, component, moscow); err != nil {
					t.Fatalf("not read again: %v\n%q", err, b2)
				}
				if b3 := render(stored(again, moscow, client)); !bytes.Equal(b2, b3) {
					t.Fatalf("changes again:\n%q\n%q", b2, b3)
				}
			}
		}
	})
}

// lostLines names what we do not model and yet is gone.
func lostLines(was, is []byte) string {
	count := func(b []byte) map[string]int {
		obj, err := parse(b)
		n := map[string]int{}
		if err != nil {
			return n
		}
		for _, l := range obj.lines {
			switch {
			case strings.HasPrefix(l.name, "X-"), l.name == "LOCATION", l.name == "TRIGGER", l.name == "ATTENDEE", l.name == "RRULE", l.name == "RECURRENCE-ID":
				n[unfold(l.raw)]++
			case l.name == "BEGIN":
				n["BEGIN:"+strings.ToUpper(strings.TrimSpace(l.value))]++
			}
		}
		return n
	}
	left := count(is)
	for l, n := range count(was) {
		if left[l] < n {
			return l
		}
	}
	return ""
}

// FuzzDecode: no panic, and where go-ical's own decoder reads it, the same
// comes out.
func FuzzDecode(f *testing.F) {
	f.Add(readFile(f, "overlay.put.ics"))
	f.Add([]byte("BEGIN:VCALENDAR\nX;A=\"b\",c;A=d:e\n\nEND:VCALENDAR"))
	f.Fuzz(func(t *testing.T, body []byte) {
		cal, err := decode(body)
		if err != nil || len(body) > 4096 || bytes.Contains(body, bom) || bytes.Contains(body, []byte("\r")) || bytes.Contains(body, []byte("\n\n")) {
			return
		}
		theirs, err := ical.NewDecoder(bytes.NewReader(body)).Decode()
		if err != nil {
			return
		}
		if a, b := flat(cal.Component), flat(theirs.Component); a != b {
			t.Fatalf("differ on %q:\n%s\n%s", body, a, b)
		}
	})
}

// flat is a component as text, for comparing.
func flat(c *ical.Component) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(c.Name) + "{")
	for _, name := range sortedNames(c.Props) {
		for _, p := range c.Props[name] {
			b.WriteString(name)
			for _, param := range sortedNames(p.Params) {
				b.WriteString(";" + param + "=" + strings.Join(p.Params[param], "\x00"))
			}
			b.WriteString(":" + p.Value + "\n")
		}
	}
	for _, child := range c.Children {
		b.WriteString(flat(child))
	}
	return b.String() + "}"
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestRoundTrip: what we write new, put back as it is, means what it meant.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owner := *rapid.SampledFrom([]*store.Manager{moscow, berliner}).Draw(t, "owner")
		owner.TimeZone = rapid.SampledFrom([]string{"Europe/Moscow", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe", "Africa/Casablanca"}).Draw(t, "zone")
		col := rapid.SampledFrom([]*store.Collection{current, todoList}).Draw(t, "collection")
		client := rapid.SampledFrom([]*store.Client{nil, romashka, {Name: "A, B; C\\D"}}).Draw(t, "client")
		text := rapid.StringOfN(rapid.RuneFrom([]rune("абв xyz,;:\\\"—☃𝄞\n!Intouch")), 0, 200, -1)
		c := store.Contact{
			Kind:       rapid.SampledFrom([]store.Kind{store.Call, store.Meeting, store.Visit, store.Letter, store.Other}).Draw(t, "kind"),
			Importance: rapid.SampledFrom([]store.Importance{store.High, store.Normal, store.Low}).Draw(t, "importance"),
			State:      rapid.SampledFrom([]store.State{store.Planned, store.Postponed, store.Done}).Draw(t, "state"),
			Subject:    "x" + strings.TrimSpace(strings.ReplaceAll(text.Draw(t, "subject"), "\n", " ")),
			Body:       strings.TrimSpace(text.Draw(t, "body")),
		}
		start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0).UTC()
		length := time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "seconds")) * time.Second
		c.When = store.Span{Start: start, End: start.Add(length)}
		if rapid.Bool().Draw(t, "all day") {
			first := store.DateOf(start, time.UTC)
			c.When = store.Days(first, first.Add(int(length/(24*time.Hour))), owner.Location())
		} else if ambiguous(start, owner.Location()) || ambiguous(start.Add(length), owner.Location()) {
			return // a local time cannot say which of two it is
		}
		v := contactView(&owner, col, c, client)
		v.Persons = persons
		b := render(v)
		wellFormed(t, b)
		folded(t, b)
		w, err := ReadWrite(b, col.Component, &owner)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		name := ""
		if client != nil {
			name = client.Name
		}
		if got := store.TrimClient(w.Title, name); got != c.Subject {
			t.Errorf("title %q, was %q", got, c.Subject)
		}
		if w.Note != c.Body {
			t.Errorf("note %q, was %q", w.Note, c.Body)
		}
		if !reflect.DeepEqual(w.When, c.When) {
			t.Errorf("when %v, was %v\n%s", w.When, c.When, b)
		}
		if w.Importance != c.Importance || w.UID != v.UID || len(w.Attendees) > 0 {
			t.Errorf("%+v", w)
		}
		want := c.State
		switch {
		case col == todoList && want == store.Postponed, col == current && want == store.Done:
			want = store.Planned // neither has a word for it
		}
		if w.Status != want {
			t.Errorf("status %s, was %s", w.Status, c.State)
		}
		v.Overlay = w.Bytes
		if again := render(v); !bytes.Equal(again, b) {
			t.Errorf("upon its own bytes it differs:\n%s\n%s", b, again)
		}
	})
}

// ambiguous tells the second of two moments that look the same on the clock.
func ambiguous(at time.Time, loc *time.Location) bool {
	l := at.In(loc)
	return !wallTime(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), loc).Equal(at)
}
