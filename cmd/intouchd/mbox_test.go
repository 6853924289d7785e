package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const archive = `rubbish

From - Mon Nov 23 10:15:00 2026
From: Olga <olga@romashka.test>
To: anna@vector.test
Subject: Prices
Date: Mon, 23 Nov 2026 10:15:00 +0300
Message-ID: <1@romashka.test>

How much?
>From now on?

From - Mon Nov 23 10:16:00 2026
From: who@nowhere.test
To: anna@vector.test
Subject: Hello
Date: Mon, 23 Nov 2026 10:16:00 +0300
Message-ID: <2@nowhere.test>
X-Mozilla-Status: 0001

x

From - Mon Nov 23 10:17:00 2026
X-Mozilla-Status: 0001

`

// TestImportMbox_CommandLine imports an archive dry, once, twice, and shows
// what is recorded.
func TestImportMbox_CommandLine(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	box := write(t, dir, "Inbox.mbox", archive)
	managers := write(t, dir, "managers.csv", "id,name,login,email\nm1,Anna,anna,anna@vector.test\n")
	clients := write(t, dir, "clients.csv", "id,name,domains\nc1,Romashka,romashka.test\n")
	faults := "Inbox.mbox: line 1 (byte 0): 9 bytes before the first letter are passed over\n" +
		"Inbox.mbox: line 23 (byte 389): a letter without a header, 24 bytes\n"
	for _, s := range []struct {
		args        string
		code        int
		out, errors string
	}{
		{"import managers " + managers, 0, "managers.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"import clients " + clients, 0, "clients.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"import mbox " + box, 2, "", "intouchd: import mbox: give --manager LOGIN: whose letters these are\n"},
		{"import mbox --manager bert " + box, 2, "", "intouchd: there is no manager \"bert\"; see intouchd manager list\n"},
		{"import clients --manager anna " + clients, 2, "", "intouchd: import: --manager goes with mbox and address books, --folder with mbox\n"},
		{"import mbox --manager anna --dry-run " + box, 0, "Inbox.mbox: 2 letters: 1 captured (1 new contacts), 1 skipped (1 unknown), 0 known before (dry run: nothing was written)\n", faults},
		{"export letters", 0, "", ""},
		{"import mbox --manager anna " + box, 0, "Inbox.mbox: 2 letters: 1 captured (1 new contacts), 1 skipped (1 unknown), 0 known before\n", faults},
		{"import mbox --manager anna " + box, 0, "Inbox.mbox: 2 letters: 0 captured (0 new contacts), 0 skipped, 2 known before\n", faults},
		{"export letters", 0, `{"mailbox":"mbox:anna","folder":"Inbox.mbox","uidvalidity":1,"uid":1,"message_id":"<1@romashka.test>","date":"2026-11-23T07:15:00Z","outcome":"captured","reason":"","contacts":[1]}` + "\n" +
			`{"mailbox":"mbox:anna","folder":"Inbox.mbox","uidvalidity":1,"uid":2,"message_id":"<2@nowhere.test>","date":"2026-11-23T07:16:00Z","outcome":"skipped","reason":"unknown","contacts":[]}` + "\n", ""},
		{"import mbox --manager anna " + config, 1, "", "intouchd: config.toml: it is no mbox: no line of it begins with \"From \" and a letter's header below\n"},
		{"import mbox --manager anna " + dir, 2, "", "intouchd: import mbox: DIR is a directory; Apple Mail puts the file \"mbox\" into it\n"},
	} {
		var out, errors bytes.Buffer
		code := run(append(strings.Fields(s.args), "--config", config), strings.NewReader(""), &out, &errors)
		short := strings.NewReplacer(dir+string(filepath.Separator), "", dir, "DIR")
		if code != s.code {
			t.Errorf("%s: exit code %d, want %d", short.Replace(s.args), code, s.code)
		}
		if d := cmp.Diff(s.out, short.Replace(out.String())); d != "" {
			t.Errorf("%s: stdout differs (-want +got):\n%s", short.Replace(s.args), d)
		}
		if d := cmp.Diff(s.errors, short.Replace(errors.String())); d != "" {
			t.Errorf("%s: stderr differs (-want +got):\n%s", short.Replace(s.args), d)
		}
	}
	// From stdin, where nothing can be looked at ahead.
	var out, errors bytes.Buffer
	if code := run([]string{"import", "mbox", "--manager", "anna", "--folder", "Inbox.mbox", "-", "--config", config}, strings.NewReader(archive), &out, &errors); code != 0 ||
		out.String() != "stdin: 2 letters: 0 captured (0 new contacts), 0 skipped, 2 known before\n" {
		t.Errorf("stdin: exit code %d\n%s%s", code, &out, &errors)
	}
}

