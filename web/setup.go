package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"intouch/store"
)

type setupView struct {
	Address  string // of the CalDAV server
	Host     string // what Apple's programs ask for
	Login    string
	Insecure bool
	Each     []namedAddress // of each calendar and address book
	Steps    []setupSteps
	Profile  bool        // there is one for Apple devices
	Records  []dnsRecord // to publish; none for an address without TLS
	Mails    []mailSwitch
	Devices  devicesView
	Codes    []qrView
}

// qrView is a QR code with what a phone does with it.
type qrView struct {
	Code template.HTML
	Text string
}

// dnsRecord lets programs find the server by the domain of an address
// (RFC 6764 section 3).
type dnsRecord struct{ Name, Type, Value string }

type namedAddress struct{ Name, Address string }

type setupSteps struct {
	Program string
	Steps   []string
}

func newSetupView(say voice, base, login string) setupView {
	view := setupView{Address: base + "/dav/", Login: login, Insecure: strings.HasPrefix(base, "http://")}
	view.Host = view.Address
	u, err := url.Parse(base)
	if err == nil && u.Scheme == "https" && u.Port() == "" && u.Path == "" {
		view.Host = u.Host
	}
	if err == nil && u.Scheme == "https" {
		view.Profile = true
		view.Records = dnsRecords(u)
	}
	view.Steps = []setupSteps{
		{say.t("setup.tb"), []string{say.t("setup.tb1"), say.t("setup.tb2", login, view.Address), say.t("setup.tb3")}},
		{say.t("setup.ios"), []string{say.t("setup.ios1"), say.t("setup.ios2", view.Host, login), say.t("setup.ios3")}},
		{say.t("setup.mac"), []string{say.t("setup.mac1"), say.t("setup.mac2", login, view.Host)}},
		{say.t("setup.android"), []string{say.t("setup.android1"), say.t("setup.android2", view.Address, login), say.t("setup.android3")}},
	}
	return view
}

// dnsRecords are for the domain of people's addresses, which the operator
// knows: names are without it.
func dnsRecords(u *url.URL) (list []dnsRecord) {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	for _, service := range []string{"_caldavs._tcp", "_carddavs._tcp"} {
		list = append(list,
			dnsRecord{service, "SRV", "0 1 " + port + " " + u.Hostname() + "."},
			dnsRecord{service, "TXT", `"path=` + u.Path + `/dav/"`})
	}
	return list
}

// base is the address that people reach the pages by.
func (s *server) base(v *visit) string {
	if s.opt.PublicURL != "" {
		return s.opt.PublicURL
	}
	return "http://" + v.Host
}

func (s *server) setup(v *visit) error { return s.showSetup(v, http.StatusOK, devicesView{}) }

// showSetup shows the page with what came of a form of the devices.
func (s *server) showSetup(v *visit, code int, devices devicesView) error {
	v.name = "setup"
	base := s.base(v)
	view := newSetupView(v.say, base, v.who.Login)
	list, err := s.st.AppPasswords(v.ctx, v.who.ID)
	if err != nil {
		return err
	}
	devices.Rows = deviceRows(v.say, list)
	switch {
	case !reachable(base):
	case devices.Fresh != nil:
		devices.Fresh.Code = qrCode(davLink(view.Address, v.who.Login, devices.Fresh.Password), v.say.t("devices.code"))
	default:
		view.Codes = []qrView{
			{qrCode(davLink(view.Address, v.who.Login, ""), v.say.t("setup.codeandroid")), v.say.t("setup.codeandroid")},
			{qrCode(base+"/setup", v.say.t("setup.codepage")), v.say.t("setup.codepage")},
		}
	}
	view.Devices = devices
	if view.Mails, err = s.mailSwitches(v); err != nil {
		return err
	}
	if s.opt.FeedPath != nil {
		view.Steps = append(view.Steps,
			setupSteps{v.say.t("setup.google"), []string{v.say.t("setup.feed"), v.say.t("setup.google1"), v.say.t("setup.google2")}},
			setupSteps{v.say.t("setup.outlook"), []string{v.say.t("setup.feed"), v.say.t("setup.outlook1"), v.say.t("setup.outlook2")}})
	}
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
		for _, book := range store.BooksOf(&v.who) {
			view.Each = append(view.Each, namedAddress{v.say.t("setup." + book), base + s.opt.BookPath(v.who.Login, book)})
		}
	}
	return s.show(v, code, "setup.html", v.say.t("setup"), view)
}
