package mailer

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

// bearer logs in with the session's access token.
func (s *Session) bearer() error {
	m := &bearerMechanism{username: s.cfg.Username, token: s.token, answer: []byte{}}
	switch {
	case s.client.SupportsAuth(sasl.OAuthBearer):
		// A comma or an equals sign in the name is escaped (RFC 5801 section 4).
		opt := &sasl.OAuthBearerOptions{Username: strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s.cfg.Username), Token: s.token}
		if host, port, err := net.SplitHostPort(s.cfg.Addr); err == nil {
			opt.Host = host
			opt.Port, _ = strconv.Atoi(port)
		}
		m.Client, m.answer = sasl.NewOAuthBearerClient(opt), []byte{1}
	case s.client.SupportsAuth(xoauth2):
	default:
		return errors.New("AUTH: the server offers neither OAUTHBEARER nor XOAUTH2: it takes no token on this connection")
	}
	err := s.client.Auth(m)
	if err == nil {
		return nil
	}
	err = refusal(StageAuth, err)
	var refused *Refused
	if errors.As(err, &refused) { // the server may repeat what it was given
		refused.Text = strings.ReplaceAll(refused.Text, s.token, "(hidden)")
		if m.status != "" {
			refused.Text += " (token refused: " + strings.ReplaceAll(m.status, s.token, "(hidden)") + ")"
		}
		return refused
	}
	return err
}

// bearerMechanism speaks XOAUTH2, or, where Client is set, that one's
// mechanism. In both a server that refuses the token first says why in a
// challenge and wants it answered (RFC 7628 section 3.2.3; with nothing in
// XOAUTH2); only then comes the refusal.
type bearerMechanism struct {
	sasl.Client
	username, token string
	answer          []byte
	status          string // of the refusal
}

func (m *bearerMechanism) Start() (mechanism string, response []byte, err error) {
	if m.Client != nil {
		return m.Client.Start()
	}
	return xoauth2, []byte("user=" + m.username + "\x01auth=Bearer " + m.token + "\x01\x01"), nil
}

func (m *bearerMechanism) Next(challenge []byte) ([]byte, error) {
	if m.status != "" {
		return nil, errors.New("the server asks on after refusing the token")
	}
	var why struct{ Status string }
	_ = json.Unmarshal(challenge, &why) // "invalid_token", "401"; or whatever the server sends
	if m.status = OneLine(why.Status, 100); m.status == "" {
		m.status = "without a reason"
	}
	return m.answer, nil
}
