package store

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Letters that a folder includes although nobody knows their parties: one
// contact without a client, which finds its client when one of the addresses
// is registered.

// noteUnlinked keeps the addresses by which a client-less letter is found.
func (t *tx) noteUnlinked(contactID int64, outsiders []string) error {
	for _, a := range outsiders[:min(len(outsiders), 100)] {
		forms := []string{clip(clean(a), 320)}
		at := strings.LastIndexByte(forms[0], '@')
		if at < 0 {
			continue
		}
		if plus := strings.IndexByte(forms[0], '+'); plus > 0 && plus < at { // RFC 5233
			forms = append(forms, forms[0][:plus]+forms[0][at:])
		}
		for _, form := range forms {
			if _, err := t.exec(`INSERT INTO unlinked (address, domain, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, form, forms[0][at+1:], contactID); err != nil {
				return err
			}
		}
	}
	return nil
}

// UnlinkedEntries are what a manager wrote into the own calendars since a moment
// and what has found no client, newest first. What stands in calendars that
// people make for themselves is nobody's business.
func (s *Store) UnlinkedEntries(ctx context.Context, managerID int64, since time.Time, limit int) (out []Contact, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.contacts(`WHERE c.client_id IS NULL AND c.origin = 'calendar' AND c.created >= $1 AND c.client_text = '' AND NOT c.private
			AND c.state IN ('planned', 'postponed', 'done') AND EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id = $2)
			AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.item = 'c' || c.id)
			ORDER BY c.created DESC, c.id DESC LIMIT $3`, since.Unix(), managerID, limit)
		return err
	})
	return out, err
}

// linkLetters gives a client the client-less letters of its addresses and
// domains.
func (t *tx) linkLetters(actor Actor, clientID int64, addresses, domains []string) error {
	found := map[int64]bool{}
	note := func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		found[id] = true
		return err
	}
	if len(addresses) > 0 {
		if err := t.rows(`SELECT contact_id FROM unlinked WHERE address IN `+t.s.dialect.texts("$1"), []any{asJSON(addresses)}, note); err != nil {
			return err
		}
	}
	if len(domains) > 0 {
		byDomain := map[string][]int64{}
		err := t.rows(`SELECT domain, contact_id FROM unlinked WHERE domain IN `+t.s.dialect.texts("$1"), []any{asJSON(domains)}, func(scan func(...any) error) error {
			var domain string
			var id int64
			err := scan(&domain, &id)
			byDomain[domain] = append(byDomain[domain], id)
			return err
		})
		if err != nil {
			return err
		}
		if len(byDomain) > 0 {
			free := FreeMail()
			for domain, ids := range byDomain {
				for _, id := range ids {
					if !free[domain] { // stands for no company, rule 5
						found[id] = true
					}
				}
			}
		}
	}
	for _, id := range sortedKeys(found) {
		if err := t.linkLetter(actor, id, clientID); err != nil {
			return err
		}
	}
	return nil
}

// linkLetter gives a client-less letter its client.
func (t *tx) linkLetter(actor Actor, contactID, clientID int64) error {
	c, err := t.contact(contactID)
	if err != nil {
		return err
	}
	if c.ClientID != 0 { // somebody linked it
		_, err := t.exec(`DELETE FROM unlinked WHERE contact_id = $1`, contactID)
		return err
	}
	client, err := t.client(clientID)
	if err != nil {
		return err
	}
	_, err = t.linkContact(actor, 0, c, client)
	return err
}

// linkContact gives a contact without a client its client; false where it is
// of a letter that has a contact with this client. What changes is noted for a
// merge, 0: none.
func (t *tx) linkContact(actor Actor, merge int64, c Contact, client Client) (bool, error) {
	if merge != 0 {
		if err := t.take(merge, "unlinked", []string{"address", "contact_id"}, "contact_id = $1", c.ID); err != nil {
			return false, err
		}
	}
	if _, err := t.exec(`DELETE FROM unlinked WHERE contact_id = $1`, c.ID); err != nil {
		return false, err
	}
	var one int
	err := t.row(`SELECT 1 FROM contacts WHERE message_key = $1 AND client_id = $2 AND message_key <> ''`, []any{c.MessageKey, client.ID}, &one)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if err := t.noteRow(merge, "registered", idText(c.ID), registered{c.ClientText, c.ManagerID, c.Importance}); err != nil {
		return false, err
	}
	if c.ManagerID == 0 && client.ManagerID != 0 {
		c.ManagerID = client.ManagerID
		if err := t.joinManager(merge, c.ID, c.ManagerID); err != nil {
			return false, err
		}
	}
	if c.MessageKey != "" {
		c.Importance = client.Importance
	}
	if _, err := t.exec(`UPDATE contacts SET client_id = $1, client_text = '', manager_id = $2, importance = $3, changed = $4, version = version + 1 WHERE id = $5`,
		client.ID, ref(c.ManagerID), string(c.Importance), t.now.Unix(), c.ID); err != nil {
		return false, err
	}
	if err := t.relist("($1)", c.ID); err != nil {
		return false, err
	}
	var parties []string
	if err := t.row(`SELECT parties FROM letter_texts WHERE message_key = $1`, []any{c.MessageKey}, jsonInto{&parties}); ignoreNotFound(err) != nil {
		return false, err
	}
	persons, err := t.personsOf(client.ID, append([]string{}, parties...))
	if err != nil {
		return false, err
	}
	for _, p := range persons {
		if err := t.joinPerson(merge, c.ID, p); err != nil {
			return false, err
		}
	}
	if err := t.remember(actor, "contact", c.ID, "changed", changes{"client": {"", idText(client.ID)}}); err != nil {
		return false, err
	}
	if err := t.touchRegistered(c); err != nil {
		return false, err
	}
	return true, t.touchClient(client.ID) // "last contacts" in the calendars
}

// touchRegistered marks a contact whose client changed: one that is planned may
// belong into a client's saved filter now.
func (t *tx) touchRegistered(c Contact) error {
	if c.State == Planned || c.State == Postponed {
		t.touch(ItemKey{ID: c.ID})
		return nil
	}
	return t.touchShown(ItemKey{ID: c.ID})
}

// personsOf are the persons of a client among the addresses of a letter.
func (t *tx) personsOf(clientID int64, addresses []string) (out []PersonRef, err error) {
	err = t.rows(`SELECT p.id, MIN(pp.value) FROM person_points pp JOIN persons p ON p.id = pp.person_id
		WHERE pp.kind = 'email' AND p.client_id = $1 AND pp.value IN `+t.s.dialect.texts("$2")+` GROUP BY p.id ORDER BY p.id`, []any{clientID, asJSON(addresses)},
		func(scan func(...any) error) error {
			var p PersonRef
			err := scan(&p.ID, &p.Email)
			out = append(out, p)
			return err
		})
	return out, err
}

// addSender makes the sender of a letter a person of the client whose domain
// decided (rules.md section 3, rule 5).
func (t *tx) addSender(n *NewPerson) error {
	address, err := Address(n.Address)
	if err != nil {
		return nil // what mailsync could read is no address here; the letter is filed all the same
	}
	// Two daemons may meet the same new sender at one moment.
	if err := t.lock("clients", n.ClientID); err != nil {
		return ignoreNotFound(err)
	}
	there, err := t.personsOf(n.ClientID, []string{address})
	if err != nil || len(there) > 0 {
		return err
	}
	if erased, err := t.wasErased([]string{address}, nil); err != nil || erased {
		return err
	}
	name := strings.TrimSpace(clip(clean(n.Name), 200))
	if name == "" {
		name = address
	}
	_, err = t.savePerson(Actor{Origin: FromMail}, 0, &Person{ClientID: n.ClientID, Name: name, Emails: []string{address}})
	return err
}
