package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"intouch/store"
)

const (
	candidatesShown = 30
	mergesShown     = 20
)

// mergeView is the page on which another client is found that is this one, and
// which says what merging would do.
type mergeView struct {
	ID         int64
	Name, Text string
	Candidates []clientRow
	Limit      string
	With       *mergeOutcome
}

// mergeOutcome is what merging does with the other client.
type mergeOutcome struct {
	ID        int64
	Name      string
	Counts    []fact
	Balance   []balance
	Conflicts []conflictRow
}

type conflictRow struct{ Field, Kept, Gone string }

// mergeRow is a merge on the page of the client that stayed.
type mergeRow struct {
	ID        int64
	Back      string
	Gone      string
	Text      bool // it was free text
	When, Who string
	Conflicts []conflictRow
}

func conflictRows(say voice, all []store.Conflict) (out []conflictRow) {
	for _, c := range all {
		r := conflictRow{Field: c.Field, Kept: c.Kept, Gone: c.Gone}
		if _, ok := texts["field."+c.Field]; ok {
			r.Field = say.t("field." + c.Field)
		}
		for _, v := range []*string{&r.Kept, &r.Gone} {
			if c.Field == "stage" || c.Field == "importance" {
				*v = strings.ToLower(store.Word(say.lang, c.Field+"."+*v))
			}
		}
		out = append(out, r)
	}
	return out
}

func newMergeRows(say voice, all []store.Merge, names map[int64]string) (out []mergeRow) {
	for _, m := range all {
		if !m.Undone.IsZero() {
			continue
		}
		r := mergeRow{ID: m.ID, Back: clientPath(m.ClientID), Gone: m.Gone, Text: m.Kind == store.RegisteredText, When: say.moment(m.At), Who: names[m.By], Conflicts: conflictRows(say, m.Conflicts)}
		if r.Who == "" {
			r.Who = say.t("origin.program")
		}
		out = append(out, r)
	}
	return out
}

func newMergeOutcome(say voice, m *store.Merge) *mergeOutcome {
	o := &mergeOutcome{ID: m.GoneID, Name: m.Gone, Balance: balances(say, m.Balance), Conflicts: conflictRows(say, m.Conflicts)}
	for _, c := range []struct {
		key string
		n   int64
	}{{"client.persons", m.Persons}, {"client.contacts", m.Contacts}, {"merge.doubles", m.Doubles}, {"client.deals", m.Deals}, {"merge.documents", m.Documents}} {
		if c.n > 0 {
			o.Counts = append(o.Counts, fact{say.t(c.key), strconv.FormatInt(c.n, 10)})
		}
	}
	return o
}

// mergePage finds the other client by name, and shows what merging would do.
func (s *server) mergePage(v *visit) error {
	v.name = "clients"
	_, card, err := s.clientAt(v)
	if err != nil {
		return err
	}
	view := mergeView{ID: card.Client.ID, Name: card.Client.Name, Text: clip(100, strings.TrimSpace(v.URL.Query().Get("name")))}
	if with, err := strconv.ParseInt(v.URL.Query().Get("with"), 10, 64); err == nil {
		m, err := s.st.PreviewMerge(v.ctx, v.actor(), view.ID, with)
		var bad *store.Invalid
		switch {
		case errors.As(err, &bad):
			return v.leadTo(clientPath(view.ID), "refused")
		case err != nil:
			return err
		}
		view.With = newMergeOutcome(v.say, &m)
	} else if view.Text != "" {
		found, err := s.st.Clients(v.ctx, v.who, view.Text, candidatesShown+2)
		if err != nil {
			return err
		}
		names, err := s.names(v)
		if err != nil {
			return err
		}
		for i := range found {
			if found[i].ID != view.ID {
				view.Candidates = append(view.Candidates, newClientRow(v.say, &found[i], names))
			}
		}
		if len(view.Candidates) > candidatesShown {
			view.Candidates = view.Candidates[:candidatesShown]
			view.Limit = v.say.t("clients.limit", candidatesShown)
		}
	}
	return s.show(v, http.StatusOK, "merge.html", v.say.t("merge.title", card.Client.Name), view)
}

func (s *server) merge(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	with, err := strconv.ParseInt(v.PostFormValue("with"), 10, 64)
	if err != nil {
		return errBadForm
	}
	m, err := s.st.MergeClients(v.ctx, v.actor(), id, with)
	var bad *store.Invalid
	switch {
	case errors.As(err, &bad):
		return v.leadTo(clientPath(id), "refused")
	case err != nil:
		return err
	}
	return v.leadTo(clientPath(m.ClientID), "merged")
}

// undoMerge is the button beside a merge, or a registering.
func (s *server) undoMerge(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	u, err := s.st.Unmerge(v.ctx, v.actor(), id)
	var bad *store.Invalid
	switch {
	case errors.As(err, &bad) && !u.Merge.Undone.IsZero():
		return v.back("/clients", "stale")
	case errors.As(err, &bad):
		return v.back("/clients", "undolater")
	case err != nil:
		return err
	case u.Merge.Kind == store.MergedClient:
		return v.leadTo(clientPath(u.Merge.GoneID), "undone")
	case u.Merge.Made && !u.Stays:
		return v.leadTo("/clients", "undone")
	}
	return v.leadTo(clientPath(u.Merge.ClientID), "undone")
}

func clientPath(id int64) string { return fmt.Sprintf("/clients/%d", id) }

// leadTo is back to a page of ours, wherever the form came from.
func (v *visit) leadTo(path, said string) error {
	http.Redirect(v.w, v.Request, path+"?said="+said, http.StatusSeeOther)
	return nil
}
