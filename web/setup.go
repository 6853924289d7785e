package web

import (
	"net/http"
	"net/url"
	"strings"
)

type setupView struct {
	Address  string // of the CalDAV server
	Host     string // what Apple's programs ask for
	Login    string
	Insecure bool
	Each     []namedAddress // of each calendar, and of the address book
	Steps    []setupSteps
}

type namedAddress struct{ Name, Address string }

type setupSteps struct {
	Program string
	Steps   []string
}

func newSetupView(say voice, base, login string) setupView {
	view := setupView{Address: base + "/dav/", Login: login, Insecure: strings.HasPrefix(base, "http://")}
	view.Host = view.Address
	if u, err := url.Parse(base); err == nil && u.Scheme == "https" && u.Port() == "" && u.Path == "" {
		view.Host = u.Host
	}
	view.Steps = []setupSteps{
		{say.t("setup.tb"), []string{say.t("setup.tb1"), say.t("setup.tb2", login, view.Address), say.t("setup.tb3")}},
		{say.t("setup.ios"), []string{say.t("setup.ios1"), say.t("setup.ios2", view.Host, login), say.t("setup.ios3")}},
		{say.t("setup.mac"), []string{say.t("setup.mac1"), say.t("setup.mac2", login, view.Host)}},
		{say.t("setup.android"), []string{say.t("setup.android1"), say.t("setup.android2", view.Address, login), say.t("setup.android3")}},
	}
	return view
}

func (s *server) setup(v *visit) error {
	v.name = "setup"
	base := s.opt.PublicURL
	if base == "" {
		base = "http://" + v.Host
	}
	view := newSetupView(v.say, base, v.who.Login)
	if s.opt.CalendarPath != nil {
		collections, err := s.st.Collections(v.ctx, v.who.ID)
		if err != nil {
			return err
		}
		for _, c := range collections {
			view.Each = append(view.Each, namedAddress{c.Name, base + s.opt.CalendarPath(v.who.Login, c.Slug)})
		}
	}
	if s.opt.BookPath != nil {
		view.Each = append(view.Each, namedAddress{v.say.t("setup.book"), base + s.opt.BookPath(v.who.Login)})
	}
	return s.show(v, http.StatusOK, "setup.html", v.say.t("setup"), view)
}
