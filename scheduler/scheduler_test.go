package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"intouch/mailer"
	"intouch/mailer/smtptest"
	"intouch/store"
	"intouch/store/storetest"
)

func TestMain(m *testing.M) {
	code := storetest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// morningClock stands at Monday 23 November 2026, 8:00 in Moscow.
func morningClock() *clock { return &clock{t: time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)} }

// blank renders nothing: no calendar is read here.
func blank(*store.EntryView) []byte { return nil }

// house has two managers with something to do, one with nothing and one
// without an address.
func house(t *testing.T, st *store.Store) {
	t.Helper()
	all := map[string]store.Manager{}
	for _, row := range []store.ManagerRow{
		{Login: "anna", Name: "Анна Соколова", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"anna@vector.test"}},
		{Login: "boris", Name: "Boris Brown", TimeZone: "Europe/London", Language: "en", Emails: []string{"boris@vector.test"}},
		{Login: "idle", Name: "Idle", TimeZone: "UTC", Language: "en", Emails: []string{"idle@vector.test"}},
		{Login: "mute", Name: "Mute", TimeZone: "UTC", Language: "en"},
	} {
		m, _, err := st.SaveManager(t.Context(), store.Actor{Origin: store.FromImport}, row)
		if err != nil {
			t.Fatal(err)
		}
		all[row.Login] = m
	}
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for _, login := range []string{"anna", "boris"} {
		_, err := st.PlanContact(t.Context(), store.Actor{ManagerID: all[login].ID, Origin: store.FromWeb},
			store.ContactDraft{Kind: store.Call, Subject: "Позвонить", ClientText: "ООО «Ромашка»", When: store.Span{Start: start, End: start.Add(time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newScheduler(t *testing.T, st *store.Store, smtp *mailer.Config) *Scheduler {
	t.Helper()
	s, err := New(st, Options{Jobs: map[string]string{"classify": "", "birthdays": "", "keep-in-touch": "", "clean-up": ""}, SMTP: smtp,
		Currency: "RUB", From: mail.Address{Name: "Intouch", Address: "intouch@vector.test"}, PublicURL: "https://crm.vector.test", Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (r Report) String() string {
	var out []string
	for _, x := range r.Results {
		out = append(out, strings.TrimSpace(strings.Join([]string{x.Manager, x.Slot, x.Outcome, x.Detail}, " ")))
	}
	return strings.Join(out, "\n")
}

func TestScheduler_RunJob_Digest(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		house(t, st)
		s := newScheduler(t, st, nil)
		got, err := s.RunJob(t.Context(), "digest", time.Time{}, "")
		if err != nil {
			t.Fatal(err)
		}
		// In London it is 5:00, so that Friday's is the newest slot.
		want := `boris 2026-11-20T08:00 queued boris@vector.test
idle 2026-11-20T08:00 empty
mute 2026-11-20T08:00 failed the manager has no e-mail address
anna 2026-11-23T08:00 queued anna@vector.test`
		if got.String() != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		again, err := s.RunJob(t.Context(), "digest", time.Time{}, "")
		if err != nil {
			t.Fatal(err)
		}
		if s := again.String(); strings.Count(s, alreadyRan) != 4 {
			t.Errorf("again:\n%s", s)
		}
		box, err := st.Outbox(t.Context(), 10)
		if err != nil || box.Queued != 2 || len(box.Recent) != 2 {
			t.Fatalf("outbox %+v, %v", box, err)
		}
		if m := box.Recent[0]; m.Key != "digest/anna/2026-11-23T08:00" || m.MessageID != mailer.MessageID(st.MailKey().ReplyToken(m.Key), "vector.test") || m.To != "anna@vector.test" || m.From != "intouch@vector.test" {
			t.Errorf("mail %+v", m)
		}
		runs, err := st.Runs(t.Context(), 10)
		if err != nil || len(runs) != 4 {
			t.Errorf("ledger has %d runs, %v", len(runs), err)
		}
		// Another day is another slot, for one manager alone.
		next, err := s.RunJob(t.Context(), "digest", c.now().Add(24*time.Hour), "anna")
		if err != nil || next.String() != "anna 2026-11-24T08:00 queued anna@vector.test" {
			t.Errorf("next day: %v %v", next, err)
		}
	})
}

func TestScheduler_RunJob_Unknown(t *testing.T) {
	st := storetest.SQLite(t, store.Options{Render: blank})
	s := newScheduler(t, st, nil)
	if _, err := s.RunJob(t.Context(), "coffee", time.Time{}, ""); err == nil || !strings.Contains(err.Error(), "there are "+strings.Join(JobNames(), ", ")) {
		t.Error(err)
	}
	if _, err := s.RunJob(t.Context(), "digest", time.Time{}, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err == nil || !strings.Contains(err.Error(), "[smtp]") {
		t.Error(err)
	}
	if r, err := s.RunJob(t.Context(), "statuses", time.Time{}, ""); err != nil || r.String() != "done 0 items turned" {
		t.Error(r, err)
	}
}

func TestNew_Faults(t *testing.T) {
	_, err := New(nil, Options{Jobs: map[string]string{"digest": "8 o'clock", "addressbooks": "0 0 30 2 *", "classify": "never"}, From: mail.Address{Address: "none"}})
	for _, want := range []string{"jobs.digest", "jobs.addressbooks", "jobs.classify", "none"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// What strangers typed into names comes out of the digest harmless.
func TestScheduler_HostileNames(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	anna, _ := st.ManagerByLogin(t.Context(), "anna")
	for _, subject := range []string{"<script>alert(1)</script>", "a\r\nBcc: x@y.test", "\u202eevil", strings.Repeat("Ы", 9000)} {
		at := c.now().Add(time.Hour)
		if _, err := st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID, Origin: store.FromCalendar},
			store.ContactDraft{Subject: subject, ClientText: subject, When: store.Span{Start: at, End: at}}); err != nil {
			t.Logf("the store refused %.20q: %v", subject, err)
		}
	}
	s := newScheduler(t, st, nil)
	if r, err := s.RunJob(t.Context(), "digest", time.Time{}, "anna"); err != nil || r.Results[0].Outcome != "queued" {
		t.Fatal(r, err)
	}
	mails, err := st.ClaimMails(t.Context(), 10, time.Minute)
	if err != nil || len(mails) != 1 {
		t.Fatal(mails, err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(mails[0].Bytes))
	if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Error(m.Header, err)
	}
	_, page, ok := bytes.Cut(mails[0].Bytes, []byte("Content-Type: text/html"))
	if !ok || bytes.Contains(page, []byte("<script")) || len(page) > 50<<10 {
		t.Errorf("a page of %d bytes", len(page))
	}
}

// A week by the clock of the bubble: a digest each working day, none on
// Sunday, one made up after a pause, none after a longer one.
func TestScheduler_Run_Week(t *testing.T) {
	path := "sqlite:" + t.TempDir() + "/intouch.db"
	synctest.Test(t, func(t *testing.T) { // begins on Saturday 1 January 2000, 0:00 UTC
		st, err := store.Open(t.Context(), store.Options{URL: path, Log: logTo(t), Render: blank})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		anna, _, err := st.SaveManager(t.Context(), store.Actor{Origin: store.FromImport},
			store.ManagerRow{Login: "anna", Name: "Анна", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"anna@vector.test"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID}, store.ContactDraft{Subject: "x",
			When: store.Span{Start: time.Now(), End: time.Now().Add(time.Hour)}}); err != nil {
			t.Fatal(err)
		}
		running := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := newScheduler(t, st, nil).Run(ctx); err != nil {
				t.Error(err)
			}
		}
		running(72 * time.Hour)    // until Tuesday 0:00 UTC: Monday's
		time.Sleep(8 * time.Hour)  // down at 5:00, Tuesday's slot is 3 h old
		running(time.Minute)       // made up
		time.Sleep(26 * time.Hour) // Wednesday 10:01 UTC... 5 h late
		running(2 * time.Minute)   // made up
		time.Sleep(25 * time.Hour) // Thursday 11:03 UTC: 6 h late
		running(10 * time.Minute)  // not made up
		runs, err := st.Runs(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range runs {
			got = append(got, fmt.Sprintf("%s %s", r.Slot, r.Started.UTC().Format("15:04")))
		}
		want := "2000-01-05T08:00 10:01, 2000-01-04T08:00 08:00, 2000-01-03T08:00 05:00"
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	})
}

// post is an SMTP server in process: it takes mail, refuses gone@ for good
// and later@ for now.
type post struct {
	mu    sync.Mutex
	taken map[string]int // recipient → mails
	ids   map[string]int // Message-ID → mails
}

type postSession struct {
	*post
	to string
}

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.taken == nil {
		return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 1, 7}, Message: "not from here"}
	}
	return nil
}
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	case strings.HasPrefix(to, "later@"):
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "mailbox busy"}
	}
	s.to = to
	return nil
}

func (s *postSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[s.to]++
	s.ids[m.Header.Get("Message-ID")]++
	return nil
}
func (s *postSession) Reset()        {}
func (s *postSession) Logout() error { return nil }

// start serves on addr ("127.0.0.1:0" for any) until stop.
func (p *post) start(t *testing.T, addr string) (at string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{post: p}, nil }))
	server.ErrorLog = silence{}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	return ln.Addr().String(), sync.OnceFunc(func() { server.Close(); ln.Close(); <-done })
}

