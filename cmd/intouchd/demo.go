package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

// demoPassword is everybody's in the demo, which only loopback can reach.
const demoPassword = "intouch-demo"

// demoReplies is the login of the daemon's own mailbox.
const demoReplies = "intouch"

const demoListen = "127.0.0.1:8080"

func (p *program) demoCommand() *cobra.Command {
	d := &demo{out: p.out, messages: p.err}
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try everything on a made-up company; nothing leaves the machine",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if limit < 0 {
				return usage("demo: --for must not be negative")
			}
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
			}
			if host, _, err := net.SplitHostPort(d.listen); err != nil || !isLoopback(host) {
				return usage("demo: --listen %s: give a port of loopback, like %s: everybody knows the demo's password", d.listen, demoListen)
			}
			d.listenGiven = cmd.Flags().Changed("listen")
			return d.run(ctx)
		},
	}
	cmd.Flags().StringVar(&d.listen, "listen", demoListen, "`ADDRESS` of the pages and calendars, on loopback")
	cmd.Flags().StringVar(&d.dir, "data", "demo-data", "`DIR` that holds all of it; a second start goes on with it")
	cmd.Flags().DurationVar(&limit, "for", 0, "end by itself after that `TIME`, like 30s")
	return cmd
}

// demoState is what a second start must know of the first.
type demoState struct {
	ToldFrom store.Date `json:"told_from"` // the day from which the company is told
	Complete bool       `json:"complete"`  // it is in the database
	Listen   string     `json:"listen"`
	IMAP     string     `json:"imap"`
	SMTP     string     `json:"smtp"`
	OneC     string     `json:"onec"` // the token of its integration
}

func (d *demo) file(name string) string { return filepath.Join(d.dir, name) }

