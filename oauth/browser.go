package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Consent is one run of the authorization code flow for an installed app (RFC
// 8252): a browser opens URL, and the provider sends it back to this machine
// with a code, which is good only together with the verifier kept here (PKCE,
// RFC 7636).
type Consent struct {
	URL      string
	cfg      *Config
	redirect string
	state    string
	verifier string
}

const browserStep = "log in by browser"

// NewConsent begins a login that ends at that port of this machine.
func (c *Config) NewConsent(port int) *Consent {
	host := c.Loopback
	if host == "" {
		host = "127.0.0.1" // RFC 8252 section 8.3 prefers it to "localhost"
	}
	k := &Consent{cfg: c, state: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier(),
		redirect: "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/"}
	o := c.oauth2("", oauth2.AuthStyleInParams)
	o.RedirectURL = k.redirect
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(k.verifier)}
	for key, v := range c.Consent {
		opts = append(opts, oauth2.SetAuthURLParam(key, v))
	}
	k.URL = o.AuthCodeURL(k.state, opts...)
	return k
}

// errOther is an answer to another login than this one.
var errOther = errors.New("the address is not the answer to this login")

// code reads the provider's answer out of the query that it redirected to.
func (k *Consent) code(q url.Values) (string, error) {
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(k.state)) != 1 {
		return "", &Error{Step: browserStep, Err: errOther} // RFC 6749 section 10.12
	}
	if c := q.Get("error"); c != "" { // section 4.1.2.1
		return "", &Error{Step: browserStep, Code: oneLine(c, 60), Description: oneLine(q.Get("error_description"), 300)}
	}
	if q.Get("code") == "" {
		return "", &Error{Step: browserStep, Description: "the address has no code"}
	}
	return q.Get("code"), nil
}

// Paste ends the login with the address at which the browser arrived, for a
// browser on another machine: the page there cannot be loaded, but its address
// holds the code.
func (k *Consent) Paste(ctx context.Context, address string) (Token, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil { // not the error: it holds the address
		return Token{}, &Error{Step: browserStep, Err: errOther}
	}
	code, err := k.code(u.Query())
	if err != nil {
		return Token{}, err
	}
	return k.exchange(ctx, code)
}

// Wait ends the login when the browser arrives at ln, which it closes.
func (k *Consent) Wait(ctx context.Context, ln net.Listener) (Token, error) {
	type answer struct {
		code string
		err  error
	}
	arrived := make(chan answer, 1)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The icon that browsers ask for, and whatever else on this
			// machine knocks at the port, does not end the login.
			if r.Method != http.MethodGet || r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			code, err := k.code(r.URL.Query())
			if errors.Is(err, errOther) {
				page(w, http.StatusBadRequest, "This is not the login that intouchd waits for.")
				return
			}
			text := "Intouch has the answer. You can close this window; intouchd says how it went on."
			if err != nil {
				text = err.Error()
			}
			page(w, http.StatusOK, text)
			select {
			case arrived <- answer{code, err}:
			default: // loaded again
			}
		}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(ending) != nil { // the page may still be on its way
			server.Close()
		}
		<-served
	}()
	select {
	case <-ctx.Done():
		return Token{}, &Error{Step: browserStep, Err: ctx.Err()}
	case a := <-arrived:
		if a.err != nil {
			return Token{}, a.err
		}
		return k.exchange(ctx, a.code)
	}
}

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html><title>Intouch</title><p>%s</p>\n", html.EscapeString(text))
}

func (k *Consent) exchange(ctx context.Context, code string) (Token, error) {
	secret, err := k.cfg.secret()
	if err != nil {
		return Token{}, &Error{Step: browserStep, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	t, err := k.cfg.token(browserStep, []string{code, k.verifier, secret}, secret, func(o *oauth2.Config) (*oauth2.Token, error) {
		o.RedirectURL = k.redirect
		return o.Exchange(withClient(ctx), code, oauth2.VerifierOption(k.verifier))
	})
	if err != nil {
		return Token{}, err
	}
	return t, t.complete(browserStep)
}
