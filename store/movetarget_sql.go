package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The side of a move that is written. Three tables are there only meanwhile:
// moving says whose installation comes, moving_tables how far each table has
// come, moving_parts keeps the indexes and constraints that are put aside while
// rows are written and made at the end.

type moveTarget struct {
	s      *Store
	held   *sql.Conn // PostgreSQL: keeps another move away
	conn   *sql.Conn // writes and reads the tables; nil before and after
	tables []moveTable
	why    OutboxLock // of the source, before the move
}

// moveLock is the advisory lock of a move's target.
const moveLock = 0x696e746f756d // "intoum"

// takeTarget opens an empty database and makes the schema, or finds what a
// move that was cut off has left.
func takeTarget(ctx context.Context, opt Options, from *moveSource) (_ *moveTarget, err error) {
	s, err := connect(ctx, opt)
	if err != nil {
		return nil, err
	}
	m := &moveTarget{s: s}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if s.learnHome(ctx); s.home != "" && s.home == from.s.home {
		return nil, errors.New("it is the source itself")
	}
	if s.dialect == postgresDialect {
		if m.held, err = s.w.Conn(ctx); err != nil {
			return nil, err
		}
		// The server goes on with the last statement of a move that was killed.
		if _, err := m.held.ExecContext(ctx, "SET lock_timeout = '60s'"); err != nil {
			return nil, err
		}
		var encoding string
		err := m.held.QueryRowContext(ctx, `SELECT current_setting('server_encoding') FROM pg_advisory_lock($1)`, int64(moveLock)).Scan(&encoding)
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "55P03" { // lock_not_available
			return nil, errors.New("another move into this database is under way")
		} else if err != nil {
			return nil, err
		}
		if encoding != "UTF8" {
			return nil, fmt.Errorf("the database is in %s: make one with ENCODING 'UTF8'", encoding)
		}
	}
	if err := m.mark(ctx, from); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(opt.URL, "sqlite:"); ok {
		// The new file's name must be there for good before the source is left.
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	if m.tables, err = s.moveTables(ctx); err != nil {
		return nil, err
	}
	if err := sameTables(from.tables, m.tables); err != nil {
		return nil, err
	}
	return m, m.begin(ctx)
}

// begin takes the connection that carries.
func (m *moveTarget) begin(ctx context.Context) (err error) {
	if m.conn, err = m.s.w.Conn(ctx); err != nil {
		return err
	}
	q := "PRAGMA foreign_keys = 0" // rows come table by table; checked at the end
	if m.s.dialect == postgresDialect {
		q = "SET statement_timeout = 0"
	}
	_, err = m.conn.ExecContext(ctx, q)
	return err
}

// end gives it back as it was: SQLite has no other that writes.
func (m *moveTarget) end(ctx context.Context) error {
	if m.s.dialect == sqliteDialect {
		if _, err := m.conn.ExecContext(ctx, "PRAGMA foreign_keys = 1"); err != nil {
			return err
		}
	}
	err := m.conn.Close()
	m.conn = nil
	return err
}

func sameTables(from, to []moveTable) error {
	there := map[string]moveTable{}
	for _, t := range to {
		there[t.name] = t
	}
	for _, t := range from {
		other, ok := there[t.name]
		if !ok {
			return fmt.Errorf("table %s is not in the target: the two are not of one schema", t.name)
		}
		if err := t.differs(other); err != nil {
			return err
		}
		delete(there, t.name)
	}
	for name := range there {
		return fmt.Errorf("table %s is only in the target: the two are not of one schema", name)
	}
	return nil
}

// mark makes the database one that an installation is moved into, before
// anything else is in it.
func (m *moveTarget) mark(ctx context.Context, from *moveSource) error {
	half, err := m.s.halfMoved(ctx)
	if err != nil {
		return err
	}
	return m.s.write(ctx, func(t *tx) error {
		if half {
			var whose string
			if err := t.row(`SELECT installation, why FROM moving`, nil, &whose, &m.why); err != nil {
				return err
			}
			if whose != from.installation {
				return errors.New("another installation was being moved into it: give an empty database, or go on with that one")
			}
			return nil
		}
		q := `SELECT COUNT(*), COUNT(CASE name WHEN 'contacts' THEN 1 END) FROM sqlite_master WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`
		if m.s.dialect == postgresDialect {
			q = `SELECT COUNT(*), COUNT(CASE c.relname WHEN 'contacts' THEN 1 END) FROM pg_class c WHERE ` + ownTables
		}
		all, ours := 0, 0
		if err := t.row(q, nil, &all, &ours); err != nil {
			return err
		}
		if ours > 0 && from.why == LockMoved {
			if whose, err := t.installation(); err != nil {
				return err
			} else if whose == from.installation {
				return errMovedBefore
			}
		}
		if from.why == LockMoved {
			return ErrMoved
		} else if ours > 0 {
			return errors.New("it holds an installation already: give an empty database")
		} else if all > 0 {
			return errors.New("it is not empty, and what it holds is not ours: give an empty database")
		}
		m.why = from.why
		for _, q := range []string{
			`CREATE TABLE moving (installation {{KEY}} NOT NULL, why {{KEY}} NOT NULL, began BIGINT NOT NULL)`,
			`CREATE TABLE moving_tables (name {{KEY}} PRIMARY KEY, done BIGINT NOT NULL, last {{KEY}} NOT NULL)`,
			`CREATE TABLE moving_parts (position BIGINT NOT NULL, name {{KEY}} NOT NULL, ddl {{KEY}} NOT NULL)`,
		} {
			if _, err := t.exec(m.s.dialect.ddl(q)); err != nil {
				return err
			}
		}
		_, err := t.exec(`INSERT INTO moving (installation, why, began) VALUES ($1, $2, $3)`, from.installation, m.why, t.now.Unix())
		return err
	})
}

// parts lists indexes and constraints beside the primary keys: the order in
// which they are made again, their names, and what drops and makes each.
const (
	sqliteParts   = `SELECT 1, name, 'DROP INDEX "' || name || '"', sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name NOT LIKE 'search\_%' ESCAPE '\'`
	postgresParts = `SELECT position, name, gone, made FROM (
		SELECT CASE k.contype WHEN 'f' THEN 3 ELSE 2 END AS position, c.relname || '.' || k.conname AS name,
			format('ALTER TABLE %I DROP CONSTRAINT %I', c.relname, k.conname) AS gone,
			format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) AS made
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		WHERE k.contype IN ('f', 'u') AND c.relkind IN ('r', 'p') AND ` + ownTables + `
		UNION ALL
		SELECT 1, c.relname, format('DROP INDEX %I', c.relname), pg_get_indexdef(c.oid)
		FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		WHERE c.relkind = 'i' AND ` + ownTables + `
			AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))) AS parts
		ORDER BY position DESC, name COLLATE "C"`
)

// dropParts puts indexes and constraints aside: rows are written much faster
// without them, and in any order.
func (m *moveTarget) dropParts(ctx context.Context) error {
	q := sqliteParts
	if m.s.dialect == postgresDialect {
		q = postgresParts
	}
	return m.within(ctx, func(t *tx) error {
		type part struct {
			position         int
			name, gone, made string
		}
		var parts []part
		err := t.rows(q, nil, func(scan func(...any) error) error {
			var p part
			err := scan(&p.position, &p.name, &p.gone, &p.made)
			parts = append(parts, p)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range parts {
			if _, err := t.exec(`INSERT INTO moving_parts (position, name, ddl) VALUES ($1, $2, $3)`, p.position, p.name, p.made); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, p.gone); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return nil
	})
}

// restoreParts makes them again, which also checks that every row that another
// one names is there.
func (m *moveTarget) restoreParts(ctx context.Context) error {
	for {
		var name, ddl string
		err := m.within(ctx, func(t *tx) error {
			if err := t.row(`SELECT name, ddl FROM moving_parts ORDER BY position, name LIMIT 1`, nil, &name, &ddl); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, ddl); err != nil {
				return err
			}
			_, err := t.exec(`DELETE FROM moving_parts WHERE name = $1 AND ddl = $2`, name, ddl)
			return err
		})
		if errors.Is(err, ErrNotFound) {
			break
		} else if err != nil {
			return fmt.Errorf("make %s again: %w", name, err)
		}
	}
	if m.s.dialect == sqliteDialect {
		var table, parent string
		err := m.conn.QueryRowContext(ctx, `SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &parent)
		if err == nil {
			return fmt.Errorf("a row of %s names one of %s that is not there", table, parent)
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// settle tells PostgreSQL's planner what has come: the first queries would
// else be planned for empty tables.
func (m *moveTarget) settle(ctx context.Context) error {
	if m.s.dialect != postgresDialect {
		return nil
	}
	names := make([]string, len(m.tables))
	for i, t := range m.tables {
		names[i] = identifier(t.name)
	}
	_, err := m.conn.ExecContext(ctx, "VACUUM (ANALYZE) "+strings.Join(names, ", "))
	return err
}

// tableProgress is how far a table has come.
type tableProgress struct {
	rows int64
	last string // key of the last row; "": none has come, or the table has no key
}

func (m *moveTarget) progress(ctx context.Context, t moveTable) (p tableProgress, err error) {
	err = m.conn.QueryRowContext(ctx, `SELECT done, last FROM moving_tables WHERE name = $1`, t.name).Scan(&p.rows, &p.last)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return p, err
}

// clear makes a table empty, from which it comes anew. Migrations have put a
// row here or there.
func (m *moveTarget) clear(ctx context.Context, table moveTable) error {
	var some bool
	if err := m.conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+identifier(table.name)+`)`).Scan(&some); err != nil || !some {
		return err // every row has come with its progress
	}
	return m.within(ctx, func(t *tx) error {
		q := `DELETE FROM ` + identifier(table.name)
		if m.s.dialect == postgresDialect {
			q = `TRUNCATE ` + identifier(table.name)
		}
		if _, err := t.exec(q); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM moving_tables WHERE name = $1`, table.name)
		return err
	})
}

