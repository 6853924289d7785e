package caldav

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// get answers GET and HEAD of an entry, with 304 and ranges.
func (c *call) get() error {
	col, err := c.calendar()
	if err != nil {
		return err
	}
	e, err := c.st.Entry(c.ctx, col.ID, c.place.name)
	if err != nil {
		return fmt.Errorf("read entry: %w", err)
	}
	c.serve(entryKind, e.Bytes, e.ETag, e.Changed)
	return nil
}

// serve answers with the bytes of an entry or card.
func (c *call) serve(k kind, body []byte, etag string, changed time.Time) {
	h := c.w.Header()
	h.Set("Content-Type", contentType(k))
	h.Set("ETag", `"`+etag+`"`)
	if !changed.IsZero() {
		h.Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	}
	// No time is given to ServeContent: a second is too coarse to say
	// "not modified" by it.
	http.ServeContent(c.w, c.r, "", time.Time{}, bytes.NewReader(body))
}

// put answers PUT of a calendar object (RFC 4791 section 5.3.2).
func (c *call) put() error {
	col, err := c.calendar()
	if errors.Is(err, store.ErrNotFound) {
		return status(http.StatusConflict) // RFC 4918 section 9.7.1: no parent
	}
	if err != nil {
		return err
	}
	if col.ReadOnly() {
		return needPrivilege(c.place.path(), "write-content")
	}
	cond, err := c.condition(&col)
	if err != nil {
		return err
	}
	return c.write(&col, cond)
}

// post makes a new member of a calendar under a name of the server's choice
// (RFC 5995); the calendar is its own add-member address.
func (c *call) post() error {
	col, err := c.calendar()
	if err != nil {
		return err
	}
	if col.ReadOnly() {
		return needPrivilege(c.place.path(), "bind")
	}
	if c.r.Header.Get("Content-Type") == "" {
		// Pages of other sites may send this, and a browser adds the login that it
		// knows; of our type, or by another method, they may not (CORS).
		return violated(http.StatusForbidden, nsCalDAV, "supported-calendar-data")
	}
	c.place.kind, c.place.name = entryKind, rand.Text()+".ics"
	c.w.Header().Set("Location", origin(c.r, c.publicHost)+c.place.path())
	if err := c.write(&col, store.Condition{IfNoneMatch: true}); err != nil {
		c.w.Header().Del("Location")
		return err
	}
	return nil
}

