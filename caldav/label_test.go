package caldav

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

const annaWork = annaHome + "work/"

func mkcalendar(props string) string {
	return `<?xml version="1.0" encoding="utf-8"?><C:mkcalendar ` + namespaces + `><D:set><D:prop>` + props + `</D:prop></D:set></C:mkcalendar>`
}

func TestMkcalendar(t *testing.T) {
	o := newOffice(t)
	zone := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
	o.must(201, "MKCALENDAR", annaWork, mkcalendar(`<D:displayname>Работа &amp; прочее</D:displayname><A:calendar-color>#FF2968FF</A:calendar-color><A:calendar-order>7</A:calendar-order>`+
		`<C:calendar-description>mine</C:calendar-description><C:calendar-timezone>`+zone+`</C:calendar-timezone><C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set><X:mine xmlns:X="urn:x">a<b/></X:mine>`))
	r := o.must(207, "PROPFIND", annaWork, propfindOf(`<D:displayname/><D:resourcetype/><A:calendar-color/><A:calendar-order/><C:calendar-description/><C:calendar-timezone/><C:supported-calendar-component-set/><X:mine xmlns:X="urn:x"/>`), "Depth: 0")
	for _, want := range []string{"Работа &amp; прочее", "<C:calendar/>", "#FF2968", ">7<", ">mine<", "Europe/Berlin", `<C:comp name="VEVENT"/></C:supported`, "<b/>"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %q in\n%s", want, r.body)
		}
	}
	if r = o.must(207, "PROPFIND", annaHome, tbHome, "Depth: 1"); !strings.Contains(r.body, annaWork) {
		t.Errorf("not in the home:\n%s", r.body)
	}
	o.must(403, "MKCALENDAR", annaWork, "")
	o.must(405, "MKCOL", annaWork, "")
	o.must(403, "MKCALENDAR", annaWork+"inside/", "")
	o.must(404, "MKCALENDAR", "/dav/calendars/boris/x/", "")
	o.must(201, "MKCALENDAR", annaHome+"plain/", "")
	r = o.must(207, "PROPFIND", annaHome+"plain/", propfindOf(`<C:supported-calendar-component-set/>`), "Depth: 0")
	if !strings.Contains(r.body, `"VEVENT"`) || !strings.Contains(r.body, `"VTODO"`) {
		t.Errorf("components of a plain calendar:\n%s", r.body)
	}

	// All or nothing.
	r = o.must(403, "MKCALENDAR", annaHome+"bad/", mkcalendar(`<D:displayname>x</D:displayname><D:getetag>no</D:getetag>`))
	if !strings.Contains(r.body, "<C:mkcalendar-response") || !strings.Contains(r.body, "424 Failed Dependency") {
		t.Errorf("refused properties:\n%s", r.body)
	}
	o.must(404, "PROPFIND", annaHome+"bad/", "", "Depth: 0")
	o.must(403, "MKCALENDAR", annaHome+"bad/", mkcalendar(`<C:supported-calendar-component-set><C:comp name="VJOURNAL"/></C:supported-calendar-component-set>`))
	o.must(415, "MKCALENDAR", annaHome+"bad/", propfindOf("<D:getetag/>"))
	o.must(400, "MKCALENDAR", annaHome+"bad/", "<not xml")

	mkcol := func(kind string) string {
		return `<D:mkcol ` + namespaces + `><D:set><D:prop><D:resourcetype><D:collection/>` + kind + `</D:resourcetype><D:displayname>Ext</D:displayname></D:prop></D:set></D:mkcol>`
	}
	o.must(403, "MKCOL", annaHome+"ext/", mkcol(""))
	o.must(201, "MKCOL", annaHome+"ext/", mkcol("<C:calendar/>"))
}

