//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockStore makes this process the only daemon on a SQLite file: two would
// both follow the mailboxes and run the jobs. The lock ends with the process,
// however that ends. Other commands need none: each writes in transactions.
// Daemons on PostgreSQL share it out by leases in the database.
func lockStore(storeURL string) (unlock func(), err error) {
	db, isFile := strings.CutPrefix(storeURL, "sqlite:")
	if !isFile {
		return func() {}, nil
	}
	return lock(db)
}

// lock takes path.lock for this process.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the lock: %w", err)
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another intouchd (serve or demo) is running and holds %s.lock: stop it first", path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
