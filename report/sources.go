package report

import (
	"fmt"
	"slices"
	"strconv"

	"intouch/store"
)

// sourcesReport is rules.md section 6.5: what came of each lead source, and
// whether calls made sales grow.
var sourcesReport = report{
	name:      "sources",
	about:     "what came of each lead source: contacts, clients, deals, profit, return on cost; with --calls DAYS, growth of sales after calls",
	groupings: []string{"campaign", "source", "client"},
	by:        []string{"source"},
	filters:   []string{"source", "client", "manager"},
	options:   map[string][]string{"expiry": nil, "calls": nil, "relative": {"yes", "no"}},
	period:    "quarter",
	build:     (*run).sources,
	chart:     sourcesChart,
}

// fruits are the figures of one source.
type fruits struct {
	contactsIn, first, won, deals int64
	revenue, cost, campaign       Value
	costUnknown                   bool
	tax                           taxed
}

func (f *fruits) add(o *fruits) {
	f.contactsIn += o.contactsIn
	f.first += o.first
	f.won += o.won
	f.deals += o.deals
	f.revenue, f.cost, f.campaign = f.revenue.plus(o.revenue), f.cost.plus(o.cost), f.campaign.plus(o.campaign)
	f.costUnknown = f.costUnknown || o.costUnknown
	f.tax.add(o.tax)
}

func (r *run) fruitColumns() []Column {
	all := []Column{r.column("contacts in", Count), r.column("first contacts", Count), r.column("clients won", Count), r.column("deals", Count),
		r.column("revenue", Sum), r.column("profit", Sum), r.column("campaign cost", Sum), r.column("profit less cost", Sum), r.column("return", Percent)}
	all[len(all)-1].NoSum = true
	return all
}

func (f *fruits) values() []Value {
	minus := func(v Value) Value { return v.each(func(minor int64) int64 { return -minor }) }
	profit := f.revenue.plus(minus(f.cost))
	profit.Unknown = f.costUnknown
	left := profit.plus(minus(f.campaign))
	gain := none()
	if !left.Unknown && len(f.campaign.Sums) == 1 && f.campaign.Sums[0].Minor != 0 && len(left.Sums) == 1 {
		gain = share(left.Sums[0].Minor, f.campaign.Sums[0].Minor)
	}
	return []Value{count(f.contactsIn), count(f.first), count(f.won), count(f.deals), f.revenue, profit, f.campaign, left, gain}
}

// days reads an option that is a number of days.
func (r *run) dayOption(name string) (int, error) {
	said := r.Params.Get(name)
	if said == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 || n > 3660 {
		return 0, invalid("%s: %q is not a number of days from 1 to 3660", name, clip(said))
	}
	return n, nil
}

func (r *run) sources() (*Table, error) {
	if r.rows {
		return nil, invalid("the records behind these figures are in the reports contacts and deals: sources has no rows of its own")
	}
	calls, err := r.dayOption("calls")
	if err != nil {
		return nil, err
	}
	if calls > 0 {
		return r.afterCalls(calls)
	}
	expiry, err := r.dayOption("expiry")
	if err != nil {
		return nil, err
	}
	all, err := r.st.Sources(r.ctx)
	if err != nil {
		return nil, err
	}
	known := map[int64]store.Source{}
	for _, s := range all {
		known[s.ID] = s
	}
	perClient := slices.Contains(r.by, "client")
	from, to := r.period.Bounds(r.loc)
	q := store.SaleSelection{From: r.period.From, To: r.period.To, Managers: r.filter.managers, Clients: r.filter.clients, PerClient: perClient}
	if r.Viewer.Role != store.RoleHead {
		q.Managers = []int64{r.Viewer.ID}
	}
	groups, err := gather(func(each func(store.SourceGroup) error) error {
		return r.st.SourceGroups(r.ctx, q, r.filter.sources, from.Unix(), to.Unix(), expiry, r.Currency, each)
	})
	if err != nil {
		return nil, err
	}
	var clients []int64
	for _, g := range groups {
		clients = append(clients, g.Client.ID)
	}
	names := map[int64]string{}
	if perClient {
		slices.Sort(clients)
		if names, err = r.st.ClientNames(r.ctx, slices.Compact(clients)); err != nil {
			return nil, err
		}
	}
	t := &Table{Columns: r.fruitColumns(), NoRows: true}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	var whole tree[fruits, *fruits]
	path := func(source store.Source, client store.GroupKey) []step {
		steps := make([]step, len(r.by))
		for i, by := range r.by {
			switch by {
			case "campaign":
				steps[i] = r.step(by, store.GroupKey{Text: source.Campaign})
				steps[i].filter = ""
			case "source":
				steps[i] = r.step(by, store.GroupKey{ID: source.ID, Text: source.Name})
			case "client":
				steps[i] = r.step(by, client)
			}
		}
		return steps
	}
	for _, g := range groups {
		f := fruits{contactsIn: g.ContactsIn, first: g.FirstContacts, won: g.Won, deals: g.Deals, costUnknown: g.CostUnknown > 0, tax: taxed{g.Sold, g.TaxUnknown},
			revenue: r.sum(g.Revenue, g.Day), cost: r.sum(store.Money{Minor: g.Cost, Currency: g.Revenue.Currency}, g.Day)}
		whole.add(path(known[g.Source.ID], store.GroupKey{ID: g.Client.ID, Text: names[g.Client.ID]}), &f)
	}
	// A campaign's cost belongs to its source, however its sales are grouped
	// below; a source of which nothing came keeps a row.
	depth := len(r.by)
	if at := slices.Index(r.by, "client"); at >= 0 {
		depth = at
	}
	for _, s := range all {
		if len(r.filter.sources) > 0 && !slices.Contains(r.filter.sources, s.ID) || len(r.filter.clients) > 0 {
			continue
		}
		whole.add(path(s, store.GroupKey{})[:depth], &fruits{campaign: r.sum(r.period.costOf(s), r.period.To)})
	}
	total := whole.values()
	whole.rows(Row{}, len(r.by), func(row Row, _ string) { r.withRelative(t, row, total) })
	if len(t.Rows) > 0 {
		t.Total = total
	}
	if expiry > 0 {
		t.About = append(t.About, r.t("source expires", voice{r.lang}.dayCount(expiry)))
	}
	r.noteTax(t, whole.sum.tax)
	return t, r.noteRates(t)
}

