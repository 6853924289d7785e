package exchange

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"
)

// Bounds of a CommerceML file. A file may be as long as it likes: no more than
// one Документ of it is held at a time.
const (
	maxPaper = 8 << 20 // bytes of one Документ, Контрагент or other element
	maxDepth = 64      // of nested elements
	maxList  = 20_000  // goods of a document, requisites of a good and so on
	maxAttrs = 64      // of one element
	maxLeft  = 100     // names of what was left out
)

// Faults that end the reading of a file.
var (
	errNotCommerceML = errors.New("this is no CommerceML: the first element is not КоммерческаяИнформация")
	errDoctype       = errors.New("the file has a DOCTYPE, which CommerceML does not use")
	errDeep          = fmt.Errorf("elements are nested deeper than %d", maxDepth)
	errLongPaper     = fmt.Errorf("one element of the file is longer than %d MB", maxPaper>>20)
	errLongList      = fmt.Errorf("a list of one document is longer than %d", maxList)
	errAttributes    = fmt.Errorf("an element has more than %d attributes", maxAttrs)
	errEncoding      = errors.New("the encoding is neither utf-8 nor windows-1251")
)

// paper is one Документ, or one Контрагент of a list of them.
type paper struct {
	line      int     // where it begins, from 1
	raw       []byte  // the element as it stood, in UTF-8
	document  *cmlDoc // either this
	partner   *cmlPartner
	box       string // the element around it: Контейнер, Контрагенты or "" for the root
	container int    // of CommerceML 3: its number from 1; 0 outside of one
}

// commerceML reads a CommerceML file of schema 2.03 to 3.1 paper by paper.
type commerceML struct {
	in      *recorder
	tokens  *bounded
	dec     *xml.Decoder
	root    xml.StartElement
	formed  time.Time // ДатаФормирования; zero: not said
	third   bool      // schema 3: payments and shipments are documents
	path    []string  // elements of the way down that are open, below the root
	leftOut map[string]int
	boxes   int // containers so far
}

// openCommerceML reads the file's head. Errors: of r, or that this is no
// CommerceML.
func openCommerceML(r io.Reader) (*commerceML, error) {
	in, err := newRecorder(r)
	if err != nil {
		return nil, err
	}
	c := &commerceML{in: in, leftOut: map[string]int{}}
	c.tokens = &bounded{in: in, dec: xml.NewDecoder(in)}
	// The recorder gives UTF-8 whatever the declaration says.
	c.tokens.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	c.dec = xml.NewTokenDecoder(c.tokens)
	for {
		t, err := c.token()
		if err == io.EOF {
			return nil, errNotCommerceML
		}
		if err != nil {
			return nil, err
		}
		start, is := t.(xml.StartElement)
		if !is {
			continue
		}
		if start.Name.Local != "КоммерческаяИнформация" {
			return nil, errNotCommerceML
		}
		c.root = start.Copy()
		break
	}
	for _, a := range c.root.Attr {
		switch a.Name.Local {
		case "ДатаФормирования":
			c.formed = moment(a.Value)
		case "ВерсияСхемы":
			c.third = strings.HasPrefix(strings.TrimSpace(a.Value), "3")
		}
	}
	c.third = c.third || strings.Contains(c.root.Name.Space, "commerceml_3")
	return c, nil
}

// token is the next token; faults tell the line.
func (c *commerceML) token() (xml.Token, error) {
	t, err := c.dec.Token()
	if err != nil && err != io.EOF {
		err = c.at(err)
	}
	return t, err
}

func (c *commerceML) at(err error) error {
	line, _ := c.tokens.dec.InputPos()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) { // its line is that of the decoder of tokens
		err = brokenXML(syntax.Msg)
	}
	return &lineError{line, err}
}

// lineError is a fault in a line of a file, from 1.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// brokenXML is what the parser says of text that is no XML.
type brokenXML string

func (e brokenXML) Error() string { return "the XML is broken: " + string(e) }

// inBox reports whether what is read now is in a container.
func (c *commerceML) inBox() bool { return len(c.path) > 0 && c.path[0] == "Контейнер" }

// next gives the next paper; io.EOF at the end of the file. All that is not
// asked for (catalogues, offers) is passed over and counted.
func (c *commerceML) next() (*paper, error) {
	for {
		t, err := c.token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if len(c.path) == 0 { // of the root
				return nil, c.end()
			}
			c.path = c.path[:len(c.path)-1]
		case xml.StartElement:
			name := t.Name.Local
			switch {
			case name == "Документ" && (len(c.path) == 0 || c.inBox()):
				p := &paper{document: &cmlDoc{}}
				return p, c.take(p, p.document, &t)
			case name == "Контрагент" && len(c.path) == 1 && c.path[0] == "Контрагенты":
				p := &paper{partner: &cmlPartner{}}
				return p, c.take(p, p.partner, &t)
			case len(c.path) == 0 && (name == "Контейнер" || name == "Контрагенты"):
				if name == "Контейнер" {
					c.boxes++
				}
				c.path = append(c.path, name)
			default:
				c.leave(name)
				if err := c.dec.Skip(); err != nil {
					return nil, c.at(err)
				}
			}
		}
	}
}

// leave counts something that is not taken, under a name that is not too long.
func (c *commerceML) leave(name string) {
	name = short(name)
	if _, there := c.leftOut[name]; !there && len(c.leftOut) >= maxLeft {
		name = "…"
	}
	c.leftOut[name]++
}

// take decodes the element that t began into v, and keeps its bytes.
func (c *commerceML) take(p *paper, v any, t *xml.StartElement) error {
	p.line = c.tokens.line
	from := c.tokens.start
	c.tokens.held = true
	err := c.dec.DecodeElement(v, t)
	c.tokens.held = false
	if err != nil {
		return c.at(err)
	}
	p.raw = bytes.Clone(c.in.since(from, c.tokens.dec.InputOffset()))
	if len(c.path) > 0 {
		p.box = c.path[0]
	}
	if c.inBox() {
		p.container = c.boxes
	}
	return nil
}

// end reads what follows the root, where only blanks and comments may be.
func (c *commerceML) end() error {
	for {
		t, err := c.token()
		if err != nil {
			return err // io.EOF, mostly
		}
		if _, is := t.(xml.StartElement); is {
			return c.at(brokenXML("more than one root"))
		}
	}
}

// bounded gives the tokens of a file to the decoder that makes values of them,
// and refuses what no honest file has.
type bounded struct {
	in    *recorder
	dec   *xml.Decoder // of raw tokens
	depth int
	start int64 // of the token given last
	line  int
	held  bool // the bytes of earlier tokens are still needed
}

// Token implements xml.TokenReader.
func (b *bounded) Token() (xml.Token, error) {
	b.start = b.dec.InputOffset()
	b.line, _ = b.dec.InputPos()
	if !b.held {
		b.in.forget(b.start)
	}
	t, err := b.dec.RawToken()
	if err != nil {
		return t, err
	}
	switch t := t.(type) {
	case xml.StartElement:
		if b.depth++; b.depth > maxDepth {
			return nil, errDeep
		}
		if len(t.Attr) > maxAttrs {
			return nil, errAttributes
		}
	case xml.EndElement:
		b.depth--
	case xml.Directive:
		return nil, errDoctype
	}
	return t, nil
}

// recorder gives a file as UTF-8 and keeps the bytes from a place on. At most
// maxPaper are kept: a longer element ends the file.
type recorder struct {
	r     *bufio.Reader
	kept  []byte
	base  int64 // offset of kept[0]
	count *counter
}

var declaredEncoding = regexp.MustCompile(`^<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9_.-]+)["']`)

// newRecorder finds the encoding: UTF-16 and other marks are refused, for 1C
// writes none.
func newRecorder(r io.Reader) (*recorder, error) {
	count := &counter{r: r}
	in := bufio.NewReaderSize(count, 64<<10)
	if head, _ := in.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		in.Discard(3) // peeked, so it is there
	}
	head, err := in.Peek(200)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, err
	}
	if m := declaredEncoding.FindSubmatch(head); m != nil {
		switch strings.ToLower(string(m[1])) {
		case "utf-8", "utf8":
		case "windows-1251", "cp1251":
			in = bufio.NewReaderSize(charmap.Windows1251.NewDecoder().Reader(in), 64<<10)
		default:
			return nil, errEncoding
		}
	}
	return &recorder{r: in, count: count}, nil
}

// ReadByte lets the XML decoder read no further than it needs.
func (r *recorder) ReadByte() (byte, error) {
	if len(r.kept) >= maxPaper {
		return 0, errLongPaper
	}
	b, err := r.r.ReadByte()
	if err == nil {
		r.kept = append(r.kept, b)
	}
	return b, err
}

// Read implements io.Reader, which a decoder asks for; it calls ReadByte.
func (r *recorder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// forget drops what stood before an offset.
func (r *recorder) forget(before int64) {
	n := copy(r.kept, r.kept[before-r.base:])
	r.kept, r.base = r.kept[:n], before
}

// since gives what stood between two offsets, until the next read.
func (r *recorder) since(from, to int64) []byte {
	return r.kept[from-r.base : to-r.base]
}

// moment reads a time that has no zone; zero for none.
func moment(s string) time.Time {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "02.01.2006 15:04:05", "2006-01-02", "02.01.2006", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			return t
		}
	}
	return time.Time{}
}
