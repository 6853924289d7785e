package caldav

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-webdav"
	client "github.com/emersion/go-webdav/caldav"
)

// go-webdav's client, written by others from the same RFCs, finds its way
// from the bare address to an event and back.
func TestConformance_GoWebdavClient(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	c, err := client.NewClient(webdav.HTTPClientWithBasicAuth(http.DefaultClient, "anna", password), o.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil || principal != "/dav/principals/anna/" {
		t.Fatalf("principal %q: %v", principal, err)
	}
	home, err := c.FindCalendarHomeSet(ctx, principal)
	if err != nil || home != annaHome {
		t.Fatalf("home %q: %v", home, err)
	}
	cals, err := c.FindCalendars(ctx, home)
	if err != nil || len(cals) != 5 {
		t.Fatalf("calendars %v: %v", cals, err)
	}
	for i, want := range []string{"Просрочено", "Текущие", "Отложено", "Сделано", "Задачи"} {
		if cals[i].Name != want || cals[i].MaxResourceSize != maxRequest || len(cals[i].SupportedComponentSet) != 1 {
			t.Errorf("calendar %d: %+v", i, cals[i])
		}
	}
	obj, err := ical.NewDecoder(bytes.NewReader([]byte(meeting("gw", "Call Ivan", "20261124T100000Z")))).Decode()
	if err != nil {
		t.Fatal(err)
	}
	path := cals[1].Path + "gw.ics"
	if _, err := c.PutCalendarObject(ctx, path, obj); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetCalendarObject(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	title, _ := got.Data.Children[0].Props.Text("SUMMARY")
	if title != "Call Ivan" || got.ETag == "" || got.ModTime.IsZero() {
		t.Errorf("got %q %+v", title, got)
	}
	request := client.CalendarCompRequest{Name: "VCALENDAR", AllProps: true, AllComps: true}
	found, err := c.QueryCalendar(ctx, cals[1].Path, &client.CalendarQuery{
		CompRequest: request,
		CompFilter: client.CompFilter{Name: "VCALENDAR", Comps: []client.CompFilter{{
			Name:  "VEVENT",
			Start: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
			End:   time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
		}}},
	})
	if err != nil || len(found) != 1 || found[0].Path != path || found[0].ETag != got.ETag {
		t.Fatalf("query: %+v %v", found, err)
	}
	found, err = c.MultiGetCalendar(ctx, cals[1].Path, &client.CalendarMultiGet{CompRequest: request, Paths: []string{path}})
	if err != nil || len(found) != 1 {
		t.Fatalf("multiget: %+v %v", found, err)
	}
	if err := c.Move(ctx, path, cals[2].Path+"gw.ics", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveAll(ctx, cals[2].Path+"gw.ics"); err != nil {
		t.Fatal(err)
	}
	if found, err := c.QueryCalendar(ctx, cals[2].Path, &client.CalendarQuery{CompRequest: request, CompFilter: client.CompFilter{Name: "VCALENDAR"}}); err != nil || len(found) != 0 {
		t.Errorf("after deleting: %v %v", found, err)
	}
}
