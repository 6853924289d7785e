package exchange

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"intouch/store"
)

// OneCPath is where OneC is to be mounted: the address that is entered in 1C.
const OneCPath = "/exchange/1c"

// OneCOptions are the settings of the exchange with 1C.
type OneCOptions struct {
	FileLimit int64      // bytes of one part, which 1C is told
	MaxUpload int64      // bytes of one file, as it comes and unpacked
	Currency  string     // of papers that name none
	Names     Requisites // of additional values
	Log       *slog.Logger
}

// OneC is the site's half of the exchange that 1C drives over HTTP: it logs in
// (checkauth), asks what it may send (init), takes our changes (query: there
// are none), and sends files in parts, which are imported in the background.
// The steps are in exchange.md section 1; questions and answers are:
//
//	GET  ?type=sale&mode=checkauth           success, cookie's name, its value; sessid=, timestamp=
//	GET  ?type=sale&mode=init                zip=yes, file_limit=N; with version= also sessid=, version=
//	GET  ?type=sale&mode=query               an empty КоммерческаяИнформация
//	GET  ?type=sale&mode=success             success
//	POST ?type=sale&mode=file&filename=F     success | failure, why
//	GET  ?type=sale&mode=import&filename=F   success | progress, how far | failure, why
//
// Nothing of an exchange is in the process: any daemon answers the next
// request, and Run of any of them imports what has come.
type OneC struct {
	st      *store.Store
	opt     OneCOptions
	receive chan struct{} // a place for each part that is being received
}

// NewOneC makes the handler and worker of the exchange with 1C.
func NewOneC(st *store.Store, opt OneCOptions) *OneC {
	return &OneC{st: st, opt: opt, receive: make(chan struct{}, maxReceiving)}
}

// Bounds of the protocol.
const (
	maxReceiving = 16               // parts at the same time, each with a buffer of store.MaxExchangeChunk
	chunkTime    = time.Minute      // for each buffer to arrive
	partTime     = 30 * time.Minute // for a whole part
	answerWithin = 8 * time.Second  // an answer waits so long for the end of an import; 1C gives up after 20 and more
	sessionName  = "intouch_1c"     // cookie
)

// call is one request on its way.
type call struct {
	*OneC
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	session store.ExchangeSession
	sessid  string
}

// ServeHTTP answers one step of an exchange. All answers but those that 1C
// cannot have asked for have the status 200: their first line says how it went.
func (o *OneC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{OneC: o, w: w, r: r, ctx: r.Context()}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	kind, mode := r.URL.Query().Get("type"), r.URL.Query().Get("mode")
	if mode == "checkauth" {
		c.checkauth()
		return
	}
	if !c.findSession() {
		return
	}
	switch kind {
	case "sale":
		c.sale(mode)
	case "catalog", "reference":
		// 1C sends its goods, too, where one setting serves both. They are
		// taken politely and not kept.
		c.ignored(mode)
	default:
		c.fail("Intouch принимает только обмен заказами: type=" + short(clean(kind)) + " ему неизвестен")
	}
}

func (c *call) sale(mode string) {
	switch mode {
	case "init":
		c.init()
	case "query":
		c.query()
	case "info":
		c.xml(`<Справочник/>`) // lists of the shop's statuses and ways to pay
	case "success", "complete", "deactivate":
		c.say("success")
	case "file":
		c.file()
	case "import":
		c.imported()
	default:
		c.fail("режим обмена mode=" + short(clean(mode)) + " Intouch неизвестен")
	}
}

func (c *call) ignored(mode string) {
	switch mode {
	case "init":
		c.init()
	case "file":
		if c.r.ContentLength > c.opt.MaxUpload {
			c.tooLong()
			return
		}
		c.control(partTime)
		if n, err := io.Copy(io.Discard, io.LimitReader(c.r.Body, c.opt.MaxUpload+1)); err != nil {
			c.fail("часть файла пришла не полностью, передайте файл ещё раз")
			return
		} else if n > c.opt.MaxUpload {
			c.tooLong()
			return
		}
		c.say("success")
	default:
		c.say("success")
	}
}

