package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"intouch/store"
)

// round is what a job did at one time, for all its owners.
type round struct {
	mu     sync.Mutex
	last   store.Run        // the one that has ended: Started, Finished, Outcome, Detail
	panics int64            // not yet told
	total  map[string]int64 // outcomes since the process began
	good   time.Time        // the newest round without a failure
	// Of the one that goes on.
	started  time.Time
	outcomes map[string]int
	detail   string
}

// begin begins a round that something is done in.
func (r *round) begin(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started, r.outcomes, r.detail = at, map[string]int{}, ""
}

// add adds what came of it for one owner.
func (r *round) add(outcome, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outcomes == nil { // one by hand beside it has ended both
		r.outcomes = map[string]int{}
	}
	r.outcomes[outcome]++
	if r.total == nil {
		r.total = map[string]int64{}
	}
	r.total[outcome]++
	r.detail = cmp.Or(detail, r.detail)
}

// end sums the round up: the worst outcome, and how many there were of each.
func (r *round) end(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.outcomes) == 0 {
		r.outcomes = map[string]int{"empty": 1}
	}
	if r.outcomes["failed"] == 0 {
		r.good = at
	}
	r.last = store.Run{Started: r.started, Finished: at, Detail: r.detail}
	var counts []string
	total := 0
	for _, o := range []string{"failed", "queued", "done", "empty", alreadyRan} {
		n := r.outcomes[o]
		if n == 0 {
			continue
		}
		r.last.Outcome = cmp.Or(r.last.Outcome, o)
		counts = append(counts, fmt.Sprintf("%d %s", n, o))
		total += n
	}
	if total > 1 {
		r.last.Detail = strings.Join(counts, ", ")
	}
	r.outcomes = nil
}

func (r *round) panicked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.panics++
}

// tell is what the store does not know yet.
func (r *round) tell() (last store.Run, panics int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	panics, r.panics = r.panics, 0
	return r.last, panics
}

// Tally is what this process has done of a job.
type Tally struct {
	Job      string
	Outcomes map[string]int64 // for how many owners a round ended so: failed, queued, done, empty …
	// LastSuccess is when its newest round without a failure ended, zero none.
	LastSuccess time.Time
}

// Tallies tells what this process has done of each job since it began.
func (s *Scheduler) Tallies() []Tally {
	var out []Tally
	for _, p := range s.jobs {
		p.round.mu.Lock()
		out = append(out, Tally{p.name, maps.Clone(p.round.total), p.round.good})
		p.round.mu.Unlock()
	}
	return out
}

// States are the jobs as they stand by the settings: when each comes next,
// and what this process has done of it.
func (s *Scheduler) States(ctx context.Context) ([]store.JobState, error) {
	managers, err := s.st.Managers(ctx)
	if err != nil {
		return nil, err
	}
	now := s.st.Now()
	var out []store.JobState
	for _, p := range s.jobs {
		state := store.JobState{Name: p.name, Schedule: store.Never}
		state.Last, state.Panics = p.round.tell()
		all := s.among(managers, p.of)
		if p.of != theHouse {
			state.Owners = len(all)
		}
		switch {
		case p.lacks != nil && p.lacks(s) != nil:
		case p.loop:
			state.Schedule = store.Always
		case p.due != nil:
			state.Schedule = store.EachMinute
			state.Next = now.Truncate(time.Minute).Add(time.Minute)
		case !p.never():
			state.Schedule = p.expr
			type clock struct {
				zone  string
				hours store.WorkHours
			}
			asked := map[clock]bool{}
			working, err := s.working(ctx, p)
			if err != nil {
				return nil, err
			}
			for _, m := range all {
				c := clock{m.TimeZone, m.WorkHours}
				if asked[c] {
					continue
				}
				asked[c] = true
				if next, ok := s.next(p, m, now, working); ok && (state.Next.IsZero() || next.at.Before(state.Next)) {
					state.Next = next.at
				}
			}
		}
		out = append(out, state)
	}
	slices.SortFunc(out, func(a, b store.JobState) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// next is the first slot of a job after a moment that is on a day on which it
// is done.
func (s *Scheduler) next(p *timed, m store.Manager, after time.Time, working func(store.Manager, store.Date) bool) (slot, bool) {
	for range 100 { // of a job that is done at weekends alone there is none
		n, ok := p.schedule.next(m.Location(), after)
		if !ok || working(m, slotDay(n.name)) {
			return n, ok
		}
		after = n.at
	}
	return slot{}, false
}

// publish tells the store how the jobs stand, for the status page.
func (s *Scheduler) publish(ctx context.Context) {
	states, err := s.States(ctx)
	if err == nil {
		err = s.st.SaveJobs(ctx, states)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("state of the jobs could not be noted", "err", err)
	}
}

// answer runs what somebody asked for on the status page.
func (s *Scheduler) answer(ctx context.Context) {
	for {
		changed := s.st.Changed() // before looking, so that nothing slips between
		names, err := s.st.TakeAsked(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("jobs that were asked for could not be read", "err", err)
		}
		for _, name := range names {
			report, err := s.RunJob(ctx, name, time.Time{}, "")
			s.log.Info("job run by hand", "job", name, "results", len(report.Results), "err", err)
		}
		// At most one look a second, however busy the store is.
		if !pause(ctx, nil, time.Second) || !pause(ctx, changed, time.Minute) {
			return
		}
	}
}
