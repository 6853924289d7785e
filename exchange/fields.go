package exchange

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// fields turns the texts of one row into values. The first fault is kept, and
// what follows gives zero values.
type fields struct {
	rows     *rows
	row      *row
	currency string         // of sums whose row names none
	zone     *time.Location // of clock times that name none; UTC when nil
	fault    error
}

// refuse keeps the first fault.
func (f *fields) refuse(field, format string, args ...any) {
	if f.fault == nil {
		f.fault = &store.Invalid{Field: field, Reason: fmt.Sprintf(format, args...)}
	}
}

func (f *fields) index(name string) int {
	for i, c := range f.rows.columns {
		if c.name == name {
			return i
		}
	}
	panic("no column " + name + " in " + string(f.rows.kind))
}

// text is the value under a column, "" when there is none.
func (f *fields) text(name string) string { return f.row.cells[f.index(name)] }

// word is the value that stands for the text in a vocabulary.
func (f *fields) word(name string, v vocabulary) string {
	text := f.text(name)
	if text == "" {
		return ""
	}
	value, known := v.value[foldWord(text)]
	if !known {
		f.refuse(name, "%q is not %s", short(text), v.hint)
	}
	return value
}

// listed begins a list with the values of a JSON array. It is nil where the
// file has no such column, which is not the same as an empty list.
func (f *fields) listed(i int) []string {
	if !f.row.given[i] {
		return nil
	}
	return append([]string{}, f.row.lists[i]...)
}

// addresses is a list whose values hold no spaces: e-mail addresses, domains.
func (f *fields) addresses(name string) []string {
	i := f.index(name)
	list := f.listed(i)
	for _, one := range strings.FieldsFunc(f.row.cells[i], func(r rune) bool {
		return r == ',' || r == ';' || r == '|' || r == ' ' || r == '\n' || r == '\t' || r == '\u00a0'
	}) {
		if one = strings.Trim(strings.TrimPrefix(one, "mailto:"), "<>"); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// phones is a list whose values may hold spaces.
func (f *fields) phones(name string) []string {
	i := f.index(name)
	return append(f.listed(i), splitPhones(f.row.cells[i])...)
}

var extension = regexp.MustCompile(`(?i)^(доб|вн|ext|x)[\s.:]*\d`)

// splitPhones cuts at commas, semicolons, bars and line ends, but not before
// an extension ("8 495 123-45-67, доб. 105"); and at spaces where each part is
// a whole number ("84951234567 89161234567") or begins with a plus.
func splitPhones(text string) []string {
	var list []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == '|' || r == '\n' }) {
		part = clean(part)
		switch {
		case part == "":
		case extension.MatchString(part) && len(list) > 0:
			list[len(list)-1] += ", " + part
		default:
			list = append(list, wholePhones(part)...)
		}
	}
	return list
}

func wholePhones(part string) []string {
	words := strings.Fields(part)
	whole := len(words) > 1
	for _, w := range words {
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, w)
		whole = whole && len(digits) >= 10
	}
	if whole {
		return words
	}
	var list []string
	for i, one := range strings.Split(part, " +") {
		if i > 0 {
			one = "+" + one
		}
		list = append(list, strings.TrimSpace(one))
	}
	return list
}

