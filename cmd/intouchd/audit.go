package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/mailsync"
	"intouch/scheduler"
	"intouch/store"
)

func (p *program) auditCommand() *cobra.Command {
	name, asJSON, repair := "", false, false
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Hold every letter in the mailboxes against the database",
		Long: "Compares the mailboxes with the database: every letter is captured, skipped with a\n" +
			"reason, older than the mailbox is read (since), or missing. Missing letters are named;\n" +
			"with --repair they are read. Letters that came in since the last sync are missing until\n" +
			"they are read. Exit code 1 when something is missing or a mailbox cannot be read.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			syncer := newSyncer(cfg, st, mailsync.Options{Log: newLog(cfg.Log, p.err)})
			audits, err := syncer.Audit(cmd.Context(), name, repair)
			if errors.Is(err, mailsync.ErrNoMailbox) {
				return usage("audit: there is no mailbox %q in the settings", name)
			}
			write := writeAudits
			if asJSON {
				write = writeAuditsJSON
			}
			return errors.Join(err, write(p.out, audits), auditFaults(audits))
		},
	}
	cmd.Flags().StringVar(&name, "mailbox", "", "only the mailbox of that `NAME`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a folder and line")
	cmd.Flags().BoolVar(&repair, "repair", false, "read what is missing")
	return cmd
}

// auditChore holds the mailboxes against the database as a job; what is
// missing makes it fail, and is read by the command (--repair).
func auditChore(st *store.Store, cfg *Config, log *slog.Logger) scheduler.Chore {
	if len(cfg.Mailboxes) == 0 {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		audits, err := newSyncer(cfg, st, mailsync.Options{Log: log.With("part", "audit")}).Audit(ctx, "", false)
		if err != nil {
			return "", err
		}
		var letters, captured, skipped, older int
		for _, a := range audits {
			letters, captured, older = letters+a.Letters, captured+a.Captured, older+a.Older
			for _, n := range a.Skipped {
				skipped += n
			}
		}
		return fmt.Sprintf("%d letters: %d captured, %d skipped, %d older than the mailbox is read", letters, captured, skipped, older), auditFaults(audits)
	}
}

// auditFaults are what the audit found wrong.
func auditFaults(audits []mailsync.Audit) error {
	var errs []error
	for _, a := range audits {
		where := a.Mailbox
		if a.Folder != "" {
			where += ", " + a.Folder
		}
		if a.Err != nil {
			errs = append(errs, fmt.Errorf("mailbox %s: %w", where, a.Err))
		}
		if n := len(a.Missing) + a.Unlisted; n > 0 {
			errs = append(errs, fmt.Errorf("mailbox %s: %d letters are missing", where, n))
		}
	}
	return errors.Join(errs...)
}

func writeAudits(w io.Writer, audits []mailsync.Audit) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "MAILBOX\tFOLDER\tLETTERS\tCAPTURED\tINTERNAL\tBLOCKED\tAUTOMATIC\tUNKNOWN\tOLDER\tMISSING\tREPAIRED\tSTATE")
	for _, a := range audits {
		state := "complete"
		switch {
		case a.Err != nil:
			state = "failed"
		case len(a.Missing) > 0:
			state = "incomplete"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d", a.Mailbox, a.Folder, a.Letters, a.Captured)
		for _, r := range skipReasons {
			fmt.Fprintf(t, "\t%d", a.Skipped[r])
		}
		fmt.Fprintf(t, "\t%d\t%d\t%d\t%s\n", a.Older, len(a.Missing)+a.Unlisted, a.Repaired, state)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, a := range audits {
		for _, l := range a.Missing {
			what := "no outcome"
			if l.Lost {
				what = "no contact"
			}
			if _, err := fmt.Fprintf(w, "missing: %s, %s, UID %d, %s, %s, %s\n", a.Mailbox, a.Folder, l.UID, l.Date.Format(time.RFC3339), l.MessageID, what); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeAuditsJSON(w io.Writer, audits []mailsync.Audit) error {
	type missing struct {
		UID       uint32    `json:"uid"`
		MessageID string    `json:"message_id"`
		Date      time.Time `json:"date"`
		Lost      bool      `json:"contact_lost"`
	}
	enc := json.NewEncoder(w)
	for _, a := range audits {
		line := struct {
			Mailbox  string               `json:"mailbox"`
			Folder   string               `json:"folder"`
			Letters  int                  `json:"letters"`
			Captured int                  `json:"captured"`
			Skipped  map[store.Reason]int `json:"skipped"`
			Older    int                  `json:"older"`
			Missing  []missing            `json:"missing"`
			Unlisted int                  `json:"missing_unlisted"`
			Repaired int                  `json:"repaired"`
			Error    string               `json:"error,omitempty"`
		}{a.Mailbox, a.Folder, a.Letters, a.Captured, map[store.Reason]int{}, a.Older, []missing{}, a.Unlisted, a.Repaired, ""}
		for _, r := range skipReasons {
			line.Skipped[r] = a.Skipped[r]
		}
		for _, l := range a.Missing {
			line.Missing = append(line.Missing, missing{l.UID, l.MessageID, l.Date, l.Lost})
		}
		if a.Err != nil {
			line.Error = a.Err.Error()
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
