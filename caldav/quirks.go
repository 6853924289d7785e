package caldav

import (
	"encoding/xml"
	"strings"
)

// What particular programs need beyond the RFCs. Each names who and why.

// forgets reports properties that are taken and not kept. Apple Calendar sets
// these on the calendar home at its start and shows the user an error when
// they are refused (clients.md section 12); they steer its own default alarms
// and free-busy, of which nothing here depends.
func forgets(k kind, n xml.Name) bool {
	if k != homeKind || n.Space != nsCalDAV {
		return false
	}
	switch n.Local {
	case "default-alarm-vevent-date", "default-alarm-vevent-datetime",
		"default-alarm-vtodo-date", "default-alarm-vtodo-datetime", "calendar-free-busy-set":
		return true
	}
	return false
}

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
