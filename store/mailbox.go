package store

import "time"

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
}

// Folder is the cursor of one folder: every letter up to LastUID has a
// recorded outcome.
type Folder struct {
	ID          int64
	MailboxID   int64
	Name        string // decoded
	UIDValidity uint32
	LastUID     uint32
	ModSeq      uint64
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

	// Of an unknown letter in: who wrote.
	FromAddress, FromName string

	// Of a captured letter.
	Direction   Direction
	Clients     []int64           // one contact each
	Addresses   []string          // of all parties, to find persons and managers
	Names       map[string]string // address → display name, for new persons
	Subject     string
	Text        string // readable, without quotes and signature
	FullText    string
	References  []string // keys of In-Reply-To and References, oldest first
	Attachments []Attachment
	Private     bool       // it makes its thread private
	NewPerson   *NewPerson // the sender, to be added to the client
	// Of a captured letter without clients, which its folder includes: who it
	// is with, and the addresses by which a client is found later.
	ClientText string
	Outsiders  []string

	// Of a letter that came through a dropbox: what its sender asks for.
	Dropbox *Dropped
}

// NewPerson is a sender known by the domain alone.
type NewPerson struct {
	ClientID      int64
	Address, Name string
}

// Filed counts what FileLetters did.
type Filed struct {
	Captured, Skipped int
	NewContacts       int // contacts that did not exist before
	Seen              int // letters that already had an outcome
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
}
