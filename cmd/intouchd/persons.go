package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"intouch/store"
)

// anybody decides on the command line: who may run it may do all.
var anybody = store.Manager{Role: store.RoleHead}

// personsCommand decides about what address books left open, and merges
// persons.
func (p *program) personsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "persons",
		Short: "Persons from address books and mailboxes: offers, senders, accept, refuse, doubles, merge, apart, merged, unmerge, export, erase",
		Long: "An entry of an address book whose client cannot be told, or who may be a person already, is not taken but offered; so\n" +
			"is who takes part in a client's letters and is no person yet, with the number of letters. Persons who are one are merged, which can be undone. Managers do the same on the page /persons.",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("persons: there is no command %q; see intouchd persons --help", args[0])
			}
			return usage("persons: give one of offers, senders, accept, refuse, doubles, merge, apart, merged, unmerge, export, erase")
		},
	}
	cmd.AddCommand(p.personsOffers(), p.personsSenders(), p.personsAccept(), p.personsRefuse(), p.personsDoubles(), p.personsMerge(), p.personsApart(), p.personsMerged(), p.personsUnmerge(), p.personsExport(), p.personsErase())
	return cmd
}

// numbers reads what a command is about.
func numbers(command string, args []string) ([]int64, error) {
	var out []int64
	for _, a := range args {
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil || n <= 0 {
			return nil, usage("%s: %q is no number of one", command, a)
		}
		out = append(out, n)
	}
	return out, nil
}

// onePerson is a person in a table.
func onePerson(p *store.Person) string {
	parts := append(append([]string{p.Name}, p.Emails...), p.Phones...)
	if p.Name != "" && len(p.Emails) > 0 && p.Name == p.Emails[0] {
		parts = parts[1:]
	}
	return oneLine(strings.Join(parts, ", "))
}

// oneLine keeps what others wrote within its cell.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// offerReasons tell why an entry waits.
var offerReasons = map[store.OfferReason]string{
	store.UnknownClient:  "client unknown",
	store.SeveralClients: "of several clients",
	store.MaybeDouble:    "may be there",
	store.Correspondent:  "correspondent",
	store.Undone:         "undone",
}

func (p *program) personsOffers() *cobra.Command {
	again, client := false, ""
	cmd := &cobra.Command{
		Use:   "offers",
		Short: "Print the entries of address books, and correspondents, that wait for somebody to decide",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if again {
				taken, err := st.PlaceOffers(cmd.Context(), anybody, store.Actor{Origin: store.FromImport})
				fmt.Fprintf(p.err, "persons taken: %d\n", taken)
				if err != nil {
					return fmt.Errorf("place offers: %w", err)
				}
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "OFFER\tWHY\tPERSON\tORGANISATION\tCLIENT\tMAY BE\tLETTERS\tLAST\tBOOK")
			print := func(o *store.Offer) {
				double, letters := "", ""
				if o.Double.ID != 0 {
					double = fmt.Sprintf("%d: %s", o.Double.ID, onePerson(&o.Double))
				}
				if o.Counted.Letters > 0 {
					letters = strconv.FormatInt(o.Counted.Letters, 10)
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.ID, offerReasons[o.Why], onePerson(&o.Person), oneLine(o.Said.Company), oneLine(o.Client.Name), double,
					letters, onDay(cfg, o.Counted.Last), o.Book)
			}
			if client != "" {
				c, err := clientByKey(cmd.Context(), st, client)
				if err != nil {
					return err
				}
				offers, err := st.ClientOffers(cmd.Context(), anybody, c.ID)
				if err != nil {
					return fmt.Errorf("read offers: %w", err)
				}
				for i := range offers {
					print(&offers[i])
				}
				return w.Flush()
			}
			for after := int64(0); ; {
				offers, err := st.Offers(cmd.Context(), anybody, after, 500)
				if err != nil {
					return fmt.Errorf("read offers: %w", err)
				}
				for i := range offers {
					print(&offers[i])
					after = offers[i].ID
				}
				if len(offers) < 500 {
					return w.Flush()
				}
			}
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "only those of the client with that `KEY`, the most frequent correspondents first")
	cmd.Flags().BoolVar(&again, "again", false, "first look again for the clients of those whose client was unknown, and take these")
	return cmd
}

