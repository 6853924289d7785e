package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far long work has come: one line that is written over on
// a terminal, a plain line now and then elsewhere. It may be told from several
// goroutines.
type progress struct {
	w        io.Writer
	what     string // "letters"
	terminal bool

	mu      sync.Mutex
	started time.Time
	shown   time.Time
	parts   map[string][2]int // done, total
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{w: w, what: what, started: time.Now(), shown: time.Now(), parts: map[string][2]int{}}
	if f, ok := w.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// at notes that done of total are done in one part of the work; total 0 is
// unknown.
func (p *progress) at(part string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts[part] = [2]int{done, total}
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if now := time.Now(); now.Sub(p.shown) >= every {
		p.shown = now
		p.show()
	}
}

func (p *progress) show() {
	done, total := 0, 0
	for _, n := range p.parts {
		done, total = done+n[0], total+n[1]
	}
	line := progressLine(p.what, done, total, time.Since(p.started))
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// end wipes the line of a terminal.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// progressLine: "1200 of 5000 letters, 400/s, 9s left".
func progressLine(what string, done, total int, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 0.001)
	if total <= 0 {
		return fmt.Sprintf("%d %s, %.0f/s", done, what, rate)
	}
	line := fmt.Sprintf("%d of %d %s, %.0f/s", done, total, what, rate)
	if rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return line
}
