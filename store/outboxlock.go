package store

import "errors"

// OutboxLock is why nothing leaves the outbox, "" where mails are sent.
type OutboxLock string

const (
	// LockRestored: the database was restored from a backup.
	LockRestored OutboxLock = "restored"
	// LockCopied: the database is not where it was when somebody answered for
	// it last: another file (copied, or moved to another disk), or another
	// database or cluster of PostgreSQL (dumped and loaded).
	LockCopied OutboxLock = "copied"
	// LockMoved: Move carried everything to another database.
	LockMoved OutboxLock = "moved"
)

// ErrOutboxLocked: nothing is sent before ArmOutbox.
var ErrOutboxLocked = errors.New("nothing is sent: this database is a copy, and the original may have sent, or still send, what waits in it; look at \"intouchd outbox list\", then run \"intouchd outbox arm\"")
