package mailsync

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxOpenElements = 200
	maxAttributes   = 50
)

// htmlLines reads an HTML part as a person sees it: blocks as lines, table
// rows as "a | b", list items as "- a", links as "text <address>", quotes by
// depth; no style, script, picture or hidden text. It reads tokens and keeps
// a bounded stack of its own: the tree builder of x/net/html costs several
// times as much, and refuses deep nesting.
func htmlLines(src string) []line {
	r := &htmlReader{z: html.NewTokenizer(strings.NewReader(src)), blocks: []*block{{}}, open: map[string]int{}}
	r.z.SetMaxBuf(4 << 20)
	for {
		switch r.z.Next() {
		case html.ErrorToken:
			for len(r.stack) > 0 {
				r.pop()
			}
			r.breakLine()
			return r.blocks[0].lines
		case html.TextToken:
			if !r.top().hidden {
				r.text(string(r.z.Text()))
			}
		case html.StartTagToken:
			r.start(false)
		case html.SelfClosingTagToken:
			r.start(true)
		case html.EndTagToken:
			name, _ := r.z.TagName()
			r.end(atom.String(name))
		}
	}
}

// element is an open element; what children inherit is copied into them.
type element struct {
	name   string
	hidden bool // nothing in it is shown
	tiny   bool // font-size:0, unless a child has a size
	pre    bool
	quote  int // depth of quotation
	mark   mark
	tight  bool // a paragraph without space around it
	indent bool // a blockquote that only indents
	item   int  // number of the next item of an ol; -1 in an ul
	href   string
	from   int // where the link's text begins in the line
	fromAt int // … and in which line
	cell   bool
	rows   *table
}

// block collects lines; every table cell has its own.
type block struct {
	lines []line
	cur   []byte
	space bool // a space is due before the next word
	gap   bool // an empty line is due before the next line
	mark  int  // length of a list item's mark that has no text yet
}

type htmlReader struct {
	count  int // lines so far
	z      *html.Tokenizer
	stack  []element
	open   map[string]int // how many of a name are on the stack
	blocks []*block
	tables int
}

var rootElement = element{item: -1}

func (r *htmlReader) top() *element {
	if len(r.stack) == 0 {
		e := rootElement
		return &e
	}
	return &r.stack[len(r.stack)-1]
}

func (r *htmlReader) block() *block { return r.blocks[len(r.blocks)-1] }

// text adds words to the line, white space collapsed.
func (r *htmlReader) text(s string) {
	b := r.block()
	if r.top().tiny {
		return
	}
	if r.top().pre {
		for i, l := range strings.Split(s, "\n") {
			if i > 0 {
				r.newLine()
			}
			b.cur = append(b.cur, l...)
		}
		return
	}
	for len(s) > 0 {
		n := 0
		for n < len(s) && !htmlSpace(s[n]) {
			n++
		}
		if n == 0 {
			b.space = true
			s = s[1:]
			continue
		}
		word := s[:n]
		s = s[n:]
		if b.space && len(b.cur) > 0 {
			b.cur = append(b.cur, ' ')
		}
		b.space = false
		b.cur = append(b.cur, word...)
	}
}

func htmlSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// newLine ends the line, empty or not, as br does.
func (r *htmlReader) newLine() {
	b, e := r.block(), r.top()
	if r.count++; r.count > maxLines { // more than anybody reads
		b.cur, b.space, b.gap, b.mark = b.cur[:0], false, false, 0
		return
	}
	text := strings.TrimRight(cleanText(string(b.cur)), " \t\n")
	if !e.pre {
		text = strings.TrimLeft(text, " \t")
	}
	if text != "" && b.gap && len(b.lines) > 0 {
		b.lines = append(b.lines, line{depth: e.quote, mark: e.mark})
	}
	b.lines = append(b.lines, line{text: text, depth: e.quote, mark: e.mark})
	b.cur, b.space = b.cur[:0], false
	b.gap, b.mark = false, 0
}

