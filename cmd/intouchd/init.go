package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"intouch/autoconfig"
	"intouch/store"
)

// mailServers finds the mail servers of an address; tests stand in for the
// network.
var mailServers = (&autoconfig.Finder{}).Find

// begin is what init asks and writes.
type begin struct {
	email, name, login  string
	company             string
	domains             []string
	imap, smtp          string // URLs; smtp "none" for none
	username            string // of both servers
	passwordFile        string // given: used where it is, instead of a new one
	database            string
	zone, language      string
	since               string
	yes                 bool // asks nothing
	file                string
	existing            string // what the file says already, which stays
	stored              bool   // the database is in it
	stateDir            string // that is in it
	password, published string
}

func (p *program) initCommand() *cobra.Command {
	b := &begin{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write the first settings by asking, and try them",
		Long: `Asks for the company, its first manager and that manager's mailbox, writes the settings file (--config), and ends
with "check --online". The mail servers are looked for by what the address's domain publishes (autoconfig, SRV records)
and, by the domain alone, in Thunderbird's database of providers. The password is asked without echo and kept in a file
beside the settings that only its owner may read, or also the group of their directory, where root has given it one.

Nothing is overwritten: what a file says already, as of [store] or [server], stays, and one that names a company, a
manager, a mailbox or [smtp] is left alone.

With --yes nothing is asked: what is not given has its default, --email is needed, and the password is the first line of
stdin or in --password-file. Mail servers that cannot be known for sure must be given then.`,
		Example: "  intouchd --config /etc/intouch/config.toml init\n" +
			"  intouchd init --yes --email anna@vector.test --company Vector --password-file anna.password",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.file = configFileName(p.configFile)
			return p.begin(cmd.Context(), b)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.email, "email", "", "`ADDRESS` of the first manager, whose mailbox is followed")
	flags.StringVar(&b.name, "name", "", "`NAME` of that manager (default: the login)")
	flags.StringVar(&b.login, "login", "", "`LOGIN` of that manager for pages and calendars (default: the address up to the @)")
	flags.StringVar(&b.company, "company", "", "`NAME` of the company (default: the address's domain)")
	flags.StringSliceVar(&b.domains, "domain", nil, "`DOMAIN` of our own addresses, repeatable (default: the address's, where it is no provider's)")
	flags.StringVar(&b.imap, "imap", "", "`URL` of the IMAP server, like imaps://imap.vector.test:993 (default: found)")
	flags.StringVar(&b.smtp, "smtp", "", "`URL` of the SMTP server, like smtps://smtp.vector.test:465, or none (default: found)")
	flags.StringVar(&b.username, "username", "", "`LOGIN` at the mail servers (default: found, or the address)")
	flags.StringVar(&b.passwordFile, "password-file", "", "`FILE` with the mailbox's password, which stays where it is")
	flags.StringVar(&b.database, "database", "", "`URL` of the database (default: a file of SQLite in state_dir, or beside the settings)")
	flags.StringVar(&b.zone, "time-zone", "", "`ZONE` where we work (default: this machine's)")
	flags.StringVar(&b.language, "language", "", "`LANG` of mails and pages: ru or en (default: ru)")
	flags.StringVar(&b.since, "since", "", "`DATE` from which on letters are read, like 2026-01-01 (default: all of them)")
	flags.BoolVar(&b.yes, "yes", false, "ask nothing")
	return cmd
}

