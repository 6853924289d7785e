package caldav

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

const (
	utcTime = "20060102T150405Z"
	dayOnly = "20060102"
	prodID  = "-//Intouch//Intouch//EN"
)

// NewRenderer gives the function that writes calendar entries. publicURL is
// where the pages are, "https://crm.example.org".
//
// An entry is written from the view alone, or, where a calendar program has
// put bytes for it, those bytes are taken and only what we model and what
// differs is replaced in them. It never says ATTENDEE or ORGANIZER of its own:
// calendar programs would mail the clients.
func NewRenderer(publicURL string) store.Renderer {
	base := strings.TrimRight(fitText(oneLine(publicURL)), "/")
	return func(v *store.EntryView) []byte {
		e := newEntry(v, base)
		if len(v.Overlay) > 0 {
			merge := e.merge
			if e.label {
				merge = e.mergeLabelled
			}
			if b := merge(v.Overlay); b != nil {
				return b
			}
		}
		return e.write()
	}
}

// entry is what we have to say about an item in one collection.
type entry struct {
	view *store.EntryView
	todo bool
	// label: the collection is a label calendar, whose programs get back what
	// they put, byte for byte, for as long as it says what the record says.
	label bool
	lang  store.Language
	loc   *time.Location // the owner's
	when  store.Span

	changed     string // LAST-MODIFIED
	created     string
	subject     string // the contact's own words, "" of a deal's event
	client      string // linked client's name
	summary     string
	note, block string // the two parts of DESCRIPTION
	url, base   string
	importance  store.Importance
	recurrence  []string // RRULE, RDATE, EXDATE lines
}

func newEntry(v *store.EntryView, base string) *entry {
	it := v.Item
	e := &entry{view: v, lang: v.Owner.Language, loc: managerZone(v.Owner), when: it.When, base: base, importance: it.Importance}
	e.todo = v.Collection != nil && v.Collection.Component == store.VTodo
	e.label = v.Collection != nil && v.Collection.Kind == store.LabelCalendar
	if e.importance == "" {
		e.importance = store.Normal
	}
	if v.Client != nil {
		e.client = v.Client.Name
	}
	e.changed = stampOf(v.Changed)
	e.block = block(v)
	switch {
	case it.Event != nil:
		e.summary, e.note, e.created = e.dealTitle(), it.Event.Note, e.changed
		e.url = fmt.Sprintf("%s/deals/%d", base, it.Event.DealID)
	default:
		c := it.Contact
		e.subject, e.note, e.created = oneLine(fitText(c.Subject)), c.Body, stampOf(c.Created)
		e.url = fmt.Sprintf("%s/contacts/%d", base, c.ID)
		e.summary = store.TitleWithClient(e.subject, e.client)
		if e.subject == "" {
			e.summary = store.TitleWithClient(store.Word(e.lang, "kind."+string(c.Kind)), e.client)
		}
		for l := range strings.SplitSeq(c.Recurrence, "\n") {
			if _, err := parseLine([]byte(l)); err == nil && !strings.HasPrefix(l, "OVERRIDES:") {
				e.recurrence = append(e.recurrence, l)
			}
		}
	}
	return e
}

// dealTitle is "Отгрузка: заказ № 1045, ООО «Ромашка», 120 000,00 ₽".
func (e *entry) dealTitle() string {
	it := e.view.Item
	s := store.Word(e.lang, "type."+string(it.Event.Kind)) + ": "
	currency := ""
	if it.Deal != nil {
		s += phrase(e.lang, "order", it.Deal.Number) + ", "
		currency = it.Deal.Amount.Currency
	}
	if name := oneLine(it.ClientName); name != "" {
		s += name + ", "
	}
	return fitText(s + sum(it.Event.Amount, currency, e.lang))
}

