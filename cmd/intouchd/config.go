package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/net/idna"
	"golang.org/x/text/currency"

	"intouch/scheduler"
	"intouch/store"
)

// Config is the settings, read and checked: config.example.toml says what each
// key means. Paths in it are absolute or relative to the working directory.
type Config struct {
	TimeZone         string // IANA name
	Language         store.Language
	Currency         string // ISO 4217
	MinutesPerLetter int
	WorkHours        store.WorkHours
	StateDir         string
	StoreURL         string // store.Options.URL
	StoreConnections int    // store.Options.Connections
	TokenKey         Secret // of store.TokenKeys
	Company          Company
	Server           Server
	Mail             Mail
	Mailboxes        []MailboxConfig
	AddressBooks     []AddressBookConfig
	SMTP             *SMTPConfig       // nil: mails wait in the outbox
	Jobs             map[string]string // name → cron expression, "" never
	Holidays         store.HolidaySources
	Backups          Backups
	Kept             store.Kept
	Replies          *RepliesConfig // nil: answers to our mails are not read
	Classification   store.Classification
	KeepInTouch      store.KeepInTouch
	Reminders        store.Reminders
	Exchange         ExchangeConfig
	PrivateWebhooks  bool // webhooks may lead to private addresses
	Log              Log
	Managers         []ManagerConfig
}

// Company is who we are.
type Company struct {
	Name    string
	Domains []string // our own addresses: internal mail
	Admin   string   // address that is told of failing mailboxes; "": the heads
}

// Mail are the rules of capture in all mailboxes.
type Mail struct {
	DealPattern   string   // how a letter names a deal: RE2 with one group
	Blocked       []string // addresses and domains that are never captured
	FreeMail      []string // domains that stand for no company; "-x.test" takes one off the shipped list
	ParentDomains bool
	AddPersons    bool
	AuthservID    string // "" is each mailbox's host
}

// Server is the one HTTP listener.
type Server struct {
	Listen      string
	PublicURL   string // without a slash at the end
	BehindProxy bool
	// Pprof: this machine may ask for profiles of the running program.
	Pprof bool
	TLS   TLS
}

// TLS of the listener.
type TLS struct {
	Mode              string // off, files, acme
	CertFile, KeyFile string
	Hosts             []string // acme
	Email             string   // acme, optional
	Directory         string   // acme: of the authority
}

// Endpoint is a mail server's address. Security is the scheme's: "tls" from
// the first byte, "starttls" required, or "insecure" (loopback only).
type Endpoint struct {
	Addr     string // host:port
	Security string
}

// MailboxConfig is one [[mailbox]].
type MailboxConfig struct {
	Name     string
	Manager  string // login; "" for a shared one
	IMAP     Endpoint
	Username string
	Password Secret
	OAuth    *OAuthConfig // instead of Password; nil otherwise
	Folders  []string
	Since    store.Date // "" for everything
	Exclude  []string   // folders
	Include  []string
	Privacy  string // full or subject
	Dropbox  string // address; "" is none
	SentCopy bool   // its Sent folder gets what is sent in the manager's name
	Replies  bool   // the daemon's own, of [replies]
}

// RepliesConfig says where answers to our mails go; the mailbox there is among
// the mailboxes.
type RepliesConfig struct {
	Address string
	Plus    bool // the server delivers name+anything@ there too
}

// SMTPConfig is where mails are handed over.
type SMTPConfig struct {
	Server   Endpoint
	Username string // "" sends without login
	Password Secret
	Mailbox  *MailboxConfig // whose tokens log in instead of a password; nil
	From     mail.Address
}

// Log is what the operator reads on stderr.
type Log struct {
	Level  slog.Level
	Parts  map[string]slog.Level // of the logParts that have their own
	Format string                // text or json
}

// ManagerConfig is one [[manager]].
type ManagerConfig struct {
	Row      store.ManagerRow
	Password Secret // not given: kept as it is
	// Own has the keys of ownSettings that stand there; of the others Row has
	// what a new manager gets, and each manager changes them on a page.
	Own map[string]bool
}

