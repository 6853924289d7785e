package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// BeginExchange notes a session. key is the hash of its cookie, which is told
// to the other program alone.
func (s *Store) BeginExchange(ctx context.Context, integrationID int64, key string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`DELETE FROM exchange_sessions WHERE integration_id = $1 AND token_hash IN (
			SELECT token_hash FROM exchange_sessions WHERE integration_id = $1 ORDER BY seen DESC, token_hash LIMIT 1000 OFFSET $2)`,
			integrationID, exchangeSessions-1); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO exchange_sessions (token_hash, integration_id, began, seen) VALUES ($1, $2, $3, $3)`, key, integrationID, t.now.Unix())
		return err
	})
}

// ExchangeSession finds a session by the hash of its cookie. ErrNotFound when
// it has ended, or its integration was revoked.
func (s *Store) ExchangeSession(ctx context.Context, key string) (x ExchangeSession, err error) {
	var seen time.Time
	x.Key = key
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT x.integration_id, x.version, x.seen FROM exchange_sessions x JOIN integrations i ON i.id = x.integration_id
			WHERE x.token_hash = $1 AND x.seen > $2 AND i.revoked = 0 AND i.created <= x.began`,
			[]any{key, t.now.Add(-exchangeIdle).Unix()}, &x.IntegrationID, &x.Version, timeInto{&seen})
	})
	if err != nil || s.now().Sub(seen) < time.Minute {
		return x, err
	}
	return x, s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE exchange_sessions SET seen = $1 WHERE token_hash = $2`, t.now.Unix(), key)
		return err
	})
}

// RestartExchange begins a session's work anew, in that version of CommerceML:
// files of it that have not come whole are forgotten.
func (s *Store) RestartExchange(ctx context.Context, x ExchangeSession, version string) error {
	var ids []int64
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE exchange_sessions SET version = $1 WHERE token_hash = $2`, version, x.Key); err != nil {
			return err
		}
		// A part that still comes writes no more.
		if _, err := t.exec(`UPDATE exchange_files SET part = part + 1 WHERE session = $1 AND state = 'receiving'`, x.Key); err != nil {
			return err
		}
		var err error
		ids, err = t.exchangeFileIDs(`session = $1 AND state = 'receiving'`, x.Key)
		return err
	})
	for _, id := range ids {
		if err == nil {
			err = s.dropExchangeChunks(ctx, id, 0)
		}
	}
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.write(ctx, func(t *tx) error { return t.dropExchangeFiles(ids) })
}

// dropExchangeChunks forgets the bytes of a file from an offset on, a few
// pieces in each transaction, so that others write in between.
func (s *Store) dropExchangeChunks(ctx context.Context, fileID, from int64) error {
	for {
		var n int64
		err := s.write(ctx, func(t *tx) (err error) {
			n, err = t.dropSomeChunks(fileID, from)
			return err
		})
		if err != nil || n < chunksAtOnce {
			return err
		}
	}
}

// chunksAtOnce are forgotten in one transaction.
const chunksAtOnce = 8

func (t *tx) dropSomeChunks(fileID, from int64) (int64, error) {
	return t.exec(`DELETE FROM exchange_chunks WHERE file_id = $1 AND at IN (SELECT at FROM exchange_chunks WHERE file_id = $1 AND at >= $2 ORDER BY at LIMIT $3)`,
		fileID, from, chunksAtOnce)
}

// exchangeOpen are the files that are on their way, in the words of the index
// of them: SQLite uses it for no others.
const exchangeOpen = `state IN ('receiving', 'waiting', 'importing')`

// exchangeFileIDs are up to 100 files.
func (t *tx) exchangeFileIDs(where string, args ...any) (ids []int64, err error) {
	ids, err = t.numbers(`SELECT id FROM exchange_files WHERE `+where+` LIMIT 100`, args...)
	return append([]int64{}, ids...), err // as JSON a list, too, where there are none
}

