package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/store"
)

// foreign stands in every name that Anna's records have: who is neither Anna
// nor a head may never read it.
const foreign = "ТайнаАнны"

// sweptMethods are sent to every address, whatever it was registered for.
var sweptMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PROPPATCH", "REPORT",
	"MKCALENDAR", "MKCOL", "ACL", "MOVE", "COPY", "LOCK", "UNLOCK", "SEARCH", "EVIL"}

// The areas of the program. Addresses of an area answer alike.
type area string

const (
	openArea    area = "open"    // for everybody: the login, the style sheets, what a balancer asks
	pageArea    area = "pages"   // of the session's manager
	othersArea  area = "others"  // pages of one record, of Anna's
	nowhereArea area = "nowhere" // pages by a method, or at an address, that there is none of
	davArea     area = "dav"     // Anna's places of DAV
	oncArea     area = "1c"
	clientsArea area = "api clients"
	apiArea     area = "api"
	offArea     area = "off"    // what the settings have not switched on: profiles
	secretArea  area = "secret" // feeds and links of mails, each with a secret of its own
)

// verdicts is the whole matrix: how each area may answer each caller. "login"
// is a redirect to the login, "decided" what everybody hears of a question that
// is gone, 400 that of a form that nobody sends, "failure" is 1C's refusal, "served" everything
// below 500 (then only what is in the answer counts).
var verdicts = map[area]map[string]string{
	openArea:    {"nobody": "served login", "clara": "served login", "anna": "served login", "head": "served login", "device": "served login", "token": "served login", "1c": "served login"},
	pageArea:    {"nobody": "login", "clara": "served", "anna": "served", "head": "served", "device": "login", "token": "login", "1c": "login"},
	othersArea:  {"nobody": "login", "clara": "404 403 400 decided", "anna": "served", "head": "served", "device": "login", "token": "login", "1c": "login"},
	nowhereArea: {"nobody": "login", "clara": "404 405", "anna": "404 405", "head": "404 405", "device": "login", "token": "login", "1c": "login"},
	davArea:     {"nobody": "401", "clara": "401", "anna": "401", "head": "401", "device": "404 403 409", "token": "401", "1c": "401"},
	oncArea:     {"nobody": "401 405 failure", "clara": "401 405 failure", "anna": "401 405 failure", "head": "401 405 failure", "device": "401 405 failure", "token": "401 405 failure", "1c": "served"},
	clientsArea: {"nobody": "401 404 405", "clara": "401 404 405", "anna": "401 404 405", "head": "401 404 405", "device": "401 404 405", "token": "served", "1c": "403 404 405"},
	apiArea:     {"nobody": "401 404 405", "clara": "401 404 405", "anna": "401 404 405", "head": "401 404 405", "device": "401 404 405", "token": "403 404 405", "1c": "403 404 405"},
	offArea:     {"nobody": "404", "clara": "404", "anna": "404", "head": "404", "device": "404", "token": "404", "1c": "404"},
	secretArea:  {"nobody": "404 405 login", "clara": "404 405 login", "anna": "404 405 login", "head": "404 405 login", "device": "404 405 login", "token": "404 405 login", "1c": "404 405 login"},
}

// registered are the patterns that the program gives to a mux, read from its
// source so that a new one cannot be forgotten.
func registered(t *testing.T) (patterns []string) {
	// What is registered under something else than a text.
	computed := map[string][]string{
		`store.LinkPath`:    {store.LinkPath + "{token}"},
		`exchange.OneCPath`: {exchange.OneCPath},
		`pattern`:           nil, // the two helpers of web.New, whose calls are read
		`route.method`:      nil, // the API's, which openapi.json lists
		`"GET /static/"`:    {"GET /static/app.js", "GET /static/"},
		`"/api/"`:           nil, // openapi.json lists what is below
	}
	files, err := filepath.Glob("../../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if !slices.Contains([]string{"page", "open", "Handle", "HandleFunc"}, name) {
				return true
			}
			text, given := constantOf(call.Args[0])
			switch known, ok := computed[text]; {
			case ok:
				patterns = append(patterns, known...)
			case given && (name == "Handle" || name == "HandleFunc" || strings.Contains(text, "/")):
				pattern, err := strconv.Unquote(text)
				if err != nil {
					t.Fatal(err)
				}
				patterns = append(patterns, pattern)
			case text == "ctx": // Handle of slog
			case name == "Handle" || name == "HandleFunc":
				t.Errorf("%s registers %s: tell the sweep what that is", file, text)
			}
			return true
		})
	}
	if len(patterns) < 80 {
		t.Fatalf("only %d patterns were found: %v", len(patterns), patterns)
	}
	return patterns
}

