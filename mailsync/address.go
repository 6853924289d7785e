package mailsync

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"intouch/store"
)

const (
	maxScanned   = 5000 // addresses of one field that are looked at
	maxAddresses = 1000 // … and kept
	maxName      = 200  // bytes of a display name
)

// Address is one mailbox of an address list.
type Address struct {
	Name string // decoded display name, "" when there is none
	Addr string // as NormalizeAddress gives it
}

// NormalizeAddress gives the form in which addresses are compared (rules.md
// section 3), or "" when there is no address in it. Plus-tags stay.
func NormalizeAddress(addr string) string {
	a, err := store.Address(addr)
	if err != nil || !utf8.ValidString(a) {
		return ""
	}
	return a
}

// withoutTag is anna@x for anna+crm@x (RFC 5233), and "" where there is no tag.
func withoutTag(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	plus := strings.IndexByte(addr, '+')
	if plus <= 0 || plus > at {
		return ""
	}
	return addr[:plus] + addr[at:]
}

// domainOf is the part behind the "@".
func domainOf(addr string) string {
	return addr[strings.LastIndexByte(addr, '@')+1:]
}

// parseAddresses reads an address list (RFC 5322 section 3.4) the way mail
// programs do: what is between two commas is one mailbox, whatever its faults,
// and a mailbox that cannot be read does not take its neighbours with it. The
// parser of net/mail gives up the whole list at the first fault.
func parseAddresses(field string) []Address {
	if field == "" { // as most are of a letter's seven
		return nil
	}
	var out []Address
	seen := map[string]bool{}
	l := addressLexer{in: field}
	for scanned := 0; scanned < maxScanned && len(out) < maxAddresses; scanned++ {
		a, more := l.mailbox()
		if a.Addr != "" && !seen[a.Addr] {
			seen[a.Addr] = true
			out = append(out, a)
		}
		if !more {
			break
		}
	}
	return out
}

// addressLexer walks over an address list once.
type addressLexer struct {
	in  string
	pos int
	// noQuote and noParen: nothing closes a quote or comment from here on, so
	// that one left open is an ordinary character.
	noQuote, noParen bool
}

// mailbox reads up to the next separator. more is false at the end.
func (l *addressLexer) mailbox() (a Address, more bool) {
	// As long as most are, so that they need not grow.
	phrase, comment, angle := make([]byte, 0, 128), make([]byte, 0, 32), make([]byte, 0, 64)
	inAngle, hadAngle, route, sawAt := false, false, false, false
	for l.pos < len(l.in) {
		c := l.in[l.pos]
		switch {
		case c == '"' && !l.noQuote:
			s, ok := l.quoted()
			if !ok {
				l.noQuote = true
				continue
			}
			if inAngle {
				angle = append(angle, s...)
			} else {
				phrase = append(phrase, s...)
			}
		case c == '"':
			l.pos++
		case c == '(' && !l.noParen:
			s, ok := l.comment()
			if !ok {
				l.noParen = true
				continue
			}
			comment = append(comment, s...)
		case c == '<':
			l.pos++
			if hadAngle { // "<a@b> <c@d>": the last one counts
				phrase = append(append(phrase, ' '), angle...)
				angle = angle[:0]
			}
			inAngle, hadAngle = true, true
			route = strings.HasPrefix(l.in[l.pos:], "@")
		case c == '>':
			l.pos++
			inAngle = false
		case c == ',' && inAngle && route:
			l.pos++ // <@a,@b:user@host>
		case c == ',' || c == ';':
			l.pos++
			return finishMailbox(string(phrase), string(comment), string(angle), hadAngle), true
		case c == ':' && !inAngle && !sawAt && !strings.EqualFold(clipText(string(phrase), 7), "mailto"):
			l.pos++ // "group: a, b;"
			phrase, comment = phrase[:0], comment[:0]
		case inAngle:
			sawAt = sawAt || c == '@'
			angle = append(angle, c)
			l.pos++
		default:
			sawAt = sawAt || c == '@'
			phrase = append(phrase, c)
			l.pos++
		}
	}
	return finishMailbox(string(phrase), string(comment), string(angle), hadAngle), false
}

// quoted reads a quoted-string; ok is false when nothing closes it.
func (l *addressLexer) quoted() (string, bool) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.in); i++ {
		switch c := l.in[i]; c {
		case '\\':
			if i++; i < len(l.in) {
				b.WriteByte(l.in[i])
			}
		case '"':
			l.pos = i + 1
			return b.String(), true
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// comment reads a comment with its nested ones.
func (l *addressLexer) comment() (string, bool) {
	depth := 0
	for i := l.pos; i < len(l.in); i++ {
		switch l.in[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s := l.in[l.pos+1 : i]
				l.pos = i + 1
				return s, true
			}
		}
	}
	return "", false
}

func finishMailbox(phrase, comment, angle string, hadAngle bool) Address {
	const longest = 2000 // what is longer is no mailbox; its end may hold one
	phrase, comment, angle = tail(phrase, longest), clipText(comment, longest), tail(angle, longest)
	addr, name := angle, phrase
	if !hadAngle || !strings.Contains(addr, "@") {
		// A bare address, maybe with words around it.
		addr, name = "", phrase+" "+angle
		for _, w := range strings.Fields(name) {
			if strings.Contains(w, "@") {
				addr, name = w, strings.Replace(name, w, " ", 1)
			}
		}
		if addr == "" || strings.HasPrefix(addr, "@") || strings.HasSuffix(addr, "@") {
			addr, name = strings.ReplaceAll(phrase+angle, " ", ""), "" // "anna @ x.example"
		}
	}
	addr = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '<' || r == '>' {
			return -1
		}
		return r
	}, addr)
	if strings.HasPrefix(addr, "@") { // a source route
		addr = addr[strings.LastIndexByte(addr, ':')+1:]
	}
	if len(addr) > 7 && strings.EqualFold(addr[:7], "mailto:") {
		addr = addr[7:]
	}
	addr = NormalizeAddress(strings.Trim(addr, `'"`)) // Outlook puts quotes around
	if addr == "" {
		return Address{}
	}
	name = strings.TrimSpace(name)
	if name == "" {
		name = comment // anna@x.example (Anna)
	}
	name = clipText(strings.Trim(decodeWords(name), ` '"`), maxName)
	if strings.EqualFold(name, addr) {
		name = ""
	}
	return Address{Name: name, Addr: addr}
}

// tail is the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
