package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"intouch/store"
)

// Thunderbird keeps each address book as an SQLite database: abook.sqlite,
// history.sqlite (whom one wrote to), abook-1.sqlite and so on for others. A
// row of "properties" is one property of a card; since version 91 a card is a
// vCard in the property _vCard, beside a few of its values. Thunderbird holds
// an open book for itself, with what is new in a log beside it, so a private
// copy of both is read.

const (
	maxThunderbirdBook = 1 << 30 // bytes of one file
	maxStoredCard      = 1 << 20 // bytes of a property
	// copyTries is how often a book is copied anew that Thunderbird wrote to
	// meanwhile.
	copyTries = 3
)

const (
	listsLeft = "mailing lists"
	morkLeft  = "address books of Thunderbird before version 78 (.mab): open them in a newer one first"
)

// thunderbirdBooks are the names of address books in a profile's directory.
var thunderbirdBooks = []string{"abook*.sqlite", "history*.sqlite"}

// Thunderbird reads an address book of Thunderbird, or all those of a profile
// where path is its directory. Errors: of the file system, or that a directory
// has none; what is wrong with a book is told by its entries.
func Thunderbird(ctx context.Context, path string) (*Book, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	book := &Book{LeftOut: map[string]int{}}
	files := []string{path}
	if info.IsDir() {
		files = nil
		for _, pattern := range thunderbirdBooks {
			found, err := fs.Glob(os.DirFS(path), pattern)
			if err != nil {
				return nil, err
			}
			for _, name := range found {
				files = append(files, filepath.Join(path, name))
			}
		}
		if old, _ := fs.Glob(os.DirFS(path), "*abook*.mab"); len(old) > 0 {
			book.LeftOut[morkLeft] = len(old)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s is no profile of Thunderbird: it has no abook.sqlite", path)
		}
	}
	var done int64
	book.Bytes = func() int64 { return done }
	book.Entries = func(yield func(store.BookPerson, error) bool) {
		for _, name := range files {
			more, err := thunderbirdFile(ctx, name, book.LeftOut, yield)
			if err != nil {
				err = fmt.Errorf("%s: %w", filepath.Base(name), err)
				if len(files) > 1 && ctx.Err() == nil { // the other books are good
					err = &EntryFault{Reason: err.Error()}
				}
				more = yield(store.BookPerson{}, err) && len(files) > 1
			}
			if !more {
				return
			}
			if info, err := os.Stat(name); err == nil {
				done += info.Size()
			}
		}
	}
	return book, nil
}

// thunderbirdFile gives the cards of one file; more is whether the reader
// wants others.
func thunderbirdFile(ctx context.Context, name string, leftOut map[string]int, yield func(store.BookPerson, error) bool) (more bool, err error) {
	dir, err := os.MkdirTemp("", "intouch-book-*") // for its owner only
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	db, err := openCopy(ctx, name, dir)
	if err != nil {
		return false, err
	}
	defer db.Close()
	var lists int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'lists'`).Scan(&lists); err != nil {
		return false, err
	}
	if lists > 0 {
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM lists`).Scan(&lists); err != nil {
			return false, err
		}
		if lists > 0 {
			leftOut[listsLeft] += lists
		}
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(`SELECT card, name, CAST(substr(value, 1, %d) AS TEXT) FROM properties
		WHERE name IN ('%s') AND card IS NOT NULL AND value IS NOT NULL ORDER BY card`, maxStoredCard+1, strings.Join(cardValues, "', '")))
	if err != nil {
		return false, err
	}
	defer rows.Close()
	current, values := "", map[string]string{}
	give := func() bool {
		if len(values) == 0 {
			return true
		}
		entry, err := thunderbirdCard(current, values, leftOut)
		clear(values)
		return yield(entry, err)
	}
	for rows.Next() {
		var card, name, value string
		if err := rows.Scan(&card, &name, &value); err != nil {
			return false, err
		}
		if card != current {
			if !give() {
				return false, nil
			}
			current = card
		}
		if _, twice := values[name]; !twice && value != "" {
			values[name] = value
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	return give(), nil
}

// openCopy copies an address book and opens the copy.
func openCopy(ctx context.Context, name, dir string) (*sql.DB, error) {
	to := filepath.Join(dir, "book.sqlite")
	var damage error
	for range copyTries {
		// The log first: what Thunderbird moves from it into the book between
		// the two is then there twice, and not missing.
		for _, suffix := range []string{"-wal", "-journal", ""} {
			err := copyFile(ctx, name+suffix, to+suffix)
			if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
				return nil, err
			}
		}
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: to}).EscapedPath()+"?_pragma=trusted_schema(0)&_pragma=cell_size_check(1)&_pragma=cache_size(-8000)")
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		if damage = isBook(ctx, db); damage == nil {
			return db, nil
		}
		db.Close()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, suffix := range []string{"-wal", "-shm", "-journal"} {
			os.Remove(to + suffix)
		}
		if errors.Is(damage, errNoBook) {
			return nil, damage
		}
	}
	return nil, damage
}