func (t *tx) dropExchangeFiles(ids []int64) error {
	for _, from := range []string{"exchange_chunks WHERE file_id", "exchange_files WHERE id"} {
		if _, err := t.exec(`DELETE FROM `+from+` IN `+t.s.dialect.ids("$1"), asJSON(ids)); err != nil {
			return err
		}
	}
	return nil
}

// BeginExchangePart makes ready for a part of a file of that name: one that is
// being received, else a new one. What an earlier part left that did not come
// whole is dropped, and one that still hangs writes no more. most bounds the
// file, in bytes; announced is the length of the part, -1 where it is not
// known. ErrFull where it would be too long, or too much of the integration is
// waiting already.
func (s *Store) BeginExchangePart(ctx context.Context, x ExchangeSession, name string, announced, most int64) (*ExchangePart, error) {
	p := &ExchangePart{}
	err := s.write(ctx, func(t *tx) error {
		err := t.row(`UPDATE exchange_files SET part = part + 1, held = size, seen = $1
			WHERE session = $2 AND name = $3 AND state = 'receiving' RETURNING id, size, part`,
			[]any{t.now.Unix(), x.Key, name}, &p.FileID, &p.Size, &p.number)
		if errors.Is(err, ErrNotFound) {
			var files int
			if err := t.row(`SELECT COUNT(*) FROM exchange_files WHERE integration_id = $1 AND `+exchangeOpen,
				[]any{x.IntegrationID}, &files); err != nil {
				return err
			}
			if files >= exchangeFiles {
				return ErrFull
			}
			p.Size, p.number = 0, 1
			err = t.row(`INSERT INTO exchange_files (integration_id, session, name, state, created, seen, part) VALUES ($1, $2, $3, 'receiving', $4, $4, 1) RETURNING id`,
				[]any{x.IntegrationID, x.Key, name, t.now.Unix()}, &p.FileID)
		}
		if err != nil {
			return err
		}
		p.begin = p.Size
		return t.roomForExchange(p, max(announced, 0), most)
	})
	if err == nil {
		err = s.dropExchangeChunks(ctx, p.FileID, p.Size)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// roomForExchange reports ErrFull when so much more of a file is too much.
func (t *tx) roomForExchange(p *ExchangePart, more, most int64) error {
	var held int64
	err := t.row(`SELECT COALESCE(SUM(held), 0) FROM exchange_files WHERE held > 0 AND integration_id = (SELECT integration_id FROM exchange_files WHERE id = $1)`,
		[]any{p.FileID}, &held)
	if err == nil && (more > most-p.Size || more > exchangeHeld*most-held) {
		err = ErrFull
	}
	return err
}

// AddExchangeChunk keeps the next bytes of a part, at most MaxExchangeChunk.
// ErrStale when another part of that file was begun meanwhile, ErrFull as
// BeginExchangePart.
func (s *Store) AddExchangeChunk(ctx context.Context, p *ExchangePart, body []byte, most int64) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.roomForExchange(p, int64(len(body)), most); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE exchange_files SET held = held + $1, seen = $2 WHERE id = $3 AND part = $4 AND state = 'receiving'`,
			len(body), t.now.Unix(), p.FileID, p.number)
		if err == nil && n == 0 {
			err = ErrStale
		}
		if err == nil {
			_, err = t.exec(`INSERT INTO exchange_chunks (file_id, at, body) VALUES ($1, $2, $3)`, p.FileID, p.Size, body)
		}
		return err
	})
	if err == nil {
		p.Size += int64(len(body))
	}
	return err
}

// DropExchangePart forgets what came of a part that did not come whole, and the
// file with it where it was the first. ErrStale as AddExchangeChunk.
func (s *Store) DropExchangePart(ctx context.Context, p *ExchangePart) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE exchange_files SET part = part + 1 WHERE id = $1 AND part = $2 AND state = 'receiving'`, p.FileID, p.number)
		if err == nil && n == 0 {
			err = ErrStale
		}
		return err
	})
	if err == nil {
		err = s.dropExchangeChunks(ctx, p.FileID, p.begin)
	}
	if err != nil {
		return err
	}
	p.number++
	return s.write(ctx, func(t *tx) error {
		if p.begin == 0 {
			ids, err := t.exchangeFileIDs(`id = $1 AND part = $2`, p.FileID, p.number) // none when it comes anew already
			if err != nil {
				return err
			}
			return t.dropExchangeFiles(ids)
		}
		_, err := t.exec(`UPDATE exchange_files SET held = size WHERE id = $1 AND part = $2`, p.FileID, p.number)
		return err
	})
}

