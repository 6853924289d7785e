package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

func newPersonForm(say voice, p *store.Person) editForm {
	f := editForm{Title: say.t("edit.person"), Action: "/persons/" + strconv.FormatInt(p.ID, 10), Back: clientPath(p.ClientID), Version: p.Version}
	if p.ID == 0 {
		f.Title, f.Action = say.t("edit.newperson"), clientPath(p.ClientID)+"/persons"
	}
	if p.ExternalID != "" {
		f.Note = say.t("edit.imported", p.ExternalID)
	}
	if p.ID != 0 && say.who.Role == store.RoleHead {
		f.Person = "/persons/" + strconv.FormatInt(p.ID, 10)
	}
	f.text(say, "name", "edit.personname", "text", p.Name)
	f.text(say, "position", "edit.position", "text", p.Position)
	f.text(say, "phones", "client.phones", "lines", strings.Join(p.Phones, "\n"))
	f.text(say, "emails", "client.emails", "lines", strings.Join(p.Emails, "\n"))
	f.text(say, "birthday", "edit.birthday", "date", string(p.Birthday))
	return f
}

// personEdit is what the form says; what is wrong with it stands beside its
// field.
func (f *editForm) personEdit(say voice) store.PersonEdit {
	e := store.PersonEdit{Name: f.value("name"), Position: f.value("position"), Phones: lines(f.value("phones")), Emails: f.emails(say)}
	if e.Name == "" {
		f.field("name").Error = say.t("edit.nopersonname")
	}
	if text := f.value("birthday"); text != "" {
		var err error
		if e.Birthday, err = store.ParseDate(text); err != nil || e.Birthday > say.today() {
			f.field("birthday").Error = say.t("edit.badday")
		}
	}
	return e
}

// personForm is a person as it is stored now, or an empty one of the client.
func (s *server) personForm(v *visit, client, id int64) (editForm, store.Person, error) {
	p := store.Person{ClientID: client}
	var c store.Client
	if id != 0 {
		var err error
		if p, c, err = s.st.PersonAt(v.ctx, v.who, id); err != nil {
			return editForm{}, p, err
		}
	} else {
		card, err := s.st.Client(v.ctx, v.who, client)
		if err != nil {
			return editForm{}, p, err
		}
		c = card.Client
		p.ClientID = c.ID // perhaps of the one it was merged with
	}
	if !mayEditClient(v.say, &c) {
		return editForm{}, p, store.ErrForbidden
	}
	return newPersonForm(v.say, &p), p, nil
}

func (s *server) newPersonPage(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	return s.showPersonForm(v, id, 0)
}

func (s *server) editPersonPage(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	return s.showPersonForm(v, 0, id)
}

func (s *server) showPersonForm(v *visit, client, id int64) error {
	v.name = "clients"
	form, p, err := s.personForm(v, client, id)
	if errors.Is(err, store.ErrForbidden) && id != 0 { // may be seen, on the client's page
		http.Redirect(v.w, v.Request, clientPath(p.ClientID), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "edit.html", form.Title, form)
}

func (s *server) addPerson(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	return s.savePerson(v, id, 0)
}

func (s *server) editPerson(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if v.PostFormValue("do") == "erase" {
		return s.erasePerson(v)
	}
	return s.savePerson(v, 0, id)
}

func (s *server) savePerson(v *visit, client, id int64) error {
	v.name = "clients"
	var p store.Person // as it is stored
	return s.saveEdited(v, "person", id, func() (form editForm, err error) {
		form, p, err = s.personForm(v, client, id)
		return form, err
	}, func(typed *editForm, version int64) error {
		e := typed.personEdit(v.say)
		if typed.faulty() {
			return nil
		}
		return s.st.EditPerson(v.ctx, v.actor(), p.ClientID, id, version, e)
	})
}

// subject is the person of the path, for a head: who asks to be told or to be
// forgotten turns to the company.
func (s *server) subject(v *visit) (store.Subject, store.Person, error) {
	id, err := v.number("id")
	if err != nil {
		return store.Subject{}, store.Person{}, err
	}
	p, _, err := s.st.PersonAt(v.ctx, v.who, id)
	if err != nil {
		return store.Subject{}, p, err
	}
	if v.who.Role != store.RoleHead {
		return store.Subject{}, p, store.ErrForbidden
	}
	sub, err := s.st.FindSubject(v.ctx, "#"+strconv.FormatInt(id, 10))
	return sub, p, err
}

// aboutPerson is everything about a person, as a file.
func (s *server) aboutPerson(v *visit) error {
	sub, p, err := s.subject(v)
	if err != nil {
		return err
	}
	var all bytes.Buffer // an error on the way is an error page, and not half a file
	if err := s.st.WriteAbout(v.ctx, &all, &v.who, &sub); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="person-`+strconv.FormatInt(p.ID, 10)+`.json"`)
	if _, err := all.WriteTo(v.w); err != nil {
		s.log.Debug("file not delivered", "request", v.id, "err", err)
	}
	return nil
}

// eraseTime bounds an erasure, which goes through the whole database whether or
// not the browser waits for it.
const eraseTime = 15 * time.Minute

func (s *server) erasePerson(v *visit) error {
	sub, p, err := s.subject(v)
	if err != nil {
		return err
	}
	if v.PostFormValue("sure") != "yes" {
		return errBadForm
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), eraseTime)
	defer cancel()
	_, err = s.st.Erase(ctx, v.actor(), "#"+strconv.FormatInt(sub.Persons[0], 10), func(n int64) string { return store.ErasedAs(v.say.lang, n) })
	if err != nil {
		return err
	}
	return v.back(clientPath(p.ClientID), "erased")
}
