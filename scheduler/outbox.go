package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// Delivery. A claimed mail is kept from other daemons for lease, which is put
// off while it is being delivered: what a daemon leaves that dies is tried
// again that soon.
const (
	batch     = 10
	lease     = time.Minute
	firstWait = time.Minute
	longWait  = 2 * time.Hour
	longHold  = 5 * time.Minute // between connections to a server in trouble
	manyLost  = 3               // connections, one after the other: the server is in trouble
	// connections are as many as deliver at the same time, so that a mail on
	// which the server hangs, for minutes, holds up no other.
	connections = 3
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

	lockstep atomic.Bool // the server seems not to take commands together
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
	var all sync.WaitGroup
	for range connections {
		all.Go(func() { o.follow(ctx) })
	}
	all.Wait()
}

// follow delivers what is due whenever something is. Who comes late finds
// nothing: each mail is claimed.
func (o *outbox) follow(ctx context.Context) {
	troubles, locked := 0, false
	for {
		changed := o.st.Changed() // before looking, so that nothing slips between
		wait := time.Duration(askAgain)
		err := o.st.WakeMails(ctx, longWait)
		var next time.Time
		if err == nil {
			next, err = o.st.NextMail(ctx)
		}
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
	lost := 0
	for ctx.Err() == nil {
		mails, err := o.st.ClaimMails(ctx, batch, lease)
		if err != nil || len(mails) == 0 {
			return total, err
		}
		claim := o.hold(mails)
		for _, m := range mails {
			if !claim.begin(m.ID) {
				continue // given to others meanwhile
			}
			if o.st.Now().After(m.Until) {
				err = o.abandon(claim, m, &total)
			} else if err = o.untried(ctx, flight, claim, &session); err == nil {
				sendErr := session.Send(flight, m.From, m.To, m.Bytes)
				err = o.settle(claim, m, sendErr, &total)
				if session.Doubtful() && !o.lockstep.Swap(true) {
					o.log.Warn("mail server lost over commands that went out together: from here on one by one", "server", o.smtp.Addr, "err", sendErr)
				}
				if session.Broken() {
					session.Close(flight)
					session = nil
				}
				// One mail may be what the server cannot stand; the others go on
				// over a new connection. Several in a row are the server's trouble.
				if lost++; ofMail(sendErr) {
					lost = 0
				} else if lost == manyLost && err == nil {
					err = sendErr
				}
			}
			if err != nil {
				break
			}
		}
		untried, freeErr := claim.release(err)
		total.retried += untried
		if err == nil {
			err = freeErr
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// ofMail reports whether what became of a mail says nothing of the others:
// neither a lost connection, nor a refusal of the sender, which all have in
// common, and for which servers slow us down more and more.
func ofMail(sendErr error) bool {
	var refused *mailer.Refused
	if sendErr == nil {
		return true
	}
	return errors.As(sendErr, &refused) && (refused.Stage != mailer.StageMail || refused.ThisMail())
}

// untried tells why the next mail cannot be tried at all; nil with a session.
func (o *outbox) untried(ctx, flight context.Context, claim *claim, session **mailer.Session) (err error) {
	if err = ctx.Err(); err == nil {
		err = claim.check()
	}
	if err == nil && *session == nil {
		server := *o.smtp
		server.Lockstep = server.Lockstep || o.lockstep.Load()
		*session, err = server.Dial(flight)
	}
	return err
}

// claim keeps mails from others while they are delivered.
type claim struct {
	o    *outbox
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	ids   []int64 // of those that are not settled
	now   int64   // the one that is being delivered
	until time.Time
}

// hold begins to put off the end of the mails' lease, until release.
func (o *outbox) hold(mails []store.OutboxMail) *claim {
	ctx, stop := context.WithCancel(context.Background())
	c := &claim{o: o, stop: stop, done: make(chan struct{}), until: o.st.Now().Add(lease)}
	for _, m := range mails {
		c.ids = append(c.ids, m.ID)
	}
	go func() {
		defer close(c.done)
		for pause(ctx, nil, lease/4) {
			if err := c.renew(ctx); err != nil && ctx.Err() == nil {
				o.log.Warn("mails in delivery could not be kept", "err", err)
			}
		}
	}()
	return c
}

// begin says which mail is delivered now; false when it is no longer claimed.
func (c *claim) begin(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = id
	return slices.Contains(c.ids, id)
}

// renew keeps the mail that is being delivered, and leaves to the other
// connections those that wait behind it.
func (c *claim) renew(ctx context.Context) error {
	c.mu.Lock() // over the writing too: what is settled must not be held again
	defer c.mu.Unlock()
	behind := slices.DeleteFunc(slices.Clone(c.ids), func(id int64) bool { return id == c.now })
	if len(behind) > 0 {
		if err := c.o.st.FreeMails(ctx, behind, ""); err != nil {
			return fmt.Errorf("free mails: %w", err)
		}
		c.ids = slices.DeleteFunc(c.ids, func(id int64) bool { return id != c.now })
	}
	if len(c.ids) == 0 {
		return nil
	}
	until := c.o.st.Now().Add(lease)
	if err := c.o.st.HoldMails(ctx, c.ids, lease); err != nil {
		return fmt.Errorf("hold mails: %w", err)
	}
	c.until = until
	return nil
}

// check fails where the lease is nearly over, because the machine slept or the
// database could not be written: another daemon may be about to take the mails.
func (c *claim) check() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.Sub(c.o.st.Now()) < lease/4 {
		return errors.New("delivery is too slow")
	}
	return nil
}

// settled takes a mail out, and notes what became of it.
func (c *claim) settled(id int64, note func(context.Context) error) error {
	// A time of its own, so that the note of a mail that the server has taken
	// is made also when the daemon is stopping: without it the mail would go
	// out a second time.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = slices.DeleteFunc(c.ids, func(other int64) bool { return other == id })
	if err := note(ctx); err != nil {
		return fmt.Errorf("note outcome: %w", err)
	}
	return nil
}

// release gives back what was not tried, because of that, and says how many.
func (c *claim) release(because error) (untried int, err error) {
	c.stop()
	<-c.done
	if len(c.ids) == 0 {
		return 0, nil
	}
	reason := ""
	if because != nil && !errors.Is(because, context.Canceled) {
		reason = because.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := c.o.st.FreeMails(ctx, c.ids, reason); err != nil {
		return len(c.ids), fmt.Errorf("free mails: %w", err)
	}
	return len(c.ids), nil
}

// settle notes what became of one mail.
func (o *outbox) settle(c *claim, m store.OutboxMail, sendErr error, total *delivered) error {
	log := o.log.With("mail_id", m.ID, "key", m.Key, "to", m.To, "tries", m.Tries)
	var refused *mailer.Refused
	err := c.settled(m.ID, func(ctx context.Context) error {
		switch {
		case sendErr == nil:
			total.sent++
			log.Info("mail sent")
			return o.st.MailSent(ctx, m.ID)
		case errors.As(sendErr, &refused) && refused.ThisMail():
			total.failed++
			log.Error("mail refused for good", "err", sendErr)
			return o.st.MailFailed(ctx, m.ID, sendErr.Error())
		case errors.Is(sendErr, context.Canceled):
			total.retried++
			return o.st.MailRetry(ctx, m.ID, 0, m.LastError) // the next start takes it at once
		}
		total.retried++
		wait := retryWait(m.Tries, rand.Float64())
		log.Warn("mail will be tried again", "wait", wait.Round(time.Second), "err", sendErr)
		return o.st.MailRetry(ctx, m.ID, wait, sendErr.Error())
	})
	if err != nil {
		log.Error("outcome of a mail could not be noted", "err", err)
	}
	return err
}

// abandon ends a mail that could not be delivered in time.
func (o *outbox) abandon(c *claim, m store.OutboxMail, total *delivered) error {
	total.failed++
	reason := "not delivered within two days"
	if m.LastError != "" {
		reason += ": " + m.LastError
	}
	o.log.Error("mail given up", "mail_id", m.ID, "key", m.Key, "to", m.To, "tries", m.Tries, "reason", reason)
	return c.settled(m.ID, func(ctx context.Context) error { return o.st.MailFailed(ctx, m.ID, reason) })
}
