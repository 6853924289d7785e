package main

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// certificate is the one of two files, as it is served.
type certificate struct {
	log *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the file when it was read
	looked  time.Time
	said    string // of what is wrong with it
}

// certificateCheck is how often the files are looked at, whoever connects; tests
// set it.
var certificateCheck = 10 * time.Second

// filesTLS serves the certificate of two files, and takes a renewed one
// without a restart.
func (c *certificate) filesTLS(t TLS) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(t, time.Now()) },
	}
}

// current reads the files where they have changed. What is wrong with them is
// told once; one that is half renewed or has ended is served on, since programs
// that check it say so to people better than a broken connection.
func (c *certificate) current(t TLS, now time.Time) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && now.Sub(c.looked).Abs() < certificateCheck {
		return c.pair, nil
	}
	c.looked = now
	info, err := os.Stat(t.CertFile)
	if err == nil && (c.pair == nil || !info.ModTime().Equal(c.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err == nil {
			c.pair, c.changed = &pair, info.ModTime()
		}
	}
	wrong := ""
	if err != nil {
		wrong = "load the certificate: " + err.Error()
	} else if now.After(c.pair.Leaf.NotAfter) {
		wrong = "the certificate ended at " + c.pair.Leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	if wrong != c.said {
		if c.said = wrong; wrong != "" {
			c.log.Error("the certificate that is served is not in order", "cert_file", t.CertFile, "err", wrong)
		} else {
			c.log.Info("the certificate that is served is in order again", "cert_file", t.CertFile, "ends", c.pair.Leaf.NotAfter.UTC())
		}
	}
	if c.pair == nil {
		return nil, errors.New(wrong)
	}
	return c.pair, nil
}

// ends tells when the certificate ends that was served last; zero before any.
func (c *certificate) ends() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil {
		return time.Time{}
	}
	return c.pair.Leaf.NotAfter
}

// acmeTLS asks Let's Encrypt, or another authority that speaks ACME (RFC 8555),
// for certificates of the hosts, by the tls-alpn-01 challenge (RFC 8737) on the
// same port.
func acmeTLS(t TLS, stateDir string) *tls.Config {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(filepath.Join(stateDir, "acme")),
		HostPolicy: autocert.HostWhitelist(t.Hosts...),
		Email:      t.Email,
		Client:     &acme.Client{DirectoryURL: t.Directory, UserAgent: "intouchd/" + version},
	}
	c := m.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	return c
}
