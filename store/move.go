package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// A move carries a whole installation from one database into another, on the
// same engine or the other one. The source is held meanwhile: it can be read
// and not written. The target is marked until all is there, so that nothing
// starts on half of it, and the mark keeps how far each table has come: a move
// that was cut off goes on from there. Which tables there are is asked of the
// databases, so a new one is carried without a word here.

// ErrHalfMoved: a move into this database was begun and has not ended.
var ErrHalfMoved = errors.New("an installation is being moved into this database, and not all of it is there: run \"intouchd move\" again, it goes on where it was cut off")

// errMovedBefore: this source was moved into this target, wholly: a move that
// was killed after its last commit is asked for again.
var errMovedBefore = errors.New("it is there already")

// ErrMoved: the database is one that Move left behind.
var ErrMoved = errors.New("everything in this database was moved to another one: use that one; to go back to this one, without what the other has got since, run \"intouchd outbox arm\" with it")

// Moved is what a move has done.
type Moved struct {
	// Before says that an earlier move brought all of it there; then the rest
	// is empty, and nothing was done.
	Before bool
	Tables []MovedTable
	// Changed are texts that PostgreSQL cannot hold as they are.
	Changed []ChangedText
}

// MovedTable is a table that was read from both databases after it was
// carried, with the same result.
type MovedTable struct {
	Name  string
	Rows  int64
	Bytes int64 // of texts and byte strings, and 8 for each number
	// Sum is the sum of the rows' SHA-256 hashes, in hex: it does not depend on
	// their order.
	Sum string
}

// ChangedText is a column with texts that were carried without NUL, or with
// U+FFFD for bytes that are not UTF-8: PostgreSQL refuses both.
type ChangedText struct {
	Table, Column string
	Rows          int64
	First         string // the key of the first such row
}

// notCarried are tables of ours whose rows a move leaves where they are, and
// why. The words of the search (search_clients, …) are virtual tables on SQLite.
var notCarried = map[string]string{
	"goose_db_version": "the target has its own, and the same version",
	"daemons":          "those that are alive on this very database",
	"outbox_lock":      "where this very database is; written at the end",
	"search_clients":   "collected anew",
	"search_persons":   "collected anew",
	"search_deals":     "collected anew",
	"search_contacts":  "collected anew",
	"moving":           "how far a move has come",
	"moving_tables":    "how far a move has come",
	"moving_parts":     "how far a move has come",
}

// What is in memory at one time: three batches of this size, and a row that is
// larger by itself.
const (
	moveBatchBytes = 2 << 20
	moveBatchRows  = 5000
)

// columnKind is what a column holds on both engines.
type columnKind byte

const (
	intColumn   columnKind = 'i'
	boolColumn  columnKind = 'b'
	textColumn  columnKind = 't'
	bytesColumn columnKind = 'x'
)

// moveKind reads a column's type as the engine names it.
func moveKind(typ string) (columnKind, error) {
	switch strings.ToUpper(typ) {
	case "BIGINT", "INTEGER":
		return intColumn, nil
	case "BOOLEAN":
		return boolColumn, nil
	case "TEXT":
		return textColumn, nil
	case "BYTEA", "BLOB":
		return bytesColumn, nil
	}
	return 0, fmt.Errorf("of type %q, which this program does not carry", typ)
}

type moveColumn struct {
	name string
	kind columnKind
}

// moveTable is a table as both databases have it.
type moveTable struct {
	name string
	cols []moveColumn
	key  []int // positions of the primary key's columns; empty: it has none
}

func (t moveTable) names() []string {
	names := make([]string, len(t.cols))
	for i, c := range t.cols {
		names[i] = c.name
	}
	return names
}

// keyValues is what a row has in the columns of the key.
func (t moveTable) keyValues(row []any) []any {
	key := make([]any, len(t.key))
	for i, at := range t.key {
		key[i] = row[at]
	}
	return key
}

