package store

import (
	"context"
	"fmt"
	"time"
)

// cleanBatch is how many rows one transaction removes, so that others write in
// between.
const cleanBatch = 1000

// CleanUp removes what is older than kept. The rest that grows cleans itself:
// tombstones of calendars and cards when these are written, files of exchanges
// (CleanExchange), failed logins, answers to Idempotency-Keys, events that a
// webhook took. It also merges what searches read.
func (s *Store) CleanUp(ctx context.Context, kept Kept) (r CleanedReport, err error) {
	if kept.Ledger > 0 {
		kept.Ledger = max(kept.Ledger, MinLedger)
	}
	for _, c := range []struct {
		what  string
		n     *int64
		kept  time.Duration
		query string
	}{
		{"ledger", &r.Runs, kept.Ledger,
			`DELETE FROM runs WHERE (job, owner_id, slot) IN (SELECT job, owner_id, slot FROM runs WHERE started < $1 ORDER BY started LIMIT $2)`},
		{"reminders", &r.Runs, MinLedger, // they are many, and no clock is put back by more
			`DELETE FROM runs WHERE (job, owner_id, slot) IN (SELECT job, owner_id, slot FROM runs WHERE job = 'reminders' AND outcome = 'told' AND started < $1 LIMIT $2)`},
		{"outbox", &r.Mails, kept.Mails,
			`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state IN ('sent', 'failed', 'dropped') AND created < $1 ORDER BY id LIMIT $2)`},
		{"senders", &r.Senders, kept.Senders,
			`DELETE FROM senders WHERE (address, manager_id) IN (SELECT address, manager_id FROM senders WHERE last < $1 LIMIT $2)`},
		// A reply may be seen again as long as its mail's numbers are known.
		{"replies", &r.Replies, 2 * LinkLife,
			`DELETE FROM replies WHERE id IN (SELECT id FROM replies WHERE told > 0 AND at < $1 AND NOT EXISTS (SELECT 1 FROM answer_sheets s WHERE s.token = replies.sheet) ORDER BY id LIMIT $2)`},
		// Those of mailboxes that take no copies any more; the others give up by themselves.
		{"copies", &r.Copies, 2 * GiveUp,
			`DELETE FROM sent_copies WHERE id IN (SELECT id FROM sent_copies WHERE sent < $1 ORDER BY id LIMIT $2)`},
	} {
		for n := int64(cleanBatch); n == cleanBatch && c.kept > 0; {
			err := s.write(ctx, func(t *tx) (err error) {
				n, err = t.exec(c.query, t.now.Add(-c.kept).Unix(), cleanBatch)
				return err
			})
			if err != nil {
				return r, fmt.Errorf("clean up the %s: %w", c.what, err)
			}
			*c.n += n
		}
	}
	if _, err := s.sweep(ctx); err != nil {
		return r, fmt.Errorf("go on with an erasure: %w", err)
	}
	if kept.TextMonths > 0 {
		if r.Texts, err = s.dropTexts(ctx, s.Now().AddDate(0, -kept.TextMonths, 0)); err != nil {
			return r, fmt.Errorf("drop the texts of old letters: %w", err)
		}
	}
	return r, s.mergeWords(ctx)
}
