package store

import (
	"slices"
	"strings"
	"time"
)

// Invitations come in any order: mailboxes are read newest first, and one
// letter lies in several. What each message says is kept with its revision
// (REQUEST and CANCEL apart), and the meeting follows from the newest of both,
// so that every order ends the same. A repeated or older one changes nothing.

// invitation is a row of invitations.
type invitation struct {
	uid             string
	client, contact int64
	request, cancel Revision // noRevision: none seen
	cancelled       bool     // the CANCEL has taken effect
	key             string   // letter of the newest REQUEST
	said            said
}

// said is what the newest REQUEST said, as far as a manager may have changed
// it since on the meeting.
type said struct {
	Title, Body string
	When        Span
	Rule        string // recurrence as the message has it
	Recurrence  string // with the occurrences that were cancelled or moved
}

// invite applies the invitation of a letter that was captured for a client.
func (t *tx) invite(clientID int64, l *FiledLetter) error {
	in := l.Invitation
	if in == nil || in.UID == "" || len(in.UID) > maxUID || in.Method != InvitationRequest && in.Method != InvitationCancel {
		return nil
	}
	found, err := t.contacts(`WHERE c.message_key = $1 AND c.client_id = $2 AND c.message_key <> ''`, l.Key, clientID)
	if err != nil || len(found) == 0 {
		return err // the client is gone since the snapshot of the directory
	}
	row, err := t.invitation(clean(in.UID), clientID)
	if err != nil {
		return err
	}
	was := row.said
	newest := false
	switch rev := in.Revision.bounded(); {
	case !in.Whole:
	case in.Method == InvitationRequest && rev.newer(row.request):
		newest = true
		row.request, row.key = rev, l.Key
		row.said = said{Title: clip(strings.TrimSpace(clean(in.Title)), maxSubject), Body: clip(strings.TrimSpace(clean(in.Body)), maxBody/2),
			When: in.When, Rule: clip(clean(in.Recurrence), maxBody)}
		if !sane(in.When) {
			row.said.When = Span{}
		}
	case in.Method == InvitationCancel && rev.newer(row.cancel):
		row.cancel = rev
	}
	for _, o := range in.Occurrences[:min(len(in.Occurrences), maxOccurrences)] {
		if err := t.noteOccurrence(&row, o); err != nil {
			return err
		}
	}
	if row.request != noRevision {
		if err := t.exceptions(&row); err != nil {
			return err
		}
		if row.contact == 0 {
			err = t.meet(&row, &found[0], in)
		} else {
			err = t.meetAgain(&row, was, newest, found[0].Managers)
		}
		if err != nil {
			return err
		}
	}
	if err := t.saveInvitation(&row); err != nil || row.contact == 0 {
		return err
	}
	return t.resign(row.contact)
}

// sane reports whether a contact may have that time: a letter whose invitation
// is refused would be tried for ever.
func sane(w Span) bool {
	if w.AllDay {
		_, err1 := ParseDate(string(w.First))
		_, err2 := ParseDate(string(w.Last))
		return err1 == nil && err2 == nil && w.First <= w.Last && w.Last < "2200"
	}
	return w.IsZero() || w.Start.Year() >= 1900 && w.End.Year() <= 2200 && !w.End.Before(w.Start) && w.End.Sub(w.Start) <= 366*24*time.Hour
}

func (r Revision) bounded() Revision {
	return Revision{min(max(r.Sequence, 0), maxSequence), r.Stamp.UTC().Truncate(time.Second)}
}

// effective reports whether the meeting is cancelled: by the newest message of
// all, of which a CANCEL goes before a REQUEST of the same revision.
func (r *invitation) effective() bool {
	return r.cancel != noRevision && !r.request.newer(r.cancel)
}

