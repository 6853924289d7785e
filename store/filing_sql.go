package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// maxParties are looked at of a letter's addresses.
const maxParties = 1000

// FileLetters writes the outcomes of a batch, the contacts of the captured
// ones and the folder's cursor in one transaction. A letter whose key is
// known joins the contacts that exist. ErrStale when the folder's UIDVALIDITY
// has changed since f was opened.
func (s *Store) FileLetters(ctx context.Context, f Folder, b Batch) (n Filed, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := errors.Join(t.filesAlone(), t.fenced()); err != nil {
			return err
		}
		if err := t.lock("folders", f.ID); err != nil {
			return err
		}
		var validity, owner int64
		var read Cursor
		err := t.row(`SELECT f.uid_validity, f.first_uid, f.last_uid, m.manager_id FROM folders f JOIN mailboxes m ON m.id = f.mailbox_id WHERE f.id = $1`,
			[]any{f.ID}, &validity, &read.First, &read.Last, idInto{&owner})
		if err != nil {
			return err
		}
		if validity != int64(f.UIDValidity) {
			return ErrStale
		}
		file, err := t.filing(f, owner, b)
		if err != nil {
			return err
		}
		for i := range b.Letters {
			if err := file.letter(&b.Letters[i]); err != nil {
				return fmt.Errorf("file letter %d of %s: %w", b.Letters[i].UID, f.Name, err)
			}
		}
		if err := errors.Join(file.recallStale(b), file.finish(b.Recalled)); err != nil {
			return err
		}
		n = file.n
		if to := read.with(b.Read); to != read {
			_, err = t.exec(`UPDATE folders SET first_uid = $1, last_uid = $2 WHERE id = $3`, int64(to.First), int64(to.Last), f.ID)
		}
		return err
	})
	return n, err
}

// filesAlone lets one transaction at a time file letters. Two that file the
// same letters, or answers to each other's, in different orders would deadlock,
// and each would miss what the other just captured.
func (t *tx) filesAlone() error { return t.alone(filingWork) }

// alone waits for its turn among the transactions of the same work.
func (t *tx) alone(work int) error {
	query := t.s.dialect.alone(work)
	if query == "" {
		return nil
	}
	_, err := t.exec(query)
	return err
}

// filing is one FileLetters, with what its letters have to do with: read once
// for the whole batch, and kept up as letters are filed.
type filing struct {
	*tx
	folder   Folder
	owner    int64           // manager of the mailbox, 0: shared
	recalled map[uint32]bool // letters that are decided anew

	managers map[string]int64               // by address
	clients  map[int64]Client               // importance and manager alone
	persons  map[int64]map[string]PersonRef // by client and address
	contacts map[string][]filedContact      // by key of a letter or of one that it answers
	alone    map[string][]filedContact      // by bare subject: those that begin a thread
	threads  map[string]bool                // keys of letters that are threads

	anyPrivate bool // some thread is private
	archive    bool // no mailbox gives its letters a second time

	n        Filed
	letters  int           // that the mailbox did not have before
	answered []string      // what answers to the batch's captured letters are noted under
	answers  []FiledLetter // unknown letters of the batch that answer others
	signs    batchSigns
	heard    map[string]*heard // strangers of the letters captured, by address
	newest   map[int64]int64   // clients with a new contact, and the start of their newest one
}

// filedContact is the contact of a letter, as far as filing others needs it.
type filedContact struct {
	id, client int64
	key        string
	thread     string
	subject    string
	start      int64
}

