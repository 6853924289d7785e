package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// MergedTables are those of whose client merging knows.
func MergedTables() []string {
	out := slices.Clone(clientRest)
	for _, r := range clientRows {
		out = append(out, r.name)
	}
	return out
}

// Schemas are the versions of the schema, from the first.
func Schemas(ctx context.Context) (versions []int64, err error) {
	dir, err := os.MkdirTemp("", "schemas")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := connect(ctx, Options{URL: "sqlite:" + filepath.Join(dir, "empty.db")})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := s.schemas()
	if err != nil {
		return nil, err
	}
	for _, source := range p.ListSources() {
		versions = append(versions, source.Version)
	}
	return versions, nil
}

// AwaitUses waits until the uses of app passwords are noted.
func (s *Store) AwaitUses() { s.uses.writing.Wait() }

// MakeSchema makes the database of a program that knew that version.
func MakeSchema(ctx context.Context, url string, version int64) error {
	s, err := connect(ctx, Options{URL: url})
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := s.schemas()
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	return err
}

// Exec makes the database one that an older version left.
func (s *Store) Exec(ctx context.Context, queries ...string) error {
	return s.write(ctx, func(t *tx) error {
		for _, q := range queries {
			if _, err := t.exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// Count is the number that a query gives.
func (s *Store) Count(ctx context.Context, query string) (n int, err error) {
	err = s.glance(ctx, query, nil, &n)
	return n, err
}

// SetHostClock makes the host's clock of a store on PostgreSQL wrong by what
// off says. Like one that was set by hand it has no monotonic reading.
func (s *Store) SetHostClock(off func() time.Duration) {
	s.server.host = func() time.Time { return time.Now().Round(0).Add(off()) }
}

// Holding says where in the database a word stands, as "table.column": every
// column of every table is read, calendar data with its lines unfolded. The
// shadow tables of SQLite's index of words are passed over: what it has of rows
// that are gone no query finds, and it goes when the index is next merged.
func (s *Store) Holding(ctx context.Context, words ...string) (where []string, err error) {
	q := `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	if s.dialect == postgresDialect {
		q = `SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND ` + ownTables
	}
	var tables []string
	err = s.read(ctx, func(t *tx) error {
		if err := t.rows(q, nil, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			tables = append(tables, name)
			return err
		}); err != nil {
			return err
		}
		for _, table := range tables {
			if err := t.holding(table, words, &where); err != nil {
				return err
			}
		}
		return nil
	})
	slices.Sort(where)
	return slices.Compact(where), err
}

func (t *tx) holding(table string, words []string, where *[]string) error {
	rows, err := t.QueryContext(t.ctx, `SELECT * FROM `+identifier(table))
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			text := ""
			switch v := v.(type) {
			case string:
				text = v
			case []byte:
				text = string(v)
			}
			text = strings.ToLower(strings.ReplaceAll(text, "\r\n ", ""))
			for _, w := range words {
				if strings.Contains(text, strings.ToLower(w)) {
					*where = append(*where, table+"."+columns[i])
				}
			}
		}
	}
	return rows.Err()
}

// Forgotten is a text without somebody, and whether it mentioned them.
func Forgotten(names, emails, phones []string, text string) (string, bool) {
	m := newMentions(names, emails, phones, "X")
	return m.replace(text), m.in(text)
}

// MissedHint reports whether a text mentions somebody and was not found by the
// quick look.
func MissedHint(names, emails, phones []string, text string) bool {
	m := newMentions(names, emails, phones, "X")
	return (m.stands(text) || m.stands(unfolded(text))) && !m.near(text)
}

// BytesLiteral is a byte string within SQL.
func (s *Store) BytesLiteral(text string) string {
	if s.dialect == postgresDialect {
		return fmt.Sprintf("decode('%x', 'hex')", text)
	}
	return fmt.Sprintf("X'%x'", text)
}

// SortedSweeps are the tables that are sorted each time a part of them is read
// while they are swept.
func (s *Store) SortedSweeps(ctx context.Context) (sorted []string, err error) {
	tables, err := s.moveTables(ctx)
	if err != nil {
		return nil, err
	}
	return sorted, s.write(ctx, func(t *tx) error {
		explain, sort := "EXPLAIN QUERY PLAN ", "TEMP B-TREE"
		if s.dialect == postgresDialect {
			explain, sort = "EXPLAIN ", " Sort  (cost"                          // an incremental one has the first columns in order
			if _, err := t.exec("SET LOCAL enable_seqscan = off"); err != nil { // small tables
				return err
			}
			if _, err := t.exec("SET LOCAL plan_cache_mode = force_generic_plan"); err != nil {
				return err
			}
		}
		for _, table := range tables {
			if len(table.key) == 0 {
				continue
			}
			after := make([]any, len(table.key))
			for i, at := range table.key {
				after[i] = map[columnKind]any{intColumn: int64(1), textColumn: "x", boolColumn: true, bytesColumn: []byte("x")}[table.cols[at].kind]
			}
			rows, err := t.QueryContext(ctx, explain+table.selects()+table.behind(s.dialect, false, after)+" LIMIT 9", after...)
			if err != nil {
				return err
			}
			for rows.Next() {
				var line string
				var n any
				into := []any{&line}
				if s.dialect == sqliteDialect {
					into = []any{&n, &n, &n, &line}
				}
				if err := rows.Scan(into...); err != nil {
					return err
				}
				if strings.Contains(" "+line, sort) && !strings.Contains(line, "Incremental") {
					sorted = append(sorted, table.name+": "+line)
				}
			}
			if err := rows.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}
