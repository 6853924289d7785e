package report

import (
	"cmp"
	"fmt"
	"slices"

	"intouch/store"
)

// The records behind the figures of reports whose figures come of different
// records. Where a table of records has a column of the figure's name, its total
// is that figure; else the number of records is.

// sales selects what belongs to the managers and clients asked for, of those
// that the viewer sees.
func (r *run) sales(p Period) store.SaleSelection {
	q := store.SaleSelection{From: p.From, To: p.To, Managers: r.filter.managers, Clients: r.filter.clients}
	if r.Viewer.Role != store.RoleHead {
		q.Managers = []int64{r.Viewer.ID}
	}
	return q
}

// behindRows is the selection of the records behind a figure.
func (r *run) behindRows() store.RowSelection {
	return store.RowSelection{SaleSelection: r.sales(r.period), Sources: r.filter.sources, Limit: r.limit() + 1}
}

// records is an empty table of records.
func (r *run) records(columns ...Column) *Table {
	return &Table{About: []string{r.aboutRecords()}, Columns: columns}
}

// aboutRecords says of which figure the records are.
func (r *run) aboutRecords() string {
	if r.behind == "" {
		return r.t("about.records")
	}
	return r.t("about.behind", r.t("column."+r.behind))
}

// limit is how many of the records behind a figure are listed: on a page so many
// as it needs, and as can be added up in time; else all.
func (r *run) limit() int {
	if r.Most == 0 {
		return maxRecords
	}
	return max(r.Most, maxRows)
}

// first is how many of so many records the table lists; it says so when there
// are others.
func (r *run) first(t *Table, found int) int {
	most := r.limit()
	if found > most {
		note := r.t("only first", voice{r.lang}.number(int64(most)))
		if r.Most > 0 {
			note = r.t("more pages")
		}
		t.Notes = append(t.Notes, note)
		t.partial = true
	}
	return min(found, most)
}

// totals adds up the figures of a table of records, unless it lists only some.
func (t *Table) totals() {
	if t.partial || len(t.Rows) == 0 {
		return
	}
	for i := range t.Rows {
		t.Total = add(t.Total, t.Rows[i].Values)
	}
	for n, c := range t.Columns {
		if !c.adds() {
			t.Total[n] = none()
		}
	}
}

// performanceRows are the records behind a figure of the managers' performance.
func (r *run) performanceRows() (*Table, error) {
	q := r.behindRows()
	switch r.behind {
	case "clients", "client data", "person data":
		return r.careRows(q.SaleSelection)
	case "response median", "response 90", "unanswered":
		return r.waitRows(q.SaleSelection)
	case "first deals":
		q.First = true
		return r.dealRows(q)
	case "deals", "deal sum", "average deal":
		return r.dealRows(q)
	case "payments", "payment sum":
		return r.documentRows(q, store.PaymentDoc)
	case "shipments":
		return r.documentRows(q, store.ShipmentDoc)
	case "revenue", "cost", "profit", "margin":
		return r.documentRows(q, store.ShipmentDoc, store.ReturnDoc)
	case "debt":
		return r.debtRows(q.SaleSelection)
	case "overdue debt", "overdue days":
		return r.overdueRows(q)
	case "improved", "worsened", "unchanged", "new":
		q.PerClient = true
		found, err := gather(func(each func(store.PositionPair) error) error { return r.st.Positions(r.ctx, q.SaleSelection, each) })
		if err != nil {
			return nil, err
		}
		return r.positionRows(slices.DeleteFunc(found, func(p store.PositionPair) bool { return string(p.Now.Since(p.Former)) != r.behind })), nil
	}
	contacts := r.contactSelection(r.period)
	contacts.States = []store.State{store.Done}
	switch r.behind {
	case "letter in":
		contacts.Kinds, contacts.Directions = []store.Kind{store.Letter}, []store.Direction{store.In}
	case "letter out":
		contacts.Kinds, contacts.Directions = []store.Kind{store.Letter}, []store.Direction{store.Out, store.NoDirection}
	case "minutes":
	default:
		contacts.Kinds = []store.Kind{store.Kind(r.behind)}
	}
	return r.contactTable(func(limit int, each func(*store.Contact) error) error {
		return r.st.SelectedContacts(r.ctx, contacts, limit, each)
	})
}

