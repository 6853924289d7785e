package caldav

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"intouch/store"
)

// readOnly reports whether a calendar only shows: a head sees what a manager
// of the team has planned, and leaves the planning to that manager.
func readOnly(col *store.Collection) bool { return col.Kind == store.TeamCalendar }

const tokenPrefix = "urn:intouch:sync:"

// token is the state of a calendar in a sync report: which calendar, which
// life of it, which change. In the middle of a first listing that comes in
// pages it also says at which change that listing began.
type token struct {
	calendar, epoch, change int64
	began                   int64 // 0: not within a first listing
}

// syncToken is the token of all that a calendar holds now.
func syncToken(col *store.Collection) string {
	return token{calendar: col.ID, epoch: col.Epoch, change: col.Change}.String()
}

func (t token) String() string {
	s := fmt.Sprintf("%s%d:%d:%d", tokenPrefix, t.calendar, t.epoch, t.change)
	if t.began > 0 {
		s += fmt.Sprintf(":%d", t.began)
	}
	return s
}

// errBadToken is RFC 6578 section 3.2: the client starts anew.
var errBadToken = violated(http.StatusForbidden, nsDAV, "valid-sync-token")

// tokenOf reads a token of that calendar. "" is change 0: everything.
func tokenOf(text string, col *store.Collection) (token, error) {
	t := token{calendar: col.ID, epoch: col.Epoch}
	if text == "" {
		return t, nil
	}
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	parts := strings.Split(rest, ":")
	if !ok || len(parts) < 3 || len(parts) > 4 {
		return t, errBadToken
	}
	var n [4]int64
	for i, p := range parts {
		var err error
		if n[i], err = strconv.ParseInt(p, 10, 64); err != nil || n[i] < 0 {
			return t, errBadToken
		}
	}
	if n[0] != col.ID || n[1] != col.Epoch || n[2] > col.Change || n[3] > col.Change {
		return t, errBadToken
	}
	t.change, t.began = n[2], n[3]
	return t, nil
}

// makeCollection refuses MKCALENDAR and MKCOL: calendars are saved filters,
// and are not made here.
func (c *call) makeCollection() error {
	switch _, err := c.calendar(); {
	case err == nil && c.r.Method == "MKCOL":
		return status(http.StatusMethodNotAllowed) // RFC 4918 section 9.3.1
	case err == nil:
		return violated(http.StatusForbidden, nsDAV, "resource-must-be-null")
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return needPrivilege(homePath(c.manager.Login), "bind")
}

// deleteCollection refuses: the calendars of a home come with the manager.
func (c *call) deleteCollection() error {
	if _, err := c.calendar(); err != nil {
		return err
	}
	return needPrivilege(homePath(c.manager.Login), "unbind")
}
