package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestAppPassword(t *testing.T) {
	config := settings(t, "")
	do := func(args ...string) output { return command(t, "", append([]string{"--config", config}, args...)...) }
	if got := do("manager", "add", "anna", "--name", "Анна"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	made := do("manager", "app-password", "add", "anna", "Pixel 9")
	if made.code != 0 || !regexp.MustCompile(`^([a-z2-9]{4}-){5}[a-z2-9]{4}\n$`).MatchString(made.stdout) {
		t.Fatalf("%+v", made)
	}
	list := do("manager", "app-password", "list", "anna").stdout
	if !regexp.MustCompile(`(?m)^Pixel 9 +\S+ \S+ +never +$`).MatchString(list) || strings.Contains(list, strings.TrimSpace(made.stdout)) {
		t.Errorf("list:\n%s", list)
	}
	for _, bad := range [][]string{{"add", "anna"}, {"add", "nobody", "Pixel 9"}, {"add", "anna", " "}, {"add", "anna", "Pixel 9"}, {"list"}, {"revoke", "anna", "Nokia"}, {"drop"}} {
		if got := do(append([]string{"manager", "app-password"}, bad...)...); got.code != exitUsage || got.stdout != "" {
			t.Errorf("%v: %+v", bad, got)
		}
	}
	if got := do("manager", "app-password", "revoke", "anna", "Pixel 9"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if list := do("manager", "app-password", "list", "anna").stdout; strings.Contains(list, "Pixel") {
		t.Errorf("list:\n%s", list)
	}
}