// EndExchangePart makes a part that has come whole count; hash is its SHA-256,
// hex. With whole, the file waits for its import from now on; entries are those
// of an archive. A part that is the one before it, sent again because its
// answer was lost, changes nothing; the file is then the one that has it.
func (s *Store) EndExchangePart(ctx context.Context, p *ExchangePart, hash string, whole bool, entries []string) (fileID int64, err error) {
	fileID = p.FileID
	err = s.write(ctx, func(t *tx) error {
		var session, name, last string
		err := t.row(`SELECT session, name, last_part FROM exchange_files WHERE id = $1 AND part = $2 AND state = 'receiving'`+t.s.dialect.forUpdate(),
			[]any{p.FileID, p.number}, &session, &name, &last)
		if errors.Is(err, ErrNotFound) {
			return ErrStale
		}
		if err != nil {
			return err
		}
		if p.begin == 0 { // the end of a file that is through may come again
			var before int64
			err := t.row(`SELECT id FROM exchange_files WHERE session = $1 AND name = $2 AND id < $3 AND last_part = $4 AND state <> 'failed' ORDER BY id DESC LIMIT 1`,
				[]any{session, name, p.FileID, hash}, &before)
			if err == nil {
				fileID = before
				return t.dropExchangeFiles([]int64{p.FileID})
			}
			if !errors.Is(err, ErrNotFound) {
				return err
			}
		} else if last == hash && p.Len() >= resentPart {
			_, err := t.exec(`UPDATE exchange_files SET held = size, part = part + 1 WHERE id = $1`, p.FileID)
			return err // its chunks go with the next part
		}
		state := ExchangeReceiving
		if whole {
			state = ExchangeWaiting
		}
		_, err = t.exec(`UPDATE exchange_files SET size = $1, last_part = $2, state = $3, part = part + 1, report = $4, seen = $5 WHERE id = $6`,
			p.Size, hash, state, asJSON(ExchangeReport{Entries: entries}), t.now.Unix(), p.FileID)
		return err
	})
	return fileID, err
}

// ExchangeChunk gives the piece of a file that holds the byte at that offset,
// and where the piece begins.
func (s *Store) ExchangeChunk(ctx context.Context, fileID, offset int64) (at int64, body []byte, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT at, body FROM exchange_chunks WHERE file_id = $1 AND at <= $2 ORDER BY at DESC LIMIT 1`, []any{fileID, offset}, &at, &body)
	})
	return at, body, err
}

const exchangeFileColumns = `f.id, f.integration_id, i.name, f.name, f.state, f.size, f.created, f.started, f.finished, f.report, f.claim
	FROM exchange_files f JOIN integrations i ON i.id = f.integration_id `

func (f *ExchangeFile) into() []any {
	return []any{&f.ID, &f.IntegrationID, &f.Integration, &f.Name, &f.State, &f.Size, timeInto{&f.Created}, timeInto{&f.Started}, timeInto{&f.Finished},
		jsonInto{&f.Report}, &f.claim}
}

// ExchangeFile reads one file's record; ErrNotFound.
func (s *Store) ExchangeFile(ctx context.Context, id int64) (f ExchangeFile, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT `+exchangeFileColumns+`WHERE f.id = $1`, []any{id}, f.into()...)
	})
	return f, err
}

