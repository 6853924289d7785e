package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what people and programs may write into a contact, in bytes.
const (
	maxSubject = 1000
	maxBody    = 64 << 10
)

// newUID makes an iCalendar UID of ours (RFC 7986 section 5.3). It begins with
// the time, as a UUID of version 7 does, so that new ones stand side by side in
// the index: a random place for each made every contact write a page of it.
func newUID() string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli()))
	rand.Read(b[8:])
	return hex.EncodeToString(b[2:]) + "@intouch"
}

// check finds the first fault in a contact.
func (c *Contact) check() error {
	switch c.Kind {
	case Letter, Call, Meeting, Visit, Other:
	default:
		return invalid("kind", "%q is none of letter, call, meeting, visit, other", clip(string(c.Kind), 40))
	}
	switch c.Direction {
	case In, Out, NoDirection:
	default:
		return invalid("direction", "%q is none of in, out, none", clip(string(c.Direction), 40))
	}
	switch c.State {
	case Planned, Postponed, Done, Cancelled:
	default:
		return invalid("state", "%q is none of planned, postponed, done, cancelled", clip(string(c.State), 40))
	}
	switch c.Importance {
	case High, Normal, Low:
	default:
		return invalid("importance", "%q is none of high, normal, low", clip(string(c.Importance), 40))
	}
	switch {
	case len(c.Subject) > maxSubject:
		return invalid("subject", "longer than %d bytes", maxSubject)
	case len(c.Body) > maxBody:
		return invalid("body", "longer than %d bytes", maxBody)
	case c.When.End.Before(c.When.Start):
		return invalid("end", "ends before it starts")
	case !c.When.IsZero() && (c.When.Start.Year() < 1900 || c.When.End.Year() > 2200):
		return invalid("start", "the year is not between 1900 and 2200")
	case c.Minutes < 0 || c.Minutes > 60*24*366:
		return invalid("minutes", "is not between 0 and a year")
	}
	return nil
}

// setState changes the state and the moments that go with it.
func (c *Contact) setState(to State, now time.Time) {
	if to == c.State {
		return
	}
	c.State = to
	c.Completed, c.PostponedT = time.Time{}, time.Time{}
	switch to {
	case Done:
		c.Completed = now
	case Postponed:
		c.PostponedT = now
	}
}

// PlanContact makes a contact.
func (s *Store) PlanContact(ctx context.Context, actor Actor, d ContactDraft) (c Contact, err error) {
	err = s.writeAgain(ctx, func(t *tx) error {
		c, err = t.planContact(actor, d)
		return err
	})
	return c, err
}

func (t *tx) planContact(actor Actor, d ContactDraft) (Contact, error) {
	c := Contact{
		ExternalID: d.ExternalID, UID: cmp.Or(d.UID, newUID()), Kind: cmp.Or(d.Kind, Other), Direction: cmp.Or(d.Direction, NoDirection),
		Importance: d.Importance, ClientID: d.ClientID, ClientText: clip(clean(d.ClientText), maxSubject),
		ManagerID: cmp.Or(d.ManagerID, actor.ManagerID), DealID: d.DealID,
		Subject: strings.TrimSpace(clean(d.Subject)), Body: clean(d.Body), When: d.When, Recurrence: d.Recurrence, Minutes: d.Minutes,
		Origin: actor.Origin,
	}
	if c.ClientID != 0 {
		if err := t.holdClient(&c.ClientID); err != nil {
			return c, fmt.Errorf("client: %w", err)
		}
		client, err := t.client(c.ClientID)
		if err != nil {
			return c, fmt.Errorf("client: %w", err)
		}
		c.ClientID = client.ID // a form may be older than a merging
		c.Importance = cmp.Or(c.Importance, client.Importance)
	}
	c.Importance = cmp.Or(c.Importance, Normal)
	c.setState(cmp.Or(d.State, Planned), t.now)
	if c.When.AllDay {
		loc := time.UTC
		if m, err := t.manager("m.id = $1", c.ManagerID); err == nil {
			loc = m.Location()
		}
		c.When = Days(c.When.First, c.When.Last, loc)
	}
	if c.State == Done && !c.When.IsZero() && c.When.End.Before(t.now) {
		c.Completed = c.When.End // what is noted afterwards was done then
	}
	if c.Minutes == 0 && !c.When.AllDay {
		c.Minutes = int(c.When.End.Sub(c.When.Start).Minutes())
	}
	c.Managers = slices.Clone(d.Managers)
	if c.ManagerID != 0 && !slices.Contains(c.Managers, c.ManagerID) {
		c.Managers = append(c.Managers, c.ManagerID)
	}
	for _, p := range d.Persons {
		c.Persons = append(c.Persons, PersonRef{ID: p})
	}
	if err := t.insertContact(&c, VEvent); err != nil {
		return c, err
	}
	if err := t.remember(actor, "contact", c.ID, "created", nil); err != nil {
		return c, err
	}
	t.touch(ItemKey{ID: c.ID})
	return t.contact(c.ID)
}

