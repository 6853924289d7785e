// Package store is the ground floor: the words of the trade (Client, Person,
// Contact, Deal, Manager, …), their rules, and their rows in SQLite or
// PostgreSQL. Types and rules live in files without SQL (contact.go), the SQL
// beside them (contact_sql.go). It knows no IMAP, no iCalendar, no HTML and no
// SMTP: those rooms stand on it and meet only in its rows.
//
// A public method is a whole business step in one transaction. Time is read
// once per transaction, in UTC seconds.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a Store is opened.
type Options struct {
	// URL is "sqlite:PATH" or "postgres://…".
	URL string
	// Connections is how many to PostgreSQL are open at most, at least
	// MinConnections; DefaultConnections when 0. SQLite does not ask.
	Connections int
	// Render makes the bytes of one calendar entry. Whoever writes must give
	// it; nil is for those who only read.
	Render Renderer
	// Alarms reads the alarms that calendar programs set; nil, and only the
	// Reminders count.
	Alarms AlarmReader
	// WorkHours are those of managers who have none of their own; OfficeHours
	// when zero.
	WorkHours WorkHours
	// Reminders are when managers are told of what is coming, who want it no
	// other way; DefaultReminders when nil.
	Reminders *Reminders
	// Now is the clock. When nil, that of the host, and on PostgreSQL that of
	// the database (clock.go). Tests set it.
	Now func() time.Time
	// Host is the host's clock; time.Now when nil. That of a test may be wrong.
	Host func() time.Time
	// Log receives what the operator should know; slog.Default when nil.
	Log *slog.Logger
	// MinutesPerLetter is the estimate of a letter's time spent (rules.md
	// section 2); 5 when 0.
	MinutesPerLetter int
	// Currency is the ISO 4217 code of sums that come without one; RUB when
	// empty.
	Currency string
	// TokenKeys seal the tokens of mailboxes; without one they are kept as they
	// are.
	TokenKeys TokenKeys
	// Holidays are the days that are not what their weekday says.
	Holidays HolidaySources
}

// Store is the database. It is safe for concurrent use.
type Store struct {
	opt         Options
	dialect     dialect
	server      *serverClock // nil: the clock is opt.Now alone
	home        string       // where the database is; "" unknown
	w           *sql.DB      // the one writer (SQLite), or the pool (PostgreSQL)
	r           *sql.DB      // readers
	log         *slog.Logger
	logins      loginCache
	generations generations
	remembered  remembered
	entries     entryCache
	refusals    refusals
	mailKey     MailKey // set when the store is opened
	gathering   gathering
	uses        deviceUses
	answers     atomic.Int64 // Idempotency-Keys looked up
	newest      atomic.Int64 // time of a transaction that wrote
	changed     notifier
	unsaved     unsavedTokens
	health      health
	wanted      wantedSets
	streams     chan struct{} // those running; as many as may
	patience    time.Duration // of a stream that waits for its turn
}

// Errors that callers tell apart with errors.Is. The text of a *Error is what
// a person may read.
var (
	// ErrNotFound: there is no such row, or the one who asks may not know of it.
	ErrNotFound = errors.New("not found")
	// ErrStale: the row changed since the caller read it (If-Match, version).
	ErrStale = errors.New("changed meanwhile")
	// ErrConflict: another row holds this key (a UID, a name, a login).
	ErrConflict = errors.New("already exists")
	// ErrForbidden: it is known, but may not be changed by this manager.
	ErrForbidden = errors.New("not allowed")
	// ErrBadLogin: unknown login or wrong password.
	ErrBadLogin = errors.New("wrong login or password")
	// ErrFull: so much is there already that no more is kept.
	ErrFull = errors.New("no room for more")
	// ErrTooManyLogins: failures from this address or on this account are
	// being slowed down; try again later.
	ErrTooManyLogins = errors.New("too many failed logins, try again later")
	// ErrBusy: too many others are being read to slowly, or another process
	// writes for long; try again later.
	ErrBusy = errors.New("too busy, try again later")
	// ErrAlreadyRan: the ledger has a run of this job, owner and slot.
	ErrAlreadyRan = errors.New("already ran")
)

// Invalid is a fault in what somebody entered: which field, and why, in words
// for a person. Import rows, forms and calendar edits report it.
type Invalid struct {
	Field  string
	Reason string
}

func (e *Invalid) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

