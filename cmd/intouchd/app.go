package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/mailsync"
	"intouch/scheduler"
	"intouch/store"
	"intouch/web"
)

// stopTime bounds the whole way down after a signal.
const stopTime = 9 * time.Second

// app is the daemon: what serve and demo run.
type app struct {
	cfg      *Config                // that it was started with
	reread   atomic.Pointer[Config] // cfg, or as it was read last; of it counts what reload takes
	log      *slog.Logger
	st       *store.Store
	listener net.Listener
	server   *http.Server
	workers  []*worker
	undo     []step
}

// step is one thing to undo on the way down.
type step struct {
	name string
	do   func(context.Context) error
}

// newApp builds the house, in the order in which its parts need each other.
// Nothing runs yet, but the port is taken. After an error everything is undone
// again.
func newApp(ctx context.Context, cfg *Config, log *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, log: log}
	a.reread.Store(cfg)
	defer func() {
		if err != nil {
			a.stop()
		}
	}()

	unlock, err := lockStore(cfg.StoreURL)
	if err != nil {
		return nil, err
	}
	a.onStop("release the lock", func(context.Context) error { unlock(); return nil })

	a.st, err = openStore(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	a.onStop("close the database", func(context.Context) error { return a.st.Close() })
	if why, err := a.st.OutboxLocked(ctx); err != nil {
		return nil, err
	} else if why == store.LockMoved {
		return nil, store.ErrMoved
	}
	if err := sealTokens(ctx, a.st, cfg, log); err != nil {
		return nil, err
	}
	if err := setPasswords(ctx, a.st, cfg.Managers); err != nil {
		return nil, err
	}
	if err := saveMailboxes(ctx, a.st, cfg.Mailboxes); err != nil {
		return nil, err
	}
	secret, err := sessionSecret(a.st, cfg.StateDir)
	if err != nil {
		return nil, err
	}

	if err := checkDescriptors(cfg); err != nil {
		log.Warn("few open files", "err", err)
	}
	syncer := newSyncer(cfg, a.st, mailsync.Options{Log: log.With("part", "mail")})
	jobs, err := newScheduler(a.st, cfg, log)
	if err != nil {
		return nil, err
	}
	onec := exchange.NewOneC(a.st, exchange.OneCOptions{
		FileLimit: int64(cfg.Exchange.FileLimit) << 20,
		MaxUpload: int64(cfg.Exchange.MaxUpload) << 20,
		Currency:  cfg.Currency,
		Names:     cfg.Exchange.Values,
		Log:       log.With("part", "exchange"),
	})
	a.workers = []*worker{
		{name: "mail", run: syncer.Run},
		{name: "jobs", run: jobs.Run},
		{name: "exchange", run: onec.Run},
		{name: "calendars", run: func(ctx context.Context) error { return renewCalendars(ctx, a.st, cfg) }},
	}

	a.listener, err = listen(cfg.Server)
	if err != nil {
		return nil, err
	}
	a.onStop("close the listener", func(context.Context) error {
		if err := a.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	served := &certificate{log: log}
	seen := newMeasures(a.st, a.workerStates, jobs.Tallies, served.ends, log)
	handler := routes(
		caldav.New(a.st, caldav.Options{PublicURL: cfg.Server.PublicURL, Log: log.With("part", "calendar")}),
		onec,
		web.New(a.st, web.Options{
			PublicURL: cfg.Server.PublicURL,
			Secret:    secret,
			Language:  cfg.Language,
			Currency:  cfg.Currency,
			Version:   version,
			Log:       log.With("part", "pages"),

			CalendarPath:  caldav.CalendarPath,
			BookPath:      caldav.BookPath,
			PrincipalPath: caldav.PrincipalPath,
			FeedPath:      caldav.FeedPath,
			Fixed:         func(login string) map[string]bool { return a.reread.Load().fixesManager(login) },
			Original:      syncer.Original,
			ReportMail:    &web.ReportMail{Check: scheduler.CheckSavedCron, Send: jobs.MailReport},
		}),
		readyHandler(a.st, a.workerStates),
		seen.handler(),
		profiles(func() bool { return a.reread.Load().Server.Pprof }),
	)
	a.server = newServer(guarded(seen.counted(handler), cfg.Server, log.With("part", "requests")), log)
	a.server.TLSConfig = listenerTLS(cfg, served)
	return a, nil
}

// Run serves until ctx ends, then stops everything in reverse order.
func (a *app) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		superviseAll(work, a.workers, a.log)
	}()
	a.onStop("stop mail and jobs", func(ctx context.Context) error {
		cancel()
		select {
		case <-stopped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})

	served := make(chan error, 1)
	go func() {
		if a.server.TLSConfig != nil {
			served <- a.server.ServeTLS(a.listener, "", "")
		} else {
			served <- a.server.Serve(a.listener)
		}
	}()
	a.onStop("finish requests", a.finishRequests)
	tellManager(managerReady, a.log)
	go feedWatchdog(work, answersReady(a.server.Handler), a.log)
	a.log.Info("serving", "listen", a.listener.Addr().String(), "url", a.cfg.Server.PublicURL, "mailboxes", len(a.cfg.Mailboxes), "version", version)

	var err error
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
		tellManager(managerStopping, a.log)
	case err = <-served:
		err = fmt.Errorf("serve: %w", err)
	}
	a.stop()
	return err
}

