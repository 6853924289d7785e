package mailsync

import (
	"strings"
)

// authFailed reads Authentication-Results (RFC 8601) and reports the first
// method that says that the letter is not from whom it claims to be: "spf",
// "dkim" or "dmarc", or "" when none does.
//
// Only fields with our server's authserv-id count. A server may write several,
// one for each of its filters, so a failure counts in any of them; a pass only
// in the topmost, since whoever sends a letter can write such fields below it,
// never above (RFC 8601 section 5). That there is none is no failure: letters
// among the mailboxes of one server often have none. DMARC, where it passed for
// the domain of From, outweighs SPF and DKIM: a forwarder on the way may have
// broken these (RFC 7489 section 3.1).
func authFailed(results []string, authservID, fromDomain string) string {
	failed, topmost, passed := "", true, false
	for _, field := range results {
		id, rest := authservIDOf(field)
		if id == "" || !strings.EqualFold(strings.TrimSuffix(id, "."), strings.TrimSuffix(authservID, ".")) {
			continue
		}
		for _, r := range authResults(rest) {
			// "hardfail" is what SPF's fail was called in RFC 5451.
			fails := r.result == "fail" || r.result == "hardfail"
			switch {
			case r.method == "dmarc" && fails:
				return r.method
			case r.method == "dmarc":
				passed = passed || topmost && r.result == "pass" && (r.from == "" || strings.EqualFold(r.from, fromDomain))
			case failed == "" && fails && (r.method == "spf" || r.method == "dkim"):
				failed = r.method
			}
		}
		topmost = false
	}
	if passed {
		return ""
	}
	return failed
}

// authservIDOf splits the id, and the version that may follow it, from the
// results.
func authservIDOf(field string) (id, rest string) {
	head, rest, _ := cutOutside(clipText(field, 16<<10), ';')
	words := strings.Fields(dropComments(head))
	if len(words) == 0 {
		return "", ""
	}
	return strings.Trim(words[0], `"`), rest
}

// authResult is one method with what it found, and for which domain of From
// where it says so.
type authResult struct{ method, result, from string }

// authResults reads "spf=pass (…) smtp.mailfrom=x; dkim=fail reason="…"".
func authResults(s string) (out []authResult) {
	for more := true; more && len(out) < 100; {
		var one string
		one, s, more = cutOutside(s, ';')
		one = strings.TrimSpace(dropComments(one))
		name, value, ok := strings.Cut(one, "=")
		if !ok {
			continue // "none"
		}
		name, _, _ = strings.Cut(strings.TrimSpace(name), "/") // spf/1
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		r := authResult{method: strings.ToLower(strings.TrimSpace(name)), result: strings.ToLower(strings.Trim(words[0], `"`))}
		for _, w := range words[1:] {
			if domain, ok := strings.CutPrefix(strings.ToLower(w), "header.from="); ok {
				r.from = strings.Trim(domain[strings.LastIndexByte(domain, '@')+1:], `"`)
			}
		}
		out = append(out, r)
	}
	return out
}

// cutOutside cuts at the first sep outside of quoted strings and comments.
func cutOutside(s string, sep byte) (before, after string, found bool) {
	quoted, depth := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '"' && depth == 0:
			quoted = true
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == sep && depth == 0:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
