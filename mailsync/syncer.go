package mailsync

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"intouch/store"
)

// TLSMode is how a connection is secured.
type TLSMode int

const (
	ImplicitTLS TLSMode = iota // imaps://
	StartTLS                   // imap://, STARTTLS required
	Insecure                   // imap+insecure://, for loopback
)

// Config is one mailbox of the settings.
type Config struct {
	Name     string
	Addr     string // host:port
	TLS      TLSMode
	Username string
	// Password is asked at each login, so that a mended secret file is taken
	// up without a restart.
	Password func() (string, error)
	// Token, where given, is asked instead of Password: the mailbox is opened
	// with an OAuth 2.0 access token. refused is one that the server has just
	// refused ("" none) and that must not come again. What only a new login
	// of a person mends is a *LoginNeeded.
	Token func(ctx context.Context, refused string) (string, error)
	// Folders are names, or special uses (RFC 6154) like `\Sent`; INBOX and
	// \Sent when empty.
	Folders   []string
	Since     time.Time   // letters that came in before are left alone
	Manager   string      // login of the manager whose letters these are; "" shared
	TLSConfig *tls.Config // nil: the system's roots

	// Exclude and Include are folders, named like Folders and read beside
	// them, whose letters are never captured, or always (folderrules.go).
	Exclude, Include []string
	// SubjectOnly: no text of any letter is fetched or kept, nor the names of
	// its attachments.
	SubjectOnly bool
	// Dropbox is the address under which managers send letters to this
	// mailbox (dropbox.go), normalised; "" where it is none.
	Dropbox string
	// Replies: it is the daemon's own mailbox, to which managers answer our
	// mails (answers.go). No letter in it is captured.
	Replies bool
	// SentCopy: what is sent in the manager's name by the daemon is put into
	// the mailbox's Sent folder, too (sentcopy.go).
	SentCopy bool
}

// Options say how mailboxes are followed. Zero fields take the defaults.
type Options struct {
	Log *slog.Logger // slog.Default()
	// PerHost is how many connections to one server may log in or read at
	// once; waiting for news does not count. 8.
	PerHost int
	// Poll is how often a folder is looked at where the server has no IDLE,
	// and where a mailbox has more folders than connections. 60 s.
	Poll time.Duration
	// Silence is the longest pause of a server that owes an answer, and how
	// often IDLE is renewed to see whether the server still answers. 25 s.
	Silence time.Duration
	// Signs reads what letters say beside their text.
	Signs SignReader
	// Progress is called after each batch, from several goroutines, with the
	// letters taken and those known of so far in the mailbox.
	Progress func(mailbox string, done, total int)
	// Rules of capture in all mailboxes.
	Rules Rules

	retryMin, retryMax time.Duration // pauses between tries: 1 s … 5 min
}

// Syncer brings the mail of all mailboxes in.
type Syncer struct {
	st    *store.Store
	boxes []*mailbox
	opt   Options
	hosts map[string]slots
	// originals are the letters that are being fetched for somebody who looks.
	originals chan struct{}

	mu      sync.Mutex
	parties *store.Parties
}

// slots bound how many connections to a host are busy at once. Who waits
// longest is next.
type slots chan struct{}

// turn is a connection's slot while it is busy. It is used by one goroutine.
type turn struct {
	slots slots
	held  bool
}

// take waits for a slot.
func (s slots) take(ctx context.Context) (*turn, error) {
	t := &turn{slots: s}
	return t, t.retake(ctx)
}