// insertContact writes a new contact with its managers and persons.
// ErrConflict when it is of a letter that has one with the same client.
func (t *tx) insertContact(c *Contact, component Component) error {
	if err := c.check(); err != nil {
		return err
	}
	bare := ""
	if c.MessageKey == "" { // letters are filed while nobody merges, see filesAlone
		if err := t.holdClient(&c.ClientID); err != nil {
			return err
		}
	} else {
		bare = clip(fold(BareSubject(c.Subject)), 500)
	}
	if c.Attachments == nil {
		c.Attachments = []Attachment{}
	}
	id, err := t.insert(`INSERT INTO contacts (uid, component, kind, direction, state, importance, client_id, client_text, manager_id, deal_id, source_id,
		subject, bare_subject, body, start_at, end_at, first_day, last_day, recurrence, minutes, estimated, thread, message_key, attachments,
		origin, created, changed, completed, postponed, private, external_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $26, $27, $28, $29, $30)
		ON CONFLICT DO NOTHING`,
		c.UID, string(component), string(c.Kind), string(c.Direction), string(c.State), string(c.Importance), ref(c.ClientID), c.ClientText,
		ref(c.ManagerID), ref(c.DealID), ref(c.SourceID), c.Subject, bare, c.Body, unix(c.When.Start), unix(c.When.End), string(c.When.First), string(c.When.Last),
		c.Recurrence, c.Minutes, c.Estimated, c.Thread, c.MessageKey, asJSON(c.Attachments), string(c.Origin), t.now.Unix(),
		unix(c.Completed), unix(c.PostponedT), c.Private, key(c.ExternalID))
	if err != nil {
		return err
	}
	if id == 0 {
		return ErrConflict // the letter has a contact with this client
	}
	c.ID = id
	t.touchCards(c.ClientID)
	for _, m := range c.Managers {
		if _, err := t.addManager(c.ID, m); err != nil {
			return err
		}
	}
	for _, p := range c.Persons {
		if _, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, c.ID, p.ID, p.Email); err != nil {
			return err
		}
	}
	return nil
}

// listedAs are what contact_managers keeps of a contact c.
const listedAs = `c.client_id, c.start_at, CASE WHEN c.state IN ('planned', 'postponed') THEN 'open' WHEN c.state = 'done' AND c.message_key = '' THEN 'done' END`

// addManager tells how many managers it added, 1 or 0. The contact is locked:
// whoever changes it meanwhile must see the new row, see relist.
func (t *tx) addManager(contactID, managerID int64) (int64, error) {
	return t.exec(`INSERT INTO contact_managers (contact_id, manager_id, client_id, start_at, listed)
		SELECT c.id, $2, `+listedAs+` FROM contacts c WHERE c.id = $1`+t.s.dialect.forUpdate()+` ON CONFLICT DO NOTHING`, contactID, managerID)
}

// relist must follow whatever changes the client, begin, state or message_key of
// contacts: it copies them. ids is a subselect of the contacts' ids.
func (t *tx) relist(ids string, args ...any) error {
	_, err := t.exec(`UPDATE contact_managers SET (client_id, start_at, listed) = (SELECT `+listedAs+` FROM contacts c WHERE c.id = contact_managers.contact_id)
		WHERE contact_id IN `+ids, args...)
	return err
}

