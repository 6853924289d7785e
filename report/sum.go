package report

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"intouch/store"
)

// sum is a sum in the house's currency where there is a rate of that day, else
// as it is: then it stands beside the others and is not added to them.
func (r *run) sum(m store.Money, day store.Date) Value {
	if m.Minor == 0 {
		return Value{}
	}
	if m.Currency == r.Currency || r.Currency == "" {
		return sums(m)
	}
	at := [2]string{m.Currency, string(day)}
	exchange, known := r.exchanges[at]
	var err error
	if !known {
		if exchange, err = r.st.Exchange(r.ctx, m.Currency, r.Currency, day); err == nil {
			r.exchanges[at] = exchange
		}
	}
	in := m
	if err == nil {
		in, err = exchange.Convert(m.Minor)
	}
	var lacking *store.Lacking
	switch {
	case errors.As(err, &lacking):
		r.lacking[m.Currency] = true
		return sums(m)
	case err != nil:
		r.failed = errors.Join(r.failed, err)
		return sums(m)
	}
	return sums(in)
}

// noteRates says which currencies could not be converted, or that converting
// failed.
func (r *run) noteRates(t *Table) error {
	var all []string
	for currency := range r.lacking {
		all = append(all, currency)
	}
	slices.Sort(all)
	for _, currency := range all {
		t.Notes = append(t.Notes, r.t("no rate", currency, r.Currency))
	}
	return r.failed
}

// taxed are shipments and returns, and of how many the tax is not known: these
// count as revenue in full (rules.md section 6).
type taxed struct{ sold, unknown int64 }

func (t *taxed) add(o taxed) {
	t.sold += o.sold
	t.unknown += o.unknown
}

// noteTax says how much of the revenue may hold tax.
func (r *run) noteTax(t *Table, tax taxed) {
	if tax.unknown > 0 {
		say := voice{r.lang}
		t.Notes = append(t.Notes, r.t("tax", say.number(tax.unknown), say.number(tax.sold)))
	}
}

// atOnce is how many figures of one report are read at the same time: the
// connections are there for others too.
const atOnce = 2

// together reads figures that do not depend on each other.
func (r *run) together(reads ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(r.ctx)
	g.SetLimit(atOnce)
	for _, read := range reads {
		g.Go(func() error { return read(ctx) })
	}
	return g.Wait()
}

// gather collects what a reader of the store gives, so that nothing else is
// read while its rows are open.
func gather[T any](read func(each func(T) error) error) (all []T, err error) {
	err = read(func(one T) error {
		all = append(all, one)
		return nil
	})
	return all, err
}
