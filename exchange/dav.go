package exchange

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// The WebDAV that a CardDAV client needs: PROPFIND and REPORT, whose answers
// are read element by element.
//
// Not go-webdav's client, which leaves the host out of every address that a
// server names (iCloud's books are on another one than its door), asks for all
// cards whole where it only wants to know which have changed, holds an answer
// of any size in memory, fails for a whole answer where one card is broken,
// and knows neither sync-token nor getctag as properties.

const (
	davTimeout   = 2 * time.Minute // of one request with its answer
	maxRedirects = 5
	maxListing   = 64 << 20 // bytes of an answer that lists a book: 100,000 cards have some 40 MB
	maxCardBatch = 16 << 20 // bytes of an answer with cards
)

// CardServer is a server of address books and how to log in to it.
type CardServer struct {
	URL      string // of the server, of a principal, or of one book
	Username string
	Password func() (string, error) // asked once for a connection
	// Transport carries requests; nil: TLS as the system trusts it.
	Transport http.RoundTripper
}

// CheckCardServer reports what is wrong with the address of a server: TLS is
// required, except on the machine itself, and a login has no place in it.
func CheckCardServer(address string) error {
	_, err := parseCardServer(address)
	return err
}

func parseCardServer(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it is not an address like https://cards.vector.test/") // not its text: it may hold a password
	case u.User != nil:
		return nil, errors.New("it must not hold a login: that is given apart from it")
	}
	return u, secure(u)
}

