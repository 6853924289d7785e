package store

import (
	"context"
	"strings"
	"time"
)

// Reading the entries of a calendar.

// EntryParts are what is read of an entry beside its name, ETag and beginning.
type EntryParts uint8

const (
	EntryDetails EntryParts = 1 << iota // Size, Changed, Key
	EntryBytes
)

// entryColumns are read by scanEntry.
func entryColumns(parts EntryParts) string {
	columns := `n.name, n.etag, n.begins`
	if parts&EntryDetails != 0 {
		columns += `, n.size, n.changed, n.item`
	}
	if parts&EntryBytes != 0 {
		columns += `, n.bytes`
	}
	return columns
}

func scanEntry(scan func(...any) error, parts EntryParts, more ...any) (e Entry, err error) {
	var item string
	into := append(make([]any, 0, 8), &e.Name, &e.ETag, timeInto{&e.Begins})
	if parts&EntryDetails != 0 {
		into = append(into, &e.Size, timeInto{&e.Changed}, &item)
	}
	if parts&EntryBytes != 0 {
		into = append(into, &e.Bytes)
	}
	if err := scan(append(into, more...)...); err != nil {
		return e, err
	}
	if parts&EntryDetails != 0 {
		e.Key, err = parseItemKey(item)
	}
	return e, err
}

// longEntry is the length in seconds above which an entry is found by the
// index entries_long: of the others, none that begins a week before a stretch
// of time reaches into it.
const longEntry = "604800"

// Entries calls each for every entry of a collection, by name. from and to
// bound the entry's time (zero: unbounded; repeating entries and those without
// a time always pass), and then the order is not defined. head sees the collection as of the same moment, first.
// The bound is a day wider on both sides than asked: whole days have no zone,
// and the protocol decides.
func (s *Store) Entries(ctx context.Context, collectionID int64, from, to time.Time, parts EntryParts, head func(Collection) error, each func(*Entry) error) error {
	return s.stream(ctx, func(t *tx) error {
		c, err := t.collection("k.id = $1", collectionID)
		if err != nil {
			return err
		}
		if head != nil {
			if err := head(c); err != nil {
				return err
			}
		}
		query := `SELECT ` + entryColumns(parts) + ` FROM entries n WHERE n.collection_id = $1 AND NOT n.gone`
		scanned := func(scan func(...any) error) error {
			e, err := scanEntry(scan, parts)
			if err != nil {
				return err
			}
			return each(&e)
		}
		if from.IsZero() && to.IsZero() {
			return t.rows(query+` ORDER BY n.name`, []any{collectionID}, scanned)
		}
		lo, hi := int64(-1<<62), int64(1<<62)
		if !from.IsZero() {
			lo = from.Unix() - 86400
		}
		if !to.IsZero() {
			hi = to.Unix() + 86400
		}
		if err := t.rows(query+` AND n.begins = 0`, []any{collectionID}, scanned); err != nil {
			return err
		}
		within := ` AND n.begins <> 0 AND n.begins < $2 AND n.ends >= $3 AND n.ends - n.begins `
		if err := t.rows(query+within+`<= `+longEntry+` AND n.begins >= $3 - `+longEntry, []any{collectionID, hi, lo}, scanned); err != nil {
			return err
		}
		return t.rows(query+within+`> `+longEntry, []any{collectionID, hi, lo}, scanned)
	})
}

