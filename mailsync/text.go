package mailsync

import "strings"

const (
	maxText  = 1 << 20 // bytes of readable text kept of a letter
	maxLines = 20_000  // in which new text is looked for
)

// line is one line of a letter's text. Plain text and HTML are both read into
// lines, so that quotes and signatures are found by the same rules.
type line struct {
	text  string // without trailing space
	depth int    // of quotation; 0 is what the author wrote
	mark  mark
}

// mark is what a mail program said about a line by its HTML.
type mark uint8

const (
	markNone        mark = iota
	markAttribution      // "Anna wrote:"
	markSignature
	markHistory // from here on it is the earlier letter
)

func (l line) blank() bool { return l.text == "" }

// own reports whether the author wrote something on this line.
func (l line) own() bool { return l.depth == 0 && l.text != "" }

// ReadText makes the readable text of a letter from its fetched parts, still
// transfer-encoded, by Section. full is the whole text, quotes marked with
// ">"; text is what is left of it without quoted history and signature. What
// is missing in bodies is left out. Of a letter that is encrypted as a whole
// the text says just that.
func ReadText(root *Part, bodies map[string][]byte) (text, full string) {
	lines := letterLines(root, bodies)
	if len(lines) == 0 {
		note := encryption(root)
		return note, note
	}
	return clipText(newText(lines[:min(len(lines), maxLines)]), maxText), clipText(wholeText(lines), maxText)
}

// letterLines is the letter's text from top to bottom.
func letterLines(root *Part, bodies map[string][]byte) (lines []line) {
	for _, r := range readings(root) {
		plain, html := readParts(r.plain, bodies), readParts(r.html, bodies)
		if len(plain) == 0 || poor(plain, html) {
			plain = html
		}
		if len(plain) > 0 && len(lines) > 0 {
			lines = append(lines, line{})
		}
		lines = joinLines(lines, plain)
	}
	return lines
}

// joinLines appends, without a copy where there was nothing.
func joinLines(lines, more []line) []line {
	if len(lines) == 0 {
		return more
	}
	return append(lines, more...)
}

func readParts(parts []*Part, bodies map[string][]byte) (out []line) {
	for _, p := range parts {
		body, ok := bodies[p.Section()]
		if !ok {
			continue
		}
		s := decodeBody(p, body)
		var lines []line
		if p.Type == "text/html" || p.Type == "application/xhtml+xml" {
			lines = htmlLines(s)
		} else {
			lines = plainLines(s, strings.EqualFold(p.Params["format"], "flowed"), strings.EqualFold(p.Params["delsp"], "yes"))
		}
		out = joinLines(out, lines)
	}
	return out
}

// poor reports whether the plain form says much less than the HTML, as
// "Your program cannot show HTML" does.
func poor(plain, html []line) bool {
	count := func(lines []line) (n int) {
		for _, l := range lines {
			n += len(l.text)
		}
		return n
	}
	p := count(plain)
	return p < 300 && count(html) > 2*p+50
}

// decodeBody undoes transfer encoding and charset of a text part.
func decodeBody(p *Part, body []byte) string {
	if len(body) > MaxPartBytes {
		body = body[:MaxPartBytes]
	}
	switch p.Encoding {
	case "x-uuencode", "uuencode", "x-uue":
		return ""
	}
	body = decodeTransfer(p.Encoding, body)
	charset := p.Params["charset"]
	if charset == "" && p.Type == "text/html" {
		charset = metaCharset(body)
	}
	return cleanText(toUTF8(body, charset))
}

// decodeTransfer undoes a Content-Transfer-Encoding (RFC 2045 section 6).
func decodeTransfer(encoding string, body []byte) []byte {
	switch encoding {
	case "base64", "b":
		return decodeBase64(body)
	case "quoted-printable", "q":
		return decodeQuotedPrintable(body)
	}
	return body
}

// plainLines reads a text/plain part: quote marks, and format=flowed
// (RFC 3676), which joins the lines of a paragraph.
func plainLines(s string, flowed, delsp bool) []line {
	s = strings.TrimRight(s, "\n \t")
	out := make([]line, 0, min(strings.Count(s, "\n")+1, maxLines+1))
	joining := false // the last line goes on
	for more := true; more; {
		if len(out) == maxLines { // looked at no more, but kept
			return append(out, line{text: s})
		}
		var raw string
		raw, s, more = strings.Cut(s, "\n")
		depth, text := quoteDepth(raw)
		if !flowed {
			out = append(out, line{text: strings.TrimRight(text, " \t"), depth: depth})
			continue
		}
		if depth == 0 {
			text = strings.TrimPrefix(text, " ") // space-stuffed
		}
		signature := text == "-- " || text == "--"
		if joining && !signature && out[len(out)-1].depth == depth {
			out[len(out)-1].text += text
		} else {
			out = append(out, line{text: text, depth: depth})
		}
		joining = !signature && strings.HasSuffix(text, " ")
		if joining && delsp {
			last := &out[len(out)-1]
			last.text = last.text[:len(last.text)-1]
		}
	}
	if flowed {
		for i := range out {
			out[i].text = strings.TrimRight(out[i].text, " \t")
		}
	}
	return out
}

// quoteDepth counts the ">" before a line and cuts them off.
func quoteDepth(s string) (int, string) {
	if strings.HasPrefix(s, ">From ") { // an mbox on the way did this
		return 0, s[1:]
	}
	depth, i := 0, 0
	for i < len(s) {
		if s[i] == '>' {
			depth++
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] == ' ' && j-i < 3 {
			j++
		}
		if j == i || j >= len(s) || s[j] != '>' {
			break
		}
		i = j
	}
	if depth == 0 {
		return 0, s
	}
	return depth, strings.TrimPrefix(s[i:], " ")
}

// wholeText is all lines, quotes marked, without runs of empty lines.
func wholeText(lines []line) string {
	var b strings.Builder
	b.Grow(textSize(lines))
	blanks := 0
	for _, l := range lines {
		if l.blank() {
			blanks++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if blanks > 0 {
				b.WriteString(strings.Repeat(">", min(l.depth, 10)))
				b.WriteByte('\n')
			}
		}
		blanks = 0
		if l.depth > 0 {
			b.WriteString(strings.Repeat(">", min(l.depth, 10)))
			b.WriteByte(' ')
		}
		b.WriteString(l.text)
	}
	return b.String()
}

// textSize is about how many bytes lines are when they are joined.
func textSize(lines []line) (n int) {
	for _, l := range lines {
		if !l.blank() {
			n += len(l.text) + 1
		}
		if l.depth > 0 {
			n += min(l.depth, 10) + 1
		}
	}
	return n
}

// joinOwn is lines without marks, without runs of empty lines.
func joinOwn(lines []line) string {
	var b strings.Builder
	b.Grow(textSize(lines))
	blanks := 0
	for _, l := range lines {
		if l.blank() {
			blanks++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if blanks > 0 {
				b.WriteByte('\n')
			}
		}
		blanks = 0
		b.WriteString(l.text)
	}
	return b.String()
}

// trimBlank is lines without empty ones at both ends.
func trimBlank(lines []line) []line {
	for len(lines) > 0 && lines[0].blank() {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1].blank() {
		lines = lines[:len(lines)-1]
	}
	return lines
}
