package caldav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The namespaces, with the prefixes that every answer declares.
const (
	nsDAV     = "DAV:"
	nsCalDAV  = "urn:ietf:params:xml:ns:caldav"
	nsCardDAV = "urn:ietf:params:xml:ns:carddav"
	nsCS      = "http://calendarserver.org/ns/"
	nsApple   = "http://apple.com/ns/ical/"
)

const declarations = ` xmlns:D="DAV:" xmlns:C="` + nsCalDAV + `" xmlns:CR="` + nsCardDAV +
	`" xmlns:CS="` + nsCS + `" xmlns:A="` + nsApple + `"`

// Bounds of a request body. encoding/xml survives deep nests only as long as
// nobody recurses over them, so the depth is counted token by token.
const (
	maxRequest  = 1 << 20 // bytes, of XML and of a calendar object alike
	maxNesting  = 32
	maxElements = 20_000
)

var (
	errTooLarge = errors.New("body too large")
	errBadXML   = errors.New("malformed XML")
)

// element is one element of a request body.
type element struct {
	xml.Name
	attrs    []xml.Attr
	text     string // character data directly inside
	children []*element
	parent   *element
	source   []byte // the element as it was sent
}

// child is the first child of that name, nil when there is none.
func (e *element) child(space, local string) *element {
	for _, c := range e.children {
		if c.Space == space && c.Local == local {
			return c
		}
	}
	return nil
}

// attr is the value of an attribute without namespace, "" when absent.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e *element) is(space, local string) bool {
	return e != nil && e.Space == space && e.Local == local
}

// readBody reads a whole request body of at most limit bytes; errTooLarge at
// once where Content-Length says more.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if n > limit {
		return nil, errTooLarge
	}
	return buf.Bytes(), nil
}

// parseXML reads one document into a tree within the bounds above. An empty
// body gives nil and no error. Every fault is errBadXML.
func parseXML(body []byte) (*element, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	type level struct {
		e     *element
		text  []byte
		start int64
	}
	var (
		root     *element
		stack    []level
		count    int
		declared = map[string]bool{} // namespaces that some element above or before declares
	)
	for {
		before := dec.InputOffset()
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errBadXML, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(stack) >= maxNesting {
				return nil, fmt.Errorf("%w: too many or too deep elements", errBadXML)
			}
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" {
					if declared[a.Value] = true; a.Value == "" { // Namespaces in XML 1.0, section 2.2
						return nil, fmt.Errorf("%w: a prefix for nothing", errBadXML)
					}
				} else if a.Name == (xml.Name{Local: "xmlns"}) {
					declared[a.Value] = true
				}
			}
			if t.Name.Space != "" && !declared[t.Name.Space] { // encoding/xml leaves the prefix there
				return nil, fmt.Errorf("%w: a prefix that is not declared", errBadXML)
			}
			e := &element{Name: t.Name, attrs: t.Attr}
			lv := level{e: e, start: before}
			if len(stack) == 0 {
				if root != nil {
					return nil, fmt.Errorf("%w: two roots", errBadXML)
				}
				root = e
			} else {
				e.parent = stack[len(stack)-1].e
				e.parent.children = append(e.parent.children, e)
			}
			stack = append(stack, lv)
		case xml.EndElement:
			lv := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			lv.e.text = string(lv.text)
			lv.e.source = body[lv.start:dec.InputOffset()]
		case xml.CharData:
			if len(stack) > 0 {
				top := &stack[len(stack)-1]
				top.text = append(top.text, t...)
			}
		case xml.Directive:
			return nil, fmt.Errorf("%w: document type declarations are not taken", errBadXML)
		}
	}
	if root == nil || len(stack) > 0 {
		return nil, fmt.Errorf("%w: no root element", errBadXML)
	}
	return root, nil
}

// inherited reports whether an attribute holds for the children too.
func inherited(a xml.Attr) bool {
	return a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) || isLang(a)
}

func isLang(a xml.Attr) bool {
	return a.Name.Local == "lang" && (a.Name.Space == "xml" || a.Name.Space == "http://www.w3.org/XML/1998/namespace")
}

func attribute(name, value string) xml.Attr {
	return xml.Attr{Name: xml.Name{Local: name}, Value: value}
}

// standalone is the element as it was sent, with the namespaces and the
// xml:lang that it inherits declared on its own start tag, so that it means
// the same anywhere.
func (e *element) standalone() string {
	have := map[string]bool{}
	var add []byte
	for up := e; up != nil; up = up.parent { // the nearest declaration wins
		for _, a := range up.attrs {
			name := a.Name.Local
			switch {
			case !inherited(a):
				continue
			case isLang(a):
				name = "xml:lang"
			case a.Name.Space == "xmlns":
				name = "xmlns:" + a.Name.Local
			}
			if have[name] {
				continue
			}
			have[name] = true
			if up != e {
				add = append(add, ' ')
				add = append(add, name...)
				add = append(add, `="`...)
				add = appendText(add, a.Value)
				add = append(add, '"')
			}
		}
	}
	cut := bytes.IndexAny(e.source, " \t\r\n/>")
	if cut < 0 {
		return ""
	}
	return string(e.source[:cut]) + string(add) + string(e.source[cut:])
}

// answer writes an XML answer as a stream: it is kept in one pooled buffer
// and leaves in large pieces, so memory stays flat however long a listing is.
// The status line goes out with the first piece; until then a failed report
// can still become an error answer.
type answer struct {
	w      http.ResponseWriter
	status int
	buf    []byte
	sent   bool
	err    error
	keep   *keeping // gets a copy of all that is sent; nil: nobody
}

const xmlType = "application/xml; charset=utf-8"

const (
	spillAt = 256 << 10 // most answers fit, and end their read transaction before a slow client reads
	maxKept = 512 << 10 // larger buffers are not pooled
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

func newAnswer(w http.ResponseWriter, status int) *answer {
	return &answer{w: w, status: status, buf: (*buffers.Get().(*[]byte))[:0]}
}

func (a *answer) str(s ...string) {
	for _, s := range s {
		a.buf = append(a.buf, s...)
	}
}

func (a *answer) text(s string)      { a.buf = appendText(a.buf, s) }
func (a *answer) textBytes(b []byte) { a.buf = appendText(a.buf, b) }

// el writes <name>text</name>; name with its prefix.
func (a *answer) el(name, text string) {
	a.str("<", name, ">")
	a.text(text)
	a.str("</", name, ">")
}

// href writes a D:href of an escaped path.
func (a *answer) href(path string) { a.el("D:href", path) }

// tag writes a start tag (or, with empty, an empty element) of any name and
// gives the text of its end tag.
func (a *answer) tag(n xml.Name, empty bool) (end string) {
	prefix, known := prefixes[n.Space]
	name := n.Local
	switch {
	case known:
		name = prefix + n.Local
		a.str("<", name)
	case n.Space == "":
		a.str("<", name)
	default:
		name = "X:" + n.Local
		a.str("<", name, ` xmlns:X="`)
		a.text(n.Space)
		a.str(`"`)
	}
	if empty {
		a.str("/>")
		return ""
	}
	a.str(">")
	return "</" + name + ">"
}

var prefixes = map[string]string{nsDAV: "D:", nsCalDAV: "C:", nsCardDAV: "CR:", nsCS: "CS:", nsApple: "A:"}

// spill sends what has gathered once it is much. The error is that of the
// connection: the client has gone.
func (a *answer) spill() error {
	if len(a.buf) < spillAt {
		return a.err
	}
	return a.flush()
}

func (a *answer) flush() error {
	if a.err != nil {
		return a.err
	}
	a.header(-1)
	a.write()
	a.buf = a.buf[:0]
	return a.err
}

func (a *answer) header(length int) {
	if a.sent {
		return
	}
	a.sent = true
	h := a.w.Header()
	h.Set("Content-Type", xmlType)
	if length >= 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	a.w.WriteHeader(a.status)
}

// close ends the answer.
func (a *answer) close() {
	if !a.sent {
		a.header(len(a.buf))
	}
	if a.err == nil && len(a.buf) > 0 {
		a.write()
	}
	a.drop()
}

func (a *answer) write() {
	if a.keep != nil {
		a.keep.add(a.buf)
	}
	_, a.err = a.w.Write(a.buf)
}

// drop gives the buffer back; what was not sent is lost.
func (a *answer) drop() {
	if b := a.buf; b != nil && cap(b) <= maxKept {
		b = b[:0]
		buffers.Put(&b)
	}
	a.buf = nil
}

// appendText escapes character data. A CR is written as a reference, since
// parsers turn a plain CRLF into LF; what XML cannot hold becomes U+FFFD.
func appendText[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if asItIs[c] {
			i++
			continue
		}
		size, repl := 1, "\uFFFD"
		switch c {
		case '&':
			repl = "&amp;"
		case '<':
			repl = "&lt;"
		case '>':
			repl = "&gt;"
		case '"':
			repl = "&quot;"
		case '\r':
			repl = "&#13;"
		default:
			if c >= utf8.RuneSelf {
				var r rune
				r, size = utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
				if (r != utf8.RuneError || size > 1) && r != 0xFFFE && r != 0xFFFF {
					i += size
					continue
				}
			}
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, repl...)
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// asItIs are the bytes that stand for themselves in character data.
var asItIs = func() (all [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		all[c] = !strings.ContainsRune("&<>\"", c)
	}
	all['\n'], all['\t'] = true, true
	return all
}()

// trimmed is an element's text without the white space that pretty printers
// put around it; "" for nil.
func trimmed(e *element) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.text)
}
