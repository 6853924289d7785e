package caldav

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"intouch/store"
)

// Options of the handler.
type Options struct {
	// PublicURL is the address that people reach the server by; its host is
	// accepted in absolute URLs beside the request's own.
	PublicURL string
	// Log receives what the operator should know; slog.Default when nil.
	Log *slog.Logger
}

// Handler serves /dav/, /feed/, /.well-known/caldav, /.well-known/carddav, and
// the DAV methods on / and /principals/, where programs begin to look.
type Handler struct {
	st         *store.Store
	log        *slog.Logger
	publicURL  string // without a slash at its end
	publicHost string
	kept       keptAnswers
	feeds      *feeds
	turns      turns
}

// New makes the handler. Route to it every request that Handles says yes to,
// before any mux that cleans paths or answers methods itself, and before any
// cross-origin check: Thunderbird sends Origin with everything, and the
// credentials are never a cookie. The server sets the deadlines: a client that
// reads a long listing slowly holds a read transaction meanwhile.
func New(st *store.Store, opt Options) http.Handler {
	h := &Handler{st: st, log: opt.Log, publicURL: strings.TrimRight(opt.PublicURL, "/"), feeds: newFeeds()}
	if h.log == nil {
		h.log = slog.Default()
	}
	if u, err := url.Parse(opt.PublicURL); err == nil {
		h.publicHost = u.Host
	}
	return h
}

// Handles reports whether a request is for this package: everything below
// /dav and /feed and the well-known addresses, and on / and /principals/ whatever a
// browser does not send. GET, HEAD and POST of / belong to the pages.
func Handles(r *http.Request) bool {
	p := r.URL.Path
	switch {
	case p == prefix || strings.HasPrefix(p, rootPath) || strings.HasPrefix(p, feedPrefix) || wellKnown(p):
		return true
	case p == "/" || p == "/principals" || p == "/principals/" || p == "" || p == "*":
		return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost
	}
	return false
}

// wellKnown reports whether a path is one of RFC 6764 section 5.
func wellKnown(path string) bool {
	path = strings.TrimSuffix(path, "/")
	return path == "/.well-known/caldav" || path == "/.well-known/carddav"
}

// call is one request of one manager at one place.
type call struct {
	*Handler
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	place   place
	manager store.Manager
	keep    *keeping // nil: this answer is not kept
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wellKnown(r.URL.Path) {
		w.Header().Set("Location", origin(r, h.publicHost)+rootPath)
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if strings.HasPrefix(r.URL.Path, feedPrefix) {
		h.feed(w, r)
		return
	}
	p, ok := parsePath(r.URL.EscapedPath())
	if r.Method == http.MethodOptions {
		options(w, p)
		return
	}
	c := &call{Handler: h, w: w, r: r, ctx: r.Context(), place: p}
	if reads(r.Method) {
		c.ctx = h.st.Present(c.ctx)
	}
	if !c.authenticate() {
		return
	}
	err := errNoSuchPlace
	if !ok && (r.Method == http.MethodPut || r.Method == "MKCOL") {
		err = status(http.StatusConflict) // what would hold it is not there (RFC 4918 sections 9.3.1, 9.7.1)
	}
	if ok && (p.login == "" || strings.EqualFold(p.login, c.manager.Login)) {
		// Somebody else's places are not there, rather than forbidden.
		c.place.login = c.manager.Login
		err = c.dispatch()
	}
	if err != nil {
		c.fail(err)
	}
}

// reads reports whether a method changes nothing.
func reads(method string) bool {
	switch method {
	case "PROPFIND", "REPORT", http.MethodGet, http.MethodHead:
		return true
	}
	return false
}

// dispatch runs the method.
func (c *call) dispatch() error {
	k := c.place.kind
	if c.r.Method == "MKCALENDAR" && k != calendarKind || c.r.Method == "MKCOL" && k == entryKind {
		return violated(http.StatusForbidden, nsCalDAV, "calendar-collection-location-ok")
	}
	if !allowed(k, c.r.Method) {
		c.w.Header().Set("Allow", allow(k))
		return status(http.StatusMethodNotAllowed)
	}
	if !reads(c.r.Method) {
		c.kept.forget()
	}
	switch c.r.Method {
	case "PROPFIND":
		return c.inTurn(c.propfind)
	case "PROPPATCH":
		return c.proppatch()
	case "REPORT":
		return c.inTurn(c.report)
	case "ACL":
		return c.refuseACL()
	case "MKCALENDAR", "MKCOL":
		return c.makeCollection()
	case http.MethodGet, http.MethodHead:
		if k == cardKind {
			return c.getCard()
		}
		return c.get()
	case http.MethodPut:
		if k == cardKind {
			return c.putCard()
		}
		return c.put()
	case http.MethodPost:
		return c.post()
	case http.MethodDelete:
		switch k {
		case calendarKind:
			return c.deleteCollection()
		case cardKind:
			return c.deleteCard()
		}
		return c.delete()
	case "MOVE":
		return c.move()
	}
	return c.copy()
}

// turns let each manager's programs receive two listings at the same time. The
// store has few connections for them, and those of one manager that read slowly
// must not take all.
type turns struct {
	mu sync.Mutex
	of map[int64]chan struct{} // by manager: those who have a turn
}

const (
	maxTurns     = 2
	turnPatience = 20 * time.Second // less than programs wait for an answer
)

func (t *turns) manager(id int64) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[int64]chan struct{}{}
	}
	if t.of[id] == nil {
		t.of[id] = make(chan struct{}, maxTurns)
	}
	return t.of[id]
}

