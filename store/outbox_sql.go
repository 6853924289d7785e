package store

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// RecordRun writes the run and its mails in one transaction. ErrAlreadyRan
// when the ledger has that job, owner and slot; then nothing is written.
func (s *Store) RecordRun(ctx context.Context, r Run, mails ...Mail) error {
	return s.RecordRuns(ctx, []Run{r}, mails...)
}

// RecordRuns is RecordRun for several runs with mails in common: all are
// written, or, when the ledger has one of them, none.
func (s *Store) RecordRuns(ctx context.Context, runs []Run, mails ...Mail) error {
	return s.write(ctx, func(t *tx) error {
		for _, r := range runs {
			n, err := t.exec(`INSERT INTO runs (job, owner_id, slot, started, finished, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, owner_id, slot) DO NOTHING`,
				r.Job, r.OwnerID, r.Slot, unix(r.Started), t.now.Unix(), r.Outcome, clip(clean(r.Detail), 2000))
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrAlreadyRan
			}
		}
		for _, m := range mails {
			m.OwnerID = cmp.Or(m.OwnerID, runs[0].OwnerID)
			if err := t.putMail(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// RecordQuietRun is RecordRun for a job that mostly finds nothing to do: of
// its runs that were empty only the last one stays in the ledger.
func (s *Store) RecordQuietRun(ctx context.Context, r Run) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM runs WHERE job = $1 AND owner_id = $2 AND (outcome = 'empty' OR slot = $3)`, r.Job, r.OwnerID, r.Slot); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO runs (job, owner_id, slot, started, finished, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, owner_id, slot) DO NOTHING`,
			r.Job, r.OwnerID, r.Slot, unix(r.Started), t.now.Unix(), r.Outcome, clip(clean(r.Detail), 2000))
		return err
	})
}

// putMail queues a mail; a key that is there already queues nothing, nor does a
// kind of mail that its manager has turned off.
func (t *tx) putMail(m Mail) error {
	if wanted, err := t.wanted(m); err != nil || !wanted {
		return err
	}
	if err := t.saveSheet(m); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO outbox (key, message_id, mail_from, rcpt_to, subject, bytes, owner_id, copy_to, state, next_try, created, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $9, $10)
		ON CONFLICT (key) DO NOTHING`, m.Key, m.MessageID, m.From, m.To, clip(clean(m.Subject), 500), m.Bytes, m.OwnerID, m.CopyTo, t.now.Unix(), t.now.Add(GiveUp).Unix())
	return err
}

// Ran reports whether the ledger has a run for that job, owner and slot.
func (s *Store) Ran(ctx context.Context, job string, ownerID int64, slot string) (ran bool, err error) {
	err = s.read(ctx, func(t *tx) error {
		var one int
		err := t.row(`SELECT 1 FROM runs WHERE job = $1 AND owner_id = $2 AND slot = $3`, []any{job, ownerID, slot}, &one)
		ran = err == nil
		return ignoreNotFound(err)
	})
	return ran, err
}

// RanAt is when the run of that job, owner and slot was started; ErrNotFound.
func (s *Store) RanAt(ctx context.Context, job string, ownerID int64, slot string) (at time.Time, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT started FROM runs WHERE job = $1 AND owner_id = $2 AND slot = $3`, []any{job, ownerID, slot}, timeInto{&at})
	})
	return at, err
}

// Runs lists the newest runs, without what managers were reminded of.
func (s *Store) Runs(ctx context.Context, limit int) (out []Run, err error) {
	return s.runs(ctx, "outcome <> $1 ORDER BY started DESC, job, owner_id LIMIT $2", told, limit)
}

// FailedRuns lists the newest runs that have failed since then.
func (s *Store) FailedRuns(ctx context.Context, since time.Time, limit int) ([]Run, error) {
	return s.runs(ctx, "outcome = 'failed' AND started >= $1 ORDER BY started DESC, job, owner_id LIMIT $2", unix(since), limit)
}

