package store

import (
	"sync"
	"time"
)

// Role is what a manager may see: a head also sees the team's.
type Role string

const (
	RoleManager Role = "manager"
	RoleHead    Role = "head"
)

// Manager owns clients, contacts, a calendar and a mailbox.
type Manager struct {
	ID         int64
	ExternalID string
	Login      string // lower case, [a-z0-9._@-]
	Name       string
	Emails     []string // normalised, the first is where digests go
	Role       Role
	TimeZone   string // IANA name
	Language   Language
	WorkHours  WorkHours         // own; zero: the house's (Store.WorkHoursOf)
	Reminders  map[string]string // wanted otherwise than the settings say (Reminders.Set)
	Created    time.Time
	Version    int64
}

// Email is the manager's first address, "" when none.
func (m Manager) Email() string {
	if len(m.Emails) == 0 {
		return ""
	}
	return m.Emails[0]
}

// Location is the manager's zone; UTC when the name is unknown (writing
// refuses such names, a zone database may still lose one).
func (m Manager) Location() *time.Location {
	if known, ok := zones.Load(m.TimeZone); ok {
		return known.(*time.Location)
	}
	loc, err := time.LoadLocation(m.TimeZone)
	if err != nil {
		return time.UTC
	}
	zones.Store(m.TimeZone, loc)
	return loc
}

// zones are those that were loaded: each request asks for its manager's, and
// time.LoadLocation reads a file each time. Only names of zones get in, of
// which there are some hundreds.
var zones sync.Map

// Sees reports whether m may see what belongs to the manager with that id.
func (m Manager) Sees(id int64) bool { return m.ID == id || m.Role == RoleHead }
