package web

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

const (
	textShown    = 64 << 10 // bytes of a letter on its own page
	textListed   = 1 << 10  // bytes of a letter in a list
	textOlder    = 300      // and of those before it in its thread
	historyShown = 50
)

// contactRow is one contact in the list of a client or deal.
type contactRow struct {
	ID          int64
	Status      store.Status
	StatusWord  string
	What        string
	Direction   string
	Importance  store.Importance
	When        string
	Title       string
	Link        string
	Persons     string
	Manager     string
	Parties     string // of a letter: who wrote it, and to whom
	Spent       string // time, or how long a planned one is to take
	Estimated   bool
	Past        bool // done, so Spent was spent
	Text        string
	Cut         bool
	Hidden      bool // of a private thread in which the one who looks took no part
	Attachments []attachmentRow
	Signs       []string
	Deal        string
	DealID      int64
	Older       []contactRow // those before it in its thread
	Count       string       // how many the thread has; "" it has but one
	More        bool         // than Older shows
}

// newConversationRow is the newest letter of a thread with those before it.
func newConversationRow(say voice, c *store.Conversation, names map[int64]string) contactRow {
	r := newContactRow(say, &c.Contacts[0], names, textListed)
	for i := range c.Contacts[1:] {
		r.Older = append(r.Older, newContactRow(say, &c.Contacts[i+1], names, textOlder))
	}
	if c.Count > 1 {
		r.Count, r.More = say.count(int64(c.Count), "letter"), c.Count > len(c.Contacts)
	}
	return r
}

type attachmentRow struct{ Name, Size string }

func newContactRow(say voice, c *store.Contact, names map[int64]string, limit int) contactRow {
	st := c.Status(say.loc, say.now)
	when := c.When
	if when.AllDay {
		when = store.Days(when.First, when.Last, say.loc)
	}
	r := contactRow{
		ID: c.ID, Status: st, StatusWord: say.t("one." + string(st)),
		What: store.Word(say.lang, "kind."+string(c.Kind)), Importance: c.Importance,
		When: say.span(when), Title: subject(say, c), Link: fmt.Sprintf("/contacts/%d", c.ID),
		Manager: names[c.ManagerID], Spent: say.spent(c.Minutes), Estimated: c.Estimated, Past: c.State == store.Done,
		Text: c.Body, Hidden: c.Hidden, DealID: c.DealID, Signs: signs(say, c),
	}
	if c.Kind == store.Letter {
		r.When = say.moment(c.When.Start) // a letter has a moment, its length is an estimate
	}
	if c.Kind == store.Letter && c.Direction != store.NoDirection && c.Direction != "" {
		r.Direction = store.Word(say.lang, "direction."+string(c.Direction))
	}
	if len(r.Text) > limit {
		r.Text, r.Cut = clip(limit, r.Text), true
	}
	people := make([]string, 0, len(c.Persons))
	for _, p := range c.Persons {
		name := p.Name
		if name == "" {
			name = p.Email
		}
		people = append(people, name)
	}
	r.Persons = strings.Join(people, ", ")
	if c.Kind == store.Letter {
		r.Parties = parties(c, r.Persons, managersOf(c, names))
	}
	for _, a := range c.Attachments {
		r.Attachments = append(r.Attachments, attachmentRow{a.Name, say.size(a.Size)})
	}
	return r
}

// parties are who wrote a letter and to whom, those of the client and ours.
func parties(c *store.Contact, theirs, ours string) string {
	from, to := theirs, ours
	if c.Direction == store.Out {
		from, to = ours, theirs
	}
	switch {
	case c.Direction != store.In && c.Direction != store.Out, from == "" && to == "":
		return strings.Trim(theirs+", "+ours, ", ")
	}
	return cmp.Or(from, "…") + " → " + cmp.Or(to, "…")
}

// managersOf are the names of all who took part.
func managersOf(c *store.Contact, names map[int64]string) string {
	var who []string
	for _, id := range c.Managers {
		if name := names[id]; name != "" {
			who = append(who, name)
		}
	}
	if len(who) == 0 {
		return names[c.ManagerID]
	}
	return strings.Join(who, ", ")
}

type contactView struct {
	contactRow
	ClientID    int64
	Client      string
	Unlinked    bool // Client is free text
	Registrable bool
	Managers    string
	Repeats     string
	Origin      string
	Completed   string
	Version     int64
	Mine        bool // may be changed by the one who looks
	Planned     bool // can be done, moved, postponed
	Postponed   bool
	Closed      bool // done or cancelled by hand: can be planned again
	Private     bool
	TookPart    bool // in a letter: may make its thread private, or open again
	Snoozes     []option
	Importances []option
	History     []historyRow
	Thread      []contactRow
	Whole       []passage // the letter with its quotes, where it has some
	Dropped     string    // when its text was dropped; "" it was not
	Original    string    // address of the letter as it looked; "" it cannot be shown
	Back        string
}

