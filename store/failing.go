package store

import "time"

// FailingMailbox is a mailbox that has not been read for a while, though it
// was tried again and again.
type FailingMailbox struct {
	MailboxState
	OAuth bool // it is opened with a token, which "intouchd mailbox login" gave
}

// stillTried is how recent the newest failure of a failing mailbox must be.
// The pauses between tries are minutes: one that is not tried any more was
// taken out of the settings, or no daemon runs.
const stillTried = time.Hour
