package exchange

import "strings"

// A spreadsheet takes a cell that begins with = + - @, a tab or a carriage
// return for a formula, and a stranger can put one into a letter's subject. So
// exported CSV writes an apostrophe before such a text, and import takes it
// away again. Numbers and phones, of which a spreadsheet can make nothing
// worse than a number, stay as they are.

// Guard makes a text that goes into a CSV file harmless to spreadsheets.
func Guard(s string) string {
	if !formula(strings.TrimLeft(s, "'")) || numeric(s) {
		return s
	}
	return "'" + s
}

// unguard takes Guard's apostrophe away.
func unguard(s string) string {
	if strings.HasPrefix(s, "'") && formula(strings.TrimLeft(s, "'")) {
		return s[1:]
	}
	return s
}

func formula(s string) bool { return s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 }

// numeric reports whether s is a signed number, or a phone, or several.
func numeric(s string) bool {
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	return strings.Trim(s, "0123456789 ()+-.,;\u00a0") == ""
}