// checkauth begins a session for the integration whose name and token come as
// login and password.
func (c *call) checkauth() {
	name, token, ok := c.r.BasicAuth()
	if !ok {
		// 1C does not wait for this challenge, browsers and proxies do.
		c.w.Header().Set("WWW-Authenticate", `Basic realm="Intouch", charset="UTF-8"`)
		c.answer(http.StatusUnauthorized, "failure", "не указаны имя пользователя и пароль")
		return
	}
	in, err := c.st.Integration(c.ctx, token, remoteIP(c.r))
	switch {
	case errors.Is(err, store.ErrTooManyLogins):
		c.fail("слишком много неудачных попыток входа, повторите через несколько минут")
		return
	case errors.Is(err, store.ErrBadLogin), err == nil && !strings.EqualFold(in.Name, name):
		c.fail("неверное имя пользователя или пароль: это имя и токен интеграции Intouch")
		return
	case err != nil:
		c.broken("login could not be checked", err)
		return
	case !in.May("", store.ScopeExchange):
		c.fail("этой интеграции не разрешён обмен: у её токена нет права exchange")
		return
	}
	cookie := rand.Text()
	if err := c.st.BeginExchange(c.ctx, in.ID, digest(cookie)); err != nil {
		c.broken("session could not be kept", err)
		return
	}
	c.opt.Log.Info("1C exchange begun", "integration", in.Name, "remote", remoteIP(c.r), "agent", short(clean(c.r.UserAgent())))
	c.say("success", sessionName, cookie, "sessid="+sessid(cookie), "timestamp="+strconv.FormatInt(c.st.Now().Unix(), 10))
}

// findSession finds the session of a cookie, or answers and reports false.
func (c *call) findSession() bool {
	cookie, err := c.r.Cookie(sessionName)
	if err != nil || len(cookie.Value) > 100 {
		c.fail("обмен не начат: сначала нужна проверка входа (mode=checkauth)")
		return false
	}
	c.sessid = sessid(cookie.Value)
	if given := c.r.URL.Query().Get("sessid"); given != "" && subtle.ConstantTimeCompare([]byte(given), []byte(c.sessid)) != 1 {
		c.fail("sessid не от этого сеанса, начните обмен заново")
		return false
	}
	c.session, err = c.st.ExchangeSession(c.ctx, digest(cookie.Value))
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.fail("сеанс обмена закончился, начните обмен заново")
		return false
	case err != nil:
		c.broken("session could not be read", err)
		return false
	}
	return true
}

// init says how files may come. It also begins the work of the session anew.
func (c *call) init() {
	lines := []string{"zip=yes", "file_limit=" + strconv.FormatInt(c.opt.FileLimit, 10)}
	version := agreed(c.r.URL.Query().Get("version"))
	if version != "" {
		lines = append(lines, "sessid="+c.sessid, "version="+version)
	}
	if err := c.st.RestartExchange(c.ctx, c.session, version); err != nil {
		c.broken("session could not be begun anew", err)
		return
	}
	c.say(lines...)
}

// agreed is the version of CommerceML to speak with a program that asks for
// that one; "" where it asks for none. We read 2.03 to 2.10 and 3.1.
func agreed(asked string) string {
	major, minor, _ := strings.Cut(asked, ".")
	n, err := strconv.Atoi(minor)
	switch {
	case major == "3":
		return "3.1"
	case major == "2" && err == nil && n >= 3 && n <= 10 && len(minor) == 2:
		return asked
	case major == "2":
		return "2.10"
	case asked != "":
		return "3.1"
	}
	return ""
}

// query gives what has changed with us: nothing, ever. 1C makes documents of
// what it is given here, and orders are made in 1C and only come to us.
func (c *call) query() {
	version, space := c.session.Version, ""
	if version == "" {
		version = "2.05"
	}
	if version[0] == '3' {
		space = ` xmlns="urn:1C.ru:commerceml_3"`
	}
	c.xml(fmt.Sprintf(`<КоммерческаяИнформация%s ВерсияСхемы="%s" ДатаФормирования="%s"/>`, space, version, c.st.Now().Format("2006-01-02T15:04:05")))
}

func (c *call) xml(text string) {
	c.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	io.WriteString(c.w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+text)
}

