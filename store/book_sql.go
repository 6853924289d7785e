package store

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// The logs of address books. A card depends on much: the person, the client,
// its contacts, what it owes. Whatever changes one of these marks the client
// (touchCards), the transaction numbers the marks as it ends, and a program
// that asks for its book has the cards of the clients with later marks compared
// with the log. Own cards depend on nothing and are logged as they are put.

// touchCards marks that the cards of those clients' persons may have changed.
func (t *tx) touchCards(clients ...int64) {
	for _, id := range clients {
		if id == 0 {
			continue
		}
		if t.dirty.cards == nil {
			t.dirty.cards = map[int64]bool{}
		}
		t.dirty.cards[id] = true
	}
}

// markCards writes down what was marked. It is the last thing that a
// transaction does: the row that counts stays locked until the commit, so that
// whoever sees a number sees all the lower ones.
func (t *tx) markCards() error {
	clients := t.dirty.cards
	if t.dirty.cards = nil; len(clients) == 0 {
		return nil
	}
	var change int64
	err := t.row(`INSERT INTO settings (name, value) VALUES ('cards', '1')
		ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT) RETURNING CAST(value AS BIGINT)`, nil, &change)
	for _, id := range slices.Sorted(maps.Keys(clients)) {
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO card_marks (client_id, change) VALUES ($1, $2) ON CONFLICT (client_id) DO UPDATE SET change = $2`, id, change)
	}
	return err
}

// maxUnseen is how many clients may be compared in vain again and again before
// the book remembers that it has seen them.
const maxUnseen = 100

// Book brings the log of a manager's book up to what its cards are now, and
// gives its state. etag is that of a card. Every card is compared where all may
// have changed: for a manager of another language or time zone than the last
// time, and after RenewAll. A name that is not among BooksOf is ErrNotFound.
func (s *Store) Book(ctx context.Context, viewer Manager, name string, etag func(*Card) string) (b Book, err error) {
	if !slices.Contains(BooksOf(&viewer), name) {
		return b, ErrNotFound
	}
	var differ bookDiff
	err = s.read(ctx, func(t *tx) (err error) {
		if b, err = t.book(viewer.ID, name); ignoreNotFound(err) != nil {
			return err
		}
		differ, err = t.bookDiff(viewer, &b, etag)
		return err
	})
	if err != nil || !differ.all && len(differ.changed) == 0 && differ.clients <= maxUnseen {
		return b, err
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.lock("managers", viewer.ID); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO books (manager_id, name, epoch) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, viewer.ID, name, t.now.Unix()); err != nil {
			return err
		}
		if b, err = t.book(viewer.ID, name); err != nil {
			return err
		}
		if differ, err = t.bookDiff(viewer, &b, etag); err != nil {
			return err
		}
		for _, c := range differ.changed {
			if err := t.logCard(&b, c); err != nil {
				return err
			}
		}
		_, err := t.exec(`UPDATE books SET change = $1, seen = $2, shown = $3 WHERE id = $4`, b.Change, differ.seen, differ.shown, b.ID)
		return err
	})
	return b, err
}

func (t *tx) book(managerID int64, name string) (b Book, err error) {
	b.Name = name
	return b, t.row(`SELECT id, change, oldest, epoch, seen, shown FROM books WHERE manager_id = $1 AND name = $2`, []any{managerID, name},
		&b.ID, &b.Change, &b.Oldest, &b.Epoch, &b.seen, &b.shown)
}

// bookDiff is what a book's log lacks.
type bookDiff struct {
	changed []BookChange
	seen    int64 // the last mark that was looked at
	shown   string
	all     bool // whether all cards were compared
	clients int  // else: the marked clients, whose cards were
}

func (t *tx) bookDiff(viewer Manager, b *Book, etag func(*Card) string) (d bookDiff, err error) {
	// Read before the cards: what changes in between is marked higher.
	if err := t.row(`SELECT COALESCE(MAX(change), 0) FROM card_marks`, nil, &d.seen); err != nil {
		return d, err
	}
	rendered, err := t.setting("rendered")
	if err != nil {
		return d, err
	}
	d.shown = strings.Join([]string{rendered, viewer.TimeZone, string(viewer.Language)}, " ")
	d.all = b.ID == 0 || b.shown != d.shown
	if !d.all && d.seen == b.seen {
		return d, nil
	}
	where, args := "", []any{b.ID}
	var some []int64
	if !d.all {
		some = []int64{}
		found, err := t.numbers(`SELECT client_id FROM card_marks WHERE change > $1`, b.seen)
		if err != nil {
			return d, err
		}
		some = append(some, found...)
		d.clients = len(some)
		where, args = ` AND client_id IN `+t.s.dialect.ids("$2"), append(args, asJSON(some))
	}
	had := map[string]BookChange{}
	err = t.rows(`SELECT name, client_id, etag FROM book_changes WHERE book_id = $1 AND etag <> ''`+where, args, func(scan func(...any) error) error {
		var c BookChange
		err := scan(&c.File, &c.client, &c.ETag)
		had[c.File] = c
		return err
	})
	if err != nil {
		return d, err
	}
	compare := func(card *Card) error {
		now := BookChange{File: card.File, ETag: etag(card), client: card.Client.ID}
		if had[card.File] != now {
			d.changed = append(d.changed, now)
		}
		delete(had, card.File)
		return nil
	}
	if err := t.personCards(viewer, b.Name, some, compare); err != nil {
		return d, err
	}
	if d.all && b.Name == OwnBook {
		if err := t.ownCards(viewer, compare); err != nil {
			return d, err
		}
	}
	for _, c := range had {
		d.changed = append(d.changed, BookChange{File: c.File, client: c.client})
	}
	return d, nil
}

// logCard writes the next change of a book.
func (t *tx) logCard(b *Book, c BookChange) error {
	b.Change++
	_, err := t.exec(`INSERT INTO book_changes (book_id, name, client_id, etag, change, changed) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (book_id, name) DO UPDATE SET client_id = $3, etag = $4, change = $5, changed = $6`, b.ID, c.File, c.client, c.ETag, b.Change, t.now.Unix())
	return err
}

// logOwnCard logs what was done to an own card of the manager, whose row is
// locked; etag is "" for a card that has gone.
func (t *tx) logOwnCard(managerID int64, file, etag string) error {
	b, err := t.book(managerID, OwnBook)
	if err != nil {
		return ignoreNotFound(err) // nobody has asked for the book yet
	}
	if err := t.logCard(&b, BookChange{File: file, ETag: etag}); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE books SET change = $1 WHERE id = $2`, b.Change, b.ID)
	return err
}