// breakLine ends the line where there is something on it, as a block does.
func (r *htmlReader) breakLine() {
	b := r.block()
	if len(b.cur) > 0 && len(b.cur) == b.mark { // <li><p>text
		return
	}
	b.space = false
	if len(b.cur) > 0 {
		r.newLine()
	}
}

// paragraph ends the line and asks for an empty one.
func (r *htmlReader) paragraph() {
	r.breakLine()
	r.block().gap = true
}

var voidElements = map[string]bool{"br": true, "img": true, "hr": true, "meta": true, "link": true, "input": true, "area": true,
	"base": true, "col": true, "embed": true, "source": true, "track": true, "wbr": true, "param": true}

// unseen elements have no text for people.
var unseen = map[string]bool{"style": true, "script": true, "title": true, "noscript": true, "template": true, "object": true,
	"svg": true, "math": true, "select": true, "textarea": true, "iframe": true, "xml": true, "audio": true, "video": true,
	"noembed": true, "noframes": true, "datalist": true}

// blockElements begin and end a line.
var blockElements = map[string]bool{"div": true, "section": true, "article": true, "header": true, "footer": true, "main": true,
	"nav": true, "aside": true, "center": true, "form": true, "fieldset": true, "address": true, "figure": true, "figcaption": true,
	"dl": true, "dt": true, "dd": true, "body": true, "html": true, "head": true, "caption": true, "details": true, "summary": true, "legend": true,
	"table": true, "tr": true, "td": true, "th": true, "tbody": true, "thead": true, "tfoot": true, "li": true}

// spacedElements are blocks with an empty line around them.
var spacedElements = map[string]bool{"p": true, "h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true,
	"ul": true, "ol": true, "blockquote": true, "pre": true}

func (r *htmlReader) start(selfClosing bool) {
	raw, more := r.z.TagName()
	name := atom.String(raw)
	var attr attributes
	for n := 0; more && n < maxAttributes; n++ {
		var k, v []byte
		k, v, more = r.z.TagAttr()
		attr.set(k, v)
	}
	switch name {
	case "br":
		if !r.top().hidden {
			r.newLine()
		}
		return
	case "hr":
		if !r.top().hidden {
			r.breakLine()
			r.block().cur = append(r.block().cur, divider...)
			r.newLine()
		}
		return
	case "wbr":
		return
	case "li":
		r.closeOpen("li", "ul", "ol")
	case "tr":
		r.closeOpen("tr", "table")
	case "td", "th":
		r.closeCell()
	case "dt", "dd":
		r.closeOpen(name, "dl")
	case "body":
		r.closeOpen("head", "")
	}
	if spacedElements[name] || blockElements[name] && name != "table" {
		r.closeOpen("p", "td", "th", "div", "blockquote", "table", "li")
	}
	if voidElements[name] || selfClosing || len(r.stack) >= maxOpenElements {
		if blockElements[name] || spacedElements[name] {
			r.breakLine()
		}
		return
	}
	r.push(name, attr)
}

// attributes are those of an element that anybody here asks for.
type attributes struct {
	style, class, id, href, start string

	hidden    bool
	signature bool // Mail.ru's mark
}

// set notes an attribute. Of two of one name the first counts.
func (a *attributes) set(name, value []byte) {
	var to *string
	switch string(name) {
	case "style":
		to = &a.style
	case "class":
		to = &a.class
	case "id":
		to = &a.id
	case "href":
		to = &a.href
	case "start":
		to = &a.start
	case "hidden":
		a.hidden = true
		return
	case "data-signature-widget":
		a.signature = a.signature || len(value) > 0
		return
	default:
		return
	}
	if *to == "" {
		*to = string(value[:min(len(value), 2000)])
	}
}