// filename is the name that the file has in this session: it is written
// nowhere but into records and answers.
func (c *call) filename() (string, bool) {
	name := path.Base(strings.ReplaceAll(clean(strings.ToValidUTF8(c.r.URL.Query().Get("filename"), "_")), `\`, "/"))
	if len(name) > 200 || name == "" || name == "." || name == "/" || strings.ContainsFunc(name, unicode.IsControl) {
		c.fail("не указано имя файла (filename), или оно длиннее 200 байт")
		return "", false
	}
	return name, true
}

// imported answers how the import of a file went. While it runs the answer
// waits a while, for 1C asks again at once.
func (c *call) imported() {
	name, ok := c.filename()
	if !ok {
		return
	}
	f, err := c.st.ExchangeFileNamed(c.ctx, c.session, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.fail("файл " + name + " в этом обмене не передавался")
	case err != nil:
		c.broken("file could not be looked up", err)
	case f.State == store.ExchangeReceiving:
		why := "файл " + name + " передан не полностью: в нём нет конца, передайте его ещё раз"
		if err := c.st.FailHalfExchangeFile(c.ctx, f, why); err != nil && !errors.Is(err, store.ErrStale) {
			c.broken("half a file could not be noted", err)
			return
		}
		c.fail(why)
	default:
		c.outcome(f.ID, "progress")
	}
}

// outcome answers how a file's import went, with still while it has not ended.
func (c *call) outcome(id int64, still string) {
	f, err := c.await(id)
	switch {
	case c.ctx.Err() != nil:
	case err != nil:
		c.broken("import could not be followed", err)
	case f.State == store.ExchangeDone:
		c.say("success", f.Report.Message)
	case f.State == store.ExchangeFailed:
		c.fail(f.Report.Message)
	case f.State == store.ExchangeWaiting:
		c.say(still, "файл принят и ждёт загрузки")
	default:
		share := ""
		if f.Size > 0 && f.Report.Bytes > 0 && len(f.Report.Entries) == 0 {
			share = fmt.Sprintf(" (%d %%)", min(100*f.Report.Bytes/f.Size, 100))
		}
		c.say(still, fmt.Sprintf("загружено документов: %d%s", f.Report.Papers, share))
	}
}

// await reads a file's record when its import has ended, or time is up.
func (c *call) await(id int64) (store.ExchangeFile, error) {
	end := time.Now().Add(answerWithin)
	for {
		f, err := c.st.ExchangeFile(c.ctx, id)
		if err != nil || f.State == store.ExchangeDone || f.State == store.ExchangeFailed || time.Now().After(end) {
			return f, err
		}
		select {
		case <-c.ctx.Done():
			return f, c.ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

func (c *call) tooLong() {
	c.w.Header().Set("Connection", "close") // nobody reads the rest
	c.fail(fmt.Sprintf("файл больше %d МБ, столько Intouch не принимает", c.opt.MaxUpload>>20))
}

// fail tells 1C's user what is wrong.
func (c *call) fail(why string) { c.say("failure", why) }

// broken tells that it is our fault; the cause is for the log.
func (c *call) broken(what string, err error) {
	if c.ctx.Err() != nil {
		return
	}
	id := c.w.Header().Get("X-Request-Id")
	c.opt.Log.Error(what, "request", id, "err", err)
	c.fail("внутренняя ошибка Intouch, подробности в его журнале (запрос " + id + "); повторите обмен позже")
}

func (c *call) say(lines ...string) { c.answer(http.StatusOK, lines...) }

// answer writes the lines of an answer, without a newline at the end, since 1C
// counts lines. 1C reads windows-1251 whatever its age, as the shops answer for
// which the protocol was made; everybody else gets UTF-8.
func (c *call) answer(status int, lines ...string) {
	for i, line := range lines {
		lines[i] = oneLine(strings.ToValidUTF8(line, "?"))
	}
	text, charset := strings.Join(lines, "\n"), "utf-8"
	if strings.HasPrefix(c.r.UserAgent(), "1C+Enterprise/") {
		if b, err := encoding.HTMLEscapeUnsupported(charmap.Windows1251.NewEncoder()).String(text); err == nil {
			text, charset = b, "windows-1251"
		}
	}
	c.w.Header().Set("Content-Type", "text/plain; charset="+charset)
	c.w.WriteHeader(status)
	io.WriteString(c.w, text)
}

// control lets the body of the request take that long from now.
func (c *call) control(long time.Duration) {
	// Not every connection has deadlines: tests' recorders have none.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(long))
}

// digest is how a cookie or a part is kept.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// sessid is the second proof of a session, which newer 1C repeat in addresses.
// The cookie cannot be told from it.
func sessid(cookie string) string { return digest("sessid " + cookie)[:32] }

// remoteIP is the peer's address; behind a proxy whoever mounts the handler has
// put the right one into RemoteAddr.
func remoteIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
