package mailsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// The import of archives: the letters of an mbox go the same way as those of a
// mailbox, ReadMessage → Decide → store.

// ArchiveOptions say whose letters an archive holds and how to take it.
type ArchiveOptions struct {
	Manager string // login of whose letters these are
	Folder  string // under which they are recorded
	Rules   Rules
	Signs   SignReader
	DryRun  bool // everything is read, tried and rolled back
	Log     *slog.Logger
	// At is the file that is read, to verify what Content-Length says; nil
	// for a stream.
	At io.ReaderAt
	// Progress is told after each transaction how many letters and how many
	// bytes are done; nil for nobody.
	Progress func(letters int, bytes int64)
}

// ArchiveSummary is what an import of an archive did.
type ArchiveSummary struct {
	Letters     int // in the file
	Captured    int // now
	Skipped     map[store.Reason]int
	NewContacts int
	Known       int      // brought by an earlier import of the folder
	Deleted     int      // marked as deleted by the mail program, left alone
	Cut         int      // longer than what is read of one letter
	Faults      []string // the first 1,000: where, and what is wrong
	MoreFaults  int
}

const (
	archiveBatch  = 1000
	archiveBytes  = 4 << 20 // texts, addresses and the like of one transaction
	archiveFaults = 1000
	// archiveBreath is the pause after a transaction, in which others get at
	// SQLite's one writer (exchange/import.go).
	archiveBreath = 120 * time.Millisecond
)

// ImportMbox takes the letters of an mbox. What cannot be read is reported and
// passed over; an error means that the import ended early, the summary then
// counts what was filed before. It may be repeated: nothing doubles, not
// either with what IMAP brought, and a letter that was unknown before is
// captured now when its client has been registered in between.
func ImportMbox(ctx context.Context, st *store.Store, opt ArchiveOptions, r io.Reader) (ArchiveSummary, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	a := &archive{st: st, opt: opt, in: newMboxReader(r, opt.At), sum: ArchiveSummary{Skipped: map[store.Reason]int{}}}
	a.box = &mailbox{st: st, log: opt.Log, syncer: &Syncer{st: st, opt: Options{Rules: opt.Rules}}}
	err := a.run(ctx)
	return a.sum, err
}

// archive is one import on its way.
type archive struct {
	st  *store.Store
	opt ArchiveOptions
	in  *mboxReader
	box *mailbox // lends its directory and its threads; it follows nothing
	sum ArchiveSummary
}

func (a *archive) run(ctx context.Context) error {
	for more := true; more; {
		batch, last, err := a.read(ctx)
		if err == nil && len(batch) > 0 {
			err = a.file(ctx, batch)
		}
		if err != nil {
			return err
		}
		if a.opt.Progress != nil {
			a.opt.Progress(a.sum.Letters, a.in.pos)
		}
		if more = !last; more {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(archiveBreath):
			}
		}
	}
	return nil
}

// archived is a letter on its way.
type archived struct {
	*Letter
	excluded, private bool
}

// weight is about the bytes that the letter holds until it is filed.
func (l *archived) weight() int {
	n := len(l.Text) + len(l.FullText) + len(l.Header.Subject) + 1000
	for _, a := range l.Header.Addresses() {
		n += len(a.Addr) + len(a.Name) + 100
	}
	for _, r := range l.Header.References {
		n += len(r)
	}
	for _, a := range l.Attachments {
		n += len(a.Name) + len(a.Type) + 100
	}
	for _, b := range l.bodies {
		n += len(b)
	}
	return n + l.Root.weight()
}

// keepSigns keeps of structure and bodies what SignReader may want to see.
func (l *archived) keepSigns() {
	var parts []*Part
	calendar := calendarPart(l.Root)
	if calendar != nil {
		parts = append(parts, calendar)
	}
	if l.Header.Automatic() != "" {
		status, returned := bounceParts(l.Root)
		parts = slices.Concat(parts, status, returned, firstParts(TextParts(l.Root), 2))
	}
	if len(parts) == 0 {
		l.Root, l.bodies = nil, nil
		return
	}
	kept := map[string][]byte{}
	for _, p := range parts {
		body, limit := l.bodies[p.Section()], maxNotice
		if p == calendar {
			limit = maxCalendar
		}
		kept[p.Section()] = bytes.Clone(body[:min(len(body), limit)])
	}
	l.bodies = kept
}

