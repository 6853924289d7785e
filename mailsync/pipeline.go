package mailsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

// The way of a batch: headers and structures → decisions → texts of the
// captured letters → one transaction. While one chunk is filed the next one is
// read. What is in memory at once is bounded by counts and bytes, whatever the
// letters are.
const (
	batchLetters  = 500     // letters decided together
	firstLetters  = 100     // the newest of a folder, so that they are there at once
	batchHeaders  = 2 << 20 // bytes of their headers
	batchTexts    = 4 << 20 // bytes of texts fetched together
	searchLetters = 10_000  // UIDs listed ahead
	maxRefs       = 50      // references looked up of one letter, newest
)

// folder is an examined folder with its cursor.
type folder struct {
	store.Folder
	caution *caution
	next    uint32 // the server's next UID when it was examined, 0: not said
	modSeq  uint64 // likewise its HIGHESTMODSEQ
	flagged bool   // keywords may have changed since they were looked at
}

// order is the order in which letters are taken.
type order int

const (
	upwards   order = iota // new letters: above the cursor
	downwards              // the past: below it, newest first
	anew                   // letters that have an outcome, to be decided again
)

// batch are letters that are taken together.
type batch struct {
	uids  []uint32 // ascending
	how   detail
	order order
	read  store.Cursor // of the folder when all of them have an outcome
}

// catchUp files all letters that have no outcome: the new ones first, then
// those below the cursor from the newest down, and what is to be decided anew.
// At most that many batches of the past, when most is not negative; complete
// reports whether that was all of it.
//
// A letter that the server cannot give is asked for with less and less, at
// last filed as seen, so that it never holds up those behind it. For that the
// caller reconnects and calls again; the caution remembers.
func (m *mailbox) catchUp(ctx context.Context, s *session, f *folder, c *Counts, most int) (complete bool, err error) {
	for {
		news := len(s.news) > 0 // since the folder was examined
		s.forgetNews()          // what comes from here on is news again
		if f.Last != 0 && (news || f.next != f.Last+1) {
			if err := m.work(ctx, s, f, c, upwards, -1); err != nil {
				return false, err
			}
		}
		f.next = 0 // what the server said when the folder was examined is old now
		if f.First <= 1 && f.Last != 0 {
			break
		}
		switch err := m.work(ctx, s, f, c, downwards, most); {
		case errors.Is(err, errNews):
			continue
		case errors.Is(err, errEnough):
			return false, nil
		case err != nil:
			return false, err
		}
		break
	}
	if err := m.lookAtKeywords(ctx, s, f); err != nil {
		return true, err
	}
	return true, m.decideAnew(ctx, s, f, c)
}

// What ends work on the past before its end.
var (
	errNews   = errors.New("new letters come first")
	errEnough = errors.New("that was enough of the past for now")
)

// decideAnew decides letters again that may belong to somebody registered
// meanwhile, or to the client whose letter they answer.
func (m *mailbox) decideAnew(ctx context.Context, s *session, f *folder, c *Counts) error {
	news, err := m.st.FolderNews(ctx, f.Folder)
	if err != nil {
		return &storeError{err}
	}
	if news.UpTo != 0 {
		if err := m.lookUp(ctx, s, f, news); err != nil {
			return err
		}
		news.Recalls = true
	}
	if !news.Recalls {
		return nil
	}
	return m.work(ctx, s, f, c, anew, -1)
}

// lookUp finds the past letters of those who were registered, by the server's
// own search; all letters that may be theirs where they are many or the server
// refuses.
func (m *mailbox) lookUp(ctx context.Context, s *session, f *folder, news store.News) error {
	var uids []uint32
	// Whose letter a manager forwarded to a dropbox stands in no header.
	if !news.Many && m.cfg.Dropbox == "" {
		uids = []uint32{}
		found, err := s.searchParties(news.Addresses, news.Domains, m.syncer.opt.Rules.ParentDomains)
		var refused *imap.Error
		switch {
		case errors.As(err, &refused):
			m.log.Warn("the server refused to search for addresses", "folder", f.Name, "err", brief(err))
			uids = nil
		case err != nil:
			return err
		case len(found) >= maxFound: // there may be more
			uids = nil
		default:
			uids = append(uids, found...)
		}
	}
	if err := m.st.Recall(ctx, f.Folder, uids, news.UpTo); err != nil {
		return &storeError{err}
	}
	m.log.Info("looked up the past letters of new addresses", "folder", f.Name, "addresses", len(news.Addresses), "domains", len(news.Domains), "many", news.Many, "found", len(uids))
	return nil
}

