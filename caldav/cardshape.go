package caldav

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

const (
	vcard3 = "3.0" // RFC 2426, what RFC 6352 section 10.4 means by no version
	vcard4 = "4.0" // RFC 6350
)

// cardShape is what a CR:address-data asks for: a version, and which
// properties (RFC 6352 section 10.4).
type cardShape struct {
	version string          // "": as it is
	props   map[string]bool // by name; true: without its value; nil: all
}

// cardShapeOf reads CR:address-data of a report.
func cardShapeOf(e *element) (s cardShape, err error) {
	if t := e.attr("content-type"); t != "" && !strings.EqualFold(t, "text/vcard") {
		return s, violated(http.StatusForbidden, nsCardDAV, "supported-address-data")
	}
	switch s.version = e.attr("version"); s.version {
	case "":
		s.version = vcard3
	case vcard3, vcard4:
	default:
		return s, violated(http.StatusForbidden, nsCardDAV, "supported-address-data")
	}
	for _, c := range e.children {
		if c.is(nsCardDAV, "prop") {
			if s.props == nil {
				// Without them it is no vCard.
				s.props = map[string]bool{"BEGIN": false, "VERSION": false, "END": false}
			}
			s.props[strings.ToUpper(c.attr("name"))] = strings.EqualFold(c.attr("novalue"), "yes")
		}
	}
	return s, nil
}

// acceptedVersion is the version of vCard that an Accept header likes best, ""
// for whatever there is (RFC 6352 section 5.1.1).
func acceptedVersion(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		t, params, err := mime.ParseMediaType(part)
		if err == nil && t == "text/vcard" && (params["version"] == vcard3 || params["version"] == vcard4) {
			return params["version"]
		}
	}
	return ""
}

// of gives what the shape asks for of a card. Lines that mean the same in both
// versions stay byte for byte.
func (s cardShape) of(card []byte) []byte {
	lines, err := readCard(card)
	if err != nil {
		return card // ours cannot fail
	}
	from := versionOf(lines)
	if s.props == nil && (s.version == "" || s.version == from) {
		return card
	}
	w := &writer{}
	named := false
	for _, l := range lines {
		named = named || l.name == "N"
		if l.name == "END" && !named && from == vcard4 && s.version == vcard3 && s.wants("N") {
			w.line("N:;;;;") // required in 3.0
		}
		if !s.wants(l.name) {
			continue
		}
		switch {
		case s.version == vcard4 && from == vcard3:
			l = upgraded(l)
		case s.version == vcard3 && from == vcard4:
			l = downgraded(l)
		}
		if s.props[l.name] {
			l.value, l.raw = "", nil
		}
		if l.raw != nil {
			w.asReceived(l.raw)
		} else {
			w.line(l.text())
		}
	}
	return w.Bytes()
}

func (s cardShape) wants(name string) bool {
	_, ok := s.props[name]
	return ok || s.props == nil
}

func versionOf(lines []line) string {
	for _, l := range lines {
		if l.name == "VERSION" {
			return strings.TrimSpace(l.value)
		}
	}
	return ""
}

// text writes a line from its parts; parameters in the order of their names.
func (l *line) text() string {
	s := l.name
	if l.group != "" {
		s = l.group + "." + s
	}
	names := make([]string, 0, len(l.params))
	for name := range l.params {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.Clone(l.params[name])
		for i, v := range values {
			if strings.ContainsAny(v, ",;:") {
				values[i] = `"` + v + `"`
			}
		}
		s += ";" + name + "=" + strings.Join(values, ",")
	}
	return s + ":" + l.value
}

// The names that address books of version 3.0 have for groups.
const (
	groupKind   = "X-ADDRESSBOOKSERVER-KIND"
	groupMember = "X-ADDRESSBOOKSERVER-MEMBER"
)

