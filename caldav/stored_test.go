package caldav

import (
	"context"
	"strings"
	"testing"

	"intouch/store"
)

// The way of an event through the store and back, as a calendar program and a
// page see it.

func (o *office) client(name, email string) {
	o.Helper()
	err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		if _, err := im.Client(store.ClientRow{ID: "c1", Name: name, Manager: "m1", Importance: "high", Phones: []string{"+7 495 111-22-33"}}); err != nil {
			return err
		}
		_, err := im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Иван Петров", Emails: []string{email}})
		return err
	})
	if err != nil {
		o.Fatal(err)
	}
}

// found gets what must be there, unfolded.
func (o *office) found(path string, want ...string) string {
	o.Helper()
	body := o.must(200, "GET", path, "").body
	wellFormed(o, []byte(body))
	if miss := missing([]byte(body), want...); len(miss) > 0 {
		o.Fatalf("%s lacks %q\n%s", path, miss, body)
	}
	return unfolded(body)
}

func unfolded(s string) string { return strings.ReplaceAll(s, "\r\n ", "") }

// contact is the only one there is.
func (o *office) contact() store.Contact {
	o.Helper()
	c, err := o.st.Contact(context.Background(), o.anna, 1)
	if err != nil {
		o.Fatal(err)
	}
	return c
}

func TestStored_Event(t *testing.T) {
	o := newOffice(t)
	o.client("ООО «Ромашка»", "petrov@romashka.test")
	path := annaCurrent + "u1.ics"
	o.must(201, "PUT", path, string(event("DTSTART;TZID=Europe/Moscow:20261124T100000\nDTEND;TZID=Europe/Moscow:20261124T110000\nSUMMARY:Обсудить договор\n"+
		"DESCRIPTION:Взять прайс\\, новый\nATTENDEE;CN=Petrov:mailto:petrov@romashka.test\nLOCATION:Офис\nX-MOZ-GENERATION:1\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM")))
	body := o.found(path, "SUMMARY:Обсудить договор — ООО «Ромашка»", `DESCRIPTION:Взять прайс\\, новый\\n\\n— Intouch —\\n.*`, "TRIGGER:-PT5M", "LOCATION:Офис",
		"ATTENDEE;CN=Petrov:mailto:petrov@romashka.test", "URL:https://crm.vector.test/contacts/1")

	// Dragged: everything else is put back as it was served.
	o.must(204, "PUT", path, strings.NewReplacer("20261124T10", "20261125T12", "20261124T11", "20261125T13").Replace(body))
	c := o.contact()
	if c.Subject != "Обсудить договор" || c.Body != "Взять прайс, новый" || !c.When.Start.Equal(utc(25, 9, 0)) || c.ClientName != "ООО «Ромашка»" {
		t.Errorf("dragged: %+v", c)
	}
	body = o.found(path, "DTSTART;TZID=Europe/Moscow:20261125T120000", "TRIGGER:-PT5M", "SUMMARY:Обсудить договор — ООО «Ромашка»")
	if n := strings.Count(body, "— Intouch —"); n != 1 {
		t.Errorf("%d blocks in\n%s", n, body)
	}

	// Changed on a page: the calendar's own parts stay.
	subject, moved, low := "Позвонить про договор", store.Span{Start: utc(26, 9, 0), End: utc(26, 9, 30)}, store.Low
	if _, err := o.st.EditContact(context.Background(), store.Actor{ManagerID: o.anna.ID, Origin: store.FromWeb}, c.ID, 0,
		store.ContactEdit{Subject: &subject, When: &moved, Importance: &low}); err != nil {
		t.Fatal(err)
	}
	o.found(path, "SUMMARY:Позвонить про договор — ООО «Ромашка»", "DTSTART;TZID=Europe/Moscow:20261126T120000", "DTEND;TZID=Europe/Moscow:20261126T123000",
		"PRIORITY:9", "TRIGGER:-PT5M", "X-MOZ-GENERATION:1", "LOCATION:Офис")

	// Put again as it is: nothing changes, nobody is told.
	first := o.must(200, "GET", path, "")
	o.must(204, "PUT", path, first.body)
	if second := o.must(200, "GET", path, ""); second.body != first.body || second.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("changed by being put again:\n%s\n%s", first.body, second.body)
	}
}

func TestStored_Task(t *testing.T) {
	o := newOffice(t)
	o.must(201, "PUT", annaCurrent+"u1.ics", string(event("DTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nSUMMARY:Обед")))
	path := "/dav/calendars/anna/todo/todo-u1.ics"
	body := o.found(path, "BEGIN:VTODO", "UID:todo-u1", "DUE;TZID=Europe/Moscow:20261124T140000", "STATUS:NEEDS-ACTION")
	o.must(204, "PUT", path, strings.Replace(body, "STATUS:NEEDS-ACTION", "STATUS:COMPLETED\r\nCOMPLETED:20261123T091500Z\r\nPERCENT-COMPLETE:100", 1))
	if c := o.contact(); c.State != store.Done || !c.When.Start.Equal(utc(24, 10, 0)) {
		t.Errorf("ticked: %+v", c)
	}
	body = o.found(path, "STATUS:COMPLETED", "COMPLETED:20261123T091500Z", "PERCENT-COMPLETE:100")
	// Unticked as Thunderbird does it: all three are gone.
	body = strings.NewReplacer("STATUS:COMPLETED\r\n", "", "COMPLETED:20261123T091500Z\r\n", "", "PERCENT-COMPLETE:100\r\n", "").Replace(body)
	o.must(204, "PUT", path, body)
	if c := o.contact(); c.State != store.Planned || !c.When.End.Equal(utc(24, 11, 0)) {
		t.Errorf("unticked: %+v", c)
	}
	if body = o.found(path, "BEGIN:VTODO"); strings.Contains(body, "COMPLETED") {
		t.Errorf("still completed:\n%s", body)
	}
}

func TestStored_Series(t *testing.T) {
	o := newOffice(t)
	path := annaCurrent + "u1.ics"
	series := calendar("BEGIN:VEVENT\nUID:u1\nSUMMARY:Планёрка\nRRULE:FREQ=DAILY;COUNT=4\nDTSTART;TZID=Europe/Berlin:20261124T080000\nDTEND;TZID=Europe/Berlin:20261124T090000\nEND:VEVENT\n" +
		"BEGIN:VEVENT\nUID:u1\nSUMMARY:Позже\nRECURRENCE-ID;TZID=Europe/Berlin:20261125T080000\nDTSTART;TZID=Europe/Berlin:20261125T150000\nDTEND;TZID=Europe/Berlin:20261125T160000\nEND:VEVENT")
	o.must(201, "PUT", path, string(series))
	body := o.found(path, "RRULE:FREQ=DAILY;COUNT=4", "SUMMARY:Позже", "RECURRENCE-ID.*")
	o.must(204, "PUT", path, strings.Replace(body, "RRULE:FREQ=DAILY;COUNT=4\r\n", "RRULE:FREQ=DAILY;COUNT=4\r\nEXDATE;TZID=Europe/Berlin:20261126T080000\r\n", 1))
	body = o.found(path, "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20261126T080000", "SUMMARY:Позже")
	if n := strings.Count(body, "BEGIN:VEVENT"); n != 2 {
		t.Errorf("%d components in\n%s", n, body)
	}
}
