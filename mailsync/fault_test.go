package mailsync

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// multiLetter is a letter of two parts whose boundary is named.
func multiLetter(n int, boundary, subject, body string) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%d@letters.test>\r\nDate: %s\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%[6]s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"+
		"--%[6]s\r\nContent-Type: text/plain; charset=utf-8; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile\r\n--%[6]s--\r\n",
		bob, anna, subject, n, letterDay.Format(time.RFC1123Z), boundary, body)
}

// many delivers n letters of Bob's and returns the contacts' subjects.
func many(t *testing.T, n int, special map[int]string) (*memServer, string) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	var want []string
	for i := 1; i <= n; i++ {
		raw := special[i]
		if raw == "" {
			raw = plainLetter(i, bob, anna, fmt.Sprintf("s%03d", i), fmt.Sprintf("body %d", i))
		}
		deliver(t, u, "INBOX", raw, letterDay)
		want = append(want, fmt.Sprintf("s%03d", i))
	}
	return srv, strings.Join(want, ",")
}

// TestFault_StructureThatCannotBeParsed is what imap.mail.ru sends: the
// library closes the connection over it (bite 1). The letter is read whole,
// and holds up nobody.
func TestFault_StructureThatCannotBeParsed(t *testing.T) {
	srv, want := many(t, 300, map[int]string{
		7: multiLetter(7, "POISON", "s007", "the poisoned one"), 250: multiLetter(250, "POISON", "s250", "another")})
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		return strings.ReplaceAll(line, `("boundary" "POISON")`, `("boundary" NIL)`), false
	})
	st := newStore(t)
	cfg := boxConfig(p.Addr, "anna")
	onePass(t, st, cfg)
	if got := subjects(t, st); got != want {
		t.Errorf("captured %s", got)
	}
	for _, c := range contacts(t, st) {
		if c.Subject == "s007" && (c.Body != "the poisoned one" || len(c.Attachments) != 1) {
			t.Errorf("the letter reads %q with attachments %v", c.Body, c.Attachments)
		}
	}
	if n := p.connections(); n > 12 {
		t.Errorf("%d connections for two bad letters", n)
	}
}

// TestFault_LetterThatCannotBeRead: whatever is asked of it, the connection
// breaks. It is filed as seen.
func TestFault_LetterThatCannotBeRead(t *testing.T) {
	srv, want := many(t, 30, nil)
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		return strings.ReplaceAll(line, "FETCH (UID 11 ", "FETCH (UID 11 RUBBISH "), false
	})
	st := newStore(t)
	c := onePass(t, st, boxConfig(p.Addr, "anna"))
	if got := subjects(t, st); got != strings.Replace(want, "s011,", "", 1) {
		t.Errorf("captured %s", got)
	}
	if c.Skipped[store.Unknown] != 1 || len(letters(t, st)) != 30 {
		t.Errorf("counts %+v, %d outcomes", c, len(letters(t, st)))
	}
}

// TestFault_FlagChangeBeforeTheAnswer: the library takes another client's flag
// change for the answer, and the body is lost without an error (bite 2).
func TestFault_FlagChangeBeforeTheAnswer(t *testing.T) {
	srv, want := many(t, 30, nil)
	var mu sync.Mutex
	seen := map[string]bool{}
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, uid := range []int{3, 4, 17} {
			start := fmt.Sprintf("* %d FETCH (UID %d ", uid, uid)
			// Once before the headers, once before the text.
			for _, what := range []string{"HEADER.FIELDS", "BODY[1]"} {
				if key := start + what; strings.HasPrefix(line, start) && strings.Contains(line, what) && !seen[key] {
					seen[key] = true
					return start + "FLAGS (\\Seen))\r\n" + line, false
				}
			}
		}
		return line, false
	})
	st := newStore(t)
	onePass(t, st, boxConfig(p.Addr, "anna"))
	if got := subjects(t, st); got != want {
		t.Errorf("captured %s", got)
	}
	for _, c := range contacts(t, st) {
		if !strings.HasPrefix(c.Body, "body ") {
			t.Errorf("%s has the text %q", c.Subject, c.Body)
		}
	}
	if len(seen) < 6 {
		t.Errorf("the proxy found %d places for a flag change, want 6", len(seen))
	}
}

