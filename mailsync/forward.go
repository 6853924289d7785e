package mailsync

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// A letter that somebody forwards to the dropbox: the original is looked for
// in it, first as an attached message, then in the text as mail programs quote
// it (Outlook, Gmail, Apple Mail, Thunderbird, Yandex, Mail.ru, in Russian and
// English; testdata/forward).

// forwarded is the original of a forward.
type forwarded struct {
	Letter
	note   string // what the one who forwards wrote above it
	inline bool   // read out of the text: no Message-ID, the date to the minute
	more   int    // further messages were attached, which are left alone
}

// maxForwarded bounds the attached messages that are looked at.
const maxForwarded = 10

// attachedMessages are the letter's message/rfc822 parts (RFC 2046 section
// 5.2.1), those that a mail program attaches when it forwards "as attachment".
func attachedMessages(root *Part) (out []*Part) {
	walkParts(root, func(p *Part) bool {
		if (p.Type == "message/rfc822" || p.Type == "message/global") && len(out) < maxForwarded {
			out = append(out, p)
		}
		return p.multipart()
	})
	return out
}

// forwardParts are the parts to fetch to read a forward.
func forwardParts(root *Part) []*Part {
	parts := TextParts(root)
	if attached := attachedMessages(root); len(attached) > 0 {
		parts = append(parts, attached[0])
	}
	return parts
}

// readForward finds the original that a letter forwards; nil where there is
// none. sent is when the letter was sent, loc the zone of its sender, in which
// mail programs write the original's date.
func readForward(root *Part, bodies map[string][]byte, sent time.Time, loc *time.Location) *forwarded {
	lines := letterLines(root, bodies)
	lines = lines[:min(len(lines), maxLines)]
	attached := attachedMessages(root)
	for i, p := range attached {
		body, ok := bodies[p.Section()]
		if !ok {
			continue
		}
		switch p.Encoding { // against RFC 2046, but some do
		case "base64":
			body = decodeBase64(body)
		case "quoted-printable":
			body = decodeQuotedPrintable(body)
		}
		if l := ReadMessage(body, sent); len(l.Header.From) > 0 {
			return &forwarded{Letter: *l, note: newText(lines), more: len(attached) - i - 1}
		}
	}
	f := inlineForward(lines, sent, loc)
	if f != nil {
		f.Root, f.Attachments = root, Attachments(root) // a forward carries the original's files on
	}
	return f
}

// quotedHeader are the fields of an original as a mail program quotes them.
type quotedHeader struct {
	from, to, cc, date, subject string
	start, end                  int // lines
	depth                       int
}

// inlineForward finds the uppermost original in a letter's text.
func inlineForward(lines []line, sent time.Time, loc *time.Location) *forwarded {
	q, ok := findQuotedHeader(lines)
	if !ok {
		return nil
	}
	h := &Header{
		From: quotedAddresses(q.from), To: quotedAddresses(q.to), Cc: quotedAddresses(q.cc),
		Subject: clipText(oneLine(q.subject), maxSubject), ContentType: "text/plain",
	}
	if len(h.From) == 0 {
		return nil // a name alone says nothing about who it is
	}
	h.From = h.From[:1]
	if t, ok := parseDateIn(plainSpaces(q.date), loc); ok && t.Year() >= 1980 && t.Before(sent.Add(48*time.Hour)) {
		h.Date, h.dated = t, t
	} else {
		h.Date = sent
	}
	body := quotedBody(lines[q.end:], q.depth)
	f := &forwarded{inline: true, note: newText(lines[:q.start])}
	f.Text, f.FullText = clipText(newText(body), maxText), clipText(wholeText(body), maxText)
	h.Key = h.HashKey(f.FullText)
	f.Header = h
	return f
}

// findQuotedHeader looks for a header block: below a forwarding mark any field
// may come first, elsewhere it begins with From, as Outlook writes it.
func findQuotedHeader(lines []line) (quotedHeader, bool) {
	tries := 0
	for i, l := range lines {
		if l.blank() || len(l.text) > maxQuotedLine {
			continue
		}
		if tries == maxQuotedTries {
			break
		}
		if separator(l.text) != noSeparator || dashes(l.text) >= 8 {
			tries++
			j := i + 1
			for j < len(lines) && lines[j].blank() && j < i+4 {
				j++
			}
			if q, ok := quotedHeaderAt(lines, j, true); ok {
				q.start = i
				return q, true
			}
			continue
		}
		if headerLabel(l.text) == 'f' {
			tries++
			if q, ok := quotedHeaderAt(lines, i, false); ok {
				q.start = aboveDividers(lines, i)
				return q, true
			}
		}
	}
	return quotedHeader{}, false
}

// dashes counts the dashes of a line of nothing else.
func dashes(s string) int {
	if strings.Trim(s, "-") != "" {
		return 0
	}
	return len(s)
}

// Bounds of a quoted header: recipients can go over many lines, and in HTML
// all stand in one.
const (
	maxQuotedHeader = 60       // lines
	maxQuotedLine   = 32 << 10 // bytes of a line, and of a field
	maxQuotedTries  = 100      // places where one may begin
)

