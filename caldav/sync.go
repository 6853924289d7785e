package caldav

import (
	"errors"
	"net/http"

	"intouch/store"
)

// syncAsked is what a sync-collection asks.
type syncAsked struct {
	*asked
	token string // "" at first
	limit int    // 0: none
}

func (c *call) syncAsked(root *element) (s syncAsked, err error) {
	if c.r.Header.Get("Depth") == "infinity" {
		return s, status(http.StatusBadRequest)
	}
	sent := root.child(nsDAV, "sync-token")
	if sent == nil {
		return s, status(http.StatusBadRequest)
	}
	s.token = trimmed(sent)
	// A calendar has nothing below its members: infinite is 1. Programs of the
	// drafts send Depth instead.
	if level := root.child(nsDAV, "sync-level"); level != nil && trimmed(level) != "1" && trimmed(level) != "infinite" {
		return s, status(http.StatusBadRequest)
	}
	if s.asked, err = askedOf(root, c.r); err != nil {
		return s, err
	}
	if s.mode == askAll && root.child(nsDAV, "allprop") == nil {
		s.mode = askNamed // no prop at all: names only
	}
	if err := c.readDead(s.asked); err != nil {
		return s, err
	}
	s.limit, err = limitOf(root)
	return s, err
}

// page says from which change a sync goes on: had's, save for a first listing
// in pages, which outlives the tombstones of its old changes. It then goes on
// over what is there, and ends with the token of its beginning, after which the
// tombstones are still known.
func (had token) page(oldest int64) (since int64, err error) {
	switch {
	case had.change == store.FromStart || had.change >= oldest:
		return had.change, nil
	case had.began > 0 && had.began >= oldest:
		return store.FromStart, nil
	}
	return 0, errBadToken
}

// next is the token after a page that ended with the change last, of a sync
// that began from since when the last change was now.
func (had token) next(since, last, now int64, more bool) token {
	next := token{of: had.of, epoch: had.epoch, change: now}
	switch {
	case more:
		next.change, next.began = last, had.began
		if had.change == store.FromStart {
			next.began = now
		}
	case since != had.change:
		next.change = had.began
	}
	return next
}

// syncCollection answers sync-collection (RFC 6578): what changed since a
// token, and the next token, of one moment.
func (c *call) syncCollection(root *element) error {
	q, err := c.syncAsked(root)
	if err != nil {
		return err
	}
	col, err := c.calendar()
	if err != nil {
		return err
	}
	q.shape.in(c.floating(nil, &col))
	had, err := tokenOf(q.token, syncToken(&col))
	if err != nil {
		return err
	}
	since, err := had.page(col.Oldest)
	if err != nil {
		return err
	}
	ask := 0
	if q.limit > 0 && since == had.change {
		ask = q.limit + 1
	}
	a := c.startMultistatus(q.asked)
	t := c.entryTarget(&col)
	light := q.parts() == 0
	var heavy []string // names that need their rows; read when the listing's transaction has ended
	last, count, more := had.change, 0, false
	err = c.st.Changes(c.ctx, col.ID, since, ask,
		func(now store.Collection) error {
			if now.Epoch != col.Epoch {
				return store.ErrStale
			}
			col = now
			return nil
		},
		func(ch store.Change) error {
			if ch.Number <= had.change {
				return nil
			}
			if count++; q.limit > 0 && count > q.limit {
				more = true
				return nil
			}
			last = ch.Number
			switch {
			case ch.Gone:
				p := c.place
				p.kind, p.name = entryKind, ch.Name
				notThere(a, p.path())
			case light:
				t.set(&store.Entry{Name: ch.Name, ETag: ch.ETag})
				q.respond(a, t)
			default:
				heavy = append(heavy, ch.Name)
			}
			return a.spill()
		})
	if errors.Is(err, store.ErrStale) {
		return c.finish(a, errBadToken)
	}
	if err == nil && len(heavy) > 0 {
		// What left in between comes as gone with the next token.
		err = c.eachNamed(col.ID, heavy, q.parts(), func(e *store.Entry) error {
			t.set(e)
			q.respond(a, t)
			return a.spill()
		}, func(string) {})
	}
	if more {
		c.truncated(a)
	}
	a.el("D:sync-token", had.next(since, last, col.Change, more).String())
	return c.finish(a, err)
}