// run prepares a directory with settings, mailboxes and a filled database,
// then runs the same daemon as serve on it.
func (d *demo) run(ctx context.Context) error {
	unlock, err := d.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	c := newCompany(d.state.ToldFrom)
	letters := &correspondence{c: c, rng: c.rng, name: "past"}
	if !d.state.Complete {
		if err := d.writeLetters(letters.past(time.Now().UTC().Truncate(time.Second))); err != nil {
			return fmt.Errorf("write the mailboxes: %w", err)
		}
	}
	people := map[string][]string{}
	for _, m := range demoManagers {
		people[m.Login] = []string{m.address()}
	}
	people[demoReplies] = []string{demoReplies + "@" + demoDomain}
	office, err := openPostOffice(d.dir, people, demoPassword, d.state.IMAP, d.state.SMTP)
	if err != nil {
		return err
	}
	defer office.Close()
	d.state.IMAP, d.state.SMTP = office.imapAddr, office.smtpAddr
	if err := d.writeConfig(); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	cfg, err := LoadConfig(d.file("config.toml"))
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(d.file("intouchd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer logFile.Close()
	log := newLog(cfg.Log, logFile)

	if !d.state.Complete {
		if err := d.fill(ctx, cfg, c, log); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("fill the database: %w", err)
		}
		d.state.Complete = true
	}
	if err := d.saveState(); err != nil {
		return err
	}
	office.arrived = func(to, file string) { d.say("mail from Intouch to %s: %s", to, file) }
	a, err := newApp(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := d.addOneC(ctx, a.st); err != nil {
		a.stop()
		return fmt.Errorf("make an account for 1C: %w", err)
	}
	play, stop := context.WithCancel(ctx)
	defer stop()
	played := make(chan error, 1)
	go func() {
		err := d.play(play, cfg, a.st, office, log)
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(d.messages, "intouchd: demo: %v\n", err)
		}
		played <- err
	}()
	err = a.Run(ctx)
	stop()
	<-played
	os.Remove(d.file("demo.json")) // nothing answers any more
	return err
}

// demoOneC is the integration of the demo's 1C.
const demoOneC = "1c"

// addOneC makes an account that 1C can send orders with, at the first start.
func (d *demo) addOneC(ctx context.Context, st *store.Store) error {
	if d.state.OneC != "" {
		return nil
	}
	_, token, err := st.AddIntegration(ctx, demoOneC, []store.Scope{store.ScopeExchange})
	if errors.Is(err, store.ErrConflict) { // a start that was killed before it noted the token
		if err := st.RevokeIntegration(ctx, demoOneC); err != nil {
			return err
		}
		_, token, err = st.AddIntegration(ctx, demoOneC, []store.Scope{store.ScopeExchange})
	}
	if err != nil {
		return err
	}
	d.state.OneC = token
	return d.saveState()
}

// prepare makes the directory, keeps a second demo away from it, and settles
// the address.
func (d *demo) prepare() (unlock func(), err error) {
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return nil, err
	}
	if unlock, err = lock(d.file("demo")); err != nil {
		return nil, err
	}
	os.Remove(d.file("demo.json")) // of a demo that was killed
	text, err := os.ReadFile(d.file("demo-state.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.state.ToldFrom = store.DateOf(time.Now(), store.Manager{TimeZone: demoManagers[0].Zone}.Location())
	case err == nil:
		err = json.Unmarshal(text, &d.state)
		fallthrough
	default:
		if err != nil {
			unlock()
			return nil, fmt.Errorf("read the state of the last demo: %w", err)
		}
	}
	if err := d.chooseListen(); err != nil {
		unlock()
		return nil, err
	}
	if err := d.saveState(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// chooseListen takes the address asked for; unless it was asked for, the one
// of the last time, else the next port that is free.
func (d *demo) chooseListen() error {
	if d.listenGiven {
		addr, err := freeAddress(d.listen)
		if err != nil {
			return fmt.Errorf("%s cannot be used (%w): give another address with --listen", d.listen, err)
		}
		d.state.Listen = addr
		return nil
	}
	if d.state.Listen != "" {
		if _, err := freeAddress(d.state.Listen); err == nil {
			return nil
		}
	}
	host, port, err := net.SplitHostPort(d.listen)
	if err != nil {
		return err
	}
	first, _ := strconv.Atoi(port)
	for n := first; n < first+100; n++ {
		if addr, err := freeAddress(net.JoinHostPort(host, strconv.Itoa(n))); err == nil {
			if n != first {
				fmt.Fprintf(d.messages, "port %d is taken, so the demo is on port %d; --listen gives it another\n", first, n)
			}
			d.state.Listen = addr
			return nil
		}
	}
	return fmt.Errorf("no port from %d on is free; give an address with --listen", first)
}

// freeAddress is the address with its port, where nobody listens on it.
func freeAddress(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (d *demo) saveState() error {
	text, err := json.MarshalIndent(d.state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file("demo-state.json"), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep the state of the demo: %w", err)
	}
	return nil
}

// writeLetters lays the letters into the mailboxes' files.
func (d *demo) writeLetters(letters []addressed) error {
	number := map[string]int{}
	for _, a := range letters {
		folder := a.login + "/" + a.folder
		number[folder]++
		if err := writeLetter(d.file("mailboxes"), a.login, a.folder, number[folder], a.letter.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

var demoConfig = template.Must(template.New("config").Funcs(template.FuncMap{"q": strconv.Quote}).Parse(`# Settings of the demo. "intouchd demo" writes this file at each start; every
# other command works with it:
#   intouchd --config {{.File}} export contacts
time_zone = "Europe/Moscow"
language = "ru"

[company]
name = {{q .Company}}
domains = [{{q .Domain}}]

[server]
listen = {{q .State.Listen}}
public_url = {{q .URL}}

[store]
url = "sqlite:intouch.db"

[keep_in_touch]
per_day = 2
[[keep_in_touch.cadence]]
class = "A"
days = 14
[[keep_in_touch.cadence]]
class = "B"
days = 30

[replies]
address = {{q (print .Replies "@" .Domain)}}
imap = {{q (print "imap+insecure://" .State.IMAP)}}
username = {{q .Replies}}
password = {{q .Password}}

[smtp]
url = {{q (print "smtp+insecure://" .State.SMTP)}}
from = {{q (print "Intouch <intouch@" .Domain ">")}}
{{range .Managers}}
[[manager]]
login = {{q .Login}}
name = {{q .Name}}
email = {{q (print .Login "@" $.Domain)}}
role = {{q .Role}}
time_zone = {{q .Zone}}
language = {{q (print .Language)}}
password = {{q $.Password}}
{{end}}{{range .Managers}}
[[mailbox]]
name = {{q .Login}}
manager = {{q .Login}}
imap = {{q (print "imap+insecure://" $.State.IMAP)}}
username = {{q .Login}}
password = {{q $.Password}}
folders = ["INBOX", "Sent"]
sent_copy = true
{{end}}`))

func (d *demo) writeConfig() error {
	var text strings.Builder
	err := demoConfig.Execute(&text, map[string]any{
		"File": d.file("config.toml"), "Company": demoName, "Domain": demoDomain, "State": d.state, "URL": d.url(),
		"Managers": demoManagers, "Password": demoPassword, "Replies": demoReplies,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(d.file("config.toml"), []byte(text.String()), 0o600)
}

func (d *demo) url() string { return "http://" + d.state.Listen }

// announce waits until everything answers, writes demo.json and says what to
// open.
func (d *demo) announce(ctx context.Context) error {
	for _, addr := range []string{d.state.IMAP, d.state.SMTP} {
		if err := awaitPort(ctx, addr); err != nil {
			return err
		}
	}
	if err := awaitHTTP(ctx, d.url()+"/healthz"); err != nil {
		return err
	}
	text, err := json.MarshalIndent(map[string]string{
		"page": d.url() + "/", "caldav": d.url() + "/dav/", "carddav": d.url() + "/dav/",
		"login": demoManagers[0].Login, "password": demoPassword,
		"imap": d.state.IMAP, "smtp": d.state.SMTP,
		"onec": d.url() + exchange.OneCPath, "onec_user": demoOneC, "onec_password": d.state.OneC,
	}, "", "  ")
	if err != nil {
		return err
	}
	// Whole or not at all: scripts wait for the file.
	if err := os.WriteFile(d.file("demo.json.part"), append(text, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(d.file("demo.json.part"), d.file("demo.json")); err != nil {
		return err
	}
	fmt.Fprintf(d.out, `Intouch demo: %s with %d managers, %d clients and %d deals. Nothing leaves this machine.

  Page      %s/
  Calendar  %s/dav/   for Thunderbird, Apple Calendar or a phone
  Login     %s, password %s   (the head; %s have the same)
  1C        %s   user %s, password %s
  Digest    %s   each mail as the mail server received it
  Mail      IMAP %s, SMTP %s   without TLS, for replies to these mails
  Settings  %s
  Log       %s

Letters keep arriving. Ctrl-C ends it.

`, demoName, len(demoManagers), len(demoClientsRU)+len(demoClientsEN), demoDeals, d.url(), d.url(),
		demoManagers[0].Login, demoPassword, otherLogins(), d.url()+exchange.OneCPath, demoOneC, d.state.OneC, d.file("mail"), d.state.IMAP, d.state.SMTP, d.file("config.toml"), d.file("intouchd.log"))
	return nil
}

func otherLogins() string {
	var all []string
	for _, m := range demoManagers[1:] {
		all = append(all, m.Login)
	}
	return strings.Join(all, ", ")
}

func awaitHTTP(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				client.CloseIdleConnections()
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
