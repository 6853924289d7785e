package report

import (
	"context"
	"maps"
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
	filters:   []string{"campaign", "source", "client", "manager"},
	options:   map[string][]string{"compare": {"previous", "year"}, "expiry": nil, "calls": nil, "relative": {"yes", "no"}},
	figures: []string{"contacts in", "first contacts", "clients won", "deals", "revenue", "profit", "campaign cost", "profit less cost", "return",
		"called", "not called"},
	period: "quarter",
	build:  (*run).sources,
	chart:  sourcesChart,
}

// fruits are the figures of one source.
type fruits struct {
	contactsIn, first, won, deals int64
	revenue, profit, campaign     Value // unknown where the cost of some sale is
	tax                           taxed
}

func (f *fruits) add(o *fruits) {
	f.contactsIn += o.contactsIn
	f.first += o.first
	f.won += o.won
	f.deals += o.deals
	f.revenue, f.profit, f.campaign = f.revenue.plus(o.revenue), f.profit.plus(o.profit), f.campaign.plus(o.campaign)
	f.tax.add(o.tax)
}

func (r *run) fruitColumns() []Column {
	all := []Column{r.column("contacts in", Count), r.column("first contacts", Count), r.column("clients won", Count), r.column("deals", Count),
		r.column("revenue", Sum), r.column("profit", Sum), r.column("campaign cost", Sum), r.column("profit less cost", Sum), r.column("return", Percent)}
	all[len(all)-1].NoSum = true
	return all
}

func (f *fruits) values() []Value {
	left, gain := f.profit.minus(f.campaign), none()
	if cost, sole := f.campaign.sole(Sum); sole && cost != 0 {
		gain = ratio(Sum, left, f.campaign)
	}
	return []Value{count(f.contactsIn), count(f.first), count(f.won), count(f.deals), f.revenue, f.profit, f.campaign, left, gain}
}

// dayOption reads an option that is a number of days.
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
	calls, err := r.dayOption("calls")
	if err != nil {
		return nil, err
	}
	expiry, err := r.dayOption("expiry")
	if err != nil {
		return nil, err
	}
	all, err := r.st.Sources(r.ctx)
	if err != nil {
		return nil, err
	}
	r.readCampaigns(all)
	switch {
	case calls > 0 && len(r.Params["compare"]) > 0:
		return nil, invalid("calls goes without compare")
	case calls > 0:
		return r.afterCalls(calls)
	case r.rows:
		return r.fruitRows(all, expiry)
	}
	t := &Table{Columns: r.fruitColumns()}
	for _, g := range r.by {
		t.Groups = append(t.Groups, r.group(g))
	}
	periods, err := r.periods()
	if err != nil {
		return nil, err
	}
	var whole tree[sides[fruits, *fruits], *sides[fruits, *fruits]]
	for n, p := range periods {
		if err := r.fruits(p, all, expiry, func(path []*step, f *fruits) {
			whole.give(path, side[fruits, *fruits](n, len(periods), f))
		}); err != nil {
			return nil, err
		}
	}
	if err := r.idle(func(path []*step) { whole.give(path, side[fruits, *fruits](0, len(periods), &fruits{})) }); err != nil {
		return nil, err
	}
	whole.rows(nil, func(row Row, _ *step) { t.Rows = append(t.Rows, row) })
	if len(t.Rows) > 0 {
		t.Total = whole.values()
	}
	r.compare(t)
	if expiry > 0 {
		t.About = append(t.About, r.t("source expires", voice{r.lang}.dayCount(expiry)))
	}
	if len(whole.sum) > 0 {
		r.noteTax(t, whole.sum[0].tax)
	}
	return t, r.noteRates(t)
}

// readCampaigns makes of the filter of campaigns one of their sources.
func (r *run) readCampaigns(all []store.Source) {
	if len(r.filter.campaigns) == 0 {
		return
	}
	selected := []int64{}
	for _, s := range append(all, store.Source{}) {
		if slices.Contains(r.filter.campaigns, s.Campaign) && r.ofSource(s.ID) {
			selected = append(selected, s.ID)
		}
	}
	if len(selected) == 0 {
		selected = []int64{-1} // nothing has that number
	}
	r.filter.sources = selected
}

// fruits calls each for what came of the sources in a period, and for what
// their campaigns cost.
func (r *run) fruits(p Period, all []store.Source, expiry int, each func(path []*step, f *fruits)) error {
	known := map[int64]store.Source{}
	for _, s := range all {
		known[s.ID] = s
	}
	q := store.SourceQuestion{SaleSelection: r.sales(p), Sources: r.filter.sources, Expiry: expiry, Currency: r.Currency}
	q.PerClient = slices.Contains(r.by, "client")
	q.Starts, q.Before = p.Bounds(r.loc)
	var found [store.SourceFigures][]store.SourceGroup
	var reads []func(context.Context) error
	for i := range found {
		reads = append(reads, func(ctx context.Context) (err error) {
			found[i], err = gather(func(each func(store.SourceGroup) error) error {
				return r.st.SourceGroups(ctx, store.SourceFigure(i), q, each)
			})
			return err
		})
	}
	if err := r.together(append(reads, r.readClients)...); err != nil {
		return err
	}
	names := make(map[int64]string, len(r.clients))
	for _, l := range r.clients {
		names[l.Client.ID] = l.Client.Text
	}
	if q.PerClient {
		var unnamed []int64
		for _, groups := range found {
			for i := range groups {
				if _, named := names[groups[i].Client.ID]; !named {
					unnamed = append(unnamed, groups[i].Client.ID)
				}
			}
		}
		slices.Sort(unnamed)
		more, err := r.st.ClientNames(r.ctx, slices.Compact(unnamed))
		if err != nil {
			return err
		}
		maps.Copy(names, more)
	}
	steps := make([]*step, len(r.by))
	path := func(source store.Source, client store.GroupKey) []*step {
		for i, by := range r.by {
			if by == "client" {
				steps[i] = r.step(by, client)
			} else {
				steps[i] = r.sourceStep(by, source)
			}
		}
		return steps
	}
	for _, groups := range found {
		for i := range groups {
			g := &groups[i]
			f := fruits{contactsIn: g.ContactsIn, first: g.FirstContacts, won: g.Won, deals: g.Deals, tax: taxed{g.Sold, g.TaxUnknown}}
			f.revenue, _, f.profit = r.sale(store.ShipmentDoc, g.Revenue, g.Cost, g.CostUnknown, g.Costless, g.Day)
			each(path(known[g.Source.ID], store.GroupKey{ID: g.Client.ID, Text: names[g.Client.ID]}), &f)
		}
	}
	// A campaign costs for all its clients together: it is no one's of them.
	if len(r.filter.clients) > 0 && !slices.Contains(r.filter.clients, 0) {
		return nil
	}
	for _, s := range all {
		if cost := p.costOf(s); r.ofSource(s.ID) && cost.Minor != 0 {
			each(path(s, store.GroupKey{}), &fruits{campaign: r.sum(cost, p.To)})
		}
	}
	return nil
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
