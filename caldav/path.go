package caldav

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// kind of resource that a path names.
type kind uint8

const (
	rootKind       kind = iota // /, /dav/
	principalsKind             // /dav/principals/
	principalKind              // /dav/principals/anna/
	homesKind                  // /dav/calendars/
	homeKind                   // /dav/calendars/anna/
	calendarKind               // /dav/calendars/anna/current/
	entryKind                  // /dav/calendars/anna/current/x.ics
	bookHomesKind              // /dav/addressbooks/
	bookHomeKind               // /dav/addressbooks/anna/
	bookKind                   // /dav/addressbooks/anna/persons/, all/
	cardKind                   // /dav/addressbooks/anna/persons/x.vcf
)

// place is a path taken apart. Segments are decoded, so %40 and @ are the
// same place.
type place struct {
	kind  kind
	login string
	slug  string // of the collection
	name  string // of the entry
}

const (
	prefix        = "/dav"
	rootPath      = prefix + "/"
	principalsDir = prefix + "/principals/"
	homesDir      = prefix + "/calendars/"
	bookHomesDir  = prefix + "/addressbooks/"
)

// maxName is the longest name of an entry, in bytes.
const maxName = 255

// parsePath reads an escaped path. ok is false for what cannot exist: other
// places, "..", an encoded slash, control characters.
func parsePath(escaped string) (p place, ok bool) {
	segs := make([]string, 0, 5)
	for _, raw := range strings.Split(strings.Trim(escaped, "/"), "/") {
		seg, err := url.PathUnescape(raw)
		if err != nil || seg == "." || seg == ".." || strings.ContainsAny(seg, "/\\") ||
			len(seg) > maxName || !utf8.ValidString(seg) || strings.ContainsFunc(seg, isControl) {
			return p, false
		}
		if seg == "" && raw != "" || seg == "" && len(segs) > 0 {
			return p, false
		}
		segs = append(segs, seg)
	}
	if len(segs) == 1 && (segs[0] == "" || segs[0] == "principals") {
		return p, true // "/", and "/principals/" where Apple looks, answer as the root does
	}
	if segs[0] != prefix[1:] {
		return p, false
	}
	segs = segs[1:]
	if len(segs) == 0 {
		return p, true
	}
	var kinds []kind
	switch segs[0] {
	case "principals":
		kinds = []kind{principalsKind, principalKind}
	case "calendars":
		kinds = []kind{homesKind, homeKind, calendarKind, entryKind}
	case "addressbooks":
		kinds = []kind{bookHomesKind, bookHomeKind, bookKind, cardKind}
	}
	if len(segs) > len(kinds) {
		return p, false
	}
	p.kind = kinds[len(segs)-1]
	for i, to := range []*string{&p.login, &p.slug, &p.name} {
		if i+1 < len(segs) {
			*to = segs[i+1]
		}
	}
	return p, true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// parseHref reads a href of a request body or a Destination: a path or an
// absolute URL. host is that of the URL, "" for a path.
func parseHref(href string) (p place, host string, ok bool) {
	href = strings.TrimSpace(href)
	escaped := href
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") {
		u, err := url.Parse(href)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return p, "", false
		}
		escaped, host = u.EscapedPath(), u.Host
	} else if i := strings.IndexAny(href, "?#"); i >= 0 {
		escaped = href[:i]
	}
	p, ok = parsePath(escaped)
	return p, host, ok
}

// path is the canonical escaped path of the place.
func (p place) path() string {
	switch p.kind {
	case principalsKind:
		return principalsDir
	case principalKind:
		return principalPath(p.login)
	case homesKind:
		return homesDir
	case homeKind:
		return homePath(p.login)
	case calendarKind:
		return homePath(p.login) + url.PathEscape(p.slug) + "/"
	case entryKind:
		return homePath(p.login) + url.PathEscape(p.slug) + "/" + url.PathEscape(p.name)
	case bookHomesKind:
		return bookHomesDir
	case bookHomeKind:
		return bookHomePath(p.login)
	case bookKind:
		return bookHomePath(p.login) + url.PathEscape(p.slug) + "/"
	case cardKind:
		return bookHomePath(p.login) + url.PathEscape(p.slug) + "/" + url.PathEscape(p.name)
	}
	return rootPath
}

// CalendarPath is where a manager's calendar is served.
func CalendarPath(login, slug string) string {
	return place{kind: calendarKind, login: login, slug: slug}.path()
}

// BookPath is where an address book of a manager is served.
func BookPath(login, book string) string {
	return place{kind: bookKind, login: login, slug: book}.path()
}

// PrincipalPath is the path of the resource that stands for a manager.
func PrincipalPath(login string) string { return principalPath(login) }

func principalPath(login string) string { return principalsDir + url.PathEscape(login) + "/" }
func homePath(login string) string      { return homesDir + url.PathEscape(login) + "/" }
func bookHomePath(login string) string  { return bookHomesDir + url.PathEscape(login) + "/" }
