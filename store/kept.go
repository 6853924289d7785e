package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// keptStatements is how many statements a connection to SQLite keeps
// prepared, about as many as one part of the program uses. Each takes some
// 10 kB.
const keptStatements = 96

// openKept opens a pool of connections to SQLite that keep their statements
// prepared from one transaction to the next: parsing the same SQL again and
// again took a third of all processor time of calendar requests.
// database/sql can keep them too, but what it keeps runs outside of a
// transaction that has ended meanwhile.
func openKept(dsn string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(keptConnector{c}), nil
}

type keptConnector struct{ driver.Connector }

func (k keptConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("connections of type %T cannot keep statements", c)
	}
	return &keptConn{sqliteConn: inner, idle: map[string]sqliteStmt{}}, nil
}

// sqliteConn is what database/sql uses of a connection, as far as the driver
// has it.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keptConn is one connection. Like every driver.Conn it serves one goroutine
// at a time.
type keptConn struct {
	sqliteConn
	idle map[string]sqliteStmt // prepared, reset, and used by nobody now
}

// PrepareContext gives a kept statement, which is the caller's alone until
// they close it: two readers of the same text at once get two statements.
func (c *keptConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return &keptStmt{s, c, query}, nil
	}
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &keptStmt{s.(sqliteStmt), c, query}, nil
}

// BeginTx begins a transaction. The driver prepares BEGIN and ROLLBACK anew
// each time, which was a fifth of a GET; one that only reads waits for nobody,
// and needs nothing of the care that the driver takes with its own.
func (c *keptConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if !opts.ReadOnly {
		return c.sqliteConn.BeginTx(ctx, opts)
	}
	if err := c.do("BEGIN"); err != nil {
		return nil, err
	}
	return reading{c}, nil
}

// do runs a statement without arguments and rows.
func (c *keptConn) do(query string) error {
	ctx := context.Background()
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, nil)
	return err
}

// reading is a transaction that only reads.
type reading struct{ conn *keptConn }

func (r reading) Commit() error   { return r.conn.do("ROLLBACK") }
func (r reading) Rollback() error { return r.conn.do("ROLLBACK") }

// Close closes the connection with its statements.
func (c *keptConn) Close() error {
	for query, s := range c.idle {
		s.Close()
		delete(c.idle, query)
	}
	return c.sqliteConn.Close()
}

type keptStmt struct {
	sqliteStmt
	conn  *keptConn
	query string
}

// Close gives the statement back. The driver has reset it after its last use
// and taken its arguments away. Where the connection has enough of them, one
// that nobody uses now makes room, whichever: all of them come back soon.
func (s *keptStmt) Close() error {
	if _, double := s.conn.idle[s.query]; double {
		return s.sqliteStmt.Close()
	}
	if len(s.conn.idle) >= keptStatements {
		for query, other := range s.conn.idle {
			other.Close()
			delete(s.conn.idle, query)
			break
		}
	}
	s.conn.idle[s.query] = s.sqliteStmt
	return nil
}
