package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SaveMailbox makes sure that the mailbox has a row, by name. manager is a
// login, "" for a shared one.
func (s *Store) SaveMailbox(ctx context.Context, name, manager string) (m Mailbox, err error) {
	err = s.write(ctx, func(t *tx) error {
		owner := int64(0)
		if manager != "" {
			who, err := t.manager("m.login = $1", strings.ToLower(manager))
			if err != nil {
				return fmt.Errorf("manager %q of mailbox %q: %w", manager, name, err)
			}
			owner = who.ID
		}
		m = Mailbox{Name: name, ManagerID: owner}
		return t.row(`INSERT INTO mailboxes (name, manager_id) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET manager_id = $2 RETURNING id`,
			[]any{name, ref(owner)}, &m.ID)
	})
	return m, err
}

// MailboxStates lists all mailboxes by name; archives (see archive_sql.go)
// are not among them, since nothing is to be expected of them.
func (s *Store) MailboxStates(ctx context.Context) (out []MailboxState, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT m.id, m.name, m.manager_id, o.login, m.last_success, m.last_error, m.error_since, m.letters, m.captured
			FROM mailboxes m LEFT JOIN managers o ON o.id = m.manager_id WHERE m.name NOT LIKE 'mbox:%' ORDER BY m.name`, nil, func(scan func(...any) error) error {
			var b MailboxState
			if err := scan(&b.ID, &b.Name, idInto{&b.ManagerID}, textInto{&b.ManagerLogin}, timeInto{&b.LastSuccess}, &b.LastError, timeInto{&b.ErrorSince}, &b.Letters, &b.Captured); err != nil {
				return err
			}
			out = append(out, b)
			return nil
		})
	})
	return out, err
}

// MailboxOutcome notes a pass that succeeded (err nil) or failed.
func (s *Store) MailboxOutcome(ctx context.Context, mailboxID int64, outcome error) error {
	return s.write(ctx, func(t *tx) error {
		if outcome == nil {
			_, err := t.exec(`UPDATE mailboxes SET last_success = $1, last_error = '', error_since = 0 WHERE id = $2`, t.now.Unix(), mailboxID)
			return err
		}
		_, err := t.exec(`UPDATE mailboxes SET last_error = $1, error_since = CASE WHEN error_since = 0 THEN $2 ELSE error_since END WHERE id = $3`,
			clip(clean(outcome.Error()), 1000), t.now.Unix(), mailboxID)
		return err
	})
}

// OpenFolder gives the folder's cursor for that UIDVALIDITY. A changed one
// starts a new cursor at 0: the letters are then recognised by their keys.
func (s *Store) OpenFolder(ctx context.Context, mailboxID int64, name string, uidValidity uint32) (f Folder, err error) {
	name = clip(clean(name), 1000)
	err = s.write(ctx, func(t *tx) error {
		f = Folder{MailboxID: mailboxID, Name: name, UIDValidity: uidValidity}
		_, err := t.exec(`INSERT INTO folders (mailbox_id, name, uid_validity) VALUES ($1, $2, $3)
			ON CONFLICT (mailbox_id, name) DO UPDATE SET uid_validity = $3, last_uid = 0, mod_seq = 0 WHERE folders.uid_validity <> $3`,
			mailboxID, name, int64(uidValidity))
		if err != nil {
			return err
		}
		return t.row(`SELECT id, last_uid, mod_seq FROM folders WHERE mailbox_id = $1 AND name = $2`, []any{mailboxID, name}, &f.ID, &f.LastUID, &f.ModSeq)
	})
	return f, err
}

// FileLetters writes the outcomes of a batch, the contacts of the captured
// ones and the folder's cursor in one transaction. A letter whose key is
// known joins the contacts that exist. ErrStale when the folder's UIDVALIDITY
// has changed since f was opened.
func (s *Store) FileLetters(ctx context.Context, f Folder, lastUID uint32, letters []FiledLetter) (n Filed, err error) {
	err = s.write(ctx, func(t *tx) error {
		n = Filed{}
		if err := t.lock("folders", f.ID); err != nil {
			return err
		}
		var validity, last int64
		var owner int64
		err := t.row(`SELECT f.uid_validity, f.last_uid, m.manager_id FROM folders f JOIN mailboxes m ON m.id = f.mailbox_id WHERE f.id = $1`,
			[]any{f.ID}, &validity, &last, idInto{&owner})
		if err != nil {
			return err
		}
		if validity != int64(f.UIDValidity) {
			return ErrStale
		}
		touched := map[int64]bool{}
		for i := range letters {
			if err := t.fileLetter(f, owner, &letters[i], &n, touched); err != nil {
				return fmt.Errorf("file letter %d of %s: %w", letters[i].UID, f.Name, err)
			}
		}
		for _, id := range sortedKeys(touched) { // "last contacts" in the calendars
			if err := t.touchClient(id); err != nil {
				return err
			}
		}
		if n.Captured+n.Skipped > 0 {
			if _, err := t.exec(`UPDATE mailboxes SET letters = letters + $1, captured = captured + $2 WHERE id = $3`, n.Captured+n.Skipped, n.Captured, f.MailboxID); err != nil {
				return err
			}
		}
		if int64(lastUID) > last {
			_, err = t.exec(`UPDATE folders SET last_uid = $1 WHERE id = $2`, int64(lastUID), f.ID)
		}
		return err
	})
	return n, err
}

func (t *tx) fileLetter(f Folder, owner int64, l *FiledLetter, n *Filed, touched map[int64]bool) error {
	l.Key, l.MessageID = clip(clean(l.Key), 1000), clip(clean(l.MessageID), 1000)
	seenID := l.MessageID
	if d := l.Dropbox; d != nil {
		seenID = clip(clean(d.MessageID), 1000) // of the letter that lies in the mailbox
		if d.Approximate && l.Outcome == Captured {
			if err := t.sameLetter(l); err != nil {
				return err
			}
		}
	}
	new, err := t.exec(`INSERT INTO letters (folder_id, uid_validity, uid, message_key, message_id, date, outcome, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (folder_id, uid_validity, uid) DO NOTHING`,
		f.ID, int64(f.UIDValidity), int64(l.UID), l.Key, seenID, unix(l.Date), string(l.Outcome), string(l.Reason))
	if err != nil {
		return err
	}
	if new == 0 {
		n.Seen++
		return nil
	}
	if l.Outcome != Captured {
		n.Skipped++
		if l.Reason == Unknown && l.FromAddress != "" {
			if l.Dropbox != nil {
				owner = l.Dropbox.ManagerID // who forwarded it
			}
			if err := t.noteSender(owner, l); err != nil {
				return err
			}
		}
		return t.obey(l, nil)
	}
	n.Captured++
	addresses := l.Addresses
	if len(addresses) > 1000 {
		addresses = addresses[:1000]
	}
	managers := []int64{}
	if l.Dropbox != nil {
		managers = append(managers, l.Dropbox.ManagerID)
	}
	if owner != 0 {
		managers = append(managers, owner)
	}
	err = t.rows(`SELECT DISTINCT manager_id FROM manager_addresses WHERE address IN `+t.s.dialect.texts("$1")+` ORDER BY manager_id`, []any{asJSON(addresses)}, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		if !slices.Contains(managers, id) {
			managers = append(managers, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	thread, err := t.threadOf(l)
	if err != nil {
		return err
	}
	private, err := t.threadPrivate(thread)
	if err != nil {
		return err
	}
	if private {
		l.Text, l.FullText = "", ""
	}
	if l.NewPerson != nil {
		if err := t.addSender(l.NewPerson); err != nil {
			return err
		}
	}
	if _, err := t.exec(`INSERT INTO letter_texts (message_key, message_id, full_text, parties) VALUES ($1, $2, $3, $4) ON CONFLICT (message_key) DO NOTHING`,
		l.Key, l.MessageID, clean(l.FullText), asJSON(addresses)); err != nil {
		return err
	}
	clients := l.Clients
	if len(clients) == 0 {
		clients = []int64{0} // its folder includes it
	}
	var contacts []int64
	for _, client := range clients {
		id, err := t.letterContact(client, managers, thread, l, private || l.Private, n, touched)
		if err != nil {
			return err
		}
		if id != 0 {
			contacts = append(contacts, id)
		}
	}
	if l.Private && !private {
		if err := t.setPrivate(Actor{Origin: FromMail}, thread, true); err != nil {
			return err
		}
	}
	return t.obey(l, contacts)
}

// letterContact makes the contact of a letter with one client, or joins the
// managers to the one that is there. Client 0 is nobody known: then any
// contact of the letter will do.
func (t *tx) letterContact(clientID int64, managers []int64, thread string, l *FiledLetter, private bool, n *Filed, touched map[int64]bool) (int64, error) {
	if id, err := t.joinLetter(clientID, managers, l.Key); id != 0 || err != nil {
		return id, err
	}
	var client Client
	if clientID != 0 {
		var err error
		client, err = t.client(clientID)
		if errors.Is(err, ErrNotFound) {
			return 0, nil // merged or gone since the snapshot of the directory
		}
		if err != nil {
			return 0, err
		}
	}
	c := Contact{UID: newUID(), Kind: Letter, Direction: l.Direction, State: Done, Importance: cmp.Or(client.Importance, Normal), ClientID: clientID,
		Managers: managers, Subject: clip(strings.TrimSpace(clean(l.Subject)), maxSubject), Body: clip(clean(l.Text), maxBody),
		When: Span{Start: l.Date, End: l.Date}, Minutes: t.s.opt.MinutesPerLetter, Estimated: true, Thread: thread, MessageKey: l.Key,
		Origin: FromMail, Completed: l.Date, Private: private}
	if clientID == 0 {
		c.ClientText = clip(strings.TrimSpace(clean(l.ClientText)), maxSubject)
	}
	for i, a := range l.Attachments {
		if i == 200 {
			break
		}
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
	var err error
	if c.Persons, err = t.personsOf(clientID, l.Addresses); err != nil {
		return 0, err
	}
	err = t.insertContact(&c, VEvent)
	if errors.Is(err, ErrConflict) { // another mailbox's daemon filed the letter at the same moment
		return t.joinLetter(clientID, managers, l.Key)
	}
	if err != nil {
		return 0, err
	}
	n.NewContacts++
	if clientID != 0 {
		touched[clientID] = true
	} else if err := t.noteUnlinked(c.ID, l.Outsiders); err != nil {
		return 0, err
	}
	return c.ID, t.remember(Actor{Origin: FromMail}, "contact", c.ID, "created", nil)
}

// joinLetter adds managers to the contact that a letter already has with a
// client; 0 when there is none. One without a client gets it.
func (t *tx) joinLetter(clientID int64, managers []int64, key string) (int64, error) {
	var id int64
	which := "client_id = $2"
	if clientID == 0 {
		which = "$2 = 0"
	}
	err := t.row(`SELECT id FROM contacts WHERE message_key = $1 AND `+which+` AND message_key <> '' ORDER BY id LIMIT 1`, []any{key, clientID}, &id)
	if errors.Is(err, ErrNotFound) && clientID != 0 {
		if err = t.row(`SELECT id FROM contacts WHERE message_key = $1 AND client_id IS NULL AND message_key <> ''`, []any{key}, &id); err == nil {
			err = t.linkLetter(Actor{Origin: FromMail}, id, clientID)
		}
	}
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	for _, m := range managers {
		if err := t.addManager(id, m); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// threadOf is the key of the first letter of the thread: that of a letter it
// answers, else the oldest reference, else its own. Letters that took this
// one for the first of their thread join it.
func (t *tx) threadOf(l *FiledLetter) (string, error) {
	thread := l.Key
	refs := l.References
	if len(refs) > 100 {
		refs = refs[len(refs)-100:]
	}
	if len(refs) > 0 {
		thread = clip(clean(refs[0]), 1000)
		err := t.row(`SELECT thread FROM contacts WHERE message_key IN `+t.s.dialect.texts("$1")+` AND message_key <> '' ORDER BY start_at, id LIMIT 1`, []any{asJSON(refs)}, &thread)
		if ignoreNotFound(err) != nil {
			return "", err
		}
	} else if bare := BareSubject(l.Subject); IsReply(l.Subject) && bare != "" {
		// A reply without References: same bare subject and client, within 30 days.
		err := t.row(`SELECT thread FROM contacts WHERE bare_subject = $1 AND client_id IN `+t.s.dialect.ids("$2")+` AND start_at <= $3 AND start_at > $4 ORDER BY start_at DESC, id LIMIT 1`,
			[]any{clip(fold(clean(bare)), 500), asJSON(l.Clients), unix(l.Date), unix(l.Date.Add(-30 * 24 * time.Hour))}, &thread)
		if ignoreNotFound(err) != nil {
			return "", err
		}
	}
	if thread != l.Key {
		if _, err := t.exec(`UPDATE contacts SET thread = $1 WHERE thread = $2`, thread, l.Key); err != nil {
			return "", err
		}
	}
	return cmp.Or(thread, l.Key), nil
}

// LetterKeys tells which of the keys were captured, with the clients of their
// contacts: rule 6 (thread), and letters that need no second fetch.
func (s *Store) LetterKeys(ctx context.Context, keys []string) (map[string][]int64, error) {
	out := map[string][]int64{}
	if len(keys) == 0 {
		return out, nil
	}
	err := s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT message_key, client_id FROM contacts WHERE message_key <> '' AND message_key IN `+s.dialect.texts("$1")+` ORDER BY client_id`,
			[]any{asJSON(keys)}, func(scan func(...any) error) error {
				var k string
				var id int64
				if err := scan(&k, idInto{&id}); err != nil {
					return err
				}
				out[k] = append(out[k], id)
				return nil
			})
	})
	return out, err
}

