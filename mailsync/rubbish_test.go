package mailsync

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// nameless is a letter without Message-ID.
func nameless(n int, subject string) string {
	return regexp.MustCompile("(?m)^Message-ID: .*\r\n").ReplaceAllString(plainLetter(n, bob, anna, subject, "nameless"), "")
}

// mixedBox is a mailbox of thirty letters in INBOX and three in Sent, one of
// them without Message-ID, and the subjects that are to be captured.
func mixedBox(t *testing.T) (srv *memServer, want string) {
	srv, want = many(t, 30, map[int]string{12: nameless(12, "s012")})
	for i := range 3 {
		subject := fmt.Sprintf("t%03d", i)
		deliver(t, srv.user["anna"], "Sent", plainLetter(100+i, anna, bob, subject, "sent"), letterDay)
		want += "," + subject
	}
	return srv, want
}

// TestFault_Rubbish: a server misbehaves once, at the line that is named, and
// is well again. That connection ends with an error that says which command
// failed and what came; the mailbox is tried again, and nothing is lost or
// doubled.
func TestFault_Rubbish(t *testing.T) {
	const (
		goesOn = iota
		closes
		falls // silent, though the connection stands
	)
	has := func(what string) func(string) bool {
		return func(line string) bool { return strings.Contains(line, what) }
	}
	begins := func(what string) func(string) bool {
		return func(line string) bool { return strings.HasPrefix(line, what) }
	}
	loggedIn := func(line string) bool {
		return !strings.HasPrefix(line, "*") && strings.Contains(line, " OK [CAPABILITY ")
	}
	as := func(text string) func(string) string { return func(string) string { return text } }
	before := func(text string) func(string) string { return func(line string) string { return text + line } }
	// tagged answers the command otherwise than with OK.
	tagged := func(text string) func(string) string {
		return func(line string) string {
			tag, _, _ := strings.Cut(line, " ")
			return tag + " " + text + "\r\n"
		}
	}
	size := regexp.MustCompile(`\{(\d+)\}\r\n$`)
	// sized changes what the server says of a literal's size.
	sized := func(by int) func(string) string {
		return func(line string) string {
			return size.ReplaceAllStringFunc(line, func(s string) string {
				var n int
				fmt.Sscanf(s, "{%d}", &n)
				return fmt.Sprintf("{%d}\r\n", n+by)
			})
		}
	}
	literal := func(line string) bool { return strings.Contains(line, " FETCH (") && size.MatchString(line) }
	text := func(line string) bool { return literal(line) && strings.Contains(line, "BODY[1]") }
	for _, c := range []struct {
		name string
		when func(line string) bool
		say  func(line string) string
		then int
		want string // of the error, in lower case; several by "|", all of them
	}{
		{"greeted by another protocol", begins("* OK"), as("HTTP/1.1 400 Bad Request\r\n\r\n"), goesOn, "greeting: "},
		{"BYE for a greeting", begins("* OK"), as("* BYE too many connections\r\n"), closes, "greeting: |too many connections"},
		{"no greeting", begins("* OK"), as(""), falls, "greeting: |silent"},
		{"NO to the login", loggedIn, tagged("NO [UNAVAILABLE] try later"), goesOn, "login: |try later"},
		{"BAD to the login", loggedIn, tagged("BAD what"), goesOn, "login: |bad what"},
		{"closes after the login", loggedIn, before(""), closes, "closed the connection"},
		{"BYE after the login", loggedIn, func(line string) string { return line + "* BYE shutting down\r\n" }, closes, "closed the connection"},
		{"never answers LIST", has("LIST"), as(""), falls, "list the folders: |silent"},
		{"LIST in pieces", begins("* LIST"), as("* LIST (\\HasNoChildren \"/\r\n"), goesOn, "list the folders: "},
		{"NO to EXAMINE", has("EXAMINE completed"), tagged("NO [INUSE] locked"), goesOn, "inbox|locked"},
		{"BAD to EXAMINE", has("EXAMINE completed"), tagged("BAD what"), goesOn, "inbox|bad what"},
		{"never answers EXAMINE", has("EXAMINE completed"), as(""), falls, "examine folder inbox: |silent"},
		{"an unknown response", has("EXISTS"), before("* XYZZY 1 2 3\r\n"), goesOn, "examine folder inbox: |xyzzy"},
		{"an empty line", has("EXISTS"), before("\r\n"), goesOn, "examine folder inbox: "},
		{"bytes of nothing", has("EXISTS"), as("\x00\xff\x00\x01}{)(\"\r\n"), goesOn, "examine folder inbox: "},
		{"NO to FETCH", has("FETCH completed"), tagged("NO cannot open the letters"), goesOn, "fetch|cannot open the letters"},
		{"BAD to FETCH", has("FETCH completed"), tagged("BAD what"), goesOn, "fetch|bad what"},
		{"BYE instead of letters", has(" FETCH ("), as("* BYE going down\r\n"), closes, "fetch"},
		{"closes instead of letters", has(" FETCH ("), as(""), closes, "fetch|closed the connection"},
		{"never sends the letters", has(" FETCH ("), as(""), falls, "fetch|silent"},
		{"stops within a header", literal, func(line string) string { return line + "From: " }, falls, "fetch headers: |silent"},
		{"closes within a header", literal, func(line string) string { return line + "From: " }, closes, "fetch headers: |closed the connection"},
		{"stops within a text", text, func(line string) string { return line + "bo" }, falls, "fetch|silent"},
		{"closes within a text", text, func(line string) string { return line + "bo" }, closes, "fetch|closed the connection"},
		{"a literal is longer than it says", literal, sized(-7), goesOn, "fetch"},
		{"a literal is shorter than it says", literal, sized(7), goesOn, "fetch"},
		{"a text is longer than it says", text, sized(-3), goesOn, "fetch"},
		{"a text is shorter than it says", text, sized(3), goesOn, "fetch"},
		{"a literal of gigabytes", literal, sized(4_000_000_000), goesOn, "fetch headers: |literal of more than"},
		{"a literal of 8 MB", literal, sized(8_000_000), goesOn, "fetch headers: |literal of more than"},
		{"a structure with NIL for a name", has("BODYSTRUCTURE ("), func(line string) string { return strings.Replace(line, `("charset" "utf-8")`, `("charset" NIL)`, 1) }, goesOn, "fetch headers: "},
		{"a structure without an end", has("BODYSTRUCTURE ("), as("* 1 FETCH (UID 1 BODYSTRUCTURE " + strings.Repeat("(", 5000) + "\r\n"), goesOn, "fetch headers: "},
		{"an odd INTERNALDATE", has("INTERNALDATE \""), func(line string) string {
			return regexp.MustCompile(`INTERNALDATE "[^"]*"`).ReplaceAllString(line, `INTERNALDATE "yesterday"`)
		}, goesOn, "fetch headers: "},
		{"a UID of nought", has(" FETCH (UID "), func(line string) string {
			return regexp.MustCompile(`\(UID \d+`).ReplaceAllString(line, "(UID 0")
		}, goesOn, ""},
		{"a line of two megabytes", has(" FETCH ("), as("* OK " + strings.Repeat("x", 2<<20) + "\r\n"), goesOn, "fetch|line of more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, want := mixedBox(t)
			var mu sync.Mutex
			happened, silent := false, map[int]bool{}
			p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				if silent[conn] {
					return "", false
				}
				if happened || !c.when(line) {
					return line, false
				}
				happened = true
				silent[conn] = c.then == falls
				return c.say(line), c.then == closes
			})
			st := newStore(t)
			var log following
			opt := testOptions(t)
			opt.Silence, opt.Log = 300*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
			said := ""
			for try := 0; ; try++ {
				_, err := New(st, []Config{boxConfig(p.Addr, "anna")}, opt).Pass(t.Context(), "")
				if err == nil {
					break
				}
				if said += err.Error() + "\n"; try == 3 {
					t.Fatal("not even without a fault:", err)
				}
			}
			said = strings.ToLower(said + log.log())
			for _, part := range strings.Split(c.want, "|") {
				if !strings.Contains(said, part) {
					t.Errorf("nobody says %q:\n%s", part, said)
				}
			}
			if !happened {
				t.Fatal("the fault never happened")
			}
			if got := subjects(t, st); got != want {
				t.Errorf("captured %s", got)
			}
			if n := len(letters(t, st)); n != 33 {
				t.Errorf("%d outcomes of 33 letters", n)
			}
			if n := p.connections(); n > 15 {
				t.Errorf("%d connections for one fault", n)
			}
		})
	}
}

