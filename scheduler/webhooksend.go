package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"intouch/store"
)

// Bounds of one request to a webhook.
const (
	webhookTime    = 15 * time.Second // the whole of it
	webhookConnect = 5 * time.Second
	webhookAnswer  = 4 << 10  // bytes that are read of an answer's body
	webhookHeader  = 64 << 10 // bytes of its header
	maxRetryAfter  = 2 * time.Hour
)

// WebhookSender sends events. An address on the internet may not lead into our
// own network: what its name resolves to is looked at as it is connected to,
// and redirects are not followed.
type WebhookSender struct {
	outside, local *http.Client
	agent          string
}

// NewWebhookSender makes one. private lets addresses lead to the private
// networks of RFC 1918, RFC 4193 and RFC 6598.
func NewWebhookSender(private bool, version string) *WebhookSender {
	client := func(may func(netip.Addr) bool) *http.Client {
		dial := &net.Dialer{Timeout: webhookConnect, Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !may(at.Addr().Unmap()) {
				return errNotAllowed
			}
			return nil
		}}
		return &http.Client{
			Timeout:       webhookTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // no proxy: it would connect where we may not
				DialContext: dial.DialContext, TLSHandshakeTimeout: webhookConnect, MaxResponseHeaderBytes: webhookHeader,
				MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			},
		}
	}
	agent := "intouchd"
	if version != "" {
		agent += "/" + version
	}
	return &WebhookSender{
		outside: client(func(ip netip.Addr) bool { return public(ip) || private && privateNet(ip) }),
		local:   client(netip.Addr.IsLoopback),
		agent:   agent,
	}
}

var errNotAllowed = errors.New("its name leads to an address of our own network (webhooks.private_addresses allows private ones)")

// noPublic are ranges that netip counts as ordinary, and where no webhook of
// others is (RFC 6890), or which stand for an address inside them.
var noPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func public(ip netip.Addr) bool {
	for _, p := range noPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}

func privateNet(ip netip.Addr) bool {
	return ip.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
}

// answer is what a webhook said to an event. status 0: nothing.
type answer struct {
	status int
	after  time.Duration // Retry-After
	err    error         // what is wrong with it
}

// taken reports whether the event arrived.
func (a answer) taken() bool { return a.status >= 200 && a.status < 300 }

// gone reports whether the webhook wants no more events.
func (a answer) gone() bool { return a.status == http.StatusGone }

// trouble reports whether the webhook takes no events now, whichever.
func (a answer) trouble() bool {
	return a.status == 0 || a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable
}

// Send sends one event, and gives an error that says why it was not taken. It
// never holds the address, in which there may be a secret.
func (s *WebhookSender) Send(ctx context.Context, w *store.Webhook, eventID string, body []byte, now time.Time) error {
	return s.send(ctx, w, eventID, body, now).err
}

func (s *WebhookSender) send(ctx context.Context, w *store.Webhook, eventID string, body []byte, now time.Time) answer {
	u, err := store.WebhookURL(w.URL)
	if err != nil {
		return answer{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return answer{err: errors.New("the address cannot be used")}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", s.agent)
	req.Header.Set("Webhook-Id", eventID)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Webhook-Signature", w.Sign(eventID, now, body))
	client := s.outside
	if store.IsLoopbackHost(u.Hostname()) {
		client = s.local
	}
	res, err := client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return answer{err: err}
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, webhookAnswer) // so that the connection may be used again
	a := answer{status: res.StatusCode}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.after = min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
	}
	switch {
	case a.taken():
	case a.status >= 300 && a.status < 400:
		a.err = fmt.Errorf("it answered %d, and redirects are not followed", a.status)
	default:
		a.err = fmt.Errorf("it answered %d %s", a.status, http.StatusText(a.status))
	}
	return a
}

// close ends idle connections.
func (s *WebhookSender) close() {
	s.outside.CloseIdleConnections()
	s.local.CloseIdleConnections()
}