// ownSettings are what managers may change themselves where the settings do not
// say it.
var ownSettings = []string{"time_zone", "language", "work_hours"}

// fixesManager reports what of ownSettings and "password" the settings have for
// a manager, which wins over what was changed elsewhere.
func (c *Config) fixesManager(login string) map[string]bool {
	for _, m := range c.Managers {
		if m.Row.Login == login {
			fixed := maps.Clone(m.Own)
			fixed["password"] = m.Password.given
			return fixed
		}
	}
	return nil
}

// configFileName is where the settings are: --config, else $INTOUCH_CONFIG,
// else ./config.toml.
func configFileName(flag string) string {
	if flag != "" {
		return flag
	}
	if env := os.Getenv("INTOUCH_CONFIG"); env != "" {
		return env
	}
	return "config.toml"
}

// LoadConfig reads a settings file. Every fault of it comes at once, as
// *Faults.
func LoadConfig(file string) (*Config, error) {
	text, err := readBounded(file, 4<<20)
	if err != nil {
		reason := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			reason = "there is no such file; start from config.example.toml, or name another one with --config or $INTOUCH_CONFIG"
		}
		return nil, &Faults{File: file, List: []Fault{{Text: reason}}}
	}
	c, root, err := readConfig(file, text)
	if err != nil {
		return nil, err
	}
	if err := root.doc.finish(); err != nil {
		return nil, err
	}
	return c, nil
}

// reading carries what the parts of the settings need of each other.
type reading struct {
	dir string // of the settings file: relative paths start there
	cfg *Config
}

// readConfig reads every key once, with its default and its check; faults and
// unknown keys gather in the document.
func readConfig(file string, text []byte) (*Config, *table, error) {
	root, err := parseDocument(file, text)
	if err != nil {
		return nil, nil, err
	}
	c := &reading{dir: filepath.Dir(file), cfg: &Config{}}
	c.house(root)
	company := root.table("company")
	c.company(company)
	c.server(root.table("server"))
	c.store(root)
	c.managers(root)
	c.mail(root.table("mail"), company)
	c.mailboxes(root)
	c.addressBooks(root)
	c.replies(root)
	c.smtp(root)
	c.jobs(root.table("jobs"))
	c.reminders(root.table("reminders"))
	c.holidays(root.table("holidays"))
	c.backups(root.table("backups"))
	c.cleanUp(root.table("clean_up"))
	c.classification(root.table("classification"))
	c.keepInTouch(root.table("keep_in_touch"))
	c.exchange(root.table("exchange"))
	c.cfg.PrivateWebhooks = root.table("webhooks").flag("private_addresses", false)
	c.log(root.table("log"))
	return c.cfg, root, nil
}

// path makes a path of the settings usable from the working directory.
func (c *reading) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

func (c *reading) house(t *table) {
	c.cfg.TimeZone = zone(t, "time_zone", "Europe/Moscow")
	c.cfg.Language = language(t, "language", store.Russian)
	c.cfg.Currency = t.text("currency", "RUB")
	if unit, err := currency.ParseISO(c.cfg.Currency); err != nil || unit.String() != c.cfg.Currency {
		t.fault("currency", "%q is not a currency code like RUB or EUR", c.cfg.Currency)
	}
	c.cfg.WorkHours, _ = store.ParseWorkHours(workHours(t, "work_hours", store.OfficeHours.String()))
	c.cfg.MinutesPerLetter = t.number("minutes_per_letter", 5, 1, 600)
}

func (c *reading) company(t *table) {
	c.cfg.Company.Name = t.text("name", "")
	c.cfg.Company.Domains = t.texts("domains")
	for _, d := range c.cfg.Company.Domains {
		if !isDomain(d) {
			t.fault("domains", "%q is not a domain like vector.test", d)
		}
	}
	c.cfg.Company.Admin = t.text("admin", "")
	if a := c.cfg.Company.Admin; a != "" && !isAddress(a) {
		t.fault("admin", "%q is not an e-mail address", a)
	}
}

