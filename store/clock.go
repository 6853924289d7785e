package store

import (
	"context"
	"database/sql"
	"math"
	"sync"
	"time"
)

// serverClock is PostgreSQL's clock. Several daemons on one database compare
// their times, of leases and of what is due, so that all go by its clock: a
// host whose own is wrong takes nothing too early. Between two looks at it time
// passes by the host's monotonic clock, which nobody sets.
type serverClock struct {
	host func() time.Time

	mu       sync.Mutex
	said, at time.Time // what the server said, and when by the host
}

// clockCheck is how long a look at the server's clock counts.
const clockCheck = 10 * time.Second

func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Add(c.host().Sub(c.at))
}

// old reports whether it is time for another look.
func (c *serverClock) old() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.host().Sub(c.at)
	return age > clockCheck || age < 0
}

// look asks the server.
func (c *serverClock) look(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) error {
	var said time.Time
	if err := db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&said); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said, c.at = said, c.host()
	return nil
}

// unknownNewest is later than any time: an earlier process may have written by a
// clock that was ahead.
const unknownNewest = math.MaxInt64

// noteTime remembers the newest time by which something was written, so that it
// is seen when the clock is put back (WakeMails).
func (s *Store) noteTime(now time.Time) {
	for at := now.Unix(); ; {
		if was := s.newest.Load(); at <= was || s.newest.CompareAndSwap(was, at) {
			return
		}
	}
}

// lookAtClock makes the transaction's time the database's at this moment,
// where the store goes by it.
func (t *tx) lookAtClock() error {
	if t.s.server == nil {
		return nil
	}
	if err := t.s.server.look(t.ctx, t.Tx); err != nil {
		return err
	}
	t.now = t.s.now()
	return nil
}
