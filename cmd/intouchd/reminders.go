package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/store"
)

func (p *program) managerReminders() *cobra.Command {
	return &cobra.Command{
		Use:   "reminders LOGIN [KEY=VALUE…]",
		Short: "Show or change when a manager is reminded of what is coming",
		Long: "Shows when a manager is reminded, and by whose wish: the settings' or the manager's own. With KEY=VALUE it changes\n" +
			"what the manager wants, as the [reminders] of the settings are written; \"KEY=\" takes it back. Keys: " + strings.Join(store.ReminderKeys, ", ") + ".",
		Example: "  intouchd manager reminders anna mail=off\n  intouchd manager reminders anna \"high=1d 15m\" quiet=20:00-08:00 normal=",
		Args:    takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			own := map[string]string{}
			for _, pair := range args[1:] {
				key, value, ok := strings.Cut(pair, "=")
				if !ok {
					return usage("manager reminders: %q is not KEY=VALUE", pair)
				}
				own[key] = value
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			m, err := managerNamed(cmd.Context(), st, args[0])
			if err != nil {
				return err
			}
			if len(own) > 0 {
				err := st.SetReminders(cmd.Context(), store.Actor{Origin: store.FromImport}, m.ID, own)
				var bad *store.Invalid
				if errors.As(err, &bad) {
					return usage("manager reminders: %v", bad)
				} else if err != nil {
					return fmt.Errorf("save the reminders of %s: %w", m.Login, err)
				}
				if m, err = st.Manager(cmd.Context(), m.ID); err != nil {
					return fmt.Errorf("read manager %s: %w", m.Login, err)
				}
			}
			of := st.RemindersOf(m)
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tVALUE\tBY")
			for _, key := range store.ReminderKeys {
				by := "settings"
				if m.Reminders[key] != "" {
					by = m.Login
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", key, of.Get(key), by)
			}
			return w.Flush()
		},
	}
}
