package mailsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxHeader     = 256 << 10 // bytes of a header that are looked at
	maxRepeats    = 50        // fields of one name that are looked at
	maxReferences = 100
	maxSubject    = 4000 // bytes
	maxKey        = 250  // bytes; a longer Message-ID is hashed
)

// Header is what the program wants to know of a letter's header fields.
type Header struct {
	MessageID string // as in the header, trimmed; "" when it has none
	// Key is the letter's identity: the Message-ID without brackets and with
	// its domain in lower case, or without one "hash:…" of date, from, to and
	// subject. Where the text is known, HashKey is the identity.
	Key  string
	Date time.Time // UTC; the internal date when there is none or it is absurd
	// From, … are distinct within each field.
	From, ReplyTo, Sender, To, Cc, Bcc []Address
	Subject                            string   // one line, decoded
	References                         []string // keys, oldest first, In-Reply-To last
	ContentType                        string   // media type in lower case, "text/plain" when there is none
	Params                             map[string]string
	// Method is the iTIP method (RFC 5546) of the text/calendar part, upper
	// case: "REQUEST", "REPLY". Inspect finds the ones that are not in the
	// header.
	Method string

	dated     time.Time // the Date field alone, for the hash
	failed    []Address // X-Failed-Recipients
	automatic string    // what says that a program wrote it, see automatic.go
}

// HeaderFields are the fields that ReadHeader looks at, for
// BODY.PEEK[HEADER.FIELDS (…)].
var HeaderFields = []string{
	"From", "Reply-To", "Sender", "To", "Cc", "Bcc", "Subject", "Date",
	"Message-ID", "In-Reply-To", "References", "Content-Type", "Return-Path",
	"Auto-Submitted", "Precedence", "List-Id", "List-Unsubscribe", "List-Post",
	"X-Autoreply", "X-Autorespond", "X-Failed-Recipients",
}

var wantedFields = func() map[string]bool {
	m := map[string]bool{}
	for _, f := range HeaderFields {
		m[strings.ToLower(f)] = true
	}
	return m
}()

// fields are raw, unfolded values by lower-case name, in their order.
type fields map[string][]string

func (f fields) first(name string) string {
	for _, v := range f[name] {
		if v != "" {
			return v
		}
	}
	return ""
}

func (f fields) all(name string) string { return strings.Join(f[name], ", ") }

// readFields splits a header block (RFC 5322 section 2.2). Lines that are no
// fields (a "From " of mbox, words without a colon) are passed over, with what
// is folded below them. It stops at an empty line.
func readFields(raw []byte, wanted map[string]bool) fields {
	if len(raw) > maxHeader {
		raw = raw[:maxHeader]
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	raw = skipBlank(raw)
	out := fields{}
	name := ""
	var value []byte
	end := func() {
		if name != "" && len(out[name]) < maxRepeats {
			out[name] = append(out[name], strings.TrimSpace(string(value)))
		}
		name, value = "", nil
	}
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if name != "" {
				value = append(value, line...)
			}
			continue
		}
		end()
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			continue
		}
		n := strings.ToLower(string(bytes.TrimRight(line[:min(colon, 80)], " \t")))
		if wanted[n] {
			name, value = n, append([]byte(nil), line[colon+1:]...)
		}
	}
	end()
	return out
}

// skipBlank passes over empty lines before a header. Where no field follows
// them they are the end of an empty header.
func skipBlank(raw []byte) []byte {
	t := bytes.TrimLeft(raw, "\r\n")
	name, _, ok := bytes.Cut(t[:min(len(t), 80)], []byte(":"))
	if !ok || bytes.ContainsAny(name, " \t\r\n<>\"") || !isASCII(name) {
		return raw
	}
	return t
}

