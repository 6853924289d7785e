package caldav

import (
	"net/http"
	"strconv"
	"strings"

	"intouch/store"
)

const bookTokenPrefix = tokenPrefix + "book:"

// token is the sync-token of all that the book holds now.
func (b *book) token() string { return b.tokenAt(b.Change) }

func (b *book) tokenAt(change int64) string {
	return bookTokenPrefix + strconv.FormatInt(b.ManagerID, 10) + ":" + strconv.FormatInt(change, 10)
}

// changeOf reads a token of this book; "" is what a program sends that knows
// nothing yet.
func (b *book) changeOf(token string) (int64, error) {
	if token == "" {
		return 0, nil
	}
	_, digits, _ := strings.Cut(strings.TrimPrefix(token, bookTokenPrefix), ":")
	change, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || token != b.tokenAt(change) || change < 0 || change > b.Change {
		return 0, errBadToken
	}
	return change, nil
}

// syncBook answers sync-collection on the address book (RFC 6578).
func (c *call) syncBook(root *element) error {
	if c.r.Header.Get("Depth") == "infinity" {
		return status(http.StatusBadRequest)
	}
	sent := root.child(nsDAV, "sync-token")
	if sent == nil {
		return status(http.StatusBadRequest)
	}
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	if q.mode == askAll && root.child(nsDAV, "allprop") == nil {
		q.mode = askNamed // no prop at all: names only
	}
	if err := c.readDead(q); err != nil {
		return err
	}
	limit, err := limitOf(root)
	if err != nil {
		return err
	}
	b, err := c.book()
	if err != nil {
		return err
	}
	had, err := b.changeOf(trimmed(sent))
	if err != nil {
		return c.startAnew(err)
	}
	a := c.startMultistatus(q)
	next, count, more := b.Change, 0, false
	changed := map[string]bool{} // cards that are there
	gone := func(name string) {
		p := place{kind: cardKind, login: c.manager.Login, slug: bookSlug, name: name}
		notThere(a, p.path())
	}
	err = c.st.BookChanges(c.ctx, c.manager.ID, had, func(ch store.BookChange) error {
		if ch.ETag == "" && had == 0 || more || ch.Number > b.Change {
			return nil
		}
		if count++; limit > 0 && count > limit {
			more = true
			return nil
		}
		if limit > 0 && count == limit {
			next = ch.Number
		}
		if ch.ETag == "" {
			gone(ch.File)
		} else {
			changed[ch.File] = true
		}
		return a.spill()
	})
	if err == nil && len(changed) > 0 {
		// What changed again in between comes once more with the next token.
		err = c.eachCardOf(changed, func(r rendered) error {
			q.respond(a, c.cardTarget(r))
			return a.spill()
		})
	}
	if more {
		c.truncated(a)
	} else {
		next = b.Change
	}
	a.el("D:sync-token", b.tokenAt(next))
	return c.finish(a, err)
}
