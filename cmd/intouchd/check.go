package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) checkCommand() *cobra.Command {
	online := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Name all faults of the settings; --online also logs in everywhere",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			fmt.Fprintf(p.err, "%s: the settings are in order\n", configFileName(p.configFile))
			if !online {
				return nil
			}
			return p.checkOnline(cmd.Context(), cfg)
		},
	}
	cmd.Flags().BoolVar(&online, "online", false, "log in to every mailbox and mail server, and open the database")
	return cmd
}
