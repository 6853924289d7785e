package store

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Subject is somebody who asks what is known of them, or to be forgotten: the
// persons that they are, and by what they can be recognised in a text.
type Subject struct {
	Persons []int64  `json:"persons"`
	Names   []string `json:"names"`
	Emails  []string `json:"emails"`
	Phones  []string `json:"phones"`
}

// wholeNames are those that can be nobody else's: of two words at least, and
// not short ones. "Olga" stands for many.
func (s *Subject) wholeNames() (names []string) {
	for _, n := range s.Names {
		if words := strings.Fields(n); len(words) > 1 && len([]rune(n)) >= 7 {
			names = append(names, n)
		}
	}
	return names
}

// mentions finds a subject in texts, and replaces what it finds.
type mentions struct {
	// Each has three groups: the sign before, what is looked for, the sign behind.
	res  []*regexp.Regexp
	hint [][]byte // core has one of these of every text with a mention: most texts have none
	with string
}

// likeSign are letters and signs that stand for each other: ё is mostly written
// as е, an address book of Apple's may take both apart, programs write some
// signs of their own in another way (JSON, HTML).
var likeSign = strings.NewReplacer("е", either, "ё", either, "Е", either, "Ё", either, "й", short, "Й", short,
	"'", apostrophe, "’", apostrophe, "ʼ", apostrophe, `"`, `\\*"`, "&", `(?:&|\\u0026|&amp;)`)

const (
	either     = `[её]\x{308}?`
	short      = `(?:й|и\x{306})`
	apostrophe = `(?:['’ʼ]|\\u0027|&#39;)`
)

// Between the words of a name, and the digits of a telephone as people part
// them.
const (
	nameGap  = `(?:[\s\x{a0},;]|\\[nrt,;])+`
	digitGap = `[\s\x{a0}().\-–]{0,3}`
)

// escape ends a sign that JSON, iCalendar or an address of a page has before a
// word, with what may look like a letter of it.
const escape = `\\[nNrtbf]|\\u[0-9a-f]{4}|%[0-9a-f]{2}`

// newMentions looks for these names, addresses and telephones, in any case;
// with replaces them.
func newMentions(names, emails, phones []string, with string) mentions {
	m := mentions{with: with}
	look := func(notBefore, notAfter string, any []string) {
		if len(any) > 0 {
			m.res = append(m.res, regexp.MustCompile(`(?i)(^|`+notBefore+`|`+escape+`)(`+strings.Join(any, "|")+`)($|`+notAfter+`)`))
		}
	}
	var any []string
	for _, n := range names {
		n = strings.TrimFunc(norm.NFC.String(clean(n)), func(r rune) bool { return !isWordRune(r) })
		words := strings.Fields(n)
		if len(words) == 0 {
			continue
		}
		for _, q := range []string{n, strings.ToLower(n)} { // in the address of a page
			q = url.QueryEscape(q)
			any = append(any, strings.ReplaceAll(regexp.QuoteMeta(q), `\+`, `(?:\+|%20)`))
			m.hint = append(m.hint, core(nil, longest(strings.Split(q, "+"))))
		}
		for i := range words {
			words[i] = likeSign.Replace(regexp.QuoteMeta(words[i]))
		}
		any = append(any, strings.Join(words, nameGap))
		if len(words) > 1 { // "Family, Given", and vCard's N
			turned := append(words[len(words)-1:len(words):len(words)], words[:len(words)-1]...)
			any = append(any, strings.Join(turned, nameGap))
		}
		m.hint = append(m.hint, core(nil, longest(strings.FieldsFunc(n, func(r rune) bool { return !isWordRune(r) }))))
	}
	look(`[^\pL\pN]`, `[^\pL\pN]`, any)
	any = nil
	for _, e := range emails {
		e = clean(e)
		any = append(any, strings.Replace(regexp.QuoteMeta(e), "@", "(?:@|%40)", 1))
		m.hint = append(m.hint, core(nil, e), core(nil, strings.Replace(e, "@", "%40", 1)))
	}
	look(`[^\pL\pN._%+\-]`, `[^\pL\pN.\-]|\.(?:$|[^\pL\pN]|vcf|ics)`, any)
	any = nil
	for _, p := range phones {
		key, _, _ := strings.Cut(phoneKey(p), "x")
		if len(key) < 7 {
			continue
		}
		prefix := `\+?`
		if len(key) == 11 && key[0] == '7' { // written at home, too
			prefix, key = `(?:(?:\+?7|8)`+digitGap+`)?[(]?`, key[1:]
		}
		any = append(any, prefix+strings.Join(strings.Split(key, ""), digitGap))
		m.hint = append(m.hint, []byte(key))
	}
	look(`[^\pN]`, `[^\pN]`, any)
	return m
}

