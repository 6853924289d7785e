package main

import (
	"slices"

	"github.com/spf13/cobra"

	"intouch/exchange"
)

func (p *program) exportCommand() *cobra.Command {
	format, excel := "", false
	cmd := &cobra.Command{
		Use:   "export KIND",
		Short: "Write all records of a kind to stdout as JSONL or CSV",
		Long: "Writes all records of a kind: " + exchange.Names(exchange.ExportKinds) + ".\n\n" +
			"JSONL: one object a line; times are RFC 3339 in UTC. CSV: UTF-8 with commas; lists are separated by spaces, phones by commas,\n" +
			"nested values are JSON, and a text that a spreadsheet would take for a formula begins with an apostrophe, which import takes\n" +
			"away again.",
		Args:      takes(cobra.ExactArgs(1)),
		ValidArgs: completions(exchange.ExportKinds),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt := exchange.ExportOptions{Kind: exchange.Kind(args[0]), Format: exchange.Format(format), Excel: excel}
			if err := exchange.KnownKind(opt.Kind, exchange.ExportKinds); err != nil {
				return usage("export: %v", err)
			}
			if !slices.Contains(exchange.Formats, opt.Format) {
				return usage("export: unknown format %q: it is one of %s", format, exchange.Names(exchange.Formats))
			}
			if excel && opt.Format != exchange.CSV {
				return usage("export: --excel goes with --format csv")
			}
			_, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			return exchange.Export(cmd.Context(), st, opt, p.out)
		},
	}
	cmd.Flags().StringVar(&format, "format", string(exchange.JSONL), "`FORMAT`: "+exchange.Names(exchange.Formats))
	cmd.Flags().BoolVar(&excel, "excel", false, "CSV with semicolons and a byte order mark, as Excel in Russian opens it")
	return cmd
}
