package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Several daemons on one database share out the mailboxes: each says every few
// seconds that it is alive, and takes its share of those that nobody alive
// holds. A lease is the right to follow a mailbox; its token is one higher for
// each taker, and every write of a mailbox checks it, so that a daemon that was
// stopped for a while and thinks it still holds a mailbox cannot write.

const (
	// LeaseLife is for how long a daemon counts as alive after it said so, by
	// the database's clock.
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

// wantedSets are the sets of mailboxes, by their hash, that the daemons that
// were alive at the last look have in their settings.
type wantedSets struct {
	sync.Mutex
	sets map[string]map[string]bool
}

// shareOut says which of the mailboxes a daemon takes and which it gives up, so
// that of those that the same daemons have in their settings, each holds the
// same number, but for one. wants is what each daemon that is alive has there,
// nil everything. It takes none from another that is alive: that one gives them
// up itself when it sees us.
func shareOut(all []leaseRow, me string, wants map[string]map[string]bool) (take, drop []leaseRow) {
	daemons := slices.Sorted(maps.Keys(wants))
	type class struct{ daemons, mailboxes, mine int }
	classes := map[string]*class{}
	of := make([]*class, len(all))
	for i, r := range all {
		who, n := make([]byte, len(daemons)), 0
		for d, id := range daemons {
			if w := wants[id]; w == nil || w[r.name] {
				who[d] = 1
				n++
			}
		}
		c := classes[string(who)]
		if c == nil {
			c = &class{daemons: n}
			classes[string(who)] = c
		}
		c.mailboxes++
		of[i] = c
	}
	share := func(c *class) int { return (c.mailboxes + c.daemons - 1) / max(1, c.daemons) }
	for i, r := range all {
		if r.owner == me {
			of[i].mine++
			if of[i].mine > share(of[i]) {
				drop = append(drop, r)
			}
		}
	}
	for i, r := range all {
		if _, alive := wants[r.owner]; !alive && of[i].mine < share(of[i]) {
			of[i].mine++
			take = append(take, r)
		}
	}
	return take, drop
}
