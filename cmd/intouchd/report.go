package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"intouch/report"
	"intouch/store"
)

// reportFormats are what `intouchd report` writes, the first by default.
var reportFormats = []string{"text", "html", "csv", "xlsx", "json", "vcard", "svg", "png"}

func (p *program) reportCommand() *cobra.Command {
	format, manager, language, excel, rows := reportFormats[0], "", "", false, ""
	asked := url.Values{}
	cmd := &cobra.Command{
		Use:   "report NAME",
		Short: "Compute a report of rules.md and write it to stdout",
		Long: "Computes a report and writes it to stdout. It is computed as a head sees it, in the zone of the settings, or with --as LOGIN as that manager sees it.\n\n" +
			report.Describe() + "\n" +
			"--period is today, yesterday, week, month, quarter, year, last-week and so on, or like 2026-10, 2026-Q3, 2026.\n" +
			"A filter may be given more than once; it names a record by its key in the accounting system (a manager by the login), or is \"none\".\n" +
			"--rows writes the records behind the figures; --rows=FIGURE those behind one of the figures that a report lists above.",
		Args:      takes(cobra.ExactArgs(1)),
		ValidArgs: report.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkReportFormat(format, excel); err != nil {
				return err
			}
			if !slices.Contains(report.Names(), args[0]) {
				return usage("report: unknown report %q: it is one of %s", args[0], strings.Join(report.Names(), ", "))
			}
			if rows != "" {
				asked.Set("rows", rows)
			}
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			viewer := store.Manager{Role: store.RoleHead, TimeZone: cfg.TimeZone, Language: cfg.Language}
			if manager != "" {
				if viewer, err = managerNamed(cmd.Context(), st, manager); err != nil {
					return err
				}
			}
			if language != "" {
				if language != string(store.Russian) && language != string(store.English) {
					return usage("report: unknown language %q: it is ru or en", language)
				}
				viewer.Language = store.Language(language)
			}
			return p.runReport(cmd.Context(), st, cfg, report.Request{Name: args[0], Viewer: viewer, Params: asked}, format, excel)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", format, "`FORMAT`: "+strings.Join(reportFormats, ", "))
	flags.BoolVar(&excel, "excel", false, "CSV with semicolons, decimal commas and a byte order mark, as Excel in Russian opens it")
	flags.StringVar(&manager, "as", "", "as the manager with that `LOGIN` sees it")
	flags.StringVar(&language, "language", "", "`LANG` of the titles: ru or en")
	flags.StringVar(&rows, "rows", "", "the records behind the figures, of a report that has several kinds of them those behind the `FIGURE`")
	flags.Lookup("rows").NoOptDefVal = "1"
	reportParamFlags(flags, asked)
	cmd.AddCommand(p.savedReportCommand(), &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of reports as JSON",
		Args:  takes(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := p.out.Write(report.Schema)
			return err
		},
	})
	return cmd
}

// reportParamFlags are the parameters of all reports as flags.
func reportParamFlags(flags *pflag.FlagSet, into url.Values) {
	for _, name := range report.Params() {
		flags.Var(paramFlag{into, name}, name, "")
		flags.Lookup(name).Usage = report.ParamUsage(name)
	}
}

func checkReportFormat(format string, excel bool) error {
	if !slices.Contains(reportFormats, format) {
		return usage("report: unknown format %q: it is one of %s", format, strings.Join(reportFormats, ", "))
	}
	if excel && format != "csv" {
		return usage("report: --excel goes with --format csv")
	}
	return nil
}

// runReport computes a report as of now and writes it to stdout.
func (p *program) runReport(ctx context.Context, st *store.Store, cfg *Config, req report.Request, format string, excel bool) error {
	req.Now, req.Currency, req.People = st.Now(), cfg.Currency, format == "vcard"
	table, err := report.Run(ctx, st, req)
	var wrong *report.Invalid
	if errors.As(err, &wrong) {
		return usage("report: %v", wrong)
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", req.Name, err)
	}
	if err := writeReport(p.out, table, format, excel, cfg.Server.PublicURL); errors.As(err, &wrong) {
		return usage("report: %v", wrong)
	} else if err != nil {
		return fmt.Errorf("write report %s: %w", req.Name, err)
	}
	return nil
}

// paramFlag adds to the parameters of a report.
type paramFlag struct {
	to   url.Values
	name string
}

var _ pflag.Value = paramFlag{}

func (f paramFlag) String() string { return "" }
func (f paramFlag) Type() string   { return "value" }
func (f paramFlag) Set(v string) error {
	f.to.Add(f.name, v)
	return nil
}

func writeReport(w io.Writer, t *report.Table, format string, excel bool, base string) error {
	switch format {
	case "html":
		return t.WriteHTML(w, report.HTMLOptions{For: report.Document, Base: base})
	case "csv":
		return t.WriteCSV(w, excel)
	case "xlsx":
		return t.WriteXLSX(w)
	case "json":
		return t.WriteJSON(w)
	case "vcard":
		return t.WriteVCard(w)
	case "svg":
		return t.WriteSVG(w)
	case "png":
		return t.WritePNG(w)
	}
	return t.WriteText(w)
}
