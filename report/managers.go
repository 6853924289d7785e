package report

import (
	"context"
	"maps"
	"slices"
	"sync"

	"intouch/store"
)

// managersReport is rules.md section 6.6: what each manager did, and what came
// of it.
var managersReport = report{
	name:      "managers",
	about:     "what each manager did and what came of it: clients, contacts, answers, deals, payments, profit, debt, relationships",
	groupings: []string{"manager", "client"},
	by:        []string{"manager"},
	filters:   []string{"manager", "client"},
	options:   map[string][]string{"compare": {"previous", "year"}, "relative": {"yes", "no"}},
	figures: []string{"clients", "client data", "person data", "letter in", "letter out", "call", "meeting", "visit", "other", "minutes", "response median", "response 90", "unanswered",
		"deals", "deal sum", "first deals", "average deal", "payments", "payment sum", "shipments", "revenue", "cost", "profit", "margin",
		"debt", "overdue debt", "overdue days", "improved", "worsened", "unchanged", "new"},
	period: "month",
	build:  (*run).managers,
	chart:  managersChart,
}

// performance are the figures of one manager, or one client of a manager.
type performance struct {
	care     store.CareGroup
	contacts [len(contactKinds)]int64 // done
	minutes  Value
	response store.ResponseGroup

	deals, first                   int64
	dealSum                        Value
	payments                       Value
	paid, shipped                  int64 // documents
	revenue, cost, profit          Value // unknown where the cost of some sale is
	tax                            taxed
	debt, overdue                  Value
	overduePayments, overdueDays   int64
	improved, worsened, same, news int64
}

// add takes over all figures of another one, for a total: what is an average
// is worked out of them anew (rules.md section 6).
func (p *performance) add(o *performance) {
	p.care.Clients += o.care.Clients
	p.care.ClientData += o.care.ClientData
	p.care.Persons += o.care.Persons
	p.care.PersonData += o.care.PersonData
	for kind, n := range o.contacts {
		p.contacts[kind] += n
	}
	p.minutes = p.minutes.plus(o.minutes)
	p.response.Add(&o.response)
	p.deals += o.deals
	p.first += o.first
	p.paid += o.paid
	p.shipped += o.shipped
	for _, pair := range [][2]*Value{{&p.dealSum, &o.dealSum}, {&p.payments, &o.payments},
		{&p.revenue, &o.revenue}, {&p.cost, &o.cost}, {&p.profit, &o.profit}, {&p.debt, &o.debt}, {&p.overdue, &o.overdue}} {
		*pair[0] = pair[0].plus(*pair[1])
	}
	p.tax.add(o.tax)
	p.overduePayments += o.overduePayments
	p.overdueDays += o.overdueDays
	p.improved += o.improved
	p.worsened += o.worsened
	p.same += o.same
	p.news += o.news
}

// contactKinds are how done contacts are counted.
var contactKinds = [...]string{"letter in", "letter out", "call", "meeting", "visit", "other"}

// contactKind is the place of a contact in contactKinds.
func contactKind(kind, direction string) int {
	switch {
	case kind == string(store.Letter) && direction == string(store.In):
		kind = "letter in"
	case kind == string(store.Letter):
		kind = "letter out"
	}
	if at := slices.Index(contactKinds[:], kind); at >= 0 {
		return at
	}
	return len(contactKinds) - 1
}

// performanceColumns are the indicators, in their order.
func (r *run) performanceColumns() []Column {
	all := []Column{r.column("clients", Count), r.column("client data", Percent), r.column("person data", Percent)}
	for _, kind := range contactKinds {
		all = append(all, r.column(kind, Count))
	}
	all = append(all, r.column("minutes", Minutes), r.column("response median", Minutes), r.column("response 90", Minutes), r.column("unanswered", Count),
		r.column("deals", Count), r.column("deal sum", Sum), r.column("first deals", Count), r.column("average deal", Sum),
		r.column("payments", Count), r.column("payment sum", Sum), r.column("shipments", Count), r.column("revenue", Sum), r.column("cost", Sum), r.column("profit", Sum), r.column("margin", Percent),
		r.column("debt", Sum), r.column("overdue debt", Sum), r.column("overdue days", Count),
		r.column("improved", Count), r.column("worsened", Count), r.column("unchanged", Count), r.column("new", Count))
	for i := range all {
		switch all[i].Key {
		case "client data", "person data", "response median", "response 90", "average deal", "margin", "overdue days":
			all[i].NoSum = true
		}
	}
	return all
}

