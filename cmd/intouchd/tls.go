package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// filesTLS serves the certificate of two files, and takes a renewed one
// without a restart.
func filesTLS(t TLS) *tls.Config {
	var mu sync.Mutex
	var cert *tls.Certificate
	var changed time.Time
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			info, err := os.Stat(t.CertFile)
			if err == nil && cert != nil && info.ModTime().Equal(changed) {
				return cert, nil
			}
			pair, loadErr := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil || loadErr != nil {
				if cert != nil {
					return cert, nil // half renewed: the old one still serves
				}
				return nil, fmt.Errorf("load the certificate: %w", loadErr)
			}
			cert, changed = &pair, info.ModTime()
			return cert, nil
		},
	}
}

// acmeTLS asks Let's Encrypt for certificates of the hosts, by the
// tls-alpn-01 challenge on the same port.
func acmeTLS(t TLS, stateDir string) *tls.Config {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(filepath.Join(stateDir, "acme")),
		HostPolicy: autocert.HostWhitelist(t.Hosts...),
		Email:      t.Email,
	}
	c := m.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	return c
}