func TestBlock_CommandLine(t *testing.T) {
	file := settings(t, "[mail]\nblocked = [\"spam.test\"]\n")
	for _, s := range []struct {
		args string
		code int
		says string
	}{
		{"block", 2, "add, remove and list"},
		{"block dance", 2, `"dance"`},
		{"block add not*ok", 2, `"not*ok"`},
		{"block add Lawyer@Law.test ads.test", 0, "ads.test: blocked\n"},
		{"block add ads.test spam.test", 0, "ads.test: is blocked already\nspam.test: is blocked already\n"},
		{"block list", 0, "BLOCKED          FROM\nads.test         block add\nlawyer@law.test  block add\nspam.test        settings\n"},
		{"block remove spam.test", 1, "stands in the settings"},
		{"block remove ads.test", 0, "no longer blocked"},
		{"block remove ads.test", 1, "is not blocked"},
		{"block list", 0, "BLOCKED          FROM\nlawyer@law.test  block add\nspam.test        settings\n"},
	} {
		got := command(t, "", append(strings.Fields(s.args), "--config", file)...)
		if got.code != s.code || !strings.Contains(got.stdout+got.stderr, s.says) {
			t.Errorf("%s: %+v, want %d and %q", s.args, got, s.code, s.says)
		}
	}
}

func TestLoadConfig_mail(t *testing.T) {
	const box = "\nimap = \"imaps://h.test\"\nusername = \"u\"\npassword = \"p\"\n"
	for _, c := range []struct{ text, want string }{
		{"[company]\nblocked = [\"old.test\"]\n[mail]\nblocked = [\"new.test\"]\n", ""},
		{"[mail]\nblocked = [\"a b\"]\n", "config.toml:2: mail.blocked: \"a b\" is neither an address nor a domain"},
		{"[mail]\nfree_mail = [\"-x.test\", \"@\"]\n", "config.toml:2: mail.free_mail: \"@\" is not a domain like mail.test, or -mail.test to take one off the list"},
		{"[mail]\nauthserv_id = \"mx; spf=pass\"\n", "config.toml:2: mail.authserv_id: \"mx; spf=pass\" is not the first word of an Authentication-Results field, like mx.vector.test"},
		{"[[mailbox]]\nname = \"crm\"\nshared = true\ndropbox = \"crm@vector.test\"" + box, ""},
		{"[[mailbox]]\nname = \"crm\"\nmanager = \"anna\"\ndropbox = \"crm+x@vector.test\"\nprivacy = \"subject\"" + box,
			"config.toml:4: mailbox.dropbox: \"crm+x@vector.test\" has a plus: the words behind it are what managers write, so give the address without any\n" +
				"config.toml:4: mailbox.dropbox: belongs to all managers: it needs shared = true instead of a manager\n" +
				"config.toml:5: mailbox.privacy: a dropbox reads what is forwarded to it: leave privacy out"},
		{"[[mailbox]]\nname = \"mbox:a\"\nshared = true\nexclude = [\"Private\", \"\"]\ninclude = [\"private\"]\nprivacy = \"none\"" + box,
			"config.toml:2: mailbox.name: begins with \"mbox:\", under which imported archives are recorded\n" +
				"config.toml:4: mailbox.exclude: must name folders, like [\"Private\"]\n" +
				"config.toml:5: mailbox.include: \"private\" is excluded as well; a folder can do one of the two\n" +
				"config.toml:6: mailbox.privacy: \"none\" is neither \"full\" nor \"subject\""},
	} {
		_, root, err := readConfig("config.toml", []byte(c.text))
		if err == nil {
			err = root.doc.finish()
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s\n(-want +got):\n%s", c.text, d)
		}
	}
}
