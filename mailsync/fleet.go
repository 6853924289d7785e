package mailsync

import (
	"context"
	"crypto/rand"
	"os"
	"sync"
	"time"

	"intouch/store"
)

// follower is a mailbox that is followed under a lease.
type follower struct {
	lease store.Lease
	stop  context.CancelFunc
	done  chan struct{}
}

// share follows this daemon's share of the mailboxes, which other daemons on
// the same database leave to it (store.HoldMailboxes), until ctx ends.
func (sy *Syncer) share(ctx context.Context) {
	host, _ := os.Hostname()
	me := host + "/" + rand.Text()
	names := make([]string, len(sy.boxes))
	for i, m := range sy.boxes {
		names[i] = m.cfg.Name
	}
	followers := map[string]*follower{}
	alive := time.Now() // as the others were told
	for ctx.Err() == nil {
		now := time.Now()
		trying, cancel := context.WithTimeout(ctx, store.LeaseLife/2)
		held, err := sy.st.HoldMailboxes(trying, me, names)
		cancel()
		switch {
		case err == nil:
			alive = now
			sy.follow(ctx, held, followers)
		case ctx.Err() != nil:
		case time.Since(alive) > store.LeaseLife:
			sy.opt.Log.Error("mailboxes are given up: the others were not told for too long that this daemon is alive", "err", brief(err))
			sy.follow(ctx, nil, followers)
		default:
			sy.opt.Log.Warn("the others could not be told that this daemon is alive", "err", brief(err))
		}
		pause(ctx, store.LeaseBeat)
	}
	for _, f := range followers {
		<-f.done
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := sy.st.LeaveMailboxes(leaving, me); err != nil {
		sy.opt.Log.Warn("the mailboxes are free only in a while", "err", brief(err))
	}
}

// follow begins with the mailboxes that are newly held, and ends with those
// that are not held any more.
func (sy *Syncer) follow(ctx context.Context, held []store.Lease, followers map[string]*follower) {
	now := make(map[string]store.Lease, len(held))
	for _, l := range held {
		now[l.Mailbox] = l
	}
	var ending []*follower
	for name, f := range followers {
		if now[name] != f.lease {
			f.stop()
			ending = append(ending, f)
			delete(followers, name)
			if _, still := now[name]; still {
				sy.opt.Log.Warn("the mailbox's lease was changed by somebody else, it is taken anew", "mailbox", name)
			} else {
				sy.opt.Log.Info("mailbox is left to another daemon", "mailbox", name)
			}
		}
	}
	for _, f := range ending {
		<-f.done
	}
	for _, m := range sy.boxes {
		lease, ok := now[m.cfg.Name]
		if !ok || followers[m.cfg.Name] != nil {
			continue
		}
		following, stop := context.WithCancel(store.WithLease(ctx, lease))
		f := &follower{lease: lease, stop: stop, done: make(chan struct{})}
		followers[m.cfg.Name] = f
		go func() {
			defer close(f.done)
			defer stop()
			m.live(following)
		}()
	}
}

// live follows a mailbox and does what else is to be done for it, until ctx
// ends.
func (m *mailbox) live(ctx context.Context) {
	if m.cfg.SentCopy {
		var copying sync.WaitGroup
		copying.Go(func() { m.copySent(ctx) })
		defer copying.Wait()
	}
	m.run(ctx)
}
