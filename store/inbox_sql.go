package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The conditions of the inbox begin with the parameters of whose: $1 the viewer
// is a head, $2 who it is.
const (
	unlinkedOf = `c.client_id IS NULL AND c.created >= $3 AND c.state <> 'cancelled' AND NOT c.private
		AND (c.client_text <> '' OR c.origin = 'calendar' AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.item = 'c' || c.id))
		AND ($1 OR EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id = $2))
		AND NOT EXISTS (SELECT 1 FROM settled s WHERE s.what = 'unlinked' AND s.one = c.id)`
	unknownOf = `($1 OR s.manager_id IN (0, $2)) AND s.last >= $3 AND s.first >= $3
		AND NOT EXISTS (SELECT 1 FROM person_points p WHERE p.kind = 'email' AND p.value = s.address)
		AND NOT EXISTS (SELECT 1 FROM client_points p WHERE p.kind = 'email' AND p.value = s.address)
		AND NOT EXISTS (SELECT 1 FROM book_entries e WHERE e.book = $4 AND e.key = s.address)`
)

// InboxCounts counts open questions, cheaply: each kind from an index and up to
// a hundred. First contacts without a source and clients alike are not counted:
// to find them takes a moment. senders is from when new senders are asked about.
func (s *Store) InboxCounts(ctx context.Context, viewer Manager, senders time.Time) (n InboxCounts, err error) {
	err = s.read(ctx, func(t *tx) error {
		count := func(into *int, rows string, args ...any) error {
			return t.row(fmt.Sprintf(`SELECT COUNT(DISTINCT q.one) FROM (SELECT %s LIMIT %d) AS q`, rows, InboxMost), args, into)
		}
		who := whose(viewer)
		if err := count(&n.Senders, `s.address AS one FROM senders s WHERE `+unknownOf, append(who, senders.Unix(), MailBook)...); err != nil {
			return err
		}
		if err := count(&n.Unlinked, `c.id AS one FROM contacts c WHERE `+unlinkedOf, append(who, t.inboxSince().Unix())...); err != nil {
			return err
		}
		if err := count(&n.Offers, `e.id AS one FROM book_entries e WHERE e.state = 'offered' AND `+decides, who...); err != nil {
			return err
		}
		if viewer.Role != RoleHead {
			return nil
		}
		return count(&n.Rows, `id AS one FROM questions`)
	})
	return n, err
}

// UnlinkedContacts are contacts of the last 90 days that have no client,
// newest first, 100 at most, each with the clients of the name that it gives.
func (s *Store) UnlinkedContacts(ctx context.Context, viewer Manager, limit int) (out []Unlinked, err error) {
	err = s.read(ctx, func(t *tx) error {
		found, err := t.contacts(`WHERE `+unlinkedOf+` ORDER BY c.created DESC, c.id DESC LIMIT $4`, append(whose(viewer), t.inboxSince().Unix(), min(limit, InboxMost))...)
		if err != nil {
			return err
		}
		for i := range found {
			u := Unlinked{Contact: found[i]}
			u.Contact.hideFrom(viewer.ID)
			ids, err := t.planClients(viewer, u.Contact.ClientText+" "+u.Contact.Subject)
			if err == nil && len(ids) == 0 {
				ids, err = t.alikeClients(viewer, strings.Fields(u.Contact.ClientText))
			}
			if err != nil {
				return err
			}
			for _, id := range ids[:min(len(ids), 3)] {
				c, err := t.client(id)
				if err != nil {
					return err
				}
				u.Clients = append(u.Clients, c)
			}
			out = append(out, u)
		}
		return nil
	})
	return out, err
}

// LinkContact gives a contact without a client to one. ErrStale when it has
// one already, ErrNotFound when the actor may not know of either.
func (s *Store) LinkContact(ctx context.Context, viewer Manager, actor Actor, contact, client int64) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.questioned(viewer, actor, contact)
		if err != nil {
			return err
		}
		if c.ClientID != 0 {
			return ErrStale
		}
		to, err := t.client(client)
		if err != nil {
			return err
		}
		if err := t.seesClient(viewer, to); err != nil {
			return err
		}
		return t.editContact(actor, c, ContactEdit{ClientID: &to.ID})
	})
}

// questioned is a contact that the actor may decide about, for writing.
func (t *tx) questioned(viewer Manager, actor Actor, id int64) (c Contact, err error) {
	if err := t.lock("contacts", id); err != nil {
		return c, err
	}
	if c, err = t.contact(id); err != nil {
		return c, err
	}
	if err := sees(t, viewer, &c); err != nil {
		return c, err
	}
	it := contactAsItem(&c)
	return c, t.mayEdit(actor, &it)
}

