package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"intouch/exchange"
	"intouch/store"
)

// bookKind is a kind of "import" that brings in persons from an address book.
type bookKind struct {
	name, about string
	read        func(io.Reader) (*exchange.Book, error)
	// open is in place of read where a book is no stream: a database, a
	// directory of several.
	open func(ctx context.Context, path string) (*exchange.Book, error)
}

var bookKinds = []bookKind{
	{name: "vcard", about: "vCard files (.vcf) of phones, mail programs and address books: versions 2.1, 3.0 and 4.0, many cards in a file", read: exchange.VCards},
	{name: "thunderbird", about: "abook.sqlite and history.sqlite of Thunderbird, or its profile's directory; it may be running", open: exchange.Thunderbird},
	{name: "ldif", about: "LDIF files of Thunderbird and of directories (LDAP)", read: exchange.LDIF},
	{name: "outlook", about: "CSV files of Outlook, Google, Thunderbird and mail services, told apart by their header, in English or Russian", read: exchange.BookCSV},
}

// bookKindNamed is nil for what is no address book.
func bookKindNamed(name string) *bookKind {
	i := slices.IndexFunc(bookKinds, func(k bookKind) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return &bookKinds[i]
}

func bookNames() string {
	var names []string
	for _, k := range bookKinds {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

func bookHelp() string {
	var b strings.Builder
	b.WriteString("\n\nAddress books, whose entries become persons:\n\n")
	for _, k := range bookKinds {
		fmt.Fprintf(&b, "  %-11s %s\n", k.name, k.about)
	}
	b.WriteString(`
An entry is a person of the client that has its address, or the address's domain, or else the name of its organisation. One who is
a person there already, by an e-mail address or phone and a name that can be theirs, gets what was not known of them; what somebody
typed stays, and only what the same book gave before is changed by it. Whose client cannot be told, and who may be a double, is not
taken but offered: see "intouchd persons offers". --make-clients makes clients of organisations nobody knows; --manager LOGIN says
whose book it is, who then sees what is offered, beside the heads. Importing a book again changes nothing. Up to 2,000 entries are
one transaction. What cannot be read is refused, with its line and the reason on stderr, and the rest is taken.`)
	return b.String()
}

// bookFlags are the flags of import that go with address books.
type bookFlags struct {
	manager     string // whose book, "" nobody's
	makeClients bool
	dry         bool
}

// options of an import of that kind of book.
func (f *bookFlags) options(ctx context.Context, st *store.Store, kind string) (exchange.BookOptions, error) {
	opt := exchange.BookOptions{Actor: store.Actor{Origin: store.FromImport}, DryRun: f.dry, BookOptions: store.BookOptions{Book: kind, MakeClients: f.makeClients}}
	if f.manager != "" {
		who, err := managerNamed(ctx, st, f.manager)
		if err != nil {
			return opt, err
		}
		opt.ManagerID = who.ID
	}
	return opt, nil
}

// importBooks takes address books of one kind.
func (p *program) importBooks(ctx context.Context, kind *bookKind, names []string, flags bookFlags) error {
	_, st, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	opt, err := flags.options(ctx, st, kind.name)
	if err != nil {
		return err
	}
	nothing := false
	for _, name := range names {
		from, book, err := p.openBook(ctx, kind, name)
		if err != nil {
			return err
		}
		opt.Name, opt.Progress = from.name, from.progress
		sum, err := p.importBook(ctx, st, opt, book, from.shown)
		from.close()
		if err != nil {
			return err
		}
		nothing = nothing || sum.Refused > 0 && sum.Refused == sum.Entries()
	}
	if nothing {
		return errReported
	}
	return nil
}

// openBook opens an address book, and the file that it is read from.
func (p *program) openBook(ctx context.Context, kind *bookKind, name string) (*inputFile, *exchange.Book, error) {
	if kind.open != nil {
		if name == "-" {
			return nil, nil, usage("import %s: it is read where it lies, not from stdin", kind.name)
		}
		book, err := kind.open(ctx, name)
		if err != nil {
			return nil, nil, fmt.Errorf("import: %w", err)
		}
		return &inputFile{name: name, shown: newProgress(p.err, "entries")}, book, nil
	}
	from, err := p.input(name, "entries")
	if err != nil {
		return nil, nil, err
	}
	book, err := kind.read(from.r)
	if err != nil {
		from.close()
		return nil, nil, fmt.Errorf("%s: %w", from.name, err)
	}
	return from, book, nil
}

// importBook takes one address book and reports on it.
func (p *program) importBook(ctx context.Context, st *store.Store, opt exchange.BookOptions, book *exchange.Book, shown *progress) (exchange.BookSummary, error) {
	sum, err := exchange.ImportBook(ctx, st, opt, book)
	return sum, p.bookReport(ctx, st, opt, sum, err, shown)
}

// bookReport tells what an import of an address book did; err is how it ended.
func (p *program) bookReport(ctx context.Context, st *store.Store, opt exchange.BookOptions, sum exchange.BookSummary, err error, shown *progress) error {
	shown.end()
	p.faults(opt.Name, "entries", sum.Faults, sum.Refused)
	for _, what := range slices.Sorted(maps.Keys(sum.LeftOut)) {
		fmt.Fprintf(p.err, "%s: not kept: %s (%d)\n", opt.Name, what, sum.LeftOut[what])
	}
	if err != nil && sum.Entries() == 0 {
		return err
	}
	if sum.Ours > 0 {
		fmt.Fprintf(p.err, "%s: of our own company, left out: %d\n", opt.Name, sum.Ours)
	}
	dry := ""
	if opt.DryRun {
		dry = " (dry run: nothing was written)"
	}
	told := fmt.Sprintf("%s: persons: %d new, %d changed, %d unchanged, %d offered, %d refused%s", opt.Name, sum.New, sum.Changed, sum.Unchanged, sum.Offered, sum.Refused, dry)
	return errors.Join(err, p.imported(ctx, st, "address book", told, opt.DryRun, sum.Refused > 0 || err != nil))
}
