package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

// Offers of the mailbox itself: correspondents of a client, who are decided
// together, and unknown senders, who are named by their addresses.

// decideAll accepts or refuses all correspondents of the client with that key.
func (p *program) decideAll(ctx context.Context, command, client string, accept bool) error {
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	c, err := clientByKey(ctx, st, client)
	if err != nil {
		return err
	}
	n, err := st.DecideCorrespondents(ctx, anybody, byHand, c.ID, accept)
	done := "refused"
	if accept {
		done = "accepted"
	}
	fmt.Fprintf(p.err, "%s: correspondents %s: %d\n", oneLine(c.Name), done, n)
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

// senderArgs tells arguments that are addresses from numbers of offers.
func senderArgs(args []string) (addresses, offers []string) {
	for _, a := range args {
		if strings.Contains(a, "@") {
			addresses = append(addresses, strings.ToLower(a))
		} else {
			offers = append(offers, a)
		}
	}
	return addresses, offers
}

// eachSender does something to unknown senders; one who is not there does not
// stop the others.
func (p *program) eachSender(ctx context.Context, command string, addresses []string, do func(*store.Store, string) error) error {
	if len(addresses) == 0 {
		return nil
	}
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	failed := false
	for _, a := range addresses {
		var bad *store.Invalid
		switch err := do(st, a); {
		case errors.Is(err, store.ErrNotFound):
			failed = true
			fmt.Fprintf(p.err, "%s: nobody unknown wrote from there\n", oneLine(a))
		case errors.As(err, &bad):
			failed = true
			fmt.Fprintf(p.err, "%s: %v\n", oneLine(a), bad)
		case err != nil:
			return fmt.Errorf("%s %s: %w", command, a, err)
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// maxSenders is how many senders of one mailbox's manager are printed.
const maxSenders = 1000

func (p *program) personsSenders() *cobra.Command {
	days := 90
	cmd := &cobra.Command{
		Use:   "senders",
		Short: "Print who wrote to us and is no client's person",
		Long: "Accept one with \"persons accept ADDRESS --client KEY\" or \"--new-client NAME\": the letters are fetched then. \"persons refuse\n" +
			"ADDRESS\" takes one off this list.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			managers, err := st.Managers(cmd.Context())
			if err != nil {
				return err
			}
			since := st.Now().AddDate(0, 0, -days)
			all := map[string]store.Sender{}
			for _, m := range append(managers, store.Manager{}) { // the last: shared mailboxes
				list, err := st.UnknownSenders(cmd.Context(), m.ID, since, maxSenders)
				if err != nil {
					return fmt.Errorf("read senders: %w", err)
				}
				for _, s := range list {
					if old, seen := all[s.Address]; !seen || old.Last.Before(s.Last) {
						all[s.Address] = s
					}
				}
			}
			senders := make([]store.Sender, 0, len(all))
			for _, s := range all {
				senders = append(senders, s)
			}
			slices.SortFunc(senders, func(a, b store.Sender) int {
				return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Address, b.Address))
			})
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "ADDRESS\tNAME\tLETTERS\tLAST\tSUBJECT")
			for _, s := range senders {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", oneLine(s.Address), oneLine(s.Name), s.Letters, onDay(cfg, s.Last), oneLine(s.Subject))
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVar(&days, "days", days, "of those who wrote first within so many `DAYS`")
	return cmd
}

// onDay is a moment's day in the zone of the settings, "" for none.
func onDay(cfg *Config, at time.Time) string {
	if at.IsZero() || at.Unix() == 0 {
		return ""
	}
	return string(store.DateOf(at, store.Manager{TimeZone: cfg.TimeZone}.Location()))
}
