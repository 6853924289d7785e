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

// Schemas are the versions of the schema, from the first.
func Schemas(ctx context.Context) (versions []int64, err error) {
	s, err := connect(ctx, Options{URL: "sqlite::memory:"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := s.schemas()
	if err != nil {
		return nil, err
	}
	for _, source := range p.ListSources() {
		versions = append(versions, source.Version)
	}
	return versions, nil
}

// MakeSchema makes the database of a program that knew that version.
func MakeSchema(ctx context.Context, url string, version int64) error {
	s, err := connect(ctx, Options{URL: url})
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.schemas()
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	return err
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
