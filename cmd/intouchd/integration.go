package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

// integrationCommand keeps the programs of others that may read and write
// records, each with a token of its own.
func (p *program) integrationCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "integration",
		Short: "Programs of others and their tokens: add, list, revoke",
		Long: "A program of others reads and writes records over the JSON API (/api/v1/, see docs/api.md), or is 1C with its exchange,\n" +
			"by a token of its own. Each change of a record remembers which program made it.",
	}, p.integrationAdd(), p.integrationList(), p.integrationRevoke())
}

func (p *program) integrationAdd() *cobra.Command {
	var given []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a token and print it, this once",
		Long: "Makes a token and prints it: only its hash is kept, so note it now. Scopes say what it opens:\n" +
			"  read, write            every kind of record; write includes read\n" +
			"  KIND:read, KIND:write  one kind: " + strings.Join(store.ScopeKinds, ", ") + "\n" +
			"  exchange               the exchange that 1C drives\n" +
			"A name that was revoked gets a new token, and its history goes on.",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var scopes []store.Scope
			for _, text := range given {
				scope, err := store.ParseScope(text)
				if err != nil {
					return usage("integration add: %v", err)
				}
				scopes = append(scopes, scope)
			}
			if len(scopes) == 0 {
				return usage("integration add: say with --scope what the token opens")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			in, token, err := st.AddIntegration(cmd.Context(), args[0], scopes)
			var bad *store.Invalid
			switch {
			case errors.As(err, &bad):
				return usage("integration add: %v", bad)
			case errors.Is(err, store.ErrConflict):
				return fmt.Errorf("%s has a token already; \"intouchd integration revoke\" ends it, then add makes another", args[0])
			case err != nil:
				return fmt.Errorf("add the integration: %w", err)
			}
			fmt.Fprintf(p.err, "%s: the token is shown this once\n", in.Name)
			fmt.Fprintln(p.out, token)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&given, "scope", nil, "what the token opens (`SCOPES` with commas between; repeatable)")
	return cmd
}

func (p *program) integrationList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the integrations, without tokens",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			list, err := st.Integrations(cmd.Context())
			if err != nil {
				return fmt.Errorf("read the integrations: %w", err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSCOPES\tMADE\tLAST USED\tREVOKED")
			for _, in := range list {
				scopes := make([]string, len(in.Scopes))
				for i, s := range in.Scopes {
					scopes[i] = string(s)
				}
				used, revoked := "never", ""
				if !in.Used.IsZero() {
					used = in.Used.Truncate(time.Hour).Format("2006-01-02 15:00")
				}
				if !in.Revoked.IsZero() {
					revoked = in.Revoked.Format(time.DateTime)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", in.Name, strings.Join(scopes, ","), in.Created.Format(time.DateTime), used, revoked)
			}
			return w.Flush()
		},
	}
}

func (p *program) integrationRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a token; it opens nothing from now on",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			err = st.RevokeIntegration(cmd.Context(), args[0])
			if errors.Is(err, store.ErrNotFound) {
				return usage("integration revoke: no integration %q has a token", args[0])
			} else if err != nil {
				return fmt.Errorf("revoke the token: %w", err)
			}
			fmt.Fprintf(p.err, "%s: revoked\n", args[0])
			return nil
		},
	}
}