// runs are those of the ledger for which the rest of the query says which.
func (s *Store) runs(ctx context.Context, rest string, args ...any) (out []Run, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT job, owner_id, slot, started, finished, outcome, detail FROM runs WHERE `+rest, args, func(scan func(...any) error) error {
			var r Run
			if err := scan(&r.Job, &r.OwnerID, &r.Slot, timeInto{&r.Started}, timeInto{&r.Finished}, &r.Outcome, &r.Detail); err != nil {
				return err
			}
			out = append(out, r)
			return nil
		})
	})
	return out, err
}

// ClaimMails takes up to limit due mails for delivery and keeps others from
// them until the lease ends, which HoldMails puts off; ErrOutboxLocked where
// nothing may leave. What a daemon that dies has claimed is free when its lease
// is over.
func (s *Store) ClaimMails(ctx context.Context, limit int, lease time.Duration) (out []OutboxMail, err error) {
	err = s.write(ctx, func(t *tx) error {
		out = nil
		if why, err := t.outboxLock(); err != nil {
			return err
		} else if why != "" {
			return ErrOutboxLocked
		}
		err := t.rows(`SELECT id, key, message_id, mail_from, rcpt_to, subject, bytes, owner_id, tries, last_error, created, until FROM outbox
			WHERE state = 'queued' AND next_try <= $1 ORDER BY next_try, id LIMIT $2`+s.dialect.skipLocked(), []any{t.now.Unix(), limit}, func(scan func(...any) error) error {
			m := OutboxMail{State: Queued}
			if err := scan(&m.ID, &m.Key, &m.MessageID, &m.From, &m.To, &m.Subject, &m.Bytes, &m.OwnerID, &m.Tries, &m.LastError, timeInto{&m.Created}, timeInto{&m.Until}); err != nil {
				return err
			}
			m.Tries++
			out = append(out, m)
			return nil
		})
		if err != nil || len(out) == 0 {
			return err
		}
		ids := make([]int64, len(out))
		for i, m := range out {
			ids[i] = m.ID
		}
		_, err = t.exec(`UPDATE outbox SET tries = tries + 1, next_try = $1, claimed_until = $1 WHERE id IN `+s.dialect.ids("$2"), t.now.Add(lease).Unix(), asJSON(ids))
		return err
	})
	return out, err
}

// HoldMails puts off the end of the lease of claimed mails.
func (s *Store) HoldMails(ctx context.Context, ids []int64, lease time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET next_try = $1, claimed_until = $1 WHERE state = 'queued' AND id IN `+s.dialect.ids("$2"), t.now.Add(lease).Unix(), asJSON(ids))
		return err
	})
}

// FreeMails gives back claimed mails that were not tried: they are due at once,
// before those that were.
func (s *Store) FreeMails(ctx context.Context, ids []int64, reason string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET next_try = $1, claimed_until = 0, tries = tries - 1, last_error = CASE WHEN $2 = '' THEN last_error ELSE $2 END WHERE state = 'queued' AND id IN `+s.dialect.ids("$3"),
			t.now.Unix(), clip(clean(reason), 1000), asJSON(ids))
		return err
	})
}

// MailSent notes that the server took the mail.
func (s *Store) MailSent(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO sent_copies (id, mailbox, message_id, bytes, sent) SELECT id, copy_to, message_id, bytes, $2 FROM outbox WHERE id = $1 AND copy_to <> '' AND state = 'queued' ON CONFLICT (id) DO NOTHING`, id, t.now.Unix())
		if err != nil {
			return err
		}
		return t.mailOutcome(`UPDATE outbox SET state = 'sent', claimed_until = 0, sent_at = $2, last_error = '', bytes = $3 WHERE id = $1`, id, t.now.Unix(), []byte{})
	})
}

// MailRetry notes a try that may succeed after a wait.
func (s *Store) MailRetry(ctx context.Context, id int64, wait time.Duration, reason string) error {
	return s.write(ctx, func(t *tx) error {
		return t.mailOutcome(`UPDATE outbox SET next_try = $2, claimed_until = 0, last_error = $3 WHERE id = $1`, id, t.now.Add(wait).Unix(), clip(clean(reason), 1000))
	})
}

// MailFailed notes that the mail will not be tried again: from now on NextTry is
// when that was decided. One that somebody dropped while it was tried stays
// dropped.
func (s *Store) MailFailed(ctx context.Context, id int64, reason string) error {
	return s.write(ctx, func(t *tx) error {
		return t.mailOutcome(`UPDATE outbox SET state = CASE state WHEN 'dropped' THEN state ELSE 'failed' END, claimed_until = 0, last_error = $2, next_try = $3 WHERE id = $1`, id, clip(clean(reason), 1000), t.now.Unix())
	})
}

func (t *tx) mailOutcome(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// FailedMails lists mails, newest first and without bytes, that were refused or
// given up since then; NextTry is when.
func (s *Store) FailedMails(ctx context.Context, since time.Time, limit int) (out []OutboxMail, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.mails(`state = 'failed' AND next_try >= $2`, limit, since.Unix())
		return err
	})
	return out, err
}

