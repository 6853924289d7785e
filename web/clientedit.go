package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// clientForm is the client with that number, or the one that it was merged
// with, as it is stored now, and the client itself. Who may not change it is refused.
func (s *server) clientForm(v *visit, id int64) (editForm, store.Client, error) {
	card, err := s.st.Client(v.ctx, v.who, id)
	if err != nil {
		return editForm{}, store.Client{}, err
	}
	c := card.Client
	if !mayEditClient(v.say, &c) {
		return editForm{}, c, store.ErrForbidden
	}
	sources, err := s.st.Sources(v.ctx)
	if err != nil {
		return editForm{}, c, err
	}
	team, err := s.team(v)
	return newClientForm(v.say, &c, sources, team), c, err
}

// mayEditClient is the store's rule: heads, who is responsible, and anybody who
// sees a client of whom nobody is.
func mayEditClient(say voice, c *store.Client) bool { return c.ManagerID == 0 || say.may(c.ManagerID) }

func newClientForm(say voice, c *store.Client, sources []store.Source, team []store.Manager) editForm {
	f := editForm{Title: say.t("edit.client"), Action: clientPath(c.ID) + "/edit", Back: clientPath(c.ID), Version: c.Version}
	if c.ExternalID != "" {
		f.Note = say.t("edit.imported", c.ExternalID)
	}
	one := func(name, label, value string, options []option) {
		f.Fields = append(f.Fields, editField{Name: name, Label: say.t(label), Type: "select", Options: options, Value: value, Was: value})
	}
	f.text(say, "name", "edit.name", "text", c.Name)
	one("importance", "client.importance", string(c.Importance), options(say, "importance.", allImportances, []store.Importance{c.Importance}))
	if len(team) > 0 {
		managers := []option{{"0", say.t("client.nobody"), c.ManagerID == 0}}
		for _, m := range team {
			managers = append(managers, option{strconv.FormatInt(m.ID, 10), m.Name, m.ID == c.ManagerID})
		}
		one("manager", "client.manager", strconv.FormatInt(c.ManagerID, 10), managers)
	}
	stage := c.GivenStage()
	one("stage", "edit.stage", stage, append([]option{{"", say.t("edit.nostage"), stage == ""}}, options(say, "stage.", store.Stages, []string{stage})...))
	one("source", "client.source", strconv.FormatInt(c.SourceID, 10), sourceOptions(say, sources, c.SourceID))
	f.text(say, "phones", "client.phones", "lines", strings.Join(c.Phones, "\n"))
	f.text(say, "emails", "client.emails", "lines", strings.Join(c.Emails, "\n"))
	f.text(say, "domains", "client.domains", "lines", strings.Join(c.Domains, "\n"))
	f.text(say, "attributes", "edit.attributes", "lines", attributeLines(c.Attributes))
	return f
}

func sourceOptions(say voice, sources []store.Source, on int64) []option {
	out := []option{{"0", say.t("edit.nosource"), on == 0}}
	for _, o := range sources {
		name := o.Name
		if o.Campaign != "" {
			name += " (" + o.Campaign + ")"
		}
		out = append(out, option{strconv.FormatInt(o.ID, 10), name, o.ID == on})
	}
	return out
}

