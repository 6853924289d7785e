package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// Each kind is kept for its time; what waits is never removed.
func TestStore_CleanUp(t *testing.T) {
	began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	now := began
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		ctx, day := t.Context(), 24*time.Hour
		now = began
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range 100 {
			must(st.RecordRun(ctx, store.Run{Job: "digest", Slot: string(store.DateOf(now, time.UTC)), Started: now, Outcome: "queued"},
				store.Mail{Key: fmt.Sprint(n), From: "a@vector.test", To: "b@vector.test", Subject: fmt.Sprint(n), Bytes: []byte("x")}))
			if n%10 != 0 { // each tenth waits
				mails, err := st.ClaimMails(ctx, 100, time.Minute)
				must(err)
				for _, m := range mails {
					if m.Subject == fmt.Sprint(n) {
						must(st.MailSent(ctx, m.ID))
					}
				}
			}
			now = now.Add(day)
		}
		count := func() (runs, mails int) {
			all, err := st.Runs(ctx, 1000)
			must(err)
			sum, err := st.Outbox(ctx, 1000)
			must(err)
			return len(all), len(sum.Recent)
		}
		r, err := st.CleanUp(ctx, store.Kept{})
		if err != nil || r.String() != "" {
			t.Errorf("kept for ever: %s, %v", r, err)
		}
		r, err = st.CleanUp(ctx, store.Kept{Ledger: 60 * day, Mails: 30 * day})
		if err != nil || r.String() != "removed 40 rows of the ledger, 63 mails" {
			t.Errorf("%s, %v", r, err)
		}
		runs, mails := count()
		if runs != 60 || mails != 37 {
			t.Errorf("%d runs and %d mails are left", runs, mails)
		}
		// The ledger is what keeps jobs from running twice.
		if r, err = st.CleanUp(ctx, store.Kept{Ledger: time.Second}); err != nil || r.Runs != 20 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Backups are named by their moment, the newest are kept, and nothing else in
// the directory is touched.
func TestStore_BackupInto(t *testing.T) {
	now := time.Date(2026, 11, 25, 2, 30, 0, 0, time.UTC)
	st := storetest.SQLite(t, store.Options{Now: func() time.Time { return now }})
	dir := filepath.Join(t.TempDir(), "backups")
	list := func() string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	for range 3 {
		if _, _, err := st.BackupInto(t.Context(), dir, 2); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
	}
	if got := list(); got != "intouch-20261126T023000Z.db intouch-20261127T023000Z.db" {
		t.Error(got)
	}
	for _, name := range []string{"intouch-20261101T023000Z.db.part", "intouch-my-own.db", "notes.txt", "intouch-20261101T023000Z.db.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, removed, err := st.BackupInto(t.Context(), dir, 0)
	if err != nil || removed != 2 || filepath.Base(file) != "intouch-20261128T023000Z.db" {
		t.Error(file, removed, err)
	}
	if got := list(); got != "intouch-20261101T023000Z.db.gz intouch-20261128T023000Z.db intouch-my-own.db notes.txt" {
		t.Error(got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	// One that fails says so, and the old ones stay.
	if _, _, err := st.BackupInto(t.Context(), dir, 1); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	if _, _, err := st.BackupInto(t.Context(), filepath.Join(dir, "notes.txt"), 1); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Error(err)
	}
	if got := list(); !strings.Contains(got, "intouch-20261128T023000Z.db") || strings.Contains(got, ".part") {
		t.Error(got)
	}
}