// begin writes the first settings and tries them.
func (p *program) begin(ctx context.Context, b *begin) error {
	if err := b.readExisting(); err != nil {
		return err
	}
	ask := &asker{program: p, in: bufio.NewReader(io.LimitReader(p.in, 64<<10)), silent: b.yes}
	stop := p.endAsking(ctx)
	err := b.complete(ctx, ask)
	stop()
	if err != nil {
		return err
	}
	secret, err := b.keepPassword()
	if err != nil {
		return err
	}
	text := b.text()
	cfg, err := checkedConfig(b.file, text)
	if err == nil {
		err = writeSettings(b.file, text)
	}
	if err != nil {
		if secret != "" {
			os.Remove(secret) // made a moment ago, for these settings
		}
		return err
	}
	fmt.Fprintf(p.err, "%s: written\n", b.file)
	if secret != "" {
		fmt.Fprintf(p.err, "%s: the password is kept here\n", secret)
	}
	if err := p.tryAsOwner(ctx, b.file, cfg); err != nil {
		fmt.Fprintf(p.err, "The settings are written but do not all work yet: change what is named above in %s, then run \"intouchd check --online\".\n", b.file)
		return err
	}
	fmt.Fprintf(p.err, "Next: \"intouchd manager password %s\" sets the password of pages and calendars, \"intouchd serve\" starts.\n", b.login)
	return nil
}

// readExisting looks whether there are settings already.
func (b *begin) readExisting() error {
	text, err := readBounded(b.file, 4<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the settings that are there: %w", err)
	}
	var has map[string]any
	if err := toml.Unmarshal(text, &has); err != nil {
		return fmt.Errorf("%s is there already and is no TOML; init changes nothing in it", b.file)
	}
	for _, table := range []string{"company", "manager", "mailbox", "smtp"} {
		if _, there := has[table]; there {
			return fmt.Errorf("%s has settings already (%s); init writes only the first ones. Edit it (see intouchd.toml(5)), or name another file with --config", b.file, table)
		}
	}
	b.existing = strings.TrimRight(string(text), "\n") + "\n"
	if _, there := has["store"]; there {
		if b.database != "" {
			return usage("init: %s names the database already: leave --database out", b.file)
		}
		b.stored = true
	}
	b.stateDir, _ = has["state_dir"].(string)
	return nil
}

// complete asks for what the flags left open.
func (b *begin) complete(ctx context.Context, ask *asker) error {
	if b.yes && b.email == "" {
		return usage("init: --yes needs --email")
	}
	ask.text(&b.email, "email", "E-mail address of the first manager", "", wrongAddress)
	if ask.err != nil {
		return ask.err
	}
	local, domain, _ := strings.Cut(b.email, "@")
	domain = strings.ToLower(domain)
	ask.text(&b.login, "login", "Login for pages and calendars", strings.ToLower(local), wrongLogin)
	ask.text(&b.name, "name", "Name", b.login, nil)
	ask.text(&b.company, "company", "Company", domain, nil)
	if len(b.domains) == 0 {
		own := domain
		if store.FreeMail()[domain] {
			own = ""
		}
		text := ""
		ask.text(&text, "domain", "Domains of our own addresses", own, wrongDomains)
		b.domains = strings.FieldsFunc(text, separates)
	}
	ask.text(&b.zone, "time-zone", "Time zone", machineZone(), wrongZone)
	ask.text(&b.language, "language", "Language of mails and pages (ru, en)", string(store.Russian), wrongLanguage)
	if ask.err != nil {
		return ask.err
	}
	if err := b.findServers(ctx, ask); err != nil {
		return err
	}
	if b.passwordFile == "" {
		b.password = ask.password("Password of " + b.username + " at the mail server: ")
	}
	return ask.err
}

// findServers looks for the mail servers, where they are not given, and lets
// people confirm them.
func (b *begin) findServers(ctx context.Context, ask *asker) error {
	var found *autoconfig.Settings
	if b.imap == "" || b.smtp == "" {
		fmt.Fprintf(ask.program.err, "Looking for the mail servers of %s…\n", b.email)
		var err error
		found, err = mailServers(ctx, b.email)
		switch {
		case err == nil:
			fmt.Fprintf(ask.program.err, "Found by %s.\n", found.Source)
			b.published = found.Source
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			fmt.Fprintf(ask.program.err, "%v.\n", err)
		}
	}
	imap, smtp, username := "", "none", b.email
	if found != nil {
		imap, username = serverURL("imap", found.IMAP), found.IMAP.Username
		if found.SMTP != nil {
			smtp = serverURL("smtp", found.SMTP)
		}
		if found.IMAP.OAuth {
			fmt.Fprintln(ask.program.err, "That provider takes OAuth 2.0 or an app password, not the usual one; oauth2 can be set later, see intouchd.toml(5).")
		}
	}
	if b.yes && b.imap == "" && imap == "" {
		return usage("init: the IMAP server of %s was not found: give --imap", b.email)
	}
	if b.yes && found != nil && !found.Sure && (b.imap == "" || b.smtp == "") {
		return usage("init: %s lead to %s, and nobody vouches for them; if that is the right server, give --imap %s --smtp %s", found.Source, found.IMAP.Host, imap, smtp)
	}
	ask.text(&b.imap, "imap", "IMAP server", imap, wrongServer("imap"))
	ask.text(&b.smtp, "smtp", "SMTP server, or none", smtp, wrongServer("smtp"))
	ask.text(&b.username, "username", "Login at the mail server", username, nil)
	return ask.err
}

