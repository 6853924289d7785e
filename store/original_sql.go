package store

import (
	"context"
	"errors"
)

// LetterPlace is where a letter lies on a mail server.
type LetterPlace struct {
	Mailbox, Folder  string // the mailbox as the settings name it
	UIDValidity, UID uint32
	MessageID        string // "" it has none
}

// Original is a letter as its author laid it out. All of it is a stranger's.
type Original struct {
	HTML string // of a part that has none its text, escaped
	// Pictures that came with the letter, by Content-ID (RFC 2392): PNG, JPEG,
	// GIF or WebP by their first bytes, whatever the letter says of them.
	Pictures map[string][]byte
}

// ErrNoOriginal: the letter lies in none of the mailboxes any more, or in none
// whose texts this daemon may fetch.
var ErrNoOriginal = errors.New("the letter is not in the mailbox")

// maxPlaces bounds where a letter is looked for: one to a whole department lies
// in many mailboxes.
const maxPlaces = 20

// LetterPlaces of a captured letter, those in the viewer's own mailbox first;
// none where the viewer may not read it, or its text was dropped. ErrNotFound as Contact.
func (s *Store) LetterPlaces(ctx context.Context, viewer Manager, id int64) (places []LetterPlace, err error) {
	err = s.read(ctx, func(t *tx) error {
		key, err := t.readableLetter(viewer, id)
		if err != nil || key == "" {
			return err
		}
		return t.rows(`SELECT m.name, f.name, l.uid_validity, l.uid, l.message_id FROM letters l JOIN folders f ON f.id = l.folder_id JOIN mailboxes m ON m.id = f.mailbox_id
			WHERE l.message_key = $1 AND l.outcome = 'captured' AND NOT EXISTS (SELECT 1 FROM letter_texts lt WHERE lt.message_key = $1 AND lt.dropped > 0)
			ORDER BY CASE WHEN m.manager_id = $2 THEN 0 ELSE 1 END, CASE WHEN l.uid_validity = f.uid_validity THEN 0 ELSE 1 END, f.id, l.uid DESC LIMIT $3`,
			[]any{key, viewer.ID, maxPlaces}, func(scan func(...any) error) error {
				var p LetterPlace
				err := scan(&p.Mailbox, &p.Folder, &p.UIDValidity, &p.UID, &p.MessageID)
				places = append(places, p)
				return err
			})
	})
	return places, err
}
