package store

import (
	"context"
	"slices"
)

// MergedTables are those of whose client merging knows.
func MergedTables() []string {
	out := slices.Clone(clientRest)
	for _, r := range clientRows {
		out = append(out, r.name)
	}
	return out
}

// Exec makes the database one that an older version left.
func (s *Store) Exec(ctx context.Context, queries ...string) error {
	return s.write(ctx, func(t *tx) error {
		for _, q := range queries {
			if _, err := t.exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}
