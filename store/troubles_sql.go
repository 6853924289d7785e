package store

import (
	"context"
	"path/filepath"
	"strings"
	"time"
)

// WaitingMails are those that were written before a moment and still wait.
func (s *Store) WaitingMails(ctx context.Context, before time.Time) (w WaitingMails, err error) {
	err = s.read(ctx, func(t *tx) error {
		if err := t.row(`SELECT COUNT(*), MIN(created) FROM outbox WHERE state = 'queued' AND created < $1`, []any{before.Unix()}, &w.Count, timeInto{&w.Oldest}); err != nil || w.Count == 0 {
			return err
		}
		if why, err := t.outboxLock(); err != nil {
			return err
		} else if why != "" {
			w.LastError = ErrOutboxLocked.Error()
			return nil
		}
		return ignoreNotFound(t.row(`SELECT last_error FROM outbox WHERE state = 'queued' AND created < $1 AND last_error <> '' ORDER BY next_try DESC LIMIT 1`, []any{before.Unix()}, &w.LastError))
	})
	return w, err
}

// RefusedRecipients lists the addresses to which mails written since a moment
// were refused for good, the newest first, with what is known of the newest.
func (s *Store) RefusedRecipients(ctx context.Context, since time.Time, limit int) (out []RefusedRecipient, err error) {
	err = s.read(ctx, func(t *tx) error {
		owners := map[string]map[int64]string{}
		err := t.rows(`SELECT rcpt_to, owner_id, subject FROM outbox WHERE id IN (SELECT MAX(id) FROM outbox
			WHERE state = 'failed' AND created >= $1 AND owner_id <> 0 GROUP BY rcpt_to, owner_id)`, []any{since.Unix()}, func(scan func(...any) error) error {
			var address, subject string
			var id int64
			err := scan(&address, &id, &subject)
			if owners[address] == nil {
				owners[address] = map[int64]string{}
			}
			owners[address][id] = subject
			return err
		})
		if err != nil {
			return err
		}
		return t.rows(`SELECT f.rcpt_to, f.last_error, f.next_try,
			EXISTS (SELECT 1 FROM outbox s WHERE s.id > f.id AND s.state = 'sent' AND s.rcpt_to = f.rcpt_to)
			FROM outbox f WHERE f.state = 'failed' AND f.created >= $1
			AND f.id = (SELECT MAX(o.id) FROM outbox o WHERE o.state = 'failed' AND o.created >= $1 AND o.rcpt_to = f.rcpt_to)
			ORDER BY f.id DESC LIMIT $2`, []any{since.Unix(), limit}, func(scan func(...any) error) error {
			var r RefusedRecipient
			if err := scan(&r.Address, &r.Reason, timeInto{&r.At}, &r.Delivered); err != nil {
				return err
			}
			r.Owners = owners[r.Address]
			out = append(out, r)
			return nil
		})
	})
	return out, err
}

// RunsOf lists the runs of one job that were started since a moment, oldest
// first.
func (s *Store) RunsOf(ctx context.Context, job string, since time.Time) ([]Run, error) {
	return s.runs(ctx, `job = $1 AND started >= $2 ORDER BY started, slot`, job, since.Unix())
}

// Disk is the room where the database file is; zero where that cannot be told:
// with PostgreSQL it is elsewhere.
func (s *Store) Disk() Disk {
	path, ok := strings.CutPrefix(s.opt.URL, "sqlite:")
	if !ok {
		return Disk{}
	}
	return diskOf(filepath.Dir(path))
}
