package caldav

import (
	"errors"
	"net/http"

	"intouch/store"
)

// syncCollection answers sync-collection (RFC 6578): what changed since a
// token, and the next token, of one moment.
func (c *call) syncCollection(root *element) error {
	if c.r.Header.Get("Depth") == "infinity" {
		return status(http.StatusBadRequest)
	}
	sent := root.child(nsDAV, "sync-token")
	if sent == nil {
		return status(http.StatusBadRequest)
	}
	// A calendar has nothing below its members: infinite is 1. Programs of the
	// drafts send Depth instead.
	if level := root.child(nsDAV, "sync-level"); level != nil && trimmed(level) != "1" && trimmed(level) != "infinite" {
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
	col, err := c.calendar()
	if err != nil {
		return err
	}
	q.shape.in(c.floating(nil, &col))
	had, err := tokenOf(trimmed(sent), &col)
	if err != nil {
		return err
	}
	// A first listing in pages outlives the tombstones of its old changes. It
	// then goes on over what is there, and ends with the token of its
	// beginning, after which the tombstones are still known.
	since := had.change
	if had.began > 0 && since < col.Oldest {
		if had.began < col.Oldest {
			return errBadToken
		}
		since = store.FromStart
	}
	ask := 0
	if limit > 0 && since == had.change {
		ask = limit + 1
	}
	a := c.startMultistatus(q)
	t := c.entryTarget(&col)
	light := q.parts() == 0
	var heavy []string // names that need their rows; read when the listing's transaction has ended
	next := token{calendar: col.ID, epoch: col.Epoch, change: had.change, began: had.began}
	count, more := 0, false
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
			if count++; limit > 0 && count > limit {
				more = true
				return nil
			}
			next.change = ch.Number
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
	switch {
	case more:
		c.truncated(a)
		if had.change == store.FromStart {
			next.began = col.Change
		}
	case since != had.change:
		next = token{calendar: col.ID, epoch: col.Epoch, change: had.began}
	default:
		next = token{calendar: col.ID, epoch: col.Epoch, change: col.Change}
	}
	a.el("D:sync-token", next.String())
	return c.finish(a, err)
}