// fruitRows are the records behind a figure of the lead sources.
func (r *run) fruitRows(all []store.Source, expiry int) (*Table, error) {
	q := r.behindRows()
	q.Expiry = expiry
	switch r.behind {
	case "contacts in", "first contacts":
		from, to := r.period.Bounds(r.loc)
		q.First = r.behind == "first contacts"
		return r.contactTable(func(limit int, each func(*store.Contact) error) error {
			q.Limit = limit
			return r.st.SourceContacts(r.ctx, r.Viewer, q, from, to, each)
		})
	case "clients won":
		q.First = true
		return r.documentRows(q, store.ShipmentDoc)
	case "deals":
		return r.dealRows(q)
	case "revenue", "profit":
		return r.documentRows(q, store.ShipmentDoc, store.ReturnDoc)
	case "campaign cost":
		return r.campaignRows(all)
	case "profit less cost", "return":
		sales, err := r.documentRows(q, store.ShipmentDoc, store.ReturnDoc)
		if err != nil {
			return nil, err
		}
		costs, err := r.campaignRows(all)
		if err != nil {
			return nil, err
		}
		costs.Name, costs.Title, costs.About = "costs", r.t("column.campaign cost"), nil
		sales.Sections = []Table{*costs}
		return sales, nil
	}
	return nil, invalid("rows=%s goes with calls", r.behind)
}

// careRows are the clients in care, with how complete their data is.
func (r *run) careRows(q store.SaleSelection) (*Table, error) {
	q.PerClient = true
	found, err := gather(func(each func(store.CareGroup) error) error { return r.st.CareGroups(r.ctx, q, each) })
	if err != nil {
		return nil, err
	}
	clients, managers, err := names(r, found, func(g *store.CareGroup) int64 { return g.Client })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b store.CareGroup) int {
		return cmp.Or(cmp.Compare(clients[a.Client], clients[b.Client]), cmp.Compare(a.Client, b.Client))
	})
	data, persons := r.column("client data", Percent), r.column("person data", Percent)
	data.NoSum, persons.NoSum = true, true
	t := r.records(r.column("client", Text), r.column("manager", Text), r.column("clients", Count), data, r.column("persons", Count), persons)
	whole := performance{}
	for _, g := range found[:r.first(t, len(found))] {
		p := performance{care: g}
		whole.add(&p)
		values := p.values()
		t.Rows = append(t.Rows, Row{Leaf: true, URL: fmt.Sprintf("/clients/%d", g.Client), Values: []Value{text(clients[g.Client]), text(managers[g.Manager]), count(1), values[1], count(g.Persons), values[2]}})
	}
	if t.totals(); t.Total != nil {
		values := whole.values()
		t.Total[3], t.Total[5] = values[1], values[2]
	}
	return t, nil
}

// names are those of the groups' clients and of all managers.
func names[G any](r *run, groups []G, client func(*G) int64) (clients, managers map[int64]string, err error) {
	ids := make([]int64, len(groups))
	for i := range groups {
		ids[i] = client(&groups[i])
	}
	if clients, err = r.st.ClientNames(r.ctx, ids); err != nil {
		return nil, nil, err
	}
	managers, err = r.managerNames()
	return clients, managers, err
}

