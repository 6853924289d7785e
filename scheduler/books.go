package scheduler

import (
	"context"
	"errors"
	"fmt"
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

// tickBooks brings in the address books when their slot has come.
func (s *Scheduler) tickBooks(ctx context.Context) {
	if s.opt.Books == nil || s.books.never() {
		return
	}
	slot, ok := s.books.latest(s.house(), s.st.Now(), lateness)
	if !ok {
		return
	}
	ran, err := s.st.Ran(ctx, booksJob, 0, slot.name)
	if err == nil && !ran {
		var run store.Run
		if run, err = s.runBooks(ctx, slot.name); run.Outcome == "failed" {
			s.log.Warn("address books could not be brought in", "job", booksJob, "err", run.Detail)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("the ledger could not be written", "job", booksJob, "err", err)
	}
}

// runBooks runs the job for a slot, and writes what came of it into the
// ledger, unless it was interrupted. The error is the ledger's.
func (s *Scheduler) runBooks(ctx context.Context, slot string) (store.Run, error) {
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

// jobBooks runs the job by hand: also for a slot that the ledger has, since
// who asks wants to see what has come since.
func (s *Scheduler) jobBooks(ctx context.Context, at time.Time, _ []store.Manager) ([]Result, error) {
	if s.opt.Books == nil {
		return nil, errors.New("the settings have no [[addressbook]]")
	}
	slot, ok := s.books.latest(s.house(), at, byHand)
	if !ok {
		slot.name = string(store.DateOf(at, s.house()))
	}
	run, err := s.runBooks(ctx, slot.name)
	if err == nil && run.Outcome == "failed" {
		err = fmt.Errorf("address books: %s", run.Detail)
	}
	return []Result{{Slot: slot.name, Outcome: run.Outcome, Detail: run.Detail}}, err
}