// values are the indicators as performanceColumns names them.
func (p *performance) values() []Value {
	all := make([]Value, 0, 31) // one for each column: there may be many clients
	all = append(all, count(p.care.Clients), none(), none())
	if p.care.Clients > 0 {
		all[1] = share(p.care.ClientData, p.care.Clients*store.ClientKinds)
	}
	if p.care.Persons > 0 {
		all[2] = share(p.care.PersonData, p.care.Persons*store.PersonKinds)
	}
	for _, n := range p.contacts {
		all = append(all, count(n))
	}
	all = append(all, p.minutes)
	for _, q := range []float64{0.5, 0.9} {
		if n, ok := p.response.Quantile(q); ok {
			all = append(all, Value{N: n})
		} else {
			all = append(all, none())
		}
	}
	average := none()
	if p.deals > 0 {
		average = p.dealSum.each(func(minor int64) int64 { return rounded(minor, p.deals) })
	}
	margin := none()
	if revenue, sole := p.revenue.sole(Sum); sole && revenue != 0 {
		margin = ratio(Sum, p.profit, p.revenue)
	}
	return append(all, count(p.response.Unanswered), count(p.deals), p.dealSum, count(p.first), average,
		count(p.paid), p.payments, count(p.shipped), p.revenue, p.cost, p.profit, margin, p.debt, p.overdue, p.meanOverdue(),
		count(p.improved), count(p.worsened), count(p.same), count(p.news))
}

// meanOverdue is the mean of the days that payments are overdue.
func (p *performance) meanOverdue() Value {
	if p.overduePayments == 0 {
		return none()
	}
	return count(rounded(p.overdueDays, p.overduePayments))
}

// rounded is n / d, rounded half away from zero.
func rounded(n, d int64) int64 {
	if n < 0 {
		return -rounded(-n, d)
	}
	return (n + d/2) / d
}

