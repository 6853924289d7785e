package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// A transaction takes at most this much of a file. Each is committed before
// the next part is read, so that a long import needs no memory for the whole
// file, and a daemon at work on the same database can write in between. One
// cut short has written whole transactions; running it again writes the rest.
const (
	BatchRows  = 5_000
	batchBytes = 4 << 20
	// breath is the pause after a transaction. Whoever waits for SQLite's one
	// writer asks again every 100 ms, and gives up after 5 s (busy_timeout):
	// in a shorter pause it could miss its turn each time.
	breath = 120 * time.Millisecond
)

// maxFaults bounds the faults that a Summary keeps; the others are counted.
const maxFaults = 1000

// ImportOptions say what a file holds and how to take it.
type ImportOptions struct {
	Kind     Kind
	Name     string // of the file, for messages
	Actor    store.Actor
	DryRun   bool   // everything is read, tried and rolled back
	Atomic   bool   // the whole file is one transaction: all rows or, with a refused one, none
	Currency string // of sums whose row names none; RUB when empty
	// TimeZone and Language of new managers whose row names none. Clock times
	// of contacts are of the zone, where they name no other.
	TimeZone, Language string
	// Progress is told after each transaction how many rows and how many
	// bytes of the file are done; nil for nobody.
	Progress func(rows int, bytes int64)
	// Refused takes the rows that were refused; nil for nobody.
	Refused *RefusedRows
}

// RowFault is one refused row.
type RowFault struct {
	Line   int    // its first line in the file, from 1; 0: an entry of what has no lines
	Key    string // its id, "" when it has none
	Field  string // "" when the whole row is meant
	Reason string // for a person, in English
}

func (f RowFault) String() string {
	s := "entry"
	if f.Line != 0 {
		s = fmt.Sprintf("line %d", f.Line)
	}
	if f.Key != "" {
		s += fmt.Sprintf(" (%s)", f.Key)
	}
	if f.Field != "" {
		s += ": " + f.Field
	}
	return s + ": " + f.Reason
}

// Summary is what an import did. With DryRun it is what it would have done,
// except that a key that stands twice in a file of several transactions
// counts as new twice.
type Summary struct {
	New, Changed, Unchanged, Refused int
	// Kept apart as open questions, since they lack something.
	Kept int
	// How many more records are open whose lines make another sum; they are
	// taken. Negative where more were mended.
	Differing      int
	Totals         int        // lines of totals that were left out
	Faults         []RowFault // the first 1,000
	UnknownColumns []string   // of clients: taken as attributes; else left out
}

// none forgets what was taken, since it was rolled back.
func (s *Summary) none() { s.New, s.Changed, s.Unchanged, s.Kept, s.Differing = 0, 0, 0, 0, 0 }

// Rows is the number of rows that the file held.
func (s *Summary) Rows() int { return s.New + s.Changed + s.Unchanged + s.Kept + s.Refused }

// ErrNoneTaken ends an atomic import in which something was refused.
var ErrNoneTaken = errors.New("nothing was taken, because not all could be")

// Import takes a file of one kind. Rows with faults are refused one by one and
// stand in the summary; those that only lack something are kept apart as open
// questions; the others are written, BatchRows rows at most in one
// transaction. With Atomic the whole file is one, and a refused row leaves
// nothing of it: ErrNoneTaken. An error means that the import ended early: the file is not
// text, has no usable header, cannot be read on, or the database failed. The
// summary then counts what was committed before.
func Import(ctx context.Context, st *store.Store, opt ImportOptions, r io.Reader) (Summary, error) {
	im := importer{opt: opt, st: st}
	err := im.run(ctx, r)
	if err != nil && opt.Atomic {
		im.sum.none()
	}
	if err != nil && opt.Name != "" {
		err = fmt.Errorf("%s: %w", opt.Name, err)
	}
	return im.sum, err
}

// importer is one Import on its way.
type importer struct {
	opt  ImportOptions
	st   *store.Store
	tx   *store.Import // of an atomic import
	rows *rows
	zone *time.Location
	sum  Summary
	// managers that exist, by key and by login: the defaults are for others.
	managers map[string]bool
}

// ready is a row that can be tried, or one that is refused already.
type ready struct {
	row   *row
	take  taker
	fault error
}

func (im *importer) run(ctx context.Context, r io.Reader) error {
	if err := KnownKind(im.opt.Kind, ImportKinds); err != nil {
		return err
	}
	if im.opt.Currency == "" {
		im.opt.Currency = "RUB"
	}
	rows, err := openRows(im.opt.Kind, r)
	if err != nil {
		return err
	}
	im.rows = rows
	if im.zone, err = time.LoadLocation(im.opt.TimeZone); err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	if im.opt.Kind == Managers {
		if err := im.knowManagers(ctx); err != nil {
			return err
		}
	}
	if !im.opt.Atomic {
		return im.batches(ctx)
	}
	return im.st.Import(ctx, im.opt.Actor, im.opt.DryRun, func(tx *store.Import) error {
		im.tx = tx
		if err := im.batches(ctx); err != nil {
			return err
		}
		if im.sum.Refused > 0 {
			return ErrNoneTaken
		}
		return nil
	})
}

