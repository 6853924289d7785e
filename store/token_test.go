package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

const issuer = "https://provider.test/token intouch"

// provider is the other side of renewals, where each refresh token is good
// once.
type provider struct {
	mu       sync.Mutex
	clock    *clock
	good     string
	n        int
	refused  int
	inFlight func()
}

var errUsedUp = errors.New("invalid_grant")

func (p *provider) renew(ctx context.Context, old store.Token) (store.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old.Refresh != p.good {
		p.refused++
		return store.Token{}, errUsedUp
	}
	p.n++
	p.good = fmt.Sprintf("refresh-%d", p.n)
	if p.inFlight != nil {
		p.inFlight()
	}
	return store.Token{Refresh: p.good, Access: fmt.Sprintf("access-%d", p.n), Expires: p.clock.t.Add(time.Hour)}, nil
}

// loggedIn is anna's mailbox with a token whose access token has run out.
func (h *house) loggedIn() *provider {
	h.t.Helper()
	_, err := h.SaveMailbox(ctx, "anna", "anna")
	h.must(err)
	h.must(h.SaveToken(ctx, "anna", issuer, store.Token{Refresh: "refresh-0", Access: "access-0", Expires: h.clock.t.Add(30 * time.Second)}))
	return &provider{clock: h.clock, good: "refresh-0"}
}

func (h *house) use(p *provider, refused string) string {
	h.t.Helper()
	got, err := h.UseToken(ctx, "anna", issuer, refused, p.renew)
	h.must(err)
	return got.Access
}

func TestUseToken(t *testing.T) {
	each(t, func(h *house) {
		p := h.loggedIn()
		for _, step := range []struct {
			refused, want string
			n             int
			later         time.Duration
		}{
			{"", "access-1", 1, 0},         // less than a minute was left
			{"", "access-1", 1, 0},         // good as it is
			{"access-0", "access-1", 1, 0}, // an older one was refused: another connection has renewed
			{"access-1", "access-2", 2, 0}, // dropped and renewed
			{"", "access-2", 2, 58 * time.Minute},
			{"", "access-3", 3, 3 * time.Minute},
		} {
			h.clock.t = h.clock.t.Add(step.later)
			if got := h.use(p, step.refused); got != step.want || p.n != step.n {
				h.t.Errorf("refused %q after %v: %s and %d renewals, want %s and %d", step.refused, step.later, got, p.n, step.want, step.n)
			}
		}
		if p.refused != 0 {
			h.t.Errorf("%d used up tokens were sent", p.refused)
		}
	})
}

func TestUseToken_NotFound(t *testing.T) {
	each(t, func(h *house) {
		p := h.loggedIn()
		for _, c := range [][2]string{{"nobody", issuer}, {"anna", "https://other.test/token intouch"}, {"anna", issuer + "2"}} {
			if _, err := h.UseToken(ctx, c[0], c[1], "", p.renew); !errors.Is(err, store.ErrNotFound) {
				h.t.Errorf("%s: %v", c, err)
			}
		}
		if err := h.SaveToken(ctx, "nobody", issuer, store.Token{Refresh: "r"}); !errors.Is(err, store.ErrNotFound) {
			h.t.Error(err)
		}
		if p.n+p.refused != 0 {
			h.t.Error("a token was sent to somebody else than its issuer")
		}
	})
}

// Many connections of two daemons find the token stale at the same moment:
// one renews.
func TestUseToken_OnceOnly(t *testing.T) {
	c := &clock{t: monday()}
	run := func(t *testing.T, url string) {
		var stores []*store.Store
		for range 2 {
			s, err := store.Open(ctx, store.Options{URL: url, Render: plain, Now: c.now})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			stores = append(stores, s)
		}
		h := &house{Store: stores[0], t: t, clock: c}
		h.fill()
		p := h.loggedIn()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				got, err := stores[i%2].UseToken(ctx, "anna", issuer, "access-0", p.renew)
				if err != nil || got.Access != "access-1" {
					t.Errorf("got %s, %v", got.Access, err)
				}
			})
		}
		all.Wait()
		if p.n != 1 || p.refused != 0 {
			t.Errorf("%d renewals, %d with a used up token", p.n, p.refused)
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "sqlite:"+t.TempDir()+"/x.db") })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t)) })
}

// The database is not held during the exchange, and the end of the caller does
// not lose what the provider answers.
func TestUseToken_InFlight(t *testing.T) {
	each(t, func(h *house) {
		p := h.loggedIn()
		caller, cancel := context.WithCancel(ctx)
		p.inFlight = func() {
			h.must(h.SetCompany(ctx, []string{"meanwhile.test"}, nil)) // another writes
			cancel()                                                   // the daemon is told to stop
		}
		if got, err := h.UseToken(caller, "anna", issuer, "", func(ctx context.Context, old store.Token) (store.Token, error) {
			got, err := p.renew(ctx, old)
			if ctx.Err() != nil {
				h.t.Error("the exchange was ended with its caller")
			}
			return got, err
		}); err != nil || got.Access != "access-1" {
			h.t.Errorf("%s, %v", got.Access, err)
		}
		if got := h.use(p, ""); got != "access-1" || p.n != 1 {
			h.t.Errorf("%s after %d renewals", got, p.n)
		}
	})
}

