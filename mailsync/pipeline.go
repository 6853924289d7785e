package mailsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"intouch/store"
)

// The way of a batch: headers and structures → decisions → texts of the
// captured letters → one transaction with the cursor. What is in memory at once
// is bounded by counts and bytes, whatever the letters are.
const (
	batchLetters  = 200     // letters decided together
	batchHeaders  = 4 << 20 // bytes of their headers
	batchTexts    = 4 << 20 // bytes of texts fetched together
	searchLetters = 10_000  // UIDs listed ahead
	maxRefs       = 50      // references looked up of one letter, newest
)

// folder is an examined folder with its cursor.
type folder struct {
	store.Folder
	caution *caution
}

// catchUp files all letters above the cursor, in ascending UID. A letter that
// the server cannot give is asked for with less and less, at last filed as
// seen, so that it never holds up those behind it. For that the caller
// reconnects and calls again; the caution remembers.
func (m *mailbox) catchUp(ctx context.Context, s *session, f *folder, c *Counts) error {
	for {
		uids, left, err := s.search(f.LastUID, searchLetters)
		if err != nil || len(uids) == 0 {
			return err
		}
		all := c.done + left
		for len(uids) > 0 {
			n, how := f.caution.next(uids)
			took, err := m.take(ctx, s, f, uids[:n], how, c)
			if err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return f.caution.failed(uids[:n], how, s, err)
			}
			f.caution.passed(uids[took-1])
			uids = uids[took:]
			c.done += took
			if m.opt.Progress != nil {
				m.opt.Progress(m.cfg.Name, c.done, max(all, c.done))
			}
			m.progressed()
		}
	}
}

// pending is a letter on its way to the store.
type pending struct {
	env    *envelope
	header *Header
	filed  store.FiledLetter
	known  bool // its contacts are in the store already, or in this batch
	drop   *drop

	textless bool // the mailbox keeps subjects only
	forged   bool // in the dropbox: our server says that it is
}

// wanted are the parts to fetch: of a letter that is captured the text, of one
// that may hold a forwarded letter that too.
func (p *pending) wanted() []*Part {
	switch {
	case p.env.Root == nil:
		return nil
	case p.drop != nil && p.drop.forward:
		return forwardParts(p.env.Root)
	case p.filed.Outcome == store.Captured && !p.known && !p.textless:
		return TextParts(p.env.Root)
	}
	return nil
}

// take files the outcomes of a batch and moves the cursor past it. It returns
// how many of the letters it took: fewer where their headers are huge.
func (m *mailbox) take(ctx context.Context, s *session, f *folder, uids []uint32, how detail, c *Counts) (took int, err error) {
	var letters []*pending
	if how == unreadable {
		letters = []*pending{m.unreadable(f, uids[0])}
	} else {
		envelopes, rest, err := s.envelopes(uids, how, batchHeaders)
		if err != nil {
			return 0, err
		}
		uids = uids[:len(uids)-rest]
		if err := s.mustBeGone(uids, func(uid uint32) bool {
			return slices.ContainsFunc(envelopes, func(e *envelope) bool { return e.UID == uid })
		}); err != nil {
			return 0, err
		}
		letters, err = m.decide(ctx, f, envelopes)
		if err != nil {
			return 0, err
		}
	}
	took = len(uids)
	last := uids[took-1]
	for {
		// A chunk is as many letters as have texts for one fetch.
		n, wishes, budget := 0, []wish(nil), int64(batchTexts)
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
		chunk, upTo := letters[:n], last
		letters = letters[n:]
		if len(letters) > 0 {
			upTo = chunk[n-1].env.UID
		}
		if err := m.readTexts(ctx, s, chunk, wishes, how); err != nil {
			return 0, err
		}
		if err := m.file(ctx, f, upTo, chunk, c); err != nil {
			return 0, err
		}
		if len(letters) == 0 {
			return took, nil
		}
	}
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
		case p.forged: // neither a contact nor a new person comes of it
			d = Decision{Outcome: store.Skipped, Reason: store.Unknown, Direction: store.Out}
		case d.Reason == store.Internal: // rule 2 comes after rule 1
		case p.env.Excluded || role == excludes || excluded[h.Key]:
			d = Decision{Outcome: store.Skipped, Reason: store.Blocked}
		case role == includes:
			d = include(d, knownClients(h, parties))
		}
		d = m.decideDrop(p, d, thread)
		if threadErr != nil {
			return nil, &storeError{fmt.Errorf("look up the thread: %w", threadErr)}
		}
		p.filed = m.filedLetter(p.env.UID, h, d, parties)
		p.filed.Private = p.env.Private
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
	}
	return letters, nil
}

