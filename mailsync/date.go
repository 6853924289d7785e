package mailsync

import (
	"strings"
	"time"
)

var months = map[string]time.Month{
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
	"янв": 1, "фев": 2, "мар": 3, "апр": 4, "май": 5, "мая": 5, "июн": 6, "июл": 7, "авг": 8, "сен": 9, "окт": 10, "ноя": 11, "дек": 12,
}

// zones are the names that RFC 5322 section 4.3 gives a meaning, and MSK.
var zones = map[string]int{
	"ut": 0, "gmt": 0, "utc": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
	"mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "msk": 3, "msd": 4, "cet": 1, "cest": 2, "eet": 2, "eest": 3,
}

// parseDate reads a Date field: RFC 5322 with its obsolete forms, and what
// else senders write ("Tue Jan  9 08:06:48 2024", "2024-01-09 08:06:48 +0300",
// comments, no seconds, no zone, Russian months). The result is in UTC.
func parseDate(s string) (time.Time, bool) { return parseDateIn(s, time.UTC) }

// parseDateIn is parseDate where a date without a zone is meant in loc.
func parseDateIn(s string, loc *time.Location) (time.Time, bool) {
	s = dropComments(clipText(s, 200))
	var (
		day, year = 0, 0
		month     time.Month
		clock     = time.Duration(-1)
		offset    = 0 // seconds
		zoned     = false
	)
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if len(words) > 0 { // 2024-01-09T08:06:48Z
		if t, err := time.Parse(time.RFC3339Nano, words[0]); err == nil {
			return t.UTC(), true
		}
	}
	for _, w := range words {
		low := strings.ToLower(strings.Trim(w, ".\"'"))
		switch {
		case low == "":
		case strings.Count(w, ":") > 0 && clock < 0 && w[0] >= '0' && w[0] <= '9':
			var ok bool
			if clock, ok = parseClock(w); !ok {
				return time.Time{}, false
			}
		case low == "pm" && clock >= 0 && clock < 12*time.Hour:
			clock += 12 * time.Hour
		case low == "am" && clock >= 12*time.Hour && clock < 13*time.Hour:
			clock -= 12 * time.Hour
		case (w[0] == '+' || w[0] == '-') && len(w) > 1:
			offset, zoned = parseOffset(w), true
		case month == 0 && monthOf(low) != 0:
			month = monthOf(low)
		case strings.Count(low, "-") == 2 || strings.Count(low, ".") == 2 || strings.Count(low, "/") == 2:
			day, month, year = parseNumericDate(low)
		case low[0] >= '0' && low[0] <= '9':
			n, ok := number(low)
			switch {
			case !ok:
			case day == 0 && n >= 1 && n <= 31 && len(low) <= 2:
				day = n
			case year == 0 && len(low) <= 4:
				year = n
			}
		default:
			for _, prefix := range []string{"gmt", "utc"} { // GMT+3
				if rest, ok := strings.CutPrefix(low, prefix); ok && len(rest) > 1 {
					offset, zoned = parseOffset(rest), true
				}
			}
			if hours, ok := zones[low]; ok {
				offset, zoned = hours*3600, true
			}
		}
	}
	switch { // RFC 5322 section 4.3
	case year < 50 && year > 0:
		year += 2000
	case year < 1000 && year > 0:
		year += 1900
	}
	if day == 0 || month == 0 || year == 0 || year > 9999 {
		return time.Time{}, false
	}
	if !zoned && loc != time.UTC {
		clock = max(clock, 0)
		return time.Date(year, month, day, int(clock.Hours()), int(clock.Minutes())%60, int(clock.Seconds())%60, 0, loc).UTC(), true
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Add(max(clock, 0) - time.Duration(offset)*time.Second), true
}

func monthOf(low string) time.Month {
	r := []rune(low)
	if len(r) < 3 {
		return 0
	}
	return months[string(r[:3])]
}

func number(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > 1e6 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// parseClock reads 8:06, 08:06:48 and 08.06.48.123.
func parseClock(s string) (time.Duration, bool) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return -1, false
	}
	var hms [3]int
	for i, p := range parts {
		p, _, _ = strings.Cut(p, ".")
		n, ok := number(p)
		if !ok {
			return -1, false
		}
		hms[i] = n
	}
	if hms[0] > 24 || hms[1] > 59 || hms[2] > 60 {
		return -1, false
	}
	return time.Duration(hms[0])*time.Hour + time.Duration(hms[1])*time.Minute + time.Duration(hms[2])*time.Second, true
}

// parseOffset reads +0300, +03:00, -3; in seconds, 0 for nonsense.
func parseOffset(s string) int {
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	n, ok := number(strings.ReplaceAll(s[1:], ":", ""))
	if !ok {
		return 0
	}
	if n < 24 {
		n *= 100
	}
	if n/100 > 14 || n%100 > 59 {
		return 0
	}
	return sign * (n/100*3600 + n%100*60)
}

// parseNumericDate reads 2024-01-09, 09.01.2024 and 09-Jan-2024.
func parseNumericDate(s string) (day int, month time.Month, year int) {
	p := strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '.' || r == '/' })
	if len(p) != 3 {
		return 0, 0, 0
	}
	a, okA := number(p[0])
	c, okC := number(p[2])
	if !okA || !okC {
		return 0, 0, 0
	}
	if month = monthOf(p[1]); month == 0 {
		m, ok := number(p[1])
		if ok && m > 12 && m <= 31 && a >= 1 && a <= 12 && strings.Contains(s, "/") {
			a, m = m, a // 11/23/2026, as Americans write
		}
		if !ok || m < 1 || m > 12 {
			return 0, 0, 0
		}
		month = time.Month(m)
	}
	if a > 31 {
		a, c = c, a
	}
	if a < 1 || a > 31 {
		return 0, 0, 0
	}
	return a, month, c
}

// dropComments removes RFC 5322 comments, "(MSK)".
func dropComments(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	var b strings.Builder
	depth := 0
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}
