package report

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

	"intouch/store"
)

// around is what was sold to a client before and after the call.
type around struct{ before, after Value }

func (r *run) aroundColumns() []Column {
	all := []Column{r.column("revenue before", Sum), r.column("revenue after", Sum), r.column("growth", Percent)}
	all[2].NoSum = true
	return all
}

func (a *around) values() []Value {
	growth := none()
	if before, sole := a.before.sole(Sum); sole && before > 0 {
		growth = ratio(Sum, a.after.minus(a.before), a.before)
	}
	return []Value{a.before, a.after, growth}
}

// afterCalls compares the sales to called clients in the days after their first
// call of the period with the days before it, and with clients that nobody
// called: for these the middle of all calls takes the call's place.
func (r *run) afterCalls(days int) (*Table, error) {
	if r.rows && r.behind != "called" && r.behind != "not called" {
		return nil, invalid("with calls, rows is called or not called")
	}
	called, err := r.st.FirstCalls(r.ctx, r.contactSelection(r.period))
	if err != nil {
		return nil, err
	}
	t := &Table{Groups: []Column{r.group("client")}, Columns: append([]Column{r.column("clients", Count)}, r.aroundColumns()...)}
	for i := range t.Columns {
		t.Columns[i].Behind = url.Values{} // the row says whose
	}
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
	var tax taxed
	groups := map[bool]map[int64]*around{true: {}, false: {}}
	for id := range called {
		groups[true][id] = &around{}
	}
	for _, sale := range sales {
		pivot, isCalled := called[sale.ClientID]
		if !isCalled {
			if r.Viewer.Role != store.RoleHead || len(r.filter.managers)+len(r.filter.clients)+len(r.filter.sources) > 0 {
				continue // whose clients these are is not asked for here
			}
			pivot = middle
		}
		d := pivot.Days(sale.Day)
		if d == 0 || d < -days || d > days {
			continue
		}
		of := groups[isCalled][sale.ClientID]
		if of == nil {
			of = &around{}
			groups[isCalled][sale.ClientID] = of
		}
		tax.add(taxed{sale.Sold, sale.TaxUnknown})
		if sum := r.sum(sale.Revenue, sale.Day); d < 0 {
			of.before = of.before.plus(sum)
		} else {
			of.after = of.after.plus(sum)
		}
	}
	if r.rows {
		return r.callRows(t, groups[r.behind == "called"], called)
	}
	for _, isCalled := range []bool{true, false} {
		if len(groups[isCalled]) == 0 {
			continue
		}
		sum, key := around{}, "called"
		for _, of := range groups[isCalled] {
			sum.before, sum.after = sum.before.plus(of.before), sum.after.plus(of.after)
		}
		if !isCalled {
			key = "not called"
		}
		t.Rows = append(t.Rows, Row{Path: []Value{text(r.t("column." + key))}, Leaf: true, steps: []*step{{filter: "rows", value: key}},
			Values: append([]Value{count(int64(len(groups[isCalled])))}, sum.values()...)})
	}
	t.Notes = append(t.Notes, r.t("not called", voice{r.lang}.date(middle)))
	if over := r.today.Add(-days); callDays[len(callDays)-1] >= over {
		t.Notes = append(t.Notes, r.t("not over", voice{r.lang}.date(over)))
	}
	r.noteTax(t, tax)
	return t, r.noteRates(t)
}

// callRows are the clients behind the figures of those who were called, or of
// those who were not.
func (r *run) callRows(about *Table, clients map[int64]*around, called map[int64]store.Date) (*Table, error) {
	t := r.records(append([]Column{r.column("client", Text), r.column("called on", Day)}, r.aroundColumns()...)...)
	t.About = append(t.About, about.About...)
	ids := make([]int64, 0, len(clients))
	for id := range clients {
		ids = append(ids, id)
	}
	names, err := r.st.ClientNames(r.ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Or(cmp.Compare(names[a], names[b]), cmp.Compare(a, b)) })
	whole := around{}
	for _, id := range ids[:r.first(t, len(ids))] {
		whole.before, whole.after = whole.before.plus(clients[id].before), whole.after.plus(clients[id].after)
		t.Rows = append(t.Rows, Row{Leaf: true, URL: fmt.Sprintf("/clients/%d", id), Values: append([]Value{text(names[id]), day(called[id])}, clients[id].values()...)})
	}
	if t.totals(); t.Total != nil {
		t.Total[4] = whole.values()[2]
	}
	return t, r.noteRates(t)
}
