package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Passwords are kept as argon2id (RFC 9106, the second recommended choice
// scaled to 19 MiB, 2 passes, as OWASP gives it). Hashing costs memory and
// time, so only one runs at once, and verified logins are remembered for some
// minutes: a calendar program sends its password with every request.
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonThreads = 1
	loginMemory  = 5 * time.Minute
	// Failures allowed before further logins wait: for one login from one
	// place, for one place over all logins, and for one login over all places.
	// The last two leave places alone where the owner has logged in before.
	failuresPerLogin   = 10
	failuresPerPlace   = 50
	failuresPerAccount = 100
	failureWindow      = 15 * time.Minute
	// placeKept is how long a place is the owner's after a login there.
	placeKept = 180 * 24 * time.Hour
)

// loginCache remembers verified logins under a keyed hash, so that neither a
// dump of the memory nor a timing tells passwords.
type loginCache struct {
	mu     sync.Mutex
	secret []byte
	seen   map[[32]byte]verifiedLogin
	hashes chan struct{} // bounds concurrent hashing
}

type verifiedLogin struct {
	hash    string // the stored hash that it was verified against
	until   time.Time
	manager Manager
	at      Generation // in which the manager was read
}

func newLoginCache() loginCache {
	secret := make([]byte, 32)
	rand.Read(secret)
	return loginCache{secret: secret, seen: map[[32]byte]verifiedLogin{}, hashes: make(chan struct{}, 1)}
}

func (c *loginCache) key(login, password string) (k [32]byte) {
	mac := hmac.New(sha256.New, c.secret)
	fmt.Fprintf(mac, "%d:%s%s", len(login), login, password)
	copy(k[:], mac.Sum(nil))
	return k
}

func (c *loginCache) has(k [32]byte, hash string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.seen[k]
	return ok && v.hash == hash && now.Before(v.until)
}

func (c *loginCache) put(k [32]byte, hash string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) > 10_000 {
		clear(c.seen)
	}
	c.seen[k] = verifiedLogin{hash: hash, until: now.Add(loginMemory)}
}

// manager is the one with this login and password, when that is known without
// asking the database again.
func (c *loginCache) manager(k [32]byte, at Generation, now time.Time) (Manager, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.seen[k]
	return v.manager, ok && v.at == at && now.Before(v.until)
}

// read notes who a verified login was in a generation.
func (c *loginCache) read(k [32]byte, at Generation, m Manager) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.seen[k]; ok {
		v.manager, v.at = m, at
		c.seen[k] = v
	}
}

// HashPassword makes the PHC text of a password; at least 8 characters, at
// most 1,000 bytes.
func HashPassword(password string) (string, error) {
	if utf8.RuneCountInString(password) < 8 {
		return "", invalid("password", "shorter than 8 characters")
	}
	if len(password) > 1000 {
		return "", invalid("password", "longer than 1000 bytes")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonThreads, 32)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonThreads, b64(salt), b64(sum)), nil
}

// passwordFits verifies a password against its PHC text.
func passwordFits(phc, password string) bool {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var memory, passes uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil || memory > 1<<20 || passes == 0 || passes > 16 || threads == 0 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// noPassword is what an unknown login is checked against, so that it takes as
// long as a known one.
var noPassword = sync.OnceValue(func() string {
	h, _ := HashPassword("nobody has this one")
	return h
})

// SetPassword replaces the manager's password (argon2id); at least 8
// characters.
func (s *Store) SetPassword(ctx context.Context, managerID int64, password string) error {
	hash, err := HashPassword(password)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE managers SET password = $1 WHERE id = $2`, hash, managerID)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}

// ChangePassword is SetPassword by the manager, who knows the present one:
// ErrBadLogin when old is not it, ErrTooManyLogins as for logins from remote.
func (s *Store) ChangePassword(ctx context.Context, actor Actor, m Manager, old, password, remote string) error {
	hash, err := HashPassword(password)
	if err != nil {
		return err
	}
	if _, err := s.CheckLogin(ctx, m.Login, old, remote); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE managers SET password = $1 WHERE id = $2`, hash, m.ID); err != nil {
			return err
		}
		return t.remember(actor, "manager", m.ID, "changed", changes{"password": {}})
	})
}

// EndSessions ends all sessions of a manager.
func (s *Store) EndSessions(ctx context.Context, actor Actor, managerID int64) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE managers SET sessions_ended = sessions_ended + 1 WHERE id = $1`, managerID)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.remember(actor, "manager", managerID, "changed", changes{"sessions": {}})
	})
}

// SessionPrint is a short fingerprint of the manager's present password and of
// EndSessions, "" when there is no password: what a session cookie is bound
// to, so that either ends the old sessions.
func (s *Store) SessionPrint(ctx context.Context, managerID int64) (string, error) {
	var hash string
	var ended int64
	err := s.read(ctx, func(t *tx) error {
		return t.row(`SELECT password, sessions_ended FROM managers WHERE id = $1`, []any{managerID}, &hash, &ended)
	})
	if err != nil || hash == "" {
		return "", err
	}
	if ended > 0 {
		hash += fmt.Sprintf(" %d", ended)
	}
	sum := sha256.Sum256([]byte(hash))
	return base64.RawURLEncoding.EncodeToString(sum[:9]), nil
}

// refusedLines bounds the lines about refused logins in a minute.
const refusedLines = 30

// refusals count the lines of the running minute.
type refusals struct {
	mu      sync.Mutex
	began   time.Time
	n, left int // lines, and those left out
}

// refused logs a login that was not let in, bounded in length and number, so
// that nobody fills the disk with it. It never sees the password.
func (s *Store) refused(login, remote, reason string) {
	r := &s.refusals
	r.mu.Lock()
	now, left := s.now(), 0
	if now.Sub(r.began) >= time.Minute {
		left = r.left
		r.began, r.n, r.left = now, 0, 0
	}
	r.n++
	if r.n > refusedLines {
		r.left++
	}
	quiet := r.n > refusedLines
	r.mu.Unlock()
	if left > 0 {
		s.log.Warn("more logins were refused than were logged", "left_out", left)
	}
	if !quiet {
		s.log.Warn("login refused", "login", clip(clean(login), 100), "remote", remote, "reason", reason)
	}
}

// PasswordFits compares a manager's password without taking that for a login:
// a wrong one is neither counted nor logged. For the settings.
func (s *Store) PasswordFits(ctx context.Context, managerID int64, password string) (bool, error) {
	var hash string
	err := s.read(ctx, func(t *tx) error {
		return t.row(`SELECT password FROM managers WHERE id = $1`, []any{managerID}, &hash)
	})
	return err == nil && hash != "" && passwordFits(hash, password), err
}

// isLogin reports whether that can be a login at all.
func isLogin(s string) bool {
	return len(s) <= 100 && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// placeOf is what failures are counted by: an IPv4 address, or the /64 network
// of an IPv6 one, which one household has.
func placeOf(remote string) string {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return clip(clean(remote), 60)
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // an IPv6 address has one
	return p.String()
}

// CheckLogin verifies a password: ErrBadLogin, ErrTooManyLogins. remote is
// the client's IP address. A login that was verified some minutes ago is let
// in whatever others try, and strangers' failures do not count where its owner
// has logged in before, so nobody can lock the owner out.
func (s *Store) CheckLogin(ctx context.Context, login, password, remote string) (Manager, error) {
	login = strings.ToLower(login)
	if !isLogin(login) || len(password) > 1000 {
		s.refused(login, remote, "not a login")
		return Manager{}, ErrBadLogin
	}
	var m Manager
	var hash string
	now, place := s.now(), placeOf(remote)
	// What failures are counted under.
	pair, account := login+"|"+place, login+"|"
	k := s.logins.key(login, password)
	at, told := s.Generation(ctx)
	if told {
		if m, ok := s.logins.manager(k, at, now); ok {
			return m, nil
		}
	}
	slowed, home := false, false
	tooMany := func(t *tx) error {
		most := map[string]int64{pair: failuresPerLogin}
		if !home {
			most[place], most[account] = failuresPerPlace, failuresPerAccount
		}
		for name, most := range most {
			many, err := t.tooManyFailures(name, most)
			if err != nil {
				return err
			}
			slowed = slowed || many
		}
		return nil
	}
	err := s.read(ctx, func(t *tx) (err error) {
		m, err = t.manager("m.login = $1", login)
		if err == nil {
			err = t.row(`SELECT password FROM managers WHERE id = $1`, []any{m.ID}, &hash)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if hash != "" && s.logins.has(k, hash, now) {
			return nil
		}
		if home, err = t.loginPlace(m.ID, place); err != nil {
			return err
		}
		return tooMany(t)
	})
	if err != nil {
		return Manager{}, fmt.Errorf("check login: %w", err)
	}
	if hash != "" && s.logins.has(k, hash, now) {
		if told {
			s.logins.read(k, at, m)
		}
		return m, nil
	}
	if slowed {
		s.refused(login, remote, "too many failures")
		return Manager{}, ErrTooManyLogins
	}
	select {
	case s.logins.hashes <- struct{}{}:
		defer func() { <-s.logins.hashes }()
	case <-ctx.Done():
		return Manager{}, ctx.Err()
	}
	if hash != "" && s.logins.has(k, hash, now) {
		return m, nil // another connection of the same program was verified meanwhile
	}
	// Those that waited here were let through before the ones ahead of them
	// failed.
	if err := s.read(ctx, tooMany); err != nil {
		return Manager{}, fmt.Errorf("check login: %w", err)
	}
	if slowed {
		s.refused(login, remote, "too many failures")
		return Manager{}, ErrTooManyLogins
	}
	against := hash
	if against == "" {
		against = noPassword()
	}
	if passwordFits(against, password) && hash != "" {
		s.logins.put(k, hash, now)
		return m, s.write(ctx, func(t *tx) error {
			if _, err := t.exec(`DELETE FROM login_failures WHERE name = $1`, pair); err != nil {
				return err
			}
			return t.noteLoginPlace(m.ID, place)
		})
	}
	s.refused(login, remote, "wrong login or password")
	counted := []string{pair, place}
	if !home {
		counted = append(counted, account)
	}
	err = s.write(ctx, func(t *tx) error { return t.noteFailures(counted...) })
	if err != nil {
		return Manager{}, fmt.Errorf("note failed login: %w", err)
	}
	return Manager{}, ErrBadLogin
}

// loginPlace reports whether the manager has logged in there before.
func (t *tx) loginPlace(managerID int64, place string) (bool, error) {
	var last time.Time
	err := t.row(`SELECT last FROM login_places WHERE manager_id = $1 AND place = $2`, []any{managerID, place}, timeInto{&last})
	return err == nil && t.now.Sub(last) < placeKept, ignoreNotFound(err)
}

// noteLoginPlace keeps that the manager has logged in there, to the day.
func (t *tx) noteLoginPlace(managerID int64, place string) error {
	n, err := t.exec(`INSERT INTO login_places (manager_id, place, last) VALUES ($1, $2, $3)
		ON CONFLICT (manager_id, place) DO UPDATE SET last = $3 WHERE login_places.last < $3`, managerID, place, t.now.Truncate(24*time.Hour).Unix())
	if err == nil && n > 0 {
		_, err = t.exec(`DELETE FROM login_places WHERE manager_id = $1 AND last < $2`, managerID, t.now.Add(-placeKept).Unix())
	}
	return err
}

// tooManyFailures reports whether so many logins have failed under that name
// (a login and a place, a place, a login) that further ones wait.
func (t *tx) tooManyFailures(name string, most int64) (bool, error) {
	var n int64
	var last time.Time
	err := t.row(`SELECT failures, last FROM login_failures WHERE name = $1`, []any{name}, &n, timeInto{&last})
	return n >= most && t.now.Sub(last) < failureWindow, ignoreNotFound(err)
}

// noteFailures counts a failed login under each of those names.
func (t *tx) noteFailures(names ...string) error {
	for _, name := range names {
		if _, err := t.exec(`INSERT INTO login_failures (name, failures, last) VALUES ($1, 1, $2)
			ON CONFLICT (name) DO UPDATE SET last = $2,
			failures = CASE WHEN login_failures.last < $3 THEN 1 ELSE login_failures.failures + 1 END`,
			name, t.now.Unix(), t.now.Add(-failureWindow).Unix()); err != nil {
			return err
		}
	}
	_, err := t.exec(`DELETE FROM login_failures WHERE last < $1`, t.now.Add(-24*time.Hour).Unix())
	return err
}
