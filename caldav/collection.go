package caldav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

const tokenPrefix = "urn:intouch:sync:"

// token is the state of a calendar or an address book in a sync report: which
// one, which life of it, which change. In the middle of a first listing that
// comes in pages it also says at which change that listing began.
type token struct {
	of            string // "12", "book:3"
	epoch, change int64
	began         int64 // 0: not within a first listing
}

// syncToken is the token of all that a calendar holds now.
func syncToken(col *store.Collection) token {
	return token{of: strconv.FormatInt(col.ID, 10), epoch: col.Epoch, change: col.Change}
}

// bookToken is the token of all that an address book holds now.
func bookToken(b *store.Book) token {
	return token{of: "book:" + strconv.FormatInt(b.ID, 10), epoch: b.Epoch, change: b.Change}
}

// token is that of all that a calendar or an address book holds now.
func (t *target) token() token {
	if t.book != nil {
		return bookToken(t.book)
	}
	return syncToken(t.col)
}

func (t token) String() string {
	s := fmt.Sprintf("%s%s:%d:%d", tokenPrefix, t.of, t.epoch, t.change)
	if t.began > 0 {
		s += fmt.Sprintf(":%d", t.began)
	}
	return s
}

// errBadToken is RFC 6578 section 3.2: the client starts anew.
var errBadToken = violated(http.StatusForbidden, nsDAV, "valid-sync-token")

// tokenOf reads a token of the same thing as now, which is its present one. ""
// is what a client sends that knows nothing yet; a calendar that was empty has
// given out the token of change 0, which is another thing.
func tokenOf(text string, now token) (token, error) {
	t := token{of: now.of, epoch: now.epoch, change: store.FromStart}
	if text == "" {
		return t, nil
	}
	rest, ok := strings.CutPrefix(text, tokenPrefix+now.of+":")
	parts := strings.Split(rest, ":")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return t, errBadToken
	}
	var n [3]int64
	for i, p := range parts {
		var err error
		if n[i], err = strconv.ParseInt(p, 10, 64); err != nil || n[i] < 0 {
			return t, errBadToken
		}
	}
	if n[0] != now.epoch || n[1] > now.change || n[2] > now.change {
		return t, errBadToken
	}
	t.change, t.began = n[1], n[2]
	return t, nil
}

// makeCollection answers MKCALENDAR (RFC 4791 section 5.3.1) and extended
// MKCOL (RFC 5689): a label calendar. All properties are set, or none and
// there is no calendar.
func (c *call) makeCollection() error {
	switch _, err := c.calendar(); {
	case err == nil && c.r.Method == "MKCOL":
		return status(http.StatusMethodNotAllowed) // RFC 4918 section 9.3.1
	case err == nil:
		return violated(http.StatusForbidden, nsDAV, "resource-must-be-null")
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	root, _, err := c.readXML()
	if err != nil {
		return err
	}
	want := caldav("mkcalendar")
	if c.r.Method == "MKCOL" {
		want = dav("mkcol")
	}
	if root != nil && root.Name != want {
		return status(http.StatusUnsupportedMediaType) // RFC 4918 section 9.3
	}
	component, patches, edit, err := c.readMaking(root)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(patches, patch.refused) {
		c.refuseMaking(want, patches)
		return nil
	}
	err = c.st.MakeLabel(c.ctx, c.actor(), c.place.slug, component, edit)
	var invalid *store.Invalid
	switch {
	case errors.Is(err, store.ErrConflict):
		return violated(http.StatusForbidden, nsDAV, "resource-must-be-null")
	case errors.As(err, &invalid):
		return needPrivilege(homePath(c.manager.Login), "bind")
	case err != nil:
		return err
	}
	c.w.Header().Set("Cache-Control", "no-cache")
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// readMaking reads the body of MKCALENDAR or MKCOL, nil for none. What may be
// said only then, the kind of collection and its components, is judged here;
// MKCOL makes a calendar or nothing, for nothing else can stand in a home.
func (c *call) readMaking(root *element) (component store.Component, patches []patch, edit store.CollectionEdit, err error) {
	component = store.EventsAndTodos
	isCalendar := c.r.Method == "MKCALENDAR"
	if root != nil {
		for _, set := range root.children {
			prop := set.child(nsDAV, "prop")
			if !set.is(nsDAV, "set") || prop == nil {
				continue
			}
			kept := prop.children[:0]
			for _, e := range prop.children {
				switch e.Name {
				case dav("resourcetype"):
					isCalendar = e.child(nsCalDAV, "calendar") != nil
				case caldav("supported-calendar-component-set"):
					if component, err = componentsOf(e); err != nil {
						return component, nil, edit, err
					}
				default:
					kept = append(kept, e)
				}
			}
			prop.children = kept
		}
		patches, edit = c.readPatches(root, nil)
	}
	if !isCalendar {
		return component, nil, edit, violated(http.StatusForbidden, nsDAV, "valid-resourcetype")
	}
	return component, patches, edit, nil
}

// componentsOf reads C:supported-calendar-component-set: events, to-dos or
// both; others are left out as long as one of these remains.
func componentsOf(set *element) (store.Component, error) {
	asked := map[store.Component]bool{}
	for _, comp := range set.children {
		if comp.is(nsCalDAV, "comp") {
			asked[store.Component(strings.ToUpper(comp.attr("name")))] = true
		}
	}
	switch {
	case asked[store.VEvent] && asked[store.VTodo]:
		return store.EventsAndTodos, nil
	case asked[store.VEvent]:
		return store.VEvent, nil
	case asked[store.VTodo]:
		return store.VTodo, nil
	}
	return "", violated(http.StatusForbidden, nsCalDAV, "supported-calendar-component")
}

// refuseMaking says which properties could not be set (RFC 5689 section 3).
func (c *call) refuseMaking(request xml.Name, patches []patch) {
	a := newAnswer(c.w, http.StatusForbidden)
	name := prefixes[request.Space] + request.Local + "-response"
	a.str(`<?xml version="1.0" encoding="utf-8"?>`+"\n<", name, declarations, ">")
	writePatches(a, patches)
	a.str("</", name, ">\n")
	a.close()
}

// deleteCollection answers DELETE of a calendar: a label or saved filter goes,
// and no contact with it. The other calendars of a home come with the manager.
func (c *call) deleteCollection() error {
	col, err := c.calendar()
	if err != nil {
		return err
	}
	err = c.st.DeleteCalendar(c.ctx, c.actor(), col.ID)
	if errors.Is(err, store.ErrForbidden) {
		return needPrivilege(homePath(c.manager.Login), "unbind")
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
