package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
)

// countStrangers counts the strangers of a letter that was captured just now.
func (t *filing) countStrangers(l *FiledLetter) {
	hearLetter(t.heard, l.Addresses, func(a string) bool {
		return t.managers[a] != 0 || slices.ContainsFunc(l.Clients, func(c int64) bool { return t.persons[c][a].ID != 0 })
	}, l.Names, l.Clients, unix(l.Date))
}

// hearLetter counts the parties of a letter who are nobody that is known.
func hearLetter(all map[string]*heard, parties []string, known func(string) bool, names map[string]string, clients []int64, at int64) {
	var strangers []string
	for _, a := range parties {
		if !known(a) && !slices.Contains(strangers, a) {
			if strangers = append(strangers, a); len(strangers) > maxHeard {
				return
			}
		}
	}
	for _, a := range strangers {
		if isRobot(a) {
			continue
		}
		h := all[a]
		if h == nil {
			h = &heard{letters: map[string]int64{}}
			all[a] = h
		}
		if len(clients) == 1 {
			h.client = clients[0]
		}
		h.letters[heardName(names[a])]++
		h.last = max(h.last, at)
	}
}

// saveHeard adds up what was heard of addresses that are nobody's yet, and
// offers them. Those that are ours, blocked or somebody's are left out.
func (t *tx) saveHeard(all map[string]*heard) error {
	if len(all) == 0 {
		return nil
	}
	addresses := slices.Sorted(maps.Keys(all))
	texts := t.s.dialect.texts("$1")
	forget := func(scan func(...any) error) error {
		var address string
		err := scan(&address)
		delete(all, address)
		return err
	}
	for _, query := range []string{
		`SELECT value FROM person_points WHERE kind = 'email' AND value IN ` + texts,
		`SELECT value FROM client_points WHERE kind = 'email' AND value IN ` + texts,
		`SELECT address FROM manager_addresses WHERE address IN ` + texts,
	} {
		if err := t.rows(query, []any{asJSON(addresses)}, forget); err != nil {
			return err
		}
	}
	for _, a := range addresses {
		if erased, err := t.wasErased([]string{a}, nil); err != nil {
			return err
		} else if erased {
			delete(all, a)
		}
	}
	offers := map[string]bookEntry{}
	found, err := t.bookEntries(`WHERE e.key IN `+texts+` AND e.book = $2`, asJSON(addresses), MailBook)
	if err != nil {
		return err
	}
	for _, e := range found {
		offers[e.key] = e
	}
	im := &Import{t: t, actor: Actor{Origin: FromMail}}
	for _, address := range addresses {
		h := all[address]
		if h == nil {
			continue
		}
		if ours, err := t.ours([]string{address}); err != nil || ours {
			if err != nil {
				return err
			}
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(h.letters)) {
			if _, err := t.exec(`INSERT INTO correspondents (address, name, letters, last) VALUES ($1, $2, $3, $4)
				ON CONFLICT (address, name) DO UPDATE SET letters = correspondents.letters + $3, last = CASE WHEN correspondents.last > $4 THEN correspondents.last ELSE $4 END`,
				address, name, h.letters[name], h.last); err != nil {
				return err
			}
		}
		old, there := offers[address]
		if h.client == 0 || there && old.state != offered {
			continue // with several clients at once, nobody's in particular; or decided
		}
		name := ""
		err := t.row(`SELECT name FROM correspondents WHERE address = $1 AND name <> '' ORDER BY letters DESC, last DESC, name LIMIT 1`, []any{address}, &name)
		if ignoreNotFound(err) != nil {
			return err
		}
		if there && old.said.Name == name {
			continue
		}
		var invalid *Invalid
		_, err = im.BookPerson(BookOptions{Book: MailBook, OfferOnly: true, ClientID: h.client}, BookPerson{Key: address, Name: name, Emails: []string{address}})
		if err != nil && !errors.As(err, &invalid) { // what mailsync could read is no address here
			return err
		}
	}
	return nil
}

