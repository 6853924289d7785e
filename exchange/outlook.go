package exchange

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"intouch/store"
)

// bookCSV reads an address book that a mail program or service wrote as CSV.
// Its header tells which column says what: the programs' columns are all of
// one table (bookColumns), so nobody has to say whose file it is.
type bookCSV struct {
	in      *records
	columns []bookColumn
}

// bookColumn is what a column says of a person.
type bookColumn struct {
	field bookField
	label int // index of the column that names its type; -1: none
}

// labelOf are the ends of Google's columns that name the type of the value
// with the same beginning: "Phone 1 - Label", formerly "Phone 1 - Type".
var labelOf = []string{" - Label", " - Type"}

// BookCSV begins an address book that Outlook, Google, Thunderbird or a
// mail service wrote as CSV. Errors: no text, or no header of theirs.
func BookCSV(r io.Reader) (*Book, error) {
	b, err := openBookCSV(r)
	if err != nil {
		return nil, err
	}
	return entries(b, b.in.in), nil
}

// openBookCSV reads the header. Errors: no text, or no header with an
// e-mail address or a phone.
func openBookCSV(r io.Reader) (*bookCSV, error) {
	in, err := openLines(r)
	if err != nil {
		return nil, err
	}
	b := &bookCSV{in: &records{in: in}}
	header, err := b.in.header()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("header line: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.ToLower(clean(name))] = i
	}
	b.columns = make([]bookColumn, len(header))
	reached := false
	for i, name := range header {
		c := bookColumn{bookColumns[foldColumn(name)], -1}
		if value, found := strings.CutSuffix(strings.ToLower(clean(name)), " - value"); found {
			for _, end := range labelOf {
				if label, there := at[value+strings.ToLower(end)]; there {
					c.label = label
				}
			}
		}
		b.columns[i] = c
		switch c.field {
		case email, workPhone, homePhone, mobilePhone, otherPhone:
			reached = true
		}
	}
	if !reached {
		return nil, errors.New(`the header line is not one of Outlook, Google or Thunderbird: it has no column like "E-mail Address", "E-mail 1 - Value", "Адрес эл. почты", or of a phone`)
	}
	return b, nil
}

// next gives the next person and the number of its first line; empty lines
// are passed over. A fault refuses that record alone. Errors: io.EOF, or of
// the file.
func (b *bookCSV) next() (person store.BookPerson, number int, fault, err error) {
	for {
		cells, number, err := b.in.next()
		if err != nil && !isRowFault(err) {
			return person, number, nil, err
		}
		if err != nil {
			return person, number, err, nil
		}
		entry := bookValues{}
		for i, cell := range cells {
			if i >= len(b.columns) {
				if clean(cell) != "" && fault == nil {
					fault = fmt.Errorf("%w: %d, the header has %d", errColumns, len(cells), len(b.columns))
				}
				continue
			}
			c := b.columns[i]
			label := ""
			if c.label >= 0 && c.label < len(cells) {
				label = cells[c.label]
			}
			// Google's way to put several values into one column.
			for _, value := range strings.Split(unguard(clean(cell)), " ::: ") {
				if err := entry.add(c.field, value, label); err != nil && fault == nil {
					fault = err
				}
			}
		}
		if entry.values > 0 || fault != nil {
			return entry.done(), number, fault, nil
		}
	}
}