func (t *turn) retake(ctx context.Context) error {
	select {
	case t.slots <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end gives the slot back; a second time has no effect.
func (t *turn) end() {
	if t.held {
		t.held = false
		<-t.slots
	}
}

// yield lets others of the host have their turn first, where any wait: with
// hundreds of mailboxes the past of one does not keep the newest letters of
// others waiting.
func (t *turn) yield(ctx context.Context) error {
	if !t.held {
		return nil
	}
	t.end()
	return t.retake(ctx)
}

// New makes a Syncer; it connects to nothing yet.
func New(st *store.Store, boxes []Config, opt Options) *Syncer {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.PerHost <= 0 {
		opt.PerHost = 8
	}
	if opt.Poll <= 0 {
		opt.Poll = time.Minute
	}
	if opt.Silence <= 0 {
		opt.Silence = 25 * time.Second
	}
	if opt.retryMin <= 0 {
		opt.retryMin = time.Second
	}
	if opt.retryMax <= 0 {
		opt.retryMax = 5 * time.Minute
	}
	sy := &Syncer{st: st, opt: opt, hosts: map[string]slots{}, originals: make(chan struct{}, originalsAtOnce)}
	for _, cfg := range boxes {
		if len(cfg.Folders) == 0 {
			cfg.Folders = []string{"INBOX", `\Sent`}
		}
		host, _, err := net.SplitHostPort(cfg.Addr)
		if err != nil {
			host = cfg.Addr
		}
		if sy.hosts[host] == nil {
			sy.hosts[host] = make(slots, opt.PerHost)
		}
		sy.boxes = append(sy.boxes, &mailbox{
			syncer: sy, st: st, cfg: cfg, opt: &sy.opt, host: sy.hosts[host],
			log: opt.Log.With("mailbox", cfg.Name), cautions: map[string]*caution{},
		})
	}
	return sy
}

// Run follows all mailboxes until it is cancelled; where other daemons work on
// the same database, its share of them (fleet.go). A mailbox that fails is
// tried again by itself and stops nothing else.
func (sy *Syncer) Run(ctx context.Context) error {
	var all sync.WaitGroup
	if sy.st.SharesMailboxes() && len(sy.boxes) > 0 {
		all.Go(func() { sy.share(ctx) })
	} else {
		for _, m := range sy.boxes {
			all.Go(func() { m.live(ctx) })
		}
	}
	all.Go(func() { sy.watch(ctx) })
	all.Wait()
	return nil
}

// registering is how long the mailboxes are left alone at most while one after
// the other is registered.
const registering = 30 * time.Second

// watch nudges the mailboxes when somebody was registered: their past letters
// are to be captured in seconds. Where one follows the other, as a program of
// others sends its clients, they are looked up together when it is done, or
// else each of them has all mailboxes searched. It also nudges those with
// letters that another mailbox's capture, or another process, wants decided
// anew. It asks for all of them: with 20,000 folders that each ask for
// themselves, a fleet at rest did little else.
func (sy *Syncer) watch(ctx context.Context) {
	told, before := int64(-1), int64(-1) // registrations: looked up, and seen the last time
	var since, recalled time.Time
	for ctx.Err() == nil {
		changed := sy.st.Changed()
		last, err := sy.st.LastRegistration(ctx)
		switch {
		case err != nil:
			last = before
		case told < 0:
			told = last
		case last == told:
		case before == told:
			since = time.Now()
		case last == before || time.Since(since) > registering:
			for _, m := range sy.boxes {
				m.nudge()
			}
			told = last
		}
		if before = last; before != told {
			pause(ctx, time.Second)
			continue
		}
		if time.Since(recalled) >= sy.opt.Silence {
			sy.nudgeRecalled(ctx)
			recalled = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-changed:
			pause(ctx, time.Second) // not with every batch of a first pass
		case <-time.After(sy.opt.Silence): // another process changes, too
		}
	}
}

// nudgeRecalled makes the mailboxes look that have letters to be decided anew.
// What fails is asked again; the store tells of its troubles.
func (sy *Syncer) nudgeRecalled(ctx context.Context) {
	ids, err := sy.st.RecalledMailboxes(ctx)
	if err != nil || len(ids) == 0 {
		return
	}
	for _, m := range sy.boxes {
		m.mu.Lock()
		id := m.row.ID
		m.mu.Unlock()
		if _, ok := slices.BinarySearch(ids, id); ok {
			m.nudge()
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Counts are what one pass over a mailbox found.
type Counts struct {
	Mailbox     string
	Folders     int // read to the end
	Seen        int // letters looked at
	Captured    int
	Skipped     map[store.Reason]int
	NewContacts int
	Known       int   // letters that had an outcome already
	Recalled    int   // letters captured that had been skipped before
	Err         error // nil when the pass was complete

	done int // letters taken, for Progress
}

func (c *Counts) add(b store.Batch, filed store.Filed) {
	c.NewContacts += filed.NewContacts
	if len(b.Recalled) > 0 { // most of them stay what they are
		c.Captured += filed.Captured
		c.Recalled += filed.Captured
		return
	}
	letters := b.Letters
	c.Seen += len(letters)
	c.Known += filed.Seen
	for i := range letters {
		if letters[i].Outcome == store.Captured {
			c.Captured++
			continue
		}
		if c.Skipped == nil {
			c.Skipped = map[store.Reason]int{}
		}
		c.Skipped[letters[i].Reason]++
	}
}

// ErrNoMailbox: no mailbox of the settings has that name.
var ErrNoMailbox = errors.New("no such mailbox")

// passesAtOnce bounds the mailboxes that Pass reads at the same time, whatever
// their hosts.
const passesAtOnce = 8

// Pass reads all mailboxes, or the one of that name, to their end once. The
// counts are in the order of the settings; the error joins those of the
// mailboxes that failed.
func (sy *Syncer) Pass(ctx context.Context, name string) ([]Counts, error) {
	boxes, err := sy.named(name)
	if err != nil {
		return nil, err
	}
	counts := make([]Counts, len(boxes))
	var all errgroup.Group
	all.SetLimit(passesAtOnce)
	for i, m := range boxes {
		all.Go(func() error {
			counts[i] = m.pass(ctx)
			return nil
		})
	}
	all.Wait()
	var errs []error
	for i := range counts {
		if counts[i].Err != nil {
			errs = append(errs, fmt.Errorf("mailbox %s: %w", counts[i].Mailbox, counts[i].Err))
		}
	}
	return counts, errors.Join(errs...)
}

// named are all mailboxes, or the one of that name.
func (sy *Syncer) named(name string) (boxes []*mailbox, err error) {
	for _, m := range sy.boxes {
		if name == "" || m.cfg.Name == name {
			boxes = append(boxes, m)
		}
	}
	if name != "" && len(boxes) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoMailbox, name)
	}
	return boxes, nil
}

// directory is the snapshot of addresses, renewed when it has changed.
func (sy *Syncer) directory(ctx context.Context) (*store.Parties, error) {
	version, err := sy.st.PartiesVersion(ctx)
	if err != nil {
		return nil, err
	}
	sy.mu.Lock()
	defer sy.mu.Unlock()
	if sy.parties == nil || sy.parties.Version != version {
		p, err := sy.st.Parties(ctx)
		if err != nil {
			return nil, err
		}
		sy.opt.Rules.apply(p)
		sy.parties = p
	}
	return sy.parties, nil
}

// CheckLogin logs in to a mailbox as serve would and opens its folders; the
// error says what is wrong: the host, the connection, TLS, the login, or which
// folder is missing.
func CheckLogin(ctx context.Context, cfg Config) error {
	s, err := open(ctx, &cfg, patience{dial: 15 * time.Second, silence: 15 * time.Second, answer: time.Minute})
	if err != nil {
		return err
	}
	defer s.Close()
	if len(cfg.Folders) == 0 {
		cfg.Folders = []string{"INBOX", `\Sent`}
	}
	names, errs, err := (&mailbox{cfg: cfg}).plan(s)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := s.examine(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
