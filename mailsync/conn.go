package mailsync

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on what a server may send. The library has none: a 200 MB literal
// would be kept in memory whole.
const (
	maxLiteral    = 4 << 20  // bytes; we never ask for more
	maxLine       = 1 << 20  // bytes of one response outside its literals
	maxSearchLine = 16 << 20 // of the answer to SEARCH: two million letters
)

// errSilent: the server owed an answer and sent nothing for too long.
var errSilent = errors.New("the server has fallen silent")

// watchedConn is a TCP connection that ends when the server owes an answer and
// falls silent. It sits below TLS, and keeps the library's own deadlines
// (none for a response's first byte) from having any effect.
type watchedConn struct {
	net.Conn
	silence time.Duration // longest pause between bytes while an answer is due
	answer  time.Duration // longest time for one whole answer

	mu    sync.Mutex
	due   int       // answers that are due
	until time.Time // when the whole answer must be there
	cause error     // the first fault of the network; nil after a Close of ours
	shut  bool
}

// expect says that an answer is due; the returned function, that it came.
func (c *watchedConn) expect() (came func()) {
	c.mu.Lock()
	c.due++
	if c.due == 1 {
		c.until = time.Now().Add(c.answer)
	}
	c.mu.Unlock()
	c.extend()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.due--; c.due == 0 {
			c.Conn.SetReadDeadline(time.Time{})
		}
	}
}

// extend gives the server another pause, while an answer is due.
func (c *watchedConn) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due == 0 {
		return
	}
	deadline := time.Now().Add(c.silence)
	if deadline.After(c.until) {
		deadline = c.until
	}
	c.Conn.SetReadDeadline(deadline)
}

func (c *watchedConn) Read(b []byte) (int, error) {
	if err := c.fault(); err != nil {
		return 0, err // the library reads again after an error, up to four times
	}
	c.extend()
	n, err := c.Conn.Read(b)
	return n, c.note(err)
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.Conn.SetWriteDeadline(time.Now().Add(c.silence))
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

// note keeps the first fault, unless the connection was closed on this side.
func (c *watchedConn) note(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil && !c.shut {
		c.cause = err
	}
	return err
}

// fault is what went wrong with the network, nil when nothing did.
func (c *watchedConn) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

func (c *watchedConn) Close() error {
	c.mu.Lock()
	c.shut = true
	c.mu.Unlock()
	return c.Conn.Close()
}

// The library's deadlines have no effect: expect rules.
func (c *watchedConn) SetDeadline(time.Time) error      { return nil }
func (c *watchedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *watchedConn) SetWriteDeadline(time.Time) error { return nil }

// boundedConn ends when the server announces a literal, or sends a line, that
// nobody asked for. It sits above TLS and follows the stream just enough to
// tell literals from the rest (RFC 9051 section 4.3).
type boundedConn struct {
	net.Conn
	line    int   // bytes of the response line so far, literals left out
	number  int64 // after '{': its digits
	digits  bool  // inside "{123"
	closed  bool  // after "{123}": CRLF makes it a literal
	literal int64 // bytes of the literal that are still to come

	maxLine atomic.Int64
	status  *statusWatch // told of lines that begin with "* STATUS "; nil: nobody is
	head    []byte       // of such a line

	mu    sync.Mutex
	cause error
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if err := c.fault(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if fault := c.scan(b[:n]); fault != nil {
		c.mu.Lock()
		c.cause = fault
		c.mu.Unlock()
		return 0, fault
	}
	return n, err
}

// Write mends how the library answers a SASL challenge with nothing: "=" stands
// for an empty initial response alone (RFC 4959 section 3); after a challenge
// an empty line does (RFC 9051 section 6.2.2). Nothing else of ours is such a
// line.
func (c *boundedConn) Write(b []byte) (int, error) {
	if string(b) == "=\r\n" {
		n, err := c.Conn.Write(b[1:])
		return n + 1, err
	}
	return c.Conn.Write(b)
}

func (c *boundedConn) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

func (c *boundedConn) scan(b []byte) error {
	for i := 0; i < len(b); i++ {
		if c.literal > 0 {
			skip := min(c.literal, int64(len(b)-i))
			c.literal -= skip
			i += int(skip) - 1
			continue
		}
		if c.line == len(c.head) && c.status != nil {
			c.head = c.status.collect(c.head, b[i])
		}
		c.line++
		switch ch := b[i]; {
		case ch == '\n':
			if c.closed {
				c.literal = c.number // the line goes on after it
			} else {
				if len(c.head) > 0 {
					c.status.line(c.head)
					c.head = c.head[:0]
				}
				c.line = 0
			}
			c.digits, c.closed = false, false
		case ch == '\r':
		case ch == '{':
			c.digits, c.closed, c.number = true, false, 0
		case c.digits && ch >= '0' && ch <= '9':
			if c.number = c.number*10 + int64(ch-'0'); c.number > maxLiteral {
				// A quoted string may hold "{99999999" too, but a letter
				// with that in a file name can be asked for otherwise.
				return fmt.Errorf("the server announced a literal of more than %d bytes", maxLiteral)
			}
		case c.digits && ch == '}':
			c.digits, c.closed = false, true
		default:
			c.digits, c.closed = false, false
		}
		if limit := c.maxLine.Load(); int64(c.line) > limit {
			return fmt.Errorf("the server sent a line of more than %d bytes", limit)
		}
	}
	return nil
}
