package store

import (
	"fmt"
	"math"
	"math/big"

	"github.com/govalues/decimal"
)

// RateRow is a row of `import rates`: from Date on, Per units of Currency are
// worth Rate in the currency of the accounts, until a later row.
type RateRow struct {
	Date     Date
	Currency string // ISO 4217
	Rate     string // decimal text with a point, as "92.4521"
	Per      int64  // 1 when 0
}

// rateScale is the number of decimals of rates.rate.
const rateScale = 8

// Rate is what a currency is worth in that of the accounts: Minor /
// (10^8 · Per).
type Rate struct {
	Minor int64 // of Per units, in hundred-millionths
	Per   int64
}

// parity is the rate of the accounts' own currency.
var parity = Rate{1e8, 1}

// ParseRate reads a positive decimal number of at most eight decimals.
func ParseRate(text string, per int64) (Rate, error) {
	d, err := decimal.Parse(text)
	if err == nil && d.Trim(0).Scale() <= rateScale && d.IsPos() {
		if scaled, err := d.Mul(decimal.MustNew(1e8, 0)); err == nil {
			if minor, _, ok := scaled.Int64(0); ok {
				if per < 1 || per > 1e9 {
					return Rate{}, invalid("per", "%d is not between 1 and 1000000000", per)
				}
				return Rate{minor, per}, nil
			}
		}
	}
	return Rate{}, invalid("rate", "%q is not a rate like 92.4521", clip(text, 40))
}

// Plain is the rate of Per units with a point, for machines.
func (r Rate) Plain() string { return decimal.MustNew(r.Minor, rateScale).Trim(0).String() }

// Exchange converts sums of one currency into another at the rates of one day.
type Exchange struct {
	from, to Rate
	currency [2]string // from, to
}

// Convert converts a sum in minor units: the only rounding is at the end, to
// the minor unit, half to even.
func (e Exchange) Convert(minor int64) (Money, error) {
	if e.currency[0] == e.currency[1] {
		return Money{minor, e.currency[1]}, nil
	}
	return exchangeAt(Money{minor, e.currency[0]}, e.from, e.to, e.currency[1])
}

// exchangeAt converts a sum from a currency at one rate into a currency at another:
// the only rounding is at the end, to the minor unit, half to even.
func exchangeAt(m Money, from, to Rate, currency string) (Money, error) {
	// minor · from/fromPer · toPer/to
	up := new(big.Int).Mul(big.NewInt(m.Minor), big.NewInt(from.Minor))
	up.Mul(up, big.NewInt(to.Per))
	down := new(big.Int).Mul(big.NewInt(from.Per), big.NewInt(to.Minor))
	sign := up.Sign()
	q, r := new(big.Int).QuoRem(up.Abs(up), down, new(big.Int))
	if half := r.Lsh(r, 1).Cmp(down); half > 0 || half == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() || q.Int64() > math.MaxInt64/1000 {
		return Money{}, fmt.Errorf("%s %s is too large in %s", m.Plain(), m.Currency, currency)
	}
	return Money{int64(sign) * q.Int64(), currency}, nil
}

// noRate is the fault of a sum that cannot be converted.
func noRate(currency string, on Date) error {
	return &Lacking{
		Invalid: Invalid{"currency", fmt.Sprintf("there is no rate of %s on %s", currency, on)},
		Reason:  LacksRate, Detail: QuestionDetail{Lacks: currency, On: on}, until: waitsFor(AboutRate, currency),
	}
}
