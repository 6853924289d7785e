package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"intouch/report"
	"intouch/scheduler"
	"intouch/store"
)

// savedReportCommand keeps reports under a name, and computes or mails them.
func (p *program) savedReportCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "saved",
		Short: "Reports that are kept under a name: list, add, remove, run",
		Long: "A saved report is computed with the rights and in the time zone of its owner, also when it is mailed to others. Periods by\n" +
			"name, like last-month, move with time. NAME is a report's name or its number, like \"#5\"; --owner tells reports of one name apart.",
	}, p.savedList(), p.savedAdd(), p.savedRemove(), p.savedRun())
}

func (p *program) savedList() *cobra.Command {
	owner := ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the saved reports with their schedules, recipients and last runs",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			list, err := savedReports(cmd.Context(), st, owner)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NUMBER\tOWNER\tNAME\tREPORT\tPARAMETERS\tSCHEDULE\tNIGHTLY\tRECIPIENTS\tLAST RUN")
			for _, r := range list {
				var to []string
				for _, one := range r.Recipients {
					to = append(to, one.String())
				}
				nightly, last := "", ""
				if r.Nightly {
					nightly = "yes"
				}
				if !r.Last.Started.IsZero() {
					last = r.Last.Started.In(r.Owner.Location()).Format("2006-01-02 15:04 ") + r.Last.Outcome
				}
				fmt.Fprintf(w, "#%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Owner.Login, r.Name, r.Report, r.Params.Encode(), r.Schedule, nightly, strings.Join(to, ","), last)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "only those of the manager with that `LOGIN`")
	return cmd
}

func (p *program) savedAdd() *cobra.Command {
	owner, replace, rows := "", false, false
	edit := store.SavedReportEdit{Params: url.Values{}}
	cmd := &cobra.Command{
		Use:   "add NAME REPORT",
		Short: "Keep a report with its parameters under a name",
		Long:  "Keeps a report under a name: REPORT and its parameters are those of \"intouchd report\". With --replace one of that name becomes this one.",
		Args:  takes(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			edit.Name, edit.Report = args[0], args[1]
			if rows {
				edit.Params.Set("rows", "1")
			}
			if owner == "" {
				return usage("report saved add: give the owner with --owner LOGIN: the report shows what the owner may see")
			}
			if err := scheduler.CheckSavedCron(edit.Schedule); err != nil {
				return usage("report saved add: --schedule %q is not a cron expression like \"0 8 * * 1\": %v", edit.Schedule, err)
			}
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			m, err := managerNamed(cmd.Context(), st, owner)
			if err != nil {
				return err
			}
			var wrong *report.Invalid
			_, err = report.Asked(cmd.Context(), st, report.Request{Name: edit.Report, Viewer: m, Now: st.Now(), Currency: cfg.Currency, Params: edit.Params})
			if errors.As(err, &wrong) {
				return usage("report saved add: %v", wrong)
			} else if err != nil {
				return fmt.Errorf("check the report: %w", err)
			}
			id := int64(0)
			if replace {
				old, err := savedNamed(cmd.Context(), st, owner, edit.Name)
				var bad *usageError
				if err != nil && !errors.As(err, &bad) {
					return err
				}
				id = old.ID
			}
			saved, err := st.SaveReport(cmd.Context(), store.Actor{}, m.ID, id, edit)
			var bad *store.Invalid
			switch {
			case errors.As(err, &bad):
				return usage("report saved add: %v", bad)
			case errors.Is(err, store.ErrConflict):
				return fmt.Errorf("%s has a saved report %q already; --replace makes it this one", m.Login, edit.Name)
			case err != nil:
				return fmt.Errorf("save the report: %w", err)
			}
			fmt.Fprintf(p.err, "#%d %s: saved\n", saved.ID, saved.Name)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&owner, "owner", "", "`LOGIN` of the manager whose report it is")
	flags.BoolVar(&replace, "replace", false, "change the owner's report of that name")
	flags.StringVar(&edit.Schedule, "schedule", "", "`CRON` expression, in the owner's zone, at most once an hour: when it is mailed")
	flags.StringSliceVar(&edit.Recipients, "recipient", nil, "`WHOM` it is mailed to: logins of managers, or addresses (with commas between; repeatable)")
	flags.StringVar((*string)(&edit.Attach), "attach", "", "`FORMAT` of a file that comes with the mail: xlsx or csv")
	flags.BoolVar(&edit.SendEmpty, "send-empty", false, "mail it also when it is empty")
	flags.BoolVar(&edit.Nightly, "nightly", false, "a part of the owner's nightly digest, which heads get")
	flags.BoolVar(&rows, "rows", false, "the records behind the figures")
	reportParamFlags(flags, edit.Params)
	return cmd
}

func (p *program) savedRemove() *cobra.Command {
	owner := ""
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a saved report away",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			saved, err := savedNamed(cmd.Context(), st, owner, args[0])
			if err != nil {
				return err
			}
			if err := st.DropSavedReport(cmd.Context(), store.Actor{}, saved.ID); err != nil {
				return fmt.Errorf("remove the saved report: %w", err)
			}
			fmt.Fprintf(p.err, "#%d %s: removed\n", saved.ID, saved.Name)
			return nil
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "`LOGIN` of the manager whose report it is")
	return cmd
}

func (p *program) savedRun() *cobra.Command {
	owner, format, mail, excel := "", reportFormats[0], false, false
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Compute a saved report and write it to stdout, or mail it now",
		Args:  takes(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkReportFormat(format, excel); err != nil {
				return err
			}
			if mail && cmd.Flags().Changed("format") {
				return usage("report saved run: --format goes without --mail")
			}
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			saved, err := savedNamed(cmd.Context(), st, owner, args[0])
			if err != nil {
				return err
			}
			if !mail {
				return p.runReport(cmd.Context(), st, cfg, report.Request{Name: saved.Report, Viewer: saved.Owner, Params: saved.Params}, format, excel)
			}
			jobs, err := newScheduler(st, cfg, newLog(cfg.Log, p.err))
			if err != nil {
				return err
			}
			run, err := jobs.MailReport(cmd.Context(), saved)
			var wrong *report.Invalid
			if errors.As(err, &wrong) {
				return usage("report saved run: %v", wrong)
			} else if err != nil {
				return fmt.Errorf("mail the report: %w", err)
			}
			fmt.Fprintf(p.out, "%s  %s  %s\n", saved.Name, run.Outcome, run.Detail)
			if run.Outcome == "failed" {
				return fmt.Errorf("the report was not mailed: %s", run.Detail)
			}
			if cfg.SMTP != nil {
				p.deliver(cmd.Context(), jobs)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&owner, "owner", "", "`LOGIN` of the manager whose report it is")
	flags.StringVar(&format, "format", format, "`FORMAT`: "+strings.Join(reportFormats, ", "))
	flags.BoolVar(&excel, "excel", false, "CSV as Excel in Russian opens it")
	flags.BoolVar(&mail, "mail", false, "mail it to its recipients, once a minute at most")
	return cmd
}

// savedReports are those of a manager, or all.
func savedReports(ctx context.Context, st *store.Store, owner string) ([]store.SavedReport, error) {
	all, err := st.SavedReports(ctx, store.Manager{Role: store.RoleHead})
	if err != nil {
		return nil, fmt.Errorf("read the saved reports: %w", err)
	}
	if owner == "" {
		return all, nil
	}
	m, err := managerNamed(ctx, st, owner)
	return slices.DeleteFunc(all, func(r store.SavedReport) bool { return r.Owner.ID != m.ID }), err
}

// savedNamed is the report of that name or number.
func savedNamed(ctx context.Context, st *store.Store, owner, name string) (found store.SavedReport, err error) {
	all, err := savedReports(ctx, st, owner)
	if err != nil {
		return found, err
	}
	all = slices.DeleteFunc(all, func(r store.SavedReport) bool { return r.Name != name && fmt.Sprintf("#%d", r.ID) != name })
	switch len(all) {
	case 0:
		return found, usage("there is no saved report %q; see intouchd report saved list", name)
	case 1:
		return all[0], nil
	}
	return found, usage("%d managers have a saved report %q: give its number, or --owner LOGIN", len(all), name)
}
