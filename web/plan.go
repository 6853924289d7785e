package web

import (
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
	Errors                                                      map[string]string
}

func newPlanForm(say voice, back string) planForm {
	f := planForm{Kind: string(store.Call), Day: string(say.today()), Minutes: "30", Importance: string(store.Normal), Back: back}
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
		_, err := s.st.PlanContact(v.ctx, v.actor(), d)
		var bad *store.Invalid
		switch {
		case err == nil:
			return v.back("/", "added")
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
	if id, err := strconv.ParseInt(v.PostFormValue("client_id"), 10, 64); err == nil && id > 0 {
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
	}
	found, err := s.st.Clients(v.ctx, v.who, form.Client, 4)
	if err != nil {
		return err
	}
	var some []string
	for _, c := range found {
		if strings.EqualFold(c.Name, form.Client) {
			d.ClientID = c.ID
			return nil
		}
		some = append(some, c.Name)
	}
	switch len(found) {
	case 0:
		d.ClientText = form.Client
	case 1:
		d.ClientID = found[0].ID
	default:
		form.Errors["client"] = v.say.t("plan.which", strings.Join(some, ", "))
	}
	return nil
}

// actor is this manager, changing something on a page.
func (v *visit) actor() store.Actor { return store.Actor{ManagerID: v.who.ID, Origin: store.FromWeb} }