// filing reads what the captured letters of a batch have to do with.
func (t *tx) filing(f Folder, owner int64, b Batch) (*filing, error) {
	file := &filing{tx: t, folder: f, owner: owner, recalled: map[uint32]bool{}, managers: map[string]int64{}, clients: map[int64]Client{},
		persons: map[int64]map[string]PersonRef{}, contacts: map[string][]filedContact{}, alone: map[string][]filedContact{},
		threads: map[string]bool{}, newest: map[int64]int64{}, heard: map[string]*heard{}}
	for _, uid := range b.Recalled {
		file.recalled[uid] = true
	}
	if err := t.mergedSince(b.Letters); err != nil {
		return nil, err
	}
	var addresses, keys, refs, subjects []string
	var clients []int64
	oldest, newest := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range b.Letters {
		l := &b.Letters[i]
		l.tidy()
		if l.Outcome != Captured {
			continue
		}
		if l.Dropbox != nil && l.Dropbox.Approximate {
			if err := t.sameLetter(l); err != nil {
				return nil, err
			}
		}
		file.anyPrivate = file.anyPrivate || l.Private
		addresses = append(addresses, l.Addresses...)
		clients = append(clients, l.Clients...)
		keys = append(keys, l.Key)
		refs = append(refs, l.References...)
		oldest, newest = min(oldest, unix(l.Date)), max(newest, unix(l.Date))
		if l.bare != "" {
			subjects = append(subjects, l.bare)
		}
	}
	if len(keys) == 0 {
		return file, nil
	}
	list := func(query string, arg any, each func(scan func(...any) error) error, more ...any) error {
		keys := asJSON(arg)
		if keys == "null" {
			return nil
		}
		return t.rows(query, append([]any{keys}, more...), each)
	}
	var one int
	err := t.row(`SELECT 1 FROM contacts WHERE private LIMIT 1`, nil, &one)
	if ignoreNotFound(err) != nil {
		return nil, err
	}
	file.anyPrivate = file.anyPrivate || err == nil
	texts, ids := t.s.dialect.texts("$1"), t.s.dialect.ids("$1")
	addresses, clients = distinct(addresses), distinct(clients)
	return file, errors.Join(
		list(`SELECT address, manager_id FROM manager_addresses WHERE address IN `+texts, addresses, func(scan func(...any) error) error {
			var address string
			var id int64
			err := scan(&address, &id)
			file.managers[address] = id
			return err
		}),
		list(`SELECT id, importance, manager_id FROM clients WHERE id IN `+ids, clients, func(scan func(...any) error) error {
			var c Client
			err := scan(&c.ID, &c.Importance, idInto{&c.ManagerID})
			file.clients[c.ID] = c
			return err
		}),
		list(`SELECT p.client_id, p.id, pp.value FROM person_points pp JOIN persons p ON p.id = pp.person_id WHERE pp.kind = 'email' AND pp.value IN `+texts+
			` ORDER BY p.id DESC`, addresses, func(scan func(...any) error) error {
			var client int64
			var p PersonRef
			err := scan(&client, &p.ID, &p.Email)
			if file.persons[client] == nil {
				file.persons[client] = map[string]PersonRef{}
			}
			file.persons[client][p.Email] = p
			return err
		}),
		list(`SELECT id, client_id, message_key, thread, subject, start_at FROM contacts WHERE message_key <> '' AND message_key IN `+texts, distinct(append(refs, keys...)),
			func(scan func(...any) error) error {
				c, err := scanFiledContact(scan)
				file.contacts[c.key] = append(file.contacts[c.key], c)
				return err
			}),
		// Only those that a letter of the batch can be the beginning of.
		list(`SELECT id, client_id, message_key, thread, subject, start_at, bare_subject FROM contacts WHERE bare_subject IN `+texts+` AND start_at >= $2 AND start_at < $3
			AND thread = message_key AND message_key <> '' ORDER BY start_at DESC, id DESC LIMIT 5000`, distinct(subjects), func(scan func(...any) error) error {
			var bare string
			c, err := scanFiledContact(scan, &bare)
			file.alone[bare] = append(file.alone[bare], c)
			file.threads[c.key] = true
			return err
		}, oldest, newest+int64(ThreadSpan.Seconds())),
		list(`SELECT DISTINCT thread FROM contacts WHERE thread IN `+texts, keys, func(scan func(...any) error) error {
			var thread string
			err := scan(&thread)
			file.threads[thread] = true
			return err
		}),
	)
}

