package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// maxAlike is how many contacts with the same free text are looked at.
const maxAlike = 500

// registered is what a contact said before it was registered.
type registered struct {
	Text       string
	ManagerID  int64
	Importance Importance
}

// Register makes a contact with free text, and others like it, a client's.
// *Invalid where the contact has a client or the client cannot be made.
func (s *Store) Register(ctx context.Context, actor Actor, contact int64, r Registration) (m Merge, err error) {
	err = s.write(ctx, func(t *tx) error {
		m, err = t.registerContact(actor, contact, r)
		return err
	})
	return m, err
}

// PreviewRegister is what Register would do.
func (s *Store) PreviewRegister(ctx context.Context, actor Actor, contact int64, r Registration) (m Merge, err error) {
	err = s.write(ctx, func(t *tx) error {
		if m, err = t.registerContact(actor, contact, r); err != nil {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return m, err
}

// RegisterOffer is what may be said of a contact that is to be registered;
// ErrNotFound where the viewer may not know of it.
func (s *Store) RegisterOffer(ctx context.Context, viewer Manager, contact int64) (o RegistrationOffer, err error) {
	err = s.read(ctx, func(t *tx) error {
		c, err := t.contact(contact)
		if err != nil {
			return err
		}
		if err := sees(t, viewer, &c); err != nil {
			return err
		}
		o.Text = c.ClientText
		alike, err := t.alike(&c)
		if err != nil {
			return err
		}
		for _, one := range alike {
			if sees(t, viewer, &one) == nil {
				one.hideFrom(viewer.ID)
				o.Alike = append(o.Alike, one)
			}
		}
		if o.Addresses, err = t.unlinkedAddresses(c.ID); err != nil {
			return err
		}
		core := clip(coreName(c.ClientText), 500)
		if core == "" {
			return nil
		}
		found, err := t.clients(`WHERE cl.core = $1 ORDER BY cl.folded, cl.id LIMIT 20`, core)
		for _, one := range found {
			if t.seesClient(viewer, one) == nil {
				o.Clients = append(o.Clients, one)
			}
		}
		return err
	})
	return o, err
}

// unlinkedAddresses are by which a client-less letter finds its client; of two
// forms of one the shorter comes first.
func (t *tx) unlinkedAddresses(contact int64) (out []string, err error) {
	err = t.rows(`SELECT address FROM unlinked WHERE contact_id = $1 ORDER BY LENGTH(address), address`, []any{contact}, func(scan func(...any) error) error {
		var a string
		err := scan(&a)
		out = append(out, a)
		return err
	})
	return out, err
}

// alike are the other contacts without a client whose free text is the same
// but for legal form, quotes and case.
func (t *tx) alike(c *Contact) ([]Contact, error) {
	same := func(text string) string { return cmp.Or(coreName(text), fold(text)) }
	want := same(c.ClientText)
	if want == "" {
		return nil, nil
	}
	ids := []int64{}
	err := t.rows(`SELECT id, client_text FROM contacts WHERE client_id IS NULL AND client_text <> '' AND id <> $1`, []any{c.ID}, func(scan func(...any) error) error {
		var id int64
		var text string
		if err := scan(&id, &text); err != nil {
			return err
		}
		if same(text) == want {
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return t.contacts(`WHERE c.id IN `+t.s.dialect.ids("$1")+` ORDER BY c.start_at DESC, c.id DESC LIMIT $2`, asJSON(ids), maxAlike)
}

func (t *tx) registerContact(actor Actor, contact int64, r Registration) (m Merge, err error) {
	if err := t.filesAlone(); err != nil {
		return m, err
	}
	if err := t.lock("contacts", contact); err != nil {
		return m, err
	}
	c, err := t.contact(contact)
	if err != nil {
		return m, err
	}
	it := contactAsItem(&c)
	if err := t.mayEdit(actor, &it); err != nil {
		return m, err
	}
	if c.ClientID != 0 {
		return m, invalid("contact", "has a client: %q", clip(c.ClientName, 80))
	}
	points, err := r.points()
	if err != nil {
		return m, err
	}
	contacts := []Contact{c}
	if r.Alike {
		found, err := t.alike(&c)
		if err != nil {
			return m, err
		}
		for _, one := range found {
			it := contactAsItem(&one)
			if err := t.mayEdit(actor, &it); err == nil {
				contacts = append(contacts, one)
			} else if ignoreNotFound(err) != nil {
				return m, err
			}
		}
	}
	client, err := t.registrant(actor, &c, r)
	if err != nil {
		return m, err
	}
	did := mergeDid{Made: r.ClientID == 0, Points: slices.DeleteFunc(points, func(p mergedPoint) bool {
		return slices.Contains(map[string][]string{"email": client.Emails, "domain": client.Domains}[p.Kind], p.Value)
	})}
	m = Merge{At: t.now, Kind: RegisteredText, ClientID: client.ID, Client: client.Name, Gone: clip(c.ClientText, 500), By: actor.ManagerID}
	if m.ID, err = t.noteMerge(actor, m, did); err != nil {
		return m, err
	}
	// Letters that a folder includes are of the address now, too.
	byPoint, err := t.unlinkedOf(did.Points)
	if err != nil {
		return m, err
	}
	for _, id := range byPoint {
		if slices.ContainsFunc(contacts, func(one Contact) bool { return one.ID == id }) {
			continue
		}
		one, err := t.contact(id)
		if err != nil {
			return m, err
		}
		if one.ClientID == 0 {
			contacts = append(contacts, one)
		}
	}
	for i, one := range contacts {
		linked, err := t.linkContact(actor, m.ID, one, client)
		switch {
		case err != nil:
			return m, err
		case linked:
			did.Counts.Contacts++
		case i == 0:
			return m, invalid("contact", "its letter has a contact with %q already", clip(client.Name, 80))
		}
	}
	m.tell(did)
	if _, err := t.exec(`UPDATE merges SET did = $1 WHERE id = $2`, asJSON(did), m.ID); err != nil {
		return m, err
	}
	if len(did.Points) > 0 {
		for _, p := range did.Points {
			if err := t.register(p.Kind, []string{p.Value}, nil); err != nil {
				return m, err
			}
		}
		if err := errors.Join(t.addPoints(client.ID, did.Points), t.directoryChanged()); err != nil {
			return m, err
		}
	}
	c2 := changes{}
	c2.note("registered", "", m.Gone)
	for _, p := range did.Points {
		c2.note(p.Kind+"s", "", p.Value)
	}
	return m, t.remember(actor, "client", client.ID, "registered", c2)
}

// points are the address and the domain that are registered.
func (r *Registration) points() (out []mergedPoint, err error) {
	if r.Address != "" {
		a, err := Address(r.Address)
		if err != nil {
			return nil, invalid("address", "%v", err)
		}
		out = append(out, mergedPoint{"email", a})
	}
	if r.Domain != "" {
		d, err := Domain(strings.TrimPrefix(r.Domain, "@"))
		if err != nil {
			return nil, invalid("domain", "%v", err)
		}
		if FreeMail()[d] {
			return nil, invalid("domain", "%s is free mail: it stands for no company", d)
		}
		out = append(out, mergedPoint{"domain", d})
	}
	return out, nil
}

// registrant is the client that the contacts become.
func (t *tx) registrant(actor Actor, c *Contact, r Registration) (client Client, err error) {
	if r.ClientID != 0 {
		if client, err = t.client(r.ClientID); err != nil {
			return client, err
		}
		if actor.ManagerID == 0 {
			return client, nil
		}
		m, err := t.manager("m.id = $1", actor.ManagerID)
		if err != nil {
			return client, err
		}
		return client, t.seesClient(m, client)
	}
	row := ClientRow{ID: r.Key, Name: cmp.Or(strings.TrimSpace(r.Name), c.ClientText)}
	if row.ID == "" {
		row.ID = "intouch-" + strings.ToLower(rand.Text()[:12])
	}
	if id, err := t.saved("clients", strings.TrimSpace(clean(row.ID))); err != nil || id != 0 {
		return client, cmp.Or(err, invalid("key", "another client has the key %q", clip(row.ID, 80)))
	}
	if by := cmp.Or(c.ManagerID, actor.ManagerID); by != 0 {
		m, err := t.manager("m.id = $1", by)
		if err != nil {
			return client, err
		}
		row.Manager = m.Login
	}
	im := &Import{t: t, actor: actor}
	if _, err := im.Client(row); err != nil {
		return client, err
	}
	if err := im.finish(); err != nil {
		return client, err
	}
	id, err := t.saved("clients", strings.TrimSpace(clean(row.ID)))
	if err != nil {
		return client, err
	}
	return t.client(id)
}

// unlinkedOf are the client-less letters of addresses and domains.
func (t *tx) unlinkedOf(points []mergedPoint) ([]int64, error) {
	found := map[int64]bool{}
	for _, p := range points {
		column := map[string]string{"email": "address", "domain": "domain"}[p.Kind]
		err := t.rows(`SELECT contact_id FROM unlinked WHERE `+column+` = $1`, []any{p.Value}, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			found[id] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return sortedKeys(found), nil
}

// unregister gives the contacts of a registering their free text back. A
// client that it made goes, unless it has got more since: then it stays.
func (t *tx) unregister(actor Actor, m Merge, did mergeDid) (stays bool, err error) {
	if err := t.touchClient(m.ClientID); err != nil {
		return false, err
	}
	err = t.merged(m.ID, "registered", func(record string, was []byte) error {
		var r registered
		if err := json.Unmarshal(was, &r); err != nil {
			return err
		}
		c, err := t.contact(number(record))
		if err != nil || c.ClientID != m.ClientID {
			return err // somebody gave it another client
		}
		n, err := t.exec(`UPDATE contacts SET client_id = NULL, client_text = $1, manager_id = $2, importance = $3, changed = $4, version = version + 1
			WHERE id = $5 AND (message_key = '' OR NOT EXISTS (SELECT 1 FROM contacts o WHERE o.message_key = contacts.message_key AND o.client_id IS NULL))`,
			r.Text, ref(r.ManagerID), string(r.Importance), t.now.Unix(), c.ID)
		if err != nil || n == 0 {
			return err
		}
		if err := t.relist("($1)", c.ID); err != nil {
			return err
		}
		if err := t.remember(actor, "contact", c.ID, "changed", changes{"client": {idText(m.ClientID), ""}}); err != nil {
			return err
		}
		return t.touchRegistered(c)
	})
	if err != nil {
		return false, err
	}
	if err := errors.Join(t.partMembers(m.ID), t.giveBack(m.ID, "unlinked")); err != nil {
		return false, err
	}
	for _, p := range did.Points {
		if _, err := t.exec(`DELETE FROM client_points WHERE client_id = $1 AND kind = $2 AND value = $3`, m.ClientID, p.Kind, p.Value); err != nil {
			return false, err
		}
	}
	c := changes{}
	c.note("registered", m.Gone, "")
	if err := t.remember(actor, "client", m.ClientID, "unregistered", c); err != nil || !did.Made {
		return false, err
	}
	for _, r := range append(slices.Clone(clientRows), clientTable{name: "client_points"}) {
		err := t.row(`SELECT EXISTS (SELECT 1 FROM `+r.name+` WHERE client_id = $1)`, []any{m.ClientID}, &stays)
		if err != nil || stays {
			return stays, err
		}
	}
	_, err = t.exec(`DELETE FROM clients WHERE id = $1`, m.ClientID)
	return false, err
}
