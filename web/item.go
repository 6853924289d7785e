package web

import (
	"fmt"
	"strings"
	"time"

	"intouch/store"
)

// row is one contact or deal event in a list, ready to be shown.
type row struct {
	Status     store.Status
	StatusWord string // "" under a heading that says it
	Left       string // when: the hours under a day's heading, else with the day
	Day        store.Date
	Importance store.Importance
	What       string // kind of contact, or shipment or payment
	Title      string
	Link       string
	ClientID   int64
	Client     string
	DealID     int64
	Deal       string
	Manager    string
	Notes      []string

	// The form of its buttons.
	Action    string
	Version   int64
	CanDo     bool // done, tomorrow, postpone
	Postponed bool // plan again instead of postpone
	Days      bool // it has no clock time
	Contact   bool // importance and cancelling are people's
	Back      string
}

// itemRow makes a row. names gives managers' names; nil leaves them out.
func itemRow(say voice, it *store.Item, names map[int64]string, back string) row {
	when := it.WhenIn(say.loc)
	r := row{
		Status: it.Status, StatusWord: say.t("one." + string(it.Status)),
		Left: dated(say, when), Importance: it.Importance,
		ClientID: it.ClientID, Client: it.ClientName, Back: back,
		CanDo:     it.Status != store.StatusDone && it.Status != store.StatusCancelled && say.may(it.Managers...),
		Postponed: it.State() == store.Postponed,
		Days:      when.AllDay, Contact: it.Contact != nil,
	}
	if !when.IsZero() {
		r.Day = store.DateOf(when.Begins(say.loc), say.loc)
	}
	if it.Deal != nil {
		r.DealID, r.Deal = it.Deal.ID, say.t("deal.no", it.Deal.Number)
	}
	if c := it.Contact; c != nil {
		if it.Deal == nil && c.DealID != 0 {
			r.DealID, r.Deal = c.DealID, strings.ToLower(store.Word(say.lang, "deal"))
		}
		r.What = store.Word(say.lang, "kind."+string(c.Kind))
		r.Title, r.Link = subject(say, c), fmt.Sprintf("/contacts/%d", c.ID)
		r.Action, r.Version = r.Link, c.Version
		r.Manager = names[c.ManagerID]
		if r.Client == "" && c.ClientText != "" {
			r.Client = c.ClientText
			r.Notes = append(r.Notes, say.t("item.notclient"))
		}
		if c.Recurrence != "" {
			r.Notes = append(r.Notes, say.t("item.repeats"))
		}
		r.Notes = append(r.Notes, signs(say, c)...)
		return r
	}
	e := it.Event
	e2 := eventRow(say, e, it.Deal, it.Managers, back)
	r.What, r.Title, r.Notes, r.Action, r.Version = e2.What, e2.Title, e2.Notes, e2.Action, e2.Version
	r.Link = dealPath(e.DealID)
	if it.Deal != nil {
		r.Manager = names[it.Deal.ManagerID]
	}
	return r
}

// eventRow makes a row of a deal's event, its client and deal apart. managers
// are those whose it is.
func eventRow(say voice, e *store.DealEvent, deal *store.Deal, managers []int64, back string) row {
	currency := ""
	if deal != nil {
		currency = deal.Amount.Currency
	}
	sum := func(minor int64) string { return store.Money{Minor: minor, Currency: currency}.Format(say.lang) }
	st, when := e.Status(say.loc, say.now), e.When(say.loc)
	r := row{
		Status: st, StatusWord: say.t("one." + string(st)),
		Left: dated(say, when), Day: e.Day(), Importance: store.Normal,
		What: store.Word(say.lang, "type."+string(e.Kind)), Title: sum(e.Amount),
		Action: fmt.Sprintf("/deals/%d/events/%d", e.DealID, e.ID), Version: e.Version, Back: back,
		CanDo:     st != store.StatusDone && st != store.StatusCancelled && say.may(managers...),
		Postponed: e.State == store.Postponed, Days: true,
	}
	if e.Moved() {
		r.Notes = append(r.Notes, say.t("item.movedfrom", say.date(e.MovedFrom())))
	}
	if e.Partly() {
		r.Notes = append(r.Notes, say.t("item.partly", sum(e.Covered), sum(e.Amount)))
	}
	if !e.Known && st != store.StatusDone {
		r.Notes = append(r.Notes, say.t("item.unknown"))
	}
	if e.Note != "" {
		r.Notes = append(r.Notes, e.Note)
	}
	return r
}

// snoozeOptions are the words by which something can be moved, with a clock time
// or of whole days.
func snoozeOptions(lang store.Language, days bool) (out []option) {
	var when store.Span
	if days {
		when = store.Days("2026-01-01", "2026-01-01", time.UTC)
	}
	for _, word := range store.Snoozes {
		if _, ok := when.Snooze(word, time.Unix(0, 0), time.UTC); ok {
			out = append(out, option{string(word), texts.Say(lang, "snooze."+string(word)), word == "tomorrow"})
		}
	}
	return out
}

// dated is the span with its day, or a word that there is none.
func dated(say voice, when store.Span) string {
	if when.IsZero() {
		return say.t("no date")
	}
	return say.span(when)
}

// subject of a contact, never empty: it is the text of a link.
func subject(say voice, c *store.Contact) string {
	if c.Subject != "" {
		return clip(300, c.Subject)
	}
	return say.t("contact.nosubject")
}

// signsListed is how many signs a list shows; the contact's page shows all.
const signsListed = 5

// signs are what other letters say about a contact, as a list shows them.
func signs(say voice, c *store.Contact) []string {
	return allSigns(say, c)[:min(signsListed, len(c.Signs))]
}

func allSigns(say voice, c *store.Contact) []string {
	out := make([]string, len(c.Signs))
	for i, s := range c.Signs {
		out[i] = s.Text(say.lang, say.loc)
	}
	return out
}

// names are all managers' names by id.
func (s *server) names(v *visit) (map[int64]string, error) {
	all, err := s.st.Managers(v.ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[int64]string, len(all))
	for _, m := range all {
		names[m.ID] = m.Name
	}
	return names, nil
}
