package mailer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// transfer hands over mails on a connection that go-smtp has greeted and logged
// in on. Its client waits for the answer to each command; here those of one
// mail go out together where the server allows it (RFC 2920), which makes of
// five round trips two.
type transfer struct {
	conn net.Conn // below TLS's records
	text *textproto.Conn
	cfg  *Config
	over bool // the connection was closed half-way

	// doubtful: commands that went out together were not answered one by one.
	doubtful bool
}

// command of a mail, and the answer that lets the next one have a meaning.
type command struct {
	stage Stage
	line  string
	want  int // code
}

// send hands over one mail; a *Refused tells which command was refused.
// together says that commands need not wait for each other's answers.
func (t *transfer) send(commands []command, msg []byte, together bool) error {
	group := len(commands)
	if !together {
		group = 1
	}
	var refused *Refused
	for len(commands) > 0 && refused == nil {
		now := commands[:min(group, len(commands))]
		commands = commands[len(now):]
		if err := t.write(now); err != nil {
			return fmt.Errorf("%s: %w", now[0].stage, err)
		}
		// All answers are read: the next mail's must not be taken for these.
		for _, c := range now {
			err := t.answer(c.stage, c.want, t.cfg.Timeout)
			var said *Refused
			switch {
			case err == nil && c.stage == StageData && refused != nil:
				t.without(refused)
			case err == nil:
			case together && refused == nil && errors.As(err, &said) && (said.Code == 500 || said.Code == 503):
				// It cannot follow, whatever it says of PIPELINING.
				t.over, t.doubtful = true, true
				return fmt.Errorf("%s: the server answered commands that went out together with %d %s", c.stage, said.Code, said.Text)
			case !errors.As(err, &said): // no answer, or one out of turn
				t.over, t.doubtful = true, together && (refused == nil || refused.Code != 421)
				if refused != nil {
					return refused
				}
				return err
			case refused == nil: // the others' answers follow from it
				refused = said
			}
		}
	}
	if refused != nil {
		return refused
	}
	if n := t.text.R.Buffered(); n > 0 { // else it would be taken for the answer to the text
		t.over = true
		return fmt.Errorf("%s: the server answered before it was asked", StageData)
	}
	return t.data(msg)
}

// write sends commands at once.
func (t *transfer) write(commands []command) error {
	var b strings.Builder
	for _, c := range commands {
		b.WriteString(c.line)
		b.WriteString("\r\n")
	}
	t.conn.SetDeadline(time.Now().Add(t.cfg.Timeout))
	defer t.conn.SetDeadline(time.Time{})
	_, err := io.WriteString(t.conn, b.String())
	return err
}

// answer reads one.
func (t *transfer) answer(stage Stage, want int, limit time.Duration) error {
	t.conn.SetDeadline(time.Now().Add(limit))
	defer t.conn.SetDeadline(time.Time{})
	if _, _, err := t.text.ReadResponse(want); err != nil {
		return refusal(stage, err)
	}
	return nil
}

// data sends the text; the server has answered for it when this returns nil.
func (t *transfer) data(msg []byte) error {
	t.conn.SetDeadline(time.Now().Add(t.cfg.DataTimeout))
	defer t.conn.SetDeadline(time.Time{})
	w := t.text.DotWriter()
	_, err := w.Write(msg)
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("%s: %w", StageData, err)
	}
	return t.answer(StageData, 250, t.cfg.DataTimeout)
}

// without ends a mail whose text the server asks for although it was refused:
// there is none (RFC 2920 section 3.1). Where it is not the only recipient that
// was refused, an empty mail might go out; then the connection ends instead,
// and with it the mail (RFC 5321 section 4.1.1.10).
func (t *transfer) without(refused *Refused) {
	const anything = 0
	if refused.Stage != StageRcpt || t.write([]command{{line: "."}}) != nil || t.answer(StageData, anything, t.cfg.Timeout) != nil {
		t.over = true
		t.conn.Close()
	}
}
