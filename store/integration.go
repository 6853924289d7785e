package store

import (
	"slices"
	"strings"
	"time"
)

// Integration is a program of others that reads and writes records by a token
// of its own: a shop, a telephone exchange, 1C.
type Integration struct {
	ID      int64
	Name    string
	Scopes  []Scope
	Created time.Time // the token
	Revoked time.Time // zero: it is good
	Used    time.Time // when the token last opened something, to the hour; zero: never
}

// Scope is what a token opens: ScopeRead, ScopeWrite, either of them for one
// kind of record ("clients:read"), or ScopeExchange.
type Scope string

const (
	ScopeRead     Scope = "read"     // every kind of record
	ScopeWrite    Scope = "write"    // every kind of record; reading is in it, since a write answers with the record
	ScopeExchange Scope = "exchange" // the exchange that 1C drives, and nothing else
)

// ScopeKinds are the kinds of record that have scopes of their own.
var ScopeKinds = []string{"clients", "persons", "deals", "documents", "contacts"}

// ParseScope reads one scope as people write it.
func ParseScope(s string) (Scope, error) {
	scope := Scope(strings.ToLower(strings.TrimSpace(s)))
	kind, right, ofKind := strings.Cut(string(scope), ":")
	switch {
	case ofKind && slices.Contains(ScopeKinds, kind) && (Scope(right) == ScopeRead || Scope(right) == ScopeWrite),
		!ofKind && (scope == ScopeRead || scope == ScopeWrite || scope == ScopeExchange):
		return scope, nil
	}
	return "", invalid("scope", "%q is none of read, write, exchange, KIND:read and KIND:write with a KIND of %s",
		clip(s, 40), strings.Join(ScopeKinds, ", "))
}

// May reports whether the token opens that: ScopeExchange, or ScopeRead or
// ScopeWrite for one of ScopeKinds.
func (in *Integration) May(kind string, right Scope) bool {
	return slices.ContainsFunc(in.Scopes, func(has Scope) bool {
		if of, r, ok := strings.Cut(string(has), ":"); ok {
			if of != kind {
				return false
			}
			has = Scope(r)
		}
		return has == right || has == ScopeWrite && right == ScopeRead
	})
}

// Actor is the integration as who causes a change.
func (in *Integration) Actor() Actor {
	return Actor{Origin: FromExchange, IntegrationID: in.ID}
}

// tokenPrefix lets programs that look for leaked secrets know ours.
const tokenPrefix = "itk_"

// isToken reports whether that can be a token at all.
func isToken(s string) bool {
	hex, ok := strings.CutPrefix(s, tokenPrefix)
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// integrationUsed is how exactly it is kept when a token was last used, so that
// reading does not write each time.
const integrationUsed = time.Hour
