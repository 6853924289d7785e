package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names of the backups that are made by the clock: their moment, in UTC.
const (
	backupName = "intouch-20060102T150405Z.db"
	backupLike = "intouch-*.db"
)

// BackupInto makes a backup in a directory, named by the moment, and then
// removes the oldest of those that were made so beyond keep (at least 1), and
// what a crash left of one. Other files there are let alone.
func (s *Store) BackupInto(ctx context.Context, dir string, keep int) (file string, removed int, err error) {
	file = filepath.Join(dir, s.now().Format(backupName))
	if err := s.Backup(ctx, file); err != nil {
		return "", 0, err
	}
	all, err := Backups(dir)
	if err != nil {
		return file, 0, err
	}
	parts, err := filepath.Glob(filepath.Join(dir, backupLike+".part*"))
	if err != nil {
		return file, 0, err
	}
	for _, old := range all[:max(len(all)-max(keep, 1), 0)] {
		if old == file { // the clock was set back
			continue
		}
		if err := os.Remove(old); err != nil {
			return file, removed, fmt.Errorf("the backup %s is made, but an old one is not removed: %w", file, err)
		}
		removed++
	}
	for _, part := range parts {
		if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return file, removed, err
		}
	}
	return file, removed, nil
}

// Backups are the files in a directory that BackupInto has made, oldest first.
func Backups(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if _, err := time.Parse(backupName, e.Name()); err == nil && e.Type().IsRegular() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(files)
	return files, err
}

// KeepsBackups reports whether Backup works with the database of that URL.
func KeepsBackups(url string) bool { return strings.HasPrefix(url, "sqlite:") }
