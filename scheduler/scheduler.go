// Package scheduler is in charge of what happens by the clock: the minute's
// tick that turns statuses, the jobs that write digests, each once per
// manager and slot, and the outbox that delivers what they wrote. What is
// reported and how mail travels it leaves to store, report and mailer.
//
//	scheduler.go  the jobs and when they run; runs by hand
//	schedule.go   cron expressions in a manager's zone, DST, slots
//	outbox.go     delivery with retry and backoff
//	webhook.go    delivery of events to webhooks; webhooksend.go: one request
//	digest.go     the morning digest: rows → facts; page.go: facts → words;
//	              render.go: words → text and HTML
//	classify.go   the classification of clients, and the contacts that its
//	              rules plan
//	logins.go     the mail about mailboxes that cannot be read
//	books.go      address books of other servers, by the clock
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
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"intouch/mailer"
	"intouch/store"
)

// Jobs are cron expressions, read in each manager's zone, that of the house's
// own jobs in TimeZone; "" never runs.
type Jobs struct {
	Digest   string // the morning digest, per manager
	Nightly  string // the report digest for heads; checked, not run yet
	Classify string // clients are classified, for the house
	Books    string // address books of other servers are read
}

// Options of a Scheduler.
type Options struct {
	Jobs      Jobs
	SMTP      *mailer.Config // nil: mails wait in the outbox
	From      mail.Address   // of our mails; intouch@ the host of PublicURL when empty
	PublicURL string         // "https://crm.vector.test", for links
	// Admin is told of mailboxes that cannot be read; the heads when empty. It
	// is read in Language and TimeZone, unless it is a manager's address.
	Admin    string
	Language store.Language
	TimeZone string
	// How clients are classified, and which contacts are planned then.
	Classification store.Classification
	KeepInTouch    store.KeepInTouch
	// PrivateWebhooks lets webhooks lead to private addresses of our network.
	PrivateWebhooks bool
	Version         string   // of the program, as webhooks are told
	Books           BookSync // nil: there are no address books to read
	Log             *slog.Logger
	// Grace is how long a mail that is being handed over when Run is cancelled
	// may still take; 6 s when 0.
	Grace time.Duration
}

// lateness is how old a slot may be that was missed while the daemon was
// down: a morning digest at night says nothing any more.
const lateness = 6 * time.Hour

// Scheduler runs the jobs on a store.
type Scheduler struct {
	st                      *store.Store
	opt                     Options
	log                     *slog.Logger
	digest, classify, books schedule
	outbox                  *outbox
	webhooks                *webhooks

	mu  sync.Mutex
	ran map[int64]string // manager → newest digest slot known to have run, 0 → that of the classification: saves asking each minute
}

// New makes a Scheduler. Faults of the options are reported together.
func New(st *store.Store, opt Options) (*Scheduler, error) {
	opt.Log = cmp.Or(opt.Log, slog.Default())
	opt.PublicURL = strings.TrimRight(opt.PublicURL, "/")
	opt.Grace = cmp.Or(opt.Grace, 6*time.Second)
	if opt.From.Address == "" {
		opt.From = defaultFrom(opt.PublicURL)
	}
	digest, err := parseSchedule(opt.Jobs.Digest)
	if err != nil {
		err = fmt.Errorf("jobs.digest: %w", err)
	}
	_, err2 := parseSchedule(opt.Jobs.Nightly)
	if err2 != nil {
		err2 = fmt.Errorf("jobs.nightly: %w", err2)
	}
	classify, err3 := parseSchedule(opt.Jobs.Classify)
	if err3 != nil {
		err3 = fmt.Errorf("jobs.classify: %w", err3)
	}
	books, err4 := parseSchedule(opt.Jobs.Books)
	if err4 != nil {
		err4 = fmt.Errorf("jobs.addressbooks: %w", err4)
	}
	if err := errors.Join(err, err2, err3, err4, mailer.CheckAddress(opt.From.Address)); err != nil {
		return nil, err
	}
	return &Scheduler{
		st: st, opt: opt, log: opt.Log, digest: digest, classify: classify, books: books, ran: map[int64]string{},
		outbox:   &outbox{st: st, smtp: opt.SMTP, log: opt.Log, grace: opt.Grace},
		webhooks: &webhooks{st: st, log: opt.Log, grace: opt.Grace, send: NewWebhookSender(opt.PrivateWebhooks, opt.Version)},
	}, nil
}

func defaultFrom(publicURL string) mail.Address {
	a := mail.Address{Name: "Intouch", Address: "intouch@localhost"}
	if u, err := url.Parse(publicURL); err == nil && mailer.CheckAddress("intouch@"+u.Hostname()) == nil {
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
	if s.opt.Jobs.Nightly != "" {
		s.log.Info("jobs.nightly is set, but this version does not run it yet")
	}
	logger := cronLog{s.log}
	minute := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(logger),
		// This order: the other never runs again after one panic.
		cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger), cron.Recover(logger)))
	for _, tick := range []func(context.Context){s.tickStatuses, s.tickDigests, s.tickLogins, s.tickClassify, s.tickBooks} {
		// Each an entry of its own, so that a long round of digests does not
		// hold up the calendars.
		if _, err := minute.AddFunc("* * * * *", func() { tick(ctx) }); err != nil {
			return fmt.Errorf("minute's tick: %w", err)
		}
	}
	var first sync.WaitGroup
	for _, e := range minute.Entries() { // what was missed, now
		first.Go(e.WrappedJob.Run)
	}
	minute.Start()
	var hooks sync.WaitGroup
	hooks.Go(func() { s.webhooks.run(ctx) })
	s.outbox.run(ctx)
	hooks.Wait()
	<-minute.Stop().Done()
	first.Wait()
	return nil
}

