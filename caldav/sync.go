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
	token := root.child(nsDAV, "sync-token")
	if token == nil {
		return status(http.StatusBadRequest)
	}
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	if q.mode == askAll && root.child(nsDAV, "allprop") == nil {
		q.mode = askNamed // no prop at all: names only
	}
	limit, err := limitOf(root)
	if err != nil {
		return err
	}
	col, err := c.calendar()
	if err != nil {
		return err
	}
	since, err := sinceOf(trimmed(token), &col)
	if err != nil {
		return err
	}
	ask := 0
	if limit > 0 {
		ask = limit + 1
	}
	a := c.startMultistatus(q)
	t := c.entryTarget(&col)
	light := q.light()
	var heavy []string // names that need their rows; read when the listing's transaction has ended
	count, last, more := 0, since, false
	err = c.st.Changes(c.ctx, col.ID, since, ask,
		func(now store.Collection) error {
			if now.Epoch != col.Epoch {
				return store.ErrStale
			}
			col = now
			return nil
		},
		func(ch store.Change) error {
			if count++; limit > 0 && count > limit {
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
		err = c.eachNamed(col.ID, heavy, func(e *store.Entry) error {
			t.set(e)
			q.respond(a, t)
			return a.spill()
		}, func(string) {})
	}
	if more {
		c.truncated(a)
	} else {
		last = col.Change
	}
	a.el("D:sync-token", tokenAt(&col, last))
	return c.finish(a, err)
}
