package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"intouch/store"
)

// Delivery of events. Each webhook is served by itself, so that one that hangs
// holds up no other, and no mail: what does not answer waits as a whole, 1
// minute, doubling up to 2 hours; an event that is refused waits alone. What
// has not been taken within two days is given up.
const (
	webhookBatch    = 20
	webhookParallel = 8
	webhookLease    = 10 * time.Minute // more than a batch takes
)

// webhooks delivers the events that the store holds.
type webhooks struct {
	st    *store.Store
	log   *slog.Logger
	grace time.Duration
	send  *WebhookSender
}

// run delivers until ctx is cancelled.
func (h *webhooks) run(ctx context.Context) {
	defer h.send.close()
	// What is in flight when ctx ends may finish within the grace time.
	flight, land := context.WithCancel(context.WithoutCancel(ctx))
	defer land()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(h.grace, land) })()
	var work sync.WaitGroup
	defer work.Wait()

	var mu sync.Mutex
	busy := map[int64]bool{}
	for {
		changed := h.st.Changed() // before looking, so that nothing slips between
		due, err := h.st.DueWebhooks(ctx)
		if err != nil && ctx.Err() == nil {
			h.log.Error("webhooks could not be read", "err", err)
		}
		for _, w := range due {
			mu.Lock()
			start := !busy[w.ID] && len(busy) < webhookParallel
			if start {
				busy[w.ID] = true
			}
			mu.Unlock()
			if start {
				work.Go(func() {
					h.serve(ctx, flight, &w)
					mu.Lock()
					defer mu.Unlock()
					delete(busy, w.ID)
				})
			}
		}
		wait := time.Duration(askAgain)
		if next, err := h.st.NextDelivery(ctx); err == nil && !next.IsZero() {
			wait = min(wait, max(next.Sub(h.st.Now()), 0))
		}
		// At most one look a second, however busy the store is.
		if !pause(ctx, nil, time.Second) || wait > time.Second && !pause(ctx, changed, wait-time.Second) {
			return
		}
	}
}

// serve sends what is due to one webhook, until nothing is or it does not
// answer.
func (h *webhooks) serve(ctx, flight context.Context, w *store.Webhook) {
	log := h.log.With("webhook_id", w.ID, "host", hostOf(w.URL))
	for ctx.Err() == nil {
		batch, err := h.st.ClaimDeliveries(ctx, w.ID, webhookBatch, webhookLease)
		if err != nil || len(batch) == 0 {
			if err != nil && ctx.Err() == nil {
				log.Error("events could not be claimed", "err", err)
			}
			return
		}
		for i := range batch {
			more, err := h.deliver(ctx, flight, w, batch[i:], log)
			if err != nil {
				log.Error("outcome of an event could not be noted", "err", err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// deliver sends the first of the claimed events and notes what became of it;
// false: the rest was given back. The note has a time of its own, so that it
// is made also when the daemon is stopping.
func (h *webhooks) deliver(ctx, flight context.Context, w *store.Webhook, claimed []store.Delivery, log *slog.Logger) (more bool, err error) {
	note, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second+webhookTime)
	defer cancel()
	d := &claimed[0]
	ids := make([]int64, len(claimed))
	for i := range claimed {
		ids[i] = claimed[i].ID
	}
	if ctx.Err() != nil {
		return false, h.st.FreeDeliveries(note, ids)
	}
	now := h.st.Now()
	a := h.send.send(flight, w, d.EventID, d.Body, now)
	log = log.With("event", d.EventID, "tries", d.Tries)
	switch {
	case a.taken():
		w.Troubles = 0
		return true, h.st.Delivered(note, w.ID, d.ID)
	case a.gone():
		log.Warn("webhook wants no more events, it is disabled")
		return false, h.st.DisableWebhook(note, w.ID, "it answered 410 Gone: it wants no more events")
	case errors.Is(a.err, context.Canceled):
		return false, h.st.FreeDeliveries(note, ids)
	case a.trouble():
		w.Troubles++
		wait := max(a.after, retryWait(int(w.Troubles), rand.Float64()))
		dropped, err := h.st.WebhookWaits(note, w.ID, now.Add(wait), now.Add(-store.GiveUp), a.err.Error(), ids)
		log.Warn("webhook takes no events, they wait", "wait", wait.Round(time.Second), "given_up", dropped, "err", a.err)
		return false, err
	}
	next := now.Add(retryWait(d.Tries, rand.Float64()))
	if next.Sub(d.Created) > store.GiveUp {
		next = time.Time{}
		log.Error("event given up", "err", a.err)
	} else {
		log.Warn("event refused, will be tried again", "next", next, "err", a.err)
	}
	return true, h.st.DeliveryRefused(note, w.ID, d.ID, next, a.err.Error())
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// dueWebhooks sends what is due now, once.
func (s *Scheduler) dueWebhooks(ctx context.Context, _ time.Time, _ []store.Manager) ([]Result, error) {
	due, err := s.st.DueWebhooks(ctx)
	if err != nil {
		return nil, err
	}
	defer s.webhooks.send.close()
	var work sync.WaitGroup
	slots := make(chan struct{}, webhookParallel)
	for _, w := range due {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			s.webhooks.serve(ctx, ctx, &w)
		})
	}
	work.Wait()
	return []Result{{Outcome: "done", Detail: fmt.Sprintf("%d webhooks had events due", len(due))}}, ctx.Err()
}