// constantOf is the source of a registration's first argument: the first part
// of a sum that is a name, else the text itself, which is then given.
func constantOf(e ast.Expr) (text string, given bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value, true
	case *ast.Ident:
		return e.Name, false
	case *ast.SelectorExpr:
		x, _ := constantOf(e.X)
		return x + "." + e.Sel.Name, false
	case *ast.BinaryExpr:
		if text, given := constantOf(e.X); !given {
			return text, false
		}
		return constantOf(e.Y)
	}
	return fmt.Sprintf("%T", e), false
}

// sweepHouse is the whole program with Anna's records, Clara's, a head, a
// device's password, a program's token and 1C's.
type sweepHouse struct {
	t   *testing.T
	st  *store.Store
	srv *httptest.Server
	// file of the database, which has no other beside its log.
	file string
	ids  map[string]int64 // of Anna's, by the page's prefix

	device, token, onec string
	annaDevice          string
	cookie              *http.Cookie // of 1C's exchange
}

func newSweepHouse(t *testing.T) *sweepHouse {
	file := filepath.Join(t.TempDir(), "intouch.db")
	text := "state_dir = \"" + t.TempDir() + "\"\n[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://crm.vector.test\"\nbehind_proxy = true\n[store]\nurl = \"sqlite:" + file + "\"\n"
	for _, login := range []string{"anna", "clara", "head"} {
		role := "manager"
		if login == "head" {
			role = "head"
		}
		text += fmt.Sprintf("[[manager]]\nlogin = %q\nname = %q\nrole = %q\nemails = [%q]\n", login, login, role, login+"@vector.test")
	}
	a := wired(t, text)
	h := &sweepHouse{t: t, st: a.st, file: file, ids: map[string]int64{}, srv: httptest.NewServer(a.server.Handler)}
	t.Cleanup(h.srv.Close)
	h.fill()
	return h
}

func (h *sweepHouse) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *sweepHouse) fill() {
	ctx := h.t.Context()
	managers := map[string]store.Manager{}
	for _, login := range []string{"anna", "clara", "head"} {
		_, _, err := h.st.SaveManager(ctx, store.Actor{}, store.ManagerRow{ID: login, Login: login, Name: login, Role: map[bool]string{true: "head", false: "manager"}[login == "head"], TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{login + "@vector.test"}})
		h.must(err)
		m, err := h.st.ManagerByLogin(ctx, login)
		h.must(err)
		h.must(h.st.SetPassword(ctx, m.ID, "a password for the test"))
		managers[login] = m
	}
	for _, whose := range []string{"anna", "clara"} {
		name := map[string]string{"anna": foreign, "clara": "Своё"}[whose]
		h.must(h.st.Import(ctx, store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
			_, err := im.Client(store.ClientRow{ID: "c" + whose, Name: name + " клиент", Manager: whose, Domains: []string{whose + "-client.test"}, Phones: []string{"+7 900 000 00 01"}})
			h.must(err)
			_, err = im.Person(store.PersonRow{ID: "p" + whose, Client: "c" + whose, Name: name + " человек", Emails: []string{"x@" + whose + "-client.test"}})
			h.must(err)
			_, err = im.Deal(store.DealRow{ID: "d" + whose, Number: name + "-1", Date: "2026-11-20", Client: "c" + whose, Amount: store.Money{Minor: 100_00}, ShipDue: "2026-12-20", PayDue: "2026-12-30"})
			h.must(err)
			return nil
		}))
	}
	anna := store.Actor{ManagerID: managers["anna"].ID, Origin: store.FromWeb}
	found, err := h.st.Clients(ctx, managers["anna"], foreign, 1)
	h.must(err)
	client := found[0].ID
	card, err := h.st.Client(ctx, managers["anna"], client)
	h.must(err)
	contact, err := h.st.PlanContact(ctx, anna, store.ContactDraft{Kind: store.Call, ClientID: client, Subject: foreign + " звонок", When: store.Span{Start: time.Now().Add(time.Hour), End: time.Now().Add(2 * time.Hour)}})
	h.must(err)
	filterName := foreign + " календарь"
	filter, err := h.st.MakeFilter(ctx, anna, store.Filter{}, store.CollectionEdit{Name: &filterName})
	h.must(err)
	report, err := h.st.SaveReport(ctx, anna, managers["anna"].ID, 0, store.SavedReportEdit{Name: foreign + " отчёт", Report: "open-deals", Params: url.Values{}})
	h.must(err)
	device, password, err := h.st.AddAppPassword(ctx, anna, managers["anna"].ID, foreign+" телефон")
	h.must(err)
	h.annaDevice = password
	h.ids = map[string]int64{"/clients/": client, "/persons/": card.Persons[0].ID, "/contacts/": contact.ID, "/calendars/": filter.ID, "/reports/saved/": report.ID, "/setup/devices/": device.ID}
	h.ids["/deals/"] = card.Deals[0].ID

	_, h.device, err = h.st.AddAppPassword(ctx, store.Actor{ManagerID: managers["clara"].ID, Origin: store.FromWeb}, managers["clara"].ID, "телефон")
	h.must(err)
	_, h.token, err = h.st.AddIntegration(ctx, "programme", []store.Scope{"clients:read"})
	h.must(err)
	_, h.onec, err = h.st.AddIntegration(ctx, "onec", []store.Scope{store.ScopeExchange})
	h.must(err)
}

