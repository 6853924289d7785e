package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

func openAt(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// oneMail is a store with one mail that waits.
func oneMail(t *testing.T, s *store.Store, key string) {
	t.Helper()
	err := s.RecordRun(t.Context(), store.Run{Job: "digest", OwnerID: 1, Slot: key, Started: s.Now(), Outcome: "queued"},
		store.Mail{Key: key, MessageID: "<" + key + "@vector.test>", From: "intouch@vector.test", To: "anna@vector.test", Subject: "Monday", Bytes: []byte("text of " + key)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBackup: what is restored holds what was there at the backup's moment,
// sends nothing before it is armed, and no file is ever written over.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "intouch.db"))
	oneMail(t, s, "before")
	backup := filepath.Join(dir, "backups", "monday.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	oneMail(t, s, "after")
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: letters are in it", info.Mode(), err)
	}
	if err := s.Backup(t.Context(), backup); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a backup: %v", err)
	}

	path := filepath.Join(dir, "restored", "intouch.db")
	opt := store.Options{URL: "sqlite:" + path}
	if err := store.Restore(t.Context(), backup, opt); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), backup, opt); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a database: %v", err)
	}
	restored := openAt(t, path)
	if mails, err := restored.ClaimMails(t.Context(), 10, time.Minute); !errors.Is(err, store.ErrOutboxLocked) || len(mails) != 0 {
		t.Errorf("a restored database gives out %d mails, %v", len(mails), err)
	}
	if sum, err := restored.Outbox(t.Context(), 10); err != nil || sum.Queued != 1 || sum.Locked != store.LockRestored {
		t.Errorf("%+v, %v", sum, err)
	}
	if err := restored.ArmOutbox(t.Context()); err != nil {
		t.Fatal(err)
	}
	if mails, err := restored.ClaimMails(t.Context(), 10, time.Minute); err != nil || len(mails) != 1 || string(mails[0].Bytes) != "text of before" {
		t.Errorf("armed: %v, %v", mails, err)
	}
	if mails, err := s.ClaimMails(t.Context(), 10, time.Minute); err != nil || len(mails) != 2 {
		t.Errorf("the original: %d mails, %v", len(mails), err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.part*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRestore_refuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inUse := filepath.Join(dir, "used.db")
	oneMail(t, openAt(t, inUse), "a")
	whole := filepath.Join(dir, "whole.db")
	if err := openAt(t, filepath.Join(dir, "other.db")).Backup(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, says string }{
		"text":     {write("letter.txt", strings.Repeat("no database ", 100)), "no database"},
		"empty":    {write("empty.db", ""), "no database of Intouch"},
		"cut":      {write("cut.db", string(text[:len(text)/2])), "damaged"},
		"missing":  {filepath.Join(dir, "missing.db"), "no such file"},
		"used":     {inUse, "in use"},
		"a folder": {dir, "not a file"},
	} {
		to := filepath.Join(dir, "to.db")
		err := store.Restore(t.Context(), c.file, store.Options{URL: "sqlite:" + to})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
	}
}

// TestBackup_whileWritten: a copy made in the middle of writing is whole.
func TestBackup_whileWritten(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "intouch.db"))
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			s.RecordRuns(ctx, []store.Run{{Job: "a", Slot: time.Duration(n).String()}, {Job: "b", Slot: time.Duration(n).String()}})
		}
		written <- n
	}()
	for i := range 3 {
		backup := filepath.Join(dir, "backup", string('a'+rune(i))+".db")
		if err := s.Backup(t.Context(), backup); err != nil {
			t.Fatal(err)
		}
		runs, err := openAt(t, backup).Runs(t.Context(), 100000)
		if err != nil || len(runs)%2 != 0 {
			t.Errorf("%d runs, %v: half a transaction", len(runs), err)
		}
	}
	stop()
	if n := <-written; n == 0 {
		t.Error("nothing was written meanwhile")
	}
}

func TestBackup_postgres(t *testing.T) {
	s := storetest.Postgres(t, store.Options{})
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("%v", err)
	}
}

// TestOutboxLock_copied: a database that was copied by hand is noticed, one
// that was only renamed, or opened again, is not.
func TestOutboxLock_copied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "intouch.db")
	s := openAt(t, path)
	oneMail(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied, moved := filepath.Join(dir, "copied.db"), filepath.Join(dir, "moved.db")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if why, err := openAt(t, moved).OutboxLocked(t.Context()); err != nil || why != "" {
		t.Errorf("renamed: %q, %v", why, err)
	}
	c := openAt(t, copied)
	switch why, err := c.OutboxLocked(t.Context()); {
	case err != nil:
		t.Fatal(err)
	case why == "":
		t.Skip("SKIPPED: this file system does not tell when a file was made")
	case why != store.LockCopied:
		t.Errorf("copied: %q", why)
	}
	if _, err := c.ClaimMails(t.Context(), 1, time.Minute); !errors.Is(err, store.ErrOutboxLocked) {
		t.Errorf("copied: %v", err)
	}
	if err := c.ArmOutbox(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if mails, err := openAt(t, copied).ClaimMails(t.Context(), 1, time.Minute); err != nil || len(mails) != 1 {
		t.Errorf("armed: %d, %v", len(mails), err)
	}
}

// TestOutboxLock_postgres: a database made from another one is noticed.
func TestOutboxLock_postgres(t *testing.T) {
	url := storetest.PostgresURL(t)
	open := func(url string) *store.Store {
		s, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open(url)
	oneMail(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(url)
	if why, err := s.OutboxLocked(t.Context()); err != nil || why != "" {
		t.Errorf("opened again: %q, %v", why, err)
	}
	if err := s.Close(); err != nil { // a template may have no connections
		t.Fatal(err)
	}
	if why, err := open(storetest.PostgresCopy(t, url)).OutboxLocked(t.Context()); err != nil || why != store.LockCopied {
		t.Errorf("copied: %q, %v", why, err)
	}
}
