// Package autoconfig finds the mail servers of an address: what its domain
// publishes for mail programs as Mozilla's autoconfig (config-v1.1.xml, in
// draft-ietf-mailmaint-autoconfig), what Thunderbird's database knows of the
// domain or of the provider that takes its mail, and SRV records (RFC 6186,
// RFC 8314). Only servers with TLS count. Everything is bounded: answers in
// size, each question and all of them in time.
package autoconfig

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

const (
	questionTime = 5 * time.Second
	searchTime   = 20 * time.Second
	maxAnswer    = 256 << 10 // bytes of an XML file
	maxRedirects = 3
)

// Settings are the servers of an address.
type Settings struct {
	IMAP *Server // never nil
	SMTP *Server // nil: none was named
	// Source says to people where this stands, like "https://autoconfig.vector.test".
	Source string
	// Sure is false where anybody on the way may have written it: DNS without
	// a signature led to servers outside of the address's own domain. Whoever is
	// asked to send a password there should see it first (RFC 6186 section 6).
	Sure bool
}

// Server is one mail server.
type Server struct {
	Host     string // ASCII
	Port     int
	StartTLS bool   // TLS by STARTTLS instead of from the first byte
	Username string // for the login
	OAuth    bool   // it takes no password, only OAuth 2.0
}

// ErrNotFound says that nobody publishes the servers of an address.
var ErrNotFound = errors.New("no mail server is published for this address")

// Finder asks. The zero value asks the network.
type Finder struct {
	Resolver *net.Resolver     // nil is the system's
	HTTP     http.RoundTripper // nil is http.DefaultTransport
}

// Find gives the first answer in this order: the domain's own autoconfig,
// its SRV records, Thunderbird's database for the domain, and the same for the
// provider behind its MX record. Thunderbird's database is told the domain,
// the domain itself the whole address, as mail programs do. ErrNotFound when
// there is none, or when the network does not answer in 20 seconds.
func (f *Finder) Find(ctx context.Context, address string) (*Settings, error) {
	local, domain, ok := strings.Cut(address, "@")
	ascii, err := idna.Lookup.ToASCII(domain)
	if !ok || local == "" || err != nil || ascii == "" {
		return nil, fmt.Errorf("%q is not an e-mail address", address)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	who := holder{address: address, local: local, domain: domain}

	own := []string{
		"https://autoconfig." + ascii + "/mail/config-v1.1.xml?emailaddress=" + url.QueryEscape(address),
		"https://" + ascii + "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=" + url.QueryEscape(address),
	}
	for _, u := range own {
		if s := f.file(ctx, u, who); s != nil {
			s.Sure = true // by the domain's certificate
			return s, nil
		}
	}
	if s := f.records(ctx, ascii, address); s != nil {
		return s, nil
	}
	if s := f.file(ctx, database+ascii, who); s != nil {
		s.Sure = true
		return s, nil
	}
	if provider := f.provider(ctx, ascii); provider != "" && provider != ascii {
		for _, u := range []string{"https://autoconfig." + provider + "/mail/config-v1.1.xml", database + provider} {
			if s := f.file(ctx, u, who); s != nil {
				s.Source += ", by the MX record of " + domain
				return s, nil
			}
		}
	}
	return nil, ErrNotFound
}

// database is Thunderbird's, of the large providers.
const database = "https://autoconfig.thunderbird.net/v1.1/"

// provider is the registered domain of the host that takes a domain's mail.
func (f *Finder) provider(ctx context.Context, domain string) string {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	hosts, err := f.resolver().LookupMX(ctx, domain)
	if err != nil || len(hosts) == 0 {
		return ""
	}
	name, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(strings.TrimSuffix(hosts[0].Host, ".")))
	if err != nil {
		return ""
	}
	return name
}

func (f *Finder) resolver() *net.Resolver {
	if f.Resolver != nil {
		return f.Resolver
	}
	return net.DefaultResolver
}

