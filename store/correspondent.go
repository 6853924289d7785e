package store

import (
	"regexp"
	"strings"
	"time"
)

// The address book that a mailbox is by itself: who takes part in captured
// letters and is no person yet is counted, and offered as a person of the
// client whom the letters are with.

// MailBook is the book of such offers; an entry's key is its address.
const MailBook = "mail"

// maxHeard is how many strangers a letter may have for their number to mean
// acquaintance, and not a circular.
const maxHeard = 20

// heard is what a batch of letters says of one address.
type heard struct {
	client  int64            // whom the letters are with; 0: each with several
	letters map[string]int64 // by the name they show, "" for none
	last    int64
}

// Counted is how often somebody takes part in captured letters.
type Counted struct {
	Letters int64
	Last    time.Time
}

// robots are local parts from which nobody writes: RFC 2142's and those that
// programs use. A long one with digits was made for one letter.
var (
	robots = regexp.MustCompile(`^(no|not|donot|dont|do-not|do_not)[-_.]?reply|^(mailer-daemon|postmaster|hostmaster|abuse|root|daemon|nobody|bounces?|undisclosed-recipients)\b|^(notifications?|newsletters?|mailing|robot|noreply|autoreply|auto-reply|unsubscribe|listserv|majordomo)\b|[-_+](bounces?|request|owner|unsubscribe|noreply)$|^(reply|bounce)[+=-]|^r\+`)
	madeUp = regexp.MustCompile(`^[^@]*(\d[^@]*){6}$`)
)

// isRobot reports whether an address is a program's.
func isRobot(address string) bool {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	return robots.MatchString(local) || len(local) > 40 || len(local) > 20 && madeUp.MatchString(local) || strings.Contains(local, "=")
}

// heardName is a display name that can be somebody's.
func heardName(name string) string {
	name = PersonText(strings.Join(strings.Fields(strings.Trim(clean(name), `"' `)), " "))
	if strings.ContainsAny(name, "@<>") {
		return ""
	}
	return clip(name, 200)
}