func (c *reading) server(t *table) {
	s := &c.cfg.Server
	s.Listen = t.text("listen", "127.0.0.1:8080")
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		t.fault("listen", "%q is not an address like 127.0.0.1:8080 or :443", s.Listen)
	} else if _, err := net.LookupPort("tcp", port); err != nil {
		t.fault("listen", "%q is not a port", port)
	}
	local := err != nil || isLoopback(host)
	s.BehindProxy = t.flag("behind_proxy", false)
	s.Pprof = t.flag("pprof", false)
	s.PublicURL = strings.TrimRight(t.text("public_url", ""), "/")
	c.tls(t.table("tls"), s, local)

	switch u, err := url.Parse(s.PublicURL); {
	case s.PublicURL == "" && s.TLS.Mode == "acme" && len(s.TLS.Hosts) > 0:
		s.PublicURL = "https://" + s.TLS.Hosts[0]
	case s.PublicURL == "" && local && s.TLS.Mode == "off":
		s.PublicURL = "http://" + s.Listen
	case s.PublicURL == "":
		t.fault("public_url", "is missing: links in mails and events start with it, like https://crm.vector.test")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil:
		t.fault("public_url", "%q is not an address like https://crm.vector.test", s.PublicURL)
	case s.TLS.Mode == "acme" && len(s.TLS.Hosts) == 0:
		s.TLS.Hosts = []string{u.Hostname()}
	}
}

func (c *reading) tls(t *table, s *Server, local bool) {
	s.TLS = TLS{
		Mode:      t.text("mode", "off"),
		CertFile:  c.path(t.text("cert_file", "")),
		KeyFile:   c.path(t.text("key_file", "")),
		Hosts:     t.texts("hosts"),
		Email:     t.text("email", ""),
		Directory: t.text("directory", acme.LetsEncryptURL),
	}
	switch s.TLS.Mode {
	case "off":
		if !local && !s.BehindProxy {
			t.fault("mode", `"off" is for loopback or behind a proxy that does TLS (server.behind_proxy = true): passwords would cross the network in the clear`)
		}
	case "files":
		for key, name := range map[string]string{"cert_file": s.TLS.CertFile, "key_file": s.TLS.KeyFile} {
			if name == "" {
				t.fault(key, `is missing: mode "files" needs cert_file and key_file`)
			} else if _, err := os.Stat(name); err != nil {
				t.fault(key, "%v", err)
			}
		}
	case "acme":
		if u, err := url.Parse(s.TLS.Directory); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			t.fault("directory", "%q is not an address like %s", s.TLS.Directory, acme.LetsEncryptURL)
		}
		for _, h := range s.TLS.Hosts {
			if !isDomain(h) {
				t.fault("hosts", "%q is not a host name", h)
			}
		}
	default:
		t.fault("mode", `%q is not one of "off", "files" and "acme"`, s.TLS.Mode)
	}
}

func (c *reading) store(root *table) {
	t := root.table("store")
	u := t.text("url", "sqlite:intouch.db")
	stateDir := c.dir
	file, isFile := strings.CutPrefix(u, "sqlite:")
	switch {
	case isFile && (file == "" || strings.ContainsAny(file, "?#") || strings.HasPrefix(file, ":")):
		t.fault("url", "%q is not the path of a file, like sqlite:intouch.db", u)
	case isFile:
		c.cfg.StoreURL = "sqlite:" + c.path(file)
		stateDir = filepath.Dir(c.path(file))
	case strings.HasPrefix(u, "postgres://") || strings.HasPrefix(u, "postgresql://"):
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" && parsed.Query().Get("host") == "" {
			t.fault("url", "is not an address like postgres://intouch@db.vector.test/intouch")
		}
		c.cfg.StoreURL = u
	default:
		t.fault("url", "must begin with sqlite: or postgres://")
	}
	c.cfg.StoreConnections = t.number("connections", store.DefaultConnections, store.MinConnections, 1000)
	c.cfg.TokenKey = c.secretNamed(t, "token_key", false)
	c.cfg.StateDir = stateDir
	if dir := root.text("state_dir", ""); dir != "" {
		c.cfg.StateDir = c.path(dir)
	}
}

