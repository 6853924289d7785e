package mailsync

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"intouch/store"
)

// chunk is what is filed in one transaction.
type chunk struct {
	store.Batch
	letters int // taken from the mailbox, those without an outcome among them
}

// filer files chunks one after the other, while the next one is read.
type filer struct {
	chunks    chan chunk
	ended     chan struct{}
	err       error        // valid once ended is closed
	done, all atomic.Int64 // letters taken and known of, for Progress
	close     func()
}

func (m *mailbox) startFiler(ctx context.Context, f *folder, c *Counts) *filer {
	w := &filer{chunks: make(chan chunk), ended: make(chan struct{})}
	w.close = sync.OnceFunc(func() { close(w.chunks) })
	w.done.Store(int64(c.done))
	go func() {
		defer close(w.ended)
		defer recovered(&w.err)
		defer func() { c.done = int(w.done.Load()) }()
		for ch := range w.chunks {
			if w.err = m.file(ctx, f, ch, c); w.err != nil {
				return
			}
			done := w.done.Add(int64(ch.letters))
			if m.opt.Progress != nil && ch.letters > 0 {
				m.opt.Progress(m.cfg.Name, int(done), int(max(done, w.all.Load())))
			}
			m.progressed()
		}
	}()
	return w
}

// left says how many letters are to come.
func (w *filer) left(n int) { w.all.Store(w.done.Load() + int64(n)) }

// file hands a chunk over; the error is that of an earlier one.
func (w *filer) file(ch chunk) error {
	select {
	case w.chunks <- ch:
		return nil
	case <-w.ended:
		return w.err
	}
}

// finish waits until all is filed. Only then may what was filed be looked at.
func (w *filer) finish() error {
	w.close()
	<-w.ended
	return w.err
}

// file writes a chunk and the cursor in one transaction.
func (m *mailbox) file(ctx context.Context, f *folder, ch chunk, c *Counts) error {
	filed, err := m.st.FileLetters(ctx, f.Folder, ch.Batch)
	if err != nil {
		return &storeError{fmt.Errorf("file the letters: %w", err)}
	}
	if ch.Read != (store.Cursor{}) {
		f.Cursor = ch.Read
	}
	c.add(ch.Batch, filed)
	return nil
}
