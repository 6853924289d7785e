package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// worker is a long-lived part with its one verb. Run returns nil when it is
// cancelled; where it gives up or panics, it is started again after a while,
// and the other parts go on.
type worker struct {
	name string
	run  func(context.Context) error

	mu  sync.Mutex
	err error // of the last run, while it is down
}

const (
	restartMin = time.Second
	restartMax = time.Minute
)

// superviseAll runs the workers until ctx ends and all have returned.
func superviseAll(ctx context.Context, workers []*worker, log *slog.Logger) {
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { w.supervise(ctx, log) })
	}
	all.Wait()
}

func (w *worker) supervise(ctx context.Context, log *slog.Logger) {
	for pause := restartMin; ; pause = min(2*pause, restartMax) {
		started := time.Now()
		err := w.runOnce(ctx, log)
		if ctx.Err() != nil {
			return
		}
		w.note(err)
		if time.Since(started) > restartMax {
			pause = restartMin
		}
		wait := pause/2 + rand.N(pause/2)
		log.Error("part stopped, starting it again", "part", w.name, "err", err, "in", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		w.note(nil)
	}
}

func (w *worker) runOnce(ctx context.Context, log *slog.Logger) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("part panicked", "part", w.name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := w.run(ctx); err != nil {
		return err
	}
	return errors.New("ended by itself")
}

func (w *worker) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *worker) state() Part {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Part{Name: w.name, OK: w.err == nil}
	if w.err != nil {
		p.Error = w.err.Error()
	}
	return p
}
