package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// The operator's log: its lines are constant English sentences with snake_case
// keys. Each part of the daemon has its level, which may change at any time, and
// no fault floods it, whatever fails as often as requests come or mailboxes are
// tried.

// logParts are the parts of the daemon whose level may differ from the rest's:
// the values of the key "part".
var logParts = []string{"mail", "jobs", "exchange", "calendar", "pages", "requests"}

const (
	// sameLines is how many lines of one sentence, warnings or errors, are
	// written in each span of sameTime; what was left out is counted by the
	// first that follows.
	sameLines = 20
	sameTime  = 10 * time.Second
)

// newLog is the log of a command, whose levels stay.
func newLog(l Log, w io.Writer) *slog.Logger {
	levels := &logLevels{}
	levels.set(l)
	return newLogAt(levels, l.Format, w)
}

// newLogAt is one whose levels may change while it is used.
func newLogAt(levels *logLevels, format string, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: slog.LevelDebug} // leveled asks the levels before it
	var lines slog.Handler = slog.NewTextHandler(w, opt)
	if format == "json" {
		lines = slog.NewJSONHandler(escaped{w}, opt)
	}
	return slog.New(&leveled{Handler: lines, levels: levels, damper: &damper{seen: map[sentence]*span{}}})
}

// logLevels are those in force.
type logLevels struct{ now atomic.Pointer[Log] }

func (l *logLevels) set(to Log) { l.now.Store(&to) }

func (l *logLevels) of(part string) slog.Level {
	now := l.now.Load()
	if level, ok := now.Parts[part]; ok {
		return level
	}
	return now.Level
}

// leveled is a handler that knows which part's lines it gets.
type leveled struct {
	slog.Handler
	levels *logLevels
	part   string
	damper *damper
}

// Enabled implements slog.Handler.
func (h *leveled) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.levels.of(h.part)
}

// Handle implements slog.Handler.
func (h *leveled) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		leftOut, ok := h.damper.take(sentence{h.part, r.Message}, r.Time)
		if !ok {
			return nil
		}
		if leftOut > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int("like_it_left_out", leftOut))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	of := *h
	of.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == "part" {
			of.part = a.Value.String()
		}
	}
	return &of
}

// WithGroup implements slog.Handler.
func (h *leveled) WithGroup(name string) slog.Handler {
	of := *h
	of.Handler = h.Handler.WithGroup(name)
	return &of
}

// damper counts lines of the same sentence. There are as many as the program
// has sentences.
type damper struct {
	mu   sync.Mutex
	seen map[sentence]*span
}

type sentence struct{ part, text string }

type span struct {
	began   time.Time
	written int
	leftOut int
}

// take reports whether one more line may be written, and how many were left out
// before it.
func (d *damper) take(s sentence, now time.Time) (leftOut int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.seen[s]
	if at == nil {
		at = &span{}
		d.seen[s] = at
	}
	if age := now.Sub(at.began); age >= sameTime || age < 0 {
		leftOut = at.leftOut
		*at = span{began: now}
	}
	if at.written == sameLines {
		at.leftOut++
		return 0, false
	}
	at.written++
	return leftOut, true
}

// escaped writes what encoding/json leaves as it is, and a terminal obeys: the
// control characters of C1 (U+009B is ESC [ in one) and those that turn the
// rest of a line round. slog's text is quoted, where they never stand.
type escaped struct{ w io.Writer }

var obeyed = regexp.MustCompile("[\u0080-\u009f\u202a-\u202e\u2066-\u2069]")

func (e escaped) Write(line []byte) (int, error) {
	safe := obeyed.ReplaceAllFunc(line, func(r []byte) []byte {
		return fmt.Appendf(nil, `\u%04x`, []rune(string(r))[0])
	})
	if _, err := e.w.Write(safe); err != nil {
		return 0, err
	}
	return len(line), nil
}
