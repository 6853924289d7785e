package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestMan holds the manual to the program: every command, every flag and every
// key is in it, and mandoc finds nothing wrong with it.
func TestMan(t *testing.T) {
	commands := command(t, "", "man", "intouchd").stdout
	keys := command(t, "", "man", "intouchd.toml").stdout

	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() || c.Name() == "completion" {
			return
		}
		path := strings.ReplaceAll(strings.TrimPrefix(c.CommandPath(), "intouchd "), "-", `\-`)
		if !regexp.MustCompile(`(?m)^\.SS "` + regexp.QuoteMeta(path) + `[" ]`).MatchString(commands) {
			t.Errorf("intouchd(1) does not have the command %q", path)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	root := (&program{}).rootCommand()
	for _, c := range root.Commands() {
		walk(c)
	}
	for _, flag := range []string{`\-\-dry\-run`, `\-\-online`, `\-\-config\fR \fIFILE`} {
		if !strings.Contains(commands, `\fB`+flag) {
			t.Errorf("intouchd(1) does not have the flag %s", flag)
		}
	}
	// TestConfigExample holds the example to the program.
	example, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#?([a-z_-]+) = `).FindAllStringSubmatch(string(example), -1)
	for _, m := range all {
		if !strings.Contains(keys, `\fB`+strings.ReplaceAll(m[1], "-", `\-`)+" = ") {
			t.Errorf("intouchd.toml(5) does not have the key %s", m[1])
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d keys in the example", len(all))
	}

	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("SKIPPED WITHOUT MANDOC: its form is not looked at")
	}
	for name, text := range map[string]string{"intouchd.1": commands, "intouchd.toml.5": keys} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		said, _ := exec.Command(mandoc, "-Tlint", "-Wwarning", file).CombinedOutput()
		for line := range strings.Lines(string(said)) {
			if !strings.Contains(line, "missing date") { // a test's program has no commit
				t.Errorf("%s", line)
			}
		}
	}
}

// TestCompletion asks as the shells' scripts do.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"rep"}, "report"},
		{[]string{"report", "man"}, "managers"},
		{[]string{"job", "dig"}, "digest"},
		{[]string{"export", "cont"}, "contacts"},
		{[]string{"check", "--on"}, "--online"},
	} {
		got := command(t, "", append([]string{cobra.ShellCompNoDescRequestCmd}, c.words...)...)
		if !slices.Contains(strings.Split(got.stdout, "\n"), c.want) {
			t.Errorf("%v: got %q, want %s", c.words, got.stdout, c.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := command(t, "", "completion", shell); got.code != exitDone || !strings.Contains(got.stdout, "intouchd") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
}
