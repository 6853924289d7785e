package mailer

import (
	"encoding/base64"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lines of a header are folded at 76 columns (RFC 5322 section 2.1.1 wants at
// most 78, RFC 2047 section 2 at most 76 where encoded words stand); longer
// than 998 they may not be at all.
const (
	foldAt      = 76
	longestLine = 998
)

// Bounds of what people's names and subjects may bring into a header, in
// runes. A client may have a name of 10,000 characters.
const (
	longestSubject = 250
	longestName    = 100
)

// OneLine makes one line of printable text of at most max runes: line ends,
// control characters and the marks that turn the direction of what follows
// become a space, runs of spaces one space. What is cut ends with "…".
func OneLine(s string, max int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s { // invalid UTF-8 comes as U+FFFD
		if unicode.IsControl(r) || unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f' || turnsText(r) {
			space = n > 0
			continue
		}
		if space && n < max {
			b.WriteByte(' ')
			n++
		}
		space = false
		if n >= max {
			return strings.TrimRight(cut(b.String(), max-1), " ") + "…"
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// turnsText: bidirectional embeddings, overrides and isolates. Unclosed ones
// would turn round the rest of the line, an address after the name included.
func turnsText(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// cut gives the first n runes.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// header collects the lines of a message's header.
type header struct{ strings.Builder }

// text writes an unstructured field (RFC 5322 section 3.6.5), as encoded
// words where ASCII does not do.
func (h *header) text(name, value string) {
	if plain(value) {
		h.fold(name, strings.Split(value, " "))
		return
	}
	h.fold(name, encodedWords(value, foldAt-len(name)-2))
}

// raw writes a field whose syntax the caller has seen to (List-Unsubscribe,
// Auto-Submitted): ASCII, folded at spaces only.
func (h *header) raw(name, value string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r > '~' }) {
		return fmt.Errorf("header %q: not a field name", OneLine(name, 40))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("header %s: has characters other than printable ASCII", name)
	}
	words := strings.Fields(value)
	for _, w := range words {
		if len(name)+len(w)+2 > longestLine {
			return fmt.Errorf("header %s: a word of %d characters cannot be folded", name, len(w))
		}
	}
	h.fold(name, words)
	return nil
}

// addresses writes an address list, one address a line where there are more
// than fit.
func (h *header) addresses(name string, list []mail.Address) error {
	var words []string
	for i, a := range list {
		if err := CheckAddress(a.Address); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(name), err)
		}
		comma := ""
		if i < len(list)-1 {
			comma = ","
		}
		if a.Name = OneLine(a.Name, longestName); a.Name != "" {
			words = append(words, phrase(a.Name, foldAt-len(name)-2)...)
			words = append(words, "<"+a.Address+">"+comma)
		} else {
			words = append(words, a.Address+comma)
		}
	}
	h.fold(name, words)
	return nil
}

// fold writes the field, words apart by spaces, beginning a new line where
// the next word would not fit. A single word that is too long stays whole.
func (h *header) fold(name string, words []string) {
	h.WriteString(name + ":")
	column := len(name) + 1
	for i, w := range words {
		if i > 0 && column+1+len(w) > foldAt && w != "" {
			h.WriteString("\r\n")
			column = 0
		}
		h.WriteString(" " + w)
		column += 1 + len(w)
	}
	h.WriteString("\r\n")
}

// plain reports whether the text may stand in a header as it is: printable
// ASCII, words short enough to fold between, nothing that reads as encoded.
func plain(s string) bool {
	word := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ' ':
			word = 0
			continue
		case s[i] < ' ' || s[i] > '~':
			return false
		}
		if word++; word > 60 {
			return false
		}
	}
	return !strings.Contains(s, "=?")
}

// phrase is a display name (RFC 5322 section 3.2.5): atoms, a quoted string,
// or encoded words of which the first has room columns.
func phrase(name string, room int) []string {
	if !plain(name) {
		return encodedWords(name, room)
	}
	atoms := !strings.ContainsFunc(name, func(r rune) bool {
		return r != ' ' && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r))
	})
	if atoms {
		return strings.Split(name, " ")
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	return strings.Split(quoted, " ") // folding white space may stand within (RFC 5322 section 3.2.4)
}

// encodedWords gives the text as RFC 2047 words in UTF-8, each of whole runes
// and at most 75 characters; the first has only room columns, since the
// field's name stands before it.
func encodedWords(s string, room int) []string {
	const prefix, suffix = "=?utf-8?b?", "?="
	var words []string
	room = min(room, 75)
	for s != "" {
		bytes := max(base64.StdEncoding.DecodedLen((room-len(prefix)-len(suffix))/4*4), utf8.UTFMax)
		end := min(bytes, len(s))
		for end < len(s) && !utf8.RuneStart(s[end]) {
			end--
		}
		words = append(words, prefix+base64.StdEncoding.EncodeToString([]byte(s[:end]))+suffix)
		s, room = s[end:], 75
	}
	return words
}

// CheckAddress says what is wrong with an address for SMTP: it must be a
// dot-atom before the @ and a host name after it (RFC 5321 section 4.1.2
// without quoted strings). Before the @ it may have letters beyond ASCII (RFC
// 6531 section 3.3), which need a server with SMTPUTF8; domains come in their
// IDNA form.
func CheckAddress(s string) error {
	at := strings.LastIndexByte(s, '@')
	wrong := func(why string) error {
		return fmt.Errorf("%q is not a mail address that can be used: %s", OneLine(s, 80), why)
	}
	if at <= 0 || at == len(s)-1 {
		return wrong("it has no name before or no domain after the @")
	}
	local, domain := s[:at], s[at+1:]
	if len(local) > 64 || len(domain) > 253 {
		return wrong("it is too long")
	}
	for _, atom := range strings.Split(local, ".") {
		if atom == "" {
			return wrong("a dot stands at an end, or two stand together")
		}
		for _, r := range atom {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) ||
				r >= utf8.RuneSelf && r != utf8.RuneError && unicode.In(r, unicode.L, unicode.M, unicode.N)) {
				return wrong(fmt.Sprintf("%q may not stand before the @", r))
			}
		}
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return wrong("the domain is none")
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
				return wrong("the domain is none")
			}
		}
	}
	return nil
}