// passage is a part of a letter: what its author wrote, or quoted.
type passage struct {
	Text   string
	Quoted string // "12 lines of a quote"; "" it is none
}

// passages takes a whole letter apart at its quotes: lines that begin with ">".
func passages(say voice, text string) (out []passage) {
	var part []string
	quoted := false
	end := func() {
		if text := strings.Join(part, "\n"); strings.TrimSpace(text) != "" {
			p := passage{Text: text}
			if quoted {
				p.Quoted = say.t("contact.quote", say.count(int64(len(part)), "line"))
			}
			out = append(out, p)
		}
		part = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if q := strings.HasPrefix(strings.TrimSpace(line), ">"); q != quoted {
			end()
			quoted = q
		}
		part = append(part, line)
	}
	end()
	return out
}

type historyRow struct {
	When, Who, Verb string
	Of              string // the person, in a client's log
	Changes         []change
}

type change struct{ Field, Old, New string }

func newContactView(say voice, c *store.Contact, names map[int64]string, history []store.HistoryRow, value func(say voice, field, stored string) string) contactView {
	view := contactView{
		contactRow: newContactRow(say, c, names, textShown), ClientID: c.ClientID, Client: c.ClientName, Version: c.Version,
		Repeats: c.Recurrence, Origin: say.t("origin." + string(c.Origin)), Back: fmt.Sprintf("/contacts/%d", c.ID),
		Postponed: c.State == store.Postponed,
		Mine:      say.may(c.Managers...),
		Planned:   c.State == store.Planned || c.State == store.Postponed,
		// A captured letter is done by nature.
		Closed:  (c.State == store.Done || c.State == store.Cancelled) && c.MessageKey == "",
		Private: c.Private, TookPart: c.MessageKey != "" && c.Thread != "" && slices.Contains(c.Managers, say.who.ID),
	}
	view.Signs = allSigns(say, c)
	if c.ClientID == 0 && c.ClientText != "" {
		view.Client, view.Unlinked = c.ClientText, true
		view.Registrable = view.Mine
	}
	if c.MessageKey == "" {
		view.Completed = say.moment(c.Completed)
	}
	view.Managers = managersOf(c, names)
	for _, word := range store.Snoozes {
		if _, ok := c.When.Snooze(word, say.now, say.loc); ok {
			view.Snoozes = append(view.Snoozes, option{string(word), say.t("snooze." + string(word)), word == "tomorrow"})
		}
	}
	view.Importances = options(say, "importance.", allImportances, []store.Importance{c.Importance})
	view.History = historyRows(say, history, names, value)
	return view
}

// historyRows says who changed what. Fields that we have no word for show
// their own name; value makes a stored one readable.
func historyRows(say voice, history []store.HistoryRow, names map[int64]string, value func(say voice, field, stored string) string) []historyRow {
	var out []historyRow
	for _, h := range history {
		r := historyRow{When: say.moment(h.At), Who: names[h.ManagerID], Verb: h.Verb}
		if r.Who == "" {
			r.Who = cmp.Or(h.Integration, say.t("origin.program"))
		}
		if h.Origin != "" && h.ManagerID != 0 {
			r.Who += " (" + say.t("origin."+string(h.Origin)) + ")"
		}
		if _, ok := texts["verb."+h.Verb]; ok {
			r.Verb = say.t("verb." + h.Verb)
		}
		for _, field := range slices.Sorted(maps.Keys(h.Changes)) {
			c := change{Field: field}
			for i, text := range []*string{&c.Old, &c.New} {
				*text = value(say, field, h.Changes[field][i])
			}
			if _, ok := texts["field."+field]; ok {
				c.Field = say.t("field." + field)
			}
			r.Changes = append(r.Changes, c)
		}
		out = append(out, r)
	}
	return out
}

// historyValue makes a stored value readable.
func historyValue(say voice, field, v string) string {
	if field == "state" || field == "kind" || field == "importance" {
		if _, ok := texts[field+"."+v]; ok {
			return strings.ToLower(say.t(field + "." + v))
		}
		if w := store.Word(say.lang, field+"."+v); w != field+"."+v {
			return strings.ToLower(w)
		}
	}
	if start, end, ok := strings.Cut(v, " – "); ok && field == "start" {
		first, err1 := store.ParseDate(start)
		last, err2 := store.ParseDate(end)
		if err1 == nil && err2 == nil {
			return say.span(store.Days(first, last, say.loc))
		}
		from, err1 := time.Parse(time.RFC3339, start)
		to, err2 := time.Parse(time.RFC3339, end)
		if err1 == nil && err2 == nil {
			return say.span(store.Span{Start: from, End: to})
		}
	}
	if d, err := store.ParseDate(v); err == nil {
		return say.day(d)
	}
	return clip(200, v)
}

