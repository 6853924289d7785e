package store

import "time"

// ExchangeState is where a file of an accounting system is on its way.
type ExchangeState string

const (
	ExchangeReceiving ExchangeState = "receiving" // its last part has not come
	ExchangeWaiting   ExchangeState = "waiting"   // whole, to be imported
	ExchangeImporting ExchangeState = "importing"
	ExchangeDone      ExchangeState = "done"
	ExchangeFailed    ExchangeState = "failed" // nothing of it was taken, or it ended early
)

// ExchangeSession is one exchange that an accounting system began.
type ExchangeSession struct {
	Key           string // SHA-256 of its cookie, hex
	IntegrationID int64
	Version       string // of CommerceML, as agreed on; "" before, and with programs too old to ask
}

// ExchangeFile is a file that came in an exchange, or what became of it.
type ExchangeFile struct {
	ID            int64
	IntegrationID int64
	Integration   string // name
	Name          string // as the other program calls it
	State         ExchangeState
	Size          int64 // bytes
	Created       time.Time
	Started       time.Time // of the import; zero: not yet
	Finished      time.Time // zero: not yet
	Report        ExchangeReport

	claim int64
}

// ExchangeReport is what an import has done so far, or did.
type ExchangeReport struct {
	Entries []string       `json:"entries,omitempty"` // of an archive: the files that are read
	Papers  int            `json:"papers,omitempty"`  // clients, orders and documents that are through
	Bytes   int64          `json:"bytes,omitempty"`   // of the file that are read
	Clients ExchangeCounts `json:"clients,omitzero"`
	Orders  ExchangeCounts `json:"orders,omitzero"`
	Others  ExchangeCounts `json:"documents,omitzero"`
	Notes   int            `json:"notes,omitempty"`    // papers of other kinds, kept in a history
	Older   int            `json:"older,omitempty"`    // of which a newer state came before
	LeftOut map[string]int `json:"left_out,omitempty"` // elements and kinds that are not kept
	Faults  []string       `json:"faults,omitempty"`   // the first of those refused, with line and reason
	Message string         `json:"message,omitempty"`  // what the other program's user was told, in Russian
}

// ExchangeCounts are rows by what became of them.
type ExchangeCounts struct {
	New       int `json:"new,omitempty"`
	Changed   int `json:"changed,omitempty"`
	Unchanged int `json:"unchanged,omitempty"`
	Kept      int `json:"kept,omitempty"` // apart, as open questions
	Refused   int `json:"refused,omitempty"`
}

// Refused is how many papers were not taken.
func (r *ExchangeReport) Refused() int {
	return r.Clients.Refused + r.Orders.Refused + r.Others.Refused
}

// Kept is how many were kept apart as open questions.
func (r *ExchangeReport) Kept() int { return r.Clients.Kept + r.Orders.Kept + r.Others.Kept }

// Taken is how many stand in a register now, new or as before.
func (r *ExchangeReport) Taken() int {
	return r.Clients.taken() + r.Orders.taken() + r.Others.taken() + r.Notes
}

func (c ExchangeCounts) taken() int { return c.New + c.Changed + c.Unchanged }

// ExchangePart is a part of a file while it arrives. What it has written
// counts only when it has come whole.
type ExchangePart struct {
	FileID int64
	Size   int64 // of the file, with what has come of this part
	begin  int64 // offset of the part
	number int64
}

// Len is what has come of the part.
func (p *ExchangePart) Len() int64 { return p.Size - p.begin }

// Bounds of the exchange.
const (
	exchangeIdle     = time.Hour           // a session without a request ends, and its half files go
	exchangeSessions = 50                  // of one integration; the one that was silent longest goes
	exchangeFiles    = 100                 // of one integration that are kept with their bytes
	exchangeHeld     = 2                   // times the longest file: bytes of one integration
	exchangeLogDays  = 90 * 24 * time.Hour // records of what came
	exchangeLogRows  = 50_000              // as many of them
	exchangeRefused  = 500                 // files whose refused papers are kept
	// MaxExchangeChunk is the longest piece that AddExchangeChunk takes.
	MaxExchangeChunk = 1 << 20
	// resentPart is the length from which two equal parts, one after the
	// other, are one that was sent again: no file repeats itself like that.
	resentPart = 4096
)
