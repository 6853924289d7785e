package store

import (
	"regexp"
	"strings"
)

// subjectPrefix is one mark of an answer or a forward, in the languages of
// the mail programs met here, or a list's name in brackets.
var subjectPrefix = regexp.MustCompile(`(?i)^\s*(?:(?:re|fw|fwd|aw|wg|sv|vs|antw|tr|rv|отв|ответ|пересл|пер|на|ha|нa|fyi)\.?\s*(?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：]|\[[^\]]{1,60}\])\s*`)

// maybePrefixed spares most subjects the expression: a prefix ends in one of
// these.
func maybePrefixed(s string) bool { return strings.ContainsAny(s, ":]：") }

// BareSubject is the subject without Re:, Fwd:, Отв:, [list] and the like,
// by which a thread is known when nothing else names it (rules.md section 3,
// rule 6).
func BareSubject(s string) string {
	for range 50 {
		if !maybePrefixed(s) {
			break
		}
		m := subjectPrefix.FindStringIndex(s)
		if m == nil || strings.TrimSpace(s[m[1]:]) == "" { // "[order]" is all there is
			break
		}
		s = s[m[1]:]
	}
	return strings.TrimSpace(s)
}

// IsReply reports whether the subject says that the letter answers or
// forwards another.
func IsReply(subject string) bool {
	if !maybePrefixed(subject) {
		return false
	}
	m := subjectPrefix.FindString(subject)
	return m != "" && !strings.HasPrefix(strings.TrimSpace(m), "[")
}
