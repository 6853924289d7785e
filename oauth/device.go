package oauth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
)

// Prompt is what a person must do on some device with a browser.
type Prompt struct {
	URL         string        // open this
	Code        string        // and enter this
	CompleteURL string        // or open only this; may be ""
	Expires     time.Duration // for how long; 0 when the provider did not say
}

const (
	// deviceTime bounds a login whose code has no end.
	deviceTime = 30 * time.Minute
	// longestInterval bounds the pause that a provider may ask for.
	longestInterval = 60
	// networkTries is how many faults of the network a login bears.
	networkTries = 5
)

// Device runs the device flow (RFC 8628): show is called once, then the
// provider is asked until the person has consented or refused, or the code has
// expired.
func (c *Config) Device(ctx context.Context, show func(Prompt)) (Token, error) {
	const step = "log in by device code"
	secret, err := c.secret()
	if err != nil {
		return Token{}, &Error{Step: step, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	o := c.oauth2(secret, oauth2.AuthStyleInParams)
	var proof []oauth2.AuthCodeOption
	if secret != "" { // RFC 8628 section 3.1: the client proves itself here too
		proof = append(proof, oauth2.SetAuthURLParam("client_secret", secret))
	}
	d, err := o.DeviceAuth(withClient(ctx), proof...)
	if err != nil {
		return Token{}, failure(step, err, []string{secret})
	}
	if d.DeviceCode == "" || d.UserCode == "" || d.VerificationURI == "" {
		return Token{}, &Error{Step: step, Description: "the provider gave no code"}
	}
	d.Interval = min(d.Interval, longestInterval)
	p := Prompt{URL: oneLine(d.VerificationURI, 500), Code: oneLine(d.UserCode, 100), CompleteURL: oneLine(d.VerificationURIComplete, 1000)}
	if !d.Expiry.IsZero() {
		p.Expires = time.Until(d.Expiry).Round(time.Second)
	}
	show(p)

	secrets := []string{d.DeviceCode, secret}
	for tries := 1; ; tries++ {
		t, err := c.token(step, secrets, secret, func(o *oauth2.Config) (*oauth2.Token, error) {
			return o.DeviceAccessToken(withClient(ctx), d)
		})
		var e *Error
		switch {
		case err == nil:
			return t, t.complete(step)
		case !d.Expiry.IsZero() && !time.Now().Before(d.Expiry), errors.As(err, &e) && e.Code == "expired_token":
			return Token{}, &Error{Step: step, Code: "expired_token", Description: "the code has expired before anybody consented"}
		case errors.As(err, &e) && e.Code == "access_denied":
			return Token{}, &Error{Step: step, Code: e.Code, Description: "the consent was refused"}
		case e != nil && e.Err != nil && ctx.Err() == nil && tries < networkTries:
			// RFC 8628 section 3.5: go on after a fault of the network, more slowly.
			d.Interval = min(max(d.Interval, 5)*2, longestInterval)
		default:
			return Token{}, err
		}
	}
}

// complete checks that a login gave what renewing needs.
func (t Token) complete(step string) error {
	if t.Refresh == "" {
		return &Error{Step: step, Description: "the provider gave no refresh token: a scope like offline_access may be missing"}
	}
	return nil
}
