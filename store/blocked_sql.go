package store

import "context"

// BlockedValue is one line of the block list: an address or a domain.
type BlockedValue struct {
	Value    string
	Settings bool // stands in the settings, and can be taken off only there
}

// BlockValue is the form in which an address or domain stands in the block
// list.
func BlockValue(s string) (string, error) {
	v, err := Address(s)
	if err != nil {
		if v, err = Domain(s); err != nil {
			return "", invalid("blocked", "%q is neither an address nor a domain", clip(s, 80))
		}
	}
	return v, nil
}

// Block adds an address or a domain to the block list; false when it is there
// already. Letters captured before stay.
func (s *Store) Block(ctx context.Context, value string) (added bool, err error) {
	v, err := BlockValue(value)
	if err != nil {
		return false, err
	}
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO blocked_by_hand (value, added) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM blocked WHERE value = $1)
			ON CONFLICT DO NOTHING`, v, t.now.Unix())
		if err != nil || n == 0 {
			return err
		}
		added = true
		return t.directoryChanged()
	})
	return added, err
}

// Unblock takes an address or a domain off the block list. ErrNotFound where
// it is not on it, ErrForbidden where the settings put it there.
func (s *Store) Unblock(ctx context.Context, value string) error {
	v, err := BlockValue(value)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`DELETE FROM blocked_by_hand WHERE value = $1`, v)
		if err != nil {
			return err
		}
		if n == 0 {
			var one int
			if err := t.row(`SELECT 1 FROM blocked WHERE value = $1`, []any{v}, &one); err != nil {
				return err
			}
			return ErrForbidden
		}
		return t.directoryChanged()
	})
}

// BlockList is the whole block list, sorted.
func (s *Store) BlockList(ctx context.Context) (out []BlockedValue, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT value, 1 FROM blocked UNION ALL SELECT value, 0 FROM blocked_by_hand h
			WHERE NOT EXISTS (SELECT 1 FROM blocked b WHERE b.value = h.value) ORDER BY 1`, nil, func(scan func(...any) error) error {
			var b BlockedValue
			var settings int64
			err := scan(&b.Value, &settings)
			b.Settings = settings == 1
			out = append(out, b)
			return err
		})
	})
	return out, err
}
