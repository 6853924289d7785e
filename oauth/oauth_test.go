package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intouch/oauth/oauthtest"
)

func client(s *oauthtest.Server) *Config {
	return &Config{ClientID: "intouch", AuthURL: s.URL + "/auth", DeviceURL: s.URL + "/device", TokenURL: s.URL + "/token", Scopes: []string{"mail"}}
}

// noSecrets fails when a text has anything that the provider gave.
func noSecrets(t *testing.T, s *oauthtest.Server, text string) {
	t.Helper()
	for _, secret := range s.Secrets() {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows %s", text, secret)
		}
	}
}

func TestRenew(t *testing.T) {
	s := oauthtest.New(t, "anna")
	c := client(s)
	first, _ := s.Grant()
	got, err := c.Renew(t.Context(), first)
	if err != nil || got.Access == "" || got.Refresh == first || got.Lifetime != time.Hour {
		t.Fatalf("%q %q %v, %v", got.Access, got.Refresh, got.Lifetime, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", got, got, got, got); strings.Contains(text, got.Access) || strings.Contains(text, got.Refresh) {
		t.Errorf("printing shows the token: %s", text)
	}
	if b, _ := json.Marshal(got); strings.Contains(string(b), got.Access) {
		t.Errorf("JSON shows the token: %s", b)
	}
	_, err = c.Renew(t.Context(), first)
	if !NeedsLogin(err) || !strings.Contains(err.Error(), "invalid_grant: Token (hidden) has been expired or revoked.") {
		t.Errorf("a token that is used up: %v", err)
	}
	s.KeepRefresh()
	if again, err := c.Renew(t.Context(), got.Refresh); err != nil || again.Refresh != got.Refresh {
		t.Errorf("without rotation: %v", err)
	}
	s.Fail("temporarily_unavailable")
	if _, err := c.Renew(t.Context(), got.Refresh); err == nil || NeedsLogin(err) {
		t.Errorf("a passing fault: %v", err)
	} else {
		noSecrets(t, s, err.Error())
	}
}

// A confidential client proves itself in the body, or by Basic where the
// provider takes nothing else; the refresh token is used up once.
func TestRenew_Secret(t *testing.T) {
	for _, basic := range []bool{false, true} {
		s := oauthtest.New(t, "anna")
		s.Secret("hush-hush", basic)
		c := client(s)
		c.Secret = func() (string, error) { return "hush-hush", nil }
		refresh, _ := s.Grant()
		if _, err := c.Renew(t.Context(), refresh); err != nil {
			t.Errorf("basic %v: %v", basic, err)
		}
		if n, refused := s.Renewals(); n != 1 || refused != 0 {
			t.Errorf("basic %v: %d renewals, %d refused", basic, n, refused)
		}
		c.Secret = func() (string, error) { return "wrong-one", nil }
		if _, err := c.Renew(t.Context(), refresh); err == nil || NeedsLogin(err) || strings.Contains(err.Error(), "wrong-one") {
			t.Errorf("basic %v, wrong secret: %v", basic, err)
		}
		c.Secret = func() (string, error) { return "", errors.New("client_secret_file is empty") }
		if _, err := c.Renew(t.Context(), refresh); err == nil || !strings.Contains(err.Error(), "client_secret_file is empty") {
			t.Errorf("no secret: %v", err)
		}
	}
}

// Whatever a provider answers is an error of bounded length without secrets.
func TestRenew_BadAnswers(t *testing.T) {
	s := oauthtest.New(t, "anna")
	c := client(s)
	for name, a := range map[string]oauthtest.Answer{
		"null":        {Status: 200, ContentType: "application/json", Body: " null "},
		"no JSON":     {Status: 200, ContentType: "application/json", Body: "<html>"},
		"no token":    {Status: 200, ContentType: "application/json", Body: `{"refresh_token":"r"}`},
		"error 500":   {Status: 500, ContentType: "text/html", Body: "old-refresh is what you sent"},
		"endless":     {Status: 200, ContentType: "application/json", Body: strings.Repeat(" ", maxAnswer) + `{}`},
		"control":     {Status: 200, ContentType: "application/json", Body: `{"access_token":"a\u0001auth=Bearer b","refresh_token":"r"}`},
		"long text":   {Status: 400, ContentType: "application/json", Body: `{"error":"` + strings.Repeat("e", 9000) + `","error_description":"` + strings.Repeat("old-refresh\\n", 900) + `"}`},
		"redirect":    {Status: 307, ContentType: "text/plain", Body: ""},
		"form broken": {Status: 200, ContentType: "text/plain", Body: "%zz"},
	} {
		s.Say(&a)
		_, err := c.Renew(t.Context(), "old-refresh")
		if err == nil || NeedsLogin(err) || len(err.Error()) > 800 || strings.Contains(err.Error(), "old-refresh") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Say(&oauthtest.Answer{Status: 200, ContentType: "application/x-www-form-urlencoded", Body: "access_token=a&refresh_token=r&expires_in=60"})
	if got, err := c.Renew(t.Context(), "old"); err != nil || got.Access != "a" || got.Refresh != "r" || got.Lifetime <= 0 {
		t.Errorf("form: %v", err)
	}
	s.Close()
	if _, err := c.Renew(t.Context(), "old-refresh"); err == nil || strings.Contains(err.Error(), "old-refresh") {
		t.Errorf("nobody there: %v", err)
	}
}

// handler takes the network away, so that time can be a fake one.
type handler struct{ http.Handler }

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestDevice(t *testing.T) {
	s := oauthtest.New(t, "anna")
	real := transport
	transport = handler{s.Config.Handler}
	t.Cleanup(func() { transport = real })
	cases := []struct {
		name    string
		pending []string
		want    string        // error
		after   time.Duration // of waiting
	}{
		{"consented", nil, "", time.Second},
		{"pending", []string{"authorization_pending", "authorization_pending"}, "", 3 * time.Second},
		{"slow down", []string{"slow_down", "authorization_pending"}, "", 13 * time.Second}, // RFC 8628 section 3.5: 1 + 6 + 6
		{"expired", []string{"authorization_pending", "expired_token"}, "has expired", 2 * time.Second},
		{"denied", []string{"authorization_pending", "access_denied"}, "refused", 2 * time.Second},
		{"never", strings.Fields(strings.Repeat("authorization_pending ", 700)), "has expired", 600 * time.Second},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			s.Pending(k.pending...)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var shown []Prompt
				got, err := client(s).Device(t.Context(), func(p Prompt) { shown = append(shown, p) })
				if time.Since(began) != k.after {
					t.Errorf("waited %v, want %v", time.Since(began), k.after)
				}
				if len(shown) != 1 || shown[0].Code != "WDJB-MJHT" || shown[0].URL != s.URL+"/activate" || shown[0].Expires != 10*time.Minute {
					t.Errorf("shown: %+v", shown)
				}
				switch {
				case k.want == "" && (err != nil || got.Access == "" || got.Refresh == ""):
					t.Errorf("got %v", err)
				case k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)):
					t.Errorf("got %v, want %q", err, k.want)
				case err != nil:
					noSecrets(t, s, err.Error())
				}
			})
		})
	}
}