// Attributes stand one on a line, "segment = horeca". What would be read
// otherwise has a backslash before it, so that nothing is lost.
var (
	nameEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "=", `\=`)
	valueEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	unescaper    = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\=`, "=")
)

func attributeLines(attributes map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		out = append(out, nameEscaper.Replace(name)+" = "+valueEscaper.Replace(attributes[name]))
	}
	return strings.Join(out, "\n")
}

// parseAttributeLines gives the first line that is no attribute.
func parseAttributeLines(value string) (attributes map[string]string, wrong string) {
	attributes = map[string]string{}
	for _, line := range lines(value) {
		at := -1
		for i := 0; i < len(line) && at < 0; i++ {
			switch line[i] {
			case '\\':
				i++
			case '=':
				at = i
			}
		}
		if at < 0 || strings.TrimSpace(line[:at]) == "" {
			return nil, line
		}
		attributes[unescaper.Replace(strings.TrimSpace(line[:at]))] = unescaper.Replace(strings.TrimSpace(line[at+1:]))
	}
	return attributes, ""
}

// clientEdit is what the form says; what is wrong with it stands beside its
// field. was is the client as it is stored.
func (f *editForm) clientEdit(say voice, was *store.Client) store.ClientEdit {
	e := was.Edit()
	if e.Name = f.value("name"); e.Name == "" {
		f.field("name").Error = say.t("register.noname")
	} else if len(e.Name) > 500 {
		f.field("name").Error = say.t("plan.toolong")
	}
	e.Importance, e.Stage = store.Importance(f.value("importance")), f.value("stage")
	number := func(name string) int64 {
		n, err := strconv.ParseInt(f.value(name), 10, 64)
		if err != nil || n < 0 {
			f.field(name).Error = say.t("edit.bad")
		}
		return n
	}
	if slices.ContainsFunc(f.Fields, func(e editField) bool { return e.Name == "manager" }) {
		e.ManagerID = number("manager")
	}
	e.SourceID = number("source")
	e.Phones = lines(f.value("phones"))
	e.Emails = f.emails(say)
	e.Domains = lines(f.value("domains"))
	for _, d := range e.Domains {
		if _, err := store.Domain(strings.TrimPrefix(d, "@")); err != nil {
			f.field("domains").Error = say.t("edit.baddomain", clip(80, d))
		}
	}
	if f.value("attributes") != attributeLines(was.Attributes) {
		var wrong string
		if e.Attributes, wrong = parseAttributeLines(f.value("attributes")); wrong != "" {
			f.field("attributes").Error = say.t("edit.badattribute", clip(80, wrong))
		}
	}
	return e
}

// emails of the form, with what is none beside the field.
func (f *editForm) emails(say voice) []string {
	out, wrong := addressLines(f.value("emails"))
	if wrong != "" {
		f.field("emails").Error = say.t("edit.bademail", clip(80, wrong))
	}
	return out
}

func (s *server) editClientPage(v *visit) error {
	v.name = "clients"
	id, err := v.number("id")
	if err != nil {
		return err
	}
	form, c, err := s.clientForm(v, id)
	if err != nil {
		return err
	}
	if c.ID != id {
		http.Redirect(v.w, v.Request, form.Action, http.StatusSeeOther)
		return nil
	}
	return s.show(v, http.StatusOK, "edit.html", form.Title, form)
}

func (s *server) editClient(v *visit) error {
	v.name = "clients"
	id, err := v.number("id")
	if err != nil {
		return err
	}
	var c store.Client // as it is stored
	return s.saveEdited(v, "client", id, func() (form editForm, err error) {
		form, c, err = s.clientForm(v, id)
		return form, err
	}, func(typed *editForm, version int64) error {
		e := typed.clientEdit(v.say, &c)
		if typed.faulty() {
			return nil
		}
		if c.ID != id { // merged since the form was shown: its version is another's
			id = c.ID
			return store.ErrStale
		}
		return s.st.EditClient(v.ctx, v.actor(), id, version, e)
	})
}

// saveEdited is what the forms of clients and persons do: show what is wrong
// beside its field, save, or show both versions.
func (s *server) saveEdited(v *visit, what string, id int64, stored func() (editForm, error), save func(typed *editForm, version int64) error) error {
	if err := v.form(); err != nil {
		return err
	}
	now, err := stored()
	if err != nil {
		return err
	}
	typed := now.typed(v)
	err = save(&typed, typed.Version)
	if errors.Is(err, store.ErrStale) {
		if now, err = stored(); err != nil {
			return err
		}
		typed.Version = now.Version
		if typed.clash(&now) {
			if typed.Clash, err = s.said(v, what, id); err != nil {
				return err
			}
			return s.show(v, http.StatusConflict, "edit.html", typed.Title, typed)
		}
		// What they changed, this form says too, or it is nothing that it has.
		err = save(&typed, now.Version)
	}
	var bad *store.Invalid
	switch {
	case errors.As(err, &bad):
		typed.refuse(v.say, bad)
	case errors.Is(err, store.ErrStale): // again, in this very moment
		return v.leadTo(typed.Action, "stale")
	case err != nil:
		return err
	case !typed.faulty():
		return v.leadTo(typed.Back, "saved")
	}
	return s.show(v, http.StatusUnprocessableEntity, "edit.html", typed.Title, typed)
}

// setSource is the form of the lead sources on a client's page.
func (s *server) setSource(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	source, err1 := strconv.ParseInt(v.PostFormValue("source"), 10, 64)
	contact, err2 := strconv.ParseInt(v.PostFormValue("from"), 10, 64)
	if errors.Join(err1, err2) != nil {
		return errBadForm
	}
	return v.edited(s.st.SetSource(v.ctx, v.actor(), id, contact, source), clientPath(id), "saved")
}