// signIn is the session cookie of a manager.
func (h *sweepHouse) signIn(login string) *http.Cookie {
	h.t.Helper()
	r, _ := http.NewRequest("POST", h.srv.URL+"/login", strings.NewReader(url.Values{"login": {login}, "password": {"a password for the test"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := h.do(r)
	for _, c := range w.Cookies() {
		if c.Value != "" {
			if !c.Secure || !c.HttpOnly || c.SameSite == http.SameSiteDefaultMode {
				h.t.Errorf("a session's cookie can be read or sent elsewhere: %v", c)
			}
			return c
		}
	}
	h.t.Fatalf("%s is not let in: %s", login, w.Status)
	return nil
}

// do sends a request and follows no redirect.
func (h *sweepHouse) do(r *http.Request) *http.Response {
	h.t.Helper()
	w, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	body, err := io.ReadAll(io.LimitReader(w.Body, 8<<20))
	w.Body.Close()
	if err != nil {
		h.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	w.Body = io.NopCloser(strings.NewReader(string(body)))
	return w
}

// sweptPlace is an address and the method that it is registered for.
type sweptPlace struct {
	area         area
	method, path string
}

func (h *sweepHouse) places() (all []sweptPlace) {
	wild := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, pattern := range registered(h.t) {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = "GET", pattern
		}
		p := sweptPlace{pageArea, method, path}
		switch {
		case path == "/login" || path == "/logout" || strings.HasPrefix(path, "/static/") || path == "/healthz" || path == "/readyz" || path == "/metrics":
			p.area = openArea
		case strings.HasPrefix(path, "/debug/"):
			p.area = offArea
		case path == exchange.OneCPath:
			p.area = oncArea
			for _, query := range []string{"type=sale&mode=checkauth", "type=sale&mode=init", "type=sale&mode=query", "type=sale&mode=info", "type=sale&mode=file&filename=a.xml", "type=sale&mode=import&filename=a.xml", "type=catalog&mode=init", "type=evil&mode=evil"} {
				all = append(all, sweptPlace{oncArea, "GET", path + "?" + query})
			}
		case strings.HasPrefix(path, store.LinkPath):
			p.area = secretArea
		case path == "/": // nowhere
			p.area, p.path = nowhereArea, "/nowhere"
		case wild.MatchString(path):
			for prefix, id := range h.ids {
				if strings.HasPrefix(path, prefix+"{id}") {
					p.area, p.path = othersArea, strings.Replace(path, "{id}", fmt.Sprint(id), 1)
				}
			}
		}
		if p.path == "/{$}" {
			p.path = "/"
		}
		p.path = wild.ReplaceAllString(p.path, "1")
		all = append(all, p)
	}
	all = append(all, sweptPlace{secretArea, "GET", caldav.FeedPath(strings.Repeat("A", 22))})

	// The API, from its own description.
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	r, _ := http.NewRequest("GET", h.srv.URL+"/api/v1/openapi.json", nil)
	h.must(json.NewDecoder(h.do(r).Body).Decode(&doc))
	if len(doc.Paths) < 20 {
		h.t.Fatalf("the API describes %d paths", len(doc.Paths))
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			p := sweptPlace{apiArea, strings.ToUpper(method), wild.ReplaceAllString(path, "1")}
			switch {
			case strings.HasSuffix(path, "openapi.json"):
				p.area = openArea
			case strings.HasPrefix(path, "/api/v1/clients"):
				p.area = clientsArea
			}
			all = append(all, p)
		}
	}

	// Anna's places of DAV, as her phone finds them.
	todo, known := []string{caldav.PrincipalPath("anna"), "/dav/"}, map[string]bool{}
	href := regexp.MustCompile(`<(?:[A-Za-z]+:)?href[^>]*>([^<]+)<`)
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if known[at] {
			continue
		}
		known[at] = true
		r, _ := http.NewRequest("PROPFIND", h.srv.URL+at, nil)
		r.SetBasicAuth("anna", h.annaDevice)
		r.Header.Set("Depth", "1")
		body, _ := io.ReadAll(h.do(r).Body)
		for _, m := range href.FindAllStringSubmatch(string(body), -1) {
			if u, err := url.Parse(html.UnescapeString(m[1])); err == nil && strings.HasPrefix(u.Path, "/dav/") {
				todo = append(todo, u.EscapedPath())
			}
		}
		if strings.Contains(at, "/anna/") {
			all = append(all, sweptPlace{davArea, "PROPFIND", at})
		}
	}
	return all
}

// TestSweep signs in as each role and asks for everything that the program
// registers, by every method and with the numbers of somebody else's records.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("16,000 requests: not with -short")
	}
	h := newSweepHouse(t)
	places := h.places()
	count := map[area]int{}
	for _, p := range places {
		count[p.area]++
	}
	for _, a := range slices.Sorted(maps.Keys(verdicts)) {
		if count[a] == 0 {
			t.Errorf("nothing is in the area %q", a)
		}
	}
	if count[davArea] < 5 {
		t.Errorf("only %d places of DAV", count[davArea])
	}
	before := h.annas()
	requests, shown := 0, map[string]int{} // answers that show what is Anna's
	for _, who := range []string{"nobody", "device", "token", "1c", "clara", "anna", "head"} {
		t.Run(who, func(t *testing.T) {
			h.t = t
			if who == "anna" { // what comes now changes things, and may
				if now := h.annas(); now != before {
					t.Errorf("somebody else changed what is Anna's:\n%s\nbefore:\n%s", now, before)
				}
			}
			var session *http.Cookie
			asked := map[string]bool{} // addresses
			for _, p := range places {
				if asked[p.path] {
					continue
				}
				asked[p.path] = true
				for _, method := range sweptMethods {
					if session == nil && slices.Contains([]string{"clara", "anna", "head"}, who) {
						session = h.signIn(who)
					}
					w := h.ask(who, session, method, p)
					requests++
					body, _ := io.ReadAll(w.Body)
					at := p
					if at.area == pageArea || at.area == othersArea {
						if method != p.method && !(p.method == "GET" && method == "HEAD") && !registeredAlso(places, method, p.path) {
							at.area = nowhereArea
						}
					}
					if p.path == "/" && !slices.Contains([]string{"GET", "HEAD", "POST"}, method) {
						at.area = davArea
						if who == "device" || method == "OPTIONS" { // where programs begin to look
							at.area = openArea
						}
					}
					if method == "OPTIONS" && slices.Contains([]area{davArea, apiArea, clientsArea}, p.area) {
						at.area = openArea // what the server can, whoever asks
					}
					if fault := judge(verdicts[at.area][who], w, string(body)); fault != "" {
						t.Errorf("%s %s %s (%s): %s", who, method, p.path, at.area, fault)
					}
					if strings.Contains(string(body), foreign) {
						shown[who]++
					}
					if who != "anna" && who != "head" && !(who == "token" && p.area == clientsArea) && strings.Contains(string(body), foreign) {
						t.Errorf("%s %s %s shows what is Anna's: %.300q", who, method, p.path, body)
					}
					for name := range safety {
						if w.Header.Get(name) == "" {
							t.Errorf("%s %s: no %s", method, p.path, name)
						}
					}
					if w.Header.Get("Strict-Transport-Security") == "" {
						t.Errorf("%s %s: browsers may come without TLS", method, p.path)
					}
					if slices.Contains([]string{"/logout", "/settings/sessions", "/settings/password"}, p.path) {
						session = nil
					}
				}
			}
		})
		h.t = t
	}
	if shown["anna"] < 10 || shown["head"] < 10 || shown["token"] < 1 {
		t.Errorf("those who may saw too little of it: %v", shown)
	}
	t.Logf("%d requests to %d places", requests, len(places))
}

