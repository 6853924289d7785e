package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
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
		SentCopies:      map[string]string{},
		Admin:           cfg.Company.Admin,
		Language:        cfg.Language,
		TimeZone:        cfg.TimeZone,
		Currency:        cfg.Currency,
		Classification:  cfg.Classification,
		KeepInTouch:     cfg.KeepInTouch,
		PrivateWebhooks: cfg.PrivateWebhooks,
		Version:         version,
		Books:           bookSync(st, cfg.AddressBooks),
		Holidays:        holidayFetch(st, cfg.Holidays.Addresses),
		Audit:           auditChore(st, cfg, log),
		Backups:         backupChore(st, cfg),
		Kept:            cfg.Kept,
		Log:             log.With("part", "jobs"),
		Grace:           stopTime / 2,
	}
	for _, m := range cfg.Mailboxes {
		if m.SentCopy {
			opt.SentCopies[strings.ToLower(m.Manager)] = m.Name
		}
	}
	if cfg.Replies != nil {
		opt.Replies = scheduler.Replies{Address: cfg.Replies.Address, Plus: cfg.Replies.Plus}
	}
	if cfg.SMTP != nil {
		server := mailServer(cfg.SMTP, st)
		opt.SMTP, opt.From = &server, cfg.SMTP.From
	}
	return scheduler.New(st, opt)
}

// mailServer is the mail server of the settings as mailer takes it. Tokens
// come from st.
func mailServer(s *SMTPConfig, st *store.Store) mailer.Config {
	server := mailer.Config{
		Addr:     s.Server.Addr,
		Security: mailer.Security(s.Server.Security),
		Username: s.Username,
		Password: s.Password.Reveal,
	}
	if s.Mailbox != nil {
		server.Token = s.Mailbox.token(st)
	}
	return server
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
		ValidArgs: scheduler.JobNames(),
		Args:      takes(cobra.ExactArgs(1)),
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

func (p *program) jobsCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the jobs: when each runs next, and how it went last",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			jobs, err := newScheduler(st, cfg, newLog(cfg.Log, p.err))
			if err != nil {
				return err
			}
			// As the settings say now; how they went is what the daemon noted.
			states, err := jobs.States(cmd.Context())
			if err != nil {
				return err
			}
			noted, err := st.JobStates(cmd.Context())
			if err != nil {
				return err
			}
			for i := range states {
				for _, n := range noted {
					if n.Name == states[i].Name {
						states[i].Last, states[i].Panics, states[i].Asked = n.Last, n.Panics, n.Asked
					}
				}
			}
			loc := store.Manager{TimeZone: cfg.TimeZone}.Location()
			if asJSON {
				return writeJobsJSON(p.out, states, loc)
			}
			return writeJobs(p.out, states, loc)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func writeJobs(w io.Writer, states []store.JobState, loc *time.Location) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tSCHEDULE\tFOR\tNEXT\tLAST\tTOOK\tOUTCOME")
	at := func(m time.Time) string {
		if m.IsZero() {
			return "-"
		}
		return m.In(loc).Format("2006-01-02 15:04")
	}
	for _, j := range states {
		owners, took, outcome := "house", "-", j.Last.Outcome
		if j.Owners > 0 {
			owners = strconv.Itoa(j.Owners)
		}
		if !j.Last.Started.IsZero() {
			took = j.Last.Finished.Sub(j.Last.Started).String()
		}
		if j.Last.Detail != "" {
			outcome += ": " + mailer.OneLine(j.Last.Detail, 100)
		}
		if j.Panics > 0 {
			outcome += fmt.Sprintf(" (%d panics ever)", j.Panics)
		}
		if !j.Asked.IsZero() {
			outcome += " (asked for, waits)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.Name, j.Schedule, owners, at(j.Next), at(j.Last.Started), took, outcome)
	}
	return t.Flush()
}

func writeJobsJSON(w io.Writer, states []store.JobState, loc *time.Location) error {
	type line struct {
		Name     string    `json:"name"`
		Schedule string    `json:"schedule"`
		Owners   int       `json:"owners"` // 0: the house
		Next     time.Time `json:"next,omitzero"`
		Started  time.Time `json:"started,omitzero"`
		Finished time.Time `json:"finished,omitzero"`
		Outcome  string    `json:"outcome,omitempty"`
		Detail   string    `json:"detail,omitempty"`
		Panics   int64     `json:"panics"`
		Asked    time.Time `json:"asked,omitzero"`
	}
	in := func(m time.Time) time.Time {
		if m.IsZero() {
			return m
		}
		return m.In(loc)
	}
	enc := json.NewEncoder(w)
	for _, j := range states {
		l := line{
			Name: j.Name, Schedule: j.Schedule, Owners: j.Owners, Next: in(j.Next), Started: in(j.Last.Started), Finished: in(j.Last.Finished),
			Outcome: j.Last.Outcome, Detail: j.Last.Detail, Panics: j.Panics, Asked: in(j.Asked),
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
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
