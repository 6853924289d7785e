package mailsync

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"
)

// People set keywords on letters that were filed long ago: nocrm takes a
// letter back, private closes its thread. Which letters bear them is asked
// for when a folder is examined; a server with CONDSTORE (RFC 7162) has said
// with the answer whether anything changed at all.
var keywords = []imap.Flag{excludingKeyword, privateKeyword}

// lookAtKeywords marks the letters whose keywords have changed to be decided
// anew.
func (m *mailbox) lookAtKeywords(ctx context.Context, s *session, f *folder) error {
	if role, _ := m.role(f.Name); !f.flagged || role == excludes {
		return nil
	}
	found := map[string][]uint32{}
	for _, k := range keywords {
		set, err := s.uidSearch(&imap.SearchCriteria{Flag: []imap.Flag{k}})
		var refused *imap.Error
		if errors.As(err, &refused) {
			m.log.Info("the server does not search for keywords", "folder", f.Name, "err", brief(err))
			break
		}
		if err != nil {
			return err
		}
		found[string(k)] = appendUIDs(nil, set)
	}
	if err := m.st.Keyworded(ctx, f.Folder, found, f.modSeq); err != nil {
		return &storeError{err}
	}
	f.flagged = false
	return nil
}