// ExchangeFileNamed finds the newest file of a session with that name, or that
// archive which holds one of that name; ErrNotFound.
func (s *Store) ExchangeFileNamed(ctx context.Context, x ExchangeSession, name string) (f ExchangeFile, err error) {
	err = s.read(ctx, func(t *tx) error {
		err := t.row(`SELECT `+exchangeFileColumns+`WHERE f.session = $1 AND f.name = $2 ORDER BY f.id DESC LIMIT 1`, []any{x.Key, name}, f.into()...)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		found := false
		err = t.rows(`SELECT `+exchangeFileColumns+`WHERE f.session = $1 ORDER BY f.id DESC LIMIT $2`, []any{x.Key, exchangeFiles}, func(scan func(...any) error) error {
			var one ExchangeFile
			if err := scan(one.into()...); err != nil {
				return err
			}
			if !found && slices.Contains(one.Report.Entries, name) {
				f, found = one, true
			}
			return nil
		})
		if err == nil && !found {
			err = ErrNotFound
		}
		return err
	})
	return f, err
}

// ClaimExchangeFile takes the oldest file that waits, or whose importer has not
// been heard of until its lease ended, for an import: those of one integration
// one after the other. ErrNotFound: there is none.
func (s *Store) ClaimExchangeFile(ctx context.Context, lease time.Duration) (f ExchangeFile, err error) {
	// Mostly there is none, and nobody need wait for the writer to know it.
	if err := s.read(ctx, func(t *tx) error { _, err := t.dueExchangeFile(lease); return err }); err != nil {
		return f, err
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.alone(claimWork); err != nil { // two may not begin with the same integration
			return err
		}
		id, err := t.dueExchangeFile(lease)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE exchange_files SET state = 'importing', claim = claim + 1, claimed_until = $1, started = CASE WHEN started = 0 THEN $2 ELSE started END WHERE id = $3`,
			t.now.Add(lease).Unix(), t.now.Unix(), id); err != nil {
			return err
		}
		return t.row(`SELECT `+exchangeFileColumns+`WHERE f.id = $1`, []any{id}, f.into()...)
	})
	return f, err
}

// dueExchangeFile is the file to be imported next. A claim that lasts longer than
// two leases was made by a clock that was ahead, and holds up none: its number
// keeps an importer that is still at it from writing.
func (t *tx) dueExchangeFile(lease time.Duration) (id int64, err error) {
	err = t.row(`SELECT f.id FROM exchange_files f WHERE f.`+exchangeOpen+` AND f.state <> 'receiving' AND (f.claimed_until <= $1 OR f.claimed_until > $2)
		AND NOT EXISTS (SELECT 1 FROM exchange_files o WHERE o.`+exchangeOpen+` AND o.integration_id = f.integration_id AND o.claimed_until > $1 AND o.claimed_until <= $2)
		ORDER BY f.state, f.id LIMIT 1`, []any{t.now.Unix(), t.now.Add(2 * lease).Unix()}, &id)
	return id, err
}

// Tries is how often the import of a claimed file was begun, from 1.
func (f *ExchangeFile) Tries() int64 { return f.claim }

// KeepExchangeFile lengthens a claim and tells how far the import is; ErrStale
// when it was lost to another.
func (s *Store) KeepExchangeFile(ctx context.Context, f ExchangeFile, lease time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		return t.claimedExchange(f, `claimed_until = $3, report = $4`, t.now.Add(lease).Unix(), asJSON(f.Report))
	})
}

// ReleaseExchangeFile gives a claim back: the import begins anew, soon and
// anywhere.
func (s *Store) ReleaseExchangeFile(ctx context.Context, f ExchangeFile) error {
	return s.write(ctx, func(t *tx) error {
		return t.claimedExchange(f, `claimed_until = 0, state = $3`, string(ExchangeWaiting))
	})
}

// FailHalfExchangeFile notes that the import of a file was asked for before it
// came whole; ErrStale when it is no longer received.
func (s *Store) FailHalfExchangeFile(ctx context.Context, f ExchangeFile, message string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE exchange_files SET state = 'failed', finished = $1, report = $2 WHERE id = $3 AND state = 'receiving'`,
			t.now.Unix(), asJSON(ExchangeReport{Message: message}), f.ID)
		if err == nil && n == 0 {
			err = ErrStale
		}
		return err
	})
}