// tickStatuses moves entries whose status time alone has changed.
func (s *Scheduler) tickStatuses(ctx context.Context) {
	n, err := s.st.TurnStatuses(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.Error("statuses could not be turned", "job", "statuses", "err", err)
	case n > 0:
		s.log.Info("statuses turned", "job", "statuses", "items", n)
	}
}

// tickDigests writes the digests whose slot has come and that the ledger does
// not have.
func (s *Scheduler) tickDigests(ctx context.Context) {
	if s.digest.never() {
		return
	}
	managers, err := s.st.Managers(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("managers could not be read", "job", "digest", "err", err)
		}
		return
	}
	now := s.st.Now()
	for _, m := range managers {
		if ctx.Err() != nil {
			return
		}
		slot, ok := s.digest.latest(m.Location(), now, lateness)
		// A slot before the manager was there is nobody's.
		if !ok || slot.at.Before(m.Created) || s.known(m.ID) == slot.name {
			continue
		}
		ran, err := s.st.Ran(ctx, "digest", m.ID, slot.name)
		if err == nil && !ran {
			_, err = s.runDigest(ctx, m, slot.name, now)
		}
		if err != nil {
			if ctx.Err() == nil { // the next minute tries again
				s.log.Error("digest could not be made", "job", "digest", "manager", m.Login, "slot", slot.name, "err", err)
			}
			continue
		}
		s.know(m.ID, slot.name)
	}
}

func (s *Scheduler) known(manager int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ran[manager]
}

func (s *Scheduler) know(manager int64, slot string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran[manager] = slot
}

// Report is what a run by hand did.
type Report struct {
	Job     string
	Results []Result
}

// Result is one line of a Report: of one manager, or of the whole house.
type Result struct {
	Manager string // login; "" for the house
	Slot    string // "" where the job has none
	Outcome string // "queued" in the outbox, "empty", "failed", "already ran", "done"
	Detail  string // for people: an address, a reason, a count
}

// jobs are what can be run by hand. A job of issue 7 is one more line.
var jobs = map[string]func(*Scheduler, context.Context, time.Time, []store.Manager) ([]Result, error){
	booksJob:   (*Scheduler).jobBooks,
	"classify": (*Scheduler).jobClassify,
	"digest":   (*Scheduler).jobDigest,
	"logins":   (*Scheduler).jobLogins,
	"statuses": (*Scheduler).jobStatuses,
	"outbox":   (*Scheduler).jobOutbox,
	"webhooks": (*Scheduler).jobWebhooks,
}

// JobNames lists the jobs that RunJob knows.
func JobNames() []string {
	var names []string
	for name := range jobs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// RunJob runs one job for its slot at a moment (zero: now), for the manager
// with that login or for all (""). What the ledger has for that slot is not
// done again. The Report is valid also beside an error.
func (s *Scheduler) RunJob(ctx context.Context, name string, at time.Time, manager string) (Report, error) {
	job, ok := jobs[name]
	if !ok {
		return Report{}, fmt.Errorf("there is no job %q: there are %s", name, strings.Join(JobNames(), ", "))
	}
	if at.IsZero() {
		at = s.st.Now()
	}
	var managers []store.Manager
	if manager != "" {
		m, err := s.st.ManagerByLogin(ctx, manager)
		if err != nil {
			return Report{}, fmt.Errorf("manager %q: %w", manager, err)
		}
		managers = []store.Manager{m}
	} else {
		all, err := s.st.Managers(ctx)
		if err != nil {
			return Report{}, err
		}
		managers = all
	}
	results, err := job(s, ctx, at, managers)
	return Report{Job: name, Results: results}, err
}

// byHand is how far back a run by hand looks for its slot.
const byHand = 32 * 24 * time.Hour

func (s *Scheduler) jobDigest(ctx context.Context, at time.Time, managers []store.Manager) (results []Result, err error) {
	for _, m := range managers {
		slot, ok := s.digest.latest(m.Location(), at, byHand)
		if !ok { // no schedule: the day is the slot
			slot.name = string(store.DateOf(at, m.Location()))
		}
		run, runErr := s.runDigest(ctx, m, slot.name, at)
		r := Result{Manager: m.Login, Slot: slot.name, Outcome: run.Outcome, Detail: run.Detail}
		if runErr != nil {
			r.Outcome, r.Detail = "failed", runErr.Error()
			err = errors.Join(err, fmt.Errorf("digest of %s: %w", m.Login, runErr))
		}
		results = append(results, r)
	}
	return results, err
}

func (s *Scheduler) jobStatuses(ctx context.Context, _ time.Time, _ []store.Manager) ([]Result, error) {
	n, err := s.st.TurnStatuses(ctx)
	return []Result{{Outcome: "done", Detail: fmt.Sprintf("%d items turned", n)}}, err
}

func (s *Scheduler) jobOutbox(ctx context.Context, _ time.Time, _ []store.Manager) ([]Result, error) {
	if s.opt.SMTP == nil {
		return nil, errors.New("the settings have no [smtp]: mails wait in the outbox")
	}
	n, err := s.outbox.deliver(ctx)
	return []Result{{Outcome: "done", Detail: fmt.Sprintf("%d sent, %d to be tried again, %d failed", n.sent, n.retried, n.failed)}}, err
}

// cronLog lets cron speak through slog.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) {} // "wake", "run": each minute

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("job panicked", append([]any{"err", err}, kv...)...)
}