// UnsourcedContacts are first contacts of the last 90 days with clients that no
// lead source is known of, newest first.
func (s *Store) UnsourcedContacts(ctx context.Context, viewer Manager, limit int) (out []Unsourced, err error) {
	// The first contact of each client, from the clients without a source: from
	// the contacts of the last 90 days it took 0.3 s.
	clients := conditions{parts: []string{"cl.source_id IS NULL", "NOT EXISTS (SELECT 1 FROM settled s WHERE s.what = 'source' AND s.one = cl.id)"}}
	clients.own(viewer, "cl.manager_id")
	first := conditions{args: clients.args, parts: []string{
		`c.id IN (SELECT (SELECT o.id FROM contacts o WHERE o.client_id = cl.id AND o.state = 'done' ORDER BY o.start_at, o.id LIMIT 1) FROM clients cl` + clients.where() + `)`,
		`c.source_id IS NULL AND NOT EXISTS (SELECT 1 FROM contacts x WHERE x.client_id = c.client_id AND x.source_id IS NOT NULL)`,
	}}
	err = s.read(ctx, func(t *tx) error {
		first.add("c.start_at >= ? AND c.start_at < ?", t.inboxSince().Unix(), t.now.Unix())
		found, err := t.contacts(first.where()+fmt.Sprintf(" ORDER BY c.start_at DESC, c.id DESC LIMIT %d", min(limit, InboxMost)), first.args...)
		if err != nil {
			return err
		}
		for i := range found {
			u := Unsourced{Contact: found[i]}
			u.Contact.hideFrom(viewer.ID)
			if u.Client, err = t.client(u.Contact.ClientID); err != nil {
				return err
			}
			out = append(out, u)
		}
		return nil
	})
	return out, err
}

// AlikeClients are pairs of clients with one name, but for the legal form, that
// nobody has said not to be the same; a manager sees those of both of whom the
// manager is responsible.
func (s *Store) AlikeClients(ctx context.Context, viewer Manager, limit int) (out []Alike, err error) {
	err = s.read(ctx, func(t *tx) error {
		var pairs [][2]int64
		// Names that are there twice are found from an index alone; to look for
		// another client of each name took four times as long.
		twice := conditions{parts: []string{"core <> ''"}}
		twice.own(viewer, "manager_id")
		c := conditions{args: twice.args, parts: []string{"NOT EXISTS (SELECT 1 FROM settled s WHERE s.what = 'clients' AND s.one = a.id AND s.other = b.id)"}}
		c.own(viewer, "a.manager_id")
		c.own(viewer, "b.manager_id")
		err := t.rows(`SELECT a.id, b.id FROM (SELECT core FROM clients`+twice.where()+` GROUP BY core HAVING COUNT(*) > 1) k
			JOIN clients a ON a.core = k.core JOIN clients b ON b.core = a.core AND b.id > a.id`+c.where()+
			fmt.Sprintf(` ORDER BY a.id, b.id LIMIT %d`, min(limit, InboxMost)), c.args, func(scan func(...any) error) error {
			var p [2]int64
			err := scan(&p[0], &p[1])
			pairs = append(pairs, p)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range pairs {
			one, err := t.client(p[0])
			if err != nil {
				return err
			}
			other, err := t.client(p[1])
			if err != nil {
				return err
			}
			out = append(out, Alike{one, other})
		}
		return nil
	})
	return out, err
}

// Settle remembers that a question stays as it is. one is a contact of
// SettledUnlinked, else a client; other is the second client of SettledClients,
// else 0. ErrNotFound where the viewer may not decide about it,
// *Invalid for another question or another second one.
func (s *Store) Settle(ctx context.Context, viewer Manager, actor Actor, what Settled, one, other int64) error {
	return s.write(ctx, func(t *tx) error {
		if what != SettledClients && other != 0 {
			return invalid("other", "%q has no second one", clip(string(what), 40))
		}
		switch what {
		case SettledUnlinked:
			if _, err := t.questioned(viewer, actor, one); err != nil {
				return err
			}
		case SettledSource:
			c, err := t.changeable(actor, one)
			if err != nil {
				return err
			}
			one = c.ID
		case SettledClients:
			for _, id := range []*int64{&one, &other} {
				c, err := t.changeable(actor, *id)
				if err != nil {
					return err
				}
				*id = c.ID // perhaps of the one it was merged with
			}
			if one == other {
				return ErrNotFound
			}
			one, other = min(one, other), max(one, other)
		default:
			return invalid("what", "%q is no question that can be left", clip(string(what), 40))
		}
		_, err := t.exec(`INSERT INTO settled (what, one, other, manager_id, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			string(what), one, other, viewer.ID, t.now.Unix())
		return err
	})
}
