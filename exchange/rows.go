package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"intouch/store"
)

// maxUnknown bounds the unknown column names that are remembered.
const maxUnknown = maxColumns

// row is one record of a file with its values under the columns of its kind.
type row struct {
	line       int
	cells      []string         // by index in columnsOf; a list in one text
	given      []bool           // by the same index: the file has that column
	lists      map[int][]string // the lists of JSON arrays, by the same index
	attributes map[string]string
	raw        string // the line, where it could not be cut into cells
	fault      error  // why the row is refused already
}

// rows reads the rows of a file, CSV or JSONL.
type rows struct {
	kind    Kind
	columns []column
	places  map[string]place
	csv     *records
	jsonl   bool
	header  []heading // of CSV
	given   []bool    // of CSV, by index in columns
	unknown []string
	totals  int // lines with totals left out
}

// heading is what a column of a CSV file means.
type heading struct {
	name   string // as the file has it
	column int    // index in columnsOf; -1: unknown; -2: skipped
}

const (
	unknownColumn = -1
	skippedColumn = -2
)

// openRows reads the header of a CSV file. A file that begins with "{" is
// JSONL. Errors: no text, no header, a column missing without which no row
// could be taken.
func openRows(kind Kind, r io.Reader) (*rows, error) {
	in, err := openLines(r)
	if err != nil {
		return nil, err
	}
	rs := &rows{kind: kind, columns: columnsOf[kind], places: places(kind), csv: &records{in: in}}
	for {
		l := rs.csv.line()
		if l.err == nil && clean(l.text) == "" {
			continue
		}
		rs.jsonl = l.err == nil && strings.HasPrefix(clean(l.text), "{")
		if errors.Is(l.err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		if l.err != nil && !rs.jsonl && !isRowFault(l.err) {
			return nil, l.err
		}
		rs.csv.ahead = append(rs.csv.ahead, l)
		break
	}
	if rs.jsonl {
		return rs, nil
	}
	cells, err := rs.csv.header()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file has no header line")
	}
	if err != nil {
		return nil, fmt.Errorf("header line: %w", err)
	}
	return rs, rs.readHeader(cells)
}

// readHeader finds what each column means.
func (rs *rows) readHeader(cells []string) error {
	rs.header = make([]heading, len(cells))
	best := map[int]int{} // column → index of the heading that stands for it
	rank := func(i int) int { return rs.places[fold(cells[i])].rank }
	for i, name := range cells {
		name = clean(name)
		rs.header[i] = heading{name, unknownColumn}
		p, known := rs.places[fold(name)]
		switch {
		case isOurs(name) || name == "":
			rs.header[i].column = skippedColumn
		case !known:
			rs.noteUnknown(name)
		case rs.columns[p.column].list:
			rs.header[i].column = p.column
		default:
			rs.header[i].column = p.column
			other, taken := best[p.column]
			if !taken {
				best[p.column] = i
				continue
			}
			if rank(other) <= p.rank {
				other = i
			} else {
				best[p.column] = i
			}
			rs.header[other].column = unknownColumn
			rs.noteUnknown(rs.header[other].name)
		}
	}
	rs.given = make([]bool, len(rs.columns))
	for _, h := range rs.header {
		if h.column >= 0 {
			rs.given[h.column] = true
		}
	}
	for _, group := range needed[rs.kind] {
		if !slices.ContainsFunc(rs.header, func(h heading) bool {
			return h.column >= 0 && slices.Contains(group, rs.columns[h.column].name)
		}) {
			return fmt.Errorf("the header line has no column %s; columns of %s are %s, in English or Russian",
				strings.Join(group, " or "), rs.kind, strings.Join(Columns(rs.kind), ", "))
		}
	}
	return nil
}

func isOurs(name string) bool {
	return name == refusedAt || name == refusedReason || name == refusedRow
}

func (rs *rows) noteUnknown(name string) {
	if rs.kind == Contacts && name == "id" {
		return // our own number in an export, which has the key beside it
	}
	if len(rs.unknown) < maxUnknown && !slices.Contains(rs.unknown, name) {
		rs.unknown = append(rs.unknown, name)
	}
}

// next gives the next row that is neither empty nor a line of totals. A row
// that cannot be read has its fault set. Errors: io.EOF, or of the file.
func (rs *rows) next() (*row, error) {
	if rs.jsonl {
		return rs.nextJSON()
	}
	for {
		cells, number, err := rs.csv.next()
		if err != nil && !isRowFault(err) {
			return nil, err
		}
		r := &row{line: number, fault: err}
		if err != nil {
			r.raw = rs.csv.refused
			return r, nil
		}
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return c != "" }) {
			continue
		}
		if rs.isTotals(cells) {
			rs.totals++
			continue
		}
		rs.place(r, cells)
		return r, nil
	}
}

// place puts the cells of a CSV record under their columns.
func (rs *rows) place(r *row, cells []string) {
	r.cells, r.given = make([]string, len(rs.columns)), rs.given
	for i, text := range cells {
		if text == "" {
			continue
		}
		if i >= len(rs.header) {
			r.fault = fmt.Errorf("%w: %d, the header has %d", errColumns, len(cells), len(rs.header))
			return
		}
		text = unguard(text)
		switch h := rs.header[i]; h.column {
		case skippedColumn:
		case unknownColumn:
			rs.attribute(r, h.name, text)
		default:
			if r.cells[h.column] != "" { // only a list has several columns
				text = r.cells[h.column] + "; " + text
			}
			r.cells[h.column] = text
		}
	}
}

