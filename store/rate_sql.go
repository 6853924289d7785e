package store

import (
	"context"
	"errors"
	"regexp"
)

// Rates decide only where currencies meet: a document that is paid in another
// currency than its deal's counts for it at the last rate known on or before
// its date. Sums are kept as they were given.

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// Rate makes or changes the rate of a currency from a day on.
func (im *Import) Rate(row RateRow) (RowChange, error) {
	if err := required("date", string(row.Date), 10); err != nil {
		return "", err
	}
	rate, err := im.rate(&row)
	if err != nil {
		return "", err
	}
	old, err := im.t.rateFrom(row.Currency, row.Date)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if old == rate {
		return RowUnchanged, nil
	}
	change := RowChanged
	if errors.Is(err, ErrNotFound) {
		change = RowNew
	}
	_, err = im.t.exec(`INSERT INTO rates (currency, date, rate, per) VALUES ($1, $2, $3, $4)
		ON CONFLICT (currency, date) DO UPDATE SET rate = excluded.rate, per = excluded.per`, row.Currency, string(row.Date), rate.Minor, rate.Per)
	if err != nil {
		return "", err
	}
	return im.done(change, im.newRate(row.Currency))
}

// RateOfDocument notes a rate that a document states for its own day, unless
// one is known for that day: what `import rates` says goes before.
func (im *Import) RateOfDocument(row RateRow) error {
	if _, err := im.rate(&row); err != nil {
		return err
	}
	_, err := im.t.rateFrom(row.Currency, row.Date)
	if errors.Is(err, ErrNotFound) {
		_, err = im.Rate(row)
	}
	return err
}

// rate checks a row.
func (im *Import) rate(row *RateRow) (Rate, error) {
	if !currencyCode.MatchString(row.Currency) {
		return Rate{}, invalid("currency", "%q is not a code like USD", clip(row.Currency, 40))
	}
	if row.Currency == im.t.s.opt.Currency {
		return Rate{}, invalid("currency", "%s is the currency of the accounts, in which the others are rated", row.Currency)
	}
	return ParseRate(row.Rate, max(row.Per, 1))
}

// newRate takes what waited for a rate, and remembers that deals may be
// covered in another way.
func (im *Import) newRate(currency string) error {
	if im.rates == nil {
		im.rates = map[string]bool{}
	}
	im.rates[currency] = true
	clear(im.t.rates)
	return im.arrived(AboutRate, currency)
}

// coverForeign shares documents anew among the events of deals where a changed
// rate counts.
func (im *Import) coverForeign() error {
	t := im.t
	var deals []int64
	for currency := range im.rates {
		found, err := t.numbers(`SELECT DISTINCT doc.deal_id FROM documents doc JOIN deals d ON d.id = doc.deal_id
			WHERE doc.foreign_sum AND (doc.currency = $1 OR d.currency = $1)`, currency)
		deals = append(deals, found...)
		if err != nil {
			return err
		}
	}
	im.rates = nil
	for _, id := range deals {
		if _, err := im.done(RowChanged, t.cover(id)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) rateFrom(currency string, day Date) (r Rate, err error) {
	err = t.row(`SELECT rate, per FROM rates WHERE currency = $1 AND date = $2`, []any{currency, string(day)}, &r.Minor, &r.Per)
	return r, err
}

type rateKey struct {
	currency string
	on       Date
}

// rateOn is the last rate known on or before a day; ErrNotFound for none.
func (t *tx) rateOn(currency string, on Date) (Rate, error) {
	if currency == t.s.opt.Currency {
		return parity, nil
	}
	k := rateKey{currency, on}
	if r, known := t.rates[k]; known {
		return r, nil
	}
	var r Rate
	err := t.row(`SELECT rate, per FROM rates WHERE currency = $1 AND date <= $2 ORDER BY date DESC LIMIT 1`, []any{currency, string(on)}, &r.Minor, &r.Per)
	if err != nil {
		return r, err
	}
	if t.rates == nil || len(t.rates) > 10_000 {
		t.rates = map[rateKey]Rate{}
	}
	t.rates[k] = r
	return r, nil
}

// convert gives a sum in another currency at the last rates known on or before
// a day, rounded to the minor unit, half to even. Without a rate the error is
// a *Lacking of the reason LacksRate.
func (t *tx) convert(m Money, currency string, on Date) (Money, error) {
	e, err := t.exchange(m.Currency, currency, on)
	if err != nil {
		return Money{}, err
	}
	return e.Convert(m.Minor)
}

// exchange is convert's for all sums of a currency.
func (t *tx) exchange(from, to string, on Date) (Exchange, error) {
	e := Exchange{from: parity, to: parity, currency: [2]string{from, to}}
	if from == to {
		return e, nil
	}
	for i, rate := range []*Rate{&e.from, &e.to} {
		r, err := t.rateOn(e.currency[i], on)
		if errors.Is(err, ErrNotFound) {
			return e, noRate(e.currency[i], on)
		}
		if err != nil {
			return e, err
		}
		*rate = r
	}
	return e, nil
}

// Exchange gives the exchange of one currency into another at the last rates
// known on or before a day. Without a rate the error is a *Lacking of the
// reason LacksRate, which names the currency.
func (s *Store) Exchange(ctx context.Context, from, to string, on Date) (e Exchange, err error) {
	err = s.read(ctx, func(t *tx) error {
		e, err = t.exchange(from, to, on)
		return err
	})
	return e, err
}

// EachRate calls fn for every rate as it would be imported.
func (s *Store) EachRate(ctx context.Context, fn func(*RateRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT date, currency, rate, per FROM rates ORDER BY date, currency`, nil, func(scan func(...any) error) error {
			var row RateRow
			var r Rate
			if err := scan(&row.Date, &row.Currency, &r.Minor, &r.Per); err != nil {
				return err
			}
			row.Rate, row.Per = r.Plain(), r.Per
			return fn(&row)
		})
	})
}
