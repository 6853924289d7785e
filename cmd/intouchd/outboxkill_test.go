package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"intouch/mailer"
	"intouch/store"
)

// deadlyPost is an SMTP server that counts what it takes, and in each round
// kills the daemon that talks to it, at some point of some mail.
type deadlyPost struct {
	mu    sync.Mutex
	talks int            // connections that are open
	taken map[string]int // Message-ID → how often it was answered with 250, as far as this side knows
	last  string         // the mail that was taken last
	kill  func()         // of this round; nil once it has
	stage string         // where
	mails int            // how many it lets pass before
	delay time.Duration  // after the answer, for "noted"
}

func (p *deadlyPost) talk(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talks += n
}

// hungUp waits until no connection is open. One that the server has not
// greeted yet may follow: nothing was said in it.
func (p *deadlyPost) hungUp() {
	for open := true; open; {
		p.mu.Lock()
		open = p.talks > 0
		p.mu.Unlock()
		if open {
			time.Sleep(time.Millisecond)
		}
	}
}

// The points between claim and commit.
var killStages = []string{"connect", "MAIL", "RCPT", "DATA", "text", "answer", "noted"}

// reach kills at that stage, if it is this round's.
func (p *deadlyPost) reach(stage string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kill == nil || p.stage != stage || p.mails > 0 {
		return
	}
	kill := p.kill
	p.kill = nil
	if stage == "noted" { // when the answer is on its way
		time.AfterFunc(p.delay, kill)
		return
	}
	kill()
}

func (p *deadlyPost) took(id string) {
	p.mu.Lock()
	p.taken[id]++
	p.last = id
	p.mails--
	p.mu.Unlock()
}

type deadlySession struct{ *deadlyPost }

func (s deadlySession) Mail(string, *smtp.MailOptions) error { s.reach("MAIL"); return nil }
func (s deadlySession) Rcpt(string, *smtp.RcptOptions) error { s.reach("RCPT"); return nil }
func (deadlySession) Reset()                                 {}
func (s deadlySession) Logout() error                        { s.talk(-1); return nil }
func (s deadlySession) Data(r io.Reader) error {
	s.reach("DATA")
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	s.reach("text")
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err // cut off: nothing was taken
	}
	s.took(m.Header.Get("Message-ID"))
	s.reach("answer")
	s.reach("noted")
	return nil
}

// TestOutbox_Killed: the daemon is killed at random points between the claim of
// a mail, its text and our note of it. No mail is lost, and one comes twice
// only if the server had taken it last before a kill: then both copies carry
// the same Message-ID. INTOUCH_KILLS=1000 for a night.
func TestOutbox_Killed(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("INTOUCH_KILLS")); err == nil {
		kills = n
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	post := &deadlyPost{taken: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		post.talk(1)
		post.reach("connect")
		return deadlySession{post}, nil
	}))
	server.ErrorLog = log.New(io.Discard, "", 0)
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	defer func() { server.Close(); ln.Close(); <-served }()

	config := settings(t, fmt.Sprintf("[company]\nname = \"V\"\n[smtp]\nurl = \"smtp+insecure://%s\"\nfrom = \"intouch@vector.test\"\n", ln.Addr()))
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(filepath.Dir(config), "intouch.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	written := 0
	write := func(n int) {
		t.Helper()
		for range n {
			written++
			key := fmt.Sprintf("test/%d", written)
			id := mailer.MessageID(key, "vector.test")
			text, err := mailer.Compose(mailer.Message{From: netmail.Address{Address: "intouch@vector.test"}, To: []netmail.Address{{Address: "anna@vector.test"}}, Subject: "x", Text: "x", MessageID: id, Date: st.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if err := st.RecordRun(t.Context(), store.Run{Job: "test", Slot: key}, store.Mail{Key: key, MessageID: id, From: "intouch@vector.test", To: "anna@vector.test", Bytes: text}); err != nil {
				t.Fatal(err)
			}
		}
	}

	mayDouble := map[string]int{} // Message-ID → kills before which it was taken last
	reached := map[string]int{}
	ahead := time.Duration(0) // so that what the last one had claimed is free again
	for round := range kills {
		write(5)
		post.mu.Lock() // before the daemon can come
		d := startDaemonIn(t, []string{"INTOUCHD_AHEAD=" + ahead.String()}, "--config", config, "job", "outbox")
		post.stage, post.mails, post.delay, post.last = killStages[round%len(killStages)], random.IntN(4), time.Duration(random.IntN(2000))*time.Microsecond, ""
		if post.stage == "connect" {
			post.mails = 0
		}
		post.kill = func() { d.cmd.Process.Kill() }
		post.mu.Unlock()
		d.wait(t)
		post.hungUp() // the text may lie there whole
		post.mu.Lock()
		if post.kill == nil {
			reached[post.stage]++
			if post.last != "" {
				mayDouble[post.last]++
			}
		}
		post.kill = nil
		post.mu.Unlock()
		ahead += 61 * time.Second
	}
	for range 3 { // and what it left
		if d := startDaemonIn(t, []string{"INTOUCHD_AHEAD=" + ahead.String()}, "--config", config, "job", "outbox"); d.wait(t) != exitDone {
			t.Fatal(d.stderr)
		}
		ahead += 61 * time.Second
	}

	sum, err := st.Outbox(t.Context(), 1)
	if err != nil || sum.Sent != int64(written) || sum.Queued != 0 || sum.Failed != 0 {
		t.Errorf("%d written, %+v, %v", written, sum, err)
	}
	doubled := 0
	post.mu.Lock()
	defer post.mu.Unlock()
	for n := range written {
		id := mailer.MessageID(fmt.Sprintf("test/%d", n+1), "vector.test")
		switch times := post.taken[id]; {
		case times == 0:
			t.Errorf("mail %d was lost", n+1)
		case times-1 > mayDouble[id]:
			t.Errorf("mail %d came %d times, with %d kills after the server had taken it", n+1, times, mayDouble[id])
		default:
			doubled += times - 1
		}
	}
	if len(post.taken) != written {
		t.Errorf("%d mails were taken, %d written", len(post.taken), written)
	}
	total := 0
	for _, n := range reached {
		total += n
	}
	if total < kills*9/10 {
		t.Errorf("only %d of %d rounds came to their kill", total, kills)
	}
	t.Logf("%d mails, killed %d times (%v): none lost, %d came twice", written, total, reached, doubled)
}
