package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestIntegration(t *testing.T) {
	config := settings(t, "")
	do := func(args ...string) output { return command(t, "", append([]string{"--config", config}, args...)...) }
	made := do("integration", "add", "shop", "--scope", "clients:write,deals:read", "--scope", "contacts:read")
	if made.code != 0 || !regexp.MustCompile(`^itk_[0-9a-f]{64}\n$`).MatchString(made.stdout) {
		t.Fatalf("%+v", made)
	}
	list := do("integration", "list").stdout
	if !regexp.MustCompile(`(?m)^shop +clients:write,deals:read,contacts:read +\S+ \S+ +never +$`).MatchString(list) || strings.Contains(list, strings.TrimSpace(made.stdout)) {
		t.Errorf("list:\n%s", list)
	}
	if got := do("integration", "add", "shop", "--scope", "read"); got.code != exitFailed || !strings.Contains(got.stderr, "has a token already") {
		t.Errorf("%+v", got)
	}
	for _, bad := range [][]string{{"add", "x"}, {"add", "x", "--scope", "clients"}, {"add", "--scope", "read"}, {"revoke", "nobody"}, {"drop"}, {}} {
		if got := do(append([]string{"integration"}, bad...)...); got.code != exitUsage || got.stdout != "" {
			t.Errorf("%v: %+v", bad, got)
		}
	}
	if got := do("integration", "revoke", "shop"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	again := do("integration", "add", "shop", "--scope", "exchange")
	if again.code != 0 || again.stdout == made.stdout {
		t.Errorf("%+v", again)
	}
}
