package store

import (
	"slices"
	"strings"
)

// kindNames are the words by which a contact's kind is recognised in a title
// or category: whole words, by their stems (see KindIn).
var kindNames = []struct {
	kind  Kind
	stems []string // a word that begins so …
	words []string // … or is exactly this
	not   []string // but does not begin so
}{
	{Call,
		[]string{"звонок", "звонк", "звони", "звоню", "звонят", "позвон", "перезвон", "созвон", "созван", "дозвон", "обзвон", "прозвон"},
		[]string{"call", "calls", "calling", "phone", "phoning", "telephone"}, nil},
	{Visit,
		[]string{"визит", "посещ", "посети"},
		[]string{"visit", "visits", "visiting"}, []string{"визитк", "визитн", "визитер"}},
	{Meeting,
		[]string{"встреч", "встрет", "переговор", "совещани"},
		[]string{"meeting", "meetings", "meet"}, nil},
	{Letter,
		nil, // "письменный" is no letter
		[]string{"письмо", "письма", "письму", "письме", "письмом", "письмами", "письмах", "письмам", "писем", "letter", "letters", "mail", "mails", "email", "emails"}, nil},
}

// KindIn guesses the kind of a contact from words; "" when none fits. The
// first word that fits decides.
func KindIn(s string) Kind {
	s = strings.ReplaceAll(strings.ToLower(s), "ё", "е")
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'а' && r <= 'я')
	}) {
		for _, n := range kindNames {
			begins := func(stem string) bool { return strings.HasPrefix(word, stem) }
			if slices.Contains(n.words, word) || slices.ContainsFunc(n.stems, begins) && !slices.ContainsFunc(n.not, begins) {
				return n.kind
			}
		}
	}
	return ""
}
