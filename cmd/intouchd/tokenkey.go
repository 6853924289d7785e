package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"intouch/store"
)

// tokenKeys are the keys that seal the tokens of mailboxes: those of
// store.token_key, else, for SQLite, one in the state directory that is made
// once. Daemons that share a database may run on several machines, where a file
// of one is not the other's: without the setting they seal nothing.
func tokenKeys(cfg *Config) (keys store.TokenKeys, err error) {
	text, where := "", "store.token_key"
	switch {
	case cfg.TokenKey.given:
		text, err = cfg.TokenKey.Reveal()
	case strings.HasPrefix(cfg.StoreURL, "sqlite:"):
		where = filepath.Join(cfg.StateDir, "token.key")
		text, err = ownTokenKey(where)
	default:
		return keys, nil
	}
	if err == nil {
		keys, err = store.ReadTokenKeys(text)
	}
	if err != nil {
		return keys, fmt.Errorf("%s: %w", where, err)
	}
	return keys, nil
}

// ownTokenKey reads the key of a file, which is made where there is none.
func ownTokenKey(file string) (string, error) {
	for made := false; ; made = true {
		text, err := readBounded(file, 4096)
		if made || !errors.Is(err, fs.ErrNotExist) {
			return string(text), err
		}
		key := make([]byte, 32)
		rand.Read(key) // never fails
		// Another process may be quicker: then its key is read.
		if err := writeNew(file, []byte(hex.EncodeToString(key)+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
			if _, there := readBounded(file, 4096); there != nil {
				return "", err
			}
		}
	}
}

// sealTokens seals what a time without a key, or another key, left.
func sealTokens(ctx context.Context, st *store.Store, cfg *Config, log *slog.Logger) error {
	sealed, left, err := st.SealTokens(ctx)
	if err != nil {
		return fmt.Errorf("seal the tokens of mailboxes: %w", err)
	}
	if sealed > 0 {
		log.Info("tokens of mailboxes sealed", "tokens", sealed)
	}
	if left > 0 {
		log.Error("tokens of mailboxes are sealed with a key that is not given", "tokens", left)
	}
	for _, m := range cfg.Mailboxes {
		if m.OAuth != nil && !cfg.TokenKey.given && !strings.HasPrefix(cfg.StoreURL, "sqlite:") {
			log.Warn("the database shows the tokens of mailboxes to whoever reads it: give store.token_key")
			break
		}
	}
	return nil
}
