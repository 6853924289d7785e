package scheduler

import (
	"context"
	"errors"
	"strings"
	"time"

	"intouch/store"
)

// Chore is a job of the house that another part of the program does. said is a
// line for people, "" where nothing has changed; it is valid also beside an
// error.
type Chore func(ctx context.Context) (said string, err error)

// chore makes a job of a Chore; lacks says why there is none where of gives
// nil. It is done by hand as often as asked, also for a day that the ledger
// has, since who asks wants to see what has come since.
func chore(name, cron string, late time.Duration, of func(*Scheduler) Chore, lacks string) job {
	return job{
		name: name, of: theHouse, cron: cron, late: late, again: true,
		lacks: func(s *Scheduler) error {
			if of(s) == nil {
				return errors.New(lacks)
			}
			return nil
		},
		run: func(s *Scheduler, ctx context.Context, _ store.Manager, slot string, _ time.Time) (store.Run, error) {
			return s.runChore(ctx, name, slot, of(s))
		},
	}
}

// runChore does a chore for a slot, and writes what came of it into the
// ledger, unless it was interrupted. The error is the ledger's.
func (s *Scheduler) runChore(ctx context.Context, name, slot string, do Chore) (store.Run, error) {
	run := store.Run{Job: name, Slot: slot, Started: s.st.Now(), Outcome: "done"}
	said, err := do(ctx)
	if ctx.Err() != nil {
		return run, ctx.Err()
	}
	run.Detail = said
	switch {
	case err != nil:
		run.Outcome, run.Detail = "failed", strings.TrimPrefix(said+"; "+err.Error(), "; ")
	case said == "":
		run.Outcome = "empty"
	}
	return run, s.st.RecordQuietRun(ctx, run)
}

// cleanUp removes what grows without end.
func (s *Scheduler) cleanUp() Chore {
	return func(ctx context.Context) (string, error) {
		r, err := s.st.CleanUp(ctx, s.opt.Kept)
		return r.String(), err
	}
}
