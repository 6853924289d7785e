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

// syncToken is the state of a calendar in a sync report: which calendar,
// which life of it, which change.
func syncToken(col *store.Collection) string { return tokenAt(col, col.Change) }

func tokenAt(col *store.Collection, change int64) string {
	return fmt.Sprintf("%s%d:%d:%d", tokenPrefix, col.ID, col.Epoch, change)
}

// errBadToken is RFC 6578 section 3.2: the client starts anew.
var errBadToken = violated(http.StatusForbidden, nsDAV, "valid-sync-token")

// sinceOf reads a token of that calendar. "" is 0: everything.
func sinceOf(token string, col *store.Collection) (int64, error) {
	if token == "" {
		return 0, nil
	}
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	parts := strings.Split(rest, ":")
	if !ok || len(parts) != 3 {
		return 0, errBadToken
	}
	var n [3]int64
	for i, p := range parts {
		var err error
		if n[i], err = strconv.ParseInt(p, 10, 64); err != nil || n[i] < 0 {
			return 0, errBadToken
		}
	}
	if n[0] != col.ID || n[1] != col.Epoch || n[2] > col.Change {
		return 0, errBadToken
	}
	return n[2], nil
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
