package mailsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

// Copies of what was sent in a manager's name, put into the Sent folder: the
// only thing that is ever written into a mailbox, and only where its settings
// ask for it (sent_copy).
const (
	copyEvery = 30 * time.Second // how often a mailbox looks whether copies are due
	copyTries = 3                // that may fail, one after the other, before the rest waits
	// copySilence is longer than that of a session which only reads: while a
	// large letter is on its way the server has nothing to say.
	copySilence = 3 * time.Minute
)

// copySent puts copies into the Sent folder as they become due, until ctx ends.
func (m *mailbox) copySent(ctx context.Context) {
	for ctx.Err() == nil {
		if err := m.copyDue(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("no copy in the Sent folder yet", "err", brief(err))
			pause(ctx, noteEvery)
		}
		pause(ctx, copyEvery)
	}
}

// copyDue puts what is due into the Sent folder. One that fails waits, holds up
// no other, and is given up when it could not be put for as long as a mail is
// tried. The error has all faults.
func (m *mailbox) copyDue(ctx context.Context) error {
	var faults []error
	var s *session
	end := func() {
		if s != nil {
			s.Close()
			s = nil
		}
	}
	defer end()
	sent, last, lost := "", int64(0), 0
	for lost < copyTries {
		due, err := m.st.SentCopies(ctx, m.cfg.Name, last, 1)
		if err != nil {
			return &storeError{err}
		}
		if len(due) == 0 {
			break
		}
		c := due[0]
		last = c.ID
		if s == nil {
			s, sent, err = m.openSent(ctx)
		}
		there := false
		if err == nil {
			there, err = s.putOnce(sent, c)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			lost = 0
			m.log.Info("copy put into the Sent folder", "message_id", c.MessageID, "there_already", there)
		default:
			faults = append(faults, fmt.Errorf("%s: %w", c.MessageID, err))
			var no *imap.Error
			if s != nil && errors.As(err, &no) && no.Type == imap.StatusResponseTypeNo {
				lost = 0 // this one alone
			} else {
				lost++
			}
			end() // the next one on another connection
			if m.st.Now().Sub(c.Sent) < store.GiveUp {
				continue
			}
			m.log.Error("a copy in the Sent folder is given up", "message_id", c.MessageID, "sent", c.Sent, "err", brief(err))
		}
		if err := m.st.SentCopyDone(ctx, c.ID); err != nil {
			return &storeError{err}
		}
	}
	return errors.Join(faults...)
}

// openSent opens a connection and the Sent folder on it; with an error there
// may be a session to close.
func (m *mailbox) openSent(ctx context.Context) (s *session, sent string, err error) {
	defer recovered(&err)
	turn, err := m.host.take(ctx)
	if err != nil {
		return nil, "", err
	}
	if s, err = open(ctx, &m.cfg, patience{dial: dialTime, silence: copySilence, answer: answerTime}); err != nil {
		turn.end()
		return nil, "", err
	}
	s.turn = turn
	names, err := s.resolve([]string{string(imap.MailboxAttrSent)})
	if err != nil {
		return s, "", err
	}
	if sent = names[0]; sent == "" {
		return s, "", fmt.Errorf("%s: %w", imap.MailboxAttrSent, errNoFolder)
	}
	_, err = s.examine(sent)
	return s, sent, err
}

// putOnce puts a copy into the examined folder, unless it is there: the server
// may have had one of whose coming we know nothing.
func (s *session) putOnce(folder string, c store.SentCopy) (there bool, err error) {
	defer recovered(&err)
	if there, err = s.holds(c.MessageID); err != nil || there {
		return there, err
	}
	return false, s.put(folder, c)
}

// holds reports whether the examined folder has a letter with that Message-ID.
func (s *session) holds(messageID string) (there bool, err error) {
	err = s.do("search for a Message-ID", func() error {
		found, err := s.client.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-Id", Value: messageID}}}, nil).Wait()
		if err == nil {
			there = len(found.AllUIDs()) > 0
		}
		return err
	})
	return there, err
}

// put appends a mail as it was sent, read and of its time (RFC 3501 section 6.3.11).
func (s *session) put(folder string, c store.SentCopy) error {
	return s.do("append to "+folder, func() error {
		cmd := s.client.Append(folder, int64(len(c.Bytes)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}, Time: c.Sent})
		_, writeErr := cmd.Write(c.Bytes)
		closeErr := cmd.Close()
		// The answer first: a refusal may come before the bytes are taken.
		if _, err := cmd.Wait(); err != nil {
			return err
		}
		return errors.Join(writeErr, closeErr)
	})
}

// fromDaemon reports whether a letter looks like a mail of the daemon's own: a copy
// of it in Sent is no letter of the manager's, also where all that lies there
// is captured.
func fromDaemon(h *Header) bool {
	return h.Automatic() != "" && len(store.ReplyTokens(h.MessageID)) > 0
}
