package store

import (
	"log/slog"
	"time"
)

// Token is what opens a mailbox without a password (OAuth 2.0). Printing one
// shows nothing of it.
type Token struct {
	Refresh string // from which access tokens are made; may be good for one use
	Access  string // what the mail server takes
	Expires time.Time
}

func (Token) String() string               { return "(hidden)" }
func (Token) GoString() string             { return "(hidden)" }
func (Token) LogValue() slog.Value         { return slog.StringValue("(hidden)") }
func (Token) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

const (
	// tokenMargin is how long an access token must still be good for to be
	// used: a login takes a moment.
	tokenMargin = time.Minute
	// renewTime bounds a renewal, and renewGrace what is left of it once its
	// caller has ended: an answer that is on its way may hold a rotated
	// refresh token, which must not be lost to a shutdown.
	renewTime  = 30 * time.Second
	renewGrace = 4 * time.Second
	// tokenClaim is how long a renewal keeps others from making one. It is
	// longer than any renewal, so that it only runs out under a daemon that
	// died.
	tokenClaim = time.Minute
)

// tokenRow is a row of oauth_tokens.
type tokenRow struct {
	Token
	mailboxID int64
	issuer    string
	version   int64
	until     time.Time // of the claim of a renewal
}

// tokenUse is what is to be done with a token.
type tokenUse int

const (
	tokenGood  tokenUse = iota // use it as it is
	tokenStale                 // renew it
	tokenBusy                  // somebody is renewing it: wait
)

// use decides what is to be done, when a server has refused that access
// token ("" none).
func (r *tokenRow) use(refused string, now time.Time) tokenUse {
	switch {
	case r.Access != "" && r.Access != refused && (r.Expires.IsZero() || r.Expires.Sub(now) >= tokenMargin):
		return tokenGood
	case r.until.After(now):
		return tokenBusy
	}
	return tokenStale
}
