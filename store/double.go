package store

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Whether two records are one person: by addresses, phones and names as people
// write them. Nothing here asks the database.

// phoneKey is the form in which phones are compared: digits with the country,
// of Russia's where none is written, and the extension. "8 (916) 123-45-67",
// "+7 916 1234567" and "9161234567" are one. "" for what is too short to tell
// anybody by.
func phoneKey(s string) string {
	s = strings.ToLower(s)
	extension := ""
	for _, mark := range []string{";ext=", "доб", "вн.", "ext", "#", ",", "x", "p"} {
		if i := strings.Index(s, mark); i > 0 {
			s, extension = s[:i], digits(s[i:])
			break
		}
	}
	international := strings.HasPrefix(strings.TrimSpace(s), "+")
	n := digits(s)
	switch {
	case len(n) < 5:
		return ""
	case international:
	case strings.HasPrefix(n, "00") && len(n) > 10:
		n = n[2:]
	case len(n) == 11 && n[0] == '8':
		n = "7" + n[1:]
	case len(n) == 10: // an area code and a number, written at home
		n = "7" + n
	}
	if extension != "" {
		n += "x" + extension
	}
	return n
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func phoneKeys(phones []string) []string {
	var keys []string
	for _, s := range phones {
		if k := phoneKey(s); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func samePhone(a, b string) bool {
	k := phoneKey(a)
	return a == b || k != "" && k == phoneKey(b)
}

// latin spells Cyrillic letters so that the ways in which people transliterate
// names meet (nameWords makes the rest alike).
var latin = map[rune]string{
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'е': "e", 'ж': "zh", 'з': "z", 'и': "i", 'й': "i", 'к': "k", 'л': "l", 'м': "m", 'н': "n", 'о': "o",
	'п': "p", 'р': "r", 'с': "s", 'т': "t", 'у': "u", 'ф': "f", 'х': "h", 'ц': "ts", 'ч': "ch", 'ш': "sh", 'щ': "sch", 'ъ': "", 'ы': "i", 'ь': "", 'э': "e", 'ю': "iu", 'я': "ia",
}

var alike = strings.NewReplacer("shch", "sch", "kh", "h", "x", "ks", "w", "v", "y", "i", "j", "i")

// titles before a name say nothing about who it is.
var titles = []string{"mr", "mrs", "ms", "dr", "гн", "гжа", "господин", "госпожа"}

// nameWords are the words of a name, so spelled that "Дмитрий" and "Dmitry"
// are one.
func nameWords(name string) []string {
	name = strings.NewReplacer("г-н", "", "г-жа", "", "'", "", "’", "").Replace(fold(clip(name, 500)))
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(titles, w) })
	for i, w := range words {
		var b strings.Builder
		for _, r := range w {
			if to, ok := latin[r]; ok {
				b.WriteString(to)
			} else {
				b.WriteRune(r)
			}
		}
		var last rune
		words[i] = strings.Map(func(r rune) rune {
			if r == last {
				return -1
			}
			last = r
			return r
		}, alike.Replace(b.String()))
		if utf8.RuneCountInString(w) == 1 && words[i] != "" { // an initial: "Ю." begins "Yuri"
			_, n := utf8.DecodeRuneInString(words[i])
			words[i] = words[i][:n]
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// nameMatch is how many words of the shorter of two names the other one has,
// which is all of them, -1 where they cannot be one person's. An initial stands
// for a word, but not alone. 0: a name is missing or is an address, so it may
// be anybody's.
func nameMatch(a, b string) int {
	if strings.Contains(a, "@") || strings.Contains(b, "@") {
		return 0
	}
	few, rest := nameWords(a), nameWords(b)
	if len(few) > len(rest) {
		few, rest = rest, few
	}
	whole := 0
	var open []string
	for _, w := range few {
		if i := slices.Index(rest, w); i >= 0 && len(w) > 1 {
			rest = slices.Delete(rest, i, i+1)
			whole++
		} else {
			open = append(open, w)
		}
	}
	for _, w := range open {
		i := slices.IndexFunc(rest, func(r string) bool {
			return (len(w) == 1 || len(r) == 1) && w[0] == r[0]
		})
		if i < 0 {
			return -1
		}
		rest = slices.Delete(rest, i, i+1)
	}
	if whole == 0 && len(few) > 0 {
		return -1
	}
	return len(few)
}

// roles are local parts that several people of a company share.
var roles = []string{"info", "office", "sales", "mail", "zakaz", "order", "orders", "buh", "buhgalter", "accounting", "support", "hello", "contact", "reception", "secretary",
	"priemnaya", "admin", "zakupki", "tender", "opt", "shop", "help", "post", "hr", "service"}

// sharedAddress reports whether an address is no one person's.
func sharedAddress(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	return slices.Contains(roles, local)
}

// likeness is how sure it is that two are one person.
type likeness int

const (
	different likeness = iota
	doubtful           // somebody should look
	certain
)

// alikePersons compares two persons of one client.
func alikePersons(a, b *Person) likeness {
	words := nameMatch(a.Name, b.Name)
	email := func(shared bool) bool {
		return slices.ContainsFunc(a.Emails, func(s string) bool { return sharedAddress(s) == shared && slices.Contains(b.Emails, s) })
	}
	theirs := phoneKeys(b.Phones)
	phone := slices.ContainsFunc(phoneKeys(a.Phones), func(k string) bool { return slices.Contains(theirs, k) })
	// A given name alone is no name: two Olgas share a reception's phone.
	named := words > 1 || words > 0 && slices.Equal(nameWords(a.Name), nameWords(b.Name))
	switch {
	case email(false) && words >= 0, (email(true) || phone) && named:
		return certain
	case email(false), phone && words >= 0, words > 1:
		return doubtful // an address under two names; one name with other addresses
	}
	return different
}
