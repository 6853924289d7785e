package mailsync

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// charsetAliases are the names that mailers use and the WHATWG index does not
// know.
var charsetAliases = map[string]string{
	"1251": "windows-1251", "win1251": "windows-1251", "win-1251": "windows-1251",
	"windows1251": "windows-1251", "cp-1251": "windows-1251", "ansi-1251": "windows-1251", "x-win1251": "windows-1251",
	"koi8r": "koi8-r", "koi-8": "koi8-r", "koi-8-r": "koi8-r", "koi8": "koi8-r", "x-koi8-r": "koi8-r",
	"koi8u": "koi8-u", "koi8-ru": "koi8-u",
	"cp-866": "ibm866", "dos-866": "ibm866", "866": "ibm866",
	"utf8mb4": "utf-8", "utf_8": "utf-8", "utf-8n": "utf-8",
	"iso-8859-1": "windows-1252", "win-1252": "windows-1252", "cp-1252": "windows-1252",
	"cp936": "gbk", "cp949": "euc-kr", "cp932": "shift_jis",
}

// vague charsets name ASCII or nothing: bytes above 0x7F under them were
// mislabelled, and guessing does better.
var vague = map[string]bool{
	"": true, "us-ascii": true, "ascii": true, "ansi_x3.4-1968": true, "unknown-8bit": true, "x-unknown": true,
	"unknown": true, "default": true, "default_charset": true, "_autodetect": true, "binary": true, "8bit": true, "none": true,
}

// toUTF8 decodes b, which claims to be in that charset. What the charset does
// not explain is guessed at, and what nothing explains is left out.
func toUTF8(b []byte, charset string) string {
	name := strings.ToLower(strings.Trim(strings.TrimSpace(charset), `"'`))
	if i := strings.IndexAny(name, "; \t"); i >= 0 {
		name = name[:i]
	}
	if alias, ok := charsetAliases[name]; ok {
		name = alias
	}
	switch {
	case name == "utf-7" || name == "unicode-1-1-utf-7":
		return decodeUTF7(b)
	case isASCII(b) && !strings.HasPrefix(name, "utf-16") && !strings.HasPrefix(name, "iso-2022") && name != "hz-gb-2312":
		return string(b)
	case vague[name] || name == "windows-1252" || name == "utf-8" || name == "utf8":
		return guess(b)
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return guess(b)
	}
	if s, ok := decodeWith(enc, b); ok {
		return s
	}
	return guess(b)
}