// inTurn answers when it is this request's turn; store.ErrBusy when it does not
// come.
func (c *call) inTurn(answer func() error) error {
	turn := c.turns.manager(c.manager.ID)
	select {
	case turn <- struct{}{}:
	default: // not at once
		wait := time.NewTimer(turnPatience)
		defer wait.Stop()
		select {
		case turn <- struct{}{}:
		case <-wait.C:
			return store.ErrBusy
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	defer func() { <-turn }()
	return answer()
}

// methods of each kind of place, beside OPTIONS. A calendar that is not there
// yet can be made, so its place allows MKCALENDAR.
var methods = map[kind][]string{
	rootKind:       {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	principalsKind: {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	principalKind:  {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	homesKind:      {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	homeKind:       {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	calendarKind:   {"PROPFIND", "PROPPATCH", "REPORT", "ACL", "MKCALENDAR", "MKCOL", "DELETE", "POST"},
	entryKind:      {"GET", "HEAD", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "REPORT", "ACL", "MOVE", "COPY"},
	bookHomesKind:  {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	bookHomeKind:   {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	bookKind:       {"PROPFIND", "PROPPATCH", "REPORT", "ACL"},
	cardKind:       {"GET", "HEAD", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "REPORT", "ACL"},
}

func allowed(k kind, method string) bool {
	for _, m := range methods[k] {
		if m == method {
			return true
		}
	}
	return false
}

func allow(k kind) string { return "OPTIONS, " + strings.Join(methods[k], ", ") }

// options answers OPTIONS, also without credentials: Thunderbird gives a
// calendar up for good when the home above it does not answer with 2xx
// (clients.md section 3). calendar-auto-schedule is not named, since then
// Thunderbird would leave all invitations to us (section 8).
func options(w http.ResponseWriter, p place) {
	h := w.Header()
	h.Set("DAV", "1, 3, calendar-access, addressbook, extended-mkcol, access-control")
	h.Set("Allow", allow(p.kind))
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// origin is scheme and host as the client spelled them. Nothing is decided by
// them: they only go back to the one who sent them, in Location.
func origin(r *http.Request, publicHost string) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	host := r.Host
	if host == "" || strings.ContainsAny(host, "/\\@?# \"<>") {
		host = publicHost
	}
	return scheme + "://" + host
}

// refusal is an answer that is not a success. A precondition becomes the one
// element of a DAV:error body (RFC 4918 section 16); without one the body is
// the status text.
type refusal struct {
	status       int
	precondition xml.Name
	body         func(*answer) // what stands inside the precondition element
}

func (e *refusal) Error() string {
	return fmt.Sprintf("%d %s", e.status, e.precondition.Local)
}

var errNoSuchPlace = status(http.StatusNotFound)

// status is a refusal without a precondition.
func status(code int) error { return &refusal{status: code} }

// violated is a refusal that names the precondition.
func violated(code int, space, name string) error {
	return &refusal{status: code, precondition: xml.Name{Space: space, Local: name}}
}

// needPrivilege is RFC 3744 section 7.1.1.
func needPrivilege(path, privilege string) error {
	return &refusal{
		status:       http.StatusForbidden,
		precondition: xml.Name{Space: nsDAV, Local: "need-privileges"},
		body: func(a *answer) {
			a.str("<D:resource>")
			a.href(path)
			a.str("<D:privilege><D:", privilege, "/></D:privilege></D:resource>")
		},
	}
}

// fail answers with an error. What a client did wrong for good is 4xx:
// Thunderbird repeats a write that got 5xx for ever (clients.md section 5).
func (c *call) fail(err error) {
	var (
		ref *refusal
		pre *Precondition
		inv *store.Invalid
	)
	switch {
	case errors.As(err, &ref):
	case errors.As(err, &pre):
		ref = &refusal{status: pre.Status, precondition: xml.Name{Space: nsCalDAV, Local: pre.Name}}
	case errors.As(err, &inv):
		ref = &refusal{status: http.StatusForbidden, precondition: xml.Name{Space: nsCalDAV, Local: "valid-calendar-object-resource"}}
	case errors.Is(err, errTooLarge):
		c.w.Header().Set("Connection", "close")
		ref = &refusal{status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, errBadXML):
		ref = &refusal{status: http.StatusBadRequest}
	case errors.Is(err, store.ErrNotFound):
		ref = &refusal{status: http.StatusNotFound}
	case errors.Is(err, store.ErrStale):
		ref = &refusal{status: http.StatusPreconditionFailed}
	case errors.Is(err, store.ErrBusy):
		c.w.Header().Set("Retry-After", "30")
		ref = &refusal{status: http.StatusServiceUnavailable}
	case errors.Is(err, store.ErrForbidden):
		err = needPrivilege(c.place.path(), "write")
		errors.As(err, &ref)
	case c.ctx.Err() != nil:
		return // the client has gone
	default:
		c.log.Error("calendar request failed", "request", requestID(c.w), "method", c.r.Method, "path", c.place.path(), "manager", c.manager.Login, "err", err)
		internalError(c.w)
		return
	}
	if ref.precondition.Local == "" {
		http.Error(c.w, http.StatusText(ref.status), ref.status)
		return
	}
	a := newAnswer(c.w, ref.status)
	a.str(`<?xml version="1.0" encoding="utf-8"?>`+"\n", `<D:error`, declarations, `>`)
	if end := a.tag(ref.precondition, ref.body == nil); end != "" {
		ref.body(a)
		a.str(end)
	}
	a.str("</D:error>\n")
	a.close()
}

// readXML reads the request's body as XML; nil for an empty one.
func (c *call) readXML() (root *element, body []byte, err error) {
	if body, err = readBody(c.r, maxRequest); err != nil {
		return nil, nil, err
	}
	root, err = parseXML(body)
	return root, body, err
}

// actor is the manager at a calendar program.
func (c *call) actor() store.Actor {
	return store.Actor{ManagerID: c.manager.ID, Origin: store.FromCalendar}
}

// calendar is the collection of the place.
func (c *call) calendar() (store.Collection, error) {
	return c.st.Collection(c.ctx, c.manager.ID, c.place.slug)
}

// requestID is what whoever serves us calls the request in its log.
func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Request-Id") }

// internalError tells that it is our fault; the cause is in the log.
func internalError(w http.ResponseWriter) {
	http.Error(w, "internal error, request "+requestID(w), http.StatusInternalServerError)
}
