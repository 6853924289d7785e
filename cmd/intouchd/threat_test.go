package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThreatModel holds docs/security.md to the tree: each line of the table
// says four things, and the tests that it names are there.
func TestThreatModel(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	files, err := exec.Command("find", root, "-name", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(\w+ \*testing\.[TF]\)`)
	for file := range strings.FieldsSeq(string(files)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range function.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
	}
	_, table, _ := strings.Cut(string(page), "| who | may try |")
	table, _, _ = strings.Cut(table, "\n\n")
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w*)`")
	whose := map[string]int{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if strings.HasPrefix(strings.TrimSpace(line), "|---") || !strings.HasPrefix(line, "| ") {
			continue
		}
		if len(cells) != 4 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("a line does not say four things: %s", line)
			continue
		}
		whose[strings.TrimSpace(cells[0])]++
		names := named.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("a line without a test: %s", line)
		}
		for _, m := range names {
			if !tests[m[1]] {
				t.Errorf("%s is not there: %s", m[1], line)
			}
		}
	}
	for _, who := range []string{"hostile sender", "client", "stranger", "manager", "1C peer", "network", "thief of a backup", "server of others"} {
		if whose[who] == 0 {
			t.Errorf("nothing is said of what a %s may try", who)
		}
	}
}
