package mailer

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/mailer/smtptest"
)

// Postfix from Debian takes, defers and refuses our mails over one connection,
// with TLS and without, and tells its limit of size.
func TestInterop_Postfix(t *testing.T) {
	cert, client := certificate()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "intouch-cert-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)); err != nil {
		t.Fatal(err)
	}
	p := smtptest.StartPostfix(t, certFile, keyFile)
	want := map[string]int{}
	for _, cfg := range []Config{{Addr: p.Plain, Security: Insecure}, {Addr: p.StartTLS, Security: StartTLS, TLS: client}, {Addr: p.TLS, Security: TLS, TLS: client}} {
		s, err := cfg.Dial(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", cfg.Security, err)
		}
		for i, c := range []struct{ to, says string }{
			{"anna@vector.test", ""}, {"later@vector.test", "RCPT refused: 450 4.2.0"}, {"boris@vector.test", ""}, {"gone@vector.test", "RCPT refused: 550 5.1.1"}, {"carla@vector.test", ""},
			{"борис@vector.test", ""}, // Postfix has SMTPUTF8
		} {
			m := sample()
			m.To = []mail.Address{{Name: "Борис", Address: c.to}}
			m.MessageID = MessageID(fmt.Sprint(cfg.Security, i), "vector.test")
			msg, err := Compose(m)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Send(t.Context(), "intouch@vector.test", c.to, msg)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.HasPrefix(err.Error(), c.says)) {
				t.Errorf("%s, to %s: %v, want %q", cfg.Security, c.to, err, c.says)
			}
			if err == nil {
				want[m.MessageID]++
			}
		}
		var r *Refused
		if err := s.Send(t.Context(), "intouch@vector.test", "anna@vector.test", bytes.Repeat([]byte("x\r\n"), 400000)); !errors.As(err, &r) || r.Code != 552 || !r.ThisMail() {
			t.Errorf("too big: %v", err)
		}
		s.Close(t.Context())
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got := p.Taken(t)
		if len(got) == len(want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("took %d mails, want %d", len(got), len(want))
		}
	}
}