// records reads the SRV records of a domain; nil where no IMAP is in them.
func (f *Finder) records(ctx context.Context, domain, address string) *Settings {
	s := &Settings{
		IMAP:   f.record(ctx, domain, "imaps", "imap"),
		SMTP:   f.record(ctx, domain, "submissions", "submission"),
		Source: "SRV records of " + domain,
		Sure:   true,
	}
	if s.IMAP == nil {
		return nil
	}
	for _, one := range []*Server{s.IMAP, s.SMTP} {
		if one == nil {
			continue
		}
		one.Username = address // RFC 6186 section 4: first the whole one
		if one.Host != domain && !strings.HasSuffix(one.Host, "."+domain) {
			s.Sure = false
		}
	}
	return s
}

// record gives the server of a service with TLS from the first byte, else of
// the one with STARTTLS.
func (f *Finder) record(ctx context.Context, domain, tls, startTLS string) *Server {
	for _, service := range []string{tls, startTLS} {
		ctx, cancel := context.WithTimeout(ctx, questionTime)
		_, all, err := f.resolver().LookupSRV(ctx, service, "tcp", domain)
		cancel()
		if err != nil {
			continue
		}
		for _, r := range all { // by priority and weight
			host := hostname(r.Target)
			if host == "" || r.Port == 0 { // "." says that there is no such service
				continue
			}
			return &Server{Host: host, Port: int(r.Port), StartTLS: service == startTLS}
		}
	}
	return nil
}

// holder is whose settings are read.
type holder struct{ address, local, domain string }

// file reads a configuration file; nil where there is none with IMAP over TLS.
func (f *Finder) file(ctx context.Context, address string, who holder) *Settings {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil
	}
	client := &http.Client{Transport: f.HTTP, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Scheme != "https" || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	answer, err := client.Do(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil || len(text) > maxAnswer {
		return nil
	}
	s := parse(text, who)
	if s != nil {
		s.Source = r.URL.Scheme + "://" + r.URL.Host
	}
	return s
}

// parse reads config-v1.1.xml: of each kind the first server that has TLS.
func parse(text []byte, who holder) *Settings {
	var file struct {
		Provider struct {
			Incoming []server `xml:"incomingServer"`
			Outgoing []server `xml:"outgoingServer"`
		} `xml:"emailProvider"`
	}
	if err := xml.Unmarshal(text, &file); err != nil {
		return nil
	}
	s := &Settings{
		IMAP: first(file.Provider.Incoming, "imap", who),
		SMTP: first(file.Provider.Outgoing, "smtp", who),
	}
	if s.IMAP == nil {
		return nil
	}
	return s
}

// server is incomingServer and outgoingServer of the file.
type server struct {
	Type           string   `xml:"type,attr"`
	Hostname       string   `xml:"hostname"`
	Port           string   `xml:"port"`
	SocketType     string   `xml:"socketType"`
	Username       string   `xml:"username"`
	Authentication []string `xml:"authentication"`
}

func first(all []server, kind string, who holder) *Server {
	fill := strings.NewReplacer("%EMAILADDRESS%", who.address, "%EMAILLOCALPART%", who.local, "%EMAILDOMAIN%", who.domain)
	for _, one := range all {
		host := hostname(fill.Replace(strings.TrimSpace(one.Hostname)))
		port, err := strconv.Atoi(strings.TrimSpace(one.Port))
		security := strings.ToUpper(strings.TrimSpace(one.SocketType))
		if one.Type != kind || host == "" || err != nil || port < 1 || port > 65535 || security != "SSL" && security != "STARTTLS" {
			continue
		}
		username := fill.Replace(strings.TrimSpace(one.Username))
		if username == "" {
			username = who.address
		}
		return &Server{
			Host: host, Port: port, StartTLS: security == "STARTTLS", Username: username,
			OAuth: slices.Contains(one.Authentication, "OAuth2") && !slices.ContainsFunc(one.Authentication, func(a string) bool { return strings.HasPrefix(a, "password-") }),
		}
	}
	return nil
}

// hostname is a host's name in ASCII without a dot at the end, "" for what is
// none.
func hostname(name string) string {
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSuffix(name, ".")))
	if err != nil || !strings.Contains(ascii, ".") || net.ParseIP(ascii) != nil {
		return ""
	}
	return ascii
}
