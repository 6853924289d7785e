package caldav

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

// calendar wraps lines into a VCALENDAR with CRLF.
func calendar(lines ...string) []byte {
	s := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//probe//remote//EN\n" + strings.Join(lines, "\n") + "\nEND:VCALENDAR\n"
	return []byte(strings.ReplaceAll(s, "\n", "\r\n"))
}

func event(lines ...string) []byte {
	return calendar("BEGIN:VEVENT\nUID:u1\nDTSTAMP:20260101T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VEVENT")
}

func todo(lines ...string) []byte {
	return calendar("BEGIN:VTODO\nUID:u1\nDTSTAMP:20260101T000000Z\n" + strings.Join(lines, "\n") + "\nEND:VTODO")
}

func utc(day, hour, min int) time.Time { return time.Date(2026, 11, day, hour, min, 0, 0, time.UTC) }

func stretch(from, to time.Time) store.Span { return store.Span{Start: from, End: to} }

func days(first, last store.Date) store.Span { return store.Days(first, last, moscow.Location()) }

func TestReadWrite_When(t *testing.T) {
	windows := "BEGIN:VTIMEZONE\nTZID:Custom\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n" +
		"BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE"
	for _, tt := range []struct {
		name string
		body []byte
		want store.Span
	}{
		{"utc", event("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z"), stretch(utc(24, 10, 0), utc(24, 11, 0))},
		{"floating is the owner's", event("DTSTART:20261124T100000", "DTEND:20261124T110000"), stretch(utc(24, 7, 0), utc(24, 8, 0))},
		{"tzid", event("DTSTART;TZID=Europe/Berlin:20261124T100000", "DURATION:PT90M"), stretch(utc(24, 9, 0), utc(24, 10, 30))},
		{"tzid in quotes with a prefix", event(`DTSTART;TZID="/mozilla.org/20050126_1/Europe/Berlin":20261124T100000`), stretch(utc(24, 9, 0), utc(24, 9, 0))},
		{"windows zone", event("DTSTART;TZID=W. Europe Standard Time:20261124T100000"), stretch(utc(24, 9, 0), utc(24, 9, 0))},
		{"outlook name", event(`DTSTART;TZID="(UTC+05:30) Chennai, Kolkata":20261124T153000`), stretch(utc(24, 10, 0), utc(24, 10, 0))},
		{"described in the object", calendar(windows, "BEGIN:VEVENT\nUID:u1\nDTSTART;TZID=Custom:20261124T100000\nEND:VEVENT"), stretch(utc(24, 9, 0), utc(24, 9, 0))},
		{"described, in summer", calendar(windows, "BEGIN:VEVENT\nUID:u1\nDTSTART;TZID=Custom:20270724T100000\nEND:VEVENT"),
			stretch(time.Date(2027, 7, 24, 8, 0, 0, 0, time.UTC), time.Date(2027, 7, 24, 8, 0, 0, 0, time.UTC))},
		{"unknown zone is the owner's", event("DTSTART;TZID=Mars/Olympus:20261124T100000"), stretch(utc(24, 7, 0), utc(24, 7, 0))},
		{"the server's zone is nobody's", event("DTSTART;TZID=Local:20261124T100000"), stretch(utc(24, 7, 0), utc(24, 7, 0))},
		{"day", event("DTSTART;VALUE=DATE:20261124"), days("2026-11-24", "2026-11-24")},
		{"days, end excluded", event("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261127"), days("2026-11-24", "2026-11-26")},
		{"days by duration", event("DTSTART;VALUE=DATE:20261124", "DURATION:P2D"), days("2026-11-24", "2026-11-25")},
		{"end of another kind", event("DTSTART:20261124T100000Z", "DTEND;VALUE=DATE:20261125"), stretch(utc(24, 10, 0), utc(24, 21, 0))},
		{"end of another kind, the other way", event("DTSTART;VALUE=DATE:20261124", "DTEND:20261125T100000Z"), days("2026-11-24", "2026-11-25")},
		{"end before start", event("DTSTART:20261124T100000Z", "DTEND:20261124T090000Z"), stretch(utc(24, 10, 0), utc(24, 10, 0))},
		{"a gap of DST", event("DTSTART;TZID=Europe/Berlin:20260329T023000"), stretch(time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC), time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC))},
		{"twice on that day", event("DTSTART;TZID=Europe/Berlin:20261025T023000"), stretch(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC))},
		{"due", todo("DUE:20261124T120000Z"), stretch(utc(24, 12, 0), utc(24, 12, 0))},
		{"start and due", todo("DTSTART:20261124T110000Z", "DUE:20261124T120000Z"), stretch(utc(24, 11, 0), utc(24, 12, 0))},
		{"due on a day", todo("DUE;VALUE=DATE:20261124"), days("2026-11-24", "2026-11-24")},
		{"from day to day", todo("DTSTART;VALUE=DATE:20261123", "DUE;VALUE=DATE:20261124"), days("2026-11-23", "2026-11-24")},
		{"some day", todo("SUMMARY:x"), store.Span{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			component := store.VEvent
			if bytes.Contains(tt.body, []byte("VTODO")) {
				component = store.VTodo
			}
			w, err := ReadWrite(tt.body, component, moscow)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.When); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(w.Bytes, tt.body) {
				t.Error("the bytes are not as received")
			}
		})
	}
}