// differs says in what another database's table of that name is not the same.
func (t moveTable) differs(o moveTable) error {
	if !slices.Equal(t.key, o.key) || !slices.Equal(t.cols, o.cols) {
		return fmt.Errorf("table %s has other columns in the target: the two are not of one schema", t.name)
	}
	return nil
}

// keyOf is the row's key, "" where the table has none. It is plain ASCII
// whatever bytes the key has, so that each engine keeps it.
func (t moveTable) keyOf(row []any) string {
	parts := make([]string, len(t.key))
	for i, at := range t.key {
		switch v := row[at].(type) {
		case int64:
			parts[i] = "i" + strconv.FormatInt(v, 10)
		case bool:
			parts[i] = "b" + strconv.FormatBool(v)
		case string:
			parts[i] = "t" + base64.StdEncoding.EncodeToString([]byte(v))
		case []byte:
			parts[i] = "x" + base64.StdEncoding.EncodeToString(v)
		}
	}
	return strings.Join(parts, " ")
}

// readKey is the other way of keyOf.
func readKey(s string) (key []any, err error) {
	for part := range strings.SplitSeq(s, " ") {
		var v any
		switch kind, text := part[:min(1, len(part))], part[min(1, len(part)):]; kind {
		case "i":
			v, err = strconv.ParseInt(text, 10, 64)
		case "b":
			v, err = strconv.ParseBool(text)
		case "t", "x":
			var b []byte
			b, err = base64.StdEncoding.DecodeString(text)
			if v = b; kind == "t" {
				v = string(b)
			}
		default:
			err = errors.New("unknown kind")
		}
		if err != nil {
			return nil, fmt.Errorf("key %q of a cut off move: %w", s, err)
		}
		key = append(key, v)
	}
	return key, nil
}

// shownKey is a row's key for people.
func (t moveTable) shownKey(row []any) string {
	parts := make([]string, len(t.key))
	for i, at := range t.key {
		if parts[i] = fmt.Sprint(row[at]); t.cols[at].kind != intColumn {
			parts[i] = strconv.QuoteToASCII(parts[i])
		}
	}
	return clip(strings.Join(parts, " "), 200)
}

// value is what a driver gave as int64, bool, string, []byte or nil. SQLite
// holds values of any type in any column; what is the same in the column's own
// type is taken.
func (k columnKind) value(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		switch k {
		case intColumn:
			return v, nil
		case boolColumn:
			if v == 0 || v == 1 {
				return v == 1, nil
			}
		case textColumn:
			return strconv.FormatInt(v, 10), nil
		}
	case bool:
		if k == boolColumn {
			return v, nil
		}
	case float64:
		if n := int64(v); k == intColumn && float64(n) == v && n != math.MaxInt64 {
			return n, nil
		}
	case string:
		switch k {
		case textColumn:
			return v, nil
		case bytesColumn:
			return []byte(v), nil
		}
	case []byte:
		switch k {
		case textColumn:
			return string(v), nil
		case bytesColumn:
			if v == nil { // SQLite's driver gives it for an empty one
				v = []byte{}
			}
			return v, nil
		}
	}
	return nil, fmt.Errorf("a value of type %T stands where another belongs", v)
}

// sizeOf is about what a row takes in memory and on the way.
func sizeOf(row []any) (n int64) {
	for _, v := range row {
		switch v := v.(type) {
		case string:
			n += int64(len(v))
		case []byte:
			n += int64(len(v))
		default:
			n += 8
		}
	}
	return n
}

// tableSum is the checksum of rows in any order: their hashes added up, each
// 64 bits of them by themselves.
type tableSum struct {
	rows, bytes int64
	sum         [4]uint64
	buf         []byte
}

