package mailsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"intouch/store"
)

const (
	// recheck is how often a folder that is missing is looked for again.
	recheck = 5 * time.Minute
	// noteEvery is how often a mailbox that has no news is noted as well, and
	// searched: some servers forget to say that there are any.
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
	nobodys  int64               // its row while its manager is unknown, to be seen on the status page
	cautions map[string]*caution // by folder
	tries    int                 // failures without progress in between
	problem  error               // folders that are missing or refused
	roles    map[string]role     // of the folders, see folderrules.go
	noted    time.Time           // of the last success in the database
	failing  bool                // the database says that it fails
	waiting  []*session          // that follow a folder
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
		if errors.Is(err, store.ErrFenced) { // at the next beat it is left, or taken anew
			m.log.Warn("nothing is written: the lease is not this daemon's any more")
			pause(ctx, 2*store.LeaseBeat)
			continue
		}
		pause(ctx, m.failed(ctx, err))
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
		retryIn := m.failed(ctx, c.Err)
		m.mu.Lock()
		tries := m.tries
		m.mu.Unlock()
		var trouble *poison
		var soon *stubborn
		patience := passTries
		if errors.As(c.Err, &soon) { // until the caution has come to the end of it
			patience = passTries + int(unreadable)*patientFails
		}
		if tries >= patience && !errors.As(c.Err, &trouble) || refusedLogin(c.Err) {
			break // a wrong password does not mend itself while somebody waits
		}
		pause(ctx, retryIn)
	}
	if ctx.Err() != nil {
		c.Err = ctx.Err()
	} else if c.Err == nil {
		m.mu.Lock()
		c.Err = m.problem
		m.mu.Unlock()
		if m.cfg.SentCopy {
			c.Err = errors.Join(c.Err, m.copyDue(ctx))
		}
	}
	return c
}

// failed notes a failure and says how long to pause: nothing where a letter
// seems to be to blame, else from 1 s to 5 min, growing while nothing gets
// better, with jitter; no more than 8 s where the server dies over letters.
// After a refused login it starts at 16 s: servers lock out those who try too
// often.
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
	var soon *stubborn
	if errors.As(err, &soon) {
		pause = min(pause, 8*m.opt.retryMin)
	}
	m.tries++
	m.failing = true
	id := cmp.Or(m.row.ID, m.nobodys)
	m.mu.Unlock()
	pause = pause/2 + rand.N(pause/2+1)
	m.log.Warn("mailbox failed", "err", brief(err), "retry_in", pause.Round(time.Millisecond))
	if id != 0 {
		switch err := m.st.MailboxOutcome(ctx, id, brief(err)); {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, store.ErrNotFound): // somebody deleted it: the next try makes it anew
			m.log.Error("the mailbox is gone from the database and is read anew")
			m.mu.Lock()
			m.row, m.nobodys = store.Mailbox{}, 0
			m.mu.Unlock()
		default:
			m.log.Error("could not note the mailbox's failure", "err", err)
		}
	}
	return pause
}

func refusedLogin(err error) bool {
	var step *stepError
	var refused *imap.Error
	var needed *LoginNeeded
	return errors.As(err, &needed) || errors.As(err, &step) && step.Step == "login" && errors.As(err, &refused)
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
	err := error(nil)
	if problem != nil {
		err = m.st.MailboxPartly(ctx, id, problem)
	} else {
		err = m.st.MailboxOutcome(ctx, id, nil)
	}
	if err != nil {
		return &storeError{err}
	}
	return nil
}

// round is the life of one set of connections: log in, read all folders to
// their end one after the other, and, when the mailbox is to be followed,
// wait on each for news until something fails. It does not return nil then.
func (m *mailbox) round(ctx context.Context, c *Counts, follow bool) (err error) {
	defer recovered(&err)
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
	read, problems, err := m.readFolders(ctx, s, names, c)
	if err != nil {
		return err
	}
	problems = append(missing, problems...)
	c.Folders = len(read)
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
	s.turn.end()
	return m.followAll(ctx, s, m.waitOrder(read), len(problems) > 0)
}

// headBatches is how much of the past of each folder is read before all of the
// past of the first one.
const headBatches = 1