// mayEdit reports ErrNotFound where the actor may not know of the item: the
// program itself, who took part, who is responsible for the client and heads
// may change what they see.
func (t *tx) mayEdit(actor Actor, it *Item) error {
	if actor.ManagerID == 0 || slices.Contains(it.Managers, actor.ManagerID) {
		return nil
	}
	m, err := t.manager("m.id = $1", actor.ManagerID)
	if err != nil || m.Role == RoleHead {
		return err
	}
	var one int
	return t.row(`SELECT 1 FROM clients WHERE id = $1 AND manager_id = $2`, []any{it.ClientID, m.ID}, &one)
}

// EditContact changes a contact; version 0 means whatever it is now, else
// ErrStale when it differs.
func (s *Store) EditContact(ctx context.Context, actor Actor, id, version int64, e ContactEdit) (c Contact, err error) {
	err = s.writeAgain(ctx, func(t *tx) error {
		if err := t.lock("contacts", id); err != nil {
			return err
		}
		if c, err = t.contact(id); err != nil {
			return err
		}
		it := contactAsItem(&c)
		if err := t.mayEdit(actor, &it); err != nil {
			return err
		}
		if version != 0 && version != c.Version {
			return ErrStale
		}
		if e.Dismiss != nil {
			if _, err := t.exec(`UPDATE contacts SET dismissed = $1 WHERE id = $2`, *e.Dismiss, id); err != nil {
				return err
			}
		}
		if err := t.editContact(actor, c, e); err != nil {
			return err
		}
		c, err = t.contact(c.ID)
		return err
	})
	return c, err
}

