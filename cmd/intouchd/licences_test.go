package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestLicences: what is linked into the program may be given away in a binary
// whose own sources stay closed. The text is what the package carries.
func TestLicences(t *testing.T) {
	out, err := exec.Command("../../.ci/licences").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Phrases of their texts. The Mozilla Public License asks for the sources of
	// its own files alone, which are public as they are.
	may := map[string]string{
		"MIT":    "Permission is hereby granted, free of charge",
		"BSD":    "Redistribution and use in source and binary forms",
		"ISC":    "Permission to use, copy, modify, and(/or)? distribute this software",
		"Apache": "Apache License,? Version 2\\.0|Apache License\\s+Version 2\\.0",
		"MPL":    "Mozilla Public License,? (version|Version|v\\.) 2\\.0",
		"OFL":    "SIL OPEN FONT LICENSE Version 1\\.1|Bitstream Vera",
	}
	mayNot := regexp.MustCompile(`GNU (AFFERO |LESSER |LIBRARY )?GENERAL PUBLIC LICENSE\s+Version|Server Side Public License|Business Source License|NonCommercial|Commons Clause`)
	parts := regexp.MustCompile(`(?m)^(\S+ \S+)\n={64}\n`).FindAllStringSubmatchIndex(string(out), -1)
	if len(parts) < 40 {
		t.Fatalf("only %d modules", len(parts))
	}
	count := map[string]int{}
	for i, at := range parts {
		end := len(out)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		module, text := string(out[at[2]:at[3]]), strings.Join(strings.Fields(string(out[at[1]:end])), " ")
		if bad := mayNot.FindString(text); bad != "" {
			t.Errorf("%s: %s", module, bad)
		}
		known := false
		for name, phrase := range may {
			if regexp.MustCompile(phrase).MatchString(text) {
				known = true
				count[name]++
			}
		}
		if !known {
			t.Errorf("%s has a licence that nobody has read: %.200s", module, text)
		}
	}
	t.Log(count)
}
