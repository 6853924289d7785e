package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"intouch/store"
)

// job is one thing that is done by the clock: either for slots (run), of which
// the ledger keeps that each happens once, or whenever something is due (due),
// which is asked each minute.
type job struct {
	name string // in the ledger, in [jobs] of the settings and on the command line
	of   owners
	// cron says when the slots are if the settings do not, on the owner's
	// clock. "" is never.
	cron string
	// late is how old a slot may be that was missed while the daemon was down
	// and is made up for, once.
	late time.Duration
	// workdays: only slots on working days count.
	workdays bool
	// again: by hand it runs as often as asked, for the day as its slot.
	again bool
	// lacks says what the settings lack for it; nil: it needs nothing.
	lacks func(*Scheduler) error
	// run does the job for an owner (of the house: without ID) and a slot. It
	// writes what it made, its mails and the ledger's row in one transaction
	// (Scheduler.record). What fails for good is a Run with the outcome
	// "failed"; an error means that nothing is recorded, and the next minute
	// tries again.
	run func(s *Scheduler, ctx context.Context, m store.Manager, slot string, at time.Time) (store.Run, error)
	// due does what is due now, for only those managers where some are given.
	due func(s *Scheduler, ctx context.Context, at time.Time, only []store.Manager) ([]Result, error)
	// loop: due has a loop of its own in Run, and is asked by hand only.
	loop bool
}

const day = 24 * time.Hour

// owners are those for whom a job is done.
type owners int

const (
	theHouse    owners = iota // all together, once
	eachManager               // each on the own clock
	eachHead                  // each manager who sees the others' records
)

// jobs are all that there is. A new job is one more entry, its texts, and a
// line in config.example.toml.
var jobs = []job{
	{name: "digest", of: eachManager, cron: "0 8 * * *", late: 6 * time.Hour, workdays: true, run: (*Scheduler).runDigest},
	{name: nightlyJob, of: eachHead, cron: "0 2 * * *", late: 6 * time.Hour, run: (*Scheduler).runNightly},
	{name: store.SavedReportsJob, of: eachManager, due: (*Scheduler).dueReports},
	{name: classifyJob, of: theHouse, cron: "30 23 * * *", late: classifyLate, again: true, run: (*Scheduler).runClassify},
	// In this order: one call is enough for a client.
	{name: birthdaysJob, of: theHouse, cron: "35 23 * * *", late: classifyLate, again: true, run: (*Scheduler).runBirthdays},
	{name: keepInTouchJob, of: theHouse, cron: "40 23 * * *", late: classifyLate, again: true, run: (*Scheduler).runKeepInTouch},
	chore("addressbooks", "*/15 * * * *", 6*time.Hour, func(s *Scheduler) Chore { return s.opt.Books }, "the settings have no [[addressbook]]"),
	chore("holidays", "40 3 * * *", day, func(s *Scheduler) Chore { return s.opt.Holidays }, "the settings have no holidays.urls"),
	chore(backupJob, "30 2 * * *", day, func(s *Scheduler) Chore { return s.opt.Backups }, store.ErrNoBackup.Error()),
	chore("audit", "30 4 * * 0", day, func(s *Scheduler) Chore { return s.opt.Audit }, "the settings have no [[mailbox]]"),
	chore("clean-up", "15 4 * * *", day, (*Scheduler).cleanUp, ""),
	{name: remindersJob, of: eachManager, due: (*Scheduler).dueReminders},
	{name: "statuses", of: theHouse, due: (*Scheduler).dueStatuses},
	{name: alertsJob, of: eachManager, due: (*Scheduler).dueAlerts},
	{name: repliesJob, of: theHouse, due: (*Scheduler).dueReplies},
	{name: "outbox", of: theHouse, loop: true, lacks: lacksServer, due: (*Scheduler).dueMails},
	{name: "webhooks", of: theHouse, loop: true, due: (*Scheduler).dueWebhooks},
}

// JobNames lists the jobs that RunJob knows.
func JobNames() []string {
	var names []string
	for _, j := range jobs {
		names = append(names, j.name)
	}
	slices.Sort(names)
	return names
}

// Schedules are the jobs whose times the settings may change: name → cron
// expression without them.
func Schedules() map[string]string {
	out := map[string]string{}
	for _, j := range jobs {
		if j.run != nil {
			out[j.name] = j.cron
		}
	}
	return out
}

