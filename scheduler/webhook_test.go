package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// receiver is a webhook of a test; answer says how it answers a request.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got = append(r.got, received{req.Header, body})
		answer := r.answer
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.got...)
}

func (r *receiver) answers(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hooked is a store with a client, whose clock the test sets, and a Scheduler.
type hooked struct {
	t     *testing.T
	st    *store.Store
	clock *clock
	s     *Scheduler
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Render: blank, Now: c.now, Log: slog.New(slog.DiscardHandler)})
	s, err := New(st, Options{Log: slog.New(slog.DiscardHandler), Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return &hooked{t, st, c, s}
}

func (h *hooked) add(url string) store.Webhook {
	h.t.Helper()
	w, _, err := h.st.AddWebhook(context.Background(), url, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// plan makes n contacts: n events.
func (h *hooked) plan(n int) {
	h.t.Helper()
	for i := range n {
		at := h.clock.now()
		if _, err := h.st.PlanContact(context.Background(), store.Actor{Origin: store.FromWeb}, store.ContactDraft{Subject: fmt.Sprint("call ", i), When: store.Span{Start: at, End: at}}); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *hooked) round() {
	h.t.Helper()
	if _, err := h.s.RunJob(context.Background(), "webhooks", time.Time{}, ""); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hooked) state(id int64) store.Webhook {
	h.t.Helper()
	all, err := h.st.Webhooks(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, w := range all {
		if w.ID == id {
			return w
		}
	}
	h.t.Fatalf("no webhook %d", id)
	return store.Webhook{}
}

func TestWebhooks_Signed(t *testing.T) {
	h := newHooked(t)
	r := newReceiver(t, status(http.StatusNoContent))
	w := h.add(r.URL + "/hook?key=1")
	h.plan(3)
	h.round()
	got := r.requests()
	if len(got) != 3 {
		t.Fatalf("%d requests", len(got))
	}
	ids := map[string]bool{}
	for _, one := range got {
		var body struct{ ID, Type string }
		if err := json.Unmarshal(one.body, &body); err != nil || body.Type != "contact.planned" || body.ID != one.header.Get("webhook-id") {
			t.Errorf("%s: %v", one.body, err)
		}
		ids[body.ID] = true
		if one.header.Get("webhook-signature") != w.Sign(body.ID, h.clock.now(), one.body) || one.header.Get("webhook-timestamp") != fmt.Sprint(h.clock.now().Unix()) {
			t.Errorf("signature: %v", one.header)
		}
		if one.header.Get("User-Agent") != "intouchd/1" {
			t.Errorf("agent %q", one.header.Get("User-Agent"))
		}
	}
	if s := h.state(w.ID); len(ids) != 3 || s.Sent != 3 || s.Waiting != 0 {
		t.Errorf("%d ids, %+v", len(ids), s)
	}
	h.round()
	if n := len(r.requests()); n != 3 {
		t.Errorf("sent again: %d requests", n)
	}
}

// An event that is refused waits alone, is sent again under the same id, and is
// given up after two days.
func TestWebhooks_Refuses(t *testing.T) {
	h := newHooked(t)
	first := ""
	r := newReceiver(t, nil)
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if first == "" {
			first = req.Header.Get("webhook-id")
		}
		if req.Header.Get("webhook-id") == first {
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, strings.Repeat("rubbish ", 100_000))
		}
	})
	w := h.add(r.URL)
	h.plan(4)
	h.round()
	if s := h.state(w.ID); s.Sent != 3 || s.Waiting != 1 {
		t.Fatalf("after the first round: %+v", s)
	}
	tries := 1
	for range 100 {
		h.clock.add(2 * time.Hour)
		h.round()
		if h.state(w.ID).Waiting == 0 {
			break
		}
		tries++
	}
	if s := h.state(w.ID); s.Failed != 1 || tries < 20 || tries > 30 {
		t.Errorf("%d tries: %+v", tries, s)
	}
	for _, one := range r.requests()[4:] {
		if one.header.Get("webhook-id") != first {
			t.Errorf("another id: %v", one.header)
		}
	}
}

// Answers that are none, each with a good receiver beside it, which gets all.
func TestWebhooks_Troubles(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + dead.Addr().String()
	dead.Close()
	stop := make(chan struct{})
	hang := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-stop:
		case <-req.Context().Done():
		}
	})
	defer close(stop)
	elsewhere := newReceiver(t, status(http.StatusOK))
	raw := func(text string) *receiver {
		return newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(c, text)
				c.Close()
			}
		})
	}
	for name, one := range map[string]struct {
		url, says string
		waits     bool // as a whole
	}{
		"refuses connections": {address, "refused", true},
		"hangs":               {hang.URL, "deadline exceeded", true},
		"rubbish":             {raw("\x00\x01 this is no HTTP\r\n\r\n").URL, "malformed", true},
		"closes":              {raw("").URL, "EOF", true},
		"endless header":      {raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20)).URL, "exceeded", true},
		"busy":                {newReceiver(t, status(http.StatusServiceUnavailable)).URL, "503", true},
		"redirects": {newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}).URL, "redirects are not followed", false},
		"not found": {newReceiver(t, status(http.StatusNotFound)).URL, "404", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			h.s.webhooks.send.local.Timeout = 2 * time.Second
			good := newReceiver(t, status(http.StatusOK))
			bad, fine := h.add(one.url+"/secret-in-path"), h.add(good.URL)
			h.plan(5)
			start := time.Now()
			h.round()
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			s := h.state(bad.ID)
			if !strings.Contains(s.LastError, one.says) || strings.Contains(s.LastError, "secret") || s.Waiting != 5 || (s.Troubles == 1) != one.waits {
				t.Errorf("%+v", s)
			}
			if s := h.state(fine.ID); s.Sent != 5 {
				t.Errorf("the good one: %+v", s)
			}
		})
	}
	if n := len(elsewhere.requests()); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// 410 disables; Retry-After is kept to.
