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

const (
	offersShown  = 50
	doublesShown = 50
	mergedShown  = 20
)

// personsView is the page on which a manager decides about what address books
// left open, and about persons who may be one.
type personsView struct {
	Offers  []offerRow
	More    string // a link to the offers after these
	Looked  bool   // for doubles, which takes a moment
	Doubles []doubleRow
	Merged  []mergedRow
}

type offerRow struct {
	ID       int64
	Why      string
	Company  string
	Book     string // "" for the mailbox
	Counted  string // in how many letters, and when last; "" for none
	Back     string // where its buttons lead back to, "" the page of persons
	Person   personRow
	ClientID int64 // that was found
	Client   string
	DoubleID int64 // who it may be
	Double   personRow
}

type doubleRow struct {
	ClientID     int64
	Client       string
	OneID, TwoID int64
	One, Two     personRow
	Certain      bool
	Back         string // where its buttons lead back to
}

type mergedRow struct {
	ID        int64
	What      string
	Book      string // "" for a person
	Into      string
	ClientID  int64
	Client    string
	When, Who string
}

func doubleRows(say voice, all []store.Double, back string) (out []doubleRow) {
	for i := range all {
		d := &all[i]
		out = append(out, doubleRow{ClientID: d.Client.ID, Client: d.Client.Name, OneID: d.One.ID, TwoID: d.Other.ID,
			One: newPersonRow(say, &d.One), Two: newPersonRow(say, &d.Other), Certain: d.Certain, Back: back})
	}
	return out
}

func newOfferRow(say voice, o *store.Offer) offerRow {
	r := offerRow{ID: o.ID, Why: say.t("offer." + string(o.Why)), Company: o.Said.Company, Person: newPersonRow(say, &o.Person),
		ClientID: o.Client.ID, Client: o.Client.Name, DoubleID: o.Double.ID, Double: newPersonRow(say, &o.Double)}
	if o.Book != store.MailBook {
		r.Book = o.Book
	}
	if o.Counted.Letters > 0 {
		r.Counted = say.t("offer.counted", say.count(o.Counted.Letters, "letter"), say.date(store.DateOf(o.Counted.Last, say.loc)))
	}
	return r
}

func (s *server) persons(v *visit) error {
	v.name = "clients"
	after, _ := strconv.ParseInt(v.URL.Query().Get("after"), 10, 64) // what is no number is the start
	view := personsView{Looked: v.URL.Query().Has("doubles")}
	offers, err := s.st.Offers(v.ctx, v.who, after, offersShown+1)
	if err != nil {
		return err
	}
	if len(offers) > offersShown {
		offers = offers[:offersShown]
		view.More = "/persons?" + url.Values{"after": {strconv.FormatInt(offers[offersShown-1].ID, 10)}}.Encode()
	}
	for i := range offers {
		view.Offers = append(view.Offers, newOfferRow(v.say, &offers[i]))
	}
	if view.Looked {
		doubles, err := s.st.Doubles(v.ctx, v.who, doublesShown)
		if err != nil {
			return err
		}
		view.Doubles = doubleRows(v.say, doubles, "/persons?doubles=1")
	}
	merged, err := s.st.MergedPersons(v.ctx, v.who, mergedShown)
	if err != nil {
		return err
	}
	for _, m := range merged {
		r := mergedRow{ID: m.ID, What: m.Said.Name, Into: m.Into.Name, ClientID: m.Client.ID, Client: m.Client.Name, When: v.say.moment(m.At), Who: m.By}
		if m.Book != "persons" {
			r.Book = m.Book
		}
		if r.What == "" && len(m.Said.Emails) > 0 {
			r.What = m.Said.Emails[0]
		}
		if r.Who == "" {
			r.Who = v.say.t("origin.program")
		}
		view.Merged = append(view.Merged, r)
	}
	return s.show(v, http.StatusOK, "persons.html", v.say.t("persons.title"), view)
}

// decideOffer is the buttons of an offer.
func (s *server) decideOffer(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	var as store.Acceptance
	text := clip(300, strings.TrimSpace(v.PostFormValue("client")))
	switch v.PostFormValue("do") {
	case "refuse":
		return s.decided(v, s.st.RefuseOffer(v.ctx, v.who, id))
	case "accept":
	case "into":
		if as.Into, err = strconv.ParseInt(v.PostFormValue("into"), 10, 64); err != nil || as.Into <= 0 {
			return errBadForm
		}
	case "client":
		if as.ClientID, err = s.clientCalled(v, text); err != nil {
			return err
		}
		if as.ClientID == 0 {
			return v.back("/persons", "noclient")
		}
	case "new":
		if text == "" {
			return v.back("/persons", "noclient")
		}
		as.NewClient = text
	default:
		return errBadForm
	}
	_, err = s.st.AcceptOffer(v.ctx, v.who, v.actor(), id, as)
	return s.decided(v, err)
}

// decided leads back to the page; what somebody else decided meanwhile is told.
func (s *server) decided(v *visit, err error) error {
	said := "saved"
	var bad *store.Invalid
	switch {
	case errors.Is(err, store.ErrNotFound):
		said = "decided"
	case errors.As(err, &bad):
		said = "refused"
	case err != nil:
		return err
	}
	return v.back("/persons", said)
}

// clientCalled is the one client of that name, or the only one whose name has
// it in it; 0 for none and for several.
func (s *server) clientCalled(v *visit, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	found, err := s.st.Clients(v.ctx, v.who, name, candidatesShown)
	if err != nil {
		return 0, err
	}
	if exact := slices.DeleteFunc(slices.Clone(found), func(c store.Client) bool { return !strings.EqualFold(c.Name, name) }); len(exact) > 0 {
		found = exact
	}
	if len(found) != 1 {
		return 0, nil
	}
	return found[0].ID, nil
}

// lookAgain takes the offers whose clients have been entered since.
func (s *server) lookAgain(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	_, err := s.st.PlaceOffers(v.ctx, v.who, v.actor())
	return s.decided(v, err)
}

// joinPersons is the buttons of two persons who may be one.
func (s *server) joinPersons(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	keep, err := strconv.ParseInt(v.PostFormValue("keep"), 10, 64)
	other, otherErr := strconv.ParseInt(v.PostFormValue("other"), 10, 64)
	if errors.Join(err, otherErr) != nil {
		return errBadForm
	}
	switch v.PostFormValue("do") {
	case "merge":
		return s.decided(v, s.st.MergePersons(v.ctx, v.who, v.actor(), keep, other))
	case "apart":
		return s.decided(v, s.st.KeepApart(v.ctx, v.who, keep, other))
	}
	return errBadForm
}

// undoPerson is the button beside what was merged into a person.
func (s *server) undoPerson(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	return s.decided(v, s.st.UnmergePerson(v.ctx, v.who, v.actor(), id))
}
