package mailsync

import (
	"net/url"
	"strconv"
	"strings"
)

const maxParams = 64

// parseMediaType reads a Content-Type or Content-Disposition field: the value
// before the first ";" in lower case, and its parameters with lower-case keys,
// still encoded. Unlike mime.ParseMediaType it keeps what it can read of a
// faulty one.
func parseMediaType(s string) (string, map[string]string) {
	value, rest, _ := strings.Cut(s, ";")
	value = strings.ToLower(strings.TrimSpace(dropComments(value)))
	if i := strings.IndexAny(value, " \t"); i >= 0 {
		value = value[:i]
	}
	params := map[string]string{}
	for len(rest) > 0 && len(params) < maxParams {
		eq := strings.IndexAny(rest, "=;")
		if eq < 0 {
			break
		}
		if rest[eq] == ';' {
			rest = rest[eq+1:]
			continue
		}
		key := strings.ToLower(strings.TrimSpace(rest[:eq]))
		rest = strings.TrimLeft(rest[eq+1:], " \t")
		var v string
		if strings.HasPrefix(rest, `"`) {
			l := addressLexer{in: rest}
			if q, ok := l.quoted(); ok {
				v, rest = q, rest[l.pos:]
				if i := strings.IndexByte(rest, ';'); i >= 0 {
					rest = rest[i+1:]
				} else {
					rest = ""
				}
				setParam(params, key, v)
				continue
			}
		}
		v, rest, _ = strings.Cut(rest, ";")
		setParam(params, key, strings.Trim(strings.TrimSpace(v), `"`))
	}
	return clipText(oneLine(guess([]byte(value))), 127), params
}

func setParam(params map[string]string, key, value string) {
	if _, ok := params[key]; !ok && key != "" {
		params[key] = value
	}
}

// FileName is the decoded file name of a part, from the parameters of its
// Content-Disposition and Content-Type as they came, keys in lower case; ""
// when it has none.
func FileName(disposition, contentType map[string]string) string {
	name := decodeParam(disposition, "filename")
	if name == "" {
		name = decodeParam(contentType, "name")
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 { // a path of the sender's disk
		name = name[i+1:]
	}
	return clipText(strings.TrimSpace(name), 250)
}

// decodeParam gives a parameter's value: RFC 2231 with its continuations and
// charset, or RFC 2047, which is not allowed there and common.
func decodeParam(params map[string]string, key string) string {
	if v, ok := params[key+"*"]; ok {
		return oneLine(decodeExtended(v))
	}
	// filename*0*=utf-8''%D0; filename*1=rest
	charset, extended := "", false
	var data []byte
	for i := range maxParams {
		k := key + "*" + strconv.Itoa(i)
		if v, ok := params[k+"*"]; ok {
			if i == 0 {
				charset, v, _ = splitExtended(v)
			}
			data, extended = append(data, percentDecode(v)...), true
		} else if v, ok := params[k]; ok {
			data = append(data, v...)
		} else {
			break
		}
	}
	if len(data) > 0 {
		if extended {
			return oneLine(toUTF8(data, charset))
		}
		return decodeWords(string(data))
	}
	v := params[key]
	if strings.Contains(v, "%") && !strings.ContainsAny(v, " =?") { // percent-encoded without saying so
		if u, err := url.PathUnescape(v); err == nil && u != v && len(u) < len(v)-3 {
			v = u
		}
	}
	return decodeWords(v)
}

// decodeExtended decodes charset'language'percent-encoded (RFC 2231 section 4).
func decodeExtended(v string) string {
	charset, v, _ := splitExtended(v)
	return toUTF8(percentDecode(v), charset)
}

func splitExtended(v string) (charset, rest string, ok bool) {
	charset, rest, ok = strings.Cut(v, "'")
	if !ok {
		return "", v, false
	}
	if _, after, ok := strings.Cut(rest, "'"); ok {
		return charset, after, true
	}
	return "", v, false
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
