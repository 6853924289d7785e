package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"intouch/store"
)

// The JSON API for programs of others (docs/api.md, openapi.json). What every
// request has in common stands here, faults in api_problem.go, what a kind of
// record looks like in api_KIND.go. There is no cookie in it: a bearer token
// (RFC 6750) says who asks, so no browser can be led into a request.

// Bounds of the API.
const (
	apiBody      = 1 << 20          // bytes of a record
	apiBatchBody = 8 << 20          // bytes of a batch
	apiBatch     = 1000             // records of a batch
	apiWaiting   = 64               // writes that wait for their turn
	apiPatience  = 15 * time.Second // for how long
	apiOverlap   = 10 * time.Minute // see as_of
	apiKey       = 255              // bytes of an Idempotency-Key
)

type api struct {
	st     *store.Store
	log    *slog.Logger
	mux    *http.ServeMux
	routes []apiRoute
	turns  chan struct{} // writes that run or wait

	mu      sync.Mutex
	working map[string]bool // idempotency keys of requests that are being worked on
}

// apiRoute is one method of one path.
type apiRoute struct {
	method, path string
	kind         string      // of store.ScopeKinds; "" for everybody
	right        store.Scope // that it takes
	query        []string    // names of parameters
	do           func(*apiCall) error
}

// apiCall is one request of an integration.
type apiCall struct {
	*http.Request
	w     http.ResponseWriter
	ctx   context.Context
	id    string // request id
	in    store.Integration
	query url.Values
	body  []byte
}

// newAPI gives the handler of /api/.
func newAPI(st *store.Store, log *slog.Logger) *api {
	a := &api{st: st, log: log, mux: http.NewServeMux(), turns: make(chan struct{}, apiWaiting), working: map[string]bool{}}
	a.add(apiRoute{method: "GET", path: "/api/v1/openapi.json", do: a.describe})
	addRecords(a, clientKind)
	addRecords(a, personKind)
	addRecords(a, dealKind)
	addRecords(a, documentKind)
	addRecords(a, contactKind)
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, apiRoute{do: a.nowhere})
	})
	return a
}

func (a *api) add(route apiRoute) {
	a.routes = append(a.routes, route)
	a.mux.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, route) })
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// serve does what all routes have in common: who asks and may, bounds, faults.
func (a *api) serve(w http.ResponseWriter, r *http.Request, route apiRoute) {
	c := &apiCall{Request: r, w: w, ctx: r.Context(), id: w.Header().Get("X-Request-Id")}
	if c.id == "" {
		c.id = rand.Text()[:10]
		w.Header().Set("X-Request-Id", c.id)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("api panicked", "request", c.id, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			a.fail(c, errors.New("panic"))
		}
	}()
	if err := a.open(c, route); err != nil {
		a.fail(c, err)
		return
	}
	if err := route.do(c); err != nil {
		a.fail(c, err)
	}
}

// open lets a request in: its token, its scope, its parameters, its body.
func (a *api) open(c *apiCall, route apiRoute) (err error) {
	if route.kind != "" {
		if c.in, err = a.caller(c); err != nil {
			return err
		}
		if !c.in.May(route.kind, route.right) {
			return &problem{name: "insufficient-scope", Detail: "The token does not open " + route.kind + ":" + string(route.right) + ".",
				authenticate: fmt.Sprintf(`Bearer realm="intouch", error="insufficient_scope", scope="%s:%s"`, route.kind, route.right)}
		}
	}
	if route.method == "" { // nowhere: which parameters are right is not known
		return nil
	}
	if c.query, err = url.ParseQuery(c.URL.RawQuery); err != nil {
		return &problem{name: "malformed", Detail: "The query cannot be read."}
	}
	for name, values := range c.query {
		if !slices.Contains(route.query, name) {
			return parameterFault(name, "is not known here")
		}
		if len(values) > 1 {
			return parameterFault(name, "stands more than once")
		}
		if !isText(values[0]) {
			return parameterFault(name, "is no text in UTF-8, or has control characters")
		}
	}
	if route.right == store.ScopeWrite {
		most := int64(apiBody)
		if strings.HasSuffix(route.path, "/batch") {
			most = apiBatchBody
		}
		return c.read(route.method, most)
	}
	return nil
}

// caller is whose token the request bears.
func (a *api) caller(c *apiCall) (store.Integration, error) {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return store.Integration{}, &problem{name: "unauthorized", Detail: "A bearer token is needed, made with \"intouchd integration add\".",
			authenticate: `Bearer realm="intouch"`}
	}
	remote, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		remote = c.RemoteAddr
	}
	in, err := a.st.Integration(c.ctx, strings.TrimSpace(token), remote)
	switch {
	case errors.Is(err, store.ErrBadLogin):
		err = &problem{name: "unauthorized", Detail: "The token is unknown or revoked.", authenticate: `Bearer realm="intouch", error="invalid_token"`}
	case errors.Is(err, store.ErrTooManyLogins):
		err = &problem{name: "too-many-failures", Detail: "Too many unknown tokens came from this address.", after: 15 * time.Minute}
	}
	return in, err
}

