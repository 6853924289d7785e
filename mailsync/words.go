package mailsync

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// decodeWords decodes the encoded words (RFC 2047) of a header value, also
// where mailers break the rules: inside quotes, without a space between, with
// spaces inside, with a character cut in two between neighbours, without
// padding. Bytes outside encoded words that are not UTF-8 are guessed at.
// The result is one line.
func decodeWords(s string) string {
	if strings.Contains(s, "=?") {
		s = joinWords(s)
	} else if !isASCII([]byte(s)) {
		s = guess([]byte(s))
	}
	return oneLine(s)
}

// oneLine is s without control characters and with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(cleanText(s)), " ") }

func joinWords(s string) string {
	var out strings.Builder
	var pending []byte // bytes of neighbouring words of one charset
	charset := ""
	flush := func() {
		if len(pending) > 0 {
			out.WriteString(toUTF8(pending, charset))
			pending = nil
		}
	}
	plain := func(t string) {
		if t != "" {
			flush()
			out.WriteString(guess([]byte(t)))
		}
	}
	for {
		start := strings.Index(s, "=?")
		if start < 0 {
			break
		}
		cs, data, rest, ok := cutWord(s[start+2:])
		if !ok {
			plain(s[:start+2])
			s = s[start+2:]
			continue
		}
		// White space between two encoded words belongs to neither.
		if gap := s[:start]; len(pending) == 0 || strings.TrimSpace(gap) != "" {
			plain(gap)
		}
		if !strings.EqualFold(cs, charset) {
			flush()
			charset = cs
		}
		pending = append(pending, data...)
		s = rest
	}
	// A trailing piece follows; the gap before it counts.
	plain(s)
	flush()
	return out.String()
}

// cutWord reads "charset?B?data?=…" behind "=?".
func cutWord(s string) (charset string, data []byte, rest string, ok bool) {
	const longest = 4000 // mailers exceed the 75 of RFC 2047
	q := strings.IndexByte(s, '?')
	if q <= 0 || q > 40 || len(s) < q+3 || s[q+2] != '?' {
		return "", nil, "", false
	}
	charset = s[:q]
	if i := strings.IndexByte(charset, '*'); i >= 0 { // RFC 2231 language
		charset = charset[:i]
	}
	if strings.ContainsAny(charset, " \t\"<>@,;") {
		return "", nil, "", false
	}
	text := s[q+3:]
	window := text[:min(len(text), longest)]
	end := strings.Index(window, "?=")
	if end < 0 {
		return "", nil, "", false
	}
	rest = text[end+2:]
	switch s[q+1] {
	case 'B', 'b':
		return charset, decodeBase64([]byte(text[:end])), rest, true
	case 'Q', 'q':
		return charset, decodeQ(text[:end]), rest, true
	}
	return "", nil, "", false
}

// decodeQ decodes the Q encoding (RFC 2047 section 4.2).
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// decodeBase64 decodes what is base64 in b and passes over the rest: line
// ends, spaces, rubbish, a missing padding, several padded pieces in a row.
func decodeBase64(b []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	if n, err := base64.StdEncoding.Decode(out, b); err == nil { // it passes over line ends
		return out[:n]
	}
	out = out[:0]
	var quad [4]byte
	n := 0
	flush := func() {
		if n > 1 {
			var raw [3]byte
			m, _ := base64.RawStdEncoding.Decode(raw[:], quad[:n])
			out = append(out, raw[:m]...)
		}
		n = 0
	}
	for _, c := range b {
		switch {
		case c == '=':
			flush()
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/':
			quad[n] = c
			if n++; n == 4 {
				flush()
			}
		}
	}
	flush()
	return out
}

// decodeQuotedPrintable decodes RFC 2045 section 6.7; what is not encoded
// rightly stays as it is.
func decodeQuotedPrintable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '=' {
			n := bytes.IndexByte(b[i:], '=') // up to there as it is
			if n < 0 {
				n = len(b) - i
			}
			out = append(out, b[i:i+n]...)
			i += n - 1
			continue
		}
		if i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		// A soft line break, maybe with spaces that a relay added.
		j := i + 1
		for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
			j++
		}
		switch {
		case j == len(b):
			i = j
		case b[j] == '\n':
			i = j
		case b[j] == '\r':
			if i = j; j+1 < len(b) && b[j+1] == '\n' {
				i = j + 1
			}
		default:
			out = append(out, c)
		}
	}
	return out
}
