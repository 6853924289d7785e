package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/store"
)

// blockCommand keeps the list of addresses and domains that are never
// captured, beside those that stand in the settings.
func (p *program) blockCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "block",
		Short: "Addresses and domains that are never captured: add, remove, list",
		Long: "Letters from or to a blocked address or domain are not captured. Contacts of letters captured before stay.\n" +
			"What stands in the settings (mail.blocked) is listed too, and can be taken off only there.",
	}, p.blockAdd(), p.blockRemove(), p.blockList())
}

func (p *program) blockAdd() *cobra.Command {
	return &cobra.Command{
		Use:   "add ADDRESS|DOMAIN…",
		Short: "Put addresses or domains on the list",
		Args:  takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, a := range args { // all or none, where one is misspelt
				if _, err := store.BlockValue(a); err != nil {
					return usage("block add: %q is neither an address nor a domain", a)
				}
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			for _, a := range args {
				added, err := st.Block(cmd.Context(), a)
				switch {
				case err != nil:
					return fmt.Errorf("block %s: %w", a, err)
				case added:
					fmt.Fprintf(p.err, "%s: blocked\n", a)
				default:
					fmt.Fprintf(p.err, "%s: is blocked already\n", a)
				}
			}
			return nil
		},
	}
}

func (p *program) blockRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS|DOMAIN…",
		Short: "Take addresses or domains off the list",
		Args:  takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			failed := false
			for _, a := range args {
				var bad *store.Invalid
				switch err := st.Unblock(cmd.Context(), a); {
				case errors.Is(err, store.ErrForbidden):
					failed = true
					fmt.Fprintf(p.err, "%s: stands in the settings (mail.blocked); take it out there\n", a)
				case errors.Is(err, store.ErrNotFound), errors.As(err, &bad):
					failed = true
					fmt.Fprintf(p.err, "%s: is not blocked\n", a)
				case err != nil:
					return fmt.Errorf("unblock %s: %w", a, err)
				default:
					fmt.Fprintf(p.err, "%s: no longer blocked\n", a)
				}
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
}

func (p *program) blockList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the list",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			list, err := st.BlockList(cmd.Context())
			if err != nil {
				return fmt.Errorf("read the block list: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "BLOCKED\tFROM")
			for _, b := range list {
				from := "block add"
				if b.Settings {
					from = "settings"
				}
				fmt.Fprintf(w, "%s\t%s\n", b.Value, from)
			}
			return w.Flush()
		},
	}
}
