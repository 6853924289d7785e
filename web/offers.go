package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// cardOffersShown is how many offers a client's page shows at once; deciding about
// some brings the next.
const cardOffersShown = 20

// cardOffer is somebody who may be a person of the client.
type cardOffer struct {
	ID             int64
	Name, Position string
	Emails         []string
	Phones         []phone
	Double         string // who it may be
	Counted        string // in how many letters, and when last; "" for none
}

func newCardOffers(say voice, offers []store.Offer) []cardOffer {
	var out []cardOffer
	for _, o := range offers[:min(len(offers), cardOffersShown)] {
		r := cardOffer{ID: o.ID, Name: o.Person.Name, Position: o.Person.Position, Emails: o.Person.Emails, Phones: phones(o.Person.Phones), Double: o.Double.Name}
		if len(r.Emails) > 0 && r.Name == r.Emails[0] {
			r.Name = ""
		}
		if o.Counted.Letters > 0 {
			r.Counted = say.t("offers.counted", say.count(o.Counted.Letters, "letter"), say.date(store.DateOf(o.Counted.Last, say.loc)))
		}
		out = append(out, r)
	}
	return out
}

// decideOffers accepts or refuses one of a client's offers, or all of its
// correspondents.
func (s *server) decideOffers(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	do := v.PostFormValue("do")
	if do != "accept" && do != "refuse" && do != "into" {
		return errBadForm
	}
	if v.PostFormValue("offer") == "all" {
		if do == "into" {
			return errBadForm
		}
		_, err := s.st.DecideCorrespondents(v.ctx, v.who, v.actor(), id, do == "accept")
		return s.offerDecided(v, err, clientPath(id))
	}
	offer, err := strconv.ParseInt(v.PostFormValue("offer"), 10, 64)
	if err != nil {
		return errBadForm
	}
	offers, err := s.st.ClientOffers(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(offers, func(o store.Offer) bool { return o.ID == offer })
	switch {
	case i < 0: // somebody was faster, or it is not theirs
		err = store.ErrNotFound
	case do == "refuse":
		err = s.st.RefuseOffer(v.ctx, v.who, offer)
	case do == "into" && offers[i].Double.ID == 0:
		return errBadForm
	case do == "into":
		_, err = s.st.AcceptOffer(v.ctx, v.who, v.actor(), offer, store.Acceptance{Into: offers[i].Double.ID})
	default:
		_, err = s.st.AcceptOffer(v.ctx, v.who, v.actor(), offer, store.Acceptance{})
	}
	return s.offerDecided(v, err, clientPath(id))
}

// offerDecided leads back, with a word about what came of a decision.
func (s *server) offerDecided(v *visit, err error, to string) error {
	var bad *store.Invalid
	switch {
	case errors.Is(err, store.ErrNotFound):
		return v.back(to, "decided")
	case errors.As(err, &bad):
		return v.back(to, "refused")
	case err != nil:
		return err
	}
	return v.back(to, "saved")
}

// senderForm makes an unknown sender a client's person.
type senderForm struct {
	Address string
	Sender  senderRow
	Name    string // of the new client
	Client  string // "new", or the number of a client
	Chosen  int64  // that number, 0: a new one
	Search  string
	Clients []clientRow
	Errors  map[string]string
}

// senderClients fills in who wrote, and the clients to choose from: those that were looked for,
// else those that the sender's domain names.
func (s *server) senderClients(v *visit, f *senderForm) error {
	who, err := s.st.UnknownSender(v.ctx, v.who, f.Address)
	if err != nil {
		return err
	}
	f.Sender = senderRows(v.say, []store.Sender{who})[0]
	look := f.Search
	if look == "" {
		_, domain, _ := strings.Cut(f.Address, "@")
		if !store.FreeMail()[domain] {
			look, _, _ = strings.Cut(domain, ".")
		}
	}
	if look != "" {
		names, err := s.names(v)
		if err != nil {
			return err
		}
		clients, err := s.st.Clients(v.ctx, v.who, look, candidatesShown)
		if err != nil {
			return err
		}
		for i := range clients {
			f.Clients = append(f.Clients, newClientRow(v.say, &clients[i], names))
		}
	}
	if f.Client == "" {
		f.Client = "new"
		if f.Search != "" && len(f.Clients) > 0 {
			f.Client = strconv.FormatInt(f.Clients[0].ID, 10)
		}
	}
	f.Chosen, _ = strconv.ParseInt(f.Client, 10, 64)
	return nil
}

func (s *server) senderPage(v *visit) error {
	v.name = "status"
	q := v.URL.Query()
	f := senderForm{Address: clip(320, q.Get("address")), Search: clip(100, strings.TrimSpace(q.Get("name")))}
	if err := s.senderClients(v, &f); err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "sender.html", v.say.t("sender.title"), f)
}

func (s *server) decideSender(v *visit) error {
	v.name = "status"
	if err := v.form(); err != nil {
		return err
	}
	f := senderForm{Address: v.PostFormValue("address"), Client: v.PostFormValue("client"), Name: strings.TrimSpace(v.PostFormValue("name")), Errors: map[string]string{}}
	if v.PostFormValue("do") == "refuse" {
		return s.offerDecided(v, s.st.RefuseSender(v.ctx, v.who, f.Address), "/status")
	}
	if err := s.senderClients(v, &f); err != nil {
		return err
	}
	as := store.Acceptance{ClientID: f.Chosen}
	if f.Chosen == 0 {
		if as.NewClient = f.Name; f.Name == "" {
			f.Errors["name"] = v.say.t("register.noname")
		}
	}
	if len(f.Errors) == 0 {
		p, err := s.st.AcceptSender(v.ctx, v.who, v.actor(), f.Address, as)
		var bad *store.Invalid
		if !errors.As(err, &bad) {
			if err != nil {
				return err
			}
			return v.leadTo(clientPath(p.ClientID), "sender")
		}
		f.Errors["name"] = v.say.t("register.bad")
	}
	return s.show(v, http.StatusUnprocessableEntity, "sender.html", v.say.t("sender.title"), f)
}

// senderPath is the page on which a sender is decided about.
func senderPath(address string) string { return "/senders?address=" + url.QueryEscape(address) }