// FinishExchangeFile notes what became of a claimed file, with the papers that
// were refused; ErrStale when the claim was lost to another.
func (s *Store) FinishExchangeFile(ctx context.Context, f ExchangeFile, refused []byte) error {
	return s.write(ctx, func(t *tx) error {
		var papers any // NULL where there are none
		if len(refused) > 0 {
			papers = refused
		}
		err := t.claimedExchange(f, `claimed_until = 0, state = $3, report = $4, refused = $5, finished = $6`, string(f.State), asJSON(f.Report), papers, t.now.Unix())
		if err == nil && papers != nil {
			_, err = t.exec(`UPDATE exchange_files SET refused = NULL WHERE refused IS NOT NULL AND id NOT IN (
				SELECT id FROM exchange_files WHERE refused IS NOT NULL ORDER BY id DESC LIMIT $1)`, exchangeRefused)
		}
		return err
	})
}

func (t *tx) claimedExchange(f ExchangeFile, set string, args ...any) error {
	n, err := t.exec(`UPDATE exchange_files SET `+set+` WHERE id = $1 AND claim = $2 AND state = 'importing'`, append([]any{f.ID, f.claim}, args...)...)
	if err == nil && n == 0 {
		err = ErrStale
	}
	return err
}

// CleanExchange forgets what is of no more use: the bytes of files that are
// through, half files whose session has ended, sessions, and old records. It
// takes little at a time, so that others write in between.
func (s *Store) CleanExchange(ctx context.Context) error {
	for more := true; more; {
		more = false
		err := s.write(ctx, func(t *tx) error {
			idle := t.now.Add(-exchangeIdle).Unix()
			// A file of which no part came for long is given up with its session.
			ids, err := t.exchangeFileIDs(exchangeOpen+` AND state = 'receiving' AND seen <= $1 AND NOT EXISTS (SELECT 1 FROM exchange_sessions x WHERE x.token_hash = session AND x.seen > $1)`, idle)
			if err != nil {
				return err
			}
			through, err := t.exchangeFileIDs(`held > 0 AND state IN ('done', 'failed')`)
			if err != nil {
				return err
			}
			for _, id := range append(ids, through...) {
				n, err := t.dropSomeChunks(id, 0)
				if err != nil {
					return err
				}
				if n > 0 {
					more = true
					return nil
				}
			}
			if _, err := t.exec(`UPDATE exchange_files SET held = 0 WHERE id IN `+s.dialect.ids("$1"), asJSON(through)); err != nil {
				return err
			}
			old, err := t.exchangeFileIDs(`id IN (SELECT id FROM exchange_files ORDER BY id LIMIT 100) AND state IN ('done', 'failed') AND (finished < $1 OR id <= (SELECT MAX(id) FROM exchange_files) - $2)`,
				t.now.Add(-exchangeLogDays).Unix(), exchangeLogRows)
			if err != nil {
				return err
			}
			if err := t.dropExchangeFiles(append(ids, old...)); err != nil {
				return err
			}
			_, err = t.exec(`DELETE FROM exchange_sessions WHERE seen <= $1`, idle)
			return err
		})
		if err != nil {
			return fmt.Errorf("clean up after exchanges: %w", err)
		}
	}
	return nil
}

// ExchangeFiles lists the newest files, also those on their way.
func (s *Store) ExchangeFiles(ctx context.Context, limit int) (out []ExchangeFile, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT `+exchangeFileColumns+`ORDER BY f.id DESC LIMIT $1`, []any{limit}, func(scan func(...any) error) error {
			var f ExchangeFile
			err := scan(f.into()...)
			out = append(out, f)
			return err
		})
	})
	return out, err
}

// ExchangeRefused gives the papers of a file that were refused, as CommerceML;
// nil for none. ErrNotFound: there is no such file.
func (s *Store) ExchangeRefused(ctx context.Context, id int64) (papers []byte, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT refused FROM exchange_files WHERE id = $1`, []any{id}, &papers)
	})
	return papers, err
}
