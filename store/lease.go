package store

import (
	"context"
	"errors"
	"time"
)

// Several daemons on one database share out the mailboxes: each says every few
// seconds that it is alive, and takes its share of those that nobody alive
// holds. A lease is the right to follow a mailbox; its token is one higher for
// each taker, and every write of a mailbox checks it, so that a daemon that was
// stopped for a while and thinks it still holds a mailbox cannot write.

const (
	// LeaseLife is for how long a daemon counts as alive after it said so.
	LeaseLife = 30 * time.Second
	// LeaseBeat is how often it says so.
	LeaseBeat = 5 * time.Second
)

// Lease of a mailbox.
type Lease struct {
	Mailbox string
	Token   int64
}

// ErrFenced is what a write gets whose lease another daemon has taken over.
var ErrFenced = errors.New("the mailbox is another daemon's by now")

type leaseKey struct{}

// WithLease is a context whose writes of the mailbox check the lease. Without
// one nothing is checked: commands that run once, and a database that is one
// daemon's own.
func WithLease(ctx context.Context, l Lease) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

// leaseRow is a mailbox and who holds it; "" nobody.
type leaseRow struct {
	id    int64
	name  string
	owner string
	token int64
}

// shareOut says which of the mailboxes a daemon takes and which it gives up, so
// that all that are alive hold the same number, but for one. It takes none from
// another that is alive: that one gives them up itself when it sees us.
func shareOut(all []leaseRow, me string, alive map[string]bool) (take, drop []leaseRow) {
	share := (len(all) + len(alive) - 1) / max(1, len(alive))
	var mine, free []leaseRow
	for _, r := range all {
		switch {
		case r.owner == me:
			mine = append(mine, r)
		case !alive[r.owner]:
			free = append(free, r)
		}
	}
	if len(mine) > share {
		return nil, mine[share:]
	}
	return free[:min(len(free), share-len(mine))], nil
}