func TestWebhooks_Gone(t *testing.T) {
	h := newHooked(t)
	gone := newReceiver(t, status(http.StatusGone))
	slow := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	a, b := h.add(gone.URL), h.add(slow.URL)
	h.plan(3)
	h.round()
	if s := h.state(a.ID); s.Disabled.IsZero() || s.Waiting != 0 || len(gone.requests()) != 1 {
		t.Errorf("gone: %+v", s)
	}
	h.clock.add(50 * time.Minute)
	h.round()
	if n := len(slow.requests()); n != 1 {
		t.Errorf("%d requests before it wants one", n)
	}
	slow.answers(status(http.StatusOK))
	h.clock.add(11 * time.Minute)
	h.round()
	if s := h.state(b.ID); s.Sent != 3 || s.Troubles != 0 || s.LastError != "" {
		t.Errorf("back again: %+v", s)
	}
}

// A receiver that hangs while the daemon runs holds up no other one, and the
// daemon ends in time.
func TestWebhooks_Run(t *testing.T) {
	c := &clock{t: time.Now().UTC()}
	st := storetest.SQLite(t, store.Options{Render: blank, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	s, err := New(st, Options{Log: slog.New(slog.DiscardHandler), Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h := &hooked{t, st, c, s}
	stop := make(chan struct{})
	defer close(stop)
	hang := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-stop:
		case <-req.Context().Done():
		}
	})
	good := newReceiver(t, status(http.StatusOK))
	h.add(hang.URL)
	h.add(good.URL)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for round := 1; round <= 3; round++ {
		h.plan(2)
		deadline := time.Now().Add(8 * time.Second)
		for len(good.requests()) < 2*round {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: %d requests", round, len(good.requests()))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("does not end")
	}
	if w := h.state(1); w.Waiting != 6 || w.Disabled != (time.Time{}) {
		t.Errorf("what hung lost events: %+v", w)
	}
}

// Names and addresses that lead into our own network.
func TestWebhooks_OwnNetwork(t *testing.T) {
	r := newReceiver(t, status(http.StatusOK))
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	send := func(private bool, url string) error {
		return NewWebhookSender(private, "").Send(t.Context(), &store.Webhook{URL: url}, "evt_1", []byte("{}"), time.Now())
	}
	for _, url := range []string{"https://127.0.0.1.nip.test:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://10.0.0.1", "https://169.254.169.254/latest/meta-data", "https://0.0.0.0:" + port,
		"https://[::]:" + port, "https://[fe80::1]", "https://[fd00::1]", "https://[64:ff9b::7f00:1]", "http://10.0.0.1"} {
		err := send(false, url)
		if err == nil {
			t.Errorf("%s was sent to", url)
		}
		if refused := errors.Is(err, errNotAllowed); !refused && !strings.Contains(url, "127.0.0.1") && strings.HasPrefix(url, "https") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(r.requests()) != 0 {
		t.Error("our own receiver got something")
	}
	for ip, want := range map[string][2]bool{ // public, private
		"8.8.8.8": {true, false}, "2606:4700::1111": {true, false}, "10.1.2.3": {false, true}, "172.16.0.1": {false, true}, "192.168.1.1": {false, true},
		"fd12::1": {false, true}, "100.64.1.1": {false, true}, "127.0.0.1": {false, false}, "::1": {false, false}, "169.254.169.254": {false, false},
		"fe80::1": {false, false}, "0.0.0.0": {false, false}, "224.0.0.1": {false, false}, "255.255.255.255": {false, false}, "240.0.0.1": {false, false},
		"64:ff9b::a00:1": {false, false}, "2002:7f00:1::": {false, false}, "198.18.0.1": {false, false},
	} {
		a := netip.MustParseAddr(ip)
		if got := [2]bool{public(a), privateNet(a)}; got != want {
			t.Errorf("%s: %v, want %v", ip, got, want)
		}
	}
}
