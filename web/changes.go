package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// changesShown on one page of the log.
const changesShown = 100

// changesView is the log of changes: who changed what, when and how, for heads.
type changesView struct {
	Managers, Kinds []option
	Client          string // as it was typed; a name, to be found
	ClientID        int64  // of a link, instead of the name
	Error           string // of the client
	Rows            []changeRow
	First, Next     string
}

type changeRow struct {
	historyRow
	What string
	Link string // "" where there is no page
}

func changeRows(say voice, log []store.LoggedChange, names map[int64]string, value func(say voice, field, stored string) string) (out []changeRow) {
	rows := make([]store.HistoryRow, len(log))
	for i := range log {
		rows[i] = log[i].HistoryRow
	}
	for i, row := range historyRows(say, rows, names, value) {
		c := &log[i]
		row.Of = clip(200, c.Name)
		if c.ManagerID == 0 && c.Integration == "" { // nobody: then where it came from says more
			row.Who = cmp.Or(known(say, "origin.", string(c.Origin)), row.Who)
		}
		r := changeRow{historyRow: row, What: known(say, "kindof.", c.What)}
		switch {
		case c.Name == "":
		case c.What == "event":
			r.Link = dealPath(c.DealID)
		case slices.Contains([]string{"client", "person", "contact", "deal"}, c.What):
			r.Link = fmt.Sprintf("/%ss/%d", c.What, c.ID)
		}
		out = append(out, r)
	}
	return out
}

func (s *server) changes(v *visit) error {
	if v.who.Role != store.RoleHead {
		return store.ErrNotFound
	}
	v.name = "status"
	q := v.URL.Query()
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(q.Get(name), 10, 64) // what is no number narrows nothing
		return max(n, 0)
	}
	log := store.ChangeLog{ManagerID: number("manager"), ClientID: number("client_id"), Before: number("before")}
	if kind := q.Get("kind"); slices.Contains(store.ChangeKinds, kind) {
		log.What = kind
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	view := changesView{Client: clip(100, strings.TrimSpace(q.Get("client"))), ClientID: log.ClientID}
	if view.Client != "" {
		found, err := s.st.Clients(v.ctx, v.who, view.Client, 2)
		switch {
		case err != nil:
			return err
		case len(found) == 1:
			log.ClientID = found[0].ID
		case len(found) == 0:
			view.Error = v.say.t("changes.noclient")
		default:
			view.Error = v.say.t("changes.manyclients")
		}
	}
	view.Managers = []option{{"", v.say.t("changes.anybody"), log.ManagerID == 0}}
	managers, err := s.st.Managers(v.ctx)
	if err != nil {
		return err
	}
	for _, m := range managers {
		view.Managers = append(view.Managers, option{strconv.FormatInt(m.ID, 10), m.Name, m.ID == log.ManagerID})
	}
	view.Kinds = []option{{"", v.say.t("changes.anything"), log.What == ""}}
	for _, kind := range store.ChangeKinds {
		view.Kinds = append(view.Kinds, option{kind, known(v.say, "kindof.", kind), kind == log.What})
	}
	if view.Error != "" {
		return s.show(v, http.StatusUnprocessableEntity, "changes.html", v.say.t("changes"), view)
	}
	rows, err := s.st.LoggedChanges(v.ctx, v.who, log, changesShown+1)
	if err != nil {
		return err
	}
	if len(rows) > changesShown {
		rows = rows[:changesShown]
		view.Next = v.at("before", strconv.FormatInt(rows[changesShown-1].Row, 10))
	}
	if log.Before > 0 {
		view.First = v.at("before", "")
	}
	view.Rows = changeRows(v.say, rows, names, clientValue(names, nil, s.named(v)))
	return s.show(v, http.StatusOK, "changes.html", v.say.t("changes"), view)
}