// A renewal that failed lets the next one try at once; what it says comes
// through.
func TestUseToken_Failed(t *testing.T) {
	each(t, func(h *house) {
		p := h.loggedIn()
		down := errors.New("provider is down")
		if _, err := h.UseToken(ctx, "anna", issuer, "", func(context.Context, store.Token) (store.Token, error) { return store.Token{}, down }); !errors.Is(err, down) {
			h.t.Error(err)
		}
		if got := h.use(p, ""); got != "access-1" {
			h.t.Error(got)
		}
		// Without a new refresh token the old one stays.
		p.good = ""
		got, err := h.UseToken(ctx, "anna", issuer, "access-1", func(context.Context, store.Token) (store.Token, error) {
			return store.Token{Access: "plain"}, nil
		})
		if err != nil || got.Access != "plain" || got.Refresh != "refresh-1" {
			h.t.Errorf("%q %q, %v", got.Access, got.Refresh, err)
		}
		if !got.Expires.IsZero() {
			h.t.Error("an end out of nothing")
		}
		if got, err := h.UseToken(ctx, "anna", issuer, "", p.renew); err != nil || got.Access != "plain" {
			h.t.Errorf("one without an end is used until it is refused: %v", err)
		}
	})
}

// A daemon dies between the claim and the answer: the claim runs out. When it
// was only asleep and its answer comes late, what came after it stays.
func TestUseToken_LateAnswer(t *testing.T) {
	each(t, func(h *house) {
		p := h.loggedIn()
		late, err := h.UseToken(ctx, "anna", issuer, "", func(context.Context, store.Token) (store.Token, error) {
			h.clock.t = h.clock.t.Add(2 * time.Minute) // asleep
			if got := h.use(p, ""); got != "access-1" {
				h.t.Errorf("the one after it: %s", got)
			}
			return store.Token{Refresh: "late", Access: "late", Expires: h.clock.t.Add(time.Hour)}, nil
		})
		h.must(err)
		if late.Access != "late" {
			h.t.Error(late.Access)
		}
		if got := h.use(p, ""); got != "access-1" {
			h.t.Errorf("the late answer has overwritten the later token: %s", got)
		}
		// A login while a renewal is under way wins over its answer and over
		// its failure.
		for _, end := range []error{nil, errUsedUp} {
			got, err := h.UseToken(ctx, "anna", issuer, "access-1", func(context.Context, store.Token) (store.Token, error) {
				h.must(h.SaveToken(ctx, "anna", issuer, store.Token{Refresh: "login", Access: "access-of-login", Expires: h.clock.t.Add(time.Hour)}))
				return store.Token{Refresh: "x", Access: "x"}, end
			})
			h.must(err)
			if end != nil && got.Access != "access-of-login" {
				h.t.Errorf("after a failure beside a login: %s", got.Access)
			}
			if got := h.use(p, ""); got != "access-of-login" {
				h.t.Errorf("a login was overwritten: %s", got)
			}
			h.must(h.SaveToken(ctx, "anna", issuer, store.Token{Refresh: "again", Access: "access-1", Expires: h.clock.t.Add(time.Hour)}))
		}
	})
}

