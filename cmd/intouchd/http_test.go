package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestGuarded_panic(t *testing.T) {
	h := guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }), Server{}, discard())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(w.Body.String(), "broken") {
		t.Error("the answer shows what panicked")
	}
}

func TestForwardedFor(t *testing.T) {
	for _, c := range []struct{ remote, header, want string }{
		{"127.0.0.1:5", "", "127.0.0.1:5"},
		{"127.0.0.1:5", "192.0.2.7", "192.0.2.7:0"},
		{"127.0.0.1:5", "10.9.9.9, 192.0.2.7", "192.0.2.7:0"}, // the first is the client's own claim
		{"127.0.0.1:5", "2001:db8::1", "[2001:db8::1]:0"},
		{"127.0.0.1:5", "unknown", "127.0.0.1:5"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := forwardedFor(r); got != c.want {
			t.Errorf("%q: got %s, want %s", c.header, got, c.want)
		}
	}
}

func TestRoutes(t *testing.T) {
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })
	}
	h := routes(named("dav"), named("onec"), named("pages"), named("ready"), named("metrics"), named("profiles"))
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", "pages"},
		{"POST", "/login", "pages"},
		{"PROPFIND", "/", "dav"},
		{"OPTIONS", "/", "dav"},
		{"GET", "/.well-known/caldav", "dav"},
		{"PROPFIND", "/.well-known/carddav", "dav"},
		{"GET", "/dav/anna/current/a%2F..%2Fb.ics", "dav"}, // no redirect to a clean path
		{"PUT", "/dav/anna/current//x.ics", "dav"},
		{"GET", "/readyz", "ready"},
		{"GET", "/healthz", "ok\n"},
		{"GET", "/davenport", "pages"},
		{"POST", "/exchange/1c?type=sale&mode=file", "onec"},
		{"GET", "/exchange/", "pages"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != http.StatusOK || w.Body.String() != c.want {
			t.Errorf("%s %s: %d %q, want %q", c.method, c.path, w.Code, w.Body, c.want)
		}
	}
}

// TestServer_bounds refuses a header that is too long.
func TestServer_bounds(t *testing.T) {
	s := newServer(guarded(http.NotFoundHandler(), Server{}, discard()), discard())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout != 0 {
		t.Errorf("timeouts: %+v", s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 200<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // cut off while it was still sending: refused just as well
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 200 KB: %s", resp.Status)
	}
}

func TestIsLocal(t *testing.T) {
	r := httptest.NewRequest("GET", "/readyz", nil)
	r.RemoteAddr = "127.0.0.1:1"
	if !isLocal(r) {
		t.Error("loopback is not local")
	}
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	if isLocal(r) {
		t.Error("a forwarded request is local")
	}
	r = httptest.NewRequest("GET", "/readyz", nil)
	r.RemoteAddr = "192.0.2.7:1"
	if isLocal(r) {
		t.Error("a stranger is local")
	}
}

// The address of a feed is a secret, so the log does not have it.
func TestGuarded_HidesFeeds(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, h := range []http.HandlerFunc{http.NotFound, func(http.ResponseWriter, *http.Request) { panic("broken") }} {
		guarded(h, Server{}, log).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/feed/SECRETSECRETSECRETSECRET22.ics", nil))
	}
	if got := out.String(); strings.Contains(got, "SECRET") || strings.Count(got, "path=/feed/…") != 3 {
		t.Errorf("the log says\n%s", got)
	}
}

// TestGuarded_requestID: behind a proxy a request has the proxy's id, if it may
// stand in a log; else one of ours. It is the one of the answer and of the log.
func TestGuarded_requestID(t *testing.T) {
	for _, c := range []struct {
		given string
		proxy bool
		taken bool
	}{
		{"b7f0c2-41.x:9", true, true},
		{"b7f0c2-41", false, false}, // a stranger's word
		{"two words", true, false},
		{"line\nbreak", true, false},
		{strings.Repeat("x", 65), true, false},
		{"", true, false},
	} {
		var out strings.Builder
		h := guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }), Server{BehindProxy: c.proxy}, newLog(Log{}, &out))
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", c.given)
		h.ServeHTTP(w, r)
		id := w.Header().Get("X-Request-Id")
		if id == "" || (id == c.given) != c.taken {
			t.Errorf("%q, proxy %v: the id is %q", c.given, c.proxy, id)
		}
		if !strings.Contains(out.String(), "request="+id+" ") || !strings.Contains(w.Body.String(), id) {
			t.Errorf("%q is not in the log or the answer:\n%s%s", id, out.String(), w.Body)
		}
	}
}

// TestReadiness_many: of many mailboxes an answer lists some that are not in
// order, and counts the rest.
func TestReadiness_many(t *testing.T) {
	r := Readiness{Ready: true, Store: Part{OK: true}, Outbox: OutboxPart{Part: Part{OK: true}}, Workers: []Part{{Name: "mail", Error: "hope\nless"}}}
	for i := range 10_000 {
		r.Mailboxes = append(r.Mailboxes, MailboxPart{Part: Part{Name: fmt.Sprint("box", i), OK: i%2 == 0}})
	}
	r.summary()
	if len(r.Mailboxes) != listed || r.MailboxesTotal != 10_000 || r.MailboxesNotOK != 5_000 || len(r.NotOK) != listed+1 {
		t.Errorf("%d of %d mailboxes are listed, %d are not in order, %d named", len(r.Mailboxes), r.MailboxesTotal, r.MailboxesNotOK, len(r.NotOK))
	}
	text := r.text()
	if want := "ready\nnot ok: \"mail\": \"hope\\nless\"\nnot ok: \"mailbox box1\"\n"; !strings.HasPrefix(text, want) {
		t.Errorf("got %s…, want %s", text[:100], want)
	}
}