type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

func newPost() *post { return &post{taken: map[string]int{}, ids: map[string]int{}} }

// enqueue puts a mail to that address into the outbox.
func enqueue(t *testing.T, st *store.Store, to string) {
	t.Helper()
	key := "test/" + to
	id := mailer.MessageID(key, "vector.test")
	b, err := mailer.Compose(mailer.Message{From: mail.Address{Address: "intouch@vector.test"}, To: []mail.Address{{Address: to}},
		Subject: "x", Text: "x", MessageID: id, Date: st.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.RecordRun(t.Context(), store.Run{Job: "test", Slot: to, Started: st.Now(), Outcome: "sent"},
		store.Mail{Key: key, MessageID: id, From: "intouch@vector.test", To: to, Subject: "x", Bytes: b}); err != nil {
		t.Fatal(err)
	}
}

func TestOutbox_Deliver(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		p := newPost()
		addr, stop := p.start(t, "127.0.0.1:0")
		defer stop()
		s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
		to := []string{"gone@vector.test", "later@vector.test"}
		for i := range 25 {
			to = append(to, fmt.Sprintf("m%d@vector.test", i))
		}
		for _, a := range to {
			enqueue(t, st, a)
		}
		r, err := s.RunJob(t.Context(), "outbox", time.Time{}, "")
		if err != nil || r.String() != "done 25 sent, 1 to be tried again, 1 failed" {
			t.Errorf("%v %v", r, err)
		}
		if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 0 sent, 0 to be tried again, 0 failed" {
			t.Errorf("at once again: %v %v", r, err)
		}
		c.add(2 * time.Minute)
		if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 0 sent, 1 to be tried again, 0 failed" {
			t.Errorf("in two minutes: %v %v", r, err)
		}
		c.add(49 * time.Hour)
		if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 0 sent, 0 to be tried again, 1 failed" {
			t.Errorf("in two days: %v %v", r, err)
		}
		box, err := st.Outbox(t.Context(), 100)
		if err != nil || box.Sent != 25 || box.Failed != 2 || box.Queued != 0 {
			t.Errorf("outbox %d sent %d failed %d queued %v", box.Sent, box.Failed, box.Queued, err)
		}
		for _, m := range box.Recent {
			if strings.HasPrefix(m.To, "gone@") && !strings.Contains(m.LastError, "550 5.1.1 no such mailbox") ||
				strings.HasPrefix(m.To, "later@") && !strings.Contains(m.LastError, "not delivered within two days: RCPT refused: 450") {
				t.Errorf("%s: %q", m.To, m.LastError)
			}
		}
		for _, a := range to[2:] {
			if p.taken[a] != 1 {
				t.Errorf("%s got %d mails", a, p.taken[a])
			}
		}
	})
}

