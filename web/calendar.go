package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

const (
	agendaLimit = 200
	clientLimit = 50 // clients that a filter's text may stand for
)

// calendarForm is the filter as it was asked for: what the store gets, and
// what the form shows again.
type calendarForm struct {
	Filter   store.Filter
	Manager  string // "", "all" or an id
	Client   string
	From, To string
	Errors   map[string]string
	Active   bool       // something differs from the plain calendar
	Layout   string     // one of layouts
	Day      store.Date // that the day, week or month holds; "" in a list
	Group    string     // one of groupings, of a list

	Managers    []option
	Types       []option
	Statuses    []option
	Kinds       []option
	Importances []option
	Groups      []option
}

type option struct {
	Value, Label string
	On           bool
}

var (
	allTypes       = []store.ItemType{store.ContactItem, store.ShipmentItem, store.PaymentItem}
	allStatuses    = []store.Status{store.StatusOverdue, store.StatusCurrent, store.StatusPostponed, store.StatusDone}
	openStatuses   = allStatuses[:3]
	allKinds       = []store.Kind{store.Call, store.Meeting, store.Visit, store.Letter, store.Other}
	allImportances = []store.Importance{store.High, store.Normal, store.Low}
)

// readCalendarForm understands a query. What it does not know is ignored; a
// date that is none is said beside the field. team are the managers that a
// head may choose.
func readCalendarForm(say voice, who store.Manager, team []store.Manager, q url.Values) calendarForm {
	f := calendarForm{
		Client: clip(100, strings.TrimSpace(q.Get("client"))), From: clip(20, q.Get("from")), To: clip(20, q.Get("to")),
		Errors: map[string]string{},
	}
	f.Filter.Types = chosen(q["type"], allTypes)
	f.Filter.Kinds = chosen(q["kind"], allKinds)
	f.Filter.Importances = chosen(q["importance"], allImportances)
	f.Filter.Statuses = chosen(q["status"], allStatuses)
	f.Active = len(f.Filter.Types)+len(f.Filter.Kinds)+len(f.Filter.Importances) > 0 || f.Client+f.From+f.To != ""
	f.Layout, f.Group = layouts[0], groupings[0]
	if names := chosen([]string{q.Get("layout")}, layouts); len(names) == 1 {
		f.Layout = names[0]
	}
	if names := chosen([]string{q.Get("group")}, groupings); len(names) == 1 {
		f.Group = names[0]
	}
	usual := openStatuses
	if f.Layout != "list" { // a day shows what was done in it
		usual = allStatuses
		f.Day = say.today()
		if day, err := store.ParseDate(q.Get("day")); err == nil && day > "1971" && day < "2199" {
			f.Day = day
		}
	}
	if len(f.Filter.Statuses) == 0 {
		f.Filter.Statuses = slices.Clone(usual)
	}
	f.Active = f.Active || !slices.Equal(f.Filter.Statuses, usual) || f.Group != groupings[0]
	// As the Done calendar: captured letters would drown it.
	f.Filter.DoneDays, f.Filter.NoLetters = 90, !slices.Contains(f.Filter.Kinds, store.Letter)

	f.Filter.Managers = []int64{who.ID}
	if who.Role == store.RoleHead {
		f.Managers = []option{{"", say.t("filter.me"), true}, {"all", say.t("filter.all"), false}}
		if q.Get("manager") == "all" {
			f.Filter.Managers, f.Manager = nil, "all"
			for _, m := range team {
				f.Filter.Managers = append(f.Filter.Managers, m.ID)
			}
		}
		for _, m := range team {
			if m.ID == who.ID {
				continue
			}
			id := strconv.FormatInt(m.ID, 10)
			if q.Get("manager") == id {
				f.Filter.Managers, f.Manager = []int64{m.ID}, id
			}
			f.Managers = append(f.Managers, option{id, m.Name, false})
		}
		for i := range f.Managers {
			f.Managers[i].On = f.Managers[i].Value == f.Manager
		}
		f.Active = f.Active || f.Manager != ""
	}

	for name, text := range map[string]string{"from": f.From, "to": f.To} {
		if text == "" {
			continue
		}
		if _, err := store.ParseDate(text); err != nil {
			f.Errors[name] = say.t("filter.baddate")
		}
	}
	if len(f.Errors) == 0 && f.From != "" && f.To != "" && f.From > f.To {
		f.Errors["to"] = say.t("filter.order")
	}

	f.Types = options(say, "type.", allTypes, f.Filter.Types)
	f.Kinds = options(say, "kind.", allKinds, f.Filter.Kinds)
	f.Statuses = options(say, "status.", allStatuses, f.Filter.Statuses)
	f.Importances = options(say, "importance.", allImportances, f.Filter.Importances)
	for _, name := range groupings {
		if name != "manager" || who.Role == store.RoleHead {
			f.Groups = append(f.Groups, option{name, say.t("group." + name), name == f.Group})
		}
	}
	return f
}

