package caldav

import (
	"context"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// makeFilter is a saved filter of that manager, as the page makes it.
func (o *office) makeFilter(m store.Manager, name string, f store.Filter) store.Collection {
	o.Helper()
	c, err := o.st.MakeFilter(context.Background(), store.Actor{ManagerID: m.ID, Origin: store.FromWeb}, f, store.CollectionEdit{Name: &name})
	if err != nil {
		o.Fatal(err)
	}
	return c
}

func TestFilterCalendar(t *testing.T) {
	o := newOffice(t)
	vip := o.makeFilter(o.anna, "VIP payments", store.Filter{Importances: []store.Importance{store.High}})
	path := annaHome + vip.Slug + "/"
	r := o.must(207, "PROPFIND", annaHome, tbHome, "Depth: 1")
	if !strings.Contains(r.body, path) || !strings.Contains(r.body, "VIP payments") {
		t.Errorf("not in the home:\n%s", r.body)
	}

	// Written into it, an event becomes important and so stays in it.
	o.must(201, "PUT", path+"one.ics", meeting("one", "Call Ivan", "20261124T100000Z"), ics, "If-None-Match: *")
	r = o.must(200, "GET", path+"one.ics", "")
	if !strings.Contains(r.body, "PRIORITY:1") {
		t.Errorf("not important:\n%s", r.body)
	}
	// It is the same contact in its status calendar; deleted, it is gone from both.
	o.must(200, "GET", annaHome+"current/one.ics", "")
	o.now = o.now.Add(2 * time.Minute)
	o.must(204, "DELETE", path+"one.ics", "")
	o.must(404, "GET", annaHome+"current/one.ics", "")

	// The name is the client's to change; deleting takes the filter alone.
	o.must(201, "PUT", path+"two.ics", meeting("two", "Call Ivan", "20261124T100000Z"), ics)
	o.must(404, "DELETE", "/dav/calendars/anna/"+vip.Slug+"/", "", "as: boris")
	o.must(204, "DELETE", path, "")
	o.must(404, "PROPFIND", path, "", "Depth: 0")
	o.must(200, "GET", annaHome+"current/two.ics", "")

	// Where nothing written can stay, it is refused rather than lost.
	payments := o.makeFilter(o.anna, "Payments", store.Filter{Types: []store.ItemType{store.PaymentItem}})
	r = o.must(403, "PUT", annaHome+payments.Slug+"/new.ics", meeting("new", "Call", "20261124T100000Z"), ics)
	if !strings.Contains(r.body, "need-privileges") {
		t.Errorf("without the precondition:\n%s", r.body)
	}
	o.must(404, "GET", annaHome+"current/new.ics", "")

	// What a head sees of the team is read-only.
	team := o.makeFilter(o.head, "Team", store.Filter{})
	home := "/dav/calendars/boris/" + team.Slug + "/"
	o.must(200, "GET", home+"two.ics", "", "as: boris")
	r = o.must(403, "PUT", home+"three.ics", meeting("three", "x", "20261124T100000Z"), ics, "as: boris")
	if !strings.Contains(r.body, "need-privileges") {
		t.Errorf("without the precondition:\n%s", r.body)
	}
	o.must(403, "DELETE", home+"two.ics", "", "as: boris")
	r = o.must(207, "PROPFIND", home, propfindOf("<D:current-user-privilege-set/>"), "Depth: 0", "as: boris")
	if strings.Contains(r.body, "<D:write-content/>") {
		t.Errorf("claims to be writable:\n%s", r.body)
	}
}
