package store_test

// Two daemons, or two mailboxes of one, that write at the same moment: on
// PostgreSQL each of these deadlocked, failed or passed over something once.

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// filers is a PostgreSQL with two managers and a client.
func filers(t *testing.T) *store.Store {
	t.Helper()
	st := storetest.Postgres(t, store.Options{Render: plain})
	if err := st.SetCompany(t.Context(), []string{"vector.test"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := st.Import(t.Context(), store.Actor{}, false, func(im *store.Import) error {
		for _, l := range []string{"anna", "boris"} {
			if _, err := im.Manager(store.ManagerRow{ID: l, Name: l, Login: l, Role: "manager", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{l + "@vector.test"}}); err != nil {
				return err
			}
		}
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "Acme", Manager: "anna", Domains: []string{"acme.test"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return st
}

// A folder must not pass over a registration that another transaction, begun
// earlier, has yet to commit.
func TestConcurrent_Registrations(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	m, _ := st.SaveMailbox(ctx, "anna", "anna")
	f, err := st.OpenFolder(ctx, m.ID, "INBOX", 7)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	err = st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
		if _, err := im.Client(store.ClientRow{ID: "a", Name: "A", Emails: []string{"a@a.test"}}); err != nil {
			return err
		}
		go func() {
			done <- st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
				_, err := im.Client(store.ClientRow{ID: "b", Name: "B", Emails: []string{"b@b.test"}})
				return err
			})
		}()
		time.Sleep(500 * time.Millisecond)
		_, err := im.Client(store.ClientRow{ID: "c", Name: "C", Emails: []string{"c@c.test"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.FolderNews(ctx, f)
	t.Logf("%+v %v", n, err)
	first := n.Addresses
	st.Recall(ctx, f, []uint32{}, n.UpTo)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n, err = st.FolderNews(ctx, f)
	t.Logf("%+v %v", n, err)
	if len(first)+len(n.Addresses) != 3 {
		t.Errorf("b was never news: %v %v", first, n.Addresses)
	}
}

// Mailboxes that hold answers to each other's letters.
func TestConcurrent_AnswersToEachOther(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	p, _ := st.Parties(ctx)
	c := p.ByDomain["acme.test"]
	var fs []store.Folder
	for _, l := range []string{"anna", "boris"} {
		m, _ := st.SaveMailbox(ctx, l, l)
		f, err := st.OpenFolder(ctx, m.ID, "INBOX", 7)
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f)
	}
	bad := 0
	var mu sync.Mutex
	began := time.Now()
	for round := range 30 {
		// each mailbox has unknown answers to a letter that the other one captures
		for i, f := range fs {
			_, err := st.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{{UID: uint32(round*2 + 1), Key: fmt.Sprintf("u%d.%d@x", round, i), Date: monday(), Outcome: store.Skipped, Reason: store.Unknown, Subject: "Re: x", References: []string{fmt.Sprintf("k%d.%d@x", round, 1-i)}}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i, f := range fs {
			wg.Go(func() {
				_, err := st.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{{UID: uint32(round*2 + 2), Key: fmt.Sprintf("k%d.%d@x", round, i), Date: monday(), Outcome: store.Captured, Direction: store.In, Clients: c, Subject: "x", Addresses: []string{"x@acme.test"}}}})
				if err != nil {
					mu.Lock()
					bad++
					t.Log(err)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	t.Logf("%d of 30 rounds failed in %v", bad, time.Since(began))
	if bad > 0 {
		t.Fail()
	}
}

// The same letters in two mailboxes, in opposite orders.
func TestConcurrent_SameLetters(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	p, _ := st.Parties(ctx)
	c := p.ByDomain["acme.test"]
	bad := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, l := range []string{"anna", "boris"} {
		m, _ := st.SaveMailbox(ctx, l, l)
		f, err := st.OpenFolder(ctx, m.ID, "INBOX", 7)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for round := range 20 {
				var b store.Batch
				for n := range 100 {
					k := n
					if i == 1 {
						k = 99 - n
					}
					b.Letters = append(b.Letters, store.FiledLetter{UID: uint32(round*100 + n + 1), Key: fmt.Sprintf("k%d.%d@x", round, k), Date: monday(), Outcome: store.Captured, Direction: store.In, Clients: c, Subject: "x", Addresses: []string{"x@acme.test"}})
				}
				if _, err := st.FileLetters(ctx, f, b); err != nil {
					mu.Lock()
					bad++
					t.Log(err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if bad > 0 {
		t.Errorf("%d of 40 transactions failed", bad)
	}
}

// The same letters without a client in two mailboxes.
func TestConcurrent_NobodysLetters(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	bad := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, l := range []string{"anna", "boris"} {
		m, _ := st.SaveMailbox(ctx, l, l)
		f, err := st.OpenFolder(ctx, m.ID, "CRM", 7)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for round := range 20 {
				var b store.Batch
				for n := range 50 {
					b.Letters = append(b.Letters, store.FiledLetter{UID: uint32(round*100 + n + 1), Key: fmt.Sprintf("k%d.%d@x", round, n), Date: monday(), Outcome: store.Captured, Direction: store.In, Subject: "x", Addresses: []string{"x@new.test"}, ClientText: "x", Outsiders: []string{"x@new.test"}})
				}
				if _, err := st.FileLetters(ctx, f, b); err != nil {
					mu.Lock()
					bad++
					t.Log(err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if bad > 0 {
		t.Errorf("%d of 40 transactions failed", bad)
	}
}

// A letter and the answer to it, filed at the same moment.
func TestConcurrent_AnswerAndAnswered(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	p, _ := st.Parties(ctx)
	c := p.ByDomain["acme.test"]
	var fs []store.Folder
	for _, l := range []string{"anna", "boris"} {
		m, _ := st.SaveMailbox(ctx, l, l)
		f, err := st.OpenFolder(ctx, m.ID, "INBOX", 7)
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f)
	}
	const rounds, each = 10, 50
	for round := range rounds {
		var a, b store.Batch
		for n := range each {
			uid, key := uint32(round*each+n+1), fmt.Sprintf("k%d.%d@x", round, n)
			a.Letters = append(a.Letters, store.FiledLetter{UID: uid, Key: "r" + key, Date: monday(), Outcome: store.Skipped, Reason: store.Unknown, Subject: "Re: x", References: []string{key}})
			b.Letters = append(b.Letters, store.FiledLetter{UID: uid, Key: key, Date: monday(), Outcome: store.Captured, Direction: store.In, Clients: c, Subject: "x", Addresses: []string{"x@acme.test"}})
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := st.FileLetters(ctx, fs[0], a); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := st.FileLetters(ctx, fs[1], b); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	}
	got, _ := st.Recalls(ctx, fs[0], 10000)
	if len(got) != rounds*each {
		t.Errorf("%d of %d answers are recalled", len(got), rounds*each)
	}
}

// Who edits a contact locks it and then the calendars that show it; who writes
// into a calendar the other way round. One of two that meet is ended by
// PostgreSQL, and done anew.
func TestConcurrent_EditAndPut(t *testing.T) {
	st := filers(t)
	ctx := t.Context()
	anna, err := st.ManagerByLogin(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	current, err := st.Collection(ctx, anna.ID, "current")
	if err != nil {
		t.Fatal(err)
	}
	actor := store.Actor{ManagerID: anna.ID, Origin: store.FromCalendar}
	start := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	put := func(title string) (store.PutResult, error) {
		return st.PutEntry(ctx, actor, current.ID, "x.ics", store.Condition{}, &store.CalendarWrite{Bytes: []byte("BEGIN:" + title), UID: "x", Component: store.VEvent, Title: title, When: store.Span{Start: start, End: start.Add(time.Hour)}})
	}
	first, err := put("begin")
	if err != nil {
		t.Fatal(err)
	}
	const edits = 15
	var all sync.WaitGroup
	all.Go(func() {
		for i := range edits {
			if _, err := put(fmt.Sprint("put ", i)); err != nil {
				t.Errorf("put %d: %v", i, err)
			}
		}
	})
	for who := range 2 {
		all.Go(func() {
			for i := range edits {
				subject := fmt.Sprint("edit ", who, " ", i)
				if _, err := st.EditContact(ctx, actor, first.Entry.Key.ID, 0, store.ContactEdit{Subject: &subject}); err != nil {
					t.Errorf("edit %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	history, err := st.History(ctx, "contact", first.Entry.Key.ID, 1000)
	if err != nil || len(history) != 1+3*edits {
		t.Errorf("%d rows of history, want %d, %v", len(history), 1+3*edits, err)
	}
}
