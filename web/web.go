// Package web is in charge of the pages, where a figure in a calendar or a
// digest leads, and of the JSON API for programs of others (api.go). Pages are
// rendered on the server by html/template and work without JavaScript; assets
// are embedded. It keeps nothing of a request in the process: sessions are
// signed cookies (session.go), rows are the store's. It leaves the calendar
// protocol to caldav, the reports to report and the listener to cmd.
//
// One file per page (calendar.go, client.go, …) holds the handler, what the
// page shows as a struct, and the pure function that makes it from rows. All
// texts stand in lang.go, dates and names in voice.go.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"intouch/store"
)

// maxForm bounds the body of a form, in bytes.
const maxForm = 64 << 10

// Options say how the pages are served.
type Options struct {
	// PublicURL is where people reach the pages, "https://crm.vector.test";
	// empty: the Host of each request over http. With https, cookies are
	// Secure.
	PublicURL string
	// Secret signs sessions. It must be the same after a restart and in
	// every daemon on one database; at least 16 bytes. When empty a random
	// one is made, and a restart ends all sessions.
	Secret []byte
	// Language of the login page for a browser that names neither Russian nor
	// English; Russian when empty.
	Language store.Language
	// Currency of the company: reports convert others into it.
	Currency string
	// CalendarPath and BookPath are where a manager's calendars and address
	// books are served, for the set-up page; without them it shows only the
	// server's address.
	CalendarPath func(login, slug string) string
	BookPath     func(login, book string) string
	// PrincipalPath is the manager as the calendar server names it.
	PrincipalPath func(login string) string
	// FeedPath is where a calendar is read by its secret; without it the pages
	// give no feeds out.
	FeedPath func(secret string) string
	// Fixed reports what of a manager the settings file has, which wins at the
	// next start: "language", "time_zone", "work_hours", "password". Nil: nothing.
	Fixed func(login string) map[string]bool
	// ReportMail mails saved reports; nil: they are only shown.
	ReportMail *ReportMail
	// Original fetches a letter from the mailbox where it lies; nil: pages show
	// the text alone. store.ErrNoOriginal where no mailbox has it any more.
	Original func(ctx context.Context, places []store.LetterPlace) (store.Original, error)
	// Version of the program, for the status page.
	Version string
	// Log receives failures; slog.Default when nil.
	Log *slog.Logger
}

type server struct {
	st       *store.Store
	opt      Options
	log      *slog.Logger
	sessions sessions
	undoKey  []byte
	pages    pages
	csrf     *http.CrossOriginProtection
	mux      *http.ServeMux
}

// visit is one request of a manager who is logged in. who is zero on the few
// pages that need no login.
type visit struct {
	*http.Request
	w    http.ResponseWriter
	id   string // request id, in the log and on error pages
	who  store.Manager
	say  voice
	ctx  context.Context
	name string // the path's place in the navigation
}