// The server is away, then back: what waited goes out once.
func TestOutbox_ServerDown(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	p := newPost()
	addr, stop := p.start(t, "127.0.0.1:0")
	stop()
	s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
	for i := range 15 {
		enqueue(t, st, fmt.Sprintf("m%d@vector.test", i))
	}
	if _, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err == nil {
		t.Error("no error from a server that is away")
	}
	box, _ := st.Outbox(t.Context(), 100)
	if box.Queued != 15 || box.Recent[14].LastError == "" {
		t.Errorf("%d queued, %q", box.Queued, box.Recent[14].LastError)
	}
	c.add(2 * time.Minute)
	_, stop = p.start(t, addr)
	defer stop()
	if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 15 sent, 0 to be tried again, 0 failed" {
		t.Error(r, err)
	}
	for id, n := range p.ids {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

// One mail makes the server hang up each time, or hang; the others go out.
func TestOutbox_PoisonedMail(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		poisoned(t, hangs)
	}
}

func poisoned(t *testing.T, hangs bool) {
	t.Helper()
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	p := newPost()
	addr, stop := p.start(t, "127.0.0.1:0")
	defer stop()
	// A proxy that closes both sides when the poison passes.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				return
			}
			wg.Go(func() { io.Copy(in, out); in.Close() })
			wg.Go(func() {
				defer out.Close()
				defer in.Close()
				buf := make([]byte, 4096)
				for {
					n, err := in.Read(buf)
					if err == nil && bytes.Contains(buf[:n], []byte("poison@")) {
						if hangs {
							io.Copy(io.Discard, in) // until the other side gives up
						}
						return
					}
					if err != nil {
						return
					}
					out.Write(buf[:n])
				}
			})
		}
	})
	defer wg.Wait()
	defer ln.Close()
	s := newScheduler(t, st, &mailer.Config{Addr: ln.Addr().String(), Security: mailer.Insecure, Timeout: 200 * time.Millisecond, DataTimeout: 200 * time.Millisecond})
	for _, a := range []string{"a@vector.test", "poison@vector.test", "b@vector.test", "c@vector.test"} {
		enqueue(t, st, a)
	}
	if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 3 sent, 1 to be tried again, 0 failed" {
		t.Error(r, err)
	}
	// Several in a row look like the server's trouble, but what was not tried
	// because of them goes first the next time.
	for _, a := range []string{"1poison@vector.test", "2poison@vector.test", "3poison@vector.test", "4poison@vector.test", "d@vector.test", "e@vector.test"} {
		enqueue(t, st, a)
	}
	if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err == nil || r.String() != "done 0 sent, 6 to be tried again, 0 failed" {
		t.Error(r, err)
	}
	if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err != nil || r.String() != "done 2 sent, 1 to be tried again, 0 failed" {
		t.Error(r, err)
	}
}

