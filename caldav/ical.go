package caldav

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-ical"
)

// Precondition is why a calendar object was refused: the element of RFC 4791
// section 5.3.2.1 that the answer's DAV:error holds.
type Precondition struct {
	Name   string // "valid-calendar-data", "valid-calendar-object-resource", "supported-calendar-component"
	Status int    // HTTP status
	Reason string // for the log, without anything of the object's text
}

func (e *Precondition) Error() string { return e.Name + ": " + e.Reason }

// refuse makes a *Precondition with status 403, which Thunderbird takes for a
// final answer (clients.md section 5).
func refuse(name, format string, args ...any) error {
	return &Precondition{Name: name, Status: 403, Reason: fmt.Sprintf(format, args...)}
}

// Bounds of what a stranger may send.
const (
	maxObject  = 1 << 20 // octets
	maxLines   = 20_000  // unfolded
	maxDepth   = 8       // VCALENDAR, VEVENT, VALARM are three
	maxParams  = 100     // of one line
	foldOctets = 75      // RFC 5545 section 3.1
)

// line is one content line (RFC 5545 section 3.1).
type line struct {
	raw    []byte // as received, with its folds, without its last line end
	group  string // of a card's line: item1 of item1.TEL
	name   string // upper case
	params ical.Params
	value  string // unfolded, still escaped
}

// object is a parsed iCalendar object that remembers the bytes of every line,
// so that a part can be replaced without touching the rest. go-ical's types
// are filled from it; its decoder is not used, because it panics on malformed
// parameters and takes quadratic time for long ones (libraries.md).
type object struct {
	lines []line
	root  *component
}

// component is a BEGIN…END block of an object.
type component struct {
	*ical.Component
	begin, end int // indices of its BEGIN and END lines
	props      []int
	children   []*component
}

// decode reads an iCalendar object. Errors are *Precondition
// valid-calendar-data.
func decode(body []byte) (*ical.Calendar, error) {
	obj, err := parse(body)
	if err != nil {
		return nil, err
	}
	return &ical.Calendar{Component: obj.root.Component}, nil
}

// parse reads an iCalendar object in time and memory linear in its size.
func parse(body []byte) (*object, error) {
	bad := func(format string, args ...any) (*object, error) {
		return nil, refuse("valid-calendar-data", format, args...)
	}
	if len(body) > maxObject {
		return bad("%d octets, more than %d", len(body), maxObject)
	}
	obj := &object{}
	var open []*component
	rest := bytes.TrimPrefix(body, bom)
	for len(rest) > 0 {
		var raw []byte
		raw, rest = cutLine(rest)
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		at := len(obj.lines)
		if at == maxLines {
			return bad("more than %d lines", maxLines)
		}
		l, err := parseLine(raw)
		if err != nil {
			return bad("line %d: %v", at+1, err)
		}
		obj.lines = append(obj.lines, l)
		if obj.root != nil && len(open) == 0 {
			return bad("line %d: text after the end", at+1)
		}
		switch {
		case l.name == "BEGIN":
			name := strings.ToUpper(strings.TrimSpace(l.value))
			c := &component{Component: &ical.Component{Name: name, Props: ical.Props{}}, begin: at}
			if len(open) == maxDepth {
				return bad("line %d: nested too deep", at+1)
			}
			if len(open) == 0 {
				if name != ical.CompCalendar {
					return bad("does not begin with VCALENDAR")
				}
				obj.root = c
			} else {
				up := open[len(open)-1]
				up.children = append(up.children, c)
				up.Children = append(up.Children, c.Component)
			}
			open = append(open, c)
		case len(open) == 0:
			return bad("line %d: outside of a component", at+1)
		case l.name == "END":
			c := open[len(open)-1]
			if !strings.EqualFold(strings.TrimSpace(l.value), c.Name) {
				return bad("line %d: END does not match BEGIN", at+1)
			}
			c.end = at
			open = open[:len(open)-1]
		default:
			c := open[len(open)-1]
			c.props = append(c.props, at)
			c.Props[l.name] = append(c.Props[l.name], ical.Prop{Name: l.name, Params: l.params, Value: l.value})
		}
	}
	if obj.root == nil || len(open) > 0 {
		return bad("ends too early")
	}
	return obj, nil
}

var bom = []byte("\ufeff")

// cutLine takes the first content line, with its folded continuations, off b.
// Line ends are CRLF or, from careless writers, LF or CR CRLF.
func cutLine(b []byte) (raw, rest []byte) {
	at := 0
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return bytes.TrimRight(b, "\r"), nil
		}
		at += i + 1
		if at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return bytes.TrimRight(b[:at-1], "\r"), b[at:]
		}
	}
}

// unfold removes the folds of a raw line.
func unfold(raw []byte) string {
	if bytes.IndexByte(raw, '\n') < 0 {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 {
			b.Write(raw)
			break
		}
		b.Write(bytes.TrimRight(raw[:i], "\r"))
		raw = raw[min(i+2, len(raw)):] // the line end and one blank
	}
	return b.String()
}

// parseLine reads name, parameters and value of a raw content line.
func parseLine(raw []byte) (line, error) {
	s := unfold(raw)
	if !utf8.ValidString(s) {
		return line{}, fmt.Errorf("not UTF-8")
	}
	if strings.IndexFunc(s, unfit) >= 0 {
		return line{}, fmt.Errorf("control character")
	}
	i := strings.IndexAny(s, ";:")
	if i <= 0 || strings.IndexFunc(s[:i], notName) >= 0 {
		return line{}, fmt.Errorf("no property name")
	}
	l := line{raw: raw, name: strings.ToUpper(s[:i])}
	s = s[i:]
	for n := 0; s[0] == ';'; n++ {
		if n == maxParams {
			return line{}, fmt.Errorf("too many parameters")
		}
		name, after, ok := strings.Cut(s[1:], "=")
		if !ok || name == "" || strings.IndexFunc(name, notName) >= 0 {
			return line{}, fmt.Errorf("malformed parameter")
		}
		values, tail, err := parseParam(after)
		if err != nil {
			return line{}, err
		}
		if l.params == nil {
			l.params = ical.Params{}
		}
		name = strings.ToUpper(name)
		l.params[name] = append(l.params[name], values...)
		s = tail
	}
	l.value = s[1:]
	return l, nil
}

// parseParam reads the comma-separated values of a parameter; tail begins
// with the ';' or ':' after them.
func parseParam(s string) (values []string, tail string, err error) {
	for {
		if len(values) == maxParams {
			return nil, "", fmt.Errorf("too many parameter values")
		}
		if strings.HasPrefix(s, `"`) {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return nil, "", fmt.Errorf("parameter without closing quote")
			}
			values, s = append(values, s[1:1+end]), s[end+2:]
		} else {
			end := strings.IndexAny(s, `",;:`)
			if end < 0 {
				return nil, "", fmt.Errorf("no colon after the parameters")
			}
			values, s = append(values, s[:end]), s[end:]
		}
		switch {
		case strings.HasPrefix(s, ","):
			s = s[1:]
		case strings.HasPrefix(s, ";"), strings.HasPrefix(s, ":"):
			return values, s, nil
		default:
			return nil, "", fmt.Errorf("malformed parameter value")
		}
	}
}

func notName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// unfit tells characters that neither RFC 5545 nor XML 1.0 can carry.
func unfit(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff
}

// clean gives body as it can be kept and served: without a byte order mark,
// and, where it holds control characters (text pasted from Word has \v),
// broken UTF-8 or characters cut in two by a fold, with those lines folded
// anew. All other bytes stay as they are.
func clean(body []byte) []byte {
	body = bytes.TrimPrefix(body, bom)
	fit := utf8.Valid(body)
	for _, b := range body {
		if b < ' ' && b != '\t' && b != '\r' && b != '\n' || b == 0x7f {
			fit = false
			break
		}
	}
	if fit && !bytes.Contains(body, []byte("\uffff")) && !bytes.Contains(body, []byte("\ufffe")) {
		return body
	}
	var w writer
	for rest := body; len(rest) > 0; {
		var raw []byte
		raw, rest = cutLine(rest)
		if s := fitText(unfold(raw)); strings.TrimSpace(s) != "" {
			w.line(s)
		}
	}
	return w.Bytes()
}

// fitText drops what unfit names and replaces broken UTF-8.
func fitText(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.IndexFunc(s, unfit) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unfit(r) {
			return -1
		}
		return r
	}, s)
}

// writer writes content lines.
type writer struct{ bytes.Buffer }

// line writes an unfolded content line with CRLF, folded at 75 octets between
// characters.
func (w *writer) line(s string) {
	for room := foldOctets; len(s) > room; room = foldOctets - 1 {
		cut := room
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		w.WriteString(s[:cut])
		w.WriteString("\r\n ")
		s = s[cut:]
	}
	w.WriteString(s)
	w.WriteString("\r\n")
}

// asReceived writes a raw line with CRLF line ends.
func (w *writer) asReceived(raw []byte) {
	for {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 {
			w.Write(raw)
			w.WriteString("\r\n")
			return
		}
		w.Write(bytes.TrimRight(raw[:i], "\r"))
		w.WriteString("\r\n")
		raw = raw[i+1:]
	}
}

// escape makes the TEXT value of s (RFC 5545 section 3.3.11).
func escape(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return fitText(textEscaper.Replace(s))
}

var textEscaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`, "\r", `\n`)

// unescape reads a TEXT value. A backslash before anything else than RFC 5545
// names stands for itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case 'n', 'N':
				b.WriteByte('\n')
				i++
				continue
			case '\\', ';', ',':
				i++
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// textList splits a TEXT list at its unescaped commas.
func textList(s string) []string {
	var list []string
	start := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',':
			if item := strings.TrimSpace(unescape(s[start:i])); item != "" {
				list = append(list, item)
			}
			start = i + 1
		case s[i] == '\\':
			i++
		}
	}
	return list
}

// text is the unescaped value of a component's property, "" without one.
func text(c *ical.Component, name string) string {
	if p := c.Props.Get(name); p != nil {
		return unescape(p.Value)
	}
	return ""
}
