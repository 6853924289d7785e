package exchange

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"intouch/store"
)

// vCard files (2.1, RFC 2426, RFC 6350) as phones, mail programs and
// exchanges of contacts write them: many cards in a file, of mixed versions
// and encodings. Pictures are passed over while they are read, so that memory
// holds one card's texts at most.

// Bounds of one card.
const (
	maxCardLines  = 1_000    // properties that are kept
	maxCardValue  = 64 << 10 // bytes of one; what is more is cut off
	maxCardHeader = 4 << 10  // bytes before the colon
)

var errNoCards = errors.New("this is no vCard file: it has no BEGIN:VCARD")

// What of a card is not kept, as it is told to people.
const (
	photosLeft = "pictures and sounds"
	groupsLeft = "groups (lists of cards)"
	strayLeft  = "lines of cards that are no property"
	longLeft   = "ends of values longer than 64 KB"
)

// cardProperties are the properties that are kept.
var cardProperties = []string{"FN", "N", "ORG", "TITLE", "ROLE", "EMAIL", "TEL", "BDAY", "NOTE", "ADR", "URL", "UID", "KIND",
	"X-ADDRESSBOOKSERVER-KIND", "X-ABLABEL"}

// property is one property of a card: item1.TEL;TYPE=cell:+7….
type property struct {
	group, name string
	types       []string          // TYPE and the bare words of 2.1, in lower case
	params      map[string]string // the others, their names in capitals
	value       string            // unfolded, its encoding undone; escapes are still there
}

