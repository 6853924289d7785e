package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: mail in, calendars and pages out, jobs",
		Long: "Runs the daemon: mail in, calendars and pages out, jobs. SIGTERM ends it within ten seconds. SIGHUP reads the settings\n" +
			"anew and takes log.level, log.parts, server.pprof, the managers, the company's domains and mail.blocked without a pause; the\n" +
			"rest counts from the next start. Passwords in files and certificates are read anew by themselves.",
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			// From here on, so that one that comes early ends nothing.
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			levels := &logLevels{}
			levels.set(cfg.Log)
			a, err := newApp(cmd.Context(), cfg, newLogAt(levels, cfg.Log.Format, p.err))
			if err != nil {
				return err
			}
			a.workers = append(a.workers, &worker{name: "settings", run: func(ctx context.Context) error {
				for {
					select {
					case <-ctx.Done():
						return nil
					case <-reload:
						a.reload(ctx, p.config, levels)
					}
				}
			}})
			return a.Run(cmd.Context())
		},
	}
}

// reload takes what may change while the daemon runs from the settings, read
// anew. Faulty settings change nothing.
func (a *app) reload(ctx context.Context, read func() (*Config, error), levels *logLevels) {
	cfg, err := read()
	if err != nil {
		a.log.Error("settings have faults, the old ones stay", "err", err)
		return
	}
	levels.set(cfg.Log)
	a.reread.Store(cfg) // at once: a busy database keeps what follows waiting
	err = a.st.SetCompany(ctx, cfg.Company.Domains, cfg.Mail.Blocked)
	if err == nil {
		err = saveManagers(ctx, a.st, cfg.Managers)
	}
	if err == nil {
		err = setPasswords(ctx, a.st, cfg.Managers)
	}
	if err != nil {
		a.log.Error("settings are not all taken", "err", err)
		return
	}
	a.log.Info("settings read anew", "taken", "log.level, log.parts, server.pprof, managers, company.domains, mail.blocked", "rest", "from the next start")
}
