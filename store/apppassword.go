package store

import (
	"crypto/rand"
	"strings"
	"time"
)

// AppPassword is what one device (a phone, Thunderbird) opens its manager's
// calendars and address books with. It opens no page, and losing the device
// costs one revocation and not the login's password.
type AppPassword struct {
	ID       int64
	Name     string // of the device
	Created  time.Time
	Revoked  time.Time // zero: it is good
	Used     time.Time // to the hour; zero: never
	UsedFrom string    // IP address
}

const (
	// appAlphabet has 32 characters that nobody mistakes for another.
	appAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	// appLength characters are 120 bits: nobody guesses one, so that a plain
	// hash is enough (tokenHash) and no limit of failures is needed.
	appLength = 24
	appGroup  = 4 // characters between two hyphens

	maxAppPasswords = 50 // good ones of a manager
	// appUsed is how exactly it is kept when one was last used.
	appUsed = time.Hour
	// revokedAppsKept is how long a revoked one is still told from a guess.
	revokedAppsKept = 400 * 24 * time.Hour
)

// newAppPassword is a fresh one as people type it: "abcd-efgh-…".
func newAppPassword() string {
	random := make([]byte, appLength)
	rand.Read(random) // never fails
	var b strings.Builder
	for i, r := range random {
		if i > 0 && i%appGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(appAlphabet[int(r)%len(appAlphabet)])
	}
	return b.String()
}

// bareAppPassword is one without what people and phones add: hyphens, spaces,
// capitals. False where it has not the shape of one.
func bareAppPassword(s string) (string, bool) {
	bare := strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, s))
	return bare, len(bare) == appLength && strings.Trim(bare, appAlphabet) == ""
}