// secure refuses addresses that would send a password in the clear.
func secure(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && onLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("it must begin with https://; http:// is only for the machine itself: the password would cross the network in the clear")
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// sameSite reports whether the owner of one host may be told the password for
// the other: it is the same, or a neighbour below a domain that somebody
// registered.
func sameSite(a, b *url.URL) bool {
	if a.Host == b.Host {
		return true
	}
	one, err := publicsuffix.EffectiveTLDPlusOne(a.Hostname())
	other, err2 := publicsuffix.EffectiveTLDPlusOne(b.Hostname())
	return err == nil && err2 == nil && one == other && net.ParseIP(a.Hostname()) == nil
}

// dav is a login at a server.
type dav struct {
	http               *http.Client
	start              *url.URL
	username, password string
}

// open reads the password. Nothing is sent yet.
func (s *CardServer) open() (*dav, error) {
	start, err := parseCardServer(s.URL)
	if err != nil {
		return nil, err
	}
	password, err := s.Password()
	if err != nil {
		return nil, err
	}
	transport := s.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &dav{
		http: &http.Client{
			Transport: transport, Timeout: davTimeout,
			// Followed by send: the library would make a GET of a PROPFIND.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		start: start, username: s.Username, password: password,
	}, nil
}

// davError is an answer that is no success.
type davError struct {
	method, path string
	status       int
}

func (e *davError) Error() string {
	switch e.status {
	case http.StatusUnauthorized:
		return "the server does not accept this user name and password"
	case http.StatusForbidden:
		return fmt.Sprintf("%s is not allowed to this user (403)", e.path)
	case http.StatusNotFound:
		return fmt.Sprintf("the server has no %s (404)", e.path)
	}
	return fmt.Sprintf("the server answered %s %s with %d %s", e.method, e.path, e.status, http.StatusText(e.status))
}

// statusOf is the status of an answer that was none of success, else 0.
func statusOf(err error) int {
	var e *davError
	if errors.As(err, &e) {
		return e.status
	}
	return 0
}

var errLargeAnswer = errors.New("the server's answer is too large")

// resolve is the address that a server names in an answer to a request for
// base.
func resolve(base *url.URL, href string) (*url.URL, error) {
	u, err := base.Parse(strings.TrimSpace(href))
	if err != nil || len(href) > 2000 {
		return nil, fmt.Errorf("the server names an address that is none: %q", short(href))
	}
	if err := secure(u); err != nil || !sameSite(base, u) {
		return nil, fmt.Errorf("the server points to %s://%s, which is not to be told the password", u.Scheme, u.Host)
	}
	return u, nil
}

// send makes a request, follows redirects of the same site, and gives an
// answer of success with the address that gave it.
func (d *dav) send(ctx context.Context, method string, at *url.URL, depth, body string) (*http.Response, *url.URL, error) {
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
		if err != nil {
			return nil, nil, err
		}
		req.SetBasicAuth(d.username, d.password)
		req.Header.Set("User-Agent", "intouchd")
		req.Header.Set("Content-Type", "application/xml; charset=utf-8")
		req.Header.Set("Depth", depth)
		res, err := d.http.Do(req)
		if err != nil {
			return nil, nil, err
		}
		if res.StatusCode/100 == 2 {
			return res, at, nil
		}
		io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
		res.Body.Close()
		to := res.Header.Get("Location")
		if res.StatusCode/100 != 3 || to == "" {
			return nil, nil, &davError{method, at.Path, res.StatusCode}
		}
		if at, err = resolve(at, to); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("the server sends from one address to the next more than %d times", maxRedirects)
}

// davResponse is one element of a multistatus answer.
type davResponse struct {
	Href     string `xml:"DAV: href"`
	Status   string `xml:"DAV: status"` // of the whole; "" where each property has its own
	Propstat []struct {
		Status string  `xml:"DAV: status"`
		Prop   davProp `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// davProp are the properties that are asked for.
type davProp struct {
	Type struct {
		Book       *struct{} `xml:"urn:ietf:params:xml:ns:carddav addressbook"`
		Collection *struct{} `xml:"DAV: collection"`
	} `xml:"DAV: resourcetype"`
	Name      string `xml:"DAV: displayname"`
	Principal struct {
		Href string `xml:"DAV: href"`
	} `xml:"DAV: current-user-principal"`
	Homes struct {
		Hrefs []string `xml:"DAV: href"`
	} `xml:"urn:ietf:params:xml:ns:carddav addressbook-home-set"`
	ETag      string `xml:"DAV: getetag"`
	SyncToken string `xml:"DAV: sync-token"`
	CTag      string `xml:"http://calendarserver.org/ns/ getctag"`
	Card      string `xml:"urn:ietf:params:xml:ns:carddav address-data"`
}

// prop are the properties that there are.
func (r *davResponse) prop() davProp {
	for _, p := range r.Propstat {
		if p.Status == "" || strings.Contains(p.Status, " 200") {
			return p.Prop
		}
	}
	return davProp{}
}

// is reports whether the response as a whole has that status, like " 404 ".
func (r *davResponse) is(status string) bool { return strings.Contains(r.Status+" ", status) }

// multistatus makes a request and hands on each response of its answer, of at
// most that many bytes, with the address that gave it. token is the
// sync-token of a sync-collection.
func (d *dav) multistatus(ctx context.Context, method string, at *url.URL, depth, body string, most int64, each func(at *url.URL, r *davResponse) error) (token string, err error) {
	res, at, err := d.send(ctx, method, at, depth, `<?xml version="1.0" encoding="utf-8"?>`+body)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMultiStatus {
		return "", &davError{method, at.Path, res.StatusCode}
	}
	limited := &io.LimitedReader{R: res.Body, N: most + 1}
	decoder := xml.NewDecoder(limited)
	fail := func(err error) error {
		if limited.N <= 0 {
			return errLargeAnswer
		}
		return fmt.Errorf("the server's answer to %s %s cannot be read: %w", method, at.Path, err)
	}
	for root := true; ; {
		part, err := decoder.Token()
		if errors.Is(err, io.EOF) && !root {
			return token, nil
		}
		if err != nil {
			return token, fail(err)
		}
		start, ok := part.(xml.StartElement)
		switch {
		case !ok:
		case root:
			if start.Name != (xml.Name{Space: "DAV:", Local: "multistatus"}) {
				return token, fail(fmt.Errorf("it is <%s>, not a multistatus", short(start.Name.Local)))
			}
			root = false
		case start.Name == xml.Name{Space: "DAV:", Local: "response"}:
			var r davResponse
			if err := decoder.DecodeElement(&r, &start); err != nil {
				return token, fail(err)
			}
			if err := each(at, &r); err != nil {
				return token, err
			}
		case start.Name == xml.Name{Space: "DAV:", Local: "sync-token"}:
			if err := decoder.DecodeElement(&token, &start); err != nil {
				return token, fail(err)
			}
		default:
			if err := decoder.Skip(); err != nil {
				return token, fail(err)
			}
		}
	}
}

// propfind asks for properties, elements with the prefixes D, C and S.
func (d *dav) propfind(ctx context.Context, at *url.URL, depth, props string, each func(at *url.URL, r *davResponse) error) error {
	_, err := d.multistatus(ctx, "PROPFIND", at, depth, `<D:propfind `+davSpaces+`><D:prop>`+props+`</D:prop></D:propfind>`, maxListing, each)
	return err
}

const davSpaces = `xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:S="http://calendarserver.org/ns/"`
