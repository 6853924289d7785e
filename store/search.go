package store

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Found is what a search found: at most so many of each kind as was asked for.
type Found struct {
	Clients  []Client
	Persons  []FoundPerson
	Deals    []Deal
	Contacts []Contact // newest first
	// More are the kinds of which there are others, or may be: of very common
	// words only the newest rows are looked at.
	More map[string]bool
	// Partial: the words of what was there before an upgrade are still being
	// collected, see IndexWords.
	Partial bool
}

// FoundPerson is a person with the name of the client.
type FoundPerson struct {
	Person
	Client string
}

// The kinds of records that are searched, as the history calls them, in the
// order in which IndexWords takes them.
const (
	searchedClient  = "client"
	searchedPerson  = "person"
	searchedDeal    = "deal"
	searchedContact = "contact"
)

var searchedKinds = []string{searchedClient, searchedPerson, searchedDeal, searchedContact}

const (
	maxQueryWords   = 8
	maxIndexedWords = 100 // of one record
	maxWord         = 40  // bytes
	minPhone        = 4   // digits, from any place in a number to its end
)

// searchWords are the words of a text as they are indexed and asked for:
// letters and digits, folded.
func searchWords(s string) []string {
	s = fold(norm.NFC.String(clean(s)))
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = clip(w, maxWord)
	}
	return words
}

// oneLetter reports whether a word of a query is a single letter or digit, which
// begins a good part of all words: it is looked for as it is, or not in the index
// where it is the last, which is perhaps still being typed.
func oneLetter(word string) bool { return utf8.RuneCountInString(word) == 1 }

// recordWords are the words of one record, each once.
type recordWords []string

func (w *recordWords) add(words ...string) {
	for _, word := range words {
		if word != "" && len(*w) < maxIndexedWords && !slices.Contains(*w, word) {
			*w = append(*w, word)
		}
	}
}

// phone adds a telephone's digits from each place on, so that it is found by
// its end, with and without the country and the city.
func (w *recordWords) phone(number string) {
	d, _, _ := strings.Cut(phoneKey(number), "x") // without the extension
	for i := 0; len(d)-i >= minPhone; i++ {
		w.add(d[i:])
	}
}

// number adds a deal's number whole, in its parts, and without leading zeros.
func (w *recordWords) number(number string) {
	w.add(searchWords(number)...)
	n := parseDealNumber(number)
	w.add(strings.Join(searchWords(n.plain), ""), n.bare)
	w.add(searchWords(n.plain)...)
}

// query is what somebody looks for.
type query struct {
	folded string
	words  []string
	phone  string // the digits, where there is nothing else
}

// parseQuery gives no words where there is nothing to look for: a single
// letter finds half of the house.
func parseQuery(s string) (q query) {
	s = clip(clean(s), 200)
	q.folded, q.words = fold(s), searchWords(s)
	q.words = q.words[:min(len(q.words), maxQueryWords)]
	if len(strings.Join(q.words, "")) < 2 || len(q.words) == 1 && len([]rune(q.words[0])) < 2 {
		q.words = nil
	}
	if d := digits(s); len(d) >= minPhone && !strings.ContainsFunc(s, unicode.IsLetter) {
		if len(d) == 11 && d[0] == '8' { // as it is dialled within Russia
			d = "7" + d[1:]
		}
		q.phone = d
	}
	return q
}

// dealNouns stand before numbers: "заказ 1045" is the deal 1045.
var dealNouns = []string{"заказ", "заказа", "заказу", "заказом", "сделка", "сделки", "сделку", "сделке", "no", "n", "order", "deal"}

// of gives the words to look for among records of a kind; none where that kind
// cannot be meant.
func (q query) of(kind string) []string {
	switch {
	case len(q.words) == 0:
		return nil
	case q.phone != "" && (kind == searchedClient || kind == searchedPerson):
		return []string{q.phone}
	case kind == searchedDeal:
		words := slices.DeleteFunc(slices.Clone(q.words), func(w string) bool { return slices.Contains(dealNouns, w) })
		if !slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, "0123456789") }) {
			return nil // numbers have digits
		}
		return words
	}
	return q.words
}

// closeness orders what was found by its name: the very name, then those that
// begin with what was typed, then the others.
func (q query) closeness(name string) int {
	name = fold(name)
	switch {
	case name == q.folded:
		return 0
	case strings.HasPrefix(name, q.folded):
		return 1
	}
	return 2
}
