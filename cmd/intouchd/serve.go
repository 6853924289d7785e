package main

import (
	"github.com/spf13/cobra"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: mail in, calendars and pages out, jobs",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			a, err := newApp(cmd.Context(), cfg, newLog(cfg.Log, p.err))
			if err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
}
