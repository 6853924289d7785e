package caldav

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"intouch/store"
)

const (
	maxTitle      = 2 << 10  // octets
	maxNote       = 64 << 10 // octets
	maxRecurrence = 64 << 10 // octets
	maxAttendees  = 200
)

// ReadWrite reads what a calendar program put into a collection that holds
// component. Times without a zone are the owner's. Errors are *Precondition
// (RFC 4791 section 5.3.2.1). CalendarWrite.Bytes are the body as received;
// see clean for the exceptions.
func ReadWrite(body []byte, component store.Component, owner *store.Manager) (*store.CalendarWrite, error) {
	if len(body) > maxObject {
		return nil, refuse("valid-calendar-data", "%d octets, more than %d", len(body), maxObject)
	}
	body = clean(body)
	cal, err := decode(body)
	if err != nil {
		return nil, err
	}
	main, overrides, err := check(cal, component)
	if err != nil {
		return nil, err
	}
	z := zonesOf(cal.Component, managerZone(owner))
	when, err := z.span(main)
	if err != nil {
		return nil, err
	}
	w := &store.CalendarWrite{
		Bytes:      body,
		UID:        uidOf(main),
		Component:  store.Component(main.Name),
		Note:       noteOf(text(main, ical.PropDescription)),
		When:       when,
		Recurrence: z.recurrence(main, overrides),
		Importance: importanceOf(main),
		Status:     stateOf(main),
		Kind:       kindGuess(main),
		Attendees:  attendeesOf(main),
	}
	var urgent bool
	if w.Title, urgent = titleOf(main); urgent {
		w.Importance = store.High
	}
	return w, nil
}

// check finds the component that stands for the whole object — the one
// without RECURRENCE-ID, else the first — and the number of overrides beside
// it, and holds the object to RFC 4791 section 4.1.
func check(cal *ical.Calendar, component store.Component) (main *ical.Component, overrides int, err error) {
	const resource = "valid-calendar-object-resource"
	if cal.Props.Get(ical.PropMethod) != nil {
		return nil, 0, refuse(resource, "has METHOD")
	}
	name, uid := "", ""
	for _, c := range cal.Children {
		switch c.Name {
		case ical.CompTimezone:
			continue
		case ical.CompEvent, ical.CompToDo, ical.CompJournal, ical.CompFreeBusy, "VAVAILABILITY", "VPOLL":
		default:
			continue // unknown and X- components are kept, and mean nothing to us
		}
		if name == "" {
			name, uid = c.Name, uidOf(c)
			if !component.Holds(store.Component(name)) {
				return nil, 0, refuse("supported-calendar-component", "%s in a collection of %s", name, component)
			}
			if uid == "" || len(uid) > 1024 {
				return nil, 0, refuse(resource, "no usable UID")
			}
		}
		if c.Name != name {
			return nil, 0, refuse(resource, "%s beside %s", c.Name, name)
		}
		if uidOf(c) != uid {
			return nil, 0, refuse(resource, "more than one UID")
		}
		switch isOverride := c.Props.Get(ical.PropRecurrenceID) != nil; {
		case isOverride && main == nil:
			main = c
		case isOverride:
			overrides++
		case main == nil:
			main = c
		case main.Props.Get(ical.PropRecurrenceID) != nil: // an override came first
			main = c
			overrides++
		default:
			return nil, 0, refuse(resource, "two components without RECURRENCE-ID")
		}
	}
	if main == nil {
		return nil, 0, refuse(resource, "no %s", component)
	}
	return main, overrides, nil
}

func uidOf(c *ical.Component) string { return strings.TrimSpace(text(c, ical.PropUID)) }

// titleOf is SUMMARY on one line, without the "!" that means high importance
// (for calendars without a priority field).
func titleOf(c *ical.Component) (title string, urgent bool) {
	title = clip(oneLine(text(c, ical.PropSummary)), maxTitle)
	if bare := strings.TrimLeft(title, "! "); bare != title && bare != "" {
		return bare, true
	}
	return title, false
}

// oneLine puts a space for every run of blanks that holds a line end, and
// trims.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n\t") {
		s = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(s)
	}
	return strings.TrimSpace(s)
}