// finishRequests lets requests end, for a third of the time there is: mail and jobs need theirs.
func (a *app) finishRequests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime/3)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		a.server.Close()
		return err
	}
	return nil
}

func (a *app) onStop(name string, do func(context.Context) error) {
	a.undo = append(a.undo, step{name, do})
}

// stop undoes what was done, last first. A step that fails or takes too long
// holds up no other.
func (a *app) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for len(a.undo) > 0 {
		last := a.undo[len(a.undo)-1]
		a.undo = a.undo[:len(a.undo)-1]
		started := time.Now()
		if err := last.do(ctx); err != nil {
			a.log.Warn("step of stopping failed", "step", last.name, "err", err)
			continue
		}
		a.log.Debug("step of stopping done", "step", last.name, "duration", time.Since(started).Round(time.Millisecond))
	}
}

func (a *app) workerStates() []Part {
	parts := make([]Part, len(a.workers))
	for i, w := range a.workers {
		parts[i] = w.state()
	}
	return parts
}

// renewCalendars writes all entries anew where they were written by another
// version of this program, show another public address or other alarms, counts
// the correspondents of letters of a version that did not, and indexes the words
// of what is older than the search; then it only waits.
func renewCalendars(ctx context.Context, st *store.Store, cfg *Config) error {
	err := st.RenewAll(ctx, cfg.Server.PublicURL+" "+version+" "+revision()+" "+fmt.Sprint(cfg.Reminders))
	if err == nil {
		err = st.CountCorrespondents(ctx)
	}
	if err == nil {
		err = st.IndexWords(ctx)
	}
	if err == nil {
		<-ctx.Done()
	} else if ctx.Err() == nil {
		return fmt.Errorf("renew the calendars, count the correspondents, index the words: %w", err)
	}
	return nil
}

// setPasswords gives the managers the passwords of the settings. One that fits
// already is left alone: a new hash would end the manager's sessions.
func setPasswords(ctx context.Context, st *store.Store, managers []ManagerConfig) error {
	for _, m := range managers {
		if !m.Password.given {
			continue
		}
		password, err := m.Password.Reveal()
		if err != nil {
			return fmt.Errorf("manager %s: %w", m.Row.Login, err)
		}
		saved, err := st.ManagerByLogin(ctx, m.Row.Login)
		if err != nil {
			return fmt.Errorf("read manager %s: %w", m.Row.Login, err)
		}
		fits, err := st.PasswordFits(ctx, saved.ID, password)
		if err != nil {
			return fmt.Errorf("check the password of manager %s: %w", m.Row.Login, err)
		}
		if fits {
			continue
		}
		if err := st.SetPassword(ctx, saved.ID, password); err != nil {
			return fmt.Errorf("set the password of manager %s: %w", m.Row.Login, err)
		}
	}
	return nil
}

