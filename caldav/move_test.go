package caldav

import (
	"context"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// A calendar that was empty gave out a token; what came and went since is told
// to the one who holds it (RFC 6578 section 3.5).
func TestSync_SinceEmpty(t *testing.T) {
	o := newOffice(t)
	token := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	o.put(annaCurrent+"a.ics", "a", "Call", "20261124T100000Z")
	o.must(204, "DELETE", annaCurrent+"a.ics", "")
	m := o.parse(o.do("REPORT", annaCurrent, syncReport(token, 0)))
	if len(m.Responses) != 1 || !strings.Contains(m.Responses[0].Status, "404") {
		t.Errorf("since the empty calendar: %+v", m.Responses)
	}
}

// Thunderbird and iOS move by PUT there and DELETE here. Where the event does
// not belong there it stays what and where it was.
func TestMove_ByPutAndDelete(t *testing.T) {
	o := newOffice(t)
	event := meeting("m", "Call Ivan", "20261124T100000Z")
	o.must(201, "PUT", annaCurrent+"m.ics", event, ics)
	token := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	o.must(201, "PUT", annaHome+"overdue/m.ics", event, ics, "If-None-Match: *")
	o.must(200, "GET", annaHome+"overdue/m.ics", "")
	o.must(204, "DELETE", annaCurrent+"m.ics", "")
	o.must(200, "GET", annaCurrent+"m.ics", "")
	if got := o.parse(o.do("REPORT", annaCurrent, syncReport(token, 0))).hrefs(); len(got) != 1 || got[annaCurrent+"m.ics"] == "" {
		t.Errorf("the program that deleted it is told: %q", got)
	}
	o.now = o.now.Add(2 * time.Minute)
	if _, err := o.st.TurnStatuses(context.Background()); err != nil {
		t.Fatal(err)
	}
	o.must(404, "GET", annaHome+"overdue/m.ics", "")
	items, err := o.st.Agenda(context.Background(), store.AgendaQuery{Viewer: o.anna})
	if err != nil || len(items) != 1 || items[0].State() != store.Planned {
		t.Errorf("the record: %+v %v", items, err)
	}
	o.must(204, "DELETE", annaCurrent+"m.ics", "") // a deletion by itself is one
	o.must(404, "GET", annaCurrent+"m.ics", "")
}

// The move is over with its DELETE, also where that finds nothing any more: the
// next DELETE, in a saved filter say, is one.
func TestMove_ThenDelete(t *testing.T) {
	o := newOffice(t)
	vip := annaHome + o.makeFilter(o.anna, "VIP", store.Filter{Importances: []store.Importance{store.High}}).Slug + "/"
	event := strings.Replace(meeting("m", "Call Ivan", "20261124T100000Z"), "END:VEVENT", "PRIORITY:1\r\nEND:VEVENT", 1)
	o.must(201, "PUT", annaCurrent+"m.ics", event, ics)
	o.must(201, "PUT", annaHome+"postponed/m.ics", event, ics, "If-None-Match: *")
	o.must(404, "DELETE", annaCurrent+"m.ics", "")
	o.must(204, "DELETE", vip+"m.ics", "")
	o.must(404, "GET", vip+"m.ics", "")
	o.must(404, "GET", annaHome+"postponed/m.ics", "")
}

// Between the PUT and the DELETE of a move other things happen: the program
// writes an alarm, a colleague moves the same meeting. The DELETE is its second
// half all the same.
func TestMove_Interrupted(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	planned, err := o.st.PlanContact(ctx, store.Actor{ManagerID: o.head.ID}, store.ContactDraft{Kind: store.Meeting, Subject: "Meeting",
		Managers: []int64{o.anna.ID, o.head.ID}, When: store.Span{Start: o.now.Add(24 * time.Hour), End: o.now.Add(25 * time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	const headHome = "/dav/calendars/boris/"
	from := func(home, who string) string {
		for href := range o.parse(o.do("PROPFIND", home+"current/", "", "Depth: 1", "as: "+who)).hrefs() {
			if strings.HasSuffix(href, ".ics") {
				return href
			}
		}
		t.Fatalf("nothing in %s", home)
		return ""
	}
	anna, head := from(annaHome, "anna"), from(headHome, "boris")
	body := o.must(200, "GET", anna, "").body
	o.must(201, "PUT", annaHome+"overdue/m.ics", body, ics)
	o.must(201, "PUT", headHome+"overdue/m.ics", o.must(200, "GET", head, "", "as: boris").body, ics, "as: boris")
	o.must(204, "DELETE", head, "", "as: boris")
	if code := o.do("PUT", annaHome+"overdue/m.ics", strings.Replace(body, "END:VEVENT", "COMMENT:x\r\nEND:VEVENT", 1), ics).status; code != 204 {
		t.Fatalf("the next PUT: %d", code)
	}
	o.do("DELETE", anna, "")
	c, err := o.st.Contact(ctx, o.anna, planned.ID)
	if err != nil || c.State != store.Planned {
		t.Errorf("%s %v", c.State, err)
	}
}
