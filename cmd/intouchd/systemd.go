package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
)

// What the daemon has to do with the service manager that started it, by
// sd_notify(3) and sd_listen_fds(3). Started otherwise none of it does anything.

// listen takes the socket that the service manager holds open for us, so that
// no connection is lost over a restart, and otherwise opens the address of the
// settings.
func listen(s Server) (net.Listener, error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the socket of the service manager: %w", err)
	}
	switch {
	case len(given) == 0:
		l, err := net.Listen("tcp", s.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		return l, nil
	case len(given) > 1:
		return nil, fmt.Errorf("the service manager passed %d sockets, one is needed: give intouch.socket one ListenStream", len(given))
	case given[0] == nil:
		return nil, errors.New("the socket of the service manager is none to listen on: ListenStream in intouch.socket makes one")
	}
	l := given[0]
	// The settings were checked for the address in them, not for this one.
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && s.TLS.Mode == "off" && !s.BehindProxy {
		l.Close()
		return nil, fmt.Errorf("the socket of the service manager listens on %s, and server.tls is off: passwords would cross the network in the clear", tcp)
	}
	return l, nil
}

// What the service manager is told.
const (
	managerReady    = sd.SdNotifyReady
	managerStopping = sd.SdNotifyStopping
	managerWatchdog = sd.SdNotifyWatchdog
)

// tellManager sends states of sd_notify(3) to the service manager, if there is
// one.
func tellManager(state string, log *slog.Logger) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("the service manager could not be told", "state", state, "err", err)
	}
}

// feedWatchdog tells the service manager three times in each interval of its
// watchdog that the daemon lives, as long as alive returns in time. A daemon
// that hangs is so killed and started anew.
func feedWatchdog(ctx context.Context, alive func(context.Context), log *slog.Logger) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog of the service manager is not fed", "err", err)
	}
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			alive(ctx)
			tellManager(managerWatchdog, log)
		}
	}
}

// answersReady asks h for /readyz, which looks at the database and all workers.
// Any answer shows that nothing hangs: a database that is away is no reason to
// be killed.
func answersReady(h http.Handler) func(context.Context) {
	return func(ctx context.Context) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil)
		if err != nil {
			return
		}
		h.ServeHTTP(&unread{header: http.Header{}}, r)
	}
}

// unread is an answer that nobody reads.
type unread struct{ header http.Header }

func (u *unread) Header() http.Header         { return u.header }
func (u *unread) Write(b []byte) (int, error) { return len(b), nil }
func (u *unread) WriteHeader(int)             {}
