package mailsync

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"
)

// LoginNeeded is an error of Config.Token that trying again does not mend: a
// person has to log in anew.
type LoginNeeded struct{ Err error }

func (e *LoginNeeded) Error() string { return e.Err.Error() }
func (e *LoginNeeded) Unwrap() error { return e.Err }

// xoauth2 is the name of the mechanism that Google made before RFC 7628.
// Microsoft has nothing else.
const xoauth2 = "XOAUTH2"

// bearer logs in with an access token.
func (s *session) bearer(cfg *Config, token string) error {
	return s.do("login", func() error {
		caps := s.client.Caps()
		mechanism := &bearerClient{username: cfg.Username, token: token}
		switch {
		case caps.Has(imap.AuthCap(sasl.OAuthBearer)):
			mechanism.Client = oauthBearer(cfg, token)
			mechanism.dummy = []byte{1}
		case caps.Has(imap.AuthCap(xoauth2)):
			mechanism.dummy = []byte{}
		default:
			return errors.New("the server offers neither OAUTHBEARER nor XOAUTH2: it takes no token on this connection")
		}
		return mechanism.explain(s.client.Authenticate(mechanism))
	})
}

// oauthBearer is the standard mechanism (RFC 7628). The library writes the
// name as it stands; a comma or an equals sign in it must be escaped (RFC 5801
// section 4).
func oauthBearer(cfg *Config, token string) sasl.Client {
	opt := &sasl.OAuthBearerOptions{Username: strings.NewReplacer("=", "=3D", ",", "=2C").Replace(cfg.Username), Token: token}
	if host, port, err := net.SplitHostPort(cfg.Addr); err == nil {
		opt.Host = host
		opt.Port, _ = strconv.Atoi(port)
	}
	return sasl.NewOAuthBearerClient(opt)
}

// bearerClient speaks XOAUTH2, or, where Client is set, that one's mechanism.
// In both a server that refuses the token first says why in a challenge and
// wants it answered; only then comes the NO. The library's own client would
// end there and leave the command hanging.
type bearerClient struct {
	sasl.Client
	username, token string
	dummy           []byte // RFC 7628 section 3.2.3 wants %x01, XOAUTH2 nothing
	status          string // of the refusal
}

func (c *bearerClient) Start() (mechanism string, response []byte, err error) {
	if c.Client != nil {
		return c.Client.Start()
	}
	return xoauth2, []byte("user=" + c.username + "\x01auth=Bearer " + c.token + "\x01\x01"), nil
}

func (c *bearerClient) Next(challenge []byte) ([]byte, error) {
	if c.status != "" {
		return nil, errors.New("the server asks on after refusing the token")
	}
	var why struct{ Status string }
	_ = json.Unmarshal(challenge, &why) // "invalid_token", "401"; or whatever the server sends
	c.status = said(strings.ToValidUTF8(why.Status, "?"))
	if c.status == "" {
		c.status = "without a reason"
	}
	return c.dummy, nil
}

// explain adds what the challenge said to the refusal, and takes the token out
// of what the server may have repeated.
func (c *bearerClient) explain(err error) error {
	var no *imap.Error
	if c.token != "" && errors.As(err, &no) && strings.Contains(no.Text, c.token) {
		hidden := *no
		hidden.Text = strings.ReplaceAll(no.Text, c.token, "(hidden)")
		err = &hidden
	}
	if err != nil && c.status != "" {
		return fmt.Errorf("%w (token refused: %s)", err, strings.ReplaceAll(c.status, c.token, "(hidden)"))
	}
	return err
}

// refusedToken reports whether the server said no to the token, not to the
// moment (RFC 5530 section 3) or to the connection.
func refusedToken(err error) bool {
	var step *stepError
	var no *imap.Error
	return errors.As(err, &step) && step.Step == "login" && errors.As(err, &no) && no.Type == imap.StatusResponseTypeNo &&
		!slices.Contains([]imap.ResponseCode{imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodePrivacyRequired}, no.Code)
}
