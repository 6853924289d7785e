package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

// clientCommand makes one client of two, and contacts with free text a
// client's, and undoes both.
func (p *program) clientCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "client",
		Short: "Clients that are one: merge, unmerge, register, unregister, merges",
		Long: "A CLIENT is given by its external id, or by its number as in the address of its page (12, or #12 where 12 may be\n" +
			"an external id, too). Each merging and registering has a number of its own, by which it is undone.",
	}, p.clientMerge(), p.clientUndo("unmerge", store.MergedClient), p.clientRegister(), p.clientUndo("unregister", store.RegisteredText), p.clientMerges())
}

// byHand is who changes what on the command line.
var byHand = store.Actor{Origin: store.FromImport}

// clientByKey finds the client of the command line.
func clientByKey(ctx context.Context, st *store.Store, text string) (store.Client, error) {
	c, err := st.ClientByKey(ctx, text)
	if errors.Is(err, store.ErrNotFound) {
		return c, usage("there is no client %q", text)
	}
	return c, err
}

func (p *program) clientMerge() *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use:   "merge KEPT GONE",
		Short: "Make one client of two: all that GONE has becomes KEPT's",
		Long: "Persons, contacts, deals, documents, addresses and attributes of GONE become KEPT's, who keeps what both say.\n" +
			"A letter that both have becomes one. GONE is no longer listed; imports by its external id reach KEPT.\n" +
			"client unmerge undoes it.",
		Args: takes(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			kept, err := clientByKey(cmd.Context(), st, args[0])
			if err != nil {
				return err
			}
			gone, err := clientByKey(cmd.Context(), st, args[1])
			if err != nil {
				return err
			}
			if kept.ID == gone.ID {
				return usage("%s and %s are the same client already: %s", args[0], args[1], kept.Name)
			}
			do := st.MergeClients
			if dry {
				do = st.PreviewMerge
			}
			m, err := do(cmd.Context(), byHand, kept.ID, gone.ID)
			if err != nil {
				return fmt.Errorf("merge: %w", err)
			}
			printMerge(p.out, m, dry)
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would become of them, and change nothing")
	return cmd
}

// printMerge says what a merging or registering did, or would do.
func printMerge(w io.Writer, m store.Merge, dry bool) {
	undo := map[store.MergeKind]string{store.MergedClient: "unmerge", store.RegisteredText: "unregister"}[m.Kind]
	what := fmt.Sprintf("%q", m.Gone)
	if m.GoneKey != "" {
		what += " (" + m.GoneKey + ")"
	}
	into := fmt.Sprintf("%q (#%d)", m.Client, m.ClientID)
	if m.Made {
		into = fmt.Sprintf("a new client %q", m.Client)
	}
	if dry {
		fmt.Fprintf(w, "Would become %s: %s.\n", into, what)
	} else {
		fmt.Fprintf(w, "%s: %s. To undo: intouchd client %s %d\n", into, what, undo, m.ID)
	}
	if m.Kind == store.MergedClient {
		fmt.Fprintf(w, "  persons %d, contacts %d (of which both had %d), deals %d, documents %d\n", m.Persons, m.Contacts, m.Doubles, m.Deals, m.Documents)
	} else {
		fmt.Fprintf(w, "  contacts %d\n", m.Contacts)
	}
	for _, sum := range m.Balance {
		fmt.Fprintf(w, "  balance then: %s %s\n", sum.Plain(), sum.Currency)
	}
	for _, c := range m.Conflicts {
		fmt.Fprintf(w, "  %s: stays %q, goes %q\n", c.Field, c.Kept, c.Gone)
	}
}