// flaky breaks some exchanges.
type flaky struct {
	http.RoundTripper
	broken int
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/token") && f.broken > 0 {
		f.broken--
		return nil, io.ErrUnexpectedEOF
	}
	return f.RoundTripper.RoundTrip(r)
}

func TestDevice_Network(t *testing.T) {
	s := oauthtest.New(t, "anna")
	real := transport
	t.Cleanup(func() { transport = real })
	for broken, ok := range map[int]bool{2: true, 99: false} {
		transport = &flaky{handler{s.Config.Handler}, broken}
		synctest.Test(t, func(t *testing.T) {
			if _, err := client(s).Device(t.Context(), func(Prompt) {}); (err == nil) != ok {
				t.Errorf("%d faults: %v", broken, err)
			}
		})
	}
	transport = real
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := client(s).Device(ctx, func(Prompt) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// browse is a person who follows the address and consents.
func browse(t *testing.T, address string) *http.Response {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestConsent_Wait(t *testing.T) {
	s := oauthtest.New(t, "anna")
	c := client(s)
	c.Consent = map[string]string{"prompt": "consent"}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	k := c.NewConsent(port)
	if u, _ := url.Parse(k.URL); u.Query().Get("prompt") != "consent" || u.Query().Get("scope") != "mail" || u.Query().Get("code_challenge_method") != "S256" {
		t.Errorf("address: %s", k.URL)
	}
	type result struct {
		Token
		err error
	}
	done := make(chan result, 1)
	go func() { got, err := k.Wait(t.Context(), ln); done <- result{got, err} }()
	base := fmt.Sprintf("http://127.0.0.1:%d/", port)
	if r := browse(t, base+"favicon.ico"); r.StatusCode != http.StatusNotFound {
		t.Errorf("icon: %d", r.StatusCode)
	}
	// What another page on this machine sends does not end the login.
	if r := browse(t, base+"?code=x&state=guessed"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("another's answer: %d", r.StatusCode)
	}
	if r := browse(t, k.URL); r.StatusCode != http.StatusOK {
		t.Errorf("answer: %d", r.StatusCode)
	}
	if r := <-done; r.err != nil || r.Access == "" || r.Refresh == "" {
		t.Errorf("got %v", r.err)
	}
}

func TestConsent_Paste(t *testing.T) {
	s := oauthtest.New(t, "anna")
	c := client(s)
	c.Loopback = "localhost"
	k := c.NewConsent(8400)
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(k.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	address := resp.Header.Get("Location")
	if !strings.HasPrefix(address, "http://localhost:8400/?") {
		t.Errorf("redirected to %s", address)
	}
	other := c.NewConsent(8400)
	for name, bad := range map[string]string{
		"another login": address, "empty": "", "no address": "::://", "refused": "http://localhost:8400/?error=access_denied&state=" + other.state,
		"no code": "http://localhost:8400/?state=" + other.state,
	} {
		if _, err := other.Paste(t.Context(), bad); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			noSecrets(t, s, err.Error())
		}
	}
	if got, err := k.Paste(t.Context(), "  "+address+"\n"); err != nil || got.Refresh == "" {
		t.Errorf("got %v", err)
	}
	if _, err := k.Paste(t.Context(), address); !NeedsLogin(err) {
		t.Errorf("a second time: %v", err)
	}
}

func TestProviders(t *testing.T) {
	for _, c := range []Config{Google("x"), Microsoft("vector.test", "x")} {
		for _, u := range []string{c.AuthURL, c.DeviceURL, c.TokenURL} {
			if p, err := url.Parse(u); err != nil || p.Scheme != "https" {
				t.Errorf("%s: %v", u, err)
			}
		}
	}
	if c := Microsoft("vector.test", "x"); c.TokenURL != "https://login.microsoftonline.com/vector.test/oauth2/v2.0/token" {
		t.Error(c.TokenURL)
	}
}
