package store

import (
	"slices"
	"strings"
	"unicode"
)

// dealNumber is a deal's number as people and accounting systems write it:
// "1045", "0000-001045", "ЦБ-0001045", "1045/26".
type dealNumber struct {
	full  string // folded, without spaces
	plain string // each group without its leading zeros: "цб-1045"
	bare  string // the only group of digits that is not zero: "1045"; "" when there are more
}

// maxDealNumber bounds a number, in bytes.
const maxDealNumber = 60

func parseDealNumber(s string) (n dealNumber) {
	n.full = strings.ReplaceAll(strings.Trim(fold(clip(clean(s), maxDealNumber)), "№#-/.:, "), " ", "")
	groups := strings.FieldsFunc(n.full, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var plain []string
	significant := 0
	for _, g := range groups {
		for _, part := range splitDigits(g) {
			if part[0] < '0' || part[0] > '9' {
				plain = append(plain, part)
				continue
			}
			if part = strings.TrimLeft(part, "0"); part != "" {
				plain, n.bare = append(plain, part), part
				significant++
			}
		}
	}
	n.plain = strings.Join(plain, "-")
	if significant != 1 {
		n.bare = ""
	}
	return n
}

// splitDigits cuts "цб0001045" into letters and digits.
func splitDigits(s string) (out []string) {
	start, digit := 0, false
	for i, r := range s {
		d := r >= '0' && r <= '9'
		if i > 0 && d != digit {
			out, start = append(out, s[start:i]), i
		}
		digit = d
	}
	return append(out, s[start:])
}

// dealNumbered is a deal and its number.
type dealNumbered struct {
	id     int64
	number string
}

// dealNamed finds the one deal that the mentions name among a client's deals.
// Of each mention the full number counts; where no deal has it, the number
// without leading zeros, and at last without its prefix, if then only one deal
// fits. 0 when the mentions name none; several is true when they name more
// than one.
func dealNamed(deals []dealNumbered, mentions []string) (id int64, several bool) {
	numbers := make([]dealNumber, len(deals))
	for i, d := range deals {
		numbers[i] = parseDealNumber(d.number)
	}
	var named []int64
	for _, m := range mentions {
		said := parseDealNumber(m)
		if said.full == "" {
			continue
		}
		for _, fits := range []func(dealNumber) bool{
			func(n dealNumber) bool { return n.full == said.full },
			func(n dealNumber) bool { return n.plain != "" && n.plain == said.plain },
			func(n dealNumber) bool { return said.bare != "" && said.bare == said.plain && n.bare == said.bare },
		} {
			var hits []int64
			for i, n := range numbers {
				if fits(n) {
					hits = append(hits, deals[i].id)
				}
			}
			if len(hits) > 1 {
				return 0, true // nobody can tell which
			}
			if len(hits) == 1 {
				if !slices.Contains(named, hits[0]) {
					named = append(named, hits[0])
				}
				break
			}
		}
	}
	if len(named) != 1 {
		return 0, len(named) > 1
	}
	return named[0], false
}

// dealMentioned is the deal of a client that a letter names: in its subject,
// else in its text; 0 when it names none or several.
func (t *tx) dealMentioned(clientID int64, l *FiledLetter) (int64, error) {
	if len(l.SubjectNumbers)+len(l.TextNumbers) == 0 {
		return 0, nil
	}
	var deals []dealNumbered
	err := t.rows(`SELECT id, number FROM deals WHERE client_id = $1 ORDER BY date DESC, id DESC LIMIT 2000`, []any{clientID}, func(scan func(...any) error) error {
		var d dealNumbered
		err := scan(&d.id, &d.number)
		deals = append(deals, d)
		return err
	})
	if err != nil || len(deals) == 0 {
		return 0, err
	}
	for _, mentions := range [][]string{l.SubjectNumbers, l.TextNumbers} {
		if id, several := dealNamed(deals, mentions[:min(len(mentions), 20)]); id != 0 || several {
			return id, nil
		}
	}
	return 0, nil
}
