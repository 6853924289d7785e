// Package scheduler is in charge of what happens by the clock: the minute's
// tick that turns statuses, the jobs that write digests, each once per
// manager and slot, and the outbox that delivers what they wrote. What is
// reported and how mail travels it leaves to store, report and mailer.
//
//	scheduler.go  the options, the minute's tick
//	jobs.go       the list of jobs; what is due of each; runs by hand
//	state.go      what the status page is told of the jobs, and asks
//	schedule.go   cron expressions in a manager's zone, DST, slots
//	outbox.go     delivery with retry and backoff
//	webhook.go    delivery of events to webhooks; webhooksend.go: one request
//	digest.go     the morning digest: rows → facts; page.go: facts → words;
//	              render.go: words → text and HTML
//	saved.go      saved reports by mail
//	nightly.go    the nightly report digest of heads
//	reminder.go   what is coming, by mail at its minute
//	classify.go   the classification of clients, and the contacts that its
//	              rules plan
//	chore.go      jobs of the house that others do: address books, holidays,
//	              backups, audit, clean-up
//	alerts.go     the mails about what somebody must mend
//	replies.go    what is said to replies by mail
//	compose.go    a page as a mail for the outbox
//	lang.go       all texts in Russian and English
//
// Due work is a query: nothing that must happen lives in a timer, so that a
// restart forgets nothing, and the ledger's row (job, owner, slot) keeps two
// runs, or two daemons, from doing it twice.
package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"intouch/mailer"
	"intouch/store"
)

// Options of a Scheduler.
type Options struct {
	Jobs      map[string]string // name → cron expression, "" never; those left out run as Schedules says
	SMTP      *mailer.Config    // nil: mails wait in the outbox
	From      mail.Address      // of our mails; intouch@ the host of PublicURL when empty
	PublicURL string            // "https://crm.vector.test", for links
	Replies   Replies           // where answers to our mails go
	// SentCopies are the mailboxes, by the login of their manager, whose Sent
	// folder gets a copy of what is sent in the manager's name to others.
	SentCopies map[string]string
	// Admin is told of what must be mended; the heads when empty. It
	// is read in Language and TimeZone, unless it is a manager's address.
	Admin    string
	Language store.Language
	TimeZone string
	Currency string // of the company: reports convert others into it
	// How clients are classified, and which contacts are planned then.
	Classification store.Classification
	KeepInTouch    store.KeepInTouch
	// PrivateWebhooks lets webhooks lead to private addresses of our network.
	PrivateWebhooks bool
	Version         string // of the program, as webhooks are told
	Books           Chore  // reads address books of other servers; nil: the settings name none
	Holidays        Chore  // fetches calendars of holidays; nil: the settings name none
	Audit           Chore  // holds the mailboxes against the database; nil: the settings name none
	Backups         Chore  // copies the database; nil: it is PostgreSQL
	Kept            store.Kept
	Log             *slog.Logger
	// Grace is how long a mail that is being handed over when Run is cancelled
	// may still take; 6 s when 0.
	Grace time.Duration
}

// Replies is the mailbox from which answers to our mails are read.
type Replies struct {
	Address string // "": they are not read
	Plus    bool   // the server takes name+anything@ too
}

// Scheduler runs the jobs on a store.
type Scheduler struct {
	answers  answersRead
	st       *store.Store
	opt      Options
	log      *slog.Logger
	jobs     map[string]*timed
	outbox   *outbox
	webhooks *webhooks
	// unknownYears are those of which it was said that no holidays are known.
	unknownYears sync.Map
}

// New makes a Scheduler. Faults of the options are reported together.
func New(st *store.Store, opt Options) (*Scheduler, error) {
	opt.Log = cmp.Or(opt.Log, slog.Default())
	opt.PublicURL = strings.TrimRight(opt.PublicURL, "/")
	opt.Grace = cmp.Or(opt.Grace, 6*time.Second)
	if opt.From.Address == "" {
		opt.From = defaultFrom(opt.PublicURL)
	}
	timed, err := plan(opt.Jobs)
	if err := errors.Join(err, mailer.CheckAddress(opt.From.Address)); err != nil {
		return nil, err
	}
	return &Scheduler{
		st: st, opt: opt, log: opt.Log, jobs: timed,
		outbox:   &outbox{st: st, smtp: opt.SMTP, log: opt.Log, grace: opt.Grace},
		webhooks: &webhooks{st: st, log: opt.Log, grace: opt.Grace, send: NewWebhookSender(opt.PrivateWebhooks, opt.Version)},
	}, nil
}

func defaultFrom(publicURL string) mail.Address {
	a := mail.Address{Name: "Intouch", Address: "intouch@localhost"}
	u, err := url.Parse(publicURL)
	if err != nil {
		return a
	}
	// A bare IP address is no mail domain: servers refuse it as a sender.
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && mailer.CheckAddress("intouch@"+u.Hostname()) == nil {
		a.Address = "intouch@" + u.Hostname()
	}
	return a
}

// Run does what is due until ctx is cancelled; then it lets the mail in
// flight finish within the grace time and returns nil.
//
// Cron drives only the minute's tick. The slots of the managers are asked for
// anew each minute instead of being entries of cron: entries know nothing of
// what was missed while the daemon was down, of managers added meanwhile or
// of another daemon on the same database, adding many is slow (92 µs each),
// and their DST days are wrong (libraries.md).
func (s *Scheduler) Run(ctx context.Context) error {
	logger := cronLog{s.log}
	minute := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(logger),
		// This order: the other never runs again after one panic.
		cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger), cron.Recover(logger)))
	for _, p := range s.jobs {
		if p.loop {
			continue
		}
		// Each an entry of its own, so that a long round of digests does not
		// hold up the calendars.
		if _, err := minute.AddFunc("* * * * *", func() { s.tick(ctx, p) }); err != nil {
			return fmt.Errorf("minute's tick: %w", err)
		}
	}
	if _, err := minute.AddFunc("* * * * *", func() { s.publish(ctx) }); err != nil {
		return fmt.Errorf("minute's tick: %w", err)
	}
	var first sync.WaitGroup
	for _, e := range minute.Entries() { // what was missed, now
		first.Go(e.WrappedJob.Run)
	}
	minute.Start()
	var loops sync.WaitGroup
	loops.Go(func() { s.webhooks.run(ctx) })
	loops.Go(func() { s.answer(ctx) })
	s.outbox.run(ctx)
	loops.Wait()
	<-minute.Stop().Done()
	first.Wait()
	return nil
}

// dueStatuses moves entries whose status time alone has changed.
func (s *Scheduler) dueStatuses(ctx context.Context, _ time.Time, _ []store.Manager) ([]Result, error) {
	n, err := s.st.TurnStatuses(ctx)
	if n > 0 {
		s.log.Info("statuses turned", "job", "statuses", "items", n)
	}
	return []Result{{Outcome: "done", Detail: fmt.Sprintf("%d items turned", n)}}, err
}

func lacksServer(s *Scheduler) error {
	if s.opt.SMTP == nil {
		return errors.New("the settings have no [smtp]: mails wait in the outbox")
	}
	return nil
}

// dueMails delivers what is due now, once.
func (s *Scheduler) dueMails(ctx context.Context, _ time.Time, _ []store.Manager) ([]Result, error) {
	n, err := s.outbox.deliver(ctx)
	return []Result{{Outcome: "done", Detail: fmt.Sprintf("%d sent, %d to be tried again, %d failed", n.sent, n.retried, n.failed)}}, err
}

// cronLog lets cron speak through slog.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) {} // "wake", "run": each minute

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("job panicked", append([]any{"err", err}, kv...)...)
}
