package web

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"intouch/store"
)

// problem is a fault as programs of others read it (RFC 9457).
type problem struct {
	Type     string  `json:"type"` // urn:intouch:problem:NAME
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"`         // urn:intouch:request:ID, which the log has, too
	Errors   []fault `json:"errors,omitempty"` // what exactly is wrong

	name         string        // of problems
	authenticate string        // WWW-Authenticate
	after        time.Duration // Retry-After
}

// fault is what is wrong with one member of the body (Pointer, RFC 6901) or
// with one parameter of the query.
type fault struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer,omitzero"`
	Parameter string `json:"parameter,omitzero"`
}

func (p *problem) Error() string { return p.name + ": " + p.Detail }

// problems are all there are.
var problems = map[string]struct {
	status int
	title  string
}{
	"malformed":              {http.StatusBadRequest, "The request cannot be read"},
	"parameter":              {http.StatusBadRequest, "A parameter is wrong"},
	"unauthorized":           {http.StatusUnauthorized, "No good token"},
	"insufficient-scope":     {http.StatusForbidden, "The token does not open this"},
	"not-found":              {http.StatusNotFound, "There is no such thing"},
	"method-not-allowed":     {http.StatusMethodNotAllowed, "The method is not allowed here"},
	"in-progress":            {http.StatusConflict, "The same request is being worked on"},
	"stale":                  {http.StatusPreconditionFailed, "The record was changed meanwhile"},
	"too-large":              {http.StatusRequestEntityTooLarge, "The body is too large"},
	"unsupported-media-type": {http.StatusUnsupportedMediaType, "The body is of another type"},
	"invalid":                {http.StatusUnprocessableEntity, "A value is wrong"},
	"idempotency-key-reused": {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"},
	"too-many-failures":      {http.StatusTooManyRequests, "Too many failures"},
	"internal":               {http.StatusInternalServerError, "Our fault"},
	"busy":                   {http.StatusServiceUnavailable, "Too busy"},
}

func fieldFault(pointer, detail string) error {
	return &problem{name: "invalid", Detail: "A value in the body is wrong.", Errors: []fault{{Detail: detail, Pointer: fragment(pointer)}}}
}

// fragment is a JSON pointer as a URI fragment (RFC 6901 section 6).
func fragment(pointer string) string { return "#" + (&url.URL{Fragment: pointer}).EscapedFragment() }

func parameterFault(name, detail string) error {
	return &problem{name: "parameter", Detail: "A parameter of the query is wrong.", Errors: []fault{{Detail: detail, Parameter: clip(80, name)}}}
}

// problemOf is what an error is to the one who asked; nil: our fault.
func problemOf(err error) *problem {
	var p *problem
	var bad *store.Invalid
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &bad):
		errors.As(fieldFault(pointerOf(bad.Field), bad.Reason), &p)
		return p
	case errors.Is(err, store.ErrNotFound):
		return &problem{name: "not-found", Detail: "There is no such record."}
	case errors.Is(err, store.ErrStale):
		return &problem{name: "stale", Detail: "The record is not as If-Match or If-None-Match says; read it again."}
	case errors.Is(err, store.ErrBusy):
		return &problem{name: "busy", Detail: "Too many requests wait, or another program is writing for long.", after: 5 * time.Second}
	}
	return nil
}

// pointerOf is where a field of the store stands in a body.
func pointerOf(field string) string {
	parts := strings.Split(field, "/")
	switch last := &parts[len(parts)-1]; *last {
	case "id":
		*last = "external_id"
	case "":
		return ""
	}
	return "/" + strings.Join(parts, "/")
}

// prefix places the problem's pointers below another one.
func (p *problem) prefix(pointer string) {
	for i := range p.Errors {
		if rest, ok := strings.CutPrefix(p.Errors[i].Pointer, "#"); ok {
			p.Errors[i].Pointer = "#" + pointer + rest
		}
	}
}

// filled gives the problem what all of its name have in common.
func (p *problem) filled(c *apiCall) *problem {
	of := problems[p.name]
	p.Type, p.Title, p.Status, p.Instance = "urn:intouch:problem:"+p.name, of.title, of.status, "urn:intouch:request:"+c.id
	return p
}

// fail answers with a problem. What the operator needs goes to the log.
func (a *api) fail(c *apiCall, err error) {
	p := problemOf(err)
	if p == nil {
		if c.ctx.Err() != nil { // whoever asked went away
			return
		}
		a.log.Error("api failed", "request", c.id, "method", c.Method, "path", c.URL.Path, "integration", c.in.Name, "err", err)
		p = &problem{name: "internal", Detail: "The log says more under the request's id."}
	}
	p.filled(c)
	body, err := json.Marshal(p, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // only our own texts are in it
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if p.authenticate != "" {
		h.Set("WWW-Authenticate", p.authenticate)
	}
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.after.Seconds())))
	}
	c.w.WriteHeader(p.Status)
	if _, err := c.w.Write(body); err != nil {
		a.log.Debug("answer not delivered", "request", c.id, "err", err)
	}
}

// decode reads a body: names that are not known, names that stand twice, wrong
// types and texts that are not UTF-8 are refused with the place of the fault.
func decode(body []byte, into any) error {
	if jsontext.Value(body).Kind() == 'n' { // which would be taken for an object that says nothing
		return fieldFault("", "must be an object")
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		if err := noNUL(body); err != nil {
			return err
		}
	}
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		detail := "is not what stands here"
		switch {
		case errors.Is(err, json.ErrUnknownName):
			detail = "is not known here"
		case wrong.Err != nil:
			detail = wrong.Err.Error()
		case wrong.JSONKind != 0:
			detail = "must not be a " + wrong.JSONKind.String()
		}
		return fieldFault(string(wrong.JSONPointer), detail)
	case errors.As(err, &syntax):
		p := &problem{name: "malformed", Detail: "The body is not JSON at byte " + strconv.FormatInt(syntax.ByteOffset, 10) + "."}
		p.Errors = []fault{{Detail: syntax.Err.Error(), Pointer: fragment(string(syntax.JSONPointer))}}
		return p
	}
	return &problem{name: "malformed", Detail: "The body is not JSON."}
}

// noNUL finds the text with U+0000 in it, which no database here can hold.
func noNUL(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.ReadToken()
		if err != nil { // the end, or a fault that is found again
			return nil
		}
		if token.Kind() == '"' && strings.ContainsRune(token.String(), 0) {
			return fieldFault(string(d.StackPointer()), "has U+0000 in it")
		}
	}
}
