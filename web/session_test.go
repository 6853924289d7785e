package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestLogin(t *testing.T) {
	h := newHouse(t, Options{})
	b := h.browser()
	b.header.Set("Accept-Language", "en-GB,en;q=0.9,ru;q=0.5")
	a := b.get("/clients?name=a")
	if a.code != http.StatusSeeOther || a.header.Get("Location") != "/login?next=%2Fclients%3Fname%3Da" {
		t.Errorf("%d %s", a.code, a.header.Get("Location"))
	}
	b.get("/login?next=%2Fclients").has(t, "Sign in", `name="next" value="/clients"`)
	a = b.post("/login", url.Values{"login": {"anna"}, "password": {"wrong"}, "next": {"/clients"}})
	if a.code != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
		t.Errorf("wrong password: %d %q", a.code, a.header.Get("Set-Cookie"))
	}
	a.has(t, "Wrong login or password.", `value="anna"`, `value="/clients"`)
	a.lacks(t, "wrong\"")
	a = b.post("/login", url.Values{"login": {"Anna"}, "password": {"secret of anna"}, "next": {"/clients"}})
	if a.code != http.StatusSeeOther || a.header.Get("Location") != "/clients" {
		t.Errorf("login: %d %s", a.code, a.header.Get("Location"))
	}
	if c := a.header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") {
		t.Errorf("cookie %s", c)
	}
	b.get("/clients").has(t, "Клиенты") // the manager's language, not the browser's
	if a := b.get("/login?next=/status"); a.header.Get("Location") != "/status" {
		t.Errorf("login when logged in leads to %s", a.header.Get("Location"))
	}
	b.post("/logout", url.Values{})
	if a := b.get("/"); a.code != http.StatusSeeOther {
		t.Errorf("after logout: %d", a.code)
	}
}

func TestLogin_TooMany(t *testing.T) {
	h := newHouse(t, Options{})
	b := h.browser()
	for range 60 {
		if a := b.post("/login", url.Values{"login": {"clara"}, "password": {"wrong"}}); a.code == http.StatusTooManyRequests {
			a.has(t, "Слишком много неудачных попыток")
			return
		}
	}
	t.Error("60 failures are not slowed down")
}

func TestLocalPath(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"/clients?name=a", "/clients?name=a"}, {"", "/x"}, {"//evil.test", "/x"}, {`/\evil.test`, "/x"}, {"https://evil.test/", "/x"}, {"javascript:alert(1)", "/x"},
		{"/\t/evil.test", "/x"}, {"/a\r\nSet-Cookie: b", "/x"}, {"clients", "/x"}, {"/" + strings.Repeat("a", 3000), "/x"}, {"/%zz", "/x"}, {"/%2F%2Fevil.test", "/%2F%2Fevil.test"},
	} {
		if got := localPath(c.in, "/x"); got != c.want {
			t.Errorf("localPath(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	for _, c := range []struct {
		header string
		want   store.Language
	}{
		{"", store.Russian}, {"de", store.Russian}, {"en", store.English}, {"ru-RU,ru;q=0.9,en;q=0.8", store.Russian}, {"de,en;q=0.3,ru;q=0.2", store.English},
		{"en;q=0,ru;q=0.1", store.Russian}, {";;;,q=,en;q=x", store.Russian}, {"EN-us", store.English},
	} {
		if got := acceptLanguage(c.header, store.Russian); got != c.want {
			t.Errorf("%q: %s", c.header, got)
		}
	}
}

func TestSession(t *testing.T) {
	h := newHouse(t, Options{})
	s := sessions{st: h.st, key: keyFor([]byte("a secret for the tests, 32 bytes"), "session")}
	ctx := context.Background()
	print, err := h.st.SessionPrint(ctx, h.ids["boris"])
	h.check(err)
	good := s.sign(h.ids["boris"], h.now, print)
	code := func(value string) int {
		b := h.browser()
		b.header.Set("Cookie", "intouch="+value)
		return b.get("/").code
	}
	if code(good) != http.StatusOK {
		t.Fatal("a good session is refused")
	}
	if code(s.sign(h.ids["boris"], h.now.Add(10*time.Minute), print)) != http.StatusOK {
		t.Error("a session is refused that a daemon gave whose clock is ahead")
	}
	parts := strings.Split(good, ".")
	other := sessions{st: h.st, key: keyFor([]byte("another secret"), "session")}
	flipped := []byte(good)
	flipped[len(flipped)-5] ^= 1
	for name, value := range map[string]string{
		"another manager":    strings.Join([]string{parts[0], "1", parts[2], parts[3]}, "."),
		"a later time":       strings.Join([]string{parts[0], parts[1], "1795424401", parts[3]}, "."),
		"another version":    "2." + strings.Join(parts[1:], "."),
		"no signature":       strings.Join(parts[:3], ".") + ".",
		"a flipped bit":      string(flipped),
		"another secret":     other.sign(h.ids["boris"], h.now, print),
		"another password":   s.sign(h.ids["boris"], h.now, "old"),
		"a week old":         s.sign(h.ids["boris"], h.now.Add(-sessionLife), print),
		"of tomorrow":        s.sign(h.ids["boris"], h.now.Add(24*time.Hour), print),
		"nobody":             s.sign(999, h.now, print),
		"nonsense":           "x",
		"a very long cookie": strings.Repeat("1.", 2000),
	} {
		if got := code(value); got != http.StatusSeeOther {
			t.Errorf("%s: %d", name, got)
		}
	}

	b := h.login("boris")
	h.now = h.now.Add(sessionRenew + time.Hour)
	if a := b.get("/"); a.code != http.StatusOK || a.header.Get("Set-Cookie") == "" {
		t.Errorf("a day later: %d, cookie %q", a.code, a.header.Get("Set-Cookie"))
	}
	if a := b.get("/"); a.header.Get("Set-Cookie") != "" {
		t.Error("issued again although fresh")
	}
	h.check(h.st.SetPassword(ctx, h.ids["boris"], "quite another one"))
	if a := b.get("/"); a.code != http.StatusSeeOther {
		t.Errorf("after a new password: %d", a.code)
	}
}

func TestCSRF_Refused(t *testing.T) {
	h := newHouse(t, Options{PublicURL: "http://crm.vector.test"})
	b := h.login("anna")
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://other.vector.test"}},
		{"Sec-Fetch-Site": {""}, "Origin": {"https://evil.test"}},
	} {
		b.header = header
		for _, path := range []string{"/login", "/logout", "/contacts", "/contacts/1", "/deals/1/events/1"} {
			a := b.post(path, url.Values{"do": {"done"}})
			if a.code != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%v %s: %d", header, path, a.code)
			}
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {""}, "Origin": {"http://crm.vector.test"}} // behind a proxy that changes Host
	if a := b.post("/logout", url.Values{}); a.code != http.StatusSeeOther {
		t.Errorf("our own public address: %d", a.code)
	}
}