// TestFault_UIDValidity: where it is nought, missing, or another each time,
// letters are recognised by what they are, those without a Message-ID too.
func TestFault_UIDValidity(t *testing.T) {
	validity := regexp.MustCompile(`\[UIDVALIDITY \d+\]`)
	for name, bend := range map[string]func(conn int, line string) string{
		"nought": func(_ int, line string) string { return validity.ReplaceAllString(line, "[UIDVALIDITY 0]") },
		"missing": func(_ int, line string) string {
			if validity.MatchString(line) {
				return ""
			}
			return line
		},
		"another each time": func(conn int, line string) string {
			return validity.ReplaceAllString(line, fmt.Sprintf("[UIDVALIDITY %d]", 1000+conn))
		},
		"the largest": func(_ int, line string) string { return validity.ReplaceAllString(line, "[UIDVALIDITY 4294967295]") },
	} {
		t.Run(name, func(t *testing.T) {
			srv, want := mixedBox(t)
			p := newProxy(t, srv.Addr, func(conn int, line string) (string, bool) { return bend(conn, line), false })
			st := newStore(t)
			cfg := boxConfig(p.Addr, "anna")
			for try := range 3 {
				if try > 0 {
					subject := fmt.Sprintf("u%03d", try)
					deliver(t, srv.user["anna"], "INBOX", plainLetter(200+try, bob, anna, subject, "later"), letterDay)
					want += "," + subject
				}
				onePass(t, st, cfg)
				if got := subjects(t, st); got != want {
					t.Fatalf("pass %d: captured %s, want %s", try, got, want)
				}
				if once := outcomesOnce(t, st); once != "" {
					t.Errorf("pass %d: two outcomes of %s", try, once)
				}
			}
		})
	}
}

