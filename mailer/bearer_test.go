package mailer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// tokenSession takes the token "good" by the mechanisms of a provider.
type tokenSession struct {
	*sinkSession
	mechanisms []string
}

func (s tokenSession) AuthMechanisms() []string { return s.mechanisms }
func (s tokenSession) Auth(mech string) (sasl.Server, error) {
	check := func(user, token string) bool { s.in = user == "intouch" && token == "good"; return s.in }
	if mech == sasl.OAuthBearer {
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if check(o.Username, o.Token) {
				return nil
			}
			return &sasl.OAuthBearerError{Status: "invalid_token"}
		}), nil
	}
	return &xoauth2Server{check: check}, nil
}

type xoauth2Server struct {
	check   func(user, token string) bool
	refused string // the token
}

func (x *xoauth2Server) Next(response []byte) ([]byte, bool, error) {
	if x.refused != "" {
		if len(response) > 0 {
			return nil, true, errors.New("XOAUTH2 wants an empty answer")
		}
		return nil, true, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such token as " + x.refused}
	}
	fields := strings.Split(string(response), "\x01")
	user, _ := strings.CutPrefix(fields[0], "user=")
	token := ""
	if len(fields) > 1 {
		token, _ = strings.CutPrefix(fields[1], "auth=Bearer ")
	}
	if x.check(user, token) {
		return nil, true, nil
	}
	x.refused = token
	return []byte(`{"status":"401","schemes":"bearer"}`), false, nil
}

func TestConfig_Token(t *testing.T) {
	long := "stale" + strings.Repeat("x", 400)
	for name, c := range map[string]struct {
		mechanisms []string
		tokens     []string // given one after the other
		want       string
	}{
		"OAUTHBEARER": {[]string{sasl.OAuthBearer, "XOAUTH2"}, []string{"good"}, ""},
		"XOAUTH2":     {[]string{"XOAUTH2"}, []string{"good"}, ""},
		"renewed":     {[]string{"XOAUTH2"}, []string{"stale", "good"}, ""},
		"refused":     {[]string{"XOAUTH2"}, []string{"stale", "stale-too"}, "token refused: 401"},
		// go-smtp's server says 454 then, which is of the moment: no new token.
		"refused by bearer": {[]string{sasl.OAuthBearer}, []string{"stale"}, "token refused: invalid_token"},
		"passwords only":    {[]string{sasl.Plain}, []string{"good"}, "neither OAUTHBEARER nor XOAUTH2"},
		"long":              {[]string{"XOAUTH2"}, []string{long, long}, "token refused: 401"},
		"no token":          {[]string{"XOAUTH2"}, nil, "token: log in first"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSink(t, TLS, func(server *smtp.Server) {
				server.Backend = smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
					return tokenSession{&sinkSession{sink: &sink{taken: map[string][]string{}}}, c.mechanisms}, nil
				})
			})
			cfg, asked := s.Config, 0
			cfg.Token = func(_ context.Context, refused string) (string, error) {
				if asked == len(c.tokens) {
					return "", errors.New("log in first")
				}
				if asked > 0 && refused != c.tokens[asked-1] {
					t.Errorf("refused is %q", refused)
				}
				asked++
				return c.tokens[asked-1], nil
			}
			err := deliver(t, cfg)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "stale") || strings.Contains(err.Error(), "xxxx")) {
				t.Errorf("the token shows: %v", err)
			}
			if asked != len(c.tokens) {
				t.Errorf("asked for %d tokens of %d", asked, len(c.tokens))
			}
		})
	}
}
