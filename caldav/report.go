package caldav

import (
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// maxHrefs bounds a multiget.
const maxHrefs = 5_000

// batch is how many entries are read by name at once.
const batch = 250

// report answers REPORT.
func (c *call) report() error {
	root, body, err := c.readXML()
	if err != nil {
		return err
	}
	if root == nil {
		return status(http.StatusBadRequest)
	}
	if d := c.depth("0"); d != "0" && d != "1" && d != "infinity" {
		return status(http.StatusBadRequest)
	}
	onCalendar := c.place.kind == calendarKind
	onHome := c.place.kind == homeKind
	onEntry := c.place.kind == entryKind
	onBook := c.place.kind == bookKind
	switch root.Name {
	case caldav("calendar-query"):
		if onCalendar || onEntry || onHome {
			if c.answeredBefore(body) {
				return nil
			}
			return c.calendarQuery(root)
		}
	case caldav("calendar-multiget"):
		if onCalendar || onEntry || onHome {
			return c.calendarMultiget(root)
		}
	case caldav("free-busy-query"):
		if onCalendar || onHome {
			return c.freeBusy(root)
		}
	case dav("sync-collection"):
		if onCalendar {
			if c.answeredBefore(body) {
				return nil
			}
			return c.syncCollection(root)
		}
		if onBook {
			return c.syncBook(root)
		}
	case carddav("addressbook-query"):
		if onBook {
			return c.addressbookQuery(root)
		}
	case carddav("addressbook-multiget"):
		if onBook {
			return c.addressbookMultiget(root)
		}
	case dav("expand-property"):
		return c.expandProperty(root)
	case dav("principal-property-search"):
		return c.principalSearch(root)
	case dav("principal-search-property-set"):
		return c.principalSearchProperties()
	case dav("principal-match"):
		return c.principalMatch(root)
	case dav("acl-principal-prop-set"):
		return c.aclPrincipals(root)
	}
	return violated(http.StatusForbidden, nsDAV, "supported-report")
}

// limitOf reads D:limit (RFC 5323 section 5.17); 0: none.
func limitOf(root *element) (int, error) {
	for _, space := range []string{nsDAV, nsCalDAV, nsCardDAV} {
		if limit := root.child(space, "limit"); limit != nil {
			n, err := strconv.Atoi(trimmed(limit.child(space, "nresults")))
			if err != nil || n <= 0 {
				return 0, status(http.StatusBadRequest)
			}
			return n, nil
		}
	}
	return 0, nil
}

// truncated is the response for the request's own address that says that not
// all fitted the limit (RFC 6578 section 3.6).
func (c *call) truncated(a *answer) {
	a.str("<D:response>")
	a.href(c.place.path())
	a.str(tooMany, "</D:response>\n")
}

// errEnough ends a listing that has reached its limit.
var errEnough = errors.New("limit reached")

// calendarQuery is a calendar-query (RFC 4791 section 7.8).
type calendarQuery struct {
	asked  *asked
	filter *compFilter
	zone   *time.Location // asked for; nil: the calendar's
	limit  int            // 0: none
	found  int
}

func calendarQueryOf(root *element, r *http.Request) (*calendarQuery, error) {
	var q calendarQuery
	var err error
	if q.asked, err = askedOf(root, r); err != nil {
		return nil, err
	}
	if q.filter, err = filterOf(root.child(nsCalDAV, "filter")); err != nil {
		return nil, err
	}
	if q.limit, err = limitOf(root); err != nil {
		return nil, err
	}
	q.zone, err = zoneAsked(root)
	return &q, err
}

// calendarQuery answers calendar-query on an entry, on a calendar, and with
// Depth infinity on a home. Without a Depth header it is Depth 1 on a calendar,
// since there nothing else makes sense (clients.md section 13).
func (c *call) calendarQuery(root *element) error {
	q, err := calendarQueryOf(root, c.r)
	if err != nil {
		return err
	}
	if err := c.readDead(q.asked); err != nil {
		return err
	}
	var cols []store.Collection
	if c.place.kind == homeKind {
		cols, err = c.st.Collections(c.ctx, c.manager.ID)
	} else {
		cols = make([]store.Collection, 1)
		cols[0], err = c.calendar()
	}
	if err != nil {
		return err
	}
	a := c.startMultistatus(q.asked)
	switch {
	case c.place.kind == homeKind && c.depth("0") != "infinity", c.place.kind == calendarKind && c.depth("1") == "0":
		return c.finish(a, nil) // collections are no calendar objects
	}
	for i := range cols {
		if err = c.queryOne(a, q, cols[i]); err != nil {
			break
		}
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return c.finish(a, err)
}

// queryOne answers a query for one calendar, or for the entry of the place;
// errEnough when the limit is reached.
func (c *call) queryOne(a *answer, q *calendarQuery, col store.Collection) error {
	floating := c.floating(q.zone, &col)
	q.asked.shape.in(floating)
	from, to := q.filter.span()
	exact := q.filter.needsBytes(col.Component)
	parts := q.asked.parts()
	if exact {
		parts |= store.EntryBytes
	}
	t := c.entryTarget(&col)
	judge := func(e *store.Entry) error {
		if exact && !q.filter.surely(e) && !q.filter.matchBytes(e.Bytes, floating) {
			return nil
		}
		if q.found++; q.limit > 0 && q.found > q.limit {
			c.truncated(a)
			return errEnough
		}
		t.set(e)
		q.asked.respond(a, t)
		return a.spill()
	}
	if c.place.kind == entryKind {
		e, err := c.st.Entry(c.ctx, col.ID, c.place.name)
		if err != nil {
			return err
		}
		return judge(&e)
	}
	return c.st.Entries(c.ctx, col.ID, from, to, parts,
		func(now store.Collection) error { col = now; return nil }, judge)
}

// floating is the zone of times without one: the query's, else the
// calendar's, else the manager's.
func (c *call) floating(asked *time.Location, col *store.Collection) *time.Location {
	if asked != nil {
		return asked
	}
	if loc := describedZone(col.TimeZone); loc != nil {
		return loc
	}
	return c.manager.Location()
}

// zoneAsked reads C:timezone of a query (RFC 4791 section 9.8), which must
// describe one zone; nil without it.
func zoneAsked(root *element) (*time.Location, error) {
	e := root.child(nsCalDAV, "timezone")
	if e == nil {
		return nil, nil
	}
	if loc := describedZone(trimmed(e)); loc != nil {
		return loc, nil
	}
	return nil, violated(http.StatusForbidden, nsCalDAV, "valid-calendar-data")
}

// describedZone is the zone that a VTIMEZONE names, nil where none is known.
func describedZone(text string) *time.Location {
	if text == "" || len(text) > maxTimeZone {
		return nil
	}
	cal, err := decode([]byte(text))
	if err != nil || cal == nil {
		return nil
	}
	return calendarZone(cal)
}

// calendarMultiget answers calendar-multiget on a home, a calendar or an entry
// (RFC 4791 section 7.9): one response for each href, 404 for what is not there
// or lies outside of the place.
func (c *call) calendarMultiget(root *element) error {
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	if err := c.readDead(q); err != nil {
		return err
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	hrefs := hrefsOf(root)
	if len(hrefs) == 0 || len(hrefs) > maxHrefs {
		return status(http.StatusBadRequest)
	}
	a := c.startMultistatus(q)
	names := map[string][]string{} // by slug of their calendar
	for _, href := range hrefs {
		p, _, ok := parseHref(href)
		if ok && p.kind == entryKind && strings.EqualFold(p.login, c.manager.Login) &&
			(c.place.slug == "" || p.slug == c.place.slug) && (c.place.name == "" || p.name == c.place.name) {
			names[p.slug] = append(names[p.slug], p.name)
		} else {
			notThere(a, href)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(names)) {
		p := place{kind: entryKind, login: c.manager.Login, slug: slug}
		missing := func(name string) {
			p.name = name
			notThere(a, p.path())
		}
		col := self.col
		if col == nil {
			found, err := c.st.Collection(c.ctx, c.manager.ID, slug)
			if errors.Is(err, store.ErrNotFound) {
				for _, name := range names[slug] {
					missing(name)
				}
				continue
			}
			if err != nil {
				return c.finish(a, err)
			}
			col = &found
		}
		q.shape.in(c.floating(nil, col))
		t := c.entryTarget(col)
		err := c.eachNamed(col.ID, names[slug], q.parts(), func(e *store.Entry) error {
			t.set(e)
			q.respond(a, t)
			return a.spill()
		}, missing)
		if err != nil {
			return c.finish(a, err)
		}
	}
	return c.finish(a, nil)
}

// eachNamed reads entries by name in batches, each name once, and tells which
// are missing.
func (c *call) eachNamed(col int64, names []string, parts store.EntryParts, each func(*store.Entry) error, missing func(string)) error {
	slices.Sort(names)
	names = slices.Compact(names)
	for chunk := range slices.Chunk(names, batch) {
		next := 0
		upTo := func(name string) {
			for next < len(chunk) && chunk[next] != name {
				missing(chunk[next])
				next++
			}
			next++
		}
		err := c.st.EntriesNamed(c.ctx, col, chunk, parts, func(e *store.Entry) error {
			upTo(e.Name)
			return each(e)
		})
		if err != nil {
			return err
		}
		for ; next < len(chunk); next++ {
			missing(chunk[next])
		}
	}
	return nil
}

func hrefsOf(root *element) (hrefs []string) {
	for _, e := range root.children {
		if e.is(nsDAV, "href") {
			hrefs = append(hrefs, trimmed(e))
		}
	}
	return hrefs
}

// expandProperty answers expand-property (RFC 3253 section 3.8): a PROPFIND
// that follows hrefs. Apple asks for delegates with it.
func (c *call) expandProperty(root *element) error {
	depth := c.depth("0")
	if depth == "infinity" {
		return violated(http.StatusForbidden, nsDAV, "propfind-finite-depth")
	}
	return c.show(expanded(root), depth)
}

func expanded(parent *element) *asked {
	q := &asked{mode: askNamed, expand: map[xml.Name]*asked{}}
	for _, e := range parent.children {
		if !e.is(nsDAV, "property") {
			continue
		}
		name := xml.Name{Space: nsDAV, Local: e.attr("name")}
		if space := e.attr("namespace"); space != "" {
			name.Space = space
		}
		if !validLocal(name.Local) || slices.Contains(q.names, name) {
			continue
		}
		q.names = append(q.names, name)
		q.props = append(q.props, live[name])
		if len(e.children) > 0 {
			q.expand[name] = expanded(e)
		}
	}
	return q
}

// validLocal reports whether a name that came as an attribute's value may be
// written as an element.
func validLocal(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' || s[0] == '-' || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
