package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"intouch/store"
)

// personFound finds who is meant on the command line.
func personFound(err error, who string) error {
	var invalid *store.Invalid
	switch {
	case errors.Is(err, store.ErrNotFound):
		return usage("there is no person with the number %q", who)
	case errors.Is(err, store.ErrOneOfUs):
		return usage("%s: %v", who, err)
	case errors.As(err, &invalid):
		return usage("%v", err)
	}
	return err
}

// personsExport gives out everything about one person.
func (p *program) personsExport() *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use:   "export PERSON",
		Short: "Write everything that is known of one person, as JSON",
		Long: "PERSON is an e-mail address, also one that is nobody's yet, or the number in the address of the person's page.\n" +
			"Written are the contacts in which the person took part, with the texts of letters, and each row of the database\n" +
			"that is about the person or mentions a whole name, an address or a telephone. The whole database is read.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			sub, err := st.FindSubject(cmd.Context(), args[0])
			if err != nil {
				return personFound(err, args[0])
			}
			var w io.Writer = p.out
			if out != "" {
				// Of one person all: nobody else's to read.
				f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				w = f
			}
			return st.WriteAbout(cmd.Context(), w, nil, &sub)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to make, which must not be there; standard output when it is not given")
	return cmd
}

// personsErase forgets one person.
func (p *program) personsErase() *cobra.Command {
	sure := false
	cmd := &cobra.Command{
		Use:   "erase PERSON --yes",
		Short: "Forget one person, which cannot be undone",
		Long: "PERSON is an e-mail address, also one that is nobody's, or the number in the address of the person's page.\n" +
			"What is known of the person goes, the texts of letters that the person wrote or was sent, and each mention of a\n" +
			"whole name, an address or a telephone. Contacts, deals and sums stay, so that reports do. No mailbox, import or\n" +
			"address book brings the person back; adding the person by hand does. Backups and mailboxes keep what they have.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if !sure {
				sub, err := st.FindSubject(cmd.Context(), args[0])
				if err != nil {
					return personFound(err, args[0])
				}
				return usage("this cannot be undone, say --yes: persons %v, names %q, addresses %q, telephones %q", sub.Persons, sub.Names, sub.Emails, sub.Phones)
			}
			e, err := st.Erase(cmd.Context(), byHand, args[0], func(n int64) string { return store.ErasedAs(cfg.Language, n) })
			if err != nil {
				return personFound(err, args[0])
			}
			fmt.Fprintf(p.out, "erased: %d persons, %d contacts in which they took part, %d other mentions\n", len(e.Subject.Persons), e.Contacts, e.Rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&sure, "yes", false, "it is meant")
	return cmd
}
