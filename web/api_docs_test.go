package web

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"intouch/store"
)

// TestAPI_docs runs the examples of docs/api.md as a reader would. The JSON
// below one is what comes back, shortened: members that it leaves out may be
// anything.
func TestAPI_docs(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, Options{})
	in := h.integrator("shop", store.ScopeWrite)
	dir := t.TempDir()
	examples := regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?").FindAllSubmatch(page, -1)
	if len(examples) < 10 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", string(e[1]))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "URL="+in.url, "TOKEN="+in.token, "no_proxy=*")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s\n%v", e[1], err)
		}
		want, got := values(t, string(e[2])), values(t, string(out))
		if len(e[2]) > 0 && len(want) != len(got) {
			t.Errorf("%s\n%d answers, not %d: %s", e[1], len(got), len(want), out)
			continue
		}
		for i := range want {
			if err := holds(got[i], want[i]); err != nil {
				t.Errorf("%s\n%v in %s", e[1], err, out)
			}
		}
		for _, v := range got {
			if p, _ := v.(map[string]any); len(e[2]) == 0 && p["items"] == nil {
				t.Errorf("%s\n%s", e[1], out)
			}
		}
	}
	for name := range problems {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/api.md does not name the problem %s", name)
		}
	}
}

// values are the JSON values of a text, one after the other.
func values(t *testing.T, text string) (out []any) {
	t.Helper()
	d := stdjson.NewDecoder(strings.NewReader(text))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		out = append(out, v)
	}
}

// holds says where an answer is not as the shortened one.
func holds(got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		of, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%v is not an object", got)
		}
		for name, v := range want {
			if _, there := of[name]; !there {
				return fmt.Errorf("no %s", name)
			}
			if err := holds(of[name], v); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	case []any:
		of, ok := got.([]any)
		if !ok || len(of) != len(want) {
			return fmt.Errorf("%v is not as long as %v", got, want)
		}
		for i := range want {
			if err := holds(of[i], want[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}
	if got != want {
		return fmt.Errorf("%v, not %v", got, want)
	}
	return nil
}
