package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWorker starts a part again that gives up or panics, shows why it is down
// meanwhile, and ends when cancelled.
func TestWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		w := &worker{name: "mail", run: func(ctx context.Context) error {
			starts++
			switch starts {
			case 1:
				return errors.New("hopeless")
			case 2:
				panic("worse")
			}
			<-ctx.Done()
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			superviseAll(ctx, []*worker{w}, discard())
			close(ended)
		}()
		synctest.Wait()
		if s := w.state(); s.OK || s.Error != "hopeless" {
			t.Errorf("after the first end: %+v", s)
		}
		time.Sleep(restartMin)
		synctest.Wait()
		if s := w.state(); s.OK || s.Error != "panic: worse" {
			t.Errorf("after the panic: %+v", s)
		}
		time.Sleep(2 * restartMin)
		synctest.Wait()
		if s := w.state(); !s.OK || starts != 3 {
			t.Errorf("after %d starts: %+v", starts, s)
		}
		cancel()
		<-ended
	})
}
