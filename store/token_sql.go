package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SaveToken keeps what a login gave for that mailbox, in place of what was
// there. issuer says whose it is: the endpoint and the client. A renewal that
// is under way changes it no more. ErrNotFound: there is no such mailbox.
func (s *Store) SaveToken(ctx context.Context, mailbox, issuer string, got Token) error {
	return s.write(ctx, func(t *tx) error {
		var id int64
		if err := t.row(`SELECT id FROM mailboxes WHERE name = $1`, []any{mailbox}, &id); err != nil {
			return fmt.Errorf("mailbox %q: %w", mailbox, err)
		}
		_, err := t.exec(`INSERT INTO oauth_tokens (mailbox_id, issuer, refresh_token, access_token, expires, version, claims) VALUES ($1, $2, $3, $4, $5, 1, 1)
			ON CONFLICT (mailbox_id) DO UPDATE SET issuer = $2, refresh_token = $3, access_token = $4, expires = $5,
			version = oauth_tokens.claims + 1, claims = oauth_tokens.claims + 1, claimed_until = 0`,
			id, issuer, s.sealed(got.Refresh, id, refreshColumn), s.sealed(got.Access, id, accessColumn), unix(got.Expires))
		return err
	})
}

// UseToken gives a mailbox's token with an access token that is good for a
// moment and is not the one that the mail server has refused ("" none): the
// stored one, else one made by renew. ErrNotFound: none is stored from that
// issuer.
//
// A refresh token may be good for one use, so that of all daemons and
// connections one alone renews, and what it gets is stored before anybody uses
// it. The transaction is not held open during the exchange, though: on SQLite
// every writer would wait for a provider's HTTP server. Instead
//
//  1. a short transaction claims the renewal, with a number and an end;
//  2. renew exchanges, bounded in time, and no longer ended by ctx: the answer
//     may hold a token that must not be lost;
//  3. one statement stores the new tokens, unless a later claim has stored
//     its own.
//
// Others wait for the third step, or for the end of the claim of a daemon that
// died. Between 2 and 3 a crash can lose a rotated token, as it could with one
// transaction for all; that the database takes writes is known from 1, and
// what it then does not take is kept here and stored before anything else is
// done with the mailbox.
func (s *Store) UseToken(ctx context.Context, mailbox, issuer, refused string, renew func(context.Context, Token) (Token, error)) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*tokenClaim)
	defer cancel()
	for {
		changed := s.Changed() // before looking, so that nothing slips between
		if err := s.settleToken(ctx, mailbox); err != nil {
			return Token{}, fmt.Errorf("store the renewed token: %w", err)
		}
		row, err := s.tokenRow(ctx, mailbox)
		if err == nil && row.issuer != issuer {
			err = ErrNotFound
		}
		if err != nil {
			return Token{}, err
		}
		switch row.use(refused, s.now()) {
		case tokenGood:
			return row.Token, nil
		case tokenStale:
			claim, err := s.claimToken(ctx, row, refused)
			if errors.Is(err, ErrStale) {
				continue // another was quicker
			}
			if err != nil {
				return Token{}, fmt.Errorf("claim the token's renewal: %w", err)
			}
			got, err := s.renewToken(ctx, mailbox, row, claim, renew)
			if errors.Is(err, ErrStale) {
				continue // a login came in between
			}
			return got, err
		}
		timer := time.NewTimer(time.Second) // another process may be at it
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return Token{}, fmt.Errorf("wait for another's renewal of the token: %w", ctx.Err())
		}
	}
}

// The columns that are sealed.
const (
	refreshColumn = "refresh_token"
	accessColumn  = "access_token"
)

func (s *Store) sealed(token string, mailboxID int64, column string) string {
	return s.opt.TokenKeys.seal(token, mailboxID, column)
}