// New gives the handler of all pages and of /static/. st must be open.
func New(st *store.Store, opt Options) http.Handler {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Language == "" {
		opt.Language = store.Russian
	}
	opt.PublicURL = strings.TrimRight(opt.PublicURL, "/")
	if len(opt.Secret) == 0 {
		opt.Log.Warn("no secret for sessions, a restart ends them")
		opt.Secret = make([]byte, 32)
		rand.Read(opt.Secret) // never fails
	}
	s := &server{st: st, opt: opt, log: opt.Log, pages: parsePages(), mux: http.NewServeMux()}
	s.sessions = sessions{st: st, key: keyFor(opt.Secret, "session"), secure: strings.HasPrefix(opt.PublicURL, "https://")}

	s.undoKey = keyFor(opt.Secret, "undo")
	s.csrf = s.newCSRF()

	open := func(pattern string, h func(*visit) error) { s.mux.Handle(pattern, s.serve(h, false)) }
	page := func(pattern string, h func(*visit) error) { s.mux.Handle(pattern, s.serve(h, true)) }
	open("GET /login", s.loginPage)
	open("POST /login", s.login)
	open("POST /logout", s.logout)
	page("GET /{$}", s.calendar)
	page("GET /clients", s.clients)
	page("GET /clients/{id}", s.client)
	page("GET /clients/{id}/edit", s.editClientPage)
	page("POST /clients/{id}/edit", s.editClient)
	page("POST /clients/{id}/source", s.setSource)
	page("GET /clients/{id}/settlements", s.settlements)
	page("GET /clients/{id}/persons/new", s.newPersonPage)
	page("POST /clients/{id}/persons", s.addPerson)
	page("GET /persons/list", s.personList)
	page("GET /persons/{id}", s.editPersonPage)
	page("POST /persons/{id}", s.editPerson)
	page("GET /persons/{id}/about.json", s.aboutPerson)
	page("GET /clients/{id}/merge", s.mergePage)
	page("POST /clients/{id}/merge", s.merge)
	page("POST /clients/{id}/offers", s.decideCorrespondents)
	page("GET /senders", s.senderPage)
	page("POST /senders", s.decideSender)
	page("POST /merges/{id}/undo", s.undoMerge)
	page("GET /persons", s.persons)
	page("POST /persons/offers/{id}", s.decideOffer)
	page("POST /persons/again", s.lookAgain)
	page("POST /persons/join", s.joinPersons)
	page("POST /persons/merged/{id}/undo", s.undoPerson)
	page("GET /contacts/new", s.planPage)
	page("POST /contacts", s.plan)
	page("POST /plan", s.planLine)
	page("GET /contacts/{id}", s.contact)
	page("POST /contacts/{id}", s.editContact)
	page("GET /contacts/{id}/original", s.original)
	page("GET /contacts/{id}/register", s.registerPage)
	page("POST /contacts/{id}/register", s.register)
	page("GET /deals", s.deals)
	page("GET /deals/{id}", s.deal)
	page("POST /deals/{id}/events/{event}", s.editEvent)
	page("POST /undo", s.undo)
	page("GET /reports", s.reports)
	page("GET /reports/{name}", s.report)
	page("GET /reports/schema.json", s.reportSchema)
	page("GET /reports/saved", s.savedReports)
	page("POST /reports/saved", s.makeSavedReport)
	page("GET /reports/saved/new", s.newSavedReport)
	page("GET /reports/saved/{id}", s.savedReport)
	page("POST /reports/saved/{id}", s.editSavedReport)
	page("GET /search", s.searchPage)
	page("GET /search/suggestions", s.suggestions)
	page("GET /status", s.status)
	page("GET /changes", s.changes)
	page("GET /questions", s.questions)
	page("POST /status/jobs/{name}", s.askJob)
	page("POST /status/mails/{id}", s.decideMail)
	page("POST /questions/{id}", s.dropQuestion)
	page("POST /questions/settle", s.settle)
	page("POST /contacts/{id}/client", s.linkContact)
	page("GET /setup", s.setup)
	page("POST /setup/mails", s.switchMail)
	page("POST /setup/devices", s.addDevice)
	page("POST /setup/devices/{id}/revoke", s.revokeDevice)
	page("GET /setup/intouch.mobileconfig", s.profile)
	page("GET /settings", s.settings)
	page("POST /settings", s.saveSettings)
	page("POST /settings/password", s.changePassword)
	page("POST /settings/sessions", s.endSessions)
	page("GET /reminders", s.reminders)
	page("POST /reminders", s.saveReminders)
	page("GET /calendars", s.calendars)
	page("POST /calendars", s.makeFilter)
	page("GET /calendars/new", s.newFilter)
	page("GET /calendars/{id}", s.savedFilter)
	page("POST /calendars/{id}", s.editCalendar)
	page("/", s.nowhere)
	s.mux.Handle("GET "+store.LinkPath+"{token}", s.byLink(s.linkPage))
	s.mux.Handle("POST "+store.LinkPath+"{token}", s.byLink(s.followLink))
	s.mux.Handle("/api/", newAPI(st, opt.Log))
	s.mux.Handle("GET /static/", s.guard(http.HandlerFunc(s.pages.static)))
	return s.mux
}