// A server that takes nothing from our address is asked three times, not once
// for each mail, and no mail is given up for it.
func TestOutbox_SenderRefused(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	addr, stop := (&post{}).start(t, "127.0.0.1:0")
	defer stop()
	s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
	for i := range 15 {
		enqueue(t, st, fmt.Sprintf("m%d@vector.test", i))
	}
	if r, err := s.RunJob(t.Context(), "outbox", time.Time{}, ""); err == nil || !strings.Contains(err.Error(), "MAIL refused: 501") || r.String() != "done 0 sent, 10 to be tried again, 0 failed" {
		t.Error(r, err)
	}
	mails, err := st.OutboxMails(t.Context(), store.Queued, 100)
	tried := 0
	for _, m := range mails {
		tried += m.Tries
	}
	if err != nil || len(mails) != 15 || tried != 3 {
		t.Errorf("%d mails, %d tries, %v", len(mails), tried, err)
	}
}

// A mail server that says that it takes commands together, and loses them, gets
// them one by one.
func TestOutbox_FalsePipelining(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	s := newScheduler(t, st, &mailer.Config{Addr: smtptest.Dropping(t), Security: mailer.Insecure, Timeout: 300 * time.Millisecond, DataTimeout: 300 * time.Millisecond})
	enqueue(t, st, "one@vector.test")
	if total, err := s.outbox.deliver(t.Context()); err != nil || total.retried != 1 {
		t.Errorf("together: %+v, %v", total, err)
	}
	c.add(2 * time.Minute)
	if total, err := s.outbox.deliver(t.Context()); err != nil || total.sent != 1 {
		t.Errorf("one by one: %+v, %v", total, err)
	}
}

