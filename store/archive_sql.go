package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// An archive is a file of letters (mbox) that was imported. Its letters are
// recorded like those of a mailbox, under a mailbox row of its own, so that
// every letter seen has one outcome. UIDs are given in the order of filing; a
// letter is known again by its key, since a mail program that compacts its
// file moves all positions behind what it took out.

// archivePrefix begins the name of an archive's mailbox row. No mailbox of
// the settings may begin so.
const archivePrefix = "mbox:"

// IsArchive reports whether a mailbox name is kept for archives.
func IsArchive(name string) bool { return strings.HasPrefix(name, archivePrefix) }

// Archive says under which row letters of an archive are filed.
type Archive struct {
	Manager string // login of whose letters these are
	Folder  string
}

// ArchiveFiled counts what FileArchive did.
type ArchiveFiled struct {
	Filed
	Reasons map[Reason]int // of the letters skipped
}

// FileArchive files letters of an archive in one transaction. A letter that
// the archive has brought before is left alone (Filed.Seen), except that one
// that was unknown then and is captured now gets its new outcome: the client
// was registered in between. With dry, everything is rolled back.
func (s *Store) FileArchive(ctx context.Context, a Archive, dry bool, letters []FiledLetter) (n ArchiveFiled, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.filesAlone(); err != nil {
			return err
		}
		n = ArchiveFiled{Reasons: map[Reason]int{}}
		who, err := t.manager("m.login = $1", strings.ToLower(a.Manager))
		if err != nil {
			return fmt.Errorf("manager %q: %w", a.Manager, err)
		}
		f := Folder{Name: clip(clean(a.Folder), 1000), UIDValidity: 1}
		if err := t.row(`INSERT INTO mailboxes (name, manager_id) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET manager_id = $2 RETURNING id`,
			[]any{archivePrefix + who.Login, who.ID}, &f.MailboxID); err != nil {
			return err
		}
		if err := t.row(`INSERT INTO folders (mailbox_id, name, uid_validity) VALUES ($1, $2, 1) ON CONFLICT (mailbox_id, name) DO UPDATE SET uid_validity = 1 RETURNING id`,
			[]any{f.MailboxID, f.Name}, &f.ID); err != nil {
			return err
		}
		if err := t.lock("folders", f.ID); err != nil {
			return err
		}
		if err := t.row(`SELECT last_uid FROM folders WHERE id = $1`, []any{f.ID}, &f.Last); err != nil {
			return err
		}
		file, err := t.filing(f, who.ID, Batch{Letters: letters})
		if err != nil {
			return err
		}
		file.archive = true
		for i := range letters {
			skipped := file.n.Skipped
			if err := file.archived(&letters[i]); err != nil {
				return fmt.Errorf("file letter %d: %w", i+1, err)
			}
			if file.n.Skipped > skipped {
				n.Reasons[letters[i].Reason]++
			}
		}
		if err := file.finish(nil); err != nil {
			return err
		}
		n.Filed = file.n
		if _, err := t.exec(`UPDATE folders SET last_uid = $1 WHERE id = $2`, int64(file.folder.Last), f.ID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE mailboxes SET last_success = $1 WHERE id = $2`, t.now.Unix(), f.MailboxID); err != nil {
			return err
		}
		if dry {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return n, err
}

// archived files one letter of an archive.
func (t *filing) archived(l *FiledLetter) error {
	var uid uint32
	var outcome Outcome
	var reason Reason
	// "+" keeps SQLite from going through the whole folder by its primary key.
	err := t.row(`SELECT uid, outcome, reason FROM letters WHERE message_key = $1 AND +folder_id = $2 ORDER BY uid LIMIT 1`, []any{l.Key, t.folder.ID}, &uid, &outcome, &reason)
	switch {
	case errors.Is(err, ErrNotFound):
		t.folder.Last++
		l.UID = t.folder.Last
	case err != nil:
		return err
	case outcome == Skipped && reason == Unknown && l.Outcome == Captured:
		l.UID = uid
		t.recalled[uid] = true
	default:
		t.n.Seen++
		return nil
	}
	return t.letter(l)
}
