package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"intouch/scheduler"
	"intouch/store"
)

// Backups are those that the job makes.
type Backups struct {
	Dir  string
	Keep int // how many
}

func (c *reading) backups(t *table) {
	c.cfg.Backups = Backups{Dir: c.path(t.text("dir", "backups")), Keep: t.number("keep", 7, 1, 1000)}
	if !t.has("dir") { // beside the database
		c.cfg.Backups.Dir = filepath.Join(c.cfg.StateDir, "backups")
	}
	if st, err := os.Stat(c.cfg.Backups.Dir); err == nil && !st.IsDir() {
		t.fault("dir", "%s is a file, and must be a directory", c.cfg.Backups.Dir)
	}
	if t.has("dir") && c.cfg.StoreURL != "" && !store.KeepsBackups(c.cfg.StoreURL) {
		t.fault("dir", "%v", store.ErrNoBackup)
	}
}

// cleanUp reads for how long is kept what grows without end.
func (c *reading) cleanUp(t *table) {
	days := func(key string, usual, least int) time.Duration {
		return time.Duration(t.number(key, usual, least, 36500)) * 24 * time.Hour
	}
	c.cfg.Kept = store.Kept{
		Ledger:  days("ledger_days", 400, int(store.MinLedger.Hours())/24),
		Mails:   days("mail_days", 90, 7),
		Senders: days("sender_days", 730, 30),

		TextMonths: t.number("text_months", 0, 0, 1200),
	}
}

// backupChore makes a backup of the settings' directory; nil for PostgreSQL.
func backupChore(st *store.Store, cfg *Config) scheduler.Chore {
	if !store.KeepsBackups(cfg.StoreURL) {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		file, removed, err := st.BackupInto(ctx, cfg.Backups.Dir, cfg.Backups.Keep)
		if file == "" {
			return "", err
		}
		said := file
		if info, err := os.Stat(file); err == nil {
			said = fmt.Sprintf("%s, %d bytes, checked", file, info.Size())
		}
		if removed > 0 {
			said += fmt.Sprintf("; %d old removed", removed)
		}
		return said, err
	}
}

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write an exact copy of the database to a new file, also while serve is running",
		Long: "Writes an exact copy of the database, as of one moment, to a new file that only its owner can read, and checks it.\n" +
			"Everything is in the database but the settings, and what lies beside it: the key of sessions, certificates.\n" +
			"A database of PostgreSQL is copied with pg_dump.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if err := st.Backup(cmd.Context(), args[0]); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(p.err, "%s: %d bytes\n", args[0], info.Size())
			return nil
		},
	}
}

func (p *program) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the database of the settings from a backup; its outbox is locked until \"outbox arm\"",
		Long: "Makes the database of the settings from a backup. It is never written over: move the old one away first.\n" +
			"What is restored sends nothing before \"intouchd outbox arm\", since what waits in it may have been sent after the backup was made.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			unlock, err := lockStore(cfg.StoreURL)
			if err != nil {
				return err
			}
			defer unlock()
			if err := store.Restore(cmd.Context(), args[0], storeOptions(cfg, newLog(cfg.Log, p.err))); err != nil {
				return err
			}
			fmt.Fprintf(p.err, "restored. Nothing is sent from it yet: look at \"intouchd outbox list\", then run \"intouchd outbox arm\"\n")
			return nil
		},
	}
}
