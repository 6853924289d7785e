package store

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
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
	re   *regexp.Regexp // nil: nothing to look for
	with string
}

// eitherE: ё is mostly written as е.
var eitherE = strings.NewReplacer("е", "[её]", "ё", "[её]", "Е", "[её]", "Ё", "[её]")

// Between the words of a name, and the digits of a telephone as people part
// them.
const (
	nameGap  = `[\s\x{a0},;]+`
	digitGap = `[\s\x{a0}().\-–]{0,3}`
)

// newMentions looks for these names, addresses and telephones, in any case;
// with replaces them.
func newMentions(names, emails, phones []string, with string) mentions {
	var any []string
	add := func(notBefore, what, notAfter string) {
		any = append(any, `(?:^|`+notBefore+`)(?:`+what+`)(?:$|`+notAfter+`)`)
	}
	for _, n := range names {
		words := strings.Fields(n)
		for i := range words {
			words[i] = eitherE.Replace(regexp.QuoteMeta(words[i]))
		}
		if len(words) > 0 {
			add(`[^\pL\pN]`, strings.Join(words, nameGap), `[^\pL\pN]`)
		}
		if len(words) > 1 { // "Family, Given", and vCard's N
			turned := append(words[len(words)-1:len(words):len(words)], words[:len(words)-1]...)
			add(`[^\pL\pN]`, strings.Join(turned, nameGap), `[^\pL\pN]`)
		}
	}
	for _, e := range emails {
		add(`[^\pL\pN._%+\-]`, regexp.QuoteMeta(e), `[^\pL\pN\-]`)
	}
	for _, p := range phones {
		key, _, _ := strings.Cut(phoneKey(p), "x")
		if len(key) < 7 {
			continue
		}
		prefix := `\+?`
		if len(key) == 11 && key[0] == '7' { // written at home, too
			prefix, key = `(?:(?:\+?7|8)`+digitGap+`)?[(]?`, key[1:]
		}
		add(`[^\pN]`, prefix+strings.Join(strings.Split(key, ""), digitGap), `[^\pN]`)
	}
	if len(any) == 0 {
		return mentions{}
	}
	return mentions{regexp.MustCompile(`(?i)` + strings.Join(any, "|")), with}
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
	return m.re != nil && (m.re.MatchString(text) || m.re.MatchString(unfolded(text)))
}

// replace takes the subject out of a text. The signs around what is found stay.
func (m mentions) replace(text string) string {
	if !m.in(text) {
		return text
	}
	if !m.re.MatchString(text) {
		text = unfolded(text)
	}
	for range 10 { // two that share the sign between them are found one after the other
		changed := m.re.ReplaceAllStringFunc(text, func(found string) string {
			// The sign before and behind, where there is one, is no part of it.
			core := strings.TrimFunc(found, func(r rune) bool { return !isWordRune(r) && r != '+' })
			head, tail, _ := strings.Cut(found, core)
			return head + m.with + tail
		})
		if changed == text || !m.re.MatchString(changed) {
			return changed
		}
		text = changed
	}
	return text
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

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
	"saved_report_recipients": "our own people", "mailboxes": "our own", "folders": "our own", "oauth_tokens": "secrets of our own", "integrations": "our own",
	"mail_key": "a secret of our own", "erased": "keyed hashes",
	"*.message_key": "tells letters apart, so that one that was seen is not taken again", "*.message_id": "as message_key", "*.thread": "message keys of letters", "*.uid": "names an entry for calendar programs",
	"outbox.bytes": "mails; of those that were sent the bytes go", "sent_copies.bytes": "mails on their way into a Sent folder, gone within days",
	"exchange_chunks": "files that wait for their import, gone when it is done",
}

func searched(table, column string) bool {
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
	"idempotency", "deliveries", "person_points", "answers", "replies", "registrations"}

func rowGoes(t *moveTable, column int) bool {
	return slices.Contains(goesWhole, t.name) || slices.Contains(t.key, column)
}
