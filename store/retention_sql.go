package store

import (
	"context"
	"time"
)

// dropTexts empties the texts of letters from before a moment: the letter's
// own, with its quotes and without, what the history kept of them, and what
// calendars show. That there was a letter, between whom, when and about what,
// stays. Nothing brings a text back: a letter that is seen again is known by
// its key. Texts that people wrote into the contact of such a letter go, too.
//
// Contacts are walked in the order of their numbers, and looked at outside the
// transaction that changes them, so that others write in between.
func (s *Store) dropTexts(ctx context.Context, before time.Time) (dropped int64, err error) {
	for last := int64(0); ; {
		var old []int64
		err := s.read(ctx, func(t *tx) error {
			return t.rows(`SELECT c.id FROM contacts c JOIN letter_texts lt ON lt.message_key = c.message_key
				WHERE c.id > $1 AND c.message_key <> '' AND c.start_at < $2 AND (lt.dropped = 0 OR c.body <> '') ORDER BY c.id LIMIT $3`,
				[]any{last, before.Unix(), cleanBatch}, func(scan func(...any) error) error {
					var id int64
					err := scan(&id)
					old = append(old, id)
					return err
				})
		})
		if err != nil || len(old) == 0 {
			return dropped, err
		}
		if err := s.write(ctx, func(t *tx) error { return t.dropTextsOf(old) }); err != nil {
			return dropped, err
		}
		dropped += int64(len(old))
		last = old[len(old)-1]
	}
}

// dropTextsOf empties the texts of these letters.
func (t *tx) dropTextsOf(contacts []int64) error {
	in, ids := t.s.dialect.ids("$1"), asJSON(contacts)
	if _, err := t.exec(`UPDATE letter_texts SET full_text = '', dropped = $2 WHERE message_key IN (SELECT message_key FROM contacts WHERE id IN `+in+`)`, ids, t.now.Unix()); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE contacts SET body = '', version = version + 1, changed = $2 WHERE id IN `+in+` AND body <> ''`, ids, t.now.Unix()); err != nil {
		return err
	}
	type row struct {
		id int64
		HistoryRow
	}
	var texts []row
	err := t.rows(`SELECT id, changes FROM history WHERE what = 'contact' AND what_id IN `+in+` AND (changes LIKE '%"body"%' OR changes LIKE '%"note"%')`,
		[]any{ids}, func(scan func(...any) error) error {
			var h row
			err := scan(&h.id, jsonInto{&h.Changes})
			texts = append(texts, h)
			return err
		})
	if err != nil {
		return err
	}
	for _, h := range texts {
		h.HideText()
		if _, err := t.exec(`UPDATE history SET changes = $1 WHERE id = $2`, asJSON(h.Changes), h.id); err != nil {
			return err
		}
	}
	return t.touchAll(false, `SELECT c.id FROM contacts c WHERE c.id IN `+in+` AND EXISTS (SELECT 1 FROM entries e WHERE e.item = 'c' || c.id AND NOT e.gone)`, ids)
}
