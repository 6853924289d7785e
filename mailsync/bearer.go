package mailsync

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"intouch/oauth"
)

// LoginNeeded is an error of Config.Token that trying again does not mend: a
// person has to log in anew.
type LoginNeeded struct{ Err error }

func (e *LoginNeeded) Error() string { return e.Err.Error() }
func (e *LoginNeeded) Unwrap() error { return e.Err }

// bearer logs in with an access token.
func (s *session) bearer(cfg *Config, token string) error {
	return s.do("login", func() error {
		caps := s.client.Caps()
		m, err := oauth.NewBearer(cfg.Username, token, cfg.Addr, func(mechanism string) bool { return caps.Has(imap.AuthCap(mechanism)) })
		if err != nil {
			return err
		}
		err = s.client.Authenticate(m)
		var no *imap.Error
		if errors.As(err, &no) {
			explained := *no
			explained.Text = m.Explain(no.Text)
			return &explained
		}
		return err
	})
}

// refusedToken reports whether the server said no to the token, not to the
// moment (RFC 5530 section 3) or to the connection.
func refusedToken(err error) bool {
	var step *stepError
	var no *imap.Error
	return errors.As(err, &step) && step.Step == "login" && errors.As(err, &no) && no.Type == imap.StatusResponseTypeNo &&
		!slices.Contains([]imap.ResponseCode{imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodePrivacyRequired}, no.Code)
}
