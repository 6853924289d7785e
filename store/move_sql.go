package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// The side of a move that is read, and what both sides are asked.

// moveSource is a database that nobody writes to while it is carried over.
type moveSource struct {
	s            *Store
	tx           *tx // holds it
	tables       []moveTable
	why          OutboxLock
	installation string // as tx.installation
}

// holdSource opens a database without changing it, and keeps others from
// writing into it.
func holdSource(ctx context.Context, opt Options) (_ *moveSource, err error) {
	if path, ok := strings.CutPrefix(opt.URL, "sqlite:"); ok {
		if st, err := os.Stat(path); err != nil {
			return nil, err
		} else if !st.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is not a file")}
		}
		if ours, err := isOurs(ctx, path); err != nil || !ours {
			return nil, errors.Join(fmt.Errorf("%s is no database of Intouch", path), err)
		}
	}
	s, err := connect(ctx, opt)
	if err != nil {
		return nil, err
	}
	if s.dialect == postgresDialect {
		s.w.SetMaxOpenConns(1) // so that every other connection is somebody else's
	}
	m := &moveSource{s: s}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if half, err := s.halfMoved(ctx); err != nil {
		return nil, err
	} else if half {
		return nil, ErrHalfMoved
	}
	if err := s.sameSchema(ctx); err != nil {
		return nil, err
	}
	if m.tables, err = s.moveTables(ctx); err != nil {
		return nil, err
	}
	s.learnHome(ctx)
	if err := m.hold(ctx); err != nil {
		return nil, err
	}
	if err := m.look(); err != nil {
		return nil, err
	}
	return m, nil
}

// hold begins the transaction that lasts as long as the move. On SQLite it is
// the one writer; on PostgreSQL it shares every table, so that whoever wants to
// write waits. Its snapshot is taken after that.
func (m *moveSource) hold(ctx context.Context) error {
	t, err := m.s.w.BeginTx(ctx, &sql.TxOptions{Isolation: m.s.dialect.snapshot()})
	if isBusy(err) {
		return errors.New("another process is writing into it: stop it first")
	} else if err != nil {
		return err
	}
	m.tx = &tx{Tx: t, s: m.s, ctx: ctx, now: m.s.now()}
	if m.s.dialect == sqliteDialect {
		m.tx.ctx = context.WithoutCancel(ctx) // as in write
		return nil
	}
	names := make([]string, len(m.tables))
	for i, table := range m.tables {
		names[i] = identifier(table.name)
	}
	for _, q := range []string{
		"SET LOCAL lock_timeout = '10s'",
		"SET LOCAL statement_timeout = 0",
		"SET LOCAL idle_in_transaction_session_timeout = 0", // while the target makes its indexes
		"LOCK TABLE " + strings.Join(names, ", ") + ", daemons, outbox_lock IN SHARE MODE",
	} {
		if _, err := t.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("keep others from writing into it: %w", err)
		}
	}
	return nil
}

// look refuses what cannot be moved, or should not be.
func (m *moveSource) look() error {
	alive := 0
	if err := m.tx.row(`SELECT COUNT(*) FROM daemons WHERE until >= $1`, []any{m.tx.now.Unix()}, &alive); err != nil {
		return err
	}
	if alive > 0 {
		return fmt.Errorf("%d daemons are at work on it: stop them first (one that was killed counts for %s more)", alive, LeaseLife)
	}
	if err := m.alone(); err != nil {
		return err
	}
	why, err := m.tx.outboxLock()
	if err != nil {
		return err
	}
	m.why = why
	m.installation, err = m.tx.installation()
	return err
}

// installation tells one from another, and nothing of its secret.
func (t *tx) installation() (string, error) {
	var key MailKey
	if err := t.row(`SELECT secret FROM mail_key WHERE id = 1`, nil, &key.secret); err != nil {
		return "", fmt.Errorf("read what tells it from other installations: %w", err)
	}
	return hex.EncodeToString(key.Derive("installation")), nil
}