// clip cuts s to at most n octets, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// importanceOf reads PRIORITY (RFC 5545 section 3.8.1.9); "" without one.
func importanceOf(c *ical.Component) store.Importance {
	p := c.Props.Get(ical.PropPriority)
	if p == nil {
		return ""
	}
	n, err := strconv.Atoi(strings.TrimSpace(p.Value))
	switch {
	case err != nil:
		return ""
	case n >= 1 && n <= 4:
		return store.High
	case n >= 6 && n <= 9:
		return store.Low
	}
	return store.Normal
}

// stateOf reads STATUS, COMPLETED and PERCENT-COMPLETE. A VTODO without any
// of them is to be done: Thunderbird takes all three away when a task is
// unticked. A VEVENT without STATUS says nothing.
func stateOf(c *ical.Component) store.State {
	status := strings.ToUpper(strings.TrimSpace(text(c, ical.PropStatus)))
	switch status {
	case "CANCELLED":
		return store.Cancelled
	case "TENTATIVE":
		return store.Postponed
	case "CONFIRMED":
		return store.Planned
	}
	if c.Name != ical.CompToDo {
		return ""
	}
	percent, _ := strconv.Atoi(strings.TrimSpace(text(c, ical.PropPercentComplete)))
	done := status == "COMPLETED" || status == "" && (c.Props.Get(ical.PropCompleted) != nil || percent >= 100)
	if done {
		return store.Done
	}
	return store.Planned
}

// kindGuess is the kind that the categories name, else the title.
func kindGuess(c *ical.Component) store.Kind {
	for _, category := range categoriesOf(c) {
		if k := store.KindIn(category); k != "" {
			return k
		}
	}
	title, _ := titleOf(c)
	return store.KindIn(title)
}

// categoriesOf joins all CATEGORIES lines.
func categoriesOf(c *ical.Component) []string {
	var list []string
	for _, p := range c.Props.Values(ical.PropCategories) {
		list = append(list, textList(p.Value)...)
	}
	return list
}

// attendeesOf are the e-mail addresses of ORGANIZER and ATTENDEE, normalised,
// each once.
func attendeesOf(c *ical.Component) []string {
	var list []string
	seen := map[string]bool{}
	props := append(c.Props.Values(ical.PropOrganizer), c.Props.Values(ical.PropAttendee)...)
	for _, p := range props {
		for _, s := range []string{p.Value, p.Params.Get("EMAIL")} {
			if len(list) == maxAttendees {
				return list
			}
			if a, ok := mailAddress(s); ok && !seen[a] {
				seen[a] = true
				list = append(list, a)
			}
		}
	}
	return list
}

// mailAddress reads a mailto: URI (RFC 6068), or an address alone.
func mailAddress(s string) (string, bool) {
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	s, _, _ = strings.Cut(s, "?")
	a, err := store.Address(s)
	return a, err == nil
}

// recurrence is what repeats, as text that is the same whenever it means the
// same: RRULE as given, RDATE and EXDATE in UTC or as days, and the number of
// overrides. "" happens once.
func (z *zones) recurrence(main *ical.Component, overrides int) string {
	var b strings.Builder
	add := func(s string) {
		if b.Len()+len(s) < maxRecurrence {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(s)
		}
	}
	for _, p := range main.Props.Values(ical.PropRecurrenceRule) {
		add("RRULE:" + strings.ToUpper(strings.TrimSpace(p.Value)))
	}
	for _, name := range []string{ical.PropRecurrenceDates, ical.PropExceptionDates} {
		for _, p := range main.Props.Values(name) {
			loc := z.find(p.Params.Get(ical.PropTimezoneID))
			for v := range strings.SplitSeq(p.Value, ",") {
				v, _, _ = strings.Cut(v, "/") // of a PERIOD its start
				t, ok := parseDateTime(v)
				switch {
				case !ok:
				case t.date:
					add(name + ";VALUE=DATE:" + strings.ReplaceAll(string(t.asDate()), "-", ""))
				default:
					add(name + ":" + t.in(loc).Format(utcTime))
				}
			}
		}
	}
	if overrides > 0 {
		add(fmt.Sprintf("OVERRIDES:%d", overrides))
	}
	return b.String()
}