// batches takes the rows of the file, part by part.
func (im *importer) batches(ctx context.Context) error {
	for more := true; more; {
		var batch []ready
		var err error
		batch, more, err = im.read(ctx)
		if err == nil {
			err = im.write(ctx, batch)
		}
		im.sum.Totals, im.sum.UnknownColumns = im.rows.totals, im.rows.unknown
		if err != nil {
			return err
		}
		if im.opt.Progress != nil {
			im.opt.Progress(im.sum.Rows(), im.rows.csv.in.count.n)
		}
		if more && !im.opt.Atomic {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(breath):
			}
		}
	}
	return nil
}

// knowManagers remembers who is there; managers are few.
func (im *importer) knowManagers(ctx context.Context) error {
	all, err := im.st.Managers(ctx)
	if err != nil {
		return err
	}
	im.managers = map[string]bool{}
	for _, m := range all {
		im.managers["id "+m.ExternalID], im.managers["login "+m.Login] = true, true
	}
	return nil
}

// complete gives a new manager the zone and language of the settings.
func (im *importer) complete(r *row) {
	if im.opt.Kind != Managers {
		return
	}
	f := fields{rows: im.rows, row: r}
	login := strings.ToLower(cmp.Or(f.text("login"), f.text("id")))
	if im.managers["id "+f.text("id")] || im.managers["login "+login] {
		return
	}
	for name, value := range map[string]string{"time_zone": im.opt.TimeZone, "language": im.opt.Language} {
		if i := f.index(name); r.cells[i] == "" {
			r.cells[i] = value
		}
	}
}

// read collects the rows of one transaction. Unless the import is atomic, none
// is open meanwhile: the file may come through a slow pipe.
func (im *importer) read(ctx context.Context) (batch []ready, more bool, err error) {
	start := im.rows.csv.in.count.n
	for len(batch) < BatchRows && im.rows.csv.in.count.n-start < batchBytes {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		r, err := im.rows.next()
		if errors.Is(err, io.EOF) {
			return batch, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("after line %d: %w", im.rows.csv.in.number, err)
		}
		one := ready{row: r, fault: r.fault}
		if r.fault == nil {
			im.complete(r)
			f := fields{rows: im.rows, row: r, currency: im.opt.Currency, zone: im.zone}
			one.take, one.fault = f.take()
		}
		batch = append(batch, one)
	}
	return batch, true, nil
}

// write tries the rows in one transaction. What it did counts once that has
// been committed, of an atomic import at its end.
func (im *importer) write(ctx context.Context, batch []ready) error {
	if !slices.ContainsFunc(batch, func(one ready) bool { return one.fault == nil }) {
		return im.refuse(batch)
	}
	changes := map[store.RowChange]int{}
	differing := 0
	try := func(tx *store.Import) error {
		for i, one := range batch {
			if one.fault != nil {
				continue
			}
			tx.Given(store.Given{File: im.opt.Name, Line: one.row.line, Text: func() string { return im.rows.text(one.row) }})
			change, err := one.take(tx)
			var invalid *store.Invalid
			if err != nil && !errors.As(err, &invalid) {
				return fmt.Errorf("line %d: %w", one.row.line, err)
			}
			if batch[i].fault = err; err == nil {
				changes[change]++
			}
		}
		var err error
		differing, err = tx.CheckSums()
		return err
	}
	var err error
	if im.tx != nil {
		err = try(im.tx)
	} else {
		err = im.st.Import(ctx, im.opt.Actor, im.opt.DryRun, try)
	}
	if err != nil {
		return err
	}
	im.sum.Kept += changes[store.RowKept]
	im.sum.Differing += differing
	im.sum.New += changes[store.RowNew]
	im.sum.Changed += changes[store.RowChanged]
	im.sum.Unchanged += changes[store.RowUnchanged]
	return im.refuse(batch)
}

// refuse notes the rows of a batch that were not taken, in their order.
func (im *importer) refuse(batch []ready) error {
	for _, one := range batch {
		if one.fault == nil {
			continue
		}
		f := RowFault{Line: one.row.line, Reason: one.fault.Error()}
		if len(one.row.cells) > 0 {
			f.Key = one.row.cells[0] // id stands first in columnsOf
		}
		var invalid *store.Invalid
		if errors.As(one.fault, &invalid) {
			f.Field, f.Reason = invalid.Field, invalid.Reason
		}
		im.sum.Refused++
		if len(im.sum.Faults) < maxFaults {
			im.sum.Faults = append(im.sum.Faults, f)
		}
		if im.opt.Refused != nil {
			if err := im.opt.Refused.add(im.opt.Name, one.row, f); err != nil {
				return fmt.Errorf("write refused rows: %w", err)
			}
		}
	}
	return nil
}
