package mailsync

import (
	"errors"

	"github.com/emersion/go-imap/v2"
)

// caution is how careful a folder is read after its letters made trouble:
// fewer at once, and of the one that is left to blame less and less. It lives
// as long as the program follows the mailbox, across connections.
type caution struct {
	size  int    // letters at once; 0: no trouble
	until uint32 // the last letter of the smallest batch that failed
	how   detail // of the single letter next in turn
	fails int    // of that letter at that detail, where the server may be to blame
}

// patientFails is how often a single letter may fail for a reason that need
// not be its own (the connection broke, the server said NO) before less is
// asked of it. With the growing pauses between them these are many minutes.
const patientFails = 5

// next says how many of the letters to ask for, and how much of them.
func (c *caution) next(uids []uint32) (n int, how detail) {
	if c.size == 0 {
		return min(len(uids), batchLetters), withStructure
	}
	n = min(len(uids), c.size)
	if n == 1 {
		return 1, c.how
	}
	return n, withStructure
}

// passed notes that all letters up to uid have an outcome.
func (c *caution) passed(uid uint32) {
	c.how, c.fails = withStructure, 0
	if uid >= c.until {
		*c = caution{}
	}
}

// failed notes that a batch failed and gives the error to go on with: a
// *poison when the same batch should be tried again at once on a new
// connection, with more caution.
func (c *caution) failed(uids []uint32, how detail, s *session, err error) error {
	var ours *storeError
	if errors.As(err, &ours) {
		return err
	}
	var refused *imap.Error
	patient := s.networkFault() || errors.As(err, &refused)
	if len(uids) > 1 {
		c.size, c.until = max(1, len(uids)/8), uids[len(uids)-1]
		if patient {
			return err
		}
		return &poison{err}
	}
	c.size, c.until = 1, uids[0]
	if patient {
		if c.fails++; c.fails < patientFails {
			return err
		}
	}
	c.how, c.fails = min(how+1, unreadable), 0
	return &poison{err}
}

// poison is a fault that letters seem to cause.
type poison struct{ error }

func (e *poison) Unwrap() error { return e.error }
