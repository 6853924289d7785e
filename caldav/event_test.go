package caldav

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

// Whole entries as they are served, in testdata/entry. -update writes them
// anew; read the difference before you keep it.

var (
	moscow   = &store.Manager{ID: 1, Login: "anna", Name: "Анна", Language: store.Russian, TimeZone: "Europe/Moscow"}
	berliner = &store.Manager{ID: 2, Login: "bob", Name: "Bob", Language: store.English, TimeZone: "Europe/Berlin"}
	romashka = &store.Client{ID: 7, Name: "ООО «Ромашка»", Importance: store.High, ABC: "A", XYZ: "X", Phones: []string{"+7 495 111-22-33"}}
	persons  = []store.Person{
		{ID: 1, Name: "Иван Петров", Position: "директор", Phones: []string{"+7 916 000-00-01"}, Emails: []string{"petrov@romashka.test"}},
		{ID: 2, Name: "Мария Сидорова", Emails: []string{"sidorova@romashka.test"}},
	}
	current  = &store.Collection{ID: 1, Slug: "current", Kind: store.StatusCalendar, Component: store.VEvent}
	todoList = &store.Collection{ID: 5, Slug: "todo", Kind: store.TodoList, Component: store.VTodo}
	written  = time.Date(2026, 11, 20, 7, 30, 0, 0, time.UTC)
)

// at is a stretch of time on 24 November 2026 in UTC.
func at(hour, min, minutes int) store.Span {
	t := time.Date(2026, 11, 24, hour, min, 0, 0, time.UTC)
	return store.Span{Start: t, End: t.Add(time.Duration(minutes) * time.Minute)}
}

func contactView(owner *store.Manager, col *store.Collection, c store.Contact, client *store.Client) *store.EntryView {
	c.ID, c.UID = 42, "c42@intouch"
	c.Created, c.Changed = written, written.Add(time.Hour)
	if c.State == "" {
		c.State = store.Planned
	}
	if c.Importance == "" {
		c.Importance = store.Normal
	}
	v := &store.EntryView{UID: c.UID, Collection: col, Owner: owner, Client: client, Changed: c.Changed, Version: 3,
		Item: &store.Item{Type: store.ContactItem, Contact: &c, Importance: c.Importance, When: c.When, Status: store.StatusCurrent}}
	switch c.State {
	case store.Postponed:
		v.Item.Status = store.StatusPostponed
	case store.Done:
		v.Item.Status = store.StatusDone
	}
	if client != nil {
		c.ClientID, c.ClientName = client.ID, client.Name
		v.Item.ClientID, v.Item.ClientName = client.ID, client.Name
	}
	return withAlarms(v)
}

// withAlarms gives a view the alarms that the store gives it.
func withAlarms(v *store.EntryView) *store.EntryView {
	v.Alarms = store.DefaultReminders.Offsets(v.Item)
	return v
}

func dealView(owner *store.Manager, col *store.Collection, e store.DealEvent) *store.EntryView {
	e.ID, e.UID, e.DealID = 9, "e9@intouch", 11
	d := &store.Deal{ID: 11, Number: "1045", Date: "2026-11-01", ClientID: 7, ClientName: romashka.Name, Amount: store.Money{Minor: 24000000, Currency: "RUB"}}
	return withAlarms(&store.EntryView{UID: e.UID, Collection: col, Owner: owner, Client: romashka, Persons: persons, Changed: written, Version: 1,
		Totals: &store.DealTotals{Ordered: 24000000, Shipped: 12000000, LeftToShip: 12000000, ToPay: 24000000, Paid: 0, LeftToPay: 24000000, Currency: "RUB", ShippedKnown: true, PaidKnown: true},
		Item: &store.Item{Type: store.ShipmentItem, Event: &e, Deal: d, ClientID: 7, ClientName: romashka.Name,
			Importance: store.High, When: e.When(owner.Location()), Status: store.StatusCurrent}})
}

var render = NewRenderer("https://crm.vector.test/")