// NextMail is when the next queued mail is due; zero when none is queued.
func (s *Store) NextMail(ctx context.Context) (next time.Time, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT MIN(next_try) FROM outbox WHERE state = 'queued'`, nil, timeInto{&next})
	})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return next, err
}

// Outbox summarises the outbox with its newest mails.
func (s *Store) Outbox(ctx context.Context, limit int) (sum OutboxSummary, err error) {
	err = s.read(ctx, func(t *tx) error {
		err := t.row(`SELECT COUNT(*) FILTER (WHERE state = 'queued'), COUNT(*) FILTER (WHERE state = 'sent'), COUNT(*) FILTER (WHERE state = 'failed'),
			MIN(created) FILTER (WHERE state = 'queued') FROM outbox`, nil, &sum.Queued, &sum.Sent, &sum.Failed, timeInto{&sum.OldestQueued})
		if err != nil {
			return err
		}
		if sum.Locked, err = t.outboxLock(); err != nil {
			return err
		}
		sum.Recent, err = t.mails(`1 = 1`, limit)
		return err
	})
	return sum, err
}

// OutboxMails lists mails of one state, all where it is "", newest first and
// without bytes.
func (s *Store) OutboxMails(ctx context.Context, state OutboxState, limit int) (out []OutboxMail, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.mails(`($2 = '' OR state = $2)`, limit, state)
		return err
	})
	return out, err
}

// UndeliveredMails lists the mails of a manager that were not delivered since
// a moment, newest first and without bytes.
func (s *Store) UndeliveredMails(ctx context.Context, managerID int64, since time.Time, limit int) (out []OutboxMail, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.mails(`state = 'failed' AND owner_id = $2 AND created >= $3`, limit, managerID, since.Unix())
		return err
	})
	return out, err
}

// mails reads without bytes; $1 of where is the limit.
func (t *tx) mails(where string, limit int, args ...any) (out []OutboxMail, err error) {
	err = t.rows(`SELECT id, key, message_id, mail_from, rcpt_to, subject, owner_id, state, tries, next_try, claimed_until, last_error, created, until, sent_at FROM outbox
		WHERE `+where+` ORDER BY id DESC LIMIT $1`, append([]any{limit}, args...), func(scan func(...any) error) error {
		var m OutboxMail
		if err := scan(&m.ID, &m.Key, &m.MessageID, &m.From, &m.To, &m.Subject, &m.OwnerID, &m.State, &m.Tries, timeInto{&m.NextTry}, timeInto{&m.ClaimedUntil}, &m.LastError,
			timeInto{&m.Created}, timeInto{&m.Until}, timeInto{&m.SentAt}); err != nil {
			return err
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

// OutboxMail reads one mail, with its bytes unless it was sent or dropped;
// ErrNotFound.
func (s *Store) OutboxMail(ctx context.Context, id int64) (m OutboxMail, err error) {
	err = s.read(ctx, func(t *tx) error {
		list, err := t.mails(`id = $2`, 1, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return ErrNotFound
		}
		m = list[0]
		return t.row(`SELECT bytes FROM outbox WHERE id = $1`, []any{id}, &m.Bytes)
	})
	return m, err
}

// WakeMails makes due, where the clock was put back, what waits for a time that
// only one that was ahead has given it: what was not tried yet, and what waits
// for longer than any mail does. What is being delivered is left alone.
func (s *Store) WakeMails(ctx context.Context, longest time.Duration) error {
	if s.now().Unix() >= s.newest.Load() {
		return nil
	}
	err := s.write(ctx, func(t *tx) error {
		s.newest.Store(t.now.Unix())
		_, err := t.exec(`UPDATE outbox SET next_try = $1 WHERE state = 'queued' AND claimed_until = 0 AND next_try > $1 AND (tries = 0 OR next_try > $2)`, t.now.Unix(), t.now.Add(longest).Unix())
		return err
	})
	if err != nil {
		s.newest.Store(unknownNewest) // again
	}
	return err
}

// RetryMails tries mails that wait or that were refused now and, once more,
// for as long as new ones. How many; others are left alone, as are those that a
// daemon is delivering at this moment: they would go out twice.
func (s *Store) RetryMails(ctx context.Context, ids []int64) (n int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE outbox SET state = 'queued', next_try = $1, until = $2 WHERE state IN ('queued', 'failed') AND claimed_until <= $1 AND length(bytes) > 0 AND id IN `+s.dialect.ids("$3"),
			t.now.Unix(), t.now.Add(GiveUp).Unix(), asJSON(ids))
		return err
	})
	return n, err
}

// DropMails keeps mails that wait or that were refused from going out for
// good. How many; others are left alone.
func (s *Store) DropMails(ctx context.Context, ids []int64) (n int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err = t.exec(`UPDATE outbox SET state = 'dropped', bytes = $1 WHERE state IN ('queued', 'failed') AND id IN `+s.dialect.ids("$2"), []byte{}, asJSON(ids))
		return err
	})
	return n, err
}