// BookChanges are the last changes of a book's cards after one, in their
// order; FromStart lists all that are there. ErrStale when since is older than
// the tombstones.
func (s *Store) BookChanges(ctx context.Context, bookID, since int64, each func(BookChange) error) error {
	return s.stream(ctx, func(t *tx) error {
		var oldest int64
		if err := t.row(`SELECT oldest FROM books WHERE id = $1`, []any{bookID}, &oldest); err != nil {
			return err
		}
		query := `SELECT name, etag, change FROM book_changes WHERE book_id = $1 AND change > $2`
		switch {
		case since == FromStart:
			query += ` AND etag <> ''`
		case since < oldest:
			return ErrStale
		}
		return t.rows(query+` ORDER BY change`, []any{bookID, since}, func(scan func(...any) error) error {
			var c BookChange
			if err := scan(&c.File, &c.ETag, &c.Number); err != nil {
				return err
			}
			return each(c)
		})
	})
}

// forgetCards drops old tombstones of cards; their books then refuse older
// tokens.
func (t *tx) forgetCards() error {
	before := t.now.Add(-tombstones).Unix()
	if _, err := t.exec(`UPDATE books SET oldest = g.number FROM (SELECT book_id, MAX(change) AS number FROM book_changes WHERE etag = '' AND changed < $1 GROUP BY book_id) AS g
		WHERE g.book_id = books.id AND g.number > books.oldest`, before); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM book_changes WHERE etag = '' AND changed < $1`, before)
	return err
}
