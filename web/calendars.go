package web

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// The calendars of a manager: saved filters to make and change, and for each
// calendar a secret address to give out and to take back.

type calendarsView struct {
	Rows   []calendarRow
	Fresh  *freshFeed // a feed that was just made: its address is shown this once
	Feeds  bool
	Filter filterForm // a new one
}

type freshFeed struct{ Name, Address string }

type calendarRow struct {
	ID           int64
	Name, Color  string
	Filter       bool   // a saved filter: may be changed
	Feed         bool   // has a feed
	CanFeed      bool   // holds events
	FeedUsed     string // when it was read last
	Says, Action string // what it is
}

var (
	allClasses = []string{"A", "B", "C"}
	allStages  = []string{"potential", "one-off", "regular", "lost"}
	color      = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
)

// filterForm is the form of a saved filter, with what was chosen.
type filterForm struct {
	ID                 int64 // 0: a new one
	Name, Color, Words string
	AddClient          string // a name, to be found
	Letters, Labelled  bool
	Head               bool
	Managers, Clients  []option
	Statuses, Types    []option
	Kinds, Importances []option
	Classes, Stages    []option
	Variations         []option
	Attributes         string
	Errors             map[string]string
	filter             store.Filter
}

// readFilterForm understands a form, or the query of the calendar page.
func readFilterForm(q url.Values) filterForm {
	f := filterForm{Name: clip(200, strings.TrimSpace(q.Get("name"))), Color: q.Get("color"), AddClient: clip(100, strings.TrimSpace(q.Get("client"))), Errors: map[string]string{}}
	if !color.MatchString(f.Color) {
		f.Color = "#6A1B9A"
	}
	f.filter = store.Filter{
		Statuses: chosen(q["status"], allStatuses), Types: chosen(q["type"], allTypes), Kinds: chosen(q["kind"], allKinds),
		Importances: chosen(q["importance"], allImportances), Classes: chosen(q["class"], allClasses), Stages: chosen(q["stage"], allStages),
		Words: clip(200, q.Get("words")), NoLetters: q.Get("letters") == "", Labelled: q.Get("labelled") != "",
		Clients: numbers(q["client_id"]), Managers: numbers(q["manager"]), Variations: chosen(q["xyz"], store.Variations),
	}
	f.Attributes = clip(500, strings.TrimSpace(q.Get("attributes")))
	var err error
	if f.filter.Attributes, err = store.ParseAttributes(f.Attributes); err != nil {
		f.Errors["attributes"] = "filter.badattributes"
	}
	return f
}

// numbers keeps what is an id, at most 100.
func numbers(given []string) (ids []int64) {
	for _, v := range given[:min(len(given), 100)] {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
			ids = append(ids, n)
		}
	}
	return ids
}

// offer fills in the choices: clients are those that the filter names, by id.
func (f filterForm) offer(say voice, team []store.Manager, clients map[int64]string) filterForm {
	f.Words, f.Letters, f.Labelled, f.Head = f.filter.Words, !f.filter.NoLetters, f.filter.Labelled, say.who.Role == store.RoleHead
	f.Statuses = options(say, "status.", allStatuses, f.filter.Statuses)
	f.Types = options(say, "type.", allTypes, f.filter.Types)
	f.Kinds = options(say, "kind.", allKinds, f.filter.Kinds)
	f.Importances = options(say, "importance.", allImportances, f.filter.Importances)
	f.Classes, f.Variations = letterOptions(allClasses, f.filter.Classes), letterOptions(store.Variations, f.filter.Variations)
	if f.Errors["attributes"] != "" {
		f.Errors["attributes"] = say.t("filter.badattributes")
	} else {
		f.Attributes = f.filter.Attributes.String()
	}
	f.Stages, f.Clients, f.Managers = nil, nil, nil
	for _, s := range allStages {
		f.Stages = append(f.Stages, option{s, store.Word(say.lang, "stage."+s), slices.Contains(f.filter.Stages, s)})
	}
	for _, id := range f.filter.Clients {
		if name := clients[id]; name != "" {
			f.Clients = append(f.Clients, option{strconv.FormatInt(id, 10), name, true})
		}
	}
	for _, m := range team {
		f.Managers = append(f.Managers, option{strconv.FormatInt(m.ID, 10), m.Name, slices.Contains(f.filter.Managers, m.ID)})
	}
	return f
}

// filterForm fills a form with what it offers this manager. Clients whose names
// hold the text are added to those chosen: of one that is being typed the
// manager sees what will count.
func (s *server) offerFilter(v *visit, f filterForm) (filterForm, error) {
	team, err := s.team(v)
	if err != nil {
		return f, err
	}
	names := map[int64]string{}
	for _, id := range f.filter.Clients {
		card, err := s.st.Client(v.ctx, v.who, id)
		switch {
		case err == nil:
			names[id] = card.Client.Name
		case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrForbidden):
			return f, err
		}
	}
	f.filter.Clients = slices.DeleteFunc(f.filter.Clients, func(id int64) bool { return names[id] == "" })
	if f.AddClient != "" {
		found, err := s.st.Clients(v.ctx, v.who, f.AddClient, clientLimit+1)
		if err != nil {
			return f, err
		}
		switch {
		case len(found) == 0:
			f.Errors["client"] = v.say.t("filter.noclient")
		case len(found) > clientLimit:
			f.Errors["client"] = v.say.t("filter.which")
		default:
			f.AddClient = ""
			for _, c := range found {
				if names[c.ID] == "" {
					f.filter.Clients, names[c.ID] = append(f.filter.Clients, c.ID), c.Name
				}
			}
		}
	}
	return f.offer(v.say, team, names), nil
}

