package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

const (
	clientsShown  = 200
	contactsShown = 20 // of a client: conversations
)

type clientsView struct {
	selectionForm
	Clients []clientRow
	Classes bool   // some client has one
	Next    string // address of the next page
	First   string // that of the first one; "" this is it
}

// selectionForm is the form that picks clients, with what was chosen.
type selectionForm struct {
	Text, Attributes, Before           string
	ClassBoxes, StageBoxes, Variations []option
	Importances, Managers              []option
	Errors                             map[string]string
	Chosen                             bool // something besides the name
	selection                          store.Selection
}

type clientRow struct {
	ID         int64
	Name       string
	Importance store.Importance
	Class      string
	Stage      string
	Manager    string

	LastContact string // day; only in lists
}

// readSelection understands the form.
func readSelection(q url.Values) selectionForm {
	f := selectionForm{Text: clip(100, strings.TrimSpace(q.Get("name"))), Attributes: clip(500, strings.TrimSpace(q.Get("attributes"))), Before: clip(10, q.Get("before")), Errors: map[string]string{}}
	f.selection = store.Selection{
		Name: f.Text, Classes: chosen(q["class"], append(slices.Clone(store.Classes), store.NoneOf)), Stages: chosen(q["stage"], store.Stages),
		Variations: chosen(q["xyz"], store.Variations), Importances: chosen(q["importance"], store.Importances),
	}
	var err error
	if f.selection.Attributes, err = store.ParseAttributes(f.Attributes); err != nil {
		f.Errors["attributes"] = "filter.badattributes"
	}
	if f.Before != "" {
		if f.selection.LastContactBefore, err = store.ParseDate(f.Before); err != nil {
			f.Errors["before"] = "clients.badday"
		}
	}
	return f
}

// offer fills in the choices. Managers are offered to heads: the others see
// their own clients.
func (f *selectionForm) offer(say voice, team []store.Manager, logins []string) {
	for key, text := range f.Errors {
		f.Errors[key] = say.t(text)
	}
	sel := &f.selection
	for _, m := range team {
		if slices.Contains(logins, m.Login) {
			sel.Managers = append(sel.Managers, m.Login)
		}
		f.Managers = append(f.Managers, option{m.Login, m.Name, slices.Contains(logins, m.Login)})
	}
	if len(team) > 0 {
		nobody := slices.Contains(logins, store.NoneOf)
		if nobody {
			sel.Managers = append(sel.Managers, store.NoneOf)
		}
		f.Managers = append(f.Managers, option{store.NoneOf, say.t("client.nobody"), nobody})
	}
	f.ClassBoxes = append(letterOptions(store.Classes, sel.Classes), option{store.NoneOf, say.t("clients.noclass"), slices.Contains(sel.Classes, store.NoneOf)})
	f.Variations = letterOptions(store.Variations, sel.Variations)
	f.StageBoxes = options(say, "stage.", store.Stages, sel.Stages)
	f.Importances = options(say, "importance.", store.Importances, sel.Importances)
	f.Chosen = len(sel.Classes)+len(sel.Stages)+len(sel.Variations)+len(sel.Importances)+len(sel.Managers)+len(f.Attributes)+len(f.Before) > 0
}

// letterOptions are those whose values are what people read.
func letterOptions(all, on []string) (out []option) {
	for _, v := range all {
		out = append(out, option{v, v, slices.Contains(on, v)})
	}
	return out
}

