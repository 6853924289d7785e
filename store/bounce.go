package store

import "strings"

// Bounce is what a report says of a letter that did not arrive (RFC 3464, and
// the texts of servers that write none).
type Bounce struct {
	Key        string // of the letter that came back, as FiledLetter.Key
	Recipients []Undelivered
}

// Undelivered is one recipient whom a letter did not reach.
type Undelivered struct {
	Address string // normalised; "" where the report names nobody
	Status  string // RFC 3463, "5.1.1"; "" unknown
	Reason  string // the server's words, on one line
	Failed  bool   // given up; else it is still being tried
}

const maxUndelivered = 50 // recipients of one report

// Dead reports whether the address itself is to blame, for good: it does not
// exist, was closed, or its domain takes no mail. A full mailbox (5.2.2) is
// emptied again; that a letter was too large (5.2.3, 5.3.4), had the wrong form
// (5.6) or was taken for spam (5.7) says nothing against the address.
func (u Undelivered) Dead() bool {
	if !u.Failed || u.Status != "" && !strings.HasPrefix(u.Status, "5.") {
		return false
	}
	for _, s := range []string{"5.2.2", "5.2.3", "5.3.4"} {
		if u.Status == s {
			return false
		}
	}
	return !strings.HasPrefix(u.Status, "5.6.") && !strings.HasPrefix(u.Status, "5.7.")
}