// costOf is the part of a source's cost that falls into the period: by days
// where the campaign has both ends, else all of it where it began, or, of one
// without days, everywhere.
func (p Period) costOf(s store.Source) store.Money {
	begins, ends := s.From, s.To
	switch {
	case begins != "" && ends != "" && ends >= begins:
		common := max(begins, p.From).Days(min(ends, p.To)) + 1
		if common <= 0 {
			return store.Money{Currency: s.Cost.Currency}
		}
		return store.Money{Minor: rounded(s.Cost.Minor*int64(common), int64(begins.Days(ends)+1)), Currency: s.Cost.Currency}
	case begins != "" && (begins < p.From || begins > p.To):
		return store.Money{Currency: s.Cost.Currency}
	}
	return s.Cost
}

// afterCalls compares the sales to called clients in the days after their first
// call of the period with the days before it, and with clients that nobody
// called: for these the middle of all calls takes the call's place.
func (r *run) afterCalls(days int) (*Table, error) {
	selection := r.contactSelection(r.period)
	called, err := r.st.FirstCalls(r.ctx, selection)
	if err != nil {
		return nil, err
	}
	t := &Table{Groups: []Column{r.group("client")}, Columns: []Column{r.column("clients", Count), r.column("revenue before", Sum), r.column("revenue after", Sum), r.column("growth", Percent)}}
	t.Columns[3].NoSum = true
	t.About = append(t.About, r.t("around calls", voice{r.lang}.dayCount(days)))
	if len(called) == 0 {
		return t, nil
	}
	var callDays []store.Date
	for _, d := range called {
		callDays = append(callDays, d)
	}
	slices.Sort(callDays)
	middle := callDays[len(callDays)/2]
	sales, err := gather(func(each func(store.ClientSale) error) error {
		return r.st.ClientSales(r.ctx, callDays[0].Add(-days), callDays[len(callDays)-1].Add(days), each)
	})
	if err != nil {
		return nil, err
	}
	type around struct {
		clients       map[int64]bool
		before, after Value
	}
	var tax taxed
	groups := map[bool]*around{true: {clients: map[int64]bool{}}, false: {clients: map[int64]bool{}}}
	for id := range called {
		groups[true].clients[id] = true
	}
	for _, sale := range sales {
		pivot, isCalled := called[sale.ClientID]
		if !isCalled {
			if r.Viewer.Role != store.RoleHead || len(r.filter.managers)+len(r.filter.clients)+len(r.filter.sources) > 0 {
				continue // whose clients these are is not asked for here
			}
			pivot = middle
		}
		g := groups[isCalled]
		switch d := pivot.Days(sale.Day); {
		case d >= -days && d < 0:
			g.before = g.before.plus(r.sum(sale.Revenue, sale.Day))
		case d > 0 && d <= days:
			g.after = g.after.plus(r.sum(sale.Revenue, sale.Day))
		default:
			continue
		}
		g.clients[sale.ClientID] = true
		tax.add(taxed{sale.Sold, sale.TaxUnknown})
	}
	for _, isCalled := range []bool{true, false} {
		g := groups[isCalled]
		if len(g.clients) == 0 {
			continue
		}
		growth := none()
		if len(g.before.Sums) == 1 && g.before.Sums[0].Minor > 0 && len(g.after.Sums) <= 1 {
			after := int64(0)
			if len(g.after.Sums) == 1 {
				after = g.after.Sums[0].Minor
			}
			growth = share(after-g.before.Sums[0].Minor, g.before.Sums[0].Minor)
		}
		t.Rows = append(t.Rows, Row{Path: []Value{text(r.t(fmt.Sprintf("called %v", isCalled)))}, Leaf: true, Values: []Value{count(int64(len(g.clients))), g.before, g.after, growth}})
	}
	t.Notes = append(t.Notes, r.t("not called", voice{r.lang}.date(middle)))
	if over := r.today.Add(-days); callDays[len(callDays)-1] >= over {
		t.Notes = append(t.Notes, r.t("not over", voice{r.lang}.date(over)))
	}
	r.noteTax(t, tax)
	return t, r.noteRates(t)
}
