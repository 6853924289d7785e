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
