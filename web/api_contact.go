package web

import (
	"time"

	"intouch/store"
)

// apiContact is a contact as answers give it. It has start and end, or
// first_day and last_day, or no time at all.
type apiContact struct {
	ID          int64              `json:"id"`
	ExternalID  *string            `json:"external_id"`
	UID         string             `json:"uid"`
	Kind        store.Kind         `json:"kind"`
	Direction   store.Direction    `json:"direction"`
	State       store.State        `json:"state"`
	Importance  store.Importance   `json:"importance"`
	Client      *recordRef         `json:"client"`
	ClientText  string             `json:"client_text"`
	Persons     []apiPersonOf      `json:"persons"`
	Manager     *string            `json:"manager"`
	Managers    []string           `json:"managers"`
	Deal        *recordRef         `json:"deal"`
	Subject     string             `json:"subject"`
	Body        string             `json:"body"`
	Hidden      bool               `json:"hidden"`
	Start       *instant           `json:"start"`
	End         *instant           `json:"end"`
	FirstDay    *store.Date        `json:"first_day"`
	LastDay     *store.Date        `json:"last_day"`
	Recurrence  string             `json:"recurrence"`
	Minutes     int                `json:"minutes"`
	Estimated   bool               `json:"estimated"`
	Thread      string             `json:"thread"`
	Attachments []store.Attachment `json:"attachments"`
	Origin      store.Origin       `json:"origin"`
	Created     *instant           `json:"created"`
	Changed     *instant           `json:"changed"`
	Completed   *instant           `json:"completed"`
	Version     int64              `json:"version"`
}

// apiPersonOf is a person who took part.
type apiPersonOf struct {
	ID         int64   `json:"id"`
	ExternalID *string `json:"external_id"`
	Name       string  `json:"name"`
	Email      string  `json:"email"`
}

// contactBody is what a request says of a contact.
type contactBody struct {
	ExternalID field[string]         `json:"external_id"`
	Kind       field[string]         `json:"kind"`
	Direction  field[string]         `json:"direction"`
	State      field[string]         `json:"state"`
	Importance field[string]         `json:"importance"`
	Client     field[recordRef]      `json:"client"`
	ClientText field[string]         `json:"client_text"`
	Persons    field[[]personOfBody] `json:"persons"`
	Manager    field[string]         `json:"manager"`
	Managers   field[[]string]       `json:"managers"`
	Deal       field[recordRef]      `json:"deal"`
	Subject    field[string]         `json:"subject"`
	Body       field[string]         `json:"body"`
	Start      field[instant]        `json:"start"`
	End        field[instant]        `json:"end"`
	FirstDay   field[isoDay]         `json:"first_day"`
	LastDay    field[isoDay]         `json:"last_day"`
	Minutes    field[int]            `json:"minutes"`

	ID          readOnly `json:"id"`
	UID         readOnly `json:"uid"`
	Hidden      readOnly `json:"hidden"`
	Recurrence  readOnly `json:"recurrence"`
	Estimated   readOnly `json:"estimated"`
	Thread      readOnly `json:"thread"`
	Attachments readOnly `json:"attachments"`
	Origin      readOnly `json:"origin"`
	Created     readOnly `json:"created"`
	Changed     readOnly `json:"changed"`
	Completed   readOnly `json:"completed"`
	Version     readOnly `json:"version"`
}

type personOfBody struct {
	ID         int64         `json:"id"`
	ExternalID field[string] `json:"external_id"`

	Name  readOnly `json:"name"`
	Email readOnly `json:"email"`
}

var contactKind = records[store.FullContact, contactBody]{
	name:    "contacts",
	filters: []string{"external_id", "client", "client_id", "deal", "deal_id", "manager", "kind", "direction", "state", "importance", "start_from", "start_to"},
	list:    (*store.Store).FullContacts,
	one:     (*store.Import).FullContact,
	given:   func(b *contactBody) *field[string] { return &b.ExternalID },
	key: func(r *store.FullContact) (store.Ref, int64) {
		return store.Ref{ID: r.ID, ExternalID: r.ExternalID}, r.Version
	},
	show: showContact,
	save: saveContact,
}

func showContact(r *store.FullContact) any {
	out := &apiContact{ID: r.ID, ExternalID: maybe(r.ExternalID), UID: r.UID, Kind: r.Kind, Direction: r.Direction, State: r.State, Importance: r.Importance,
		Client: refTo(r.Client), ClientText: r.ClientText, Persons: []apiPersonOf{}, Manager: maybe(r.Manager), Managers: r.Logins, Deal: refTo(r.Deal),
		Subject: r.Subject, Body: r.Body, Hidden: r.Hidden, Recurrence: r.Recurrence, Minutes: r.Minutes, Estimated: r.Estimated, Thread: r.Thread,
		Attachments: r.Attachments, Origin: r.Origin, Created: when(r.Created), Changed: when(r.Changed), Completed: when(r.Completed), Version: r.Version}
	if r.When.AllDay {
		out.FirstDay, out.LastDay = maybe(r.When.First), maybe(r.When.Last)
	} else {
		out.Start, out.End = when(r.When.Start), when(r.When.End)
	}
	for _, p := range r.Persons {
		out.Persons = append(out.Persons, apiPersonOf{p.ID, maybe(p.ExternalID), p.Name, p.Email})
	}
	return out
}

