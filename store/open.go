package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the database, making and migrating it where needed. A database
// newer than this program is refused.
func Open(ctx context.Context, opt Options) (*Store, error) {
	s, err := connect(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", hideAddress(err))
	}
	if half, err := s.halfMoved(ctx); err != nil || half {
		s.Close()
		if half {
			err = ErrHalfMoved
		}
		return nil, fmt.Errorf("open store: %w", hideAddress(err))
	}
	if err := s.migrate(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("migrate store: %w", hideAddress(err))
	}
	if err := s.findHome(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open store: %w", hideAddress(err))
	}
	if err := s.loadMailKey(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("read the key of mails: %w", hideAddress(err))
	}
	return s, nil
}

// connect opens the pools of connections and leaves the database as it is.
func connect(ctx context.Context, opt Options) (*Store, error) {
	if opt.Host == nil {
		opt.Host = time.Now
	}
	byServer := opt.Now == nil
	if byServer {
		opt.Now = opt.Host
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Reminders == nil {
		opt.Reminders = &DefaultReminders
	}
	if opt.MinutesPerLetter == 0 {
		opt.MinutesPerLetter = 5
	}
	if opt.Currency == "" {
		opt.Currency = "RUB"
	}
	s := &Store{opt: opt, log: opt.Log, logins: newLoginCache(), patience: streamPatience}
	s.newest.Store(unknownNewest)
	var err error
	switch {
	case strings.HasPrefix(opt.URL, "sqlite:"):
		s.dialect = sqliteDialect
		s.w, s.r, s.generations.db, err = openSQLite(strings.TrimPrefix(opt.URL, "sqlite:"))
		s.streams = make(chan struct{}, sqliteReaders-1)
	case strings.HasPrefix(opt.URL, "postgres://"), strings.HasPrefix(opt.URL, "postgresql://"):
		s.dialect = postgresDialect
		if opt.Connections == 0 {
			opt.Connections = DefaultConnections
		}
		if opt.Connections < MinConnections {
			return nil, fmt.Errorf("at least %d connections are needed", MinConnections)
		}
		var config *pgx.ConnConfig
		if config, err = pgx.ParseConfig(opt.URL); err != nil {
			return nil, err
		}
		s.w = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(withoutJIT))
		// What is open stays open for a while: PostgreSQL starts a process for each
		// connection, which costs more than most of what is asked.
		s.w.SetMaxOpenConns(opt.Connections)
		s.w.SetMaxIdleConns(opt.Connections)
		s.w.SetConnMaxIdleTime(connectionIdle)
		s.r = s.w
		s.streams = make(chan struct{}, opt.Connections/2)
		if byServer {
			s.server = &serverClock{host: opt.Host}
			s.opt.Now = s.server.now
			err = s.server.look(ctx, s.w)
		}
	default:
		return nil, errors.New("the address must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// The connections of one daemon to PostgreSQL. Several daemons share the
// hundred that PostgreSQL allows by default.
const (
	DefaultConnections = 40
	MinConnections     = 5 // what is read slowly takes half of them
	// connectionIdle is for how long one that nobody needs is kept.
	connectionIdle = 5 * time.Minute
)

// withoutJIT keeps PostgreSQL from compiling queries to machine code. Reports
// look expensive enough to it, but each compilation takes longer (a third of a
// second) than what it saves of such a report.
func withoutJIT(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET jit = off")
	return err
}

// openSQLite opens the writer, the readers, and the one connection that tells
// generations, which must not wait for readers. One writer connection:
// deferred transactions on many gave mostly "busy" (libraries.md). FULL, so
// that a power cut loses neither a "sent" mark nor an edit that a calendar
// program was told is stored.
func openSQLite(path string) (w, r, g *sql.DB, err error) {
	if path == "" {
		return nil, nil, nil, errors.New("sqlite: needs a path")
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, nil, err
		}
	}
	// Letters are in it: nobody else on the machine may read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, nil, err
	}
	f.Close()
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(1)",
		// 4 MB of pages, and a log of four times as much: a batch of letters
		// touches a thousand pages, half of them in indexes of random keys. With
		// half of it they were written out and read again within one
		// transaction; a longer log is copied into the file less often.
		"cache_size(-4000)", "wal_autocheckpoint(4000)",
	}, "_dqs": {"0"}}
	pragmas.Set("_txlock", "immediate")
	w, err = openKept("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode())
	if err != nil {
		return nil, nil, nil, err
	}
	w.SetMaxOpenConns(1)
	// The journal mode is set on the writer before a reader opens the file. That
	// does not wait (busy_timeout) while another process that starts sets it, or
	// one that ends takes the log away.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = w.Ping(); !isBusy(err) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		w.Close()
		return nil, nil, nil, err
	}
	pragmas.Del("_txlock")
	pragmas.Add("_pragma", "query_only(1)")
	pragmas.Add("_pragma", "cache_size(-500)") // each, and twice that in memory; the rest is the system's to cache
	readers := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	r, err = openKept(readers)
	if err != nil {
		w.Close()
		return nil, nil, nil, err
	}
	r.SetMaxOpenConns(sqliteReaders)
	r.SetMaxIdleConns(sqliteReaders)
	if g, err = openKept(readers); err != nil {
		w.Close()
		r.Close()
		return nil, nil, nil, err
	}
	g.SetMaxOpenConns(1)
	return w, r, g, nil
}

// sqliteReaders is how many read at the same time.
const sqliteReaders = 4

// schemas are the steps from an empty database to this program's.
func (s *Store) schemas() (*goose.Provider, error) {
	texts := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts[filepath.Base(name)] = &fstest.MapFile{Data: []byte(s.dialect.ddl(string(b)))}
	}
	return goose.NewProvider(goose.Dialect(s.dialect), s.w, texts)
}

// migrate brings the schema up. Of several processes starting at once each step
// is made by one: on PostgreSQL the others wait for an advisory lock, on SQLite
// they see the step made and go on with the next.
func (s *Store) migrate(ctx context.Context) error {
	if s.dialect == postgresDialect {
		conn, err := s.w.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		const lock = 0x696e746f756368 // "intouch"
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lock)); err != nil {
			return err
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lock))
	}
	goose, err := s.schemas()
	if err != nil {
		return err
	}
	for {
		have, want, err := goose.GetVersions(ctx)
		switch {
		case err != nil && !isBusy(err):
			return err
		case err == nil && have > want:
			return fmt.Errorf("the database has schema %d, this program knows %d: it was written by a newer intouchd, start that one", have, want)
		case err == nil && have == want:
			return nil
		}
		// SQLite locks for one step at a time: another process may have made this
		// one meanwhile, or be at one that takes longer than we wait for a lock.
		_, failed := goose.Up(ctx)
		if failed == nil {
			continue
		}
		if isBusy(failed) {
			s.log.Info("waiting for another process that has the database locked")
			continue
		}
		if now, err := goose.GetDBVersion(ctx); err != nil || now == have {
			return failed
		}
	}
}

// hideAddress keeps a PostgreSQL password out of logs: pgx quotes the address
// in some errors.
func hideAddress(err error) error {
	if err == nil || !strings.Contains(err.Error(), "://") {
		return err
	}
	return errors.New("the database address could not be used (check user, password, host and name)")
}
