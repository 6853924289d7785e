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
	Reason  string
	At      time.Time
	// Delivered says that a later mail to it was taken.
	Delivered bool
	// Owners are the managers whose mails to it were refused, each with the
	// subject of their newest: what others write to it is not theirs to read.
	Owners map[int64]string
}

// Disk is the room on a file system, in bytes.
type Disk struct{ Free, Total int64 }

// Limit is how little room is too little for a database that grows: 1 GiB, on
// a small disk the tenth part of it.
func (d Disk) Limit() int64 { return min(1<<30, d.Total/10) }

// Low reports whether there is too little room.
func (d Disk) Low() bool { return d.Free < d.Limit() }
