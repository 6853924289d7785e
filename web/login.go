package web

import (
	"errors"
	"net/http"

	"intouch/store"
)

type loginView struct {
	Login string
	Next  string
	Error string
}

func (s *server) loginPage(v *visit) error {
	next := localPath(v.URL.Query().Get("next"), "")
	if v.who.ID != 0 {
		http.Redirect(v.w, v.Request, localPath(next, "/"), http.StatusSeeOther)
		return nil
	}
	return s.show(v, http.StatusOK, "login.html", v.say.t("login"), loginView{Next: next})
}

func (s *server) login(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	// Who was logged in before does not matter to the page that a failed
	// login shows.
	v.who = store.Manager{}
	name := v.PostFormValue("login")
	next := localPath(v.PostFormValue("next"), "")
	who, err := s.st.CheckLogin(v.ctx, name, v.PostFormValue("password"), v.remote())
	view := loginView{Login: clip(100, name), Next: next}
	switch {
	case errors.Is(err, store.ErrTooManyLogins):
		view.Error = v.say.t("login.many")
		return s.show(v, http.StatusTooManyRequests, "login.html", v.say.t("login"), view)
	case errors.Is(err, store.ErrBadLogin):
		view.Error = v.say.t("login.bad")
		return s.show(v, http.StatusForbidden, "login.html", v.say.t("login"), view)
	case err != nil:
		return err
	}
	if err := s.sessions.begin(v.ctx, v.w, who.ID, s.st.Now()); err != nil {
		return err
	}
	http.Redirect(v.w, v.Request, localPath(next, "/"), http.StatusSeeOther)
	return nil
}

func (s *server) logout(v *visit) error {
	s.sessions.end(v.w)
	http.Redirect(v.w, v.Request, "/login?said=loggedout", http.StatusSeeOther)
	return nil
}