// decodeWith decodes b; in an 8-bit charset byte by byte into a string of the
// right size, which the library's transformer does in several.
func decodeWith(enc encoding.Encoding, b []byte) (string, bool) {
	cm, ok := enc.(*charmap.Charmap)
	if !ok {
		s, err := enc.NewDecoder().Bytes(b)
		return string(s), err == nil
	}
	size := 0
	for _, c := range b {
		size += utf8.RuneLen(cm.DecodeByte(c))
	}
	var out strings.Builder
	out.Grow(size)
	for _, c := range b {
		out.WriteRune(cm.DecodeByte(c))
	}
	return out.String(), true
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// guess decodes bytes without a trustworthy label: UTF-8 when it mostly is,
// else Cyrillic by the look of the letters, else Western.
func guess(b []byte) string {
	if utf8.Valid(b) {
		return string(bytes.TrimPrefix(b, []byte("\ufeff")))
	}
	if len(b) > 2 && (b[0] == 0xFF && b[1] == 0xFE || b[0] == 0xFE && b[1] == 0xFF) {
		return decodeUTF16(b)
	}
	sample := b[:min(len(b), 8<<10)]
	if good, bad := countUTF8(sample); good > 0 && good >= bad {
		return strings.ToValidUTF8(string(b), "")
	}
	best, enc := 0, encoding.Encoding(charmap.Windows1252)
	if looksCyrillic(sample) {
		for _, cm := range []*charmap.Charmap{charmap.Windows1251, charmap.KOI8R, charmap.CodePage866} {
			if s := russianScore(sample, cm); s > best {
				best, enc = s, cm
			}
		}
	}
	s, ok := decodeWith(enc, b)
	if !ok {
		return strings.ToValidUTF8(string(b), "")
	}
	return s
}

// countUTF8 counts well-formed multi-byte characters and bytes that are none.
func countUTF8(b []byte) (good, bad int) {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return good, bad
}

// looksCyrillic reports whether high bytes stand beside each other, as whole
// words do in an 8-bit Cyrillic charset. In a Western one they are strewn in.
func looksCyrillic(b []byte) bool {
	high, pairs := 0, 0
	for i, c := range b {
		if c >= 0x80 {
			high++
			if i > 0 && b[i-1] >= 0x80 {
				pairs++
			}
		}
	}
	return pairs*3 > high
}

// letterWeight is how often a letter occurs in Russian, per thousand.
var letterWeight = map[rune]int{
	'о': 110, 'е': 85, 'а': 80, 'и': 74, 'н': 67, 'т': 63, 'с': 55, 'р': 47, 'в': 45, 'л': 44, 'к': 35, 'м': 32,
	'д': 30, 'п': 28, 'у': 26, 'я': 20, 'ы': 19, 'ь': 17, 'г': 17, 'з': 16, 'б': 16, 'ч': 14, 'й': 12, 'х': 10,
	'ж': 9, 'ш': 7, 'ю': 6, 'ц': 5, 'щ': 4, 'э': 3, 'ф': 3, 'ъ': 1, 'ё': 1,
}

// russianScore is high when b reads as Russian in that charset: frequent
// letters, capitals only where a word begins. (In the wrong one of
// windows-1251 and koi8-r all small letters become capitals.)
func russianScore(b []byte, cm *charmap.Charmap) int {
	score := 0
	prev := ' '
	for _, c := range b {
		r := cm.DecodeByte(c)
		if c >= 0x80 {
			lower := unicode.ToLower(r)
			switch w, ok := letterWeight[lower]; {
			case ok && r == lower:
				score += w
			case ok && !unicode.IsLetter(prev):
				score += w
			case ok && unicode.IsUpper(prev):
				score += w / 2
			case ok:
				score -= 40
			case unicode.IsPunct(r) || r == '№' || r == '\u00a0':
			default:
				score -= 40
			}
		}
		prev = r
	}
	return score
}

func decodeUTF16(b []byte) string {
	big := b[0] == 0xFE
	units := make([]uint16, 0, len(b)/2)
	for i := 2; i+1 < len(b); i += 2 {
		if big {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		} else {
			units = append(units, uint16(b[i+1])<<8|uint16(b[i]))
		}
	}
	return string(utf16.Decode(units))
}

var utf7Base64 = base64.StdEncoding.WithPadding(base64.NoPadding)

// decodeUTF7 decodes RFC 2152; no library of ours does.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		plus := bytes.IndexByte(b, '+')
		if plus < 0 {
			out.Write(b)
			break
		}
		out.Write(b[:plus])
		b = b[plus+1:]
		n := 0
		for n < len(b) && (b[n] >= 'A' && b[n] <= 'Z' || b[n] >= 'a' && b[n] <= 'z' || b[n] >= '0' && b[n] <= '9' || b[n] == '+' || b[n] == '/') {
			n++
		}
		if n == 0 {
			out.WriteByte('+')
		} else {
			run := b[:n]
			if n%4 == 1 {
				run = run[:n-1]
			}
			raw := make([]byte, utf7Base64.DecodedLen(len(run)))
			if m, err := utf7Base64.Decode(raw, run); err == nil || m > 0 {
				out.WriteString(decodeUTF16(append([]byte{0xFE, 0xFF}, raw[:m]...)))
			}
		}
		b = b[n:]
		if len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	return strings.ToValidUTF8(out.String(), "")
}

// cleanText removes what no text holds: NUL and other control characters,
// broken UTF-8, byte order marks and the invisible fillers of mailings. It
// makes line ends "\n" and no-break spaces ordinary ones.
func cleanText(s string) string {
	if !utf8.ValidString(s) { // the check alone is much faster
		s = strings.ToValidUTF8(s, "")
	}
	i := 0
	for i < len(s) && !suspect[s[i]] {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	start := 0 // of what is not yet copied
	for i < len(s) {
		if !suspect[s[i]] {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		with, keep := cleanRune(r)
		if !keep {
			b.WriteString(s[start:i])
			if r != '\r' || i+1 < len(s) && s[i+1] != '\n' || i+1 == len(s) {
				b.WriteString(with)
			}
			start = i + n
		}
		i += n
	}
	b.WriteString(s[start:])
	return b.String()
}

// suspect are the first bytes of what cleanRune may change.
var suspect = func() (set [256]bool) {
	for c := range 0x20 {
		set[c] = c != '\n' && c != '\t'
	}
	for _, c := range []byte{0x7F, 0xC2, 0xCD, 0xE2, 0xEF} {
		set[c] = true
	}
	return set
}()

// cleanRune gives what stands for r in clean text, and whether that is r.
func cleanRune(r rune) (with string, keep bool) {
	switch r {
	case '\u00a0', '\u202f', '\u2007': // no-break spaces
		return " ", false
	case '\r', '\u2028', '\u2029', '\u0085':
		return "\n", false
	case '\ufeff', '\u200b', '\u200c', '\u2060', '\u00ad', '\u034f', '\ufffe', '\uffff':
		return "", false
	}
	return "", !unicode.IsControl(r)
}

// clipText shortens s to at most n bytes, between characters.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
