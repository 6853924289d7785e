package store

import "context"

// KeysIn tells which of the keys lie in one of the named folders of a
// mailbox: letters there are excluded wherever else in it they lie.
func (s *Store) KeysIn(ctx context.Context, mailboxID int64, folders, keys []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(folders) == 0 || len(keys) == 0 {
		return out, nil
	}
	err := s.read(ctx, func(t *tx) error {
		// "+" keeps SQLite from going through the whole folders by their primary key.
		return t.rows(`SELECT l.message_key FROM letters l JOIN folders f ON f.id = +l.folder_id AND f.uid_validity = +l.uid_validity
			WHERE l.message_key IN `+s.dialect.texts("$1")+` AND f.mailbox_id = $2 AND f.name IN `+s.dialect.texts("$3"),
			[]any{asJSON(keys), mailboxID, asJSON(folders)}, func(scan func(...any) error) error {
				var key string
				err := scan(&key)
				out[key] = true
				return err
			})
	})
	return out, err
}
