package mailsync

import (
	"cmp"
	"slices"
	"strings"

	"intouch/store"
)

// Decision says what becomes of a letter.
type Decision struct {
	Outcome   store.Outcome
	Reason    store.Reason // of a skipped letter
	Detail    string       // what decided, in one word for the log
	Clients   []int64      // of a captured letter, in the order of its addresses
	Direction store.Direction
	// Sender is the one who wrote, where the client was found by the domain
	// alone and only one has it: somebody there whom nobody has noted yet.
	Sender *store.NewPerson
}

// Decide applies rules 1–7 of rules.md section 3, in their order. thread tells
// the clients of the conversation that the letter continues; it is called only
// when no address has decided (rule 6), and may be nil.
func Decide(h *Header, p *store.Parties, thread func() []int64) Decision {
	d := Decision{Outcome: store.Skipped, Direction: store.In}
	if slices.ContainsFunc(h.From, func(a Address) bool { return isOurs(p, a.Addr) }) {
		d.Direction = store.Out
	}
	all := h.Addresses()

	// 1. Internal: a letter without any address is not ours.
	if len(all) > 0 && !slices.ContainsFunc(all, func(a Address) bool { return !isOurs(p, a.Addr) }) {
		d.Reason = store.Internal
		return d
	}
	// 2. Blocked.
	for _, a := range all {
		if p.Blocked[a.Addr] || p.Blocked[cmp.Or(withoutTag(a.Addr), a.Addr)] || p.Blocked[domainOf(a.Addr)] {
			d.Reason = store.Blocked
			return d
		}
	}
	// 3. Automatic.
	if d.Detail = h.Automatic(); d.Detail != "" {
		d.Reason = store.Automatic
		return d
	}
	// 4 and 5. Address, else domain; each address by itself, so that a letter
	// to a known person of one client and somebody new at another is both's.
	for _, a := range all {
		clients, how := clientsOf(p, a.Addr)
		if how == "domain" && len(clients) == 1 && d.Direction == store.In && len(h.From) > 0 && a.Addr == h.From[0].Addr {
			d.Sender = &store.NewPerson{ClientID: clients[0], Address: cmp.Or(withoutTag(a.Addr), a.Addr), Name: a.Name}
		}
		for _, c := range clients {
			if !slices.Contains(d.Clients, c) {
				d.Clients = append(d.Clients, c)
			}
		}
		if d.Detail == "" {
			d.Detail = how
		}
	}
	// 6. Thread.
	if len(d.Clients) == 0 && thread != nil {
		if d.Clients = thread(); len(d.Clients) > 0 {
			d.Detail = "thread"
		}
	}
	// 7. Unknown.
	if len(d.Clients) == 0 {
		d.Reason = store.Unknown
		return d
	}
	d.Outcome = store.Captured
	return d
}

// isOurs reports whether an address is a manager's or of an own domain.
func isOurs(p *store.Parties, addr string) bool {
	if _, ok := p.OwnAddrs[addr]; ok || p.OwnHosts[domainOf(addr)] {
		return true
	}
	bare := withoutTag(addr)
	_, ok := p.OwnAddrs[bare]
	return ok && bare != ""
}

// clientsOf are the clients of one address: by the address, with and without
// its plus-tag, else by its exact domain, or by the nearest parent of it where
// the settings say so. What is ours is nobody's client, and a free-mail domain
// stands for no company.
func clientsOf(p *store.Parties, addr string) ([]int64, string) {
	if isOurs(p, addr) {
		return nil, ""
	}
	if c := p.ByAddr[addr]; len(c) > 0 {
		return c, "address"
	}
	if bare := withoutTag(addr); bare != "" && len(p.ByAddr[bare]) > 0 {
		return p.ByAddr[bare], "address"
	}
	host := domainOf(addr)
	for range maxLabels {
		if p.FreeMail[host] {
			break
		}
		if c := p.ByDomain[host]; len(c) > 0 {
			return c, "domain"
		}
		_, parent, more := strings.Cut(host, ".")
		if !p.ParentDomains || !more || !strings.Contains(parent, ".") {
			break
		}
		host = parent
	}
	return nil, ""
}

// maxLabels is how many labels a domain name can have (RFC 1035 section 2.3.4).
const maxLabels = 127

// Outsiders are the letter's addresses that are not ours: the parties that a
// letter must share to continue a thread by its subject alone (rule 6). Ours
// take part in every thread.
func Outsiders(h *Header, p *store.Parties) []string {
	var out []string
	for _, a := range h.Addresses() {
		if !isOurs(p, a.Addr) {
			out = append(out, a.Addr)
		}
	}
	return out
}
