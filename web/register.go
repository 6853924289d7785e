package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"intouch/store"
)

// registerForm makes a contact that has free text a client's.
type registerForm struct {
	ID              int64
	Text            string
	Client          string // "new", or the number of a client
	Chosen          int64  // that number, 0: a new one
	Name            string // of the new one
	Search          string
	Clients         []clientRow
	Address, Domain string
	Addresses       []option
	Domains         []option
	WithAlike       bool
	Alike           []contactRow
	Errors          map[string]string
}

// offerRegister fills in what the form offers.
func (s *server) offerRegister(v *visit, f *registerForm) error {
	c, err := s.st.Contact(v.ctx, v.who, f.ID)
	if err != nil {
		return err
	}
	if c.ClientID != 0 {
		return store.ErrNotFound
	}
	offer, err := s.st.RegisterOffer(v.ctx, v.who, f.ID)
	if err != nil {
		return err
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	f.Text = offer.Text
	clients := offer.Clients
	if f.Search != "" {
		if clients, err = s.st.Clients(v.ctx, v.who, f.Search, candidatesShown); err != nil {
			return err
		}
	}
	for i := range clients {
		f.Clients = append(f.Clients, newClientRow(v.say, &clients[i], names))
	}
	if f.Client == "" { // one of that name is more likely meant than a second one
		f.Client = "new"
		if len(f.Clients) > 0 {
			f.Client = strconv.FormatInt(f.Clients[0].ID, 10)
		}
	}
	f.Chosen, _ = strconv.ParseInt(f.Client, 10, 64)
	free := store.FreeMail()
	f.Domains = []option{{"", v.say.t("register.none"), f.Domain == ""}}
	f.Addresses = []option{{"", v.say.t("register.none"), f.Address == ""}}
	seen := map[string]bool{}
	for _, a := range offer.Addresses {
		f.Addresses = append(f.Addresses, option{a, a, a == f.Address})
		if _, domain, _ := strings.Cut(a, "@"); !free[domain] && !seen[domain] {
			seen[domain] = true
			f.Domains = append(f.Domains, option{domain, domain, domain == f.Domain})
		}
	}
	for i := range offer.Alike {
		f.Alike = append(f.Alike, newContactRow(v.say, &offer.Alike[i], names, 0))
	}
	return nil
}

func (s *server) registerPage(v *visit) error {
	v.name = "clients"
	id, err := v.number("id")
	if err != nil {
		return err
	}
	f := registerForm{ID: id, Search: clip(100, strings.TrimSpace(v.URL.Query().Get("name"))), WithAlike: true}
	if err := s.offerRegister(v, &f); err != nil {
		return err
	}
	f.Name = f.Text
	return s.show(v, http.StatusOK, "register.html", v.say.t("register.title"), f)
}

func (s *server) register(v *visit) error {
	v.name = "clients"
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	f := registerForm{ID: id, Client: v.PostFormValue("client"), Name: strings.TrimSpace(v.PostFormValue("name")), Address: v.PostFormValue("address"),
		Domain: v.PostFormValue("domain"), WithAlike: v.PostFormValue("alike") != "", Errors: map[string]string{}}
	if err := s.offerRegister(v, &f); err != nil {
		return err
	}
	r := store.Registration{Alike: f.WithAlike, Address: f.Address, Domain: f.Domain}
	if f.Chosen == 0 {
		if r.Name = f.Name; r.Name == "" {
			f.Errors["name"] = v.say.t("register.noname")
		}
	} else {
		r.ClientID = f.Chosen
	}
	if len(f.Errors) == 0 {
		m, err := s.st.Register(v.ctx, v.actor(), id, r)
		var bad *store.Invalid
		switch {
		case err == nil:
			return v.leadTo(clientPath(m.ClientID), "registered")
		case !errors.As(err, &bad):
			return err
		}
		field := "client"
		if bad.Field == "name" || bad.Field == "address" || bad.Field == "domain" {
			field = bad.Field
		}
		f.Errors[field] = v.say.t("register.bad")
	}
	return s.show(v, http.StatusUnprocessableEntity, "register.html", v.say.t("register.title"), f)
}
