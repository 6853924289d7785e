package mailsync

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// Bounds of a letter's structure.
const (
	MaxDepth       = 50      // nesting of multiparts
	MaxParts       = 1000    // parts that are looked at
	MaxPartBytes   = 1 << 20 // of one text part, still transfer-encoded, that are read
	maxTextParts   = 20
	maxTextBytes   = 3 << 20
	maxAttachments = 200
)

// Part is one node of a letter's MIME structure, as BODYSTRUCTURE tells it.
type Part struct {
	// Path is the IMAP part number (RFC 9051 section 6.4.5), [1 2] for "1.2";
	// empty for a multipart root, [1] for a letter of one part.
	Path        []int
	Type        string            // lower case, "text/plain"
	Params      map[string]string // of Content-Type, keys in lower case, values as they came
	Encoding    string            // Content-Transfer-Encoding in lower case
	Disposition string            // "inline", "attachment" or ""
	Name        string            // as FileName gives it
	Size        int64             // bytes, still transfer-encoded
	Lines       int               // of a text part
	Children    []*Part           // of a multipart
}

// Section is the part's dotted path, "1.2", the key of a fetched body.
func (p *Part) Section() string {
	var b []byte
	for i, n := range p.Path {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

func (p *Part) multipart() bool { return strings.HasPrefix(p.Type, "multipart/") }

// walkParts calls fn for every part, parents first; false from fn leaves out
// the children. It stops at MaxDepth and MaxParts.
func walkParts(root *Part, fn func(*Part) bool) {
	left := MaxParts
	var walk func(p *Part, depth int)
	walk = func(p *Part, depth int) {
		if p == nil || depth > MaxDepth || left <= 0 {
			return
		}
		left--
		if !fn(p) {
			return
		}
		for _, c := range p.Children {
			walk(c, depth+1)
		}
	}
	walk(root, 0)
}

// reading is one stretch of a letter's text: in one of two forms where the
// letter has both.
type reading struct{ plain, html []*Part }

// readings tells how to read the letter from top to bottom. Attachments and
// other people's letters (message/rfc822) are not part of it. A text part with
// a file name is a file, unless the letter has no other text.
func readings(root *Part) []reading {
	left := MaxParts
	r := collectReadings(root, 0, &left, false)
	if len(r) == 0 {
		left = MaxParts
		r = collectReadings(root, 0, &left, true)
	}
	return r
}

func collectReadings(p *Part, depth int, left *int, named bool) []reading {
	if p == nil || depth > MaxDepth || *left <= 0 {
		return nil
	}
	*left--
	if !p.multipart() {
		switch {
		case p.Disposition == "attachment", p.Name != "" && !named:
		case p.Type == "text/plain", p.Type == "text/enriched", p.Type == "text":
			return []reading{{plain: []*Part{p}}}
		case p.Type == "text/html", p.Type == "application/xhtml+xml":
			return []reading{{html: []*Part{p}}}
		}
		return nil
	}
	var out []reading
	switch strings.TrimPrefix(p.Type, "multipart/") {
	case "alternative":
		var both reading
		for _, c := range p.Children {
			r := collectReadings(c, depth+1, left, named)
			parts, html := flatten(r)
			switch {
			case len(parts) == 0:
			case html:
				both.html = parts
			case both.plain == nil:
				both.plain = parts
			}
		}
		if both.plain != nil || both.html != nil {
			out = append(out, both)
		}
	case "related", "signed", "report": // the first part is what people read
		for _, c := range p.Children {
			if out = collectReadings(c, depth+1, left, named); len(out) > 0 {
				break
			}
		}
	case "encrypted":
	default:
		for _, c := range p.Children {
			out = append(out, collectReadings(c, depth+1, left, named)...)
		}
	}
	return out
}

// flatten lists the parts of readings, preferring HTML, and tells whether
// there is any.
func flatten(rs []reading) (parts []*Part, html bool) {
	for _, r := range rs {
		if r.html != nil {
			parts, html = append(parts, r.html...), true
		} else {
			parts = append(parts, r.plain...)
		}
	}
	return parts, html
}

func sizeOf(parts []*Part) (n int64) {
	for _, p := range parts {
		n += p.Size
	}
	return n
}

// choices are the forms of a reading to fetch: the plain one, and the HTML too
// where the plain one is so small beside it that it may only say "your program
// cannot show HTML".
func (r reading) choices() []*Part {
	switch {
	case r.plain == nil:
		return r.html
	case r.html == nil || sizeOf(r.plain) > 400 || sizeOf(r.html) < 8*sizeOf(r.plain):
		return r.plain
	}
	return slices.Concat(r.plain, r.html)
}

// TextParts are the parts to fetch to read the letter, in order; never an
// attachment. Of each, no more than MaxPartBytes are wanted.
func TextParts(root *Part) []*Part {
	var out []*Part
	total := int64(0)
	for _, r := range readings(root) {
		for _, p := range r.choices() {
			if len(out) == maxTextParts || total > maxTextBytes {
				return out
			}
			total += min(p.Size, MaxPartBytes)
			out = append(out, p)
		}
	}
	return out
}

// Attachments lists the letter's files. Pictures that belong to the HTML,
// signatures (S/MIME, PGP), and the invitation that Google attaches once more
// as a file are not among them.
func Attachments(root *Part) []store.Attachment {
	text := map[*Part]bool{}
	for _, r := range readings(root) {
		for _, p := range slices.Concat(r.plain, r.html) {
			text[p] = true
		}
	}
	decoration := map[*Part]bool{}
	invitation := false
	walkParts(root, func(p *Part) bool {
		switch {
		case p.Type == "multipart/related":
			for i, c := range p.Children {
				if i > 0 && strings.HasPrefix(c.Type, "image/") && c.Disposition != "attachment" {
					decoration[c] = true
				}
			}
		case p.Type == "multipart/alternative":
			for _, c := range p.Children { // the same text in other forms
				if strings.HasPrefix(c.Type, "text/") && c.Disposition != "attachment" {
					decoration[c] = true
				}
				invitation = invitation || c.Type == "text/calendar"
			}
		case p.Type == "multipart/report":
			for _, c := range p.Children {
				decoration[c] = true
			}
		}
		return strings.HasPrefix(p.Type, "multipart/")
	})
	var out []store.Attachment
	walkParts(root, func(p *Part) bool {
		if p.multipart() {
			return true
		}
		switch {
		case len(out) == maxAttachments, text[p], decoration[p]:
		case p.Type == "application/pgp-signature", p.Type == "application/pgp-encrypted",
			p.Type == "application/pkcs7-signature", p.Type == "application/x-pkcs7-signature":
		case strings.HasPrefix(p.Type, "text/") && p.Name == "" && p.Disposition != "attachment":
		case invitation && (p.Type == "application/ics" || p.Type == "text/calendar"):
		default:
			out = append(out, store.Attachment{Name: fileNameOf(p), Type: p.Type, Size: decodedSize(p)})
		}
		return false
	})
	return out
}

// fileNameOf names a file that came without a name by its kind.
func fileNameOf(p *Part) string {
	if p.Name != "" {
		return p.Name
	}
	switch p.Type {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return "winmail.dat"
	case "message/rfc822", "message/global":
		return "message.eml"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return "smime.p7m"
	case "application/pdf":
		return "document.pdf"
	case "image/jpeg":
		return "image.jpg"
	case "image/png":
		return "image.png"
	case "text/calendar":
		return "invite.ics"
	}
	return "attachment"
}

// decodedSize estimates the bytes of a part after its transfer encoding.
func decodedSize(p *Part) int64 {
	if p.Encoding == "base64" { // lines of 76 characters and CRLF hold 57 bytes
		return p.Size * 57 / 78
	}
	return p.Size
}

// Letter is a letter read as a whole.
type Letter struct {
	Header      *Header
	Root        *Part
	Text        string // readable, without quoted history and signature
	FullText    string
	Attachments []store.Attachment
}

// ReadMessage reads a whole raw letter by the same steps as one that comes
// over IMAP. internalDate may be zero. It never fails.
//
// It splits the MIME structure itself: go-message gives up at the first fault
// of a header, and what a letter with faults says is what we are after.
func ReadMessage(raw []byte, internalDate time.Time) *Letter {
	raw = skipBlank(raw)
	l := &Letter{Header: ReadHeader(raw, internalDate)}
	s := splitter{bodies: map[string][]byte{}, left: MaxParts}
	l.Root = s.part(raw, nil, 0, "text/plain")
	if !l.Root.multipart() {
		l.Root.Path = []int{1}
		s.bodies = map[string][]byte{"1": s.bodies[""]}
	}
	l.Header.Inspect(l.Root)
	l.Text, l.FullText = ReadText(l.Root, s.bodies)
	l.Attachments = Attachments(l.Root)
	return l
}

// splitter takes a raw letter apart without copying it.
type splitter struct {
	bodies map[string][]byte
	left   int
}

var partFields = map[string]bool{"content-type": true, "content-disposition": true, "content-transfer-encoding": true}

// part reads one entity, header and body (RFC 2045 section 2.4).
func (s *splitter) part(raw []byte, path []int, depth int, defaultType string) *Part {
	s.left--
	f := readPartHeader(raw)
	p := &Part{Path: path}
	p.Type, p.Params = parseMediaType(f.first("content-type"))
	if !strings.Contains(p.Type, "/") {
		p.Type = defaultType
	}
	p.Encoding = strings.ToLower(strings.TrimSpace(dropComments(f.first("content-transfer-encoding"))))
	disposition, params := parseMediaType(f.first("content-disposition"))
	if disposition != "" && disposition != "inline" {
		disposition = "attachment" // RFC 2183 section 2.8
	}
	p.Disposition, p.Name = disposition, FileName(params, p.Params)
	body := bodyOf(raw)
	p.Size = int64(len(body))
	if p.multipart() && depth < MaxDepth {
		childType := "text/plain"
		if p.Type == "multipart/digest" {
			childType = "message/rfc822"
		}
		for i, piece := range splitMultipart(body, p.Params["boundary"], s.left) {
			if s.left <= 0 {
				break
			}
			p.Children = append(p.Children, s.part(piece, append(slices.Clone(path), i+1), depth+1, childType))
		}
		if len(p.Children) > 0 {
			return p
		}
	}
	if p.multipart() { // no boundary in it: what is there is its text
		p.Type = "text/plain"
	}
	s.bodies[p.Section()] = body
	return p
}

func readPartHeader(raw []byte) fields {
	if bytes.HasPrefix(raw, []byte("\n")) || bytes.HasPrefix(raw, []byte("\r\n")) {
		return fields{} // a part may have no header at all
	}
	return readFields(raw, partFields)
}

// bodyOf is what follows the first empty line.
func bodyOf(raw []byte) []byte {
	for _, start := range []string{"\r\n", "\n"} {
		if bytes.HasPrefix(raw, []byte(start)) {
			return raw[len(start):]
		}
	}
	crlf, lf := bytes.Index(raw, []byte("\r\n\r\n")), bytes.Index(raw, []byte("\n\n"))
	switch {
	case crlf >= 0 && (lf < 0 || crlf < lf):
		return raw[crlf+4:]
	case lf >= 0:
		return raw[lf+2:]
	}
	return nil
}

// splitMultipart cuts a multipart body at its boundary lines (RFC 2046 section
// 5.1). Without a boundary parameter the first line that looks like one is it;
// a missing closing boundary ends at the end.
func splitMultipart(body []byte, boundary string, limit int) [][]byte {
	if boundary == "" {
		line := body
		for len(line) > 0 && (line[0] == '\n' || line[0] == '\r') {
			line = line[1:]
		}
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("--")) || len(line) < 3 {
			return nil
		}
		boundary = string(line[2:])
	}
	delim := []byte("--" + boundary)
	var out [][]byte
	start := -1 // where the present part begins
	for pos := 0; pos < len(body) && len(out) < limit; {
		i := bytes.Index(body[pos:], delim)
		if i < 0 {
			break
		}
		i += pos
		pos = i + len(delim)
		if i > 0 && body[i-1] != '\n' {
			continue // inside a line
		}
		rest := body[pos:]
		closing := bytes.HasPrefix(rest, []byte("--"))
		if closing {
			rest = rest[2:]
		}
		eol := bytes.IndexByte(rest, '\n')
		line := rest
		if eol >= 0 {
			line = rest[:eol]
		}
		if len(bytes.TrimSpace(line[:min(len(line), 100)])) > 0 {
			continue // another boundary, which begins the same
		}
		if start >= 0 {
			out = append(out, trimBreak(body[start:i]))
		}
		start = -1
		if closing {
			break
		}
		if eol < 0 {
			break
		}
		pos += eol + 1
		start = pos
	}
	if start >= 0 && start < len(body) && len(out) < limit {
		out = append(out, body[start:])
	}
	return out
}

// trimBreak cuts the line end that belongs to the boundary below.
func trimBreak(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}
