package store

import "time"

// The inbox of open questions: what mailboxes, calendars and imports brought
// and only a person can decide. A manager sees the own ones, a head all.

// inboxDays is how far back contacts are asked about; older ones were left.
const inboxDays = 90

// InboxMost is up to how many questions of a kind are counted.
const InboxMost = 100

// InboxCounts are how many open questions of each kind there are; InboxMost
// stands for that and more.
type InboxCounts struct {
	Senders  int // who wrote and is nobody's
	Unlinked int // contacts without a client
	Offers   int // persons
	Rows     int // that imports kept apart; heads see them
}

// Total of all kinds.
func (c InboxCounts) Total() int { return c.Senders + c.Unlinked + c.Offers + c.Rows }

// Unlinked is a contact without a client, and clients that it may be of.
type Unlinked struct {
	Contact Contact
	Clients []Client
}

// Unsourced is the first contact with a client of whom nobody said how they
// heard of us.
type Unsourced struct {
	Contact Contact
	Client  Client
}

// Alike are two clients of one name, but for the legal form.
type Alike struct{ One, Other Client }

// Settled is a question that is left as it is: no client, no known source, not
// the same.
type Settled string

const (
	SettledUnlinked Settled = "unlinked" // a contact
	SettledSource   Settled = "source"   // a client
	SettledClients  Settled = "clients"  // two clients
)

// inboxSince is from when contacts are asked about.
func (t *tx) inboxSince() time.Time { return t.now.AddDate(0, 0, -inboxDays) }
