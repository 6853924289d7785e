package mailsync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"
)

// Waiting for news of the folders of a mailbox, once they have been read. Each
// folder has a connection that sits in IDLE, up to ownConns; further ones share
// one more, on which a server with NOTIFY tells of them. Where there is
// neither, they are asked now and then.

// ownConns is how many folders of a mailbox have a connection of their own.
const ownConns = 4

// MostConnections is how many one mailbox has open at most: one more for all the
// folders that have none of their own.
const MostConnections = ownConns + 1

// followAll waits for news of folders and files them, until something fails.
// With again it ends after a while, to look for folders that were missing.
func (m *mailbox) followAll(ctx context.Context, s *session, folders []string, again bool) error {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { s.tcp.Close() })() // it was opened under the outer one
	if again || len(folders) == 0 {
		g.Go(func() error {
			pause(ctx, recheck)
			return cmp.Or(ctx.Err(), errRecheck)
		})
	}
	own := folders[:min(len(folders), ownConns)]
	for i, name := range own {
		g.Go(func() error {
			if i == len(own)-1 && len(folders) <= ownConns {
				return m.follow(ctx, s, name) // the connection has it open
			}
			s, err := m.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			s.turn.end() // there is little to read: it was read a moment ago
			return m.follow(ctx, s, name)
		})
	}
	if len(folders) > ownConns {
		g.Go(func() error { return m.visit(ctx, s, folders[ownConns:]) })
	}
	return g.Wait()
}

// follow waits for news of one folder, which the connection has open then.
func (m *mailbox) follow(ctx context.Context, s *session, name string) (err error) {
	defer recovered(&err)
	m.nudged(s, true)
	defer m.nudged(s, false)
	var f *folder
	searched := time.Time{} // never: the first time it is read as a whole
	for err == nil {
		var c Counts
		switch {
		case time.Since(searched) > noteEvery: // as a whole: with flags, and what the server forgot to tell
			searched = time.Now()
			f, _, err = m.readFolder(ctx, s, name, &c, -1)
		case len(s.news) > 0:
			_, err = m.catchUp(ctx, s, f, &c, -1)
		}
		if err == nil {
			err = m.settled(ctx, name, &c)
		}
		if err == nil {
			err = s.wait(ctx, m.opt.Silence, m.opt.Poll)
		}
	}
	return err
}

// settled notes that a folder was read to its end.
func (m *mailbox) settled(ctx context.Context, name string, c *Counts) error {
	if c.Seen+c.Recalled > 0 {
		m.log.Info("letters filed", "folder", name, "letters", c.Seen, "captured", c.Captured, "new_contacts", c.NewContacts)
	}
	return m.succeeded(ctx, c.Seen > 0)
}

// nudged keeps the sessions that nudge wakes.
func (m *mailbox) nudged(s *session, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on {
		m.waiting = append(m.waiting, s)
	} else {
		m.waiting = slices.DeleteFunc(m.waiting, func(w *session) bool { return w == s })
	}
}

// nudge makes all waiting sessions look for letters.
func (m *mailbox) nudge() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.waiting {
		s.ring()
	}
}

// visit looks at several folders in turn on one connection: all of them now
// and then, and those of which the server tells at once. That alone would not
// do: Dovecot tells only of what came through Dovecot, not of what somebody put
// into the Maildir.
func (m *mailbox) visit(ctx context.Context, s *session, names []string) (err error) {
	defer recovered(&err)
	m.nudged(s, true)
	defer m.nudged(s, false)
	tells := false
	if s.canNotify() {
		err = s.notify(names)
		var refused *imap.Error
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		tells = err == nil
	}
	due := names
	visited := time.Now()
	for {
		for _, name := range due {
			var c Counts
			if _, _, err := m.readFolder(ctx, s, name, &c, -1); err != nil {
				return err
			}
			if err := m.settled(ctx, name, &c); err != nil {
				return err
			}
		}
		if !s.status.any() {
			if tells {
				err = s.wait(ctx, min(m.opt.Silence, m.opt.Poll), m.opt.Poll)
			} else {
				err = s.sleep(ctx, m.opt.Poll)
			}
			if err != nil {
				return err
			}
		}
		nudged := len(s.news) > 0
		s.forgetNews() // before asking what they are: none is missed
		due = s.told()
		if nudged && len(due) == 0 || time.Since(visited) >= m.opt.Poll {
			due, visited = names, time.Now()
		}
	}
}