func invalid(field, format string, args ...any) error {
	return &Invalid{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Actor is who causes a change, for the history.
type Actor struct {
	ManagerID int64 // 0: the program itself, or an integration
	Origin    Origin
	// IntegrationID is the program of others that does it; 0: none.
	IntegrationID int64
}

// Origin is how a record got here (rules.md section 1).
type Origin string

const (
	FromMail     Origin = "mail"
	FromCalendar Origin = "calendar"
	FromWeb      Origin = "web"
	FromImport   Origin = "import"
	FromExchange Origin = "exchange"
	FromLink     Origin = "link"  // a signed link in one of our mails
	FromReply    Origin = "reply" // a reply to one of our mails
)

// now is the transaction's time: UTC, whole seconds.
func (s *Store) now() time.Time { return s.opt.Now().UTC().Truncate(time.Second) }

// Now is the clock that the store was opened with, in UTC whole seconds, so
// that one clock serves the whole program.
func (s *Store) Now() time.Time { return s.now() }

// Changed returns a channel that is closed at the next committed change that
// another part may wait for (an outbox row, a new letter). Waiting on it saves
// polling; missing it loses nothing, since due work is a query.
func (s *Store) Changed() <-chan struct{} { return s.changed.wait() }

// notifier wakes everybody who waits, once.
type notifier struct {
	mu sync.Mutex
	ch chan struct{}
}

func (n *notifier) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notifier) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// tx is one write transaction with its time and its actor.
type tx struct {
	*sql.Tx
	s     *Store
	ctx   context.Context
	now   time.Time
	stmts map[string]*sql.Stmt      // prepared in this transaction
	dirty dirt                      // what must be renewed or marked before commit
	words map[string]map[int64]bool // records of each kind whose words must be written before commit
	// How many questions are open; nil: not asked yet.
	questions *int
	rates     map[rateKey]Rate // that were looked up
	news      news             // what webhooks are told
	erased    map[string]int64 // those who were erased, by hash; nil: not asked yet
}

// write runs fn in one transaction on the writer, and wakes waiters when it
// has committed.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	err := s.writeOnce(ctx, fn)
	s.health.note(err, true, s.now(), s.log)
	return err
}

func (s *Store) writeOnce(ctx context.Context, fn func(*tx) error) error {
	t, err := s.w.BeginTx(ctx, nil)
	if isBusy(err) {
		return fmt.Errorf("begin: %w: %w", ErrBusy, err)
	} else if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() // no effect after Commit
	x := &tx{Tx: t, s: s, ctx: ctx, now: s.now()}
	s.noteTime(x.now)
	if s.dialect == sqliteDialect {
		// Its driver starts a goroutine for each statement that can be
		// cancelled: 4 % of a first pass. No statement waits for another
		// writer, and between two of them BeginTx's context ends the transaction.
		x.ctx = context.WithoutCancel(ctx)
	}
	if s.server != nil && s.server.old() {
		if err := x.lookAtClock(); err != nil {
			return fmt.Errorf("ask for the time: %w", err)
		}
	}
	err = fn(x)
	if err == nil {
		if err = x.renew(); err != nil {
			err = fmt.Errorf("renew calendars: %w", err)
		}
	}
	if err == nil {
		if err = x.markDeals(); err != nil {
			err = fmt.Errorf("mark deals: %w", err)
		}
	}
	if err == nil {
		if err = x.tell(); err != nil {
			err = fmt.Errorf("tell webhooks: %w", err)
		}
	}
	if err == nil {
		if err = x.markCards(); err != nil {
			err = fmt.Errorf("mark cards: %w", err)
		}
	}
	if err == nil {
		if err = x.writeWords(); err != nil {
			err = fmt.Errorf("index words: %w", err)
		}
	}
	if err == nil {
		if err = t.Commit(); err != nil {
			err = fmt.Errorf("commit: %w", err)
		}
	}
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err) // else it only tells that a statement was closed
	}
	if err != nil {
		return err
	}
	s.changed.wake()
	return nil
}

// writeAgain is write for what is wanted by somebody who waits, and may be done
// anew: PostgreSQL ends one of two transactions that wait for each other. The
// order of locks cannot be one everywhere: who edits a contact learns from it
// which calendars it changes, who writes into a calendar which contact. fn sets
// what it gives anew each time.
func (s *Store) writeAgain(ctx context.Context, fn func(*tx) error) error {
	for try := 1; ; try++ {
		err := s.write(ctx, fn)
		if !isDeadlock(err) || try == deadlocks || ctx.Err() != nil {
			return err
		}
	}
}

// deadlocks is how often a transaction may be the one that is ended; each takes
// PostgreSQL's deadlock_timeout, a second, to be seen.
const deadlocks = 5

// read runs fn in one read transaction: everything it reads is of one moment.
func (s *Store) read(ctx context.Context, fn func(*tx) error) error {
	err := s.readOnce(ctx, fn)
	s.health.note(err, false, time.Time{}, s.log)
	return err
}

func (s *Store) readOnce(ctx context.Context, fn func(*tx) error) error {
	t, err := s.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.snapshot()})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback()
	return fn(&tx{Tx: t, s: s, ctx: ctx, now: s.now()})
}

