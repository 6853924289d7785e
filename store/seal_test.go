package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"intouch/store"
)

// Who has the database has no token; the key may be replaced.
func TestTokenKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "intouch.db")
	key := func(digit string) string { return strings.Repeat(digit, 64) }
	open := func(keys string) *store.Store {
		t.Helper()
		opt := store.Options{URL: "sqlite:" + file, Render: plain, Log: slog.New(slog.DiscardHandler), Now: (&clock{t: monday()}).now}
		if keys != "" {
			var err error
			if opt.TokenKeys, err = store.ReadTokenKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
		s, err := store.Open(ctx, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	columns := func() (refresh, access string) {
		t.Helper()
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow(`SELECT refresh_token, access_token FROM oauth_tokens`).Scan(&refresh, &access); err != nil {
			t.Fatal(err)
		}
		return refresh, access
	}
	use := func(s *store.Store) (store.Token, error) { return s.UseToken(ctx, "box", issuer, "", nil) }
	want := store.Token{Refresh: "refresh-text", Access: "access-text", Expires: monday().AddDate(0, 0, 1)}
	reads := func(s *store.Store) {
		t.Helper()
		if got, err := use(s); err != nil || got.Refresh != want.Refresh || got.Access != want.Access {
			t.Fatalf("%q %q %v", got.Refresh, got.Access, err)
		}
	}

	// As it was before there was a key.
	bare := open("")
	h := &house{Store: bare, t: t, clock: &clock{t: monday()}}
	h.fill()
	_, err := bare.SaveMailbox(ctx, "box", "anna")
	h.must(err)
	h.must(bare.SaveToken(ctx, "box", issuer, want))
	if refresh, _ := columns(); refresh != want.Refresh {
		t.Fatalf("without a key: %q", refresh)
	}

	first := open(key("a"))
	reads(first)
	for i, sealed := range []int{1, 0} {
		if n, left, err := first.SealTokens(ctx); err != nil || n != sealed || left != 0 {
			t.Fatalf("time %d: %d sealed, %d left, %v", i+1, n, left, err)
		}
	}
	refresh, access := columns()
	for _, text := range []string{refresh, access} {
		if !strings.HasPrefix(text, "sealed:") || strings.Contains(text, "text") {
			t.Errorf("sealed: %q", text)
		}
	}
	reads(first)
	if _, err := use(open("")); !errors.Is(err, store.ErrTokenKey) {
		t.Errorf("without the key: %v", err)
	}
	other := open(key("b"))
	if _, err := use(other); !errors.Is(err, store.ErrTokenKey) {
		t.Errorf("with another key: %v", err)
	}
	if n, left, err := other.SealTokens(ctx); err != nil || n != 0 || left != 1 {
		t.Errorf("with another key: %d sealed, %d left, %v", n, left, err)
	}

	// The key is replaced: first both open, then the new one seals, then it is alone.
	reads(open(key("a") + "\n" + key("b") + "\n"))
	both := open(key("b") + "\n" + key("a"))
	reads(both)
	if n, left, err := both.SealTokens(ctx); err != nil || n != 1 || left != 0 {
		t.Fatalf("%d sealed, %d left, %v", n, left, err)
	}
	reads(other)

	// What stands in one column cannot stand in another, nor in another row.
	refresh, _ = columns()
	h.must(other.Exec(ctx, fmt.Sprintf(`UPDATE oauth_tokens SET access_token = '%s'`, refresh)))
	if _, err := use(other); !errors.Is(err, store.ErrTokenKey) {
		t.Errorf("moved to another column: %v", err)
	}

	for _, bad := range []string{"", "abc", key("g"), key("a")[1:], strings.Repeat(key("a")+" ", 11)} {
		if keys, err := store.ReadTokenKeys(bad); err == nil {
			t.Errorf("%q makes %v", bad, keys)
		} else if len(bad) > 2 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
