package store_test

import (
	"testing"

	"golang.org/x/sync/errgroup"

	"intouch/store"
	"intouch/store/storetest"
)

// TestOpen_connections: a daemon opens no more connections to PostgreSQL than
// it may, keeps them for the next who asks, and everybody gets a turn.
func TestOpen_connections(t *testing.T) {
	url := storetest.PostgresURL(t)
	if s, err := store.Open(ctx, store.Options{URL: url, Connections: store.MinConnections - 1}); err == nil {
		s.Close()
		t.Error("opened with fewer connections than are needed")
	}
	s, err := store.Open(ctx, store.Options{URL: url, Connections: store.MinConnections})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all errgroup.Group
	for range 50 {
		all.Go(func() error {
			for range 20 {
				if _, err := s.LastRegistration(ctx); err != nil {
					return err
				}
				if err := s.SaveMailboxes(ctx, map[string]string{"shared": ""}); err != nil {
					return err
				}
				if err := s.EachContact(ctx, func(*store.Exported) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	pool := s.Health().Pools[0].DBStats
	if pool.MaxOpenConnections != store.MinConnections || pool.OpenConnections > store.MinConnections {
		t.Errorf("%d connections are open, of %d", pool.OpenConnections, pool.MaxOpenConnections)
	}
	if pool.MaxIdleClosed > 0 {
		t.Errorf("%d connections were closed though somebody needed one the next moment", pool.MaxIdleClosed)
	}
}
