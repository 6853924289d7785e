package store

import (
	_ "embed"
	"strings"
)

//go:embed freemail.txt
var freemail string

// FreeMail lists the domains that anybody may have an address at, and that so
// never stand for a company (freemail.txt, one a line).
func FreeMail() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(freemail) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			set[line] = true
		}
	}
	return set
}
