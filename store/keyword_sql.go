package store

import (
	"context"
	"maps"
	"slices"
)

// Keyworded takes note of the letters of a folder that bear a keyword now, by
// keyword, all of them: those that got one since, or lost one, are decided
// anew. modSeq is the folder's HIGHESTMODSEQ (RFC 7162) of that moment, 0 where
// the server has none; it is Folder.ModSeq from now on.
func (s *Store) Keyworded(ctx context.Context, f Folder, keywords map[string][]uint32, modSeq uint64) error {
	return s.writeFenced(ctx, func(t *tx) error {
		where := []any{f.ID, int64(f.UIDValidity)}
		before := map[string][]uint32{}
		err := t.rows(`SELECT keyword, uid FROM keyworded WHERE folder_id = $1 AND uid_validity = $2`, where, func(scan func(...any) error) error {
			var keyword string
			var uid uint32
			err := scan(&keyword, &uid)
			before[keyword] = append(before[keyword], uid)
			return err
		})
		if err != nil {
			return err
		}
		changed := []uint32{}
		for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
			got, lost := differ(before[keyword], keywords[keyword])
			for _, uid := range got {
				if _, err := t.exec(`INSERT INTO keyworded (folder_id, uid_validity, keyword, uid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
					append(slices.Clone(where), keyword, int64(uid))...); err != nil {
					return err
				}
			}
			for _, uid := range lost {
				if _, err := t.exec(`DELETE FROM keyworded WHERE folder_id = $1 AND uid_validity = $2 AND keyword = $3 AND uid = $4`,
					append(slices.Clone(where), keyword, int64(uid))...); err != nil {
					return err
				}
			}
			changed = append(append(changed, got...), lost...)
		}
		if len(changed) > 0 {
			if _, err := t.exec(`INSERT INTO recalls (folder_id, uid_validity, uid) SELECT folder_id, uid_validity, uid FROM letters
				WHERE folder_id = $1 AND uid_validity = $2 AND uid IN `+t.s.dialect.ids("$3")+` ON CONFLICT DO NOTHING`, append(where, asJSON(changed))...); err != nil {
				return err
			}
		}
		_, err = t.exec(`UPDATE folders SET mod_seq = $1 WHERE id = $2 AND uid_validity = $3`, int64(modSeq), f.ID, int64(f.UIDValidity))
		return err
	})
}

// differ gives what only new and only old hold.
func differ(old, new []uint32) (got, lost []uint32) {
	has := map[uint32]bool{}
	for _, uid := range old {
		has[uid] = true
	}
	for _, uid := range new {
		if !has[uid] {
			got = append(got, uid)
		}
		delete(has, uid)
	}
	return got, slices.Sorted(maps.Keys(has))
}

// withdraw takes a captured letter back that its mailbox excludes now: its
// contacts are cancelled, unless another mailbox has the letter captured.
func (t *filing) withdraw(key string) error {
	if err := t.unhear(key); err != nil {
		return err
	}
	return t.turnLetter(key, Done, Cancelled, `NOT EXISTS (SELECT 1 FROM letters l WHERE l.message_key = $1 AND l.outcome = 'captured')`)
}

// reinstate is the opposite of withdraw.
func (t *filing) reinstate(key string) error { return t.turnLetter(key, Cancelled, Done, "TRUE") }

// turnLetter changes the state of a letter's contacts.
func (t *filing) turnLetter(key string, from, to State, condition string) error {
	ids, err := t.numbers(`SELECT id FROM contacts WHERE message_key = $1 AND message_key <> '' AND state = $2 AND `+condition, key, string(from))
	for _, id := range ids {
		if err != nil {
			return err
		}
		var c Contact
		if c, err = t.tx.contact(id); err == nil {
			err = t.editContact(Actor{Origin: FromMail}, c, ContactEdit{State: &to})
		}
	}
	return err
}