func (s *server) clients(v *visit) error {
	v.name = "clients"
	q := v.URL.Query()
	view := clientsView{selectionForm: readSelection(q)}
	team, err := s.team(v)
	if err != nil {
		return err
	}
	view.offer(v.say, team, q["manager"])
	var after int64
	if ids := numbers(q["after"]); len(ids) > 0 {
		after = ids[0]
		q.Del("after")
		view.First = "/clients?" + q.Encode()
	}
	if len(view.Errors) > 0 {
		return s.show(v, http.StatusUnprocessableEntity, "clients.html", v.say.t("clients"), view)
	}
	found, more, err := s.st.SelectClients(v.ctx, v.who, view.selection, v.say.loc, after, clientsShown)
	if err != nil {
		return err
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	if more {
		q.Set("after", strconv.FormatInt(found[len(found)-1].ID, 10))
		view.Next = "/clients?" + q.Encode()
	}
	for i := range found {
		r := newClientRow(v.say, &found[i].Client, names)
		if at := found[i].LastContact; !at.IsZero() {
			r.LastContact = v.say.date(store.DateOf(at, v.say.loc))
		}
		view.Clients, view.Classes = append(view.Clients, r), view.Classes || r.Class != ""
	}
	return s.show(v, http.StatusOK, "clients.html", v.say.t("clients"), view)
}

func newClientRow(say voice, c *store.Client, names map[int64]string) clientRow {
	r := clientRow{ID: c.ID, Name: c.Name, Importance: c.Importance, Class: c.ABC + c.XYZ, Manager: names[c.ManagerID]}
	if c.Stage != "" {
		r.Stage = store.Word(say.lang, "stage."+c.Stage)
	}
	return r
}

type clientView struct {
	clientRow
	ImportanceWord string
	Source         string
	Domains        []string
	Emails         []string
	Phones         []phone
	Attributes     []fact
	Balance        []balance
	StageGiven     bool // nobody's documents say it
	Classes        []classRow
	Persons        []personRow
	Deals          []dealRow
	Planned        []row
	Contacts       []contactRow
	Documents      []clientDocumentRow // the newest
	Older          string              // address of the next page
	Paged          bool                // this is not the first
	InCalendar     string
	Line           planLineForm
	MayEdit        bool
	MayMerge       bool
	Log            []historyRow
	Sources        []sourceRow
	SourceFrom     []option // from when a source that is set counts
	SourceOptions  []option
	Merges         []mergeRow // what became this client
	Offers         []offerRow // who may be persons of it
	Correspondents bool       // several of them are, and nobody's doubles
}

// classRow is a day on which the client's position became another one.
type classRow struct {
	Day, Class, Stage, Amount, Relation string
}

func newClassRow(say voice, c *store.ClassRow) classRow {
	r := classRow{Day: say.date(c.Day), Class: c.ABC + c.XYZ, Stage: store.Word(say.lang, "stage."+c.Stage), Relation: say.t("relation." + string(c.Since(c.Former)))}
	switch {
	case c.ABC == "":
	case c.Measure == store.ByNumber:
		r.Amount = strconv.FormatInt(c.Amount.Minor, 10)
	default:
		r.Amount = c.Amount.Format(say.lang)
	}
	return r
}

type fact struct{ Name, Value string }

// phone is a number and the address that calls it.
type phone struct{ Shown, Number string }

type balance struct{ Sum, Word string }

// sourceRow is a lead source and from when it counts.
type sourceRow struct {
	Name, Since, Link string
}

type personRow struct {
	ID                       int64
	Name, Position, Birthday string
	Born                     string // the birthday without a word
	Emails                   []emailRow
	Phones                   []phone
	Away                     string
}

// emailRow is an address, and what is wrong with it.
type emailRow struct{ Address, Note string }

func newPersonRow(say voice, p *store.Person) personRow {
	r := personRow{ID: p.ID, Name: p.Name, Position: p.Position, Phones: phones(p.Phones)}
	for _, e := range p.Emails {
		row := emailRow{Address: e}
		if slices.Contains(p.Bounced, e) {
			row.Note = say.t("client.bounced")
		}
		r.Emails = append(r.Emails, row)
	}
	if r.Name == "" && len(p.Emails) > 0 {
		r.Name = p.Emails[0]
	}
	if p.Birthday != "" {
		r.Born = say.date(p.Birthday)
		r.Birthday = say.t("client.birthday", r.Born)
	}
	if p.Away != "" && p.Away >= store.DateOf(say.now, say.loc) {
		r.Away = say.t("client.away", say.date(p.Away))
	}
	return r
}

func newClientView(say voice, card *store.ClientCard, conversations []store.Conversation, names map[int64]string, back string) clientView {
	c := &card.Client
	view := clientView{
		clientRow: newClientRow(say, c, names), ImportanceWord: store.Word(say.lang, "importance."+string(c.Importance)),
		Source: card.Source.Name, Domains: c.Domains, Emails: c.Emails, Phones: phones(c.Phones), Balance: balances(say, card.Balance),
		InCalendar: "/?client=" + url.QueryEscape(c.Name), Line: planLineForm{Back: clientPath(c.ID), ClientID: c.ID},
	}
	if card.Source.Campaign != "" {
		view.Source += " (" + card.Source.Campaign + ")"
	}
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		view.Attributes = append(view.Attributes, fact{name, c.Attributes[name]})
	}
	for i := range card.Persons {
		view.Persons = append(view.Persons, newPersonRow(say, &card.Persons[i]))
	}
	for i := range card.Deals {
		view.Deals = append(view.Deals, newDealRow(say, &card.Deals[i]))
	}
	view.StageGiven = c.StageGiven()
	for i := range card.Classes {
		view.Classes = append(view.Classes, newClassRow(say, &card.Classes[i]))
	}
	others := maps.Clone(names)
	delete(others, say.who.ID)
	for i := range card.Planned {
		r := itemRow(say, &card.Planned[i], others, back)
		r.ClientID, r.Client = 0, "" // this very page
		view.Planned = append(view.Planned, r)
	}
	for i := range conversations {
		view.Contacts = append(view.Contacts, newConversationRow(say, &conversations[i], names))
	}
	return view
}

// phones gives tel: addresses (RFC 3966) of the digits.
func phones(numbers []string) []phone {
	out := make([]phone, 0, len(numbers))
	for _, n := range numbers {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '+' {
				return r
			}
			return -1
		}, n)
		out = append(out, phone{n, digits})
	}
	return out
}

