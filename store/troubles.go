package store

import "time"

// WaitingMails is what has waited in the outbox for too long.
type WaitingMails struct {
	Count     int64
	Oldest    time.Time // zero: there is none
	LastError string    // of the newest try, or that the outbox is locked
}

// RefusedRecipient is an address whose newest mail was refused for good, or
// given up.
type RefusedRecipient struct {
	Address string
	Subject string // of that mail
	Reason  string
	At      time.Time
	// Delivered says that a later mail to it was taken.
	Delivered bool
}