func TestRender_Golden(t *testing.T) {
	call := store.Contact{Kind: store.Call, Subject: "Обсудить договор", Body: "Спросить про сроки;\nвзять прайс, новый", When: at(7, 0, 30), Importance: store.High}
	callRu := contactView(moscow, current, call, romashka)
	callRu.Persons = persons
	callRu.Recent = []store.Contact{
		{Kind: store.Letter, Subject: "Re: Прайс-лист", When: store.Span{Start: written, End: written}},
		{Kind: store.Meeting, Subject: "", When: store.Days("2026-11-10", "2026-11-10", moscow.Location())},
	}
	callEn := contactView(berliner, current, store.Contact{Kind: store.Call, Subject: "Call about the contract", When: at(9, 0, 30)}, nil)
	allDay := contactView(moscow, current, store.Contact{Kind: store.Visit, Subject: "Выставка", When: store.Days("2026-11-24", "2026-11-26", moscow.Location())}, nil)
	overdue := contactView(moscow, current, store.Contact{Kind: store.Other, When: at(7, 0, 0)}, romashka)
	overdue.Item.Status = store.StatusOverdue
	shipment := store.DealEvent{Kind: store.Shipment, Due: "2026-11-12", Expected: "2026-11-25", DueSet: written.AddDate(0, 0, -5), ExpectSet: written, Amount: 12000000, Covered: 4000000, Known: true, Note: "Водитель Олег"}
	payment := store.DealEvent{Kind: store.Payment, Due: "2026-11-30", Amount: 12000000}
	todoDone := contactView(moscow, todoList, store.Contact{Kind: store.Call, Subject: "Обсудить договор", When: at(7, 0, 30), State: store.Done, Completed: written}, nil)
	series := contactView(berliner, todoList, store.Contact{Kind: store.Meeting, Subject: "Weekly", When: at(9, 0, 60), Recurrence: "RRULE:FREQ=WEEKLY\nEXDATE:20261201T090000Z\nOVERRIDES:1"}, nil)
	newYork := *berliner
	newYork.TimeZone = "America/New_York"
	dst := contactView(&newYork, current, store.Contact{Kind: store.Meeting, Subject: "Meeting", When: store.Span{
		Start: time.Date(2027, 3, 13, 15, 0, 0, 0, time.UTC), End: time.Date(2027, 3, 14, 15, 0, 0, 0, time.UTC)}}, nil)

	overlay := contactView(moscow, current, call, romashka)
	overlay.Overlay = readFile(t, "overlay.put.ics")
	overlay.UID = "7fe0ba2e-9d7f-4d12-8b39-2bdf9cd65b0f"
	overlay.Item.Status = store.StatusOverdue

	for name, v := range map[string]*store.EntryView{
		"call-ru": callRu, "call-en": callEn, "all-day": allDay, "overdue": overdue,
		"shipment-ru": dealView(moscow, current, shipment), "payment-en": dealView(berliner, current, payment),
		"todo-open": contactView(moscow, todoList, call, romashka), "todo-done": todoDone, "todo-series": series,
		"dst-zone": dst, "overlay": overlay,
	} {
		t.Run(name, func(t *testing.T) {
			got := render(v)
			path := filepath.Join("testdata", "entry", name+".ics")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, name+".ics")), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
			if wellFormed(t, got); v.Overlay == nil {
				folded(t, got)
			}
			if !bytes.Equal(got, render(v)) {
				t.Error("the same view gave other bytes")
			}
		})
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "entry", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// wellFormed holds what Render gives to what every reader may expect of it.
func wellFormed(t failer, b []byte) {
	t.Helper()
	if _, err := parse(b); err != nil {
		t.Errorf("does not lint: %v\n%s", err, b)
	}
	if !bytes.HasSuffix(b, []byte("END:VCALENDAR\r\n")) || bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) {
		t.Errorf("line ends are not CRLF\n%q", b)
	}
}

// folded holds what we write ourselves to RFC 5545 section 3.1.
func folded(t failer, b []byte) {
	t.Helper()
	for l := range strings.SplitSeq(string(b), "\r\n") {
		if len(l) > foldOctets {
			t.Errorf("a line of %d octets: %s", len(l), l)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	w, err := ReadWrite(readFile(b, "overlay.put.ics"), store.VEvent, moscow)
	if err != nil {
		b.Fatal(err)
	}
	fresh := contactView(moscow, current, store.Contact{Kind: store.Call, Subject: "Обсудить договор", When: at(7, 0, 30)}, romashka)
	fresh.Persons = persons
	for name, v := range map[string]*store.EntryView{"new": fresh, "upon": stored(w, moscow, romashka), "deal": dealView(moscow, current, store.DealEvent{Kind: store.Shipment, Due: "2026-11-12", Amount: 12000000, Known: true})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				render(v)
			}
		})
	}
}