func (p *program) personsAccept() *cobra.Command {
	var as store.Acceptance
	allOf := ""
	cmd := &cobra.Command{
		Use:   "accept OFFER…|ADDRESS…",
		Short: "Take what was offered, or an unknown sender: as a new person, or as one who is there",
		Long: "Without a flag, an offer becomes a new person of the client that was found. --client KEY names another client by its key,\n" +
			"--new-client NAME makes one, and --into PERSON says by number who of those that are there it is. An ADDRESS\n" +
			"is an unknown sender's, of whom \"persons senders\" tells. --all-of CLIENT takes all correspondents of a client.",
		Args: takes(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if as.ClientKey != "" && as.NewClient != "" || as.Into != 0 && (as.ClientKey != "" || as.NewClient != "") {
				return usage("persons accept: give one of --client, --new-client and --into")
			}
			if (allOf == "") == (len(args) == 0) || allOf != "" && as != (store.Acceptance{}) {
				return usage("persons accept: give offers or addresses, or --all-of CLIENT")
			}
			if allOf != "" {
				return p.decideAll(cmd.Context(), "persons accept", allOf, true)
			}
			addresses, args := senderArgs(args)
			if _, err := numbers("persons accept", args); err != nil {
				return err
			}
			senders := p.eachSender(cmd.Context(), "persons accept", addresses, func(st *store.Store, address string) error {
				who, err := st.AcceptSender(cmd.Context(), anybody, store.Actor{Origin: store.FromImport}, address, as)
				if err == nil {
					fmt.Fprintf(p.err, "%s: is person %d, %s\n", address, who.ID, who.Name)
				}
				return err
			})
			return errors.Join(senders, p.eachNumber(cmd.Context(), "persons accept", args, func(st *store.Store, id int64) error {
				who, err := st.AcceptOffer(cmd.Context(), anybody, store.Actor{Origin: store.FromImport}, id, as)
				if err == nil {
					fmt.Fprintf(p.err, "offer %d: is person %d, %s\n", id, who.ID, who.Name)
				}
				return err
			}))
		},
	}
	cmd.Flags().StringVar(&allOf, "all-of", "", "all correspondents of the client with that `KEY`")
	cmd.Flags().StringVar(&as.ClientKey, "client", "", "the `KEY` of the client whose person it is")
	cmd.Flags().StringVar(&as.NewClient, "new-client", "", "make a client of that `NAME` for it")
	cmd.Flags().Int64Var(&as.Into, "into", 0, "the `PERSON` it is")
	return cmd
}

// eachNumber does something to several offers or traces; one that is not there
// does not stop the others.
func (p *program) eachNumber(ctx context.Context, command string, args []string, do func(*store.Store, int64) error) error {
	ids, err := numbers(command, args)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	failed := false
	for _, id := range ids {
		var bad *store.Invalid
		switch err := do(st, id); {
		case errors.Is(err, store.ErrNotFound):
			failed = true
			fmt.Fprintf(p.err, "%d: there is no such, or it is decided already\n", id)
		case errors.As(err, &bad):
			failed = true
			fmt.Fprintf(p.err, "%d: %v\n", id, bad)
		case err != nil:
			return fmt.Errorf("%s %d: %w", command, id, err)
		}
	}
	if failed {
		return errReported
	}
	return nil
}

func (p *program) personsRefuse() *cobra.Command {
	allOf := ""
	cmd := &cobra.Command{
		Use:   "refuse OFFER…|ADDRESS…",
		Short: "Say that offers or unknown senders are nobody at a client; they are not offered again",
		Args:  takes(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (allOf == "") == (len(args) == 0) {
				return usage("persons refuse: give offers or addresses, or --all-of CLIENT")
			}
			if allOf != "" {
				return p.decideAll(cmd.Context(), "persons refuse", allOf, false)
			}
			addresses, args := senderArgs(args)
			if _, err := numbers("persons refuse", args); err != nil {
				return err
			}
			senders := p.eachSender(cmd.Context(), "persons refuse", addresses, func(st *store.Store, address string) error {
				return st.RefuseSender(cmd.Context(), anybody, address)
			})
			return errors.Join(senders, p.eachNumber(cmd.Context(), "persons refuse", args, func(st *store.Store, id int64) error {
				return st.RefuseOffer(cmd.Context(), anybody, id)
			}))
		},
	}
	cmd.Flags().StringVar(&allOf, "all-of", "", "all correspondents of the client with that `KEY`")
	return cmd
}

