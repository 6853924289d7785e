package main

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/web"
)

// routes shares the one listener out: what calendar programs ask goes to dav,
// what 1C asks to onec, everything else is a page. dav comes before the mux, which would redirect
// names that look unclean to it.
func routes(dav, onec, pages, ready, metrics, profiles http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", metrics)
	mux.Handle("/debug/pprof/", profiles)
	mux.Handle(exchange.OneCPath, onec)
	mux.Handle("/", pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caldav.Handles(r) {
			dav.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// profiles are Go's own (net/http/pprof), for this machine alone and only while
// the settings say so: they cost time, and tell how the program works.
func profiles(on func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !on() || !isLocal(r) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// newServer is the HTTP server. There is no WriteTimeout, which would cut a
// long listing for a slow phone: guarded gives each write its own deadline.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		IdleTimeout:       3 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // strangers' broken TLS
	}
}

// slowWrite is how long a client may take for one write of an answer.
const slowWrite = time.Minute

// requestID is what the proxy in front may have called a request, so that its
// log and ours have the same. A stranger's word is not taken.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// safety are the headers that every answer carries, errors, calendars and
// 1C's included; pages replace the policy with their own. What is not a page
// loads nothing and stands in no frame (OWASP's recommendation for APIs).
var safety = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

// onlyTLS has browsers come by TLS for a year from their last visit (RFC 6797).
// Only the host itself promises it: who its siblings belong to is not known.
const onlyTLS = "max-age=31536000"

// guarded wraps everything that is served: a request id, the headers of safety,
// a line in the log at debug, and a panic ends the request, not the process.
func guarded(next http.Handler, server Server, log *slog.Logger) http.Handler {
	tls := strings.HasPrefix(server.PublicURL, "https://") // ours, or that of the proxy
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		if server.BehindProxy {
			r.RemoteAddr = forwardedFor(r)
		}
		out := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
		for name, value := range safety {
			out.Header().Set(name, value)
		}
		if tls {
			out.Header().Set("Strict-Transport-Security", onlyTLS)
		}
		id := rand.Text()[:10]
		if given := r.Header.Get("X-Request-Id"); server.BehindProxy && requestID.MatchString(given) {
			id = given
		}
		out.Header().Set("X-Request-Id", id)
		// The last request on this connection left its own behind, which would
		// fail a "100 Continue".
		out.moveDeadline()
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler {
				panic(p) // the agreed way to drop a connection
			}
			if p != nil {
				log.Error("request panicked", "request", id, "method", r.Method, "path", logPath(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
				if out.status == 0 {
					http.Error(out, "internal error, request "+id, http.StatusInternalServerError)
				}
			}
			log.Debug("request served", "request", id, "method", r.Method, "path", logPath(r.URL.Path), "status", out.status,
				"bytes", out.bytes, "duration", time.Since(started).Round(time.Microsecond), "remote", r.RemoteAddr, "agent", r.UserAgent())
		}()
		next.ServeHTTP(out, r)
	})
}

// logPath is a request's path as it may stand in a log: some are secrets.
func logPath(path string) string { return web.LogPath(caldav.LogPath(path)) }

// forwardedFor is the address that the proxy in front saw: the last one of
// X-Forwarded-For, since those before it are the client's own claim.
func forwardedFor(r *http.Request) string {
	all := r.Header.Values("X-Forwarded-For")
	if len(all) == 0 {
		return r.RemoteAddr
	}
	list := all[len(all)-1]
	last := strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
	if net.ParseIP(last) == nil {
		return r.RemoteAddr
	}
	return net.JoinHostPort(last, "0")
}

// answer notes what was answered and moves the write deadline on as long as
// the client keeps reading.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	bytes   int64
	moved   time.Time
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.moveDeadline()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.moveDeadline()
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// moveDeadline costs a system call's worth only now and then.
func (a *answer) moveDeadline() {
	if now := time.Now(); now.Sub(a.moved) > slowWrite/6 {
		a.moved = now
		// Not every connection has deadlines (tests' recorders); then there
		// is nothing to guard.
		_ = a.control.SetWriteDeadline(now.Add(slowWrite))
	}
}
