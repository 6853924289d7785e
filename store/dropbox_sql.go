package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// The dropbox: what a manager's letter to it asks for happens in the
// transaction that files the letter, once for each letter and word.

// sameLetter finds the letter that an approximate one is: of one of its
// clients, with its subject and direction, within its minute. It then is that
// letter, and makes no second contact.
func (t *tx) sameLetter(l *FiledLetter) error {
	bare := clip(fold(clean(BareSubject(l.Subject))), 500)
	if bare == "" || l.Date.IsZero() || len(l.Clients) == 0 {
		return nil
	}
	at := l.Date.Unix()
	var key string
	err := t.row(`SELECT message_key FROM contacts WHERE bare_subject = $1 AND start_at >= $2 AND start_at < $3 AND direction = $4 AND message_key <> ''
		AND client_id IN `+t.s.dialect.ids("$5")+` ORDER BY start_at, id LIMIT 1`, []any{bare, at - 60, at + 120, string(l.Direction), asJSON(l.Clients)}, &key)
	if err == nil {
		l.Key = key
	}
	return ignoreNotFound(err)
}

// obey does what a letter to the dropbox asks for. contacts are those of the
// captured letter.
func (t *tx) obey(l *FiledLetter, contacts []int64) error {
	d := l.Dropbox
	if d == nil {
		return nil
	}
	who, err := t.manager("m.id = $1", d.ManagerID)
	if err != nil {
		return ignoreNotFound(err)
	}
	o := obedience{t: t, who: who, actor: Actor{ManagerID: who.ID, Origin: FromMail}, l: l, contacts: contacts, clients: l.Clients}
	if len(o.clients) == 0 {
		o.clients = d.Clients
	}
	o.clients = o.clients[:min(len(o.clients), 20)]
	old := t.now.Sub(d.Sent) > dropWordsAct
	var unknown, late, idle []string
	for _, w := range sortDropWords(d.Words) {
		fresh, err := t.exec(`INSERT INTO dropbox_acts (message_key, word, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			clip(clean(d.Key), 1000), w.Text, t.now.Unix())
		if err != nil {
			return err
		}
		if fresh == 0 {
			continue
		}
		if old && w.Verb != DropUnknown {
			late = append(late, w.Text)
			continue
		}
		done := true
		switch w.Verb {
		case DropPlan:
			err = o.plan(w)
		case DropDone:
			done, err = o.complete()
		case DropSource:
			done, err = o.source(w.Source)
			if !done && err == nil {
				unknown = append(unknown, w.Text)
				done = true
			}
		case DropUnknown:
			unknown = append(unknown, w.Text)
		}
		if err != nil {
			return err
		}
		if !done {
			idle = append(idle, w.Text)
		}
	}
	for _, w := range unknown {
		t.s.log.Warn("a word to the dropbox was not understood", "word", w, "manager", who.Login)
	}
	return o.note(map[string]string{"unknown_word": strings.Join(unknown, " "), "late_word": strings.Join(late, " "), "idle_word": strings.Join(idle, " ")})
}

// obedience is the obeying of one letter.
type obedience struct {
	t        *tx
	who      Manager
	actor    Actor
	l        *FiledLetter
	contacts []int64
	clients  []int64
	made     []int64 // planned contacts
}

// note writes into the history of the letter's contacts what there is to say:
// the words that did nothing, and what the manager wrote above a forward.
func (o *obedience) note(words map[string]string) error {
	t := o.t
	c := changes{}
	for field, text := range words {
		c.note(field, "", text)
	}
	if note := strings.TrimSpace(clean(o.l.Dropbox.Note)); note != "" {
		fresh, err := t.exec(`INSERT INTO dropbox_acts (message_key, word, at) VALUES ($1, '', $2) ON CONFLICT DO NOTHING`, clip(clean(o.l.Dropbox.Key), 1000), t.now.Unix())
		if err != nil {
			return err
		}
		if fresh > 0 {
			c.note("note", "", note)
		}
	}
	if len(c) == 0 {
		return nil
	}
	where := o.contacts
	if len(where) == 0 {
		where = o.made // the letter itself was not captured
	}
	for _, id := range where {
		if err := t.remember(o.actor, "contact", id, "dropbox", c); err != nil {
			return err
		}
	}
	return nil
}

// plan makes one planned contact with each client, on the day that the word
// names, counted from the day the letter was sent, in the manager's zone.
func (o *obedience) plan(w DropWord) error {
	t, d := o.t, o.l.Dropbox
	loc := o.who.Location()
	day := w.Day(d.Sent, loc)
	draft := ContactDraft{ManagerID: o.who.ID, Subject: clip(strings.TrimSpace(clean(d.Subject)), maxSubject), Body: clip(clean(d.Note), maxBody), When: Days(day, day, loc)}
	if slices.ContainsFunc(d.Words, func(w DropWord) bool { return w.Verb == DropCall }) {
		draft.Kind, draft.Direction = Call, Out
	}
	if len(o.clients) == 0 {
		draft.ClientText = d.Party
		c, err := t.planContact(o.actor, draft)
		o.made = append(o.made, c.ID)
		return err
	}
	for _, id := range o.clients {
		one := draft
		one.ClientID = id
		if _, err := t.client(id); errors.Is(err, ErrNotFound) {
			continue // gone since the snapshot of the directory
		} else if err != nil {
			return err
		}
		err := t.rows(`SELECT cp.person_id FROM contact_persons cp JOIN contacts c ON c.id = cp.contact_id WHERE c.client_id = $1 AND c.id IN `+t.s.dialect.ids("$2")+` ORDER BY cp.person_id LIMIT 20`,
			[]any{id, asJSON(o.contacts)}, func(scan func(...any) error) error {
				var person int64
				err := scan(&person)
				one.Persons = append(one.Persons, person)
				return err
			})
		if err != nil {
			return err
		}
		c, err := t.planContact(o.actor, one)
		if err != nil {
			return err
		}
		o.made = append(o.made, c.ID)
	}
	return nil
}

// complete marks one open contact with each client as done: of those that the
// manager may change, the own before others', the one whose time is nearest
// to the letter's; what has no time comes last, and a repeating contact is
// left alone. False when there was none.
func (o *obedience) complete() (bool, error) {
	t, sent := o.t, o.l.Dropbox.Sent
	loc := o.who.Location()
	any := false
	for _, client := range o.clients {
		open, err := t.contacts(`WHERE c.client_id = $1 AND c.state IN ('planned', 'postponed') AND c.recurrence = '' ORDER BY c.start_at, c.id LIMIT 1000`, client)
		if err != nil {
			return false, err
		}
		var mine []Contact
		for _, c := range open {
			it := contactAsItem(&c)
			switch err := t.mayEdit(o.actor, &it); {
			case err == nil:
				mine = append(mine, c)
			case !errors.Is(err, ErrNotFound):
				return false, err
			}
		}
		if len(mine) == 0 {
			continue
		}
		own := func(c Contact) int {
			if slices.Contains(c.Managers, o.who.ID) {
				return 0
			}
			return 1
		}
		far := func(c Contact) time.Duration {
			if c.When.IsZero() {
				return 1<<63 - 1
			}
			return c.When.Begins(loc).Sub(sent).Abs()
		}
		nearest := slices.MinFunc(mine, func(a, b Contact) int {
			return cmp.Or(cmp.Compare(own(a), own(b)), cmp.Compare(far(a), far(b)), cmp.Compare(a.ID, b.ID))
		})
		done := Done
		if err := t.editContact(o.actor, nearest, ContactEdit{State: &done}); err != nil {
			return false, err
		}
		any = true
	}
	return any, nil
}

// source sets the lead source of the letter's contacts and clients. False when
// there is none of that name.
func (o *obedience) source(slug string) (bool, error) {
	source, names, err := o.t.sourceNamed(slug)
	if err != nil || source == 0 || len(o.contacts)+len(o.clients) == 0 {
		return false, err
	}
	return true, o.t.setSource(o.actor, o.contacts, o.clients, source, names)
}

// sourceNamed finds a lead source: the one whose external id is slug, else the
// only one with that name; 0 when there is none. names are those of all, by id.
func (t *tx) sourceNamed(slug string) (source int64, names map[int64]string, err error) {
	var byID, byName []int64
	names = map[int64]string{}
	err = t.rows(`SELECT id, external_id, name FROM sources ORDER BY id`, nil, func(scan func(...any) error) error {
		var id int64
		var external, name string
		if err := scan(&id, &external, &name); err != nil {
			return err
		}
		names[id] = name
		if SourceSlug(external) == slug {
			byID = append(byID, id)
		}
		if SourceSlug(name) == slug {
			byName = append(byName, id)
		}
		return nil
	})
	if len(byID) == 0 {
		byID = byName
	}
	if err != nil || len(byID) != 1 {
		return 0, names, err
	}
	return byID[0], names, nil
}

// setSource sets the lead source of contacts and clients; names gives those of
// sources by id.
func (t *tx) setSource(actor Actor, contacts, clients []int64, source int64, names map[int64]string) error {
	for _, id := range contacts {
		c, err := t.contact(id)
		if err != nil {
			return err
		}
		if c.SourceID == source {
			continue
		}
		if _, err := t.exec(`UPDATE contacts SET source_id = $1, changed = $2, version = version + 1 WHERE id = $3`, source, t.now.Unix(), id); err != nil {
			return err
		}
		if err := t.remember(actor, "contact", id, "changed", changes{"source": {names[c.SourceID], names[source]}}); err != nil {
			return err
		}
		if err := t.touchShown(ItemKey{ID: id}); err != nil {
			return err
		}
	}
	for _, id := range clients {
		c, err := t.client(id)
		if errors.Is(err, ErrNotFound) || err == nil && c.SourceID == source {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE clients SET source_id = $1, changed = $2, version = version + 1 WHERE id = $3`, source, t.now.Unix(), id); err != nil {
			return err
		}
		if err := t.remember(actor, "client", id, "changed", changes{"source": {idText(c.SourceID), idText(source)}}); err != nil {
			return err
		}
		if err := t.touchClient(id); err != nil {
			return err
		}
	}
	return nil
}
