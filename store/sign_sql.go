package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// noteSkipped files what a letter says that is no contact itself: an answer to
// an invitation, a bounce, the date of somebody's return.
func (t *tx) noteSkipped(l *FiledLetter) error {
	if l.Invitation != nil && l.Invitation.Method == InvitationReply {
		if err := t.answer(l.Invitation); err != nil {
			return err
		}
	}
	if l.Bounce != nil {
		if err := t.bounce(l.Bounce, l.Date); err != nil {
			return err
		}
	}
	if l.Away != "" && l.FromAddress != "" {
		return t.noteAway(l)
	}
	return nil
}

// batchSigns are what the captured letters of a batch say, as far as one look
// serves for all of them.
type batchSigns struct {
	heard map[string]time.Time // addresses of persons, and when they last wrote
	out   []string             // keys of letters out
	plain []string             // keys of letters without an invitation of their own
}

// noteCaptured files what a captured letter says beside its text.
func (t *filing) noteCaptured(l *FiledLetter) error {
	b := &t.signs
	switch {
	case l.Direction == Out:
		b.out = append(b.out, l.Key)
	case l.Direction == In && l.Date.After(b.heard[l.FromAddress]):
		for _, client := range l.Clients {
			if _, person := t.persons[client][l.FromAddress]; person {
				if b.heard == nil {
					b.heard = map[string]time.Time{}
				}
				b.heard[l.FromAddress] = l.Date
			}
		}
	}
	if l.Invitation == nil {
		b.plain = append(b.plain, l.Key)
		return nil
	}
	for _, client := range l.Clients {
		if err := t.invite(client, l); err != nil {
			return err
		}
	}
	return nil
}

// noteBatch notes who was heard of, and what came before the letters of the
// batch: their bounces, when INBOX was read before Sent, and their invitations,
// when they lie in another mailbox too.
func (t *filing) noteBatch() error {
	b := &t.signs
	for _, address := range slices.Sorted(maps.Keys(b.heard)) {
		if err := t.hear(address, b.heard[address]); err != nil {
			return err
		}
	}
	each := func(table string, keys []string, note func(key string) error) error {
		if len(keys) == 0 {
			return nil
		}
		var found []string
		err := t.rows(`SELECT DISTINCT message_key FROM `+table+` WHERE message_key <> '' AND message_key IN `+t.s.dialect.texts("$1")+` ORDER BY message_key`,
			[]any{asJSON(keys)}, func(scan func(...any) error) error {
				var key string
				err := scan(&key)
				found = append(found, key)
				return err
			})
		for _, key := range found {
			if err == nil {
				err = note(key)
			}
		}
		return err
	}
	if err := each("bounces", b.out, t.bouncedLetter); err != nil {
		return err
	}
	return each("invitations", b.plain, t.joinInvitation)
}

// resign works out anew what other letters say about a contact. It changes
// nothing that people edit, so the version stays: a calendar program's edit of
// the contact meanwhile is no conflict.
func (t *tx) resign(contactID int64) error {
	c, err := t.contact(contactID)
	if err != nil {
		return err
	}
	var signs []Sign
	if c.MessageKey != "" {
		signs, err = t.bounceSigns(c.MessageKey)
	} else {
		signs, err = t.meetingSigns(contactID)
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(signs, func(a, b Sign) int {
		return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(a.Who+a.Of, b.Who+b.Of))
	})
	signs = signs[:min(len(signs), maxSigns)]
	d := changes{}
	for _, s := range signs {
		if !slices.ContainsFunc(c.Signs, func(o Sign) bool { return sameSign(o, s) }) {
			d.note(string(s.Kind), "", strings.TrimPrefix(d[string(s.Kind)][1]+", "+s.words(), ", "))
		}
	}
	if len(d) == 0 && len(signs) == len(c.Signs) {
		return nil
	}
	if signs == nil {
		signs = []Sign{}
	}
	if _, err := t.exec(`UPDATE contacts SET signs = $1 WHERE id = $2`, asJSON(signs), contactID); err != nil {
		return err
	}
	if c.MessageKey == "" { // letters are kept out of calendars
		t.touch(ItemKey{ID: contactID})
	}
	if len(d) == 0 {
		return nil
	}
	return t.remember(Actor{Origin: FromMail}, "contact", contactID, "noted", d)
}

