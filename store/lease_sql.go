package store

import (
	"context"
	"slices"
)

// SharesMailboxes reports whether several daemons may be at work on this
// database.
func (s *Store) SharesMailboxes() bool { return s.dialect == postgresDialect }

// HoldMailboxes says that the daemon is alive, takes or gives up mailboxes of
// those named, and tells which it holds from now on for LeaseLife.
func (s *Store) HoldMailboxes(ctx context.Context, daemon string, names []string) (held []Lease, err error) {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	err = s.write(ctx, func(t *tx) error {
		held = nil
		if err := t.alone(leaseWork); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO daemons (id, until) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET until = excluded.until`, daemon, t.now.Add(LeaseLife).Unix()); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM daemons WHERE until < $1`, t.now.Unix()); err != nil {
			return err
		}
		alive := map[string]bool{}
		err := t.rows(`SELECT id FROM daemons`, nil, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			alive[id] = true
			return err
		})
		if err != nil {
			return err
		}
		all, err := t.leases(wanted)
		if err != nil {
			return err
		}
		if len(all) < len(wanted) { // not registered yet
			if _, err := t.exec(`INSERT INTO mailboxes (name) SELECT value FROM `+t.s.dialect.texts("$1")+` AS names WHERE true ON CONFLICT (name) DO NOTHING`, asJSON(names)); err != nil {
				return err
			}
			if all, err = t.leases(wanted); err != nil {
				return err
			}
		}
		take, drop := shareOut(all, daemon, alive)
		if err := t.lease(drop, ""); err != nil {
			return err
		}
		if err := t.lease(take, daemon); err != nil {
			return err
		}
		for _, r := range all {
			if r.owner == daemon && !slices.Contains(drop, r) {
				held = append(held, Lease{r.name, r.token})
			}
		}
		for _, r := range take {
			held = append(held, Lease{r.name, r.token + 1})
		}
		return nil
	})
	return held, err
}

// leases are the mailboxes of those names, in an order that stays.
func (t *tx) leases(wanted map[string]bool) (all []leaseRow, err error) {
	err = t.rows(`SELECT id, name, lease_owner, lease_token FROM mailboxes ORDER BY id`, nil, func(scan func(...any) error) error {
		var r leaseRow
		err := scan(&r.id, &r.name, &r.owner, &r.token)
		if wanted[r.name] {
			all = append(all, r)
		}
		return err
	})
	return all, err
}

// lease gives mailboxes to a daemon, "" to none; its token counts the takers.
func (t *tx) lease(rows []leaseRow, to string) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	taken := 0
	if to != "" {
		taken = 1
	}
	_, err := t.exec(`UPDATE mailboxes SET lease_owner = $1, lease_token = lease_token + $2 WHERE id IN `+t.s.dialect.ids("$3"), to, taken, asJSON(ids))
	return err
}

// LeaveMailboxes gives up all that a daemon holds, at once: it stops.
func (s *Store) LeaveMailboxes(ctx context.Context, daemon string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.alone(leaseWork); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM daemons WHERE id = $1`, daemon); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE mailboxes SET lease_owner = '' WHERE lease_owner = $1`, daemon)
		return err
	})
}

// writeFenced is write for what is known of a mailbox.
func (s *Store) writeFenced(ctx context.Context, fn func(*tx) error) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.fenced(); err != nil {
			return err
		}
		return fn(t)
	})
}

// fenced fails where the context has a lease that another daemon has taken
// over; else nobody takes it while the transaction lasts.
func (t *tx) fenced() error {
	l, ok := t.ctx.Value(leaseKey{}).(Lease)
	if !ok {
		return nil
	}
	var token int64
	err := t.row(`SELECT lease_token FROM mailboxes WHERE name = $1`+t.s.dialect.forUpdate(), []any{l.Mailbox}, &token)
	if err == nil && token != l.Token {
		err = ErrFenced
	}
	return err
}