// workHours takes working hours, or the default.
func workHours(t *table, key, def string) string {
	v := t.text(key, def)
	if v == def {
		return v
	}
	if _, err := store.ParseWorkHours(v); err != nil {
		t.fault(key, "%v", err)
		return def
	}
	return v
}

var loginPattern = regexp.MustCompile(`^[a-z0-9._@-]{1,64}$`)

func (c *reading) managers(root *table) {
	seen := unique{}
	for _, t := range root.list("manager") {
		m := ManagerConfig{Row: store.ManagerRow{
			ID:       t.text("id", ""),
			Login:    t.text("login", ""),
			Name:     t.required("name", "digests and calendars show it"),
			Emails:   t.texts("emails"),
			Role:     t.text("role", string(store.RoleManager)),
			TimeZone: zone(t, "time_zone", c.cfg.TimeZone),
			Language: string(language(t, "language", c.cfg.Language)),
			// What stands nowhere is the house's.
			WorkHours: workHours(t, "work_hours", "house"),
		}, Own: map[string]bool{}}
		for _, key := range ownSettings {
			m.Own[key] = t.has(key)
		}
		if e := t.text("email", ""); e != "" {
			m.Row.Emails = append([]string{e}, m.Row.Emails...)
		}
		for _, e := range m.Row.Emails {
			key := "emails"
			if e == t.text("email", "") {
				key = "email"
			}
			if !isAddress(e) {
				t.fault(key, "%q is not an e-mail address", e)
			}
		}
		if !loginPattern.MatchString(m.Row.Login) {
			t.fault("login", "%q is not a login: small letters, digits and . _ @ - make one", m.Row.Login)
		} else {
			seen.check(t, "login", m.Row.Login)
		}
		if r := store.Role(m.Row.Role); r != store.RoleManager && r != store.RoleHead {
			t.fault("role", `%q is neither "manager" nor "head"`, m.Row.Role)
		}
		m.Password = c.secret(t, false)
		if text, err := m.Password.Reveal(); m.Password.given && err == nil && len(text) < 8 {
			t.fault("password", "must have at least 8 characters")
		}
		c.cfg.Managers = append(c.cfg.Managers, m)
	}
}

func (c *reading) smtp(root *table) {
	given := root.has("smtp")
	t := root.table("smtp")
	if !given {
		return
	}
	s := &SMTPConfig{
		Server:   endpoint(t, "url", "smtp", "465", "587"),
		Username: t.text("username", ""),
	}
	c.tokensForSMTP(t, s)
	s.Password = c.secret(t, s.Username != "" && s.Mailbox == nil)
	from := t.text("from", "")
	if parsed, err := mail.ParseAddress(from); err == nil {
		s.From = *parsed
	} else {
		t.fault("from", `%q is not an address like "Intouch <intouch@vector.test>"`, from)
	}
	c.cfg.SMTP = s
}

// tokensForSMTP reads whose tokens are used, where a provider takes no password.
func (c *reading) tokensForSMTP(t *table, s *SMTPConfig) {
	name := t.text("mailbox", "")
	if name == "" {
		return
	}
	i := slices.IndexFunc(c.cfg.Mailboxes, func(m MailboxConfig) bool { return m.Name == name })
	switch {
	case i < 0:
		t.fault("mailbox", "there is no mailbox %q", name)
		return
	case c.cfg.Mailboxes[i].OAuth == nil:
		t.fault("mailbox", "mailbox %q is opened with a password: give username and password here", name)
		return
	}
	for _, key := range []string{"password", "password_file", "password_env"} {
		if t.has(key) {
			t.fault(key, "there is either a password or a mailbox whose tokens log in")
		}
	}
	s.Mailbox = &c.cfg.Mailboxes[i]
	if s.Username == "" {
		s.Username = s.Mailbox.Username
	}
}

