package scheduler

import (
	"context"
	"errors"
	"strings"
	"time"

	"intouch/store"
)

// BookSync brings in what has changed in the address books that the settings
// name. said is a line for people, "" where nothing has changed; it is valid
// also beside an error.
type BookSync func(ctx context.Context) (said string, err error)

// booksJob is the name of the job in the ledger and on the command line.
const booksJob = "addressbooks"

func lacksBooks(s *Scheduler) error {
	if s.opt.Books == nil {
		return errors.New("the settings have no [[addressbook]]")
	}
	return nil
}

// runBooks runs the job for a slot, and writes what came of it into the
// ledger, unless it was interrupted. The error is the ledger's.
func (s *Scheduler) runBooks(ctx context.Context, _ store.Manager, slot string, _ time.Time) (store.Run, error) {
	run := store.Run{Job: booksJob, Slot: slot, Started: s.st.Now(), Outcome: "done"}
	said, err := s.opt.Books(ctx)
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
