package mailsync

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

// The dropbox: a shared mailbox to which managers send letters in copy or
// forward them. Only a letter from one of our managers is obeyed, and only
// where our own server does not say that it is forged; any other letter in it
// is decided like one in a shared mailbox. A letter that goes to somebody
// outside too is captured as it is; one that goes to us alone is a forward,
// and the original in it is what is captured. The plus-words of the address
// that it was sent to say what else to do (store/dropbox.go).

// traceFields tell by which addresses and from whom a letter came to the
// mailbox (RFC 5321 section 4.4, RFC 8601; the others are what Postfix, Exim
// and fetchers note).
var traceFields = []string{"Authentication-Results", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Received", suppressField}

var wantedTrace = func() map[string]bool {
	m := map[string]bool{"from": true}
	for _, f := range traceFields {
		m[strings.ToLower(f)] = true
	}
	return m
}()

// dropboxSection asks for these fields too.
var dropboxSection = &imap.FetchItemBodySection{
	Specifier:    imap.PartSpecifierHeader,
	HeaderFields: slices.Concat(HeaderFields, traceFields),
	Partial:      &imap.SectionPartial{Offset: 0, Size: maxHeader},
	Peek:         true,
}

// trace is what the servers on the way noted, topmost first.
type trace struct {
	authors    int       // From fields
	results    []string  // Authentication-Results
	recipients []Address // of the envelope
}

// receivedFor is the recipient that a Received field may name.
var receivedFor = regexp.MustCompile(`(?i)\bfor\s+<?([^\s<>;()]+@[^\s<>;()]+)>?`)

func readTrace(raw []byte) trace {
	f := readFields(raw, wantedTrace)
	t := trace{results: f["authentication-results"], authors: len(f["from"])}
	for _, name := range []string{"delivered-to", "x-original-to", "envelope-to", "x-envelope-to"} {
		t.recipients = append(t.recipients, parseAddresses(f.all(name))...)
	}
	for _, r := range f["received"] {
		if m := receivedFor.FindStringSubmatch(clipText(r, 4000)); m != nil {
			t.recipients = append(t.recipients, parseAddresses(m[1])...)
		}
	}
	return t
}

// maxDropWords bounds the plus-words of one letter.
const maxDropWords = 20

// plusWords are the words behind the dropbox's name in the addresses that a
// letter was sent to, each once: crm+3d+src-expo@ has two.
func plusWords(h *Header, t trace, dropbox string) (words []store.DropWord) {
	for _, a := range slices.Concat(h.To, h.Cc, h.Bcc, t.recipients) {
		if withoutTag(a.Addr) != dropbox {
			continue
		}
		local := a.Addr[:strings.LastIndexByte(a.Addr, '@')]
		for text := range strings.SplitSeq(local[strings.IndexByte(local, '+')+1:], "+") {
			w := store.ParseDropWord(text)
			known := func(o store.DropWord) bool { return o.Text == w.Text }
			if w.Text != "" && len(words) < maxDropWords && !slices.ContainsFunc(words, known) {
				words = append(words, w)
			}
		}
	}
	return words
}

// drop is a letter that a manager sent to the dropbox.
type drop struct {
	manager int64
	words   []store.DropWord
	forward bool // it goes to us alone: what counts is the letter in it
	clients []int64
}

// readDrop reads a letter in the dropbox; nil where it is not a manager's.
// failed names the method by which our server found it forged.
func (m *mailbox) readDrop(h *Header, raw []byte, p *store.Parties) (d *drop, failed string) {
	if len(h.From) == 0 {
		return nil, ""
	}
	manager := cmp.Or(p.OwnAddrs[h.From[0].Addr], p.OwnAddrs[cmp.Or(withoutTag(h.From[0].Addr), h.From[0].Addr)])
	if manager == 0 {
		return nil, ""
	}
	t := readTrace(raw)
	if t.authors > 1 || len(h.From) > 1 {
		return nil, "from" // of which one our server spoke nobody can tell
	}
	if failed := authFailed(t.results, m.authservID(), domainOf(h.From[0].Addr)); failed != "" {
		return nil, failed
	}
	return &drop{manager: manager, words: plusWords(h, t, m.cfg.Dropbox)}, ""
}

// authservID is the name under which our server notes what it found.
func (m *mailbox) authservID() string {
	if id := m.syncer.opt.Rules.AuthservID; id != "" {
		return id
	}
	host, _, err := net.SplitHostPort(m.cfg.Addr)
	if err != nil {
		return m.cfg.Addr
	}
	return host
}

// dropped is how the store is told of a letter to the dropbox.
func (d *drop) dropped(outer *Header) *store.Dropped {
	return &store.Dropped{Key: outer.Key, MessageID: outer.MessageID, ManagerID: d.manager, Sent: outer.Date, Words: d.words,
		Subject: store.BareSubject(outer.Subject), Clients: d.clients}
}

// decideDrop turns the decision about a letter in the dropbox into what the
// store is to do; it is called once the letter is decided by the rules.
func (m *mailbox) decideDrop(p *pending, d Decision, thread func() []int64) Decision {
	if p.drop == nil {
		return d
	}
	switch {
	case d.Outcome == store.Captured, d.Reason == store.Unknown:
	case d.Reason == store.Internal && p.header.Automatic() == "":
		p.drop.forward = true
		p.drop.clients = withoutNobody(thread()) // "crm+done@" in an answer to a colleague
	default:
		p.drop = nil
	}
	return d
}

// attachDrop adds to a filed letter what it asks for.
func (p *pending) attachDrop(parties *store.Parties) {
	if p.drop != nil {
		p.filed.Dropbox = p.drop.dropped(p.header)
		p.filed.Dropbox.Party = partyOf(p.header, parties)
	}
}

// readForwarded reads the text of a letter that may hold another one.
func (m *mailbox) readForwarded(ctx context.Context, s *session, p *pending, bodies map[string][]byte, how detail) error {
	root := p.env.Root
	if root == nil && how == withWhole {
		raw, err := s.whole(p.env.UID)
		if err != nil {
			return err
		}
		l, all := splitMessage(raw, p.env.Internal)
		root, bodies = l.Root, all
	}
	if root == nil {
		return nil
	}
	return m.openForward(ctx, p, root, bodies)
}

// openForward files the original in a letter to the dropbox in its place. The
// rules decide about it as about any letter, except that what a person
// forwards by hand is not automatic.
func (m *mailbox) openForward(ctx context.Context, p *pending, root *Part, bodies map[string][]byte) error {
	parties, err := m.syncer.directory(ctx)
	if err != nil {
		return &storeError{fmt.Errorf("read the addresses: %w", err)}
	}
	loc, err := time.LoadLocation(parties.Zones[p.drop.manager])
	if err != nil {
		loc = time.UTC
	}
	f := readForward(root, bodies, p.header.Date, loc)
	if f == nil {
		return nil // a note among us; its words act all the same
	}
	h := f.Header
	if h.Subject == "" { // Yandex does not quote it
		h.Subject = store.BareSubject(p.header.Subject)
	}
	h.automatic, h.Method = "", ""
	h.Key = h.HashKey(f.FullText)
	if len(h.References) > maxRefs {
		h.References = h.References[len(h.References)-maxRefs:]
	}
	captured, err := m.st.LetterKeys(ctx, append([]string{h.Key}, h.References...))
	if err != nil {
		return &storeError{fmt.Errorf("look up the letters: %w", err)}
	}
	var threadErr error
	d := Decide(h, parties, func() []int64 {
		clients, err := m.thread(ctx, h, parties, captured, subjectThreads{})
		threadErr = err
		return clients
	})
	if threadErr != nil {
		return &storeError{fmt.Errorf("look up the thread: %w", threadErr)}
	}
	filed := m.filedLetter(p.filed.UID, h, d, parties)
	filed.Private = p.env.Private
	filed.Dropbox = p.drop.dropped(p.header)
	filed.Dropbox.Party, filed.Dropbox.Note, filed.Dropbox.Approximate = partyOf(h, parties), f.note, f.inline && h.MessageID == ""
	filed.Dropbox.Subject = store.BareSubject(h.Subject)
	if d.Outcome == store.Captured {
		filed.Text, filed.FullText, filed.Attachments = f.Text, f.FullText, f.Attachments
	}
	p.filed = filed
	if f.more > 0 {
		m.log.Warn("only the first of several forwarded letters is taken", "uid", p.filed.UID, "left", f.more)
	}
	return nil
}