// read takes the body, which must be JSON in UTF-8.
func (c *apiCall) read(method string, most int64) error {
	kind, params, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	right := kind == "application/json" || kind == "application/merge-patch+json" && method != http.MethodPost
	if charset := params["charset"]; err != nil || !right || charset != "" && !strings.EqualFold(charset, "utf-8") || c.Header.Get("Content-Encoding") != "" {
		c.w.Header().Set("Accept-Patch", "application/merge-patch+json, application/json")
		return &problem{name: "unsupported-media-type", Detail: "The body must be application/json in UTF-8, not compressed."}
	}
	c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.Body, most))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return &problem{name: "too-large", Detail: fmt.Sprintf("The body is longer than %d bytes.", most)}
	} else if err != nil {
		return &problem{name: "malformed", Detail: "The body did not arrive whole."}
	}
	return nil
}

// nowhere answers what no route took.
func (a *api) nowhere(c *apiCall) error {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH"} {
		other := c.Clone(c.ctx)
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return &problem{name: "not-found", Detail: "There is nothing at this address; see /api/v1/openapi.json."}
	}
	c.w.Header().Set("Allow", strings.Join(append(allowed, "OPTIONS"), ", "))
	if c.Method == http.MethodOptions {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return &problem{name: "method-not-allowed", Detail: c.Method + " is not done here."}
}

// records describes one kind of record to the API: R is what the store gives, B
// what a request may say.
type records[R, B any] struct {
	name    string // of store.ScopeKinds
	filters []string
	list    func(*store.Store, context.Context, store.RecordQuery) ([]R, store.Place, error)
	one     func(*store.Import, store.Ref) (R, error)
	key     func(*R) (ref store.Ref, version int64)
	show    func(*R) any
	// save writes what a request says; old is nil for a new record, which is to
	// have the key of the request, if any. It gives the record's number, 0 for
	// that of old or of the key.
	save func(im *store.Import, key string, old *R, b *B) (change store.RowChange, id int64, err error)
	// given is the external_id that a body says.
	given func(*B) *field[string]
}

// addRecords makes the routes of one kind.
func addRecords[R, B any](a *api, k records[R, B]) {
	all := "/api/v1/" + k.name
	a.add(apiRoute{"GET", all, k.name, store.ScopeRead, append([]string{"limit", "cursor", "changed_since"}, k.filters...), func(c *apiCall) error { return listRecords(a, c, k) }})
	a.add(apiRoute{"POST", all, k.name, store.ScopeWrite, nil, func(c *apiCall) error { return writeRecord(a, c, k, store.Ref{}) }})
	a.add(apiRoute{"POST", all + "/batch", k.name, store.ScopeWrite, nil, func(c *apiCall) error { return writeBatch(a, c, k) }})
	byID := func(do func(*apiCall, store.Ref) error) func(*apiCall) error {
		return func(c *apiCall) error {
			id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
			if err != nil || id <= 0 {
				return store.ErrNotFound
			}
			return do(c, store.Ref{ID: id})
		}
	}
	byKey := func(do func(*apiCall, store.Ref) error) func(*apiCall) error {
		return func(c *apiCall) error {
			key := c.PathValue("external_id")
			if err := keyFault(key); err != "" {
				return &problem{name: "malformed", Detail: "The key in the address " + err + "."}
			}
			return do(c, store.Ref{ExternalID: key})
		}
	}
	get := func(c *apiCall, ref store.Ref) error { return getRecord(a, c, k, ref) }
	write := func(c *apiCall, ref store.Ref) error { return writeRecord(a, c, k, ref) }
	a.add(apiRoute{"GET", all + "/{id}", k.name, store.ScopeRead, nil, byID(get)})
	a.add(apiRoute{"PATCH", all + "/{id}", k.name, store.ScopeWrite, nil, byID(write)})
	a.add(apiRoute{"GET", all + "/by-external-id/{external_id}", k.name, store.ScopeRead, nil, byKey(get)})
	a.add(apiRoute{"PUT", all + "/by-external-id/{external_id}", k.name, store.ScopeWrite, nil, byKey(write)})
}

func getRecord[R, B any](a *api, c *apiCall, k records[R, B], ref store.Ref) error {
	found, _, err := k.list(a.st, c.ctx, store.RecordQuery{ID: ref.ID, ExternalID: ref.ExternalID, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return store.ErrNotFound
	}
	reply, err := recordReply(k, &found[0], http.StatusOK)
	if err != nil {
		return err
	}
	return a.answer(c, reply)
}

func recordReply[R, B any](k records[R, B], r *R, status int) (store.Reply, error) {
	body, err := json.Marshal(k.show(r), json.Deterministic(true))
	ref, version := k.key(r)
	reply := store.Reply{Status: status, Header: map[string]string{"ETag": etag(version)}, Body: body}
	if status == http.StatusCreated {
		reply.Header["Location"] = fmt.Sprintf("/api/v1/%s/%d", k.name, ref.ID)
	}
	return reply, err
}

// isText reports whether the databases can hold it, on one line.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// keyFault says what is wrong with a key of another system; "" nothing. Keys are
// compared byte by byte, so that none may be mended on the way.
func keyFault(key string) string {
	switch {
	case key == "":
		return "is empty"
	case len(key) > 200:
		return "is longer than 200 bytes"
	case !isText(key) || strings.TrimSpace(key) != key:
		return "has control characters, or spaces at an end"
	}
	return ""
}

// answer sends JSON.
func (a *api) answer(c *apiCall, reply store.Reply) error {
	h := c.w.Header()
	for name, value := range reply.Header {
		h.Set(name, value)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	c.w.WriteHeader(reply.Status)
	if _, err := c.w.Write(reply.Body); err != nil {
		a.log.Debug("answer not delivered", "request", c.id, "err", err)
	}
	return nil
}
