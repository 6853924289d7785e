package report

import (
	"encoding/binary"
	"iter"
	"slices"

	"intouch/store"
)

// A Table of 200,000 records would take half a gigabyte as Rows. A listing
// therefore keeps its records packed, one after another in blocks of bytes
// without pointers, and of a long list Table.All unpacks them one at a time.

// packed is where a record lies.
type packed struct {
	group     *leafGroup
	block, at uint32
}

// leafGroup is an innermost group of a listing.
type leafGroup struct {
	path []*step
	rank int // its place among all of them; set when they are sorted
}

// blocks hold packed records.
type blocks [][]byte

const blockSize = 256 << 10

// put adds a record: what sorts it within its group comes first.
func (b *blocks) put(key, record []byte) (block, at uint32) {
	size := 2*binary.MaxVarintLen32 + len(key) + len(record)
	if n := len(*b); n == 0 || cap((*b)[n-1])-len((*b)[n-1]) < size {
		*b = append(*b, make([]byte, 0, max(blockSize, size)))
	}
	last := &(*b)[len(*b)-1]
	at = uint32(len(*last))
	*last = binary.AppendUvarint(*last, uint64(len(key)))
	*last = append(*last, key...)
	*last = binary.AppendUvarint(*last, uint64(len(record)))
	*last = append(*last, record...)
	return uint32(len(*b) - 1), at
}

// get is a record with its key.
func (b blocks) get(p packed) (key, record []byte) {
	rest := b[p.block][p.at:]
	part := func() []byte {
		n, size := binary.Uvarint(rest)
		one := rest[size : size+int(n)]
		rest = rest[size+int(n):]
		return one
	}
	return part(), part()
}

// dictionary are the texts that come first: names, words and days come again and
// again, and are packed as their place in it.
type dictionary struct {
	texts []string
	at    map[string]uint64
}

const maxDictionary = 4096

// packing is a record on its way into bytes.
type packing struct {
	dictionary
	bytes []byte
}

func (p *packing) number(n int64) { p.bytes = binary.AppendVarint(p.bytes, n) }

// text packs a text: its place in the dictionary, from 1, or 0 and the text.
func (p *packing) text(s string) {
	at, known := p.at[s]
	if !known {
		if len(p.texts) >= maxDictionary {
			p.bytes = append(p.bytes, 0)
			p.literal(s)
			return
		}
		if p.at == nil {
			p.at = map[string]uint64{}
		}
		p.texts = append(p.texts, s)
		at = uint64(len(p.texts))
		p.at[s] = at
	}
	p.bytes = binary.AppendUvarint(p.bytes, at)
}

// literal packs a text that is another one in each record.
func (p *packing) literal(s string) {
	p.bytes = append(binary.AppendUvarint(p.bytes, uint64(len(s))), s...)
}

// What a value has, as bits.
const (
	hasText = 1 << iota
	hasN
	hasSums
	hasDay
	isUnknown
	isNone
	isEstimated
	isSaid
)

func bit(yes bool, b byte) byte {
	if yes {
		return b
	}
	return 0
}

func (p *packing) value(v *Value) {
	has := bit(v.Text != "", hasText) | bit(v.N != 0, hasN) | bit(len(v.Sums) > 0, hasSums) | bit(v.FirstDay != 0, hasDay) |
		bit(v.Unknown, isUnknown) | bit(v.None, isNone) | bit(v.Estimated, isEstimated) | bit(v.Said, isSaid)
	p.bytes = append(p.bytes, has)
	if has&hasText != 0 {
		p.text(v.Text)
	}
	if has&hasN != 0 {
		p.number(v.N)
	}
	if has&hasSums != 0 {
		p.number(int64(len(v.Sums)))
		for _, m := range v.Sums {
			p.number(m.Minor)
			p.text(m.Currency)
		}
	}
	if has&hasDay != 0 {
		p.number(int64(v.FirstDay))
	}
}