// saveMailboxes makes sure that every mailbox has its row. One whose manager
// does not exist yet gets none here: mailsync says so, tries again, and takes
// it up when the manager is added.
func saveMailboxes(ctx context.Context, st *store.Store, boxes []MailboxConfig) error {
	logins := make(map[string]string, len(boxes))
	for _, m := range boxes {
		logins[m.Name] = m.Manager
	}
	if err := st.SaveMailboxes(ctx, logins); err != nil {
		return fmt.Errorf("save the mailboxes: %w", err)
	}
	return nil
}

// newSyncer makes whoever reads the mailboxes, by the rules of the settings.
func newSyncer(cfg *Config, st *store.Store, opt mailsync.Options) *mailsync.Syncer {
	opt.Rules, opt.Signs = captureRules(cfg), signs(cfg)
	return mailsync.New(st, mailboxes(cfg, st), opt)
}

// mailboxes are the mailboxes of the settings as mailsync takes them. Tokens
// come from st.
func mailboxes(cfg *Config, st *store.Store) []mailsync.Config {
	security := map[string]mailsync.TLSMode{"tls": mailsync.ImplicitTLS, "starttls": mailsync.StartTLS, "insecure": mailsync.Insecure}
	var out []mailsync.Config
	for _, m := range cfg.Mailboxes {
		box := mailsync.Config{
			Name:     m.Name,
			Addr:     m.IMAP.Addr,
			TLS:      security[m.IMAP.Security],
			Username: m.Username,
			Password: m.Password.Reveal,
			Folders:  m.Folders,
			Since:    m.Since.In(time.UTC),
			Manager:  m.Manager,

			Exclude:     m.Exclude,
			Include:     m.Include,
			SubjectOnly: m.Privacy == "subject",
			Dropbox:     mailsync.NormalizeAddress(m.Dropbox),
			SentCopy:    m.SentCopy,
			Replies:     m.Replies,
		}
		if m.OAuth != nil {
			box.Token = m.token(st)
		}
		out = append(out, box)
	}
	return out
}

// signs is how what letters say beside their text is read: iCalendar is
// caldav's. What is wrong in the settings has been reported by their check.
func signs(cfg *Config) mailsync.SignReader {
	floating, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		floating = time.UTC
	}
	pattern, _ := mailsync.CompileDealPattern(cfg.Mail.DealPattern)
	return mailsync.SignReader{ReadInvitation: caldav.NewInvitationReader(floating), DealPattern: pattern}
}

// captureRules are the rules of the settings as mailsync takes them.
func captureRules(cfg *Config) mailsync.Rules {
	r := mailsync.Rules{ParentDomains: cfg.Mail.ParentDomains, AddPersons: cfg.Mail.AddPersons, FreeMail: cfg.Mail.FreeMail, AuthservID: cfg.Mail.AuthservID}
	for _, m := range cfg.Mailboxes {
		if m.Dropbox != "" {
			r.Own = append(r.Own, m.Dropbox)
		}
	}
	if cfg.Replies != nil {
		r.Own = append(r.Own, cfg.Replies.Address)
	}
	return r
}

// listenerTLS is nil where the listener speaks plain HTTP.
func listenerTLS(cfg *Config, served *certificate) *tls.Config {
	switch t := cfg.Server.TLS; t.Mode {
	case "files":
		return served.filesTLS(t)
	case "acme":
		return acmeTLS(t, cfg.StateDir)
	}
	return nil
}
