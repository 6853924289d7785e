package web

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"intouch/store"
)

const (
	questionsShown = 100  // rows of imports on one page
	askedShown     = 20   // open questions of another kind; deciding about some brings the next
	givenShown     = 4000 // of a row as it came, in bytes
)

// questionsView is the inbox of open questions, by kind.
type questionsView struct {
	Parts     []questionPart
	Senders   []senderRow
	Unlinked  []unlinkedRow
	Unsourced []unsourcedRow
	Sources   []option
	Offers    []offerRow
	Looked    bool // for persons twice, which takes a moment
	Doubles   []doubleRow
	Alike     []alikeRow
	Rows      []questionRow // that imports kept apart; heads see them
	Next      string        // of the following page of rows; "" on the last
}

// questionPart is a heading: "senders", "unlinked", …
type questionPart struct {
	Key   string
	Count string // "20+" when there are more than are shown
}

type unlinkedRow struct {
	ID         int64
	What, When string
	Title      string
	Text       string // who it is about, as somebody wrote it
	Clients    []option
}

type unsourcedRow struct {
	ID             int64
	ClientID       int64
	Client         string
	What, When     string
	Title, Manager string
}

type alikeRow struct {
	One, Other         option // number and name
	OneMore, OtherMore string // what tells them apart
}

type questionRow struct {
	ID     int64
	Record string // "Документ p-1"
	Text   string
	Taken  bool
	From   string // file and line
	When   string
	Given  string
}

func questionRows(say voice, all []store.Question) (out []questionRow) {
	for i := range all {
		q := &all[i]
		row := questionRow{ID: q.ID, Record: say.t("questions."+string(q.Kind)) + " " + q.Key, Text: q.Text(say.lang), Taken: q.Taken,
			From: q.File, When: say.moment(q.At), Given: q.Given}
		if q.Line > 0 {
			row.From += ":" + strconv.Itoa(q.Line)
		}
		if len(row.Given) > givenShown {
			row.Given = row.Given[:givenShown] + "…"
		}
		out = append(out, row)
	}
	return out
}

func unlinkedRows(say voice, all []store.Unlinked) (out []unlinkedRow) {
	for i := range all {
		c := &all[i].Contact
		r := unlinkedRow{ID: c.ID, What: store.Word(say.lang, "kind."+string(c.Kind)), When: dated(say, c.When), Title: subject(say, c), Text: clip(200, c.ClientText)}
		for _, client := range all[i].Clients {
			r.Clients = append(r.Clients, option{Value: strconv.FormatInt(client.ID, 10), Label: clip(200, client.Name)})
		}
		out = append(out, r)
	}
	return out
}

func unsourcedRows(say voice, all []store.Unsourced, names map[int64]string) (out []unsourcedRow) {
	for i := range all {
		c := &all[i].Contact
		out = append(out, unsourcedRow{ID: c.ID, ClientID: all[i].Client.ID, Client: all[i].Client.Name,
			What: store.Word(say.lang, "kind."+string(c.Kind)), When: dated(say, c.When), Title: subject(say, c), Manager: names[all[i].Client.ManagerID]})
	}
	return out
}

func alikeRows(say voice, all []store.Alike, names map[int64]string) (out []alikeRow) {
	one := func(c *store.Client) (option, string) {
		more := []string{}
		for _, text := range []string{names[c.ManagerID], strings.Join(c.Emails, ", "), strings.Join(c.Domains, ", "), strings.Join(c.Phones, ", ")} {
			if text != "" {
				more = append(more, clip(100, text))
			}
		}
		return option{Value: strconv.FormatInt(c.ID, 10), Label: clip(200, c.Name)}, strings.Join(more, " · ")
	}
	for i := range all {
		var r alikeRow
		r.One, r.OneMore = one(&all[i].One)
		r.Other, r.OtherMore = one(&all[i].Other)
		out = append(out, r)
	}
	return out
}

// part notes a heading with what stands under it.
func (view *questionsView) part(key string, shown, most int) {
	if shown == 0 {
		return
	}
	count := strconv.Itoa(shown)
	if shown >= most {
		count += "+"
	}
	view.Parts = append(view.Parts, questionPart{key, count})
}

