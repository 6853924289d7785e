package autoconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// network is the world of a test: names that have a site, and DNS records.
type network struct {
	files map[string]string // host and path → config-v1.1.xml
	srv   map[string]dnsmessage.SRVResource
	mx    map[string]string
}

// finder asks nobody but the servers of a test, on loopback.
func (n *network) finder(t *testing.T) *Finder {
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := n.files[r.Host+r.URL.Path]
		switch to, moved := strings.CutPrefix(text, "redirect:"); {
		case moved:
			http.Redirect(w, r, to, http.StatusFound)
		case ok:
			w.Write([]byte(text))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(site.Close)
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	go n.serveDNS(dns)
	dialer := &net.Dialer{}
	return &Finder{
		Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "udp", dns.LocalAddr().String())
		}},
		HTTP: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", site.Listener.Addr().String())
			},
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // every name is this server
		},
	}
}

func (n *network) serveDNS(conn net.PacketConn) {
	b := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		name := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
		m.Response, m.RecursionAvailable, m.RCode, m.Additionals = true, true, dnsmessage.RCodeNameError, nil
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}
		if r, ok := n.srv[name]; ok && q.Type == dnsmessage.TypeSRV {
			m.RCode, m.Answers = dnsmessage.RCodeSuccess, []dnsmessage.Resource{{Header: header, Body: &r}}
		}
		if host, ok := n.mx[name]; ok && q.Type == dnsmessage.TypeMX {
			m.RCode, m.Answers = dnsmessage.RCodeSuccess, []dnsmessage.Resource{{Header: header, Body: &dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName(host + ".")}}}
		}
		out, err := m.Pack()
		if err == nil {
			conn.WriteTo(out, from)
		}
	}
}

// file is a config-v1.1.xml as providers write it, with servers in between.
func file(servers string) string {
	return `<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="vector.test"><domain>vector.test</domain>` + servers + `</emailProvider></clientConfig>`
}

const (
	pop3      = `<incomingServer type="pop3"><hostname>pop.vector.test</hostname><port>995</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer>`
	plainIMAP = `<incomingServer type="imap"><hostname>old.vector.test</hostname><port>143</port><socketType>plain</socketType></incomingServer>`
	imaps     = `<incomingServer type="imap"><hostname> imap.%EMAILDOMAIN% </hostname><port>993</port><socketType>SSL</socketType><authentication>OAuth2</authentication><authentication>password-cleartext</authentication><username>%EMAILLOCALPART%</username></incomingServer>`
	smtp      = `<outgoingServer type="smtp"><hostname>smtp.vector.test</hostname><port>587</port><socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></outgoingServer>`
	oauthOnly = `<incomingServer type="imap"><hostname>imap.big.test</hostname><port>993</port><socketType>SSL</socketType><authentication>OAuth2</authentication><username>%EMAILADDRESS%</username></incomingServer>`
)

func TestFind(t *testing.T) {
	target := func(host string, port uint16) dnsmessage.SRVResource {
		return dnsmessage.SRVResource{Priority: 1, Port: port, Target: dnsmessage.MustNewName(host)}
	}
	own := &Settings{
		IMAP:   &Server{Host: "imap.vector.test", Port: 993, Username: "anna"},
		SMTP:   &Server{Host: "smtp.vector.test", Port: 587, StartTLS: true, Username: "anna@vector.test"},
		Source: "https://autoconfig.vector.test", Sure: true,
	}
	wellKnown := *own
	wellKnown.Source = "https://vector.test"
	for name, c := range map[string]struct {
		network
		want *Settings
	}{
		"the domain's own": {
			network{files: map[string]string{"autoconfig.vector.test/mail/config-v1.1.xml": file(pop3 + plainIMAP + imaps + smtp)}}, own},
		"well-known, after a redirect": {
			network{files: map[string]string{
				"vector.test/.well-known/autoconfig/mail/config-v1.1.xml": "redirect:https://www.vector.test/mail.xml",
				"www.vector.test/mail.xml":                                file(imaps + smtp)}}, &wellKnown},
		"a redirect to plain HTTP": {
			network{files: map[string]string{
				"vector.test/.well-known/autoconfig/mail/config-v1.1.xml": "redirect:http://www.vector.test/mail.xml",
				"www.vector.test/mail.xml":                                file(imaps)}}, nil},
		"only without TLS": {
			network{files: map[string]string{"autoconfig.vector.test/mail/config-v1.1.xml": file(pop3 + plainIMAP)}}, nil},
		"no XML, then SRV": {
			network{
				files: map[string]string{"autoconfig.vector.test/mail/config-v1.1.xml": "<html>Welcome"},
				srv:   map[string]dnsmessage.SRVResource{"_imaps._tcp.vector.test": target("mail.vector.test.", 993), "_submissions._tcp.vector.test": target("mail.vector.test.", 465)}},
			&Settings{
				IMAP:   &Server{Host: "mail.vector.test", Port: 993, Username: "anna@vector.test"},
				SMTP:   &Server{Host: "mail.vector.test", Port: 465, Username: "anna@vector.test"},
				Source: "SRV records of vector.test", Sure: true}},
		"SRV to another domain, STARTTLS": {
			network{srv: map[string]dnsmessage.SRVResource{"_imaps._tcp.vector.test": target(".", 0), "_imap._tcp.vector.test": target("imap.elsewhere.test.", 143)}},
			&Settings{IMAP: &Server{Host: "imap.elsewhere.test", Port: 143, StartTLS: true, Username: "anna@vector.test"}, Source: "SRV records of vector.test"}},
		"the provider behind MX": {
			network{
				mx:    map[string]string{"vector.test": "mx1.mail.big.test"},
				files: map[string]string{"autoconfig.thunderbird.net/v1.1/big.test": file(oauthOnly)}},
			&Settings{IMAP: &Server{Host: "imap.big.test", Port: 993, Username: "anna@vector.test", OAuth: true}, Source: "https://autoconfig.thunderbird.net, by the MX record of vector.test"}},
		"too long": {
			network{files: map[string]string{"autoconfig.vector.test/mail/config-v1.1.xml": file(imaps + strings.Repeat(" ", maxAnswer))}}, nil},
		"a host that is none": {
			network{files: map[string]string{"autoconfig.vector.test/mail/config-v1.1.xml": file(strings.Replace(imaps, "imap.%EMAILDOMAIN%", "127.0.0.1", 1))}}, nil},
		"nothing": {network{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.finder(t).Find(context.Background(), "anna@vector.test")
			if c.want == nil {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestFind_silence: a site that takes connections and says nothing holds up
// the search for its time only.
func TestFind_silence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f := (&network{}).finder(t)
	f.HTTP.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", silent.Addr().String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := f.Find(ctx, "anna@vector.test"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if took := time.Since(started); took > questionTime {
		t.Errorf("it took %s", took)
	}
}

func TestFind_noAddress(t *testing.T) {
	for _, a := range []string{"", "anna", "@vector.test", "anna@", "anna@-.test"} {
		if _, err := (&network{}).finder(t).Find(context.Background(), a); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", a, err)
		}
	}
}
