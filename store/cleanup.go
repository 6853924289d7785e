package store

import (
	"strconv"
	"strings"
	"time"
)

// Kept is for how long what grows without end is kept; 0: for ever.
type Kept struct {
	Ledger  time.Duration // runs of jobs; at least MinLedger
	Mails   time.Duration // mails that were sent or given up
	Senders time.Duration // unknown people, since their last letter
	// TextMonths is how old the texts of letters become; that there was a letter is
	// never forgotten.
	TextMonths int
}

// MinLedger is more than any job makes up for, and than what runs by hand look
// back.
const MinLedger = 40 * 24 * time.Hour

// CleanedReport is what CleanUp removed.
type CleanedReport struct{ Runs, Mails, Senders, Replies, Copies, Texts int64 }

// String is the report in one line; "" where nothing was removed.
func (r CleanedReport) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{r.Runs, "rows of the ledger"}, {r.Mails, "mails"}, {r.Senders, "unknown senders"}, {r.Replies, "replies"}, {r.Copies, "copies for Sent folders"}, {r.Texts, "texts of letters"}} {
		if p.n > 0 {
			parts = append(parts, strconv.FormatInt(p.n, 10)+" "+p.what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "removed " + strings.Join(parts, ", ")
}