// work takes all letters of one order, in batches.
func (m *mailbox) work(ctx context.Context, s *session, f *folder, c *Counts, o order, most int) error {
	at := f.Cursor // what is filed, and what is on its way there
	filer := m.startFiler(ctx, f, c)
	err := func() error {
		for {
			uids, left, err := m.list(ctx, s, f, at, o)
			if err != nil || len(uids) == 0 {
				return err
			}
			filer.left(left)
			for len(uids) > 0 {
				if o == downwards && at.Last != 0 {
					if len(s.news) > 0 {
						return errNews
					}
					if most == 0 {
						return errEnough
					}
					if err := s.turn.yield(ctx); err != nil {
						return err
					}
				}
				most--
				var b batch
				size := batchLetters
				if o == downwards && at.Last == 0 {
					size = firstLetters
				}
				b, uids = f.caution.next(uids, o, size)
				switch {
				case o == upwards:
					at.Last = b.uids[len(b.uids)-1]
				case o == downwards:
					at.First = b.uids[0]
					if at.Last == 0 {
						at.Last = b.uids[len(b.uids)-1]
					}
				}
				if o != anew {
					b.read = at
				}
				if err := m.take(ctx, s, f, b, filer); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					return f.caution.failed(b, s, err)
				}
				f.caution.passed(b)
			}
			if o == anew { // what is listed next depends on what was filed
				if err := filer.finish(); err != nil {
					return err
				}
				filer = m.startFiler(ctx, f, c)
			}
		}
	}()
	if fault := filer.finish(); fault != nil {
		return fault
	}
	if err == nil && o == downwards && f.First > 1 { // nothing is left below
		return m.file(ctx, f, chunk{Batch: store.Batch{Read: store.Cursor{First: 1, Last: f.Last}}}, c)
	}
	return err
}

// list gives the next letters of an order, ascending, and how many there are.
func (m *mailbox) list(ctx context.Context, s *session, f *folder, at store.Cursor, o order) (uids []uint32, left int, err error) {
	switch {
	case o == upwards && at.Last == ^uint32(0):
		return nil, 0, nil
	case o == upwards:
		return s.search(at.Last+1, 0, searchLetters, o)
	case o == downwards && at.Last == 0:
		return s.search(1, 0, searchLetters, o)
	case o == downwards:
		if at.First <= 1 {
			return nil, 0, nil
		}
		return s.search(1, at.First-1, searchLetters, o)
	}
	uids, err = m.st.Recalls(ctx, f.Folder, searchLetters)
	if err != nil {
		return nil, 0, &storeError{err}
	}
	return uids, len(uids), nil
}

// pending is a letter on its way to the store.
type pending struct {
	env    *envelope
	header *Header
	filed  store.FiledLetter
	known  bool // its contacts are in the store already, or in this batch
	gone   bool // it vanished from its folder
	drop   *drop
	reply  *store.MailReply // in the daemon's own mailbox

	textless bool // the mailbox keeps subjects only
	forged   bool // in the dropbox: our server says that it is

	parties *store.Parties
	extra   []*Part // to fetch beside the text
}

// wanted are the parts to fetch: of a letter that is captured the text, of one
// that may hold a forwarded letter that too, and what else it says.
func (p *pending) wanted() []*Part {
	switch {
	case p.env.Root == nil:
		return nil
	case p.drop != nil && p.drop.forward:
		return forwardParts(p.env.Root)
	case p.reply != nil:
		return TextParts(p.env.Root)
	case p.filed.Outcome == store.Captured && !p.known && !p.textless:
		return slices.Concat(TextParts(p.env.Root), p.extra)
	}
	return p.extra
}