// What a daemon was delivering when it died is free again within a minute, and
// what it still delivers stays its own for as long as that takes.
func TestOutbox_Lease(t *testing.T) {
	path := "sqlite:" + t.TempDir() + "/intouch.db"
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(t.Context(), store.Options{URL: path, Log: logTo(t), Render: blank})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for _, a := range []string{"a@vector.test", "b@vector.test"} {
			enqueue(t, st, a)
		}
		claimed := func() int {
			t.Helper()
			mails, err := st.ClaimMails(t.Context(), batch, lease)
			if err != nil {
				t.Fatal(err)
			}
			return len(mails)
		}
		if n := claimed(); n != 2 { // and dies
			t.Fatalf("%d mails", n)
		}
		time.Sleep(lease - time.Second)
		if n := claimed(); n != 0 {
			t.Errorf("%d mails before the lease is over", n)
		}
		time.Sleep(time.Second)
		mails, err := st.ClaimMails(t.Context(), batch, lease)
		if err != nil || len(mails) != 2 {
			t.Fatalf("%d mails after the lease, %v", len(mails), err)
		}
		o := newScheduler(t, st, nil).outbox
		c := o.hold(mails)
		if !c.begin(mails[0].ID) {
			t.Error("not claimed")
		}
		time.Sleep(10*lease + time.Second) // the server thinks
		if next, err := st.ClaimMails(t.Context(), batch, lease); err != nil || len(next) != 1 || next[0].ID != mails[1].ID || next[0].Tries != 2 {
			t.Errorf("the one behind it was not left to others: %v, %v", next, err)
		}
		if err := c.check(); err != nil {
			t.Error(err)
		}
		if c.begin(mails[1].ID) {
			t.Error("the one behind is delivered twice")
		}
		if n, err := c.release(errors.New("stopped")); err != nil || n != 1 {
			t.Error(n, err)
		}
		if n := claimed(); n != 1 {
			t.Errorf("%d mails after they were given back", n)
		}
	})
}

// The daemon's own way: what a job writes goes out without being asked, and
// Run ends when it is told.
func TestScheduler_Run_Delivers(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	house(t, st)
	c.add(10 * time.Minute) // slots before the managers were there are not theirs
	p := newPost()
	addr, stop := p.start(t, "127.0.0.1:0")
	defer stop()
	s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if _, err := s.RunJob(ctx, "digest", time.Time{}, ""); err != nil {
		t.Error(err)
	}
	for {
		changed := st.Changed()
		box, err := st.Outbox(ctx, 10)
		if err != nil {
			t.Error(err)
			break
		}
		if box.Sent == 2 {
			break
		}
		<-changed
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if p.taken["anna@vector.test"] != 1 || p.taken["boris@vector.test"] != 1 || len(p.taken) != 2 {
		t.Errorf("delivered %v", p.taken)
	}
}

// The daemon is told to stop while a mail is in flight: a slow server may
// still take it within the grace time; one that hangs leaves it queued.
func TestOutbox_Stop(t *testing.T) {
	for name, grace := range map[string]time.Duration{"slow": time.Hour, "hangs": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := morningClock()
			st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
			for _, a := range []string{"a@vector.test", "b@vector.test"} {
				enqueue(t, st, a)
			}
			reached, release := make(chan struct{}), make(chan struct{})
			server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
				return &slowSession{postSession{post: newPost()}, reached, release}, nil
			}))
			server.ErrorLog = silence{}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() { defer close(served); server.Serve(ln) }()
			s, err := New(st, Options{SMTP: &mailer.Config{Addr: ln.Addr().String(), Security: mailer.Insecure}, Grace: grace, Log: logTo(t)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			<-reached
			cancel()
			want := store.OutboxSummary{Queued: 2}
			if name == "slow" {
				want = store.OutboxSummary{Queued: 1, Sent: 1}
				close(release)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if name != "slow" {
				close(release)
			}
			server.Close()
			ln.Close()
			<-served
			box, err := st.Outbox(t.Context(), 0)
			if err != nil || box.Queued != want.Queued || box.Sent != want.Sent || box.Failed != 0 {
				t.Errorf("outbox %+v %v", box, err)
			}
			// What was not sent is due at once at the next start.
			if next, err := st.NextMail(t.Context()); err != nil || next.After(c.now()) {
				t.Errorf("next mail %v %v", next, err)
			}
		})
	}
}

