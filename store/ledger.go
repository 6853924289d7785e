package store

import "time"

// Run is one run of a job for an owner and a slot: the ledger's row. The slot
// is the intended local date or minute, so that a day with two 02:30s has one
// slot.
type Run struct {
	Job      string
	OwnerID  int64 // manager; 0: the whole house
	Slot     string
	Started  time.Time
	Finished time.Time
	Outcome  string // "queued" in the outbox, "empty", "off" (not wanted), "done", "failed", "told" (a reminder)
	Detail   string
}

// Mail is a message ready for the outbox: complete RFC 5322 bytes for one
// recipient.
type Mail struct {
	Key       string // once per key: "digest/anna/2026-11-23"
	MessageID string // with brackets, the same on every try
	From      string // envelope sender
	To        string // envelope recipient, one
	Subject   string // for the status page
	Bytes     []byte
	OwnerID   int64 // manager whose mail it is: the one of the run that wrote it; 0 the house
	// CopyTo is the mailbox whose Sent folder gets a copy once the mail was
	// delivered; "" none.
	CopyTo string

	// Who reads it and as what: a kind that a manager has turned off is not
	// queued. 0 and "": it is always sent.
	ManagerID int64
	Kind      MailKind
	// How it may be answered: the token that its Message-ID and its Reply-To
	// carry, and what its numbers stand for, the first one 1. "": not at all.
	ReplyToken string
	Targets    []AnswerTarget
}

// OutboxState of a mail.
type OutboxState string

const (
	Queued OutboxState = "queued"
	Sent   OutboxState = "sent"
	Failed OutboxState = "failed"
	// MailDropped: by somebody, who decided that it need not go out.
	MailDropped OutboxState = "dropped"
)

// OutboxStates are all of them.
var OutboxStates = []OutboxState{Queued, Sent, Failed, MailDropped}

// GiveUp is for how long the delivery of a mail, or of an event to a webhook,
// is tried: nobody wants the digest of the week before.
const GiveUp = 48 * time.Hour

// OutboxMail is a row of the outbox.
type OutboxMail struct {
	ID int64
	Mail
	State   OutboxState
	Tries   int
	NextTry time.Time
	// ClaimedUntil is until when a daemon has it in its hands; zero, or past,
	// where none has.
	ClaimedUntil time.Time
	LastError    string
	Created      time.Time
	Until        time.Time // then it is given up
	SentAt       time.Time
}

// OutboxSummary is what the status page shows of the outbox.
type OutboxSummary struct {
	Queued, Sent, Failed int64
	OldestQueued         time.Time
	Locked               OutboxLock   // why nothing is sent; ""
	Recent               []OutboxMail // newest first, without bytes
}

// HistoryRow is one change of a record: who, when, from where, what.
type HistoryRow struct {
	At          time.Time
	What        string // contact, client, person, …
	ID          int64  // of it
	ManagerID   int64
	Integration string // name of the program of others that did it; "" none
	Origin      Origin
	Verb        string               // created, changed, moved, done, postponed, cancelled, …
	Changes     map[string][2]string // field → old, new
}

// HideText takes out what of a contact's texts stands in its history: whoever
// may not read a private thread does not read it here either.
func (h *HistoryRow) HideText() {
	delete(h.Changes, "body")
	delete(h.Changes, "note")
}
