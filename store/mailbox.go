package store

import (
	"strings"
	"time"
)

// Mailbox is one [[mailbox]] of the settings, as the database knows it.
type Mailbox struct {
	ID        int64
	Name      string
	ManagerID int64 // 0: shared
}

// MailboxState is what the status page and /readyz show of a mailbox.
type MailboxState struct {
	Mailbox
	ManagerLogin string
	LastSuccess  time.Time
	LastError    string // cleared by a success
	ErrorSince   time.Time
	Letters      int64
	Captured     int64
	Daemon       string // that follows it, "" none, where several share the mailboxes
}

// Folder is one folder of a mailbox with its cursor.
type Folder struct {
	ID          int64
	MailboxID   int64
	Name        string // decoded
	UIDValidity uint32
	Cursor
	ModSeq uint64 // of the server (RFC 7162) when its keywords were looked at; 0: unknown
}

// Cursor says which letters of a folder have a recorded outcome: those with
// First <= UID <= Last. Reading begins with the newest letters and goes down;
// at 1 nothing is left below. Zero: none was read.
type Cursor struct{ First, Last uint32 }

// with is the cursor that covers both, where they meet.
func (c Cursor) with(d Cursor) Cursor {
	switch {
	case c.Last == 0:
		return d
	case d.Last == 0 || d.First > c.Last || c.First > d.Last:
		return c // what lies between may have no outcome
	}
	return Cursor{min(c.First, d.First), max(c.Last, d.Last)}
}

// Outcome of a letter seen in a mailbox.
type Outcome string

const (
	Captured Outcome = "captured"
	Skipped  Outcome = "skipped"
)

// Reason why a letter was skipped (rules.md section 3).
type Reason string

const (
	Internal  Reason = "internal"
	Blocked   Reason = "blocked"
	Automatic Reason = "automatic"
	Unknown   Reason = "unknown"
)

// FiledLetter is a letter with its outcome, as mailsync hands it over. For a
// skipped letter only the identity, the date and the reason are kept, and of
// an unknown sender the address and name.
type FiledLetter struct {
	UID       uint32
	Key       string // normalised Message-ID without brackets, or "hash:…"
	MessageID string // as in the header, "" when it has none
	Date      time.Time
	Outcome   Outcome
	Reason    Reason

	// Excluded: it is skipped because of its keyword in the mailbox. Only that
	// takes back what was captured before.
	Excluded bool

	// Who wrote; not of every skipped letter.
	FromAddress, FromName string

	// Of a captured or unknown letter.
	Subject    string
	bare       string   // contacts.bare_subject, by tidy
	References []string // keys of In-Reply-To and References, oldest first

	// Of a captured letter.
	Direction   Direction
	Clients     []int64           // one contact each
	Addresses   []string          // of all parties, to find persons and managers
	Names       map[string]string // address → display name, for new persons
	Text        string            // readable, without quotes and signature
	FullText    string
	Attachments []Attachment
	Private     bool       // it makes its thread private
	NewPerson   *NewPerson // the sender, to be added to the client
	// Of a captured letter without clients, which its folder includes: who it
	// is with, and the addresses by which a client is found later.
	ClientText string
	Outsiders  []string

	// Of a letter that came through a dropbox: what its sender asks for.
	Dropbox *Dropped
	// Of a letter in the daemon's own mailbox: it answers one of our mails.
	Reply *MailReply

	// What the letter says beside its text.

	// Invitation of a captured letter, or the answer that a skipped one is.
	Invitation *Invitation
	// Bounce that a skipped letter is.
	Bounce *Bounce
	// Away is until when the sender of a skipped auto-reply is away.
	Away Date
	// Numbers that may be a deal's, as the subject and the text of a captured
	// letter name them.
	SubjectNumbers, TextNumbers []string
}

// NewPerson is a sender known by the domain alone.
type NewPerson struct {
	ClientID      int64
	Address, Name string
}

// unreadPrefix begins the key of a letter of which the server gave nothing.
const unreadPrefix = "unread:"

// UnreadKey is the key of such a letter; id tells it from all others.
func UnreadKey(id string) string { return unreadPrefix + id }

// IsUnread reports whether a key is such a letter's.
func IsUnread(key string) bool { return strings.HasPrefix(key, unreadPrefix) }

// Batch is what FileLetters files in one transaction.
type Batch struct {
	Letters []FiledLetter
	// Read is the folder's cursor from now on. Zero: it stays as it is.
	Read Cursor
	// Directory is the version of the Parties by which the letters were
	// decided; 0: not said.
	Directory int64
	// Recalled are letters of Recalls that the batch decides anew, and those
	// of them that are gone.
	Recalled []uint32
}

// Filed counts what FileLetters did.
type Filed struct {
	Captured, Skipped int
	NewContacts       int // contacts that did not exist before
	Seen              int // letters that already had an outcome, and keep it
}

// Parties are all addresses that decide to whom a letter belongs, with the
// rules' exceptions. It is a snapshot: mailsync asks for a new one when
// Version differs from DirectoryVersion.
type Parties struct {
	Version  int64
	OwnAddrs map[string]int64   // address of ours → manager (0: the company's)
	OwnHosts map[string]bool    // own domains
	ByAddr   map[string][]int64 // address → clients, by person or client
	ByDomain map[string][]int64 // exact domain → clients
	Blocked  map[string]bool    // address or domain
	FreeMail map[string]bool    // domains that never stand for a company
	Zones    map[int64]string   // manager → time zone, in which mail programs write the dates of a forward

	// ParentDomains: where no client has the exact domain, one with a parent
	// of it counts. Not of the database: the settings say so.
	ParentDomains bool
}

// Sender is somebody unknown who wrote to us.
type Sender struct {
	Address string
	Name    string
	Letters int64
	First   time.Time
	Last    time.Time
	Subject string
}

// SeenLetter is one line of `export letters`.
type SeenLetter struct {
	Mailbox     string
	Folder      string
	UIDValidity uint32
	UID         uint32
	MessageID   string
	Date        time.Time
	Outcome     Outcome
	Reason      Reason
	Contacts    []int64
}

// Unanswered is a client's letter that nobody answered.
type Unanswered struct {
	Contact Contact
	Age     time.Duration
	Working time.Duration // of Age, in working hours of the manager who was asked for
}
