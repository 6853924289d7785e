package mailsync

import (
	"strings"
)

// authFailed reads Authentication-Results (RFC 8601) and reports the first
// method that says that the letter is not from whom it claims to be: "spf",
// "dkim" or "dmarc", or "" when none does.
//
// Only the topmost field with our server's authserv-id counts: whoever sends a
// letter can write such fields below it, never above (RFC 8601 section 5). That
// there is none is no failure: letters among the mailboxes of one server often
// have none. DMARC, where it passed, has the last word: it says that the domain
// of From is right although, say, a forwarder on the way broke SPF (RFC 7489
// section 3.1).
func authFailed(results []string, authservID string) string {
	for _, field := range results {
		id, rest := authservIDOf(field)
		if id == "" || !strings.EqualFold(strings.TrimSuffix(id, "."), strings.TrimSuffix(authservID, ".")) {
			continue
		}
		failed := ""
		for _, r := range authResults(rest) {
			switch r.method {
			case "dmarc":
				if r.result == "pass" {
					return ""
				}
			case "spf", "dkim":
			default:
				continue
			}
			// "hardfail" is what SPF's fail was called in RFC 5451.
			if failed == "" && (r.result == "fail" || r.result == "hardfail") {
				failed = r.method
			}
		}
		return failed
	}
	return ""
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

// authResult is one method with what it found.
type authResult struct{ method, result string }

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
		value = strings.TrimSpace(value)
		if i := strings.IndexAny(value, " \t"); i >= 0 {
			value = value[:i]
		}
		out = append(out, authResult{strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.Trim(value, `"`))})
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
