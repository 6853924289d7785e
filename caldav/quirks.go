package caldav

import "strings"

// What particular programs need beyond the RFCs. Each names who and why.

// etagsOf reads the list of an If-Match header, without quotes. A weak mark
// is dropped: our tags are strong, but a compressing proxy weakens them on
// their way out, and then strong comparison would make every edit of
// Thunderbird a conflict (clients.md section 5).
func etagsOf(header []string) (tags []string) {
	rest := strings.Join(header, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return tags
		}
		rest = strings.TrimPrefix(rest, "W/")
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			tag, after, closed := strings.Cut(quoted, `"`)
			if !closed {
				after = ""
			}
			tags, rest = append(tags, tag), after
			continue
		}
		// Thunderbird probes with If-Match: nothing, without quotes.
		tag, after, _ := strings.Cut(rest, ",")
		tags, rest = append(tags, strings.TrimSpace(tag)), after
	}
}
