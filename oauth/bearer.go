package oauth

import (
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// xoauth2 is the name of the mechanism that Google made before RFC 7628.
// Microsoft has nothing else.
const xoauth2 = "XOAUTH2"

// Bearer logs in to a mail server, IMAP or SMTP, with an access token: a
// sasl.Client that speaks OAUTHBEARER (RFC 7628) or XOAUTH2. In both a server
// that refuses the token first says why in a challenge and wants it answered;
// only then comes the refusal. go-sasl's own client would end there and leave
// the command hanging.
type Bearer struct {
	sasl.Client     // of OAUTHBEARER; nil: XOAUTH2 is spoken
	username, token string
	answer          []byte // to the challenge: %x01 (RFC 7628 section 3.2.3), in XOAUTH2 nothing
	status          string // of the refusal
}

// NewBearer takes the standard mechanism where the server at addr, host:port,
// offers it, and fails where it offers neither.
func NewBearer(username, token, addr string, offers func(mechanism string) bool) (*Bearer, error) {
	b := &Bearer{username: username, token: token, answer: []byte{}}
	switch {
	case offers(sasl.OAuthBearer):
		// The library writes the name as it stands; a comma or an equals sign in
		// it is escaped (RFC 5801 section 4).
		opt := &sasl.OAuthBearerOptions{Username: strings.NewReplacer("=", "=3D", ",", "=2C").Replace(username), Token: token}
		if host, port, err := net.SplitHostPort(addr); err == nil {
			opt.Host = host
			opt.Port, _ = strconv.Atoi(port)
		}
		b.Client, b.answer = sasl.NewOAuthBearerClient(opt), []byte{1}
	case offers(xoauth2):
	default:
		return nil, errors.New("the server offers neither OAUTHBEARER nor XOAUTH2: it takes no token on this connection")
	}
	return b, nil
}

// Start is the first step of a login (sasl.Client).
func (b *Bearer) Start() (mechanism string, response []byte, err error) {
	if b.Client != nil {
		return b.Client.Start()
	}
	return xoauth2, []byte("user=" + b.username + "\x01auth=Bearer " + b.token + "\x01\x01"), nil
}

// Next answers the challenge that says why the token is refused.
func (b *Bearer) Next(challenge []byte) ([]byte, error) {
	if b.status != "" {
		return nil, errors.New("the server asks on after refusing the token")
	}
	var why struct{ Status string }
	_ = json.Unmarshal(challenge, &why) // "invalid_token", "401"; or whatever the server sends
	if b.status = oneLine(b.Hide(why.Status), 100); b.status == "" {
		b.status = "without a reason"
	}
	return b.answer, nil
}

// Explain is what the server said to a refusal, with what its challenge said
// and without the token, which it may have repeated.
func (b *Bearer) Explain(said string) string {
	if b.status != "" {
		said += " (token refused: " + b.status + ")"
	}
	return b.Hide(said)
}

// Hide takes the token out of what a server said, which has to be whole yet: of
// a text that was shortened, half a token would stay.
func (b *Bearer) Hide(said string) string {
	if b.token == "" {
		return said
	}
	return strings.ReplaceAll(said, b.token, "(hidden)")
}
