package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// Delivery. A claimed mail is kept from other daemons for lease.
const (
	batch     = 10
	lease     = 30 * time.Minute
	firstWait = time.Minute
	longWait  = 2 * time.Hour
	longHold  = 5 * time.Minute // between connections to a server in trouble
	// askAgain is how often the outbox is looked at without being woken:
	// another process (`intouchd job digest`) may have written into it.
	askAgain = 15 * time.Second
)

// outbox delivers what the store's outbox holds.
type outbox struct {
	st    *store.Store
	smtp  *mailer.Config // nil: nothing is delivered
	log   *slog.Logger
	grace time.Duration
}

// delivered counts the outcomes of one round.
type delivered struct{ sent, retried, failed int }

// run delivers until ctx is cancelled. Without a mail server it only waits.
func (o *outbox) run(ctx context.Context) {
	if o.smtp == nil {
		o.log.Warn("no mail server in the settings, mails wait in the outbox")
		<-ctx.Done()
		return
	}
	troubles, locked := 0, false
	for {
		changed := o.st.Changed() // before looking, so that nothing slips between
		wait := time.Duration(askAgain)
		next, err := o.st.NextMail(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			o.log.Error("outbox could not be read", "err", err)
		case next.IsZero():
		case !next.After(o.st.Now()):
			_, err := o.deliver(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, store.ErrOutboxLocked):
				if !locked {
					o.log.Error("mails wait in the outbox", "err", err)
				}
				locked = true
			case err != nil:
				// The server, not one mail: all wait, whatever their number.
				troubles++
				wait, changed = min(retryWait(troubles, rand.Float64()), longHold), nil
				o.log.Warn("mail server trouble", "server", o.smtp.Addr, "wait", wait.Round(time.Second), "err", err)
			default:
				troubles, wait, locked = 0, 0, false // there may be more
			}
		default:
			wait = min(wait, next.Sub(o.st.Now()))
		}
		// At most one look a second, however busy the store is.
		if !pause(ctx, nil, min(max(wait, 0), time.Second)) || wait > time.Second && !pause(ctx, changed, wait-time.Second) {
			return
		}
	}
}

// pause waits until d has passed or wake is closed; false when ctx is over.
func pause(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// retryWait is how long to wait after that many tries: 1 minute, doubling up
// to 2 hours, less up to a fifth by chance (0 ≤ chance < 1), so that what
// failed together does not come back together.
func retryWait(tries int, chance float64) time.Duration {
	wait := longWait
	if doublings := max(tries, 1) - 1; doublings < 7 {
		wait = firstWait << doublings
	}
	return wait - time.Duration(chance*float64(wait)/5)
}

// deliver hands over what is due, over as few connections as it takes. The
// error is trouble with the server: it cannot be reached, hangs, does not let
// us in. A mail that was refused is none.
func (o *outbox) deliver(ctx context.Context) (total delivered, err error) {
	// What is in flight when ctx ends may finish within the grace time.
	flight, land := context.WithCancel(context.WithoutCancel(ctx))
	defer land()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(o.grace, land) })()

	var session *mailer.Session
	defer func() {
		if session != nil {
			session.Close(flight)
		}
	}()
	lost := 0 // connections, one after the other
	for ctx.Err() == nil {
		claimed := o.st.Now()
		mails, err := o.st.ClaimMails(ctx, batch, lease)
		if err != nil || len(mails) == 0 {
			return total, err
		}
		for i, m := range mails {
			if o.st.Now().After(m.Until) {
				if err := o.abandon(m, &total); err != nil {
					return total, err
				}
				continue
			}
			var trouble error
			switch {
			case ctx.Err() != nil:
				trouble = ctx.Err()
			case o.st.Now().Sub(claimed) > lease/2:
				trouble = errors.New("delivery is too slow") // before another daemon takes the mail too
			case session == nil:
				session, trouble = o.smtp.Dial(flight)
			}
			if trouble != nil { // not of this mail: it and the rest of the batch wait
				for _, rest := range mails[i:] {
					o.settle(rest, trouble, &total)
				}
				return total, trouble
			}
			sendErr := session.Send(flight, m.From, m.To, m.Bytes)
			if err := o.settle(m, sendErr, &total); err != nil {
				return total, err
			}
			if session.Broken() {
				session.Close(flight)
				session = nil
			}
			// One mail may be what the server cannot stand; the others go on
			// over a new connection. Several in a row are the server's trouble.
			var refused *mailer.Refused
			if lost++; sendErr == nil || errors.As(sendErr, &refused) {
				lost = 0
			} else if lost == 3 {
				for _, rest := range mails[i+1:] {
					o.settle(rest, sendErr, &total)
				}
				return total, sendErr
			}
		}
	}
	return total, nil
}

// settle notes what became of one mail. It has a time of its own, so that
// the note of a mail that the server has taken is made also when the daemon
// is stopping: without it the mail would go out a second time.
func (o *outbox) settle(m store.OutboxMail, sendErr error, total *delivered) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	now := o.st.Now()
	log := o.log.With("mail_id", m.ID, "key", m.Key, "to", m.To, "tries", m.Tries)
	var refused *mailer.Refused
	var err error
	switch {
	case sendErr == nil:
		total.sent++
		err = o.st.MailSent(ctx, m.ID)
		log.Info("mail sent")
	case errors.As(sendErr, &refused) && refused.ThisMail():
		total.failed++
		err = o.st.MailFailed(ctx, m.ID, sendErr.Error())
		log.Error("mail refused for good", "err", sendErr)
	case errors.Is(sendErr, context.Canceled):
		total.retried++
		err = o.st.MailRetry(ctx, m.ID, now, m.LastError) // the next start takes it at once
	default:
		total.retried++
		next := now.Add(retryWait(m.Tries, rand.Float64()))
		err = o.st.MailRetry(ctx, m.ID, next, sendErr.Error())
		log.Warn("mail will be tried again", "next", next, "err", sendErr)
	}
	if err != nil {
		log.Error("outcome of a mail could not be noted", "err", err)
		return fmt.Errorf("note outcome: %w", err)
	}
	return nil
}

// abandon ends a mail that could not be delivered in time.
func (o *outbox) abandon(m store.OutboxMail, total *delivered) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	total.failed++
	reason := "not delivered within two days"
	if m.LastError != "" {
		reason += ": " + m.LastError
	}
	o.log.Error("mail given up", "mail_id", m.ID, "key", m.Key, "to", m.To, "tries", m.Tries, "reason", reason)
	if err := o.st.MailFailed(ctx, m.ID, reason); err != nil {
		return fmt.Errorf("note outcome: %w", err)
	}
	return nil
}
