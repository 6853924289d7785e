package store

import (
	"context"
	"errors"
	"slices"
)

// SetPrivate makes the thread of a letter private, or open again, for a
// manager who took part in it; others get ErrForbidden. Texts that were not
// kept while it was private do not come back.
func (s *Store) SetPrivate(ctx context.Context, actor Actor, contactID int64, private bool) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.contact(contactID)
		if err != nil {
			return err
		}
		if !slices.Contains(c.Managers, actor.ManagerID) {
			return ErrForbidden
		}
		if c.Thread == "" {
			return invalid("thread", "is not a letter")
		}
		return t.setPrivate(actor, c.Thread, private)
	})
}

// setPrivate marks the letters of a thread.
func (t *tx) setPrivate(actor Actor, thread string, private bool) error {
	var changed []int64
	err := t.rows(`UPDATE contacts SET private = $1, changed = $2, version = version + 1 WHERE thread = $3 AND thread <> '' AND private <> $1 RETURNING id, COALESCE(client_id, 0)`,
		[]any{private, t.now.Unix(), thread}, func(scan func(...any) error) error {
			var id, client int64
			err := scan(&id, &client)
			changed = append(changed, id)
			t.touchCards(client) // their last contact
			return err
		})
	if err != nil {
		return err
	}
	verb := "open"
	if private {
		verb = "private"
	}
	for _, id := range changed {
		if err := t.remember(actor, "contact", id, verb, nil); err != nil {
			return err
		}
		// Only what stands in a calendar already: letters seldom do.
		if err := t.touchShown(ItemKey{ID: id}); err != nil {
			return err
		}
	}
	return nil
}

// touchShown marks an item that has an entry in some calendar.
func (t *tx) touchShown(k ItemKey) error {
	var one int
	err := t.row(`SELECT 1 FROM entries WHERE item = $1 AND NOT gone LIMIT 1`, []any{k.String()}, &one)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	t.touch(k)
	return err
}

// threadPrivate reports whether a letter of the thread is private.
func (t *tx) threadPrivate(thread string) (bool, error) {
	var one int
	err := t.row(`SELECT 1 FROM contacts WHERE thread = $1 AND thread <> '' AND private LIMIT 1`, []any{thread}, &one)
	return err == nil, ignoreNotFound(err)
}