// ReadHeader reads a raw header block. It never fails: what cannot be read is
// left out, and no more than 256 KB are looked at. internalDate is when the
// server received the letter; it may be zero.
func ReadHeader(raw []byte, internalDate time.Time) *Header {
	f := readFields(raw, wantedFields)
	h := &Header{
		MessageID: clipText(oneLine(guess([]byte(f.first("message-id")))), 998),
		From:      parseAddresses(f.first("from")),
		ReplyTo:   parseAddresses(f.all("reply-to")),
		Sender:    parseAddresses(f.first("sender")),
		To:        parseAddresses(f.all("to")),
		Cc:        parseAddresses(f.all("cc")),
		Bcc:       parseAddresses(f.all("bcc")),
		Subject:   clipText(decodeWords(clipText(f.first("subject"), 4*maxSubject)), maxSubject),
	}
	h.failed = parseAddresses(f.all("x-failed-recipients"))
	h.ContentType, h.Params = parseMediaType(f.first("content-type"))
	if h.ContentType == "" {
		h.ContentType = "text/plain"
	}
	if h.ContentType == "text/calendar" {
		h.Method = strings.ToUpper(h.Params["method"])
	}
	if t, ok := parseDate(f.first("date")); ok {
		h.dated, h.Date = t, t
	}
	if !internalDate.IsZero() && (h.Date.Year() < 1980 || h.Date.After(internalDate.Add(48*time.Hour))) {
		h.Date = internalDate.UTC() // a clock that nobody set
	}
	h.References = references(f.all("references"), f.first("in-reply-to"))
	h.Key = messageKey(h.MessageID)
	if h.Key == "" {
		h.Key = h.HashKey("")
	}
	h.automatic = automaticSign(f, h)
	return h
}

// HashKey is the letter's identity when its whole text is known: Key where
// there is a Message-ID, else a hash of date, from, to, subject and the text
// (rules.md section 3). The same letter in two mailboxes gives the same, so
// nothing that a server adds goes in.
func (h *Header) HashKey(full string) string {
	if k := messageKey(h.MessageID); k != "" {
		return k
	}
	sum := sha256.New()
	put := func(s string) { sum.Write(append([]byte(s), 0)) }
	if !h.dated.IsZero() {
		put(strconv.FormatInt(h.dated.Unix(), 10))
	}
	for _, list := range [][]Address{h.From, h.To} {
		for _, a := range list {
			put(a.Addr)
		}
		put("")
	}
	put(h.Subject)
	put(strings.Join(strings.Fields(full), " "))
	return "hash:" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// Addresses are all distinct addresses of the letter (rules.md section 3), in
// the order From, Sender, Reply-To, To, Cc, Bcc.
func (h *Header) Addresses() []Address {
	var out []Address
	seen := map[string]bool{}
	for _, list := range [][]Address{h.From, h.Sender, h.ReplyTo, h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			if !seen[a.Addr] {
				seen[a.Addr] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// messageKey is the normalised form of one Message-ID: without brackets and
// white space, the domain in lower case. EspoCRM doubled letters whose id came
// once with brackets and once without.
func messageKey(id string) string {
	if i := strings.IndexByte(id, '<'); i >= 0 {
		id = id[i+1:]
		if j := strings.IndexByte(id, '>'); j >= 0 {
			id = id[:j]
		}
	}
	id = strings.Trim(strings.Join(strings.Fields(id), ""), "<>")
	if at := strings.LastIndexByte(id, '@'); at >= 0 {
		id = id[:at] + strings.ToLower(id[at:])
	}
	if len(id) > maxKey {
		sum := sha256.Sum256([]byte(id))
		return "long:" + hex.EncodeToString(sum[:16])
	}
	return id
}

// references are the keys of the letters that this one answers. Some mailers
// put words into In-Reply-To ("Message from Anna of …"): only ids count.
func references(refs, inReplyTo string) []string {
	var out []string
	add := func(s string) {
		for _, id := range messageIDs(s) {
			k := messageKey(clipText(oneLine(guess([]byte(id))), 998))
			if k == "" {
				continue
			}
			if i := slices.Index(out, k); i >= 0 {
				out = slices.Delete(out, i, i+1)
			}
			out = append(out, k)
			if len(out) > maxReferences { // the first is the thread, the last ones the answer
				out = slices.Delete(out, 1, 2)
			}
		}
	}
	add(refs)
	if len(out) == 0 || inReplyTo != "" && !slices.ContainsFunc(messageIDs(inReplyTo), func(id string) bool { return slices.Contains(out, messageKey(id)) }) {
		add(inReplyTo)
	}
	return out
}

func messageIDs(s string) []string {
	if !strings.Contains(s, "<") {
		return slices.DeleteFunc(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }),
			func(w string) bool { return !strings.Contains(w, "@") })
	}
	var out []string
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return out
		}
		j := strings.IndexByte(s[i:], '>')
		if j < 0 {
			return append(out, s[i:])
		}
		out = append(out, s[i:i+j+1])
		s = s[i+j+1:]
	}
}
