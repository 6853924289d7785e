package mailsync

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"

	"intouch/mailsync/mailtest"
)

// wallet gives out tokens in turn and notes which were refused.
type wallet struct {
	mu      sync.Mutex
	tokens  []string
	refused []string
	err     error
}

func (w *wallet) token(_ context.Context, refused string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return "", w.err
	}
	if refused != "" {
		w.refused = append(w.refused, refused)
		if refused == w.tokens[0] && len(w.tokens) > 1 {
			w.tokens = w.tokens[1:]
		}
	}
	return w.tokens[0], nil
}

func tokenConfig(addr, user string, w *wallet) Config {
	return Config{Name: "anna", Addr: addr, TLS: Insecure, Username: user, Token: w.token}
}

// TestBearer_Wire: what is said to a server of each kind that takes one token,
// byte for byte, and what becomes of a refusal.
func TestBearer_Wire(t *testing.T) {
	const user = "anna,a=b@vector.test"
	challenge := base64.StdEncoding.EncodeToString([]byte(`{"status":"invalid_token","schemes":"bearer"}`))
	no := "NO [AUTHENTICATIONFAILED] bad token token-2\r\n"
	for _, c := range []struct {
		name, caps string
		tokens     []string
		no         string
		refused    int    // tokens that are given back
		want       string // of the error
		answer     string // to the challenge
	}{
		{"OAUTHBEARER before XOAUTH2", "AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR", []string{"good"}, "", 0, "", ""},
		{"XOAUTH2 alone", "AUTH=XOAUTH2 SASL-IR", []string{"good"}, "", 0, "", ""},
		{"no initial response", "AUTH=XOAUTH2", []string{"good"}, "", 0, "", ""},
		{"revoked OAUTHBEARER", "AUTH=OAUTHBEARER SASL-IR", []string{"token-1", "good"}, no, 1, "", "AQ=="},
		{"revoked XOAUTH2", "AUTH=XOAUTH2 SASL-IR", []string{"token-1", "good"}, no, 1, "", ""},
		{"refused twice", "AUTH=XOAUTH2 SASL-IR", []string{"token-1", "token-2"}, no, 1, "login: imap: NO [AUTHENTICATIONFAILED] bad token (hidden) (token refused: invalid_token)", ""},
		{"not now", "AUTH=XOAUTH2 SASL-IR", []string{"token-1", "good"}, "NO [UNAVAILABLE] later\r\n", 0, "UNAVAILABLE", ""},
		{"neither", "AUTH=PLAIN SASL-IR", []string{"good"}, "", 0, "neither OAUTHBEARER nor XOAUTH2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			var said, answers []string
			waiting := "" // tag of an AUTHENTICATE under way
			addr := ""
			addr = scripted(t, "* OK [CAPABILITY IMAP4rev1 "+c.caps+"] hi\r\n", func(tag, command string) []string {
				mu.Lock()
				defer mu.Unlock()
				verb, rest, _ := strings.Cut(command, " ")
				response := ""
				switch {
				case waiting != "" && len(said) > 0 && said[len(said)-1] == "":
					said[len(said)-1] = decoded(t, tag) // a line without a command is one word
					response = said[len(said)-1]
					tag = waiting
				case waiting != "":
					answers = append(answers, tag)
					end := waiting + " " + c.no
					waiting = ""
					return []string{end}
				case verb == "AUTHENTICATE":
					_, initial, _ := strings.Cut(rest, " ")
					waiting = tag
					if initial == "" {
						said = append(said, "")
						return []string{"+ \r\n"}
					}
					response = decoded(t, initial)
					said = append(said, response)
				case verb == "CAPABILITY":
					return []string{"* CAPABILITY IMAP4rev1 " + c.caps + "\r\n", tag + " OK\r\n"}
				default:
					return []string{tag + " OK\r\n"}
				}
				if strings.Contains(response, "Bearer good\x01") {
					waiting = ""
					return []string{tag + " OK [CAPABILITY IMAP4rev1] welcome\r\n"}
				}
				return []string{"+ " + challenge + "\r\n"}
			})
			w := &wallet{tokens: c.tokens}
			cfg := tokenConfig(addr, user, w)
			s, err := open(t.Context(), &cfg, quickPatience)
			if err == nil {
				s.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "token-") {
				t.Errorf("the error shows a token: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(w.refused) != c.refused {
				t.Errorf("%d tokens were given back", len(w.refused))
			}
			host, port, _ := strings.Cut(addr, ":")
			bearer := "n,a=anna=2Ca=3Db@vector.test,\x01host=" + host + "\x01port=" + port + "\x01auth=Bearer good\x01\x01"
			if !strings.Contains(c.caps, "OAUTHBEARER") {
				bearer = "user=" + user + "\x01auth=Bearer good\x01\x01"
			}
			if c.want == "" && said[len(said)-1] != bearer {
				t.Errorf("said %q, want %q", said[len(said)-1], bearer)
			}
			for _, a := range answers {
				if a != c.answer {
					t.Errorf("the challenge was answered with %q, want %q", a, c.answer)
				}
			}
			if c.no != "" && len(answers) == 0 {
				t.Error("the challenge was not answered")
			}
		})
	}
}