// While the server thinks about one mail, for as long as it likes, others go out.
func TestOutbox_OthersPass(t *testing.T) {
	st := storetest.SQLite(t, store.Options{Render: blank})
	p := newPost()
	reached, release := make(chan struct{}), make(chan struct{})
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &pickySession{postSession{post: p}, reached, release}, nil
	}))
	server.ErrorLog = silence{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	s, err := New(st, Options{SMTP: &mailer.Config{Addr: ln.Addr().String(), Security: mailer.Insecure}, Grace: time.Millisecond, Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, st, "slow@vector.test")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-reached
	for i := range 15 {
		enqueue(t, st, fmt.Sprintf("m%d@vector.test", i))
	}
	for {
		changed := st.Changed()
		if box, err := st.Outbox(t.Context(), 0); err != nil {
			t.Fatal(err)
		} else if box.Sent == 15 {
			break
		}
		<-changed
	}
	cancel()
	<-done
	close(release)
	server.Close()
	ln.Close()
	<-served
}

// pickySession thinks about a mail for slow@ until released.
type pickySession struct {
	postSession
	reached, release chan struct{}
}

func (s *pickySession) Data(r io.Reader) error {
	if err := s.postSession.Data(r); err != nil {
		return err
	}
	if s.to == "slow@vector.test" {
		close(s.reached)
		<-s.release
	}
	return nil
}

// slowSession answers the text only when released.
type slowSession struct {
	postSession
	reached, release chan struct{}
}

func (s *slowSession) Data(r io.Reader) error {
	if err := s.postSession.Data(r); err != nil {
		return err
	}
	close(s.reached)
	<-s.release
	return nil
}

func TestRetryWait(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 7: 64 * time.Minute, 8: 2 * time.Hour, 1000: 2 * time.Hour} {
		if got := retryWait(tries, 0); got != want {
			t.Errorf("%d: %v, want %v", tries, got, want)
		}
		if low := retryWait(tries, 0.999); low < want*4/5 || low >= want {
			t.Errorf("%d with luck: %v", tries, low)
		}
	}
}

// A clock that was ahead queued mails, and is put back while the outbox is
// looked at, or before: they go out, once.
func TestOutbox_clockPutBack(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank}, func(t *testing.T, st *store.Store) {
		p := newPost()
		addr, stop := p.start(t, "127.0.0.1:0")
		defer stop()
		s := newScheduler(t, st, &mailer.Config{Addr: addr, Security: mailer.Insecure})
		ahead := func(to string) {
			c.add(3 * time.Hour)
			enqueue(t, st, to)
			c.add(-3 * time.Hour)
		}
		sent := func(n int64) {
			t.Helper()
			for {
				changed := st.Changed()
				if box, err := st.Outbox(t.Context(), 0); err != nil {
					t.Fatal(err)
				} else if box.Sent == n {
					return
				}
				<-changed
			}
		}
		ahead("a@vector.test")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		sent(1)
		ahead("b@vector.test")
		enqueue(t, st, "c@vector.test")
		sent(3)
		cancel()
		<-done
		for id, n := range p.ids {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})
}
