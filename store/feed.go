package store

import "time"

// Feed is a calendar that is read at a secret address, by programs that know
// no CalDAV. Who has the address reads the calendar: there is no login.
type Feed struct {
	ID         int64 // of the calendar
	Made       time.Time
	Used       time.Time // when it was last read, to the hour; zero: never
	Collection Collection
	Owner      Manager
	// Changed is when the calendar last changed; zero: it was always empty.
	Changed time.Time
	// First is when the earliest entry begins that does not repeat; zero: none.
	First time.Time
}

// feedUsed is how exactly it is kept when a feed was last read: a read that
// writes each time would make every poll a commit.
const feedUsed = time.Hour

// secretSize is the length of a feed's secret: 130 bits in base 32.
const secretSize = 26

// isFeedSecret reports whether that can be a secret at all; strangers' guesses
// mostly are not.
func isFeedSecret(s string) bool {
	if len(s) != secretSize {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
