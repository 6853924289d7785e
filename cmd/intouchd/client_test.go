package main

import (
	"strings"
	"testing"
)

// commandWith runs commands with a settings file, and wants a code and a word of
// what is printed.
func commandWith(t *testing.T, file string) func(code int, says, stdin string, args ...string) output {
	return func(code int, says, stdin string, args ...string) output {
		t.Helper()
		got := command(t, stdin, append([]string{"--config", file}, args...)...)
		if got.code != code || !strings.Contains(got.stdout+got.stderr, says) {
			t.Fatalf("%v: %+v, want code %d and %q", args, got, code, says)
		}
		return got
	}
}

func TestClientCommand(t *testing.T) {
	file := settings(t, "")
	do := commandWith(t, file)
	do(exitDone, "", "id,name,emails\na,Alpha,a@alpha.test\nb,Beta,b@beta.test\n", "import", "clients", "-")
	do(exitDone, "", "id,client,name\np1,b,Paul\n", "import", "persons", "-")
	before := do(exitDone, "", "", "export", "clients").stdout

	do(exitDone, `Would become "Alpha" (#1): "Beta" (b).`, "", "client", "merge", "a", "b", "--dry-run")
	if got := do(exitDone, "", "", "export", "clients").stdout; got != before {
		t.Fatalf("a dry run changed the clients: %s", got)
	}
	do(exitDone, "client unmerge 1\n  persons 1,", "", "client", "merge", "a", "#2")
	do(exitUsage, "the same client already", "", "client", "merge", "a", "b")
	do(exitDone, "b@beta.test", "", "export", "clients")
	do(exitDone, `"client":"a"`, "", "export", "persons")
	do(exitDone, "Beta", "", "client", "merges", "--client", "b")
	do(exitUsage, `none "1"`, "", "client", "unregister", "1")
	do(exitDone, "undone", "", "client", "unmerge", "b")
	do(exitFailed, "undone already", "", "client", "unmerge", "1")
	if got := do(exitDone, "", "", "export", "clients").stdout; got != before {
		t.Fatalf("undone:\n%s\nbefore:\n%s", got, before)
	}

	do(exitUsage, `no client "c"`, "", "client", "merge", "a", "c")
	do(exitUsage, "no contact 7", "", "client", "register", "7")
	do(exitUsage, "no number", "", "client", "register", "x")
	do(exitUsage, "--client names one", "", "client", "register", "7", "--client", "a", "--name", "N")
	do(exitUsage, `no command "dance"`, "", "client", "dance")
	do(exitUsage, "give one of", "", "client")
}