// write puts batches into a table, each in one transaction with the progress;
// all in one where the table has no key by which it could go on.
func (m *moveTarget) write(ctx context.Context, table moveTable, batches <-chan batch, at func(rows int)) error {
	if len(table.key) == 0 {
		return m.within(ctx, func(t *tx) error {
			for b := range batches {
				if err := m.put(t, table, b.rows); err != nil {
					return err
				}
				at(len(b.rows))
			}
			return ctx.Err()
		})
	}
	for b := range batches {
		err := m.within(ctx, func(t *tx) error {
			if err := m.put(t, table, b.rows); err != nil {
				return err
			}
			_, err := t.exec(`INSERT INTO moving_tables (name, done, last) VALUES ($1, $2, $3)
				ON CONFLICT (name) DO UPDATE SET done = moving_tables.done + excluded.done, last = excluded.last`, table.name, len(b.rows), b.last)
			return err
		})
		if err != nil {
			return err
		}
		at(len(b.rows))
	}
	return ctx.Err()
}

// put writes rows: by COPY on PostgreSQL.
func (m *moveTarget) put(t *tx, table moveTable, rows [][]any) error {
	if m.s.dialect == postgresDialect {
		return m.conn.Raw(func(driver any) error { // in the transaction that is open on it
			_, err := driver.(*stdlib.Conn).Conn().CopyFrom(t.ctx, pgx.Identifier{table.name}, table.names(), pgx.CopyFromRows(rows))
			return err
		})
	}
	names, params := table.names(), make([]string, len(table.cols))
	for i := range names {
		names[i], params[i] = identifier(names[i]), fmt.Sprintf("$%d", i+1)
	}
	q := `INSERT INTO ` + identifier(table.name) + ` (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(params, ", ") + `)`
	for _, row := range rows {
		if _, err := t.exec(q, row...); err != nil {
			return err
		}
	}
	return nil
}

// sum reads what has come.
func (m *moveTarget) sum(ctx context.Context, t moveTable, into *tableSum) error {
	rows, err := m.conn.QueryContext(ctx, t.selects()+movedRows(t))
	if err != nil {
		return err
	}
	return readRows(ctx, t, rows, func(row []any) error {
		into.add(row)
		return nil
	})
}

// setNumbers makes PostgreSQL go on counting after the rows that came. Of
// clients also those count that were merged away: their numbers are never given
// again. SQLite asks its tables.
func (m *moveTarget) setNumbers(ctx context.Context, from *moveSource) error {
	if m.s.dialect != postgresDialect {
		return nil
	}
	numbered := map[string]string{}
	err := m.within(ctx, func(t *tx) error {
		return t.rows(`SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attidentity <> '' AND c.relkind IN ('r', 'p') AND `+ownTables, nil, func(scan func(...any) error) error {
			var table, column string
			err := scan(&table, &column)
			numbered[table] = column
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, table := range m.tables {
		column := numbered[table.name]
		if column == "" {
			continue
		}
		var last, given int64
		if from.s.dialect == postgresDialect { // also numbers of rows that are gone
			if err := from.tx.row(`SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass), 0)`, []any{table.name, column}, &given); err != nil {
				return err
			}
		}
		q := `SELECT COALESCE(MAX(` + identifier(column) + `), 0) FROM ` + identifier(table.name)
		if table.name == "clients" {
			q = `SELECT COALESCE(MAX(id), 0) FROM (SELECT id FROM clients UNION ALL SELECT gone_id FROM merges UNION ALL SELECT client_id FROM merges) AS known`
		}
		err := m.within(ctx, func(t *tx) error {
			if err := t.row(q, nil, &last); err != nil || max(last, given) < 1 {
				return err
			}
			_, err := t.exec(`SELECT setval(pg_get_serial_sequence($1, $2), $3)`, table.name, column, max(last, given))
			return err
		})
		if err != nil {
			return fmt.Errorf("table %s: %w", table.name, err)
		}
	}
	return nil
}

// collectWords fills the index of the search, which each engine has in its own
// form.
func (m *moveTarget) collectWords(ctx context.Context) error {
	if err := m.end(ctx); err != nil {
		return err
	}
	err := m.s.write(ctx, func(t *tx) error {
		for _, kind := range searchedKinds {
			q := `TRUNCATE search_` + kind + `s`
			if m.s.dialect == sqliteDialect { // FTS5 §6.4
				q = `INSERT INTO search_` + kind + `s (search_` + kind + `s) VALUES ('delete-all')`
			}
			if _, err := t.exec(q); err != nil {
				return err
			}
		}
		_, err := t.exec(`DELETE FROM settings WHERE name = $1`, wordsSetting)
		return err
	})
	if err != nil {
		return err
	}
	// As IndexWords, but nobody else writes: locking every row would write it
	// once more.
	for _, kind := range searchedKinds {
		for ids := []int64{0}; len(ids) > 0; {
			err := m.s.write(ctx, func(t *tx) (err error) {
				if ids, err = t.numbers(`SELECT id FROM `+kind+`s WHERE id > $1 ORDER BY id LIMIT 2000`, ids[len(ids)-1]); err != nil || len(ids) == 0 {
					return err
				}
				return t.writeWordsOf(kind, ids)
			})
			if err != nil {
				return err
			}
		}
	}
	if err := m.s.write(ctx, func(t *tx) error { return t.set(wordsSetting, "done") }); err != nil {
		return err
	}
	return m.begin(ctx)
}

// open takes the mark away: from here on it is an installation like any other,
// at home where it is.
func (m *moveTarget) open(ctx context.Context) error {
	return m.s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO outbox_lock (id, home, why, since) VALUES (1, $1, $2, $3)`, m.s.home, m.why, t.now.Unix()); err != nil {
			return err
		}
		for _, table := range []string{"moving_parts", "moving_tables", "moving"} {
			if _, err := t.exec(`DROP TABLE ` + table); err != nil {
				return err
			}
		}
		return nil
	})
}

// within is one transaction on the connection that carries.
func (m *moveTarget) within(ctx context.Context, fn func(*tx) error) error {
	t, err := m.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() // no effect after Commit
	if m.s.dialect == sqliteDialect {
		ctx = context.WithoutCancel(ctx) // as in write
	}
	if err := fn(&tx{Tx: t, s: m.s, ctx: ctx, now: m.s.now()}); err != nil {
		return err
	}
	return t.Commit()
}

func (m *moveTarget) close() {
	if m.conn != nil {
		m.conn.Close()
	}
	if m.held != nil {
		m.held.Close()
	}
	m.s.Close()
}
