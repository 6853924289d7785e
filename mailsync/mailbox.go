package mailsync

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"intouch/store"
)

const (
	// ownConns is how many folders of a mailbox have a connection of their
	// own to wait on; further ones are looked at in turn on one more.
	ownConns = 4
	// recheck is how often a folder that is missing is looked for again.
	recheck = 5 * time.Minute
	// noteEvery is how often a mailbox that has no news is noted as well.
	noteEvery = 5 * time.Minute
	// dialTime bounds connecting and the TLS handshake, answerTime one whole
	// answer of a server.
	dialTime   = 30 * time.Second
	answerTime = 10 * time.Minute
	// steady is how long connections must have lasted for their end not to
	// count as one more failure in a row.
	steady = time.Minute
	// passTries is how often Pass tries a mailbox that makes no progress.
	passTries = 3
)

// mailbox follows one mailbox: connect, catch up, wait for news, back off.
type mailbox struct {
	syncer *Syncer
	st     *store.Store
	cfg    Config
	opt    *Options
	host   slots
	log    *slog.Logger

	mu       sync.Mutex
	row      store.Mailbox
	cautions map[string]*caution // by folder
	tries    int                 // failures without progress in between
	problem  error               // folders that are missing or refused
	roles    map[string]role     // of the folders, see folderrules.go
	noted    time.Time           // of the last success in the database
	failing  bool                // the database says that it fails
}

// A folderError is a fault of one folder; the others go on.
type folderError struct {
	Folder string
	Err    error
}

func (e *folderError) Error() string { return "folder " + e.Folder + ": " + e.Err.Error() }
func (e *folderError) Unwrap() error { return e.Err }

var errNoFolder = errors.New("the server has no such folder")

// errRecheck ends a round in which folders were missing.
var errRecheck = errors.New("look for the folders again")