// ThreadBySubject finds clients of captured letters with the same bare subject
// and a shared party within 30 days before date. addresses are the letter's
// parties that are not ours: we take part in every thread.
func (s *Store) ThreadBySubject(ctx context.Context, subject string, addresses []string, date time.Time) (out []int64, err error) {
	bare := clip(fold(clean(BareSubject(subject))), 500)
	if bare == "" || len(addresses) == 0 {
		return nil, nil
	}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT c.client_id, lt.parties FROM contacts c JOIN letter_texts lt ON lt.message_key = c.message_key
			WHERE c.bare_subject = $1 AND c.start_at <= $2 AND c.start_at > $3 ORDER BY c.start_at DESC LIMIT 50`,
			[]any{bare, unix(date), unix(date.Add(-30 * 24 * time.Hour))}, func(scan func(...any) error) error {
				var id int64
				var parties []string
				if err := scan(idInto{&id}, jsonInto{&parties}); err != nil {
					return err
				}
				shared := slices.ContainsFunc(parties, func(p string) bool { return slices.Contains(addresses, p) })
				if shared && id != 0 && !slices.Contains(out, id) {
					out = append(out, id)
				}
				return nil
			})
	})
	return out, err
}

// noteSender counts somebody unknown who wrote to us.
func (t *tx) noteSender(owner int64, l *FiledLetter) error {
	_, err := t.exec(`INSERT INTO senders (address, manager_id, name, letters, first, last, subject) VALUES ($1, $2, $3, 1, $4, $4, $5)
		ON CONFLICT (address, manager_id) DO UPDATE SET letters = senders.letters + 1,
		name = CASE WHEN $3 <> '' THEN $3 ELSE senders.name END,
		first = CASE WHEN senders.first < $4 THEN senders.first ELSE $4 END,
		subject = CASE WHEN senders.last <= $4 THEN $5 ELSE senders.subject END,
		last = CASE WHEN senders.last > $4 THEN senders.last ELSE $4 END`,
		clip(clean(l.FromAddress), 320), owner, clip(clean(l.FromName), 200), unix(l.Date), clip(clean(l.Subject), 300))
	return err
}

// UnknownSenders who wrote to that manager (or to a shared mailbox) for the
// first time since a moment and are no client's yet, newest first.
func (s *Store) UnknownSenders(ctx context.Context, managerID int64, since time.Time, limit int) (out []Sender, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT address, name, letters, first, last, subject FROM senders WHERE manager_id IN (0, $1) AND last >= $2 AND first >= $2
			AND NOT EXISTS (SELECT 1 FROM person_points p WHERE p.kind = 'email' AND p.value = senders.address)
			AND NOT EXISTS (SELECT 1 FROM client_points p WHERE p.kind = 'email' AND p.value = senders.address)
			ORDER BY last DESC, address LIMIT $3`, []any{managerID, since.Unix(), limit}, func(scan func(...any) error) error {
			var x Sender
			if err := scan(&x.Address, &x.Name, &x.Letters, timeInto{&x.First}, timeInto{&x.Last}, &x.Subject); err != nil {
				return err
			}
			out = append(out, x)
			return nil
		})
	})
	return out, err
}