// What a label calendar holds comes back byte for byte, whatever it says.
func TestLabel_ByteForByte(t *testing.T) {
	o := newOffice(t)
	o.must(201, "MKCALENDAR", annaWork, "")
	wrap := func(s string) string {
		return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\n" + strings.TrimSpace(s) + "\nEND:VCALENDAR\n"
	}
	for name, body := range map[string]string{
		"past":      meeting("past", "!  Call  Ivan — ООО «Ромашка»", "20010101T100000Z"),
		"geo":       wrap("BEGIN:VEVENT\nUID:geo\nDTSTAMP:20260101T000000Z\nDTSTART:20270101T000000Z\nDTEND;VALUE=DATE:20270103\nGEO:48.21;16.36\nCATEGORIES:A,B\\,C\nEND:VEVENT"),
		"cancelled": wrap("BEGIN:VEVENT\nUID:cancelled\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20270101\nSTATUS:CANCELLED\nSUMMARY:no\nEND:VEVENT"),
		"tentative": wrap("BEGIN:VEVENT\nUID:tentative\nDTSTAMP:20260101T000000Z\nDTSTART:20270101T000000\nDURATION:PT1H\nSTATUS:TENTATIVE\nPRIORITY:3\nEND:VEVENT"),
		"series":    wrap("BEGIN:VEVENT\nUID:series\nDTSTAMP:20260101T000000Z\nDTSTART:20260101T100000Z\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260102T100000Z\nSUMMARY:s\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\nBEGIN:VEVENT\nUID:series\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20260103T100000Z\nDTSTART:20260103T120000Z\nEND:VEVENT"),
		"todo":      wrap("BEGIN:VTODO\nUID:todo\nDTSTAMP:20260101T000000Z\nSTATUS:IN-PROCESS\nPERCENT-COMPLETE:40\nSUMMARY:t\nEND:VTODO"),
		"ticked":    wrap("BEGIN:VTODO\nUID:ticked\nDTSTAMP:20260101T000000Z\nSTATUS:COMPLETED\nDUE:20260101T000000Z\nEND:VTODO"),
		"dropped":   wrap("BEGIN:VTODO\nUID:dropped\nDTSTAMP:20260101T000000Z\nSTATUS:CANCELLED\nDUE:20260101T000000Z\nEND:VTODO"),
		"long":      wrap("BEGIN:VEVENT\nUID:long\nDTSTAMP:20260101T000000Z\nDTSTART:20270101T000000Z\nSUMMARY:" + strings.Repeat("слово ", 300) + "\nDESCRIPTION:  two\\n\\nlines \nEND:VEVENT"),
	} {
		t.Run(name, func(t *testing.T) {
			put := o.must(201, "PUT", annaWork+name+".ics", body, ics)
			if put.header.Get("ETag") == "" {
				t.Error("no ETag, although the bytes are kept")
			}
			got := o.must(200, "GET", annaWork+name+".ics", "")
			if got.body != body || got.header.Get("ETag") != put.header.Get("ETag") {
				t.Errorf("got\n%s\nwant\n%s", got.body, body)
			}
			o.now = o.now.Add(100 * 24 * time.Hour)
			if _, err := o.st.TurnStatuses(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := o.must(200, "GET", annaWork+name+".ics", ""); got.body != body {
				t.Errorf("after a hundred days\n%s", got.body)
			}
		})
	}
	for _, cal := range []string{"overdue", "current", "postponed", "done", "todo"} {
		if n := len(o.parse(o.must(207, "PROPFIND", annaHome+cal+"/", propfindOf("<D:getetag/>"), "Depth: 1")).Responses); n != 1 {
			t.Errorf("%s shows %d entries of the label calendar", cal, n-1)
		}
	}
}

// The record and the calendar tell each other what changes.
func TestLabel_BothWays(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	o.must(201, "MKCALENDAR", annaWork, "")
	o.must(201, "PUT", annaWork+"a.ics", meeting("a", "Call Ivan", "20261124T100000Z"), ics)
	items, err := o.st.Agenda(ctx, store.AgendaQuery{Viewer: o.anna})
	if err != nil || len(items) != 1 {
		t.Fatalf("the record has %d items: %v", len(items), err)
	}
	c := *items[0].Contact
	contact := func() (store.Contact, error) { return o.st.Contact(ctx, o.anna, c.ID) }
	high, postponed := store.High, store.Postponed
	if _, err := o.st.EditContact(ctx, store.Actor{ManagerID: o.anna.ID}, c.ID, c.Version, store.ContactEdit{Importance: &high, State: &postponed}); err != nil {
		t.Fatal(err)
	}
	got := o.must(200, "GET", annaWork+"a.ics", "").body
	for _, want := range []string{"PRIORITY:1\r\n", "STATUS:TENTATIVE\r\n", "SUMMARY:Call Ivan"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "CATEGORIES") || strings.Contains(got, "COLOR") {
		t.Errorf("decorated:\n%s", got)
	}
	o.must(204, "DELETE", annaWork+"a.ics", "")
	o.must(404, "GET", annaWork+"a.ics", "")
	if c, err = contact(); err != nil || c.State != store.Cancelled {
		t.Errorf("deleted: %+v %v", c, err)
	}
	o.must(201, "PUT", annaWork+"b.ics", meeting("a", "Call Ivan", "20261124T100000Z"), ics) // undone by its opposite
	if c, err = contact(); err != nil || c.State != store.Planned {
		t.Errorf("put again: %+v %v", c, err)
	}
}

func TestLabel_MoveAndCopy(t *testing.T) {
	o := newOffice(t)
	other := annaHome + "other/"
	o.must(201, "MKCALENDAR", annaWork, "")
	o.must(201, "MKCALENDAR", other, "")
	event := meeting("m", "Call Ivan", "20261124T100000Z")
	o.must(201, "PUT", annaCurrent+"m.ics", event, ics)
	token := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token

	r := o.must(201, "MOVE", annaCurrent+"m.ics", "", "Destination: "+annaWork+"m.ics")
	if !strings.HasSuffix(r.header.Get("Location"), annaWork+"m.ics") {
		t.Errorf("Location %q", r.header.Get("Location"))
	}
	o.must(404, "GET", annaCurrent+"m.ics", "")
	if sync := o.parse(o.do("REPORT", annaCurrent, syncReport(token, 0))); len(sync.Responses) != 1 || !strings.Contains(sync.Responses[0].Status, "404") {
		t.Errorf("the old calendar's report: %+v", sync.Responses)
	}

	o.must(201, "COPY", annaWork+"m.ics", "", "Destination: "+other+"copy.ics")
	one, two := o.must(200, "GET", annaWork+"m.ics", ""), o.must(200, "GET", other+"copy.ics", "")
	if one.body != two.body {
		t.Errorf("the copy differs:\n%s\n%s", one.body, two.body)
	}
	o.must(412, "COPY", annaWork+"m.ics", "", "Destination: "+other+"copy.ics", "Overwrite: F")
	o.must(204, "COPY", annaWork+"m.ics", "", "Destination: "+other+"copy.ics")
	r = o.must(403, "COPY", annaWork+"m.ics", "", "Destination: "+other+"another.ics")
	if !strings.Contains(r.body, "no-uid-conflict") || !strings.Contains(r.body, other+"copy.ics") {
		t.Errorf("a second copy:\n%s", r.body)
	}
	o.must(403, "COPY", annaWork+"m.ics", "", "Destination: "+annaCurrent+"m.ics")
	o.must(204, "DELETE", other+"copy.ics", "") // the first one stays
	o.must(200, "GET", annaWork+"m.ics", "")

	o.must(201, "MOVE", annaWork+"m.ics", "", "Destination: "+annaCurrent+"back.ics")
	o.must(404, "GET", annaWork+"m.ics", "")
	o.must(200, "GET", annaCurrent+"back.ics", "")

	// As iOS and Thunderbird move: PUT there, DELETE here.
	o.must(201, "PUT", annaWork+"ios.ics", event, ics, "If-None-Match: *")
	o.do("DELETE", annaCurrent+"back.ics", "")
	o.must(200, "GET", annaWork+"ios.ics", "")
	o.must(201, "PUT", other+"ios.ics", event, ics, "If-None-Match: *")
	o.must(204, "DELETE", annaWork+"ios.ics", "")
	o.must(200, "GET", other+"ios.ics", "")

	// Overwriting.
	o.must(201, "PUT", annaWork+"x.ics", meeting("x", "Other", "20261125T100000Z"), ics)
	o.must(204, "MOVE", other+"ios.ics", "", "Destination: "+annaWork+"x.ics")
	if got := o.must(200, "GET", annaWork+"x.ics", ""); !strings.Contains(got.body, "UID:m\r\n") {
		t.Errorf("overwritten:\n%s", got.body)
	}
	o.must(201, "MOVE", annaWork+"x.ics", "", "Destination: "+annaWork+"renamed.ics")
	o.must(404, "GET", annaWork+"x.ics", "")
	o.must(200, "GET", annaWork+"renamed.ics", "")
}

// Deleting the calendar loses no contact.
func TestLabel_DeleteCalendar(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	if err := o.st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Manager: "anna"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o.must(201, "MKCALENDAR", annaWork, "")
	o.must(201, "PUT", annaWork+"a.ics", meeting("a", "Dentist", "20261124T100000Z"), ics)
	o.must(201, "PUT", annaWork+"b.ics", meeting("b", "Звонок Ромашка", "20261124T100000Z"), ics)
	token := o.parse(o.do("REPORT", annaWork, syncReport("", 0))).Token
	o.must(204, "DELETE", annaWork, "")
	o.must(404, "PROPFIND", annaWork, "", "Depth: 0")
	listed := o.must(207, "REPORT", annaCurrent, report("calendar-query", `<D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`), "Depth: 1").body
	if !strings.Contains(listed, "Звонок Ромашка") || strings.Contains(listed, "Dentist") {
		t.Errorf("in Current after deleting:\n%s", listed)
	}
	o.must(201, "MKCALENDAR", annaWork, "")
	o.must(403, "REPORT", annaWork, syncReport(token, 0)) // another calendar now
	o.must(403, "DELETE", annaCurrent, "")
}

func TestLabel_Bounds(t *testing.T) {
	o := newOffice(t)
	for i := range 100 {
		o.must(201, "MKCALENDAR", fmt.Sprintf("%sl%d/", annaHome, i), "")
	}
	o.must(403, "MKCALENDAR", annaWork, "")
}
