package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"intouch/mailsync"
	"intouch/oauth"
	"intouch/store"
)

// OAuthConfig is the oauth2 table of a [[mailbox]]: it is opened with tokens
// of a provider, which "intouchd mailbox login" gets, instead of a password.
type OAuthConfig struct {
	Provider                     string // google, microsoft, custom
	ClientID                     string
	Secret                       Secret // not given: a public client
	Tenant                       string // of microsoft
	Scopes                       []string
	DeviceURL, TokenURL, AuthURL string // of custom
}

var tenantPattern = regexp.MustCompile(`^[A-Za-z0-9.-]{1,100}$`)

// oauth2 reads the table of a mailbox; nil where there is none.
func (c *reading) oauth2(mailbox *table) *OAuthConfig {
	if !mailbox.has("oauth2") {
		return nil
	}
	for _, key := range []string{"password", "password_file", "password_env"} {
		if mailbox.has(key) {
			mailbox.fault(key, "a mailbox has either a password or oauth2")
		}
	}
	t := mailbox.table("oauth2")
	o := &OAuthConfig{
		Provider:  t.required("provider", `"google", "microsoft" or "custom"`),
		ClientID:  t.required("client_id", "the provider gave it when Intouch was registered there"),
		Secret:    c.secretNamed(t, "client_secret", false),
		Tenant:    t.text("tenant", ""),
		Scopes:    t.texts("scopes"),
		DeviceURL: providerURL(t, "device_url"),
		TokenURL:  providerURL(t, "token_url"),
		AuthURL:   providerURL(t, "auth_url"),
	}
	switch o.Provider {
	case "google", "microsoft", "":
		for _, key := range []string{"device_url", "token_url", "auth_url"} {
			if t.has(key) && o.Provider != "" {
				t.fault(key, `is only of provider "custom"`)
			}
		}
	case "custom":
		if !t.has("token_url") {
			t.fault("token_url", "is missing: where the provider gives tokens")
		}
		if !t.has("device_url") && !t.has("auth_url") {
			t.fault("device_url", "is missing: give device_url or auth_url, or both")
		}
	default:
		t.fault("provider", `%q is not one of "google", "microsoft" and "custom"`, o.Provider)
	}
	switch {
	case t.has("tenant") && o.Provider != "microsoft":
		t.fault("tenant", `is only of provider "microsoft"`)
	case t.has("tenant") && !tenantPattern.MatchString(o.Tenant):
		t.fault("tenant", "%q is not a tenant like vector.test, an id, or \"organizations\"", o.Tenant)
	}
	return o
}

// providerURL reads the address of an endpoint: tokens and secrets go there,
// so that it is https, or http on this very machine.
func providerURL(t *table, key string) string {
	text := t.text(key, "")
	if !t.has(key) {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		t.fault(key, "is not an address like https://login.vector.test/oauth2/token")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		t.fault(key, "http:// is only for loopback: tokens would cross the network in the clear")
	}
	return text
}

// client is the mailbox's client at its provider.
func (m *MailboxConfig) client() *oauth.Config {
	o := m.OAuth
	var c oauth.Config
	switch o.Provider {
	case "google":
		c = oauth.Google(o.ClientID)
	case "microsoft":
		tenant := o.Tenant
		if tenant == "" {
			tenant = "common"
		}
		c = oauth.Microsoft(tenant, o.ClientID)
		c.Consent = map[string]string{}
	default:
		c = oauth.Config{ClientID: o.ClientID, AuthURL: o.AuthURL, DeviceURL: o.DeviceURL, TokenURL: o.TokenURL}
	}
	if c.Consent != nil { // so that the right account is offered
		c.Consent["login_hint"] = m.Username
	}
	if len(o.Scopes) > 0 {
		c.Scopes = o.Scopes
	}
	if o.Secret.given {
		c.Secret = o.Secret.Reveal
	}
	return &c
}

// issuer names whose a refresh token is, so that changed settings send it to
// nobody else.
func issuer(c *oauth.Config) string { return c.TokenURL + " " + c.ClientID }

// errNoDatabase: tokens are in it.
var errNoDatabase = errors.New("the database, where the login is stored, could not be opened")

// token gives mailsync the mailbox's access tokens. st is nil where the
// database could not be opened.
func (m *MailboxConfig) token(st *store.Store) func(ctx context.Context, refused string) (string, error) {
	c := m.client()
	renew := func(ctx context.Context, old store.Token) (store.Token, error) {
		got, err := c.Renew(ctx, old.Refresh)
		return kept(st, got), err
	}
	return func(ctx context.Context, refused string) (string, error) {
		if st == nil {
			return "", errNoDatabase
		}
		t, err := st.UseToken(ctx, m.Name, issuer(c), refused, renew)
		switch {
		case err == nil:
			return t.Access, nil
		case errors.Is(err, store.ErrNotFound):
			return "", &mailsync.LoginNeeded{Err: fmt.Errorf("no login is stored: run \"intouchd mailbox login %s\"", m.Name)}
		case oauth.NeedsLogin(err):
			return "", &mailsync.LoginNeeded{Err: fmt.Errorf("%w; run \"intouchd mailbox login %s\"", err, m.Name)}
		}
		return "", err
	}
}

// kept is a provider's token as the store keeps it.
func kept(st *store.Store, got oauth.Token) store.Token {
	t := store.Token{Refresh: got.Refresh, Access: got.Access}
	if got.Lifetime > 0 {
		t.Expires = st.Now().Add(got.Lifetime)
	}
	return t
}
