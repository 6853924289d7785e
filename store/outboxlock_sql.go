package store

import (
	"context"
	"fmt"
	"strings"
)

// findHome learns where the database is. A new one is at home where it was
// made, and so is one of a version that did not ask.
func (s *Store) findHome(ctx context.Context) error {
	s.learnHome(ctx)
	known := 0
	err := s.read(ctx, func(t *tx) error { return t.row(`SELECT COUNT(*) FROM outbox_lock`, nil, &known) })
	if err != nil || known > 0 {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO outbox_lock (id, home, why, since) VALUES (1, $1, '', $2) ON CONFLICT (id) DO NOTHING`, s.home, t.now.Unix())
		return err
	})
}

// learnHome finds out where the database is now.
func (s *Store) learnHome(ctx context.Context) {
	if path, ok := strings.CutPrefix(s.opt.URL, "sqlite:"); ok {
		s.home = fileHome(path)
	} else {
		// A role may be kept from reading it: then a copy is not noticed.
		const q = `SELECT c.system_identifier::text || '/' || d.oid::text FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()`
		if err := s.r.QueryRowContext(ctx, q).Scan(&s.home); err != nil {
			s.home = ""
		}
	}
}

// outboxLock compares. Where either place is unknown there is nothing to
// compare.
func (t *tx) outboxLock() (why OutboxLock, err error) {
	var home string
	if err := t.row(`SELECT home, why FROM outbox_lock WHERE id = 1`, nil, &home, &why); err != nil {
		return "", fmt.Errorf("read the lock of the outbox: %w", err)
	}
	if why == "" && home != "" && t.s.home != "" && home != t.s.home {
		why = LockCopied
	}
	return why, nil
}

// OutboxLocked tells why nothing is sent; "" when mails leave.
func (s *Store) OutboxLocked(ctx context.Context) (why OutboxLock, err error) {
	err = s.read(ctx, func(t *tx) error {
		why, err = t.outboxLock()
		return err
	})
	return why, err
}

// ArmOutbox lets mails, and what webhooks are told, leave this database from
// here on.
func (s *Store) ArmOutbox(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE outbox_lock SET home = $1, why = '', since = $2 WHERE id = 1`, s.home, t.now.Unix())
		return err
	})
}

// lockOutbox keeps everything in.
func (s *Store) lockOutbox(ctx context.Context, why OutboxLock) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE outbox_lock SET why = $1, since = $2 WHERE id = 1`, why, t.now.Unix())
		return err
	})
}
