package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImportExport_CommandLine follows files through the commands: what stands
// on stdout and stderr, the exit code, and the file of refused rows.
func TestImportExport_CommandLine(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\nname = \"Vector\"\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	managers := write(t, dir, "managers.csv", "id,name,login\nm1,Anna,anna\n")
	clients := write(t, dir, "clients.csv", "Код;Наименование;Ответственный;ИНН\nc1;Ромашка;anna;77\nc2;Лютик;bert;78\nИтого;2;;\n")
	bad := write(t, dir, "bad.csv", "id,name\n,x\n")
	refused := filepath.Join(dir, "refused.csv")
	steps := []struct {
		args        string
		code        int
		out, errors string
	}{
		{"import managers " + managers, 0, "managers.csv: 1 new, 0 changed, 0 unchanged, 0 refused\n", ""},
		{"import --dry-run clients " + clients, 0, "clients.csv: 1 new, 0 changed, 0 unchanged, 1 refused (dry run: nothing was written)\n",
			"clients.csv: line 3 (c2): manager: unknown manager \"bert\"\nclients.csv: columns taken as attributes: ИНН\nclients.csv: lines of totals left out: 1\n"},
		{"export clients", 0, "", ""},
		{"import clients " + clients + " --refused " + refused, 0, "clients.csv: 1 new, 0 changed, 0 unchanged, 1 refused\n",
			"clients.csv: line 3 (c2): manager: unknown manager \"bert\"\nclients.csv: columns taken as attributes: ИНН\nclients.csv: lines of totals left out: 1\n"},
		{"import clients " + refused + " --refused " + refused, 2, "", "intouchd: import: --refused would overwrite refused.csv, which is to be read\n"},
		{"import clients " + bad, 1, "bad.csv: 0 new, 0 changed, 0 unchanged, 1 refused\n", "bad.csv: line 2: id: is missing\n"},
		{"import clients " + config, 1, "", "intouchd: config.toml: the header line has no column id; columns of clients are id, name, importance, manager, domains, emails, phones, source, stage, in English or Russian\n"},
		{"import clients", 2, "", "intouchd: intouchd import: requires at least 2 arg(s), only received 1\n"},
		{"import birds x.csv", 2, "", "intouchd: import: unknown kind \"birds\": it is one of managers, rates, sources, clients, persons, deals, events, documents, lines, contacts, mbox, commerceml, vcard, thunderbird, ldif, outlook\n"},
		{"import clients " + filepath.Join(dir, "none.csv"), 1, "", "intouchd: import: open none.csv: no such file or directory\n"},
		{"export clients", 0, `{"id":"c1","name":"Ромашка","importance":"normal","manager":"m1","domains":[],"emails":[],"phones":[],"source":"","stage":"","attributes":{"ИНН":"77"}}` + "\n", ""},
		{"export managers --format csv", 0, "id,name,email,login,role,time_zone,language,work_hours\nm1,Anna,,anna,manager,Europe/Moscow,ru,\n", ""},
		{"export managers --format csv --excel", 0, "\ufeffid;name;email;login;role;time_zone;language;work_hours\nm1;Anna;;anna;manager;Europe/Moscow;ru;\n", ""},
		{"export managers --excel", 2, "", "intouchd: export: --excel goes with --format csv\n"},
		{"export managers --format xml", 2, "", "intouchd: export: unknown format \"xml\": it is one of jsonl, csv\n"},
		{"export birds", 2, "", "intouchd: export: unknown kind \"birds\": it is one of contacts, letters, clients, persons, sources, deals, events, lines, documents, managers, rates, questions\n"},
	}
	for _, s := range steps {
		var out, errors bytes.Buffer
		code := run(append(strings.Fields(s.args), "--config", config), strings.NewReader(""), &out, &errors)
		short := strings.NewReplacer(dir+string(filepath.Separator), "")
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

	// The refused row, mended, comes in through stdin.
	text, err := os.ReadFile(refused)
	if err != nil {
		t.Fatal(err)
	}
	var out, errors bytes.Buffer
	mended := strings.Replace(string(text), ";bert;", ";anna;", 1)
	if code := run([]string{"import", "clients", "-", "--config", config}, strings.NewReader(mended), &out, &errors); code != 0 ||
		out.String() != "stdin: 1 new, 0 changed, 0 unchanged, 0 refused\n" || errors.String() != "" {
		t.Errorf("mended: exit code %d\n%s%s", code, &out, &errors)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
