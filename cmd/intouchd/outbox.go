package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

func (p *program) outboxCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "outbox",
		Short: "Mails that wait or were refused: list, show, retry, drop, arm",
		Long: "The outbox holds every mail that jobs have written until the mail server takes it: tried again for two days, given up after\n" +
			"that or when the server refuses it for good. A database that is a copy, restored from a backup or made by hand, sends nothing,\n" +
			"since the original may have sent, or still send, what waits in it: \"outbox arm\" says that this one is the one to send.",
	}, p.outboxList(), p.outboxShow(), p.outboxRetry(), p.outboxDrop(), p.outboxArm())
}

// outboxRow is one mail of outbox list --json.
type outboxRow struct {
	ID        int64      `json:"id"`
	State     string     `json:"state"`
	To        string     `json:"to"`
	Subject   string     `json:"subject"`
	Key       string     `json:"key"`
	MessageID string     `json:"message_id"`
	Created   time.Time  `json:"created"`
	Tries     int        `json:"tries"`
	NextTry   *time.Time `json:"next_try,omitempty"` // of one that waits
	Until     *time.Time `json:"until,omitempty"`    // then it is given up
	SentAt    *time.Time `json:"sent_at,omitempty"`
	LastError string     `json:"last_error,omitempty"`
}

func newOutboxRow(m store.OutboxMail) outboxRow {
	r := outboxRow{ID: m.ID, State: string(m.State), To: m.To, Subject: m.Subject, Key: m.Key, MessageID: m.MessageID,
		Created: m.Created, Tries: m.Tries, SentAt: moment(m.SentAt), LastError: m.LastError}
	if m.State == store.Queued {
		r.NextTry, r.Until = moment(m.NextTry), moment(m.Until)
	}
	return r
}

