package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
)

// Letters are decided anew when what decided them has changed: their sender
// was registered, or what they answer was captured. Of what was not captured
// no text is kept, so each is asked for again from its mailbox.

// News says what a folder has to look up beside its new letters.
type News struct {
	Recalls bool // letters to be decided anew
	// Addresses and Domains were registered since the folder was last asked,
	// UpTo is the number of the last of them. More than a few: Many.
	Addresses, Domains []string
	Many               bool
	UpTo               int64
}

// fewRegistrations are looked up one by one; beyond, deciding all unknown
// letters of a folder anew is less work for its server.
const fewRegistrations = 25

// FolderNews asks what is to be decided anew in a folder.
func (s *Store) FolderNews(ctx context.Context, f Folder) (n News, err error) {
	// There is hardly ever anything.
	var registered, newest int64
	err = s.glance(ctx, `SELECT registered, EXISTS (SELECT 1 FROM recalls r WHERE r.folder_id = folders.id AND r.uid_validity = folders.uid_validity),
		COALESCE((SELECT MAX(id) FROM registrations), 0) FROM folders WHERE id = $1`, []any{f.ID}, &registered, &n.Recalls, &newest)
	if err != nil || newest <= registered {
		return n, err
	}
	err = s.read(ctx, func(t *tx) error {
		found := 0
		err := t.rows(`SELECT id, kind, value FROM registrations WHERE id > $1 ORDER BY id LIMIT $2`, []any{registered, fewRegistrations + 1}, func(scan func(...any) error) error {
			var kind, value string
			if err := scan(&n.UpTo, &kind, &value); err != nil {
				return err
			}
			found++
			list := &n.Addresses
			if kind == "domain" {
				list = &n.Domains
			}
			if !slices.Contains(*list, value) {
				*list = append(*list, value)
			}
			return nil
		})
		if err != nil || found <= fewRegistrations {
			return err
		}
		n.Many, n.Addresses, n.Domains = true, nil, nil
		return t.row(`SELECT MAX(id) FROM registrations`, nil, &n.UpTo)
	})
	return n, err
}

// LastRegistration is the number of the newest registration, 0 when there is
// none: cheap to ask, to see whether folders have news.
func (s *Store) LastRegistration(ctx context.Context) (n int64, err error) {
	err = s.glance(ctx, `SELECT MAX(id) FROM registrations`, nil, idInto{&n})
	return n, err
}

