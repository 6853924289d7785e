package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

const personsShown = 50

// personListView is the list of persons; its parameters are those of the report
// of persons, which writes the same selection as a file.
type personListView struct {
	Text, Attributes, Before, Since  string
	Born, Sources                    []option
	Classes, Variations, Stages      []option
	Importances, Managers            []option
	Client                           string // whose alone; "" everybody's
	ClientID                         int64
	Errors                           map[string]string
	Chosen                           bool // something besides the text
	Persons                          []personLineRow
	First, Next, Report, CSV, VCards string // addresses
}

type personLineRow struct {
	personRow
	ClientID    int64
	Client      string
	Importance  store.Importance
	Class       string
	Manager     string
	LastContact string
}

func newPersonLineRow(say voice, l *store.PersonLine) personLineRow {
	r := personLineRow{personRow: newPersonRow(say, &l.Person), ClientID: l.Person.ClientID, Client: l.Client, Importance: l.Importance, Class: l.Class + l.XYZ, Manager: l.Manager.Text}
	if !l.Last.IsZero() {
		r.LastContact = say.date(store.DateOf(l.Last, say.loc))
	}
	return r
}

// readPersonList understands the form; params are the same selection as the
// report of persons takes it.
func readPersonList(say voice, q url.Values, sources []store.Source, team []store.Manager) (view personListView, sel store.PersonSelection, params url.Values) {
	view = personListView{Text: clip(100, strings.TrimSpace(q.Get("text"))), Attributes: clip(500, strings.TrimSpace(q.Get("attributes"))),
		Before: clip(10, q.Get("before")), Since: clip(10, q.Get("since")), Errors: map[string]string{}}
	sel, params = store.PersonSelection{Viewer: say.who, At: say.now, Text: view.Text}, url.Values{}
	keep := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			params[name] = values
		}
	}
	keep("text", view.Text)
	for name, into := range map[string]*time.Time{"before": &sel.Before, "since": &sel.Since} {
		if text := clip(10, q.Get(name)); text != "" {
			day, err := store.ParseDate(text)
			if err != nil {
				view.Errors[name] = say.t("clients.badday")
				continue
			}
			*into = day.In(say.loc)
			keep(name, text)
		}
	}
	attributes, err := store.ParseAttributes(view.Attributes)
	if err != nil {
		view.Errors["attributes"] = say.t("filter.badattributes")
	}
	sel.Attributes = attributes
	for name, values := range attributes {
		for _, v := range values {
			params.Add("attribute", name+"="+v)
		}
	}
	// What has none is "" in the selection and "none" in addresses.
	classes := func(name string, all []string, into *[]string) {
		on := chosen(q[name], append(slices.Clone(all), store.NoneOf))
		for _, v := range on {
			*into = append(*into, strings.TrimSuffix(v, store.NoneOf))
		}
		keep(name, on...)
	}
	classes("abc", store.Classes, &sel.Classes)
	classes("xyz", store.Variations, &sel.XYZ)
	classes("stage", store.Stages, &sel.Stages)
	view.Classes, view.Variations = letterOptions(store.Classes, q["abc"]), letterOptions(store.Variations, q["xyz"])
	view.Classes = append(view.Classes, option{store.NoneOf, say.t("clients.noclass"), slices.Contains(q["abc"], store.NoneOf)})
	view.Stages = options(say, "stage.", store.Stages, chosen(q["stage"], store.Stages))
	sel.Importances = chosen(q["importance"], allImportances)
	for _, v := range sel.Importances {
		params.Add("importance", string(v))
	}
	view.Importances = options(say, "importance.", allImportances, sel.Importances)
	born, _ := strconv.Atoi(q.Get("born")) // what is no number is any month
	view.Born = []option{{"", say.t("personlist.anymonth"), born == 0}}
	for m := range 12 {
		view.Born = append(view.Born, option{strconv.Itoa(m + 1), monthsAlone[say.lang.Index()][m], born == m+1})
	}
	if born >= 1 && born <= 12 {
		sel.Born = time.Month(born)
		keep("born", strconv.Itoa(born))
	}
	view.Sources = []option{{"", say.t("personlist.anysource"), q.Get("source") == ""}}
	for _, o := range append([]store.Source{{Name: say.t("edit.nosource"), ExternalID: store.NoneOf}}, sources...) {
		on := q.Get("source") == o.ExternalID
		view.Sources = append(view.Sources, option{o.ExternalID, o.Name, on})
		if on {
			sel.Sources = append(sel.Sources, o.ID)
			keep("source", o.ExternalID)
		}
	}
	for _, m := range team {
		on := slices.Contains(q["manager"], m.Login)
		view.Managers = append(view.Managers, option{m.Login, m.Name, on})
		if on {
			sel.Managers = append(sel.Managers, m.ID)
			params.Add("manager", m.Login)
		}
	}
	if client, err := strconv.ParseInt(strings.TrimPrefix(q.Get("client"), "#"), 10, 64); err == nil && client > 0 {
		sel.Clients, view.ClientID = []int64{client}, client
		keep("client", fmt.Sprint("#", client))
	}
	without := len(params)
	if view.Text != "" {
		without--
	}
	view.Chosen = without > 0 || len(view.Errors) > 0
	return view, sel, params
}

func (s *server) personList(v *visit) error {
	v.name = "clients"
	sources, err := s.st.Sources(v.ctx)
	if err != nil {
		return err
	}
	team, err := s.team(v)
	if err != nil {
		return err
	}
	q := v.URL.Query()
	view, sel, params := readPersonList(v.say, q, sources, team)
	title := v.say.t("personlist")
	if len(view.Errors) > 0 {
		return s.show(v, http.StatusUnprocessableEntity, "personlist.html", title, view)
	}
	if view.ClientID != 0 {
		card, err := s.st.Client(v.ctx, v.who, view.ClientID)
		if err != nil {
			return err
		}
		view.Client = card.Client.Name
	}
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64) // what is no number is the start
	found, more, err := s.st.PersonPage(v.ctx, sel, after, personsShown)
	if err != nil {
		return err
	}
	for i := range found {
		view.Persons = append(view.Persons, newPersonLineRow(v.say, &found[i]))
	}
	if after > 0 {
		view.First = v.at("after", "")
	}
	if more {
		view.Next = v.at("after", strconv.FormatInt(found[len(found)-1].Person.ID, 10))
	}
	view.Report = "/reports/persons?" + params.Encode()
	for format, into := range map[string]*string{"csv": &view.CSV, "vcard": &view.VCards} {
		with := cloned(params)
		with.Set("format", format)
		*into = "/reports/persons?" + with.Encode()
	}
	return s.show(v, http.StatusOK, "personlist.html", title, view)
}
