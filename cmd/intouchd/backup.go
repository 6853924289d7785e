package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"intouch/store"
)

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