// write reads the request's body and puts it into the calendar, at the place
// of the call.
func (c *call) write(col *store.Collection, cond store.Condition) error {
	if err := calendarType(c.r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := readBody(c.r, maxRequest)
	if errors.Is(err, errTooLarge) {
		c.w.Header().Set("Connection", "close")
		return violated(http.StatusForbidden, nsCalDAV, "max-resource-size")
	}
	if err != nil {
		return err
	}
	write, err := ReadWrite(body, col.Component, &c.manager)
	if err != nil {
		return err
	}
	res, err := c.st.PutEntry(c.ctx, c.actor(), col.ID, c.place.name, cond, write)
	if errors.Is(err, store.ErrConflict) {
		return c.place.uidConflict(err)
	}
	if err != nil {
		return err
	}
	c.written(res)
	return nil
}

// written answers a write that was done. The ETag is given only where the
// bytes are those of the client; else it fetches what became of them
// (RFC 4791 section 5.3.4).
func (c *call) written(res store.PutResult) {
	if res.Entry.Exact {
		c.w.Header().Set("ETag", `"`+res.Entry.ETag+`"`)
	}
	if res.Created {
		c.w.WriteHeader(http.StatusCreated)
		return
	}
	c.w.WriteHeader(http.StatusNoContent)
}

// calendarType refuses what does not call itself iCalendar. No type at all is
// taken for it.
func calendarType(header string) error {
	if header == "" {
		return nil
	}
	t, _, err := mime.ParseMediaType(header)
	if t == "text/calendar" || err != nil && strings.HasPrefix(strings.ToLower(header), "text/calendar") {
		return nil
	}
	return violated(http.StatusForbidden, nsCalDAV, "supported-calendar-data")
}

// condition reads If-Match and If-None-Match. A list in If-None-Match is
// rare, and judged here by what the entry is now.
func (c *call) condition(col *store.Collection) (store.Condition, error) {
	var cond store.Condition
	if v := c.r.Header.Values("If-Match"); len(v) > 0 {
		cond.IfMatch = append([]string{}, etagsOf(v)...)
	}
	none := etagsOf(c.r.Header.Values("If-None-Match"))
	switch {
	case slices.Contains(none, "*"):
		cond.IfNoneMatch = true
	case len(none) > 0:
		e, err := c.st.Entry(c.ctx, col.ID, c.place.name)
		if err == nil && slices.Contains(none, e.ETag) {
			return cond, store.ErrStale
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return cond, err
		}
	}
	return cond, nil
}

// uidConflict names the entry that has the UID already.
func (p place) uidConflict(err error) error {
	ref := &refusal{status: http.StatusForbidden, precondition: caldav("no-uid-conflict")}
	var held *store.UIDConflict
	if errors.As(err, &held) {
		p.name = held.Name
		ref.body = func(a *answer) { a.href(p.path()) }
	}
	return ref
}

// delete answers DELETE of an entry: what it shows is cancelled.
func (c *call) delete() error {
	col, err := c.calendar()
	if err != nil {
		return err
	}
	if col.ReadOnly() {
		return needPrivilege(c.place.path(), "unbind")
	}
	cond, err := c.condition(&col)
	if err != nil {
		return err
	}
	if err := c.st.DeleteEntry(c.ctx, c.actor(), col.ID, c.place.name, cond); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// move answers MOVE of an entry into another calendar of the home: the verb
// of that calendar applies.
func (c *call) move() error { return c.transfer(c.st.MoveEntry, false) }

// copy answers COPY: a label calendar may show what another one shows.
// Between other calendars there is none: one contact is one thing, and a
// second one with the same words would be counted as another.
func (c *call) copy() error { return c.transfer(c.st.CopyEntry, true) }

// transfer finds source and destination of a MOVE or COPY, and answers.
func (c *call) transfer(do func(ctx context.Context, actor store.Actor, fromID int64, name string, toID int64, toName string, overwrite bool, cond store.Condition) (store.PutResult, error), keep bool) error {
	to, err := c.destination()
	if err != nil {
		return err
	}
	from, err := c.calendar()
	if err != nil {
		return err
	}
	into, err := c.st.Collection(c.ctx, c.manager.ID, to.slug)
	if errors.Is(err, store.ErrNotFound) {
		return status(http.StatusConflict)
	}
	if err != nil {
		return err
	}
	switch {
	case from.ReadOnly() && !keep:
		return needPrivilege(c.place.path(), "unbind")
	case into.ReadOnly() || keep && (from.Kind != store.LabelCalendar || into.Kind != store.LabelCalendar):
		return needPrivilege(to.path(), "bind")
	case !slices.ContainsFunc(from.Component.Each(), into.Component.Holds):
		return violated(http.StatusForbidden, nsCalDAV, "supported-calendar-component")
	case from.ID == into.ID && to.name == c.place.name:
		return status(http.StatusForbidden) // RFC 4918 section 9.9.4: source and destination are the same
	}
	cond, err := c.condition(&from)
	if err != nil {
		return err
	}
	overwrite := !strings.EqualFold(strings.TrimSpace(c.r.Header.Get("Overwrite")), "F")
	res, err := do(c.ctx, c.actor(), from.ID, c.place.name, into.ID, to.name, overwrite, cond)
	if errors.Is(err, store.ErrConflict) {
		if !overwrite {
			return status(http.StatusPreconditionFailed)
		}
		return to.uidConflict(err)
	}
	if err != nil {
		return err
	}
	if res.Entry.Name != "" {
		to.name = res.Entry.Name
	}
	c.w.Header().Set("Location", origin(c.r, c.publicHost)+to.path())
	c.written(res)
	return nil
}

// destination reads the Destination header: an entry in this home.
func (c *call) destination() (place, error) {
	p, host, ok := parseHref(c.r.Header.Get("Destination"))
	switch {
	case c.r.Header.Get("Destination") == "":
		return p, status(http.StatusBadRequest)
	case host != "" && host != c.r.Host && host != c.publicHost:
		return p, status(http.StatusForbidden)
	case !ok || p.kind != entryKind || !strings.EqualFold(p.login, c.manager.Login):
		return p, violated(http.StatusForbidden, nsCalDAV, "calendar-collection-location-ok")
	}
	p.login = c.manager.Login
	return p, nil
}