// maxDoubles is how many pairs are printed at once.
const maxDoubles = 1000

func (p *program) personsDoubles() *cobra.Command {
	return &cobra.Command{
		Use:   "doubles",
		Short: "Print persons of one client who may be one",
		Long: "Two who share an e-mail address or a phone and have names that can be one person's are surely one; a shared address under two\n" +
			"names, and one name with different addresses, are for somebody to decide. Of clients with more than 300 persons only those who\n" +
			"share an address are looked at.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			pairs, err := st.Doubles(cmd.Context(), anybody, maxDoubles)
			if err != nil {
				return fmt.Errorf("look for doubles: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "PERSON\t\tPERSON\t\tCLIENT\tSURE")
			for _, d := range pairs {
				sure := ""
				if d.Certain {
					sure = "yes"
				}
				fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\n", d.One.ID, onePerson(&d.One), d.Other.ID, onePerson(&d.Other), oneLine(d.Client.Name), sure)
			}
			if len(pairs) == maxDoubles {
				fmt.Fprintf(p.err, "these are the first %d; merge some, or keep them apart, to see more\n", maxDoubles)
			}
			return w.Flush()
		},
	}
}

// pair does something to two persons.
func (p *program) pair(ctx context.Context, command string, args []string, do func(st *store.Store, a, b int64) error) error {
	ids, err := numbers(command, args)
	if err != nil {
		return err
	}
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	err = do(st, ids[0], ids[1])
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s: one of the persons is not there", command)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

func (p *program) personsMerge() *cobra.Command {
	return &cobra.Command{
		Use:   "merge KEEP GONE",
		Short: "Make two persons of a client one; what KEEP says of itself stays",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.pair(cmd.Context(), "persons merge", args, func(st *store.Store, keep, gone int64) error {
				return st.MergePersons(cmd.Context(), anybody, store.Actor{Origin: store.FromImport}, keep, gone)
			})
		},
	}
}

func (p *program) personsApart() *cobra.Command {
	return &cobra.Command{
		Use:   "apart PERSON PERSON",
		Short: "Say that two persons are two, so that they are not shown as doubles",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.pair(cmd.Context(), "persons apart", args, func(st *store.Store, a, b int64) error {
				return st.KeepApart(cmd.Context(), anybody, a, b)
			})
		},
	}
}

func (p *program) personsMerged() *cobra.Command {
	return &cobra.Command{
		Use:   "merged",
		Short: "Print what was merged into whom, the newest first",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			all, err := st.MergedPersons(cmd.Context(), anybody, maxDoubles)
			if err != nil {
				return fmt.Errorf("read what was merged: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "MERGED\tWHEN\tBY\tWHAT\tFROM\tINTO\tCLIENT")
			for _, m := range all {
				by := m.By
				if by == "" {
					by = "-"
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d: %s\t%s\n", m.ID, m.At.In(store.Manager{TimeZone: cfg.TimeZone}.Location()).Format("2006-01-02 15:04"), oneLine(by), oneLine(m.Said.Name), m.Book, m.Into.ID, oneLine(m.Into.Name), oneLine(m.Client.Name))
			}
			return w.Flush()
		},
	}
}

func (p *program) personsUnmerge() *cobra.Command {
	return &cobra.Command{
		Use:   "unmerge MERGED…",
		Short: "Undo merging, by the numbers that \"persons merged\" prints",
		Args:  takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.eachNumber(cmd.Context(), "persons unmerge", args, func(st *store.Store, id int64) error {
				return st.UnmergePerson(cmd.Context(), anybody, store.Actor{Origin: store.FromImport}, id)
			})
		},
	}
}
