package mailsync

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"intouch/mailsync/mailtest"
)

// TestDovecot_Dropbox: what the embedded server might hide: the order of the
// Authentication-Results in BODY[HEADER.FIELDS], BODY[n] of an attached message,
// keywords, and a pattern that takes in folders.
func TestDovecot_Dropbox(t *testing.T) {
	d := mailtest.StartDovecot(t)
	st := newStore(t)
	keywords := filepath.Join(d.MailDir("crm"), "dovecot-keywords")
	put := func(n int, folder, flags, raw string) {
		t.Helper()
		name := filepath.Join(d.MailDir("crm"), folder, "cur", fmt.Sprintf("%d.M%dP1.test:2,%s", letterDay.Unix()+int64(n), n, flags))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "", "S", attached(1, anna, "crm+3d@vector.test", plainLetter(50, "new@acme.test", anna, "Question", "How much?")))
	put(2, "", "S", "Authentication-Results: mx.vector.test; dmarc=fail\r\nX-Between: x\r\nAuthentication-Results: mx.vector.test; dmarc=pass\r\n"+
		plainLetter(2, anna, "crm+1w@vector.test, "+bob, "forged", "x"))
	put(3, "", "Sa", plainLetter(3, bob, "crm@vector.test", "kept out", "x")) // keyword a: nocrm
	put(4, ".Archive", "S", "Authentication-Results: mx.vector.test; dmarc=pass\r\nAuthentication-Results: mx.other.test; dmarc=fail\r\n"+
		plainLetter(4, anna, "crm+2w@vector.test, "+bob, "genuine", "x"))
	put(5, ".Private", "S", plainLetter(5, bob, "crm@vector.test", "private", "x"))
	put(6, "", "S", plainLetter(5, bob, "crm@vector.test", "private", "x"))
	if err := os.WriteFile(keywords, []byte("0 nocrm\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.Own(t)
	cfg := dovecotConfig(d, "crm")
	cfg.Dropbox, cfg.Folders, cfg.Exclude = "crm@vector.test", []string{"*"}, []string{"Private"}
	opt := Options{Log: quiet(t), Rules: Rules{Own: []string{"crm@vector.test"}, AuthservID: "mx.vector.test"}}
	if _, err := New(st, []Config{cfg}, opt).Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	h := &dropboxHouse{t: t, st: st}
	h.expect("from Dovecot", "done letter in|Acme|anna|Question|How much?", "planned other none|Acme|anna|Question|see 2026-11-23",
		"done letter out|Acme|anna|genuine|x", "planned other none|Acme|anna|genuine| 2026-12-04")
	want := []string{"Archive/<4 captured ", "INBOX/<1 captured ", "INBOX/<2 skipped unknown", "INBOX/<3 skipped blocked", "INBOX/<5 skipped blocked", "Private/<5 skipped blocked"}
	if got := strings.Split(outcomes(t, st), "\n"); !slices.Equal(got, want) {
		t.Errorf("outcomes\n\t%s", strings.Join(got, "\n\t"))
	}
}