// VCards reads a vCard file. Errors: of r, or that it is no text.
func VCards(r io.Reader) (*Book, error) {
	in, err := openLines(r)
	if err != nil {
		return nil, err
	}
	book := &Book{Bytes: func() int64 { return in.count.n }, LeftOut: map[string]int{}}
	book.Entries = func(yield func(store.BookPerson, error) bool) {
		cards := cardReader{in: in, leftOut: book.LeftOut}
		for {
			props, line, err := cards.next()
			switch {
			case err == io.EOF && cards.found:
				return
			case err == io.EOF:
				yield(store.BookPerson{}, errNoCards)
				return
			}
			var fault *EntryFault
			if err != nil {
				if !yield(store.BookPerson{}, err) || !errors.As(err, &fault) {
					return
				}
				continue
			}
			entry, group := cardEntry(props)
			if group {
				book.LeftOut[groupsLeft]++
				continue
			}
			if entry.Name == "" && entry.Given == "" && entry.Family == "" && entry.Middle == "" && len(entry.Emails) == 0 && len(entry.Phones) == 0 {
				if !yield(entry, &EntryFault{Line: line, Key: entry.Company, Reason: "the card has neither a name nor an e-mail address nor a phone"}) {
					return
				}
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
	return book, nil
}

// cardReader finds the cards of a file.
type cardReader struct {
	in      *lines
	ahead   *string // a line that was read too far
	found   bool    // a card
	leftOut map[string]int
}

// line is the next line of the file as its bytes are: lines are folded within
// characters, too, so text is made of whole values only. errLongLine is no end.
func (c *cardReader) line() (string, error) {
	if c.ahead != nil {
		s := *c.ahead
		c.ahead = nil
		return s, nil
	}
	line, err := c.in.raw()
	return string(line), err
}

// next gives the properties of the next card and the line where it begins. An
// *EntryFault is a card that is passed over; io.EOF the end of the file.
func (c *cardReader) next() (props []property, begin int, err error) {
	for begin == 0 { // what stands between cards is nobody's
		s, err := c.line()
		switch {
		case err == nil && isMark(s, "BEGIN"):
			begin, c.found = c.in.number, true
		case err != nil && !errors.Is(err, errLongLine):
			return nil, 0, err
		}
	}
	var fault *EntryFault
	refuse := func(format string, args ...any) {
		if fault == nil {
			fault = &EntryFault{Line: begin, Reason: fmt.Sprintf(format, args...)}
		}
	}
	inner, agent := 0, false // cards within the card: an AGENT of 2.1
	for {
		s, err := c.line()
		switch {
		case errors.Is(err, errLongLine): // a picture that is not folded
			c.leftOut[photosLeft]++
			continue
		case err == io.EOF:
			refuse("the file ends within the card")
			return nil, begin, named(fault, props)
		case err != nil:
			return nil, begin, err
		case isMark(s, "BEGIN"):
			if agent {
				inner++
				continue
			}
			c.ahead = &s
			refuse("END:VCARD is missing")
			return nil, begin, named(fault, props)
		case isMark(s, "END"):
			if inner > 0 {
				inner--
				continue
			}
			if fault != nil {
				return nil, begin, named(fault, props)
			}
			return props, begin, nil
		case inner > 0 || strings.TrimSpace(s) == "":
			continue
		}
		p, kept, err := c.property(s)
		if err != nil {
			return nil, begin, err
		}
		agent = p.name == "AGENT"
		switch {
		case kept && len(props) == maxCardLines:
			refuse("the card has more than %d properties", maxCardLines)
		case kept:
			props = append(props, p)
		}
	}
}

// named gives a fault the name of its card.
func named(fault *EntryFault, props []property) error {
	entry, _ := cardEntry(props)
	for _, s := range []string{entry.Name, entry.Family, entry.Company, entry.Key} {
		if fault.Key = s; s != "" {
			break
		}
	}
	fault.Key = fault.Key[:min(len(fault.Key), 200)]
	return fault
}

// isMark reports whether a line is BEGIN:VCARD or END:VCARD.
func isMark(s, mark string) bool {
	name, value, ok := strings.Cut(strings.TrimSpace(s), ":")
	return ok && strings.EqualFold(strings.TrimSpace(name), mark) && strings.EqualFold(strings.TrimSpace(value), "VCARD")
}

// property reads the property that begins with first, with the lines that
// continue it. Only those that are kept are put together.
func (c *cardReader) property(first string) (p property, kept bool, err error) {
	head, value, ok := cutHead(first)
	if ok {
		p = parseHead(head)
	} else {
		c.leftOut[strayLeft]++
	}
	kept = ok && slices.Contains(cardProperties, p.name)
	base64 := slices.Contains([]string{"B", "BASE64"}, strings.ToUpper(p.params["ENCODING"]))
	if slices.Contains([]string{"PHOTO", "LOGO", "SOUND"}, p.name) {
		c.leftOut[photosLeft]++
	}
	soft := strings.EqualFold(p.params["ENCODING"], "QUOTED-PRINTABLE")
	var text strings.Builder
	add := func(s string) {
		if room := maxCardValue - text.Len(); kept && room > 0 {
			text.WriteString(s[:min(len(s), room)])
			if len(s) > room {
				c.leftOut[longLeft]++
			}
		}
	}
	open := func(s string) bool { // RFC 2045 section 6.7: "=" at the end breaks softly
		if soft && strings.HasSuffix(s, "=") {
			add(s[:len(s)-1])
			return true
		}
		add(s)
		return false
	}
	more := open(value)
	for {
		s, err := c.line()
		switch {
		case err == io.EOF:
			return p, kept && p.decode(text.String()), nil // the card's own reader meets the end again
		case errors.Is(err, errLongLine): // no line that is kept is folded so wide
			c.leftOut[photosLeft]++
			return p, kept && p.decode(text.String()), nil
		case err != nil:
			return p, false, err
		}
		switch {
		case more && !isMark(s, "END"):
			more = open(s)
		case s != "" && (s[0] == ' ' || s[0] == '\t'):
			more = open(s[1:])
		case base64 && s != "" && !strings.ContainsAny(s, ":;"): // not indented by careless programs
			add(s)
		default:
			c.ahead = &s
			return p, kept && p.decode(text.String()), nil
		}
	}
}

// cutHead parts a property's name and parameters from its value; a colon
// within quotes is no end.
func cutHead(s string) (head, value string, ok bool) {
	quoted := false
	for i := 0; i < len(s) && i < maxCardHeader; i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ':' && !quoted:
			return s[:i], s[i+1:], i > 0
		}
	}
	return "", "", false
}

// parseHead reads item1.TEL;TYPE="cell,voice";PREF=1 and TEL;CELL;VOICE of 2.1.
func parseHead(head string) property {
	parts := splitOutside(head, ';', '"')
	p := property{name: strings.ToUpper(strings.TrimSpace(parts[0])), params: map[string]string{}}
	if i := strings.LastIndexByte(p.name, '.'); i >= 0 {
		p.group, p.name = p.name[:i], p.name[i+1:]
	}
	for _, part := range parts[1:min(len(parts), 50)] {
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.ToUpper(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
		switch {
		case name == "TYPE":
			for _, t := range strings.Split(value, ",") {
				p.types = append(p.types, strings.ToLower(strings.Trim(t, `" `)))
			}
		case ok:
			p.params[name] = value
		case name == "QUOTED-PRINTABLE", name == "BASE64", name == "B":
			p.params["ENCODING"] = name
		default:
			p.types = append(p.types, strings.ToLower(name))
		}
	}
	return p
}

// splitOutside splits at a byte that stands outside of quotes.
func splitOutside(s string, at, quote byte) (parts []string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			quoted = !quoted
		case s[i] == at && !quoted:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

// decode undoes the encoding of a value, and reports whether there is one.
func (p *property) decode(value string) bool {
	switch strings.ToUpper(p.params["ENCODING"]) {
	case "QUOTED-PRINTABLE":
		value = inCharset(unquote(value), p.params["CHARSET"])
	case "B", "BASE64":
		b, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' {
				return -1
			}
			return r
		}, value))
		if err != nil {
			return false
		}
		value = inCharset(b, p.params["CHARSET"])
	default:
		if !utf8.ValidString(value) {
			value = inCharset([]byte(value), p.params["CHARSET"])
		}
	}
	p.value = value
	return strings.TrimSpace(value) != ""
}