// keyFor keeps the key of one use of the secret apart from the others.
func keyFor(secret []byte, use string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("intouch web " + use + " 1"))
	return mac.Sum(nil)
}

// guard sets the headers that every answer carries. The policy lets a page
// load our style and our script (static/app.js) and nothing else: nothing that
// stands in the page itself runs, no picture from elsewhere, no frame but a
// letter's (original.go), no form to others.
func (s *server) guard(next http.Handler) http.Handler {
	next = compressed(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		next.ServeHTTP(w, r)
	})
}

// compressed answers in gzip where the browser takes it: pages shrink to a
// fifth. The random padding hides how well what somebody made a browser ask for
// matches what a page holds (BREACH).
var compressed = func() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.RandomJitter(32, 0, false))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap
}()

// around does what every page needs: request id, bounds, and what an error or a
// panic shows.
func (s *server) around(h func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("page panicked", "request", v.id, "path", LogPath(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
				s.fail(v, errors.New("panic"))
			}
		}()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Request-Id", v.id)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := h(v); err != nil {
			s.fail(v, err)
		}
	}
}

// serve wraps a page: headers, CSRF, and the manager behind the session.
func (s *server) serve(h func(*visit) error, login bool) http.Handler {
	return s.guard(s.csrf.Handler(s.around(func(v *visit) error {
		who, err := s.sessions.manager(v.ctx, v.w, v.Request, s.st.Now())
		switch {
		case err == nil:
			v.who = who
			v.say = voice{who: who, lang: who.Language, loc: who.Location(), now: s.st.Now()}
		case !errors.Is(err, errNoSession):
			return err
		case login:
			target := "/login"
			if v.Method == http.MethodGet && v.URL.Path != "/" {
				target += "?next=" + url.QueryEscape(v.URL.RequestURI())
			}
			http.Redirect(v.w, v.Request, target, http.StatusSeeOther)
			return nil
		}
		return h(v)
	})))
}

// newCSRF refuses a form from another site (Sec-Fetch-Site, else Origin).
func (s *server) newCSRF() *http.CrossOriginProtection {
	csrf := http.NewCrossOriginProtection()
	if u, err := url.Parse(s.opt.PublicURL); err == nil && u.Host != "" {
		// A proxy may give us another Host than the browser sees.
		if err := csrf.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			s.log.Warn("public address is no origin", "err", err)
		}
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Request-Id", v.id)
		s.errorPage(v, http.StatusForbidden, "error.csrf")
	}))
	return csrf
}

// visit is the request before anybody is known.
func (s *server) visit(w http.ResponseWriter, r *http.Request) *visit {
	lang := acceptLanguage(r.Header.Get("Accept-Language"), s.opt.Language)
	id := w.Header().Get("X-Request-Id") // whoever serves us may have given one
	if id == "" {
		id = rand.Text()[:10]
	}
	return &visit{Request: r, w: w, ctx: r.Context(), id: id, say: voice{lang: lang, loc: time.UTC, now: s.st.Now()}}
}

// nowhere answers what no other pattern took: 405 where another method would
// have been right, else 404.
func (s *server) nowhere(v *visit) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := v.Clone(v.ctx)
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		v.w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.errorPage(v, http.StatusMethodNotAllowed, "error.method")
		return nil
	}
	return store.ErrNotFound
}

// fail shows the page of an error. What the operator needs goes to the log.
func (s *server) fail(v *visit, err error) {
	var tooBig *http.MaxBytesError
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.errorPage(v, http.StatusNotFound, "error.missing")
	case errors.Is(err, store.ErrForbidden):
		s.errorPage(v, http.StatusForbidden, "error.forbidden")
	case errors.As(err, &tooBig):
		s.errorPage(v, http.StatusRequestEntityTooLarge, "error.toobig")
	case errors.Is(err, errBadForm):
		s.errorPage(v, http.StatusBadRequest, "error.form")
	case v.ctx.Err() != nil: // the browser went away
	default:
		s.log.Error("page failed", "request", v.id, "method", v.Method, "path", LogPath(v.URL.Path), "err", err)
		s.errorPage(v, http.StatusInternalServerError, "error.internal")
	}
}

