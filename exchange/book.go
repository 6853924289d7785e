package exchange

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"time"

	"intouch/store"
)

// Address books: whatever wrote one, a reader gives its entries one by one,
// and ImportBook hands them to the store, which knows whose persons they are.

// Book is an address book that is read once, entry by entry.
type Book struct {
	// Entries in their order. An *EntryFault is one entry that cannot be read,
	// and the next may be; any other error ends the book.
	Entries iter.Seq2[store.BookPerson, error]
	// Bytes that have been read of the file; nil: it is none.
	Bytes func() int64
	// LeftOut counts what of the entries is not kept ("photos").
	LeftOut map[string]int
}

// EntryFault is why one entry of a book cannot be read.
type EntryFault struct {
	Line   int    // where the entry begins in the file, from 1; 0: it has no lines
	Key    string // a name or key to know it by, "" for none
	Reason string // for a person, in English
}

func (f *EntryFault) Error() string { return f.Reason }

// BookOptions say how ImportBook takes a book.
type BookOptions struct {
	store.BookOptions
	Name     string // of the file, for messages
	Actor    store.Actor
	DryRun   bool                        // everything is read, tried and rolled back
	Progress func(done int, bytes int64) // told after each transaction; nil for nobody
}

// BookSummary is what ImportBook did. New are persons; changed those whom an
// entry gave something.
type BookSummary struct {
	Summary
	Offered int            // kept apart until somebody decides
	Ours    int            // of our own managers, left out
	LeftOut map[string]int // parts of entries that are not kept
}

// Entries is the number of entries that the book held.
func (s *BookSummary) Entries() int { return s.Rows() + s.Offered + s.Ours }

const (
	bookBatch = 2_000 // entries of a transaction
	// maxTwins bounds the keys that are remembered to tell two entries of one
	// book with the same key apart.
	maxTwins = 1 << 20
)

// bookEntry is an entry that can be tried, or a fault.
type bookEntry struct {
	said  store.BookPerson
	fault error
}

// ImportBook takes an address book. What cannot be read or taken is refused
// entry by entry and stands in the summary. An error means that it ended
// early; the summary then counts what was committed before.
func ImportBook(ctx context.Context, st *store.Store, opt BookOptions, book *Book) (BookSummary, error) {
	im := bookImporter{st: st, opt: opt, seen: map[uint64]bool{}, seed: maphash.MakeSeed()}
	err := im.run(ctx, book)
	im.sum.LeftOut = book.LeftOut
	if err != nil && opt.Name != "" {
		err = fmt.Errorf("%s: %w", opt.Name, err)
	}
	return im.sum, err
}

type bookImporter struct {
	st   *store.Store
	opt  BookOptions
	sum  BookSummary
	seen map[uint64]bool // keys
	seed maphash.Seed
}

func (im *bookImporter) run(ctx context.Context, book *Book) error {
	var batch []bookEntry
	take := func() error {
		if err := im.write(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
		if im.opt.Progress != nil {
			bytes := int64(0)
			if book.Bytes != nil {
				bytes = book.Bytes()
			}
			im.opt.Progress(im.sum.Entries(), bytes)
		}
		return nil
	}
	for said, err := range book.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		var fault *EntryFault
		if err != nil && !errors.As(err, &fault) {
			return errors.Join(take(), err)
		}
		if err == nil {
			said, err = im.known(said)
		}
		batch = append(batch, bookEntry{said: said, fault: err})
		if len(batch) < bookBatch {
			continue
		}
		if err := take(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(breath):
		}
	}
	return take()
}

// known bounds an entry and gives it the key by which it is known at the next
// import. Careless programs write one key twice; the second entry is another
// one, and must not change the first to and fro.
func (im *bookImporter) known(said store.BookPerson) (store.BookPerson, error) {
	said, err := said.Tidied()
	if err != nil {
		return said, err
	}
	said.Key = said.Identity()
	hash := maphash.String(im.seed, said.Key)
	if im.seen[hash] {
		said.Key = said.Twin()
	} else if len(im.seen) < maxTwins {
		im.seen[hash] = true
	}
	return said, nil
}

// write tries the entries in one transaction. What it did counts once that has
// been committed.
func (im *bookImporter) write(ctx context.Context, batch []bookEntry) error {
	changes := map[store.RowChange]int{}
	err := im.st.Import(ctx, im.opt.Actor, im.opt.DryRun, func(tx *store.Import) error {
		for i, one := range batch {
			if one.fault != nil {
				continue
			}
			change, err := tx.BookPerson(im.opt.BookOptions, one.said)
			var invalid *store.Invalid
			if err != nil && !errors.As(err, &invalid) {
				return fmt.Errorf("%s: %w", one.said.Name, err)
			}
			if batch[i].fault = err; err == nil {
				changes[change]++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	im.sum.New += changes[store.RowNew]
	im.sum.Changed += changes[store.RowChanged]
	im.sum.Unchanged += changes[store.RowUnchanged]
	im.sum.Offered += changes[store.RowOffered]
	im.sum.Ours += changes[store.RowOurs]
	for _, one := range batch {
		im.refuse(one)
	}
	return nil
}

func (im *bookImporter) refuse(one bookEntry) {
	if one.fault == nil {
		return
	}
	f := RowFault{Key: one.said.Name, Reason: one.fault.Error()}
	var entry *EntryFault
	var invalid *store.Invalid
	switch {
	case errors.As(one.fault, &entry):
		f.Line, f.Key = entry.Line, entry.Key
	case errors.As(one.fault, &invalid):
		f.Field, f.Reason = invalid.Field, invalid.Reason
	}
	im.sum.Refused++
	if len(im.sum.Faults) < maxFaults {
		im.sum.Faults = append(im.sum.Faults, f)
	}
}
