package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

func (p *program) moveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "move FROM [TO]",
		Short: "Carry everything into another, empty database: from SQLite to PostgreSQL, or back",
		Long: "Carries a whole installation from one database into another: \"intouchd move sqlite:/var/lib/intouch/intouch.db\n" +
			"postgres://intouch@db.vector.test/intouch\". Without TO it goes into the database of the settings. Stop serve first: the source can\n" +
			"be read meanwhile, and not written. TO must be empty. A move that was cut off goes on when the same command is given again.\n" +
			"Every table is read from both sides in the end: its rows and their checksum are printed, and must be the same.\n" +
			"Calendar programs and mailboxes go on where they were, since ids, ETags, sync tokens and cursors are carried; people log in to\n" +
			"the pages once more. The source stays as it was, but sends nothing and is not served until \"intouchd outbox arm\".\n" +
			"A password does not belong on a command line, where others on the machine see it: it stands in the settings, in\n" +
			"~/.pgpass or in the variable PGPASSWORD.",
		Args:      takes(cobra.RangeArgs(1, 2)),
		ValidArgs: []cobra.Completion{"sqlite:", "postgres://"},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, address := range args {
				if err := openAddress(address); err != nil {
					return err
				}
			}
			from, to := args[0], ""
			if len(args) == 2 {
				to = args[1]
			} else {
				cfg, err := p.config()
				if err != nil {
					return err
				}
				to = cfg.StoreURL
			}
			if from == to {
				return usage("move: FROM and TO are the same database")
			}
			if path, isFile := strings.CutPrefix(from, "sqlite:"); isFile {
				if _, err := os.Stat(path); err != nil { // else its lock would be made
					return err
				}
			}
			for _, address := range []string{from, to} {
				unlock, err := lockStore(address)
				if err != nil {
					return err
				}
				defer unlock()
			}
			log := newLog(Log{Level: slog.LevelInfo}, p.err)
			shown, began := newProgress(p.err, "rows"), time.Now()
			moved, err := store.Move(cmd.Context(), store.Options{URL: from, Log: log}, store.Options{URL: to, Log: log}, func(table string, rows, total int64) {
				shown.at(table, int(rows), int(total))
			})
			shown.end()
			if errors.Is(err, context.Canceled) {
				return errors.New("stopped; the same command goes on from here")
			} else if err != nil {
				return err
			} else if moved.Before {
				fmt.Fprintln(p.err, "moved before: all of it is there. Give the new address in the settings ([store] url) and start serve")
				return nil
			}
			var rows, bytes int64
			out := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			for _, t := range moved.Tables {
				rows, bytes = rows+t.Rows, bytes+t.Bytes
				fmt.Fprintf(out, "%s\t%d\t%s\n", t.Name, t.Rows, t.Sum)
			}
			if err := out.Flush(); err != nil {
				return err
			}
			for _, c := range moved.Changed {
				fmt.Fprintf(p.err, "intouchd: %s.%s: %d texts with bytes that PostgreSQL cannot hold came without them, the first in the row with key %s\n", c.Table, c.Column, c.Rows, c.First)
			}
			fmt.Fprintf(p.err, "moved: %d tables, %d rows, %.1f MB in %s; both sides are the same. Give the new address in the settings ([store] url) and start serve\n",
				len(moved.Tables), rows, float64(bytes)/1e6, time.Since(began).Round(time.Second))
			return nil
		},
	}
}

// openAddress refuses what is no address of a database, and a password in it,
// without saying the address again.
func openAddress(address string) error {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		if path == "" || strings.ContainsAny(path, "?#") || strings.HasPrefix(path, ":") {
			return usage("move: %q is not the path of a file, like sqlite:intouch.db", address)
		}
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return usage("move: an address must begin with sqlite: or postgres://")
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return usage("move: everybody on this machine can read a password in a command line: put it into PGPASSWORD or ~/.pgpass, or give TO as [store] url of the settings")
	}
	return nil
}
