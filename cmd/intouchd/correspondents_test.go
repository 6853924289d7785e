package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCorrespondents_CommandLine brings in letters and decides who of those in
// them becomes a person.
func TestCorrespondents_CommandLine(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	letter := func(n int, from, cc string) string {
		return fmt.Sprintf("From - Mon Nov 23 10:15:00 2026\nFrom: %s\nTo: Anna <anna@vector.test>\n%sSubject: Prices %d\nDate: Mon, %d Nov 2026 10:15:00 +0300\nMessage-ID: <%d@romashka.test>\n\nHow much?\n\n", from, cc, n, n, n)
	}
	box := write(t, dir, "Inbox.mbox", letter(1, "Olga <olga@romashka.test>", "Cc: \"Petr Ivanov\" <petr@gmail.com>, boss@vector.test\n")+
		letter(2, "Olga <olga@romashka.test>", "")+
		letter(3, "\"Ivanov, Petr\" <petr@gmail.com>", "Cc: olga@romashka.test, noreply@romashka.test\n")+
		letter(4, "New One <new@start.test>", "")+
		letter(5, "Seller <sell@spam.test>", ""))
	managers := write(t, dir, "managers.csv", "id,name,login,email\nm1,Anna,anna,anna@vector.test\n")
	clients := write(t, dir, "clients.csv", "id,name,domains,manager\nc1,Romashka,romashka.test,anna\n")
	head := "OFFER  WHY  PERSON  ORGANISATION  CLIENT  MAY BE  LETTERS  LAST  BOOK\n"
	olga, petr := "1  correspondent  Olga, olga@romashka.test  Romashka  3  2026-11-03  mail\n", "2  correspondent  Ivanov, Petr, petr@gmail.com  Romashka  2  2026-11-03  mail\n"
	senders := "ADDRESS  NAME  LETTERS  LAST  SUBJECT\n"
	for _, s := range []struct {
		args        string
		out, errors string
		code        int
	}{
		{"import managers " + managers, "managers.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", "", 0},
		{"import clients " + clients, "clients.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", "", 0},
		{"import mbox --manager anna " + box, "Inbox.mbox: 5 letters: 3 captured (3 new contacts), 2 skipped (2 unknown), 0 known before\n", "", 0},
		{"import mbox --manager anna --folder Again " + box, "Inbox.mbox: 5 letters: 3 captured (0 new contacts), 2 skipped (2 unknown), 0 known before\n", "", 0},
		{"persons offers", head + olga + petr, "", 0},
		{"persons offers --client c1", head + olga + petr, "", 0},
		{"persons offers --client c9", "", "intouchd: there is no client \"c9\"\n", 2},
		{"persons senders --days 100000", senders + "sell@spam.test  Seller  2  2026-11-05  Prices 5\nnew@start.test  New One  2  2026-11-04  Prices 4\n", "", 0},
		{"persons accept new@start.test", "", "new@start.test: client: is not known: name one\n", 1},
		{"persons accept new@start.test nobody@start.test --new-client Start", "", "new@start.test: is person 1, New One\nnobody@start.test: nobody unknown wrote from there\n", 1},
		{"persons refuse sell@spam.test", "", "", 0},
		{"persons senders --days 100000", senders, "", 0},
		{"persons refuse 2", "", "", 0},
		{"persons accept 1 --all-of c1", "", "intouchd: persons accept: give offers or addresses, or --all-of CLIENT\n", 2},
		{"persons accept", "", "intouchd: persons accept: give offers or addresses, or --all-of CLIENT\n", 2},
		{"persons accept --all-of c1", "", "Romashka: correspondents accepted: 1\n", 0},
		{"persons refuse --all-of c1", "", "Romashka: correspondents refused: 0\n", 0},
		{"persons offers", head, "", 0},
	} {
		var out, errors bytes.Buffer
		code := run(append(strings.Fields(s.args), "--config", config), strings.NewReader(""), &out, &errors)
		short := strings.NewReplacer(dir+string(filepath.Separator), "")
		text := regexp.MustCompile(`  +`).ReplaceAllString(short.Replace(out.String()), "  ")
		if diff := cmp.Diff(s.out, text); diff != "" || code != s.code {
			t.Errorf("%s: exit %d, want %d (-want +got):\n%s", s.args, code, s.code, diff)
		}
		if diff := cmp.Diff(s.errors, short.Replace(errors.String())); diff != "" {
			t.Errorf("%s: stderr (-want +got):\n%s", s.args, diff)
		}
	}
}