// team are the managers that this one may look at: all for a head, else none.
func (s *server) team(v *visit) ([]store.Manager, error) {
	if v.who.Role != store.RoleHead {
		return nil, nil
	}
	return s.st.Managers(v.ctx)
}

func (s *server) calendars(v *visit) error { return s.showCalendars(v, nil) }

func (s *server) showCalendars(v *visit, fresh *freshFeed) error {
	v.name = "setup"
	all, err := s.st.Collections(v.ctx, v.who.ID)
	if err != nil {
		return err
	}
	feeds, err := s.st.Feeds(v.ctx, v.who.ID)
	if err != nil {
		return err
	}
	view := calendarsView{Fresh: fresh, Feeds: s.opt.FeedPath != nil}
	for _, c := range all {
		feed, has := feeds[c.ID]
		view.Rows = append(view.Rows, calendarRow{
			ID: c.ID, Name: c.Name, Color: c.Color, Filter: c.Kind == store.FilterCalendar, Says: v.say.t("calendars." + string(c.Kind)),
			Feed: has, FeedUsed: v.say.moment(feed.Used), CanFeed: c.Component.Holds(store.VEvent), Action: "/calendars/" + strconv.FormatInt(c.ID, 10),
		})
	}
	return s.show(v, http.StatusOK, "calendars.html", v.say.t("calendars"), view)
}

func (s *server) newFilter(v *visit) error {
	q := v.URL.Query()
	form := readFilterForm(q)
	// The calendar page says "" for the own contacts and "all" for the team's.
	if len(form.filter.Managers) == 0 && q.Get("manager") != "all" {
		form.filter.Managers = []int64{v.who.ID}
	}
	return s.showFilter(v, http.StatusOK, form)
}

func (s *server) showFilter(v *visit, code int, form filterForm) error {
	v.name = "setup"
	form, err := s.offerFilter(v, form)
	if err != nil {
		return err
	}
	title := v.say.t("filter.new")
	if form.ID != 0 {
		title = v.say.t("filter.saved")
	}
	return s.show(v, code, "savedfilter.html", title, form)
}

// owned is the calendar of the path, if it is this manager's.
func (s *server) owned(v *visit) (store.Collection, error) {
	id, err := v.number("id")
	if err != nil {
		return store.Collection{}, err
	}
	all, err := s.st.Collections(v.ctx, v.who.ID)
	if err != nil {
		return store.Collection{}, err
	}
	if i := slices.IndexFunc(all, func(c store.Collection) bool { return c.ID == id }); i >= 0 {
		return all[i], nil
	}
	return store.Collection{}, store.ErrNotFound
}

func (s *server) savedFilter(v *visit) error {
	c, err := s.owned(v)
	if err != nil {
		return err
	}
	if c.Kind != store.FilterCalendar {
		return store.ErrNotFound
	}
	return s.showFilter(v, http.StatusOK, filterForm{ID: c.ID, Name: c.Name, Color: c.Color, filter: c.Filter, Errors: map[string]string{}})
}

func (s *server) makeFilter(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	return s.saveFilter(v, readFilterForm(v.PostForm))
}

// saveFilter makes or changes the filter of a form. What is wrong is said in
// the form; so is a client's name that several have: they are then offered.
func (s *server) saveFilter(v *visit, form filterForm) error {
	if form.Name == "" {
		form.Errors["name"] = v.say.t("filter.noname")
	}
	before := len(form.filter.Clients)
	form, err := s.offerFilter(v, form)
	if err != nil {
		return err
	}
	if len(form.filter.Clients) > before+1 {
		form.Errors["client"] = v.say.t("filter.which")
	}
	if len(form.Errors) == 0 {
		edit := store.CollectionEdit{Name: &form.Name, Color: &form.Color}
		if form.ID == 0 {
			_, err = s.st.MakeFilter(v.ctx, v.actor(), form.filter, edit)
		} else {
			err = s.st.EditFilter(v.ctx, v.actor(), form.ID, form.filter, edit)
		}
		var bad *store.Invalid
		if !errors.As(err, &bad) {
			if err != nil {
				return err
			}
			return v.back("/calendars", "saved")
		}
		form.Errors["name"] = bad.Error()
	}
	return s.showFilter(v, http.StatusUnprocessableEntity, form)
}

// editCalendar does what the buttons of a calendar say.
func (s *server) editCalendar(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	c, err := s.owned(v)
	if err != nil {
		return err
	}
	switch v.PostFormValue("do") {
	case "save":
		if c.Kind != store.FilterCalendar {
			return store.ErrNotFound
		}
		form := readFilterForm(v.PostForm)
		form.ID = c.ID
		form.filter.DoneDays = c.Filter.DoneDays // set on the command line
		return s.saveFilter(v, form)
	case "delete":
		if c.Kind != store.FilterCalendar {
			return store.ErrForbidden
		}
		if err := s.st.DeleteCalendar(v.ctx, v.actor(), c.ID); err != nil {
			return err
		}
		return v.back("/calendars", "deleted")
	case "feed":
		if s.opt.FeedPath == nil || !c.Component.Holds(store.VEvent) {
			return store.ErrNotFound
		}
		secret, err := s.st.MakeFeed(v.ctx, v.actor(), c.ID)
		if err != nil {
			return err
		}
		return s.showCalendars(v, &freshFeed{c.Name, s.base(v) + s.opt.FeedPath(secret)})
	case "revoke":
		if err := s.st.RevokeFeed(v.ctx, v.actor(), c.ID); err != nil && !errors.Is(err, store.ErrNotFound) { // twice pressed
			return err
		}
		return v.back("/calendars", "revoked")
	}
	return errBadForm
}
