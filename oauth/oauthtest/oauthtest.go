// Package oauthtest is a provider for tests: device flow, browser flow,
// rotation of refresh tokens, and the introspection (RFC 7662) by which a mail
// server asks whether a token is good.
package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Server is a provider with one client, "intouch", and one person.
type Server struct {
	*httptest.Server
	t testing.TB

	mu sync.Mutex
	// What the device endpoint's token requests answer before consent, in
	// order: "authorization_pending", "slow_down", "expired_token", …
	pending  []string
	user     string
	secret   string
	rotate   bool
	fail     string // code with which every renewal fails
	basic    bool   // the client must prove itself by Basic
	raw      *Answer
	gate     func()
	n        int
	device   string
	codes    map[string]url.Values // authorization code → its request
	refresh  map[string]bool       // good ones
	access   map[string]bool
	renewals int
	reused   int
	tokens   []string // everything secret that was ever given
}

// Answer is what the token endpoint says, whatever it is asked.
type Answer struct {
	Status            int
	ContentType, Body string
}

// New starts a provider for the person with that login.
func New(t testing.TB, user string) *Server {
	s := &Server{t: t, user: user, rotate: true, codes: map[string]url.Values{}, refresh: map[string]bool{}, access: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /device", s.deviceCode)
	mux.HandleFunc("GET /auth", s.consent)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("/introspect", s.introspect)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *Server) set(fn func()) { s.mu.Lock(); defer s.mu.Unlock(); fn() }

// Pending makes the next token requests of a device flow answer these errors.
func (s *Server) Pending(codes ...string) { s.set(func() { s.pending = codes }) }

// KeepRefresh ends the rotation of refresh tokens.
func (s *Server) KeepRefresh() { s.set(func() { s.rotate = false }) }

// Fail makes every renewal fail with that code; "" ends it.
func (s *Server) Fail(code string) { s.set(func() { s.fail = code }) }

// Secret makes the client a confidential one, which proves itself by Basic
// alone if so wanted.
func (s *Server) Secret(secret string, basic bool) {
	s.set(func() { s.secret, s.basic = secret, basic })
}

// Say makes the token endpoint give that answer.
func (s *Server) Say(a *Answer) { s.set(func() { s.raw = a }) }

// Gate is called in each renewal, after the old token is used up and before
// the answer.
func (s *Server) Gate(fn func()) { s.set(func() { s.gate = fn }) }

// RevokeAccess makes all access tokens given so far bad.
func (s *Server) RevokeAccess() { s.set(func() { clear(s.access) }) }

// Revoke makes everything given so far bad.
func (s *Server) Revoke() { s.set(func() { clear(s.access); clear(s.refresh) }) }

// Renewals is how many refresh tokens were exchanged, and how many requests
// came with one that was no good any more.
func (s *Server) Renewals() (exchanged, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewals, s.reused
}

// Good reports whether an access token is good, and whose it is.
func (s *Server) Good(access string) (user string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user, s.access[access]
}

// Grant gives tokens as after a login.
func (s *Server) Grant() (refresh, access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.new("refresh", s.refresh), s.new("access", s.access)
}

// Secrets is everything that must be in no log: tokens and codes given so far.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.tokens...)
}

func (s *Server) new(kind string, good map[string]bool) string {
	s.n++
	token := fmt.Sprintf("%s-%d-of-%s", kind, s.n, s.user)
	s.tokens = append(s.tokens, token)
	if good != nil {
		good[token] = true
	}
	return token
}

func (s *Server) say(w http.ResponseWriter, status int, v map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *Server) refuse(w http.ResponseWriter, code, text string) {
	s.say(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": text})
}

func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.FormValue("client_id") != "intouch" {
		s.refuse(w, "invalid_client", "unknown client")
		return
	}
	s.device = s.new("device", nil)
	s.say(w, http.StatusOK, map[string]any{"device_code": s.device, "user_code": "WDJB-MJHT", "interval": 1, "expires_in": 600,
		"verification_uri": s.URL + "/activate", "verification_uri_complete": s.URL + "/activate?code=WDJB-MJHT"})
}

// consent is the page in the browser, of a person who always consents.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != "intouch" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "not what an installed app asks", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.new("code", nil)
	s.codes[code] = q
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "bad redirect", http.StatusBadRequest)
		return
	}
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw != nil {
		w.Header().Set("Content-Type", s.raw.ContentType)
		w.WriteHeader(s.raw.Status)
		fmt.Fprint(w, s.raw.Body)
		return
	}
	id, secret := r.FormValue("client_id"), r.FormValue("client_secret")
	if u, p, ok := r.BasicAuth(); ok {
		id, secret = u, p
	} else if s.basic {
		id = ""
	}
	if id != "intouch" || secret != s.secret {
		s.say(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	switch r.FormValue("grant_type") {
	case "urn:ietf:params:oauth:grant-type:device_code":
		if r.FormValue("device_code") != s.device {
			s.refuse(w, "invalid_grant", "unknown device code")
			return
		}
		if len(s.pending) > 0 {
			code := s.pending[0]
			s.pending = s.pending[1:]
			s.refuse(w, code, "")
			return
		}
	case "authorization_code":
		q, ok := s.codes[r.FormValue("code")]
		delete(s.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !ok || q.Get("redirect_uri") != r.FormValue("redirect_uri") || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			s.refuse(w, "invalid_grant", "bad code or verifier")
			return
		}
	case "refresh_token":
		old := r.FormValue("refresh_token")
		if s.fail != "" {
			s.refuse(w, s.fail, "because "+old+" is no good")
			return
		}
		if !s.refresh[old] {
			s.reused++
			s.refuse(w, "invalid_grant", "Token "+old+" has been expired or revoked.")
			return
		}
		s.renewals++
		if s.rotate {
			delete(s.refresh, old)
		}
		if gate := s.gate; gate != nil {
			s.mu.Unlock()
			gate()
			s.mu.Lock()
		}
		if !s.rotate {
			s.say(w, http.StatusOK, map[string]any{"access_token": s.new("access", s.access), "token_type": "Bearer", "expires_in": 3600})
			return
		}
	default:
		s.refuse(w, "unsupported_grant_type", "")
		return
	}
	s.say(w, http.StatusOK, map[string]any{"access_token": s.new("access", s.access), "refresh_token": s.new("refresh", s.refresh), "token_type": "Bearer", "expires_in": 3600})
}

// introspect answers a mail server (RFC 7662 section 2.2).
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	token := r.FormValue("token")
	if token == "" {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.access[token] {
		s.say(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	s.say(w, http.StatusOK, map[string]any{"active": true, "username": s.user, "client_id": "intouch"})
}
