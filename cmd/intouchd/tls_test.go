package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// selfSigned writes a certificate for localhost with that serial number.
func selfSigned(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if file == "" {
			continue
		}
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(certFile, time.Now(), time.Now().Add(time.Duration(serial)*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// TestTLS_Files serves from files: nothing older than TLS 1.2 or without forward
// secrecy, a renewed certificate without a restart, the old one while a renewal
// is half done, and with the promise that browsers keep to.
func TestTLS_Files(t *testing.T) {
	every := certificateCheck
	certificateCheck = 0
	t.Cleanup(func() { certificateCheck = every })
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, cert, key, 1)
	a := wired(t, fmt.Sprintf("[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://localhost\"\n[server.tls]\nmode = \"files\"\ncert_file = %q\nkey_file = %q\n", cert, key))
	go a.server.ServeTLS(a.listener, "", "")
	t.Cleanup(func() { a.server.Close() })
	addr := a.listener.Addr().String()
	dial := func(c *tls.Config) (*tls.Conn, error) {
		c.InsecureSkipVerify, c.ServerName = true, "localhost" // which one it is, is what is asked here
		return tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, c)
	}
	serial := func() int64 {
		t.Helper()
		c, err := dial(&tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}

	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	for name, old := range map[string]*tls.Config{
		"TLS 1.1":            {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"no forward secrecy": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		"RC4 and 3DES":       {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		if c, err := dial(old); err == nil {
			c.Close()
			t.Errorf("%s is spoken", name)
		}
	}
	for _, good := range []*tls.Config{{MinVersion: tls.VersionTLS13}, {MaxVersion: tls.VersionTLS12}} {
		c, err := dial(good)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}

	selfSigned(t, cert, "", 2) // its key is still to come
	if got := serial(); got != 1 {
		t.Errorf("half renewed: certificate %d", got)
	}
	selfSigned(t, cert, key, 3)
	if got := serial(); got != 3 {
		t.Errorf("renewed: certificate %d", got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Errorf("taken away: certificate %d", got)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	w, err := client.Get("https://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	if got := w.Header.Get("Strict-Transport-Security"); got != onlyTLS {
		t.Errorf("promise %q", got)
	}
}
