package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/mailsync"
	"intouch/store"
)

func (p *program) syncCommand() *cobra.Command {
	name, asJSON := "", false
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Read the mailboxes to their end once",
		Long: "Reads all mailboxes, or one, to their end once and prints the counts of each.\n" +
			"It may run beside serve: a letter that both see is filed once.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			shown := newProgress(p.err, "letters")
			syncer := newSyncer(cfg, st, mailsync.Options{Log: newLog(cfg.Log, p.err), Progress: shown.at})
			counts, err := syncer.Pass(cmd.Context(), name)
			shown.end()
			if errors.Is(err, mailsync.ErrNoMailbox) {
				return usage("sync: there is no mailbox %q in the settings", name)
			}
			if asJSON {
				printErr := writeCountsJSON(p.out, counts)
				return errors.Join(err, printErr)
			}
			return errors.Join(err, writeCounts(p.out, counts))
		},
	}
	cmd.Flags().StringVar(&name, "mailbox", "", "only the mailbox of that `NAME`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

var skipReasons = []store.Reason{store.Internal, store.Blocked, store.Automatic, store.Unknown}

func writeCounts(w io.Writer, counts []mailsync.Counts) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "MAILBOX\tFOLDERS\tLETTERS\tCAPTURED\tINTERNAL\tBLOCKED\tAUTOMATIC\tUNKNOWN\tNEW CONTACTS\tKNOWN BEFORE\tSTATE")
	for _, c := range counts {
		state := "complete"
		if c.Err != nil {
			state = "failed"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d", c.Mailbox, c.Folders, c.Seen, c.Captured)
		for _, r := range skipReasons {
			fmt.Fprintf(t, "\t%d", c.Skipped[r])
		}
		fmt.Fprintf(t, "\t%d\t%d\t%s\n", c.NewContacts, c.Known, state)
	}
	return t.Flush()
}

func writeCountsJSON(w io.Writer, counts []mailsync.Counts) error {
	enc := json.NewEncoder(w)
	for _, c := range counts {
		skipped := map[store.Reason]int{}
		for _, r := range skipReasons {
			skipped[r] = c.Skipped[r]
		}
		line := struct {
			Mailbox     string               `json:"mailbox"`
			Folders     int                  `json:"folders"`
			Letters     int                  `json:"letters"`
			Captured    int                  `json:"captured"`
			Skipped     map[store.Reason]int `json:"skipped"`
			NewContacts int                  `json:"new_contacts"`
			Known       int                  `json:"known_before"`
			Error       string               `json:"error,omitempty"`
		}{c.Mailbox, c.Folders, c.Seen, c.Captured, skipped, c.NewContacts, c.Known, ""}
		if c.Err != nil {
			line.Error = c.Err.Error()
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
