package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// On SQLite the statements of a transaction do not watch its context, but the
// transaction does: nothing of one that was cancelled is kept, and the error
// says why.
func TestWriteCancelled(t *testing.T) {
	s, err := Open(context.Background(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err = s.write(ctx, func(x *tx) error {
		cancel()
		for range 10_000 { // database/sql ends the transaction in a goroutine
			if _, err := x.exec(`INSERT INTO settings (name, value) VALUES ('x', 'y') ON CONFLICT DO NOTHING`); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	var n int
	if err := s.r.QueryRow(`SELECT COUNT(*) FROM settings WHERE name = 'x'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows were kept, %v", n, err)
	}
	if err := s.write(context.Background(), func(x *tx) error { // the writer is free again
		_, err := x.exec(`INSERT INTO settings (name, value) VALUES ('x', 'y')`)
		return err
	}); err != nil {
		t.Error(err)
	}
}
