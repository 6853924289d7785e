package caldav

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// meaning is one edit that a person can make in a calendar program, as it
// reaches the server, and the edit that undoes it.
type meaning struct {
	edit string // what the person does
	sent string // what the program sends
	undo string // the opposite
	on   func(*desk) string
	do   func(d *desk, path string)
	back func(d *desk, path string)
	// once says why the record is not as before when the edit is undone.
	once bool
	// keeps is what is in the event from then on, until it is undone.
	keeps string
}

const meaningsPage = "../docs/calendar.md"

// TestMeanings does each edit of docs/calendar.md, and its opposite. The table
// there is what it saw: -update writes it anew.
func TestMeanings(t *testing.T) {
	var table strings.Builder
	table.WriteString("| edit | the program sends | in the record | undone by | in the record |\n|---|---|---|---|---|\n")
	for _, m := range meanings {
		t.Run(m.edit, func(t *testing.T) {
			d := newDesk(t)
			path := ""
			if m.on != nil {
				path = m.on(d)
			}
			before := d.record()
			if path != "" {
				d.had = d.get(d.standing(path))
			}
			m.do(d, path)
			if m.keeps != "" && !strings.Contains(d.get(path), m.keeps) {
				t.Errorf("no %q in\n%s", m.keeps, d.get(path))
			}
			edited := d.record()
			m.back(d, path)
			if m.keeps != "" {
				if r := d.o.do("GET", path, ""); strings.Contains(r.body, m.keeps) {
					t.Errorf("still %q in\n%s", m.keeps, r.body)
				}
			}
			after := d.record()
			back := "as before"
			if diff := difference(before, after); diff != nothing {
				if back = difference(edited, after); !m.once {
					t.Errorf("%s does not undo it: %s", m.undo, diff)
				}
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", m.edit, m.sent, difference(before, edited), m.undo, back)
		})
	}
	page, err := os.ReadFile(meaningsPage)
	if err != nil {
		t.Fatal(err)
	}
	between := regexp.MustCompile(`(?s)(<!-- edits -->\n).*(<!-- /edits -->)`)
	want := between.ReplaceAllString(string(page), "${1}"+strings.ReplaceAll(table.String(), "$", "$$")+"${2}")
	if *update {
		if err := os.WriteFile(meaningsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("docs/calendar.md does not say what edits do now; go test ./caldav -run TestMeanings -update writes:\n%s", table.String())
	}
}

// desk is Anna's: a client, a deal, and the calendars that come with her and
// two of her own, Work and Home; VIP is a saved filter
// that shows what is of high importance.
type desk struct {
	*testing.T
	o   *office
	vip string // the slug of the saved filter, another one each time
	had string // what the program held before the edit
}

const annaOwn = annaHome + "home/"

func newDesk(t *testing.T) *desk {
	o := newOffice(t)
	err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		if _, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Manager: "anna"}); err != nil {
			return err
		}
		if _, err := im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Иван", Emails: []string{"ivan@romashka.test"}}); err != nil {
			return err
		}
		_, err := im.Deal(store.DealRow{ID: "d1", Number: "17", Date: "2026-11-20", Client: "c1", Manager: "anna",
			Amount: store.Money{Minor: 100_000, Currency: "RUB"}, ShipDue: "2026-11-25"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.must(201, "MKCALENDAR", annaWork, mkcalendar("<D:displayname>Work</D:displayname>"))
	o.must(201, "MKCALENDAR", annaOwn, mkcalendar("<D:displayname>Home</D:displayname>"))
	vip := o.makeFilter(o.anna, "VIP", store.Filter{Importances: []store.Importance{store.High}})
	return &desk{T: t, o: o, vip: vip.Slug}
}

// planned is a meeting with the client on the 24th at 13:00, planned on the
// page; late is one that was to be held on the 20th.
func planned(d *desk) string { return d.plan("Договор", 24) }
func late(d *desk) string    { return d.plan("Договор", 20) }

func (d *desk) plan(subject string, day int) string {
	d.Helper()
	start := time.Date(2026, 11, day, 10, 0, 0, 0, time.UTC)
	if _, err := d.o.st.PlanContact(context.Background(), store.Actor{ManagerID: d.o.anna.ID}, store.ContactDraft{
		Kind: store.Meeting, ClientID: 1, Subject: subject, When: store.Span{Start: start, End: start.Add(time.Hour)},
	}); err != nil {
		d.Fatal(err)
	}
	if day < 23 {
		return d.find("overdue", subject)
	}
	return d.find("current", subject)
}

// task is the same meeting in the To do list.
func task(d *desk) string {
	planned(d)
	return d.find("todo", "Договор")
}

// own is an event that Anna wrote in her calendar Work.
func own(d *desk) string {
	d.o.must(201, "PUT", annaWork+"own.ics", meeting("own", "Dentist", "20261124T100000Z"), ics)
	return annaWork + "own.ics"
}

// ownTask is a task there.
func ownTask(d *desk) string {
	d.o.must(201, "PUT", annaWork+"own.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:own\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:Shopping\r\nEND:VTODO\r\nEND:VCALENDAR\r\n", ics)
	return annaWork + "own.ics"
}

// shipment is the deal's shipment.
func shipment(d *desk) string { return d.find("current", "17") }

// weekly is an event of Anna's that repeats.
func weekly(d *desk) string {
	d.o.must(201, "PUT", annaCurrent+"weekly.ics", meeting("weekly", "Planning", "20261125T100000Z", "RRULE:FREQ=WEEKLY"), ics)
	return annaCurrent + "weekly.ics"
}

// find gives the entry of a calendar with that word in its title.
func (d *desk) find(calendar, word string) string {
	d.Helper()
	for href := range d.o.parse(d.o.do("PROPFIND", annaHome+calendar+"/", propfindOf("<D:getetag/>"), "Depth: 1")).hrefs() {
		if strings.HasSuffix(href, ".ics") && strings.Contains(unfold([]byte(d.get(href))), word) {
			return href
		}
	}
	d.Fatalf("%s is not in %s", word, calendar)
	return ""
}

func (d *desk) get(path string) string {
	d.Helper()
	return d.o.must(200, "GET", path, "").body
}

// save puts the event back with lines changed, as a program does that knows
// the newest state: each line takes the place of the property that it names;
// one that ends with ":" takes it away.
func (d *desk) save(path string, lines ...string) {
	d.Helper()
	path = d.standing(path)
	r := d.o.must(200, "GET", path, "")
	d.o.must(204, "PUT", path, changed(r.body, lines...), ics, "If-Match: "+r.header.Get("ETag"))
}

var mainComponent = regexp.MustCompile(`(?s)BEGIN:V(EVENT|TODO)\r\n.*?END:V(EVENT|TODO)`)

// changed is an object with lines of its first component changed.
func changed(body string, lines ...string) string {
	body = strings.ReplaceAll(body, "\r\n ", "")
	was := mainComponent.FindString(body)
	end := strings.LastIndex(was, "END:V")
	is, alarms, ending := was[:end], "", was[end:]
	if i := strings.Index(is, "BEGIN:VALARM"); i >= 0 {
		is, alarms = is[:i], is[i:]
	}
	for _, l := range lines {
		name := regexp.MustCompile(`^[A-Z-]+`).FindString(l)
		if name == "BEGIN" { // a whole alarm, or none
			alarms = strings.TrimPrefix(l, "BEGIN:")
			continue
		}
		is = regexp.MustCompile(`(?m)^`+name+`[;:].*\r\n`).ReplaceAllString(is, "")
		if !strings.HasSuffix(l, ":") {
			is += l + "\r\n"
		}
	}
	return strings.Replace(body, was, is+alarms+ending, 1)
}

// saving makes a do of a save.
func saving(lines ...string) func(*desk, string) {
	return func(d *desk, path string) { d.save(path, lines...) }
}

// into moves with MOVE; byPut with PUT and DELETE, as Thunderbird and iOS do.
func into(calendar string) func(*desk, string) {
	return func(d *desk, path string) {
		d.o.must(201, "MOVE", d.standing(path), "", "Destination: "+annaHome+calendar+"/"+path[strings.LastIndex(path, "/")+1:])
	}
}

func byPut(calendar string) func(*desk, string) {
	return func(d *desk, path string) {
		from := d.standing(path)
		d.o.must(201, "PUT", d.calendar(calendar)+path[strings.LastIndex(path, "/")+1:], d.get(from), ics, "If-None-Match: *")
		if r := d.o.do("DELETE", from, ""); r.status != 204 && r.status != 404 {
			d.Errorf("DELETE %s: %d", from, r.status)
		}
	}
}

// calendar is the path of a calendar by its slug, or of the saved filter.
func (d *desk) calendar(slug string) string {
	if slug == "vip" {
		slug = d.vip
	}
	return annaHome + slug + "/"
}

// standing is where the event of that name stands now.
func (d *desk) standing(path string) string {
	d.Helper()
	for _, c := range d.calendars() {
		p := annaHome + c.Slug + path[strings.LastIndex(path, "/"):]
		if d.o.do("GET", p, "").status == 200 {
			return p
		}
	}
	d.Fatalf("%s stands nowhere", path)
	return ""
}

func (d *desk) calendars() []store.Collection {
	d.Helper()
	cols, err := d.o.st.Collections(context.Background(), d.o.anna.ID)
	if err != nil {
		d.Fatal(err)
	}
	return cols
}

const nothing = "–"

// record is what the database says, two minutes later, thing by thing.
func (d *desk) record() map[string]map[string]string {
	d.Helper()
	ctx := context.Background()
	d.o.now = d.o.now.Add(2 * time.Minute)
	if _, err := d.o.st.TurnStatuses(ctx); err != nil {
		d.Fatal(err)
	}
	shown := map[string][]string{}
	things := map[string]map[string]string{}
	for _, c := range d.calendars() {
		if c.Slug == d.vip {
			c.Slug = "vip"
		}
		err := d.o.st.Entries(ctx, c.ID, time.Time{}, time.Time{}, store.EntryDetails, nil, func(e *store.Entry) error {
			shown[e.Key.String()] = append(shown[e.Key.String()], c.Slug)
			return nil
		})
		if err != nil {
			d.Fatal(err)
		}
		things["0 calendar "+c.Slug] = map[string]string{"name": c.Name, "colour": c.Color}
	}
	for id := int64(1); ; id++ {
		c, err := d.o.st.Contact(ctx, d.o.anna, id)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			d.Fatal(err)
		}
		things[fmt.Sprint("1 contact ", id)] = map[string]string{
			"state": string(c.State), "importance": string(c.Importance), "kind": string(c.Kind), "subject": c.Subject, "text": c.Body, "client": c.ClientName,
			"time": d.span(c.When), "repeats": strings.ReplaceAll(c.Recurrence, "\n", " "), "in": strings.Join(shown[fmt.Sprint("c", id)], ", "),
		}
	}
	card, err := d.o.st.Deal(ctx, d.o.anna, 1)
	if err != nil {
		d.Fatal(err)
	}
	for _, e := range card.Events {
		things["2 "+string(e.Kind)] = map[string]string{"state": string(e.State), "due": string(e.Due), "expected": string(e.Expected), "note": e.Note,
			"in": strings.Join(shown[fmt.Sprint("e", e.ID)], ", ")}
	}
	return things
}

