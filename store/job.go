package store

import "time"

// JobState is what is known of a job of the scheduler beside the ledger: what
// comes next, and how its last round went.
type JobState struct {
	Name     string
	Schedule string    // cron expression, or one of the words below
	Owners   int       // managers for whom it is done; 0: for the house
	Next     time.Time // the earliest of its owners; zero: never
	// Last is the newest round: Started, Finished, Outcome, Detail. Without
	// Started there was none.
	Last   Run
	Panics int64     // ever
	Asked  time.Time // when somebody asked for a run by hand that waits; zero: nobody
}

// Schedules that are no cron expressions.
const (
	EachMinute = "minute" // what is due is looked for each minute
	Always     = "always" // done as it comes
	Never      = "never"  // switched off, or the settings lack what it needs
)