// timed is a job with its times.
type timed struct {
	job
	schedule
	round round

	mu  sync.Mutex
	ran map[int64]string // owner → newest slot known to have run: saves asking each minute
}

// plan reads the cron expressions of all jobs; faults come together.
func plan(crons map[string]string) (map[string]*timed, error) {
	out, faults := map[string]*timed{}, []error{}
	for _, j := range jobs {
		p := &timed{job: j, ran: map[int64]string{}}
		expr, given := crons[j.name]
		if !given {
			expr = j.cron
		}
		var err error
		if p.schedule, err = parseSchedule(expr); err != nil {
			faults = append(faults, fmt.Errorf("jobs.%s: %w", j.name, err))
		}
		out[j.name] = p
	}
	return out, errors.Join(faults...)
}

func (p *timed) known(owner int64, slot string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ran[owner] == slot
}

func (p *timed) know(owner int64, slot string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran[owner] = slot
}

// tick does what is due of a job now. What goes wrong is logged; the next
// minute tries again.
func (s *Scheduler) tick(ctx context.Context, p *timed) {
	log := s.log.With("job", p.name)
	if p.lacks != nil && p.lacks(s) != nil || p.due == nil && p.never() {
		return
	}
	if p.due != nil {
		if _, err := s.guarded(ctx, p, s.st.Now(), nil); err != nil && ctx.Err() == nil {
			log.Error("job failed, the next minute tries again", "err", err)
		}
		return
	}
	all, err := s.owners(ctx, p)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("managers could not be read", "err", err)
		}
		return
	}
	now, began := s.st.Now(), false
	working, err := s.working(ctx, p)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("holidays could not be read", "err", err)
		}
		return
	}
	newest := map[string]slot{} // zone → its newest slot, the zero slot for none
	for _, m := range all {
		if ctx.Err() != nil {
			return
		}
		slot, asked := newest[m.TimeZone]
		if !asked {
			slot, _ = p.latest(m.Location(), now, p.late)
			newest[m.TimeZone] = slot
		}
		// A slot before the manager was there is nobody's.
		if slot.name == "" || slot.at.Before(m.Created) || p.known(m.ID, slot.name) || !working(m, slotDay(slot.name)) {
			continue
		}
		ran, err := s.st.Ran(ctx, p.name, m.ID, slot.name)
		if err == nil && !ran {
			if !began {
				p.round.begin(now)
				began = true
				defer func() { p.round.end(s.st.Now()) }()
			}
			_, err = s.once(ctx, p, m, slot.name, now, false)
		}
		if errors.Is(err, errRunning) {
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				log.Error("job failed, the next minute tries again", "manager", m.Login, "slot", slot.name, "err", err)
			}
			continue
		}
		p.know(m.ID, slot.name)
	}
}

// owners are those for whom a job with slots is done.
func (s *Scheduler) owners(ctx context.Context, p *timed) ([]store.Manager, error) {
	if p.of == theHouse {
		return s.among(nil, theHouse), nil
	}
	all, err := s.st.Managers(ctx)
	return s.among(all, p.of), err
}

func (s *Scheduler) among(all []store.Manager, of owners) (out []store.Manager) {
	if of == theHouse {
		return []store.Manager{{TimeZone: s.opt.TimeZone, Language: s.opt.Language}}
	}
	for _, m := range all {
		if of == eachManager || m.Role == store.RoleHead {
			out = append(out, m)
		}
	}
	return out
}

// working says on which days a job is done for whom. A year that no calendar knows is
// said once.
func (s *Scheduler) working(ctx context.Context, p *timed) (func(store.Manager, store.Date) bool, error) {
	if !p.workdays {
		return func(store.Manager, store.Date) bool { return true }, nil
	}
	h, err := s.st.Holidays(ctx)
	if err != nil {
		return nil, err
	}
	return func(m store.Manager, d store.Date) bool {
		if !h.Knows(d) {
			year := string(d[:4])
			if _, said := s.unknownYears.LoadOrStore(year, true); !said {
				s.log.Warn("no calendar of holidays knows this year: its weekdays are taken for working days", "year", year)
			}
		}
		return s.st.WorkHoursOf(m).Works(d, h)
	}, nil
}

