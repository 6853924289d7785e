package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Fault is why the database itself, not what was asked of it, failed.
type Fault string

const (
	FaultFull     Fault = "full"      // no room on its disk
	FaultReadOnly Fault = "read_only" // it takes no writes: a standby, a file without the right
	FaultAway     Fault = "away"      // no connection, or one that broke
	FaultBusy     Fault = "busy"      // other writers held it for too long
	FaultOther    Fault = "other"     // a broken file, an error of the program's SQL
)

// Faults are all of them.
var Faults = []Fault{FaultFull, FaultReadOnly, FaultAway, FaultBusy, FaultOther}

// faultKind says which fault an error of a transaction is, "" none: a refusal,
// a row that is not there, one that would break a rule.
func faultKind(err error) Fault {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	var connecting *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &lite):
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return FaultFull
		case sqlite3.SQLITE_IOERR: // among them: no room for the log's shared memory
			return FaultFull
		case sqlite3.SQLITE_READONLY:
			return FaultReadOnly
		case sqlite3.SQLITE_CANTOPEN:
			return FaultAway
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return FaultBusy
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_INTERRUPT:
			return ""
		}
		return FaultOther
	case errors.As(err, &pg):
		// PostgreSQL, Appendix A: error codes.
		switch class := pg.Code[:min(2, len(pg.Code))]; {
		case pg.Code == "53100":
			return FaultFull
		case pg.Code == "25006":
			return FaultReadOnly
		case class == "08", class == "57" && pg.Code != "57014", class == "53", class == "28":
			return FaultAway
		case class == "40", pg.Code == "55P03":
			return FaultBusy
		case class == "23", pg.Code == "57014":
			return ""
		}
		return FaultOther
	case errors.As(err, &connecting), errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return FaultAway
	}
	return ""
}

// health is how the database does.
type health struct {
	mu     sync.Mutex
	counts map[Fault]int64
	// Of writing, while it fails.
	fault Fault
	since time.Time
}

// note counts a transaction that failed, and says once that the database takes
// no writes, and once that it does again.
func (h *health) note(err error, wrote bool, now time.Time, log *slog.Logger) {
	fault := faultKind(err)
	if fault == "" && (err != nil || !wrote) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if fault != "" {
		if h.counts == nil {
			h.counts = map[Fault]int64{}
		}
		h.counts[fault]++
	}
	switch {
	case !wrote, fault == FaultBusy, fault == FaultOther: // the next may do
	case fault != "" && h.fault == "":
		h.since = now
		log.Error("the database takes no writes", "fault", fault, "err", err)
		h.fault = fault
	case fault == "" && h.fault != "":
		log.Info("the database takes writes again", "fault", h.fault, "since", h.since)
		h.fault = ""
	default:
		h.fault = fault
	}
}

// Pool is one pool of connections to the database.
type Pool struct {
	Name string // "writer" and "readers" of SQLite, "all" of PostgreSQL
	sql.DBStats
}

// Health is how the database does, as far as this process knows.
type Health struct {
	Faults map[Fault]int64 // transactions that failed, since the store was opened
	// Fault is why it takes no writes, since Since; "" while it does.
	Fault Fault
	Since time.Time
	Pools []Pool
}

// Health tells how the database does. It asks it nothing.
func (s *Store) Health() Health {
	s.health.mu.Lock()
	out := Health{Faults: make(map[Fault]int64, len(Faults)), Fault: s.health.fault, Since: s.health.since}
	for _, f := range Faults {
		out.Faults[f] = s.health.counts[f]
	}
	s.health.mu.Unlock()
	if s.r == s.w {
		out.Pools = []Pool{{"all", s.w.Stats()}}
	} else {
		out.Pools = []Pool{{"writer", s.w.Stats()}, {"readers", s.r.Stats()}}
	}
	return out
}

// Size is how much room the database takes on its disk, in bytes.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	path, ok := strings.CutPrefix(s.opt.URL, "sqlite:")
	if !ok {
		err = s.r.QueryRowContext(ctx, `SELECT pg_database_size(current_database())`).Scan(&size)
		return size, err
	}
	for _, file := range []string{path, path + "-wal"} {
		info, err := os.Stat(filepath.Clean(file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		if err == nil {
			size += info.Size()
		}
	}
	return size, nil
}