// sameSign tells whether a sign is the one that is there.
func sameSign(a, b Sign) bool {
	if (a.To == nil) != (b.To == nil) || a.To != nil && !sameSpan(*a.To, *b.To) {
		return false
	}
	return a.Kind == b.Kind && a.Who == b.Who && a.What == b.What && a.Of == b.Of && a.At == b.At
}

// words are the sign without its kind, for the history.
func (s Sign) words() string {
	parts := []string{cmp.Or(s.Who, s.Of), s.What}
	if s.To != nil {
		parts = append(parts, "→ "+spanText(*s.To))
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// meetingSigns are the answers to an invitation, and the single occurrences
// that differ.
func (t *tx) meetingSigns(contactID int64) (signs []Sign, err error) {
	var r invitation
	err = t.row(`SELECT uid, client_id, sequence, stamp, message_key FROM invitations WHERE contact_id = $1 ORDER BY uid LIMIT 1`, []any{contactID},
		&r.uid, &r.client, &r.request.Sequence, timeInto{&r.request.Stamp}, &r.key)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	err = t.rows(`SELECT address, answer, stamp FROM invitation_answers WHERE uid = $1 ORDER BY stamp DESC, address LIMIT $2`, []any{r.uid, maxSigns}, func(scan func(...any) error) error {
		var s Sign
		err := scan(&s.Who, &s.Kind, &s.At)
		signs = append(signs, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	list, err := t.occurrences(&r)
	for _, o := range list {
		s := Sign{Kind: SignDropped, Of: o.Of, At: unix(o.Revision.Stamp)}
		if !o.Cancelled {
			s.Kind, s.To = SignMoved, &o.When
		}
		signs = append(signs, s)
	}
	if err != nil {
		return nil, err
	}
	// Whoever of ours has answered owes the letter no other answer.
	_, err = t.exec(`UPDATE contacts SET dismissed = TRUE WHERE message_key = $1 AND message_key <> '' AND direction = 'in' AND NOT dismissed
		AND EXISTS (SELECT 1 FROM invitation_answers a JOIN manager_addresses m ON m.address = a.address WHERE a.uid = $2)`, r.key, r.uid)
	return signs, err
}

// hear notes that mail came from an address: an older bounce of it no longer
// counts.
func (t *tx) hear(address string, at time.Time) error {
	return t.pointChanged(`UPDATE person_points SET heard = $1 WHERE kind = 'email' AND value = $2 AND heard < $1 RETURNING person_id, bounced > 0`, unix(at), clean(address))
}

// pointChanged runs an UPDATE of person_points that returns persons, and
// whether what is shown of them may have changed.
func (t *tx) pointChanged(query string, args ...any) error {
	var persons []int64
	err := t.rows(query, args, func(scan func(...any) error) error {
		var id int64
		var shown bool
		err := scan(&id, &shown)
		if shown {
			persons = append(persons, id)
		}
		return err
	})
	for _, id := range persons {
		if err == nil {
			err = t.touchPerson(id)
		}
	}
	return err
}

// touchPerson marks what shows something of a person.
func (t *tx) touchPerson(id int64) error {
	var client int64
	if err := t.row(`SELECT client_id FROM persons WHERE id = $1`, []any{id}, &client); err != nil {
		return err
	}
	return t.touchClient(client)
}

// noteAway notes until when the sender of an auto-reply is away; what was
// written last counts.
func (t *tx) noteAway(l *FiledLetter) error {
	if _, err := ParseDate(string(l.Away)); err != nil {
		return nil
	}
	type found struct {
		id  int64
		was string
	}
	var persons []found
	err := t.rows(`SELECT p.id, p.away_until FROM persons p WHERE p.away_said < $1 AND p.id IN (SELECT person_id FROM person_points WHERE kind = 'email' AND value = $2) ORDER BY p.id`,
		[]any{unix(l.Date), clean(l.FromAddress)}, func(scan func(...any) error) error {
			var f found
			err := scan(&f.id, &f.was)
			persons = append(persons, f)
			return err
		})
	if err != nil {
		return err
	}
	for _, p := range persons {
		if _, err := t.exec(`UPDATE persons SET away_until = $1, away_said = $2 WHERE id = $3`, string(l.Away), unix(l.Date), p.id); err != nil {
			return err
		}
		if p.was == string(l.Away) {
			continue
		}
		d := changes{}
		d.note("away_until", p.was, string(l.Away))
		if err := t.remember(Actor{Origin: FromMail}, "person", p.id, "noted", d); err != nil {
			return err
		}
		if err := t.touchPerson(p.id); err != nil {
			return err
		}
	}
	return nil
}