var errBadForm = errors.New("form cannot be read")

type errorView struct {
	Code    int
	Heading string
	Text    string
	Request string
}

func (s *server) errorPage(v *visit, code int, key string) {
	view := errorView{Code: code, Heading: v.say.t(key), Text: v.say.t(key + ".text"), Request: v.id}
	if err := s.show(v, code, "error.html", view.Heading, view); err != nil {
		s.log.Error("error page failed", "request", v.id, "err", err)
		http.Error(v.w, http.StatusText(code), code)
	}
}

// pageBuffers are used again: a long page is written into half a megabyte.
var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBuffer is how large one may be, in bytes, to be kept.
const keptBuffer = 1 << 20

// show renders a page completely before the first byte goes out, so that a
// failing template is a 500 and not half a page.
func (s *server) show(v *visit, code int, name, title string, body any) error {
	buf := pageBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keptBuffer {
			buf.Reset()
			pageBuffers.Put(buf)
		}
	}()
	notice, err := s.notice(v)
	if err != nil {
		s.log.Error("notice failed", "request", v.id, "err", err) // the page says more than it
	}
	frame := frame{
		Title: title, Lang: v.say.lang, Here: v.name, Who: v.who.Name, In: v.who.ID != 0,
		Notice: notice, Version: s.opt.Version, Assets: s.pages.urls, Sought: sought(v.URL),
		Open: s.open(v), Body: body,
	}
	if err := s.pages.render(buf, v.say.lang, name, frame); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	v.w.WriteHeader(code)
	if _, err := buf.WriteTo(v.w); err != nil {
		s.log.Debug("page not delivered", "request", v.id, "err", err)
	}
	return nil
}

// open says how many questions wait for this manager; "" none.
func (s *server) open(v *visit) string {
	if v.who.ID == 0 {
		return ""
	}
	n, err := s.st.InboxCounts(v.ctx, v.who, v.say.now.AddDate(0, 0, -senderDays))
	if err != nil {
		s.log.Error("open questions are not counted", "request", v.id, "err", err) // the page says more than they
		return ""
	}
	switch total := n.Total(); {
	case total == 0:
		return ""
	case total >= store.InboxMost:
		return strconv.Itoa(store.InboxMost-1) + "+"
	default:
		return strconv.Itoa(total)
	}
}

// back leads to where a form came from, with a word about what happened.
func (v *visit) back(fallback, said string) error {
	to := localPath(v.PostFormValue("back"), fallback)
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Del("said")
	if said != "" {
		q.Set("said", said)
	}
	u.RawQuery = q.Encode()
	http.Redirect(v.w, v.Request, u.String(), http.StatusSeeOther)
	return nil
}

// form reads the form of a POST.
func (v *visit) form() error {
	if err := v.ParseForm(); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return err
		}
		return errBadForm
	}
	return nil
}

// number reads an id of the path; what is no number names nothing.
func (v *visit) number(name string) (int64, error) {
	n, err := strconv.ParseInt(v.PathValue(name), 10, 64)
	if err != nil || n <= 0 {
		return 0, store.ErrNotFound
	}
	return n, nil
}

// localPath is the address if it stays on this site, else fallback. Browsers
// read "//host" and "/\host" as another site's.
func localPath(p, fallback string) string {
	if !strings.HasPrefix(p, "/") || len(p) > 2000 || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\t\r\n") {
		return fallback
	}
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return fallback
	}
	return u.String()
}

// acceptLanguage is the language that the browser prefers of ours.
func acceptLanguage(header string, fallback store.Language) store.Language {
	best, weight := fallback, 0.0
	for i, part := range strings.Split(header, ",") {
		if i == 20 {
			break
		}
		tag, param, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, _ = strconv.ParseFloat(v, 64)
		}
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if lang := store.Language(base); (lang == store.Russian || lang == store.English) && q > weight {
			best, weight = lang, q
		}
	}
	return best
}