func TestReadWrite_Says(t *testing.T) {
	start := "DTSTART:20261124T100000Z\n"
	for _, tt := range []struct {
		name string
		body []byte
		want store.CalendarWrite
	}{
		{"title and note", event(start + `SUMMARY: Позвонить\, Иванову ` + "\nDESCRIPTION:line one\\nline two\\, with comma\\; and \u2603"),
			store.CalendarWrite{Title: "Позвонить, Иванову", Note: "line one\nline two, with comma; and ☃", Kind: store.Call}},
		{"exclamation mark", event(start + "SUMMARY:! Срочно\nPRIORITY:9"), store.CalendarWrite{Title: "Срочно", Importance: store.High}},
		{"only exclamation marks", event(start + "SUMMARY:!!!"), store.CalendarWrite{Title: "!!!"}},
		{"priority 4", event(start + "PRIORITY:4"), store.CalendarWrite{Importance: store.High}},
		{"priority 0", event(start + "PRIORITY:0"), store.CalendarWrite{Importance: store.Normal}},
		{"priority 5", event(start + "PRIORITY:5"), store.CalendarWrite{Importance: store.Normal}},
		{"priority 6", event(start + "PRIORITY:6"), store.CalendarWrite{Importance: store.Low}},
		{"priority that is none", event(start + "PRIORITY:high"), store.CalendarWrite{}},
		{"tentative", event(start + "STATUS:tentative"), store.CalendarWrite{Status: store.Postponed}},
		{"confirmed", event(start + "STATUS:CONFIRMED"), store.CalendarWrite{Status: store.Planned}},
		{"cancelled", event(start + "STATUS:CANCELLED"), store.CalendarWrite{Status: store.Cancelled}},
		{"ticked", todo("STATUS:COMPLETED\nCOMPLETED:20261124T100000Z\nPERCENT-COMPLETE:100"), store.CalendarWrite{Status: store.Done}},
		{"ticked without status", todo("COMPLETED:20261124T100000Z"), store.CalendarWrite{Status: store.Done}},
		{"unticked", todo("SUMMARY:x"), store.CalendarWrite{Title: "x", Status: store.Planned}},
		{"in process", todo("STATUS:IN-PROCESS\nPERCENT-COMPLETE:30"), store.CalendarWrite{Status: store.Planned}},
		{"people", event(start + "ORGANIZER:mailto:Anna@Vector.test\nATTENDEE;CN=\"Petrov, I.\":MAILTO:Petrov%40Romashka.test\nATTENDEE;EMAIL=b@x.test:urn:uuid:1\nATTENDEE:mailto:petrov@romashka.test"),
			store.CalendarWrite{Attendees: []string{"anna@vector.test", "petrov@romashka.test", "b@x.test"}}},
		{"block taken off", event(start + `DESCRIPTION:Note\n\n— Intouch —\nКлиент: X`), store.CalendarWrite{Note: "Note"}},
		{"block with other line ends and blanks", event(start + `DESCRIPTION:Note  \n\n  --  Intouch –\u00a0 \nКлиент: X`), store.CalendarWrite{Note: `Note`}},
		{"block alone", event(start + `DESCRIPTION:— Intouch —\nКлиент: X`), store.CalendarWrite{}},
		{"no block in a sentence", event(start + `DESCRIPTION:we — Intouch — are`), store.CalendarWrite{Note: "we — Intouch — are"}},
		{"series", event("DTSTART;TZID=Europe/Berlin:20261124T080000\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20261126T080000,20261127T080000"),
			store.CalendarWrite{Recurrence: "RRULE:FREQ=DAILY;COUNT=4\nEXDATE:20261126T070000Z\nEXDATE:20261127T070000Z"}},
		{"series with an override", calendar("BEGIN:VEVENT\nUID:u1\nDTSTART:20261124T080000Z\nRRULE:FREQ=DAILY\nSUMMARY:a\nEND:VEVENT\nBEGIN:VEVENT\nUID:u1\nRECURRENCE-ID:20261125T080000Z\nDTSTART:20261125T150000Z\nSUMMARY:b\nEND:VEVENT"),
			store.CalendarWrite{Title: "a", Recurrence: "RRULE:FREQ=DAILY\nOVERRIDES:1"}},
		{"override first", calendar("BEGIN:VEVENT\nUID:u1\nRECURRENCE-ID:20261125T080000Z\nDTSTART:20261125T150000Z\nSUMMARY:b\nEND:VEVENT\nBEGIN:VEVENT\nUID:u1\nDTSTART:20261124T080000Z\nRRULE:FREQ=DAILY\nSUMMARY:a\nEND:VEVENT"),
			store.CalendarWrite{Title: "a", Recurrence: "RRULE:FREQ=DAILY\nOVERRIDES:1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.UID, tt.want.Component = "u1", store.VEvent
			if bytes.Contains(tt.body, []byte("VTODO")) {
				tt.want.Component = store.VTodo
			}
			body := []byte(strings.ReplaceAll(string(tt.body), `\u00a0`, "\u00a0"))
			w, err := ReadWrite(body, tt.want.Component, moscow)
			if err != nil {
				t.Fatal(err)
			}
			w.Bytes, w.When = nil, store.Span{}
			if diff := cmp.Diff(&tt.want, w); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadWrite_Refuses(t *testing.T) {
	const data, resource, component = "valid-calendar-data", "valid-calendar-object-resource", "supported-calendar-component"
	start := "DTSTART:20261124T100000Z\n"
	deep := strings.Repeat("BEGIN:X\n", 20) + strings.Repeat("END:X\n", 19) + "END:X"
	for _, tt := range []struct {
		name, want string
		body       []byte
	}{
		{"empty", data, nil},
		{"not iCalendar", data, []byte("hello")},
		{"vCard", data, []byte("BEGIN:VCARD\r\nEND:VCARD\r\n")},
		{"cut off", data, []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n")},
		{"two calendars", data, append(event(start), event(start)...)},
		{"END of another", data, calendar("BEGIN:VEVENT\nUID:u1\nEND:VTODO")},
		{"parameter without value", data, event(start + "ATTENDEE;CN=foo")},
		{"parameter with stray quote", data, event(start + `ATTENDEE;CN="a"b:mailto:a@b.test`)},
		{"too deep", data, calendar(deep)},
		{"too large", data, event(start + "DESCRIPTION:" + strings.Repeat("x", maxObject))},
		{"too many lines", data, event(start + strings.Repeat("X:1\n", maxLines) + "X:1")},
		{"no DTSTART", data, event("SUMMARY:x")},
		{"no such day", data, event("DTSTART:20261131T100000Z")},
		{"malformed DTEND", data, event(start + "DTEND:tomorrow")},
		{"malformed DURATION", data, event(start + "DURATION:1H")},
		{"METHOD", resource, calendar("METHOD:REQUEST\nBEGIN:VEVENT\nUID:u1\n" + start + "END:VEVENT")},
		{"no UID", resource, calendar("BEGIN:VEVENT\n" + start + "END:VEVENT")},
		{"two UIDs", resource, calendar("BEGIN:VEVENT\nUID:u1\n" + start + "END:VEVENT\nBEGIN:VEVENT\nUID:u2\n" + start + "END:VEVENT")},
		{"two masters", resource, calendar("BEGIN:VEVENT\nUID:u1\n" + start + "END:VEVENT\nBEGIN:VEVENT\nUID:u1\n" + start + "END:VEVENT")},
		{"two kinds", resource, calendar("BEGIN:VEVENT\nUID:u1\n" + start + "END:VEVENT\nBEGIN:VTODO\nUID:u1\nEND:VTODO")},
		{"only a zone", resource, calendar("BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE")},
		{"a task", component, todo("SUMMARY:x")},
		{"a journal", component, calendar("BEGIN:VJOURNAL\nUID:u1\nEND:VJOURNAL")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadWrite(tt.body, store.VEvent, moscow)
			var p *Precondition
			if !errors.As(err, &p) || p.Name != tt.want || p.Status != 403 {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestReadWrite_Cleans(t *testing.T) {
	fit := event("DTSTART:20261124T100000Z", "SUMMARY:Встреча")
	bare := bytes.ReplaceAll(fit, []byte("\r\n"), []byte("\n"))
	cut := bytes.Replace(fit, []byte("Вст"), []byte("\xd0\r\n \x92ст"), 1)
	for _, tt := range []struct {
		name       string
		body, want []byte
	}{
		{"as it is", fit, fit},
		{"bare line feeds", bare, bare},
		{"byte order mark", append([]byte("\ufeff"), fit...), fit},
		{"a fold within a character", cut, fit},
		{"vertical tab from Word", bytes.Replace(fit, []byte("Вс"), []byte("В\vс"), 1), fit},
		{"old code page", bytes.Replace(fit, []byte("Встреча"), []byte("\xc2\xf1"), 1), bytes.Replace(fit, []byte("Встреча"), []byte("\ufffd"), 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := ReadWrite(tt.body, store.VEvent, moscow)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(tt.want), string(w.Bytes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	for title, want := range map[string]store.Kind{
		"Позвонить Иванову": store.Call, "звонки клиентам": store.Call, "Созвон": store.Call, "Call Bob": store.Call, "phone": store.Call,
		"Встреча в офисе": store.Meeting, "встретиться с Ивановым": store.Meeting, "Meeting, then call": store.Meeting, "Переговоры": store.Meeting,
		"Визит к клиенту": store.Visit, "Посетить завод": store.Visit, "visit": store.Visit,
		"Письмо в банк": store.Letter, "Send an e-mail": store.Letter, "mail the offer": store.Letter,
		"Отдать визитку": "", "recall the batch": "", "Письменный стол": "", "Обед": "", "": "", "Phonetics": "",
	} {
		if got := store.KindIn(title); got != want {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}

// missing is the harness's ics_has: the wanted lines that are not there.
func missing(b []byte, wanted ...string) (miss []string) {
	s := regexp.MustCompile(`\r?\n[ \t]`).ReplaceAllString(string(b), "")
	for _, w := range wanted {
		if !regexp.MustCompile(`(?m)^(?:` + w + `)\r?$`).MatchString(s) {
			miss = append(miss, w)
		}
	}
	return miss
}

// stored is the view of a contact that the write makes, as store.PutEntry
// does it.
func stored(w *store.CalendarWrite, owner *store.Manager, client *store.Client) *store.EntryView {
	col := current
	if w.Component == store.VTodo {
		col = todoList
	}
	c := store.Contact{Kind: w.Kind, Subject: w.Title, Body: w.Note, When: w.When, Recurrence: w.Recurrence, Importance: w.Importance, State: w.Status}
	if c.Kind == "" {
		c.Kind = store.Other
	}
	if client != nil {
		c.Subject = store.TrimClient(c.Subject, client.Name)
	}
	v := contactView(owner, col, c, client)
	v.UID, v.Overlay = w.UID, w.Bytes
	return v
}

// TestWritten_Thunderbird holds what comes back to what the harness's steps
// ask of it (thunderbird/probe.py).
func TestWritten_Thunderbird(t *testing.T) {
	put := func(t *testing.T, body []byte, component store.Component) []byte {
		t.Helper()
		w, err := ReadWrite(body, component, moscow)
		if err != nil {
			t.Fatal(err)
		}
		b := render(stored(w, moscow, nil))
		wellFormed(t, b)
		again, err := ReadWrite(b, component, moscow)
		if err != nil {
			t.Fatal(err)
		}
		if b2 := render(stored(again, moscow, nil)); !bytes.Equal(b, b2) {
			t.Errorf("put again as it is, it changes:\n%s", cmp.Diff(string(b), string(b2)))
		}
		return b
	}
	base := "DTSTART:20261125T100000Z\nDTEND:20261125T110000Z\nSUMMARY:Probe event a1\nLOCATION:Room ü\\, 1\\; \"two\"\nURL:http://127.0.0.1:9/issue/1\n" +
		"DESCRIPTION:line one\\nline two\\, with comma\\; and \u2603\nCATEGORIES:Projects\nCATEGORIES:Customer"
	want := []string{"UID:u1", "SUMMARY:Probe event a1", "DTSTART(;[^:]*)?:20261125T100000Z?", "CATEGORIES(;[^:]*)?:(.*,)?Projects(,.*)?",
		"CATEGORIES(;[^:]*)?:(.*,)?Customer(,.*)?", "URL(;[^:]*)?:http://127.0.0.1:9/issue/1", `DESCRIPTION:line one\\nline two\\, with comma\\; and ` + "\u2603", `LOCATION:Room ü\\, 1\\; "two"`}
	alarm := "\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER;VALUE=DURATION:-PT15M\nDESCRIPTION:Mozilla\nX-MOZ-Y:1\nEND:VALARM"
	series := calendar("BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nX-TZINFO:Europe/Berlin[2026f]\nBEGIN:STANDARD\nTZOFFSETTO:+005328\nTZOFFSETFROM:+005328\nTZNAME:(STD)\nDTSTART:18930401T000000\nEND:STANDARD\nEND:VTIMEZONE",
		"BEGIN:VEVENT\nUID:u1\nSUMMARY:Probe series a1\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20261127T080000\nDTSTART;TZID=Europe/Berlin:20261125T080000\nDTEND;TZID=Europe/Berlin:20261125T090000\nX-MOZ-GENERATION:2\nEND:VEVENT",
		"BEGIN:VEVENT\nUID:u1\nSUMMARY:Probe moved a1\nRECURRENCE-ID;TZID=Europe/Berlin:20261126T080000\nDTSTART;TZID=Europe/Berlin:20261126T150000\nDTEND;TZID=Europe/Berlin:20261126T160000\nEND:VEVENT")
	task := "SUMMARY:Probe task a1\nDUE:20261125T120000Z\nPRIORITY:5\n"
	for _, tt := range []struct {
		step      string
		component store.Component
		body      []byte
		want      []string
		not       []string
	}{
		{"create", store.VEvent, event(base), want, []string{"BEGIN:VALARM", "ATTENDEE.*", "ORGANIZER.*"}},
		{"priority", store.VEvent, event(base + "\nPRIORITY:1"), append(want, "PRIORITY:1"), nil},
		{"tentative", store.VEvent, event(base + "\nSTATUS:TENTATIVE"), append(want, "STATUS:TENTATIVE"), nil},
		{"alarm", store.VEvent, event(base + "\nX-MOZ-LASTACK:20261101T080100Z" + alarm), append(want, "BEGIN:VALARM", "TRIGGER(;[^:]*)?:-PT15M", "ACTION:DISPLAY", "X-MOZ-Y:1", "X-MOZ-LASTACK:20261101T080100Z"), nil},
		{"recurring", store.VEvent, series, []string{"RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20261127T080000", "RECURRENCE-ID.*", "SUMMARY:Probe moved a1", "SUMMARY:Probe series a1", "BEGIN:VTIMEZONE", `X-TZINFO:Europe/Berlin\[2026f\]`, "TZOFFSETTO:\\+005328"}, nil},
		{"remote", store.VEvent, event("DTSTART:20261125T140000Z\nDTEND:20261125T150000Z\nSUMMARY:Remote two\nPRIORITY:9\nSTATUS:CONFIRMED"), []string{"PRIORITY:9", "STATUS:CONFIRMED", "SUMMARY:Remote two"}, nil},
		{"task", store.VTodo, todo(task + "STATUS:NEEDS-ACTION"), []string{"BEGIN:VTODO", "SUMMARY:Probe task a1", "PRIORITY:5"}, []string{"COMPLETED:.*", "PERCENT-COMPLETE.*"}},
		{"task done", store.VTodo, todo(task + "STATUS:COMPLETED\nCOMPLETED:20261124T101500Z\nPERCENT-COMPLETE:100"), []string{"STATUS:COMPLETED", "COMPLETED:20261124T101500Z", "PERCENT-COMPLETE:100"}, nil},
	} {
		t.Run(tt.step, func(t *testing.T) {
			b := put(t, tt.body, tt.component)
			if miss := missing(b, tt.want...); len(miss) > 0 {
				t.Errorf("missing %q in\n%s", miss, b)
			}
			for _, n := range tt.not {
				if len(missing(b, n)) == 0 {
					t.Errorf("has %q:\n%s", n, b)
				}
			}
		})
	}
	if n := bytes.Count(put(t, series, store.VEvent), []byte("BEGIN:VEVENT")); n != 2 {
		t.Errorf("%d VEVENT in the series", n)
	}
}

// TestRender_Tick shows a task ticked and unticked elsewhere upon what a
// program put.
func TestRender_Tick(t *testing.T) {
	w, err := ReadWrite(todo("SUMMARY:x\nDUE:20261125T120000Z\nPERCENT-COMPLETE:30\nSTATUS:IN-PROCESS"), store.VTodo, moscow)
	if err != nil {
		t.Fatal(err)
	}
	w.Status = store.Done
	done := render(stored(w, moscow, nil))
	if miss := missing(done, "STATUS:COMPLETED", "COMPLETED:\\d{8}T\\d{6}Z", "PERCENT-COMPLETE:100"); len(miss) > 0 {
		t.Errorf("missing %q in\n%s", miss, done)
	}
	if w, err = ReadWrite(done, store.VTodo, moscow); err != nil || w.Status != store.Done {
		t.Fatalf("%v %v", w, err)
	}
	w.Status = store.Planned
	open := render(stored(w, moscow, nil))
	if miss := missing(open, "STATUS:NEEDS-ACTION"); len(miss) > 0 || len(missing(open, "COMPLETED.*", "PERCENT-COMPLETE.*")) != 2 {
		t.Errorf("not open:\n%s", open)
	}
}

// TestRender_Categories: ours follow what the item has become, a person's own
// stay.
func TestRender_Categories(t *testing.T) {
	const base = "DTSTART:20261125T100000Z\nSUMMARY:Позвонить\n"
	english := *moscow
	english.Language = store.English
	for _, tt := range []struct {
		name, put string
		owner     *store.Manager
		want      string
	}{
		{"none", "", moscow, "Calls,Текущие,Звонок,Обычная"},
		{"his own", "CATEGORIES:Клиенты\\, VIP,Done", moscow, "Клиенты\\, VIP,Done,Calls,Текущие,Звонок,Обычная"},
		{"ours of before", "CATEGORIES:Calls,Просрочено,Звонок,Высокая,Моё", moscow, "Calls,Моё,Текущие,Звонок,Обычная"},
		{"it was a meeting", "CATEGORIES:Meeting,Текущие,Встреча,Обычная,Моё", moscow, "Моё,Calls,Текущие,Звонок,Обычная"},
		{"another language", "CATEGORIES:Calls,Текущие,Звонок,Обычная", &english, "Calls,Current,Call,Normal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := ReadWrite(event(base+strings.TrimSuffix(tt.put, "\n")), store.VEvent, tt.owner)
			if err != nil {
				t.Fatal(err)
			}
			w.Kind = store.Call
			b := render(stored(w, tt.owner, nil))
			if miss := missing(b, "CATEGORIES:"+regexp.QuoteMeta(tt.want)); len(miss) > 0 {
				t.Errorf("want %s in\n%s", tt.want, b)
			}
		})
	}
}

// TestRender_Unchanged: where a program already says all that we say, its
// bytes come back as they are.
func TestRender_Unchanged(t *testing.T) {
	body := bytes.ReplaceAll(event("DTSTART:20261125T100000Z\nSUMMARY:Обед\nURL:http://x.test/\nCATEGORIES:Customer\nCATEGORIES:Обычная,Текущие\nCATEGORIES:Контакт\nCOLOR:red\nX-A;X-B=\"q:;\":1\\,2,3\nGEO:48.21;16.36"), []byte("\r\n"), []byte("\n"))
	w, err := ReadWrite(body, store.VEvent, moscow)
	if err != nil {
		t.Fatal(err)
	}
	if got := render(stored(w, moscow, nil)); !bytes.Equal(got, body) {
		t.Errorf("changed:\n%s", cmp.Diff(string(body), string(got)))
	}
}
