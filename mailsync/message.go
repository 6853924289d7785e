package mailsync

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// Letter is a letter read as a whole.
type Letter struct {
	Header      *Header
	Root        *Part
	Text        string // readable, without quoted history and signature
	FullText    string
	Attachments []store.Attachment

	bodies map[string][]byte // by Section, for SignReader
}

// ReadMessage reads a whole raw letter by the same steps as one that comes
// over IMAP. internalDate may be zero. It never fails.
//
// It splits the MIME structure itself: go-message gives up at the first fault
// of a header, and what a letter with faults says is what we are after.
func ReadMessage(raw []byte, internalDate time.Time) *Letter {
	l, bodies := splitMessage(raw, internalDate)
	l.Text, l.FullText = ReadText(l.Root, bodies)
	l.Attachments = Attachments(l.Root)
	return l
}

// splitMessage reads header and structure, and gives the bodies of the parts
// by Section.
func splitMessage(raw []byte, internalDate time.Time) (*Letter, map[string][]byte) {
	raw = skipBlank(raw)
	l := &Letter{Header: ReadHeader(raw, internalDate)}
	s := splitter{bodies: map[string][]byte{}, left: MaxParts}
	l.Root = s.part(raw, nil, 0, "text/plain")
	if !l.Root.multipart() {
		l.Root.Path = []int{1}
		s.bodies = map[string][]byte{"1": s.bodies[""]}
	}
	l.Header.Inspect(l.Root)
	l.bodies = s.bodies
	return l, s.bodies
}

// splitter takes a raw letter apart without copying it.
type splitter struct {
	bodies map[string][]byte
	left   int
}

var partFields = map[string]bool{"content-type": true, "content-disposition": true, "content-transfer-encoding": true, "content-id": true}

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
	p.ID = contentID(p.Type, f.first("content-id"))
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
