package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"intouch/exchange"
	"intouch/store"
)

func (p *program) importCommand() *cobra.Command {
	dry, atomic, refusedFile := false, false, ""
	manager, folder := "", ""
	makeClients := false
	cmd := &cobra.Command{
		Use:   "import KIND FILE…",
		Short: "Take records of another system from CSV, JSONL or CommerceML files, persons from address books, letters from mbox files",
		Long:  importHelp(),
		Args:  takes(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			book := bookKindNamed(args[0])
			if makeClients && book == nil {
				return usage("import: --make-clients goes with address books")
			}
			if book != nil {
				if refusedFile != "" || folder != "" || atomic {
					return usage("import %s: --refused and --atomic are for rows, --folder for mbox", book.name)
				}
				return p.importBooks(cmd.Context(), book, args[1:], bookFlags{manager: manager, makeClients: makeClients, dry: dry})
			}
			if args[0] == mboxKind {
				if refusedFile != "" {
					return usage("import mbox: --refused is for rows; letters have none")
				}
				if atomic {
					return usage("import mbox: --atomic is for rows and papers")
				}
				return p.importMbox(cmd.Context(), args[1:], manager, folder, dry)
			}
			if args[0] == commerceMLKind {
				if manager != "" || folder != "" {
					return usage("import: --manager goes with mbox and address books, --folder with mbox")
				}
				return p.importCommerceML(cmd.Context(), args[1:], refusedFile, dry, atomic)
			}
			kind := exchange.Kind(args[0])
			if err := exchange.KnownKind(kind, exchange.ImportKinds); err != nil {
				return usage("import: %v, %s, %s, %s", err, mboxKind, commerceMLKind, bookNames())
			}
			if manager != "" || folder != "" {
				return usage("import: --manager goes with mbox and address books, --folder with mbox")
			}
			refused, err := newRefusedFile(refusedFile, args[1:])
			if err != nil {
				return err
			}
			var rows *exchange.RefusedRows
			if refusedFile != "" {
				rows = exchange.NewRefusedRows(refused, kind)
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
				Atomic:   atomic,
				Currency: cfg.Currency,
				TimeZone: cfg.TimeZone,
				Language: string(cfg.Language),
				Refused:  rows,
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
	cmd.AddCommand(p.importCardDAV())
	cmd.Flags().StringVar(&manager, "manager", "", "of mbox: the `LOGIN` of whose letters these are; of address books: whose book it is")
	cmd.Flags().StringVar(&folder, "folder", "", "of mbox: the `NAME` under which the letters are recorded (default: the file's name)")
	cmd.Flags().BoolVar(&makeClients, "make-clients", false, "of address books: make clients of organisations that are none yet")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVar(&atomic, "atomic", false, "take all of a file or, where something is refused, nothing of it")
	cmd.Flags().StringVar(&refusedFile, "refused", "", "write what was refused to `FILE`, in a form that can be mended and imported: CSV, of commerceml XML")
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
file could not be read to its end; what was taken before stays, and the import can be run again. With --atomic a whole file is one
transaction, in which nothing else can write to the database: one refused row, and nothing of the file is taken and the exit code
is 1.

A row that is right in itself but refers to a deal, client or document that is not there, or needs a rate that is not known, is not
refused: it is kept apart, and taken by itself when that comes. So are records noted whose lines make another sum than they say.
"intouchd questions" lists both. "contacts" have a "key"; start and end are times or days, and the row that was taken last changes
nothing when it comes again, so that what a manager did with the contact stays. "rates" are what so many units ("per") of a currency are worth in that of the settings from a day on.`, exchange.BatchRows)
	b.WriteString(commerceMLHelp + bookHelp() + mboxHelp)
	return b.String()
}

// importFile takes one file and reports on it: the faults on stderr, a line
// with the counts on stdout.
func (p *program) importFile(ctx context.Context, st *store.Store, opt exchange.ImportOptions, name string) (exchange.Summary, error) {
	opt.Name = name
	from, err := p.input(name, "rows")
	if err != nil {
		return exchange.Summary{}, err
	}
	defer from.close()
	opt.Name, opt.Progress = from.name, from.progress
	sum, err := exchange.Import(ctx, st, opt, from.r)
	from.shown.end()
	p.faults(opt.Name, "rows", sum.Faults, sum.Refused)
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
	p.openQuestions(opt.Name, sum.Kept, sum.Differing)
	if err != nil && sum.Rows() == 0 {
		return sum, err
	}
	told := counts(opt.Name, &sum, opt.DryRun)
	return sum, errors.Join(err, p.imported(ctx, st, string(opt.Kind), told, opt.DryRun, sum.Refused > 0 || err != nil))
}

// imported tells what an import of a kind did, and writes it into the ledger,
// which the status page shows, too.
func (p *program) imported(ctx context.Context, st *store.Store, kind, told string, dryRun, faulty bool) error {
	if _, err := fmt.Fprintln(p.out, told); err != nil || dryRun {
		return err
	}
	p.imports++
	slot := fmt.Sprintf("%s #%d", st.Now().UTC().Format("2006-01-02T15:04:05"), p.imports)
	run := store.Run{Job: "import", Slot: slot, Started: st.Now(), Outcome: "done", Detail: kind + ", " + told}
	if faulty {
		run.Outcome = "failed"
	}
	return st.RecordQuietRun(context.WithoutCancel(ctx), run) // also of one that was interrupted
}

// openQuestions tells what an import leaves to be asked about.
func (p *program) openQuestions(name string, kept, differing int) {
	if kept > 0 {
		fmt.Fprintf(p.err, "%s: kept apart, since something they refer to is not here: %d (intouchd questions)\n", name, kept)
	}
	if differing > 0 {
		fmt.Fprintf(p.err, "%s: taken, but the lines make another sum: %d (intouchd questions)\n", name, differing)
	}
}

// counts is the line of a summary.
func counts(what string, sum *exchange.Summary, dryRun bool) string {
	kept, dry := "", ""
	if sum.Kept > 0 {
		kept = fmt.Sprintf(", %d kept apart", sum.Kept)
	}
	if dryRun {
		dry = " (dry run: nothing was written)"
	}
	return fmt.Sprintf("%s: %d new, %d changed, %d unchanged, %d refused%s%s", what, sum.New, sum.Changed, sum.Unchanged, sum.Refused, kept, dry)
}

// faults tells what was refused, and how much more than is listed.
func (p *program) faults(name, noun string, listed []exchange.RowFault, refused int) {
	for _, f := range listed {
		fmt.Fprintf(p.err, "%s: %v\n", name, f)
	}
	if more := refused - len(listed); more > 0 {
		fmt.Fprintf(p.err, "%s: %d more %s refused\n", name, more, noun)
	}
}

// inputFile is a file to import, or stdin, whose progress is shown.
type inputFile struct {
	name  string // for messages
	r     io.Reader
	size  int64 // 0: not known
	shown *progress
	file  *os.File // nil: stdin, which stays open
}

// input opens a file, stdin for "-"; noun says what is counted in it.
func (p *program) input(name, noun string) (*inputFile, error) {
	in := &inputFile{name: name, r: p.in, shown: newProgress(p.err, noun)}
	if name == "-" {
		in.name = "stdin"
		return in, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	}
	in.r, in.file = f, f
	return in, nil
}

// progress shows how many records and bytes are done.
func (in *inputFile) progress(done int, bytes int64) {
	total := 0 // unknown; else guessed from the records so far
	if in.size > 0 && bytes > 0 {
		total = max(done, int(float64(done)*float64(in.size)/float64(bytes)))
	}
	in.shown.at(in.name, done, total)
}

func (in *inputFile) close() {
	if in.file != nil {
		in.file.Close()
	}
}

// refusedFile is the file of --refused. After the import it exists only where
// rows were refused.
type refusedFile struct {
	name string
	file *os.File // nil until a row is refused
}

// newRefusedFile checks that the file is none of those that are read.
func newRefusedFile(name string, inputs []string) (*refusedFile, error) {
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
