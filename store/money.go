package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/govalues/decimal"
)

// Money is a sum in minor units with its ISO 4217 currency.
type Money struct {
	Minor    int64
	Currency string
}

// ParseMoney reads a sum as people write it: "1 234,56", "1234.56", "-7".
// Spaces (also no-break ones) between thousands are dropped; more than two
// decimals are refused rather than rounded.
func ParseMoney(s, currency string) (Money, error) {
	d, err := parseSum(s)
	if err != nil || d.Trim(0).Scale() > 2 {
		return Money{}, fmt.Errorf("%q is not a sum like 1234.56", s)
	}
	return minorUnits(s, d, currency)
}

// ParsePrice reads the price of one piece, written as a sum: it may have more
// than two decimals and is rounded, half to even.
func ParsePrice(s, currency string) (Money, error) {
	d, err := parseSum(s)
	if err != nil {
		return Money{}, fmt.Errorf("%q is not a price like 1234.56", s)
	}
	return minorUnits(s, d.Round(2), currency)
}

func parseSum(s string) (decimal.Decimal, error) {
	clean := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '\u202f', '\'':
			return -1
		case ',':
			return '.'
		}
		return r
	}, strings.TrimSpace(s))
	return decimal.Parse(clean)
}

func minorUnits(s string, d decimal.Decimal, currency string) (Money, error) {
	hundred, err := d.Mul(decimal.Hundred)
	if err != nil {
		return Money{}, fmt.Errorf("the sum %q is too large", s)
	}
	minor, _, ok := hundred.Int64(0)
	if !ok || minor == math.MinInt64 || minor > math.MaxInt64/1000 || minor < -math.MaxInt64/1000 {
		return Money{}, fmt.Errorf("the sum %q is too large", s)
	}
	return Money{Minor: minor, Currency: currency}, nil
}

// Plain is the sum with a point and two decimals, "1234.56", for machines.
func (m Money) Plain() string {
	var room [24]byte
	to, v := room[:0], uint64(m.Minor)
	if m.Minor < 0 {
		to, v = append(to, '-'), -v
	}
	return string(append(strconv.AppendUint(to, v/100, 10), '.', byte('0'+v/10%10), byte('0'+v%10)))
}

// Format is the sum as people of that language write it: "1 234 567,00 ₽",
// "₽1,234,567.00". Spaces are no-break ones.
func (m Money) Format(lang Language) string {
	var room [64]byte
	to, v := room[:0], uint64(m.Minor)
	if m.Minor < 0 {
		to, v = append(to, "−"...), -v
	}
	symbol := currencySymbol(m.Currency)
	point := byte(',')
	if lang != Russian {
		point = '.'
		to = append(to, symbol...)
		if symbol == m.Currency {
			to = append(to, "\u00a0"...)
		}
	}
	to = append(appendNumber(to, lang, v/100), point, byte('0'+v/10%10), byte('0'+v%10))
	if lang == Russian {
		to = append(append(to, "\u00a0"...), symbol...)
	}
	return string(to)
}

// Whole is Format without the minor units, rounded half away from zero: where
// several sums stand side by side.
func (m Money) Whole(lang Language) string {
	half := int64(50)
	if m.Minor < 0 {
		half = -half
	}
	m.Minor = (m.Minor + half) / 100 * 100
	if lang == Russian {
		return strings.Replace(m.Format(lang), ",00\u00a0", "\u00a0", 1)
	}
	return strings.TrimSuffix(m.Format(lang), ".00") // its commas stand between thousands
}

// Number is a whole number as people of that language write it: "1 234 567",
// "1,234,567". Spaces are no-break ones.
func Number(lang Language, n int64) string {
	if n >= 0 && n < 100 {
		return strconv.FormatInt(n, 10) // most are, and these cost no memory
	}
	var room [64]byte
	to, v := room[:0], uint64(n)
	if n < 0 {
		to, v = append(to, "−"...), -v
	}
	return string(appendNumber(to, lang, v))
}

func appendNumber(to []byte, lang Language, n uint64) []byte {
	group := ","
	if lang == Russian {
		group = "\u00a0"
	}
	var room [20]byte
	digits := strconv.AppendUint(room[:0], n, 10)
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			to = append(to, group...)
		}
		to = append(to, digit)
	}
	return to
}

func currencySymbol(code string) string {
	switch code {
	case "RUB":
		return "₽"
	case "USD":
		return "$"
	case "EUR":
		return "€"
	}
	return code
}