// query is what the store is asked; dates that were refused do not count.
func (f *calendarForm) query(say voice, who store.Manager) store.AgendaQuery {
	q := store.AgendaQuery{Viewer: who, Filter: f.Filter, Limit: agendaLimit}
	if f.From != "" && f.Errors["from"] == "" {
		q.From = store.Date(f.From).In(say.loc).UTC()
	}
	if f.To != "" && f.Errors["to"] == "" {
		q.To = store.Date(f.To).Add(1).In(say.loc).UTC()
	}
	return q
}

// chosen keeps the known ones of the given values, in the order of all.
func chosen[T ~string](given []string, all []T) []T {
	var out []T
	for _, v := range all {
		if slices.Contains(given, string(v)) {
			out = append(out, v)
		}
	}
	return out
}

func options[T ~string](say voice, prefix string, all, on []T) []option {
	out := make([]option, 0, len(all))
	for _, v := range all {
		out = append(out, option{string(v), store.Word(say.lang, prefix+string(v)), slices.Contains(on, v)})
	}
	return out
}

type calendarView struct {
	Form     calendarForm
	Layouts  []layoutLink
	Grid     *grid // nil in a list
	Sections []section
	Limit    string // a word when there is more
	Plan     planForm
}

// section is one group of a list, by status if nothing else was asked, with
// its days.
type section struct {
	Key    string // of the address within the page
	Status store.Status
	Name   string
	Count  string
	Days   []dayRows
}

type dayRows struct {
	Name  string
	Today bool
	Rows  []row
}

// groupings are what a list may be grouped by, the usual first.
var groupings = []string{"status", "day", "type", "client", "importance", "manager"}

// groupOf names the group of an item, and says where it stands among others.
func groupOf(say voice, it *store.Item, by string, names map[int64]string) (name string, rank int) {
	switch by {
	case "day":
		when := it.WhenIn(say.loc)
		if when.IsZero() {
			return say.t("no date"), 1
		}
		return "", 0 // the days are headings themselves
	case "type":
		if it.Contact != nil {
			return store.Word(say.lang, "kind."+string(it.Contact.Kind)), slices.Index(allKinds, it.Contact.Kind)
		}
		return store.Word(say.lang, "type."+string(it.Type)), len(allKinds) + slices.Index(allTypes, it.Type)
	case "client":
		switch {
		case it.ClientName != "":
			return it.ClientName, 0
		case it.Contact != nil && it.Contact.ClientText != "":
			return it.Contact.ClientText, 0
		}
		return say.t("group.noclient"), 1
	case "importance":
		return store.Word(say.lang, "importance."+string(it.Importance)), it.Importance.Rank()
	case "manager":
		whose := int64(0)
		if it.Contact != nil {
			whose = it.Contact.ManagerID
		} else if it.Deal != nil {
			whose = it.Deal.ManagerID
		}
		if names[whose] == "" {
			return say.t("group.nomanager"), 1
		}
		return names[whose], 0
	}
	return store.Word(say.lang, "status."+string(it.Status)), it.Status.Rank()
}