// upgraded is a line of version 3.0 in 4.0 (RFC 6350 appendix A).
func upgraded(l line) line {
	params := paramsOf(l)
	value, name := l.value, l.name
	types, pref := withoutType(params["TYPE"], "PREF")
	if pref {
		params["PREF"] = []string{"1"}
	}
	if name == "EMAIL" {
		types, _ = withoutType(types, "INTERNET")
	}
	switch name {
	case "VERSION":
		value = vcard4
	case groupKind:
		name = "KIND"
	case groupMember:
		name = "MEMBER"
	case "PHOTO", "LOGO", "SOUND", "KEY":
		if e := params["ENCODING"]; len(e) > 0 && (strings.EqualFold(e[0], "b") || strings.EqualFold(e[0], "base64")) {
			delete(params, "ENCODING")
			value = "data:" + mediaType(name, types) + ";base64," + strings.Map(noBlank, value)
			types = nil
		}
	case "BDAY", "ANNIVERSARY":
		if d, err := time.Parse(time.DateOnly, value); err == nil {
			value = d.Format("20060102")
			if _, omitted := params["X-APPLE-OMIT-YEAR"]; omitted {
				value = d.Format("--0102")
			}
			delete(params, "X-APPLE-OMIT-YEAR")
			delete(params, "VALUE")
		}
	case "REV":
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			value = at.UTC().Format("20060102T150405Z")
		}
	}
	return l.changed(name, value, params, types)
}

// downgraded is a line of version 4.0 in 3.0.
func downgraded(l line) line {
	params := paramsOf(l)
	value, name := l.value, l.name
	types := paramValues(&l, "TYPE")
	if p := params["PREF"]; len(p) > 0 {
		if p[0] == "1" {
			types = append(types, "pref")
		}
		delete(params, "PREF")
	}
	switch name {
	case "VERSION":
		value = vcard3
	case "KIND":
		if strings.EqualFold(value, "group") {
			name = groupKind
		}
	case "MEMBER":
		name = groupMember
	case "PHOTO", "LOGO", "SOUND", "KEY":
		kind, data, ok := strings.Cut(value, ";base64,")
		if media, isData := strings.CutPrefix(strings.ToLower(kind), "data:"); ok && isData {
			_, sub, _ := strings.Cut(media, "/")
			types, value = nil, data
			if sub != "" && strings.IndexFunc(sub, notName) < 0 {
				types = []string{strings.ToUpper(sub)}
			}
			params["ENCODING"] = []string{"b"}
			delete(params, "VALUE")
			delete(params, "MEDIATYPE")
		} else if params["VALUE"] == nil {
			params["VALUE"] = []string{"uri"} // the default of 4.0 only
		}
	case "TEL":
		if len(value) > 4 && strings.EqualFold(value[:4], "tel:") {
			value, _, _ = strings.Cut(value[4:], ";")
			value = escape(value)
			delete(params, "VALUE")
		}
	case "BDAY", "ANNIVERSARY":
		if d, err := time.Parse("20060102", value); err == nil {
			value = d.Format(time.DateOnly)
			delete(params, "VALUE")
		} else if d, err := time.Parse("2006--0102", "1604"+value); err == nil { // a leap year, as Apple has it
			value = d.Format(time.DateOnly)
			params["X-APPLE-OMIT-YEAR"] = []string{"1604"}
		}
	case "REV":
		if at, err := time.Parse("20060102T150405Z", value); err == nil {
			value = at.Format(time.RFC3339)
		}
	}
	return l.changed(name, value, params, types)
}

// changed is the line itself where nothing of it is different.
func (l line) changed(name, value string, params ical.Params, types []string) line {
	if len(types) == 0 {
		delete(params, "TYPE")
	} else {
		params["TYPE"] = types
	}
	same := name == l.name && value == l.value && len(params) == len(l.params)
	for p, values := range params {
		same = same && slices.Equal(values, l.params[p])
	}
	if same {
		return l
	}
	return line{group: l.group, name: name, value: value, params: params}
}

func paramsOf(l line) ical.Params {
	params := ical.Params{}
	for name, values := range l.params {
		params[name] = values
	}
	return params
}

// withoutType takes a type off a list.
func withoutType(types []string, name string) (rest []string, had bool) {
	for _, t := range types {
		if strings.EqualFold(t, name) {
			had = true
		} else {
			rest = append(rest, t)
		}
	}
	return rest, had
}

// mediaType is that of binary data whose TYPE is a short name: JPEG.
func mediaType(property string, types []string) string {
	if len(types) == 0 || strings.IndexFunc(types[0], notName) >= 0 {
		return "application/octet-stream"
	}
	sub := strings.ToLower(types[0])
	switch property {
	case "SOUND":
		return "audio/" + sub
	case "KEY":
		return "application/" + sub
	}
	return "image/" + sub
}

func noBlank(r rune) rune {
	if r == ' ' || r == '\t' {
		return -1
	}
	return r
}