// RecalledMailboxes are those with letters to be decided anew, in ascending order.
func (s *Store) RecalledMailboxes(ctx context.Context) (ids []int64, err error) {
	err = s.glances(ctx, `SELECT id FROM mailboxes m WHERE EXISTS (SELECT 1 FROM folders f JOIN recalls r ON r.folder_id = f.id AND r.uid_validity = f.uid_validity
		WHERE f.mailbox_id = m.id) ORDER BY id`, nil, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// Recall marks letters of a folder to be decided anew: of uids those that may
// belong to somebody registered up to that number, all such when uids is nil.
// Internal, blocked and automatic letters stay what they are.
func (s *Store) Recall(ctx context.Context, f Folder, uids []uint32, upTo int64) error {
	return s.writeFenced(ctx, func(t *tx) error {
		which, args := "", []any{f.ID, int64(f.UIDValidity)}
		if uids != nil {
			which, args = ` AND uid IN `+t.s.dialect.ids("$3"), append(args, asJSON(uids))
		}
		_, err := t.exec(`INSERT INTO recalls (folder_id, uid_validity, uid) SELECT folder_id, uid_validity, uid FROM letters
			WHERE folder_id = $1 AND uid_validity = $2 AND (outcome = 'captured' OR reason = 'unknown')`+which+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE folders SET registered = $1 WHERE id = $2 AND registered < $1`, upTo, f.ID)
		return err
	})
}

// RecallMissing marks letters of a folder to be read that have no outcome.
func (s *Store) RecallMissing(ctx context.Context, f Folder, uids []uint32) error {
	return s.writeFenced(ctx, func(t *tx) error {
		for _, uid := range uids {
			if _, err := t.exec(`INSERT INTO recalls (folder_id, uid_validity, uid) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, f.ID, int64(f.UIDValidity), int64(uid)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Recalls are letters of a folder to be decided anew, in ascending UID.
func (s *Store) Recalls(ctx context.Context, f Folder, limit int) (uids []uint32, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT uid FROM recalls WHERE folder_id = $1 AND uid_validity = $2 ORDER BY uid LIMIT $3`, []any{f.ID, int64(f.UIDValidity), limit},
			func(scan func(...any) error) error {
				var uid uint32
				err := scan(&uid)
				uids = append(uids, uid)
				return err
			})
	})
	return uids, err
}

// register notes the addresses and domains that a client or person did not
// have before.
func (t *tx) register(kind string, values, before []string) error {
	for _, v := range values {
		if slices.Contains(before, v) {
			continue
		}
		if _, err := t.exec(`INSERT INTO registrations (kind, value, at) VALUES ($1, $2, $3)`, kind, v, t.now.Unix()); err != nil {
			return err
		}
	}
	return nil
}

// answerTo is what an answer to a letter is noted under. Hashes: of what
// belongs to no client nothing readable is kept.
func answerTo(key string) string { return shortHash("letter", key) }

// answerToSubject is what an answer without References is noted under.
func answerToSubject(folded string) string { return shortHash("subject", folded) }

func shortHash(kind, text string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + text))
	return hex.EncodeToString(sum[:12])
}

// noteAnswer keeps what a letter of unknown people answers.
func (t *filing) noteAnswer(l *FiledLetter) error {
	if t.archive {
		return nil
	}
	var to []string
	for _, r := range l.References {
		to = append(to, answerTo(r))
	}
	if len(to) == 0 && IsReply(l.Subject) {
		if s := foldedSubject(l.Subject); s != "" {
			to = append(to, answerToSubject(s))
		}
	}
	if len(to) > 0 {
		t.answers = append(t.answers, *l)
	}
	for _, a := range to {
		if _, err := t.exec(`INSERT INTO answers (answered, folder_id, uid_validity, uid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			a, t.folder.ID, int64(t.folder.UIDValidity), int64(l.UID)); err != nil {
			return err
		}
	}
	return nil
}

// recallAnswers marks the letters of unknown people, in whatever mailbox, that
// answer letters which were captured now.
func (t *filing) recallAnswers() error {
	if len(t.answered) == 0 {
		return nil
	}
	_, err := t.exec(`INSERT INTO recalls (folder_id, uid_validity, uid) SELECT folder_id, uid_validity, uid FROM answers
		WHERE answered IN `+t.s.dialect.texts("$1")+` ON CONFLICT DO NOTHING`, asJSON(distinct(t.answered)))
	return err
}

// recallAnswering marks the batch's letters of unknown people that answer what
// is captured already: another mailbox's daemon, or the batch before, may have
// filed it since they were decided.
func (t *filing) recallAnswering() error {
	var refs, subjects []string
	for _, l := range t.answers {
		refs = append(refs, l.References...)
		if len(l.References) == 0 {
			subjects = append(subjects, foldedSubject(l.Subject))
		}
	}
	if len(t.answers) == 0 {
		return nil
	}
	captured := map[string]bool{}
	found := func(query string, keys []string, name func(string) string) error {
		if len(keys) == 0 {
			return nil
		}
		return t.rows(query, []any{asJSON(distinct(keys))}, func(scan func(...any) error) error {
			var key string
			err := scan(&key)
			captured[name(key)] = true
			return err
		})
	}
	texts := t.s.dialect.texts("$1")
	err := errors.Join(
		found(`SELECT DISTINCT message_key FROM contacts WHERE message_key <> '' AND message_key IN `+texts, refs, answerTo),
		found(`SELECT DISTINCT bare_subject FROM contacts WHERE bare_subject IN `+texts, subjects, answerToSubject))
	if err != nil || len(captured) == 0 {
		return err
	}
	for _, l := range t.answers {
		if !slices.ContainsFunc(l.References, func(r string) bool { return captured[answerTo(r)] }) && !captured[answerToSubject(foldedSubject(l.Subject))] {
			continue
		}
		if err := t.recall(l.UID); err != nil {
			return err
		}
	}
	return nil
}

// recall marks one letter of the folder.
func (t *filing) recall(uid uint32) error {
	_, err := t.exec(`INSERT INTO recalls (folder_id, uid_validity, uid) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, t.folder.ID, int64(t.folder.UIDValidity), int64(uid))
	return err
}

// recallStale marks the batch's letters of unknown people where somebody was
// registered since the batch was decided: another process may have looked up
// the registration already, and found them not yet filed.
func (t *filing) recallStale(b Batch) error {
	if b.Directory == 0 {
		return nil
	}
	version, err := t.directoryVersion()
	if err != nil || version == b.Directory {
		return err
	}
	for i := range b.Letters {
		if l := &b.Letters[i]; l.Outcome == Skipped && l.Reason == Unknown && !t.recalled[l.UID] && !IsUnread(l.Key) {
			if err := t.recall(l.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetRecalls takes away the marks of letters that were decided anew.
func (t *filing) forgetRecalls(uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	_, err := t.exec(`DELETE FROM recalls WHERE folder_id = $1 AND uid_validity = $2 AND uid IN `+t.s.dialect.ids("$3"),
		t.folder.ID, int64(t.folder.UIDValidity), asJSON(uids))
	return err
}

// EachOutcome calls each for every letter of a folder that has an outcome, in
// ascending UID. lost: it was captured, but has no contact, or could not be
// read when it was filed.
func (s *Store) EachOutcome(ctx context.Context, f Folder, each func(uid uint32, outcome Outcome, reason Reason, lost bool) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT uid, outcome, reason, outcome = 'captured' AND NOT EXISTS (SELECT 1 FROM contacts c WHERE c.message_key = letters.message_key AND c.message_key <> '')
			OR outcome <> 'captured' AND message_key >= 'unread:' AND message_key < 'unread;'
			FROM letters WHERE folder_id = $1 AND uid_validity = $2 ORDER BY uid`, []any{f.ID, int64(f.UIDValidity)}, func(scan func(...any) error) error {
			var uid uint32
			var outcome Outcome
			var reason Reason
			var lost bool
			if err := scan(&uid, &outcome, &reason, &lost); err != nil {
				return err
			}
			return each(uid, outcome, reason, lost)
		})
	})
}