// take reads a batch and hands it to the filer, in chunks.
func (m *mailbox) take(ctx context.Context, s *session, f *folder, b batch, filer *filer) (err error) {
	defer recovered(&err)
	for left := b.uids; len(left) > 0; {
		letters, took, err := m.decideNext(ctx, s, f, left, b.how)
		if err != nil {
			return err
		}
		left = left[took:]
		for first := true; first || len(letters) > 0; first = false {
			n, wishes := chunkOf(letters)
			ready := letters[:n]
			letters = letters[n:]
			if err := m.readTexts(ctx, s, ready, wishes, b.how); err != nil {
				return err
			}
			ch := chunk{letters: took, Batch: store.Batch{Letters: make([]store.FiledLetter, 0, len(ready))}}
			took = 0
			for _, p := range ready {
				if p.gone {
					continue
				}
				if p.parties != nil {
					ch.Directory = p.parties.Version
				}
				ch.Letters = append(ch.Letters, p.filed)
				if b.order == anew {
					ch.Recalled = append(ch.Recalled, p.filed.UID)
				}
			}
			if len(left)+len(letters) == 0 { // all of it has an outcome
				ch.Read = b.read
				if b.order == anew {
					ch.Recalled = b.uids // also those that are gone
				}
			}
			if err := filer.file(ch); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunkOf is as many of the letters as have texts for one fetch.
func chunkOf(letters []*pending) (n int, wishes []wish) {
	budget := int64(batchTexts)
	for ; n < len(letters); n++ {
		p := letters[n]
		parts := p.wanted()
		for _, part := range parts {
			budget -= min(part.Size, fetchPart)
		}
		if budget < 0 && len(wishes) > 0 {
			break
		}
		if len(parts) > 0 {
			wishes = append(wishes, wish{p.env.UID, parts})
		}
	}
	return n, wishes
}

// decideNext fetches the headers of letters and decides them: of all, or of
// as many from the first on as have headers for one fetch.
func (m *mailbox) decideNext(ctx context.Context, s *session, f *folder, uids []uint32, how detail) (letters []*pending, took int, err error) {
	if how == unreadable {
		return []*pending{m.unreadable(f, uids[0])}, 1, nil
	}
	envelopes, rest, err := s.envelopes(uids, how, batchHeaders)
	if err != nil {
		return nil, 0, err
	}
	uids = uids[:len(uids)-rest]
	came := make(map[uint32]bool, len(envelopes))
	for _, e := range envelopes {
		came[e.UID] = true
	}
	if err := s.mustBeGone(uids, func(uid uint32) bool { return came[uid] }); err != nil {
		return nil, 0, err
	}
	letters, err = m.decide(ctx, f, envelopes)
	return letters, len(uids), err
}

// errMissing: the server has a letter but does not give it.
var errMissing = errors.New("the server did not send every letter it was asked for")

// mustBeGone checks that what did not come is no longer there (bite 2).
func (s *session) mustBeGone(uids []uint32, came func(uint32) bool) error {
	var missing []uint32
	for _, uid := range uids {
		if !came(uid) {
			missing = append(missing, uid)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	there, err := s.exist(missing)
	if err == nil && len(there) > 0 {
		err = &stepError{"fetch", fmt.Errorf("%w: %d, the first is %d", errMissing, len(there), there[0])}
	}
	return err
}

// decide gives each letter its outcome. A letter older than since has none.
func (m *mailbox) decide(ctx context.Context, f *folder, envelopes []*envelope) ([]*pending, error) {
	parties, err := m.syncer.directory(ctx)
	if err != nil {
		return nil, &storeError{fmt.Errorf("read the addresses: %w", err)}
	}
	var letters []*pending
	var keys []string
	for _, e := range envelopes {
		if !e.Internal.IsZero() && e.Internal.Before(m.cfg.Since) {
			continue
		}
		h := ReadHeader(e.Header, e.Internal)
		if e.Internal.IsZero() && !h.Date.IsZero() && h.Date.Before(m.cfg.Since) {
			continue
		}
		if e.Root != nil {
			h.Inspect(e.Root)
		}
		if len(h.References) > maxRefs {
			h.References = h.References[len(h.References)-maxRefs:]
		}
		p := &pending{env: e, header: h, textless: m.cfg.SubjectOnly}
		if m.cfg.Dropbox != "" {
			failed := ""
			if p.drop, failed = m.readDrop(h, e.Header, parties); failed != "" {
				m.log.Warn("a letter to the dropbox is not from whom it says and is not obeyed", "folder", f.Name, "uid", e.UID, "failed", failed)
				p.forged = true
			}
		}
		if m.cfg.Replies {
			p.reply = readReply(h, e.Header, parties)
		}
		e.Header = nil // read; the batch waits for texts without it
		letters = append(letters, p)
		keys = append(append(keys, h.Key), h.References...)
	}
	if len(letters) == 0 {
		return nil, nil
	}
	slices.Sort(keys)
	captured, err := m.st.LetterKeys(ctx, slices.Compact(keys))
	if err != nil {
		return nil, &storeError{fmt.Errorf("look up the letters: %w", err)}
	}
	if captured == nil {
		captured = map[string][]int64{}
	}
	role, excluding := m.role(f.Name)
	excluded, err := m.st.KeysIn(ctx, f.MailboxID, excluding, keys)
	if err != nil {
		return nil, &storeError{fmt.Errorf("look up the excluded letters: %w", err)}
	}
	subjects := subjectThreads{}
	for _, p := range letters {
		h := p.header
		var threadErr error
		thread := func() []int64 {
			clients, err := m.thread(ctx, h, parties, captured, subjects)
			threadErr = errors.Join(threadErr, err)
			return clients
		}
		d := Decide(h, parties, thread)
		switch {
		case m.cfg.Replies:
			d = ownMail(d)
		case p.forged: // neither a contact nor a new person comes of it
			d = Decision{Outcome: store.Skipped, Reason: store.Unknown, Direction: store.Out}
		case d.Reason == store.Internal: // rule 2 comes after rule 1
		case p.env.Excluded || role == excludes || excluded[h.Key]:
			d = Decision{Outcome: store.Skipped, Reason: store.Blocked}
		case role == includes && !fromDaemon(h):
			d = include(d, knownClients(h, parties))
		}
		d = m.decideDrop(p, d, thread)
		if threadErr != nil {
			return nil, &storeError{fmt.Errorf("look up the thread: %w", threadErr)}
		}
		p.filed = m.filedLetter(p.env.UID, h, d, parties)
		p.filed.Reply = p.reply
		p.filed.Private = p.env.Private
		p.filed.Excluded = p.env.Excluded && d.Reason == store.Blocked
		p.attachDrop(parties)
		if d.Outcome == store.Captured {
			was := captured[h.Key]
			p.known = h.MessageID != "" && len(was) > 0 && !slices.ContainsFunc(p.filed.Clients, func(id int64) bool { return !slices.Contains(was, id) })
			// Later letters of the batch may answer this one.
			if captured[h.Key] = p.filed.Clients; len(p.filed.Clients) == 0 {
				captured[h.Key] = []int64{0} // nobody's
			}
			subjects.add(h, captured[h.Key])
		}
		p.parties = parties
		if !p.known && !p.textless && !m.cfg.Replies {
			p.extra = ExtraParts(h, d, parties, p.env.Root)
		}
	}
	return letters, nil
}

// filedLetter is the letter's outcome, without its text.
func (m *mailbox) filedLetter(uid uint32, h *Header, d Decision, parties *store.Parties) store.FiledLetter {
	l := store.FiledLetter{UID: uid, Key: h.Key, MessageID: h.MessageID, Date: h.Date, Outcome: d.Outcome, Reason: d.Reason}
	if d.Outcome != store.Captured {
		if d.Reason == store.Unknown {
			l.Subject, l.References = h.Subject, h.References
			if d.Direction != store.Out && len(h.From) > 0 {
				l.FromAddress, l.FromName = h.From[0].Addr, h.From[0].Name
			}
		}
		return l
	}
	l.Direction, l.Clients = d.Direction, withoutNobody(d.Clients)
	if len(l.Clients) == 0 {
		l.ClientText, l.Outsiders = partyOf(h, parties), Outsiders(h, parties)
	}
	if m.syncer.opt.Rules.AddPersons {
		l.NewPerson = d.Sender
	}
	l.Subject, l.References = h.Subject, h.References
	l.Names = map[string]string{}
	for _, a := range h.Addresses() {
		l.Addresses = append(l.Addresses, a.Addr)
		if a.Name != "" {
			l.Names[a.Addr] = a.Name
		}
	}
	return l
}

// unreadable is the outcome of a letter of which the server gives nothing.
func (m *mailbox) unreadable(f *folder, uid uint32) *pending {
	m.log.Warn("a letter could not be read and is filed as unknown", "folder", f.Name, "uid", uid)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", m.cfg.Name, f.Name, f.UIDValidity, uid))
	return &pending{env: &envelope{UID: uid}, filed: store.FiledLetter{UID: uid, Key: store.UnreadKey(hex.EncodeToString(sum[:16])),
		Date: m.st.Now(), Outcome: store.Skipped, Reason: store.Unknown}}
}

// readTexts reads the texts of the captured letters of a chunk.
func (m *mailbox) readTexts(ctx context.Context, s *session, chunk []*pending, wishes []wish, how detail) error {
	bodies, err := s.texts(ctx, wishes)
	if err != nil {
		return err
	}
	var asked []uint32
	for _, w := range wishes {
		asked = append(asked, w.UID)
	}
	if err := s.mustBeGone(asked, func(uid uint32) bool { return bodies[uid] != nil }); err != nil {
		return err
	}
	for _, p := range chunk {
		if bodies[p.env.UID] == nil && slices.Contains(asked, p.env.UID) {
			p.gone = true // since its header was read
			continue
		}
		if p.drop != nil && p.drop.forward {
			if err := m.readForwarded(ctx, s, p, bodies[p.env.UID], how); err != nil {
				return err
			}
			delete(bodies, p.env.UID)
			continue
		}
		if p.reply != nil {
			if err := m.readReplyText(s, p, bodies[p.env.UID], how); err != nil {
				return err
			}
			delete(bodies, p.env.UID)
			continue
		}
		captured := p.filed.Outcome == store.Captured
		switch {
		case p.env.Root != nil:
			if captured && !p.textless {
				p.filed.Attachments = Attachments(p.env.Root)
				if !p.known {
					p.filed.Text, p.filed.FullText = ReadText(p.env.Root, bodies[p.env.UID])
				}
			}
			m.opt.Signs.Read(&p.filed, p.header, p.parties, p.env.Root, bodies[p.env.UID])
		case how == withWhole && !p.known && !p.textless && (captured || p.tells()):
			raw, err := s.whole(p.env.UID)
			if err != nil {
				return err
			}
			l := ReadMessage(raw, p.env.Internal)
			if captured {
				p.filed.Text, p.filed.FullText, p.filed.Attachments = l.Text, l.FullText, l.Attachments
			}
			m.opt.Signs.ReadLetter(&p.filed, l, p.parties)
		}
		delete(bodies, p.env.UID)
		if captured && !p.known && !p.textless {
			p.filed.Key = p.header.HashKey(p.filed.FullText)
		}
	}
	return nil
}

// recovered turns a panic into an error. What strangers write must not end the
// daemon: a letter that makes a library panic is tried with less of it, like
// one that a server cannot give.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// storeError is a fault of the database: the letters are not to blame.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }
