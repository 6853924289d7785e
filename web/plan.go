package web

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// planForm is the form of a new contact, with what was typed.
type planForm struct {
	Kind, Subject, Client, Day, Time, Minutes, Importance, Body string
	ClientID                                                    int64 // set on a client's page
	Back                                                        string
	Kinds, Importances                                          []option
	Clients                                                     []option // it may be one of these
	Line                                                        planLineForm
	Errors                                                      map[string]string
}

// planLineForm plans in one line.
type planLineForm struct {
	Line, Back, Error string
	ClientID          int64 // set on a client's page
}

func newPlanForm(say voice, back string) planForm {
	f := planForm{Kind: string(store.Call), Day: string(say.today()), Minutes: "30", Importance: string(store.Normal), Back: back}
	f.Line.Back = back
	return f.offer(say)
}

// offer fills in the choices.
func (f planForm) offer(say voice) planForm {
	f.Kinds = options(say, "kind.", allKinds, []store.Kind{store.Kind(f.Kind)})
	f.Importances = options(say, "importance.", allImportances, []store.Importance{store.Importance(f.Importance)})
	return f
}

// draft checks the form; the client is found apart. Faults are in f.Errors.
func (f *planForm) draft(say voice) store.ContactDraft {
	f.Errors = map[string]string{}
	d := store.ContactDraft{Kind: store.Other, Importance: store.Normal, State: store.Planned, Direction: store.Out}
	if kinds := chosen([]string{f.Kind}, allKinds); len(kinds) == 1 {
		d.Kind = kinds[0]
	}
	if imp := chosen([]string{f.Importance}, allImportances); len(imp) == 1 {
		d.Importance = imp[0]
	}
	d.Subject, d.Body = strings.TrimSpace(f.Subject), strings.TrimSpace(f.Body)
	switch {
	case d.Subject == "":
		f.Errors["subject"] = say.t("plan.nosubject")
	case len(d.Subject) > 1000:
		f.Errors["subject"] = say.t("plan.toolong")
	}
	day, err := store.ParseDate(f.Day)
	if err != nil {
		f.Errors["day"] = say.t("plan.nodate")
	}
	minutes := 30
	if f.Minutes != "" {
		if minutes, err = strconv.Atoi(f.Minutes); err != nil || minutes < 0 || minutes > 24*60 {
			f.Errors["minutes"] = say.t("plan.badminutes")
		}
	}
	var clock time.Time
	if f.Time != "" {
		if clock, err = time.Parse("15:04", f.Time); err != nil {
			f.Errors["time"] = say.t("plan.badtime")
		}
	}
	if len(f.Errors) > 0 {
		return d
	}
	if f.Time == "" {
		d.When = store.Days(day, day, say.loc)
		return d
	}
	midnight, _ := time.Parse("2006-01-02", string(day)) // parsed above
	start := store.WallTime(midnight.Year(), midnight.Month(), midnight.Day(), clock.Hour(), clock.Minute(), say.loc).UTC()
	d.When = store.Span{Start: start, End: start.Add(time.Duration(minutes) * time.Minute)}
	return d
}

func (s *server) planPage(v *visit) error {
	v.name = "calendar"
	form := newPlanForm(v.say, "/")
	if id, err := strconv.ParseInt(v.URL.Query().Get("client"), 10, 64); err == nil {
		card, err := s.st.Client(v.ctx, v.who, id)
		if err != nil {
			return err
		}
		form.ClientID, form.Client, form.Back = card.Client.ID, card.Client.Name, "/clients/"+strconv.FormatInt(id, 10)
	}
	return s.show(v, http.StatusOK, "plan.html", v.say.t("plan"), form)
}

func (s *server) plan(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	v.name = "calendar"
	form := planForm{
		Kind: v.PostFormValue("kind"), Subject: v.PostFormValue("subject"), Client: strings.TrimSpace(v.PostFormValue("client")),
		Day: v.PostFormValue("day"), Time: v.PostFormValue("time"), Minutes: v.PostFormValue("minutes"),
		Importance: v.PostFormValue("importance"), Body: v.PostFormValue("body"), Back: localPath(v.PostFormValue("back"), "/"),
	}.offer(v.say)
	d := form.draft(v.say)
	if err := s.findClient(v, &form, &d); err != nil {
		return err
	}
	if len(form.Errors) == 0 {
		c, err := s.st.PlanContact(v.ctx, v.actor(), d)
		var bad *store.Invalid
		switch {
		case err == nil:
			return s.planned(v, &c)
		case errors.As(err, &bad):
			form.Errors["subject"] = bad.Error()
		default:
			return err
		}
	}
	return s.show(v, http.StatusUnprocessableEntity, "plan.html", v.say.t("plan"), form)
}

// findClient sets the draft's client: the one of the page that the form stood
// on, else the one with that name, else somebody not registered yet.
func (s *server) findClient(v *visit, form *planForm, d *store.ContactDraft) error {
	form.Line.Back = form.Back
	if id := v.clientID(); id > 0 {
		card, err := s.st.Client(v.ctx, v.who, id)
		if err != nil {
			return err
		}
		form.ClientID, form.Client, d.ClientID = id, card.Client.Name, id
		return nil
	}
	switch {
	case form.Client == "":
		return nil
	case len(form.Client) > 300:
		form.Errors["client"] = v.say.t("plan.toolong")
		return nil
	case v.PostFormValue("client_id") == "0": // none of those that were offered
		d.ClientText = form.Client
		return nil
	}
	found, err := s.st.Clients(v.ctx, v.who, form.Client, 4)
	if err != nil {
		return err
	}
	var exact []store.Client
	for _, c := range found {
		if strings.EqualFold(c.Name, form.Client) {
			exact = append(exact, c)
		}
	}
	if len(exact) > 0 {
		found = exact
	}
	switch len(found) {
	case 0:
		d.ClientText = form.Client
	case 1:
		d.ClientID = found[0].ID
	default:
		form.Errors["client"] = v.say.t("plan.which")
		form.which(v.say, found)
	}
	return nil
}

// clientID is the client that a form stood with or chose; 0 none.
func (v *visit) clientID() int64 {
	id, err := strconv.ParseInt(v.PostFormValue("client_id"), 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// which offers clients to choose from, and that it is none of them. The first
// is chosen where there is no other.
func (f *planForm) which(say voice, clients []store.Client) {
	for _, c := range clients {
		f.Clients = append(f.Clients, option{strconv.FormatInt(c.ID, 10), clip(200, c.Name), len(clients) == 1})
	}
	f.Clients = append(f.Clients, option{"0", say.t("plan.otherclient"), len(clients) > 1})
}

// planLine plans what one line says. What is doubtful is asked with the whole
// form, filled with what was understood.
func (s *server) planLine(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	v.name = "calendar"
	form := newPlanForm(v.say, localPath(v.PostFormValue("back"), "/"))
	form.Line.Line, form.Line.ClientID = v.PostFormValue("line"), v.clientID()
	form.Errors = map[string]string{}
	var bad *store.Invalid
	p, err := s.st.ReadPlan(v.ctx, v.who, form.Line.Line, form.Line.ClientID)
	switch {
	case errors.As(err, &bad) && strings.TrimSpace(form.Line.Line) == "":
		form.Line.Error = v.say.t("plan.noline")
	case errors.As(err, &bad):
		form.Line.Error = v.say.t("plan.toolong")
		form.Body = form.Line.Line // more room for it
	case err != nil:
		return err
	case len(p.Clients) == 0 && !p.Unsure:
		c, err := s.st.PlanContact(v.ctx, v.actor(), p.Draft)
		if err == nil {
			return s.planned(v, &c)
		}
		if !errors.As(err, &bad) {
			return err
		}
		form.Line.Error = bad.Error()
	}
	if err == nil {
		if err := s.fill(v, &form, &p); err != nil {
			return err
		}
	}
	return s.show(v, http.StatusUnprocessableEntity, "plan.html", v.say.t("plan"), form)
}

// fill puts what was understood of a line into the form.
func (s *server) fill(v *visit, f *planForm, p *store.PlanReading) error {
	d := &p.Draft
	f.Kind, f.Subject, f.Importance = string(d.Kind), d.Subject, string(cmp.Or(d.Importance, store.Normal))
	switch {
	case d.When.IsZero():
		f.Day = ""
	case d.When.AllDay:
		f.Day = string(d.When.First)
	default:
		f.Day, f.Time = string(store.DateOf(d.When.Start, v.say.loc)), d.When.Start.In(v.say.loc).Format("15:04")
		f.Minutes = strconv.Itoa(int(d.When.End.Sub(d.When.Start).Minutes()))
	}
	if p.Unsure {
		f.Errors["day"] = v.say.t("plan.when")
	}
	if len(p.Clients) > 0 {
		f.Errors["client"] = v.say.t("plan.which")
		f.which(v.say, p.Clients)
	}
	if d.ClientID != 0 {
		card, err := s.st.Client(v.ctx, v.who, d.ClientID)
		if err != nil {
			return err
		}
		f.ClientID, f.Client = card.Client.ID, card.Client.Name
		f.Importance = string(cmp.Or(d.Importance, card.Client.Importance, store.Normal))
	}
	*f = f.offer(v.say)
	return nil
}

// planned leads back from a contact that was planned; undoing cancels it, for
// nothing that a person entered is deleted.
func (s *server) planned(v *visit, c *store.Contact) error {
	u := store.UndoContact(c, c.Version)
	u.State = store.Cancelled
	return v.back("/", s.undoable(v, "added", u))
}

// actor is this manager, changing something on a page.
func (v *visit) actor() store.Actor { return store.Actor{ManagerID: v.who.ID, Origin: store.FromWeb} }