var (
	isoDay     = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]+(.*))?$`)
	russianDay = regexp.MustCompile(`^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:\s+(.*))?$`)
	clockTime  = regexp.MustCompile(`^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?$`)
)

// date reads 2026-11-23 and 23.11.2026, with a time of day or without: it is
// left out. The empty date of 1C (01.01.0001) is none.
func (f *fields) date(name string) store.Date { return f.day(name, f.text(name)) }

func (f *fields) day(name, text string) store.Date {
	if text == "" || strings.Trim(text, " .") == "" {
		return ""
	}
	var year, month, day, clock string
	if m := isoDay.FindStringSubmatch(text); m != nil {
		year, month, day, clock = m[1], m[2], m[3], m[4]
	} else if m := russianDay.FindStringSubmatch(text); m != nil {
		year, month, day, clock = m[3], m[2], m[1], m[4]
	}
	if year == "" || clock != "" && !clockTime.MatchString(clock) {
		f.refuse(name, "%q is not a date like 2026-11-23 or 23.11.2026", short(text))
		return ""
	}
	if year == "0001" {
		return ""
	}
	m, _ := strconv.Atoi(month) // digits, by the pattern
	d, _ := strconv.Atoi(day)
	date, err := store.ParseDate(fmt.Sprintf("%s-%02d-%02d", year, m, d))
	if err != nil {
		f.refuse(name, "there is no day %q", short(text))
	}
	return date
}

// span reads start, end and days of a contact.
func (f *fields) span() store.Span {
	if first, last, _ := strings.Cut(f.text("days"), "/"); first != "" {
		a, b := f.day("days", first), f.day("days", cmp.Or(last, first))
		if b < a {
			f.refuse("days", "%q ends before it starts", short(f.text("days")))
		}
		return store.Span{AllDay: true, First: a, Last: b}
	}
	start, day := f.moment("start")
	end, last := f.moment("end")
	switch {
	case day != "" && (last != "" || end.IsZero()):
		if last = cmp.Or(last, day); last < day {
			f.refuse("end", "ends before it starts")
		}
		return store.Span{AllDay: true, First: day, Last: last}
	case day != "" || last != "":
		f.refuse("end", "one of start and end has a time of day, the other has none")
	case start.IsZero():
		start = end
	case end.IsZero():
		end = start
	}
	return store.Span{Start: start.UTC(), End: end.UTC()}
}

// moment reads a time as RFC 3339 writes it or people do, "23.11.2026 14:30",
// or only a day.
func (f *fields) moment(name string) (at time.Time, day store.Date) {
	text := f.text(name)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, ""
	}
	if day = f.date(name); day == "" {
		return time.Time{}, ""
	}
	_, clock, _ := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	clock = strings.TrimSpace(clock)
	if clock == "" {
		return time.Time{}, day
	}
	zone := f.zone
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range []string{"15:04", "15:04:05", "15:04Z07:00", "15:04:05Z07:00", "15:04Z0700", "15:04:05Z0700"} {
		if at, err := time.ParseInLocation("2006-01-02 "+layout, string(day)+" "+clock, zone); err == nil {
			return at, ""
		}
	}
	f.refuse(name, "%q is not a time like 2026-11-23 14:30", short(text))
	return time.Time{}, ""
}

// minutes is a whole number that is not negative.
func (f *fields) minutes(name string) int {
	text := f.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		f.refuse(name, "%q is not a number of minutes", short(text))
	}
	return n
}

// sumOf reads a sum and whether there was one. It is never negative: what goes
// back is a document of the kind return.
func (f *fields) sumOf(name string) (store.Money, bool) {
	text := f.text(name)
	if text == "" {
		return store.Money{Currency: f.rowCurrency()}, false
	}
	sum, err := store.ParseMoney(plainNumber(text), f.rowCurrency())
	switch {
	case err != nil || strings.ContainsAny(text, "eE"): // 1,2E+05 has lost its digits
		f.refuse(name, "%q is not a sum like 1234.56", short(text))
	case sum.Minor < 0:
		f.refuse(name, "the sum %s is negative", short(text))
	}
	return sum, true
}

func (f *fields) sum(name string) store.Money {
	sum, _ := f.sumOf(name)
	return sum
}

// knownSum is nil where the row gives no sum: unknown is not zero.
func (f *fields) knownSum(name string) *store.Money {
	if sum, known := f.sumOf(name); known {
		return &sum
	}
	return nil
}

// quantity is a decimal number with a point.
func (f *fields) quantity(name string) string {
	text := f.text(name)
	if text == "" {
		return ""
	}
	number := plainNumber(text)
	if !decimalNumber.MatchString(number) {
		f.refuse(name, "%q is not a quantity like 12.5", short(text))
	}
	return number
}

var decimalNumber = regexp.MustCompile(`^-?\d{1,18}(\.\d{1,9})?$`)

// plainNumber leaves the spaces and the currency out of a number as people
// write it, and makes its comma a point: "1 234,50 руб." is "1234.50". Where
// both stand, the last is the decimal one: "1,234.50", "1.234,50".
func plainNumber(text string) string {
	for _, unit := range []string{"руб.", "руб", "р.", "₽", "RUB", "$", "€"} {
		text = strings.TrimSuffix(text, unit)
	}
	text = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '\u2009', '\u202f', '\'':
			return -1
		case '−':
			return '-'
		}
		return r
	}, text)
	comma, point := strings.LastIndexByte(text, ','), strings.LastIndexByte(text, '.')
	switch {
	case comma >= 0 && point > comma && strings.Count(text, ".") == 1:
		return strings.ReplaceAll(text, ",", "")
	case point >= 0 && comma > point && strings.Count(text, ",") == 1:
		text = strings.ReplaceAll(text, ".", "")
	}
	return strings.ReplaceAll(text, ",", ".")
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// rowCurrency is the currency of the row's sums.
func (f *fields) rowCurrency() string {
	for i, c := range f.rows.columns {
		text := f.row.cells[i]
		if c.name != "currency" || text == "" {
			continue
		}
		if code, known := currencyWords.value[foldWord(text)]; known {
			return code
		}
		if code := strings.ToUpper(text); currencyCode.MatchString(code) {
			return code
		}
		f.refuse("currency", "%q is not %s", short(text), currencyWords.hint)
	}
	return f.currency
}

// short keeps a fault readable whatever the cell holds.
func short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
