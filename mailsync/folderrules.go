package mailsync

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

// Rules are what the settings say about capture in all mailboxes.
type Rules struct {
	ParentDomains bool     // a client's domain stands for those below it too
	AddPersons    bool     // a new sender at a client's domain becomes a person
	FreeMail      []string // further domains that stand for no company; "-x.test" takes one off the list
	Own           []string // further addresses of ours: the dropboxes
	AuthservID    string   // whose Authentication-Results count; "" is the mailbox's host
}

// apply writes the rules into a snapshot of the directory.
func (r *Rules) apply(p *store.Parties) {
	p.ParentDomains = r.ParentDomains
	for _, d := range r.FreeMail {
		name, off := strings.CutPrefix(d, "-")
		if name, err := store.Domain(name); err == nil {
			p.FreeMail[name] = !off
		}
	}
	for _, a := range r.Own {
		if a := NormalizeAddress(a); a != "" {
			if _, there := p.OwnAddrs[a]; !there {
				p.OwnAddrs[a] = 0
			}
		}
	}
}

// role is what a folder says about the letters in it (rules.md section 3,
// rule 2, and the folder that includes).
type role int

const (
	plainFolder role = iota
	// excludes: its letters are seen, so that wherever else in the mailbox
	// they lie they are known for not to be captured; nothing but their
	// headers is read.
	excludes
	// includes: its letters are captured whoever wrote them, automatic ones
	// too: somebody put them there by hand.
	includes
)

// leftOut are the special uses (RFC 6154) that a pattern does not take in:
// drafts are no letters yet, the others nobody wants.
var leftOut = []imap.MailboxAttr{imap.MailboxAttrDrafts, imap.MailboxAttrJunk, imap.MailboxAttrTrash}

// leftOutNames are their names on servers without special uses.
var leftOutNames = []string{"drafts", "junk", "spam", "trash", "deleted items", "deleted messages", "черновики", "спам", "корзина", "удаленные", "удалённые"}

// maxPattern bounds the folders that patterns take in.
const maxPattern = 500

// plan finds the folders to read, each once: those that exclude first, since
// what they hold decides about the others. A folder that is named and not
// there is missing; a pattern ("*", "Clients/*") may match nothing.
func (m *mailbox) plan(s *session) (names []string, missing []error, err error) {
	var list []*imap.ListData
	wanted := slices.Concat(m.cfg.Exclude, m.cfg.Include, m.cfg.Folders)
	found, err := s.resolve(wanted)
	if err != nil {
		return nil, nil, err
	}
	roles := map[string]role{}
	add := func(name string, r role) {
		if _, there := roles[name]; !there {
			roles[name] = r
			names = append(names, name)
		}
	}
	patterns := 0
	for i, want := range wanted {
		r := plainFolder
		switch {
		case i < len(m.cfg.Exclude):
			r = excludes
		case i < len(m.cfg.Exclude)+len(m.cfg.Include):
			r = includes
		}
		prefix, isPattern := strings.CutSuffix(want, "*")
		switch {
		case found[i] != "":
			add(found[i], r)
		case !isPattern:
			missing = append(missing, &folderError{want, errNoFolder})
		default:
			if list == nil {
				if list, err = s.listAll(); err != nil {
					return nil, nil, err
				}
			}
			for _, d := range list {
				if strings.HasPrefix(d.Mailbox, prefix) && patterns < maxPattern && taken(d) {
					patterns++
					add(d.Mailbox, max(r, roleAbove(list, roles, d)))
				}
			}
		}
	}
	// A pattern's folder below an excluded one is excluded: it comes first too.
	slices.SortStableFunc(names, func(a, b string) int { return first(roles[b]) - first(roles[a]) })
	m.mu.Lock()
	m.roles = roles
	m.mu.Unlock()
	return names, missing, nil
}

func first(r role) int {
	if r == excludes {
		return 1
	}
	return 0
}

// taken reports whether a pattern takes in a folder.
func taken(d *imap.ListData) bool {
	has := func(a imap.MailboxAttr) bool {
		return slices.ContainsFunc(d.Attrs, func(b imap.MailboxAttr) bool { return strings.EqualFold(string(a), string(b)) })
	}
	if has(imap.MailboxAttrNoSelect) || has(imap.MailboxAttrNonExistent) || slices.ContainsFunc(leftOut, has) {
		return false
	}
	name := strings.ToLower(d.Mailbox)
	if d.Delim != 0 {
		if i := strings.LastIndex(name, string(d.Delim)); i >= 0 {
			name = name[i+len(string(d.Delim)):]
		}
	}
	return !slices.Contains(leftOutNames, name)
}

// roleAbove is excludes where the folder lies below one that does.
func roleAbove(list []*imap.ListData, roles map[string]role, d *imap.ListData) role {
	if d.Delim == 0 {
		return plainFolder
	}
	for _, above := range list {
		if roles[above.Mailbox] == excludes && strings.HasPrefix(d.Mailbox, above.Mailbox+string(d.Delim)) {
			return excludes
		}
	}
	return plainFolder
}

// listAll lists the folders with their special uses.
func (s *session) listAll() (list []*imap.ListData, err error) {
	err = s.do("list the folders", func() (err error) {
		var opt *imap.ListOptions
		if s.caps.Has(imap.CapSpecialUse) && (s.caps.Has(imap.CapListExtended) || s.caps.Has(imap.CapIMAP4rev2)) {
			opt = &imap.ListOptions{ReturnSpecialUse: true}
		}
		list, err = s.list(opt)
		return err
	})
	return list, err
}

// waitOrder is the order in which folders get connections of their own to wait
// on: news of those that exclude can wait.
func (m *mailbox) waitOrder(names []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortStableFunc(names, func(a, b string) int { return first(m.roles[a]) - first(m.roles[b]) })
	return names
}

// role of a folder, and the names of those that exclude.
func (m *mailbox) role(name string) (r role, excluding []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, r := range m.roles {
		if r == excludes {
			excluding = append(excluding, n)
		}
	}
	return m.roles[name], excluding
}

// include is the decision about a letter that its folder includes: neither
// that nobody knows it nor that a program wrote it keeps it out.
func include(d Decision, clients []int64) Decision {
	if d.Outcome == store.Skipped && (d.Reason == store.Automatic || d.Reason == store.Unknown) {
		d.Outcome, d.Reason, d.Clients, d.Detail = store.Captured, "", clients, "folder"
	}
	return d
}

// knownClients are the clients of a letter's addresses, whatever else the
// rules say.
func knownClients(h *Header, p *store.Parties) (out []int64) {
	for _, a := range h.Addresses() {
		clients, _ := clientsOf(p, a.Addr)
		for _, c := range clients {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// withoutNobody drops the client 0 that a thread names which continues a
// letter without a client.
func withoutNobody(clients []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(clients), func(id int64) bool { return id == 0 })
}