func (r *htmlReader) push(name string, attr attributes) {
	parent := r.top()
	e := element{name: name, hidden: parent.hidden || unseen[name], tiny: parent.tiny, pre: parent.pre || name == "pre",
		quote: parent.quote, mark: parent.mark, item: parent.item, from: -1}
	if attr.hidden {
		e.hidden = true
	}
	if attr.style != "" {
		applyStyle(&e, attr.style)
	}
	if name == "p" && strings.HasPrefix(attr.class, "Mso") {
		e.tight = true
	}
	recogniseMailer(&e, &attr)

	switch {
	case e.hidden:
	case spacedElements[name] && !e.tight:
		r.paragraph()
	case blockElements[name], spacedElements[name]:
		r.breakLine()
	}
	switch name {
	case "blockquote":
		if !e.indent { // Gmail indents with border:none
			e.quote++
		}
	case "ul":
		e.item = -1
	case "ol":
		e.item = 1
		if n, err := strconv.Atoi(attr.start); err == nil && n >= 0 && n < 1e6 {
			e.item = n
		}
	case "li":
		if !e.hidden {
			r.bullet()
		}
	case "a":
		b := r.block()
		e.href, e.from, e.fromAt = attr.href, len(b.cur), len(b.lines)
	case "table":
		if r.tables < maxOpenTables {
			r.tables++
			e.rows = &table{}
		}
	case "td", "th":
		if t := r.openTable(); t != nil && !e.hidden {
			e.cell = true
			r.blocks = append(r.blocks, &block{})
		}
	}
	r.stack = append(r.stack, e)
	r.open[name]++
}

func (r *htmlReader) bullet() {
	b := r.block()
	for i := len(r.stack) - 1; i >= 0; i-- {
		e := &r.stack[i]
		if e.name == "ol" && e.item >= 0 {
			b.cur = append(strconv.AppendInt(b.cur[:0], int64(e.item), 10), '.')
			e.item++
			b.space, b.mark = true, len(b.cur)
			return
		}
		if e.name == "ul" {
			break
		}
	}
	b.cur = append(b.cur[:0], '-')
	b.space, b.mark = true, 1
}

// closeOpen closes the innermost open element of that name, unless one of the
// barriers stands between.
func (r *htmlReader) closeOpen(name string, barriers ...string) {
	if r.open[name] == 0 {
		return
	}
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i].name == name {
			for len(r.stack) > i {
				r.pop()
			}
			return
		}
		for _, b := range barriers {
			if r.stack[i].name == b {
				return
			}
		}
	}
}

// end closes an element. An end tag without a beginning is ignored, and one of
// an inline element does not reach out of its table cell.
func (r *htmlReader) end(name string) {
	if name == "br" { // </br> shows as <br>
		r.newLine()
		return
	}
	if r.open[name] == 0 {
		return
	}
	structural := blockElements[name] && name != "div" && name != "center"
	for i := len(r.stack) - 1; i >= 0; i-- {
		e := &r.stack[i]
		if e.name == name {
			for len(r.stack) > i {
				r.pop()
			}
			return
		}
		if e.cell && !structural {
			return
		}
		if e.name == "table" && (name == "td" || name == "th" || name == "tr") {
			return
		}
	}
}

// pop ends the innermost element.
func (r *htmlReader) pop() {
	e := *r.top()
	r.open[e.name]--
	if b := r.block(); e.name == "li" && b.mark > 0 && len(b.cur) == b.mark { // an empty item
		b.cur, b.space, b.mark = b.cur[:0], false, 0
	}
	switch {
	case e.hidden:
	case e.name == "a":
		r.link(&e)
	case e.cell:
		r.breakLine()
		lines := r.block().lines
		r.blocks = r.blocks[:len(r.blocks)-1]
		r.stack = r.stack[:len(r.stack)-1]
		if t := r.openTable(); t != nil {
			t.row = append(t.row, lines)
		} else {
			r.block().lines = append(r.block().lines, lines...)
		}
		return
	case e.name == "tr" || e.name == "table":
		r.breakLine()
		if t := r.openTable(); t != nil {
			r.row(t)
		}
	case spacedElements[e.name] && !e.tight:
		r.paragraph()
	case blockElements[e.name], spacedElements[e.name]:
		r.breakLine()
	}
	if e.rows != nil {
		r.tables--
	}
	r.stack = r.stack[:len(r.stack)-1]
}
