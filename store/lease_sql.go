package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
		if err := t.lookAtClock(); err != nil {
			return err
		}
		if err := t.stayAlive(daemon, names); err != nil {
			return err
		}
		wants, err := t.wants()
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
		take, drop := shareOut(all, daemon, wants)
		if err := t.lease(drop, ""); err != nil {
			return err
		}
		if err := t.lease(take, daemon); err != nil {
			return err
		}
		gone := make(map[int64]bool, len(drop))
		for _, r := range drop {
			gone[r.id] = true
		}
		for _, r := range all {
			if r.owner == daemon && !gone[r.id] {
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

// stayAlive says that a daemon is alive, and forgets those that are not. Nobody
// is for longer than LeaseLife: what says so was written by a clock that was
// ahead, or by hand, and would keep its mailboxes from all others until then.
func (t *tx) stayAlive(daemon string, names []string) error {
	until := t.now.Add(LeaseLife).Unix()
	n, err := t.exec(`UPDATE daemons SET until = $2 WHERE id = $1`, daemon, until)
	if err != nil {
		return err
	}
	if n == 0 {
		list := asJSON(names)
		if _, err := t.exec(`INSERT INTO daemons (id, until, mailboxes, mailboxes_hash) VALUES ($1, $2, $3, $4)`, daemon, until, list, fmt.Sprintf("%x", sha256.Sum256([]byte(list)))); err != nil {
			return err
		}
	}
	if _, err = t.exec(`UPDATE daemons SET until = $1 WHERE until > $2`, until, t.now.Add(2*LeaseLife).Unix()); err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM daemons WHERE until < $1`, t.now.Unix())
	return err
}

// wants is what each daemon that is alive has in its settings, nil everything.
// The lists are long, and read once only.
func (t *tx) wants() (map[string]map[string]bool, error) {
	t.s.wanted.Lock()
	defer t.s.wanted.Unlock()
	known, hashes := t.s.wanted.sets, map[string]string{}
	sets := map[string]map[string]bool{"": nil}
	err := t.rows(`SELECT id, mailboxes_hash FROM daemons`, nil, func(scan func(...any) error) error {
		var id, hash string
		err := scan(&id, &hash)
		hashes[id] = hash
		return err
	})
	if err != nil {
		return nil, err
	}
	wants := make(map[string]map[string]bool, len(hashes))
	for id, hash := range hashes {
		set, read := sets[hash]
		if !read {
			if set, read = known[hash]; !read {
				if set, err = t.mailboxSet(id); err != nil {
					return nil, err
				}
			}
			sets[hash] = set
		}
		wants[id] = set
	}
	t.s.wanted.sets = sets
	return wants, nil
}

// mailboxSet is what one daemon has in its settings.
func (t *tx) mailboxSet(daemon string) (map[string]bool, error) {
	var list string
	if err := t.row(`SELECT mailboxes FROM daemons WHERE id = $1`, []any{daemon}, &list); err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal([]byte(list), &names); err != nil {
		return nil, fmt.Errorf("mailboxes of daemon %s: %w", daemon, err)
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set, nil
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