func stampOf(t time.Time) string {
	if t.Year() < 1970 {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format(utcTime)
}

// description is the whole DESCRIPTION.
func (e *entry) description() string {
	if e.block == "" {
		return e.note
	}
	return describe(e.note, e.block)
}

// write writes the entry from the view alone.
func (e *entry) write() []byte {
	w := &writer{}
	name := "VEVENT"
	if e.todo {
		name = "VTODO"
	}
	when := e.when
	if when.IsZero() && !e.todo {
		// A VEVENT must have a day: the one when it was written down.
		day := store.DateOf(e.view.Changed, e.loc)
		if c := e.view.Item.Contact; c != nil {
			day = store.DateOf(c.Created, e.loc)
		}
		when = store.Days(day, day, e.loc)
	}
	w.line("BEGIN:VCALENDAR")
	w.line("VERSION:2.0")
	w.line("PRODID:" + prodID)
	if !when.IsZero() && !when.AllDay && e.loc != time.UTC {
		w.writeZone(e.loc, when.Start.In(e.loc).Year())
	}
	w.line("BEGIN:" + name)
	w.line("UID:" + escape(e.view.UID))
	w.line("DTSTAMP:" + e.changed)
	w.line("CREATED:" + e.created)
	w.line("LAST-MODIFIED:" + e.changed)
	w.line("SEQUENCE:" + fmt.Sprint(sequence(e.view.Version)))
	w.line("SUMMARY:" + escape(e.summary))
	for _, l := range e.times(when, ownZone(e.loc), true) {
		w.line(l)
	}
	if !when.IsZero() {
		for _, l := range e.recurrence {
			w.line(l)
		}
	}
	if d := e.description(); d != "" {
		w.line("DESCRIPTION:" + escape(d))
	}
	w.line("URL:" + e.url)
	w.line("PRIORITY:" + priority(e.importance))
	if e.todo {
		e.writeProgress(w)
	} else {
		w.line("STATUS:" + e.eventStatus())
		w.line("TRANSP:" + e.transparency(when))
	}
	if c := e.view.Item.Contact; c != nil && c.Private {
		w.line("CLASS:PRIVATE")
	}
	w.line("CATEGORIES:" + categoryValue(e.categories()))
	w.line("COLOR:" + colorName(e.view.Item.Status))
	for _, trigger := range e.alarms() {
		w.line("BEGIN:VALARM")
		w.line("ACTION:DISPLAY")
		w.line("TRIGGER;RELATED=START:" + trigger)
		w.line("DESCRIPTION:" + escape(e.summary))
		w.line("END:VALARM")
	}
	w.line("END:" + name)
	w.line("END:VCALENDAR")
	return w.Bytes()
}

// sequence is the version as SEQUENCE (a 32-bit integer).
func sequence(version int64) int64 { return max(0, min(version, 1<<31-1)) }

// zoneForm is how a DATE-TIME is written.
type zoneForm struct {
	loc  *time.Location
	tzid string // "" with utc false: floating
	utc  bool
}

func ownZone(loc *time.Location) zoneForm {
	if loc == time.UTC {
		return zoneForm{loc: time.UTC, utc: true}
	}
	return zoneForm{loc: loc, tzid: loc.String()}
}

func (f zoneForm) property(name string, t time.Time) string {
	switch {
	case f.utc:
		return name + ":" + t.UTC().Format(utcTime)
	case f.tzid == "":
		return name + ":" + t.In(f.loc).Format(localTime)
	}
	return name + ";TZID=" + quoteParam(f.tzid) + ":" + t.In(f.loc).Format(localTime)
}

// quoteParam quotes a parameter value where it must be.
func quoteParam(s string) string {
	if strings.ContainsAny(s, ":;,") {
		return `"` + s + `"`
	}
	return s
}

func dayProperty(name string, d store.Date) string {
	return name + ";VALUE=DATE:" + strings.ReplaceAll(string(d), "-", "")
}

// times are the DTSTART and DTEND, or DUE, of a span. begin says whether a
// VTODO gets a DTSTART, which it need not have.
func (e *entry) times(when store.Span, form zoneForm, begin bool) []string {
	switch {
	case when.IsZero():
		return nil
	case e.todo && when.AllDay:
		if begin && when.First < when.Last {
			return []string{dayProperty("DTSTART", when.First), dayProperty("DUE", when.Last)}
		}
		return []string{dayProperty("DUE", when.Last)}
	case e.todo:
		if begin && when.Start.Before(when.End) {
			return []string{form.property("DTSTART", when.Start), form.property("DUE", when.End)}
		}
		return []string{form.property("DUE", when.End)}
	case when.AllDay:
		return []string{dayProperty("DTSTART", when.First), dayProperty("DTEND", when.Last.Add(1))}
	case when.Start.Before(when.End):
		return []string{form.property("DTSTART", when.Start), form.property("DTEND", when.End)}
	}
	return []string{form.property("DTSTART", when.Start)}
}

func priority(i store.Importance) string {
	switch i {
	case store.High:
		return "1"
	case store.Low:
		return "9"
	}
	return "5"
}

// eventStatus is a VEVENT's STATUS: Thunderbird shows TENTATIVE faded. There
// is no word for done; the calendar that it stands in says it.
func (e *entry) eventStatus() string {
	if e.view.Item.Status == store.StatusPostponed {
		return "TENTATIVE"
	}
	return "CONFIRMED"
}

// transparency tells free-busy whether the manager is taken by it.
func (e *entry) transparency(when store.Span) string {
	c := e.view.Item.Contact
	if c == nil || when.AllDay || c.Kind == store.Letter {
		return "TRANSPARENT"
	}
	return "OPAQUE"
}

// Colours of RFC 7986 are CSS names; these are nearest to rules.md section
// 2.1.
var colorNames = map[store.Status]string{
	store.StatusOverdue:   "firebrick",
	store.StatusCurrent:   "black",
	store.StatusPostponed: "gray",
	store.StatusDone:      "green",
}

func colorName(s store.Status) string {
	if c := colorNames[s]; c != "" {
		return c
	}
	return "black"
}

// knownCategories are names that Thunderbird shows in colour on a fresh
// install (clients.md section 10); one for each kind of item.
var knownCategories = map[string]string{
	"kind.call":     "Calls",
	"kind.meeting":  "Meeting",
	"kind.visit":    "Meeting",
	"kind.letter":   "Follow up",
	"kind.other":    "Customer",
	"type.shipment": "Business",
	"type.payment":  "Clients",
}

// kindWord is the key of the word for what the item is.
func (e *entry) kindWord() string {
	it := e.view.Item
	if it.Event != nil {
		return "type." + string(it.Event.Kind)
	}
	return "kind." + string(it.Contact.Kind)
}

// categories are ours, Thunderbird's name first: it paints the stripe.
func (e *entry) categories() []string {
	kind := e.kindWord()
	var list []string
	for _, c := range []string{
		knownCategories[kind],
		store.Word(e.lang, "status."+string(e.view.Item.Status)),
		store.Word(e.lang, kind),
		store.Word(e.lang, "importance."+string(e.importance)),
		fitText(oneLine(e.client)),
	} {
		if c != "" && !slices.Contains(list, c) { // "Meeting" is both a name and a word
			list = append(list, c)
		}
	}
	return list
}

func categoryValue(list []string) string {
	escaped := make([]string, len(list))
	for i, s := range list {
		escaped[i] = escape(s)
	}
	return strings.Join(escaped, ",")
}

// alarms are the TRIGGERs of what no calendar program has given any, and only
// in the status calendars, so that an item that several calendars show rings
// once.
func (e *entry) alarms() (triggers []string) {
	it, col := e.view.Item, e.view.Collection
	if col == nil || col.Kind != store.StatusCalendar || e.todo || it.Status == store.StatusDone || it.Status == store.StatusOverdue || it.Status == store.StatusPostponed {
		return nil
	}
	for _, offset := range e.view.Alarms {
		triggers = append(triggers, durationText(offset))
	}
	return triggers
}

// durationText writes a length of whole minutes (RFC 5545 section 3.3.6).
func durationText(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%sP%dD", sign, d/day)
	}
	hours, minutes := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case minutes == 0 && hours > 0:
		return fmt.Sprintf("%sPT%dH", sign, hours)
	case hours == 0:
		return fmt.Sprintf("%sPT%dM", sign, minutes)
	}
	return fmt.Sprintf("%sPT%dH%dM", sign, hours, minutes)
}