// unquote undoes quoted-printable; what of it is broken is left as it is
// (mime/quotedprintable ends there).
func unquote(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

// inCharset decodes text of a named character set; where that is none, or
// the bytes are not of it, by what they look like.
func inCharset(b []byte, charset string) string {
	if charset != "" && !strings.EqualFold(charset, "utf-8") {
		if enc, err := htmlindex.Get(charset); err == nil {
			if s, err := enc.NewDecoder().Bytes(b); err == nil {
				return string(s)
			}
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	s, _ := charmap.Windows1251.NewDecoder().Bytes(b) // it knows every byte
	return string(s)
}

// cardEntry is what the properties of a card say. A group is a list of cards
// and nobody.
func cardEntry(props []property) (e store.BookPerson, group bool) {
	labels := map[string]string{} // Apple: item1.X-ABLabel says what item1.TEL is
	role := ""
	for i := range props {
		if p := &props[i]; p.name == "X-ABLABEL" {
			labels[p.group] = strings.ToLower(plain(p.value))
		}
	}
	for i := range props {
		p := &props[i]
		value := plain(p.value)
		set := func(field *string, v string) {
			if *field == "" {
				*field = v
			}
		}
		switch p.name {
		case "FN":
			if p.params["PREF"] == "1" {
				e.Name = value
			}
			set(&e.Name, value)
		case "N":
			parts := structured(p.value)
			for i, field := range []*string{&e.Family, &e.Given, &e.Middle, &e.Prefix, &e.Suffix} {
				if i < len(parts) {
					set(field, parts[i])
				}
			}
		case "ORG":
			if parts := structured(p.value); e.Company == "" {
				e.Company, e.Department = parts[0], strings.Join(filled(parts[1:]), ", ")
			}
		case "TITLE":
			set(&e.Position, value)
		case "ROLE":
			set(&role, value)
		case "EMAIL":
			e.Emails = preferred(e.Emails, mailAddress(value), p)
		case "TEL":
			e.Phones = preferred(e.Phones, store.BookPhone{Number: telephone(value), Type: phoneType(append(p.types, labels[p.group]))}, p)
		case "BDAY":
			if p.params["X-APPLE-OMIT-YEAR"] == "" && e.Birthday == "" {
				e.Birthday = cardDay(value)
			}
		case "NOTE":
			set(&e.Note, value)
		case "ADR":
			e.Addresses = append(e.Addresses, strings.Join(filled(structured(p.value)), ", "))
		case "URL":
			e.URLs = append(e.URLs, value)
		case "UID":
			set(&e.Key, value)
		case "KIND", "X-ADDRESSBOOKSERVER-KIND":
			group = group || strings.EqualFold(value, "group")
		}
	}
	if e.Position == "" {
		e.Position = role
	}
	if e.Name == "" && e.Given == "" && e.Family == "" {
		e.Name = e.Company // a card of a company
	}
	return e, group
}

// preferred adds a value, the preferred one first (TYPE=PREF, in 4.0 PREF=1).
func preferred[T any](list []T, v T, p *property) []T {
	if slices.Contains(p.types, "pref") || p.params["PREF"] == "1" {
		return slices.Insert(list, 0, v)
	}
	return append(list, v)
}

func filled(parts []string) []string {
	return slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" })
}

// structured splits a value at the semicolons that no backslash escapes.
func structured(s string) []string {
	var parts []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ';':
			parts, from = append(parts, plain(s[from:i])), i+1
		}
	}
	return append(parts, plain(s[from:]))
}

// plain undoes the escapes of a text.
func plain(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.TrimSpace(strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\:`, ":").Replace(s))
}

// mailAddress takes what some programs put around an address.
func mailAddress(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 && strings.HasSuffix(s, ">") {
		s = s[i+1 : len(s)-1]
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	return s
}

// telephone takes the number out of a URI (RFC 6350 section 6.4.1).
func telephone(s string) string {
	if len(s) < 4 || !strings.EqualFold(s[:4], "tel:") {
		return s
	}
	number, rest, _ := strings.Cut(s[4:], ";")
	if _, ext, ok := strings.Cut(";"+rest, ";ext="); ok {
		ext, _, _ = strings.Cut(ext, ";")
		return number + " ext. " + ext
	}
	return number
}

// phoneType says in one word what a phone is for, by all that is written of it.
func phoneType(words []string) string {
	all := strings.ToLower(strings.Join(words, " "))
	for _, one := range []struct{ as, in string }{
		{"fax", "fax"}, {"fax", "факс"}, {"pager", "pager"}, {"cell", "cell"}, {"cell", "mobile"}, {"cell", "iphone"}, {"cell", "мобильн"}, {"cell", "сотов"},
		{"work", "work"}, {"work", "рабоч"}, {"home", "home"}, {"home", "домашн"},
	} {
		if strings.Contains(all, one.in) {
			return one.as
		}
	}
	return ""
}

// cardDay reads 1980-05-01, 19800501, and either with a time after it; "" for a
// day without its year (RFC 6350 section 4.3.1) and what is no day.
func cardDay(s string) store.Date {
	day, _, _ := strings.Cut(strings.TrimSpace(s), "T")
	day, _, _ = strings.Cut(day, " ")
	if len(day) == 8 && !strings.Contains(day, "-") {
		day = day[:4] + "-" + day[4:6] + "-" + day[6:]
	}
	d, err := store.ParseDate(day)
	if err != nil || strings.HasPrefix(day, "1604-") { // Apple's year for none
		return ""
	}
	return d
}