// readFolders files all letters of the folders: of each the newest ones first.
// read are those that could be read, problems what the server says against
// others.
func (m *mailbox) readFolders(ctx context.Context, s *session, names []string, c *Counts) (read []string, problems []error, err error) {
	folders := map[string]*folder{}
	each := func(names []string, most int) (more []string, err error) {
		for _, name := range names {
			f, complete, err := m.readFolder(ctx, s, name, c, most)
			var refused *folderError
			if errors.As(err, &refused) {
				m.log.Warn("folder failed", "err", brief(err))
				problems = append(problems, err)
				delete(folders, name)
				continue
			}
			if err != nil {
				return nil, err
			}
			folders[name] = f
			if !complete {
				more = append(more, name)
			}
		}
		return more, nil
	}
	// What lies in an excluding folder must be known before anything else is
	// decided: these are read to their end.
	var excluding, more []string
	for _, name := range names {
		if role, _ := m.role(name); role == excludes {
			excluding = append(excluding, name)
		} else {
			more = append(more, name)
		}
	}
	if _, err = each(excluding, -1); err != nil {
		return nil, nil, err
	}
	if len(more) > 1 {
		if more, err = each(more, headBatches); err != nil {
			return nil, nil, err
		}
	}
	if _, err = each(more, -1); err != nil {
		return nil, nil, err
	}
	// A letter captured in one folder may decide letters of another anew, and
	// those again others: as many times as a thread may go to and fro.
	for range 10 {
		var recalled []string
		for _, name := range names {
			f := folders[name]
			if f == nil {
				continue
			}
			news, err := m.st.FolderNews(ctx, f.Folder)
			if err != nil {
				return nil, nil, &storeError{err}
			}
			if news.Recalls || news.UpTo != 0 {
				recalled = append(recalled, name)
			}
		}
		if len(recalled) == 0 {
			break
		}
		if _, err = each(recalled, -1); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range names {
		if folders[name] != nil {
			read = append(read, name)
		}
	}
	return read, problems, nil
}

// register makes sure that the mailbox has its row.
func (m *mailbox) register(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.row.ID != 0 {
		return nil
	}
	row, err := m.st.SaveMailbox(ctx, m.cfg.Name, m.cfg.Manager)
	if errors.Is(err, store.ErrNotFound) {
		if id, err := m.st.KeepMailbox(ctx, m.cfg.Name); err == nil {
			m.nobodys = id
		}
		return fmt.Errorf("there is no manager %q; add one with \"intouchd manager add %s\", import managers, or put a [[manager]] into the settings", m.cfg.Manager, m.cfg.Manager)
	}
	if err != nil {
		return &storeError{err}
	}
	m.row = row
	return nil
}

// open opens a connection when the host has a slot for it.
func (m *mailbox) open(ctx context.Context) (*session, error) {
	turn, err := m.host.take(ctx)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, &m.cfg, patience{dial: dialTime, silence: m.opt.Silence, answer: answerTime})
	if err != nil {
		turn.end()
		return nil, err
	}
	s.turn = turn
	return s, nil
}

// folders finds the folders to read, each once, in the order of the settings.
func (m *mailbox) folders(s *session) (names []string, missing []error, err error) {
	return m.plan(s)
}

// readFolder examines a folder and files its new letters and its past, of that
// at most so many batches. A *folderError is what the server says against this
// folder alone.
func (m *mailbox) readFolder(ctx context.Context, s *session, name string, c *Counts, most int) (f *folder, complete bool, err error) {
	if f, err = m.examine(ctx, s, name); err != nil {
		return nil, false, err
	}
	complete, err = m.catchUp(ctx, s, f, c, most)
	return f, complete, err
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
		row.Cursor = store.Cursor{} // the UIDs mean nothing: all letters are recognised by their keys
	}
	next := uint32(data.UIDNext)
	if next != 0 && next <= row.Last {
		m.log.Warn("the server's next UID is below letters already read", "folder", name, "uid_next", next, "last_uid", row.Last)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cautions[name] == nil {
		m.cautions[name] = &caution{}
	}
	return &folder{Folder: row, caution: m.cautions[name], next: next, modSeq: data.HighestModSeq,
		flagged: data.HighestModSeq == 0 || data.HighestModSeq != row.ModSeq}, nil
}
