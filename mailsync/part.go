package mailsync

import (
	"strconv"
	"strings"
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
	ID          string            // of a picture: its Content-ID, without <>
	Size        int64             // bytes, still transfer-encoded
	Lines       int               // of a text part
	Children    []*Part           // of a multipart
	Limit       int64             // bytes that are wanted of it; 0: as of any text
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

// weight is about how many bytes the structure takes in memory.
func (p *Part) weight() int {
	n := 0
	walkParts(p, func(p *Part) bool {
		n += 400 + 16*len(p.Path) + len(p.Type) + len(p.Name) + len(p.ID)
		for k, v := range p.Params {
			n += 64 + len(k) + len(v)
		}
		return true
	})
	return n
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
