package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tokenHash is how a token is kept. It is 256 random bits, so that a plain hash
// is enough, and looking a hash up tells a stranger by its time nothing about
// the tokens that there are.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// AddIntegration makes an integration, or gives a revoked one of that name a
// new token, so that its history goes on. The token is told this once.
// ErrConflict where one of that name has a good token.
func (s *Store) AddIntegration(ctx context.Context, name string, scopes []Scope) (in Integration, token string, err error) {
	in.Name = strings.TrimSpace(clean(name))
	if err := required("name", in.Name, 100); err != nil {
		return in, "", err
	}
	if strings.ContainsFunc(in.Name, func(r rune) bool { return r < ' ' }) {
		return in, "", invalid("name", "has control characters")
	}
	for _, text := range scopes {
		scope, err := ParseScope(string(text))
		if err != nil {
			return in, "", err
		}
		if !slices.Contains(in.Scopes, scope) {
			in.Scopes = append(in.Scopes, scope)
		}
	}
	if len(in.Scopes) == 0 {
		return in, "", invalid("scope", "is missing")
	}
	random := make([]byte, 32)
	rand.Read(random) // never fails
	token = tokenPrefix + hex.EncodeToString(random)
	err = s.write(ctx, func(t *tx) error {
		in.Created = t.now
		return t.row(`INSERT INTO integrations (name, token_hash, scopes, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET token_hash = $2, scopes = $3, created = $4, revoked = 0, used = 0 WHERE integrations.revoked <> 0 RETURNING id`,
			[]any{in.Name, tokenHash(token), asJSON(in.Scopes), t.now.Unix()}, &in.ID)
	})
	if errors.Is(err, ErrNotFound) {
		err = ErrConflict
	}
	if err != nil {
		return Integration{}, "", err
	}
	return in, token, nil
}

// RevokeIntegration makes the token of an integration open nothing any more.
// ErrNotFound where none of that name has a good token.
func (s *Store) RevokeIntegration(ctx context.Context, name string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE integrations SET revoked = $1 WHERE name = $2 AND revoked = 0`, t.now.Unix(), strings.TrimSpace(clean(name)))
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
}

// Integrations are all that there are, by name, the revoked ones too.
func (s *Store) Integrations(ctx context.Context) (out []Integration, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.integrations("TRUE ORDER BY name")
		return err
	})
	return out, err
}

func (t *tx) integrations(where string, args ...any) (out []Integration, err error) {
	err = t.rows(`SELECT id, name, scopes, created, revoked, used FROM integrations WHERE `+where, args, func(scan func(...any) error) error {
		var in Integration
		err := scan(&in.ID, &in.Name, jsonInto{&in.Scopes}, timeInto{&in.Created}, timeInto{&in.Revoked}, timeInto{&in.Used})
		out = append(out, in)
		return err
	})
	return out, err
}

// Integration is whose token that is: ErrBadLogin for one that is none or no
// longer, ErrTooManyLogins where too many such came from that IP address. A
// good token is let in whatever others at its address try.
func (s *Store) Integration(ctx context.Context, token, remote string) (in Integration, err error) {
	in, err = s.integrationOf(ctx, token)
	if errors.Is(err, ErrBadLogin) {
		err = s.refuseToken(ctx, remote)
	}
	if err != nil || s.now().Sub(in.Used) < integrationUsed {
		return in, err
	}
	in.Used = s.now()
	return in, s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE integrations SET used = $1 WHERE id = $2`, t.now.Unix(), in.ID)
		return err
	})
}

// integrationOf finds a token's integration, from memory while nothing has been
// committed since it was read.
func (s *Store) integrationOf(ctx context.Context, token string) (Integration, error) {
	if !isToken(token) {
		return Integration{}, ErrBadLogin
	}
	hash := tokenHash(token)
	at, told := s.Generation(ctx)
	if told {
		if in, ok := s.remembered.integration(at, hash); ok {
			return in, nil
		}
	}
	var found []Integration
	err := s.read(ctx, func(t *tx) (err error) {
		found, err = t.integrations("token_hash = $1 AND revoked = 0", hash)
		return err
	})
	if err != nil {
		return Integration{}, fmt.Errorf("look up a token: %w", err)
	}
	if len(found) == 0 {
		return Integration{}, ErrBadLogin
	}
	if told {
		s.remembered.putIntegration(at, hash, found[0])
	}
	return found[0], nil
}

// refuseToken counts a token that opened nothing, and says what to answer. Such
// ones are counted apart from logins: a program with an old token locks no
// manager of the same office out.
func (s *Store) refuseToken(ctx context.Context, remote string) error {
	name, slowed := "token|"+remote, false
	err := s.read(ctx, func(t *tx) (err error) {
		slowed, err = t.tooManyFailures(name, failuresPerPlace)
		return err
	})
	if err != nil {
		return fmt.Errorf("check token: %w", err)
	}
	if slowed {
		return ErrTooManyLogins
	}
	s.refused("token", remote, "unknown or revoked token")
	if err := s.write(ctx, func(t *tx) error { return t.noteFailures(name) }); err != nil {
		return fmt.Errorf("note failed token: %w", err)
	}
	return ErrBadLogin
}
