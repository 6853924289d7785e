package main

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// A token that a daemon without a key left is sealed as the next one starts,
// with a key that is made beside the database and shown to nobody.
func TestTokenKey(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte("[server]\nlisten = \"127.0.0.1:0\"\n[[manager]]\nlogin = \"anna\"\nname = \"Anna\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	opt := storeOptions(cfg, discard()) // without a key
	old, err := store.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := saveManagers(t.Context(), old, cfg.Managers); err != nil {
		t.Fatal(err)
	}
	if _, err := old.SaveMailbox(t.Context(), "box", "anna"); err != nil {
		t.Fatal(err)
	}
	if err := old.SaveToken(t.Context(), "box", "issuer", store.Token{Refresh: "refresh-text", Access: "access-text", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	old.Close()

	var log bytes.Buffer
	start := func() (*app, error) {
		a, err := newApp(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil {
			t.Cleanup(a.stop)
		}
		return a, err
	}
	a, err := start()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.st.UseToken(t.Context(), "box", "issuer", "", nil); err != nil || got.Access != "access-text" {
		t.Errorf("%q %v", got.Access, err)
	}
	a.stop()
	db, err := sql.Open("sqlite", filepath.Join(dir, "intouch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var refresh string
	if err := db.QueryRow(`SELECT refresh_token FROM oauth_tokens`).Scan(&refresh); err != nil || !strings.HasPrefix(refresh, "sealed:") {
		t.Errorf("the database shows %q, %v", refresh, err)
	}

	file := filepath.Join(dir, "token.key")
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm()&0o007 != 0 {
		t.Errorf("the key can be read by everybody: %v", info.Mode())
	}
	if strings.Contains(log.String(), strings.TrimSpace(string(key))) || !strings.Contains(log.String(), "tokens of mailboxes sealed") {
		t.Errorf("log:\n%s", &log)
	}
	if err := os.WriteFile(file, key[:40], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start(); err == nil || !strings.Contains(err.Error(), "token.key") || strings.Contains(err.Error(), string(key[:8])) {
		t.Errorf("with half a key: %v", err)
	}

	// Daemons that share a database make no key of their own, and take what
	// systemd hands them.
	cfg.StoreURL, cfg.StateDir = "postgres://localhost/none", t.TempDir()
	if _, err := tokenKeys(cfg); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, "token.key")); err == nil {
		t.Error("a key of this machine alone was made")
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.TokenKey = Secret{key: "token_key", given: true, file: file}
	if _, err := tokenKeys(cfg); err != nil {
		t.Error(err)
	}
}