func (rs *rows) attribute(r *row, name, text string) {
	if rs.kind != Clients {
		return
	}
	if r.attributes == nil {
		r.attributes = map[string]string{}
	}
	r.attributes[name] = text
}

// isTotals reports whether a record is a line of totals: it begins with such
// a word, and has no key besides.
func (rs *rows) isTotals(cells []string) bool {
	first := slices.IndexFunc(cells, func(c string) bool { return c != "" })
	switch fold(cells[first]) {
	case "итого", "итоги", "всего", "total", "totals", "grandtotal":
	default:
		return false
	}
	for i, text := range cells {
		if i != first && text != "" && i < len(rs.header) && rs.header[i].column == 0 { // id stands first in columnsOf
			return false
		}
	}
	return true
}

// nextJSON reads one object a line, with the names of CSV columns as keys.
func (rs *rows) nextJSON() (*row, error) {
	for {
		l := rs.csv.line()
		if l.err != nil && !isRowFault(l.err) {
			return nil, l.err
		}
		if l.err == nil && clean(l.text) == "" {
			continue
		}
		r := &row{line: l.number, fault: l.err}
		if l.err == nil {
			if r.fault = rs.object(r, l.text); r.fault != nil && r.cells == nil {
				r.raw = clean(l.text)
			}
		}
		return r, nil
	}
}

// object puts the values of a JSON object under their columns.
func (rs *rows) object(r *row, text string) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil || values == nil {
		return &store.Invalid{Reason: "the line is not a JSON object"}
	}
	if decoder.More() {
		return &store.Invalid{Reason: "the line holds more than one JSON object"}
	}
	if len(values) > maxColumns {
		return fmt.Errorf("%w: %d, at most %d", errColumns, len(values), maxColumns)
	}
	r.cells, r.given = make([]string, len(rs.columns)), make([]bool, len(rs.columns))
	rank := map[int]int{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name := clean(key)
		p, known := rs.places[fold(name)]
		if known && name == rs.columns[p.column].name {
			p.rank = -1 // the fixed name itself, before others that fold like it
		}
		if known {
			r.given[p.column] = true
		}
		old, taken := rank[p.column]
		switch {
		case isOurs(name) || name == "" || values[key] == nil:
			continue
		case known && (!taken || p.rank < old || rs.columns[p.column].list):
			rank[p.column] = p.rank
			if err := rs.value(r, p.column, values[key]); err != nil {
				return err
			}
		default:
			rs.noteUnknown(name)
			if text, err := scalar(name, values[key]); err != nil && rs.kind == Clients {
				return err
			} else if text != "" {
				rs.attribute(r, name, text)
			}
		}
	}
	return nil
}

// value puts one JSON value under a column.
func (rs *rows) value(r *row, index int, v any) error {
	c := rs.columns[index]
	if c.ours {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		if c.name != attributes {
			return &store.Invalid{Field: c.name, Reason: "an object stands where a value should"}
		}
		for name, one := range v {
			text, err := scalar(name, one)
			if err != nil {
				return err
			}
			if name = clean(name); name != "" && text != "" {
				rs.attribute(r, name, text)
			}
		}
	case []any:
		if !c.list {
			return &store.Invalid{Field: c.name, Reason: "a list stands where one value should"}
		}
		list := r.lists[index]
		for _, one := range v {
			text, err := scalar(c.name, one)
			if err != nil {
				return err
			}
			if text != "" {
				list = append(list, text)
			}
		}
		if r.lists == nil {
			r.lists = map[int][]string{}
		}
		r.lists[index] = list
	default:
		text, err := scalar(c.name, v)
		if err != nil {
			return err
		}
		if c.list && r.cells[index] != "" && text != "" {
			text = r.cells[index] + "; " + text
		}
		r.cells[index] = text
	}
	return nil
}

// scalar is a JSON string, number or boolean as text; null is "".
func scalar(field string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return clean(v), nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "true", nil
		}
		return "false", nil
	}
	return "", &store.Invalid{Field: field, Reason: "a list or an object stands where one value should"}
}

// attributesOf reads the attributes column of a CSV file: a JSON object.
func (rs *rows) attributesOf(r *row, text string) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil || decoder.More() {
		return &store.Invalid{Field: attributes, Reason: `not a JSON object like {"segment": "horeca"}`}
	}
	for i, c := range rs.columns {
		if c.name == attributes {
			return rs.value(r, i, values)
		}
	}
	return nil
}

// text is a row as the file gave it: a JSON object of its columns.
func (rs *rows) text(r *row) string {
	values := map[string]any{}
	for i, c := range rs.columns {
		switch {
		case r.lists[i] != nil:
			values[c.name] = r.lists[i]
		case i < len(r.cells) && r.cells[i] != "":
			values[c.name] = r.cells[i]
		}
	}
	return string(jsonText(values))
}
