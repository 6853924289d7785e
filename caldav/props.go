package caldav

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"time"

	"intouch/store"
)

// target is one resource whose properties are asked for.
type target struct {
	kind    kind
	path    string // escaped
	manager *store.Manager
	col     *store.Collection // of a calendar and of an entry
	book    *store.Book       // of an address book

	// Of an entry or card.
	base    string // escaped path of its collection
	item    store.ItemKey
	etag    string
	size    int64     // 0: not known
	changed time.Time // zero: not known
	data    []byte    // nil: not asked for
}

// property is one row of the property table (live properties, RFC 4918
// section 4). write gives the value, and false where this resource has none.
type property struct {
	name     xml.Name
	on       kindSet
	all      bool // among those that allprop gives
	settable bool // by PROPPATCH on a calendar
	write    func(a *answer, t *target) bool

	open, end, none string // "<D:x>", "</D:x>", "<D:x/>"
}

// deadOn reports whether the property, nil for one that is not in the table,
// is on such a resource whatever a client makes of it.
func (p *property) deadOn(k kind) bool { return p == nil || p.settable && !p.on.has(k) }

type kindSet uint16

func kinds(ks ...kind) (s kindSet) {
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

func (s kindSet) has(k kind) bool { return s&(1<<k) != 0 }

var (
	everywhere = ^kindSet(0)
	objects    = kinds(entryKind, cardKind)
	calendars  = kinds(calendarKind)
	books      = kinds(bookKind)
	principals = kinds(principalKind)
	nobodys    = kinds(rootKind, principalsKind, homesKind, bookHomesKind) // without an owner
)

// table holds every live property. Its order is that of propname.
var table = []*property{
	{name: dav("resourcetype"), on: everywhere, all: true, write: writeResourceType},
	{name: dav("displayname"), on: kinds(principalKind, homeKind, calendarKind, bookHomeKind, bookKind), all: true, settable: true, write: writeDisplayName},
	{name: dav("getetag"), on: objects, all: true, write: func(a *answer, t *target) bool {
		a.str(`&quot;`)
		a.text(t.etag)
		a.str(`&quot;`)
		return true
	}},
	{name: dav("getcontenttype"), on: objects, all: true, write: func(a *answer, t *target) bool {
		a.str(contentType(t.kind))
		return true
	}},
	{name: dav("getcontentlength"), on: objects, all: true, write: func(a *answer, t *target) bool {
		a.buf = strconv.AppendInt(a.buf, t.size, 10)
		return t.size > 0
	}},
	{name: dav("getlastmodified"), on: objects, all: true, write: func(a *answer, t *target) bool {
		a.buf = t.changed.UTC().AppendFormat(a.buf, http.TimeFormat)
		return !t.changed.IsZero()
	}},
	{name: dav("current-user-principal"), on: everywhere, write: writePrincipal},
	{name: dav("owner"), on: everywhere &^ nobodys, write: writePrincipal},
	{name: dav("principal-URL"), on: principals, write: writePrincipal},
	{name: dav("principal-collection-set"), on: everywhere, write: func(a *answer, t *target) bool {
		a.href(principalsDir)
		return true
	}},
	{name: dav("group-member-set"), on: principals, write: empty},
	{name: dav("group-membership"), on: principals, write: empty},
	{name: dav("alternate-URI-set"), on: principals, write: empty},
	{name: dav("current-user-privilege-set"), on: everywhere, write: writePrivileges},
	{name: dav("supported-privilege-set"), on: everywhere, write: writeSupportedPrivileges},
	{name: dav("acl"), on: everywhere, write: writeACL},
	{name: dav("acl-restrictions"), on: everywhere, write: func(a *answer, t *target) bool {
		a.str("<D:grant-only/><D:no-invert/>")
		return true
	}},
	{name: dav("inherited-acl-set"), on: everywhere, write: empty},
	{name: dav("supported-report-set"), on: everywhere, write: writeReports},
	{name: dav("sync-token"), on: calendars | books, write: func(a *answer, t *target) bool {
		a.str(t.token().String())
		return true
	}},
	{name: caldav("calendar-home-set"), on: principals, write: func(a *answer, t *target) bool {
		a.href(homePath(t.manager.Login))
		return true
	}},
	{name: carddav("addressbook-home-set"), on: principals, write: func(a *answer, t *target) bool {
		a.href(bookHomePath(t.manager.Login))
		return true
	}},
	{name: caldav("calendar-user-address-set"), on: principals, write: func(a *answer, t *target) bool {
		for _, email := range t.manager.Emails {
			a.href("mailto:" + email)
		}
		a.href(principalPath(t.manager.Login))
		return true
	}},
	{name: caldav("calendar-user-type"), on: principals, write: func(a *answer, t *target) bool {
		a.str("INDIVIDUAL")
		return true
	}},
	{name: cs("email-address-set"), on: principals, write: func(a *answer, t *target) bool {
		for _, email := range t.manager.Emails {
			a.el("CS:email-address", email)
		}
		return len(t.manager.Emails) > 0
	}},
	{name: cs("getctag"), on: calendars | books, write: func(a *answer, t *target) bool {
		now := t.token()
		a.buf = strconv.AppendInt(a.buf, now.epoch, 10)
		a.str("-")
		a.buf = strconv.AppendInt(a.buf, now.change, 10)
		return true
	}},
	{name: dav("add-member"), on: calendars, write: func(a *answer, t *target) bool {
		if t.col.ReadOnly() {
			return false
		}
		a.href(t.path) // POST to it, RFC 5995 section 3.2
		return true
	}},
	{name: apple("calendar-color"), on: calendars, settable: true, write: func(a *answer, t *target) bool {
		a.text(t.col.Color)
		return t.col.Color != ""
	}},
	{name: apple("calendar-order"), on: calendars, settable: true, write: func(a *answer, t *target) bool {
		a.buf = strconv.AppendInt(a.buf, int64(t.col.Order), 10)
		return true
	}},
	{name: caldav("calendar-description"), on: calendars, settable: true, write: func(a *answer, t *target) bool {
		a.text(t.col.Description)
		return t.col.Description != ""
	}},
	{name: caldav("calendar-timezone"), on: calendars, settable: true, write: func(a *answer, t *target) bool {
		a.text(t.col.TimeZone)
		return t.col.TimeZone != ""
	}},
	{name: caldav("supported-calendar-component-set"), on: calendars, write: func(a *answer, t *target) bool {
		for _, comp := range t.col.Component.Each() {
			a.str(`<C:comp name="`, string(comp), `"/>`)
		}
		return true
	}},
	{name: caldav("supported-calendar-data"), on: calendars, write: func(a *answer, t *target) bool {
		a.str(`<C:calendar-data content-type="text/calendar" version="2.0"/>`)
		return true
	}},
	{name: caldav("supported-collation-set"), on: calendars, write: func(a *answer, t *target) bool {
		for _, c := range collations {
			a.el("C:supported-collation", c)
		}
		return true
	}},
	{name: caldav("max-resource-size"), on: calendars, write: writeMaxSize},
	{name: carddav("supported-address-data"), on: books, write: func(a *answer, t *target) bool {
		for _, version := range []string{vcard3, vcard4} {
			a.str(`<CR:address-data-type content-type="text/vcard" version="`, version, `"/>`)
		}
		return true
	}},
	{name: carddav("supported-collation-set"), on: books, write: func(a *answer, t *target) bool {
		for _, c := range collations {
			a.el("CR:supported-collation", c)
		}
		return true
	}},
	{name: carddav("max-resource-size"), on: books, write: writeMaxSize},
	{name: caldav("calendar-data"), on: kinds(entryKind), write: func(a *answer, t *target) bool {
		if t.data == nil {
			return false // a report's, not a property
		}
		a.textBytes(t.data)
		return true
	}},
	{name: carddav("address-data"), on: kinds(cardKind), write: func(a *answer, t *target) bool {
		a.textBytes(t.data)
		return t.data != nil
	}},
}

func dav(local string) xml.Name     { return xml.Name{Space: nsDAV, Local: local} }
func caldav(local string) xml.Name  { return xml.Name{Space: nsCalDAV, Local: local} }
func carddav(local string) xml.Name { return xml.Name{Space: nsCardDAV, Local: local} }
func cs(local string) xml.Name      { return xml.Name{Space: nsCS, Local: local} }
func apple(local string) xml.Name   { return xml.Name{Space: nsApple, Local: local} }

// live finds a property of the table by name.
var live = func() map[xml.Name]*property {
	m := make(map[xml.Name]*property, len(table))
	for _, p := range table {
		name := prefixes[p.name.Space] + p.name.Local
		p.open, p.end, p.none = "<"+name+">", "</"+name+">", "<"+name+"/>"
		m[p.name] = p
	}
	return m
}()

// collations are those of text-match (RFC 4790, RFC 5051).
var collations = []string{"i;ascii-casemap", "i;octet", "i;unicode-casemap"}

func empty(*answer, *target) bool { return true }

func writeResourceType(a *answer, t *target) bool {
	switch {
	case objects.has(t.kind):
	case t.kind == principalKind:
		a.str("<D:collection/><D:principal/>")
	case t.kind == calendarKind:
		a.str("<D:collection/><C:calendar/>")
	case t.kind == bookKind:
		a.str("<D:collection/><CR:addressbook/>")
	default:
		a.str("<D:collection/>")
	}
	return true
}

func writeDisplayName(a *answer, t *target) bool {
	switch t.kind {
	case calendarKind:
		a.text(t.col.Name)
	case bookKind:
		a.text(BookName(t.manager, t.book.Name))
	default:
		a.text(t.manager.Name)
	}
	return true
}

func writePrincipal(a *answer, t *target) bool {
	a.href(principalPath(t.manager.Login))
	return true
}

// leadsTo is the kind of resource that a property's href names.
var leadsTo = map[xml.Name]kind{
	dav("current-user-principal"):   principalKind,
	dav("owner"):                    principalKind,
	dav("principal-URL"):            principalKind,
	dav("principal-collection-set"): principalsKind,
	caldav("calendar-home-set"):     homeKind,
	carddav("addressbook-home-set"): bookHomeKind,
}

func writeMaxSize(a *answer, t *target) bool {
	a.buf = strconv.AppendInt(a.buf, maxRequest, 10)
	return true
}

// reportsOn names the reports that each kind of place answers beside
// reportsOnAll.
var (
	reportsOnAll = []string{"D:expand-property", "D:principal-property-search", "D:principal-search-property-set", "D:principal-match", "D:acl-principal-prop-set"}
	reportsOn    = map[kind][]string{
		homeKind:     {"C:calendar-query", "C:calendar-multiget", "C:free-busy-query"},
		calendarKind: {"C:calendar-query", "C:calendar-multiget", "C:free-busy-query", "D:sync-collection"},
		bookKind:     {"CR:addressbook-query", "CR:addressbook-multiget", "D:sync-collection"},
		entryKind:    {"C:calendar-query", "C:calendar-multiget"},
	}
)

func writeReports(a *answer, t *target) bool {
	for _, n := range append(slices.Clone(reportsOn[t.kind]), reportsOnAll...) {
		a.str("<D:supported-report><D:report><", n, "/></D:report></D:supported-report>")
	}
	return true
}

func contentType(k kind) string {
	if k == cardKind {
		return "text/vcard;charset=utf-8"
	}
	return "text/calendar;charset=utf-8"
}
