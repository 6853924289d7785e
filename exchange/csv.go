package exchange

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxColumns     = 200
	maxRecordLines = 200 // of one record with line ends in its cells
)

// errOpenQuote refuses a line in which a quote is opened and not closed.
var errOpenQuote = errors.New("a quote is opened and not closed")

// records reads CSV as people's programs write it (RFC 4180 and what they make
// of it): `,` `;` or tab, cells with doubled quotes and line ends, cells with
// quotes that nobody doubled. encoding/csv is not used because one stray quote
// makes it swallow the rest of the file into one cell.
//
// A record that goes over several lines must have as many cells as the header,
// double its quotes, and end within 1 MB and 200 lines. If not, its first line is taken by
// itself with every quote at its face value, and the reading goes on at the
// second.
type records struct {
	in      *lines
	sep     byte
	columns int    // of the header; 0 while it is being read
	ahead   []line // read in vain while looking for a closing quote
	refused string // the line of which next could make no record
}

// line is a line that was read, or the reason why it could not be.
type line struct {
	text   string
	number int
	err    error
}

// header reads the first line that is not empty and finds the separator.
func (r *records) header() ([]string, error) {
	for {
		l := r.line()
		if l.err != nil {
			return nil, l.err
		}
		if sep, ok := strings.CutPrefix(strings.ToLower(l.text), "sep="); ok && len(sep) == 1 {
			r.sep = sep[0] // Excel's own first line
			continue
		}
		if clean(l.text) == "" {
			continue
		}
		if r.sep == 0 {
			r.sep = separator(l.text)
		}
		if strings.Trim(l.text, " \t,;") == "" {
			continue
		}
		r.ahead = append([]line{l}, r.ahead...)
		cells, _, err := r.next()
		if err != nil {
			return nil, err
		}
		r.columns = len(cells)
		return cells, nil
	}
}

// separator is the one of `;`, tab and `,` that stands most often outside
// quotes.
func separator(header string) byte {
	count := map[byte]int{}
	quoted := false
	for i := range len(header) {
		if header[i] == '"' {
			quoted = !quoted
		}
		if !quoted {
			count[header[i]]++
		}
	}
	best := byte(',')
	for _, sep := range []byte{';', '\t'} {
		if count[sep] > 0 && count[sep] >= count[best] {
			best = sep
		}
	}
	return best
}

// line gives the next line, first of those read ahead.
func (r *records) line() line {
	if len(r.ahead) > 0 {
		l := r.ahead[0]
		r.ahead = r.ahead[1:]
		return l
	}
	text, err := r.in.next()
	return line{text, r.in.number, err}
}

// next gives the cells of the next record and the number of its first line.
// io.EOF ends the file; isRowFault tells the errors that refuse this record
// alone.
func (r *records) next() ([]string, int, error) {
	first := r.line()
	if first.err != nil {
		return nil, first.number, first.err
	}
	r.refused = clean(first.text)
	s := splitter{sep: r.sep}
	s.feed(first.text)
	if !s.open {
		if len(s.cells) > maxColumns {
			return nil, first.number, fmt.Errorf("%w: more than %d", errColumns, maxColumns)
		}
		return s.cells, first.number, nil
	}
	taken, size := []line{}, len(first.text)
	for s.open && len(taken) < maxRecordLines {
		l := r.line()
		if l.err == nil || !errors.Is(l.err, io.EOF) {
			taken = append(taken, l)
		}
		size += len(l.text) + 1
		if l.err != nil || size > maxLine {
			break
		}
		s.feed(l.text)
	}
	if !s.open && !s.bare && len(s.cells) <= maxColumns && (r.columns == 0 || len(s.cells) == r.columns) {
		return s.cells, first.number, nil
	}
	r.ahead = append(taken, r.ahead...)
	if cells := literal(first.text, r.sep); len(cells) == r.columns {
		return cells, first.number, nil
	}
	return nil, first.number, errOpenQuote
}

var errColumns = errors.New("too many columns")

// isRowFault reports whether err refuses one row, and the next can be read.
func isRowFault(err error) bool {
	return errors.Is(err, errLongLine) || errors.Is(err, errNotUTF8) || errors.Is(err, errOpenQuote) || errors.Is(err, errColumns)
}

// splitter cuts lines into cells.
type splitter struct {
	sep   byte
	cells []string
	field []byte
	open  bool // inside quotes at the end of what was fed
	bare  bool // a quote that nobody doubled stands in a continuation
}

// feed takes one line: a new record, or the continuation of an open cell.
func (s *splitter) feed(text string) {
	i := 0
	continued := s.open
	if continued {
		s.field = append(s.field, '\n')
	}
	for {
		if !s.open {
			j := i
			for j < len(text) && text[j] == ' ' {
				j++
			}
			if j == len(text) || text[j] != '"' {
				end := strings.IndexByte(text[i:], s.sep)
				if end < 0 {
					s.cells = append(s.cells, text[i:])
					return
				}
				s.cells = append(s.cells, text[i:i+end])
				i += end + 1
				continue
			}
			s.open, s.field, i = true, s.field[:0], j+1
		}
		quote := strings.IndexByte(text[i:], '"')
		if quote < 0 {
			s.field = append(s.field, text[i:]...)
			return
		}
		s.field = append(s.field, text[i:i+quote]...)
		i += quote + 1
		rest := strings.TrimLeft(text[i:], " ")
		switch {
		case i < len(text) && text[i] == '"': // doubled
			s.field = append(s.field, '"')
			i++
		case rest == "":
			s.close()
			return
		case rest[0] == s.sep:
			s.close()
			i = len(text) - len(rest) + 1
		default: // a quote inside that nobody doubled
			s.field = append(s.field, '"')
			s.bare = s.bare || continued
		}
	}
}

func (s *splitter) close() {
	s.cells = append(s.cells, string(s.field))
	s.open = false
}

// literal cuts a line at every separator and takes quotes at their face
// value, except a pair around a whole cell.
func literal(text string, sep byte) []string {
	cells := strings.Split(text, string(sep))
	for i, c := range cells {
		if c = clean(c); len(c) >= 2 && c[0] == '"' && c[len(c)-1] == '"' {
			cells[i] = strings.ReplaceAll(c[1:len(c)-1], `""`, `"`)
		}
	}
	return cells
}