// mergedSince gives letters to the clients with which theirs were merged since
// the snapshot of the directory.
func (t *tx) mergedSince(letters []FiledLetter) error {
	ids := []int64{}
	for i := range letters {
		l := &letters[i]
		ids = append(ids, l.Clients...)
		if l.NewPerson != nil {
			ids = append(ids, l.NewPerson.ClientID)
		}
		if l.Dropbox != nil {
			ids = append(ids, l.Dropbox.Clients...)
		}
	}
	into := map[int64]int64{}
	err := t.rows(`SELECT gone_id, client_id FROM merged_clients WHERE gone_id IN `+t.s.dialect.ids("$1"), []any{asJSON(distinct(ids))}, func(scan func(...any) error) error {
		var gone, kept int64
		err := scan(&gone, &kept)
		into[gone] = kept
		return err
	})
	if err != nil || len(into) == 0 {
		return err
	}
	resolve := func(ids []int64) []int64 {
		var out []int64
		for _, id := range ids {
			if id = cmp.Or(into[id], id); !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
		return out
	}
	for i := range letters {
		l := &letters[i]
		l.Clients = resolve(l.Clients)
		if l.NewPerson != nil {
			one := *l.NewPerson
			one.ClientID = cmp.Or(into[one.ClientID], one.ClientID)
			l.NewPerson = &one
		}
		if l.Dropbox != nil {
			one := *l.Dropbox
			one.Clients = resolve(one.Clients)
			l.Dropbox = &one
		}
	}
	return nil
}

func scanFiledContact(scan func(...any) error, more ...any) (c filedContact, err error) {
	err = scan(append([]any{&c.id, idInto{&c.client}, &c.key, &c.thread, &c.subject, &c.start}, more...)...)
	return c, err
}

func distinct[T cmp.Ordered](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}

// tidy makes storable what strangers wrote, and bounds it.
func (l *FiledLetter) tidy() {
	l.Key, l.MessageID = clip(clean(l.Key), 1000), clip(clean(l.MessageID), 1000)
	l.Subject = clip(strings.TrimSpace(clean(l.Subject)), maxSubject)
	if l.Outcome == Captured {
		l.bare = foldedSubject(l.Subject)
	}
	l.Addresses = l.Addresses[:min(len(l.Addresses), maxParties)]
	if len(l.References) > 100 { // the newest are what it answers
		l.References = l.References[len(l.References)-100:]
	}
	for i, r := range l.References {
		l.References[i] = clip(clean(r), 1000)
	}
}

// foldedSubject is contacts.bare_subject.
func foldedSubject(subject string) string { return clip(fold(clean(BareSubject(subject))), 500) }

func (t *filing) letter(l *FiledLetter) error {
	seenID := l.MessageID
	if l.Dropbox != nil {
		seenID = clip(clean(l.Dropbox.MessageID), 1000) // of the letter that lies in the mailbox
	}
	new, err := t.exec(`INSERT INTO letters (folder_id, uid_validity, uid, message_key, message_id, date, outcome, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (folder_id, uid_validity, uid) DO NOTHING`,
		t.folder.ID, int64(t.folder.UIDValidity), int64(l.UID), l.Key, seenID, unix(l.Date), string(l.Outcome), string(l.Reason))
	if err != nil {
		return err
	}
	if new == 0 && t.folder.UIDValidity == 0 {
		if new, err = t.otherLetter(l, seenID); err != nil {
			return err
		}
	}
	was := Outcome("")
	if new == 0 {
		decided, err := t.decideAnew(l, &was)
		if err != nil || !decided {
			t.n.Seen++
			if err == nil && t.recalled[l.UID] && l.Outcome != Captured { // its sender may be known now
				err = t.noteSkipped(l)
			}
			return err
		}
	} else {
		t.letters++
	}
	if l.Outcome != Captured {
		t.n.Skipped++
		if err := t.noteSkipped(l); err != nil {
			return err
		}
		if l.Reason == Unknown && new != 0 {
			if err := errors.Join(t.noteAnswer(l), t.noteSender(l)); err != nil {
				return err
			}
		}
		if l.Reply != nil && new != 0 {
			return t.takeReply(l.Reply)
		}
		return t.obey(l, nil)
	}
	if was == Captured {
		t.n.Seen++
	} else {
		t.n.Captured++
	}
	t.answered = append(t.answered, answerTo(l.Key))
	if l.bare != "" {
		t.answered = append(t.answered, answerToSubject(l.bare))
	}
	// Who takes part, by the letter's own words first: whoever is responsible
	// must not depend on whose mailbox is read first.
	managers := []int64{}
	takesPart := func(id int64) {
		if id != 0 && !slices.Contains(managers, id) {
			managers = append(managers, id)
		}
	}
	if l.Dropbox != nil {
		takesPart(l.Dropbox.ManagerID)
	}
	for _, a := range l.Addresses {
		takesPart(t.managers[a])
	}
	takesPart(t.owner)
	thread, err := t.threadOf(l)
	if err != nil {
		return err
	}
	private := false
	if t.anyPrivate {
		if private, err = t.threadPrivate(thread); err != nil {
			return err
		}
	}
	if private {
		l.Text, l.FullText = "", ""
	}
	if err := t.forget(l); err != nil {
		return err
	}
	if l.NewPerson != nil {
		if err := t.addSender(l.NewPerson); err != nil {
			return err
		}
		t.knowPerson(l.NewPerson)
	}
	if _, err := t.exec(`INSERT INTO letter_texts (message_key, message_id, full_text, parties) VALUES ($1, $2, $3, $4) ON CONFLICT (message_key) DO NOTHING`,
		l.Key, l.MessageID, clean(l.FullText), asJSON(l.Addresses)); err != nil {
		return err
	}
	clients := l.Clients
	if len(clients) == 0 {
		clients = []int64{0} // its folder includes it
	}
	var contacts []int64
	before := t.n.NewContacts
	for _, client := range clients {
		id, err := t.letterContact(client, managers, thread, private || l.Private, l)
		if err != nil {
			return err
		}
		if id != 0 {
			contacts = append(contacts, id)
		}
	}
	if t.n.NewContacts > before && len(l.Clients) > 0 && !private && !l.Private {
		t.countStrangers(l)
	}
	if l.Private && !private {
		if err := t.setPrivate(Actor{Origin: FromMail}, thread, true); err != nil {
			return err
		}
	}
	return errors.Join(t.noteCaptured(l), t.obey(l, contacts))
}

// otherLetter takes the row of a letter whose UID another one has now: where
// the server gives no UIDVALIDITY, UIDs mean nothing beyond a connection.
func (t *filing) otherLetter(l *FiledLetter, seenID string) (int64, error) {
	return t.exec(`UPDATE letters SET message_key = $4, message_id = $5, date = $6, outcome = $7, reason = $8
		WHERE folder_id = $1 AND uid_validity = $2 AND uid = $3 AND message_key <> $4`,
		t.folder.ID, int64(t.folder.UIDValidity), int64(l.UID), l.Key, seenID, unix(l.Date), string(l.Outcome), string(l.Reason))
}

// decideAnew gives a letter that had an outcome its new one, where it was
// recalled for that. What was captured stays so, perhaps for more clients,
// unless its mailbox excludes it now.
func (t *filing) decideAnew(l *FiledLetter, was *Outcome) (bool, error) {
	if !t.recalled[l.UID] {
		return false, nil
	}
	where := []any{t.folder.ID, int64(t.folder.UIDValidity), int64(l.UID)}
	var reason Reason
	var key string
	err := t.row(`SELECT outcome, reason, message_key FROM letters WHERE folder_id = $1 AND uid_validity = $2 AND uid = $3`, where, was, &reason, &key)
	if err != nil || l.Outcome != Captured && (*was == Captured && !l.Excluded || reason == l.Reason) && !IsUnread(key) {
		return false, err
	}
	_, err = t.exec(`UPDATE letters SET outcome = $4, reason = $5, message_key = $6 WHERE folder_id = $1 AND uid_validity = $2 AND uid = $3`,
		append(where, string(l.Outcome), string(l.Reason), l.Key)...)
	if err == nil {
		_, err = t.exec(`DELETE FROM answers WHERE folder_id = $1 AND uid_validity = $2 AND uid = $3`, where[:3]...)
	}
	switch {
	case err != nil:
	case *was == Captured && l.Outcome != Captured:
		err = t.withdraw(l.Key)
	case reason == Blocked && l.Outcome == Captured:
		err = t.reinstate(l.Key)
	}
	return err == nil, err
}

// letterContact makes the contact of a letter with one client, or joins the
// managers to the one that is there. Client 0 is nobody known: then any contact
// of the letter will do. 0 where the client is gone.
func (t *filing) letterContact(clientID int64, managers []int64, thread string, private bool, l *FiledLetter) (int64, error) {
	if id, err := t.joinLetter(clientID, managers, l.Key); id != 0 || err != nil {
		return id, err
	}
	client, ok := t.clients[clientID]
	if !ok && clientID != 0 {
		return 0, nil // gone since the snapshot of the directory
	}
	c := Contact{UID: newUID(), Kind: Letter, Direction: l.Direction, State: Done, Importance: cmp.Or(client.Importance, Normal), ClientID: clientID,
		Managers: managers, Subject: l.Subject, Body: clip(clean(l.Text), maxBody),
		When: Span{Start: l.Date, End: l.Date}, Minutes: t.s.opt.MinutesPerLetter, Estimated: true, Thread: thread, MessageKey: l.Key,
		Origin: FromMail, Completed: l.Date, Private: private}
	if clientID == 0 {
		c.ClientText = clip(strings.TrimSpace(clean(l.ClientText)), maxSubject)
	}
	for _, a := range l.Attachments[:min(len(l.Attachments), 200)] {
		c.Attachments = append(c.Attachments, Attachment{clip(clean(a.Name), 500), clip(clean(a.Type), 200), a.Size})
	}
	if y := l.Date.Year(); y < 1980 || y > 2200 { // a broken Date header must not lose the letter
		c.When, c.Completed = Span{Start: t.now, End: t.now}, t.now
	}
	if len(managers) > 0 {
		c.ManagerID = managers[0]
	}
	if l.Dropbox == nil && (slices.Contains(managers, client.ManagerID) || c.ManagerID == 0) {
		c.ManagerID = client.ManagerID
	}
	if c.ManagerID != 0 && !slices.Contains(c.Managers, c.ManagerID) {
		c.Managers = append(slices.Clone(c.Managers), c.ManagerID)
	}
	for _, a := range l.Addresses {
		p, ok := t.persons[clientID][a]
		if ok && !slices.ContainsFunc(c.Persons, func(have PersonRef) bool { return have.ID == p.ID }) {
			c.Persons = append(c.Persons, p)
		}
	}
	var err error
	if c.DealID, err = t.dealMentioned(clientID, l); err != nil {
		return 0, err
	}
	err = t.insertContact(&c, VEvent)
	if errors.Is(err, ErrConflict) { // another mailbox's daemon filed the letter at the same moment
		other := filedContact{client: clientID, key: l.Key, thread: thread, subject: c.Subject, start: unix(c.When.Start)}
		err := t.row(`SELECT id FROM contacts WHERE message_key = $1 AND COALESCE(client_id, 0) = $2 AND message_key <> ''`, []any{l.Key, clientID}, &other.id)
		if err != nil {
			return 0, err
		}
		t.contacts[l.Key] = append(t.contacts[l.Key], other)
		return other.id, t.joinManagers(other.id, managers)
	}
	if err != nil {
		return 0, err
	}
	filed := filedContact{id: c.ID, client: clientID, key: l.Key, thread: thread, subject: c.Subject, start: unix(c.When.Start)}
	t.contacts[l.Key] = append(t.contacts[l.Key], filed)
	t.threads[thread] = true
	if l.bare != "" && thread == l.Key {
		t.alone[l.bare] = append(t.alone[l.bare], filed)
	}
	t.n.NewContacts++
	if clientID != 0 {
		t.newest[clientID] = max(t.newest[clientID], unix(c.When.Start))
	} else if err := t.noteUnlinked(c.ID, l.Outsiders); err != nil {
		return 0, err
	}
	return c.ID, t.remember(Actor{Origin: FromMail}, "contact", c.ID, "created", nil)
}

// joinLetter adds managers to the contact that a letter already has with a
// client; 0 when there is none. One without a client gets it.
func (t *filing) joinLetter(clientID int64, managers []int64, key string) (int64, error) {
	have := t.contacts[key]
	i := slices.IndexFunc(have, func(c filedContact) bool { return c.client == clientID || clientID == 0 })
	if i < 0 {
		if i = slices.IndexFunc(have, func(c filedContact) bool { return c.client == 0 }); i < 0 {
			return 0, nil
		}
		if err := t.linkLetter(Actor{Origin: FromMail}, have[i].id, clientID); err != nil {
			return 0, err
		}
		have[i].client = clientID
	}
	return have[i].id, t.joinManagers(have[i].id, managers)
}

// knowPerson notes who was added to a client, for the letters of the batch.
func (t *filing) knowPerson(n *NewPerson) {
	there, err := t.personsOf(n.ClientID, []string{n.Address})
	if err != nil || len(there) == 0 {
		return
	}
	if t.persons[n.ClientID] == nil {
		t.persons[n.ClientID] = map[string]PersonRef{}
	}
	t.persons[n.ClientID][n.Address] = there[0]
}

func (t *filing) joinManagers(contactID int64, managers []int64) error {
	for _, m := range managers {
		if _, err := t.addManager(contactID, m); err != nil {
			return err
		}
	}
	return nil
}

// forget takes somebody who was erased since out of a letter from before, which
// another mailbox still has: it comes without text and without them. What they
// write later is a new letter.
func (t *filing) forget(l *FiledLetter) error {
	var gone []string
	for _, a := range l.Addresses {
		if is, err := t.erasedSince(a, l.Date); err != nil {
			return err
		} else if is {
			gone = append(gone, a)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	isGone := func(a string) bool { return slices.Contains(gone, a) }
	l.Addresses = slices.DeleteFunc(slices.Clone(l.Addresses), isGone)
	l.Names = maps.Clone(l.Names)
	maps.DeleteFunc(l.Names, func(a, _ string) bool { return isGone(a) })
	l.Text, l.FullText, l.Subject, l.bare, l.NewPerson = "", "", "", "", nil
	if l.Invitation != nil {
		in := *l.Invitation
		in.Title, in.Body, in.Attendees = "", "", slices.DeleteFunc(slices.Clone(in.Attendees), isGone)
		l.Invitation = &in
	}
	if l.Dropbox != nil {
		drop := *l.Dropbox
		drop.Subject, drop.Note = "", ""
		l.Dropbox = &drop
	}
	return nil
}

// noteSender counts somebody unknown who wrote to us.
func (t *filing) noteSender(l *FiledLetter) error {
	if l.FromAddress == "" {
		return nil
	}
	if erased, err := t.wasErased([]string{l.FromAddress}, nil); err != nil || erased {
		return err
	}
	owner := t.owner
	if l.Dropbox != nil {
		owner = l.Dropbox.ManagerID // who forwarded it
	}
	_, err := t.exec(`INSERT INTO senders (address, manager_id, name, letters, first, last, subject) VALUES ($1, $2, $3, 1, $4, $4, $5)
		ON CONFLICT (address, manager_id) DO UPDATE SET letters = senders.letters + 1,
		name = CASE WHEN $3 <> '' THEN $3 ELSE senders.name END,
		first = CASE WHEN senders.first < $4 THEN senders.first ELSE $4 END,
		subject = CASE WHEN senders.last <= $4 THEN $5 ELSE senders.subject END,
		last = CASE WHEN senders.last > $4 THEN senders.last ELSE $4 END`,
		clip(clean(l.FromAddress), 320), owner, clip(clean(l.FromName), 200), unix(l.Date), clip(l.Subject, 300))
	return err
}

// finish writes what is due once for the whole batch.
func (t *filing) finish(recalled []uint32) error {
	if err := errors.Join(t.noteBatch(), t.touchNewest(), t.saveHeard(t.heard)); err != nil {
		return err
	}
	if err := t.forgetRecalls(recalled); err != nil {
		return err
	}
	if err := errors.Join(t.recallAnswers(), t.recallAnswering()); err != nil {
		return err
	}
	if t.letters+t.n.Captured == 0 {
		return nil
	}
	_, err := t.exec(`UPDATE mailboxes SET letters = letters + $1, captured = captured + $2 WHERE id = $3`, t.letters, t.n.Captured, t.folder.MailboxID)
	return err
}

// touchNewest marks what shows the last contacts of the clients, where one of
// the new contacts is among these: of a past that is read newest first, few.
func (t *filing) touchNewest() error {
	shown := map[int64][]ItemKey{} // by client
	collect := func(event bool, query string) error {
		return t.rows(query, []any{asJSON(sortedKeys(t.newest))}, func(scan func(...any) error) error {
			var client, id int64
			err := scan(&client, &id)
			shown[client] = append(shown[client], ItemKey{Event: event, ID: id})
			return err
		})
	}
	if len(t.newest) == 0 {
		return nil
	}
	ids := t.s.dialect.ids("$1")
	err := errors.Join(
		collect(false, `SELECT client_id, id FROM contacts WHERE client_id IN `+ids+` AND state IN ('planned', 'postponed')`),
		collect(true, `SELECT d.client_id, e.id FROM deals d JOIN deal_events e ON e.deal_id = d.id WHERE d.client_id IN `+ids+` AND e.state IN ('planned', 'postponed')`))
	if err != nil {
		return err
	}
	for _, client := range sortedKeys(shown) {
		var last int64 // the oldest of those that are shown
		err := t.row(`SELECT start_at FROM contacts WHERE client_id = $1 AND state = 'done' ORDER BY start_at DESC, id DESC LIMIT 1 OFFSET $2`,
			[]any{client, recentShown - 1}, &last)
		if ignoreNotFound(err) != nil {
			return err
		}
		if t.newest[client] >= last {
			t.touch(shown[client]...)
		}
	}
	return nil
}