// waitRows are the letters whose answers are measured, or that nobody answered.
func (r *run) waitRows(q store.SaleSelection) (*Table, error) {
	from, to := r.period.Bounds(r.loc)
	answered := r.behind != "unanswered"
	found, _, err := r.st.LetterWaits(r.ctx, q, from, to, answered, r.limit()+1)
	if err != nil {
		return nil, err
	}
	names, err := r.managerNames()
	if err != nil {
		return nil, err
	}
	t := r.records(r.column("when", Moment), r.column("client", Text), r.column("manager", Text))
	if answered {
		wait := r.column("wait", Minutes)
		wait.NoSum = true
		t.Columns = append(t.Columns, r.column("answered", Moment), wait)
	}
	for _, w := range found[:r.first(t, len(found))] {
		row := Row{Leaf: true, URL: fmt.Sprintf("/contacts/%d", w.ContactID), Values: []Value{{N: w.At.Unix()}, text(w.Client.Text), text(names[w.Manager])}}
		if answered {
			row.Values = append(row.Values, Value{N: w.Answered.Unix()}, Value{N: w.Minutes})
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// dealRows are deals.
func (r *run) dealRows(q store.RowSelection) (*Table, error) {
	found, err := r.st.DealRecords(r.ctx, q)
	if err != nil {
		return nil, err
	}
	t := r.records(r.column("number", Text), r.column("date", Day), r.column("client", Text), r.column("manager", Text), r.column("deal sum", Sum))
	for i := range found[:r.first(t, len(found))] {
		d := &found[i].Deal
		t.Rows = append(t.Rows, Row{Leaf: true, URL: fmt.Sprintf("/deals/%d", d.ID), Values: []Value{text(d.Number), day(d.Date), text(d.ClientName), text(found[i].Manager.Text),
			r.sum(d.Amount, d.Date)}})
	}
	t.totals()
	return t, r.noteRates(t)
}

// documentRows are payments, or shipments and returns with what they give of
// revenue and profit.
func (r *run) documentRows(q store.RowSelection, kinds ...store.DocumentKind) (*Table, error) {
	found, err := r.st.DocumentRecords(r.ctx, q, kinds...)
	if err != nil {
		return nil, err
	}
	t := r.records(r.column("date", Day), r.column("document", Text), r.column("number", Text), r.column("client", Text), r.column("manager", Text), r.column("deal no", Text))
	t.Columns[5].Title = r.t("by.deal")
	paid := slices.Contains(kinds, store.PaymentDoc)
	if paid {
		t.Columns = append(t.Columns, r.column("payment sum", Sum))
	} else {
		t.Columns = append(t.Columns, r.column("revenue", Sum), r.column("cost", Sum), r.column("profit", Sum))
	}
	var tax taxed
	for i := range found[:r.first(t, len(found))] {
		d := &found[i].Document
		row := Row{Leaf: true, Values: []Value{day(d.Date), text(store.Word(r.lang, "document."+string(d.Kind))), text(d.Number), text(found[i].Client),
			text(found[i].Manager.Text), text(found[i].DealNumber)}}
		if d.DealID != 0 {
			row.URL = fmt.Sprintf("/deals/%d", d.DealID)
		}
		if paid {
			row.Values = append(row.Values, r.sum(d.Amount, d.Date))
		} else {
			sold := store.Money{Minor: d.Amount.Minor - d.Tax, Currency: d.Amount.Currency}
			unknown, costless := int64(0), int64(0)
			if !d.CostKnown {
				unknown, costless = 1, sold.Minor
			}
			if tax.sold++; !d.TaxKnown {
				tax.unknown++
			}
			revenue, cost, profit := r.sale(d.Kind, sold, d.Cost, unknown, costless, d.Date)
			row.Values = append(row.Values, revenue, cost, profit)
		}
		t.Rows = append(t.Rows, row)
	}
	t.totals()
	r.noteTax(t, tax)
	return t, r.noteRates(t)
}

// debtRows are the clients that owe, with what they owe at the end of the
// period.
func (r *run) debtRows(q store.SaleSelection) (*Table, error) {
	q.PerClient = true
	found, err := gather(func(each func(store.DebtGroup) error) error { return r.st.DebtGroups(r.ctx, q, r.Currency, each) })
	if err != nil {
		return nil, err
	}
	clients, managers, err := names(r, found, func(g *store.DebtGroup) int64 { return g.Client })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b store.DebtGroup) int {
		return cmp.Or(cmp.Compare(b.Debt.Minor, a.Debt.Minor), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Debt.Currency, b.Debt.Currency))
	})
	t := r.records(r.column("client", Text), r.column("manager", Text), r.column("debt", Sum))
	for _, g := range found[:r.first(t, len(found))] {
		t.Rows = append(t.Rows, Row{Leaf: true, URL: fmt.Sprintf("/clients/%d", g.Client), Values: []Value{text(clients[g.Client]), text(managers[g.Manager]), r.sum(g.Debt, r.settled(r.period))}})
	}
	t.totals()
	return t, r.noteRates(t)
}

// overdueRows are the payments that have not come.
func (r *run) overdueRows(q store.RowSelection) (*Table, error) {
	before := r.dueBefore(r.period)
	found, err := r.st.OverdueRecords(r.ctx, q, before, before == r.today)
	if err != nil {
		return nil, err
	}
	days := r.column("overdue days", Count)
	days.NoSum = true
	t := r.records(r.column("deal no", Text), r.column("client", Text), r.column("manager", Text), r.column("expected", Day), r.column("overdue debt", Sum), days)
	t.Columns[0].Title = r.t("by.deal")
	late := performance{}
	for _, o := range found[:r.first(t, len(found))] {
		n := int64(o.Day.Days(before))
		late.overduePayments++
		late.overdueDays += n
		t.Rows = append(t.Rows, Row{Leaf: true, Status: store.StatusOverdue, URL: fmt.Sprintf("/deals/%d", o.DealID), Values: []Value{text(o.DealNumber), text(o.Client), text(o.Manager),
			day(o.Day), r.sum(o.Open, before.Add(-1)), count(n)}})
	}
	if t.totals(); t.Total != nil {
		t.Total[5] = late.meanOverdue()
	}
	return t, r.noteRates(t)
}

// campaignRows are the lead sources with the part of their cost that falls into
// the period.
func (r *run) campaignRows(all []store.Source) (*Table, error) {
	t := r.records(r.column("source", Text), r.column("campaign", Text), r.column("begins", Day), r.column("ends", Day), r.column("whole cost", Sum), r.column("campaign cost", Sum))
	t.Columns[4].NoSum = true // the part counts
	for _, s := range all {
		cost := r.period.costOf(s)
		if !r.ofSource(s.ID) || cost.Minor == 0 || len(r.filter.clients) > 0 && !slices.Contains(r.filter.clients, 0) {
			continue
		}
		t.Rows = append(t.Rows, Row{Leaf: true, Values: []Value{text(s.Name), text(s.Campaign), day(s.From), day(s.To), sums(s.Cost), r.sum(cost, r.period.To)}})
	}
	t.totals()
	return t, r.noteRates(t)
}
