package store_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

func TestIntegration(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 30, 0, 0, time.UTC)
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		in, token, err := st.AddIntegration(ctx, "shop", []store.Scope{"clients:write", "deals:read", "deals:read"})
		if err != nil || !regexp.MustCompile(`^itk_[0-9a-f]{64}$`).MatchString(token) || len(in.Scopes) != 2 {
			t.Fatalf("%+v %q %v", in, token, err)
		}
		if _, _, err := st.AddIntegration(ctx, "shop", []store.Scope{"read"}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("the same name again: %v", err)
		}
		for range 2 { // the second time from memory
			got, err := st.Integration(ctx, token, "192.0.2.1")
			if err != nil || got.Name != "shop" || got.Used != now {
				t.Fatalf("%+v %v", got, err)
			}
		}
		for _, c := range []struct {
			kind  string
			right store.Scope
			may   bool
		}{{"clients", store.ScopeRead, true}, {"clients", store.ScopeWrite, true}, {"deals", store.ScopeRead, true}, {"deals", store.ScopeWrite, false}, {"persons", store.ScopeRead, false}, {"", store.ScopeExchange, false}} {
			if in.May(c.kind, c.right) != c.may {
				t.Errorf("%s %s: %v", c.kind, c.right, !c.may)
			}
		}

		// A change tells who made it.
		err = st.Import(ctx, in.Actor(), false, func(im *store.Import) error {
			_, err := im.Client(store.ClientRow{ID: "C-1", Name: "Alpha"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		history, err := st.History(ctx, "client", 1, 10)
		if err != nil || len(history) != 1 || history[0].Integration != "shop" || history[0].Origin != store.FromExchange {
			t.Errorf("history %+v %v", history, err)
		}

		if err := st.RevokeIntegration(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		if err := st.RevokeIntegration(ctx, "shop"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("revoked again: %v", err)
		}
		if _, err := st.Integration(ctx, token, "192.0.2.1"); !errors.Is(err, store.ErrBadLogin) {
			t.Errorf("the revoked token: %v", err)
		}
		again, second, err := st.AddIntegration(ctx, "shop", []store.Scope{"read"})
		if err != nil || again.ID != in.ID || second == token {
			t.Fatalf("%+v %v", again, err)
		}
		if _, err := st.Integration(ctx, token, "192.0.2.1"); !errors.Is(err, store.ErrBadLogin) {
			t.Errorf("the old token: %v", err)
		}

		// Whoever tries tokens is slowed down; a good one is let in from there.
		for _, bad := range []string{"", "itk_", "Bearer x", second + "0", second[:len(second)-1] + "x"} {
			if _, err := st.Integration(ctx, bad, "192.0.2.2"); !errors.Is(err, store.ErrBadLogin) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		for range 50 {
			_, err = st.Integration(ctx, token, "192.0.2.2")
		}
		if !errors.Is(err, store.ErrTooManyLogins) {
			t.Errorf("after many: %v", err)
		}
		if _, err := st.Integration(ctx, second, "192.0.2.2"); err != nil {
			t.Errorf("a good token from there: %v", err)
		}
		if _, err := st.Integration(ctx, token, "192.0.2.3"); !errors.Is(err, store.ErrBadLogin) {
			t.Errorf("from elsewhere: %v", err)
		}
	})
}

func TestParseScope(t *testing.T) {
	for _, good := range []string{"read", "write", "exchange", "clients:read", " Contacts:WRITE "} {
		if _, err := store.ParseScope(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "admin", "clients", "clients:", "clients:exchange", "managers:read", "read:clients", "exchange:read"} {
		if s, err := store.ParseScope(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, s)
		}
	}
}