// annas is all that others might have changed.
func (h *sweepHouse) annas() string {
	h.t.Helper()
	ctx, anna := h.t.Context(), h.manager("anna")
	client, err := h.st.Client(ctx, anna, h.ids["/clients/"])
	h.must(err)
	contact, err := h.st.Contact(ctx, anna, h.ids["/contacts/"])
	h.must(err)
	deal, err := h.st.Deal(ctx, anna, h.ids["/deals/"])
	h.must(err)
	devices, err := h.st.AppPasswords(ctx, anna.ID)
	h.must(err)
	out, err := json.Marshal([]any{anna, client, contact, deal, devices})
	h.must(err)
	return string(out)
}

func registeredAlso(all []sweptPlace, method, path string) bool {
	return slices.ContainsFunc(all, func(p sweptPlace) bool {
		return p.path == path && (p.method == method || p.method == "GET" && method == "HEAD")
	})
}

func (h *sweepHouse) manager(login string) store.Manager {
	h.t.Helper()
	m, err := h.st.ManagerByLogin(context.Background(), login)
	h.must(err)
	return m
}

// ask sends one request as somebody.
func (h *sweepHouse) ask(who string, session *http.Cookie, method string, p sweptPlace) *http.Response {
	h.t.Helper()
	body := "state=done&version=1&name=x&subject=x&do=x"
	r, err := http.NewRequest(method, h.srv.URL+p.path, strings.NewReader(body))
	h.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.area == davArea {
		r.Header.Set("Destination", h.srv.URL+"/dav/")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	switch who {
	case "device":
		r.SetBasicAuth("clara", h.device)
	case "token":
		r.Header.Set("Authorization", "Bearer "+h.token)
	case "1c":
		r.Header.Set("Authorization", "Bearer "+h.onec)
		if p.area == oncArea {
			r.SetBasicAuth("onec", h.onec)
			if h.cookie == nil {
				r, _ := http.NewRequest("GET", h.srv.URL+exchange.OneCPath+"?type=sale&mode=checkauth", nil)
				r.SetBasicAuth("onec", h.onec)
				text, _ := io.ReadAll(h.do(r).Body)
				lines := strings.Fields(string(text))
				if len(lines) < 3 || lines[0] != "success" {
					h.t.Fatalf("1C is not let in: %q", text)
				}
				h.cookie = &http.Cookie{Name: lines[1], Value: lines[2]}
			}
		}
		if h.cookie != nil {
			r.AddCookie(h.cookie)
		}
	}
	if session != nil {
		r.AddCookie(session)
	}
	return h.do(r)
}

// judge says what is wrong with an answer; "" nothing.
func judge(verdict string, w *http.Response, body string) string {
	if w.StatusCode >= 500 && w.StatusCode != http.StatusNotImplemented {
		return fmt.Sprintf("%s %.200q", w.Status, body)
	}
	to := w.Header.Get("Location")
	login := w.StatusCode == http.StatusSeeOther && strings.HasPrefix(to, "/login")
	for _, may := range strings.Fields(verdict) {
		switch {
		case may == "served" && !login,
			may == "login" && login,
			may == "failure" && strings.HasPrefix(strings.TrimPrefix(body, "\ufeff"), "failure"),
			may == "decided" && strings.Contains(to, "said=decided"),
			may == strconv.Itoa(w.StatusCode):
			return ""
		}
	}
	return fmt.Sprintf("%s %s %.120q, want %s", w.Status, to, body, verdict)
}
