package store

import (
	"context"
	"time"
)

// SentCopy is a mail that was delivered in a manager's name to somebody else,
// of which the Sent folder of a mailbox is to have a copy.
type SentCopy struct {
	ID        int64
	MessageID string // with brackets
	Bytes     []byte // as it was sent
	Sent      time.Time
}

// SentCopies are those behind the one with that id that a mailbox is to have
// and has not, in the order in which they were written; none while the outbox
// is locked: the original may see to them.
func (s *Store) SentCopies(ctx context.Context, mailbox string, after int64, limit int) (out []SentCopy, err error) {
	err = s.read(ctx, func(t *tx) error {
		if why, err := t.outboxLock(); err != nil || why != "" {
			return err
		}
		return t.rows(`SELECT id, message_id, bytes, sent FROM sent_copies WHERE mailbox = $1 AND id > $2 ORDER BY id LIMIT $3`, []any{mailbox, after, limit}, func(scan func(...any) error) error {
			var c SentCopy
			err := scan(&c.ID, &c.MessageID, &c.Bytes, timeInto{&c.Sent})
			out = append(out, c)
			return err
		})
	})
	return out, err
}

// SentCopyDone notes that the mailbox has the copy, or will not get it.
func (s *Store) SentCopyDone(ctx context.Context, id int64) error {
	return s.writeFenced(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM sent_copies WHERE id = $1`, id)
		return err
	})
}