func serverURL(scheme string, s *autoconfig.Server) string {
	if !s.StartTLS {
		scheme += "s"
	}
	return scheme + "://" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

// keepPassword writes the password into a new file beside the settings, and
// gives its name; "" where it is in a file already.
func (b *begin) keepPassword() (file string, err error) {
	if b.passwordFile != "" {
		absolute, err := filepath.Abs(b.passwordFile)
		if err != nil {
			return "", err
		}
		b.passwordFile = absolute // the settings would look for it in their own directory
		return "", nil
	}
	b.passwordFile = b.login + ".password"
	file = filepath.Join(filepath.Dir(b.file), b.passwordFile)
	if err := writeNew(file, []byte(b.password+"\n")); err != nil {
		return "", fmt.Errorf("keep the password: %w", err)
	}
	return file, nil
}

// text is the settings file.
func (b *begin) text() string {
	var t strings.Builder
	if t.WriteString(b.existing); strings.TrimSpace(b.existing) == "" {
		t.WriteString("# Settings of intouchd, begun by \"intouchd init\". Every key is explained in\n# intouchd.toml(5), which \"intouchd man intouchd.toml\" prints.\n")
	}
	table := func(name string, pairs ...any) {
		if name != "" {
			fmt.Fprintf(&t, "\n%s\n", name)
		}
		for i := 0; i < len(pairs); i += 2 {
			fmt.Fprintf(&t, "%s = %s\n", pairs[i], tomlValue(pairs[i+1]))
		}
	}
	table("[company]", "name", b.company, "domains", b.domains)
	if !b.stored {
		database := b.database
		if database == "" {
			database = "sqlite:" + filepath.Join(b.stateDir, "intouch.db")
		}
		table("[store]", "url", database)
	}
	table("[[manager]]", "login", b.login, "name", b.name, "email", b.email, "role", "head", "time_zone", b.zone, "language", b.language)
	if b.published != "" {
		fmt.Fprintf(&t, "\n# Mail servers by %s.", b.published)
	}
	table("[[mailbox]]", "name", b.login, "manager", b.login, "imap", b.imap, "username", b.username, "password_file", b.passwordFile)
	if b.since != "" {
		table("", "since", b.since)
	}
	if b.smtp != "none" {
		table("[smtp]", "url", b.smtp, "username", b.username, "password_file", b.passwordFile, "from", "Intouch <"+b.email+">")
	}
	return t.String()
}

// tomlValue writes a text or a list of texts: JSON's escapes are TOML's.
func tomlValue(v any) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // texts cannot fail
	return strings.TrimSpace(out.String())
}

// checkedConfig reads settings as they will be read from the file.
func checkedConfig(file, text string) (*Config, error) {
	cfg, root, err := readConfig(file, []byte(text))
	if err == nil {
		err = root.doc.finish()
	}
	return cfg, err
}

