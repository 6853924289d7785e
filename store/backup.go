package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoBackup: the database is PostgreSQL's, which has its own tools.
var ErrNoBackup = errors.New("backup and restore are for SQLite: a database of PostgreSQL is copied with pg_dump")

// Backup writes an exact copy of the database, as of one moment, to a new file
// that only its owner may read, while everything else goes on, and checks it.
// An error leaves no file. fs.ErrExist: there is one already.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.dialect != sqliteDialect {
		return ErrNoBackup
	}
	part, err := partOf(path)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	// A connection of its own: it reads for as long as the copy takes.
	db, err := openKept(fileURI(strings.TrimPrefix(s.opt.URL, "sqlite:"), "busy_timeout(10000)", "cache_size(-2000)"))
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, part); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := checkFile(ctx, part); err != nil {
		return fmt.Errorf("back up: the copy is damaged: %w", err)
	}
	return keepPart(part, path)
}

// Restore makes the database file of opt.URL from a backup, which it leaves as
// it is, and locks its outbox. It refuses to write over a database
// (fs.ErrExist). An error leaves nothing behind.
func Restore(ctx context.Context, backup string, opt Options) (err error) {
	path, ok := strings.CutPrefix(opt.URL, "sqlite:")
	if !ok {
		return ErrNoBackup
	}
	// What a file was not yet given back from its log would be missing.
	if wal, err := os.Stat(backup + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("restore: %s is a database in use, not a backup: make one with \"intouchd backup\"", backup)
	}
	part, err := partOf(path)
	if err != nil {
		return err
	}
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(part + suffix)
		}
	}()
	if err := copyFile(backup, part); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := checkFile(ctx, part); err != nil {
		return fmt.Errorf("restore: %s is no database, or a damaged one: %w", backup, err)
	}
	if ours, err := isOurs(ctx, part); err != nil || !ours {
		return errors.Join(fmt.Errorf("restore: %s is no database of Intouch", backup), err)
	}
	opt.URL = "sqlite:" + part
	s, err := Open(ctx, opt)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	err = s.lockOutbox(ctx, LockRestored)
	if err := errors.Join(err, s.Close()); err != nil { // closing empties the log into the file
		return fmt.Errorf("restore: %w", err)
	}
	return keepPart(part, path)
}

// partOf is the name under which path is written until it is whole.
func partOf(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{path, path + "-wal"} {
		if st, err := os.Stat(name); err == nil && (name == path || st.Size() > 0) {
			return "", &fs.PathError{Op: "write", Path: name, Err: fs.ErrExist}
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	part := path + ".part"
	for _, suffix := range []string{"", "-wal", "-shm"} { // of a try that was cut off
		if err := os.Remove(part + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	// VACUUM INTO takes an empty file, and so nobody else can read it.
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	return part, f.Close()
}

// keepPart gives what was written its name, on the disk for good and over no
// other file.
func keepPart(part, path string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(part, path); err != nil { // rename would write over
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Rename(part, path); err != nil { // a file system without links
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

// syncDir puts the names of a directory on the disk for good.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	dir.Sync() // not every file system can
	return dir.Close()
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if st, err := in.Stat(); err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", from)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func fileURI(path string, pragmas ...string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{"_pragma": pragmas, "_dqs": {"0"}}.Encode()
}

// checkFile reads a whole database file.
func checkFile(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", fileURI(path, "query_only(1)"))
	if err != nil {
		return err
	}
	defer db.Close()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return errors.New(clip(said, 300))
	}
	return nil
}

// isOurs keeps Open from making its tables in a database of somebody else.
func isOurs(ctx context.Context, path string) (bool, error) {
	db, err := sql.Open("sqlite", fileURI(path, "query_only(1)"))
	if err != nil {
		return false, err
	}
	defer db.Close()
	n := 0
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('goose_db_version', 'outbox', 'contacts')").Scan(&n)
	return n == 3, err
}