// add takes one more row. A value is hashed with its type and length, so that
// no two different rows give the same bytes.
func (s *tableSum) add(row []any) {
	b := s.buf[:0]
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case bool:
			b = strconv.AppendBool(append(b, 'b'), v)
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'x'), uint64(len(v))), v...)
		}
	}
	hash := sha256.Sum256(b)
	for i := range s.sum {
		s.sum[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
	s.rows++
	s.bytes += sizeOf(row)
	if s.buf = b; cap(b) > moveBatchBytes {
		s.buf = nil
	}
}

func (s *tableSum) String() string {
	return fmt.Sprintf("%016x%016x%016x%016x", s.sum[0], s.sum[1], s.sum[2], s.sum[3])
}

func (s *tableSum) same(o *tableSum) bool { return s.rows == o.rows && s.sum == o.sum }

// Move carries everything that is in the database of from into that of to,
// which must be empty, or hold the first part of the same move. Nobody may
// write into the source meanwhile, and afterwards its outbox is locked
// (LockMoved); the target may send what the source might. ErrHalfMoved: the
// source is itself half of a move; ErrMoved: it was moved to another target
// than this before. at, nil or not, is told of rows that have come; it is called
// from one goroutine at a time.
//
// What clients know of the source holds for the target: ids, ETags, sync
// tokens, cursors of mailboxes, passwords, tokens and keys are the same.
func Move(ctx context.Context, from, to Options, at func(table string, rows, total int64)) (moved Moved, err error) {
	m := &move{at: at}
	if at == nil {
		m.at = func(string, int64, int64) {}
	}
	m.from, err = holdSource(ctx, from)
	if err != nil {
		return Moved{}, fmt.Errorf("move from there: %w", hideAddress(err))
	}
	defer m.from.close()
	m.to, err = takeTarget(ctx, to, m.from)
	if errors.Is(err, errMovedBefore) {
		return Moved{Before: true}, nil
	} else if err != nil {
		return Moved{}, fmt.Errorf("move to there: %w", hideAddress(err))
	}
	defer m.to.close()
	if err := m.carry(ctx); err != nil {
		return Moved{}, fmt.Errorf("move: %w", err)
	}
	if err := m.finish(ctx); err != nil {
		return Moved{}, fmt.Errorf("finish the move: %w", err)
	}
	return m.moved, nil
}

// move is one under way.
type move struct {
	from  *moveSource
	to    *moveTarget
	at    func(table string, rows, total int64)
	moved Moved
}

// carry brings every table over.
func (m *move) carry(ctx context.Context) error {
	totals := make([]int64, len(m.from.tables))
	for i, t := range m.from.tables {
		if err := m.from.tx.row(`SELECT COUNT(*) FROM `+identifier(t.name)+movedRows(t), nil, &totals[i]); err != nil {
			return fmt.Errorf("count %s: %w", t.name, err)
		}
		m.at(t.name, 0, totals[i])
	}
	if err := m.to.dropParts(ctx); err != nil {
		return fmt.Errorf("put indexes aside: %w", err)
	}
	for i, t := range m.from.tables {
		if err := m.carryTable(ctx, t, totals[i]); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

// carryTable brings one over and reads it from both sides. Where the part that
// came with an earlier run is no longer what the source has, all comes anew.
func (m *move) carryTable(ctx context.Context, t moveTable, total int64) error {
	for anew := false; ; anew = true {
		done, err := m.to.progress(ctx, t)
		if err != nil {
			return err
		}
		if done.last == "" || anew {
			if err := m.to.clear(ctx, t); err != nil {
				return err
			}
			done = tableProgress{}
		}
		source, changed, err := m.copy(ctx, t, done, total)
		if err != nil {
			return err
		}
		target, both := &tableSum{}, errgroup.Group{}
		both.Go(func() error { return m.to.sum(ctx, t, target) })
		if done.last != "" { // copy has seen only a part
			source, changed = &tableSum{}, map[string]*ChangedText{}
			both.Go(func() error {
				return m.from.stream(ctx, t, nil, func(row []any) error {
					m.to.fit(t, row, changed)
					source.add(row)
					return nil
				})
			})
		}
		if err := both.Wait(); err != nil {
			return err
		}
		if source.same(target) {
			m.at(t.name, total, total)
			m.moved.Tables = append(m.moved.Tables, MovedTable{t.name, source.rows, source.bytes, source.String()})
			for _, c := range t.cols {
				if ch := changed[c.name]; ch != nil {
					m.moved.Changed = append(m.moved.Changed, *ch)
				}
			}
			return nil
		}
		if done.last == "" {
			return fmt.Errorf("is not the same in both databases: %d rows with sum %s were read, %d with sum %s are there", source.rows, source, target.rows, target)
		}
		m.from.s.log.Info("the source was changed since the move was cut off, the table comes anew", "table", t.name)
	}
}

// copy carries what comes after the rows that are there already, and gives the
// sum of what it carried.
func (m *move) copy(ctx context.Context, t moveTable, done tableProgress, total int64) (*tableSum, map[string]*ChangedText, error) {
	ctx, stop := context.WithCancel(ctx)
	sum, changed := &tableSum{}, map[string]*ChangedText{}
	batches := make(chan batch, 1)
	read := errgroup.Group{}
	read.Go(func() error {
		defer close(batches)
		var b batch
		var size int64
		send := func() error {
			select {
			case batches <- b:
				b, size = batch{}, 0
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var after []any
		if done.last != "" {
			var err error
			if after, err = readKey(done.last); err != nil {
				return err
			}
		}
		err := m.from.stream(ctx, t, after, func(row []any) error {
			b.last = t.keyOf(row)
			m.to.fit(t, row, changed)
			sum.add(row)
			b.rows = append(b.rows, row)
			if size += sizeOf(row); size >= moveBatchBytes || len(b.rows) >= moveBatchRows {
				return send()
			}
			return nil
		})
		if err == nil && len(b.rows) > 0 {
			err = send()
		}
		return err
	})
	there := done.rows
	err := m.to.write(ctx, t, batches, func(rows int) {
		there += int64(rows)
		m.at(t.name, min(there, total), total)
	})
	stop() // the reader may wait with a batch that nobody takes
	if failed := read.Wait(); err == nil || failed != nil && !errors.Is(failed, context.Canceled) {
		err = failed
	}
	return sum, changed, err
}

// batch is some rows, and the key of the last.
type batch struct {
	rows [][]any
	last string
}

// fit makes texts such that the target can hold them, and notes what it
// changed.
func (t *moveTarget) fit(table moveTable, row []any, changed map[string]*ChangedText) {
	if t.s.dialect != postgresDialect {
		return
	}
	first := ""
	for i, c := range table.cols {
		text, ok := row[i].(string)
		if !ok || utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
			continue
		}
		if first == "" {
			first = table.shownKey(row)
		}
		row[i] = clean(text)
		if changed[c.name] == nil {
			changed[c.name] = &ChangedText{Table: table.name, Column: c.name, First: first}
		}
		changed[c.name].Rows++
	}
}

// finish makes the target a whole installation, and the source one that was
// left behind.
func (m *move) finish(ctx context.Context) error {
	log := m.to.s.log
	if err := m.to.setNumbers(ctx, m.from); err != nil {
		return fmt.Errorf("set the next ids: %w", err)
	}
	if err := m.to.settle(ctx); err != nil {
		return fmt.Errorf("gather statistics: %w", err)
	}
	log.Info("all rows are there and compared, collecting the words of the search")
	if err := m.to.collectWords(ctx); err != nil {
		return fmt.Errorf("collect the words of the search: %w", err)
	}
	log.Info("making indexes and constraints")
	if err := m.to.restoreParts(ctx); err != nil {
		return err
	}
	if err := m.to.end(ctx); err != nil {
		return err
	}
	if err := m.from.leave(); err != nil {
		return fmt.Errorf("note in the source that it was moved: %w", err)
	}
	return m.to.open(ctx)
}