// span is a time as the manager reads it.
func (d *desk) span(s store.Span) string {
	loc := d.o.anna.Location()
	switch {
	case s.IsZero():
		return ""
	case s.AllDay && s.First == s.Last:
		return string(s.First)[5:]
	case s.AllDay:
		return string(s.First)[5:] + "–" + string(s.Last)[5:]
	case s.Start.Equal(s.End):
		return s.End.In(loc).Format("01-02 15:04")
	}
	return s.Start.In(loc).Format("01-02 15:04") + "–" + s.End.In(loc).Format("15:04")
}

// difference says in words what is otherwise in the second record.
func difference(a, b map[string]map[string]string) string {
	fields := []string{"state", "importance", "kind", "name", "colour", "subject", "client", "text", "note", "time", "due", "expected", "repeats", "in"}
	quote := func(s string) string {
		if s == "" {
			return "none"
		}
		return "`" + s + "`"
	}
	var parts []string
	names := map[string]bool{}
	for _, m := range []map[string]map[string]string{a, b} {
		for name := range m {
			names[name] = true
		}
	}
	sorted := []string{}
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		was, is := a[name], b[name]
		switch {
		case is == nil:
			parts = append(parts, name[2:]+" is gone")
			continue
		case was == nil:
			var said []string
			for _, f := range fields {
				if is[f] != "" {
					said = append(said, f+" "+quote(is[f]))
				}
			}
			parts = append(parts, "new: "+strings.Join(said, ", "))
			continue
		}
		for _, f := range fields {
			if was[f] != is[f] {
				parts = append(parts, f+" "+quote(was[f])+" → "+quote(is[f]))
			}
		}
	}
	if len(parts) == 0 {
		return nothing
	}
	return strings.Join(parts, "; ")
}

// note writes what stands above our part of the description, in its place.
func (d *desk) note(path, note string) {
	d.Helper()
	was := unescape(regexp.MustCompile(`(?m)^DESCRIPTION:(.*)\r$`).FindStringSubmatch(strings.ReplaceAll(d.get(path), "\r\n ", ""))[1])
	ours := was[separatorLine.FindStringIndex(was)[0]:]
	d.save(path, "DESCRIPTION:"+escape(note+"\n\n"+ours))
}
