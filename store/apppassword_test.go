package store_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

func TestAppPassword(t *testing.T) {
	each(t, func(h *house) {
		own := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		h.must(h.SetPassword(ctx, h.anna.ID, "correct horse"))
		device := func(login, password string) error {
			m, err := h.CheckDevice(ctx, login, password, "10.0.0.1")
			if err == nil && m.ID != h.anna.ID {
				t.Errorf("it opened the account of %s", m.Login)
			}
			return err
		}
		phone, password, err := h.AddAppPassword(ctx, own, h.anna.ID, "  Pixel\n 9 ")
		h.must(err)
		if phone.Name != "Pixel 9" || !regexp.MustCompile(`^([a-km-np-z2-9]{4}-){5}[a-km-np-z2-9]{4}$`).MatchString(password) {
			t.Errorf("%q %q", phone.Name, password)
		}
		for _, typed := range []string{password, strings.ToUpper(password), strings.ReplaceAll(password, "-", ""), strings.ReplaceAll(password, "-", " ")} {
			h.must(device("Anna", typed))
		}
		h.must(device("anna", "correct horse")) // the login's own opens them, too
		if _, err := h.CheckLogin(ctx, "anna", password, "10.0.0.1"); !errors.Is(err, store.ErrBadLogin) {
			t.Errorf("it opens the pages: %v", err)
		}
		if err := device("boris", password); !errors.Is(err, store.ErrBadLogin) {
			t.Errorf("it opens another's calendars: %v", err)
		}
		h.AwaitUses()
		list, err := h.AppPasswords(ctx, h.anna.ID)
		h.must(err)
		if len(list) != 1 || list[0].UsedFrom != "10.0.0.1" || !list[0].Used.Equal(monday().Truncate(time.Hour)) {
			t.Errorf("%+v", list)
		}

		// Failures from the same place do not stop it, and it counts as none.
		for range 12 {
			h.CheckLogin(ctx, "anna", "wrong", "10.0.0.9")
		}
		if _, err := h.CheckDevice(ctx, "anna", password, "10.0.0.9"); err != nil {
			t.Error(err)
		}
		// What is remembered of it is under no name that a page could be given.
		for _, login := range []string{"device anna", "device\x00anna", "anna"} {
			if _, err := h.CheckLogin(ctx, login, strings.ReplaceAll(password, "-", ""), "10.0.0.2"); err == nil {
				t.Errorf("it opens pages as %q", login)
			}
		}

		var bad *store.Invalid
		for _, name := range []string{"", " \n", "Pixel 9", strings.Repeat("x", 101)} {
			if _, _, err := h.AddAppPassword(ctx, own, h.anna.ID, name); !errors.As(err, &bad) {
				t.Errorf("a device named %q: %v", name, err)
			}
		}
		for n := range 49 {
			_, _, err := h.AddAppPassword(ctx, own, h.anna.ID, fmt.Sprint("device ", n))
			h.must(err)
		}
		if _, _, err := h.AddAppPassword(ctx, own, h.anna.ID, "one more"); !errors.As(err, &bad) {
			t.Errorf("without end: %v", err)
		}

		if err := h.RevokeAppPassword(ctx, own, h.boris.ID, phone.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another's was revoked: %v", err)
		}
		h.must(h.RevokeAppPassword(ctx, own, h.anna.ID, phone.ID))
		for range 60 { // a forgotten phone asks on, which locks nobody out
			if err := device("anna", password); !errors.Is(err, store.ErrBadLogin) {
				t.Fatalf("revoked: %v", err)
			}
		}
		h.clock.t = h.clock.t.Add(10 * time.Minute)
		if _, err := h.CheckLogin(ctx, "anna", "correct horse", "10.0.0.1"); err != nil {
			t.Error(err)
		}
		if err := h.RevokeAppPassword(ctx, own, h.anna.ID, phone.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("revoked twice: %v", err)
		}
		_, again, err := h.AddAppPassword(ctx, own, h.anna.ID, "Pixel 9")
		h.must(err)
		if again == password {
			t.Error("the same password again")
		}
	})
}

// Who may come in does so where nothing can be written: the use is not noted
// then.
func TestAppPassword_fullDisk(t *testing.T) {
	h := &house{Store: storetest.SQLite(t, store.Options{Render: plain, Now: (&clock{t: monday()}).now}), t: t, clock: &clock{t: monday()}}
	h.fill()
	_, password, err := h.AddAppPassword(ctx, store.Actor{ManagerID: h.anna.ID}, h.anna.ID, "phone")
	h.must(err)
	h.must(h.Exec(ctx, `CREATE TRIGGER full BEFORE UPDATE ON app_passwords BEGIN SELECT RAISE(ABORT, 'disk full'); END`))
	m, err := h.CheckDevice(ctx, "anna", password, "10.0.0.1")
	h.must(err)
	h.same("who", m.ID, h.anna.ID)
	h.AwaitUses()
	list, err := h.AppPasswords(ctx, h.anna.ID)
	h.must(err)
	if !list[0].Used.IsZero() {
		t.Errorf("the trigger kept nothing from being written: %+v", list)
	}
}

// Guesses that are sent at once are not let through at once: each of them sees
// how many have failed before it.
func TestLogin_Parallel(t *testing.T) {
	each(t, func(h *house) {
		h.must(h.SetPassword(ctx, h.anna.ID, "correct horse"))
		var hashed atomic.Int64
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				switch _, err := h.CheckLogin(ctx, "anna", "wrong", "198.51.100.7"); {
				case errors.Is(err, store.ErrBadLogin):
					hashed.Add(1)
				case !errors.Is(err, store.ErrTooManyLogins):
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.same("guesses compared", hashed.Load(), int64(10))
	})
}

// Strangers who guess from many addresses are slowed down; the owner's usual
// addresses are not.
func TestLogin_Strangers(t *testing.T) {
	each(t, func(h *house) {
		h.must(h.SetPassword(ctx, h.anna.ID, "correct horse"))
		h.must(h.SetPassword(ctx, h.boris.ID, "battery staple"))
		login := func(password, from string) error {
			_, err := h.CheckLogin(ctx, "anna", password, from)
			return err
		}
		h.must(login("correct horse", "2001:db8:1:2::5"))
		h.clock.t = h.clock.t.Add(time.Hour) // it is not remembered any more
		slowed := 0
		for n := range 110 {
			if errors.Is(login("wrong", fmt.Sprintf("198.51.100.%d", n)), store.ErrTooManyLogins) {
				slowed++
			}
		}
		if slowed != 10 {
			t.Errorf("%d of 110 guesses from as many addresses were slowed down", slowed)
		}
		if err := login("correct horse", "203.0.113.1"); !errors.Is(err, store.ErrTooManyLogins) {
			t.Errorf("a stranger's right guess: %v", err)
		}
		h.must(login("correct horse", "2001:db8:1:2:ffff::9")) // the same home network
		if _, err := h.CheckLogin(ctx, "boris", "battery staple", "203.0.113.1"); err != nil {
			t.Errorf("others: %v", err)
		}

		// One network of IPv6 is one place, however many addresses it has.
		slowed = 0
		for n := range 12 {
			if _, err := h.CheckLogin(ctx, "boris", "wrong", fmt.Sprintf("2001:db8:9:9::%x", n+1)); errors.Is(err, store.ErrTooManyLogins) {
				slowed++
			}
		}
		if slowed != 2 {
			t.Errorf("%d of 12 guesses from one network were slowed down", slowed)
		}
		h.clock.t = h.clock.t.Add(time.Hour)
		h.must(login("correct horse", "203.0.113.1"))
	})
}