// questions shows what waits for this manager to decide, a head all of it.
func (s *server) questions(v *visit) error {
	v.name = "questions"
	var view questionsView
	names, err := s.names(v)
	if err != nil {
		return err
	}
	if view.Senders, err = s.unknownSenders(v, names); err != nil {
		return err
	}
	view.Senders = view.Senders[:min(len(view.Senders), askedShown)]
	view.part("senders", len(view.Senders), askedShown)
	unlinked, err := s.st.UnlinkedContacts(v.ctx, v.who, askedShown)
	if err != nil {
		return err
	}
	view.Unlinked = unlinkedRows(v.say, unlinked)
	view.part("unlinked", len(view.Unlinked), askedShown)
	sources, err := s.st.Sources(v.ctx)
	if err != nil {
		return err
	}
	if len(sources) > 0 { // else there is nothing to choose
		unsourced, err := s.st.UnsourcedContacts(v.ctx, v.who, askedShown)
		if err != nil {
			return err
		}
		view.Unsourced = unsourcedRows(v.say, unsourced, names)
		view.Sources = sourceOptions(v.say, sources, 0)[1:] // one is chosen, not taken away
		view.part("unsourced", len(view.Unsourced), askedShown)
	}
	offers, err := s.st.Offers(v.ctx, v.who, 0, askedShown)
	if err != nil {
		return err
	}
	for i := range offers {
		r := newOfferRow(v.say, &offers[i])
		r.Back = "/questions#offers"
		view.Offers = append(view.Offers, r)
	}
	view.part("offers", len(view.Offers), askedShown)
	if view.Looked = v.URL.Query().Get("doubles") != ""; view.Looked {
		doubles, err := s.st.Doubles(v.ctx, v.who, askedShown)
		if err != nil {
			return err
		}
		view.Doubles = doubleRows(v.say, doubles, "/questions?doubles=1#doubles")
		view.part("doubles", len(view.Doubles), askedShown)
	}
	alike, err := s.st.AlikeClients(v.ctx, v.who, askedShown)
	if err != nil {
		return err
	}
	view.Alike = alikeRows(v.say, alike, names)
	view.part("alike", len(view.Alike), askedShown)
	if v.who.Role == store.RoleHead {
		if err := s.rowsKept(v, &view); err != nil {
			return err
		}
	}
	return s.show(v, http.StatusOK, "questions.html", v.say.t("questions"), view)
}

// rowsKept are what imports kept apart: only heads decide about them.
func (s *server) rowsKept(v *visit, view *questionsView) error {
	after, err := strconv.ParseInt(v.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0 // from the first
	}
	all, err := s.st.Questions(v.ctx, after, questionsShown)
	if err != nil {
		return err
	}
	total, err := s.st.QuestionCount(v.ctx)
	if err != nil {
		return err
	}
	view.Rows = questionRows(v.say, all)
	view.part("rows", total, total+1)
	if len(all) == questionsShown {
		view.Next = "/questions?after=" + strconv.FormatInt(all[len(all)-1].ID, 10) + "#rows"
	}
	return nil
}

// settle is "leave it as it is" of a question: no client, no known source, not
// the same.
func (s *server) settle(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	one, err := strconv.ParseInt(v.PostFormValue("one"), 10, 64)
	other, otherErr := strconv.ParseInt(cmp.Or(v.PostFormValue("other"), "0"), 10, 64)
	if errors.Join(err, otherErr) != nil {
		return errBadForm
	}
	err = s.st.Settle(v.ctx, v.who, v.actor(), store.Settled(v.PostFormValue("what")), one, other)
	if errors.Is(err, store.ErrNotFound) {
		return v.back("/questions", "decided")
	}
	return v.edited(err, "/questions", "left")
}

// linkContact gives a contact without a client to the one that was clicked, or
// whose name was typed.
func (s *server) linkContact(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	if _, err := s.st.Contact(v.ctx, v.who, id); err != nil {
		return err
	}
	client := v.clientID()
	if client == 0 {
		if client, err = s.clientCalled(v, clip(300, strings.TrimSpace(v.PostFormValue("client")))); err != nil {
			return err
		}
		if client == 0 {
			return v.back("/questions", "noclient")
		}
	}
	err = s.st.LinkContact(v.ctx, v.who, v.actor(), id, client)
	if errors.Is(err, store.ErrNotFound) {
		return v.back("/questions", "decided")
	}
	return v.edited(err, "/questions", "linked")
}

// dropQuestion gives one up. One that is gone already is no fault: it may have
// been answered meanwhile.
func (s *server) dropQuestion(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	err = s.st.DropQuestion(v.ctx, v.actor(), id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return v.back("/questions", "stale")
	case err != nil:
		return err
	}
	return v.back("/questions", "dropped")
}
