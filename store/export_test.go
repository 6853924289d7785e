package store

import (
	"context"
	"slices"
	"time"
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

// SetHostClock makes the host's clock of a store on PostgreSQL wrong by what
// off says. Like one that was set by hand it has no monotonic reading.
func (s *Store) SetHostClock(off func() time.Duration) {
	s.server.host = func() time.Time { return time.Now().Round(0).Add(off()) }
}