// SealTokens seals all tokens with the first key that are not: those of a time
// without a key, and of a key that is being replaced. Tokens whose key is not
// given stay as they are. How many were sealed, and how many could not be; it
// costs little where nothing is to be done.
func (s *Store) SealTokens(ctx context.Context) (sealed, left int, err error) {
	keys := &s.opt.TokenKeys
	if !keys.given() {
		return 0, 0, nil
	}
	err = s.write(ctx, func(t *tx) error {
		sealed, left = 0, 0
		type row struct {
			id              int64
			refresh, access string
		}
		var rows []row
		err := t.rows(`SELECT mailbox_id, refresh_token, access_token FROM oauth_tokens ORDER BY mailbox_id`+s.dialect.forUpdate(), nil, func(scan func(...any) error) error {
			var r row
			err := scan(&r.id, &r.refresh, &r.access)
			if err == nil && !(keys.current(r.refresh) && keys.current(r.access)) {
				rows = append(rows, r)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			refresh, err := keys.unseal(r.refresh, r.id, refreshColumn)
			access, accessErr := keys.unseal(r.access, r.id, accessColumn)
			if errors.Join(err, accessErr) != nil {
				left++
				continue
			}
			if _, err := t.exec(`UPDATE oauth_tokens SET refresh_token = $1, access_token = $2 WHERE mailbox_id = $3`,
				keys.seal(refresh, r.id, refreshColumn), keys.seal(access, r.id, accessColumn), r.id); err != nil {
				return err
			}
			sealed++
		}
		return nil
	})
	return sealed, left, err
}

func (s *Store) tokenRow(ctx context.Context, mailbox string) (r *tokenRow, err error) {
	err = s.read(ctx, func(t *tx) error {
		r = &tokenRow{}
		return t.row(`SELECT o.mailbox_id, o.issuer, o.refresh_token, o.access_token, o.expires, o.version, o.claimed_until
			FROM oauth_tokens o JOIN mailboxes m ON m.id = o.mailbox_id WHERE m.name = $1`, []any{mailbox},
			&r.mailboxID, &r.issuer, &r.Refresh, &r.Access, timeInto{&r.Expires}, &r.version, timeInto{&r.until})
	})
	if err == nil {
		r.Refresh, err = s.opt.TokenKeys.unseal(r.Refresh, r.mailboxID, refreshColumn)
	}
	if err == nil {
		r.Access, err = s.opt.TokenKeys.unseal(r.Access, r.mailboxID, accessColumn)
	}
	return r, err
}

// claimToken takes the renewal of a token, and forgets the access token that
// was refused. ErrStale when the row is no longer as it was read.
func (s *Store) claimToken(ctx context.Context, r *tokenRow, refused string) (claim int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		err := t.row(`UPDATE oauth_tokens SET claims = claims + 1, claimed_until = $1, access_token = CASE WHEN $2 THEN '' ELSE access_token END
			WHERE mailbox_id = $3 AND version = $4 AND claimed_until <= $5 RETURNING claims`,
			[]any{t.now.Add(tokenClaim).Unix(), r.Access == refused, r.mailboxID, r.version, t.now.Unix()}, &claim)
		if errors.Is(err, ErrNotFound) {
			return ErrStale
		}
		return err
	})
	return claim, err
}

// renewToken makes the exchange that was claimed and stores what it gives.
// ErrStale when it failed but another token has been stored meanwhile.
func (s *Store) renewToken(ctx context.Context, mailbox string, r *tokenRow, claim int64, renew func(context.Context, Token) (Token, error)) (Token, error) {
	flight, land := context.WithTimeout(context.WithoutCancel(ctx), renewTime)
	defer land()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(renewGrace, land) })()

	got, renewErr := renew(flight, r.Token)
	if renewErr != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewGrace)
		defer cancel()
		var version int64
		err := s.write(ending, func(t *tx) error {
			return t.row(`UPDATE oauth_tokens SET claimed_until = CASE WHEN claims = $1 THEN 0 ELSE claimed_until END WHERE mailbox_id = $2 RETURNING version`,
				[]any{claim, r.mailboxID}, &version)
		})
		if err == nil && version != r.version {
			return Token{}, ErrStale
		}
		return Token{}, renewErr // a claim that could not be given back ends by itself
	}
	if got.Refresh == "" { // RFC 6749 section 6: then the old one stays
		got.Refresh = r.Refresh
	}
	s.unsaved.put(mailbox, renewedToken{got, r.mailboxID, claim})
	err := s.settleToken(context.WithoutCancel(ctx), mailbox)
	if err != nil {
		return Token{}, fmt.Errorf("store the renewed token: %w", err)
	}
	return got, nil
}

// renewedToken is what a renewal gave and the database has not taken yet.
type renewedToken struct {
	Token
	mailboxID, claim int64
}

// unsavedTokens are by mailbox.
type unsavedTokens struct {
	mu sync.Mutex
	m  map[string]renewedToken
}

func (u *unsavedTokens) put(mailbox string, r renewedToken) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m == nil {
		u.m = map[string]renewedToken{}
	}
	u.m[mailbox] = r
}

func (u *unsavedTokens) get(mailbox string) (renewedToken, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.m[mailbox]
	return r, ok
}

// drop forgets a token, unless a later one is there.
func (u *unsavedTokens) drop(mailbox string, claim int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m[mailbox].claim == claim {
		delete(u.m, mailbox)
	}
}

// settleToken stores what a renewal gave, trying a few times. A row that a
// later claim or a login has written stays as it is.
func (s *Store) settleToken(ctx context.Context, mailbox string) error {
	r, ok := s.unsaved.get(mailbox)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewGrace)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := s.write(ctx, func(t *tx) error {
			_, err := t.exec(`UPDATE oauth_tokens SET refresh_token = $1, access_token = $2, expires = $3, version = $4,
				claimed_until = CASE WHEN claims = $4 THEN 0 ELSE claimed_until END WHERE mailbox_id = $5 AND version < $4`,
				s.sealed(r.Refresh, r.mailboxID, refreshColumn), s.sealed(r.Access, r.mailboxID, accessColumn), unix(r.Expires), r.claim, r.mailboxID)
			return err
		})
		if err == nil {
			s.unsaved.drop(mailbox, r.claim)
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
