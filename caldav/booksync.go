package caldav

import (
	"errors"

	"intouch/store"
)

// syncBook answers sync-collection on an address book (RFC 6578).
func (c *call) syncBook(root *element) error {
	q, err := c.syncAsked(root)
	if err != nil {
		return err
	}
	b, err := c.book(c.place.slug)
	if err != nil {
		return err
	}
	had, err := tokenOf(q.token, bookToken(b))
	if err != nil {
		return c.startAnew(err)
	}
	since, err := had.page(b.Oldest)
	if err != nil {
		return c.startAnew(err)
	}
	a := c.startMultistatus(q.asked)
	last, count, more := had.change, 0, false
	changed := map[string]bool{} // cards that are there
	err = c.st.BookChanges(c.ctx, b.ID, since, func(ch store.BookChange) error {
		if ch.Number <= had.change || ch.Number > b.Change || more {
			return nil
		}
		if count++; q.limit > 0 && count > q.limit {
			more = true
			return nil
		}
		last = ch.Number
		if ch.ETag == "" {
			notThere(a, c.cardPath(ch.File))
		} else {
			changed[ch.File] = true
		}
		return a.spill()
	})
	if errors.Is(err, store.ErrStale) {
		return c.finish(a, c.startAnew(errBadToken))
	}
	if err == nil && len(changed) > 0 {
		// What changed again in between comes once more with the next token.
		err = c.eachCardOf(changed, func(r rendered) error {
			q.respond(a, c.cardTarget(r))
			return a.spill()
		})
	}
	if more {
		c.truncated(a)
	}
	a.el("D:sync-token", had.next(since, last, b.Change, more).String())
	return c.finish(a, err)
}