// once runs a job for an owner and a slot, unless the ledger has it (or again
// does not mind), and logs what came of it. A panic, which the same rows would
// cause again each minute, is an outcome too.
func (s *Scheduler) once(ctx context.Context, p *timed, m store.Manager, slot string, at time.Time, again bool) (run store.Run, err error) {
	started := s.st.Now()
	defer func() {
		switch {
		case err == nil:
			p.round.add(run.Outcome, run.Detail)
		case !errors.Is(err, errRunning) && ctx.Err() == nil:
			p.round.add("failed", err.Error())
		}
	}()
	if p.of == theHouse {
		free, err := s.hold(ctx, p)
		if err != nil {
			return run, err
		}
		defer free()
	}
	if !again { // another daemon may have done it meanwhile
		if ran, err := s.st.Ran(ctx, p.name, m.ID, slot); err != nil || ran {
			return store.Run{Outcome: alreadyRan}, err
		}
	}
	func() {
		defer func() {
			if r := recover(); r != nil {
				s.panicked(p, m, r)
				run, err = s.record(ctx, store.Run{Job: p.name, OwnerID: m.ID, Slot: slot, Started: started, Outcome: "failed", Detail: internalError})
			}
		}()
		run, err = p.run(s, ctx, m, slot, at)
	}()
	if err != nil {
		return run, err
	}
	log := s.log.With("job", p.name, "slot", slot)
	if m.Login != "" {
		log = log.With("manager", m.Login)
	}
	switch {
	case run.Outcome == "failed" && again && p.of == theHouse: // who ran it by hand is told
	case run.Outcome == "failed":
		log.Warn("job failed", "reason", run.Detail)
	case run.Outcome == "empty" || run.Outcome == alreadyRan:
		log.Debug("job run", "outcome", run.Outcome)
	default:
		log.Info("job run", "outcome", run.Outcome, "detail", run.Detail)
	}
	return run, nil
}

// jobLease is how long a daemon that dies in a job of the house keeps others
// from it.
const jobLease = 2 * time.Minute

var errRunning = errors.New("it is running at this moment")

// hold keeps other daemons from a job of the house, of which each owner's
// transaction alone would not: two would fetch, copy or count the same.
func (s *Scheduler) hold(ctx context.Context, p *timed) (free func(), err error) {
	held, err := s.st.HoldJob(ctx, p.name, jobLease, false)
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, fmt.Errorf("job %s: %w", p.name, errRunning)
	}
	again, stop := context.WithCancel(ctx)
	var holding sync.WaitGroup
	holding.Go(func() {
		for pause(again, nil, jobLease/4) {
			if _, err := s.st.HoldJob(again, p.name, jobLease, true); err != nil && again.Err() == nil {
				s.log.Warn("a job's lease could not be renewed", "job", p.name, "err", err)
			}
		}
	})
	return func() {
		stop()
		holding.Wait()
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if err := s.st.FreeJob(done, p.name); err != nil {
			s.log.Warn("a job's lease could not be given back, it ends by itself", "job", p.name, "err", err)
		}
	}, nil
}

// guarded asks a job without slots for what is due. Of its panics the ledger
// has the first of each day.
func (s *Scheduler) guarded(ctx context.Context, p *timed, at time.Time, only []store.Manager) (results []Result, err error) {
	started := s.st.Now()
	p.round.begin(started)
	defer func() { p.round.end(s.st.Now()) }()
	defer func() {
		if r := recover(); r != nil {
			s.panicked(p, store.Manager{}, r)
			_, err = s.record(ctx, store.Run{Job: p.name, Slot: s.today(started), Started: started, Outcome: "failed", Detail: internalError})
			err = errors.Join(errors.New(internalError), err)
		}
		for _, r := range results {
			p.round.add(r.Outcome, r.Detail)
		}
		if err != nil && ctx.Err() == nil {
			p.round.add("failed", err.Error())
		}
	}()
	return p.due(s, ctx, at, only)
}

const internalError = "internal error, see the log"

