package store

import (
	"context"
	"time"
)

// MailboxPartly notes a pass that read the mailbox except for some folders:
// it can be logged in to, so that it is no failing mailbox, but the fault
// shows.
func (s *Store) MailboxPartly(ctx context.Context, mailboxID int64, problem error) error {
	return s.writeFenced(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE mailboxes SET last_success = $1, last_error = $2, failed_at = 0,
			error_since = CASE WHEN error_since = 0 OR failed_at <> 0 THEN $1 ELSE error_since END WHERE id = $3`,
			t.now.Unix(), clip(clean(problem.Error()), 1000), mailboxID)
		return err
	})
}

// FailingMailboxes lists the mailboxes, by name, whose tries have all failed
// for at least that long: the newest failure is that much younger than the
// first. A daemon that was stopped meanwhile proves nothing.
func (s *Store) FailingMailboxes(ctx context.Context, long time.Duration) (out []FailingMailbox, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT m.id, m.name, m.manager_id, o.login, m.last_success, m.last_error, m.error_since, m.letters, m.captured,
			CASE WHEN a.mailbox_id IS NULL THEN 0 ELSE 1 END
			FROM mailboxes m LEFT JOIN managers o ON o.id = m.manager_id LEFT JOIN oauth_tokens a ON a.mailbox_id = m.id
			WHERE m.failed_at > 0 AND m.failed_at > $1 AND m.failed_at - m.error_since >= $2 ORDER BY m.name`,
			[]any{t.now.Add(-stillTried).Unix(), int64(long / time.Second)}, func(scan func(...any) error) error {
				var b FailingMailbox
				var token int
				if err := scan(&b.ID, &b.Name, idInto{&b.ManagerID}, textInto{&b.ManagerLogin}, timeInto{&b.LastSuccess}, &b.LastError, timeInto{&b.ErrorSince},
					&b.Letters, &b.Captured, &token); err != nil {
					return err
				}
				b.OAuth = token == 1
				out = append(out, b)
				return nil
			})
	})
	return out, err
}
