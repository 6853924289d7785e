package caldav

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// asked is which properties a PROPFIND or REPORT wants.
type asked struct {
	names []xml.Name
	props []*property // beside names; nil: not in the table
	mode  askMode
	shape *shape    // of calendar-data
	card  cardShape // of address-data
	// minimal leaves out what is not there (Prefer: return=minimal, RFC 8144).
	minimal bool
	// expand says what to show of the principal that a property leads to
	// (RFC 3253 section 3.8).
	expand map[xml.Name]*asked
	// dead are the dead properties of the manager's resources other than
	// calendars, by target.resource.
	dead    map[string]map[string]string
	missing []int // scratch
}

type askMode uint8

const (
	askNamed askMode = iota
	askAll
	askNames
)

// askedOf reads a D:prop, D:allprop or D:propname below parent. No body or
// none of them means allprop (RFC 4918 section 9.1).
func askedOf(parent *element, r *http.Request) (*asked, error) {
	q := &asked{mode: askAll, minimal: strings.Contains(r.Header.Get("Prefer"), returnMinimal)}
	if parent == nil {
		return q, nil
	}
	if parent.child(nsDAV, "propname") != nil {
		q.mode = askNames
		return q, nil
	}
	if prop := parent.child(nsDAV, "prop"); prop != nil {
		q.mode = askNamed
		return q, q.want(prop)
	}
	if include := parent.child(nsDAV, "include"); include != nil {
		return q, q.want(include)
	}
	return q, nil
}

func (q *asked) want(prop *element) error {
	for _, e := range prop.children {
		if slices.Contains(q.names, e.Name) {
			continue
		}
		if e.is(nsCalDAV, "calendar-data") {
			var err error
			if q.shape, err = shapeOf(e); err != nil {
				return err
			}
		}
		if e.is(nsCardDAV, "address-data") {
			var err error
			if q.card, err = cardShapeOf(e); err != nil {
				return err
			}
		}
		q.names = append(q.names, e.Name)
		q.props = append(q.props, live[e.Name])
	}
	return nil
}

// parts are what must be read of an entry beside its name and ETag to answer.
func (q *asked) parts() store.EntryParts {
	if q.mode != askNamed || len(q.dead) > 0 {
		return store.EntryDetails | store.EntryBytes
	}
	var parts store.EntryParts
	for _, p := range q.props {
		if p == nil || !p.on.has(entryKind) {
			continue
		}
		switch p.name.Local {
		case "getcontentlength", "getlastmodified":
			parts |= store.EntryDetails
		case "calendar-data":
			parts |= store.EntryBytes
		}
	}
	return parts
}

const (
	multistatusOpen                  = `<?xml version="1.0" encoding="utf-8"?>` + "\n<D:multistatus" + declarations + ">\n"
	multistatusEnd                   = "</D:multistatus>\n"
	preferenceApplied, returnMinimal = "Preference-Applied", "return=minimal" // RFC 7240, RFC 8144
	statusOK                         = "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
	tooMany                          = "<D:status>HTTP/1.1 507 Insufficient Storage</D:status><D:error><D:number-of-matches-within-limits/></D:error>"
	statusNotFound                   = "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"
)

// startMultistatus begins a 207 answer.
func (c *call) startMultistatus(q *asked) *answer {
	if q != nil && q.minimal {
		c.w.Header().Set(preferenceApplied, returnMinimal)
	}
	a := newAnswer(c.w, http.StatusMultiStatus)
	a.keep = c.keep
	a.str(multistatusOpen)
	return a
}

// finish ends a multistatus, or leaves it to become an error answer as long
// as nothing has been sent. What has begun breaks off in the middle, so that
// no client takes it for whole.
func (c *call) finish(a *answer, err error) error {
	if err == nil {
		a.str(multistatusEnd)
		a.close()
		if k := c.keep; k != nil && !k.too && a.err == nil {
			c.kept.put(k.question, k.at, keptAnswer{k.body, c.w.Header().Get(preferenceApplied) != ""})
		}
		return nil
	}
	sent := a.sent
	a.drop()
	if !sent {
		return err
	}
	if c.ctx.Err() == nil && a.err == nil {
		c.log.Error("calendar answer broken off", "request", requestID(c.w), "method", c.r.Method, "path", c.place.path(), "manager", c.manager.Login, "err", err)
	}
	return nil
}