func saveContact(im *store.Import, key string, old *store.FullContact, b *contactBody) (store.RowChange, int64, error) {
	client, err := im.Find("clients", "client", b.Client.v.ref())
	if err != nil {
		return "", 0, err
	}
	deal, err := im.Find("deals", "deal", b.Deal.v.ref())
	if err != nil {
		return "", 0, err
	}
	span, said, err := b.span(old)
	if err != nil {
		return "", 0, err
	}
	for name, null := range map[string]bool{"kind": b.Kind.null, "direction": b.Direction.null, "state": b.State.null, "importance": b.Importance.null, "minutes": b.Minutes.null} {
		if null {
			return "", 0, fieldFault("/"+name, "cannot be empty")
		}
	}
	if old != nil {
		return changeContact(im, key, old, b, client, deal, span, said)
	}
	draft := store.ContactDraft{ExternalID: key, Kind: store.Kind(b.Kind.v), Direction: store.Direction(b.Direction.v), State: store.State(b.State.v),
		Importance: store.Importance(b.Importance.v), ClientID: client, ClientText: b.ClientText.v, DealID: deal, Subject: b.Subject.v, Body: b.Body.v,
		When: span, Minutes: b.Minutes.v}
	if err := fits("client_text", draft.ClientText, 1000); err != nil {
		return "", 0, err
	}
	if draft.ManagerID, err = im.ManagerNamed(b.Manager.v); err != nil {
		return "", 0, err
	}
	for _, login := range b.Managers.v {
		m, err := im.ManagerNamed(login)
		if err != nil {
			return "", 0, fieldFault("/managers", "unknown manager "+clip(80, login))
		}
		draft.Managers = append(draft.Managers, m)
	}
	for _, p := range b.Persons.v {
		person, err := im.Find("persons", "persons", store.Ref{ID: p.ID, ExternalID: p.ExternalID.v})
		if err != nil {
			return "", 0, err
		}
		if person != 0 {
			draft.Persons = append(draft.Persons, person)
		}
	}
	c, err := im.Contact(draft)
	return store.RowNew, c.ID, err
}

// changeContact changes what pages can change of a contact. The rest must be
// said as it is, or not at all.
func changeContact(im *store.Import, key string, old *store.FullContact, b *contactBody, client, deal int64, span store.Span, said bool) (store.RowChange, int64, error) {
	if key != "" && key != old.ExternalID {
		return "", 0, fieldFault("/external_id", "of a contact cannot be changed")
	}
	same := map[string]bool{
		"direction":   !b.Direction.said || b.Direction.v == string(old.Direction),
		"client_text": !b.ClientText.said || b.ClientText.v == old.ClientText,
		"manager":     !b.Manager.said || b.Manager.v == old.Manager,
	}
	same["managers"] = !b.Managers.said || len(b.Managers.v) == len(old.Logins)
	for i := range b.Managers.v {
		same["managers"] = same["managers"] && b.Managers.v[i] == old.Logins[i]
	}
	same["persons"] = !b.Persons.said || len(b.Persons.v) == len(old.Persons)
	for i, p := range b.Persons.v {
		same["persons"] = same["persons"] && (p.ID == old.Persons[i].ID || p.ID == 0 && p.ExternalID.v == old.Persons[i].ExternalID)
	}
	for name, unchanged := range same {
		if !unchanged {
			return "", 0, fieldFault("/"+name, "of a contact cannot be changed")
		}
	}
	if old.MessageKey != "" && (b.Subject.said && b.Subject.v != old.Subject || b.Body.said && b.Body.v != old.Body || said && span != old.When) {
		return "", 0, fieldFault("", "is a captured letter, whose text and time stay as they came")
	}
	if old.Hidden {
		b.Subject, b.Body = field[string]{}, field[string]{} // what was read is not what is there
	}
	edit := store.ContactEdit{Kind: (*store.Kind)(pointer(b.Kind)), State: (*store.State)(pointer(b.State)), Importance: (*store.Importance)(pointer(b.Importance)),
		Subject: pointer(b.Subject), Body: pointer(b.Body)}
	if b.Client.said {
		edit.ClientID = &client
	}
	if b.Deal.said {
		edit.DealID = &deal
	}
	if said && span != old.When {
		edit.When = &span
	}
	if b.Minutes.said && b.Minutes.v != old.Minutes {
		edit.Minutes = &b.Minutes.v
	}
	change, err := im.EditContact(old.ID, edit)
	return change, old.ID, err
}

// span is when the contact is to be, where the body says something of it. What
// it does not say stays; whole days take a clock time's place, and the other
// way round.
func (b *contactBody) span(old *store.FullContact) (span store.Span, said bool, err error) {
	timed, days := b.Start.said && !b.Start.null || b.End.said && !b.End.null, b.FirstDay.said && !b.FirstDay.null || b.LastDay.said && !b.LastDay.null
	if old != nil {
		span = old.When
	}
	switch {
	case timed && days:
		return span, false, fieldFault("/first_day", "stands beside start or end: a contact has a clock time or whole days")
	case timed:
		if span.AllDay {
			span = store.Span{}
		}
		start, end := or(b.Start, instant(span.Start)), or(b.End, instant(span.End))
		span = store.Span{Start: time.Time(start), End: time.Time(end)}
		switch {
		case span.Start.IsZero():
			return span, false, fieldFault("/start", "is missing")
		case span.End.IsZero():
			span.End = span.Start
		case span.End.Before(span.Start):
			return span, false, fieldFault("/end", "is before start")
		}
	case days:
		first, last := or(b.FirstDay, isoDay(span.First)).day(), or(b.LastDay, isoDay(span.Last)).day()
		switch {
		case first == "":
			return span, false, fieldFault("/first_day", "is missing")
		case last == "":
			last = first
		case last < first:
			return span, false, fieldFault("/last_day", "is before first_day")
		}
		if span.First != first || span.Last != last {
			span = store.Span{AllDay: true, First: first, Last: last} // the store places it in the manager's zone
		}
	case b.Start.null && !span.AllDay || b.FirstDay.null && span.AllDay:
		span = store.Span{}
	default:
		return span, false, nil
	}
	return span, true, nil
}
