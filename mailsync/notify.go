package mailsync

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf16"

	"github.com/emersion/go-imap/v2"
)

// NOTIFY (RFC 5465), which the library does not know. The command goes out in
// the place of a NOOP of the library's, which has the same form of an answer;
// what the server tells of other folders comes as STATUS, which the library
// passes over when nobody asked, and statusWatch sees.

const capNotify imap.Cap = "NOTIFY"

func (s *session) canNotify() bool { return s.caps.Has(capNotify) && s.canIdle() }

// notify asks to be told of new letters in the folders: of the user's own as a
// whole, since Dovecot 2.3 does not find names that are not ASCII.
func (s *session) notify(folders []string) error {
	s.status.watch(folders, s.ring)
	const command = "NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))"
	s.words.instead.Store(new(command))
	err := s.do("notify", s.client.Noop().Wait)
	s.words.instead.Store(nil)
	return err
}

// told gives the folders that the server told of since it was last asked.
func (s *session) told() []string { return s.status.take() }

// statusWatch sees which folders the server tells of.
type statusWatch struct {
	mu    sync.Mutex
	names map[string]string // by the name on the wire
	news  map[string]bool
	ring  func()
}

const statusLine = "* STATUS "

// collect keeps the beginning of a line while it may be a STATUS.
func (w *statusWatch) collect(head []byte, ch byte) []byte {
	const longest = 1200 // a name of 255 characters in modified UTF-7
	n := len(head)
	if n < len(statusLine) && ch&^0x20 != statusLine[n]&^0x20 || n >= longest {
		return head
	}
	return append(head, ch)
}

// line notes the folder of a STATUS line.
func (w *statusWatch) line(head []byte) {
	if len(head) <= len(statusLine) {
		return
	}
	rest := string(head[len(statusLine):])
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names == nil {
		return
	}
	found := false
	for wire, name := range w.names {
		if rest2, ok := strings.CutPrefix(rest, wire); ok && strings.HasPrefix(rest2, " ") {
			w.news[name], found = true, true
		}
	}
	if !found && strings.HasPrefix(rest, "{") { // the name comes as a literal
		for _, name := range w.names {
			w.news[name], found = true, true
		}
	}
	if found {
		w.ring()
	}
}

func (w *statusWatch) watch(folders []string, ring func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names, w.news, w.ring = map[string]string{}, map[string]bool{}, ring
	for _, name := range folders {
		wire := encodeName(name)
		w.names[wire], w.names[quoted(wire)] = name, name
	}
}

// any reports whether there is something to take.
func (w *statusWatch) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.news) > 0
}

func (w *statusWatch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := slices.Sorted(maps.Keys(w.news))
	clear(w.news)
	return news
}

// otherWords sends a NOOP of the library's as another command.
type otherWords struct {
	net.Conn
	instead atomic.Pointer[string]
}

func (c *otherWords) Write(b []byte) (int, error) {
	text := c.instead.Load()
	tag, isNoop := bytes.CutSuffix(b, []byte(" NOOP\r\n"))
	if text == nil || !isNoop {
		return c.Conn.Write(b)
	}
	if _, err := c.Conn.Write([]byte(string(tag) + " " + *text + "\r\n")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// quoted is a quoted string of RFC 3501; folder names hold no line ends.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s) + `"`
}

var nameBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// encodeName is a folder's name in modified UTF-7 (RFC 3501 section 5.1.3).
func encodeName(name string) string {
	var b strings.Builder
	var other []rune
	flush := func() {
		if len(other) == 0 {
			return
		}
		var raw []byte
		for _, u := range utf16.Encode(other) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + nameBase64.EncodeToString(raw) + "-")
		other = nil
	}
	for _, r := range name {
		switch {
		case r == '&':
			flush()
			b.WriteString("&-")
		case r >= 0x20 && r < 0x7F:
			flush()
			b.WriteRune(r)
		default:
			other = append(other, r)
		}
	}
	flush()
	return b.String()
}