// read collects the letters of one transaction; no transaction is open
// meanwhile.
func (a *archive) read(ctx context.Context) (batch []archived, last bool, err error) {
	for weight := 0; len(batch) < archiveBatch && weight < archiveBytes; {
		if err := ctx.Err(); err != nil {
			return nil, true, err
		}
		l, fault, err := a.in.next()
		switch {
		case errors.Is(err, io.EOF):
			return batch, true, nil
		case errors.Is(err, errNoMbox):
			return nil, true, err
		case err != nil: // what was read is filed, then the error told
			if len(batch) == 0 {
				return nil, true, err
			}
			a.in.from, a.in.err = "", err
			return batch, false, nil
		case fault != nil:
			a.fault(*fault)
			continue
		}
		a.sum.Letters++
		if l.Cut {
			a.sum.Cut++
			a.fault(mboxFault{l.Offset, l.Line, fmt.Sprintf("a letter of %d bytes, of which the first %d are read", l.Size, maxMboxLetter)})
		}
		if l.Short {
			a.fault(mboxFault{l.Offset, l.Line, "the file ends before the letter does (Content-Length); what there is of it is read"})
		}
		one := a.letter(l)
		if one == nil {
			a.sum.Deleted++
			continue
		}
		weight += one.weight()
		batch = append(batch, *one)
	}
	return batch, false, nil
}

func (a *archive) fault(f mboxFault) {
	if len(a.sum.Faults) == archiveFaults {
		a.sum.MoreFaults++
		return
	}
	a.sum.Faults = append(a.sum.Faults, f.String())
}

// flagFields are where mail programs keep flags in an mbox: Thunderbird in
// X-Mozilla-…, Dovecot and others in X-Keywords.
var flagFields = map[string]bool{"x-mozilla-status": true, "x-mozilla-keys": true, "x-keywords": true}

// mozillaExpunged: Thunderbird keeps deleted letters until it compacts the
// file (nsMsgMessageFlags::Expunged).
const mozillaExpunged = 0x0008

// letter reads one letter; nil for one that was deleted.
func (a *archive) letter(l *mboxLetter) *archived {
	f := readFields(skipBlank(l.Raw), flagFields)
	if n, err := strconv.ParseUint(strings.TrimSpace(f.first("x-mozilla-status")), 16, 32); err == nil && n&mozillaExpunged != 0 {
		return nil
	}
	received, _ := parseDate(strings.TrimPrefix(l.From, string(mboxMark)))
	one := &archived{Letter: ReadMessage(l.Raw, received)}
	// The batch waits for its transaction with texts of its own, so that none
	// holds a whole letter.
	one.Text, one.FullText = strings.Clone(one.Text), strings.Clone(one.FullText)
	one.keepSigns()
	for _, w := range strings.Fields(strings.ReplaceAll(f.all("x-mozilla-keys")+" "+f.all("x-keywords"), ",", " ")) {
		one.excluded = one.excluded || strings.EqualFold(w, excludingKeyword)
		one.private = one.private || strings.EqualFold(w, privateKeyword)
	}
	if h := one.Header; len(h.References) > maxRefs {
		h.References = h.References[len(h.References)-maxRefs:]
	}
	return one
}

// file decides a batch and writes it in one transaction.
func (a *archive) file(ctx context.Context, batch []archived) error {
	parties, err := a.box.syncer.directory(ctx)
	if err != nil {
		return fmt.Errorf("read the addresses: %w", err)
	}
	var keys []string
	for _, l := range batch {
		l.Header.Key = l.Header.HashKey(l.FullText)
		keys = append(append(keys, l.Header.Key), l.Header.References...)
	}
	slices.Sort(keys)
	captured, err := a.st.LetterKeys(ctx, slices.Compact(keys))
	if err != nil {
		return fmt.Errorf("look up the letters: %w", err)
	}
	subjects := subjectThreads{}
	var letters []store.FiledLetter
	for _, l := range batch {
		h := l.Header
		var threadErr error
		d := Decide(h, parties, func() []int64 {
			clients, err := a.box.thread(ctx, h, parties, captured, subjects)
			threadErr = err
			return clients
		})
		if threadErr != nil {
			return fmt.Errorf("look up the thread: %w", threadErr)
		}
		if l.excluded && d.Reason != store.Internal {
			d = Decision{Outcome: store.Skipped, Reason: store.Blocked}
		}
		filed := a.box.filedLetter(0, h, d, parties)
		if d.Outcome == store.Captured {
			filed.Text, filed.FullText, filed.Attachments, filed.Private = l.Text, l.FullText, l.Attachments, l.private
			if captured[h.Key] = filed.Clients; len(filed.Clients) == 0 {
				captured[h.Key] = []int64{0}
			}
			subjects.add(h, captured[h.Key])
		}
		a.opt.Signs.ReadLetter(&filed, l.Letter, parties)
		letters = append(letters, filed)
	}
	n, err := a.st.FileArchive(ctx, store.Archive{Manager: a.opt.Manager, Folder: a.opt.Folder}, a.opt.DryRun, letters)
	if err != nil {
		return fmt.Errorf("file the letters: %w", err)
	}
	a.sum.Captured += n.Captured
	a.sum.NewContacts += n.NewContacts
	a.sum.Known += n.Seen
	for reason, count := range n.Reasons {
		a.sum.Skipped[reason] += count
	}
	return nil
}
