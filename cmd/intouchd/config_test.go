package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", name, diff)
	}
}

func TestLoadConfig_allFaultsAtOnce(t *testing.T) {
	_, err := LoadConfig(filepath.Join("testdata", "faulty.toml"))
	if err == nil {
		t.Fatal("a faulty file was taken")
	}
	golden(t, "faulty.golden", err.Error()+"\n")
	for _, secret := range []string{"secret-1", "secret-2", "secret-3", "secret-4", "secret-5", "secret-6", "secret-7"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the faults show the password %s", secret)
		}
	}
}

func TestLoadConfig_noTOML(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte("[server]\nlisten = \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(file)
	if err == nil || !strings.Contains(err.Error(), "config.toml:2: ") {
		t.Errorf("got %v, want a fault of line 2", err)
	}
}

const example = "../../config.example.toml"

// option is a commented-out setting or table of the example; prose has a
// space after its "#".
var option = regexp.MustCompile(`(?m)^#([a-z\[])`)

// TestConfigExample holds config.example.toml to the code: uncommented it
// loads, every key the program knows is in it, and the defaults it shows are
// the real ones.
func TestConfigExample(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("INFO_PASSWORD", "example")
	// A directory of its own, with the files that the example names.
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "testdata", "secret"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) (*Config, *table) {
		t.Helper()
		c, root, err := readConfig(filepath.Join(dir, "config.toml"), text)
		if err == nil {
			err = root.doc.finish()
		}
		if err != nil {
			t.Fatal(err)
		}
		return c, root
	}
	as, _ := read(text)
	empty, _ := read(nil)
	if diff := cmp.Diff(empty, as, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Errorf("the example as it stands is not the defaults (-defaults +example):\n%s", diff)
	}
	all, root := read(option.ReplaceAll(text, []byte("$1")))

	if len(all.Mailboxes) != 6 || all.SMTP == nil || len(all.Managers) != 1 || len(all.AddressBooks) != 1 {
		t.Fatalf("uncommented, the example has %d mailboxes, smtp %v, %d managers", len(all.Mailboxes), all.SMTP != nil, len(all.Managers))
	}
	// What has no default, and so shows an example, is compared no further.
	all.TokenKey = empty.TokenKey
	all.Mailboxes, all.Replies, all.SMTP, all.Managers, all.AddressBooks, all.KeepInTouch.Cadences = nil, nil, nil, nil, nil, nil
	if diff := cmp.Diff(empty, all, cmp.AllowUnexported(Secret{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example shows other defaults than the real ones (-real +shown):\n%s", diff)
	}

	known, shown, told := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, tab := range root.doc.tables {
		for key := range tab.asked {
			known[join(tab.name, key)] = true
		}
		for key := range tab.values {
			name := join(tab.name, key)
			shown[name] = true
			if base := strings.TrimSuffix(strings.TrimSuffix(name, "_file"), "_env"); strings.HasSuffix(base, "password") || strings.HasSuffix(base, "client_secret") || strings.HasSuffix(base, "token_key") {
				told[base] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		// The three ways to a password or secret are told in one line.
		if told[strings.TrimSuffix(strings.TrimSuffix(key, "_file"), "_env")] {
			continue
		}
		if !shown[key] {
			t.Errorf("the example does not show %s", key)
		}
	}
}

func TestConfigExample_defaultsOfTables(t *testing.T) {
	c, _, err := readConfig("config.toml", []byte(`
[[mailbox]]
name = "a"
shared = true
imap = "imaps://h.test"
username = "u"
password = "p"
[smtp]
url = "smtp://h.test"
from = "a@h.test"
[[manager]]
login = "a"
name = "A"
`))
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Mailboxes[0]; m.IMAP != (Endpoint{Addr: "h.test:993", Security: "tls"}) || !slices.Equal(m.Folders, []string{"INBOX", `\Sent`}) || m.Since != "" {
		t.Errorf("mailbox: %+v", m)
	}
	if s := c.SMTP; s.Server != (Endpoint{Addr: "h.test:587", Security: "starttls"}) {
		t.Errorf("smtp: %+v", s)
	}
	if m := c.Managers[0].Row; m.Role != "manager" || m.TimeZone != "Europe/Moscow" || m.Language != "ru" {
		t.Errorf("manager: %+v", m)
	}
}

func FuzzReadConfig(f *testing.F) {
	for _, name := range []string{example, "testdata/faulty.toml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
		f.Add(option.ReplaceAllString(string(text), "$1"))
	}
	f.Add("a.b.c = [{d = 1}, {d = [{e = 2}]}]\n[[x]]\n[x.y]\n[[x.z]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, root, err := readConfig("config.toml", []byte(text)); err == nil {
			root.doc.finish()
		}
	})
}
