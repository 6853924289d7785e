package main

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A light IMAP server for BenchmarkFleet: it speaks what mailsync asks of a
// server with IDLE, ESEARCH, CONDSTORE and SPECIAL-USE (RFC 9051, 2177, 4731,
// 7162, 6154), and keeps no letter: each is computed from the numbers of its
// mailbox and UID. Several of them run as processes of their own, since one
// process may not have as many connections as 10,000 mailboxes want.

// fleetMail says what one of these processes serves.
type fleetMail struct {
	Listen, Control   string // IMAP over TLS, and the driver's HTTP
	CertFile, KeyFile string
	Since             int64 // Unix time of the first letters
	PerManager        int   // mailboxes of a manager

	mu       sync.Mutex
	extra    map[int]int // letters that a storm brought, by mailbox
	watching map[int]*fleetConn
	open     atomic.Int64
	idling   atomic.Int64
}

// fleetMailVariable is the variable of the environment that makes the test
// binary such a server.
const fleetMailVariable = "INTOUCHD_FLEET_MAIL"

const (
	fleetInbox    = 3 // letters that lie in each INBOX at first; the first is a client's
	fleetSent     = 1 // and in each Sent
	fleetContacts = 2 // of these become contacts
)

// runFleetMail serves until it is killed.
func runFleetMail(text string) {
	m := &fleetMail{extra: map[int]int{}, watching: map[int]*fleetConn{}}
	fatal := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fleet's mail server:", err)
			os.Exit(1)
		}
	}
	fatal(json.Unmarshal([]byte(text), m))
	pair, err := tls.LoadX509KeyPair(m.CertFile, m.KeyFile)
	fatal(err)
	l, err := net.Listen("tcp", m.Listen)
	fatal(err)
	mux := http.NewServeMux()
	mux.HandleFunc("/state", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]int64{"open": m.open.Load(), "idling": m.idling.Load()})
	})
	mux.HandleFunc("/storm", m.storm)
	go func() { fatal(http.ListenAndServe(m.Control, mux)) }()
	settings := &tls.Config{Certificates: []tls.Certificate{pair}}
	for {
		conn, err := l.Accept()
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors: some come back
			continue
		}
		m.open.Add(1)
		go func() {
			defer m.open.Add(-1)
			defer conn.Close()
			c := &fleetConn{m: m, conn: tls.Server(conn, settings)}
			c.serve()
			m.forget(c)
		}()
	}
}

