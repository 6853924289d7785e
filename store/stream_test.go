package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// Those who receive a listing slowly keep others from listings, and from
// nothing else.
func TestStream_SlowReaders(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := Open(ctx, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Render: func(*EntryView) []byte { return []byte("x") }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.patience = 10 * time.Millisecond
	m, _, err := s.SaveManager(ctx, Actor{}, ManagerRow{Login: "anna", Name: "Anna", TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	col, err := s.Collection(ctx, m.ID, "current")
	if err != nil {
		t.Fatal(err)
	}
	reading, read, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	list := func(head func(Collection) error) error {
		return s.Entries(ctx, col.ID, time.Time{}, time.Time{}, 0, head, func(*Entry) error { return nil })
	}
	slow := func(Collection) error { reading <- struct{}{}; <-read; return nil }
	for range cap(s.streams) {
		go func() { ended <- list(slow) }()
		<-reading
	}
	if err := list(nil); !errors.Is(err, ErrBusy) {
		t.Errorf("one listing too many: %v", err)
	}
	if _, err := s.Collections(ctx, m.ID); err != nil {
		t.Errorf("the calendars meanwhile: %v", err)
	}
	if _, known := s.Generation(t.Context()); !known {
		t.Error("no generation meanwhile")
	}
	close(read)
	for range cap(s.streams) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := list(nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