// unhear forgets whoever was heard of in one letter alone, which is not to be
// recorded after all. Of others the number stays: it says no more than that.
func (t *filing) unhear(key string) error {
	var parties, once []string
	err := t.row(`SELECT parties FROM letter_texts WHERE message_key = $1 AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.message_key = $1 AND l.outcome = 'captured')`, []any{key}, jsonInto{&parties})
	if err != nil || len(parties) == 0 {
		return ignoreNotFound(err)
	}
	texts := t.s.dialect.texts("$1")
	err = t.rows(`SELECT address FROM correspondents WHERE address IN `+texts+` GROUP BY address HAVING SUM(letters) = 1`, []any{asJSON(parties)}, func(scan func(...any) error) error {
		var address string
		err := scan(&address)
		once = append(once, address)
		return err
	})
	if err != nil || len(once) == 0 {
		return err
	}
	if _, err := t.exec(`DELETE FROM correspondents WHERE address IN `+texts, asJSON(once)); err != nil {
		return err
	}
	return t.forgetOffered(once)
}

// counted is how often an address takes part in captured letters.
func (t *tx) counted(address string) (c Counted, err error) {
	err = t.row(`SELECT COALESCE(SUM(letters), 0), COALESCE(MAX(last), 0) FROM correspondents WHERE address = $1`, []any{address}, &c.Letters, timeInto{&c.Last})
	return c, err
}

// forgetOffered takes back what the mailbox offered of addresses that are a
// person's now.
func (t *tx) forgetOffered(emails []string) error {
	if len(emails) == 0 {
		return nil
	}
	_, err := t.exec(`DELETE FROM book_entries WHERE book = $2 AND state = 'offered' AND key IN `+t.s.dialect.texts("$1"), asJSON(emails), MailBook)
	return err
}