// TestFault_LetterKeptBack: the server lists a letter but never sends it.
func TestFault_LetterKeptBack(t *testing.T) {
	srv, want := many(t, 30, nil)
	var mu sync.Mutex
	inside := false
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(line, "* ") || strings.HasPrefix(line, "T") {
			inside = strings.Contains(line, "FETCH (UID 5 ")
		}
		if inside {
			return "", false
		}
		return line, false
	})
	st := newStore(t)
	c := onePass(t, st, boxConfig(p.Addr, "anna"))
	if got := subjects(t, st); got != strings.Replace(want, "s005,", "", 1) || c.Skipped[store.Unknown] != 1 {
		t.Errorf("captured %s; %+v", got, c)
	}
}

// TestFault_ConnectionsBreak: cut anywhere, nothing is lost or doubled.
func TestFault_ConnectionsBreak(t *testing.T) {
	srv, want := many(t, 400, nil)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	left := map[int]int{}
	p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := left[conn]; !ok {
			left[conn] = 10 + random.IntN(3000)
		}
		if left[conn]--; left[conn] == 0 {
			return line[:random.IntN(len(line))], true
		}
		return line, false
	})
	st := newStore(t)
	cfg := boxConfig(p.Addr, "anna")
	for try := 0; ; try++ {
		_, err := New(st, []Config{cfg}, testOptions(t)).Pass(t.Context(), "")
		if err == nil {
			break
		}
		if try == 50 {
			t.Fatal(err)
		}
	}
	if got := subjects(t, st); got != want {
		t.Errorf("captured %s", got)
	}
	if n := len(letters(t, st)); n != 400 {
		t.Errorf("%d outcomes, want 400", n)
	}
	if p.connections() < 3 {
		t.Errorf("only %d connections: nothing was cut", p.connections())
	}
}

// TestFault_ServerFallsSilent: noticed, and the mailbox goes on when the
// server does.
func TestFault_ServerFallsSilent(t *testing.T) {
	srv, want := many(t, 20, nil)
	p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) {
		if conn == 1 && strings.Contains(line, "FETCH (UID 9 ") {
			select {
			case <-t.Context().Done():
			case <-time.After(3 * time.Second):
			}
			return "", true
		}
		return line, false
	})
	st := newStore(t)
	opt := testOptions(t)
	opt.Silence = 500 * time.Millisecond
	counts, err := New(st, []Config{boxConfig(p.Addr, "anna")}, opt).Pass(t.Context(), "")
	if err != nil {
		t.Fatal(err, counts)
	}
	if got := subjects(t, st); got != want {
		t.Errorf("captured %s", got)
	}
}

// TestFault_ServerFallsSilentWhileIdle: it hears IDLE and never speaks again,
// while letters come in.
func TestFault_ServerFallsSilentWhileIdle(t *testing.T) {
	srv, want := many(t, 3, nil)
	var mu sync.Mutex
	dead := map[int]bool{}
	p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		if dead[conn] {
			return "", false
		}
		if conn <= 2 && strings.HasPrefix(line, "+ idling") {
			dead[conn] = true
		}
		return line, false
	})
	st := newStore(t)
	opt := testOptions(t)
	opt.Silence = 500 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(st, []Config{boxConfig(p.Addr, "anna")}, opt).Run(ctx) }()
	eventually(t, "both connections are dead", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return dead[1] && dead[2]
	})
	deliver(t, srv.user["anna"], "INBOX", plainLetter(4, bob, anna, "s004", "x"), letterDay)
	eventually(t, "the letter that came meanwhile", func() bool { return subjects(t, st) == want+",s004" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
