package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// SaveMailboxes makes sure that each mailbox has a row, by name, as SaveMailbox
// does, but for all in one transaction and few statements: a daemon does it when
// it starts. logins are their managers', "" for a shared one; a mailbox whose
// manager does not exist is left alone.
func (s *Store) SaveMailboxes(ctx context.Context, logins map[string]string) error {
	return s.write(ctx, func(t *tx) error {
		ids := map[string]int64{"": 0}
		err := t.rows(`SELECT id, login FROM managers`, nil, func(scan func(...any) error) error {
			var id int64
			var login string
			err := scan(&id, &login)
			ids[login] = id
			return err
		})
		if err != nil {
			return err
		}
		saved := map[string]int64{}
		err = t.rows(`SELECT name, manager_id FROM mailboxes`, nil, func(scan func(...any) error) error {
			var name string
			var owner int64
			err := scan(&name, idInto{&owner})
			saved[name] = owner
			return err
		})
		if err != nil {
			return err
		}
		var rows [][2]any
		for _, name := range slices.Sorted(maps.Keys(logins)) { // one order for all daemons
			owner, exists := ids[strings.ToLower(logins[name])]
			if was, known := saved[name]; !exists || known && was == owner {
				continue
			}
			rows = append(rows, [2]any{name, owner})
		}
		if len(rows) == 0 {
			return nil
		}
		// Ten thousand statements took the better part of a start.
		_, err = t.exec(`INSERT INTO mailboxes (name, manager_id) SELECT value->>0, NULLIF(CAST(value->>1 AS BIGINT), 0) FROM `+t.s.dialect.elements("$1")+` AS rows WHERE true
			ON CONFLICT (name) DO UPDATE SET manager_id = excluded.manager_id`, asJSON(rows))
		return err
	})
}

// KeepMailbox makes sure that a mailbox of that name has a row, and leaves the
// row as it is where there is one: for a mailbox whose manager is not known.
func (s *Store) KeepMailbox(ctx context.Context, name string) (id int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO mailboxes (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return err
		}
		return t.row(`SELECT id FROM mailboxes WHERE name = $1`, []any{name}, &id)
	})
	return id, err
}

// MailboxStates lists all mailboxes by name; archives (see archive_sql.go)
// are not among them, since nothing is to be expected of them.
func (s *Store) MailboxStates(ctx context.Context) (out []MailboxState, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT m.id, m.name, m.manager_id, o.login, m.last_success, m.last_error, m.error_since, m.letters, m.captured, m.lease_owner
			FROM mailboxes m LEFT JOIN managers o ON o.id = m.manager_id WHERE m.name NOT LIKE 'mbox:%' ORDER BY m.name`, nil, func(scan func(...any) error) error {
			var b MailboxState
			if err := scan(&b.ID, &b.Name, idInto{&b.ManagerID}, textInto{&b.ManagerLogin}, timeInto{&b.LastSuccess}, &b.LastError, timeInto{&b.ErrorSince}, &b.Letters, &b.Captured, &b.Daemon); err != nil {
				return err
			}
			out = append(out, b)
			return nil
		})
	})
	return out, err
}

// MailboxOutcome notes a pass that succeeded (err nil) or failed. One that
// read all but some folders is MailboxPartly's.
func (s *Store) MailboxOutcome(ctx context.Context, mailboxID int64, outcome error) error {
	return s.writeFenced(ctx, func(t *tx) error {
		if outcome == nil {
			return t.mailOutcome(`UPDATE mailboxes SET last_success = $1, last_error = '', error_since = 0, failed_at = 0 WHERE id = $2`, t.now.Unix(), mailboxID)
		}
		return t.mailOutcome(`UPDATE mailboxes SET last_error = $1, error_since = CASE WHEN error_since = 0 OR failed_at = 0 THEN $2 ELSE error_since END, failed_at = $2 WHERE id = $3`,
			clip(clean(outcome.Error()), 1000), t.now.Unix(), mailboxID)
	})
}

// OpenFolder gives the folder's cursor for that UIDVALIDITY. A changed one
// starts a new cursor: the letters are then recognised by their keys.
func (s *Store) OpenFolder(ctx context.Context, mailboxID int64, name string, uidValidity uint32) (f Folder, err error) {
	f = Folder{MailboxID: mailboxID, Name: clip(clean(name), 1000), UIDValidity: uidValidity}
	cursor := []any{&f.ID, &f.First, &f.Last, &f.ModSeq}
	// Each folder is opened every few minutes, and hardly ever anew.
	err = s.glance(ctx, `SELECT id, first_uid, last_uid, mod_seq FROM folders WHERE mailbox_id = $1 AND name = $2 AND uid_validity = $3`,
		[]any{mailboxID, f.Name, int64(uidValidity)}, cursor...)
	if !errors.Is(err, ErrNotFound) {
		return f, err
	}
	err = s.writeFenced(ctx, func(t *tx) error {
		// Whoever is registered by now is known to all that is read from here on.
		_, err := t.exec(`INSERT INTO folders (mailbox_id, name, uid_validity, registered) VALUES ($1, $2, $3, (SELECT COALESCE(MAX(id), 0) FROM registrations))
			ON CONFLICT (mailbox_id, name) DO UPDATE SET uid_validity = $3, first_uid = 1, last_uid = 0, mod_seq = 0, registered = excluded.registered
			WHERE folders.uid_validity <> $3`, mailboxID, f.Name, int64(uidValidity))
		if err != nil {
			return err
		}
		return t.row(`SELECT id, first_uid, last_uid, mod_seq FROM folders WHERE mailbox_id = $1 AND name = $2`, []any{mailboxID, f.Name}, cursor...)
	})
	return f, err
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
			[]any{bare, unix(date), unix(date.Add(-ThreadSpan))}, func(scan func(...any) error) error {
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

// UnknownSenders who wrote to that manager (or to a shared mailbox) for the
// first time since a moment, are no client's yet, and are neither offered as
// somebody's person nor refused; newest first.
func (s *Store) UnknownSenders(ctx context.Context, managerID int64, since time.Time, limit int) (out []Sender, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT address, name, letters, first, last, subject FROM senders WHERE manager_id IN (0, $1) AND last >= $2 AND first >= $2
			AND NOT EXISTS (SELECT 1 FROM person_points p WHERE p.kind = 'email' AND p.value = senders.address)
			AND NOT EXISTS (SELECT 1 FROM client_points p WHERE p.kind = 'email' AND p.value = senders.address)
			AND NOT EXISTS (SELECT 1 FROM book_entries e WHERE e.book = $4 AND e.key = senders.address)
			ORDER BY last DESC, address LIMIT $3`, []any{managerID, since.Unix(), limit, MailBook}, func(scan func(...any) error) error {
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
