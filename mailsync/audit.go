package mailsync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"intouch/store"
)

// Audit is what a folder on its server looks like beside the database.
type Audit struct {
	Mailbox  string
	Folder   string // "" where the mailbox itself could not be read
	Letters  int    // on the server
	Captured int
	Skipped  map[store.Reason]int
	Older    int // than the mailbox is read back to
	Missing  []MissingLetter
	Unlisted int // missing beyond those listed
	Repaired int // of the missing ones, read now
	Err      error
}

// MissingLetter is on the server and should have an outcome, or should have a
// contact, but has none.
type MissingLetter struct {
	UID       uint32
	MessageID string
	Date      time.Time
	Lost      bool // it has an outcome; its contact is gone, or it could not be read then
}

// maxMissing bounds the letters that are named of one folder.
const maxMissing = 10_000

// Audit compares all mailboxes, or the one of that name, with the database:
// every letter is captured, skipped with a reason, older than the mailbox is
// read, or missing. With repair those missing are read, and what is then still
// missing is told.
func (sy *Syncer) Audit(ctx context.Context, name string, repair bool) ([]Audit, error) {
	boxes, err := sy.named(name)
	if err != nil {
		return nil, err
	}
	var all []Audit
	for _, m := range boxes {
		found := m.audit(ctx, repair)
		if repair && slices.ContainsFunc(found, func(a Audit) bool { return len(a.Missing) > 0 }) {
			read := m.pass(ctx)
			before := map[string]int{}
			for _, a := range found {
				before[a.Folder] = len(a.Missing) + a.Unlisted
			}
			found = m.audit(ctx, false)
			for i := range found {
				a := &found[i]
				a.Repaired = max(0, before[a.Folder]-len(a.Missing)-a.Unlisted)
				if a.Err == nil && len(a.Missing) > 0 {
					a.Err = read.Err
				}
			}
		}
		all = append(all, found...)
	}
	return all, ctx.Err()
}

// audit compares one mailbox. With mark its missing letters are marked to be
// read.
func (m *mailbox) audit(ctx context.Context, mark bool) (all []Audit) {
	if err := m.auditFolders(ctx, mark, &all); err != nil {
		all = append(all, Audit{Mailbox: m.cfg.Name, Err: err})
	}
	return all
}

func (m *mailbox) auditFolders(ctx context.Context, mark bool, all *[]Audit) error {
	if err := m.register(ctx); err != nil {
		return err
	}
	s, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	names, missing, err := m.folders(s)
	if err != nil {
		return err
	}
	for _, err := range missing {
		var fault *folderError
		errors.As(err, &fault)
		*all = append(*all, Audit{Mailbox: m.cfg.Name, Folder: fault.Folder, Err: err})
	}
	for _, name := range names {
		a, err := m.auditFolder(ctx, s, name, mark)
		var refused *folderError
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		a.Mailbox, a.Folder, a.Err = m.cfg.Name, name, err
		*all = append(*all, a)
	}
	return nil
}

func (m *mailbox) auditFolder(ctx context.Context, s *session, name string, mark bool) (Audit, error) {
	a := Audit{Skipped: map[store.Reason]int{}}
	f, err := m.examine(ctx, s, name)
	if err != nil {
		return a, err
	}
	there, err := s.uidSearch(&imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: 1}}}})
	if err != nil {
		return a, err
	}
	var absent []imap.UIDRange // on the server, without an outcome
	lost := map[uint32]bool{}
	for _, r := range there {
		a.Letters += int(r.Stop-r.Start) + 1
	}
	next := 0           // range of the server that rows have come to
	from := imap.UID(1) // first UID that no row has passed
	upTo := func(uid imap.UID) {
		for next < len(there) && there[next].Start < uid {
			if start, stop := max(there[next].Start, from), min(there[next].Stop, uid-1); start <= stop {
				absent = append(absent, imap.UIDRange{Start: start, Stop: stop})
			}
			if there[next].Stop >= uid {
				break
			}
			next++
		}
	}
	err = m.st.EachOutcome(ctx, f.Folder, func(uid uint32, outcome store.Outcome, reason store.Reason, gone bool) error {
		upTo(imap.UID(uid))
		from = imap.UID(uid) + 1
		if next >= len(there) || there[next].Start > imap.UID(uid) {
			return nil // no longer on the server
		}
		switch {
		case gone:
			lost[uid] = true
		case outcome == store.Captured:
			a.Captured++
		default:
			a.Skipped[reason]++
		}
		return nil
	})
	if err != nil {
		return a, &storeError{err}
	}
	upTo(^imap.UID(0))
	missing, err := m.nameMissing(s, &a, absent, lost)
	if err == nil && mark && len(missing) > 0 {
		if err = m.st.RecallMissing(ctx, f.Folder, missing); err != nil {
			err = &storeError{err}
		}
	}
	return a, err
}

// nameMissing tells which of the letters without an outcome are missing, and
// lists them.
func (m *mailbox) nameMissing(s *session, a *Audit, absent []imap.UIDRange, lost map[uint32]bool) ([]uint32, error) {
	var missing []uint32
	for uid := range lost {
		missing = append(missing, uid)
	}
	slices.Sort(missing)
	for _, r := range absent {
		for start := uint64(r.Start); start <= uint64(r.Stop); start += batchLetters {
			stop := min(uint64(r.Stop), start+batchLetters-1)
			dates, err := s.arrived(imap.UIDSet{imap.UIDRange{Start: imap.UID(start), Stop: imap.UID(stop)}})
			if err != nil {
				return nil, err
			}
			for uid, at := range dates {
				if !at.IsZero() && at.Before(m.cfg.Since) {
					a.Older++
				} else {
					missing = append(missing, uid)
				}
			}
		}
	}
	slices.Sort(missing)
	a.Unlisted = max(0, len(missing)-maxMissing)
	for listed := missing[:min(len(missing), maxMissing)]; len(listed) > 0; {
		n := min(len(listed), batchLetters)
		envelopes, rest, err := s.envelopes(listed[:n], withStructure, batchHeaders)
		if err != nil {
			return nil, err
		}
		for _, e := range envelopes {
			h := ReadHeader(e.Header, e.Internal)
			a.Missing = append(a.Missing, MissingLetter{UID: e.UID, MessageID: h.MessageID, Date: h.Date, Lost: lost[e.UID]})
		}
		listed = listed[n-rest:]
	}
	return missing, nil
}

// arrived tells when letters came in.
func (s *session) arrived(set imap.UIDSet) (map[uint32]time.Time, error) {
	dates := map[uint32]time.Time{}
	err := s.do("fetch dates", func() error {
		cmd := s.client.Fetch(set, &imap.FetchOptions{UID: true, InternalDate: true})
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			var uid uint32
			var at time.Time
			for item := msg.Next(); item != nil; item = msg.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataUID:
					uid = uint32(item.UID)
				case imapclient.FetchItemDataInternalDate:
					at = item.Time
				}
			}
			if uid != 0 {
				dates[uid] = at
			}
		}
		return cmd.Close()
	})
	return dates, err
}
