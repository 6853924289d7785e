package caldav

import (
	"net/http"
	"strings"
)

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

// startAnew answers a sync-token of the address book that is not ours. RFC 6578
// section 3.2 says 403 with valid-sync-token; at that Thunderbird's address
// book keeps the dead token for ever, and only 400 makes it read all again
// (clients.md section 9).
func (c *call) startAnew(err error) error {
	if strings.Contains(c.r.UserAgent(), "Thunderbird/") {
		return &refusal{status: http.StatusBadRequest, precondition: dav("valid-sync-token")}
	}
	return err
}
