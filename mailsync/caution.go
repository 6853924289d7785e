package mailsync

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// caution is how careful a folder is read after its letters made trouble:
// fewer at once, and of the one that is left to blame less and less. It lives
// as long as the program follows the mailbox, across connections.
type caution struct {
	size  int // letters at once; 0: no trouble
	order order
	until uint32 // in that order the last letter of the smallest batch that failed
	how   detail // of the single letter next in turn
	fails int    // of that letter at that detail, where the server may be to blame
}

// patientFails is how often a single letter may fail for a reason that need
// not be its own (the connection broke, the server said NO) before less is
// asked of it.
const patientFails = 4

// unavailable are the codes by which a server says that it cannot just now
// (RFC 5530, RFC 9208, Gmail).
var unavailable = []imap.ResponseCode{imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodeOverQuota,
	imap.ResponseCodeServerBug, imap.ResponseCodeContactAdmin, "OVERQUOTA", "THROTTLED"}

// A stubborn fault is one of the network while letters were read, which all the
// same may be theirs: there are servers that die over a letter. It is tried
// again with more caution, and soon: the server did take a login.
type stubborn struct{ error }

func (e *stubborn) Unwrap() error { return e.error }

// next cuts the letters to take next off, at most size of them, and says how
// much to ask of them.
func (c *caution) next(uids []uint32, o order, size int) (b batch, rest []uint32) {
	n := min(len(uids), size)
	if c.size != 0 {
		n = min(n, c.size)
	}
	b = batch{uids: uids[:n], order: o}
	rest = uids[n:]
	if o == downwards {
		b.uids, rest = uids[len(uids)-n:], uids[:len(uids)-n]
	}
	if c.size != 0 && n == 1 {
		b.how = c.how
	}
	return b, rest
}

// last is the letter of a batch that comes last in its order.
func (b batch) last() uint32 {
	if b.order == downwards {
		return b.uids[0]
	}
	return b.uids[len(b.uids)-1]
}

// passed notes that all letters of a batch have an outcome.
func (c *caution) passed(b batch) {
	c.how, c.fails = withStructure, 0
	if b.order != c.order {
		return
	}
	if past := b.last(); past >= c.until && c.order != downwards || past <= c.until && c.order == downwards {
		*c = caution{}
	}
}

// failed notes that a batch failed and gives the error to go on with: a
// *poison when the same batch should be tried again at once on a new
// connection, with more caution.
func (c *caution) failed(b batch, s *session, err error) error {
	var ours *storeError
	if errors.As(err, &ours) {
		return err
	}
	var refused *imap.Error
	if errors.As(err, &refused) && slices.Contains(unavailable, refused.Code) {
		return err // no letter's fault
	}
	patient := s.networkFault() || errors.As(err, &refused)
	c.order, c.until = b.order, b.last()
	if len(b.uids) > 1 {
		c.size = max(1, len(b.uids)/8)
		if patient {
			return &stubborn{err}
		}
		return &poison{err}
	}
	c.size = 1
	if patient {
		if c.fails++; c.fails < patientFails {
			return &stubborn{err}
		}
	}
	c.how, c.fails = min(b.how+1, unreadable), 0
	return &poison{err}
}

// poison is a fault that letters seem to cause.
type poison struct{ error }

func (e *poison) Unwrap() error { return e.error }