// balances says who owes whom; positive: the client owes us.
func balances(say voice, sums []store.Money) []balance {
	var out []balance
	for _, m := range sums {
		switch {
		case m.Minor > 0:
			out = append(out, balance{m.Format(say.lang), say.t("client.owes")})
		case m.Minor < 0:
			out = append(out, balance{store.Money{Minor: -m.Minor, Currency: m.Currency}.Format(say.lang), say.t("client.weowe")})
		}
	}
	return out
}

// clientAt is the client of the page's address, or the one that it was merged
// with: then with another id than asked.
func (s *server) clientAt(v *visit) (asked int64, card store.ClientCard, err error) {
	if asked, err = v.number("id"); err != nil {
		return asked, card, err
	}
	card, err = s.st.Client(v.ctx, v.who, asked)
	return asked, card, err
}

func (s *server) client(v *visit) error {
	v.name = "clients"
	id, card, err := s.clientAt(v)
	if err != nil {
		return err
	}
	if card.Client.ID != id { // merged
		http.Redirect(v.w, v.Request, clientPath(card.Client.ID), http.StatusSeeOther)
		return nil
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	after := store.ParseContactPlace(v.URL.Query().Get("after"))
	conversations, next, err := s.st.Conversations(v.ctx, v.who, card.Client.ID, after, contactsShown)
	if err != nil {
		return err
	}
	view := newClientView(v.say, &card, conversations, names, v.here())
	view.Paged = after.ID != 0
	if view.Documents, _, err = s.clientDocuments(v, card.Client.ID, store.DocumentPlace{}, documentsListed); err != nil {
		return err
	}
	if err := s.clientNotes(v, &card, names, &view); err != nil {
		return err
	}
	if view.MayMerge = v.say.may(card.Client.ManagerID); view.MayMerge {
		merges, err := s.st.Merges(v.ctx, id, mergesShown)
		if err != nil {
			return err
		}
		view.Merges = newMergeRows(v.say, merges, names)
		if err := s.clientOffers(v, &view); err != nil {
			return err
		}
	}
	if next.ID != 0 {
		view.Older = clientPath(id) + "?after=" + next.String() + "#contacts"
	}
	return s.show(v, http.StatusOK, "client.html", card.Client.Name, view)
}

const (
	logShown     = 30
	sourcesShown = 50
	sourcesFrom  = 10 // contacts with which a source may be noted
)

// clientNotes fills in the log of changes and the lead sources.
func (s *server) clientNotes(v *visit, card *store.ClientCard, names map[int64]string, view *clientView) error {
	id := card.Client.ID
	view.MayEdit = mayEditClient(v.say, &card.Client)
	history, err := s.st.ClientHistory(v.ctx, id, logShown)
	if err != nil {
		return err
	}
	sources, err := s.st.Sources(v.ctx)
	if err != nil {
		return err
	}
	sourceNames, personNames := map[int64]string{}, map[int64]string{}
	for _, o := range sources {
		sourceNames[o.ID] = o.Name
	}
	for _, p := range card.Persons {
		personNames[p.ID] = p.Name
	}
	view.Log = historyRows(v.say, history, names, clientValue(names, sourceNames, s.named(v)))
	for i, h := range history {
		if h.What == "person" {
			view.Log[i].Of = cmp.Or(personNames[h.ID], h.Changes["name"][1], v.say.t("client.persongone"))
		}
	}
	uses, err := s.st.ClientSources(v.ctx, id, sourcesShown)
	if err != nil {
		return err
	}
	if view.Source != "" {
		view.Sources = append(view.Sources, sourceRow{Name: view.Source, Since: v.say.t("client.firstsource")})
	}
	for _, u := range uses {
		view.Sources = append(view.Sources, sourceRow{Name: u.Source, Since: v.say.moment(u.At), Link: here(u.ContactID)})
	}
	if !view.MayEdit || len(sources) == 0 {
		return nil
	}
	view.SourceOptions = sourceOptions(v.say, sources, card.Client.SourceID)[1:] // one is set, not taken away
	view.SourceFrom = []option{{"0", v.say.t("client.fromfirst"), true}}
	for i := range view.Contacts[:min(len(view.Contacts), sourcesFrom)] {
		c := &view.Contacts[i]
		view.SourceFrom = append(view.SourceFrom, option{strconv.FormatInt(c.ID, 10), v.say.t("client.fromcontact", c.When, clip(60, c.Title)), false})
	}
	return nil
}

// clientValue makes what the history of a client and its persons keeps
// readable: managers and sources stand there as numbers.
func clientValue(managers, sources map[int64]string, named func(voice, string, string) string) func(voice, string, string) string {
	return func(say voice, field, stored string) string {
		id, _ := strconv.ParseInt(stored, 10, 64)
		switch field {
		case "manager":
			return cmp.Or(managers[id], stored)
		case "source":
			return cmp.Or(sources[id], stored)
		case "stage":
			if stored != "" {
				return store.Word(say.lang, "stage."+stored)
			}
		case "attributes":
			var attributes map[string]string
			if json.Unmarshal([]byte(stored), &attributes) == nil {
				return attributeLines(attributes)
			}
		}
		return named(say, field, stored)
	}
}
