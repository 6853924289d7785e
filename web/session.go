package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// A session is a cookie that the browser keeps and we sign:
// "1.MANAGER.ISSUED.MAC". Nothing of it lives in the process or the database,
// so every daemon on one database knows it, and a restart keeps it. The MAC
// also covers a print of the manager's password and of how often all sessions
// were ended, which is not in the cookie: either ends all of that manager's.
const (
	sessionLife  = 7 * 24 * time.Hour
	sessionRenew = 24 * time.Hour
	clockOff     = time.Hour // a cookie may be so far from the future
)

var errNoSession = errors.New("no session")

type sessions struct {
	st     *store.Store
	key    []byte
	secure bool
}

// cookie is the name; the prefix makes browsers refuse it without Secure and
// from other hosts.
func (s sessions) cookie() string {
	if s.secure {
		return "__Host-intouch"
	}
	return "intouch"
}

// sign gives the cookie's value.
func (s sessions) sign(managerID int64, issued time.Time, print string) string {
	head := fmt.Sprintf("1.%d.%d", managerID, issued.Unix())
	return head + "." + base64.RawURLEncoding.EncodeToString(s.mac(head, print))
}

func (s sessions) mac(head, print string) []byte {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s", head, print)
	return mac.Sum(nil)
}

// parse takes a value apart without believing it.
func (s sessions) parse(value string, now time.Time) (managerID int64, issued time.Time, head string, mac []byte, ok bool) {
	parts := strings.Split(value, ".")
	if len(value) > 200 || len(parts) != 4 || parts[0] != "1" {
		return 0, time.Time{}, "", nil, false
	}
	id, err1 := strconv.ParseInt(parts[1], 10, 64)
	at, err2 := strconv.ParseInt(parts[2], 10, 64)
	mac, err3 := base64.RawURLEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil || err3 != nil || id <= 0 {
		return 0, time.Time{}, "", nil, false
	}
	issued = time.Unix(at, 0)
	// From the future is what was issued while a clock, ours or another
	// daemon's, was wrong: the MAC says whose it is.
	if age := now.Sub(issued); age < -clockOff || age >= sessionLife {
		return 0, time.Time{}, "", nil, false
	}
	return id, issued, strings.Join(parts[:3], "."), mac, true
}

// manager is who sent the request: errNoSession when nobody is logged in. A
// session older than a day is issued again.
func (s sessions) manager(ctx context.Context, w http.ResponseWriter, r *http.Request, now time.Time) (store.Manager, error) {
	c, err := r.Cookie(s.cookie())
	if err != nil {
		return store.Manager{}, errNoSession
	}
	id, issued, head, mac, ok := s.parse(c.Value, now)
	if !ok {
		return store.Manager{}, errNoSession
	}
	print, err := s.st.SessionPrint(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Manager{}, errNoSession
	}
	if err != nil {
		return store.Manager{}, fmt.Errorf("read password print: %w", err)
	}
	if !hmac.Equal(mac, s.mac(head, print)) {
		return store.Manager{}, errNoSession
	}
	who, err := s.st.Manager(ctx, id)
	if err != nil {
		return store.Manager{}, fmt.Errorf("read manager: %w", err)
	}
	if now.Sub(issued) >= sessionRenew {
		s.set(w, s.sign(id, now, print), sessionLife)
	}
	return who, nil
}

// begin logs a manager in.
func (s sessions) begin(ctx context.Context, w http.ResponseWriter, managerID int64, now time.Time) error {
	print, err := s.st.SessionPrint(ctx, managerID)
	if err != nil {
		return fmt.Errorf("read password print: %w", err)
	}
	s.set(w, s.sign(managerID, now, print), sessionLife)
	return nil
}

// end takes the cookie away.
func (s sessions) end(w http.ResponseWriter) { s.set(w, "", -time.Second) }

func (s sessions) set(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie(), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}
