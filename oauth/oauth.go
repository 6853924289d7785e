// Package oauth gets and renews tokens of mail providers (OAuth 2.0, RFC
// 6749), for a program without a page of its own on the provider's side: a
// person consents once, on any device (RFC 8628) or in a browser on this
// machine (RFC 8252 with PKCE, RFC 7636), and from then on the refresh token
// is exchanged for access tokens.
//
// Where tokens are kept, and that a rotated one is never lost, is the store's
// (store.UseToken). This package speaks HTTP with the provider: each exchange is
// bounded in time and size, and no token, code or secret is in its errors. How
// one logs in to a mail server with a token is Bearer's, for mailer and mailsync.
package oauth

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/oauth2"
)

// Config is one client at one provider.
type Config struct {
	ClientID string
	// Secret is asked at each exchange; nil for a public client.
	Secret func() (string, error)
	// AuthURL is where a browser asks for consent, DeviceURL where a device
	// code is asked for; a provider may have only one of them. TokenURL is
	// where both end and where tokens are renewed.
	AuthURL, DeviceURL, TokenURL string
	Scopes                       []string
	// Consent are further parameters of the page that AuthURL shows.
	Consent map[string]string
	// Loopback is the host of the redirect to this machine, 127.0.0.1 when
	// empty.
	Loopback string
}

// Google is a client of the type "Desktop app". Its device flow does not give
// the Gmail scope ("Allowed scopes" of Google's page on limited-input
// devices), so that a browser is needed. Without access_type=offline there is
// no refresh token, without prompt=consent none at a second login.
func Google(clientID string) Config {
	return Config{
		ClientID:  clientID,
		AuthURL:   "https://accounts.google.com/o/oauth2/v2/auth",
		DeviceURL: "https://oauth2.googleapis.com/device/code",
		TokenURL:  "https://oauth2.googleapis.com/token",
		Scopes:    []string{"https://mail.google.com/"},
		Consent:   map[string]string{"access_type": "offline", "prompt": "consent"},
	}
}

// Microsoft is a client of the type "mobile and desktop applications" of a
// tenant: a domain, an id, "organizations", "consumers" or "common". Only
// "localhost" may be redirected to on any port there.
func Microsoft(tenant, clientID string) Config {
	base := "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/"
	return Config{
		ClientID:  clientID,
		AuthURL:   base + "authorize",
		DeviceURL: base + "devicecode",
		TokenURL:  base + "token",
		Scopes:    []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"},
		Loopback:  "localhost",
	}
}

// Token is what an exchange gives. Printing one shows nothing of it.
type Token struct {
	Access  string
	Refresh string // the one to use from now on
	// Lifetime of Access from now; 0 when the provider did not say.
	Lifetime time.Duration
}

func (Token) String() string               { return "(hidden)" }
func (Token) GoString() string             { return "(hidden)" }
func (Token) LogValue() slog.Value         { return slog.StringValue("(hidden)") }
func (Token) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

// exchangeTime bounds one request to the provider.
const exchangeTime = 20 * time.Second

// Renew exchanges a refresh token for an access token. The provider may rotate
// the refresh token (RFC 6749 section 6): the old one is then used up, so that
// the caller must keep the new one whatever happens.
func (c *Config) Renew(ctx context.Context, refresh string) (Token, error) {
	const step = "renew the token"
	secret, err := c.secret()
	if err != nil {
		return Token{}, &Error{Step: step, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	return c.token(step, []string{refresh, secret}, secret, func(o *oauth2.Config) (*oauth2.Token, error) {
		return o.TokenSource(withClient(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	})
}

func (c *Config) secret() (string, error) {
	if c.Secret == nil {
		return "", nil
	}
	return c.Secret()
}

// oauth2 is the library's idea of the client. How it proves itself is always
// said: left to itself the library would send each request twice.
func (c *Config) oauth2(secret string, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.ClientID, ClientSecret: secret, Scopes: c.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.AuthURL, DeviceAuthURL: c.DeviceURL, TokenURL: c.TokenURL, AuthStyle: style},
	}
}

// token makes an exchange. Client and secret are sent in the body, which
// Google, Microsoft and nearly all take; a provider that then does not know
// the client is asked as RFC 6749 section 2.3.1 prefers, by Basic.
func (c *Config) token(step string, secrets []string, secret string, exchange func(*oauth2.Config) (*oauth2.Token, error)) (Token, error) {
	got, err := exchange(c.oauth2(secret, oauth2.AuthStyleInParams))
	if secret != "" && code(err) == "invalid_client" {
		got, err = exchange(c.oauth2(secret, oauth2.AuthStyleInHeader))
	}
	if err != nil {
		return Token{}, failure(step, err, secrets)
	}
	t := Token{Access: got.AccessToken, Refresh: got.RefreshToken, Lifetime: time.Duration(got.ExpiresIn) * time.Second}
	if t.Lifetime == 0 && !got.Expiry.IsZero() {
		t.Lifetime = time.Until(got.Expiry).Round(time.Second)
	}
	// What ends up in an AUTHENTICATE command must not bring control
	// characters along (RFC 6749 appendix A.12 allows none).
	if !printable(t.Access) || !printable(t.Refresh) {
		return Token{}, &Error{Step: step, Description: "the token has characters that no token has"}
	}
	return t, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
