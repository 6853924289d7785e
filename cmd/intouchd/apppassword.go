package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/store"
)

// appPasswordCommand keeps the passwords of a manager's devices.
func (p *program) appPasswordCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "app-password",
		Short: "Passwords of a manager's devices: add, list, revoke",
		Long: "An app password opens a manager's calendars and address books on one device, and no page. Managers make and revoke\n" +
			"their own on the set-up page.",
	}, p.appPasswordAdd(), p.appPasswordList(), p.appPasswordRevoke())
}

func (p *program) appPasswordAdd() *cobra.Command {
	return &cobra.Command{
		Use:   "add LOGIN DEVICE",
		Short: "Make an app password for a device and print it, this once",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.ofManager(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, args []string) error {
			made, password, err := st.AddAppPassword(cmd.Context(), store.Actor{Origin: store.FromImport}, m.ID, args[0])
			var bad *store.Invalid
			if errors.As(err, &bad) {
				return usage("manager app-password add: %v", bad)
			} else if err != nil {
				return fmt.Errorf("make an app password for %s: %w", m.Login, err)
			}
			fmt.Fprintf(p.err, "%s of %s: the password is shown this once\n", made.Name, m.Login)
			fmt.Fprintln(p.out, password)
			return nil
		}),
	}
}

func (p *program) appPasswordList() *cobra.Command {
	return &cobra.Command{
		Use:   "list LOGIN",
		Short: "Print the devices that have an app password",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: p.ofManager(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, _ []string) error {
			list, err := st.AppPasswords(cmd.Context(), m.ID)
			if err != nil {
				return fmt.Errorf("read the app passwords of %s: %w", m.Login, err)
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "DEVICE\tMADE\tLAST USED\tFROM")
			for _, a := range list {
				used := "never"
				if !a.Used.IsZero() {
					used = a.Used.Format("2006-01-02 15:00")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, a.Created.Format(time.DateTime), used, a.UsedFrom)
			}
			return w.Flush()
		}),
	}
}

func (p *program) appPasswordRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke LOGIN DEVICE",
		Short: "End a device's app password; it opens nothing from now on",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: p.ofManager(func(cmd *cobra.Command, _ *Config, st *store.Store, m store.Manager, args []string) error {
			list, err := st.AppPasswords(cmd.Context(), m.ID)
			if err != nil {
				return fmt.Errorf("read the app passwords of %s: %w", m.Login, err)
			}
			for _, a := range list {
				if a.Name != args[0] {
					continue
				}
				if err := st.RevokeAppPassword(cmd.Context(), store.Actor{Origin: store.FromImport}, m.ID, a.ID); err != nil {
					return fmt.Errorf("revoke the app password: %w", err)
				}
				fmt.Fprintf(p.err, "%s of %s: revoked\n", a.Name, m.Login)
				return nil
			}
			return usage("manager app-password revoke: no device %q of %s has an app password", args[0], m.Login)
		}),
	}
}
