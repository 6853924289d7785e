package store

import (
	"context"
	"database/sql"
	"sync"
)

// Generation names a state of the database: as long as it is the same,
// nothing was committed, by this process or another, so that what was read
// after it was asked for still holds. The zero Generation is never a state.
type Generation struct {
	connection int64 // versions of different connections cannot be compared
	version    int64
}

// generations asks SQLite for its data_version on a connection of its own,
// which never writes: to that one, every commit is somebody else's.
type generations struct {
	mu         sync.Mutex
	db         *sql.DB // of one connection, opened when it is first asked
	conn       *sql.Conn
	stmt       *sql.Stmt
	connection int64
}

type presentKey struct{}

// Present is ctx for a request that only reads, and may be answered from what is
// remembered of the state that the database is in now: Generation asks SQLite
// only once for it.
func (s *Store) Present(ctx context.Context) context.Context {
	if at, ok := s.Generation(ctx); ok {
		return context.WithValue(ctx, presentKey{}, at)
	}
	return ctx
}

// Generation is the present one, or that of Present; false where the engine
// cannot tell (PostgreSQL), and then nothing may be remembered. It costs some µs.
func (s *Store) Generation(ctx context.Context) (Generation, bool) {
	if at, ok := ctx.Value(presentKey{}).(Generation); ok {
		return at, true
	}
	if s.dialect != sqliteDialect {
		return Generation{}, false
	}
	g := &s.generations
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx = context.Background() // it waits for nobody, and the connection is everybody's
	if g.stmt == nil {
		conn, err := g.db.Conn(ctx)
		if err != nil {
			return Generation{}, false
		}
		stmt, err := conn.PrepareContext(ctx, "PRAGMA data_version")
		if err != nil {
			conn.Close()
			return Generation{}, false
		}
		g.conn, g.stmt = conn, stmt
		g.connection++
	}
	var version int64
	if err := g.stmt.QueryRowContext(ctx).Scan(&version); err != nil {
		g.close()
		return Generation{}, false
	}
	return Generation{g.connection, version}, true
}

// close ends the connection; the next question opens another.
func (g *generations) close() {
	if g.stmt != nil {
		g.stmt.Close()
		g.conn.Close()
		g.conn, g.stmt = nil, nil
	}
}

// remembered keeps what was read in one generation and each request needs:
// calendars by owner and slug, integrations by the hash of their token.
type remembered struct {
	mu           sync.Mutex
	at           Generation
	collections  map[collectionKey]Collection
	integrations map[string]Integration
}

type collectionKey struct {
	managerID int64
	slug      string
}

// maxRemembered bounds the calendars and integrations that are remembered.
const maxRemembered = 1000

func (r *remembered) collection(at Generation, key collectionKey) (c Collection, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == at {
		c, ok = r.collections[key]
	}
	return c, ok
}

func (r *remembered) put(at Generation, key collectionKey, c Collection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	r.collections[key] = c
}

func (r *remembered) integration(at Generation, hash string) (in Integration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == at {
		in, ok = r.integrations[hash]
	}
	return in, ok
}

func (r *remembered) putIntegration(at Generation, hash string, in Integration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	r.integrations[hash] = in
}

// turn forgets everything where the generation is another, or it became too
// much.
func (r *remembered) turn(at Generation) {
	if r.at != at || len(r.collections)+len(r.integrations) >= maxRemembered {
		r.at, r.collections, r.integrations = at, map[collectionKey]Collection{}, map[string]Integration{}
	}
}
