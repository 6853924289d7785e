package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// What is remembered of logins and calendars is forgotten with the first
// change, also when another process made it.
func TestGeneration(t *testing.T) {
	ctx := context.Background()
	url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	open := func() *Store {
		s, err := Open(ctx, Options{URL: url, Render: func(*EntryView) []byte { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	ours, theirs := open(), open()
	row := ManagerRow{Login: "anna", Name: "Anna", Language: "en"}
	m, _, err := ours.SaveManager(ctx, Actor{}, row)
	if err != nil {
		t.Fatal(err)
	}
	const first, second = "the first password", "the second password"
	if err := ours.SetPassword(ctx, m.ID, first); err != nil {
		t.Fatal(err)
	}
	login := func(password string) (Manager, error) { return ours.CheckLogin(ctx, "anna", password, "192.0.2.1") }
	calendar := func() string {
		c, err := ours.Collection(ctx, m.ID, "current")
		if err != nil {
			t.Fatal(err)
		}
		return c.Name
	}
	for range 3 { // the second and third time from memory
		if _, err := login(first); err != nil {
			t.Fatal(err)
		}
		if name := calendar(); name != "Current" {
			t.Errorf("the calendar is %q", name)
		}
	}
	before, ok := ours.Generation(t.Context())
	if again, _ := ours.Generation(t.Context()); !ok || again != before {
		t.Errorf("the generation is %v, then %v with nothing changed", before, again)
	}
	present := ours.Present(ctx)

	for name, by := range map[string]*Store{"Ours": ours, "Theirs": theirs} {
		c, err := by.Collection(ctx, m.ID, "current")
		if err != nil {
			t.Fatal(err)
		}
		if err := by.EditCollection(ctx, Actor{ManagerID: m.ID}, c.ID, CollectionEdit{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if got := calendar(); got != name {
			t.Errorf("the calendar is %q after it was named %q", got, name)
		}
	}
	if asked, _ := ours.Generation(present); asked != before {
		t.Errorf("one that only reads is in generation %v, and began in %v", asked, before)
	}
	if now, _ := ours.Generation(ctx); now == before {
		t.Errorf("the generation is %v still after two edits", now)
	}
	row.Name = "Anna Petrova"
	if _, _, err := theirs.SaveManager(ctx, Actor{}, row); err != nil {
		t.Fatal(err)
	}
	if m, err := login(first); err != nil || m.Name != "Anna Petrova" {
		t.Errorf("logged in as %q, %v", m.Name, err)
	}
	if err := theirs.SetPassword(ctx, m.ID, second); err != nil {
		t.Fatal(err)
	}
	if _, err := login(first); !errors.Is(err, ErrBadLogin) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := login(second); err != nil {
		t.Errorf("the new password: %v", err)
	}
}
