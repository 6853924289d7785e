package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPersonsErase: a person is given out, forgotten, and not imported again.
func TestPersonsErase(t *testing.T) {
	file := settings(t, "")
	do := commandWith(t, file)
	const persons = "id,client,name,emails,phones\np1,a,Paula Thistle,paula@alpha.test,+44 20 7946 0991\np2,a,Peter,peter@alpha.test,\n"
	do(exitDone, "", "id,name\na,Alpha\n", "import", "clients", "-")
	do(exitDone, "", persons, "import", "persons", "-")

	var about struct {
		Subject struct{ Names, Emails, Phones []string }
		Records []struct {
			Table string
			Row   map[string]any
		}
	}
	got := do(exitDone, "", "", "persons", "export", "Paula@Alpha.test")
	if err := json.Unmarshal([]byte(got.stdout), &about); err != nil || about.Subject.Names[0] != "Paula Thistle" || len(about.Records) < 3 || strings.Contains(got.stdout, "Peter") {
		t.Errorf("%v: %s", err, got.stdout)
	}
	out := filepath.Join(t.TempDir(), "paula.json")
	do(exitDone, "", "", "persons", "export", "paula@alpha.test", "--out", out)
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(len(got.stdout)) {
		t.Errorf("%v %v", info, err)
	}
	do(exitFailed, "exists", "", "persons", "export", "paula@alpha.test", "--out", out)

	do(exitUsage, "say --yes", "", "persons", "erase", "paula@alpha.test")
	do(exitUsage, "no person", "", "persons", "erase", "#77", "--yes")
	do(exitUsage, "neither", "", "persons", "erase", "Paula", "--yes")
	do(exitDone, "erased: 1 persons", "", "persons", "erase", "paula@alpha.test", "--yes")
	do(exitFailed, "was erased on request", persons, "import", "persons", "-") // the other row is taken
	if got := do(exitDone, "Peter", "", "export", "persons").stdout; strings.Contains(strings.ToLower(got), "paula") || strings.Contains(got, "0991") {
		t.Errorf("she is still there: %s", got)
	}
	if got := do(exitDone, "", "", "persons", "export", "paula@alpha.test").stdout; strings.Contains(got, "Thistle") || strings.Contains(got, `"table"`) {
		t.Errorf("something is known of her: %s", got)
	}
}
