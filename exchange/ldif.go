package exchange

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"intouch/store"
)

// LDIF (RFC 2849), as Thunderbird writes an address book and directories
// write their people. A value that is only named by an address ("<") is never
// fetched, attributes that say nothing of a person (photos, certificates,
// members) are passed over line by line, and what is read is bounded.
const (
	maxValue  = 64 << 10 // bytes of one value, whatever its lines
	maxValues = 500      // of one entry
)

// ldif reads the entries of one file.
type ldif struct {
	in     *lines
	ahead  *line     // read in vain while looking for a continuation
	first  *ldifLine // read by openLDIF
	nobody func()    // told of each entry that is passed over
}

// ldifLine is one "attribute: value" with its continuations.
type ldifLine struct {
	name   string // in lower case, without options
	value  string
	number int
	err    error
}

// LDIF begins an address book in LDIF. Errors: no text, or not LDIF.
func LDIF(r io.Reader) (*Book, error) {
	l, err := openLDIF(r)
	if err != nil {
		return nil, err
	}
	book := entries(l, l.in)
	l.nobody = func() { book.LeftOut["groups and other entries that are no person"]++ }
	return book, nil
}

// openLDIF looks for the first line that is not a comment. Errors: no text, or
// not LDIF.
func openLDIF(r io.Reader) (*ldif, error) {
	in, err := openLines(r)
	if err != nil {
		return nil, err
	}
	l := &ldif{in: in, nobody: func() {}}
	first := ldifLine{}
	for first.name == "" {
		if first, err = l.attribute(); err != nil {
			return nil, fmt.Errorf("the file has no entries: %w", err)
		}
		if first.err != nil {
			break
		}
	}
	switch {
	case first.name == "version" && first.value != "1":
		return nil, fmt.Errorf("LDIF of version %q is not known, only 1", short(first.value))
	case first.name == "dn":
		l.first = &first
	case first.name != "version":
		return nil, fmt.Errorf("line %d: this is not LDIF: it begins with neither \"version:\" nor \"dn:\"", first.number)
	}
	return l, nil
}

// next gives the next person of the file and the number of the entry's first
// line. Entries that are nobody (groups, organisations, devices) are passed
// over and counted. A fault refuses that entry alone. Errors: io.EOF, or of
// the file.
func (l *ldif) next() (person store.BookPerson, number int, fault, err error) {
	for {
		attributes, err := l.entry()
		if err != nil {
			return person, l.in.number, nil, err
		}
		number = attributes[0].number
		person, nobody, fault := ldifPerson(attributes)
		if !nobody {
			return person, number, fault, nil
		}
		l.nobody()
	}
}

// entry reads the attributes of one entry up to the empty line behind it, at
// least one and at most maxValues, of which one more tells that there were
// others.
func (l *ldif) entry() (all []ldifLine, err error) {
	if l.first != nil {
		all, l.first = append(all, *l.first), nil
	}
	for {
		a, err := l.attribute()
		switch {
		case errors.Is(err, io.EOF) && len(all) > 0:
			return all, nil
		case err != nil:
			return nil, err
		case a.name == "" && a.err == nil: // an empty line
			if len(all) > 0 {
				return all, nil
			}
		case len(all) <= maxValues && (wantedLDIF(a.name) || a.err != nil || len(all) == 0):
			all = append(all, a)
		}
	}
}

// ldifPerson is what the attributes of an entry say.
func ldifPerson(attributes []ldifLine) (person store.BookPerson, nobody bool, fault error) {
	entry := bookValues{}
	refuse := func(field, format string, args ...any) {
		if fault == nil {
			fault = faultOf(field, format, args...)
		}
	}
	var classes []string
	for _, a := range attributes {
		switch {
		case a.err != nil:
			refuse(a.name, "line %d: %v", a.number, a.err)
		case a.name == "dn":
			entry.person.Key = a.value
		case a.name == "objectclass":
			classes = append(classes, strings.ToLower(a.value))
		case a.name == "changetype":
			if !strings.EqualFold(a.value, "add") {
				refuse(a.name, "the entry is a change (%s) of a directory, not a person", short(a.value))
			}
		default:
			if err := entry.add(ldifFields[a.name], a.value, ""); err != nil {
				refuse(a.name, "line %d: %v", a.number, err)
			}
		}
	}
	switch {
	case isNobody(classes):
		return person, true, nil
	case len(attributes) > maxValues:
		refuse("", "there are more than %d values", maxValues)
	case entry.person.Key == "":
		refuse("dn", "is missing: an entry of LDIF begins with it")
	}
	return entry.done(), false, fault
}

// isNobody tells entries of a directory that are no person. Computers of
// Active Directory are of class person too.
func isNobody(classes []string) bool {
	person := len(classes) == 0
	for _, c := range classes {
		switch {
		case c == "computer", strings.HasPrefix(c, "group"), strings.HasPrefix(c, "msds-"):
			return true
		case strings.Contains(c, "person"), c == "user", c == "contact", c == "posixaccount", c == "mozillaabpersonalpha":
			person = true
		}
	}
	return !person
}

// wantedLDIF are the attributes of which the value is kept while it is read.
func wantedLDIF(name string) bool {
	switch name {
	case "dn", "objectclass", "changetype", "version":
		return true
	}
	return ldifFields[name] != noField
}

// attribute reads one attribute; a line without a name is an empty one.
func (l *ldif) attribute() (a ldifLine, err error) {
	var first line
	for {
		if first = l.line(); first.err != nil && !isRowFault(first.err) {
			return a, first.err
		}
		if !strings.HasPrefix(first.text, "#") { // a comment may be continued too
			break
		}
		if _, err := l.continued("", false); err != nil {
			return a, err
		}
	}
	a.number = first.number
	if first.err != nil { // nothing of it is known, so it counts as continued
		a.err = first.err
		_, err := l.continued("", false)
		return a, err
	}
	if strings.TrimSpace(first.text) == "" {
		return a, nil
	}
	name, value, found := strings.Cut(first.text, ":")
	name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), ";") // ";lang-ru", ";binary"
	if !found || name == "" || strings.ContainsAny(name, " \t") || first.text[0] == ' ' {
		a.err = fmt.Errorf("%q is not \"attribute: value\"", short(first.text))
		_, err := l.continued("", false)
		return a, err
	}
	a.name = name
	value, fault := l.continued(value, wantedLDIF(name))
	if fault != nil && !errors.Is(fault, errLongValue) && !isRowFault(fault) {
		return a, fault
	}
	if !wantedLDIF(name) {
		return a, nil
	}
	if a.err = fault; fault == nil {
		a.value, a.err = ldifValue(value)
	}
	return a, nil
}

var errLongValue = fmt.Errorf("the value is longer than %d KB", maxValue>>10)

// continued adds the lines that continue a value: they begin with a space. Of
// a value that nobody wants they are passed over. Errors: errLongValue,
// faults of a line, or of the file.
func (l *ldif) continued(value string, wanted bool) (string, error) {
	var b strings.Builder
	var fault error
	add := func(text string) {
		switch {
		case !wanted || fault != nil:
		case b.Len()+len(text) > maxValue:
			fault = errLongValue
		default:
			b.WriteString(text)
		}
	}
	add(value)
	for {
		next := l.line()
		switch {
		case errors.Is(next.err, io.EOF):
			return b.String(), fault
		case next.err != nil && !isRowFault(next.err):
			return "", next.err
		case next.err == nil && strings.HasPrefix(next.text, " "):
			add(next.text[1:])
		default:
			l.ahead = &next
			return b.String(), fault
		}
	}
}

// ldifValue is what stands behind "attribute:", decoded.
func ldifValue(text string) (string, error) {
	switch {
	case strings.HasPrefix(text, "<"):
		return "", errors.New("the value is only named by an address; such are never fetched")
	case strings.HasPrefix(text, ":"):
		packed := strings.Join(strings.Fields(text[1:]), "")
		raw, err := base64.StdEncoding.DecodeString(packed)
		if err != nil {
			if raw, err = base64.RawStdEncoding.DecodeString(packed); err != nil {
				return "", errors.New("the value is not base64")
			}
		}
		if !utf8.Valid(raw) { // old programs packed what they had
			if raw, err = charmap.Windows1251.NewDecoder().Bytes(raw); err != nil {
				return "", errNotUTF8
			}
		}
		return clean(string(raw)), nil
	}
	return clean(text), nil
}

// line gives the next line, first the one read ahead.
func (l *ldif) line() line {
	if l.ahead != nil {
		next := *l.ahead
		l.ahead = nil
		return next
	}
	text, err := l.in.next()
	return line{text, l.in.number, err}
}