// alone refuses a PostgreSQL with which others are connected: a daemon that
// has no mailboxes is not in daemons, and what waits to write would do so when
// the move is over. Whoever writes into a file is kept away by its lock.
func (m *moveSource) alone() error {
	if m.s.dialect != postgresDialect {
		return nil
	}
	const patience = 20 // quarters of a second, for a daemon that was stopped just now
	for tries := 1; ; tries++ {
		if _, err := m.tx.exec(`SELECT pg_stat_clear_snapshot()`); err != nil { // else a transaction sees one moment
			return err
		}
		others := 0
		if err := m.tx.row(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`, nil, &others); err != nil || others == 0 {
			return err
		}
		if tries == patience {
			return fmt.Errorf("%d others are connected with it: stop every daemon, pooler and console that uses it first", others)
		}
		select {
		case <-m.tx.ctx.Done():
			return m.tx.ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// movedRows is a WHERE for the rows of a table that are carried. How far the
// words of the search are collected is not: they are collected anew.
func movedRows(t moveTable) string {
	if t.name == "settings" {
		return " WHERE name <> '" + wordsSetting + "'"
	}
	return ""
}

// stream reads a table in the order of its key, from the first row after one
// whose key is given.
func (m *moveSource) stream(ctx context.Context, t moveTable, after []any, each func(row []any) error) error {
	some := movedRows(t)
	q := t.selects() + some + t.behind(m.s.dialect, some != "", after)
	rows, err := m.tx.QueryContext(m.tx.ctx, q, after...)
	if err != nil {
		return err
	}
	return readRows(ctx, t, rows, each)
}

// behind is the rest of a SELECT: rows in the order of the table's key, from the
// first one after one whose key is given, in parameters. filtered says that it
// has a WHERE. A table without a key has no order.
func (t moveTable) behind(d dialect, filtered bool, after []any) string {
	if len(t.key) == 0 {
		return ""
	}
	names, params := make([]string, len(t.key)), make([]string, len(t.key))
	for i, at := range t.key {
		names[i], params[i] = identifier(t.cols[at].name), fmt.Sprintf("$%d", i+1)
		if d == postgresDialect && t.cols[at].kind == textColumn {
			names[i] += ` COLLATE "C"` // by bytes on both engines
		}
	}
	order := strings.Join(names, ", ")
	if len(after) == 0 {
		return " ORDER BY " + order
	}
	where := " WHERE ("
	if filtered {
		where = " AND ("
	}
	return where + order + ") > (" + strings.Join(params, ", ") + ") ORDER BY " + order
}

// leave locks the outbox of what is now a copy, and lets go of it.
func (m *moveSource) leave() error {
	if err := m.alone(); err != nil {
		return err
	}
	if _, err := m.tx.exec(`UPDATE outbox_lock SET why = $1, since = $2 WHERE id = 1`, LockMoved, m.tx.now.Unix()); err != nil {
		return err
	}
	return m.tx.Commit()
}

func (m *moveSource) close() {
	if m.tx != nil {
		m.tx.Rollback() // no effect after leave
	}
	m.s.Close()
}

func (t moveTable) selects() string {
	names := t.names()
	for i, name := range names {
		names[i] = identifier(name)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + identifier(t.name)
}

// readRows gives each row in the types of columnKind.value.
func readRows(ctx context.Context, t moveTable, rows *sql.Rows, each func(row []any) error) error {
	defer rows.Close()
	raw := make([]any, len(t.cols))
	into := make([]any, len(t.cols))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]any, len(raw))
		for i, v := range raw {
			var err error
			if row[i], err = t.cols[i].kind.value(v); err != nil {
				return fmt.Errorf("column %s of the row with key %s: %w", t.cols[i].name, t.shownKey(raw), err)
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// identifier is a name of the schema within SQL.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// halfMoved reports whether a move into this database has not ended.
func (s *Store) halfMoved(ctx context.Context) (half bool, err error) {
	q := `SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = 'moving'`
	if s.dialect == postgresDialect {
		q = `SELECT to_regclass('moving') IS NOT NULL`
	}
	err = s.r.QueryRowContext(ctx, q).Scan(&half)
	return half, err
}

// ownTables is a condition on PostgreSQL's catalog: relations of the schema in
// use, but for those that an extension has put there.
const ownTables = `c.relnamespace = current_schema()::regnamespace
	AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`

// moveTables lists the tables that are carried, as the database describes
// them, by name.
func (s *Store) moveTables(ctx context.Context) (tables []moveTable, err error) {
	q := `SELECT l.name, p.name, p.type, p.pk FROM pragma_table_list l, pragma_table_info(l.name) p
		WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY l.name, p.cid`
	if s.dialect == postgresDialect {
		q = `SELECT c.relname, a.attname, format_type(a.atttypid, NULL), COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
			WHERE c.relkind IN ('r', 'p') AND ` + ownTables + ` ORDER BY c.relname COLLATE "C", a.attnum`
	}
	rows, err := s.r.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column, typ string
		var key int // from 1
		if err := rows.Scan(&table, &column, &typ, &key); err != nil {
			return nil, err
		}
		if notCarried[table] != "" {
			continue
		}
		kind, err := moveKind(typ)
		if err != nil {
			return nil, fmt.Errorf("column %s of table %s is %w", column, table, err)
		}
		if len(tables) == 0 || tables[len(tables)-1].name != table {
			tables = append(tables, moveTable{name: table})
		}
		t := &tables[len(tables)-1]
		if key > 0 {
			for len(t.key) < key {
				t.key = append(t.key, 0)
			}
			t.key[key-1] = len(t.cols)
		}
		t.cols = append(t.cols, moveColumn{column, kind})
	}
	return tables, rows.Err()
}

// uniqueColumns are those of a table that stand in a unique index other than
// its key.
func (t *tx) uniqueColumns(table string) (columns []string, err error) {
	q := `SELECT DISTINCT i.name FROM pragma_index_list($1) l, pragma_index_info(l.name) i WHERE l."unique" AND l.origin <> 'pk' AND i.name IS NOT NULL`
	if t.s.dialect == postgresDialect {
		q = `SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indrelid = to_regclass(quote_ident($1)) AND i.indisunique AND NOT i.indisprimary`
	}
	err = t.rows(q, []any{table}, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		columns = append(columns, name)
		return err
	})
	return columns, err
}

// sameSchema refuses a database that is not of the schema that this program
// makes.
func (s *Store) sameSchema(ctx context.Context) error {
	if s.dialect == postgresDialect { // of a file isOurs has told
		ours := false
		if err := s.r.QueryRowContext(ctx, `SELECT to_regclass('contacts') IS NOT NULL AND to_regclass('goose_db_version') IS NOT NULL`).Scan(&ours); err != nil {
			return err
		} else if !ours {
			return errors.New("it is no database of Intouch")
		}
	}
	var have, want int64
	if err := s.r.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return err
		}
		want = max(want, n)
	}
	switch {
	case have > want:
		return fmt.Errorf("it has schema %d, this program knows %d: it was written by a newer intouchd, move it with that one", have, want)
	case have < want:
		return fmt.Errorf("it has schema %d, this program makes %d: start this intouchd on it once, which brings it up, stop it again, and move", have, want)
	}
	return nil
}