// run follows the mailbox until ctx ends.
func (m *mailbox) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		err := m.round(ctx, &Counts{}, true)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > steady {
			m.progressed()
		}
		if errors.Is(err, errRecheck) {
			continue
		}
		pause := m.failed(ctx, err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pass reads the mailbox to its end once.
func (m *mailbox) pass(ctx context.Context) Counts {
	c := Counts{Mailbox: m.cfg.Name}
	for {
		c.Err = m.round(ctx, &c, false)
		if c.Err == nil || ctx.Err() != nil {
			break
		}
		pause := m.failed(ctx, c.Err)
		m.mu.Lock()
		tries := m.tries
		m.mu.Unlock()
		var trouble *poison
		if tries >= passTries && !errors.As(c.Err, &trouble) || refusedLogin(c.Err) {
			break // a wrong password does not mend itself while somebody waits
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	if ctx.Err() != nil {
		c.Err = ctx.Err()
	} else if c.Err == nil {
		m.mu.Lock()
		c.Err = m.problem
		m.mu.Unlock()
	}
	return c
}

// failed notes a failure and says how long to pause: nothing where a letter
// seems to be to blame, else from 1 s to 5 min, growing while nothing gets
// better, with jitter. After a refused login it starts at 16 s: servers lock
// out those who try too often.
func (m *mailbox) failed(ctx context.Context, err error) time.Duration {
	var trouble *poison
	if errors.As(err, &trouble) {
		m.log.Warn("letters make trouble, trying with fewer at once", "err", brief(err))
		return 0
	}
	m.mu.Lock()
	doublings := min(m.tries, 20)
	if refusedLogin(err) {
		doublings += 4
	}
	pause := min(m.opt.retryMax, m.opt.retryMin<<doublings)
	m.tries++
	m.failing = true
	id := m.row.ID
	m.mu.Unlock()
	pause = pause/2 + rand.N(pause/2+1)
	m.log.Warn("mailbox failed", "err", brief(err), "retry_in", pause.Round(time.Millisecond))
	if id != 0 {
		if err := m.st.MailboxOutcome(ctx, id, brief(err)); err != nil && ctx.Err() == nil {
			m.log.Error("could not note the mailbox's failure", "err", err)
		}
	}
	return pause
}

func refusedLogin(err error) bool {
	var step *stepError
	var refused *imap.Error
	return errors.As(err, &step) && step.Step == "login" && errors.As(err, &refused)
}

// brief is an error whose text is short enough to keep, whatever the server
// put into it.
func brief(err error) error {
	const most = 500
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return errors.New(text)
}

// progressed notes that the mailbox gets on: the next failure is a new one.
func (m *mailbox) progressed() {
	m.mu.Lock()
	m.tries = 0
	m.mu.Unlock()
}

// succeeded notes in the database that the mailbox has been read to its end:
// at once after a failure or with news, else every few minutes.
func (m *mailbox) succeeded(ctx context.Context, news bool) error {
	m.mu.Lock()
	due := news || m.failing || time.Since(m.noted) > noteEvery
	problem, id := m.problem, m.row.ID
	if problem != nil {
		problem = brief(problem)
	}
	if due {
		m.noted, m.failing = time.Now(), problem != nil
	}
	m.mu.Unlock()
	if !due {
		return nil
	}
	if err := m.st.MailboxOutcome(ctx, id, problem); err != nil {
		return &storeError{err}
	}
	return nil
}

// round is the life of one set of connections: log in, read all folders to
// their end one after the other, and, when the mailbox is to be followed,
// wait on each for news until something fails. It does not return nil then.
func (m *mailbox) round(ctx context.Context, c *Counts, follow bool) error {
	if err := m.register(ctx); err != nil {
		return err
	}
	giveBack, err := m.host.take(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	s, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	names, missing, err := m.folders(s)
	if err != nil {
		return err
	}
	problems := missing
	read := names[:0]
	c.Folders = 0
	for _, name := range names {
		err := m.readFolder(ctx, s, name, c)
		var refused *folderError
		if errors.As(err, &refused) {
			m.log.Warn("folder failed", "err", brief(err))
			problems = append(problems, err)
			continue
		}
		if err != nil {
			return err
		}
		read = append(read, name)
		c.Folders++
	}
	m.mu.Lock()
	m.problem = errors.Join(problems...)
	m.mu.Unlock()
	if err := m.succeeded(ctx, true); err != nil {
		return err
	}
	m.log.Info("mailbox read", "folders", len(read), "letters", c.Seen, "captured", c.Captured, "new_contacts", c.NewContacts)
	if !follow {
		return nil
	}
	read = m.waitOrder(read)
	giveBack()

	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { s.tcp.Close() })() // it was opened under the outer one
	if len(problems) > 0 || len(read) == 0 {
		g.Go(func() error {
			timer := time.NewTimer(recheck)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
				return errRecheck
			}
		})
	}
	own := read[:min(len(read), ownConns)]
	for i, name := range own {
		g.Go(func() error {
			if i == len(own)-1 && len(read) <= ownConns {
				return m.follow(ctx, s, name) // the connection has it open
			}
			s, giveBack, err := m.openMore(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			giveBack() // there is little to read: it was read a moment ago
			return m.follow(ctx, s, name)
		})
	}
	if len(read) > ownConns {
		g.Go(func() error { return m.visit(ctx, s, read[ownConns:]) })
	}
	return g.Wait()
}

// register makes sure that the mailbox has its row.
func (m *mailbox) register(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.row.ID != 0 {
		return nil
	}
	row, err := m.st.SaveMailbox(ctx, m.cfg.Name, m.cfg.Manager)
	if err != nil {
		return &storeError{err}
	}
	m.row = row
	return nil
}

func (m *mailbox) open(ctx context.Context) (*session, error) {
	return open(ctx, &m.cfg, patience{dial: dialTime, silence: m.opt.Silence, answer: answerTime})
}

// openMore opens a further connection, when the host has a slot.
func (m *mailbox) openMore(ctx context.Context) (*session, func(), error) {
	giveBack, err := m.host.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := m.open(ctx)
	if err != nil {
		giveBack()
		return nil, nil, err
	}
	return s, giveBack, nil
}

// folders finds the folders to read, each once, in the order of the settings.
func (m *mailbox) folders(s *session) (names []string, missing []error, err error) {
	return m.plan(s)
}

// readFolder examines a folder and files all its new letters. A *folderError
// is what the server says against this folder alone.
func (m *mailbox) readFolder(ctx context.Context, s *session, name string, c *Counts) error {
	f, err := m.examine(ctx, s, name)
	if err != nil {
		return err
	}
	return m.catchUp(ctx, s, f, c)
}

func (m *mailbox) examine(ctx context.Context, s *session, name string) (*folder, error) {
	data, err := s.examine(name)
	var refused *imap.Error
	if errors.As(err, &refused) {
		return nil, &folderError{name, refused}
	}
	if err != nil {
		return nil, err
	}
	row, err := m.st.OpenFolder(ctx, m.row.ID, name, data.UIDValidity)
	if err != nil {
		return nil, &storeError{err}
	}
	if data.UIDValidity == 0 {
		row.LastUID = 0 // the UIDs mean nothing: all letters are recognised by their keys
	}
	if next := uint32(data.UIDNext); next != 0 && row.LastUID != 0 && next <= row.LastUID {
		m.log.Warn("the server's next UID is below letters already read", "folder", name, "uid_next", next, "last_uid", row.LastUID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cautions[name] == nil {
		m.cautions[name] = &caution{}
	}
	return &folder{Folder: row, caution: m.cautions[name]}, nil
}

// follow waits for news of the folder that the connection has open, and files
// them, until something fails.
func (m *mailbox) follow(ctx context.Context, s *session, name string) error {
	f, err := m.examine(ctx, s, name)
	for err == nil {
		var c Counts
		if err = m.catchUp(ctx, s, f, &c); err != nil {
			break
		}
		if c.Seen > 0 {
			m.log.Info("letters filed", "folder", name, "letters", c.Seen, "captured", c.Captured, "new_contacts", c.NewContacts)
		}
		if err = m.succeeded(ctx, c.Seen > 0); err != nil {
			break
		}
		err = s.wait(ctx, m.opt.Silence, m.opt.Poll)
	}
	return err
}

// visit looks at several folders in turn on one connection.
func (m *mailbox) visit(ctx context.Context, s *session, names []string) error {
	for {
		for _, name := range names {
			if err := m.readFolder(ctx, s, name, &Counts{}); err != nil {
				return err
			}
		}
		if err := m.succeeded(ctx, false); err != nil {
			return err
		}
		timer := time.NewTimer(m.opt.Poll)
		select {
		case <-ctx.Done():
		case <-s.client.Closed():
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
