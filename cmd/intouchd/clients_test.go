package main

import (
	"slices"
	"strings"
	"testing"
)

// Clients are classified by hand and picked by what was found.
func TestClientsCommand(t *testing.T) {
	file := settings(t, "")
	do := func(code int, stdin string, args ...string) string {
		t.Helper()
		got := command(t, stdin, append([]string{"--config", file}, args...)...)
		if got.code != code {
			t.Fatalf("%v: %+v, want code %d", args, got, code)
		}
		return got.stdout + got.stderr
	}
	do(exitDone, "id,name,segment\na,Alpha,horeca\nb,Beta,HoReCa\nc,=Gamma,retail\n", "import", "clients", "-")
	do(exitDone, "id,kind,date,client,amount\n1,shipment,2024-01-10,a,90\n2,shipment,2024-01-11,b,10\n", "import", "documents", "-")
	if got := do(exitDone, "", "job", "classify", "--at", "2024-02-01T12:00:00+03:00"); !strings.Contains(got, "2 clients, 2 changed: A 1, C 1, one-off 2") {
		t.Errorf("classified: %s", got)
	}
	for where, want := range map[string]string{
		"":      "a b c",
		"abc=A": "a",
		"stage=one-off, attribute segment=horeca": "a b",
		"attribute segment=retail":                "c",
		"abc=C":                                   "b",
	} {
		var ids []string
		for _, line := range strings.Split(strings.TrimSpace(do(exitDone, "", "clients", "list", "--format", "csv", "--where", where)), "\n")[1:] {
			ids = append(ids, line[:1])
		}
		slices.Sort(ids)
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%q: %s, want %s", where, got, want)
		}
	}
	if got := do(exitDone, "", "clients", "--format", "csv", "--where", "attribute segment=retail"); !strings.Contains(got, "'=Gamma") {
		t.Errorf("a formula: %s", got)
	}
	if got := do(exitDone, "", "clients", "--format", "jsonl", "--where", "abc=A"); !strings.Contains(got, `"stage":"one-off"`) {
		t.Errorf("JSONL: %s", got)
	}
	// From now on both are lost; the past stays what it was.
	do(exitDone, "", "job", "classify")
	if got := do(exitDone, "", "clients", "--where", "stage=lost"); !strings.Contains(got, "Alpha") || !strings.Contains(got, "Beta") {
		t.Errorf("lost: %s", got)
	}
	do(exitUsage, "", "clients", "--where", "abc=Q")
	do(exitUsage, "", "clients", "--where", "manager=nobody")
	do(exitUsage, "", "clients", "--format", "xml")
	do(exitUsage, "", "clients", "show")
	do(exitFailed, "", "job", "classify", "--at", "2199-01-01T00:00:00Z")
}