func (c *reading) jobs(t *table) {
	c.cfg.Jobs = scheduler.Schedules()
	for name, usual := range c.cfg.Jobs {
		expr := t.text(name, usual)
		if err := scheduler.CheckCron(expr); err != nil {
			t.fault(name, `%q is not a cron expression like "0 8 * * 1-5": %v`, expr, err)
		}
		c.cfg.Jobs[name] = expr
	}
}

func (c *reading) log(t *table) {
	if err := c.cfg.Log.Level.UnmarshalText([]byte(t.text("level", "info"))); err != nil {
		t.fault("level", "must be one of debug, info, warn, error")
	}
	c.cfg.Log.Parts = map[string]slog.Level{}
	for _, given := range t.texts("parts") {
		part, name, _ := strings.Cut(given, "=")
		var level slog.Level
		if err := level.UnmarshalText([]byte(name)); err != nil || !slices.Contains(logParts, part) {
			t.fault("parts", `%q is not a part of %s with a level, like "mail=debug"`, given, strings.Join(logParts, ", "))
		}
		c.cfg.Log.Parts[part] = level
	}
	c.cfg.Log.Format = t.text("format", "text")
	if f := c.cfg.Log.Format; f != "text" && f != "json" {
		t.fault("format", `%q is neither "text" nor "json"`, f)
	}
}

// unique names duplicates of a key across tables.
type unique map[string]int

func (u unique) check(t *table, key, v string) {
	line := t.doc.lines[join(t.path, key)]
	if first, taken := u[v]; taken {
		t.fault(key, "%q is already used in line %d", v, first)
		return
	}
	u[v] = line
}

func zone(t *table, key, def string) string {
	z := t.text(key, def)
	if _, err := time.LoadLocation(z); err != nil || z == "" || z == "Local" {
		t.fault(key, "%q is not a time zone like Europe/Moscow", z)
		return def
	}
	return z
}

func language(t *table, key string, def store.Language) store.Language {
	l := store.Language(t.text(key, string(def)))
	if l != store.Russian && l != store.English {
		t.fault(key, `%q is neither "ru" nor "en"`, l)
		return def
	}
	return l
}

// endpoint reads a mail server's address: scheme "imaps" is TLS at once,
// "imap" requires STARTTLS, "imap+insecure" is only for loopback.
func endpoint(t *table, key, scheme, tlsPort, plainPort string) Endpoint {
	example := fmt.Sprintf("%ss://%s.vector.test:%s", scheme, scheme, tlsPort)
	text := t.required(key, "an address like "+example)
	if text == "" {
		return Endpoint{}
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		// Not the text: it may hold a password.
		t.fault(key, "is not an address like %s", example)
		return Endpoint{}
	}
	if u.User != nil {
		t.fault(key, "must not hold a login: give username and password_file")
		return Endpoint{}
	}
	e := Endpoint{Security: "tls"}
	port := tlsPort
	switch u.Scheme {
	case scheme + "s":
	case scheme:
		e.Security, port = "starttls", plainPort
	case scheme + "+insecure":
		e.Security, port = "insecure", plainPort
		if !isLoopback(u.Hostname()) {
			t.fault(key, "%s+insecure:// is only for loopback: the password would cross the network in the clear", scheme)
		}
	default:
		t.fault(key, "must begin with %ss:// (TLS), %s:// (STARTTLS) or %s+insecure:// (loopback only)", scheme, scheme, scheme)
	}
	if p := u.Port(); p != "" {
		port = p
	}
	e.Addr = net.JoinHostPort(u.Hostname(), port)
	return e
}

// isLoopback: an empty host listens everywhere.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func isDomain(d string) bool {
	ascii, err := idna.Lookup.ToASCII(d)
	return err == nil && ascii != "" && len(ascii) <= 253 && !strings.ContainsAny(d, "@/ ")
}

func isAddress(a string) bool {
	parsed, err := mail.ParseAddress(a)
	return err == nil && parsed.Address == a
}
