package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"intouch/store"
)

// clientOffersShown is how many offers a client's page shows at once; deciding
// about some brings the next.
const clientOffersShown = 20

// clientOffers are the offers of a client on its page.
func (s *server) clientOffers(v *visit, view *clientView) error {
	offers, err := s.st.ClientOffers(v.ctx, v.who, view.ID)
	if err != nil {
		return err
	}
	several := 0
	for i := range offers {
		if offers[i].Why == store.Correspondent {
			several++
		}
		if i < clientOffersShown {
			r := newOfferRow(v.say, &offers[i])
			r.Back = clientPath(view.ID)
			view.Offers = append(view.Offers, r)
		}
	}
	view.Correspondents = several > 1
	return nil
}

// decideCorrespondents accepts or refuses all correspondents of a client.
func (s *server) decideCorrespondents(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	do := v.PostFormValue("do")
	if do != "accept" && do != "refuse" {
		return errBadForm
	}
	n, err := s.st.DecideCorrespondents(v.ctx, v.who, v.actor(), id, do == "accept")
	if err == nil && n == 0 { // another's client, or somebody was faster
		err = store.ErrNotFound
	}
	return s.decided(v, err)
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
		return s.decided(v, s.st.RefuseSender(v.ctx, v.who, f.Address))
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