func decoded(t *testing.T, s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Errorf("%q: %v", s, err)
	}
	return string(b)
}

// A login that only a person mends ends a pass at once, and shows.
func TestBearer_LoginNeeded(t *testing.T) {
	st := newStore(t)
	srv := newMemServer(t, nil)
	w := &wallet{err: &LoginNeeded{errors.New(`no login is stored: run "intouchd mailbox login anna"`)}}
	counts, err := New(st, []Config{tokenConfig(srv.Addr, "anna", w)}, testOptions(t)).Pass(t.Context(), "")
	const want = `token: no login is stored: run "intouchd mailbox login anna"`
	if err == nil || !strings.HasSuffix(err.Error(), want) || counts[0].Err == nil || !refusedLogin(counts[0].Err) {
		t.Errorf("got %v", err)
	}
	states, err := st.MailboxStates(t.Context())
	if err != nil || states[0].LastError != want || states[0].ErrorSince.IsZero() {
		t.Errorf("%+v, %v", states, err)
	}
}

// oauthDovecot is a Dovecot that takes tokens, and asks the introspection
// endpoint (RFC 7662) of a provider whose good tokens are those of good.
func oauthDovecot(t *testing.T, good func(token string) bool) *mailtest.Dovecot {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !good(r.FormValue("token")) {
			fmt.Fprint(w, `{"active":false}`)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"active": true, "username": "anna"})
	}))
	t.Cleanup(provider.Close)
	return mailtest.StartDovecotWith(t, func(dir string) string {
		ext := filepath.Join(dir, "oauth2.conf")
		if err := os.WriteFile(ext, []byte("introspection_mode = post\nintrospection_url = "+provider.URL+"/\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		// The penalty makes an address wait that has failed before.
		return "auth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\nauth_mechanisms = plain login oauthbearer xoauth2\n" +
			"passdb {\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = " + ext + "\n}\n"
	})
}

// TestDovecot_OAuth: a real server takes our tokens by both mechanisms, one
// that it refuses is replaced once, and one that stays refused is a refused
// login.
func TestDovecot_OAuth(t *testing.T) {
	var mu sync.Mutex
	revoked := map[string]bool{"revoked": true}
	d := oauthDovecot(t, func(token string) bool {
		mu.Lock()
		defer mu.Unlock()
		return !revoked[token]
	})
	config := func(w *wallet) Config {
		cfg := dovecotConfig(d, "anna")
		cfg.Name, cfg.Password, cfg.Token = "anna", nil, w.token
		return cfg
	}
	// Dovecot offers both; without the first one in its capabilities we take
	// the second.
	both := config(&wallet{tokens: []string{"good"}})
	s := login(t, both, quickPatience)
	if !s.client.Caps().Has(imap.CapIdle) {
		t.Error("not logged in")
	}
	plain := newProxy(t, d.Addr, func(_ int, line string) (string, bool) {
		return strings.ReplaceAll(line, " AUTH=OAUTHBEARER", ""), false
	})
	old := config(&wallet{tokens: []string{"revoked", "good"}})
	old.Addr, old.TLS, old.TLSConfig = plain.Addr, Insecure, nil
	if err := CheckLogin(t.Context(), old); err != nil {
		t.Errorf("XOAUTH2, a revoked token first: %v", err)
	}

	w := &wallet{tokens: []string{"revoked", "good"}}
	if err := CheckLogin(t.Context(), config(w)); err != nil || len(w.refused) != 1 || w.refused[0] != "revoked" {
		t.Errorf("OAUTHBEARER, a revoked token first: %v, given back %q", err, w.refused)
	}
	bad := config(&wallet{tokens: []string{"revoked"}})
	err := CheckLogin(t.Context(), bad)
	if !refusedLogin(err) || !strings.Contains(err.Error(), "token refused: ") || strings.Contains(err.Error(), "revoked") {
		t.Errorf("a token that stays refused: %v", err)
	}
	t.Logf("Dovecot says: %v", err)

	// Letters come in as with a password.
	st := newStore(t)
	cfg := config(&wallet{tokens: []string{"revoked", "good"}})
	cfg.Manager = "anna"
	dir := filepath.Join(d.MailDir("anna"), "new")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "1.M1P1.test"), []byte(plainLetter(1, bob, anna, "by token", "x")), 0o644); err != nil {
		t.Fatal(err)
	}
	d.Own(t)
	if c := onePass(t, st, cfg); c.Captured != 1 || subjects(t, st) != "by token" {
		t.Errorf("%+v", c)
	}
}
