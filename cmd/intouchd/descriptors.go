package main

import (
	"fmt"
	"syscall"

	"intouch/mailsync"
)

// spareDescriptors are for clients, the database, files and mails.
const spareDescriptors = 1000

// descriptorsWanted is how many files and connections a daemon has open that
// follows all mailboxes alone, as the one that is left of a fleet does: one for
// each followed folder, and no more than mailsync opens for one mailbox.
func descriptorsWanted(cfg *Config) int {
	n := spareDescriptors
	for _, m := range cfg.Mailboxes {
		n += min(max(len(m.Folders), 2)+len(m.Include), mailsync.MostConnections)
	}
	return n
}

// checkDescriptors says that the process may not have enough of them; nil where
// it may. The Go runtime has raised the soft limit to the hard one.
func checkDescriptors(cfg *Config) error {
	var have syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have); err != nil {
		return fmt.Errorf("ask how many files may be open: %w", err)
	}
	if want := descriptorsWanted(cfg); have.Cur < uint64(want) {
		return fmt.Errorf("%d mailboxes may need %d open files and connections, and %d are allowed: raise LimitNOFILE of the unit (ulimit -Hn)", len(cfg.Mailboxes), want, have.Cur)
	}
	return nil
}
