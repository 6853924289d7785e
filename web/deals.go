package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

const dealsShown = 50

// dealsView is the page of current deals.
type dealsView struct {
	Text                  string
	Lefts                 []option
	Overdue               bool
	Managers, Importances []option
	Chosen                bool // something besides the text
	Deals                 []openDealRow
	First, Next           string // addresses of pages; "" none
}

// openDealRow is a deal that goes on: how far it has come, and what comes next.
type openDealRow struct {
	dealRow
	ClientID   int64
	Client     string
	Importance store.Importance
	Manager    string
	Totals     []totalRow
	Next       *row // nil: nothing is planned
}

func newOpenDealRow(say voice, d *store.OpenDeal) openDealRow {
	r := openDealRow{dealRow: newDealRow(say, &d.Deal), ClientID: d.Deal.ClientID, Client: d.Deal.ClientName, Importance: d.Importance, Manager: d.Manager.Text,
		Totals: totalRows(say, &d.Deal, d.Totals)}
	if e := d.Next(say.loc, say.now); e != nil {
		next := eventRow(say, e, &d.Deal, nil, "")
		r.Next = &next
	}
	return r
}

// readDealList understands the form of the page.
func readDealList(say voice, q url.Values, team []store.Manager) (dealsView, store.DealList) {
	list := store.DealList{Text: clip(100, strings.TrimSpace(q.Get("text"))), Overdue: q.Get("overdue") != "", After: store.ParseDealPlace(q.Get("after")), Limit: dealsShown}
	list.Viewer = say.who
	list.Importances = chosen(q["importance"], allImportances)
	if lefts := chosen([]string{q.Get("left")}, []store.EventKind{store.Shipment, store.Payment}); len(lefts) == 1 {
		list.Left = lefts[0]
	}
	view := dealsView{Text: list.Text, Overdue: list.Overdue, Importances: options(say, "importance.", allImportances, list.Importances)}
	for _, left := range []store.EventKind{"", store.Shipment, store.Payment} {
		view.Lefts = append(view.Lefts, option{string(left), say.t("deals.left." + string(left)), left == list.Left})
	}
	managers := q["manager"]
	for _, m := range team {
		on := slices.Contains(managers, m.Login)
		if on {
			list.Managers = append(list.Managers, m.ID)
		}
		view.Managers = append(view.Managers, option{m.Login, m.Name, on})
	}
	if len(team) > 0 {
		nobody := slices.Contains(managers, store.NoneOf)
		if nobody {
			list.Managers = append(list.Managers, 0)
		}
		view.Managers = append(view.Managers, option{store.NoneOf, say.t("client.nobody"), nobody})
	}
	view.Chosen = list.Overdue || list.Left != "" || len(list.Importances)+len(list.Managers) > 0
	return view, list
}

func (s *server) deals(v *visit) error {
	v.name = "deals"
	team, err := s.team(v)
	if err != nil {
		return err
	}
	view, list := readDealList(v.say, v.URL.Query(), team)
	found, next, err := s.st.OpenDealPage(v.ctx, list)
	if err != nil {
		return err
	}
	for i := range found {
		view.Deals = append(view.Deals, newOpenDealRow(v.say, &found[i]))
	}
	if list.After.ID != 0 {
		view.First = v.at("after", "")
	}
	if next.ID != 0 {
		view.Next = v.at("after", next.String())
	}
	return s.show(v, http.StatusOK, "deals.html", v.say.t("deals"), view)
}

// dealPath is the address of a deal's page.
func dealPath(id int64) string { return "/deals/" + strconv.FormatInt(id, 10) }
