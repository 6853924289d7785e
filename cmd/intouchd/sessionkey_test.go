package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSessionKey(t *testing.T) {
	dir := t.TempDir()
	first, err := sessionKey(dir)
	if err != nil || len(first) != 32 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := sessionKey(dir)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("after a restart it is another one (%v)", err)
	}
	name := filepath.Join(dir, "session.key")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.WriteFile(name, []byte("not hex, but secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sessionKey(dir); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a broken key: %v", err)
	}
}

func TestLockStore(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "intouch.db")
	unlock, err := lockStore(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockStore(url); err == nil {
		t.Error("a second daemon got the lock")
	}
	unlock()
	unlock, err = lockStore(url)
	if err != nil {
		t.Errorf("after it was given back: %v", err)
	} else {
		unlock()
	}
}
