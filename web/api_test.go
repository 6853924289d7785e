package web

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"intouch/store"
)

// described is openapi.json as tests look at it.
type described struct {
	Paths map[string]map[string]struct {
		Security   []map[string][]string
		Parameters []struct {
			Ref string `json:"$ref"`
		}
		RequestBody struct {
			Content map[string]struct{ Schema map[string]any }
		}
		Responses map[string]struct {
			Ref     string `json:"$ref"`
			Content map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Parameters map[string]struct{ Name, In string }
		Responses  map[string]any
		Schemas    map[string]struct {
			Properties map[string]struct {
				ReadOnly bool
				Enum     []string
			}
		}
	}
}

func readDescription(t testing.TB) (d described) {
	t.Helper()
	if err := stdjson.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// integrator is a program of others. Each answer that it gets must be as
// openapi.json says.
type integrator struct {
	t       testing.TB
	url     string
	token   string
	doc     described
	schemas *jsonschema.Compiler
	mu      sync.Mutex // of schemas, which compile one at a time
}

func (h *house) integrator(name string, scopes ...store.Scope) *integrator {
	h.t.Helper()
	_, token, err := h.st.AddIntegration(h.t.Context(), name, scopes)
	h.check(err)
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	h.check(err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	h.check(c.AddResource("openapi.json", tree))
	return &integrator{t: h.t, url: h.srv.URL, token: token, doc: readDescription(h.t), schemas: c}
}

// reply is an answer.
type apiReply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// do sends a request; header are pairs of name and value.
func (in *integrator) do(method, target, body string, header ...string) apiReply {
	in.t.Helper()
	req, err := http.NewRequest(method, in.url+target, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+in.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		in.t.Fatal(err)
	}
	defer res.Body.Close()
	got := apiReply{status: res.StatusCode, header: res.Header}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	got.text = string(b)
	if len(b) > 0 {
		if err := stdjson.Unmarshal(b, &got.body); err != nil {
			in.t.Fatalf("%s %s: %v: %s", method, target, err, b)
		}
		in.valid(method, target, res, b)
	}
	return got
}

// valid holds an answer to the description.
func (in *integrator) valid(method, target string, res *http.Response, body []byte) {
	in.t.Helper()
	path := target
	if u, err := url.Parse(target); err == nil {
		path = u.EscapedPath()
	}
	parts := strings.Split(path, "/")
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	ref := ""
	for known, methods := range in.doc.Paths {
		pattern := strings.Split(known, "/")
		same := len(pattern) == len(parts)
		for i := range pattern {
			same = same && (pattern[i] == parts[i] || pattern[i] == "{external_id}" || pattern[i] == "{id}" && parts[i] != "batch")
		}
		op, there := methods[strings.ToLower(method)]
		if !same || !there {
			continue
		}
		status := strconv.Itoa(res.StatusCode)
		answer, there := op.Responses[status]
		if !there {
			in.t.Errorf("%s %s: status %s is not described", method, known, status)
			return
		}
		if name, ok := strings.CutPrefix(answer.Ref, "#/components/responses/"); ok {
			ref = "/components/responses/" + name + "/content/" + pointed(kind) + "/schema"
		} else {
			ref = "/paths/" + pointed(known) + "/" + strings.ToLower(method) + "/responses/" + status + "/content/" + pointed(kind) + "/schema"
		}
	}
	if ref == "" { // what no route takes is a Problem
		ref = "/components/schemas/Problem"
	}
	in.mu.Lock()
	schema, err := in.schemas.Compile("openapi.json#" + ref)
	in.mu.Unlock()
	if err != nil {
		in.t.Fatalf("%s %s: %v", method, target, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		in.t.Errorf("%s %s: %d %s\n%v", method, target, res.StatusCode, body, err)
	}
}

func pointed(s string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
}

// fault is the first pointer or parameter of a problem, with its detail.
func (r apiReply) fault() string {
	list, _ := r.body["errors"].([]any)
	if len(list) == 0 {
		return ""
	}
	f := list[0].(map[string]any)
	for _, where := range []string{"pointer", "parameter"} {
		if s, ok := f[where].(string); ok {
			return s + ": " + f["detail"].(string)
		}
	}
	return f["detail"].(string)
}

// TestAPI_description holds openapi.json to the routes, their parameters,
// bodies, answers and problems, in both directions.
func TestAPI_description(t *testing.T) {
	d := readDescription(t)
	a := newAPI(nil, nil)
	written, routed := map[string][]string{}, map[string][]string{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			var names []string
			for _, p := range op.Parameters {
				parameter, ok := d.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
				if !ok {
					t.Errorf("%s %s: no parameter %s", method, path, p.Ref)
				}
				names = append(names, parameter.In+" "+parameter.Name)
			}
			for _, s := range op.Security {
				names = append(names, "scope "+strings.Join(s["token"], ","))
			}
			slices.Sort(names)
			written[strings.ToUpper(method)+" "+path] = names
		}
	}
	for _, r := range a.routes {
		var names []string
		for _, q := range r.query {
			names = append(names, "query "+q)
			if filters[q] == nil && q != "cursor" {
				t.Errorf("%s %s: nobody reads %s", r.method, r.path, q)
			}
		}
		for _, name := range []string{"id", "external_id"} {
			if strings.Contains(r.path, "{"+name+"}") {
				names = append(names, "path "+name)
			}
		}
		if r.kind != "" {
			names = append(names, "scope "+r.kind+":"+string(r.right))
		}
		if r.right == store.ScopeWrite {
			names = append(names, "header Idempotency-Key")
		}
		if r.method == "PUT" || r.method == "PATCH" {
			names = append(names, "header If-Match")
		}
		if r.method == "PUT" {
			names = append(names, "header If-None-Match")
		}
		slices.Sort(names)
		routed[r.method+" "+r.path] = names
	}
	if diff := cmp.Diff(written, routed); diff != "" {
		t.Errorf("described (-), routed (+):\n%s", diff)
	}

	for name, types := range map[string][2]reflect.Type{
		"Client":      {reflect.TypeFor[apiClient](), reflect.TypeFor[clientBody]()},
		"Person":      {reflect.TypeFor[apiPerson](), reflect.TypeFor[personBody]()},
		"Deal":        {reflect.TypeFor[apiDeal](), reflect.TypeFor[dealBody]()},
		"Document":    {reflect.TypeFor[apiDocument](), reflect.TypeFor[documentBody]()},
		"Contact":     {reflect.TypeFor[apiContact](), reflect.TypeFor[contactBody]()},
		"Line":        {reflect.TypeFor[apiLine](), reflect.TypeFor[lineBody]()},
		"Event":       {reflect.TypeFor[apiEvent](), reflect.TypeFor[eventBody]()},
		"Participant": {reflect.TypeFor[apiPersonOf](), reflect.TypeFor[personOfBody]()},
		"Reference":   {reflect.TypeFor[recordRef](), reflect.TypeFor[recordRef]()},
		"Sum":         {reflect.TypeFor[sum](), reflect.TypeFor[sum]()},
		"Attachment":  {reflect.TypeFor[store.Attachment](), nil},
		"Fault":       {reflect.TypeFor[fault](), nil},
		"Problem":     {reflect.TypeFor[problem](), nil},
		"Outcome":     {reflect.TypeFor[outcome](), nil},
		"ClientPage":  {reflect.TypeFor[apiPage](), nil},
		"ClientBatch": {reflect.TypeFor[batch](), nil},
	} {
		for i, schema := range []string{name, name + "Body"} {
			if types[i] == nil {
				continue
			}
			members := map[string]bool{} // and whether it is only read
			for _, f := range reflect.VisibleFields(types[i]) {
				if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
					members[tag] = f.Type == reflect.TypeFor[readOnly]()
				}
			}
			properties := map[string]bool{}
			for p, of := range d.Components.Schemas[schema].Properties {
				properties[p] = of.ReadOnly && i == 1
			}
			if diff := cmp.Diff(properties, members); diff != "" {
				t.Errorf("%s: described (-), in the code (+):\n%s", schema, diff)
			}
		}
	}

	var known, statuses []string
	for name, p := range problems {
		known = append(known, "urn:intouch:problem:"+name)
		if status := strconv.Itoa(p.status); status != "405" && !slices.Contains(statuses, status) { // of no route
			statuses = append(statuses, status)
		}
	}
	var told []string
	for status := range d.Components.Responses {
		told = append(told, status)
	}
	enum := d.Components.Schemas["Problem"].Properties["type"].Enum
	for _, list := range [][]string{known, statuses, told, enum} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(enum, known); diff != "" {
		t.Errorf("problems: described (-), in the code (+):\n%s", diff)
	}
	if diff := cmp.Diff(told, statuses); diff != "" {
		t.Errorf("statuses: described (-), in the code (+):\n%s", diff)
	}
}

func TestAPI_upsert(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("shop", store.ScopeWrite)
	at := "/api/v1/clients/by-external-id/K%2F1"

	made := in.do("PUT", at, `{"name":"ООО «Альфа»","manager":"boris","emails":["Info@Alfa.test"],"domains":["alfa.test"],"attributes":{"segment":"horeca","town":"Пермь"}}`)
	if made.status != 201 || made.header.Get("ETag") != `"1"` || made.body["external_id"] != "K/1" || made.body["emails"].([]any)[0] != "info@alfa.test" {
		t.Fatalf("%d %s", made.status, made.text)
	}
	if got := in.do("GET", made.header.Get("Location"), ""); got.text != made.text {
		t.Errorf("at its place: %s", got.text)
	}

	// What is not said stays, null empties, what was read can be sent back.
	if again := in.do("PUT", at, made.text); again.status != 200 || again.text != made.text {
		t.Errorf("sent back: %d %s", again.status, again.text)
	}
	h.now = h.now.Add(60e9)
	changed := in.do("PUT", at, `{"phones":["+7 342 200-00-00"],"attributes":{"town":null},"manager":null}`)
	if changed.status != 200 || changed.body["name"] != "ООО «Альфа»" || changed.body["manager"] != nil || len(changed.body["attributes"].(map[string]any)) != 1 || changed.body["version"] != 2.0 {
		t.Errorf("%d %s", changed.status, changed.text)
	}

	// Versions guard against writing over what another changed.
	if got := in.do("PATCH", made.header.Get("Location"), `{"name":"Бета"}`, "If-Match", `"1"`); got.status != 412 {
		t.Errorf("a stale version: %d", got.status)
	}
	if got := in.do("PUT", at, `{"name":"Бета"}`, "If-None-Match", "*"); got.status != 412 {
		t.Errorf("only to make it: %d", got.status)
	}
	if got := in.do("PUT", "/api/v1/clients/by-external-id/none", `{"name":"Бета"}`, "If-Match", "*"); got.status != 412 {
		t.Errorf("only to change it: %d", got.status)
	}
	if got := in.do("PATCH", made.header.Get("Location"), `{"name":"Бета"}`, "If-Match", `"7", "2"`, "Content-Type", "application/merge-patch+json"); got.status != 200 || got.body["name"] != "Бета" {
		t.Errorf("%d %s", got.status, got.text)
	}

	// History tells who.
	id := int64(made.body["id"].(float64))
	history, err := h.st.History(t.Context(), "client", id, 10)
	if err != nil || len(history) != 3 || history[0].Integration != "shop" {
		t.Errorf("%+v %v", history, err)
	}

	// A client that has no key yet gets one; another's key is refused.
	bare := in.do("POST", "/api/v1/clients", `{"name":"Без ключа"}`)
	if bare.status != 201 || bare.body["external_id"] != nil {
		t.Fatalf("%d %s", bare.status, bare.text)
	}
	place := bare.header.Get("Location")
	if got := in.do("PATCH", place, `{"external_id":"c1"}`); got.status != 422 || !strings.HasPrefix(got.fault(), "#/external_id: ") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := in.do("PATCH", place, `{"external_id":"K/2"}`); got.status != 200 || got.body["external_id"] != "K/2" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := in.do("POST", "/api/v1/clients", `{"name":"Снова","external_id":"K/2"}`); got.status != 422 {
		t.Errorf("POST with a key that is there: %d %s", got.status, got.text)
	}
}

func TestAPI_deal(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("1c", store.ScopeWrite)
	at := "/api/v1/deals/by-external-id/N-1"
	made := in.do("PUT", at, `{"number":"77","date":"2026-11-20","client":{"external_id":"c1"},"amount":{"minor":100000,"currency":"RUB"},"cost":{"minor":70000},
		"ship_due":"2026-11-25","pay_due":"2026-12-01","lines":[{"item":"Кофе","quantity":"2","price":50000,"amount":100000,"cost":70000}]}`)
	if made.status != 201 || len(made.body["events"].([]any)) != 2 || made.body["lines"].([]any)[0].(map[string]any)["external_id"] != "N-1#1" {
		t.Fatalf("%d %s", made.status, made.text)
	}
	if again := in.do("PUT", at, made.text); again.status != 200 || again.text != made.text {
		t.Errorf("sent back: %d %s\nwas %s", again.status, again.text, made.text)
	}
	// A document fills the event, and so the deal has changed.
	paid := in.do("PUT", "/api/v1/documents/by-external-id/PAY-1", `{"kind":"payment","date":"2026-11-21","deal":{"external_id":"N-1"},"amount":{"minor":100000}}`)
	if paid.status != 201 || paid.body["client"].(map[string]any)["external_id"] != "c1" {
		t.Fatalf("%d %s", paid.status, paid.text)
	}
	// Its tax is kept until the sum changes.
	for _, step := range []struct {
		body, tax string
		status    int
	}{
		{`{"tax":{"minor":16667}}`, `"tax":{"minor":16667,"currency":"RUB"}`, 200},
		{`{"number":"7"}`, `"tax":{"minor":16667,"currency":"RUB"}`, 200},
		{`{"tax":{"minor":100001}}`, `"is not between nothing and the sum that contains it","pointer":"#/tax"`, 422},
		{`{"tax":{"minor":1,"currency":"EUR"}}`, `"pointer":"#/tax/currency"`, 422},
		{`{"amount":{"minor":90000}}`, `"tax":null`, 200},
		{`{"amount":{"minor":100000},"tax":{"minor":0}}`, `"tax":{"minor":0,"currency":"RUB"}`, 200},
	} {
		if got := in.do("PUT", "/api/v1/documents/by-external-id/PAY-1", step.body); got.status != step.status || !strings.Contains(got.text, step.tax) {
			t.Errorf("%s: %d %s", step.body, got.status, got.text)
		}
	}
	now := in.do("GET", at, "")
	if events := now.body["events"].([]any); events[1].(map[string]any)["state"] == events[0].(map[string]any)["state"] || now.header.Get("ETag") == made.header.Get("ETag") {
		t.Errorf("after the payment: %s", now.text)
	}
	// One event at a time.
	parts := in.do("PUT", at, `{"events":[{"external_id":"E-1","kind":"shipment","due":"2026-11-24","amount":60000},{"external_id":"E-2","kind":"shipment","due":"2026-11-30","amount":40000}]}`)
	if parts.status != 200 || strings.Count(parts.text, `"kind":"shipment"`) != 3 || !strings.Contains(parts.text, `"cancelled"`) {
		t.Errorf("%d %s", parts.status, parts.text)
	}
	for body, fault := range map[string]string{
		`{"lines":[{"item":"x"},{"item":""}]}`:                                      "#/lines/1/item: is missing",
		`{"lines":[{"item":"x","external_id":"l1"}]}`:                               `#/lines/0/external_id: "l1" is a line of another deal or document`,
		`{"lines":[{"item":"x","external_id":"a"},{"item":"x","external_id":"a"}]}`: `#/lines/1/external_id: "a" stands twice`,
		`{"events":[{"external_id":"E-1","kind":"payment","due":"2026-11-24"}]}`:    "#/events/0/external_id: belongs to an event of another deal or kind",
		`{"events":[{"external_id":"E-9","kind":"gift","due":"2026-11-24"}]}`:       `#/events/0/kind: "gift" is neither shipment nor payment`,
		`{"amount":{"minor":-1}}`:                                                   "#/amount/minor: is not between 0 and 9007199254740991",
		`{"amount":{"minor":1.5}}`:                                                  "#/amount/minor: invalid syntax",
		`{"amount":{"minor":1,"currency":"rub"}}`:                                   "#/amount/currency: is not a code of three letters like RUB",
		`{"cost":{"minor":1,"currency":"USD"}}`:                                     "#/cost/currency: is not that of the amount",
		`{"client":{"external_id":"c1","id":999}}`:                                  `#/client: unknown client "c1"`,
		`{"date":"20.11.2026"}`:                                                     `#/date: "20.11.2026" is not a day like 2026-11-23`,
		`{"pay_due":null}`:                                                          "#/pay_due: cannot be emptied once it was said",
	} {
		if got := in.do("PUT", at, body); got.status != 422 || got.fault() != fault {
			t.Errorf("%s: %d %s", body, got.status, got.fault())
		}
	}
	if got := in.do("GET", at, ""); got.text != parts.text {
		t.Errorf("after refused changes: %s", got.text)
	}
}

func TestAPI_contact(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("telephone", "contacts:write", "clients:read")
	at := "/api/v1/contacts/by-external-id/call-1"
	call := `{"kind":"call","direction":"out","client":{"external_id":"c1"},"persons":[{"external_id":"p1"}],"deal":{"external_id":"d1"},"subject":"Обсудить цены","start":"2026-11-24T12:00:00+03:00","end":"2026-11-24T12:30:00+03:00"}`
	made := in.do("PUT", at, call)
	if made.status != 201 || made.body["manager"] != "anna" || made.body["start"] != "2026-11-24T09:00:00Z" || made.body["minutes"] != 30.0 || made.body["origin"] != "exchange" {
		t.Fatalf("%d %s", made.status, made.text)
	}
	for _, body := range []string{call, made.text} {
		if again := in.do("PUT", at, body); again.status != 200 || again.text != made.text {
			t.Errorf("again: %d %s", again.status, again.text)
		}
	}
	// The manager sees it.
	anna := h.login("anna")
	if page := anna.get("/contacts/" + strconv.Itoa(int(made.body["id"].(float64)))); !strings.Contains(page.body, "Обсудить цены") || !strings.Contains(page.body, "telephone") {
		t.Errorf("the page does not show it, or who made it")
	}
	days := in.do("PUT", at, `{"first_day":"2026-11-26","last_day":"2026-11-27"}`)
	if days.status != 200 || days.body["start"] != nil || days.body["last_day"] != "2026-11-27" {
		t.Errorf("%d %s", days.status, days.text)
	}
	if again := in.do("PUT", at, days.text); again.status != 200 || again.text != days.text {
		t.Errorf("days sent back: %d %s", again.status, again.text)
	}
	if none := in.do("PUT", at, `{"first_day":null}`); none.status != 200 || none.body["start"] != nil || none.body["first_day"] != nil {
		t.Errorf("%d %s", none.status, none.text)
	}
	if got := in.do("PUT", at, `{"state":"cancelled"}`); got.status != 200 || got.body["state"] != "cancelled" {
		t.Errorf("%d %s", got.status, got.text)
	}
	for body, fault := range map[string]string{
		`{"kind":"sms"}`:                `#/kind: "sms" is none of letter, call, meeting, visit, other`,
		`{"kind":null}`:                 "#/kind: cannot be empty",
		`{"direction":"in"}`:            "#/direction: of a contact cannot be changed",
		`{"deal":{"external_id":"d2"}}`: "#/deal: is of another client",
		`{"start":"2026-11-24"}`:        "#/start: is not a time like 2026-11-23T09:00:00Z (RFC 3339)",
		`{"start":"2026-11-24T10:00:00Z","end":"2026-11-24T09:00:00Z"}`: "#/end: is before start",
		`{"start":"2026-11-24T10:00:00Z","first_day":"2026-11-24"}`:     "#/first_day: stands beside start or end: a contact has a clock time or whole days",
		`{"minutes":-5}`: "#/minutes: is not between 0 and a year",
		`{"subject":"` + strings.Repeat("я", 501) + `"}`: "#/subject: longer than 1000 bytes",
	} {
		if got := in.do("PUT", at, body); got.status != 422 || got.fault() != fault {
			t.Errorf("%s: %d %s", body, got.status, got.fault())
		}
	}
	for body, fault := range map[string]string{
		`{}`:                       "#/client: is missing, and so is a text for someone not registered yet",
		`{"client_text":"Кто-то"}`: "#/manager: is missing, and the client has none",
		`{"client":{"external_id":"c1"},"persons":[{"external_id":"p2"}]}`: `#/persons: "Tom Harbour" is of another client`,
	} {
		if got := in.do("POST", "/api/v1/contacts", body); got.status != 422 || got.fault() != fault {
			t.Errorf("%s: %d %s", body, got.status, got.fault())
		}
	}

	// A captured letter's text is not to be changed; a private one's not shown.
	letters := in.do("GET", "/api/v1/contacts?kind=letter&limit=1", "")
	letter := letters.body["items"].([]any)[0].(map[string]any)
	place := "/api/v1/contacts/" + strconv.Itoa(int(letter["id"].(float64)))
	if got := in.do("PATCH", place, `{"body":"другое"}`); got.status != 422 {
		t.Errorf("a letter's text: %d %s", got.status, got.text)
	}
	if got := in.do("PATCH", place, `{"importance":"low"}`); got.status != 200 {
		t.Errorf("a letter's importance: %d %s", got.status, got.text)
	}
}

func TestAPI_list(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("reports", store.ScopeRead)
	for _, kind := range store.ScopeKinds {
		all := in.do("GET", "/api/v1/"+kind, "")
		if all.status != 200 || all.body["next_cursor"] != nil || len(all.body["items"].([]any)) == 0 {
			t.Fatalf("%s: %s", kind, all.text)
		}
		for _, since := range []string{"", "&changed_since=2020-01-01T00:00:00Z"} {
			var pages []any
			cursor := ""
			for range 100 {
				page := in.do("GET", "/api/v1/"+kind+"?limit=1"+since+cursor, "")
				pages = append(pages, page.body["items"].([]any)...)
				if page.body["as_of"] != "2026-11-23T08:50:00Z" {
					t.Errorf("as of %v", page.body["as_of"])
				}
				next, more := page.body["next_cursor"].(string)
				if !more {
					break
				}
				cursor = "&cursor=" + next
			}
			if since == "" && !cmp.Equal(pages, all.body["items"]) || len(pages) != len(all.body["items"].([]any)) {
				t.Errorf("%s%s: page by page %d, at once %d", kind, since, len(pages), len(all.body["items"].([]any)))
			}
		}
	}
	count := func(target string, want int) {
		t.Helper()
		if got := in.do("GET", "/api/v1/"+target, ""); got.status != 200 || len(got.body["items"].([]any)) != want {
			t.Errorf("%s: %d %s", target, got.status, got.text)
		}
	}
	count("clients?manager=boris", 2)
	count("clients?manager=nobody", 0)
	count("clients?external_id=c1", 1)
	count("clients?domain=ROMASHKA.test", 1)
	count("clients?importance=high&stage=regular", 1)
	count("persons?email=olga@romashka.test", 1)
	count("persons?client=c2", 1)
	count("persons?client=unknown", 0)
	count("deals?client=c1&date_from=2026-01-01", 1)
	count("deals?number=A-9&date_to=2025-03-01", 1)
	count("deals?manager=boris", 1) // by the client's manager
	count("documents?kind=shipment&deal=d1", 1)
	count("documents?kind=payment", 0)
	count("contacts?state=planned&start_from=2200-01-01T00:00:00Z", 0)
	count("clients?changed_since=2026-11-23T09:00:01Z", 0)

	for target, fault := range map[string]string{
		"clients?limit=501":               "limit: is not a number from 1 to 500",
		"clients?limit=1&limit=2":         "limit: stands more than once",
		"clients?name=x":                  "name: is not known here",
		"clients?manager=":                "manager: is empty or longer than 500 bytes",
		"clients?changed_since=yesterday": "changed_since: is not a time like 2026-11-23T09:00:00Z (RFC 3339)",
		"clients?cursor=x":                "cursor: is none that was given here",
		"deals?date_from=2026":            `date_from: "2026" is not a day like 2026-11-23`,
		"contacts?state=open":             "state: is none of planned, postponed, done, cancelled",
		"persons?client_id=-1":            "client_id: is not a number of ours",
	} {
		if got := in.do("GET", "/api/v1/"+target, ""); got.status != 400 || got.fault() != fault {
			t.Errorf("%s: %d %s", target, got.status, got.fault())
		}
	}
	next := in.do("GET", "/api/v1/clients?limit=1", "").body["next_cursor"].(string)
	if got := in.do("GET", "/api/v1/clients?manager=boris&cursor="+next, ""); got.fault() != "cursor: belongs to a query with other filters" {
		t.Errorf("another query's cursor: %d %s", got.status, got.text)
	}
}

func TestAPI_batch(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("shop", store.ScopeWrite)
	got := in.do("POST", "/api/v1/deals/batch", `{"items":[
		{"external_id":"d1","amount":{"minor":1}},
		{"external_id":"B-1","date":"2026-11-01","client":{"external_id":"c1"},"amount":{"minor":5},"lines":[{"item":"x","external_id":"l1"}]},
		{"external_id":"B-2","date":"2026-11-01","client":{"external_id":"c1"},"amount":{"minor":5},"pay_due":"2026-12-01"},
		{"external_id":"B-2","status":"new"},
		{"external_id":"d3"},
		{"date":5}]}`)
	var became []string
	for _, item := range got.body["items"].([]any) {
		o := item.(map[string]any)
		text, _ := o["change"].(string)
		if p, ok := o["problem"].(map[string]any); ok {
			text = apiReply{body: p}.fault()
		}
		became = append(became, text)
	}
	want := []string{"changed", `#/items/1/lines/0/external_id: "l1" is a line of another deal or document`, "new", "changed", "unchanged", "#/items/5/date: JSON value must be string type"}
	if diff := cmp.Diff(want, became); got.status != 200 || diff != "" {
		t.Errorf("%d %s", got.status, diff)
	}
	if got := in.do("GET", "/api/v1/deals/by-external-id/B-1", ""); got.status != 404 {
		t.Errorf("a refused deal is there: %s", got.text)
	}
	for _, bad := range []string{`{"items":[]}`, `{}`, `{"items":[` + strings.Repeat(`{},`, 1000) + `{}]}`, `[]`} {
		if got := in.do("POST", "/api/v1/deals/batch", bad); got.status != 422 {
			t.Errorf("%.20s: %d %s", bad, got.status, got.text)
		}
	}
}

func TestAPI_once(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("site", store.ScopeWrite)
	body := `{"kind":"call","client":{"external_id":"c1"},"subject":"Перезвонить"}`
	key := []string{"Idempotency-Key", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`}
	first := in.do("POST", "/api/v1/contacts", body, key...)
	if first.status != 201 {
		t.Fatalf("%d %s", first.status, first.text)
	}
	second := in.do("POST", "/api/v1/contacts", body, key...)
	if second.status != 201 || second.text != first.text || second.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("%d %s", second.status, second.text)
	}
	if got := in.do("POST", "/api/v1/contacts", `{"client":{"external_id":"c2"}}`, key...); got.status != 422 || got.body["type"] != "urn:intouch:problem:idempotency-key-reused" {
		t.Errorf("another body: %d %s", got.status, got.text)
	}
	other := h.integrator("other", store.ScopeWrite)
	if got := other.do("POST", "/api/v1/contacts", body, key...); got.status != 201 || got.text == first.text {
		t.Errorf("the same key of another: %d %s", got.status, got.text)
	}
	// What was refused can be mended under the same key.
	if got := in.do("POST", "/api/v1/contacts", `{}`, "Idempotency-Key", "k2"); got.status != 422 {
		t.Errorf("%d", got.status)
	}
	if got := in.do("POST", "/api/v1/contacts", body, "Idempotency-Key", "k2"); got.status != 201 {
		t.Errorf("%d %s", got.status, got.text)
	}
	h.now = h.now.Add(25 * 3600e9)
	if got := in.do("POST", "/api/v1/contacts", body, key...); got.status != 201 || got.text == first.text {
		t.Errorf("a day later: %d %s", got.status, got.text)
	}
	for _, bad := range []string{`"`, `""`, "ключ", strings.Repeat("k", 256)} {
		if got := in.do("POST", "/api/v1/contacts", body, "Idempotency-Key", bad); got.status != 400 {
			t.Errorf("%q: %d", bad, got.status)
		}
	}

	// However many come at the same time, one contact is made.
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			got := in.do("POST", "/api/v1/contacts", strings.Replace(body, "Перезвонить", "Один раз", 1), "Idempotency-Key", "together")
			if got.status != 201 && got.status != 409 {
				t.Errorf("%d %s", got.status, got.text)
			}
		})
	}
	wait.Wait()
	if n := strings.Count(in.do("GET", "/api/v1/contacts?client=c1&limit=500", "").text, "Один раз"); n != 1 {
		t.Errorf("%d contacts were made", n)
	}
}