// outcomesOnce names a letter that has two outcomes, "" when none has.
func outcomesOnce(t testing.TB, st *store.Store) string {
	seen := map[string]bool{}
	for _, l := range letters(t, st) {
		key := fmt.Sprintf("%s/%s %d %d", l.Mailbox, l.Folder, l.UIDValidity, l.UID)
		if seen[key] {
			return key
		}
		seen[key] = true
	}
	return ""
}

// TestFault_CommandsAreHarmless looks at every command that is sent: nothing
// changes a mailbox or sets a flag, and no range begins at 0, which some
// servers refuse (bench/IMAP.md: Zoho).
func TestFault_CommandsAreHarmless(t *testing.T) {
	srv, want := mixedBox(t)
	addr, commands := recordCommands(t, srv.Addr)
	st := newStore(t)
	for range 2 {
		onePass(t, st, boxConfig(addr, "anna"))
	}
	if got := subjects(t, st); got != want {
		t.Errorf("captured %s", got)
	}
	sent := commands()
	allowed := []string{"LOGIN", "AUTHENTICATE", "CAPABILITY", "ID", "ENABLE", "NAMESPACE", "LIST", "LSUB", "STATUS", "EXAMINE",
		"SEARCH", "FETCH", "IDLE", "DONE", "NOOP", "UNSELECT", "LOGOUT", "NOTIFY"}
	for _, c := range sent {
		words := strings.Fields(strings.ToUpper(c))
		if len(words) > 1 && words[0] != "DONE" {
			words = words[1:] // the tag
		}
		if len(words) > 1 && words[0] == "UID" {
			words = words[1:]
		}
		if len(words) == 0 || !slices.Contains(allowed, words[0]) {
			t.Errorf("the command %q", c)
		}
		if regexp.MustCompile(`[ ,]0:|:0[ ,]`).MatchString(c) {
			t.Errorf("a range begins at 0: %q", c)
		}
		if regexp.MustCompile(`BODY\[|RFC822\.TEXT|RFC822 |RFC822\)`).MatchString(strings.ToUpper(c)) {
			t.Errorf("a body that is not peeked: %q", c)
		}
	}
	if len(sent) < 6 {
		t.Errorf("only %d commands were seen: %q", len(sent), sent)
	}
}

// recordCommands stands before a server and keeps the lines that clients send.
func recordCommands(t *testing.T, server string) (addr string, sent func() []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			wg.Go(func() {
				io.Copy(client, up)
				client.Close()
			})
			wg.Go(func() {
				defer up.Close()
				for r := bufio.NewReader(client); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					mu.Lock()
					lines = append(lines, strings.TrimRight(line, "\r\n"))
					mu.Unlock()
					if _, err := io.WriteString(up, line); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}