func (p *program) outboxList() *cobra.Command {
	state, limit, asJSON := "", 100, false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List mails, newest first",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" && !slices.Contains(store.OutboxStates, store.OutboxState(state)) {
				return usage("outbox list: --state %q is none of %s", state, outboxStates())
			}
			if limit < 1 || limit > 100000 {
				return usage("outbox list: --limit %d is not between 1 and 100000", limit)
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			mails, err := st.OutboxMails(cmd.Context(), store.OutboxState(state), limit)
			if err != nil {
				return fmt.Errorf("read the outbox: %w", err)
			}
			why, err := st.OutboxLocked(cmd.Context())
			if err != nil {
				return err
			}
			if why != "" {
				fmt.Fprintf(p.err, "intouchd: %s: nothing is sent before \"intouchd outbox arm\"\n", lockReason(why))
			}
			if asJSON {
				rows := []outboxRow{}
				for _, m := range mails {
					rows = append(rows, newOutboxRow(m))
				}
				enc := json.NewEncoder(p.out)
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			t := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			for _, m := range mails {
				line := fmt.Sprintf("%d\t%s\t%s\t%s\t%s", m.ID, m.State, m.Created.Format(time.RFC3339), m.To, shortSubject(m.Subject))
				if m.State == store.Queued && m.Tries > 0 {
					line += fmt.Sprintf("\t%d tries, next %s", m.Tries, m.NextTry.Format(time.RFC3339))
				}
				if m.LastError != "" {
					line += "\t" + m.LastError
				}
				fmt.Fprintln(t, line)
			}
			return t.Flush()
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only mails in that `STATE`: "+outboxStates())
	cmd.Flags().IntVar(&limit, "limit", limit, "at most `N`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, with all fields")
	return cmd
}

func outboxStates() string {
	var names []string
	for _, s := range store.OutboxStates {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func shortSubject(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

func (p *program) outboxShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Print one mail as it goes out (RFC 5322), and on stderr what became of it",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := mailIDs("show", args)
			if err != nil {
				return err
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			m, err := st.OutboxMail(cmd.Context(), ids[0])
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no mail %d in the outbox", ids[0])
			} else if err != nil {
				return fmt.Errorf("read the outbox: %w", err)
			}
			text, err := json.MarshalIndent(newOutboxRow(m), "", "  ")
			if err != nil {
				return err
			}
			fmt.Fprintf(p.err, "%s\n", text)
			if len(m.Bytes) == 0 {
				fmt.Fprintf(p.err, "intouchd: the text of a mail that was %s is not kept\n", m.State)
			}
			_, err = p.out.Write(m.Bytes)
			return err
		},
	}
}

// mailIDs reads the numbers that outbox list shows.
func mailIDs(command string, args []string) (ids []int64, err error) {
	for _, a := range args {
		id, err := strconv.ParseInt(a, 10, 64)
		if err != nil || id < 1 {
			return nil, usage("outbox %s: %q is not the number of a mail; see intouchd outbox list", command, a)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// chosen are the mails of the command line: those with the numbers, or all of
// some states.
func (p *program) chosen(cmd *cobra.Command, st *store.Store, args []string, states ...store.OutboxState) ([]int64, error) {
	ids, err := mailIDs(cmd.Name(), args)
	if err != nil || len(ids) > 0 {
		return ids, err
	}
	for _, state := range states {
		mails, err := st.OutboxMails(cmd.Context(), state, 1000000)
		if err != nil {
			return nil, fmt.Errorf("read the outbox: %w", err)
		}
		for _, m := range mails {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// told says how many of the mails something was done with; fewer than were
// named is a failure.
func (p *program) told(n int64, what string, named []string) error {
	fmt.Fprintf(p.err, "%d mails %s\n", n, what)
	if rest := int64(len(named)) - n; rest > 0 {
		return fmt.Errorf("%d of the mails neither wait nor were refused, or are not there; see intouchd outbox list", rest)
	}
	return nil
}

func (p *program) outboxRetry() *cobra.Command {
	failed := false
	cmd := &cobra.Command{
		Use:   "retry ID… | --failed",
		Short: "Try mails again now that were refused, given up, or wait for their next try",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if failed == (len(args) > 0) {
				return usage("outbox retry: give the numbers of mails, or --failed")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			ids, err := p.chosen(cmd, st, args, store.Failed)
			if err != nil {
				return err
			}
			n, err := st.RetryMails(cmd.Context(), ids)
			if err != nil {
				return fmt.Errorf("queue the mails: %w", err)
			}
			return p.told(n, "queued anew: serve, or \"intouchd job outbox\", delivers them", args)
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "all that were refused or given up")
	return cmd
}

func (p *program) outboxDrop() *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:   "drop ID… | --all",
		Short: "Keep mails that wait or were refused from ever going out",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usage("outbox drop: give the numbers of mails, or --all")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			ids, err := p.chosen(cmd, st, args, store.Queued, store.Failed)
			if err != nil {
				return err
			}
			n, err := st.DropMails(cmd.Context(), ids)
			if err != nil {
				return fmt.Errorf("drop the mails: %w", err)
			}
			return p.told(n, "dropped", args)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that wait or were refused")
	return cmd
}

func (p *program) outboxArm() *cobra.Command {
	return &cobra.Command{
		Use:   "arm",
		Short: "Let a restored or copied database send mail: it is now the one that does",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			sum, err := st.Outbox(cmd.Context(), 1)
			if err != nil {
				return fmt.Errorf("read the outbox: %w", err)
			}
			if sum.Locked == "" {
				fmt.Fprintln(p.err, "the outbox is not locked: mails are sent")
				return nil
			}
			if err := st.ArmOutbox(cmd.Context()); err != nil {
				return fmt.Errorf("arm the outbox: %w", err)
			}
			fmt.Fprintf(p.err, "%s; from now on it sends. Mails that wait: %d\n", lockReason(sum.Locked), sum.Queued)
			return nil
		},
	}
}

// lockReason says why the outbox is locked.
func lockReason(why store.OutboxLock) string {
	switch why {
	case store.LockRestored:
		return "this database was restored from a backup"
	case store.LockMoved:
		return "everything in this database was moved to another one"
	}
	return "this database was copied, or moved to another disk or server"
}