func TestAPI_refuses(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("narrow", "clients:read", "persons:write")
	for _, c := range []struct {
		method, target, body string
		header               []string
		status               int
	}{
		{"GET", "/api/v1/clients", "", nil, 200},
		{"GET", "/api/v1/persons", "", nil, 200}, // write includes read
		{"GET", "/api/v1/deals", "", nil, 403},
		{"PUT", "/api/v1/clients/by-external-id/x", `{"name":"x"}`, nil, 403},
		{"GET", "/api/v1/clients", "", []string{"Authorization", ""}, 401},
		{"GET", "/api/v1/clients", "", []string{"Authorization", "Basic YTpi"}, 401},
		{"GET", "/api/v1/clients", "", []string{"Authorization", "Bearer itk_x"}, 401},
		{"GET", "/api/v1/openapi.json", "", []string{"Authorization", ""}, 200},
		{"GET", "/api/v1/clients/99999", "", nil, 404},
		{"GET", "/api/v1/clients/x", "", nil, 404},
		{"GET", "/api/v1/managers", "", nil, 404},
		{"GET", "/api/v2/clients", "", nil, 404},
		{"GET", "/api/", "", nil, 404},
		{"DELETE", "/api/v1/persons/1", "", nil, 405},
		{"PUT", "/api/v1/persons", "{}", nil, 405},
		{"PATCH", "/api/v1/persons/99999", `{"name":"x"}`, nil, 404},
		{"PATCH", "/api/v1/persons/1", `{"name":"x"}`, []string{"Content-Type", "text/plain"}, 415},
		{"PATCH", "/api/v1/persons/1", `{"name":"x"}`, []string{"Content-Type", "application/json; charset=windows-1251"}, 415},
		{"PATCH", "/api/v1/persons/1", `{"name":"x"}`, []string{"Content-Type", "application/json; charset=UTF-8"}, 200},
		{"PATCH", "/api/v1/persons/1", `{"name":"x"}`, []string{"Content-Encoding", "gzip"}, 415},
		{"POST", "/api/v1/persons", `{"name":"x"}`, []string{"Content-Type", "application/merge-patch+json"}, 415},
		{"PATCH", "/api/v1/persons/1", "{\"name\":\"\xff\"}", nil, 400},
		{"PATCH", "/api/v1/persons/1", `{"name":"x","name":"y"}`, nil, 400},
		{"PATCH", "/api/v1/persons/1", `{"name":"x"} {}`, nil, 400},
		{"PATCH", "/api/v1/persons/1", `{"Name":"x"}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `[]`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `null`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"emails":"x@y.test"}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"emails":["not an address"]}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"name":null}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"client":null}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", strings.Repeat(`{"client":`, 5000), nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"id":` + strings.Repeat(`[`, 100_000), nil, 400},
		{"PATCH", "/api/v1/persons/1", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413},
		{"PUT", "/api/v1/persons/by-external-id/a", `{"external_id":"b"}`, nil, 422},
		{"PUT", "/api/v1/persons/by-external-id/%20p1", `{"name":"x"}`, nil, 400},
		{"GET", "/api/v1/persons/by-external-id/%00", "", nil, 400},
		{"GET", "/api/v1/persons/by-external-id/%FF", "", nil, 400},
		{"GET", "/api/v1/persons/by-external-id/" + strings.Repeat("x", 201), "", nil, 400},
		{"GET", "/api/v1/clients?manager=%00", "", nil, 400},
		{"GET", "/api/v1/clients?manager=%FF", "", nil, 400},
		{"GET", "/api/v1/clients?%zz", "", nil, 400},
		{"GET", "/api/v1/clients?%FF=1", "", nil, 400},
		{"POST", "/api/v1/persons", `{"client":{"external_id":"c1\u0000"},"name":"x"}`, nil, 422},
		{"POST", "/api/v1/persons", `{"client":{"external_id":"c1"},"name":"x \\u0000"}`, nil, 201},
		{"POST", "/api/v1/persons", `{"client":{"external_id":"c1"},"name":"x","external_id":""}`, nil, 422},
		{"PATCH", "/api/v1/persons/1", `{"external_id":null}`, nil, 422},
	} {
		got := in.do(c.method, c.target, c.body, c.header...)
		if got.status != c.status {
			t.Errorf("%s %s %.40q %v: %d %.300s, want %d", c.method, c.target, c.body, c.header, got.status, got.text, c.status)
		}
		if bearer := got.header.Get("WWW-Authenticate"); (got.status == 401 || got.status == 403) != (bearer != "") {
			t.Errorf("%s %s: %d with WWW-Authenticate %q", c.method, c.target, got.status, bearer)
		}
		if (got.status == 405) != (got.header.Get("Allow") != "") {
			t.Errorf("%s %s: %d with Allow %q", c.method, c.target, got.status, got.header.Get("Allow"))
		}
	}
	if got := in.do("OPTIONS", "/api/v1/persons/1", ""); got.status != 204 || got.header.Get("Allow") != "GET, HEAD, PATCH, OPTIONS" {
		t.Errorf("OPTIONS: %d %v", got.status, got.header)
	}
	if got := in.do("HEAD", "/api/v1/persons/1", ""); got.status != 200 || got.header.Get("ETag") == "" || got.text != "" {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
	// A manager's session opens nothing here.
	anna := h.login("anna")
	if page := anna.get("/api/v1/clients"); page.code != 401 {
		t.Errorf("with a session: %d", page.code)
	}
	h.check(h.st.RevokeIntegration(t.Context(), "narrow"))
	if got := in.do("GET", "/api/v1/clients", ""); got.status != 401 {
		t.Errorf("a revoked token: %d", got.status)
	}
	for range 60 {
		in.do("GET", "/api/v1/clients", "")
	}
	if got := in.do("GET", "/api/v1/clients", ""); got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("many unknown tokens: %d", got.status)
	}
}

// What is too much at once is told when to come again.
func TestAPI_busy(t *testing.T) {
	a := newAPI(nil, slog.New(slog.DiscardHandler))
	for err, want := range map[error]struct {
		status int
		after  string
	}{
		fmt.Errorf("begin: %w: database is locked", store.ErrBusy): {503, "5"},
		errors.New("disk full"): {500, ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/api/v1/clients", nil)
		a.fail(&apiCall{Request: r, w: w, ctx: r.Context()}, err)
		if w.Code != want.status || w.Header().Get("Retry-After") != want.after || strings.Contains(w.Body.String(), "disk") || strings.Contains(w.Body.String(), "locked") {
			t.Errorf("%v: %d %v %s", err, w.Code, w.Header(), w.Body)
		}
	}
}

// A key of what was merged leads to what it was merged into, and what is said
// of it there only adds.
func TestAPI_merged(t *testing.T) {
	h := newHouse(t, Options{})
	in := h.integrator("shop", store.ScopeWrite)
	anna := h.manager("anna")
	by := store.Actor{ManagerID: anna.ID, Origin: store.FromWeb}
	number := func(target string) int64 {
		t.Helper()
		return int64(in.do("GET", "/api/v1/"+target, "").body["id"].(float64))
	}
	kept, gone := number("clients/by-external-id/c1"), number("clients/by-external-id/c4")
	second := in.do("PUT", "/api/v1/persons/by-external-id/p9", `{"client":{"external_id":"c1"},"name":"О. Петрова","emails":["petrova@romashka.test"]}`)
	whole, part := number("persons/by-external-id/p1"), int64(second.body["id"].(float64))
	_, err := h.st.MergeClients(t.Context(), by, kept, gone)
	h.check(err)
	h.check(h.st.MergePersons(t.Context(), anna, by, whole, part))

	for target, id := range map[string]int64{
		"clients/by-external-id/c4":              kept,
		"clients/" + strconv.FormatInt(gone, 10): kept,
		"persons/by-external-id/p9":              whole,
		"persons/" + strconv.FormatInt(part, 10): whole,
	} {
		if got := number(target); got != id {
			t.Errorf("%s is %d, not %d", target, got, id)
		}
	}
	if got := in.do("PUT", "/api/v1/clients/by-external-id/c4", `{"name":"ЗАО Клён","phones":["+7 495 000-00-00"]}`); got.status != 200 || got.body["name"] != "ООО «Ромашка»" || got.body["external_id"] != "c1" || !strings.Contains(got.text, "000-00-00") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := in.do("PUT", "/api/v1/persons/by-external-id/p9", `{"name":"Оля","phones":["+7 495 111-11-11"]}`); got.status != 200 || got.body["name"] != "Ольга Петрова" || !strings.Contains(got.text, "111-11-11") {
		t.Errorf("%d %s", got.status, got.text)
	}
	for kind, n := range map[string]int{"clients?domain=klen.test": 1, "persons?client=c4": 1, "persons?limit=500": 3} {
		if got := in.do("GET", "/api/v1/"+kind, ""); len(got.body["items"].([]any)) != n {
			t.Errorf("%s: %s", kind, got.text)
		}
	}
	if got := in.do("PATCH", "/api/v1/clients/"+strconv.FormatInt(kept, 10), `{"external_id":"c4"}`); got.status != 200 || got.body["external_id"] != "c1" {
		t.Errorf("%d %s", got.status, got.text)
	}
}
