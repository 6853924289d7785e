package store

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Address is the form in which e-mail addresses are kept and compared: local
// part and domain in lower case, the domain in ASCII (IDNA), rules.md
// section 3. The error says what is wrong with it.
func Address(s string) (string, error) {
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || len(s) > 320 || strings.ContainsAny(s, " \t\r\n<>,;\x00") {
		return "", fmt.Errorf("%q is not an e-mail address", clip(s, 80))
	}
	domain, err := Domain(s[at+1:])
	if err != nil {
		return "", fmt.Errorf("%q is not an e-mail address: %w", clip(s, 80), err)
	}
	return strings.ToLower(s[:at]) + "@" + domain, nil
}

// Domain is the form in which domains are kept and compared: lower case,
// ASCII (IDNA), no trailing dot.
func Domain(s string) (string, error) {
	s = strings.ToLower(strings.Trim(strings.TrimSpace(s), "."))
	if a, err := idna.Lookup.ToASCII(s); err == nil {
		s = a
	}
	if s == "" || len(s) > 253 || !strings.Contains(s, ".") && s != "localhost" || strings.ContainsAny(s, " @/<>,;:\t\r\n\x00") {
		return "", fmt.Errorf("%q is not a domain", clip(s, 80))
	}
	for _, label := range strings.Split(s, ".") { // x/net/idna lets long labels pass
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("%q is not a domain", clip(s, 80))
		}
	}
	return s, nil
}
