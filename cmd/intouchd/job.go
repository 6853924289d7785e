package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"intouch/mailer"
	"intouch/scheduler"
	"intouch/store"
)

// newScheduler is the scheduler of the settings.
func newScheduler(st *store.Store, cfg *Config, log *slog.Logger) (*scheduler.Scheduler, error) {
	opt := scheduler.Options{
		Jobs:            cfg.Jobs,
		PublicURL:       cfg.Server.PublicURL,
		Admin:           cfg.Company.Admin,
		Language:        cfg.Language,
		TimeZone:        cfg.TimeZone,
		Classification:  cfg.Classification,
		KeepInTouch:     cfg.KeepInTouch,
		PrivateWebhooks: cfg.PrivateWebhooks,
		Version:         version,
		Books:           bookSync(st, cfg.AddressBooks),
		Log:             log.With("part", "jobs"),
		Grace:           stopTime / 2,
	}
	if cfg.SMTP != nil {
		server := mailServer(cfg.SMTP)
		opt.SMTP, opt.From = &server, cfg.SMTP.From
	}
	return scheduler.New(st, opt)
}

// mailServer is the mail server of the settings as mailer takes it.
func mailServer(s *SMTPConfig) mailer.Config {
	return mailer.Config{
		Addr:     s.Server.Addr,
		Security: mailer.Security(s.Server.Security),
		Username: s.Username,
		Password: s.Password.Reveal,
	}
}

func (p *program) jobCommand() *cobra.Command {
	atText, login := "", ""
	cmd := &cobra.Command{
		Use:   "job NAME",
		Short: "Run one job for its slot now: " + strings.Join(scheduler.JobNames(), ", "),
		Long: "Runs one job for its slot, now or at another moment: " + strings.Join(scheduler.JobNames(), ", ") + ".\n" +
			"What the ledger has for that slot is not done again, but clients are classified anew: for the day of --at in the house's\n" +
			"time zone, by the documents dated up to it, with the same result each time. Mails that the job writes are delivered at once, where the\n" +
			"settings name a mail server; what it does not take waits in the outbox for serve, or for \"job outbox\".",
		Args: takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if !slices.Contains(scheduler.JobNames(), name) {
				return usage("job: there is no job %q; there are %s", name, strings.Join(scheduler.JobNames(), ", "))
			}
			var at time.Time
			if atText != "" {
				var err error
				if at, err = time.Parse(time.RFC3339, atText); err != nil {
					return usage("job: --at %q is not a time like 2026-11-23T08:00:00+03:00", atText)
				}
			}
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if login != "" {
				if _, err := managerNamed(cmd.Context(), st, login); err != nil {
					return err
				}
			}
			jobs, err := newScheduler(st, cfg, newLog(cfg.Log, p.err))
			if err != nil {
				return err
			}
			report, err := jobs.RunJob(cmd.Context(), name, at, login)
			if printErr := p.writeReport(report); err == nil {
				err = printErr
			}
			if err != nil {
				return err
			}
			if cfg.SMTP != nil && name != "outbox" {
				p.deliver(cmd.Context(), jobs)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&atText, "at", "", "as if it were that `TIME`, in RFC 3339")
	cmd.Flags().StringVar(&login, "manager", "", "only for the manager with that `LOGIN`")
	return cmd
}

func (p *program) writeReport(report scheduler.Report) error {
	t := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	for _, r := range report.Results {
		who := r.Manager
		if who == "" {
			who = report.Job
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", who, r.Slot, r.Outcome, r.Detail)
	}
	return t.Flush()
}

// deliver empties the outbox. The job itself is done by now, so that a mail
// server in trouble is only said: serve tries again.
func (p *program) deliver(ctx context.Context, jobs *scheduler.Scheduler) {
	report, err := jobs.RunJob(ctx, "outbox", time.Time{}, "")
	for _, r := range report.Results {
		fmt.Fprintf(p.err, "outbox: %s\n", r.Detail)
	}
	if err != nil {
		fmt.Fprintf(p.err, "outbox: %v; the mails wait\n", err)
	}
}
