package store

import (
	"strings"
	"testing"
)

// Every line of freemail.txt is a domain as addresses are compared, once.
func TestFreeMail(t *testing.T) {
	set := FreeMail()
	n := 0
	for line := range strings.Lines(freemail) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		if d, err := Domain(line); err != nil || d != line {
			t.Errorf("%q: %q, %v", line, d, err)
		}
	}
	if n != len(set) || !set["gmail.com"] || !set["yandex.ru"] {
		t.Errorf("%d lines, %d domains", n, len(set))
	}
}
