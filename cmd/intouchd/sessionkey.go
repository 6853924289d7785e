package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"intouch/store"
)

// sessionSecret signs logins of the pages. Daemons that share a database know
// each other's logins: there it comes from the database, else from a file.
func sessionSecret(st *store.Store, stateDir string) ([]byte, error) {
	if st.SharesMailboxes() {
		return st.MailKey().Derive("sessions"), nil
	}
	return sessionKey(stateDir)
}

// sessionKey is the secret that signs logins of the pages. It is made once and
// kept in the state directory, so that a restart logs nobody out. Losing the
// file costs one login each.
func sessionKey(stateDir string) ([]byte, error) {
	name := filepath.Join(stateDir, "session.key")
	text, err := readBounded(name, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		rand.Read(key) // never fails
		err := os.WriteFile(name, []byte(hex.EncodeToString(key)+"\n"), 0o600)
		if err != nil {
			return nil, fmt.Errorf("keep the session key: %w", err)
		}
		return key, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the session key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < 16 {
		// Not the decoder's error: it would show bytes of the key.
		return nil, fmt.Errorf("%s is not a session key; remove it, and a new one is made", name)
	}
	return key, nil
}