func (p *program) clientRegister() *cobra.Command {
	var r store.Registration
	client, dry := "", false
	cmd := &cobra.Command{
		Use:   "register CONTACT",
		Short: "Make a contact that has free text instead of a client a client's",
		Long: "CONTACT is the number of the contact, as in the address of its page. Without --client a new client is made, named\n" +
			"after the text. With --address or --domain past letters of it are fetched from the mailboxes.\n" +
			"client unregister undoes it.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			contact, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || contact <= 0 {
				return usage("client register: %q is no number of a contact", args[0])
			}
			if client != "" && (r.Name != "" || r.Key != "") {
				return usage("client register: --name and --key are of a new client, --client names one that is there")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if client != "" {
				c, err := clientByKey(cmd.Context(), st, client)
				if err != nil {
					return err
				}
				r.ClientID = c.ID
			}
			do := st.Register
			if dry {
				do = st.PreviewRegister
			}
			m, err := do(cmd.Context(), byHand, contact, r)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return usage("there is no contact %d", contact)
			case err != nil:
				return fmt.Errorf("register: %w", err)
			}
			printMerge(p.out, m, dry)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&client, "client", "", "external id or number of the client it becomes; without it a new one is made")
	flags.StringVar(&r.Name, "name", "", "name of the new client (default: the text)")
	flags.StringVar(&r.Key, "key", "", "external id of the new client, as other programs name it")
	flags.BoolVar(&r.Alike, "alike", false, "also the other contacts with the same text")
	flags.StringVar(&r.Address, "address", "", "e-mail address that is the client's from now on")
	flags.StringVar(&r.Domain, "domain", "", "mail domain that is the client's from now on")
	flags.BoolVar(&dry, "dry-run", false, "say what would become of it, and change nothing")
	return cmd
}

func (p *program) clientUndo(name string, kind store.MergeKind) *cobra.Command {
	what := map[store.MergeKind]string{store.MergedClient: "a merging", store.RegisteredText: "a registering"}[kind]
	return &cobra.Command{
		Use:   name + " NUMBER|GONE",
		Short: "Undo " + what + ": what moved goes back, what came since stays",
		Long: "NUMBER is what client merge or register said, and client merges lists; GONE is the external id of the client that was\n" +
			"merged, or the text. Merges into one client are undone newest first.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			all, err := st.Merges(cmd.Context(), 0, 100_000)
			if err != nil {
				return fmt.Errorf("read the merges: %w", err)
			}
			var found *store.Merge
			number, _ := strconv.ParseInt(args[0], 10, 64)
			for i := range all { // the newest first
				m := &all[i]
				if m.Kind != kind {
					continue
				}
				if m.ID == number {
					found = m
					break
				}
				if found == nil && m.Undone.IsZero() && (m.GoneKey == args[0] || m.GoneKey == "" && m.Gone == args[0]) {
					found = m
				}
			}
			if found == nil {
				return usage("client %s: there is none %q; see intouchd client merges", name, args[0])
			}
			u, err := st.Unmerge(cmd.Context(), byHand, found.ID)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(p.err, "%q: undone\n", u.Merge.Gone)
			if u.Stays {
				fmt.Fprintf(p.err, "the client %q (#%d) stays: it has got more since it was made\n", u.Merge.Client, u.Merge.ClientID)
			}
			return nil
		},
	}
}

func (p *program) clientMerges() *cobra.Command {
	client, limit := "", 50
	cmd := &cobra.Command{
		Use:   "merges",
		Short: "List what was merged and registered, newest first",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit <= 0 {
				return usage("client merges: --limit must be above 0")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			var id int64
			if client != "" {
				c, err := clientByKey(cmd.Context(), st, client)
				if err != nil {
					return err
				}
				id = c.ID
			}
			all, err := st.Merges(cmd.Context(), id, limit)
			if err != nil {
				return fmt.Errorf("read the merges: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NUMBER\tTIME\tKIND\tGONE\tKEY\tINTO\tMOVED\tUNDONE")
			for _, m := range all {
				undone := ""
				if !m.Undone.IsZero() {
					undone = m.Undone.Format(time.RFC3339)
				}
				moved := fmt.Sprintf("%d persons, %d contacts, %d deals", m.Persons, m.Contacts, m.Deals)
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s (#%d)\t%s\t%s\n", m.ID, m.At.Format(time.RFC3339), m.Kind, oneLine(m.Gone), m.GoneKey, oneLine(m.Client), m.ClientID, moved, undone)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "only of the client with this external id or number")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many at most")
	return cmd
}
