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

// TestImportCommerceML_CommandLine follows a file of 1C through the command:
// a dry run, an import, the same again, and the refused papers.
func TestImportCommerceML_CommandLine(t *testing.T) {
	dir := t.TempDir()
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\nname = \"Vector\"\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n", filepath.Join(dir, "t.db")))
	data, err := os.ReadFile(filepath.Join("..", "..", "exchange", "testdata", "commerceml-2.10-1251.xml"))
	if err != nil {
		t.Fatal(err)
	}
	// One with a fault, and one whose lines make another sum.
	before, after, _ := strings.Cut(string(data), "order-5")
	orders := write(t, dir, "orders.xml", before+"order-5"+strings.Replace(after, "2026-11-20", "2026-13-20", 1))
	bomb := write(t, dir, "bomb.xml", `<!DOCTYPE a [<!ENTITY b "c">]><КоммерческаяИнформация>&b;</КоммерческаяИнформация>`)
	refused := filepath.Join(dir, "refused.xml")
	fault := "orders.xml: line 17 (order-5): Дата: \"2026-13-20\" is not a date like 2026-11-23\n"
	rest := "orders.xml: not kept: Передача товара на комиссию (1)\n" +
		"orders.xml: managers that are not here, left out: Анна Орлова\n"
	faults := fault + "orders.xml: taken, but the lines make another sum: 1 (intouchd questions)\n" + rest
	counts := func(name, clients, orders, documents, end string) string {
		return fmt.Sprintf("%[1]s: clients: %[2]s%[5]s\n%[1]s: orders: %[3]s%[5]s\n%[1]s: documents: %[4]s%[5]s\n", name, clients, orders, documents, end)
	}
	const none = "0 new, 0 changed, 0 unchanged, 0 refused"
	for _, s := range []struct {
		args        string
		code        int
		out, errors string
	}{
		{"import commerceml --dry-run " + orders, 0, counts("orders.xml", "1 new, 0 changed, 0 unchanged, 0 refused", "3 new, 0 changed, 0 unchanged, 1 refused", none, " (dry run: nothing was written)"), faults},
		{"export deals", 0, "", ""},
		{"import commerceml " + orders + " --refused " + refused, 0, counts("orders.xml", "1 new, 0 changed, 0 unchanged, 0 refused", "3 new, 0 changed, 0 unchanged, 1 refused", none, ""), faults},
		{"import commerceml " + orders, 0, counts("orders.xml", "0 new, 0 changed, 1 unchanged, 0 refused", "0 new, 0 changed, 3 unchanged, 1 refused", none, ""), fault + rest},
		{"import commerceml --atomic " + orders, 1, counts("orders.xml", none, "0 new, 0 changed, 0 unchanged, 1 refused", none, ""),
			fault + rest + "intouchd: orders.xml: nothing was taken, because not all could be\n"},
		{"questions apply", 0, "0 taken, 0 left\n", ""},
		{"questions drop 1 7", 1, "", "question 1: dropped\nquestion 7: is not open\n"},
		{"questions", 0, "ID  RECORD  WHAT  FROM  SINCE\n", ""},
		{"questions drop x", 2, "", "intouchd: questions drop: \"x\" is not the number of a question\n"},
		{"questions birds", 2, "", "intouchd: questions: there is no command \"birds\"; there are list, apply and drop\n"},
		{"import commerceml " + bomb, 1, "", "intouchd: bomb.xml: line 1: the file has a DOCTYPE, which CommerceML does not use\n"},
		{"import commerceml " + config, 1, "", "intouchd: config.toml: this is no CommerceML: the first element is not КоммерческаяИнформация\n"},
		{"import commerceml --refused x.xml " + orders + " " + bomb, 2, "", "intouchd: import commerceml: --refused takes the papers of one file; import the files one by one\n"},
		{"import commerceml --manager anna " + orders, 2, "", "intouchd: import: --manager goes with mbox and address books, --folder with mbox\n"},
	} {
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

	// The refused papers, mended, come in through stdin.
	text, err := os.ReadFile(refused)
	if err != nil {
		t.Fatal(err)
	}
	mended := strings.ReplaceAll(string(text), "2026-13-20", "2026-11-20")
	var out, errors bytes.Buffer
	code := run([]string{"import", "commerceml", "-", "--config", config}, strings.NewReader(mended), &out, &errors)
	if want := counts("stdin", "0 new, 0 changed, 1 unchanged, 0 refused", "1 new, 0 changed, 0 unchanged, 0 refused", none, ""); code != 0 || out.String() != want || errors.Len() > 0 {
		t.Errorf("mended: exit code %d\n%s%s", code, &out, &errors)
	}
}
