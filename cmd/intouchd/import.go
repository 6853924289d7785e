package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

func (p *program) importCommand() *cobra.Command {
	dry, refusedFile := false, ""
	manager, folder := "", ""
	cmd := &cobra.Command{
		Use:   "import KIND FILE…",
		Short: "Take records of another system from CSV or JSONL files, letters from mbox files",
		Long:  importHelp(),
		Args:  takes(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == mboxKind {
				if refusedFile != "" {
					return usage("import mbox: --refused is for rows; letters have none")
				}
				return p.importMbox(cmd.Context(), args[1:], manager, folder, dry)
			}
			kind := exchange.Kind(args[0])
			if err := exchange.KnownKind(kind, exchange.ImportKinds); err != nil {
				return usage("import: %v, %s", err, mboxKind)
			}
			if manager != "" || folder != "" {
				return usage("import: --manager and --folder go with mbox")
			}
			refused, err := newRefusedFile(refusedFile, kind, args[1:])
			if err != nil {
				return err
			}
			defer refused.close()
			cfg, st, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			opt := exchange.ImportOptions{
				Kind:     kind,
				Actor:    store.Actor{Origin: store.FromImport},
				DryRun:   dry,
				Currency: cfg.Currency,
				TimeZone: cfg.TimeZone,
				Language: string(cfg.Language),
				Refused:  refused.rows,
			}
			nothing := false
			for _, name := range args[1:] {
				sum, err := p.importFile(cmd.Context(), st, opt, name)
				if err != nil {
					return errors.Join(err, refused.close())
				}
				nothing = nothing || sum.Refused > 0 && sum.Refused == sum.Rows()
			}
			if err := refused.close(); err != nil {
				return err
			}
			if nothing {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&manager, "manager", "", "of mbox: the `LOGIN` of whose letters these are")
	cmd.Flags().StringVar(&folder, "folder", "", "of mbox: the `NAME` under which the letters are recorded (default: the file's name)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	cmd.Flags().StringVar(&refusedFile, "refused", "", "write the refused rows to `FILE`, as CSV that can be mended and imported")
	return cmd
}

// importHelp shows the columns of every kind, and the rule of transactions.
func importHelp() string {
	var b strings.Builder
	b.WriteString("Takes files of one kind; each kind refers only to those before it. A FILE \"-\" is stdin. The kinds and their columns:\n\n")
	for _, kind := range exchange.ImportKinds {
		fmt.Fprintf(&b, "  %-10s %s\n", kind, strings.Join(exchange.Columns(kind), ", "))
	}
	fmt.Fprintf(&b, `
CSV: a header line with the columns in any order, in English or in Russian ("Код", "Наименование"), separated by "," or ";" or
tabs; UTF-8, UTF-16 or windows-1251; dates 2026-11-23 or 23.11.2026, sums 1234.50 or 1 234,50. Other columns become attributes
of a client; of other kinds they are left out and named. JSONL: one object a line with the same names, lists as arrays.
"id" is the other system's key: a row with a known one changes that record, so a file may be imported again.

Up to %d rows (and 4 MB) of a file are one transaction; a longer file is taken in several. A row with a fault is refused, with its
line and the reason on stderr, and the others are taken: that is exit code 0. It is 1 where all rows of a file were refused, or a
file could not be read to its end; what was taken before stays, and the import can be run again.`, exchange.BatchRows)
	b.WriteString(mboxHelp)
	return b.String()
}

// importFile takes one file and reports on it: the faults on stderr, a line
// with the counts on stdout.
func (p *program) importFile(ctx context.Context, st *store.Store, opt exchange.ImportOptions, name string) (exchange.Summary, error) {
	opt.Name = name
	from, size := p.in, int64(0)
	if name == "-" {
		opt.Name = "stdin"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return exchange.Summary{}, fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		from = f
	}
	shown := newProgress(p.err, "rows")
	opt.Progress = func(rows int, bytes int64) {
		total := 0 // unknown; else guessed from the rows so far
		if size > 0 && bytes > 0 {
			total = max(rows, int(float64(rows)*float64(size)/float64(bytes)))
		}
		shown.at(name, rows, total)
	}
	sum, err := exchange.Import(ctx, st, opt, from)
	shown.end()
	for _, f := range sum.Faults {
		fmt.Fprintf(p.err, "%s: %v\n", opt.Name, f)
	}
	if more := sum.Refused - len(sum.Faults); more > 0 {
		fmt.Fprintf(p.err, "%s: %d more rows refused\n", opt.Name, more)
	}
	if len(sum.UnknownColumns) > 0 {
		what := "columns that are not known, left out"
		if opt.Kind == exchange.Clients {
			what = "columns taken as attributes"
		}
		fmt.Fprintf(p.err, "%s: %s: %s\n", opt.Name, what, strings.Join(sum.UnknownColumns, ", "))
	}
	if sum.Totals > 0 {
		fmt.Fprintf(p.err, "%s: lines of totals left out: %d\n", opt.Name, sum.Totals)
	}
	if err != nil && sum.Rows() == 0 {
		return sum, err
	}
	dry := ""
	if opt.DryRun {
		dry = " (dry run: nothing was written)"
	}
	_, printErr := fmt.Fprintf(p.out, "%s: %d new, %d changed, %d unchanged, %d refused%s\n", opt.Name, sum.New, sum.Changed, sum.Unchanged, sum.Refused, dry)
	return sum, errors.Join(err, printErr)
}

// refusedFile is the file of --refused. After the import it exists only where
// rows were refused.
type refusedFile struct {
	name string
	rows *exchange.RefusedRows // nil without --refused
	file *os.File              // nil until a row is refused
}

// newRefusedFile checks that the file is none of those that are read.
func newRefusedFile(name string, kind exchange.Kind, inputs []string) (*refusedFile, error) {
	r := &refusedFile{name: name}
	if name == "" {
		return r, nil
	}
	if there, err := os.Stat(name); err == nil {
		for _, input := range inputs {
			if info, err := os.Stat(input); err == nil && os.SameFile(there, info) {
				return nil, usage("import: --refused would overwrite %s, which is to be read", input)
			}
		}
	}
	// One of an earlier import would be taken for this one's.
	if there, err := os.Lstat(name); err == nil && there.Mode().IsRegular() {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
	}
	r.rows = exchange.NewRefusedRows(r, kind)
	return r, nil
}

// Write makes the file at the first row.
func (r *refusedFile) Write(b []byte) (int, error) {
	if r.file == nil {
		f, err := os.Create(r.name)
		if err != nil {
			return 0, err
		}
		r.file = f
	}
	return r.file.Write(b)
}

// close may be called again.
func (r *refusedFile) close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