// invitation takes the row of a meeting for this transaction; it is made when
// there is none.
func (t *tx) invitation(uid string, clientID int64) (invitation, error) {
	row := invitation{uid: uid, client: clientID}
	if _, err := t.exec(`INSERT INTO invitations (uid, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, uid, clientID); err != nil {
		return row, err
	}
	err := t.row(`SELECT contact_id, sequence, stamp, cancel_sequence, cancel_stamp, cancelled, message_key, said FROM invitations
		WHERE uid = $1 AND client_id = $2`+t.s.dialect.forUpdate(), []any{uid, clientID}, idInto{&row.contact}, &row.request.Sequence, timeInto{&row.request.Stamp},
		&row.cancel.Sequence, timeInto{&row.cancel.Stamp}, &row.cancelled, &row.key, jsonInto{&row.said})
	return row, err
}

func (t *tx) saveInvitation(r *invitation) error {
	_, err := t.exec(`UPDATE invitations SET contact_id = $1, sequence = $2, stamp = $3, cancel_sequence = $4, cancel_stamp = $5, cancelled = $6, message_key = $7, said = $8
		WHERE uid = $9 AND client_id = $10`, ref(r.contact), r.request.Sequence, unix(r.request.Stamp), r.cancel.Sequence, unix(r.cancel.Stamp), r.cancelled, r.key, asJSON(r.said), r.uid, r.client)
	return err
}

// meet makes the meeting of an invitation's first REQUEST. It belongs to whom
// the letter belongs. A meeting that a manager has put into a calendar under
// its UID already is taken for it.
func (t *tx) meet(r *invitation, letter *Contact, in *Invitation) error {
	id, err := t.calendarCopy(r, letter.Managers)
	if err != nil {
		return err
	}
	if id != 0 {
		return t.adopt(r, id, letter)
	}
	c := Contact{UID: newUID(), Kind: Meeting, Direction: letter.Direction, State: Planned, Importance: letter.Importance, ClientID: r.client,
		ManagerID: letter.ManagerID, Managers: letter.Managers, Persons: letter.Persons, DealID: letter.DealID,
		Subject: r.said.Title, Body: r.said.Body, When: r.said.When, Recurrence: r.said.Recurrence, Origin: FromMail}
	if c.When, err = t.placed(c.When, c.ManagerID); err != nil {
		return err
	}
	if !c.When.AllDay {
		c.Minutes = min(int(c.When.End.Sub(c.When.Start).Minutes()), 60*24*366)
	}
	attendees := []string{}
	for _, a := range append(slices.Clone(in.Attendees), in.Organizer)[:min(len(in.Attendees)+1, 200)] {
		if a, err := Address(a); err == nil {
			attendees = append(attendees, clean(a))
		}
	}
	err = t.rows(`SELECT p.id, MIN(pp.value) FROM person_points pp JOIN persons p ON p.id = pp.person_id
		WHERE pp.kind = 'email' AND p.client_id = $1 AND pp.value IN `+t.s.dialect.texts("$2")+` GROUP BY p.id ORDER BY p.id`, []any{r.client, asJSON(attendees)},
		func(scan func(...any) error) error {
			var p PersonRef
			err := scan(&p.ID, &p.Email)
			if !slices.ContainsFunc(c.Persons, func(q PersonRef) bool { return q.ID == p.ID }) {
				c.Persons = append(c.Persons, p)
			}
			return err
		})
	if err != nil {
		return err
	}
	over := c.When.End
	if c.Recurrence != "" {
		over = in.Ends
	}
	switch {
	case r.effective():
		c.State, r.cancelled = Cancelled, true
	case !over.IsZero() && over.Before(t.now.Add(-longPast)):
		c.State, c.Completed = Done, over
	}
	if err := t.insertContact(&c, VEvent); err != nil {
		return err
	}
	r.contact = c.ID
	t.touch(ItemKey{ID: c.ID})
	return t.remember(Actor{Origin: FromMail}, "contact", c.ID, "created", nil)
}

// placed puts whole days into the zone of a manager.
func (t *tx) placed(w Span, managerID int64) (Span, error) {
	if !w.AllDay {
		return w, nil
	}
	loc := time.UTC
	m, err := t.manager("m.id = $1", managerID)
	if err == nil {
		loc = m.Location()
	}
	return Days(w.First, w.Last, loc), ignoreNotFound(err)
}

// meetAgain applies what is new to the meeting that is there. Of the
// organizer's words only those that changed are taken over, so that a
// manager's own time, title and notes stay until the organizer says otherwise.
func (t *tx) meetAgain(r *invitation, was said, newest bool, managers []int64) error {
	c, err := t.contact(r.contact)
	if err != nil {
		return err
	}
	var e ContactEdit
	if newest {
		if !sameSpan(r.said.When, was.When) {
			e.When = &r.said.When
		}
		if r.said.Title != was.Title {
			e.Subject = &r.said.Title
		}
		if r.said.Body != was.Body {
			body := newWords(c.Body, was.Body, r.said.Body)
			e.Body = &body
		}
	}
	if r.said.Recurrence != was.Recurrence {
		e.Recurrence = &r.said.Recurrence
	}
	state := c.State
	switch cancelled := r.effective(); {
	case cancelled && !r.cancelled:
		r.cancelled = true
		if c.State != Done { // a manager says that it took place
			state = Cancelled
		}
	case !cancelled && r.cancelled:
		r.cancelled = false
		if c.State == Cancelled {
			state = Planned
		}
	case !cancelled && e.When != nil && r.said.When.End.After(t.now):
		state = Planned // the organizer asks anew
	}
	if state != c.State {
		e.State = &state
	}
	if err := t.editContact(Actor{Origin: FromMail}, c, e); err != nil {
		return err
	}
	return t.joinMeeting(r.contact, managers)
}

func sameSpan(a, b Span) bool {
	if a.AllDay || b.AllDay {
		return a.AllDay == b.AllDay && a.First == b.First && a.Last == b.Last
	}
	return a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// newWords puts the organizer's new text for the old one in a body that a
// manager may have written into.
func newWords(body, old, new string) string {
	switch {
	case strings.TrimSpace(body) == strings.TrimSpace(old):
		return new
	case old != "" && strings.Contains(body, old):
		return clip(strings.Replace(body, old, new, 1), maxBody)
	case new == "":
		return body
	}
	return clip(strings.TrimRight(body, "\n ")+"\n\n"+new, maxBody)
}

// joinMeeting adds managers to a meeting.
func (t *tx) joinMeeting(contactID int64, managers []int64) error {
	joined := false
	for _, m := range managers {
		n, err := t.addManager(contactID, m)
		if err != nil {
			return err
		}
		joined = joined || n > 0
	}
	if joined {
		t.touch(ItemKey{ID: contactID})
	}
	return nil
}

// joinInvitation adds the managers of a letter that is known already to the
// meetings to which it invites: the same letter lies in another mailbox.
func (t *tx) joinInvitation(key string) error {
	type pair struct{ meeting, manager int64 }
	var pairs []pair
	err := t.rows(`SELECT i.contact_id, cm.manager_id FROM invitations i JOIN contacts c ON c.message_key = i.message_key AND c.client_id = i.client_id
		JOIN contact_managers cm ON cm.contact_id = c.id WHERE i.message_key = $1 AND i.message_key <> '' AND c.message_key <> '' AND i.contact_id IS NOT NULL`, []any{key},
		func(scan func(...any) error) error {
			var p pair
			err := scan(&p.meeting, &p.manager)
			pairs = append(pairs, p)
			return err
		})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := t.joinMeeting(p.meeting, []int64{p.manager}); err != nil {
			return err
		}
	}
	return nil
}

// answer notes the answers of a METHOD:REPLY on the meetings of its UID, those
// that are still to be read included.
func (t *tx) answer(in *Invitation) error {
	if in.UID == "" || len(in.UID) > maxUID {
		return nil
	}
	uid, changed := clean(in.UID), int64(0)
	for _, a := range in.Answers[:min(len(in.Answers), maxAnswers)] {
		address, err := Address(a.Address)
		if err != nil || a.Kind != SignAccepted && a.Kind != SignDeclined && a.Kind != SignTentative {
			continue
		}
		if gone, err := t.erasedSince(address, a.Stamp); err != nil {
			return err
		} else if gone {
			continue
		}
		n, err := t.exec(`INSERT INTO invitation_answers (uid, address, answer, stamp) VALUES ($1, $2, $3, $4)
			ON CONFLICT (uid, address) DO UPDATE SET answer = $3, stamp = $4 WHERE invitation_answers.stamp < $4`, uid, clean(address), string(a.Kind), unix(a.Stamp))
		if err != nil {
			return err
		}
		changed += n
	}
	if changed == 0 {
		return nil
	}
	meetings, err := t.numbers(`SELECT contact_id FROM invitations WHERE uid = $1 AND contact_id IS NOT NULL ORDER BY contact_id`, uid)
	for _, id := range meetings {
		if err == nil {
			err = t.resign(id)
		}
	}
	return err
}
