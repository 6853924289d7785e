package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"intouch/store"
)

const (
	searchShown   = 50  // of each kind on the page
	searchListed  = 5   // of each kind in the list that follows one's typing
	maxSearchText = 200 // bytes
)

// searchView is the page of what was found.
type searchView struct {
	Query   string
	Groups  []foundGroup
	Partial bool // older records are still being indexed
}

// foundGroup are the records of one kind.
type foundGroup struct {
	Kind string     `json:"kind"` // heading
	Rows []foundRow `json:"rows"`
	More bool       `json:"-"`
}

// foundRow is one record, as both the page and the list under the box show it.
type foundRow struct {
	Link   string `json:"link"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

func (s *server) searchPage(v *visit) error {
	text, found, err := s.search(v, searchShown, true)
	if err != nil {
		return err
	}
	view := searchView{Query: text, Groups: found.groups(v.say), Partial: found.Partial}
	return s.show(v, http.StatusOK, "search.html", v.say.t("search"), view)
}

// suggestions is what the script shows under the search box: a JSON array of
// {kind, rows: [{link, title, detail}]}.
func (s *server) suggestions(v *visit) error {
	_, found, err := s.search(v, searchListed, false)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	return json.NewEncoder(v.w).Encode(append([]foundGroup{}, found.groups(v.say)...)) // a list also where nothing was found
}

// found is what a search found, to be shown.
type found struct{ store.Found }

func (s *server) search(v *visit, limit int, patient bool) (text string, f found, err error) {
	text = strings.TrimSpace(clip(maxSearchText, v.URL.Query().Get("q")))
	f.Found, err = s.st.Search(v.ctx, v.who, text, limit, patient)
	return text, f, err
}

func (f found) groups(say voice) (out []foundGroup) {
	group := func(kind string, rows []foundRow) {
		if len(rows) > 0 {
			out = append(out, foundGroup{Kind: say.t("search." + kind), Rows: rows, More: f.More[kind]})
		}
	}
	var clients, persons, deals, contacts []foundRow
	for _, c := range f.Clients {
		clients = append(clients, foundRow{Link: clientPath(c.ID), Title: c.Name, Detail: joined(append(c.Emails, c.Phones...)...)})
	}
	for _, p := range f.Persons {
		persons = append(persons, foundRow{Link: clientPath(p.ClientID), Title: p.Name, Detail: joined(append([]string{p.Client, p.Position}, append(p.Emails, p.Phones...)...)...)})
	}
	for _, d := range f.Deals {
		r := newDealRow(say, &d)
		deals = append(deals, foundRow{Link: dealPath(d.ID), Title: r.Number, Detail: joined(r.Date, r.Amount, r.Status)})
	}
	for _, c := range f.Contacts {
		r := newContactRow(say, &c, nil, 0)
		contacts = append(contacts, foundRow{Link: r.Link, Title: r.Title, Detail: joined(r.When, r.What, cmp.Or(c.ClientName, c.ClientText))})
	}
	group("client", clients)
	group("person", persons)
	group("deal", deals)
	group("contact", contacts)
	return out
}

// joined are the texts that say something, the first few of them.
func joined(texts ...string) string {
	var out []string
	for _, s := range texts {
		if s != "" && len(out) < 4 {
			out = append(out, s)
		}
	}
	return strings.Join(out, " · ")
}

// sought is what a page's search box holds: what was looked for.
func sought(u *url.URL) string {
	if u.Path != "/search" {
		return ""
	}
	return clip(maxSearchText, u.Query().Get("q"))
}
