package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
)

// TestCertificate: what has ended or is half renewed is served on and told once;
// a renewed one is taken without a restart.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	files := TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	// renew writes a certificate of a day, its file changed at a moment.
	renew := func(changed time.Time) {
		t.Helper()
		pair, _ := mailtest.SelfSigned(t)
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: key}} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, changed, changed); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	c := &certificate{log: newLog(Log{}, &out)}
	now := time.Now()
	if _, err := c.current(files, now); err == nil || !c.ends().IsZero() {
		t.Error("served without a file")
	}
	renew(now)
	said := func(at time.Time) string {
		t.Helper()
		out.Reset()
		for i := range 100 {
			if _, err := c.current(files, at.Add(time.Duration(i)*certificateCheck)); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	if got := said(now.Add(time.Minute)); strings.Count(got, "\n") != 1 || !strings.Contains(got, "is in order again") || !c.ends().After(now) {
		t.Errorf("when it came: %s", got)
	}
	first, err := c.current(files, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := said(now.Add(48 * time.Hour)); strings.Count(got, "\n") != 1 || !strings.Contains(got, "the certificate ended at "+c.ends().UTC().Format(time.RFC3339)) {
		t.Errorf("when it has ended: %s", got)
	}
	renew(now.Add(time.Second))
	if got := said(now.Add(2 * time.Hour)); strings.Count(got, "\n") != 1 || !strings.Contains(got, "is in order again") {
		t.Errorf("when it is renewed: %s", got)
	}
	second, err := c.current(files, now.Add(3*time.Hour))
	if err != nil || bytes.Equal(first.Certificate[0], second.Certificate[0]) {
		t.Errorf("the renewed one is not served: %v", err)
	}
	if err := os.WriteFile(files.CertFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said(now.Add(4 * time.Hour)); strings.Count(got, "\n") != 1 || !strings.Contains(got, "load the certificate") {
		t.Errorf("when it is half written: %s", got)
	}
}