// longest is the longest of some words.
func longest(words []string) (l string) {
	for _, w := range words {
		if len(w) > len(l) {
			l = w
		}
	}
	return l
}

// core appends the letters and digits of a text, small ones, ё as е and й as и.
func core(to []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			switch {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
				to = append(to, c)
			case 'A' <= c && c <= 'Z':
				to = append(to, c+'a'-'A')
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch {
		case 'а' <= r && r <= 'я':
		case 'А' <= r && r <= 'Я':
			r += 'а' - 'А'
		case r == 'ё' || r == 'Ё':
			r = 'е'
		case !isWordRune(r):
			continue
		default:
			r = unicode.ToLower(unicode.ToUpper(r)) // as regexp, which knows old forms of letters
		}
		if r == 'й' {
			r = 'и'
		}
		to = utf8.AppendRune(to, r)
	}
	return to
}

// unfolded is text as it reads: the lines of calendar data and of mail headers
// may be folded (RFC 5545 section 3.1).
func unfolded(text string) string {
	if !strings.Contains(text, "\n ") && !strings.Contains(text, "\n\t") {
		return text
	}
	return strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
}

// in reports whether the text mentions the subject.
func (m mentions) in(text string) bool {
	return m.near(text) && (m.stands(text) || m.stands(unfolded(text)))
}

// near reports whether the text may mention the subject: many times faster than
// to look for it.
func (m mentions) near(text string) bool {
	if len(m.hint) == 0 || text == "" {
		return false
	}
	buf := coreBuffers.Get().(*[]byte)
	defer coreBuffers.Put(buf)
	*buf = core((*buf)[:0], text)
	return slices.ContainsFunc(m.hint, func(h []byte) bool { return bytes.Contains(*buf, h) })
}

var coreBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (m mentions) stands(text string) bool {
	return slices.ContainsFunc(m.res, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}

// replace takes the subject out of a text. The signs around what is found stay.
func (m mentions) replace(text string) string {
	if !m.in(text) {
		return text
	}
	if !m.stands(text) {
		text = unfolded(text)
	}
	with := "${1}" + strings.ReplaceAll(m.with, "$", "$$") + "${3}"
	for _, re := range m.res {
		for range 10 { // two that share the sign between them are found one after the other
			changed := re.ReplaceAllString(text, with)
			if changed == text {
				break
			}
			text = changed
		}
	}
	return text
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// ErasedAs is what stands for somebody who was erased, in a language.
func ErasedAs(lang Language, number int64) string {
	if lang == English {
		return fmt.Sprintf("erased on request %d", number)
	}
	return fmt.Sprintf("удалено по запросу %d", number)
}

// ErrErased: whoever was erased on request comes back by no import or program.
var ErrErased = errors.New("was erased on request; if this is meant, add the person on the client's page")

// notSearched are tables and columns in which nobody is looked for, and why.
var notSearched = map[string]string{
	"clients.name": "companies", "clients.folded": "companies", "clients.core": "companies", "client_points": "addresses and telephones of companies",
	"settings": "of our own, and who is under erasure until that has ended",
	"managers": "our own people", "manager_addresses": "our own people", "app_passwords": "our own people", "unsubscribed": "our own people",
	"mailboxes": "our own", "folders": "our own", "oauth_tokens": "secrets of our own", "integrations": "our own",
	"mail_key": "a secret of our own", "erased": "keyed hashes",
	"*.message_key": "tells letters apart, so that one that was seen is not taken again", "*.message_id": "as message_key", "*.thread": "message keys of letters", "*.uid": "names an entry for calendar programs",
	"exchange_chunks": "files that wait for their import, gone when it is done",
}

// keptKeys are tables whose rows another system finds again by its own key: under
// another one its next import would make them twice.
var keptKeys = []string{"clients", "merged_clients", "contacts", "deals", "deal_events", "documents", "lines", "sources"}

func searched(table, column string) bool {
	if column == "external_id" && slices.Contains(keptKeys, table) {
		return false
	}
	for _, name := range []string{table, table + "." + column, "*." + column} {
		if _, not := notSearched[name]; not {
			return false
		}
	}
	return true
}

// goesWhole are tables of which a row that mentions the subject is about it
// alone, and goes.
var goesWhole = []string{"book_entries", "correspondents", "senders", "bounces", "invitation_answers", "unlinked", "blocked", "blocked_by_hand",
	"idempotency", "deliveries", "person_points", "answers", "replies", "registrations", "saved_report_recipients",
	"sent_copies"} // of which one that says something else than what was sent would be a lie

func rowGoes(t *moveTable, column int) bool {
	return slices.Contains(goesWhole, t.name) || slices.Contains(t.key, column)
}
