package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// authority is a small ACME server (RFC 8555) that issues for one host, once it
// has seen the answer to its tls-alpn-01 challenge (RFC 8737). It takes the
// signatures of requests on trust.
type authority struct {
	*httptest.Server
	t      *testing.T
	host   string
	target atomic.Value // address of the listener that answers for the host
	key    *ecdsa.PrivateKey
	root   *x509.Certificate

	account *ecdsa.PublicKey
	passed  bool
	issued  []byte // DER
	orders  int
}

func newAuthority(t *testing.T, host string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, host: host, key: key}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve)) // one request at a time: autocert waits for each
	t.Cleanup(a.Close)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	var body, protected struct {
		Protected, Payload string
		JWK                struct{ X, Y string }
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	payload, _ := base64.RawURLEncoding.DecodeString(body.Payload)
	head, _ := base64.RawURLEncoding.DecodeString(body.Protected)
	_ = json.Unmarshal(head, &protected)
	w.Header().Set("Replay-Nonce", rand.Text())
	say := func(code int, at string, v any) {
		if at != "" {
			w.Header().Set("Location", a.URL+at)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	state := "pending"
	if a.passed {
		state = "ready"
	}
	challenge := map[string]any{"type": "tls-alpn-01", "url": a.URL + "/challenge", "token": "the-token", "status": map[bool]string{true: "valid", false: "pending"}[a.passed]}
	order := func(state string) map[string]any {
		return map[string]any{"status": state, "identifiers": []any{map[string]string{"type": "dns", "value": a.host}}, "authorizations": []string{a.URL + "/authorization"}, "finalize": a.URL + "/finalize", "certificate": a.URL + "/certificate"}
	}
	switch r.URL.Path {
	case "/directory":
		say(200, "", map[string]string{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/order", "revokeCert": a.URL + "/revoke", "keyChange": a.URL + "/key"})
	case "/nonce":
	case "/account":
		x, _ := base64.RawURLEncoding.DecodeString(protected.JWK.X)
		y, _ := base64.RawURLEncoding.DecodeString(protected.JWK.Y)
		var err error
		if a.account, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)); err != nil {
			a.t.Error(err)
		}
		say(201, "/account/1", map[string]string{"status": "valid"})
	case "/order":
		a.orders++
		say(201, "/order/1", order(state))
	case "/order/1":
		if a.issued != nil {
			state = "valid"
		}
		say(200, "", order(state))
	case "/authorization":
		say(200, "", map[string]any{"status": challenge["status"], "identifier": map[string]string{"type": "dns", "value": a.host}, "challenges": []any{challenge}})
	case "/challenge":
		a.passed = a.answered()
		say(200, "", challenge)
	case "/finalize":
		var asked struct{ CSR string }
		_ = json.Unmarshal(payload, &asked)
		der, _ := base64.RawURLEncoding.DecodeString(asked.CSR)
		csr, err := x509.ParseCertificateRequest(der)
		if err != nil || !a.passed {
			say(400, "", map[string]string{"detail": "no"})
			return
		}
		of := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if a.issued, err = x509.CreateCertificate(rand.Reader, of, a.root, csr.PublicKey, a.key); err != nil {
			a.t.Error(err)
		}
		say(200, "/order/1", order("valid"))
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		for _, der := range [][]byte{a.issued, a.root.Raw} {
			_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
	default:
		a.t.Errorf("asked for %s", r.URL.Path)
		say(404, "", nil)
	}
}

// answered asks the host's listener for the proof, as RFC 8737 section 3 says.
func (a *authority) answered() bool {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", a.target.Load().(string), &tls.Config{ServerName: a.host, NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true})
	if err != nil {
		a.t.Errorf("challenge: %v", err)
		return false
	}
	defer c.Close()
	thumb, err := acme.JWKThumbprint(a.account)
	if err != nil {
		a.t.Error(err)
		return false
	}
	sum := sha256.Sum256([]byte("the-token." + thumb))
	want, _ := asn1.Marshal(sum[:])
	for _, e := range c.ConnectionState().PeerCertificates[0].Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) {
			return bytes.Equal(e.Value, want)
		}
	}
	a.t.Error("the challenge's certificate holds no proof")
	return false
}

// TestTLS_ACME gets a certificate by ACME on the port that serves, for the hosts
// of the settings alone, and keeps it over a restart where nobody else reads it.
func TestTLS_ACME(t *testing.T) {
	const host = "crm.vector.test"
	ca := newAuthority(t, host)
	state := t.TempDir()
	cfg, err := LoadConfig(settings(t, fmt.Sprintf("state_dir = %q\n[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://%s\"\n[server.tls]\nmode = \"acme\"\nemail = \"admin@vector.test\"\ndirectory = \"%s/directory\"\n", state, host, ca.URL)))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.root)
	for start := range 2 {
		a, err := newApp(t.Context(), cfg, discard())
		if err != nil {
			t.Fatal(err)
		}
		ca.target.Store(a.listener.Addr().String())
		go a.server.ServeTLS(a.listener, "", "")
		dial := func(name string) error {
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", a.listener.Addr().String(), &tls.Config{ServerName: name, RootCAs: roots})
			if err == nil {
				c.Close()
			}
			return err
		}
		if err := dial(host); err != nil {
			t.Errorf("start %d: %v", start+1, err)
		}
		if err := dial("evil.test"); err == nil {
			t.Error("a certificate for whoever asks")
		}
		a.server.Close()
		a.stop()
	}
	if ca.orders != 1 {
		t.Errorf("%d certificates were asked for", ca.orders)
	}
	kept := 0
	err = filepath.WalkDir(filepath.Join(state, "acme"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", name, info.Mode())
		}
		kept++
		return err
	})
	if err != nil || kept < 2 {
		t.Errorf("%d files kept, %v", kept, err)
	}
}
