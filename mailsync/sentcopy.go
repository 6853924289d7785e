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
	copyBatch = 20
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

// copyDue puts what is due into the Sent folder. The server may have had a copy
// of whose coming we know nothing: one that is there is not put twice. A copy
// that could not be put for as long as a mail is tried is given up.
func (m *mailbox) copyDue(ctx context.Context) (err error) {
	defer recovered(&err)
	due, err := m.st.SentCopies(ctx, m.cfg.Name, copyBatch)
	if err != nil || len(due) == 0 {
		return err
	}
	err = m.putCopies(ctx, due)
	if err == nil || ctx.Err() != nil {
		return err
	}
	for _, c := range due {
		if m.st.Now().Sub(c.Sent) < store.GiveUp {
			continue
		}
		m.log.Error("a copy in the Sent folder is given up", "message_id", c.MessageID, "sent", c.Sent)
		if err := m.st.SentCopyDone(ctx, c.ID); err != nil {
			return &storeError{err}
		}
	}
	return err
}

func (m *mailbox) putCopies(ctx context.Context, due []store.SentCopy) error {
	turn, err := m.host.take(ctx)
	if err != nil {
		return err
	}
	defer turn.end()
	s, err := open(ctx, &m.cfg, patience{dial: dialTime, silence: copySilence, answer: answerTime})
	if err != nil {
		return err
	}
	defer s.Close()
	names, err := s.resolve([]string{`\Sent`})
	if err != nil {
		return err
	}
	sent := names[0]
	if sent == "" {
		return fmt.Errorf(`\Sent: %w`, errNoFolder)
	}
	if _, err := s.examine(sent); err != nil {
		return err
	}
	var faults []error
	for _, c := range due {
		there, err := s.holds(c.MessageID)
		if err == nil && !there {
			err = s.put(sent, c)
		}
		var refused *imap.Error
		if errors.As(err, &refused) { // this one; the others may be smaller
			faults = append(faults, fmt.Errorf("%s: %w", c.MessageID, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := m.st.SentCopyDone(ctx, c.ID); err != nil {
			return &storeError{err}
		}
		m.log.Info("copy put into the Sent folder", "message_id", c.MessageID, "there_already", there)
	}
	return errors.Join(faults...)
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
		_, err := cmd.Write(c.Bytes)
		if err := errors.Join(err, cmd.Close()); err != nil {
			cmd.Wait()
			return err
		}
		_, err = cmd.Wait()
		return err
	})
}