// respond writes one D:response. The 200 propstat comes first and is always
// there where anything was found: Thunderbird's address book reads the first
// status only (clients.md section 9).
func (q *asked) respond(a *answer, t *target) {
	a.str("<D:response>")
	a.href(t.path)
	if t.data != nil && t.kind == cardKind {
		t.data = q.card.of(t.data)
	} else if t.data != nil {
		var err error
		if t.data, err = q.shape.of(t.data); err != nil {
			a.str(tooMany, "</D:response>\n")
			return
		}
	}
	begin := len(a.buf)
	a.str("<D:propstat><D:prop>")
	found := 0
	q.missing = q.missing[:0]
	if q.mode != askNamed {
		found += q.respondAll(a, t)
	}
	for i, name := range q.names {
		if q.value(a, t, name, q.props[i]) {
			found++
		} else {
			q.missing = append(q.missing, i)
		}
	}
	if found > 0 || len(q.missing) == 0 || q.minimal {
		a.str("</D:prop>", statusOK)
	} else {
		a.buf = a.buf[:begin]
	}
	if len(q.missing) > 0 && !q.minimal {
		a.str("<D:propstat><D:prop>")
		for _, i := range q.missing {
			a.tag(q.names[i], true)
		}
		a.str("</D:prop>", statusNotFound)
	}
	a.str("</D:response>\n")
}

// value writes one property with its element, or nothing and false.
func (q *asked) value(a *answer, t *target, name xml.Name, p *property) bool {
	if p.deadOn(t.kind) {
		v, ok := q.deadOf(t)[deadKey(name)]
		a.str(v)
		return ok
	}
	if !p.on.has(t.kind) {
		return false
	}
	begin := len(a.buf)
	a.str(p.open)
	inside := len(a.buf)
	to, leads := leadsTo[name]
	if inner := q.expand[name]; inner != nil && leads {
		inner.respond(a, &target{kind: to, path: place{kind: to, login: t.manager.Login}.path(), manager: t.manager})
	} else if !p.write(a, t) {
		a.buf = a.buf[:begin]
		return false
	}
	if len(a.buf) == inside {
		a.buf = a.buf[:begin]
		a.str(p.none)
		return true
	}
	a.str(p.end)
	return true
}

// respondAll writes the values (allprop) or the names (propname) of what the
// resource has.
func (q *asked) respondAll(a *answer, t *target) (found int) {
	for _, p := range table {
		if q.mode == askAll && !p.all || slices.Contains(q.names, p.name) {
			continue
		}
		begin := len(a.buf)
		if !q.value(a, t, p.name, p) {
			continue
		}
		found++
		if q.mode == askNames {
			a.buf = a.buf[:begin]
			a.str(p.none)
		}
	}
	dead := q.deadOf(t)
	for _, key := range slices.Sorted(maps.Keys(dead)) {
		found++
		if q.mode == askNames {
			a.tag(deadName(key), true)
		} else {
			a.str(dead[key])
		}
	}
	return found
}

// deadKey is the key of a dead property in the store; the value there is the
// whole element, self-contained.
func deadKey(n xml.Name) string { return n.Space + " " + n.Local }

func deadName(key string) xml.Name {
	i := strings.LastIndexByte(key, ' ')
	return xml.Name{Space: key[:i], Local: key[i+1:]}
}

// deadOf gives the dead properties of a resource.
func (q *asked) deadOf(t *target) map[string]string {
	if t.kind == calendarKind {
		return t.col.Props
	}
	if len(q.dead) == 0 {
		return nil
	}
	return q.dead[t.resource()]
}

// readDead reads the dead properties where they are asked for.
func (c *call) readDead(q *asked) (err error) {
	if q.mode != askNamed || slices.ContainsFunc(q.props, func(p *property) bool { return p == nil || p.settable }) {
		q.dead, err = c.st.DeadProps(c.ctx, c.manager.ID)
	}
	return err
}

// resource is the name under which the store keeps dead properties of what is
// not a calendar. "" has none: it belongs to nobody.
func (t *target) resource() string {
	switch t.kind {
	case principalKind:
		return "principal"
	case homeKind:
		return "calendars"
	case bookHomeKind:
		return "addressbooks"
	case bookKind:
		return "addressbook " + path.Base(t.path)
	case entryKind:
		return t.item.String()
	case cardKind:
		return "card " + path.Base(t.path)
	}
	return ""
}

// notThere writes the response for a href that leads nowhere.
func notThere(a *answer, href string) {
	a.str("<D:response>")
	a.href(href)
	a.str("<D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n")
}

// depth reads the Depth header; missing means def.
func (c *call) depth(def string) string {
	switch d := strings.ToLower(strings.TrimSpace(c.r.Header.Get("Depth"))); d {
	case "":
		return def
	default:
		return d
	}
}

// propfind answers PROPFIND.
func (c *call) propfind() error {
	depth := c.depth("infinity")
	switch depth {
	case "0", "1":
	case "infinity":
		return violated(http.StatusForbidden, nsDAV, "propfind-finite-depth")
	default:
		return status(http.StatusBadRequest)
	}
	root, body, err := c.readXML()
	if err != nil {
		return err
	}
	if root != nil && (!root.is(nsDAV, "propfind") || ways(root) != 1) {
		return status(http.StatusBadRequest)
	}
	if c.answeredBefore(body) {
		return nil
	}
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	return c.show(q, depth)
}

// ways is in how many of the three ways a D:propfind says what it wants. What
// else stands there is passed over (RFC 4918 appendix A.2).
func ways(propfind *element) (n int) {
	for _, e := range propfind.children {
		if e.is(nsDAV, "prop") || e.is(nsDAV, "allprop") || e.is(nsDAV, "propname") {
			n++
		}
	}
	return n
}

// show answers with the properties of the place, and from depth 1 on of what
// stands in it.
func (c *call) show(q *asked, depth string) error {
	if err := c.readDead(q); err != nil {
		return err
	}
	if depth == "1" && c.place.kind == calendarKind {
		return c.propfindEntries(q)
	}
	if depth == "1" && c.place.kind == bookKind {
		return c.propfindCards(q)
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	var members []*target
	if depth == "1" {
		if members, err = c.members(); err != nil {
			return err
		}
	}
	a := c.startMultistatus(q)
	q.respond(a, self)
	for _, t := range members {
		q.respond(a, t)
	}
	return c.finish(a, nil)
}

// self is the place of the call as a target. calendar-data is not filled in:
// it belongs to reports.
func (c *call) self() (*target, error) {
	t := &target{kind: c.place.kind, path: c.place.path(), manager: &c.manager}
	switch c.place.kind {
	case rootKind:
		// It has several addresses; a client looks for the one it asked.
		if name := strings.Trim(c.r.URL.Path, "/"); name == "" {
			t.path = "/"
		} else {
			t.path = "/" + name + "/"
		}
	case calendarKind, entryKind:
		col, err := c.calendar()
		if err != nil {
			return nil, err
		}
		t.col = &col
		if t.kind == entryKind {
			e, err := c.st.Entry(c.ctx, col.ID, c.place.name)
			if err != nil {
				return nil, err
			}
			e.Bytes = nil
			t = c.entryTarget(&col)
			t.set(&e)
		}
	case bookKind, cardKind:
		return c.bookSelf()
	}
	return t, nil
}

// members are what stands in a place, entries and cards apart.
func (c *call) members() (list []*target, err error) {
	add := func(k kind) {
		p := place{kind: k, login: c.manager.Login}
		list = append(list, &target{kind: k, path: p.path(), manager: &c.manager})
	}
	switch c.place.kind {
	case rootKind:
		add(principalsKind)
		add(homesKind)
		add(bookHomesKind)
	case principalsKind:
		add(principalKind)
	case homesKind:
		add(homeKind)
	case bookHomesKind:
		add(bookHomeKind)
	case homeKind:
		cols, err := c.st.Collections(c.ctx, c.manager.ID)
		if err != nil {
			return nil, err
		}
		for i := range cols {
			p := place{kind: calendarKind, login: c.manager.Login, slug: cols[i].Slug}
			list = append(list, &target{kind: calendarKind, path: p.path(), manager: &c.manager, col: &cols[i]})
		}
	case bookHomeKind:
		for _, name := range store.BooksOf(&c.manager) {
			b, err := c.book(name)
			if err != nil {
				return nil, err
			}
			list = append(list, c.bookTarget(b))
		}
	}
	return list, nil
}

// propfindEntries lists a calendar and its entries as of one moment.
func (c *call) propfindEntries(q *asked) error {
	col, err := c.calendar()
	if err != nil {
		return err
	}
	a := c.startMultistatus(q)
	t := c.entryTarget(&col)
	err = c.st.Entries(c.ctx, col.ID, time.Time{}, time.Time{}, q.parts()&^store.EntryBytes,
		func(now store.Collection) error {
			col = now
			q.respond(a, &target{kind: calendarKind, path: c.place.path(), manager: &c.manager, col: &col})
			return nil
		},
		func(e *store.Entry) error {
			t.set(e)
			q.respond(a, t)
			return a.spill()
		})
	return c.finish(a, err)
}

// entryTarget is a target for the entries of a calendar, one after another.
func (c *call) entryTarget(col *store.Collection) *target {
	return &target{kind: entryKind, base: CalendarPath(c.manager.Login, col.Slug), manager: &c.manager, col: col}
}

// set turns the target to another entry.
func (t *target) set(e *store.Entry) {
	t.path = t.base + url.PathEscape(e.Name)
	t.item = e.Key
	t.etag, t.size, t.changed, t.data = e.ETag, e.Size, e.Changed, e.Bytes
}