// performances are the figures of a period, by manager and, with perClient, by
// client.
func (r *run) performances(p Period, perClient bool) (map[store.Owner]*performance, error) {
	found := map[store.Owner]*performance{}
	of := func(o store.Owner) *performance {
		if found[o] == nil {
			found[o] = &performance{}
		}
		return found[o]
	}
	q := store.SaleSelection{From: p.From, To: p.To, Managers: r.filter.managers, Clients: r.filter.clients, PerClient: perClient} // the team's average is everybody's to know
	from, to := p.Bounds(r.loc)
	contacts := store.ContactSelection{Viewer: store.Manager{Role: store.RoleHead, TimeZone: r.Viewer.TimeZone}, From: from, To: to, Managers: q.Managers, Clients: q.Clients, States: []store.State{store.Done}}
	by := []store.Grouping{store.ByManager, store.ByKind, store.ByDirection}
	if perClient {
		by = append(by, store.ByClient)
	}
	before := r.dueBefore(p)

	// What does not depend on the other is read side by side. Sums of other
	// currencies are added up later: a rate is read for them.
	var one sync.Mutex
	var later []func()
	sum := func(currency string, add func()) {
		one.Lock()
		defer one.Unlock()
		if currency == r.Currency {
			add()
		} else {
			later = append(later, add)
		}
	}
	err := r.together(
		func(ctx context.Context) error {
			return r.st.ResponseGroups(ctx, q, from, to, func(g *store.ResponseGroup) error {
				one.Lock()
				defer one.Unlock()
				of(g.Owner).response.Add(g)
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.CareGroups(ctx, q, func(g store.CareGroup) error {
				one.Lock()
				defer one.Unlock()
				of(g.Owner).care = g
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.ContactGroups(ctx, contacts, by, func(g store.ContactGroup) error {
				o := store.Owner{Manager: g.Keys[0].ID}
				if perClient {
					o.Client = g.Keys[3].ID
				}
				one.Lock()
				defer one.Unlock()
				m := of(o)
				m.contacts[contactKind(g.Keys[1].Text, g.Keys[2].Text)] += g.Contacts
				m.minutes = m.minutes.plus(minutes(g.Minutes, g.Estimated))
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.Positions(ctx, q, func(g store.PositionPair) error {
				one.Lock()
				defer one.Unlock()
				m := of(store.Owner{Manager: g.Manager.ID, Client: g.Client.ID})
				switch g.Now.Since(g.Former) {
				case store.Improved:
					m.improved += g.Clients
				case store.Worsened:
					m.worsened += g.Clients
				case store.Unchanged:
					m.same += g.Clients
				case store.New:
					m.news += g.Clients
				}
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.OverdueGroups(ctx, q, before, before == r.today, r.Currency, func(g store.OverdueGroup) error {
				sum(g.Open.Currency, func() {
					m := of(g.Owner)
					m.overdue = m.overdue.plus(r.sum(g.Open, before.Add(-1)))
					m.overduePayments += g.Payments
					m.overdueDays += g.Payments * int64(g.Day.Days(before))
				})
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.SaleGroups(ctx, q, r.Currency, func(g store.SaleGroup) error {
				sum(g.Amount.Currency, func() { r.addSale(of(g.Owner), &g) })
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.DealGroups(ctx, q, r.Currency, func(g store.DealGroup) error {
				sum(g.Amount.Currency, func() {
					m := of(g.Owner)
					m.deals += g.Deals
					m.first += g.First
					m.dealSum = m.dealSum.plus(r.sum(g.Amount, g.Day))
				})
				return nil
			})
		},
		func(ctx context.Context) error {
			return r.st.DebtGroups(ctx, q, r.Currency, func(g store.DebtGroup) error {
				sum(g.Debt.Currency, func() {
					m := of(g.Owner)
					m.debt = m.debt.plus(r.sum(g.Debt, r.settled(p)))
				})
				return nil
			})
		},
	)
	if err != nil {
		return nil, err
	}
	for _, add := range later {
		add()
	}
	return found, nil
}

// addSale adds the documents of a kind to what a manager sold.
func (r *run) addSale(m *performance, g *store.SaleGroup) {
	switch g.Kind {
	case store.PaymentDoc:
		m.paid += g.Documents
		m.payments = m.payments.plus(r.sum(g.Amount, g.Day))
	case store.ShipmentDoc, store.ReturnDoc:
		if g.Kind == store.ShipmentDoc {
			m.shipped += g.Documents
		}
		revenue, cost, profit := r.sale(g.Kind, store.Money{Minor: g.Amount.Minor - g.Tax, Currency: g.Amount.Currency}, g.Cost, g.CostUnknown, g.Costless, g.Day)
		m.revenue, m.cost, m.profit = m.revenue.plus(revenue), m.cost.plus(cost), m.profit.plus(profit)
		m.tax.add(taxed{g.Documents, g.TaxUnknown})
	}
}

// settled is the day whose debts a period ends with.
func (r *run) settled(p Period) store.Date { return min(p.To, r.today) }

// dueBefore is the day before which payments must have been expected to be
// overdue at the end of a period.
func (r *run) dueBefore(p Period) store.Date { return min(p.To.Add(1), r.today) }

// sale is what documents of a kind give of revenue, cost and profit: a shipment
// adds, a return takes away. Where the cost of some is unknown, so is what it
// would add to profit.
func (r *run) sale(kind store.DocumentKind, amount store.Money, cost, unknown, costless int64, day store.Date) (revenue, costs, profit Value) {
	if kind != store.ShipmentDoc && kind != store.ReturnDoc {
		return
	}
	in := func(minor int64) Value {
		if kind == store.ReturnDoc {
			minor = -minor
		}
		return r.sum(store.Money{Minor: minor, Currency: amount.Currency}, day)
	}
	revenue, costs = in(amount.Minor), in(cost)
	profit = revenue.minus(in(costless)).minus(costs)
	if unknown > 0 {
		costs, profit = costs.unsure(), profit.unsure()
	}
	return revenue, costs, profit
}

func (r *run) managers() (*Table, error) {
	if r.rows {
		return r.performanceRows()
	}
	if len(r.by) == 0 || r.by[0] != "manager" {
		return nil, invalid("managers is grouped by manager, or by manager,client")
	}
	perClient := len(r.by) == 2
	t := &Table{Columns: r.performanceColumns()}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	everyone, err := r.st.Managers(r.ctx)
	if err != nil {
		return nil, err
	}
	periods, err := r.periods()
	if err != nil {
		return nil, err
	}
	var whole tree[sides[performance, *performance], *sides[performance, *performance]]
	hidden := map[*step]bool{} // of these a manager sees the average alone
	add := func(n int, p *performance, m store.GroupKey, below ...*step) {
		of := r.step("manager", m)
		hidden[of] = !r.Viewer.Sees(m.ID)
		whole.give(append([]*step{of}, below...), side[performance, *performance](n, len(periods), p))
	}
	for _, m := range everyone { // a manager with no sales, or no contacts, keeps a row
		if passes(r.filter.managers, m.ID) {
			add(0, &performance{}, store.GroupKey{ID: m.ID, Text: m.Name})
		}
	}
	managerNames, clientNames := map[int64]string{}, map[int64]string{}
	for _, m := range everyone {
		managerNames[m.ID] = m.Name
	}
	for n, period := range periods {
		found, err := r.performances(period, perClient)
		if err != nil {
			return nil, err
		}
		if perClient {
			ids := make([]int64, 0, len(found))
			for o := range found {
				ids = append(ids, o.Client)
			}
			if clientNames, err = r.st.ClientNames(r.ctx, ids); err != nil {
				return nil, err
			}
		}
		for o, p := range found {
			m := store.GroupKey{ID: o.Manager, Text: managerNames[o.Manager]}
			if perClient {
				add(n, p, m, r.step("client", store.GroupKey{ID: o.Client, Text: clientNames[o.Client]}))
			} else {
				add(n, p, m)
			}
			delete(found, o) // a total has it now: of many clients both would be a lot
		}
	}
	total := whole.values()
	managers := int64(len(whole.inner))
	maps.DeleteFunc(whole.inner, func(of *step, _ *tree[sides[performance, *performance], *sides[performance, *performance]]) bool {
		return hidden[of]
	})
	whole.rows(nil, func(row Row, _ *step) { t.Rows = append(t.Rows, row) })
	head := r.Viewer.Role == store.RoleHead
	if head && len(t.Rows) > 0 {
		t.Total = total
	}
	// The average of a few clients would tell whose they are.
	if !head && managers > 0 && len(r.filter.clients) == 0 {
		t.Rows = append(t.Rows, Row{Path: []Value{text(r.t("team average"))}, Aside: true, Values: average(t.Columns, total, managers)})
	}
	r.compare(t)
	if len(whole.sum) == 0 {
		return t, r.noteRates(t)
	}
	all := &whole.sum[0]
	if all.idle() {
		t.Notes = append(t.Notes, r.t("nothing"))
	}
	if all.minutes.Estimated {
		t.Notes = append(t.Notes, r.t("estimate"))
	}
	t.Notes = append(t.Notes, r.t("working hours", r.st.WorkHoursOf(store.Manager{}).String()))
	r.noteTax(t, all.tax)
	return t, r.noteRates(t)
}

// average are the values of all sides of so many managers for one of them;
// what already is an average stays.
func average(columns []Column, values []Value, of int64) []Value {
	out := make([]Value, len(values))
	for i, v := range values {
		if !columns[i%len(columns)].NoSum {
			v.N = rounded(v.N, of)
			v = v.each(func(minor int64) int64 { return rounded(minor, of) })
		}
		out[i] = v
	}
	return out
}

// idle reports whether nothing was done or came in the period.
func (p *performance) idle() bool {
	done := p.deals + p.paid + p.shipped + p.response.Unanswered + int64(len(p.response.Waits)+len(p.revenue.Sums))
	for _, n := range p.contacts {
		done += n
	}
	return done == 0
}
