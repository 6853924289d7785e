package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPersons_CommandLine brings in a file of cards and decides what it leaves
// open: what is offered, refused, merged and undone.
func TestPersons_CommandLine(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	managers := write(t, dir, "managers.csv", "id,name,login,email\nm1,Anna,anna,anna@vector.test\n")
	clients := write(t, dir, "clients.csv", "id,name,domains,manager\nc1,Romashka,romashka.test,anna\n")
	more := write(t, dir, "more.csv", "id,name,domains,manager\nc2,Lutik,lutik.test,anna\n")
	card := func(name, rest string) string {
		return "BEGIN:VCARD\nVERSION:3.0\nFN:" + name + "\n" + rest + "END:VCARD\n"
	}
	cards := write(t, dir, "a.vcf", card("Peter Ivanov", "EMAIL:p@romashka.test\n")+
		card("Lidia", "EMAIL:l@lutik.test\nORG:Lutik\n")+
		card("Peter Ivanov", "EMAIL:peter@romashka.test\nTITLE:Buyer\n")+
		card("Mom", "TEL:12345\n")+
		card("Anna", "EMAIL:anna@vector.test\n")+
		"BEGIN:VCARD\nFN:Broken\n")
	profile := filepath.Join(dir, "Profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"abook.sqlite", "abook.sqlite-wal"} { // as it lies while Thunderbird runs
		packed, err := os.Open("../../exchange/testdata/" + strings.Replace(name, "abook", "thunderbird-153-open", 1) + ".gz")
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		z, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		write(t, profile, name, string(b))
	}
	said := "a.vcf: line 28 (Broken): the file ends within the card\na.vcf: of our own company, left out: 1\n"
	head := "OFFER  WHY  PERSON  ORGANISATION  CLIENT  MAY BE  LETTERS  LAST  BOOK\n"
	for _, s := range []struct {
		args        string
		code        int
		out, errors string
	}{
		{"import managers " + managers, 0, "managers.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"import clients " + clients, 0, "clients.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"import clients --make-clients " + clients, 2, "", "intouchd: import: --make-clients goes with address books\n"},
		{"import vcard --refused x " + cards, 2, "", "intouchd: import vcard: --refused and --atomic are for rows, --folder for mbox\n"},
		{"import vcard --manager bert " + cards, 2, "", "intouchd: there is no manager \"bert\"; see intouchd manager list\n"},
		{"import vcard " + clients, 1, "", "intouchd: clients.csv: this is no vCard file: it has no BEGIN:VCARD\n"},
		{"import vcard --dry-run " + cards, 0, "a.vcf: persons: 1 new, 0 changed, 0 unchanged, 3 offered, 1 refused (dry run: nothing was written)\n", said},
		{"persons offers", 0, head, ""},
		{"import vcard --manager anna " + cards, 0, "a.vcf: persons: 1 new, 0 changed, 0 unchanged, 3 offered, 1 refused\n", said},
		{"import vcard --manager anna " + cards, 0, "a.vcf: persons: 0 new, 0 changed, 4 unchanged, 0 offered, 1 refused\n", said},
		{"persons offers", 0, head +
			"2  client unknown  Lidia, l@lutik.test  Lutik  vcard\n" +
			"3  may be there  Peter Ivanov, peter@romashka.test  Romashka  1: Peter Ivanov, p@romashka.test  vcard\n" +
			"4  client unknown  Mom, 12345  vcard\n", ""},
		{"persons accept 4", 1, "", "4: client: is not known: name one\n"},
		{"persons accept 4 --client nobody", 1, "", "4: client: unknown client \"nobody\"\n"},
		{"persons accept 4 --client c1 --into 1", 2, "", "intouchd: persons accept: give one of --client, --new-client and --into\n"},
		{"persons refuse 4 5 x", 2, "", "intouchd: persons refuse: \"x\" is no number of one\n"},
		{"persons refuse 4 5", 1, "", "5: there is no such, or it is decided already\n"},
		{"persons accept 3", 0, "", "offer 3: is person 2, Peter Ivanov\n"},
		{"import clients " + more, 0, "more.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"persons offers --again", 0, head, "persons taken: 1\n"},
		{"persons doubles", 0, "PERSON  PERSON  CLIENT  SURE\n", ""}, // somebody said that they are two
		{"persons merge 1 3", 1, "", "intouchd: persons merge: person: \"Peter Ivanov\" and \"Lidia\" are at different clients\n"},
		{"persons merge 1 2", 0, "", ""},
		{"persons merge 1 2", 1, "", "intouchd: persons merge: one of the persons is not there\n"},
		{"export persons", 0, `{"id":"","client":"c1","name":"Peter Ivanov","position":"Buyer","emails":["p@romashka.test","peter@romashka.test"],"phones":[],"birthday":"","bounced":[],"away_until":""}` + "\n" +
			`{"id":"","client":"c2","name":"Lidia","position":"","emails":["l@lutik.test"],"phones":[],"birthday":"","bounced":[],"away_until":""}` + "\n", ""},
		{"persons merged", 0, "MERGED  WHEN  BY  WHAT  FROM  INTO  CLIENT\n5  TIME  -  Peter Ivanov  persons  1: Peter Ivanov  Romashka\n", ""},
		{"persons unmerge 5", 0, "", ""},
		{"persons unmerge 5", 1, "", "5: there is no such, or it is decided already\n"},
		{"persons apart 1 1", 1, "", "intouchd: persons apart: person: is one\n"},
		{"import vcard " + cards, 0, "a.vcf: persons: 0 new, 0 changed, 4 unchanged, 0 offered, 1 refused\n", said},
		{"import thunderbird -", 2, "", "intouchd: import thunderbird: it is read where it lies, not from stdin\n"},
		{"import thunderbird " + dir + "/none", 1, "", "intouchd: import: stat none: no such file or directory\n"},
		{"import thunderbird --dry-run " + profile, 0, "Profile: persons: 2 new, 0 changed, 0 unchanged, 0 offered, 0 refused (dry run: nothing was written)\n", "Profile: not kept: mailing lists (1)\n"},
		{"persons", 2, "", "intouchd: persons: give one of offers, senders, accept, refuse, doubles, merge, apart, merged, unmerge, export, erase\n"},
	} {
		var out, errors bytes.Buffer
		code := run(append(strings.Fields(s.args), "--config", config), strings.NewReader(""), &out, &errors)
		short := strings.NewReplacer(dir+string(filepath.Separator), "")
		if code != s.code {
			t.Errorf("%s: exit code %d, want %d", short.Replace(s.args), code, s.code)
		}
		got := regexp.MustCompile(` {2,}`).ReplaceAllString(short.Replace(out.String()), "  ")
		got = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`).ReplaceAllString(got, "TIME")
		if d := cmp.Diff(s.out, got); d != "" {
			t.Errorf("%s: stdout differs (-want +got):\n%s", short.Replace(s.args), d)
		}
		if d := cmp.Diff(s.errors, short.Replace(errors.String())); d != "" {
			t.Errorf("%s: stderr differs (-want +got):\n%s", short.Replace(s.args), d)
		}
	}
}
