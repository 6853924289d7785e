package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/caldav"
)

// TestAddressBook brings in persons from a CardDAV server, which is another
// Intouch: by hand, and as [[addressbook]] by the job.
func TestAddressBook(t *testing.T) {
	dir := t.TempDir()
	other := write(t, dir, "other.toml", fmt.Sprintf("[company]\ndomains = [\"other.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "other.db")))
	clients := write(t, dir, "clients.csv", "id,name,domains,manager\nc1,Romashka,romashka.test,anna\nc2,Lutik,lutik.test,anna\n")
	ours := write(t, dir, "ours.csv", "id,name,domains\nc1,Romashka,romashka.test\n")
	managers := write(t, dir, "managers.csv", "id,name,login,email\nm1,Anna,anna,anna@other.test\n")
	persons := write(t, dir, "persons.csv", "id,client,name,position,emails,phones\np1,c1,Petr,Buyer,petr@romashka.test,+7 495 123-45-67\np2,c2,Lidia,,l@lutik.test,\n")
	said := func(config, stdin, args string) (code int, out, errors string) {
		var o, e bytes.Buffer
		code = run(append(strings.Fields(args), "--config", config), strings.NewReader(stdin), &o, &e)
		return code, o.String(), e.String()
	}
	for _, args := range []string{"import managers " + managers, "import clients " + clients, "import persons " + persons, "manager password anna"} {
		if code, _, errors := said(other, "correct horse\n", args); code != 0 {
			t.Fatalf("%s: %s", args, errors)
		}
	}
	cfg, err := LoadConfig(other)
	if err != nil {
		t.Fatal(err)
	}
	st, err := openStore(t.Context(), cfg, newLog(cfg.Log, t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	server := httptest.NewServer(caldav.New(st, caldav.Options{PublicURL: "https://crm.other.test"}))
	defer server.Close()

	password := write(t, dir, "password", "correct horse\n")
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	book := server.URL + "/dav/addressbooks/anna/persons/"
	follow := write(t, dir, "follow.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n[[addressbook]]\nname = \"other\"\nurl = %q\nusername = \"anna\"\npassword_file = %q\n[[addressbook]]\nname = \"gone\"\nurl = \"http://127.0.0.1:1/\"\nusername = \"anna\"\npassword = \"x\"\n",
		filepath.Join(dir, "t.db"), server.URL, password))
	slot := func(out string) string { // without the moment
		f := strings.Fields(out)
		if len(f) < 2 {
			return out
		}
		return strings.Join(append(f[:1], f[2:]...), " ")
	}
	for _, s := range []struct {
		config, stdin, args string
		code                int
		out, errors         string
	}{
		{config, "", "import clients " + ours, 0, "ours.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{config, "wrong\n", "import carddav " + server.URL + " --username anna", 1, "", "intouchd: import carddav: the server does not accept this user name and password\n"},
		{config, "", "import carddav " + server.URL + " --username anna --password-file " + password + " --password-env X", 2, "", "intouchd: import carddav: give one of --password-file and --password-env\n"},
		{config, "", "import carddav http://cards.vector.test/ --username anna", 2, "", "intouchd: import carddav: the URL: it must begin with https://; http:// is only for the machine itself: the password would cross the network in the clear\n"},
		{config, "", "import carddav " + server.URL, 2, "", "intouchd: import carddav: --username is missing\n"},
		{config, "", "import carddav " + server.URL + " --username anna --dry-run --password-file " + password, 0, book + ": persons: 1 new, 0 changed, 0 unchanged, 1 offered, 0 refused (dry run: nothing was written)\n", ""},
		{config, "correct horse\n", "import carddav " + server.URL + " --username anna", 0, book + ": persons: 1 new, 0 changed, 0 unchanged, 1 offered, 0 refused\n", ""},
		{config, "correct horse\n", "import carddav " + book + " --username anna", 0, book + ": persons: 0 new, 0 changed, 2 unchanged, 0 offered, 0 refused\n", ""},
		{follow, "", "job addressbooks", 1, "addressbooks failed gone: Propfind \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused", "intouchd: addressbooks: gone: Propfind \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused\n"},
		{other, "", "import persons " + write(t, dir, "more.csv", "id,client,name,position,emails\np1,c1,Petr,Head buyer,petr@romashka.test\n"), 0, "more.csv: 0 new, 1 changed, 0 unchanged, 0 refused\n", ""},
		{follow, "", "job addressbooks", 1, "addressbooks failed other: 0 new, 1 changed, 0 offered, 0 refused; gone: Propfind \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused", "intouchd: addressbooks: other: 0 new, 1 changed, 0 offered, 0 refused; gone: Propfind \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused\n"},
		{config, "", "job addressbooks", 1, "", "intouchd: the settings have no [[addressbook]]\n"},
		{config, "", "export persons", 0, `{"id":"","client":"c1","name":"Petr","position":"Head buyer","emails":["petr@romashka.test"],"phones":["+7 495 123-45-67"],"birthday":"","bounced":[],"away_until":""}` + "\n", ""},
	} {
		code, out, errors := said(s.config, s.stdin, s.args)
		short := strings.NewReplacer(dir+string(filepath.Separator), "")
		if out = short.Replace(out); strings.HasPrefix(s.args, "job") {
			out = slot(out)
		}
		if diff := cmp.Diff(s.out, out); diff != "" || code != s.code {
			t.Errorf("%s: exit %d, want %d (-want +got):\n%s", s.args, code, s.code, diff)
		}
		if diff := cmp.Diff(s.errors, short.Replace(errors)); diff != "" {
			t.Errorf("%s: stderr (-want +got):\n%s", s.args, diff)
		}
	}
}