var errNoBook = errors.New("this is no address book of Thunderbird: it is an SQLite database without the table \"properties\"")

// isBook looks whether a database is whole, and an address book. A view of that
// name is none: what it does is a stranger's program.
func isBook(ctx context.Context, db *sql.DB) error {
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return fmt.Errorf("it cannot be read as an SQLite database: %w", err)
	}
	if said != "ok" {
		return fmt.Errorf("it is damaged: %s", strings.Join(strings.Fields(said), " "))
	}
	var n int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'properties'`).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return errNoBook
	}
	return nil
}

func copyFile(ctx context.Context, from, to string) error {
	if info, err := os.Stat(from); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", filepath.Base(from))
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	n, err := io.Copy(out, io.LimitReader(contextReader{ctx, in}, maxThunderbirdBook+1))
	if err == nil && n > maxThunderbirdBook {
		err = fmt.Errorf("it is larger than %d MB", maxThunderbirdBook>>20)
	}
	return errors.Join(err, out.Close())
}

// contextReader ends a long copy with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// cardValues are the properties that are read.
var cardValues = []string{"_vCard", "DisplayName", "FirstName", "LastName", "PrimaryEmail", "SecondEmail", "WorkPhone", "HomePhone", "CellularNumber", "FaxNumber", "PagerNumber",
	"Company", "Department", "JobTitle", "BirthYear", "BirthMonth", "BirthDay", "Notes", "WebPage1", "WebPage2",
	"WorkAddress", "WorkAddress2", "WorkCity", "WorkState", "WorkZipCode", "WorkCountry", "HomeAddress", "HomeAddress2", "HomeCity", "HomeState", "HomeZipCode", "HomeCountry"}

// thunderbirdCard is the entry of a card.
func thunderbirdCard(key string, v map[string]string, leftOut map[string]int) (store.BookPerson, error) {
	if text, ok := v["_vCard"]; ok {
		book, err := VCards(strings.NewReader(text))
		if err != nil {
			return store.BookPerson{}, &EntryFault{Key: v["DisplayName"], Reason: err.Error()}
		}
		for entry, err := range book.Entries {
			for what, n := range book.LeftOut {
				leftOut[what] += n
			}
			var fault *EntryFault
			if errors.As(err, &fault) {
				return entry, &EntryFault{Key: v["DisplayName"], Reason: fault.Reason}
			}
			if err != nil {
				return entry, &EntryFault{Key: v["DisplayName"], Reason: err.Error()}
			}
			entry.Key = key
			return entry, nil
		}
		return store.BookPerson{}, &EntryFault{Key: v["DisplayName"], Reason: "its vCard is a group"}
	}
	e := store.BookPerson{Key: key, Name: v["DisplayName"], Given: v["FirstName"], Family: v["LastName"], Company: v["Company"], Department: v["Department"],
		Position: v["JobTitle"], Note: v["Notes"], Emails: filled([]string{v["PrimaryEmail"], v["SecondEmail"]}), URLs: filled([]string{v["WebPage1"], v["WebPage2"]})}
	for _, p := range []struct{ name, as string }{{"CellularNumber", "cell"}, {"WorkPhone", "work"}, {"HomePhone", "home"}, {"FaxNumber", "fax"}, {"PagerNumber", "pager"}} {
		if v[p.name] != "" {
			e.Phones = append(e.Phones, store.BookPhone{Number: v[p.name], Type: p.as})
		}
	}
	for _, where := range []string{"Work", "Home"} {
		var parts []string
		for _, part := range []string{"Address", "Address2", "City", "State", "ZipCode", "Country"} {
			parts = append(parts, v[where+part])
		}
		if parts = filled(parts); len(parts) > 0 {
			e.Addresses = append(e.Addresses, strings.Join(parts, ", "))
		}
	}
	if y, m, d := v["BirthYear"], v["BirthMonth"], v["BirthDay"]; y != "" && m != "" && d != "" {
		e.Birthday = cardDay(fmt.Sprintf("%04s-%02s-%02s", y, m, d))
	}
	if !slices.ContainsFunc([]string{e.Name, e.Given, e.Family, e.Company}, func(s string) bool { return s != "" }) && len(e.Emails)+len(e.Phones) == 0 {
		return e, &EntryFault{Key: key, Reason: "the card has neither a name nor an e-mail address nor a phone"}
	}
	if e.Name == "" && e.Given == "" && e.Family == "" {
		e.Name = e.Company // a card of a company
	}
	return e, nil
}