// unpacking reads what packing wrote.
type unpacking struct {
	texts []string // of the dictionary
	text  string   // the record, so that the other texts of its values lie in it
	raw   []byte
	at    int
	sums  []store.Money
}

func (u *unpacking) number() int64 {
	n, size := binary.Varint(u.raw[u.at:])
	u.at += size
	return n
}

func (u *unpacking) string() string {
	at, size := binary.Uvarint(u.raw[u.at:])
	if u.at += size; at > 0 {
		return u.texts[at-1]
	}
	return u.literal()
}

func (u *unpacking) literal() string {
	n, size := binary.Uvarint(u.raw[u.at:])
	u.at += size + int(n)
	return u.text[u.at-int(n) : u.at]
}

func (u *unpacking) value() (v Value) {
	has := u.raw[u.at]
	u.at++
	if has&hasText != 0 {
		v.Text = u.string()
	}
	if has&hasN != 0 {
		v.N = u.number()
	}
	if has&hasSums != 0 {
		from := len(u.sums)
		for range u.number() {
			u.sums = append(u.sums, store.Money{Minor: u.number(), Currency: u.string()})
		}
		v.Sums = u.sums[from:len(u.sums):len(u.sums)]
	}
	if has&hasDay != 0 {
		v.FirstDay = int32(u.number())
	}
	v.Unknown, v.None, v.Estimated, v.Said = has&isUnknown != 0, has&isNone != 0, has&isEstimated != 0, has&isSaid != 0
	return v
}

// long are the records of a listing with too many to be Rows.
type long struct {
	blocks  blocks
	texts   []string // of the dictionary
	columns int      // of a record
	// finish makes the values of a record those of the table's columns.
	finish []func([]Value) []Value
	seen   map[string]Value // by column: what all records make, also where they do not add up
	zero   map[string]bool  // by column: some record has a sum of nothing
}

// row is a record in the group with that path.
func (l *long) row(path []Value, p packed) *Row {
	_, raw := l.blocks.get(p)
	u := unpacking{texts: l.texts, text: string(raw), raw: raw}
	row := &Row{Leaf: true, Path: append(slices.Clip(path), text(u.literal())), Status: store.Status(u.string()), URL: u.literal(), Values: make([]Value, l.columns)}
	for i := range row.Values {
		row.Values[i] = u.value()
	}
	for _, finish := range l.finish {
		row.Values = finish(row.Values)
	}
	return row
}

// seen is what the n-th column holds, added up.
func (t *Table) seen(n int) (all Value) {
	if t.long != nil {
		return t.long.seen[t.Columns[n].Key]
	}
	for i := range t.Rows {
		all = all.plus(t.Rows[i].Values[n])
	}
	return all
}

// All are the rows, one after the other; those of a long list are made as they
// are asked for, and not kept.
func (t *Table) All() iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		members := func(path []Value, all []packed) bool {
			for _, p := range all {
				if !yield(t.long.row(path, p)) {
					return false
				}
			}
			return true
		}
		if !members(nil, t.members) {
			return
		}
		for i := range t.Rows {
			row := &t.Rows[i]
			if !yield(row) || !members(row.Path, row.members) {
				return
			}
		}
	}
}

// Len is how many rows All gives.
func (t *Table) Len() int {
	n := len(t.Rows) + len(t.members)
	for i := range t.Rows {
		n += len(t.Rows[i].members)
	}
	return n
}

// firstRows are the first n, to be kept.
func (t *Table) firstRows(n int) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for row := range t.All() {
			one := *row
			one.members = nil
			if n--; n < 0 || !yield(one) {
				return
			}
		}
	}
}

// flat is the table with all records among its Rows.
func (t *Table) flat() *Table {
	if t.long == nil {
		return t
	}
	out := *t
	out.Rows, out.long, out.members = slices.Collect(t.firstRows(t.Len())), nil, nil
	return &out
}