// named is historyValue that gives the names of clients and deals, as far as
// the viewer may know them.
func (s *server) named(v *visit) func(say voice, field, stored string) string {
	return func(say voice, field, text string) string {
		if field != "client" && field != "deal" {
			return historyValue(say, field, text)
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return text
		}
		if field == "client" {
			if card, err := s.st.Client(v.ctx, v.who, id); err == nil {
				return card.Client.Name
			}
		} else if card, err := s.st.Deal(v.ctx, v.who, id); err == nil {
			return v.say.t("deal.no", card.Deal.Number)
		}
		return "…"
	}
}

func (s *server) contact(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	c, err := s.st.Contact(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	history, err := s.st.History(v.ctx, "contact", id, historyShown)
	if err != nil {
		return err
	}
	if c.Hidden { // edits of the text stand in the history
		for i := range history {
			history[i].HideText()
		}
	}
	view := newContactView(v.say, &c, names, history, s.named(v))
	if c.DealID != 0 {
		card, err := s.st.Deal(v.ctx, v.who, c.DealID)
		switch {
		case err == nil:
			view.Deal = v.say.t("deal.no", card.Deal.Number)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	whole, dropped, err := s.st.FullText(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	if !dropped.IsZero() && c.Body == "" {
		view.Dropped = v.say.t("contact.dropped", v.say.date(store.DateOf(dropped, v.say.loc)))
	}
	if strings.TrimSpace(whole) != strings.TrimSpace(c.Body) {
		view.Whole = passages(v.say, clip(textShown, whole))
	}
	if s.opt.Original != nil && c.MessageKey != "" && !c.Hidden && dropped.IsZero() {
		view.Original = fmt.Sprintf("/contacts/%d/original", id)
	}
	if c.Thread != "" {
		rest, err := s.st.Contacts(v.ctx, v.who, store.ContactQuery{Thread: c.Thread, Limit: 50})
		if err != nil {
			return err
		}
		for i := range rest {
			if rest[i].ID != c.ID {
				view.Thread = append(view.Thread, newContactRow(v.say, &rest[i], names, textListed))
			}
		}
	}
	return s.show(v, http.StatusOK, "contact.html", view.What+": "+view.Title, view)
}

// editContact is every button of a contact.
func (s *server) editContact(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	// Whoever may not see it may not change it either.
	c, err := s.st.Contact(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	if do := v.PostFormValue("do"); do == "private" || do == "open" {
		err := s.st.SetPrivate(v.ctx, v.actor(), id, do == "private")
		if errors.Is(err, store.ErrForbidden) {
			return v.back(here(id), "refused")
		}
		return v.edited(err, here(id), do)
	}
	edit, said, ok := contactEdit(&c, v.PostFormValue("do"), v.PostFormValue("value"), v.say)
	if !ok {
		return v.back(here(id), "refused")
	}
	after, err := s.st.EditContact(v.ctx, v.actor(), id, v.version(), edit)
	if err == nil && after.Version != c.Version {
		said = s.undoable(v, said, store.UndoContact(&c, after.Version))
	}
	return v.edited(err, here(id), said)
}

// here is the address of a contact's page.
func here(id int64) string { return fmt.Sprintf("/contacts/%d", id) }

// contactEdit is what a button means.
func contactEdit(c *store.Contact, do, value string, say voice) (edit store.ContactEdit, said string, ok bool) {
	state := func(st store.State) *store.State { return &st }
	switch do {
	case "done":
		return store.ContactEdit{State: state(store.Done)}, "done", true
	case "postpone":
		return store.ContactEdit{State: state(store.Postponed)}, "postponed", true
	case "plan":
		return store.ContactEdit{State: state(store.Planned)}, "planned", true
	case "cancel":
		return store.ContactEdit{State: state(store.Cancelled)}, "cancelled", true
	case "tomorrow":
		do, value = "snooze", "tomorrow"
		fallthrough
	case "snooze":
		when, ok := c.When.Snooze(store.Snooze(value), say.now, say.loc)
		return store.ContactEdit{When: &when}, "moved", ok
	case "high", "normal", "low":
		do, value = "importance", do
		fallthrough
	case "importance":
		imp := chosen([]string{value}, allImportances)
		if len(imp) == 1 {
			return store.ContactEdit{Importance: &imp[0]}, "saved", true
		}
	}
	return store.ContactEdit{}, "", false
}

// version of the row that the form showed; what is no number is stale.
func (v *visit) version() int64 {
	n, err := strconv.ParseInt(v.PostFormValue("version"), 10, 64)
	if err != nil || n <= 0 {
		return -1
	}
	return n
}

// edited leads back with the outcome of an edit.
func (v *visit) edited(err error, here, said string) error {
	var bad *store.Invalid
	switch {
	case errors.Is(err, store.ErrStale):
		said = "stale"
	case errors.As(err, &bad):
		said = "refused"
	case err != nil:
		return err
	}
	return v.back(here, said)
}
