package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// mostTogether bounds the imports that share a transaction.
const mostTogether = 64

// gathering holds small imports that wait at the same time, so that they share
// one transaction and its flush to the disk: of one record each, that flush is
// most of their time.
type gathering struct {
	mu      sync.Mutex
	waiting []*shared
	running bool
}

// shared is one of them.
type shared struct {
	ctx   context.Context
	actor Actor
	fn    func(*Import) error
	err   error
	done  chan struct{}
}

// ImportTogether is Import for a few records, in a transaction that others may
// share: when fn fails, nothing of it is written, and the others are not held
// up. fn may run twice.
func (s *Store) ImportTogether(ctx context.Context, actor Actor, fn func(*Import) error) error {
	job := &shared{ctx: ctx, actor: actor, done: make(chan struct{})}
	job.fn = func(im *Import) (err error) { // it runs in another goroutine, which must not end the program
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("import panicked: %v\n%s", p, debug.Stack())
			}
		}()
		return fn(im)
	}
	g := &s.gathering
	g.mu.Lock()
	g.waiting = append(g.waiting, job)
	if !g.running {
		g.running = true
		go s.runTogether()
	}
	g.mu.Unlock()
	<-job.done
	return job.err
}

// runTogether runs what waits until nothing does.
func (s *Store) runTogether() {
	g := &s.gathering
	for {
		g.mu.Lock()
		jobs := g.waiting[:min(len(g.waiting), mostTogether)]
		g.waiting = g.waiting[len(jobs):]
		if len(jobs) == 0 {
			g.waiting, g.running = nil, false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		if len(jobs) == 1 || !s.shareOne(jobs) {
			for _, job := range jobs {
				job.err = s.Import(job.ctx, job.actor, false, job.fn)
			}
		}
		for _, job := range jobs {
			close(job.done)
		}
	}
}

// shareOne runs the jobs in one transaction. False where that failed as a
// whole: then nothing is written, and each is to be run alone, so that the one
// at fault is found.
func (s *Store) shareOne(jobs []*shared) bool {
	// None of those who ask may end it for the others by going away.
	err := s.write(context.WithoutCancel(jobs[0].ctx), func(t *tx) error {
		if err := t.alone(importWork); err != nil {
			return err
		}
		for _, job := range jobs {
			if job.err = job.ctx.Err(); job.err != nil {
				continue
			}
			im := &Import{t: t, actor: job.actor}
			job.err = im.Each(func() error {
				if err := job.fn(im); err != nil {
					return err
				}
				return im.finish()
			})
			if im.broken {
				return job.err
			}
		}
		return nil
	})
	if errors.Is(err, ErrBusy) { // nor would one of them alone get its turn
		for _, job := range jobs {
			job.err = err
		}
		return true
	}
	return err == nil
}