// editContact writes what the edit changes; an edit that changes nothing
// writes nothing.
func (t *tx) editContact(actor Actor, old Contact, e ContactEdit) error {
	c := old
	if e.Kind != nil {
		c.Kind = *e.Kind
	}
	if e.Importance != nil {
		c.Importance = *e.Importance
	}
	if e.ClientID != nil {
		id, err := t.survivor(*e.ClientID)
		if err != nil {
			return err
		}
		c.ClientID = id
	}
	if e.DealID != nil {
		c.DealID = *e.DealID
	}
	if e.Subject != nil {
		c.Subject = strings.TrimSpace(clean(*e.Subject))
	}
	if e.Body != nil {
		c.Body = clean(*e.Body)
	}
	if e.Recurrence != nil {
		c.Recurrence = *e.Recurrence
	}
	if e.When != nil {
		c.When = *e.When
		if c.When.AllDay {
			loc := time.UTC
			if m, err := t.manager("m.id = $1", c.ManagerID); err == nil {
				loc = m.Location()
			}
			c.When = Days(c.When.First, c.When.Last, loc)
		} else if e.Minutes == nil && !c.Estimated {
			c.Minutes = int(c.When.End.Sub(c.When.Start).Minutes())
		}
	}
	if e.Minutes != nil {
		c.Minutes, c.Estimated = *e.Minutes, false
	}
	if e.State != nil {
		c.setState(*e.State, t.now)
	}
	if e.back != nil {
		c.Completed, c.PostponedT, c.Estimated = e.back.Completed, e.back.PostponedT, e.back.Estimated
	}
	if err := c.check(); err != nil {
		return err
	}
	d := changes{}
	d.note("kind", string(old.Kind), string(c.Kind))
	d.note("state", string(old.State), string(c.State))
	d.note("importance", string(old.Importance), string(c.Importance))
	d.note("client", idText(old.ClientID), idText(c.ClientID))
	d.note("deal", idText(old.DealID), idText(c.DealID))
	d.note("subject", old.Subject, c.Subject)
	d.note("body", old.Body, c.Body)
	d.note("start", spanText(old.When), spanText(c.When))
	d.note("recurrence", old.Recurrence, c.Recurrence)
	d.note("minutes", strconv.Itoa(old.Minutes), strconv.Itoa(c.Minutes))
	if len(d) == 0 {
		return nil
	}
	_, err := t.exec(`UPDATE contacts SET kind = $1, state = $2, importance = $3, client_id = $4, deal_id = $5, subject = $6, body = $7,
		start_at = $8, end_at = $9, first_day = $10, last_day = $11, recurrence = $12, minutes = $13, estimated = $14,
		completed = $15, postponed = $16, changed = $17, version = version + 1 WHERE id = $18`,
		string(c.Kind), string(c.State), string(c.Importance), ref(c.ClientID), ref(c.DealID), c.Subject, c.Body,
		unix(c.When.Start), unix(c.When.End), string(c.When.First), string(c.When.Last), c.Recurrence, c.Minutes, c.Estimated,
		unix(c.Completed), unix(c.PostponedT), t.now.Unix(), c.ID)
	if err == nil { // always: another transaction may have changed what old says
		err = t.relist("($1)", c.ID)
	}
	if err != nil {
		return err
	}
	verb := editVerb(old.State, c.State, d)
	if e.back != nil {
		verb = "undone"
	}
	if err := t.remember(actor, "contact", c.ID, verb, d); err != nil {
		return err
	}
	t.touch(ItemKey{ID: c.ID})
	t.touchCards(old.ClientID, c.ClientID)
	if c.State == Done || old.State == Done { // "last contacts" of the client's other entries
		for _, id := range []int64{old.ClientID, c.ClientID} {
			if id != 0 {
				if err := t.touchClient(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// editVerb names an edit for the history.
func editVerb(old, new State, d changes) string {
	if old != new {
		return string(new)
	}
	if _, ok := d["start"]; ok && len(d) == 1 {
		return "moved"
	}
	return "changed"
}

func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func spanText(w Span) string {
	switch {
	case w.IsZero():
		return ""
	case w.AllDay:
		return string(w.First) + " – " + string(w.Last)
	}
	return w.Start.Format(time.RFC3339) + " – " + w.End.Format(time.RFC3339)
}

// sees is the condition that a manager may know of a contact: took part, is
// responsible for its client, or is a head.
func sees(t *tx, viewer Manager, c *Contact) error {
	if viewer.Role == RoleHead || slices.Contains(c.Managers, viewer.ID) {
		return nil
	}
	if c.ClientID != 0 {
		client, err := t.client(c.ClientID)
		if err != nil {
			return err
		}
		if client.ManagerID == viewer.ID {
			return nil
		}
	}
	return ErrNotFound
}

// Contact by id; ErrNotFound also where viewer may not know of it.
func (s *Store) Contact(ctx context.Context, viewer Manager, id int64) (c Contact, err error) {
	err = s.read(ctx, func(t *tx) error {
		if c, err = t.contact(id); err != nil {
			return err
		}
		c.hideFrom(viewer.ID)
		return sees(t, viewer, &c)
	})
	if err != nil {
		return Contact{}, err
	}
	return c, nil
}

// Contacts of a client, a deal or a thread, newest first. Of a client that is
// not the viewer's own it gives those in which the viewer took part.
func (s *Store) Contacts(ctx context.Context, viewer Manager, q ContactQuery) (out []Contact, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 500)
	where, args := []string{"c.state <> 'cancelled'"}, []any{}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if q.ClientID != 0 {
		where = append(where, "c.client_id = "+arg(q.ClientID))
	}
	if q.DealID != 0 {
		where = append(where, "c.deal_id = "+arg(q.DealID))
	}
	if q.Thread != "" {
		where = append(where, "c.thread = "+arg(q.Thread))
	}
	if len(args) == 0 {
		return nil, errors.New("contacts: neither client nor deal nor thread")
	}
	if q.Before != 0 {
		where = append(where, "c.start_at < "+arg(q.Before))
	}
	if viewer.Role != RoleHead {
		v := arg(viewer.ID)
		where = append(where, "(cl.manager_id = "+v+" OR c.id IN (SELECT contact_id FROM contact_managers WHERE manager_id = "+v+"))")
	}
	err = s.read(ctx, func(t *tx) error {
		out, err = t.contacts("WHERE "+strings.Join(where, " AND ")+" ORDER BY c.start_at DESC, c.id DESC LIMIT "+arg(limit), args...)
		for i := range out {
			out[i].hideFrom(viewer.ID)
		}
		return err
	})
	return out, err
}

// UnansweredLetters of clients of that manager, oldest first: letters in that
// no letter out in the thread, no other done contact with the client later
// than it, and no dismissal has answered (rules.md section 2). Letters older
// than unansweredDays no longer count.
func (s *Store) UnansweredLetters(ctx context.Context, managerID int64, limit int) ([]Unanswered, error) {
	const unansweredDays = 30
	var out []Unanswered
	err := s.read(ctx, func(t *tx) error {
		found, err := t.contacts(`JOIN contact_managers cm ON cm.contact_id = c.id AND cm.manager_id = $1
			WHERE c.kind = 'letter' AND c.direction = 'in' AND c.state = 'done' AND NOT c.dismissed AND c.start_at > $2
			AND (c.manager_id = $1 OR cl.manager_id = $1)
			AND NOT EXISTS (SELECT 1 FROM contacts o WHERE o.thread = c.thread AND c.thread <> '' AND o.direction = 'out' AND o.start_at >= c.start_at)
			AND NOT EXISTS (SELECT 1 FROM contacts o WHERE o.client_id = c.client_id AND o.state = 'done' AND o.start_at > c.start_at AND NOT (o.kind = 'letter' AND o.direction = 'in'))
			ORDER BY c.start_at LIMIT $3`, managerID, t.now.AddDate(0, 0, -unansweredDays).Unix(), limit)
		for _, c := range found {
			out = append(out, Unanswered{Contact: c, Age: t.now.Sub(c.When.Start)})
		}
		if err != nil || len(out) == 0 {
			return err
		}
		m, err := t.manager("m.id = $1", managerID)
		if err != nil {
			return err
		}
		holidays, err := t.allHolidays()
		if err != nil {
			return err
		}
		for i := range out {
			out[i].Working = time.Duration(s.WorkHoursOf(m).Minutes(out[i].Contact.When.Start, t.now, m.Location(), holidays)) * time.Minute
		}
		return nil
	})
	return out, err
}

// Figures of a period (rules.md section 7, morning digest).
type Figures struct {
	LettersIn, LettersOut, Calls, Meetings, Others int64
	Minutes                                        int64
	Payments, Shipments                            []Money // one per currency
}

// ContactFigures counts done contacts by kind and direction for a manager's
// digest, and sums the documents of the manager's deals and clients: of the
// days first to last, both included, in the manager's zone.
func (s *Store) ContactFigures(ctx context.Context, managerID int64, first, last Date) (f Figures, err error) {
	err = s.read(ctx, func(t *tx) error {
		m, err := t.manager("m.id = $1", managerID)
		if err != nil {
			return err
		}
		period := Days(first, last, m.Location())
		err = t.rows(`SELECT c.kind, c.direction, COUNT(*), CAST(COALESCE(SUM(c.minutes), 0) AS BIGINT) FROM contacts c
			JOIN contact_managers cm ON cm.contact_id = c.id AND cm.manager_id = $1
			WHERE c.state = 'done' AND c.start_at >= $2 AND c.start_at < $3 GROUP BY c.kind, c.direction`,
			[]any{managerID, period.Start.Unix(), period.End.Unix()}, func(scan func(...any) error) error {
				var kind Kind
				var dir Direction
				var n, minutes int64
				if err := scan(&kind, &dir, &n, &minutes); err != nil {
					return err
				}
				f.Minutes += minutes
				switch {
				case kind == Letter && dir == Out:
					f.LettersOut += n
				case kind == Letter:
					f.LettersIn += n
				case kind == Call:
					f.Calls += n
				case kind == Meeting || kind == Visit:
					f.Meetings += n
				default:
					f.Others += n
				}
				return nil
			})
		if err != nil {
			return err
		}
		return t.rows(`SELECT d.kind, d.currency, CAST(SUM(d.amount) AS BIGINT) FROM documents d JOIN clients cl ON cl.id = d.client_id
			LEFT JOIN deals de ON de.id = d.deal_id
			WHERE d.kind IN ('payment', 'shipment') AND d.date >= $2 AND d.date <= $3 AND COALESCE(de.manager_id, cl.manager_id) = $1
			GROUP BY d.kind, d.currency ORDER BY d.currency`,
			[]any{managerID, string(first), string(last)}, func(scan func(...any) error) error {
				var kind DocumentKind
				var m Money
				if err := scan(&kind, &m.Currency, &m.Minor); err != nil {
					return err
				}
				if kind == PaymentDoc {
					f.Payments = append(f.Payments, m)
				} else {
					f.Shipments = append(f.Shipments, m)
				}
				return nil
			})
	})
	return f, err
}