// quotedHeaderAt reads the block that begins in line i.
func quotedHeaderAt(lines []line, i int, separated bool) (q quotedHeader, ok bool) {
	if i >= len(lines) || headerLabel(lines[i].text) == 0 && !(separated && attribution.MatchString(lines[i].text)) {
		return q, false
	}
	q.depth, q.end = lines[i].depth, i
	found := 0
	var last *string // the field that the next line may go on
	for j := i; j < len(lines) && j < i+maxQuotedHeader && lines[j].depth == q.depth; j++ {
		text := clipText(lines[j].text, maxQuotedLine)
		if lines[j].blank() {
			// Some programs put an empty line between two fields.
			if j+1 < len(lines) && headerLabel(lines[j+1].text) != 0 && lines[j+1].depth == q.depth {
				last = nil
				continue
			}
			break
		}
		if m := attribution.FindStringSubmatch(text); m != nil && q.from == "" && separated {
			q.date, q.from, q.end = m[1], m[2], j+1 // Yandex: 12.03.2024, 10:11, "Anna" <anna@x.test>:
			return q, true
		}
		field, value := q.field(text)
		switch {
		case field != nil && *field != "":
			j = len(lines) // the header of an earlier letter still
			continue
		case field != nil:
			*field, last = value, field
			found++
			q.end = j + 1
		case headerLabel(text) != 0:
			last = nil
			q.end = j + 1
		case last != nil && (last == &q.to || last == &q.cc) && goesOn(*last, text):
			*last = clipText(*last+" "+text, maxQuotedLine)
			q.end = j + 1
		default:
			j = len(lines)
		}
	}
	enough := 3
	if separated {
		enough = 2
	}
	return q, q.from != "" && (q.date != "" || q.subject != "") && found >= enough
}

// goesOn reports whether a line continues a list of addresses.
func goesOn(so, text string) bool {
	return strings.Contains(text, "@") || strings.HasSuffix(so, ",") || strings.HasSuffix(so, ";")
}

// attribution is how Yandex names the original's date and author.
var attribution = regexp.MustCompile(`^(\S.{5,40}?\d{1,2}:\d{2}(?::\d{2})?),?\s+(.*@.*?)\s*:$`)

// field is the one that a line holds, with its value; nil: none that matters.
func (q *quotedHeader) field(text string) (*string, string) {
	kind := headerLabel(text)
	label, value, _ := strings.Cut(text, ":")
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(plainSpaces(value)), "*|"))
	switch kind {
	case 'f':
		return &q.from, value
	case 't':
		return &q.to, value
	case 'd':
		return &q.date, value
	case 's':
		return &q.subject, strings.TrimSuffix(value, ";")
	case 'c':
		switch strings.ToLower(strings.Trim(label, "*_ ")) {
		case "cc", "копия", "копія":
			return &q.cc, value
		}
	}
	return nil, ""
}

// plainSpaces turns the spaces that Gmail and macOS put before AM into plain
// ones.
func plainSpaces(s string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\t", " ").Replace(s)
}

var (
	mailtoBracket = regexp.MustCompile(`\[mailto:([^\]\s]+)\]`)
	inParentheses = regexp.MustCompile(`\(([^()\s<>]+@[^()\s<>]+)\)`)
)

// quotedAddresses reads addresses as mail programs quote them: "Anna
// [mailto:anna@x.test]" (Outlook), "Anna (anna@x.test)" (Yandex).
func quotedAddresses(s string) []Address {
	s = mailtoBracket.ReplaceAllString(s, "<$1>")
	if !strings.Contains(s, "<") {
		s = inParentheses.ReplaceAllString(s, "<$1>")
	}
	return parseAddresses(s)
}

// quotedBody is the original's text: to the mark of its end, or where the
// quotation ends, one level of which is taken away.
func quotedBody(lines []line, depth int) []line {
	end := len(lines)
	for i, l := range lines {
		low := strings.ToLower(strings.Trim(l.text, "- "))
		if l.depth < depth && !l.blank() || strings.HasPrefix(low, "end of forwarded ") || strings.HasPrefix(low, "конец перес") {
			end = i
			break
		}
	}
	out := slices.Clone(lines[:end])
	for i := range out {
		out[i].depth = max(0, out[i].depth-depth)
		if out[i].mark == markHistory || out[i].mark == markAttribution {
			out[i].mark = markNone // it was history of the letter around it
		}
	}
	out = trimBlank(out)
	for len(out) > 0 && (out[len(out)-1].blank() || dashes(out[len(out)-1].text) > 8) {
		out = out[:len(out)-1]
	}
	return out
}

// partyOf is the one outside whom a letter is with, as text: who wrote it, else
// to whom.
func partyOf(h *Header, p *store.Parties) string {
	for _, a := range h.Addresses() {
		if !isOurs(p, a.Addr) {
			if a.Name != "" {
				return a.Name + " <" + a.Addr + ">"
			}
			return a.Addr
		}
	}
	return ""
}