func (s *Scheduler) panicked(p *timed, m store.Manager, what any) {
	p.round.panicked()
	s.log.Error("job panicked", "job", p.name, "manager", m.Login, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
}

const alreadyRan = "already ran"

// record writes a run and its mails in one transaction, unless another daemon
// was quicker: then the outcome is alreadyRan.
func (s *Scheduler) record(ctx context.Context, run store.Run, mails ...store.Mail) (store.Run, error) {
	err := s.st.RecordRun(ctx, run, mails...)
	if errors.Is(err, store.ErrAlreadyRan) {
		return store.Run{Job: run.Job, OwnerID: run.OwnerID, Slot: run.Slot, Outcome: alreadyRan}, nil
	}
	if err != nil {
		return run, fmt.Errorf("record run: %w", err)
	}
	return run, nil
}

// zone is that of the jobs that are nobody's own.
func (s *Scheduler) zone() *time.Location { return store.Manager{TimeZone: s.opt.TimeZone}.Location() }

// today is the house's day of a moment, as a slot.
func (s *Scheduler) today(at time.Time) string { return string(store.DateOf(at, s.zone())) }

// slotDay is the day that a slot means, whatever the moment it is made up for.
func slotDay(slot string) store.Date { return store.Date(slot[:min(len(slot), len(time.DateOnly))]) }

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

// RunJob runs one job for its slot at a moment (zero: now), for the manager
// with that login or for all (""). What the ledger has for that slot is not
// done again, except of jobs that say so. The Report is valid also beside an
// error.
func (s *Scheduler) RunJob(ctx context.Context, name string, at time.Time, manager string) (Report, error) {
	p, ok := s.jobs[name]
	if !ok {
		return Report{}, fmt.Errorf("there is no job %q: there are %s", name, strings.Join(JobNames(), ", "))
	}
	if at.IsZero() {
		at = s.st.Now()
	}
	defer s.publish(ctx)
	var only []store.Manager
	if manager != "" {
		m, err := s.st.ManagerByLogin(ctx, manager)
		if err != nil {
			return Report{}, fmt.Errorf("manager %q: %w", manager, err)
		}
		switch {
		case p.of == theHouse:
			return Report{}, fmt.Errorf("job %s is done for the whole house, not for one manager", name)
		case p.of == eachHead && m.Role != store.RoleHead:
			return Report{}, fmt.Errorf("job %s is done for heads, and %s is none", name, m.Login)
		}
		only = []store.Manager{m}
	}
	if p.lacks != nil {
		if err := p.lacks(s); err != nil { // who pressed the button sees it
			p.round.begin(at)
			p.round.add("failed", err.Error())
			p.round.end(at)
			return Report{}, err
		}
	}
	if p.due != nil {
		results, err := s.guarded(ctx, p, at, only)
		if len(results) == 0 && err == nil {
			results = []Result{{Outcome: "empty"}}
		}
		return Report{Job: name, Results: results}, err
	}
	if only == nil {
		var err error
		if only, err = s.owners(ctx, p); err != nil {
			return Report{}, err
		}
	}
	p.round.begin(s.st.Now())
	defer func() { p.round.end(s.st.Now()) }()
	report := Report{Job: name}
	var faults []error
	for _, m := range only {
		r, err := s.byHand(ctx, p, m, at)
		report.Results = append(report.Results, r)
		if err != nil {
			faults = append(faults, err)
		}
	}
	return report, errors.Join(faults...)
}

// farBack is how old the slot of a run by hand may be.
const farBack = 32 * 24 * time.Hour

func (s *Scheduler) byHand(ctx context.Context, p *timed, m store.Manager, at time.Time) (Result, error) {
	r := Result{Manager: m.Login, Slot: string(store.DateOf(at, m.Location()))} // without a schedule the day is the slot
	working, err := s.working(ctx, p)
	if err != nil {
		return r, err
	}
	for until := at; !p.again; {
		slot, ok := p.latest(m.Location(), until, farBack-at.Sub(until))
		if ok && !working(m, slotDay(slot.name)) {
			until = slot.at.Add(-time.Second)
			continue
		}
		if ok {
			r.Slot = slot.name
		}
		break
	}
	run, err := s.once(ctx, p, m, r.Slot, at, p.again)
	r.Outcome, r.Detail = run.Outcome, run.Detail
	if err != nil {
		r.Outcome, r.Detail = "failed", err.Error()
		if m.Login != "" {
			err = fmt.Errorf("%s of %s: %w", p.name, m.Login, err)
		}
	} else if r.Outcome == "failed" && p.of == theHouse {
		err = fmt.Errorf("%s: %s", p.name, r.Detail)
	}
	return r, err
}