// storm brings "letters" more letters to each mailbox of "boxes", which are
// numbers with commas.
func (m *fleetMail) storm(w http.ResponseWriter, r *http.Request) {
	letters, err := strconv.Atoi(r.FormValue("letters"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for text := range strings.SplitSeq(r.FormValue("boxes"), ",") {
		box, err := strconv.Atoi(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m.mu.Lock()
		m.extra[box] += letters
		c, n := m.watching[box], fleetInbox+m.extra[box]
		m.mu.Unlock()
		if c != nil {
			c.tell(n)
		}
	}
}

func (m *fleetMail) forget(c *fleetConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watching[c.box] == c {
		delete(m.watching, c.box)
	}
}

// fleetConn is one connection. Only what tells of new letters comes from
// another goroutine.
type fleetConn struct {
	m     *fleetMail
	conn  net.Conn
	box   int
	inbox bool

	mu   sync.Mutex
	idle bool
	told int // letters that the client knows of
}

// tell says how many letters INBOX has, while the client waits for that.
func (c *fleetConn) tell(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle && n > c.told {
		c.told = n
		fmt.Fprintf(c.conn, "* %d EXISTS\r\n", n)
	}
}

func (c *fleetConn) letters() int {
	if !c.inbox {
		return fleetSent
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return fleetInbox + c.m.extra[c.box]
}

func (c *fleetConn) serve() {
	r := bufio.NewReaderSize(c.conn, 512)
	capabilities := "IMAP4rev1 AUTH=PLAIN SASL-IR IDLE ESEARCH CONDSTORE SPECIAL-USE LIST-EXTENDED"
	fmt.Fprintf(c.conn, "* OK [CAPABILITY %s] ready\r\n", capabilities)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		name, args, _ := strings.Cut(rest, " ")
		if strings.EqualFold(name, "UID") {
			name, args, _ = strings.Cut(args, " ")
		}
		out := &strings.Builder{}
		ok := "OK done"
		switch strings.ToUpper(name) {
		case "CAPABILITY":
			fmt.Fprintf(out, "* CAPABILITY %s\r\n", capabilities)
		case "AUTHENTICATE":
			_, secret, _ := strings.Cut(args, " ")
			text, _ := base64.StdEncoding.DecodeString(secret)
			parts := strings.Split(string(text), "\x00")
			if len(parts) != 3 || len(parts[1]) < 2 {
				ok = "NO who is that?"
				break
			}
			if c.box, err = strconv.Atoi(parts[1][1:]); err != nil {
				ok = "NO who is that?"
			}
		case "LIST":
			out.WriteString("* LIST () \"/\" INBOX\r\n* LIST (\\Sent) \"/\" Sent\r\n")
		case "EXAMINE", "SELECT":
			c.inbox = strings.HasPrefix(strings.Trim(args, `"`), "INBOX")
			n := c.letters()
			if c.inbox {
				c.m.mu.Lock()
				c.m.watching[c.box] = c
				c.m.mu.Unlock()
			}
			c.mu.Lock()
			c.told = n
			c.mu.Unlock()
			fmt.Fprintf(out, "* FLAGS (\\Seen)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT %d] .\r\n* OK [HIGHESTMODSEQ %d] .\r\n", n, n+1, n)
			ok = "OK [READ-ONLY] done"
		case "SEARCH":
			out.WriteString(c.search(tag, args))
		case "FETCH":
			c.fetch(out, args)
		case "IDLE":
			if !c.idles(r) {
				return
			}
		case "NOOP":
		case "LOGOUT":
			io.WriteString(c.conn, "* BYE .\r\n")
			return
		default:
			ok = "BAD unknown"
		}
		fmt.Fprintf(out, "%s %s\r\n", tag, ok)
		if _, err := io.WriteString(c.conn, out.String()); err != nil {
			return
		}
	}
}

// idles waits for DONE.
func (c *fleetConn) idles(r *bufio.Reader) bool {
	c.mu.Lock()
	c.idle = true
	io.WriteString(c.conn, "+ idling\r\n")
	c.mu.Unlock()
	c.m.idling.Add(1)
	if c.inbox {
		c.tell(c.letters()) // what came since the folder was opened
	}
	_, err := r.ReadString('\n')
	c.m.idling.Add(-1)
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
	return err == nil
}

// search knows UIDs; nobody set a keyword, and nobody is searched by name.
func (c *fleetConn) search(tag, args string) string {
	_, text, found := strings.Cut(args, "UID ")
	low, high, ranged := strings.Cut(strings.Fields(text + " .")[0], ":")
	from, err := strconv.Atoi(low)
	n := c.letters()
	to := from
	if ranged {
		if to, _ = strconv.Atoi(high); high == "*" {
			from, to = min(from, n), n
		}
	}
	if to = min(to, n); !found || err != nil || from > to {
		return fmt.Sprintf("* ESEARCH (TAG %q) UID COUNT 0\r\n", tag)
	}
	return fmt.Sprintf("* ESEARCH (TAG %q) UID COUNT %d ALL %d:%d\r\n", tag, to-from+1, from, to)
}

func (c *fleetConn) fetch(out *strings.Builder, args string) {
	set, items, _ := strings.Cut(args, " ")
	for one := range strings.SplitSeq(set, ",") {
		low, high, ranged := strings.Cut(one, ":")
		from, _ := strconv.Atoi(low)
		to := from
		if ranged {
			to, _ = strconv.Atoi(high)
		}
		for uid := max(from, 1); uid <= min(to, c.letters()); uid++ {
			header, text := c.letter(uid)
			fmt.Fprintf(out, "* %d FETCH (UID %d FLAGS ()", uid, uid)
			if strings.Contains(items, "INTERNALDATE") {
				fmt.Fprintf(out, " INTERNALDATE %q", c.at(uid).Format("02-Jan-2006 15:04:05 -0700"))
			}
			if strings.Contains(items, "BODYSTRUCTURE") {
				fmt.Fprintf(out, ` BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" %d %d NIL NIL NIL NIL)`, len(text), strings.Count(text, "\n"))
			}
			if _, section, found := strings.Cut(items, "BODY.PEEK"); found {
				section = section[:strings.Index(section, "]")+1]
				what := text
				if strings.Contains(section, "HEADER") {
					what = header
				}
				fmt.Fprintf(out, " BODY%s<0> {%d}\r\n%s", section, len(what), what)
			}
			out.WriteString(")\r\n")
		}
	}
}

func (c *fleetConn) at(uid int) time.Time { return time.Unix(c.m.Since+int64(uid)*60, 0).UTC() }

// letter is what a letter's UID makes of it.
func (c *fleetConn) letter(uid int) (header, text string) {
	folder, from, to := "inbox", fleetBuyer(c.box), fleetAddress(c.box/c.m.PerManager)
	switch {
	case !c.inbox:
		folder, from, to = "sent", to, from
	case uid > 1 && uid <= fleetInbox:
		from = fmt.Sprintf("news%d@shop.example", uid)
	}
	return fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: Order %d of %d\r\nDate: %s\r\nMessage-ID: <%s.%d.%d@fleet.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
			from, to, uid, c.box, c.at(uid).Format(time.RFC1123Z), folder, c.box, uid),
		fmt.Sprintf("Good day,\r\nplease send us %d more of what we ordered.\r\n%s\r\nThank you\r\n", uid, strings.Repeat("We are in no hurry, but the season is near. ", 20))
}

func fleetBuyer(box int) string       { return fmt.Sprintf("buyer@c%d.test", box) }
func fleetAddress(manager int) string { return fmt.Sprintf("m%d@vector.test", manager) }