// endAsking ends the program where ctx ends while it waits for an answer on a
// terminal, whose echo is given back. Nothing is written by then.
func (p *program) endAsking(ctx context.Context) (stop func() bool) {
	f, ok := p.in.(*os.File)
	if !ok {
		return func() bool { return true }
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil { // no terminal
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() {
		term.Restore(int(f.Fd()), state)
		fmt.Fprintln(p.err, "\nintouchd: interrupted, nothing is written")
		os.Exit(exitFailed)
	})
}

// asker asks questions on stderr and reads answers, a line each. The first
// error stays, and ends the asking.
type asker struct {
	program *program
	in      *bufio.Reader
	silent  bool // every answer is the default
	err     error
}

const maxTries = 3

// text fills answer, unless a flag did, with what is answered to a question;
// an empty answer is def. wrong says what is wrong with an answer, "" nothing.
func (a *asker) text(answer *string, flag, question, def string, wrong func(string) string) {
	if a.err != nil {
		return
	}
	given := *answer != ""
	for range maxTries {
		switch {
		case given:
		case a.silent:
			*answer = def
		default:
			shown := ""
			if def != "" {
				shown = " [" + def + "]"
			}
			fmt.Fprintf(a.program.err, "%s%s: ", question, shown)
			line, err := a.in.ReadString('\n')
			if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
				a.err = usage("init: stdin ended at the question %q: answer it, or give --%s and --yes", question, flag)
				return
			}
			if *answer = strings.TrimSpace(line); *answer == "" {
				*answer = def
			}
		}
		fault := ""
		switch {
		case strings.ContainsFunc(*answer, unicode.IsControl) || len(*answer) > 1000:
			fault = "that is no line of text"
		case wrong != nil:
			fault = wrong(*answer)
		}
		if fault == "" {
			return
		}
		if given || a.silent {
			a.err = usage("init: --%s: %s", flag, fault)
			return
		}
		fmt.Fprintln(a.program.err, fault)
	}
	a.err = usage("init: %s: no good answer", question)
}

// password asks for a password without echo.
func (a *asker) password(prompt string) string {
	if a.err != nil {
		return ""
	}
	var text string
	text, a.err = a.program.readPasswordFrom(a.in, prompt)
	if a.err == nil && (text == "" || strings.ContainsFunc(text, unicode.IsControl)) {
		a.err = usage("init: there is no password: type it, give it as a line of stdin, or name a --password-file")
	}
	return text
}

func wrongAddress(text string) string {
	if !isAddress(text) {
		return fmt.Sprintf("%q is not an e-mail address like anna@vector.test", text)
	}
	return ""
}

func wrongLogin(text string) string {
	if !loginPattern.MatchString(text) {
		return fmt.Sprintf("%q is not a login: small letters, digits and . _ @ - make one", text)
	}
	return ""
}

func wrongZone(text string) string {
	if _, err := time.LoadLocation(text); err != nil || text == "" || text == "Local" {
		return fmt.Sprintf("%q is not a time zone like Europe/Moscow", text)
	}
	return ""
}

func wrongLanguage(text string) string {
	if l := store.Language(text); l != store.Russian && l != store.English {
		return fmt.Sprintf("%q is neither ru nor en", text)
	}
	return ""
}

func separates(r rune) bool { return r == ',' || unicode.IsSpace(r) }

func wrongDomains(text string) string {
	for _, d := range strings.FieldsFunc(text, separates) {
		if !isDomain(d) {
			return fmt.Sprintf("%q is not a domain like vector.test", d)
		}
	}
	return ""
}

func wrongServer(scheme string) func(string) string {
	return func(text string) string {
		if scheme == "smtp" && text == "none" {
			return ""
		}
		for _, s := range []string{scheme + "s://", scheme + "://", scheme + "+insecure://"} {
			if strings.HasPrefix(text, s) {
				return ""
			}
		}
		return fmt.Sprintf("%q is not an address like %ss://%s.vector.test (TLS) or %s://%s.vector.test (STARTTLS)", text, scheme, scheme, scheme, scheme)
	}
}

// machineZone is this machine's time zone, or the default where it says none.
func machineZone() string {
	link, err := os.Readlink("/etc/localtime")
	_, zone, ok := strings.Cut(link, "zoneinfo/")
	if err != nil || !ok || strings.HasSuffix(zone, "UTC") {
		return "Europe/Moscow"
	}
	return zone
}