// glance reads one row by one statement, which is of one moment without a
// transaction: on PostgreSQL that would be two more round trips. No row is
// ErrNotFound.
func (s *Store) glance(ctx context.Context, query string, args []any, dest ...any) error {
	if s.dialect == sqliteDialect { // its transactions are cheap, and keep statements prepared
		return s.read(ctx, func(t *tx) error { return t.row(query, args, dest...) })
	}
	err := s.r.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	s.health.note(err, false, time.Time{}, s.log)
	return err
}

// glances is glance for any number of rows.
func (s *Store) glances(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error {
	if s.dialect == sqliteDialect {
		return s.read(ctx, func(t *tx) error { return t.rows(query, args, each) })
	}
	rows, err := s.r.QueryContext(ctx, query, args...)
	if err == nil {
		defer rows.Close()
		err = eachRow(rows, each)
	}
	s.health.note(err, false, time.Time{}, s.log)
	return err
}

// eachRow reads rows to their end.
func eachRow(rows *sql.Rows, each func(scan func(...any) error) error) error {
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stream is read for what is handed on while it is read, and so lasts as long
// as somebody far away takes to receive it. It leaves some connections for all
// that is short: logins, pages, polls. ErrBusy when its turn does not come.
func (s *Store) stream(ctx context.Context, fn func(*tx) error) error {
	wait := time.NewTimer(s.patience)
	defer wait.Stop()
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	case <-wait.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.read(ctx, fn)
}

// streamPatience is less than programs wait for an answer.
const streamPatience = 20 * time.Second

// exec runs one statement and gives the number of rows that it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.run(query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert runs an INSERT … ON CONFLICT DO NOTHING and gives the id of the new
// row, 0 where there is none. SQLite tells it without RETURNING, for which it
// would fill and read a table in memory each time.
func (t *tx) insert(query string, args ...any) (id int64, err error) {
	if t.s.dialect == postgresDialect {
		err = t.row(query+" RETURNING id", args, &id)
		return id, ignoreNotFound(err)
	}
	res, err := t.run(query, args)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return 0, err
	}
	return res.LastInsertId()
}

func (t *tx) run(query string, args []any) (sql.Result, error) {
	st, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	if st != nil {
		return st.ExecContext(t.ctx, args...)
	}
	return t.ExecContext(t.ctx, query, args...)
}

// lock takes a row for this transaction, so that what is read and then written
// cannot change in between. SQLite has one writer and needs none. table is
// ours, never a stranger's text.
func (t *tx) lock(table string, id int64) error {
	return t.row(`SELECT id FROM `+table+` WHERE id = $1`+t.s.dialect.forUpdate(), []any{id}, &id)
}

// lockAll is lock for several rows, in an order in which no two transactions
// wait for each other. SQLite is asked nothing.
func (t *tx) lockAll(table string, ids ...int64) error {
	lock := t.s.dialect.forUpdate()
	if lock == "" {
		return nil
	}
	_, err := t.numbers(`SELECT id FROM `+table+` WHERE id IN `+t.s.dialect.ids("$1")+` ORDER BY id`+lock, asJSON(ids))
	return err
}

// numbers reads one column of ids.
func (t *tx) numbers(query string, args ...any) (out []int64, err error) {
	err = t.rows(query, args, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// row scans one row; no row is ErrNotFound.
func (t *tx) row(query string, args []any, dest ...any) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	if st != nil {
		err = st.QueryRowContext(t.ctx, args...).Scan(dest...)
	} else {
		err = t.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// rows calls each for every row, with the scan function of that row.
func (t *tx) rows(query string, args []any, each func(scan func(...any) error) error) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	var rows *sql.Rows
	if st != nil {
		rows, err = st.QueryContext(t.ctx, args...)
	} else {
		rows, err = t.QueryContext(t.ctx, query, args...)
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	return eachRow(rows, each)
}

// Ping reports whether the database answers, for /readyz.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.r.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Close closes both pools.
func (s *Store) Close() error {
	s.uses.writing.Wait()
	if g := &s.generations; g.db != nil {
		g.mu.Lock()
		g.close()
		g.db.Close()
		g.mu.Unlock()
	}
	if s.r == s.w {
		return s.w.Close()
	}
	return errors.Join(s.r.Close(), s.w.Close())
}

// stmt is the statement prepared in this transaction, which lasts for many
// rows in an import: parsing the SQL took 70 % of its time with SQLite. Nil
// with PostgreSQL, whose driver remembers statements by itself.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if t.s.dialect == postgresDialect {
		return nil, nil
	}
	if st := t.stmts[query]; st != nil {
		return st, nil
	}
	st, err := t.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	if t.stmts == nil {
		t.stmts = map[string]*sql.Stmt{}
	}
	t.stmts[query] = st
	return st, nil
}