// CountCorrespondents counts the letters that were captured by a version that
// did not, a thousand in a transaction; interrupted, it goes on where it was.
func (s *Store) CountCorrespondents(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.write(ctx, func(t *tx) error {
			var span [2]int64 // the contact counted last, and the last one to count
			err := t.row(`SELECT value FROM settings WHERE name = 'correspondents'`, nil, jsonInto{&span})
			if more = err == nil && span[0] < span[1]; !more {
				return ignoreNotFound(err)
			}
			all, last, err := t.heardBefore(span[0], span[1])
			if err != nil {
				return err
			}
			if err := t.saveHeard(all); err != nil {
				return err
			}
			_, err = t.exec(`UPDATE settings SET value = $1 WHERE name = 'correspondents'`, asJSON([2]int64{last, span[1]}))
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// heardBefore hears the letters of up to a thousand contacts after one. How
// their parties were called is known only of those who wrote before anybody
// knew them.
func (t *tx) heardBefore(after, end int64) (all map[string]*heard, last int64, err error) {
	const page = 1000
	type letter struct {
		client, at int64
		parties    []string
	}
	var letters []letter
	var addresses []string
	last = end
	// A letter with several clients is counted for the first of its contacts.
	err = t.rows(`SELECT c.id, c.client_id, c.start_at, l.parties FROM contacts c JOIN letter_texts l ON l.message_key = c.message_key
		WHERE c.id > $1 AND c.id <= $2 AND c.message_key <> '' AND c.client_id IS NOT NULL AND NOT c.private AND c.state <> 'cancelled'
		AND NOT EXISTS (SELECT 1 FROM contacts o WHERE o.message_key = c.message_key AND o.client_id IS NOT NULL AND o.id < c.id)
		ORDER BY c.id LIMIT $3`, []any{after, end, page}, func(scan func(...any) error) error {
		var id int64
		var l letter
		err := scan(&id, &l.client, &l.at, jsonInto{&l.parties})
		if letters = append(letters, l); len(letters) == page {
			last = id
		}
		addresses = append(addresses, l.parties...)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	ours, names := map[string]bool{}, map[string]string{}
	texts := t.s.dialect.texts("$1")
	err = errors.Join(
		t.rows(`SELECT address FROM manager_addresses WHERE address IN `+texts, []any{asJSON(distinct(append([]string{}, addresses...)))}, func(scan func(...any) error) error {
			var address string
			err := scan(&address)
			ours[address] = true
			return err
		}),
		t.rows(`SELECT address, name FROM senders WHERE name <> '' AND address IN `+texts+` ORDER BY last`, []any{asJSON(distinct(append([]string{}, addresses...)))}, func(scan func(...any) error) error {
			var address, name string
			err := scan(&address, &name)
			names[address] = name
			return err
		}))
	if err != nil {
		return nil, 0, err
	}
	all = map[string]*heard{}
	for _, l := range letters {
		hearLetter(all, l.parties, func(a string) bool { return ours[a] }, names, []int64{l.client}, l.at)
	}
	return all, last, nil
}

// ClientOffers are the offers of a client that the viewer may decide about:
// whoever takes part in most letters first; 500 at most.
func (s *Store) ClientOffers(ctx context.Context, viewer Manager, clientID int64) (out []Offer, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.clientOffers(viewer, clientID)
		return err
	})
	return out, err
}

func (t *tx) clientOffers(viewer Manager, clientID int64) (out []Offer, err error) {
	found, err := t.bookEntries(`WHERE e.state = 'offered' AND `+decides+` AND e.client_id = $3 ORDER BY e.id LIMIT 500`, append(whose(viewer), clientID)...)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		o, err := t.offer(e)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b Offer) int {
		return cmp.Or(cmp.Compare(b.Counted.Letters, a.Counted.Letters), b.Counted.Last.Compare(a.Counted.Last))
	})
	return out, nil
}

// DecideCorrespondents accepts, or refuses, all correspondents of a client
// that are offered to the viewer. Those who may be a person already are left
// to be decided one by one. n is how many were decided.
func (s *Store) DecideCorrespondents(ctx context.Context, viewer Manager, actor Actor, clientID int64, accept bool) (n int, err error) {
	offers, err := s.ClientOffers(ctx, viewer, clientID)
	if err != nil {
		return 0, err
	}
	for _, o := range offers {
		if o.Why != Correspondent {
			continue
		}
		if accept {
			_, err = s.AcceptOffer(ctx, viewer, actor, o.ID, Acceptance{})
		} else {
			err = s.RefuseOffer(ctx, viewer, o.ID)
		}
		if errors.Is(err, ErrNotFound) { // somebody was faster
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// UnknownSender is who wrote to the viewer, or to a shared mailbox, to a head
// to anybody, from that address and is no person. ErrNotFound: nobody.
func (s *Store) UnknownSender(ctx context.Context, viewer Manager, address string) (x Sender, err error) {
	err = s.read(ctx, func(t *tx) error {
		x, err = t.unknownSender(viewer, address)
		return err
	})
	return x, err
}

func (t *tx) unknownSender(viewer Manager, address string) (x Sender, err error) {
	err = t.row(`SELECT address, name, letters, first, last, subject FROM senders WHERE address = $3 AND ($1 OR manager_id IN (0, $2))
		AND NOT EXISTS (SELECT 1 FROM person_points p WHERE p.kind = 'email' AND p.value = $3) ORDER BY last DESC LIMIT 1`, append(whose(viewer), address),
		&x.Address, &x.Name, &x.Letters, timeInto{&x.First}, timeInto{&x.Last}, &x.Subject)
	return x, err
}

// AcceptSender makes a person of an unknown sender, whose letters are fetched
// then. ErrNotFound: nobody unknown to the viewer wrote from that address;
// else as AcceptOffer.
func (s *Store) AcceptSender(ctx context.Context, viewer Manager, actor Actor, address string, as Acceptance) (p Person, err error) {
	err = s.write(ctx, func(t *tx) error {
		id, err := t.offerSender(viewer, address)
		if err == nil {
			p, err = t.acceptOffer(viewer, actor, id, as)
		}
		return err
	})
	return p, err
}

// RefuseSender notes that an unknown sender is nobody at a client; they are
// listed no more. ErrNotFound as AcceptSender.
func (s *Store) RefuseSender(ctx context.Context, viewer Manager, address string) error {
	return s.write(ctx, func(t *tx) error {
		id, err := t.offerSender(viewer, address)
		if err != nil {
			return err
		}
		return t.refuseOffer(viewer, id)
	})
}

// offerSender makes an offer of an unknown sender, for its decision to be kept
// as that of any other.
func (t *tx) offerSender(viewer Manager, address string) (id int64, err error) {
	who, err := t.unknownSender(viewer, address)
	if err != nil {
		return 0, err
	}
	e := newEntry{opt: BookOptions{Book: MailBook, ManagerID: viewer.ID}, key: address, said: BookPerson{Key: address, Name: heardName(who.Name), Emails: []string{address}}, at: place{why: UnknownClient}}
	if _, err := t.saveEntry(&e); err != nil {
		return 0, err
	}
	err = t.row(`SELECT id FROM book_entries WHERE book = $1 AND key = $2`, []any{MailBook, address}, &id)
	return id, err
}
