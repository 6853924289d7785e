package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"intouch/exchange"
	"intouch/store"
)

const commerceMLKind = "commerceml"

const commerceMLHelp = `

  commerceml  what 1C writes: orders with their clients, lines, payments and shipments (CommerceML 2.03–2.10 and 3.1)

Clients are known by Ид, else by ИНН and КПП; orders and documents by Ид. Of an order the newest version stays, in whatever
order files come: by НомерВерсии, else by the time in the file's head. A line of counts is printed for clients, for orders and
for documents. A document of an unknown order is kept apart, and an order whose lines make another sum is taken and noted:
"intouchd questions". Курс is noted as the rate of its day, where none was imported. What 1C writes beside (other kinds of ХозОперация)
is kept as a note in the history of its order or client. Refused papers have a fault; with --refused they are written as CommerceML, of one FILE at a time. About 4 MB
are one transaction; a dry run forgets each, so it refuses a document whose order stood far before it in the same file.`

// importCommerceML takes files that 1C wrote.
func (p *program) importCommerceML(ctx context.Context, names []string, refusedName string, dry, atomic bool) error {
	if refusedName != "" && len(names) > 1 {
		return usage("import commerceml: --refused takes the papers of one file; import the files one by one")
	}
	refused, err := newRefusedFile(refusedName, names)
	if err != nil {
		return err
	}
	defer refused.close()
	cfg, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	opt := exchange.CommerceMLOptions{Actor: store.Actor{Origin: store.FromImport}, DryRun: dry, Atomic: atomic, Currency: cfg.Currency, Names: cfg.Exchange.Values}
	if refusedName != "" {
		opt.Refused = exchange.NewRefusedPapers(refused)
	}
	nothing := false
	for _, name := range names {
		sum, err := p.importCommerceMLFile(ctx, st, opt, name)
		nothing = nothing || sum.Refused() > 0 && sum.Refused() == sum.Papers()
		if err != nil {
			if opt.Refused != nil {
				err = errors.Join(err, opt.Refused.Close())
			}
			return errors.Join(err, refused.close())
		}
	}
	if opt.Refused != nil {
		if err := opt.Refused.Close(); err != nil {
			return fmt.Errorf("write refused papers: %w", err)
		}
	}
	if err := refused.close(); err != nil {
		return err
	}
	if nothing {
		return errReported
	}
	return nil
}

// importCommerceMLFile takes one file and reports on it.
func (p *program) importCommerceMLFile(ctx context.Context, st *store.Store, opt exchange.CommerceMLOptions, name string) (exchange.CommerceMLSummary, error) {
	from, err := p.input(name, "documents")
	if err != nil {
		return exchange.CommerceMLSummary{}, err
	}
	defer from.close()
	opt.Name, opt.Progress = from.name, from.progress
	sum, err := exchange.ImportCommerceML(ctx, st, opt, from.r)
	from.shown.end()
	p.faults(opt.Name, "documents", sum.Faults, sum.Refused())
	if sum.Older > 0 {
		fmt.Fprintf(p.err, "%s: older than what is here, so not taken: %d\n", opt.Name, sum.Older)
	}
	if sum.Notes > 0 {
		fmt.Fprintf(p.err, "%s: kept as notes: %d\n", opt.Name, sum.Notes)
	}
	p.openQuestions(opt.Name, sum.Kept(), sum.Differing())
	for _, what := range slices.Sorted(maps.Keys(sum.LeftOut)) {
		fmt.Fprintf(p.err, "%s: not kept: %s (%d)\n", opt.Name, what, sum.LeftOut[what])
	}
	if len(sum.UnknownManagers) > 0 {
		fmt.Fprintf(p.err, "%s: managers that are not here, left out: %s\n", opt.Name, strings.Join(sum.UnknownManagers, ", "))
	}
	if err != nil && sum.Papers() == 0 {
		return sum, err
	}
	for _, one := range []struct {
		what string
		sum  *exchange.Summary
	}{{"clients", &sum.Clients}, {"orders", &sum.Orders}, {"documents", &sum.Documents}} {
		err = errors.Join(err, p.imported(ctx, st, commerceMLKind, counts(opt.Name+": "+one.what, one.sum, opt.DryRun), opt.DryRun, one.sum.Refused > 0))
	}
	return sum, err
}