// agenda groups items, sorted by status and time, into sections and days. Of
// what is done the newest comes first. Within a group by anything but status
// the days come in their order.
func agenda(say voice, items []store.Item, by string, names map[int64]string, back string) []section {
	var out []section
	if i := slices.IndexFunc(items, func(it store.Item) bool { return it.Status == store.StatusDone }); i >= 0 {
		slices.Reverse(items[i:])
	}
	type placed struct {
		*store.Item
		group string
		rank  int
	}
	list := make([]placed, len(items))
	for i := range items {
		name, rank := groupOf(say, &items[i], by, names)
		list[i] = placed{&items[i], name, rank}
	}
	if by != groupings[0] {
		slices.SortStableFunc(list, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(strings.ToLower(a.group), strings.ToLower(b.group)), cmp.Compare(a.group, b.group),
				cmp.Compare(dayOf(say, a.Item), dayOf(say, b.Item)))
		})
	}
	n := 0
	for _, p := range list {
		it, name := p.Item, p.group
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, section{Key: strconv.Itoa(len(out)), Name: name})
			if by == groupings[0] {
				out[len(out)-1].Key, out[len(out)-1].Status = string(it.Status), it.Status
			}
			n = 0
		}
		sec := &out[len(out)-1]
		n++
		sec.Count = say.count(int64(n), "item")
		r := itemRow(say, it, names, back)
		r.Left = say.hours(it.WhenIn(say.loc))
		if by == groupings[0] {
			r.StatusWord = "" // the heading says it
		}
		day := say.t("no date")
		if r.Day != "" {
			day = say.near(r.Day)
		}
		if len(sec.Days) == 0 || sec.Days[len(sec.Days)-1].Name != day {
			sec.Days = append(sec.Days, dayRows{Name: day, Today: r.Day == say.today()})
		}
		last := &sec.Days[len(sec.Days)-1]
		last.Rows = append(last.Rows, r)
	}
	return out
}

// dayOf is the day on which an item begins; "" without a time.
func dayOf(say voice, it *store.Item) store.Date {
	when := it.WhenIn(say.loc)
	if when.IsZero() {
		return ""
	}
	return store.DateOf(when.Begins(say.loc), say.loc)
}

func (s *server) calendar(v *visit) error {
	v.name = "calendar"
	var team []store.Manager
	var names map[int64]string
	if v.who.Role == store.RoleHead {
		var err error
		if team, err = s.st.Managers(v.ctx); err != nil {
			return err
		}
	}
	form := readCalendarForm(v.say, v.who, team, v.URL.Query())
	if form.Manager != "" || form.Group == "manager" {
		names = map[int64]string{}
		for _, m := range team {
			names[m.ID] = m.Name
		}
	}
	if form.Client != "" {
		clients, err := s.st.Clients(v.ctx, v.who, form.Client, clientLimit+1)
		if err != nil {
			return err
		}
		if len(clients) > clientLimit {
			clients = clients[:clientLimit]
			form.Errors["client"] = v.say.t("filter.many", clientLimit)
		}
		for _, c := range clients {
			form.Filter.Clients = append(form.Filter.Clients, c.ID)
		}
		if len(clients) == 0 {
			form.Errors["client"] = v.say.t("filter.noclient")
		}
	}
	view := calendarView{Form: form, Plan: newPlanForm(v.say, v.here()), Layouts: layoutLinks(v)}
	switch {
	case form.Client != "" && len(form.Filter.Clients) == 0:
	case form.Layout != layouts[0]:
		var err error
		if view.Grid, err = s.grid(v, &form, names); err != nil {
			return err
		}
	default:
		items, err := s.st.Agenda(v.ctx, form.query(v.say, v.who))
		if err != nil {
			return err
		}
		view.Sections = agenda(v.say, items, form.Group, names, v.here())
		if len(items) >= agendaLimit {
			view.Limit = v.say.t("calendar.limit", agendaLimit)
		}
	}
	title := v.say.t("calendar")
	switch form.Manager {
	case "":
	case "all":
		title = v.say.t("calendar.team")
	default:
		id, _ := strconv.ParseInt(form.Manager, 10, 64)
		title = v.say.t("calendar.of", names[id])
	}
	return s.show(v, http.StatusOK, "calendar.html", title, view)
}

// here is the address of this page without the word about the last form.
func (v *visit) here() string { return v.at("said", "") }

// at is here with that value of a parameter, "" without it: another page of a
// list.
func (v *visit) at(name, value string) string {
	q := v.URL.Query()
	q.Del("said")
	q.Del(name)
	if value != "" {
		q.Set(name, value)
	}
	u := url.URL{Path: v.URL.Path, RawQuery: q.Encode()}
	return u.String()
}