// Entry by name; ErrNotFound.
func (s *Store) Entry(ctx context.Context, collectionID int64, name string) (e Entry, err error) {
	found := false
	err = s.entriesNamed(ctx, s.read, collectionID, []string{name}, func(one *Entry) error {
		e, found = *one, true
		return nil
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return e, err
}

// EntriesNamed calls each for the entries that exist among names, which are
// sorted, in their order.
func (s *Store) EntriesNamed(ctx context.Context, collectionID int64, names []string, parts EntryParts, each func(*Entry) error) error {
	if parts&EntryBytes != 0 {
		return s.entriesNamed(ctx, s.stream, collectionID, names, each)
	}
	return s.stream(ctx, func(t *tx) error {
		return t.entriesNamed(collectionID, names, entryColumns(parts), func(scan func(...any) error) error {
			e, err := scanEntry(scan, parts)
			if err != nil {
				return err
			}
			return each(&e)
		})
	})
}

// entriesNamed reads whole entries, from memory if all are there, else in a
// transaction, and then remembers them. Begins is not set: it may become
// another without a change of the entry.
func (s *Store) entriesNamed(ctx context.Context, read func(context.Context, func(*tx) error) error, collectionID int64, names []string, each func(*Entry) error) error {
	remembered := func(at Generation) (bool, error) {
		found, all := s.entries.get(at, collectionID, names)
		for i := range found {
			if err := each(&found[i]); err != nil {
				return true, err
			}
		}
		return all, nil
	}
	at, known := s.Generation(ctx)
	if known {
		if all, err := remembered(at); all {
			return err
		}
	}
	return read(ctx, func(t *tx) error {
		var state calendarState
		if known {
			err := t.row(`SELECT epoch, change FROM collections WHERE id = $1`, []any{collectionID}, &state.epoch, &state.change)
			if err != nil {
				return ignoreNotFound(err)
			}
			s.entries.turn(at, collectionID, state)
			if all, err := remembered(at); all {
				return err
			}
		}
		return t.wholeEntries(collectionID, names, func(e *Entry) error {
			e.Begins = time.Time{}
			if known {
				s.entries.put(collectionID, state, *e)
			}
			return each(e)
		})
	})
}

// entry reads one within a transaction; ErrNotFound.
func (t *tx) entry(collectionID int64, name string) (e Entry, err error) {
	err = ErrNotFound
	readErr := t.wholeEntries(collectionID, []string{name}, func(one *Entry) error {
		e, err = *one, nil
		return nil
	})
	if readErr != nil {
		err = readErr
	}
	return e, err
}

// wholeEntries calls each for the entries that exist among names, by name.
func (t *tx) wholeEntries(collectionID int64, names []string, each func(*Entry) error) error {
	const all = EntryDetails | EntryBytes
	return t.entriesNamed(collectionID, names, entryColumns(all)+`, n.uid, n.former`, func(scan func(...any) error) error {
		uid, former := "", ""
		e, err := scanEntry(scan, all, &uid, &former)
		if err != nil {
			return err
		}
		e.uid, e.former = uid, strings.Fields(former)
		return each(&e)
	})
}

func (t *tx) entriesNamed(collectionID int64, names []string, columns string, scanned func(func(...any) error) error) error {
	query, args := `SELECT `+columns+` FROM entries n WHERE n.collection_id = $1 AND NOT n.gone AND n.name `, []any{collectionID, ""}
	if len(names) == 1 {
		query, args[1] = query+`= $2`, names[0]
	} else {
		query, args[1] = query+`IN `+t.s.dialect.texts("$2")+` ORDER BY n.name`, asJSON(names)
	}
	return t.rows(query, args, scanned)
}

// FromStart is the change number of a listing that begins with nothing.
const FromStart = -1

// Changes calls each for what changed after the change number since, in the
// order of numbers, at most limit (0: all). FromStart lists all present entries
// and no gone ones. ErrStale when since is older than the tombstones or newer
// than the collection (a restored copy).
func (s *Store) Changes(ctx context.Context, collectionID, since int64, limit int, head func(Collection) error, each func(Change) error) error {
	return s.stream(ctx, func(t *tx) error {
		c, err := t.collection("k.id = $1", collectionID)
		if err != nil {
			return err
		}
		if since < FromStart || since > c.Change || since != FromStart && since < c.Oldest {
			return ErrStale
		}
		if head != nil {
			if err := head(c); err != nil {
				return err
			}
		}
		query, args := `SELECT name, etag, gone, change FROM entries WHERE collection_id = $1 AND change > $2`, []any{collectionID, since}
		if since == FromStart {
			query += ` AND NOT gone`
		}
		query += ` ORDER BY change`
		if limit > 0 {
			query += ` LIMIT $3`
			args = append(args, limit)
		}
		return t.rows(query, args, func(scan func(...any) error) error {
			var ch Change
			if err := scan(&ch.Name, &ch.ETag, &ch.Gone, &ch.Number); err != nil {
				return err
			}
			return each(ch)
		})
	})
}

// TurnStatuses moves the entries whose status has changed by time alone
// between calendars; it returns how many items it renewed. It also fills the
// saved filters that a daemon left half filled. Call it each minute.
func (s *Store) TurnStatuses(ctx context.Context) (int, error) {
	n, err := s.turnEntries(ctx)
	if err != nil {
		return n, err
	}
	more, err := s.fillFilters(ctx)
	return n + more, err
}

// turnEntries renews what is due for it; see TurnStatuses.
func (s *Store) turnEntries(ctx context.Context) (int, error) {
	const batch = 500 // so that a midnight does not hold the writer for long
	total := 0
	for {
		n := 0
		err := s.writeAgain(ctx, func(t *tx) error {
			n = 0
			err := t.rows(`SELECT DISTINCT item FROM entries WHERE turns > 0 AND turns <= $1 LIMIT $2`, []any{t.now.Unix(), batch}, func(scan func(...any) error) error {
				var item string
				if err := scan(&item); err != nil {
					return err
				}
				k, err := parseItemKey(item)
				if err == nil {
					n++
					t.touch(k)
				}
				return err
			})
			if err == nil {
				err = t.touchSiblings()
			}
			if err != nil || n > 0 {
				return err
			}
			if err := t.forget(); err != nil {
				return err
			}
			return t.forgetCards()
		})
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}

// touchSiblings marks what else shows the deals of the marked events: when a
// payment becomes overdue, the deal's other entries say so too.
func (t *tx) touchSiblings() error {
	var events []int64
	for _, k := range t.dirty.order {
		if k.Event {
			events = append(events, k.ID)
		}
	}
	if len(events) == 0 {
		return nil
	}
	of := `(SELECT x.deal_id FROM deal_events x WHERE x.id IN ` + t.s.dialect.ids("$1") + `) AND state IN ('planned', 'postponed')`
	if err := t.touchAll(false, `SELECT id FROM contacts WHERE deal_id IN `+of, asJSON(events)); err != nil {
		return err
	}
	return t.touchAll(true, `SELECT id FROM deal_events WHERE deal_id IN `+of, asJSON(events))
}

// forget drops old tombstones; their collections then refuse older tokens.
func (t *tx) forget() error {
	before := t.now.Add(-tombstones).Unix()
	if _, err := t.exec(`UPDATE collections SET oldest = g.number FROM (SELECT collection_id, MAX(change) AS number FROM entries WHERE gone AND changed < $1 GROUP BY collection_id) AS g
		WHERE g.collection_id = collections.id AND g.number > collections.oldest`, before); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM entries WHERE gone AND changed < $1`, before)
	return err
}
