package caldav

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"intouch/store"
)

// One manager's slow programs wait for each other, and keep nobody else.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{}
		ask := func(ctx context.Context, manager int64, answer func() error) (*call, error) {
			c := &call{Handler: h, ctx: ctx, w: httptest.NewRecorder(), manager: store.Manager{ID: manager}}
			return c, c.inTurn(answer)
		}
		quick := func() error { return nil }
		read := make(chan struct{})
		for range maxTurns {
			go ask(t.Context(), 1, func() error { <-read; return nil })
		}
		synctest.Wait()
		if _, err := ask(t.Context(), 2, quick); err != nil {
			t.Errorf("another manager: %v", err)
		}
		started := time.Now()
		c, err := ask(t.Context(), 1, quick)
		if !errors.Is(err, store.ErrBusy) || time.Since(started) != turnPatience {
			t.Fatalf("one too many: %v after %v", err, time.Since(started))
		}
		c.fail(err)
		if w := c.w.(*httptest.ResponseRecorder); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("it is told %d %v", w.Code, w.Header())
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := ask(gone, 1, quick); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that has gone: %v", err)
		}
		close(read)
		synctest.Wait()
		if _, err := ask(t.Context(), 1, quick); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