// houseIn is a house in that database.
func houseIn(t *testing.T, url string, c *clock) *house {
	t.Helper()
	s, err := store.Open(ctx, store.Options{URL: url, Render: plain, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h := &house{Store: s, t: t, clock: c}
	h.fill()
	return h
}

// What the database does not take is kept and stored when it does again.
func TestUseToken_DatabaseGone(t *testing.T) {
	c := &clock{t: monday()}
	url := "sqlite:" + t.TempDir() + "/x.db"
	h := houseIn(t, url, c)
	p := h.loggedIn()
	db, err := sql.Open("sqlite", strings.Replace(url, "sqlite:", "file:", 1)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p.inFlight = func() {
		if _, err := db.Exec(`CREATE TRIGGER broken BEFORE UPDATE OF refresh_token ON oauth_tokens BEGIN SELECT RAISE(ABORT, 'disk full'); END`); err != nil {
			t.Error(err)
		}
	}
	if _, err := h.UseToken(ctx, "anna", issuer, "", p.renew); err == nil || strings.Contains(err.Error(), "refresh-1") {
		t.Fatalf("got %v", err)
	}
	if _, err := db.Exec(`DROP TRIGGER broken`); err != nil {
		t.Fatal(err)
	}
	p.inFlight = nil
	if got := h.use(p, ""); got != "access-1" || p.n != 1 {
		t.Errorf("%s after %d renewals", got, p.n)
	}
	// Another daemon sees it too.
	other, err := store.Open(ctx, store.Options{URL: url, Render: plain, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if got, err := other.UseToken(ctx, "anna", issuer, "", p.renew); err != nil || got.Access != "access-1" {
		t.Errorf("%s, %v", got.Access, err)
	}
}

func TestToken_Hidden(t *testing.T) {
	tok := store.Token{Refresh: "rrr", Access: "aaa"}
	b, _ := json.Marshal(map[string]any{"token": tok})
	if text := fmt.Sprintf("%v %+v %#v %s %s", tok, tok, tok, &tok, b); strings.Contains(text, "rrr") || strings.Contains(text, "aaa") {
		t.Error(text)
	}
}

func TestFailingMailboxes(t *testing.T) {
	each(t, func(h *house) {
		anna, err := h.SaveMailbox(ctx, "anna", "anna")
		h.must(err)
		info, err := h.SaveMailbox(ctx, "info", "")
		h.must(err)
		h.must(h.SaveToken(ctx, "info", issuer, store.Token{Refresh: "r"}))
		began := h.clock.t
		at := func(minutes int) { h.clock.t = began.Add(time.Duration(minutes) * time.Minute) }
		failing := func(want string) {
			h.t.Helper()
			list, err := h.FailingMailboxes(ctx, time.Hour)
			h.must(err)
			var got []string
			for _, b := range list {
				got = append(got, fmt.Sprintf("%s %s %v since %d: %s", b.Name, b.ManagerLogin, b.OAuth, int(b.ErrorSince.Sub(began).Minutes()), b.LastError))
			}
			if strings.Join(got, "; ") != want {
				h.t.Errorf("minute %v: %q, want %q", h.clock.t.Sub(began).Minutes(), got, want)
			}
		}
		bad := errors.New("login: no")
		h.must(h.MailboxOutcome(ctx, anna.ID, nil))
		at(1)
		h.must(h.MailboxOutcome(ctx, anna.ID, bad))
		h.must(h.MailboxPartly(ctx, info.ID, errors.New("folder Sent: no such folder")))
		at(62)
		failing("") // it was tried once and the daemon stopped
		h.must(h.MailboxOutcome(ctx, anna.ID, bad))
		failing("anna anna false since 1: login: no")
		// A missing folder is no failing mailbox, and its hours do not count.
		h.must(h.MailboxOutcome(ctx, info.ID, bad))
		failing("anna anna false since 1: login: no")
		at(121)
		h.must(h.MailboxOutcome(ctx, info.ID, bad))
		failing("anna anna false since 1: login: no")
		at(122)
		h.must(h.MailboxOutcome(ctx, info.ID, bad))
		failing("info  true since 62: login: no") // anna is not tried any more
		h.must(h.MailboxPartly(ctx, info.ID, errors.New("folder Sent: no such folder")))
		failing("")
		states, err := h.MailboxStates(ctx)
		h.must(err)
		if s := states[1]; s.LastError != "folder Sent: no such folder" || !s.LastSuccess.Equal(h.clock.t) || !s.ErrorSince.Equal(h.clock.t) {
			h.t.Errorf("%+v", s)
		}
		h.must(h.MailboxOutcome(ctx, info.ID, nil))
		failing("")
	})
}

func TestRecordRuns_AllOrNone(t *testing.T) {
	each(t, func(h *house) {
		run := func(slot string) store.Run {
			return store.Run{Job: "logins", OwnerID: h.anna.ID, Slot: slot, Started: h.clock.t, Outcome: "sent"}
		}
		h.must(h.RecordRun(ctx, run("a")))
		mail := store.Mail{Key: "k", MessageID: "<k@x>", From: "a@x", To: "b@x", Bytes: []byte("x")}
		if err := h.RecordRuns(ctx, []store.Run{run("b"), run("a")}, mail); !errors.Is(err, store.ErrAlreadyRan) {
			h.t.Error(err)
		}
		if ran, _ := h.Ran(ctx, "logins", h.anna.ID, "b"); ran {
			h.t.Error("one of two was written")
		}
		if next, err := h.NextMail(ctx); err != nil || !next.IsZero() {
			h.t.Errorf("a mail was queued: %v", err)
		}
		h.must(h.RecordRuns(ctx, []store.Run{run("b"), run("c")}, mail))
		if at, err := h.RanAt(ctx, "logins", h.anna.ID, "c"); err != nil || !at.Equal(h.clock.t) {
			h.t.Errorf("%v, %v", at, err)
		}
		if _, err := h.RanAt(ctx, "logins", h.anna.ID, "d"); !errors.Is(err, store.ErrNotFound) {
			h.t.Error(err)
		}
	})
}