// thread finds the clients of the conversation that a letter continues (rule
// 6): by its references, newest first; where it names none, by its subject.
func (m *mailbox) thread(ctx context.Context, h *Header, parties *store.Parties, captured map[string][]int64, subjects subjectThreads) ([]int64, error) {
	if clients := captured[h.Key]; len(clients) > 0 {
		return clients, nil
	}
	for _, ref := range slices.Backward(h.References) {
		if clients := captured[ref]; len(clients) > 0 {
			return clients, nil
		}
	}
	others := Outsiders(h, parties)
	if len(h.References) > 0 || !store.IsReply(h.Subject) || len(others) == 0 {
		return nil, nil // it names its thread, or does not look like an answer
	}
	if clients := subjects.find(h, others); len(clients) > 0 {
		return clients, nil
	}
	return m.st.ThreadBySubject(ctx, h.Subject, others, h.Date)
}

// subjectThreads are the captured letters of a batch by their bare subject.
type subjectThreads map[string][]subjectThread

type subjectThread struct {
	date      time.Time
	addresses []string
	clients   []int64
}

// threadSpan is how far back a subject continues a thread (rules.md section 3).
const threadSpan = 30 * 24 * time.Hour

func (t subjectThreads) add(h *Header, clients []int64) {
	if bare := store.BareSubject(h.Subject); bare != "" {
		t[bare] = append(t[bare], subjectThread{h.Date, addressesOf(h), clients})
	}
}

// find looks for a letter of the thread that shares one of the addresses,
// which are not ours.
func (t subjectThreads) find(h *Header, addresses []string) []int64 {
	for _, c := range slices.Backward(t[store.BareSubject(h.Subject)]) {
		if age := h.Date.Sub(c.date); age < 0 || age > threadSpan {
			continue
		}
		if slices.ContainsFunc(c.addresses, func(a string) bool { return slices.Contains(addresses, a) }) {
			return c.clients
		}
	}
	return nil
}

func addressesOf(h *Header) []string {
	var out []string
	for _, a := range h.Addresses() {
		out = append(out, a.Addr)
	}
	return out
}

// filedLetter is the letter's outcome, without its text.
func (m *mailbox) filedLetter(uid uint32, h *Header, d Decision, parties *store.Parties) store.FiledLetter {
	l := store.FiledLetter{UID: uid, Key: h.Key, MessageID: h.MessageID, Date: h.Date, Outcome: d.Outcome, Reason: d.Reason}
	if d.Outcome != store.Captured {
		if d.Reason == store.Unknown && d.Direction != store.Out && len(h.From) > 0 {
			l.FromAddress, l.FromName, l.Subject = h.From[0].Addr, h.From[0].Name, h.Subject
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
	return &pending{env: &envelope{UID: uid}, filed: store.FiledLetter{UID: uid, Key: "hash:" + hex.EncodeToString(sum[:16]),
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
		if p.drop != nil && p.drop.forward {
			if err := m.readForwarded(ctx, s, p, bodies[p.env.UID], how); err != nil {
				return err
			}
			delete(bodies, p.env.UID)
			continue
		}
		if p.filed.Outcome != store.Captured || p.textless {
			continue
		}
		switch {
		case p.env.Root != nil:
			p.filed.Attachments = Attachments(p.env.Root)
			if !p.known {
				p.filed.Text, p.filed.FullText = ReadText(p.env.Root, bodies[p.env.UID])
			}
		case how == withWhole && !p.known:
			raw, err := s.whole(p.env.UID)
			if err != nil {
				return err
			}
			l := ReadMessage(raw, p.env.Internal)
			p.filed.Text, p.filed.FullText, p.filed.Attachments = l.Text, l.FullText, l.Attachments
		}
		delete(bodies, p.env.UID)
		if !p.known {
			p.filed.Key = p.header.HashKey(p.filed.FullText)
		}
	}
	return nil
}

// file writes a chunk and the cursor in one transaction.
func (m *mailbox) file(ctx context.Context, f *folder, upTo uint32, chunk []*pending, c *Counts) error {
	letters := make([]store.FiledLetter, len(chunk))
	for i, p := range chunk {
		letters[i] = p.filed
	}
	filed, err := m.st.FileLetters(ctx, f.Folder, upTo, letters)
	if err != nil {
		return &storeError{fmt.Errorf("file the letters: %w", err)}
	}
	f.LastUID = upTo
	c.add(letters, filed)
	return nil
}

// storeError is a fault of the database: the letters are not to blame.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }
