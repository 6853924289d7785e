package caldav

import (
	"errors"
	"net"
	"net/http"

	"intouch/store"
)

// realm is one for the whole origin: Thunderbird looks passwords up by origin
// and realm (clients.md section 6).
const challenge = `Basic realm="Intouch", charset="UTF-8"`

// authenticate finds the manager, or answers and reports false. 401 is said
// of missing and wrong credentials only: at any other 401 Thunderbird throws
// a right password away. Being slowed down is 503.
func (c *call) authenticate() bool {
	login, password, ok := c.r.BasicAuth()
	if !ok || login == "" || password == "" {
		// Cancelling Thunderbird's password prompt sends empty ones.
		c.unauthorized()
		return false
	}
	m, err := c.st.CheckDevice(c.ctx, login, password, remoteIP(c.r))
	switch {
	case err == nil:
		c.manager = m
		return true
	case errors.Is(err, store.ErrBadLogin):
		c.unauthorized()
	case errors.Is(err, store.ErrTooManyLogins):
		c.w.Header().Set("Retry-After", "30")
		http.Error(c.w, "Too many failed logins, try again later", http.StatusServiceUnavailable)
	case c.ctx.Err() != nil:
	default:
		c.log.Error("login could not be checked", "request", requestID(c.w), "err", err)
		internalError(c.w)
	}
	return false
}

func (c *call) unauthorized() {
	c.w.Header().Set("WWW-Authenticate", challenge)
	http.Error(c.w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}

// remoteIP is the peer's address. No header is believed here: behind a proxy
// the server that mounts the handler has put the right one into RemoteAddr.
func remoteIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
